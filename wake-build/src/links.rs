//! Result links: `.wake/out/<package>/<module>` leads to the tree in the store.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat,
    renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::sources::DIR_PATH;

/// Where the links of a checkout lie, relative to its root.
pub(crate) const OUT_DIR: &str = ".wake/out";

/// Where links to the packages lie that a checkout has in the store.
pub(crate) const PKGS_DIR: &str = ".wake/pkgs";

static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// Makes links in one directory, faster where neighbours in their order follow each other.
pub(crate) struct Linker<'a> {
    out: &'a OwnedFd,
    /// The directory that the last link's directory lies in.
    above: Option<(PathBuf, OwnedFd)>,
    /// The last directory that this one has made: nothing is in the way of links in it.
    made: Option<PathBuf>,
}

impl<'a> Linker<'a> {
    /// For links in the directory `out`, which is held open.
    pub(crate) fn new(out: &'a OwnedFd) -> Linker<'a> {
        Linker { out, above: None, made: None }
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
            self.above = Some((above.to_owned(), dir_below(self.out, above)?));
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
fn link_anew(out: &OwnedFd, name: &Path, target: &Path) -> Option<()> {
    let dir = dir_below(out, name.parent()?)?;
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

fn replace(out: &OwnedFd, name: &Path, target: &Path) -> io::Result<()> {
    let dir = dir_with_room(out, name.parent().unwrap_or(Path::new("")))?;
    let short = name.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    if readlinkat(&dir, short, Vec::new()).is_ok_and(|there| there.as_bytes() == bytes(target)) {
        return Ok(());
    }
    let there = statat(&dir, short, AtFlags::SYMLINK_NOFOLLOW);
    if there.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory) {
        remove_dir(&dir, short, DEEPEST)?;
    }
    // Several threads may be at work in one directory.
    let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
    let temporary = format!(".new-{}-{number}", std::process::id());
    match symlinkat(target, &dir, &temporary) {
        Err(Errno::EXIST) => {
            unlinkat(&dir, &temporary, AtFlags::empty())?;
            symlinkat(target, &dir, &temporary)?;
        }
        made => made?,
    }
    let renamed = renameat(&dir, &temporary, &dir, short);
    if renamed.is_err() {
        let _ = unlinkat(&dir, &temporary, AtFlags::empty());
    }
    Ok(renamed?)
}

/// Opens the directory at `path` below `out`, making what is missing, where links make room: following one would lead
/// into the store.
fn dir_with_room(out: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = DIR_PATH | OFlags::NOFOLLOW;
    let mut at = openat(out, ".", flags, Mode::empty())?;
    for name in path {
        let make = || match mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => openat(&at, name, flags, Mode::empty()),
            Err(error) => Err(error),
        };
        at = match openat(&at, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => make()?,
            // Of a file this fails: it is not ours.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                readlinkat(&at, name, Vec::new()).map_err(|_| not_ours(name))?;
                unlinkat(&at, name, AtFlags::empty())?;
                make()?
            }
            opened => opened?,
        };
    }
    Ok(at)
}

/// Directories below each other that are removed at most: the names of links have fewer.
const DEEPEST: usize = 256;

/// Removes a directory with all that lies in it, and nothing that links in it lead to.
fn remove_dir(parent: &OwnedFd, name: &OsStr, deepest: usize) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&opened)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        }
    }
    for name in &names {
        let stat = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if deepest == 0 => return Err(not_ours(name)),
            FileType::Directory => remove_dir(&opened, name, deepest - 1)?,
            _ => unlinkat(&opened, name, AtFlags::empty())?,
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

fn not_ours(name: &OsStr) -> io::Error {
    let name = name.to_string_lossy();
    io::Error::other(format!("`{name}` is in the way and no result link: move it elsewhere"))
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    fn open(dir: &Path) -> OwnedFd {
        openat(rustix::fs::CWD, dir, DIR_PATH, Mode::empty()).unwrap()
    }

    #[test]
    fn what_is_in_the_way_makes_room_and_nothing_is_done_beside_it() {
        let scene = tempfile::tempdir().unwrap();
        let out = scene.path().join("out");
        std::fs::create_dir_all(out.join("a/b/c")).unwrap();
        std::fs::write(out.join("a/b/c/file"), "").unwrap();
        std::fs::write(out.join("file"), "mine").unwrap();
        let deep = out.join("deep").join("d/".repeat(DEEPEST + 2));
        std::fs::create_dir_all(&deep).unwrap();
        let opened = open(&out);
        let link = |name: &str| Linker::new(&opened).link(Path::new(name), scene.path());
        // A file where a directory belongs is nobody's result, nor is what no name of a link is as deep as.
        for (name, at_fault) in [("file/x", "file"), ("deep", "d")] {
            let error = link(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{at_fault}` is in the way")), "{error}");
        }
        assert!(deep.is_dir());
        link("a").unwrap();
        assert_eq!(std::fs::read_link(out.join("a")).unwrap(), scene.path());
        let outside = scene.path().join("outside");
        std::fs::write(&outside, "outside").unwrap();
        std::fs::create_dir(out.join("d")).unwrap();
        symlink(&outside, out.join("d/link")).unwrap();
        symlink("..", out.join("d/up")).unwrap();
        link("d").unwrap();
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside");
        assert_eq!(std::fs::read_link(out.join("d")).unwrap(), scene.path());
    }

    #[test]
    fn a_link_is_made_replaced_and_makes_room_for_those_below_it() {
        let scene = tempfile::tempdir().unwrap();
        let (out, one, other) =
            (scene.path().join("out"), scene.path().join("one"), scene.path().join("other"));
        [&out, &one, &other].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
        let read = |name: &str| std::fs::read_link(out.join(name)).unwrap();
        let opened = open(&out);
        let link = |name: &Path, target: &Path| Linker::new(&opened).link(name, target);
        link(Path::new("a/b"), &one).unwrap();
        assert_eq!(read("a/b"), one);
        link(Path::new("a/b"), &other).unwrap();
        assert_eq!(read("a/b"), other);
        // What is below a link must not be made in what the link leads to.
        link(Path::new("a/b/c"), &one).unwrap();
        assert_eq!(read("a/b/c"), one);
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        link(Path::new("a/b"), &other).unwrap();
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
        [&out, &other].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
        let names = ["top", "a/b/x", "a/b/y", "a/c/x", "a/c/x/below", "a/b/z", "d/x", "d/x/y/z"];
        let make = |target: &Path| {
            let opened = open(&out);
            let mut linker = Linker::new(&opened);
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
