//! Files that wake keeps in a checkout, below `.wake`: all of them caches, safe to delete at any time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Replaces the file at `path` in one step; readers see the old bytes or the new, never half.
///
/// Nothing is forced to disk: what a power cut spoils is noticed by its checksum and made anew.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    replace_in_parts(path, &[bytes])
}

/// Replaces the file at `path` by `parts`, one after the other, like [`replace`].
pub(crate) fn replace_in_parts(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let Some(dir) = path.parent() else {
        return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    };
    std::fs::create_dir_all(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = BufWriter::with_capacity(256 << 10, File::create(&temporary)?);
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        std::fs::rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
