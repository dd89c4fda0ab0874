//! A lower bound for any build tool: reading the metadata of every file, on two threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fault::{At, Fault};

/// Every file and directory below a checkout, except what tools keep there.
pub(crate) struct Floor {
    paths: Vec<PathBuf>,
}

impl Floor {
    /// Lists the files once.
    pub(crate) fn new(checkout: &Path) -> Result<Self, Fault> {
        let mut paths = vec![];
        let mut open = vec![checkout.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).at(&dir)? {
                let entry = entry.at(&dir)?;
                if entry.file_name() == ".wake" {
                    continue;
                }
                if entry.file_type().at(&dir)?.is_dir() {
                    open.push(entry.path());
                }
                paths.push(entry.path());
            }
        }
        Ok(Floor { paths })
    }

    /// The number of files and directories.
    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Reads the metadata of each, half of them on each of two threads.
    pub(crate) fn stat(&self) -> Duration {
        let start = Instant::now();
        let (left, right) = self.paths.split_at(self.paths.len() / 2);
        std::thread::scope(|scope| {
            for half in [left, right] {
                scope.spawn(move || {
                    for path in half {
                        std::hint::black_box(path.symlink_metadata().is_ok());
                    }
                });
            }
        });
        start.elapsed()
    }
}
