//! Files below a state directory: all of them caches, safe to delete at any time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A new file in `dir` that has no name any more, so that it is gone with whoever holds it.
pub fn nameless(dir: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(format!(".spool.{}", wake_store::ware::new_guid()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Replaces the file at `path` in one step; readers see the old bytes or the new, never half.
///
/// Nothing is forced to disk: what a power cut spoils is noticed by its checksum and made anew.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    replace_in_parts(path, &[bytes])
}

/// Replaces the file at `path` by `parts`, one after the other, like [`replace`].
pub fn replace_in_parts(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    replace_by(path, |file| {
        let mut file = BufWriter::with_capacity(256 << 10, file);
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.flush()
    })
}

/// Replaces the file at `path` by what `write` writes, like [`replace`].
pub fn replace_by(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let Some(dir) = path.parent() else {
        return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    };
    std::fs::create_dir_all(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| write(&mut file))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
