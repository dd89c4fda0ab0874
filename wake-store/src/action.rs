//! The action cache: results of actions, found by the action's digest.

use std::fs::{self, File, FileTimes};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use wake_model::{ActionDigest, LogRef, RunRecord, TreeDigest};

use crate::clock;
use crate::corruption::{Corruption, Damage, Lookup};
use crate::error::{At, StoreError, optional};
use crate::open::Store;
use crate::packs::PackedRecord;
use crate::record_file::{ActionFile, ActionParts};
use crate::stamps::{Freshness, Stamps};

/// Logs of up to this many bytes are stored in the record itself.
const INLINE_LOG: usize = 4096;
/// The last use is updated at most this often.
pub(crate) const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The data to record about one action.
#[derive(Clone, Copy, Debug)]
pub struct ActionEntry<'a> {
    /// The action's digest.
    pub digest: ActionDigest,
    /// The action's canonical bytes, kept to explain why another action differs; if their digest is not `digest`, the
    /// entry is not found again.
    pub action: &'a [u8],
    /// The run record; the digests and sizes of its logs must be those of `logs`.
    pub record: &'a RunRecord,
    /// The tree of the outputs, as returned by [`Store::adopt_tree`].
    pub tree: TreeDigest,
    /// The stamps to compare the outputs with at their next use.
    pub stamps: &'a Stamps,
    /// The command's output.
    pub logs: Logs<'a>,
}

/// The kept bytes of a command's output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logs<'a> {
    /// Its standard output.
    pub stdout: &'a [u8],
    /// Its standard error.
    pub stderr: &'a [u8],
}

/// One of a command's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A cached action, with its outputs in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAction {
    file: ActionFile,
}

impl StoredAction {
    /// Returns the run record.
    pub fn record(&self) -> &RunRecord {
        &self.file.record
    }

    /// Returns the run record by value.
    pub fn into_record(self) -> RunRecord {
        self.file.record
    }

    /// Returns the tree of the outputs.
    pub fn tree(&self) -> TreeDigest {
        self.file.tree
    }

    /// Returns the stamps that the outputs have just been compared with.
    pub fn stamps(&self) -> &Stamps {
        &self.file.stamps
    }

    /// Returns the action's canonical bytes: `wake_model::Action::decode_fields` names their parts.
    pub fn action(&self) -> &[u8] {
        &self.file.action
    }
}

impl Store {
    /// Records the result of an action, replacing an earlier one.
    ///
    /// One write; one file for each log of more than 4 KiB. Readers see all of it or none.
    pub fn put_action(&self, entry: ActionEntry<'_>) -> Result<(), StoreError> {
        let ActionEntry { digest, action, record, tree, stamps, logs } = entry;
        let file = ActionParts {
            tree: &tree,
            record,
            action,
            stamps,
            stdout: self.inline(record.stdout.as_ref(), logs.stdout)?,
            stderr: self.inline(record.stderr.as_ref(), logs.stderr)?,
        };
        self.write_action(&digest, file)
    }

    /// Returns the bytes of a log that are stored in the record itself; longer ones are stored separately.
    fn inline<'a>(
        &self,
        log: Option<&LogRef>,
        bytes: &'a [u8],
    ) -> Result<Option<&'a [u8]>, StoreError> {
        match log {
            Some(_) if bytes.len() > INLINE_LOG => self.put_blob(bytes).map(|_| None),
            Some(_) => Ok(Some(bytes)),
            None => Ok(None),
        }
    }

    /// Returns the result of an action, if its outputs are unmodified.
    ///
    /// Reads one record, about 3 µs, and compares each output with its stamp, about 1 µs; outputs that may have been
    /// affected by a power cut or modified are hashed. Corrupt outputs are quarantined.
    pub fn action(&self, digest: &ActionDigest) -> Result<Lookup<StoredAction>, StoreError> {
        let Some(packed) = self.packs().find(&digest.0)? else { return Ok(Lookup::Miss) };
        let Ok(mut file) = ActionFile::decode(packed.bytes(), &digest.0) else {
            return self.forget_damaged(digest, &packed).map(Lookup::Corrupt);
        };
        let tree = self.layout().tree(&file.tree);
        match file.stamps.compare(&tree, &file.record.outputs)? {
            Freshness::Untouched => {
                packed.note_use();
                return Ok(Lookup::Hit(StoredAction { file }));
            }
            Freshness::Absent => {
                self.packs().forget(&digest.0)?;
                return Ok(Lookup::Miss);
            }
            Freshness::Doubtful => {}
        }
        let before = file.stamps.clone();
        match self.recheck(&file.tree, Some(&before))? {
            Ok((manifest, stamps)) if manifest == file.record.outputs => {
                file.stamps = stamps;
                // The outputs are right even if there is no space to record it.
                let _ = self.write_action(digest, file.parts());
                Ok(Lookup::Hit(StoredAction { file }))
            }
            Ok(_) => self.forget_damaged(digest, &packed).map(Lookup::Corrupt),
            Err(damage) => {
                let corruption = self.quarantine(&tree, damage)?;
                self.packs().forget(&digest.0)?;
                Ok(Lookup::Corrupt(corruption))
            }
        }
    }

    /// Returns what is recorded of an action, whatever became of its outputs; for explanations.
    pub fn action_record(&self, digest: &ActionDigest) -> Result<Option<StoredAction>, StoreError> {
        let Some(packed) = self.packs().find(&digest.0)? else { return Ok(None) };
        let file = ActionFile::decode(packed.bytes(), &digest.0).ok();
        Ok(file.map(|file| StoredAction { file }))
    }

    /// Returns what a command wrote to one of its streams; none if it wrote nothing, or if the log no longer exists.
    pub fn log(&self, action: &StoredAction, log: Log) -> Result<Option<Vec<u8>>, StoreError> {
        let ActionFile { record, stdout, stderr, .. } = &action.file;
        let (kept, reference) = match log {
            Log::Stdout => (stdout, &record.stdout),
            Log::Stderr => (stderr, &record.stderr),
        };
        match (kept, reference) {
            (Some(bytes), _) => Ok(Some(bytes.clone())),
            (None, Some(LogRef { blob, .. })) => self.blob(blob),
            (None, None) => Ok(None),
        }
    }

    pub(crate) fn write_action(
        &self,
        digest: &ActionDigest,
        file: ActionParts<'_>,
    ) -> Result<(), StoreError> {
        self.packs().put(&*self.session()?, &digest.0, &file.encode(&digest.0))
    }

    /// Removes a damaged action record.
    pub(crate) fn forget_damaged(
        &self,
        digest: &ActionDigest,
        packed: &PackedRecord,
    ) -> Result<Corruption, StoreError> {
        self.packs().forget(&digest.0)?;
        let path = packed.place().path().to_owned();
        Ok(Corruption { path, damage: Damage::PackedRecord(*digest), kept: None })
    }
}

/// Returns a file's bytes and its modification time; none if it does not exist.
pub(crate) fn read_with_time(path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>, StoreError> {
    let Some(file) = optional(File::open(path).at(path))? else { return Ok(None) };
    let metadata = file.metadata().at(path)?;
    // With the length as capacity, no further read is needed to detect the end.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    (&file).take(metadata.len()).read_to_end(&mut bytes).at(path)?;
    Ok(Some((bytes, metadata.modified().at(path)?)))
}

/// Sets the modification time of a record, which is its last use, unless it was set recently.
pub(crate) fn note_use(path: &Path, last: SystemTime) {
    let now = clock::now();
    if now.duration_since(last).is_ok_and(|age| age < USE_NOTED_EVERY) {
        return;
    }
    // If this fails, the record is only collected earlier.
    let _ = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(FileTimes::new().set_modified(now)));
}
