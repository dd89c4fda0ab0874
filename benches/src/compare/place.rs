//! The directories of one tool, and the disposal of old ones.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fault::{At, Fault};
use crate::repository::Repository;

/// The directory that one tool works in.
///
/// On a disk, nothing is deleted during measurements: on ext4, creating files costs several times as much for minutes after
/// many were removed, so a build right after a removal would measure the removal. In memory it is the other way round: kept
/// files take space, and removing them has no after-effects.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    combine: PathBuf,
    thrown: Cell<usize>,
    in_memory: bool,
}

impl Place {
    /// Creates a place below `base` for the tool `name`, which will run the program `combine`.
    pub(crate) fn new(base: &Path, name: &str, combine: &Path) -> Result<Self, Fault> {
        let dir = base.join(name);
        fs::create_dir_all(dir.join("trash")).at(&dir)?;
        let in_memory =
            rustix::fs::statfs(&dir).map_err(std::io::Error::from).at(&dir)?.f_type == TMPFS_MAGIC;
        Ok(Place { dir, combine: combine.to_owned(), thrown: Cell::new(0), in_memory })
    }

    /// The checkout.
    pub(crate) fn checkout(&self) -> PathBuf {
        self.dir.join("checkout")
    }

    /// The tool's files outside the checkout.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// The log of the tool's output.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Makes the checkout with its sources and the program, after moving its old content away.
    pub(crate) fn check_out(&self, repository: &Repository) -> Result<(), Fault> {
        let checkout = self.checkout();
        // The directory itself stays: a server that works in it would end if it were removed.
        fs::create_dir_all(&checkout).at(&checkout)?;
        for entry in fs::read_dir(&checkout).at(&checkout)? {
            self.throw_away(&entry.at(&checkout)?.path())?;
        }
        let tool = checkout.join("tool");
        fs::create_dir_all(&tool).at(&tool)?;
        fs::copy(&self.combine, tool.join("combine")).at(&self.combine)?;
        repository.write_sources(&checkout)
    }

    /// Moves `path` into the trash if it exists, or deletes it if it is in memory.
    pub(crate) fn throw_away(&self, path: &Path) -> Result<(), Fault> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        if self.in_memory {
            return remove(path).at(path);
        }
        let trash = self.dir.join("trash");
        // Numbers used by an earlier comparison in the same directory stay taken.
        let free = |number: &usize| trash.join(number.to_string()).symlink_metadata().is_err();
        let number = (self.thrown.get()..).find(free).unwrap_or_default();
        self.thrown.set(number + 1);
        fs::rename(path, trash.join(number.to_string())).at(path)
    }
}

/// The type of a file system in memory. Source: `tmpfs(5)`, `statfs(2)`.
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}
