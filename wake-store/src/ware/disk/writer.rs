//! Writes a tree below a directory, so that no entry can escape from it.

use crate::ware::archive::{Content, ExtractError, copy_hashed};
use crate::ware::entry_path::EntryPath;
use crate::ware::hash::Sha384Digest;
use crate::ware::node::{Meta, Node, Timestamp};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of the tree's root inside its stage.
pub(crate) const ROOT: &str = "root";

/// Whether written files have the owners that the ware declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// They do.
    Kept,
    /// This process may not set owners: some files belong to its user, without setuid and setgid bits.
    Mine,
}

/// Writes the nodes of one tree to `STAGE/root`.
///
/// Every path is resolved with `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, every node is created exclusively.
/// Directories get their permissions and times at the end.
pub(crate) struct TreeWriter {
    stage: OwnedFd,
    stage_path: PathBuf,
    dirs: BTreeMap<EntryPath, Meta>,
    parent: Option<(EntryPath, OwnedFd)>,
    ownership: Ownership,
    room: Room,
}

impl TreeWriter {
    /// Prepares to write below `stage`, an existing empty directory of this process.
    pub(crate) fn new(stage: &Path) -> Result<Self, ExtractError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let fd = rustix::fs::open(stage, flags, Mode::empty()).map_err(|errno| {
            ExtractError::Write { path: stage.to_owned(), source: errno.into() }
        })?;
        Ok(Self {
            stage: fd,
            stage_path: stage.to_owned(),
            dirs: BTreeMap::new(),
            parent: None,
            ownership: Ownership::Kept,
            room: Room::default(),
        })
    }

    /// Creates the node at `path`. Returns the digest of a file's content.
    pub(crate) fn create(
        &mut self,
        path: &EntryPath,
        meta: &Meta,
        content: &mut dyn Content,
    ) -> Result<Option<Sha384Digest>, ExtractError> {
        let full = self.full(path);
        let failed =
            |errno: Errno| ExtractError::Write { path: full.clone(), source: errno.into() };
        let name = if path.is_root() { ROOT } else { path.name() };
        if let Node::File { .. } = meta.node {
            return self.create_file(path, name, &full, meta, content).map(Some);
        }
        if meta.is_dir() {
            let parent = self.parent(path)?;
            rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(failed)?;
            self.dirs.insert(path.clone(), meta.clone());
            return Ok(None);
        }
        if let Node::Hardlink { target } = &meta.node {
            self.link(path, name, target)?;
            return Ok(None);
        }
        let parent = self.parent(path)?;
        let node =
            |kind, device| rustix::fs::mknodat(parent, name, kind, Mode::RUSR | Mode::WUSR, device);
        match &meta.node {
            Node::Symlink { target } => rustix::fs::symlinkat(target.as_str(), parent, name),
            Node::Fifo => node(FileType::Fifo, 0),
            Node::CharDevice { major, minor } => {
                node(FileType::CharacterDevice, rustix::fs::makedev(*major, *minor))
            }
            Node::BlockDevice { major, minor } => {
                node(FileType::BlockDevice, rustix::fs::makedev(*major, *minor))
            }
            Node::File { .. } | Node::Dir | Node::Hardlink { .. } => Ok(()),
        }
        .map_err(failed)?;
        let kept = give_away(parent, name, meta).map_err(failed)?;
        if !matches!(meta.node, Node::Symlink { .. }) {
            rustix::fs::chmodat(parent, name, mode(meta, kept), AtFlags::empty())
                .map_err(failed)?;
        }
        rustix::fs::utimensat(parent, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed)?;
        self.note(kept);
        Ok(None)
    }

    /// Replaces the declaration of a directory that was created before.
    pub(crate) fn redeclare_dir(&mut self, path: &EntryPath, meta: &Meta) {
        self.dirs.insert(path.clone(), meta.clone());
    }

    /// Sets the owners, permissions and times of all directories, innermost first.
    pub(crate) fn finish(mut self) -> Result<Ownership, ExtractError> {
        for (path, meta) in std::mem::take(&mut self.dirs).into_iter().rev() {
            let full = self.full(&path);
            let failed =
                |errno: Errno| ExtractError::Write { path: full.clone(), source: errno.into() };
            let dir = self.open_dir(&path)?;
            let kept = give_away_open(dir.as_fd(), &meta).map_err(failed)?;
            rustix::fs::fchmod(&dir, mode(&meta, kept)).map_err(failed)?;
            rustix::fs::futimens(&dir, &times(meta.mtime)).map_err(failed)?;
            self.note(kept);
        }
        Ok(self.ownership)
    }

    fn create_file(
        &mut self,
        path: &EntryPath,
        name: &str,
        full: &Path,
        meta: &Meta,
        content: &mut dyn Content,
    ) -> Result<Sha384Digest, ExtractError> {
        let failed =
            |errno: Errno| ExtractError::Write { path: full.to_owned(), source: errno.into() };
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = self.parent(path)?;
        let fd =
            rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let file = File::from(fd);
        let mut bounded = RoomyFile { file: &file, room: &mut self.room };
        let digest = copy_hashed(content, Some((&mut bounded, full)))?;
        let kept = give_away_open(file.as_fd(), meta).map_err(failed)?;
        rustix::fs::fchmod(&file, mode(meta, kept)).map_err(failed)?;
        rustix::fs::futimens(&file, &times(meta.mtime)).map_err(failed)?;
        self.note(kept);
        Ok(digest)
    }

    fn link(&mut self, path: &EntryPath, name: &str, target: &str) -> Result<(), ExtractError> {
        let failed = |source| ExtractError::Write { path: self.full(path), source };
        let earlier = EntryPath::parse(target.as_bytes())
            .map_err(|problem| failed(std::io::Error::other(problem)))?;
        let from_dir = earlier.parent().unwrap_or_default();
        let (from, to) =
            (self.open_dir(&from_dir)?, self.open_dir(&path.parent().unwrap_or_default())?);
        rustix::fs::linkat(&from, earlier.name(), &to, name, AtFlags::empty())
            .map_err(|errno| failed(errno.into()))
    }

    /// Returns the directory in which `path` is created. The last one is remembered, since archives list neighbours
    /// together.
    fn parent(&mut self, path: &EntryPath) -> Result<BorrowedFd<'_>, ExtractError> {
        let Some(parent) = path.parent() else { return Ok(self.stage.as_fd()) };
        if self.parent.as_ref().is_none_or(|(open, _)| *open != parent) {
            let fd = self.open_dir(&parent)?;
            self.parent = Some((parent, fd));
        }
        Ok(self.parent.as_ref().map_or(self.stage.as_fd(), |(_, fd)| fd.as_fd()))
    }

    fn open_dir(&self, path: &EntryPath) -> Result<OwnedFd, ExtractError> {
        let inside = if path.is_root() { ROOT.to_owned() } else { format!("{ROOT}/{path}") };
        rustix::fs::openat2(
            &self.stage,
            inside,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
        )
        .map_err(|errno| ExtractError::Write { path: self.full(path), source: errno.into() })
    }

    fn full(&self, path: &EntryPath) -> PathBuf {
        let root = self.stage_path.join(ROOT);
        if path.is_root() { root } else { root.join(path.as_str()) }
    }

    fn note(&mut self, kept: Ownership) {
        if kept == Ownership::Mine {
            self.ownership = Ownership::Mine;
        }
    }
}

/// The bytes written since the free space was last checked.
#[derive(Default)]
pub(crate) struct Room {
    written: u64,
}

impl Room {
    /// Bytes written between two checks.
    const GLANCE: u64 = 64 << 20;
    /// Bytes that remain free on a disk; on a small one, a fiftieth.
    const FREE: u64 = 1 << 30;

    /// An untrusted archive may use much space, but not fill the disk.
    fn take(&mut self, bytes: usize, file: &File) -> std::io::Result<()> {
        self.written += bytes as u64;
        if self.written < Room::GLANCE {
            return Ok(());
        }
        self.written = 0;
        let disk = rustix::fs::fstatvfs(file)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let total = disk.f_blocks.saturating_mul(disk.f_frsize);
        if free < Room::FREE.min(total / 50) {
            let message = "too little space would be left on the disk";
            return Err(std::io::Error::new(std::io::ErrorKind::StorageFull, message));
        }
        Ok(())
    }
}

/// A file that is written as long as there is space.
pub(crate) struct RoomyFile<'a> {
    pub(crate) file: &'a File,
    pub(crate) room: &'a mut Room,
}

impl Write for RoomyFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.room.take(bytes.len(), self.file)?;
        (&*self.file).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sets owner, permissions and time of the node at `place`, which only this process can change.
pub(crate) fn declare(place: &Path, meta: &Meta) -> Result<Ownership, Errno> {
    let kept = match is_mine(meta) {
        true => Ownership::Kept,
        false => {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            permitted(rustix::fs::chownat(
                CWD,
                place,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            ))?
        }
    };
    if !matches!(meta.node, Node::Symlink { .. }) {
        rustix::fs::chmodat(CWD, place, mode(meta, kept), AtFlags::empty())?;
    }
    rustix::fs::utimensat(CWD, place, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(kept)
}

fn give_away(dir: BorrowedFd<'_>, name: &str, meta: &Meta) -> Result<Ownership, Errno> {
    if is_mine(meta) {
        return Ok(Ownership::Kept);
    }
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    permitted(rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW))
}

fn give_away_open(file: BorrowedFd<'_>, meta: &Meta) -> Result<Ownership, Errno> {
    if is_mine(meta) {
        return Ok(Ownership::Kept);
    }
    permitted(rustix::fs::fchown(
        file,
        Some(Uid::from_raw(meta.uid)),
        Some(Gid::from_raw(meta.gid)),
    ))
}

/// New files belong to the process's user, and to its group except in setgid directories, which a stage is not.
fn is_mine(meta: &Meta) -> bool {
    meta.uid == rustix::process::geteuid().as_raw()
        && meta.gid == rustix::process::getegid().as_raw()
}

/// `EPERM`: not root. `EINVAL`: root of a user namespace that does not map the owner.
fn permitted(result: Result<(), Errno>) -> Result<Ownership, Errno> {
    match result {
        Ok(()) => Ok(Ownership::Kept),
        Err(Errno::PERM | Errno::INVAL) => Ok(Ownership::Mine),
        Err(errno) => Err(errno),
    }
}

fn mode(meta: &Meta, ownership: Ownership) -> Mode {
    // A setuid file that should be root's but is the user's own would let others act as the user.
    let perms = if ownership == Ownership::Kept { meta.perms } else { meta.perms & !0o6000 };
    Mode::from_raw_mode(u32::from(perms))
}

fn times(mtime: Timestamp) -> Timestamps {
    let time = Timespec { tv_sec: mtime.seconds, tv_nsec: i64::from(mtime.nanos) };
    Timestamps { last_access: time, last_modification: time }
}
