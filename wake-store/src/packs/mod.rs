//! Action records, many in one file.
//!
//! A process appends its records to a *pack* of its own, which costs one write and no inode. Others read it while it
//! grows. A process that starts a pack first merges many small ones. Removal of a record, and the day of its last use,
//! are marked in place, so that garbage collection needs no space.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | the bytes |
//! | `pack` | one file: appending, finding, its index |
//! | `merge` | making one pack of several |

mod entry;
mod pack;
mod merge;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, fstat, open};
use wake_model::Digest;

pub(crate) use self::entry::Slot;
pub(crate) use self::pack::{Fill, Pack};
use crate::clock;
use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::session::{Session, unique};

/// The last use is updated at most this often.
const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A directory modified this recently may change again without a new modification time.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// The packs of one store.
#[derive(Debug)]
pub(crate) struct Packs {
    dir: PathBuf,
    known: RwLock<KnownPacks>,
    /// The one that this process appends to.
    own: Mutex<Option<Arc<Pack>>>,
}

#[derive(Debug, Default)]
struct KnownPacks {
    packs: Vec<Arc<Pack>>,
    /// The directory that was last listed.
    dir: Option<OwnedFd>,
    /// The directory's modification time when it was last listed, if any later change is certain to alter it.
    listed: Option<(i64, u64)>,
}

impl KnownPacks {
    /// Returns the modification time of the directory; none if it no longer exists.
    fn dir_time(&self) -> Option<(i64, u64)> {
        let stat = fstat(self.dir.as_ref()?).ok()?;
        (stat.st_nlink > 0).then_some((stat.st_mtime, stat.st_mtime_nsec))
    }
}

/// A record that was found; its reader checks whether it is complete.
#[derive(Debug)]
pub(crate) struct PackedRecord {
    place: PackPlace,
    raw: pack::Raw,
}

/// The position of a record.
#[derive(Clone, Debug)]
pub(crate) struct PackPlace {
    pack: Arc<Pack>,
    slot: Slot,
}

impl PackedRecord {
    /// Returns its bytes; empty if there is no complete record.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.record()
    }

    pub(crate) fn place(&self) -> &PackPlace {
        &self.place
    }

    /// Returns its last use, to the day.
    pub(crate) fn used(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.raw.used)
    }

    /// Records that it is used now, unless that was recorded recently.
    pub(crate) fn note_use(&self) {
        let now = clock::now();
        if now.duration_since(self.used()).is_ok_and(|age| age < USE_NOTED_EVERY) {
            return;
        }
        let PackPlace { pack, slot } = &self.place;
        // If this fails, the record is only collected earlier.
        let _ = pack.note_use(slot, now_nanos());
    }
}

impl PackPlace {
    /// Returns the path of its pack.
    pub(crate) fn path(&self) -> &Path {
        self.pack.path()
    }

    pub(crate) fn key(&self) -> &Digest {
        &self.slot.key
    }

    /// Returns the bytes that it occupies.
    pub(crate) fn size(&self) -> u64 {
        self.slot.size()
    }

    pub(crate) fn read(&self) -> Result<Option<PackedRecord>, StoreError> {
        let raw = self.pack.read(&self.slot)?;
        Ok(raw.map(|raw| PackedRecord { place: self.clone(), raw }))
    }

    /// Removes the record; needs no space.
    pub(crate) fn forget(&self) -> Result<(), StoreError> {
        self.pack.forget(&self.slot)
    }
}

impl Packs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Packs { dir, known: RwLock::default(), own: Mutex::default() }
    }

    /// Returns the latest record of a key, from any process.
    ///
    /// One read once a few keys have been looked up; a missing key costs a check of the directory and of each pack that
    /// another process may still write.
    pub(crate) fn find(&self, key: &Digest) -> Result<Option<PackedRecord>, StoreError> {
        if let Some(found) = self.newest(key).map_or(Ok(None), |place| place.read())? {
            return Ok(Some(found));
        }
        // It does not matter whether this check finds anything new: another thread may have found it just before.
        self.look_again()?;
        self.newest(key).map_or(Ok(None), |place| place.read())
    }

    /// Adds a record, which replaces earlier ones of the same key.
    pub(crate) fn put(
        &self,
        session: &Session,
        key: &Digest,
        record: &[u8],
    ) -> Result<(), StoreError> {
        loop {
            let pack = self.own(session)?;
            // The latest counts, even if the clock was set back.
            let before = self.newest(key).map_or(0, |place| place.slot.written);
            if pack.append(key, record, now_nanos().max(before.saturating_add(1)))? {
                return Ok(());
            }
        }
    }

    /// Removes the records of a key in the known packs.
    pub(crate) fn forget(&self, key: &Digest) -> Result<(), StoreError> {
        let known = self.known();
        for pack in known {
            let Some(slot) = pack.slot(key) else { continue };
            pack.forget(&slot)?;
            if pack.is_cut_short(&slot)? {
                // The rest of it is found again.
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                known.packs.retain(|known| !Arc::ptr_eq(known, &pack));
                known.listed = None;
            }
        }
        Ok(())
    }

    /// Returns the latest record of each key that has not been removed, and all others in the packs: older records and
    /// removed ones.
    pub(crate) fn all(&self) -> Result<(Vec<PackPlace>, Vec<PackPlace>), StoreError> {
        self.look_again()?;
        let mut newest: HashMap<Digest, PackPlace> = HashMap::new();
        let mut rest = Vec::new();
        for pack in self.known() {
            for slot in pack.slots() {
                let place = PackPlace { pack: Arc::clone(&pack), slot };
                let older = match newest.get(&slot.key) {
                    Some(known) if known.slot.written >= slot.written => Some(place),
                    _ => newest.insert(slot.key, place),
                };
                rest.extend(older);
            }
        }
        let mut live: Vec<PackPlace> = newest.into_values().collect();
        live.sort_unstable_by_key(|place| place.slot.key);
        let (live, forgotten) = live.into_iter().partition(|place| place.pack.holds(&place.slot));
        rest.extend::<Vec<_>>(forgotten);
        Ok((live, rest))
    }

    /// Returns the known packs.
    pub(crate) fn known(&self) -> Vec<Arc<Pack>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).packs.clone()
    }

    /// Finishes the pack of this process, so that others find its records quickly; the next record starts a new one.
    pub(crate) fn seal(&self) -> Result<(), StoreError> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.map_or(Ok(()), |pack| pack.seal())
    }

    fn newest(&self, key: &Digest) -> Option<PackPlace> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.packs.iter().filter_map(|pack| Some((pack, pack.slot(key)?)));
        let (pack, slot) = found.max_by_key(|(_, slot)| slot.written)?;
        Some(PackPlace { pack: Arc::clone(pack), slot })
    }

    /// Returns the pack that this process appends to.
    fn own(&self, session: &Session) -> Result<Arc<Pack>, StoreError> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = &*own {
            return Ok(Arc::clone(pack));
        }
        self.look_again()?;
        // Too many packs only slow down lookups; there may be no space.
        let _ = self.keep_few(session);
        let pack = Arc::new(Pack::begin(session, &self.new_place())?);
        self.known.write().unwrap_or_else(PoisonError::into_inner).packs.push(Arc::clone(&pack));
        *own = Some(Arc::clone(&pack));
        Ok(pack)
    }

    fn new_place(&self) -> PathBuf {
        self.dir.join(format!("{}.pack", unique()))
    }

    /// Picks up new packs and appended records.
    fn look_again(&self) -> Result<(), StoreError> {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.listed.is_some() && known.listed == known.dir_time() {
                return known.packs.iter().try_for_each(|pack| pack.catch_up());
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        known.dir = optional(open(&self.dir, flags, Mode::empty()).at(&self.dir))?;
        let Some(time) = known.dir_time() else { return Ok(()) };
        self.list(&mut known)?;
        known.listed = is_past(time).then_some(time);
        known.packs.iter().try_for_each(|pack| pack.catch_up())
    }

    fn list(&self, known: &mut KnownPacks) -> Result<(), StoreError> {
        let mut listed = Vec::new();
        for path in children(&self.dir)?.into_iter().filter(|path| is_pack(path)) {
            match known.packs.iter().find(|pack| pack.path() == path) {
                Some(pack) => listed.push(Arc::clone(pack)),
                None => match Pack::open(&path)? {
                    Some(pack) => listed.push(Arc::new(pack)),
                    // Another process has just merged it with others: the result is not in this list.
                    None if path.symlink_metadata().is_err() => return self.list(known),
                    None => {}
                },
            }
        }
        let still_ours =
            |pack: &&Arc<Pack>| pack.is_ours() && !listed.iter().any(|p| Arc::ptr_eq(p, pack));
        let unlisted: Vec<_> = known.packs.iter().filter(still_ours).cloned().collect();
        listed.extend(unlisted);
        known.packs = listed;
        Ok(())
    }
}

impl Drop for Packs {
    fn drop(&mut self) {
        // Without an index the pack is scanned, and the next process that writes adds one.
        let _ = self.seal();
    }
}

/// Returns whether a path is that of a pack.
pub(crate) fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pack")
}

/// Returns whether any change from now on gives the directory another modification time than this.
fn is_past((seconds, nanos): (i64, u64)) -> bool {
    let changed = u128::from(seconds.unsigned_abs()) * 1_000_000_000 + u128::from(nanos);
    u128::from(now_nanos()) > changed + CLOCK_TICK.as_nanos()
}

fn now_nanos() -> u64 {
    u64::try_from(clock::since_1970().as_nanos()).unwrap_or(u64::MAX)
}
