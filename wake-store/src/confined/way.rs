//! Resolves paths below a directory that is held open, without following links.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat};
use rustix::io::{Errno, Result};

/// How a directory is opened for lookups.
pub(super) const DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens `below` relative to `top`, following no link.
pub(super) fn open(
    top: BorrowedFd<'_>,
    below: &Path,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    /// Whether the system has `openat2(2)`, as far as is known: Linux 5.6 does, some containers forbid it.
    static IS_THERE: AtomicBool = AtomicBool::new(true);
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    if IS_THERE.load(Ordering::Relaxed) {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        loop {
            match openat2(top, path, flags, mode, resolve) {
                // The kernel could not rule out that a rename led outside: retry.
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOSYS | Errno::PERM) => break,
                opened => return opened,
            }
        }
    }
    let opened = step_by_step(top, below, flags, mode);
    if opened.is_ok() {
        IS_THERE.store(false, Ordering::Relaxed);
    }
    opened
}

/// As [`open`], for systems without `openat2(2)`.
fn step_by_step(top: BorrowedFd<'_>, below: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let mut names = names(below)?;
    let Some(last) = names.pop() else { return openat(top, ".", flags, mode) };
    let mut dir: Option<OwnedFd> = None;
    for name in names {
        let at = dir.as_ref().map_or(top, OwnedFd::as_fd);
        dir = Some(openat(at, name, DIR | OFlags::NOFOLLOW, Mode::empty())?);
    }
    openat(dir.as_ref().map_or(top, OwnedFd::as_fd), last, flags, mode)
}

fn names(below: &Path) -> Result<Vec<&Path>> {
    let name = |part| match part {
        Component::Normal(name) => Some(Ok(Path::new(name))),
        Component::CurDir => None,
        // The error that `openat2` returns.
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => Some(Err(Errno::XDEV)),
    };
    below.components().filter_map(name).collect()
}

/// Returns the first component that is not a directory, and its kind; none if all are, or it cannot be determined.
pub(super) fn obstacle(top: BorrowedFd<'_>, below: &Path) -> Option<(PathBuf, FileType)> {
    let mut dir: Option<OwnedFd> = None;
    let mut way = PathBuf::new();
    for name in names(below).ok()? {
        way.push(name);
        let at = dir.as_ref().map_or(top, OwnedFd::as_fd);
        let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {}
            kind => return Some((way, kind)),
        }
        dir = Some(openat(at, name, DIR | OFlags::NOFOLLOW, Mode::empty()).ok()?);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_open_and_refuse_the_same_paths() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), "outside").unwrap();
        let scene = tempfile::tempdir().unwrap();
        fs::create_dir_all(scene.path().join("a/b")).unwrap();
        fs::write(scene.path().join("a/b/file"), "inside").unwrap();
        symlink(outside.path(), scene.path().join("out")).unwrap();
        symlink("b", scene.path().join("a/link")).unwrap();
        symlink("file", scene.path().join("a/b/alias")).unwrap();
        let top = openat(rustix::fs::CWD, scene.path(), DIR, Mode::empty()).unwrap();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        for (path, is_opened) in [
            ("a/b/file", true),
            ("a/./b/file", true),
            ("a/b", true),
            ("a/b/alias", false),
            ("a/link/file", false),
            ("out/file", false),
            ("../file", false),
            ("a/../a/b/file", false),
            ("/etc/passwd", false),
            ("a/b/nothing", false),
            ("a/b/file/below", false),
        ] {
            let one = openat2(&top, path, flags, Mode::empty(), within).is_ok();
            // `openat2` itself would allow going up and down again.
            let other = step_by_step(top.as_fd(), Path::new(path), flags, Mode::empty()).is_ok();
            assert_eq!(other, is_opened, "{path}");
            assert!(one == other || path.contains(".."), "{path}");
        }
        let first = |path: &str| obstacle(top.as_fd(), Path::new(path));
        assert_eq!(first("out/file"), Some(("out".into(), FileType::Symlink)));
        assert_eq!(first("a/b/file/x"), Some(("a/b/file".into(), FileType::RegularFile)));
        assert_eq!(first("a/b"), None);
    }
}
