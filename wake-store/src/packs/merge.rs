//! Making one pack of several, so that a lookup does not have to go through many.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, PoisonError};

use wake_model::Digest;

use super::entry::{HEAD, Salt, Slot};
use super::pack::{Pack, index_bytes};
use super::{PackPlace, Packs};
use crate::error::StoreError;
use crate::publish::{Durability, publish_with};
use crate::record_file::is_action_record;
use crate::removal::remove_file;
use crate::session::Session;

/// More finished packs than this are merged.
const MANY: usize = 8;
/// A pack of so many bytes stays as it is.
const LARGE: u64 = 64 << 20;
/// What so many bytes of records remember is not entrusted to the memory of the machine alone.
const MUCH: u64 = 1 << 20;

impl Packs {
    /// Gives an index to the packs of dead processes, then makes one pack of the small ones if there are many.
    pub(super) fn keep_few(&self, session: &Session) -> Result<(), StoreError> {
        let mut finished = Vec::new();
        for pack in self.known() {
            if pack.finish_if_left()? {
                finished.push((pack.len()?, pack));
            }
        }
        finished.retain(|(size, _)| *size <= LARGE);
        if finished.len() <= MANY {
            return Ok(());
        }
        finished.sort_unstable_by_key(|(size, _)| *size);
        self.write_anew(session, &worth_merging(finished))
    }

    /// Puts the records of some packs that nobody appends to into a new one, and removes them.
    ///
    /// What has been forgotten or does not check is left behind. Several processes may do so at once, and one may be
    /// killed while it does: at worst records are there twice.
    pub(crate) fn write_anew(
        &self,
        session: &Session,
        packs: &[Arc<Pack>],
    ) -> Result<(), StoreError> {
        let places = latest(packs)?;
        let merged = if places.is_empty() { None } else { self.copy(session, &places)? };
        for pack in packs {
            remove_file(pack.path())?;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.packs.retain(|known| !packs.iter().any(|pack| Arc::ptr_eq(pack, known)));
        known.packs.extend(merged.map(Arc::new));
        Ok(())
    }

    fn copy(&self, session: &Session, places: &[PackPlace]) -> Result<Option<Pack>, StoreError> {
        let place = self.new_place();
        let bytes: u64 = places.iter().map(PackPlace::size).sum();
        // The packs that go may long have been on the disk.
        let durability = if bytes > MUCH { Durability::Kept } else { Durability::Noticed };
        publish_with(session, &place, durability, |file| write_all(file, places))?;
        Pack::open(&place)
    }
}

/// The packs of ascending size that are not much larger than those before them together: so each record is
/// written anew a few times at most, however many packs come.
fn worth_merging(ascending: Vec<(u64, Arc<Pack>)>) -> Vec<Arc<Pack>> {
    let mut chosen = Vec::new();
    let mut total = 0;
    for (size, pack) in ascending {
        if chosen.len() >= 2 && size > 2 * total {
            break;
        }
        total += size;
        chosen.push(pack);
    }
    chosen
}

/// The latest record of each key, in the order in which they lie there.
fn latest(packs: &[Arc<Pack>]) -> Result<Vec<PackPlace>, StoreError> {
    let mut latest: HashMap<Digest, (usize, Slot)> = HashMap::new();
    for (number, pack) in packs.iter().enumerate() {
        for slot in pack.reachable()? {
            let known = latest.get(&slot.key);
            if known.is_none_or(|(_, known)| known.written < slot.written) {
                latest.insert(slot.key, (number, slot));
            }
        }
    }
    let mut latest: Vec<(usize, Slot)> = latest.into_values().collect();
    latest.retain(|(number, slot)| packs[*number].holds(slot));
    latest.sort_unstable_by_key(|(number, slot)| (*number, slot.offset));
    let place =
        |(number, slot): (usize, Slot)| PackPlace { pack: Arc::clone(&packs[number]), slot };
    Ok(latest.into_iter().map(place).collect())
}

fn write_all(file: &mut File, places: &[PackPlace]) -> io::Result<()> {
    let salt = Salt::random()?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    out.write_all(&salt.head())?;
    let mut at = HEAD as u64;
    let mut slots = Vec::with_capacity(places.len());
    for place in places {
        let Some(packed) = place.read().map_err(io::Error::other)? else { continue };
        if !is_action_record(packed.bytes(), place.key()) {
            continue;
        }
        let slot = Slot { offset: at, ..place.slot };
        out.write_all(&slot.encode(&salt))?;
        out.write_all(&packed.raw.used.to_le_bytes())?;
        out.write_all(packed.bytes())?;
        at = slot.end();
        slots.push(slot);
    }
    out.write_all(&index_bytes(&salt, &mut slots, at))?;
    out.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
}
