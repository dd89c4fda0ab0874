//! Access to files below an untrusted directory: a checkout may come from a clone, an archive or another user.
//!
//! Opening a file there cannot lead elsewhere and does not block: the directory is held open, no link below it is
//! followed, only regular files are read, and only a bounded number of bytes. Files are written under a new name first.

mod refusal;
mod way;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

use refusal::Refusals;
pub use refusal::{Obstacle, Refusal};

/// A path below a directory that is held open, on which no link is followed.
///
/// The file need not exist. Cloning is cheap, and comparison is by path.
#[derive(Clone, Debug)]
pub struct ConfinedPath {
    top: Arc<Top>,
    below: PathBuf,
}

#[derive(Debug)]
struct Top {
    dir: OwnedFd,
    path: PathBuf,
    refusals: Refusals,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct ConfinedEntry {
    /// Its name.
    pub name: OsString,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// The modification time: seconds since 1970, and nanoseconds.
    pub modified: (i64, i64),
}

impl ConfinedPath {
    /// Returns the directory at `path` itself; links on the way to it are followed.
    pub fn top(path: &Path) -> io::Result<ConfinedPath> {
        let dir = rustix::fs::open(path, way::DIR, Mode::empty())?;
        let top = Top { dir, path: path.to_owned(), refusals: Refusals::default() };
        Ok(ConfinedPath { top: Arc::new(top), below: PathBuf::new() })
    }

    /// Returns the path `name`, which may have several components, below this one.
    pub fn join(&self, name: impl AsRef<Path>) -> ConfinedPath {
        ConfinedPath { top: self.top.clone(), below: self.below.join(name) }
    }

    /// Returns the path beside this one whose name has `suffix` appended.
    pub fn beside(&self, suffix: &str) -> ConfinedPath {
        let mut below = OsString::from(&self.below);
        below.push(suffix);
        ConfinedPath { top: self.top.clone(), below: below.into() }
    }

    /// Returns the directory that contains it; none for the directory held open.
    pub fn parent(&self) -> Option<ConfinedPath> {
        let below = self.below.parent()?.to_owned();
        Some(ConfinedPath { top: self.top.clone(), below })
    }

    /// Returns the path for display and as a name: opening it follows links again.
    pub fn path(&self) -> PathBuf {
        if self.below.as_os_str().is_empty() {
            return self.top.path.clone();
        }
        self.top.path.join(&self.below)
    }

    /// Returns the path relative to the directory that is held open.
    pub fn below(&self) -> &Path {
        &self.below
    }

    /// Returns the refusals below the directory held open, each once.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.top.refusals.all()
    }

    /// Returns the result of `stat`, without following links.
    pub fn stat(&self) -> io::Result<Stat> {
        let Some(parent) = self.parent() else { return Ok(rustix::fs::fstat(&self.top.dir)?) };
        let dir = parent.open_dir()?;
        Ok(rustix::fs::statat(dir, self.name()?, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Opens the directory, for lookups in it.
    pub fn open_dir(&self) -> io::Result<OwnedFd> {
        self.open_at(way::DIR, Mode::empty())
    }

    /// Opens the directory, creating it and its parents if they do not exist.
    pub fn make_dir(&self) -> io::Result<OwnedFd> {
        match self.open_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let Some(parent) = self.parent() else { return self.open_dir() };
        match rustix::fs::mkdirat(parent.make_dir()?, self.name()?, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => self.open_dir(),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the regular file for reading.
    pub fn open(&self) -> io::Result<File> {
        self.open_file(OFlags::RDONLY)
    }

    /// Opens the regular file for appending; a file with several links must be replaced instead.
    pub fn append(&self) -> io::Result<File> {
        let file = self.open_file(OFlags::WRONLY | OFlags::APPEND)?;
        match file.metadata()?.nlink() {
            1 => Ok(file),
            _ => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    /// Returns the bytes of the regular file, at most `limit`.
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open()?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        if size <= limit {
            bytes.reserve(usize::try_from(size).unwrap_or(0));
            // One byte beyond the limit reveals that the file is growing.
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        if size > limit || bytes.len() as u64 > limit {
            return Err(self.refuse(Obstacle::Large { limit }));
        }
        Ok(bytes)
    }

    /// Creates a file that must not exist, in a directory that is created if necessary.
    pub fn create_new(&self) -> io::Result<File> {
        let parent = self.parent().ok_or(io::ErrorKind::InvalidInput)?.make_dir()?;
        Ok(create_in(&parent, self.name()?)?.into())
    }

    /// Creates an unnamed file in this directory, which disappears when it is closed.
    pub fn nameless(&self) -> io::Result<File> {
        let dir = self.make_dir()?;
        let (file, name) = temporary(&dir, OsStr::new("spool"))?;
        rustix::fs::unlinkat(&dir, &name, AtFlags::empty())?;
        Ok(file)
    }

    /// Replaces the file with what `write` writes; readers see either the old or the new bytes, never a mixture.
    ///
    /// Anything else in its place is replaced, except a directory. Nothing is fsynced.
    pub fn replace(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let name = self.name()?;
        let dir = self.parent().ok_or(io::ErrorKind::InvalidInput)?.make_dir()?;
        let (mut file, temporary) = temporary(&dir, name)?;
        let written =
            write(&mut file).and_then(|()| Ok(rustix::fs::renameat(&dir, &temporary, &dir, name)?));
        if written.is_err() {
            let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        }
        written
    }

    /// Replaces the file with `parts`, concatenated, like [`ConfinedPath::replace`].
    pub fn replace_by(&self, parts: &[&[u8]]) -> io::Result<()> {
        self.replace(|file| {
            let mut file = io::BufWriter::with_capacity(256 << 10, file);
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.flush()
        })
    }

    /// Replaces the file with `parts`, like [`ConfinedPath::replace_by`], but creates it in the directory `aside`, so
    /// that a killed process leaves nothing beside it; if that is on another file system, it is created beside it.
    pub fn replace_from(&self, aside: &ConfinedPath, parts: &[&[u8]]) -> io::Result<()> {
        let name = self.name()?;
        let dir = self.parent().ok_or(io::ErrorKind::InvalidInput)?.make_dir()?;
        let from = aside.make_dir()?;
        let (mut file, temporary) = temporary(&from, name)?;
        let written = parts.iter().try_for_each(|part| file.write_all(part));
        let moved = written.and_then(|()| Ok(rustix::fs::renameat(&from, &temporary, &dir, name)?));
        match moved {
            Ok(()) => Ok(()),
            Err(error) => {
                let _ = rustix::fs::unlinkat(&from, &temporary, AtFlags::empty());
                match error.kind() {
                    io::ErrorKind::CrossesDevices => self.replace_by(parts),
                    _ => Err(error),
                }
            }
        }
    }

    /// Replaces it with a hard link to the regular file `of`, on the same file system; `between` is called when only
    /// the rename remains.
    pub fn replace_by_link(&self, of: &ConfinedPath, between: impl FnOnce()) -> io::Result<()> {
        let name = self.name()?;
        let from = of.parent().ok_or(io::ErrorKind::InvalidInput)?.open_dir()?;
        let dir = self.parent().ok_or(io::ErrorKind::InvalidInput)?.make_dir()?;
        let temporary = temporary_name(name);
        rustix::fs::linkat(&from, of.name()?, &dir, &temporary, AtFlags::empty())?;
        between();
        let renamed = rustix::fs::renameat(&dir, &temporary, &dir, name);
        // Between two names of one file, nothing is renamed.
        let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        Ok(renamed?)
    }

    /// Removes the file, link or special file, but not a directory.
    pub fn remove_file(&self) -> io::Result<()> {
        let parent = self.parent().ok_or(io::ErrorKind::InvalidInput)?.open_dir()?;
        Ok(rustix::fs::unlinkat(parent, self.name()?, AtFlags::empty())?)
    }

    /// Returns the entries of the directory whose names satisfy `wanted`, in no particular order.
    pub fn entries(&self, wanted: impl Fn(&OsStr) -> bool) -> io::Result<Vec<ConfinedEntry>> {
        use std::os::unix::ffi::OsStrExt;
        let dir = self.open_at(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut names = RawDir::new(&dir, &mut buffer);
        let mut entries = Vec::new();
        while let Some(entry) = names.next() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." || !wanted(name) {
                continue;
            }
            match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => entries.push(entry_of(name, &stat)),
                // Another process was faster.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(entries)
    }

    fn name(&self) -> io::Result<&OsStr> {
        self.below.file_name().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn open_file(&self, flags: OFlags) -> io::Result<File> {
        // Does not block on a pipe, and does not acquire a controlling terminal.
        let file = match self.open_at(flags | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty()) {
            // A pipe without a reader, a socket, a device without a driver.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                let kind = self.stat().map(|stat| FileType::from_raw_mode(stat.st_mode));
                return Err(kind.map_or(error, |kind| self.refuse_kind(kind)));
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                return Err(self.refuse_kind(FileType::Directory));
            }
            opened => opened?,
        };
        match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(file.into()),
            kind => Err(self.refuse_kind(kind)),
        }
    }

    fn open_at(&self, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        match way::open(self.top.dir.as_fd(), &self.below, flags, mode) {
            Ok(opened) => Ok(opened),
            Err(error @ (Errno::LOOP | Errno::NOTDIR)) => {
                match way::obstacle(self.top.dir.as_fd(), &self.below) {
                    Some((at, kind)) => {
                        let there = ConfinedPath { top: self.top.clone(), below: at };
                        let is_last = there.below == self.below;
                        let wants_dir = flags.contains(OFlags::DIRECTORY) || !is_last;
                        Err(there.refuse(Obstacle::of(kind, wants_dir)))
                    }
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn refuse_kind(&self, kind: FileType) -> io::Error {
        self.refuse(Obstacle::of(kind, false))
    }

    fn refuse(&self, obstacle: Obstacle) -> io::Error {
        let refusal = Refusal { path: self.below.clone(), obstacle };
        self.top.refusals.note(refusal.clone());
        io::Error::other(refusal)
    }
}

impl PartialEq for ConfinedPath {
    fn eq(&self, other: &ConfinedPath) -> bool {
        self.below == other.below && self.top.path == other.top.path
    }
}

impl Eq for ConfinedPath {}

#[allow(clippy::useless_conversion, reason = "the fields' types differ between architectures")]
fn entry_of(name: &OsStr, stat: &Stat) -> ConfinedEntry {
    ConfinedEntry {
        name: name.to_owned(),
        is_file: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
        is_link: FileType::from_raw_mode(stat.st_mode) == FileType::Symlink,
        modified: (stat.st_mtime.into(), stat.st_mtime_nsec as i64),
    }
}

fn create_in(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o666))
}

/// Creates a temporary file in `dir` for the later name `name`, and returns it with its temporary name.
fn temporary(dir: &OwnedFd, name: &OsStr) -> io::Result<(File, OsString)> {
    let temporary = temporary_name(name);
    let created = match create_in(dir, &temporary) {
        Err(Errno::EXIST) => {
            // Left by a killed process with the same ID.
            rustix::fs::unlinkat(dir, &temporary, AtFlags::empty())?;
            create_in(dir, &temporary)
        }
        created => created,
    };
    Ok((created?.into(), temporary))
}

/// Returns a temporary name for `name` that no other thread or process uses at the same time.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{number}", std::process::id()));
    temporary
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, mknodat};

    use super::*;

    /// A directory with something beside it that must not be touched.
    fn scene() -> (tempfile::TempDir, ConfinedPath) {
        let scene = tempfile::tempdir().unwrap();
        fs::create_dir(scene.path().join("top")).unwrap();
        fs::create_dir(scene.path().join("beside")).unwrap();
        fs::write(scene.path().join("beside/file"), "beside").unwrap();
        let top = ConfinedPath::top(&scene.path().join("top")).unwrap();
        (scene, top)
    }

    fn names(dir: &ConfinedPath) -> Vec<OsString> {
        dir.entries(|_| true).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn temporary_files_are_never_visible_beside_the_target() {
        let (_scene, dir) = scene();
        let (file, aside) = (dir.join("file"), dir.join("aside"));
        file.replace_from(&aside, &[b"old"]).unwrap();
        file.replace_from(&aside, &[b"n", b"ew"]).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), b"new");
        assert_eq!(fs::read_dir(aside.path()).unwrap().count(), 0);
        // What cannot be moved there leaves nothing behind either.
        assert!(aside.replace_from(&dir.join("other"), &[b"x"]).is_err());
        assert_eq!(fs::read_dir(dir.join("other").path()).unwrap().count(), 0);
    }

    #[test]
    fn written_files_are_read_back_and_nothing_else_remains() {
        let (_scene, top) = scene();
        let file = top.join("a/b/file");
        for text in ["first", "second"] {
            file.replace_by(&[text.as_bytes(), b"!"]).unwrap();
            assert_eq!(file.read(100).unwrap(), format!("{text}!").into_bytes());
        }
        file.append().unwrap().write_all(b"?").unwrap();
        assert_eq!(file.read(8).unwrap(), b"second!?");
        assert_eq!(names(&top.join("a/b")), ["file"]);
        let failed = file.replace(|_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut spool = top.join("a/b").nameless().unwrap();
        spool.write_all(b"x").unwrap();
        assert_eq!(names(&top.join("a/b")), ["file"]);
        let other = file.beside(".more");
        other.replace_by_link(&file, || ()).unwrap();
        other.replace_by_link(&file, || ()).unwrap();
        assert_eq!(other.read(100).unwrap(), b"second!?");
        assert_eq!(names(&top.join("a/b")).len(), 2);
        // Two names now: appending here would change the other.
        assert!(file.append().is_err());
        assert_eq!(top.refusals(), []);
    }

    #[test]
    fn links_are_replaced_and_never_followed() {
        let (scene, top) = scene();
        let beside = scene.path().join("beside");
        symlink(&beside, top.path().join("dir")).unwrap();
        symlink(beside.join("file"), top.path().join("file")).unwrap();
        symlink(beside.join("new"), top.path().join("new")).unwrap();
        let (dir, file, new) = (top.join("dir"), top.join("file"), top.join("new"));
        assert!(
            dir.open_dir().is_err() && dir.make_dir().is_err() && dir.join("x").make_dir().is_err()
        );
        assert!(dir.join("file").read(100).is_err() && dir.join("file").remove_file().is_err());
        assert!(dir.entries(|_| true).is_err() && dir.join("new").create_new().is_err());
        assert!(dir.join("file").replace_by(&[b"x"]).is_err() && dir.nameless().is_err());
        assert!(file.read(100).is_err() && file.append().is_err() && new.create_new().is_err());
        assert!(top.join("../beside/file").read(100).is_err());
        assert!(top.join(beside.join("file")).read(100).is_err());
        let refused: Vec<String> = top.refusals().iter().map(Refusal::to_string).collect();
        assert_eq!(
            refused,
            ["dir", "file"]
                .map(|name| format!("`{name}` is a symbolic link, which is not followed"))
        );
        file.replace_by(&[b"own"]).unwrap();
        new.replace_by(&[b"own"]).unwrap();
        dir.remove_file().unwrap();
        assert_eq!(file.read(3).unwrap(), b"own");
        assert_eq!(fs::read_to_string(beside.join("file")).unwrap(), "beside");
        assert_eq!(fs::read_dir(&beside).unwrap().count(), 1);
    }

    #[test]
    fn only_regular_files_of_limited_size_are_read() {
        let (_scene, top) = scene();
        mknodat(CWD, top.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(top.path().join("socket")).unwrap();
        fs::create_dir(top.path().join("dir")).unwrap();
        fs::write(top.path().join("large"), vec![0; 3 << 20]).unwrap();
        fs::write(top.path().join("flat"), "").unwrap();
        for name in ["pipe", "socket", "dir"] {
            let file = top.join(name);
            assert!(
                file.read(100).is_err() && file.append().is_err() && file.open().is_err(),
                "{name}"
            );
        }
        assert!(top.join("large").read(2 << 20).is_err());
        assert_eq!(top.join("large").read(3 << 20).unwrap().len(), 3 << 20);
        assert!(top.join("flat/below").read(100).is_err());
        let obstacles: Vec<_> =
            top.refusals().into_iter().map(|refusal| (refusal.path, refusal.obstacle)).collect();
        let expected = [
            ("dir", Obstacle::Directory),
            ("flat", Obstacle::NotADirectory),
            ("large", Obstacle::Large { limit: 2 << 20 }),
            ("pipe", Obstacle::Special),
            ("socket", Obstacle::Special),
        ];
        assert_eq!(obstacles, expected.map(|(path, obstacle)| (PathBuf::from(path), obstacle)));
        // A missing file is not an obstacle.
        assert_eq!(top.join("none").read(1).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(top.refusals().len(), expected.len());
    }
}
