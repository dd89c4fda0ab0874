//! The action cache: what came of running an action, found by the action's digest.

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

/// Logs up to this many bytes lie in the record itself.
const INLINE_LOG: usize = 4096;
/// Uses are noted at most this often.
pub(crate) const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What is to be remembered about one action.
#[derive(Clone, Copy, Debug)]
pub struct ActionEntry<'a> {
    /// The action's name.
    pub digest: ActionDigest,
    /// The action's canonical bytes, kept for those who ask why another one differs; what has another digest
    /// than `digest` is not found again.
    pub action: &'a [u8],
    /// What came of it; its logs' digests and sizes must be those of `logs`.
    pub record: &'a RunRecord,
    /// The outputs, as [`Store::adopt_tree`] left them.
    pub tree: TreeDigest,
    /// What to compare the outputs with at their next use.
    pub stamps: &'a Stamps,
    /// What the command wrote.
    pub logs: Logs<'a>,
}

/// The kept bytes of what a command wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logs<'a> {
    /// Its standard output.
    pub stdout: &'a [u8],
    /// Its standard error.
    pub stderr: &'a [u8],
}

/// Which of a command's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An action that has been run before, with its outputs in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAction {
    file: ActionFile,
}

impl StoredAction {
    /// What came of it.
    pub fn record(&self) -> &RunRecord {
        &self.file.record
    }

    /// Takes the record out.
    pub fn into_record(self) -> RunRecord {
        self.file.record
    }

    /// The tree of its outputs.
    pub fn tree(&self) -> TreeDigest {
        self.file.tree
    }

    /// What its outputs have just been compared with.
    pub fn stamps(&self) -> &Stamps {
        &self.file.stamps
    }

    /// The canonical bytes of the action: `wake_model::Action::decode_fields` names their parts.
    pub fn action(&self) -> &[u8] {
        &self.file.action
    }
}

impl Store {
    /// Remembers what came of an action; replaces what was remembered of it before.
    ///
    /// One write; a file for each log of more than 4 KiB. A reader sees all of it or none.
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

    /// The bytes of a log that lie in the record itself; long ones are put beside it.
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

    /// What came of an action, if its outputs are still what they were.
    ///
    /// Reads one record, about 3 µs, and compares each output with its stamp, about 1 µs; outputs that a
    /// power cut or someone else may have touched are hashed. Outputs that are wrong are put aside.
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
                // The outputs are right whether or not there is room to say so.
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

    /// What is remembered of an action, whatever became of its outputs; for those who explain.
    pub fn action_record(&self, digest: &ActionDigest) -> Result<Option<StoredAction>, StoreError> {
        let Some(packed) = self.packs().find(&digest.0)? else { return Ok(None) };
        let file = ActionFile::decode(packed.bytes(), &digest.0).ok();
        Ok(file.map(|file| StoredAction { file }))
    }

    /// What a command wrote to one of its streams; none if it wrote nothing, or if it is gone.
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

    /// Removes the record of an action that is not what it should be.
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

/// A file's bytes and its modification time; none if there is no such file.
pub(crate) fn read_with_time(path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>, StoreError> {
    let Some(file) = optional(File::open(path).at(path))? else { return Ok(None) };
    let metadata = file.metadata().at(path)?;
    // With the length as a limit there is no second look for an end that is known already.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    (&file).take(metadata.len()).read_to_end(&mut bytes).at(path)?;
    Ok(Some((bytes, metadata.modified().at(path)?)))
}

/// Sets the modification time of a record, which is its last use, unless that was set lately.
pub(crate) fn note_use(path: &Path, last: SystemTime) {
    let now = clock::now();
    if now.duration_since(last).is_ok_and(|age| age < USE_NOTED_EVERY) {
        return;
    }
    // A use that is not noted makes an early collection likelier, nothing worse.
    let _ = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_times(FileTimes::new().set_modified(now)));
}
