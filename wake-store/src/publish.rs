//! Puts a finished file or directory in its place atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{At, StoreError};
use crate::session::Session;

/// Whether a published file must survive a power cut as soon as this returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Readers detect what a power cut lost.
    Noticed,
    /// It is on the disk; costs an fsync, from 0.6 ms.
    Kept,
}

/// Writes `bytes` to `place` so that readers see all of them or none.
pub(crate) fn publish_file(
    session: &Session,
    place: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), StoreError> {
    publish_with(session, place, durability, |file| file.write_all(bytes))
}

/// As [`publish_file`], for content that is written piece by piece.
pub(crate) fn publish_with(
    session: &Session,
    place: &Path,
    durability: Durability,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), StoreError> {
    let temporary = session.fresh_path();
    write_new(&temporary, durability, write)
        .at(&temporary)
        .and_then(|()| rename_into(&temporary, place).at(place))
        .inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    if durability == Durability::Kept
        && let Some(parent) = place.parent()
    {
        File::open(parent).and_then(|dir| dir.sync_all()).at(parent)?;
    }
    Ok(())
}

fn write_new(
    path: &Path,
    durability: Durability,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    write(&mut file)?;
    match durability {
        Durability::Noticed => Ok(()),
        Durability::Kept => file.sync_all(),
    }
}

/// Renames, creating the parent directory of `to` if it does not exist.
pub(crate) fn rename_into(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = to.parent() else { return Err(error) };
            fs::create_dir_all(parent)?;
            fs::rename(from, to)
        }
        other => other,
    }
}
