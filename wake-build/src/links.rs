//! Result links: `.wake/out/<package>/<module>` leads to the tree in the store.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, symlinkat};
use rustix::io::Errno;

use crate::sources::DIR_PATH;

/// Where the links of a checkout lie, relative to its root.
pub(crate) const OUT_DIR: &str = ".wake/out";

/// Where links to the packages lie that a checkout has in the store.
pub(crate) const PKGS_DIR: &str = ".wake/pkgs";

static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// Makes links in one directory, faster where neighbours in their order follow each other.
pub(crate) struct Linker<'a> {
    out: &'a Path,
    /// None if it cannot be opened, as when it is not there yet.
    opened: Option<OwnedFd>,
    /// The directory that the last link's directory lies in.
    above: Option<(PathBuf, OwnedFd)>,
    /// The last directory that this one has made: nothing is in the way of links in it.
    made: Option<PathBuf>,
}

impl<'a> Linker<'a> {
    /// For links in the directory `out`.
    pub(crate) fn new(out: &'a Path) -> Linker<'a> {
        let opened = openat(CWD, out, DIR_PATH, Mode::empty()).ok();
        Linker { out, opened, above: None, made: None }
    }

    /// Makes the link `name` lead to `target`; replaced in one step, left alone where it is right.
    ///
    /// A link that is in the way of a package below it (or the other way round) makes room: the newer
    /// result wins.
    pub(crate) fn link(&mut self, name: &Path, target: &Path) -> io::Result<()> {
        match self.link_in_new_dir(name, target).or_else(|| link_anew(self.out, name, target)) {
            Some(()) => Ok(()),
            None => replace(self.out, name, target),
        }
    }

    /// None if the directory of the link was there before, or something went wrong.
    fn link_in_new_dir(&mut self, name: &Path, target: &Path) -> Option<()> {
        let dir = name.parent()?;
        let above = dir.parent()?;
        if self.above.as_ref().is_none_or(|(path, _)| path != above) {
            self.made = None;
            self.above = Some((above.to_owned(), dir_below(self.opened.as_ref()?, above)?));
        }
        let (_, opened) = self.above.as_ref()?;
        let short = Path::new(dir.file_name()?);
        if self.made.as_deref() != Some(dir) {
            mkdirat(opened, short, Mode::from_raw_mode(0o777)).ok()?;
            self.made = Some(dir.to_owned());
        }
        symlinkat(target, opened, short.join(name.file_name()?)).ok()
    }
}

/// Makes a link where nothing is, without a look at what could be there; none if something is in the way.
fn link_anew(out: &Path, name: &Path, target: &Path) -> Option<()> {
    let out = openat(CWD, out, DIR_PATH, Mode::empty()).ok()?;
    let dir = dir_below(&out, name.parent()?)?;
    symlinkat(target, &dir, name.file_name()?).ok()
}

/// Opens the directory at a path below `out`, making what is missing of it; none if a link is on the way: it could
/// lead into the store.
fn dir_below(out: &OwnedFd, path: &Path) -> Option<OwnedFd> {
    let flags = DIR_PATH | OFlags::NOFOLLOW;
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
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_made_replaced_and_makes_room_for_those_below_it() {
        let scene = tempfile::tempdir().unwrap();
        let (out, one, other) =
            (scene.path().join("out"), scene.path().join("one"), scene.path().join("other"));
        [&out, &one, &other].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
        let read = |name: &str| std::fs::read_link(out.join(name)).unwrap();
        let link = |out: &Path, name: &Path, target: &Path| Linker::new(out).link(name, target);
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

    #[test]
    fn many_links_are_made_whatever_was_there() {
        let scene = tempfile::tempdir().unwrap();
        let (out, one, other) =
            (scene.path().join("out"), scene.path().join("one"), scene.path().join("other"));
        std::fs::create_dir(&other).unwrap();
        let names = ["top", "a/b/x", "a/b/y", "a/c/x", "a/c/x/below", "a/b/z", "d/x", "d/x/y/z"];
        let make = |target: &Path| {
            let mut linker = Linker::new(&out);
            names.iter().for_each(|name| linker.link(Path::new(name), target).unwrap());
            // The newer result has taken the place of what was in its way.
            let gone = ["a/c/x", "d/x"];
            for name in names.iter().filter(|name| !gone.contains(name)) {
                assert_eq!(std::fs::read_link(out.join(name)).unwrap(), target, "{name}");
            }
        };
        make(&one);
        make(&one);
        make(&other);
        // A directory that has become a link since leads to nothing that is wake's to change.
        std::fs::remove_dir_all(out.join("a")).unwrap();
        symlink(&other, out.join("a")).unwrap();
        make(&one);
        std::fs::remove_dir_all(out.join("a/b")).unwrap();
        symlink(&other, out.join("a/b")).unwrap();
        make(&one);
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }
}
