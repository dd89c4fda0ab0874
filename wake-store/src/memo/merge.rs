//! Merges several segments into one.

use std::path::{Path, PathBuf};

use wake_model::Digest;

use super::segment::{MemoSlot, Segment, write_segment};
use super::{segment_name, segment_paths};
use crate::error::StoreError;
use crate::removal::remove_file;
use crate::session::Session;

/// More segments than this are merged.
const MANY: usize = 8;
/// The bytes of values that are held while merging, and kept at all; beyond it, the oldest are deleted.
const LIMIT: u64 = 256 << 20;

/// Merges what is worth merging. Several processes may do so at once: at worst, entries are duplicated.
pub(super) fn merge_if_many(dir: &Path, session: &Session) -> Result<(), StoreError> {
    let paths = segment_paths(dir)?;
    if paths.len() <= MANY {
        return Ok(());
    }
    let (segments, useless) = keep_within_limit(&paths);
    let chosen = worth_merging(&segments);
    if let Some(newest) = chosen.first() {
        let entries = newest_entries(&chosen);
        let place = dir.join(segment_name(age_of(newest.path())));
        write_segment(session, &place, entries.iter().map(|(key, value)| (*key, value)))?;
    }
    for path in chosen.iter().map(|segment| segment.path()).chain(useless.iter().map(|p| &**p)) {
        remove_file(path)?;
    }
    Ok(())
}

/// Returns the sound segments, newest first, within the limit, and the paths of all others.
fn keep_within_limit(paths: &[PathBuf]) -> (Vec<Segment>, Vec<PathBuf>) {
    let mut kept = Vec::new();
    let mut useless = Vec::new();
    let mut total = 0;
    for path in paths {
        match Segment::open(path) {
            Some(segment) if total + segment.size() <= LIMIT => {
                total += segment.size();
                kept.push(segment);
            }
            _ => useless.push(path.clone()),
        }
    }
    (kept, useless)
}

/// Returns all of them, or all but the largest if that alone is larger than the rest together: rewriting it each time
/// would cost more than searching it.
fn worth_merging(segments: &[Segment]) -> Vec<&Segment> {
    let total: u64 = segments.iter().map(Segment::size).sum();
    let largest = segments.iter().max_by_key(|segment| segment.size());
    let spared = largest.filter(|largest| largest.size() > total / 2).map(Segment::path);
    segments.iter().filter(|segment| Some(segment.path()) != spared).collect()
}

/// Returns the sound entries of segments given newest first, without duplicates, by key.
fn newest_entries(segments: &[&Segment]) -> Vec<(Digest, Vec<u8>)> {
    let mut slots: Vec<(MemoSlot, usize)> = Vec::new();
    for (age, segment) in segments.iter().enumerate() {
        slots.extend(segment.slots().unwrap_or_default().into_iter().map(|slot| (slot, age)));
    }
    slots.sort_unstable_by_key(|(slot, age)| (slot.key, *age));
    let mut entries: Vec<(Digest, Vec<u8>)> = Vec::with_capacity(slots.len());
    for (slot, age) in slots {
        if entries.last().is_some_and(|(key, _)| *key == slot.key) {
            continue;
        }
        entries.extend(segments[age].value(&slot).map(|value| (slot.key, value)));
    }
    entries
}

/// Returns the time in a segment's name, so that a merged segment is as old as its newest part.
fn age_of(path: &Path) -> u128 {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let nanos = name.split('-').next().unwrap_or_default();
    u128::from_str_radix(nanos, 16).unwrap_or_default()
}
