//! Making and removing directories, read-only ones included.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fchmod, openat, unlinkat};
use rustix::io::Errno;

use crate::error::{At, StoreError};

/// Makes a directory with its parents; one that exists is fine.
pub(crate) fn make_dir_all(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).at(path)
}

/// Removes a file, link or directory with all it holds; what is not there is fine.
///
/// Never follows a link. Directories are made writable first where that is needed.
pub(crate) fn remove_tree(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return remove_file(path),
        Err(_) => {}
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(dir) => empty(dir).at(path)?,
        Err(Errno::ACCESS) => {
            rustix::fs::chmod(path, Mode::RWXU).at(path)?;
            empty(rustix::fs::open(path, flags, Mode::empty()).at(path)?).at(path)?;
        }
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error).at(path),
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at(path),
    }
}

/// Removes a file or link; what is not there is fine.
pub(crate) fn remove_file(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at(path),
    }
}

/// Removes everything in a directory.
fn empty(dir: rustix::fd::OwnedFd) -> rustix::io::Result<()> {
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
                // Some file systems do not say what an entry is.
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error),
            }
        }
        remove_dir_at(dir, &name)?;
    }
    Ok(())
}

fn remove_dir_at(
    parent: rustix::fd::BorrowedFd<'_>,
    name: &std::ffi::CStr,
) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let child = match openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
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
