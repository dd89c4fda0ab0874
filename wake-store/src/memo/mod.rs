//! Small values by digest, many in one file.
//!
//! Values are kept in memory until they are flushed as one immutable *segment*. Segments are searched from the newest
//! to the oldest and merged when there are many. Nothing is trusted beyond its check: a damaged or missing segment or
//! entry counts as absent.

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
    /// The segments as of the first lookup.
    segments: OnceLock<Vec<Segment>>,
    /// Values still to be written.
    pending: Mutex<UnwrittenValues>,
    /// Segments written by this process.
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

    /// Returns the value last stored under `key`; costs a few microseconds per segment.
    ///
    /// Values that other processes stored after this one's first lookup are not seen.
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

    /// Stores a value under `key`, to be written by the next flush; the last one counts.
    pub fn put(&self, key: Digest, value: Vec<u8>) {
        let mut pending = lock(&self.pending);
        pending.bytes += value.len();
        if let Some(old) = pending.values.insert(key, value.into()) {
            pending.bytes -= old.len();
        }
    }

    /// Returns the bytes that wait to be flushed, for callers that flush periodically.
    pub fn pending_bytes(&self) -> usize {
        lock(&self.pending).bytes
    }

    /// Writes the pending values as one segment, and merges segments if there are many.
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
        // Concurrent lookups miss, which costs only time.
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

/// Names sort by age, and two processes never choose the same one.
fn segment_name(nanos: u128) -> String {
    format!("{nanos:032x}-{}.seg", unique())
}

/// Returns the paths of all segments, newest first.
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

/// Returns whether a segment is complete and all its entries pass their checks.
pub(crate) fn segment_is_sound(path: &Path) -> bool {
    Segment::open(path).is_some_and(|segment| segment.is_sound())
}
