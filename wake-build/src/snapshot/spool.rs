//! Step records on their way into a snapshot, in a file without a name, because together they are large.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, OnceLock, PoisonError};

use wake_steps::StepId;
use wake_store::ConfinedPath;

use super::format::checksum_of;
use super::step_record::StepRecord;

/// How many bytes are written at once.
const BUFFER: usize = 128 << 10;

/// Takes records while steps are performed.
pub(crate) struct Spool {
    /// None after the first failure: then there will be no snapshot.
    writing: Mutex<Option<Writing>>,
    places: Vec<OnceLock<Place>>,
}

struct Writing {
    file: BufWriter<File>,
    end: u64,
}

/// The place of a record, and its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) length: u64,
    pub(super) checksum: u64,
}

/// A record of each step.
pub(crate) struct Records {
    file: File,
    places: Vec<Place>,
}

impl Spool {
    /// Creates a spool for this number of steps, with its file in `dir`.
    pub(crate) fn new(dir: &ConfinedPath, steps: usize) -> Spool {
        let file = dir.nameless().ok();
        let buffered = |file| BufWriter::with_capacity(BUFFER, file);
        let writing = file.map(|file| Writing { file: buffered(file), end: 0 });
        let places = (0..steps).map(|_| OnceLock::new()).collect();
        Spool { writing: Mutex::new(writing), places }
    }

    /// Adds the record of a step.
    pub(crate) fn put(&self, StepId(step): StepId, record: &StepRecord<'_>) {
        let bytes = record.encode();
        let checksum = checksum_of(&bytes);
        let mut slot = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writing) = slot.as_mut() else { return };
        let place = Place { at: writing.end, length: bytes.len() as u64, checksum };
        if writing.file.write_all(&bytes).is_err() {
            *slot = None;
            return;
        }
        writing.end += place.length;
        if let Some(known) = self.places.get(step) {
            // A step is performed only once.
            let _ = known.set(place);
        }
    }

    /// Returns the records, if every step has one.
    pub(crate) fn finish(self) -> Option<Records> {
        let writing = self.writing.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        let file = writing.file.into_inner().ok()?;
        let places = self.places.into_iter().map(OnceLock::into_inner).collect::<Option<_>>()?;
        Some(Records { file, places })
    }
}

impl Records {
    /// Returns where each record is in the file, by step.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Returns the file of consecutive records.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Reads a step record; its bytes are read into `buffer`.
    ///
    /// No other process can have written to the file, so it is not checked.
    pub(super) fn read<'b>(&self, step: usize, buffer: &'b mut Vec<u8>) -> Option<StepRecord<'b>> {
        let Place { at, length, .. } = *self.places.get(step)?;
        buffer.resize(usize::try_from(length).ok()?, 0);
        self.file.read_exact_at(buffer, at).ok()?;
        StepRecord::decode(buffer)
    }
}
