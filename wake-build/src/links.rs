//! Result links: `.wake/out/<package>/<module>` points to the tree in the store.

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

/// The directory of the links, relative to the root of the checkout.
pub(crate) const OUT_DIR: &str = ".wake/out";

/// The directory of links to packages in the store.
pub(crate) const PKGS_DIR: &str = ".wake/pkgs";

static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// Creates links in one directory; faster if links in the same directory follow each other.
pub(crate) struct Linker<'a> {
    out: &'a OwnedFd,
    /// The parent of the last link's directory.
    above: Option<(PathBuf, OwnedFd)>,
    /// The last directory that this linker created: nothing obstructs links in it.
    made: Option<PathBuf>,
}

impl<'a> Linker<'a> {
    /// Creates a linker for links in the open directory `out`.
    pub(crate) fn new(out: &'a OwnedFd) -> Linker<'a> {
        Linker { out, above: None, made: None }
    }

    /// Makes the link `name` point to `target`; replaced atomically, and left alone if it is right.
    ///
    /// A link that obstructs a package below it (or the other way round) is removed: the newer
    /// result wins.
    pub(crate) fn link(&mut self, name: &Path, target: &Path) -> io::Result<()> {
        match self.link_in_new_dir(name, target).or_else(|| link_anew(self.out, name, target)) {
            Some(()) => Ok(()),
            None => replace(self.out, name, target),
        }
    }

    /// Returns none if the directory of the link existed before, or on failure.
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

/// Creates a link without checking what is there; none if something is in the way.
fn link_anew(out: &OwnedFd, name: &Path, target: &Path) -> Option<()> {
    let dir = dir_below(out, name.parent()?)?;
    symlinkat(target, &dir, name.file_name()?).ok()
}

/// Opens the directory at a path below `out`, creating what is missing; none if a link is on the way: it could
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
    // Several threads may work in one directory.
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

/// Opens the directory at `path` below `out`, creating what is missing and removing links on the way: following one would lead
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
            // This fails for a file, which is not wake's.
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

/// The deepest directory tree that is removed: names of links have fewer parts.
const DEEPEST: usize = 256;

/// Removes a directory with its content, without following links.
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

/// Removes links below `out` into `store` whose module no longer exists: `is_left` tells for the package in a
/// directory and a module. Everything else is kept.
pub(crate) fn sweep(out: &OwnedFd, store: &Path, is_left: &dyn Fn(&Path, &str) -> bool) {
    sweep_below(out, Path::new(""), store, is_left, DEEPEST);
}

fn sweep_below(
    dir: &OwnedFd,
    path: &Path,
    store: &Path,
    is_left: &dyn Fn(&Path, &str) -> bool,
    deepest: usize,
) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(opened) = openat(dir, ".", flags, Mode::empty()) else { return };
    let Ok(entries) = Dir::read_from(&opened) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        match entry.file_type() {
            FileType::Symlink => {
                let module = name.split('@').next().unwrap_or(name);
                let leads = readlinkat(&opened, name, Vec::new());
                let is_ours = leads.is_ok_and(|to| to.as_bytes().starts_with(bytes(store)));
                if is_ours && !is_left(path, module) {
                    // A leftover link only keeps an unneeded tree.
                    let _ = unlinkat(&opened, name, AtFlags::empty());
                }
            }
            FileType::Directory if deepest > 0 && !matches!(name, "." | "..") => {
                if let Ok(below) = openat(&opened, name, flags, Mode::empty()) {
                    sweep_below(&below, &path.join(name), store, is_left, deepest - 1);
                }
                // Fails if it is not empty.
                let _ = unlinkat(&opened, name, AtFlags::REMOVEDIR);
            }
            _ => {}
        }
    }
}

/// Returns the module's plain link, if it points where the link of a configuration, `name@…`, points.
pub(crate) fn follower(out: &OwnedFd, configured: &str) -> Option<String> {
    let (plain, digits) = configured.rsplit_once('@')?;
    if digits.contains('/') {
        return None;
    }
    let within = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let dir = Path::new(plain).parent().filter(|dir| !dir.as_os_str().is_empty());
    let opened =
        openat2(out, dir.unwrap_or(Path::new(".")), DIR_PATH, Mode::empty(), within).ok()?;
    let leads = |name: &str| readlinkat(&opened, Path::new(name).file_name()?, Vec::new()).ok();
    (leads(plain)? == leads(configured)?).then(|| plain.to_owned())
}

/// Returns whether the link `name` may point to a configuration of its module: the default has no link there.
///
/// That is so if there is no such link, or if it points where the link of a configuration, `name@…`, points.
pub(crate) fn is_free(out: &OwnedFd, name: &str) -> bool {
    let name = Path::new(name);
    let (Some(dir), Some(short)) = (name.parent(), name.file_name()) else { return false };
    let within = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let opened = match openat2(out, dir, flags, Mode::empty(), within) {
        Ok(opened) => opened,
        Err(error) => return error == Errno::NOENT,
    };
    let leads = |name: &OsStr| readlinkat(&opened, name, Vec::new());
    let there = match leads(short) {
        Ok(there) => there,
        Err(error) => return error == Errno::NOENT,
    };
    let Ok(mut entries) = Dir::read_from(&opened) else { return false };
    let start = [short.as_bytes(), b"@"].concat();
    entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let other = OsStr::from_bytes(entry.file_name().to_bytes());
            other.as_bytes().starts_with(&start) && leads(other).is_ok_and(|to| to == there)
        })
    })
}

fn not_ours(name: &OsStr) -> io::Error {
    let name = name.to_string_lossy();
    io::Error::other(format!("`{name}` is in the way and is not a result link: move it elsewhere"))
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
    fn obstacles_are_replaced_and_nothing_else_is_touched() {
        let scene = tempfile::tempdir().unwrap();
        let out = scene.path().join("out");
        std::fs::create_dir_all(out.join("a/b/c")).unwrap();
        std::fs::write(out.join("a/b/c/file"), "").unwrap();
        std::fs::write(out.join("file"), "mine").unwrap();
        let deep = out.join("deep").join("d/".repeat(DEEPEST + 2));
        std::fs::create_dir_all(&deep).unwrap();
        let opened = open(&out);
        let link = |name: &str| Linker::new(&opened).link(Path::new(name), scene.path());
        // A file in place of a directory is not a result, nor is a tree deeper than any link name.
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
    fn a_link_is_created_replaced_and_gives_way_to_links_below() {
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
        // A link below another link must not be created in that link's target.
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
    fn only_links_of_removed_modules_are_swept() {
        let scene = tempfile::tempdir().unwrap();
        let (out, store) = (scene.path().join("out"), scene.path().join("store"));
        let opened = {
            std::fs::create_dir(&out).unwrap();
            open(&out)
        };
        for name in ["m", "m@01234567", "gone", "gone@01234567", "p/m", "q/gone", "q/r/gone"] {
            Linker::new(&opened).link(Path::new(name), &store.join("tree/x")).unwrap();
        }
        symlink("/elsewhere", out.join("mine")).unwrap();
        std::fs::create_dir_all(out.join("s/t")).unwrap();
        std::fs::write(out.join("s/t/file"), "mine").unwrap();
        sweep(&opened, &store, &|pkg, module| module == "m" && pkg != Path::new("q"));
        let left = |dir: &str| {
            let entries = std::fs::read_dir(out.join(dir)).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(left(""), ["m", "m@01234567", "mine", "p", "s"]);
        assert_eq!(left("p"), ["m"]);
        assert_eq!(left("s/t"), ["file"]);
    }

    #[test]
    fn the_plain_name_is_free_until_the_default_is_built() {
        let scene = tempfile::tempdir().unwrap();
        let opened = open(scene.path());
        let link = |name: &str, to: &str| {
            Linker::new(&opened).link(Path::new(name), Path::new(to)).unwrap();
        };
        assert!(is_free(&opened, "p/m") && is_free(&opened, "m"));
        link("p/m@01234567", "one");
        link("p/m", "one");
        assert!(is_free(&opened, "p/m"));
        link("p/m", "default");
        assert!(!is_free(&opened, "p/m"));
        link("p/n", "one");
        assert!(!is_free(&opened, "p/n"));
    }

    #[test]
    fn many_links_are_created_whatever_was_there() {
        let scene = tempfile::tempdir().unwrap();
        let (out, one, other) =
            (scene.path().join("out"), scene.path().join("one"), scene.path().join("other"));
        [&out, &other].iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
        let names = ["top", "a/b/x", "a/b/y", "a/c/x", "a/c/x/below", "a/b/z", "d/x", "d/x/y/z"];
        let make = |target: &Path| {
            let opened = open(&out);
            let mut linker = Linker::new(&opened);
            names.iter().for_each(|name| linker.link(Path::new(name), target).unwrap());
            // The newer result replaced what was in its way.
            let gone = ["a/c/x", "d/x"];
            for name in names.iter().filter(|name| !gone.contains(name)) {
                assert_eq!(std::fs::read_link(out.join(name)).unwrap(), target, "{name}");
            }
        };
        make(&one);
        make(&one);
        make(&other);
        // A directory that was replaced by a link leads to something that is not wake's.
        std::fs::remove_dir_all(out.join("a")).unwrap();
        symlink(&other, out.join("a")).unwrap();
        make(&one);
        std::fs::remove_dir_all(out.join("a/b")).unwrap();
        symlink(&other, out.join("a/b")).unwrap();
        make(&one);
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }
}
