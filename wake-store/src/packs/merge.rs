//! Merges several packs into one, so that lookups need not search many.

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
/// Packs of this size and larger are left alone.
const LARGE: u64 = 64 << 20;
/// Merged packs of more than this many bytes of records are fsynced, not left to the page cache.
const MUCH: u64 = 1 << 20;

impl Packs {
    /// Adds an index to the packs of dead processes, then merges the small ones if there are many.
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

    /// Writes the records of some packs that nobody appends to into a new one, and removes the old ones.
    ///
    /// Removed records and those that fail their check are left out. Several processes may do so at once, and one may
    /// be killed in the middle: at worst, records are duplicated.
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
        // The old packs may have been on the disk for a long time.
        let durability = if bytes > MUCH { Durability::Kept } else { Durability::Noticed };
        publish_with(session, &place, durability, |file| write_all(file, places))?;
        Pack::open(&place)
    }
}

/// Returns the packs, given in ascending size, that are not much larger than the preceding ones together: so each
/// record is rewritten only a few times, however many packs are added.
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

/// Returns the latest record of each key, in their order in the packs.
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
