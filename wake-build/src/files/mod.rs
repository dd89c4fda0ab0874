//! The files of the checkout: digests, cached by what `stat` says.
//!
//! Times only decide whether content must be read again. A file is read again unless its
//! inode, size, mode and both times are unchanged *and* it was not new when it was read:
//! within the clock tick in which a file was last changed, it could change again unnoticed.
//!
//! | file | does |
//! |---|---|
//! | `signature` | what `stat` says, and when that is enough |
//! | `known`, `table` | what is known of each path |
//! | `reading` | opening and hashing files that may be changing |
//! | `cache` | the file that caches digests |
//! | `stored` | what lies in a tree of the store |

mod signature;
mod cache;
mod known;
mod reading;
mod table;
mod stored;

use std::borrow::Cow;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode};
use rustix::io::Errno;
use wake_eval::Sources;
use wake_model::path::resolve_link;
use wake_model::{BlobDigest, RelPath};
use wake_steps::SourceFiles;
use wake_steps::profile::{Profile, SpanKind};
use wake_store::ConfinedPath;

pub(crate) use self::known::FileInfo;
pub use self::reading::file_digest;
pub(crate) use self::reading::{hash_file, open_unnoted, read_at_most};
use self::reading::{hash_telling, open_file};
pub(crate) use self::signature::{Signature, now};
use self::table::Table;
use crate::pkg_place::PkgPlace;
use crate::sources::{DIR_PATH, DirSources, LARGEST};

/// The state of one path of the checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its content.
        blob: BlobDigest,
        /// Its size.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link, with its target.
    Link(String),
    /// A directory.
    Dir,
    /// A device, socket or pipe.
    Other,
}

/// A file of the checkout that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {source}")]
pub(crate) struct FileError {
    /// Relative to the workspace's root.
    pub path: RelPath,
    /// The system's error.
    pub source: std::io::Error,
}

/// The files of a checkout, each examined once in a build.
pub(crate) struct Files<'a> {
    root: PathBuf,
    /// The open root, so that its path is not walked for each file; none if opening it failed.
    dir: Option<OwnedFd>,
    old: HashMap<Box<str>, (Signature, BlobDigest)>,
    /// What an earlier build knew of files.
    memory: Option<&'a dyn FileMemory>,
    table: Table,
    profile: Profile,
    is_stopped: Box<dyn Fn() -> bool + Send + Sync + 'a>,
}

/// What an earlier build knew of files.
pub(crate) trait FileMemory: Sync {
    /// Returns a file's signature and digest, if an equal signature proves equal content.
    fn settled_file(&self, path: &RelPath) -> Option<(Signature, BlobDigest)>;
}

/// The largest file whose content is passed on after hashing, because reading it twice costs more.
const SMALL: u64 = 16 << 10;

impl<'a> Files<'a> {
    /// Opens the files below `root`, with what the file at `cache` and `memory` know of them.
    pub(crate) fn open(
        root: &Path,
        cache: Option<&ConfinedPath>,
        memory: Option<&'a dyn FileMemory>,
    ) -> Files<'a> {
        let old = cache.and_then(cache::read).unwrap_or_default();
        let dir = rustix::fs::open(root, DIR_PATH, Mode::empty()).ok();
        let (table, profile) = (Table::default(), Profile::default());
        let is_stopped = Box::new(|| false);
        Files { root: root.to_owned(), dir, old, memory, table, profile, is_stopped }
    }

    /// Stops reading large files once `is_stopped` returns true.
    pub(crate) fn unless(self, is_stopped: impl Fn() -> bool + Send + Sync + 'a) -> Files<'a> {
        Files { is_stopped: Box::new(is_stopped), ..self }
    }

    /// Records reads in a profile.
    pub(crate) fn profiled(self, profile: &Profile) -> Files<'a> {
        Files { profile: profile.clone(), ..self }
    }

    /// Returns what is known of a file whose signature proved its content.
    fn remembered(&self, path: &RelPath) -> Option<(Signature, BlobDigest)> {
        let from_memory = || self.memory?.settled_file(path);
        self.old.get(path.as_str()).copied().or_else(from_memory)
    }

    /// Returns the state of `path`, relative to the workspace's root; reads the content only if necessary.
    pub(crate) fn look(&self, path: &RelPath) -> Result<FileState, FileError> {
        self.look_telling(path, u64::MAX, drop).map(|(seen, _)| seen)
    }

    /// The same, with the content of a small file that had to be read: the caller usually needs it next.
    pub(crate) fn fetch(&self, path: &RelPath) -> Result<(FileState, Option<Vec<u8>>), FileError> {
        let mut whole = None;
        let (seen, is_first) = self.look_telling(path, u64::MAX, |bytes| {
            whole = (bytes.len() as u64 <= SMALL).then_some(bytes);
        })?;
        Ok((seen, whole.filter(|_| is_first)))
    }

    /// The same as [`Files::look`], but none for a small file that would have to be read: that is left to a caller who needs
    /// its content.
    pub(crate) fn glance(&self, path: &RelPath) -> Result<Option<FileState>, FileError> {
        let at = self.table.at(path);
        if let Some(found) = at.with(|entry| Some(entry?.known().map(FileInfo::seen))) {
            return Ok(found);
        }
        if self.remembered(path).is_none() && self.is_small_file(path) {
            at.glanced_at();
            return Ok(None);
        }
        self.look(path).map(Some)
    }

    /// Returns the state of `path` in a package. For a package in the store it comes from the manifest alone.
    pub(crate) fn look_in(&self, pkg: &PkgPlace, path: &RelPath) -> Result<FileState, FileError> {
        self.in_package(pkg, path, |path| self.look(path), |seen| seen)
    }

    /// The same for a file whose content goes to a function: a file above the size limit is an error of the
    /// kind `FileTooLarge`, unless its digest is known.
    pub(crate) fn look_at_source(
        &self,
        pkg: &PkgPlace,
        path: &RelPath,
    ) -> Result<FileState, FileError> {
        let look = |path: &RelPath| self.look_telling(path, LARGEST, drop).map(|(seen, _)| seen);
        self.in_package(pkg, path, look, |seen| seen)
    }

    /// The same as [`Files::fetch`] in a package; without content if the package is in the store.
    pub(crate) fn fetch_in(
        &self,
        pkg: &PkgPlace,
        path: &RelPath,
    ) -> Result<(FileState, Option<Vec<u8>>), FileError> {
        self.in_package(pkg, path, |path| self.fetch(path), |seen| (seen, None))
    }

    /// The same as [`Files::glance`] in a package.
    pub(crate) fn glance_in(
        &self,
        pkg: &PkgPlace,
        path: &RelPath,
    ) -> Result<Option<FileState>, FileError> {
        self.in_package(pkg, path, |path| self.glance(path), Some)
    }

    fn in_package<T>(
        &self,
        pkg: &PkgPlace,
        path: &RelPath,
        of_checkout: impl FnOnce(&RelPath) -> Result<T, FileError>,
        of_store: impl FnOnce(FileState) -> T,
    ) -> Result<T, FileError> {
        match pkg {
            PkgPlace::Checkout(dir) => of_checkout(&dir.join(path)),
            PkgPlace::Store(pkg) => Ok(of_store(stored::look(&pkg.stored.manifest, path))),
        }
    }

    /// Reserves space for about `more` files.
    pub(crate) fn expect(&self, more: usize) {
        self.table.expect(more);
    }

    /// Reads the files that were only glanced at and that nobody else has read.
    pub(crate) fn look_at_rest(&self) -> Result<(), FileError> {
        let all = self.table.all();
        let rest = all.iter().filter(|entry| entry.known().is_none());
        let rest: Vec<RelPath> = rest.map(|entry| entry.path().clone()).collect();
        drop(all);
        rest.par_iter().try_for_each(|path| self.look(path).map(drop))
    }

    fn is_small_file(&self, path: &RelPath) -> bool {
        let (dir, place) = self.seen_from_dir(path);
        rustix::fs::statat(dir, &*place, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            let signature = Signature::of(&stat);
            FileType::from_raw_mode(signature.mode) == FileType::RegularFile
                && signature.size <= SMALL
        })
    }

    /// Returns the state of `path`, and whether it was unknown until `read` got the content. Files larger than `most` are
    /// not read.
    fn look_telling(
        &self,
        path: &RelPath,
        most: u64,
        read: impl FnOnce(Vec<u8>),
    ) -> Result<(FileState, bool), FileError> {
        let at = self.table.at(path);
        if let Some(seen) = at.with(|entry| Some(entry?.known()?.seen())) {
            return Ok((seen, false));
        }
        let known = self
            .examine(path, most, read)
            .map_err(|source| FileError { path: path.clone(), source })?;
        let seen = known.seen();
        Ok(match at.keep(known) {
            Some(before) => (before, false),
            None => (seen, true),
        })
    }

    /// Returns the digest of the names and kinds in a directory of the package at `pkg`; none if it does not exist.
    pub(crate) fn listing(&self, pkg: &PkgPlace, dir: &RelPath) -> Option<BlobDigest> {
        let entries = match pkg {
            PkgPlace::Checkout(pkg) => DirSources::new(&self.absolute(pkg)).list(dir).ok()??,
            PkgPlace::Store(pkg) => stored::list(&pkg.stored.manifest, dir)?,
        };
        Some(wake_eval::list_digest(&entries))
    }

    /// Returns the absolute path of `path` in a package.
    pub(crate) fn absolute_in(&self, pkg: &PkgPlace, path: &RelPath) -> PathBuf {
        let (base, dir) = match pkg {
            PkgPlace::Checkout(dir) => (&self.root, dir.as_str()),
            PkgPlace::Store(pkg) => (&pkg.stored.path, ""),
        };
        place(base, dir, path.as_str())
    }

    /// Returns the absolute path of `path`.
    pub(crate) fn absolute(&self, path: &RelPath) -> PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_str()) }
    }

    /// Calls `use_known` with everything that was examined, sorted by path; blocks other access meanwhile.
    pub(crate) fn with_known<T>(&self, use_known: impl FnOnce(&[(&RelPath, &FileInfo)]) -> T) -> T {
        let all = self.table.all();
        let known = all.iter().filter_map(|entry| Some((entry.path(), entry.known()?)));
        let mut known: Vec<(&RelPath, &FileInfo)> = known.collect();
        known.par_sort_unstable_by_key(|(path, _)| *path);
        use_known(&known)
    }

    /// Returns all entries, so that they can be dropped elsewhere: that takes time if there are many.
    pub(crate) fn into_known(self) -> impl Send + use<> {
        self.table
    }

    /// Records what another part of wake has just seen at `path`.
    pub(crate) fn prime(
        &self,
        path: &RelPath,
        seen: FileState,
        signature: Signature,
        settled: bool,
    ) {
        self.table.at(path).keep(FileInfo::new(seen, Some(signature), settled));
    }

    /// Writes what was learnt to `cache`, keeping entries that were not examined.
    pub(crate) fn save(&self, cache: &ConfinedPath) -> std::io::Result<()> {
        cache::write(cache, self)
    }

    /// Returns a directory, and `path` relative to it.
    fn seen_from_dir<'p>(&'p self, path: &'p RelPath) -> (BorrowedFd<'p>, Cow<'p, Path>) {
        match &self.dir {
            Some(dir) if path.is_root() => (dir.as_fd(), Path::new(".").into()),
            Some(dir) => (dir.as_fd(), Path::new(path.as_str()).into()),
            None => (CWD, self.absolute(path).into()),
        }
    }

    fn examine(
        &self,
        path: &RelPath,
        most: u64,
        read: impl FnOnce(Vec<u8>),
    ) -> std::io::Result<FileInfo> {
        let within = |(file, signature): (OwnedFd, Signature)| match signature.size > most {
            true => Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge)),
            false => Ok((file, signature)),
        };
        let (dir, place) = self.seen_from_dir(path);
        let now = now();
        let remembered = self.remembered(path);
        // Without anything to compare with, the file is read in any case; `stat` is needed only if it cannot be opened.
        if remembered.is_none() {
            match open_file(dir, &*place) {
                Ok(Some(opened)) => {
                    let (file, signature) = within(opened)?;
                    return self.hash(path, file, signature, now, read);
                }
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(FileInfo::absent()),
                Ok(None) | Err(_) => {}
            }
        }
        let stat = match rustix::fs::statat(dir, &*place, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(FileInfo::absent()),
            Err(error) => return Err(error.into()),
        };
        let seen = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let signature = Signature::of(&stat);
                if let Some((old, blob)) = remembered
                    && old == signature
                {
                    return Ok(FileInfo::file(signature, blob, signature.size, true));
                }
                let (file, signature) = within(open_file(dir, &*place)?.ok_or(Errno::AGAIN)?)?;
                return self.hash(path, file, signature, now, read);
            }
            FileType::Directory => FileState::Dir,
            FileType::Symlink => FileState::Link(link_text(&self.absolute(path))?),
            _ => FileState::Other,
        };
        let signature = Signature::of(&stat);
        Ok(FileInfo::new(seen, Some(signature), signature.is_settled(now)))
    }

    /// Hashes the file that was opened at `path` after the clock showed `now`.
    fn hash(
        &self,
        path: &RelPath,
        file: OwnedFd,
        signature: Signature,
        now: i128,
        read: impl FnOnce(Vec<u8>),
    ) -> std::io::Result<FileInfo> {
        let mut span = self.profile.begin(SpanKind::Hashing, || format!("hash {path}"));
        let (blob, size) = hash_telling(file, &signature, &self.is_stopped, read)?;
        span.note("bytes", || size);
        Ok(FileInfo::file(signature, blob, size, signature.is_settled(now)))
    }
}

/// Steps name files of the checkout by their paths from its root.
impl SourceFiles for Files<'_> {
    fn place(&self, dir: &RelPath, below: &RelPath) -> PathBuf {
        place(&self.root, dir.as_str(), below.as_str())
    }
}

/// Joins a path of three parts, the last two of which may be empty.
fn place(base: &Path, dir: &str, below: &str) -> PathBuf {
    let mut path = PathBuf::with_capacity(base.as_os_str().len() + dir.len() + below.len() + 2);
    path.push(base);
    for part in [dir, below].into_iter().filter(|part| !part.is_empty()) {
        path.push(part);
    }
    path
}

impl FileInfo {
    fn absent() -> FileInfo {
        FileInfo::new(FileState::Absent, None, false)
    }

    fn file(signature: Signature, blob: BlobDigest, size: u64, settled: bool) -> FileInfo {
        let seen = FileState::File { blob, size, executable: signature.is_executable() };
        FileInfo::new(seen, Some(signature), settled)
    }
}

/// Returns the target of a link at `path` inside its package; none if it leaves the package.
pub(crate) fn link_inside(path: &RelPath, target: &str) -> Option<RelPath> {
    resolve_link(&path.parent().unwrap_or_default(), target)
}

/// Returns whether a package can name the file at `path`; `seen` is none for a small file.
pub(crate) fn can_be_named(path: &RelPath, seen: Option<&FileState>) -> bool {
    match seen {
        None | Some(FileState::File { .. }) => true,
        Some(FileState::Link(target)) => link_inside(path, target).is_some(),
        Some(FileState::Absent | FileState::Dir | FileState::Other) => false,
    }
}

fn link_text(path: &Path) -> std::io::Result<String> {
    let target = std::fs::read_link(path)?;
    target.into_os_string().into_string().map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, "the link's text is not UTF-8")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn file(bytes: &[u8]) -> FileState {
        FileState::File { blob: BlobDigest::of(bytes), size: bytes.len() as u64, executable: false }
    }

    #[test]
    fn small_files_are_read_once_on_demand() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("small"), "a").unwrap();
        let files = Files::open(dir.path(), None, None);
        assert_eq!(files.glance(&path("small")).unwrap(), None);
        files.with_known(|known| assert!(known.is_empty(), "nothing is known about it yet"));
        // The content when it is read is what counts.
        fs::write(dir.path().join("small"), "bc").unwrap();
        assert_eq!(files.fetch(&path("small")).unwrap(), (file(b"bc"), Some(b"bc".to_vec())));
        fs::write(dir.path().join("small"), "def").unwrap();
        assert_eq!(files.fetch(&path("small")).unwrap(), (file(b"bc"), None));
        assert_eq!(files.glance(&path("small")).unwrap(), Some(file(b"bc")));
    }

    #[test]
    fn other_files_are_examined_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let large = vec![7; SMALL as usize + 1];
        fs::write(dir.path().join("large"), &large).unwrap();
        std::os::unix::fs::symlink("large", dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("dir")).unwrap();
        let files = Files::open(dir.path(), None, None);
        let cases = [
            ("large", file(&large)),
            ("link", FileState::Link("large".to_owned())),
            ("dir", FileState::Dir),
            ("absent", FileState::Absent),
        ];
        for (name, seen) in cases {
            assert_eq!(files.glance(&path(name)).unwrap(), Some(seen.clone()), "{name}");
            assert_eq!(files.fetch(&path(name)).unwrap(), (seen, None), "{name}");
        }
    }

    #[test]
    fn unread_files_are_read_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c"];
        let files = Files::open(dir.path(), None, None);
        for name in names {
            fs::write(dir.path().join(name), name).unwrap();
            assert_eq!(files.glance(&path(name)).unwrap(), None);
        }
        assert_eq!(files.look(&path("b")).unwrap(), file(b"b"));
        files.look_at_rest().unwrap();
        files.with_known(|known| {
            let seen: Vec<_> = known.iter().map(|(_, known)| known.seen()).collect();
            assert_eq!(seen, names.map(|name| file(name.as_bytes())));
        });
    }
}
