//! Moves a finished tree into place with one rename.

use super::guid::new_guid;
use crate::removal::remove_whatever;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Renames `from` to `to`, which must not exist.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    moved(from, to, RenameFlags::NOREPLACE)
}

/// Puts `from` in the place of `to`, whatever that was; the old `to` is removed, or is then at `from`.
pub(crate) fn exchange(from: &Path, to: &Path) -> io::Result<()> {
    match to.symlink_metadata() {
        Ok(_) => moved(from, to, RenameFlags::EXCHANGE),
        Err(_) => moved(from, to, RenameFlags::NOREPLACE),
    }
}

fn moved(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, flags) {
        Err(Errno::ACCESS) => {
            let near = bring_near(from, to)?;
            let result = renameat_with(CWD, &near, CWD, to, flags);
            if result.is_err() || flags == RenameFlags::EXCHANGE {
                remove_whatever(&near)?;
            }
            Ok(result?)
        }
        result => Ok(result?),
    }
}

/// Moves the directory `from` beside `to` under a temporary name, even if it is not writable.
///
/// The kernel requires write permission on a directory that is moved to another one, but not on one that is renamed in
/// place. So its mode is restored before it gets its final name.
fn bring_near(from: &Path, to: &Path) -> io::Result<PathBuf> {
    let mode = from.symlink_metadata()?.permissions().mode();
    let near = to.with_file_name(format!(".tmp.move.{}", new_guid()));
    fs::set_permissions(from, fs::Permissions::from_mode(mode | 0o200))?;
    fs::rename(from, &near)?;
    fs::set_permissions(&near, fs::Permissions::from_mode(mode))?;
    Ok(near)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn closed(dir: &Path) {
        fs::create_dir_all(dir.join("in")).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    // Root can do this in any case; `tests/wares.rs` runs it as another user.
    #[test]
    fn a_read_only_directory_is_moved_unchanged() {
        let base = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        fs::create_dir(at("to")).unwrap();
        closed(&at("from/a"));
        let near = bring_near(&at("from/a"), &at("to/a")).unwrap();
        assert_eq!((mode(&near), near.parent().unwrap().to_owned()), (0o555, at("to")));
        rename_new(&near, &at("to/a")).unwrap();
        closed(&at("from/b"));
        exchange(&at("from/b"), &at("to/a")).unwrap();
        closed(&at("from/c"));
        assert!(rename_new(&at("from/c"), &at("to/a")).is_err());
        assert_eq!(mode(&at("to/a")), 0o555);
        remove_whatever(&at("to")).unwrap();
        remove_whatever(&at("from")).unwrap();
    }
}
