//! Small values by digest, many in one file.
//!
//! What a process puts is kept in memory until it is flushed as one immutable *segment*. Segments are looked
//! through from the newest to the oldest and merged when there are many. Nothing here is trusted further than
//! its check: a damaged or vanished segment, or entry, is as good as absent.

mod segment;
mod merge;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wake_model::Digest;

use crate::clock;
use crate::error::StoreError;
use crate::listing::children;
use crate::session::{Session, unique};
use segment::{Segment, write_segment};

/// The memo of one store.
#[derive(Debug)]
pub struct Memo {
    dir: PathBuf,
    /// The segments as they were at the first look.
    segments: OnceLock<Vec<Segment>>,
    /// What is to be written.
    pending: Mutex<UnwrittenValues>,
    /// What this process has written.
    flushed: Mutex<Vec<Segment>>,
}

#[derive(Debug, Default)]
struct UnwrittenValues {
    values: HashMap<Digest, Box<[u8]>>,
    bytes: usize,
}

impl Memo {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Memo {
            dir,
            segments: OnceLock::new(),
            pending: Mutex::default(),
            flushed: Mutex::default(),
        }
    }

    /// The value last put under `key`; costs a few microseconds a segment.
    ///
    /// What other processes put since this one's first look is not seen.
    pub fn get(&self, key: &Digest) -> Option<Vec<u8>> {
        if let Some(value) = lock(&self.pending).values.get(key) {
            return Some(value.to_vec());
        }
        let flushed = lock(&self.flushed).iter().rev().find_map(|segment| segment.get(key));
        let older = || {
            let segments = self.segments.get_or_init(|| open_segments(&self.dir));
            segments.iter().find_map(|segment| segment.get(key))
        };
        flushed.or_else(older)
    }

    /// Remembers a value under `key`, once it is flushed; the last one put counts.
    pub fn put(&self, key: Digest, value: Vec<u8>) {
        let mut pending = lock(&self.pending);
        pending.bytes += value.len();
        if let Some(old) = pending.values.insert(key, value.into()) {
            pending.bytes -= old.len();
        }
    }

    /// The bytes that wait to be flushed, for those who flush now and then.
    pub fn pending_bytes(&self) -> usize {
        lock(&self.pending).bytes
    }

    /// Writes what is pending as one segment, and merges segments when there are many.
    pub(crate) fn flush(
        &self,
        session: impl FnOnce() -> Result<Arc<Session>, StoreError>,
    ) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut *lock(&self.pending)).values;
        if pending.is_empty() {
            return Ok(());
        }
        let mut pending: Vec<_> = pending.into_iter().collect();
        pending.sort_unstable_by_key(|(key, _)| *key);
        // Those who ask meanwhile miss, which costs time and nothing else.
        let session = session()?;
        let place = self.dir.join(segment_name(clock::since_1970().as_nanos()));
        write_segment(&session, &place, pending.iter().map(|(key, value)| (*key, &**value)))?;
        lock(&self.flushed).extend(Segment::open(&place));
        merge::merge_if_many(&self.dir, &session)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sorts by age; two processes never choose the same one.
fn segment_name(nanos: u128) -> String {
    format!("{nanos:032x}-{}.seg", unique())
}

/// The paths of all segments, newest first.
pub(crate) fn segment_paths(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = children(dir)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.reverse();
    Ok(paths)
}

fn open_segments(dir: &Path) -> Vec<Segment> {
    let paths = segment_paths(dir).unwrap_or_default();
    paths.iter().filter_map(|path| Segment::open(path)).collect()
}

/// Whether a segment is whole and every entry of it checks.
pub(crate) fn segment_is_sound(path: &Path) -> bool {
    Segment::open(path).is_some_and(|segment| segment.is_sound())
}
