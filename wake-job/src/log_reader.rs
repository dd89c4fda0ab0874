//! Reads the output of the commands of a job, piece by piece.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::job_log::LOG;
use crate::jobs::{Jobs, JobsError, io_error};
use crate::replicas::Replicas;

/// Reads the log of a job, or the logs of its independent replicas.
#[derive(Debug)]
pub struct LogReader {
    /// Each file, and the position in it.
    files: Vec<(PathBuf, u64)>,
    /// Whether only whole lines are returned.
    by_lines: bool,
}

/// The maximum size of a piece in bytes.
const PIECE: u64 = 1 << 20;

impl LogReader {
    /// Opens the log of a job at its beginning.
    pub fn new(jobs: Jobs<'_>, id: u64) -> Result<Self, JobsError> {
        jobs.get(id)?;
        let files = match Replicas::of(jobs, id)? {
            Some(replicas) => replicas.logs(),
            None => vec![jobs.dir(id).join(LOG)],
        };
        let by_lines = files.len() > 1;
        Ok(LogReader { files: files.into_iter().map(|file| (file, 0)).collect(), by_lines })
    }

    /// Returns the next piece from any of the files; empty if there is none at the moment.
    pub fn piece(&mut self) -> Result<Vec<u8>, JobsError> {
        for (path, from) in &mut self.files {
            let mut bytes = read(path, *from).map_err(|source| io_error(path, source))?;
            if self.by_lines {
                // The rest of the line has not been written yet.
                bytes.truncate(
                    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1),
                );
            }
            if !bytes.is_empty() {
                *from += bytes.len() as u64;
                return Ok(bytes);
            }
        }
        Ok(Vec::new())
    }
}

fn read(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(path) {
        // Nothing has been written.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        file => file?,
    };
    file.seek(SeekFrom::Start(from))?;
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
