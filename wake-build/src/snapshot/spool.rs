//! Records of steps on their way into a snapshot: in a file without a name, because all of them together are large.

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

/// Where records go while steps are performed.
pub(crate) struct Spool {
    /// None from the first failure on: then there will be no snapshot.
    writing: Mutex<Option<Writing>>,
    places: Vec<OnceLock<Place>>,
}

struct Writing {
    file: BufWriter<File>,
    end: u64,
}

/// Where a record lies, and a checksum of it.
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
    /// For so many steps; the file lies in `dir`.
    pub(crate) fn new(dir: &ConfinedPath, steps: usize) -> Spool {
        let file = dir.nameless().ok();
        let buffered = |file| BufWriter::with_capacity(BUFFER, file);
        let writing = file.map(|file| Writing { file: buffered(file), end: 0 });
        let places = (0..steps).map(|_| OnceLock::new()).collect();
        Spool { writing: Mutex::new(writing), places }
    }

    /// Takes the record of a step.
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
            // A step is performed once.
            let _ = known.set(place);
        }
    }

    /// The records, if there is one of each step.
    pub(crate) fn finish(self) -> Option<Records> {
        let writing = self.writing.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        let file = writing.file.into_inner().ok()?;
        let places = self.places.into_iter().map(OnceLock::into_inner).collect::<Option<_>>()?;
        Some(Records { file, places })
    }
}

impl Records {
    /// Where each record lies in the file, by step.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The file that the records lie in, one after the other.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The record of a step; `buffer` is where its bytes go.
    ///
    /// Nobody else can have written to the file, so it is as it was.
    pub(super) fn read<'b>(&self, step: usize, buffer: &'b mut Vec<u8>) -> Option<StepRecord<'b>> {
        let Place { at, length, .. } = *self.places.get(step)?;
        buffer.resize(usize::try_from(length).ok()?, 0);
        self.file.read_exact_at(buffer, at).ok()?;
        StepRecord::decode(buffer)
    }
}
