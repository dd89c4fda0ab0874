//! The logs of commands.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::jobs::{JobsError, OwnJob, io_error};

pub(crate) const LOG: &str = "log";

/// The log of a command, up to a maximum size.
#[derive(Debug)]
pub struct JobLog {
    file: File,
    left: u64,
}

/// The maximum size of a log in bytes.
const LONGEST_LOG: u64 = 64 << 20;

impl JobLog {
    pub(crate) fn at(path: &Path) -> Result<Self, JobsError> {
        let failed = |source| io_error(path, source);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        // A previous holder of the lock may have written some already.
        let there = file.metadata().map_err(failed)?.len();
        Ok(JobLog { file, left: LONGEST_LOG.saturating_sub(there) })
    }

    /// Appends bytes; those beyond the maximum size, or that do not fit on the disk, are dropped.
    pub fn add(&mut self, bytes: &[u8]) {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        if self.file.write_all(&bytes[..most]).is_ok() {
            self.left -= most as u64;
        }
    }
}

impl OwnJob {
    /// Opens the log of its command.
    pub fn log(&self) -> Result<JobLog, JobsError> {
        JobLog::at(&self.dir().join(LOG))
    }
}
