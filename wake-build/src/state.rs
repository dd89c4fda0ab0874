//! Files that wake keeps in a checkout, below `.wake`: all of them caches, safe to delete at any time.

use std::path::Path;

/// Replaces the file at `path` in one step; readers see the old bytes or the new, never half.
///
/// Nothing is forced to disk: what a power cut spoils is noticed by its checksum and made anew.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let Some(dir) = path.parent() else {
        return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    };
    std::fs::create_dir_all(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}", std::process::id()));
    let written =
        std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
