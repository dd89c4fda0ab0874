//! The files of one package on disk, as an evaluation may see them.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;
use wake_eval::{EntryKind, ListEntry, SourceError, Sources};
use wake_model::RelPath;

use wake_model::place::PKG_FILE;

/// Flags for opening a directory that others are opened from.
pub(crate) const DIR_PATH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The largest file that functions can read, in bytes: the limit of a whole result.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Reads only below one directory, even if links lead out of it.
pub(crate) struct DirSources {
    root: Result<OwnedFd, Errno>,
    /// Whether it is the root of the file system, whose paths are shown with a leading `/`.
    is_top: bool,
}

impl DirSources {
    /// Reads the files below `root`.
    pub(crate) fn new(root: &Path) -> DirSources {
        let is_top = root == Path::new("/");
        DirSources { root: rustix::fs::open(root, DIR_PATH, Mode::empty()), is_top }
    }

    fn open(&self, path: &RelPath, flags: OFlags) -> Result<Option<OwnedFd>, SourceError> {
        let fail = |reason: String| SourceError { path: path.clone(), reason };
        let root = self.root.as_ref().map_err(|e| fail(format!("cannot be read: {e}")))?;
        self.stop_at_border(root, path)?;
        let name = if path.is_root() { "." } else { path.as_str() };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        loop {
            return match rustix::fs::openat2(root, name, flags, Mode::empty(), resolve) {
                Ok(file) => Ok(Some(file)),
                Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
                // The kernel could not rule out that a rename led outside: try again.
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(Errno::XDEV) => Err(fail("leads out of the package".to_owned())),
                Err(Errno::LOOP) => Err(fail("is part of a loop of links".to_owned())),
                Err(error) => Err(fail(format!("cannot be read: {error}"))),
            };
        }
    }

    /// Rejects a path in a directory with its own package file, which is another package.
    fn stop_at_border(&self, root: &OwnedFd, path: &RelPath) -> Result<(), SourceError> {
        let mut at = path.parent();
        while let Some(dir) = at.filter(|dir| !dir.is_root()) {
            let file = format!("{dir}/{PKG_FILE}");
            if rustix::fs::statat(root, &*file, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                let reason = format!("belongs to another package, `{dir}`");
                return Err(SourceError { path: path.clone(), reason });
            }
            at = dir.parent();
        }
        Ok(())
    }
}

impl Sources for DirSources {
    fn shown(&self, path: &RelPath) -> String {
        if self.is_top { format!("/{path}") } else { path.to_string() }
    }

    fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>, SourceError> {
        let fail = |reason: String| SourceError { path: path.clone(), reason };
        let Some(file) = self.open(path, OFlags::RDONLY)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&file).map_err(|e| fail(format!("cannot be read: {e}")))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(fail("is a directory".to_owned())),
            _ => return Err(fail("is neither a file nor a directory".to_owned())),
        }
        let size = stat.st_size.unsigned_abs();
        if size > LARGEST {
            let (size, most) = (size >> 20, LARGEST >> 20);
            return Err(fail(format!(
                "is {size} MiB large: the limit for files that functions read is {most}"
            )));
        }
        let size = usize::try_from(size).unwrap_or(0);
        let bytes = whole(&file, size).map_err(|e| fail(format!("cannot be read: {e}")))?;
        Ok(Some(bytes))
    }

    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError> {
        let fail = |reason: String| SourceError { path: dir.clone(), reason };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Some(file) = self.open(dir, flags)? else { return Ok(None) };
        // Longer than any name in any file system.
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut entries = RawDir::new(&file, &mut buffer);
        let mut found = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| fail(format!("cannot be listed: {e}")))?;
            let Ok(name) = entry.file_name().to_str() else {
                let name = entry.file_name().to_string_lossy().into_owned();
                return Err(fail(format!("contains a name that is not UTF-8: `{name}`")));
            };
            if name == "." || name == ".." {
                continue;
            }
            let kind = kind(&file, entry.file_name(), entry.file_type())
                .map_err(|e| fail(format!("cannot be read: {e}")))?;
            found.push(ListEntry { name: name.to_owned(), kind });
        }
        Ok(Some(found))
    }
}

/// Reads a file that had this size a moment ago: the standard library would ask for its size and position
/// again.
fn whole(file: &OwnedFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; size + 1];
    let mut filled = 0;
    loop {
        match rustix::io::read(file, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        }
        // The buffer had room for more.
        if filled == size {
            break;
        }
        if filled == bytes.len() {
            bytes.resize(2 * filled, 0);
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Returns the kind of the entry `name` of `dir`, which the directory reports as `kind`.
pub(crate) fn kind(
    dir: &OwnedFd,
    name: impl rustix::path::Arg,
    kind: FileType,
) -> Result<EntryKind, Errno> {
    let kind = match kind {
        // Some file systems do not report it.
        FileType::Unknown => match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(EntryKind::Other),
            Err(error) => return Err(error),
        },
        kind => kind,
    };
    Ok(match kind {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    })
}
