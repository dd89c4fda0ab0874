//! Lists a directory tree on disk, without reading any file.

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, fstat, open, openat, statat};
use wake_model::RelPath;

use crate::corruption::Damage;
use crate::error::{At, StoreError, optional};

/// The modification time of everything in a tree, in seconds since 1970: 1980-01-02, which zip archives can represent
/// in every time zone.
pub const TREE_MTIME: i64 = 315_619_200;

/// A directory tree as listed.
pub(crate) struct Listing {
    pub(crate) path: PathBuf,
    pub(crate) dir: OwnedFd,
    pub(crate) root: Stat,
    /// Everything below the root, including directories; sorted by path.
    pub(crate) entries: Vec<ListedEntry>,
}

/// One entry of a tree as listed.
pub(crate) struct ListedEntry {
    pub(crate) path: RelPath,
    pub(crate) kind: EntryKind,
    pub(crate) stat: Stat,
}

/// The kinds of entries that a tree may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Dir,
    Link,
}

/// Why a tree could not be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It contains something that has no place in a tree.
    #[error("`{path}` contains {what}")]
    Foreign { path: PathBuf, what: String },
}

impl ListError {
    /// Returns the damage that this means for a tree of the store; I/O errors are passed on.
    pub(crate) fn into_damage(self) -> Result<Damage, StoreError> {
        match self {
            ListError::Store(error) => Err(error),
            ListError::Foreign { what, .. } => Ok(Damage::Foreign(what)),
        }
    }
}

pub(crate) const DIR_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The buffer for the names of one call; large enough for a typical directory of outputs.
const DIR_BUFFER: usize = 4096;

impl Listing {
    /// Lists `path` without following links; costs about 2 µs per entry and 5 µs per directory.
    pub(crate) fn read(path: &Path) -> Result<Self, ListError> {
        let dir = open(path, DIR_FLAGS, Mode::empty()).at(path)?;
        let root = fstat(&dir).at(path)?;
        let mut entries = Vec::new();
        let mut buffer = Vec::with_capacity(DIR_BUFFER);
        list_one(path, &RelPath::root(), &dir, &mut buffer, &mut entries)?;
        let mut open_dirs = dirs_among(&entries);
        while let Some(at) = open_dirs.pop() {
            let first = entries.len();
            let fd =
                openat(&dir, at.as_str(), DIR_FLAGS, Mode::empty()).below(path, at.as_str())?;
            list_one(path, &at, &fd, &mut buffer, &mut entries)?;
            open_dirs.extend(dirs_among(&entries[first..]));
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Listing { path: path.to_owned(), dir, root, entries })
    }
}

fn dirs_among(entries: &[ListedEntry]) -> Vec<RelPath> {
    let dirs = entries.iter().filter(|found| found.kind == EntryKind::Dir);
    dirs.map(|found| found.path.clone()).collect()
}

fn list_one(
    root: &Path,
    at: &RelPath,
    dir: &OwnedFd,
    buffer: &mut Vec<u8>,
    entries: &mut Vec<ListedEntry>,
) -> Result<(), ListError> {
    let mut names = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = names.next() {
        let entry = entry.below(root, at.as_str())?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = child(root, at, name)?;
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).below(root, path.as_str())?;
        let kind = kind_of(&stat).ok_or_else(|| ListError::Foreign {
            path: root.to_owned(),
            what: format!("`{path}`, which is not a file, directory or link"),
        })?;
        entries.push(ListedEntry { path, kind, stat });
    }
    Ok(())
}

fn child(root: &Path, at: &RelPath, name: &CStr) -> Result<RelPath, ListError> {
    let foreign = || ListError::Foreign {
        path: root.to_owned(),
        what: format!("`{}` in `{}`, whose name is not UTF-8", name.to_string_lossy(), at.dotted()),
    };
    let name = name.to_str().map_err(|_| foreign())?;
    at.child(name).map_err(|_| foreign())
}

fn kind_of(stat: &Stat) -> Option<EntryKind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(EntryKind::File),
        FileType::Directory => Some(EntryKind::Dir),
        FileType::Symlink => Some(EntryKind::Link),
        _ => None,
    }
}

/// Returns the permission bits.
pub(crate) fn mode_of(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Returns whether the modification time is the one that everything in a tree has.
pub(crate) fn has_tree_mtime(stat: &Stat) -> bool {
    stat.st_mtime == TREE_MTIME && stat.st_mtime_nsec == 0
}

/// Returns the paths of the entries of a directory, sorted; none if it does not exist.
pub(crate) fn children(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        entries => optional(entries.at(dir))?,
    };
    let paths = entries.into_iter().flatten().map(|entry| Ok(entry.at(dir)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, StoreError>>()?;
    paths.sort_unstable();
    Ok(paths)
}
