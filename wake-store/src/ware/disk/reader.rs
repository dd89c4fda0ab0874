//! Reads a tree on a disk as if it were an archive.

use super::listing::{list_dir, meta_of, read_link};
use crate::ware::archive::{Content, ExtractError, NoContent, Visit};
use crate::ware::entry_path::EntryPath;
use crate::ware::node::{Meta, Node};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::io;
use std::path::{Path, PathBuf};

/// Passes every node at and below `root` to `visitor`, directories before their contents.
pub(crate) fn read_tree(root: &Path, visitor: &mut dyn Visit) -> Result<(), ExtractError> {
    let mut walk = DiskWalk { root, visitor };
    walk.node(CWD, root, EntryPath::root())
}

struct DiskWalk<'a> {
    root: &'a Path,
    visitor: &'a mut dyn Visit,
}

impl DiskWalk<'_> {
    fn node(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &Path,
        path: EntryPath,
    ) -> Result<(), ExtractError> {
        let full =
            if path.is_root() { self.root.to_owned() } else { self.root.join(path.as_str()) };
        let failed = |source: io::Error| ExtractError::Read { path: full.clone(), source };
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| failed(e.into()))?;
        let mut meta = meta_of(&stat).ok_or_else(|| failed(io::Error::other("is a socket")))?;
        let open = |flags| {
            let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(|e| failed(e.into()))
        };
        match &mut meta.node {
            Node::File { .. } => {
                let mut content = OpenFile { file: open(OFlags::NONBLOCK)?, path: full };
                self.visitor.entry(path, meta, &mut content)
            }
            Node::Dir => self.dir(open(OFlags::DIRECTORY)?, full, path, meta),
            Node::Symlink { target } => {
                *target = read_link(dir, &name.to_string_lossy()).map_err(failed)?;
                self.visitor.entry(path, meta, &mut NoContent)
            }
            _ => self.visitor.entry(path, meta, &mut NoContent),
        }
    }

    fn dir(
        &mut self,
        dir: OwnedFd,
        full: PathBuf,
        path: EntryPath,
        meta: Meta,
    ) -> Result<(), ExtractError> {
        self.visitor.entry(path.clone(), meta, &mut NoContent)?;
        for child in
            list_dir(dir.as_fd()).map_err(|source| ExtractError::Read { path: full, source })?
        {
            self.node(dir.as_fd(), Path::new(&child.name), path.join(&child.name))?;
        }
        Ok(())
    }
}

struct OpenFile {
    file: OwnedFd,
    path: PathBuf,
}

impl Content for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        rustix::io::retry_on_intr(|| rustix::io::read(&self.file, &mut *buffer))
            .map_err(|errno| ExtractError::Read { path: self.path.clone(), source: errno.into() })
    }
}
