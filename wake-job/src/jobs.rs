//! The jobs of a store: a directory each, below `job/`, with a lock. Source: `spec/jobs.md`.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use wake_store::{Store, StoreError};

use crate::record::{JobRecord, SentJob, Status};

const RECORD: &str = "job.json";
pub(crate) const LOCK: &str = "lock";
const CANCEL: &str = "cancel";
pub(crate) const SENT: &str = "sent.json";
const ENGINE_LOG: &str = "engine.log";

/// The jobs of a store.
#[derive(Clone, Copy, Debug)]
pub struct Jobs<'s> {
    store: &'s Store,
}

/// Why the record of a job could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// There is no such job.
    #[error("the job `{0}` was not found")]
    NotFound(u64),
    /// A file of the job is damaged.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lock of a job, which the process that runs the job holds as long as this value lives.
#[derive(Debug)]
pub struct OwnJob {
    dir: PathBuf,
    lock: File,
}

impl<'s> Jobs<'s> {
    /// The jobs of `store`.
    pub fn new(store: &'s Store) -> Self {
        Jobs { store }
    }

    pub(crate) fn store(&self) -> &'s Store {
        self.store
    }

    /// Creates a job and takes its lock; `record` makes its record from its number.
    pub fn begin(
        &self,
        record: impl FnOnce(u64) -> JobRecord,
    ) -> Result<(OwnJob, JobRecord), JobsError> {
        let top = self.store.jobs_dir();
        fs::create_dir_all(&top).map_err(|source| io_error(&top, source))?;
        let mut id = self.ids()?.last().map_or(1, |last| last + 1);
        // Of several concurrent creators, the one that creates the directory gets the number.
        let dir = loop {
            let dir = top.join(id.to_string());
            match fs::create_dir(&dir) {
                Ok(()) => break dir,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => id += 1,
                Err(source) => return Err(io_error(&dir, source)),
            }
        };
        let path = dir.join(LOCK);
        let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io_error(&path, error.into()))?;
        let (own, record) = (OwnJob { dir, lock }, record(id));
        self.note(&own, &record)?;
        Ok((own, record))
    }

    /// Takes over the lock of a job that was passed to this process as an open file; none if it is another file.
    pub fn handed_over(&self, id: u64, handed: impl AsFd) -> Result<Option<OwnJob>, JobsError> {
        let dir = self.dir(id);
        let path = dir.join(LOCK);
        let failed = |error: rustix::io::Errno| io_error(&path, error.into());
        let file = match rustix::fs::stat(&path) {
            Err(rustix::io::Errno::NOENT) => return Err(JobsError::NotFound(id)),
            stat => stat.map_err(failed)?,
        };
        // A closed file is not the lock either.
        let Ok(given) = rustix::fs::fstat(&handed) else { return Ok(None) };
        if (given.st_dev, given.st_ino) != (file.st_dev, file.st_ino) {
            return Ok(None);
        }
        let lock = File::from(rustix::io::fcntl_dupfd_cloexec(&handed, 3).map_err(failed)?);
        Ok(Some(OwnJob { dir, lock }))
    }

    /// Takes the lock of a job, waiting for it if necessary.
    pub(crate) fn claim_in_turn(&self, id: u64) -> Result<OwnJob, JobsError> {
        let (dir, path) = (self.dir(id), self.dir(id).join(LOCK));
        let lock = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => JobsError::NotFound(id),
            _ => io_error(&path, source),
        })?;
        rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
            .map_err(|error| io_error(&path, error.into()))?;
        Ok(OwnJob { dir, lock })
    }

    /// Takes the lock of a job; none if another process holds it.
    pub fn claim(&self, id: u64) -> Result<Option<OwnJob>, JobsError> {
        let dir = self.dir(id);
        let path = dir.join(LOCK);
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JobsError::NotFound(id));
            }
            lock => lock.map_err(|source| io_error(&path, source))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(OwnJob { dir, lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(io_error(&path, error.into())),
        }
    }

    /// Writes the record of a job whose lock this process holds.
    pub fn note(&self, own: &OwnJob, record: &JobRecord) -> Result<(), JobsError> {
        let path = own.dir.join(RECORD);
        let damaged = |error: serde_json::Error| JobsError::Damaged {
            path: path.clone(),
            problem: error.to_string(),
        };
        let bytes = serde_json::to_vec_pretty(record).map_err(damaged)?;
        Ok(self.store.keep_file(&path, &bytes)?)
    }

    /// Returns the record of a job; if its process is gone, the job has failed.
    pub fn get(&self, id: u64) -> Result<JobRecord, JobsError> {
        let dir = self.dir(id);
        // In this order: a process records how its job ended before it releases the lock.
        let is_owned = is_locked(&dir.join(LOCK));
        let mut record = self.noted(id)?;
        if record.status.is_last() {
            return Ok(record);
        }
        if !is_owned && !dir.join(SENT).exists() {
            record.status = Status::Failed;
            record.status_reason =
                Some("the process running the job ended without reporting a result".to_owned());
        } else if dir.join(CANCEL).exists() {
            record.status = Status::Canceling;
        }
        Ok(record)
    }

    /// Returns the record of a job as it was last written.
    pub fn noted(&self, id: u64) -> Result<JobRecord, JobsError> {
        let path = self.dir(id).join(RECORD);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JobsError::NotFound(id));
            }
            bytes => bytes.map_err(|source| io_error(&path, source))?,
        };
        let record = serde_json::from_slice(&bytes);
        record.map_err(|error| JobsError::Damaged { path, problem: error.to_string() })
    }

    /// Whether a process holds the lock of a job.
    pub fn is_held(&self, id: u64) -> bool {
        is_locked(&self.dir(id).join(LOCK))
    }

    /// Returns the engine that was asked to run a job, if one was.
    pub fn sent(&self, id: u64) -> Result<Option<SentJob>, JobsError> {
        let path = self.dir(id).join(SENT);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|source| io_error(&path, source))?,
        };
        let sent = serde_json::from_slice(&bytes);
        sent.map(Some).map_err(|error| JobsError::Damaged { path, problem: error.to_string() })
    }

    /// Returns what an engine elsewhere has written besides the command's output, for a job or one of its independent replicas; empty if
    /// there is nothing.
    pub fn engine_log(&self, id: u64, replica: Option<u32>) -> String {
        let suffix = replica.map_or_else(String::new, |replica| format!(".{replica}"));
        let bytes = fs::read(self.dir(id).join(format!("{ENGINE_LOG}{suffix}")));
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// Returns all jobs, the latest first.
    pub fn list(&self) -> Result<Vec<JobRecord>, JobsError> {
        let mut all = Vec::new();
        for id in self.ids()?.into_iter().rev() {
            match self.get(id) {
                // It is just being created.
                Err(JobsError::NotFound(_)) => {}
                record => all.push(record?),
            }
        }
        Ok(all)
    }

    /// Requests the cancellation of a job, with a reason; false if it has already ended. The reason of the first request is kept.
    pub fn cancel(&self, id: u64, why: &str) -> Result<bool, JobsError> {
        if self.get(id)?.status.is_last() {
            return Ok(false);
        }
        let path = self.dir(id).join(CANCEL);
        if !path.exists() {
            self.store.keep_file(&path, why.as_bytes())?;
        }
        Ok(true)
    }

    /// Returns why a job is to be cancelled, if it is.
    pub fn why_cancelled(&self, id: u64) -> Option<String> {
        why_cancelled(&self.dir(id))
    }

    pub(crate) fn dir(&self, id: u64) -> PathBuf {
        self.store.jobs_dir().join(id.to_string())
    }

    fn ids(&self) -> Result<Vec<u64>, JobsError> {
        let top = self.store.jobs_dir();
        let entries = match fs::read_dir(&top) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| io_error(&top, source))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| io_error(&top, source))?.file_name();
            ids.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

impl OwnJob {
    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Duplicates the lock as an open file, for a process that takes it over.
    pub fn hand_over(&self) -> Result<File, JobsError> {
        self.lock.try_clone().map_err(|source| io_error(&self.dir.join(LOCK), source))
    }

    /// The path of the log of an engine elsewhere.
    pub fn engine_log(&self) -> PathBuf {
        self.dir.join(ENGINE_LOG)
    }

    /// Returns why it is to be cancelled, if it is.
    pub fn why_cancelled(&self) -> Option<String> {
        why_cancelled(&self.dir)
    }
}

pub(crate) fn why_cancelled(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join(CANCEL)).ok()
}

pub(crate) fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> JobsError {
    StoreError::Io { path: path.to_owned(), source }.into()
}
