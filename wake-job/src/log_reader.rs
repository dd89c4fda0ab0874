//! What the commands of a job have written, piece by piece.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::record::{Jobs, JobsError, LOG, io_error};
use crate::replicas::Replicas;

/// Reads the log of a job, or those of replicas that run apart.
#[derive(Debug)]
pub struct LogReader {
    /// Each file, and how far it is read.
    files: Vec<(PathBuf, u64)>,
    /// Whether only whole lines are handed on.
    by_lines: bool,
}

/// So many bytes are handed on at once.
const PIECE: u64 = 1 << 20;

impl LogReader {
    /// One at the beginning of what a job has written.
    pub fn new(jobs: Jobs<'_>, id: u64) -> Result<Self, JobsError> {
        jobs.get(id)?;
        let files = match Replicas::of(jobs, id)? {
            Some(replicas) => replicas.logs(),
            None => vec![jobs.dir(id).join(LOG)],
        };
        let by_lines = files.len() > 1;
        Ok(LogReader { files: files.into_iter().map(|file| (file, 0)).collect(), by_lines })
    }

    /// The next piece, of whichever of them has one; empty if none has just now.
    pub fn piece(&mut self) -> Result<Vec<u8>, JobsError> {
        for (path, from) in &mut self.files {
            let mut bytes = read(path, *from).map_err(|source| io_error(path, source))?;
            if self.by_lines {
                // The rest of a line is still to come.
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
        // Nobody has written anything.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        file => file?,
    };
    file.seek(SeekFrom::Start(from))?;
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
