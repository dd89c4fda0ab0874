//! One pack: a file to which one process appends records, and which all processes search.
//!
//! While its process lives, it holds a lock on the pack; at the end it writes an index after the records. A pack
//! without an index is scanned from record to record, as far as it is intact.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, flock};
use wake_model::Digest;

use super::entry::{HEAD, HEADER, Salt, Slot, TRAILER};
use crate::error::{At, StoreError, optional};
use crate::publish::rename_into;
use crate::session::Session;
use crate::sorted_index::{ENTRY, SortedIndex, u64_at};

/// Bytes read at once while scanning.
const WINDOW: u64 = 256 << 10;
/// The last use that marks a record as removed.
const FORGOTTEN: u64 = 0;

/// An open pack.
#[derive(Debug)]
pub(crate) struct Pack {
    path: PathBuf,
    file: File,
    salt: Salt,
    slots: Slots,
}

#[derive(Debug)]
enum Slots {
    /// It had an index when it was opened.
    Sorted(SortedIndex),
    /// Found by scanning, or appended.
    Chained(Mutex<SlotChain>),
}

#[derive(Debug)]
struct SlotChain {
    slots: HashMap<Digest, Slot>,
    /// The offset of the next record.
    end: u64,
    /// The file's length when it was last scanned.
    walked: u64,
    state: PackState,
}

/// Who may append to a pack that had no index when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PackState {
    /// This process, which holds the lock.
    Ours,
    /// Another process, or nobody if that process is dead.
    Theirs,
    /// Nobody any more.
    Sealed,
}

/// How much of a pack is still in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// A process may still append to it.
    InUse,
    /// Nothing.
    Empty,
    /// Less than half.
    Sparse,
    /// The rest.
    Full,
}

/// A record as read; its bytes have not been checked yet.
#[derive(Debug)]
pub(super) struct Raw {
    bytes: Vec<u8>,
    /// Its last use, in nanoseconds since 1970.
    pub(super) used: u64,
}

impl Raw {
    /// Returns the bytes; empty if there is no complete record.
    pub(super) fn record(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

impl Slots {
    /// Starts without slots, for a pack without an index.
    fn unsorted(state: PackState) -> Self {
        let (slots, start) = (HashMap::new(), HEAD as u64);
        Slots::Chained(Mutex::new(SlotChain { slots, end: start, walked: start, state }))
    }
}

impl Pack {
    /// Creates a pack at `place`, for this process to append to.
    pub(super) fn begin(session: &Session, place: &Path) -> Result<Self, StoreError> {
        let temporary = session.fresh_path();
        let new = || {
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create_new(true).mode(0o644).open(&temporary)?;
            // Before others can see it, so that nobody takes it for a dead process's.
            rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            let salt = Salt::random()?;
            file.write_all_at(&salt.head(), 0)?;
            rename_into(&temporary, place)?;
            Ok((file, salt))
        };
        let (file, salt) =
            new().inspect_err(|_: &io::Error| drop(std::fs::remove_file(&temporary))).at(place)?;
        Ok(Pack { path: place.to_owned(), file, salt, slots: Slots::unsorted(PackState::Ours) })
    }

    /// Opens a pack; none if there is none at `path`.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        use io::ErrorKind::{IsADirectory, PermissionDenied, ReadOnlyFilesystem};
        let opened = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                File::open(path)
            }
            Err(error) if error.kind() == IsADirectory => return Ok(None),
            opened => opened,
        };
        let Some(file) = optional(opened.at(path))? else { return Ok(None) };
        let mut head = [0; HEAD];
        let Some(salt) = file.read_exact_at(&mut head, 0).ok().and_then(|()| Salt::of_head(&head))
        else {
            return Ok(None);
        };
        let len = file.metadata().at(path)?.len();
        let slots = match index_of(&file, &salt, len) {
            Some((at, count)) => Slots::Sorted(SortedIndex::new(at, count)),
            None => Slots::unsorted(PackState::Theirs),
        };
        let pack = Pack { path: path.to_owned(), file, salt, slots };
        pack.catch_up()?;
        Ok(Some(pack))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether this process may append to it.
    pub(super) fn is_ours(&self) -> bool {
        match &self.slots {
            Slots::Sorted(_) => false,
            Slots::Chained(chain) => lock(chain).state == PackState::Ours,
        }
    }

    pub(super) fn len(&self) -> Result<u64, StoreError> {
        Ok(self.file.metadata().at(&self.path)?.len())
    }

    /// Returns the position of a key's record.
    pub(super) fn slot(&self, key: &Digest) -> Option<Slot> {
        match &self.slots {
            Slots::Sorted(index) => Slot::decode(&index.find(&self.file, key)?, &self.salt),
            Slots::Chained(chain) => lock(chain).slots.get(key).copied(),
        }
    }

    /// Returns the slots of all records, including removed ones.
    pub(super) fn slots(&self) -> Vec<Slot> {
        match &self.slots {
            Slots::Sorted(index) => {
                let entries = index.whole(&self.file).unwrap_or_default().chunks_exact(ENTRY);
                entries.filter_map(|entry| Slot::decode(entry, &self.salt)).collect()
            }
            Slots::Chained(chain) => lock(chain).slots.values().copied().collect(),
        }
    }

    /// Returns whether every entry of the index is valid and in its place.
    pub(crate) fn index_is_sound(&self) -> bool {
        let Slots::Sorted(index) = &self.slots else { return true };
        let Some(entries) = index.whole(&self.file) else { return false };
        let decode = |entry| Slot::decode(entry, &self.salt).map(|slot| slot.key);
        let keys: Option<Vec<Digest>> = entries.chunks_exact(ENTRY).map(decode).collect();
        keys.is_some_and(|keys| keys.is_sorted_by(|a, b| a < b))
    }

    /// Returns every record reachable through the index or from the preceding one; the latest of each key.
    pub(super) fn reachable(&self) -> Result<Vec<Slot>, StoreError> {
        let mut slots: HashMap<Digest, Slot> = HashMap::new();
        walk(&self.file, &self.salt, HEAD as u64, self.len()?, |slot| {
            slots.insert(slot.key, slot);
        })
        .at(&self.path)?;
        slots.extend(self.slots().into_iter().map(|slot| (slot.key, slot)));
        Ok(slots.into_values().collect())
    }

    /// Returns the record that a slot refers to; none if it has been removed.
    pub(super) fn read(&self, slot: &Slot) -> Result<Option<Raw>, StoreError> {
        let mut bytes = vec![0; usize::try_from(slot.size()).unwrap_or(HEADER)];
        match self.file.read_exact_at(&mut bytes, slot.offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => bytes.clear(),
            read => read.at(&self.path)?,
        }
        let used = u64_at(&bytes, ENTRY).unwrap_or(u64::MAX);
        if used == FORGOTTEN {
            return Ok(None);
        }
        if bytes.get(..ENTRY).is_some_and(|header| header != slot.encode(&self.salt)) {
            bytes.clear();
        }
        Ok(Some(Raw { bytes, used }))
    }

    /// Returns how much of it is in use.
    pub(crate) fn fill(&self) -> Result<Fill, StoreError> {
        // There may be no space for the index of a dead process's pack.
        if !self.finish_if_left().unwrap_or(false) {
            return Ok(Fill::InUse);
        }
        let live = self.slots().into_iter().filter(|slot| self.holds(slot));
        let bytes: u64 = live.map(|slot| slot.size() + ENTRY as u64).sum();
        Ok(match bytes {
            0 => Fill::Empty,
            _ if bytes * 2 < self.len()? => Fill::Sparse,
            _ => Fill::Full,
        })
    }

    /// Returns whether a record exists and has not been removed; faster than reading it.
    pub(super) fn holds(&self, slot: &Slot) -> bool {
        let mut used = [0; 8];
        self.file.read_exact_at(&mut used, slot.used_at()).is_ok()
            && u64::from_le_bytes(used) != FORGOTTEN
    }

    /// Sets the last use of a record.
    pub(super) fn note_use(&self, slot: &Slot, used: u64) -> io::Result<()> {
        // Never beyond the end of a file that somebody has truncated: that would extend it again.
        if self.file.metadata()?.len() < slot.end() {
            return Ok(());
        }
        self.file.write_all_at(&used.max(1).to_le_bytes(), slot.used_at())
    }

    /// Removes a record; needs no space on the disk.
    pub(super) fn forget(&self, slot: &Slot) -> Result<(), StoreError> {
        if let Slots::Chained(chain) = &self.slots {
            lock(chain).slots.remove(&slot.key);
        }
        if self.len()? < slot.end() {
            return Ok(());
        }
        self.file.write_all_at(&FORGOTTEN.to_le_bytes(), slot.used_at()).at(&self.path)
    }

    /// Returns whether somebody has truncated it since it was opened.
    pub(super) fn is_cut_short(&self, slot: &Slot) -> Result<bool, StoreError> {
        Ok(self.len()? < slot.end())
    }

    /// Appends a record with one write; returns false if nothing may be appended any more.
    ///
    /// A record that does not fit on the disk leaves nothing behind.
    pub(super) fn append(&self, key: &Digest, record: &[u8], now: u64) -> Result<bool, StoreError> {
        let Slots::Chained(chain) = &self.slots else { return Ok(false) };
        let mut bytes = Vec::with_capacity(HEADER + record.len());
        bytes.resize(HEADER, 0);
        bytes.extend_from_slice(record);
        bytes[ENTRY..HEADER].copy_from_slice(&now.to_le_bytes());
        // Held while the record is copied to the kernel: otherwise a killed process could leave a hole before another
        // thread's record.
        let mut chain = lock(chain);
        if chain.state != PackState::Ours {
            return Ok(false);
        }
        let slot = Slot { key: *key, offset: chain.end, len: record.len() as u64, written: now };
        bytes[..ENTRY].copy_from_slice(&slot.encode(&self.salt));
        if let Err(error) = self.file.write_all_at(&bytes, slot.offset) {
            let _ = self.file.set_len(slot.offset);
            return Err(error).at(&self.path);
        }
        chain.end = slot.end();
        chain.slots.insert(*key, slot);
        Ok(true)
    }

    /// Picks up what another process has appended since the last scan.
    pub(super) fn catch_up(&self) -> Result<(), StoreError> {
        let Slots::Chained(chain) = &self.slots else { return Ok(()) };
        let mut chain = lock(chain);
        if chain.state != PackState::Theirs {
            return Ok(());
        }
        let len = self.len()?;
        if len == chain.walked {
            return Ok(());
        }
        let SlotChain { slots, end, walked, .. } = &mut *chain;
        *end = walk(&self.file, &self.salt, *end, len, |slot| {
            slots.insert(slot.key, slot);
        })
        .at(&self.path)?;
        *walked = len;
        Ok(())
    }

    /// Returns whether it has an index, so that it no longer changes; adds one to a dead process's pack.
    pub(super) fn finish_if_left(&self) -> Result<bool, StoreError> {
        let Slots::Chained(chain) = &self.slots else { return Ok(true) };
        match lock(chain).state {
            PackState::Ours => return Ok(false),
            PackState::Sealed => return Ok(true),
            PackState::Theirs => {}
        }
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        self.catch_up()?;
        if index_of(&self.file, &self.salt, self.len()?).is_some() {
            // Its own process, or another one that found it, was faster.
            lock(chain).state = PackState::Sealed;
            flock(&self.file, FlockOperation::Unlock).at(&self.path)?;
        } else {
            lock(chain).state = PackState::Ours;
            self.seal()?;
        }
        Ok(true)
    }

    /// Writes the index, cutting off a torn end; nothing is appended from now on.
    pub(super) fn seal(&self) -> Result<(), StoreError> {
        let Slots::Chained(chain) = &self.slots else { return Ok(()) };
        let mut chain = lock(chain);
        if chain.state != PackState::Ours {
            return Ok(());
        }
        chain.state = PackState::Sealed;
        let mut slots: Vec<Slot> = chain.slots.values().copied().collect();
        let bytes = index_bytes(&self.salt, &mut slots, chain.end);
        let written = self
            .file
            .set_len(chain.end)
            .and_then(|()| self.file.write_all_at(&bytes, chain.end))
            // Without a complete index it is scanned, and the next process tries again.
            .inspect_err(|_| drop(self.file.set_len(chain.end)));
        let _ = flock(&self.file, FlockOperation::Unlock);
        written.at(&self.path)
    }
}

fn lock(chain: &Mutex<SlotChain>) -> MutexGuard<'_, SlotChain> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the index of a pack whose records end at `at`, with its trailer.
pub(super) fn index_bytes(salt: &Salt, slots: &mut [Slot], at: u64) -> Vec<u8> {
    slots.sort_unstable_by_key(|slot| slot.key);
    let mut bytes = Vec::with_capacity(slots.len() * ENTRY + TRAILER);
    for slot in slots.iter() {
        bytes.extend_from_slice(&slot.encode(salt));
    }
    bytes.extend_from_slice(&salt.trailer(at, slots.len() as u64));
    bytes
}

fn index_of(file: &File, salt: &Salt, len: u64) -> Option<(u64, u64)> {
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, len.checked_sub(TRAILER as u64)?).ok()?;
    salt.index_of(&trailer, len)
}

/// Scans from record to record, as far as they are complete; returns the offset of the next one.
fn walk(
    file: &File,
    salt: &Salt,
    from: u64,
    len: u64,
    mut each: impl FnMut(Slot),
) -> io::Result<u64> {
    let (mut at, mut start) = (from, 0);
    let mut window = Vec::new();
    while at + HEADER as u64 <= len {
        if at < start || at + HEADER as u64 > start + window.len() as u64 {
            window.resize(WINDOW.min(len - at) as usize, 0);
            match file.read_exact_at(&mut window, at) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                read => read?,
            }
            start = at;
        }
        let header = window.get((at - start) as usize..).unwrap_or_default();
        let Some(slot) = Slot::decode(header, salt) else { break };
        if slot.offset != at || slot.end() > len {
            break;
        }
        at = slot.end();
        each(slot);
    }
    Ok(at)
}
