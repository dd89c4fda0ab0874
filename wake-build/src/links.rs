//! Result links: `.wake/out/<package>/<module>` leads to the tree in the store.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, symlinkat};
use rustix::io::Errno;
use wake_model::RelPath;

/// Where the links of a checkout lie, relative to its root.
pub(crate) const OUT_DIR: &str = ".wake/out";

static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// The link of a module, relative to [`OUT_DIR`].
pub(crate) fn link_name(pkg: &RelPath, module: &str) -> PathBuf {
    Path::new(pkg.as_str()).join(module)
}

/// Makes the link `name` in the directory `out` lead to `target`; replaced in one step, left alone
/// where it is right.
///
/// A link that is in the way of a package below it (or the other way round) makes room: the newer
/// result wins.
pub(crate) fn link(out: &Path, name: &Path, target: &Path) -> io::Result<()> {
    match link_anew(out, name, target) {
        Some(()) => Ok(()),
        None => replace(out, name, target),
    }
}

/// Makes a link where nothing is, without a look at what could be there; none if something is in the way.
fn link_anew(out: &Path, name: &Path, target: &Path) -> Option<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let out = openat(CWD, out, flags, Mode::empty()).ok()?;
    let dir = dir_below(&out, name.parent()?)?;
    symlinkat(target, &dir, name.file_name()?).ok()
}

/// Opens the directory at a path below `out`, making what is missing of it; none if a link is on the way: it could
/// lead into the store.
fn dir_below(out: &OwnedFd, path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if path.as_os_str().is_empty() {
        return openat(out, ".", flags, Mode::empty()).ok();
    }
    let within = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match openat2(out, path, flags, Mode::empty(), within) {
        Err(Errno::NOENT) => {
            let parent = dir_below(out, path.parent()?)?;
            match mkdirat(&parent, path.file_name()?, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(_) => return None,
            }
            openat(&parent, path.file_name()?, flags, Mode::empty()).ok()
        }
        opened => opened.ok(),
    }
}

fn replace(out: &Path, name: &Path, target: &Path) -> io::Result<()> {
    let link = out.join(name);
    if std::fs::read_link(&link).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let dir = name.parent().unwrap_or(Path::new(""));
    make_room(out, dir)?;
    let dir = out.join(dir);
    std::fs::create_dir_all(&dir)?;
    if link.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        std::fs::remove_dir_all(&link)?;
    }
    // Several threads may be at work in one directory.
    let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
    let temporary = dir.join(format!(".new-{}-{number}", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    std::os::unix::fs::symlink(target, &temporary)?;
    std::fs::rename(&temporary, &link)
}

/// Removes links that stand where directories must: following one would lead into the store.
fn make_room(out: &Path, dir: &Path) -> io::Result<()> {
    let mut at = out.to_owned();
    for part in dir.components() {
        at.push(part);
        if at.is_symlink() {
            std::fs::remove_file(&at)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_is_made_replaced_and_makes_room_for_those_below_it() {
        let scene = tempfile::tempdir().unwrap();
        let (out, one, other) =
            (scene.path().join("out"), scene.path().join("one"), scene.path().join("other"));
        [&out, &one, &other].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
        let read = |name: &str| std::fs::read_link(out.join(name)).unwrap();
        link(&out, Path::new("a/b"), &one).unwrap();
        assert_eq!(read("a/b"), one);
        link(&out, Path::new("a/b"), &other).unwrap();
        assert_eq!(read("a/b"), other);
        // What is below a link must not be made in what the link leads to.
        link(&out, Path::new("a/b/c"), &one).unwrap();
        assert_eq!(read("a/b/c"), one);
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        link(&out, Path::new("a/b"), &other).unwrap();
        assert_eq!(read("a/b"), other);
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        let left: Vec<_> = std::fs::read_dir(out.join("a")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
