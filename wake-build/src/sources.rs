//! The files of one package on disk, as an evaluation may see them.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;
use wake_eval::{EntryKind, ListEntry, SourceError, Sources};
use wake_model::RelPath;

use wake_model::place::PKG_FILE;

/// How a directory is opened from which others are looked for.
pub(crate) const DIR_PATH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Bytes of a file that functions read, at most: as many as a result may have in all.
pub(crate) const LARGEST: u64 = 64 << 20;

/// Reads below one directory and never beside it, whatever links say.
pub(crate) struct DirSources {
    root: Result<OwnedFd, Errno>,
    /// Whether it is the whole machine, whose paths people know with a `/` before them.
    is_top: bool,
}

impl DirSources {
    /// The files below `root`.
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
                // The kernel could not make sure that a rename did not lead outside: ask again.
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(Errno::XDEV) => Err(fail("leads out of the package".to_owned())),
                Err(Errno::LOOP) => Err(fail("is a link that leads in a circle".to_owned())),
                Err(error) => Err(fail(format!("cannot be read: {error}"))),
            };
        }
    }

    /// A directory with a package file of its own is another package.
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
            return Err(fail(format!("has {size} MiB: what functions read may have {most}")));
        }
        let size = usize::try_from(size).unwrap_or(0);
        let bytes = whole(&file, size).map_err(|e| fail(format!("cannot be read: {e}")))?;
        Ok(Some(bytes))
    }

    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError> {
        let fail = |reason: String| SourceError { path: dir.clone(), reason };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let Some(file) = self.open(dir, flags)? else { return Ok(None) };
        // Longer than any name that a file system has.
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut entries = RawDir::new(&file, &mut buffer);
        let mut found = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| fail(format!("cannot be listed: {e}")))?;
            let Ok(name) = entry.file_name().to_str() else {
                let name = entry.file_name().to_string_lossy().into_owned();
                return Err(fail(format!("holds a name that is not valid UTF-8: `{name}`")));
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

/// The bytes of a file that had this size a moment ago: the standard library would ask for it again, and where the file
/// is read from.
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
        // There was room for more.
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

/// What the entry `name` of `dir` is, of which the directory says that it is a `kind`.
pub(crate) fn kind(
    dir: &OwnedFd,
    name: impl rustix::path::Arg,
    kind: FileType,
) -> Result<EntryKind, Errno> {
    let kind = match kind {
        // A file system that does not tell has to be asked.
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
