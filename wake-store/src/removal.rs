//! Creates and removes directories, including read-only ones.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, openat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::error::{At, StoreError};

/// Creates a directory with its parents; an existing one is accepted.
pub(crate) fn make_dir_all(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).at(path)
}

/// Removes a file, link or directory with its contents; a missing one is accepted.
///
/// Never follows a link. Directories are made writable first if necessary.
pub(crate) fn remove_tree(path: &Path) -> Result<(), StoreError> {
    remove_whatever(path).at(path)
}

/// As [`remove_tree`], for callers that add the path to errors themselves.
pub(crate) fn remove_whatever(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            if_there(fs::remove_file(path))
        }
        Err(_) => Ok(remove_dir_at(CWD, path)?),
    }
}

/// Removes a file or link; a missing one is accepted.
pub(crate) fn remove_file(path: &Path) -> Result<(), StoreError> {
    if_there(fs::remove_file(path)).at(path)
}

fn if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes everything in a directory.
fn empty(dir: OwnedFd) -> rustix::io::Result<()> {
    let mode = rustix::fs::fstat(&dir)?.st_mode;
    if mode & 0o700 != 0o700 {
        fchmod(&dir, Mode::RWXU)?;
    }
    let mut dir = Dir::new(dir)?;
    let mut names = Vec::new();
    while let Some(entry) = dir.read() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    let dir = dir.fd()?;
    for (name, kind) in names {
        if kind != FileType::Directory {
            match unlinkat(dir, &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                // Some file systems do not report an entry's type.
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error),
            }
        }
        remove_dir_at(dir, name.as_c_str())?;
    }
    Ok(())
}

fn remove_dir_at(parent: BorrowedFd<'_>, name: impl Arg + Copy) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let child = match openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            openat(parent, name, flags, Mode::empty())?
        }
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    empty(child)?;
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}
