//! Builds a tree from files of the host, given bytes and links.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use wake_model::{BlobDigest, Manifest, Node, RelPath, TreeDigest};

use crate::adopt::{AdoptError, Adopted};
use crate::error::{At, StoreError};
use crate::measure::measure_file;
use crate::open::Store;
use crate::session::Scratch;
use crate::ware::Meter;

const CHUNK: usize = 256 << 10;

/// A tree under construction; others see nothing of it before [`TreeBuilder::finish`].
#[derive(Debug)]
pub struct TreeBuilder<'a> {
    store: &'a Store,
    scratch: Scratch,
    nodes: Vec<(RelPath, Node)>,
    buffer: Vec<u8>,
    /// Stops copying.
    meter: Option<&'a Meter>,
}

/// Why a tree could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildTreeError {
    /// A file does not have, or no longer has, the expected bytes.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Two entries have the same path, or one is below a file.
    #[error("`{path}` conflicts with another entry of the tree")]
    Conflict {
        /// The path in the tree.
        path: RelPath,
    },
    /// A name or a link target is not UTF-8.
    #[error("`{path}` has a name or link target that is not UTF-8")]
    NotText {
        /// The file or link.
        path: PathBuf,
    },
    /// The operation was stopped.
    #[error("stopped")]
    Stopped,
    /// The finished directory differs from what was put into it.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// An I/O error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Starts a tree.
    pub fn build_tree(&self) -> Result<TreeBuilder<'_>, StoreError> {
        let scratch = self.scratch()?;
        let (nodes, buffer) = (Vec::new(), Vec::new());
        Ok(TreeBuilder { store: self, scratch, nodes, buffer, meter: None })
    }
}

impl<'a> TreeBuilder<'a> {
    /// As above; nothing more is copied once `meter` has been stopped.
    pub fn unless_stopped(self, meter: &'a Meter) -> Self {
        TreeBuilder { meter: Some(meter), ..self }
    }

    /// Copies a file of the host, hashing the bytes that are written; does not follow a link as the last component.
    pub fn add_file(
        &mut self,
        path: &RelPath,
        host: &Path,
        expected: &BlobDigest,
        executable: bool,
    ) -> Result<(), BuildTreeError> {
        // A file that is no longer regular counts as changed, and a pipe must not block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = flags.bits() as i32;
        let mut source = OpenOptions::new().read(true).custom_flags(flags).open(host).at(host)?;
        if !source.metadata().at(host)?.is_file() {
            return Err(BuildTreeError::Changed { path: host.to_owned() });
        }
        let (place, mut target) = self.create(path, executable)?;
        // If the file system supports clones, nothing is copied.
        let (blob, size) = if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
            measure_file(&place)?
        } else {
            self.copy(&mut source, host, &mut target, &place)?
        };
        if blob != *expected {
            return Err(BuildTreeError::Changed { path: host.to_owned() });
        }
        self.nodes.push((path.clone(), Node::File { blob, size, executable }));
        Ok(())
    }

    /// Copies `source`, which is at `host`, to `target` at `place`; returns the digest and the number of bytes written.
    fn copy(
        &mut self,
        source: &mut File,
        host: &Path,
        target: &mut File,
        place: &Path,
    ) -> Result<(BlobDigest, u64), BuildTreeError> {
        self.buffer.resize(CHUNK, 0);
        let mut hasher = blake3::Hasher::new();
        loop {
            if self.meter.is_some_and(Meter::is_stopped) {
                return Err(BuildTreeError::Stopped);
            }
            match source.read(&mut self.buffer) {
                Ok(0) => return Ok((BlobDigest(hasher.finalize().into()), hasher.count())),
                Ok(count) => {
                    hasher.update(&self.buffer[..count]);
                    target.write_all(&self.buffer[..count]).at(place)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::new(host, error).into()),
            }
        }
    }

    /// Writes a file.
    pub fn add_bytes(
        &mut self,
        path: &RelPath,
        bytes: &[u8],
        executable: bool,
    ) -> Result<(), BuildTreeError> {
        let (place, mut target) = self.create(path, executable)?;
        target.write_all(bytes).at(&place)?;
        let blob = BlobDigest::of(bytes);
        let size = bytes.len() as u64;
        self.nodes.push((path.clone(), Node::File { blob, size, executable }));
        Ok(())
    }

    /// Creates a symbolic link with this target.
    pub fn add_link(&mut self, path: &RelPath, target: &str) -> Result<(), BuildTreeError> {
        let place = self.place(path)?;
        taken(symlink(target, &place), path, &place)?;
        self.nodes.push((path.clone(), Node::Link { target: target.to_owned() }));
        Ok(())
    }

    /// Creates a directory, which may stay empty.
    pub fn add_dir(&mut self, path: &RelPath) -> Result<(), BuildTreeError> {
        let place = self.place(path)?;
        taken(fs::create_dir_all(&place), path, &place)?;
        self.nodes.push((path.clone(), Node::Dir));
        Ok(())
    }

    /// Copies the contents of the directory `host`: files with their executable bits, links, directories.
    ///
    /// Returns the paths in the tree of entries that were left out because no tree can contain them: devices, pipes and
    /// sockets.
    pub fn add_contents(
        &mut self,
        path: &RelPath,
        host: &Path,
    ) -> Result<Vec<RelPath>, BuildTreeError> {
        let (mut left_out, mut is_empty) = (Vec::new(), true);
        for entry in fs::read_dir(host).at(host)? {
            let host = entry.at(host)?.path();
            let not_text = || BuildTreeError::NotText { path: host.clone() };
            let name = host.file_name().and_then(|name| name.to_str()).ok_or_else(not_text)?;
            let below = path.child(name).map_err(|_| not_text())?;
            let metadata = host.symlink_metadata().at(&host)?;
            if metadata.is_dir() {
                left_out.extend(self.add_contents(&below, &host)?);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&host).at(&host)?;
                self.add_link(&below, target.to_str().ok_or_else(not_text)?)?;
            } else if metadata.is_file() {
                let (blob, _) = measure_file(&host)?;
                let executable = metadata.permissions().mode() & 0o111 != 0;
                self.add_file(&below, &host, &blob, executable)?;
            } else {
                left_out.push(below);
                continue;
            }
            is_empty = false;
        }
        if is_empty && !path.is_root() {
            self.add_dir(path)?;
        }
        Ok(left_out)
    }

    /// Moves the tree into the store.
    pub fn finish(self) -> Result<TreeDigest, BuildTreeError> {
        let store = self.store;
        let (manifest, adopted) = self.finish_as_outputs()?;
        store.put_tree_file(&adopted.tree, manifest, adopted.stamps)?;
        Ok(adopted.tree)
    }

    /// Moves the tree into the store as the outputs of an action, whose record will contain its stamps.
    pub fn finish_as_outputs(self) -> Result<(Manifest, Adopted), BuildTreeError> {
        let manifest = Manifest::new(self.nodes)
            .map_err(|conflict| BuildTreeError::Conflict { path: conflict.path })?;
        let adopted = self.store.adopt_tree(self.scratch.path(), &manifest)?;
        Ok((manifest, adopted))
    }

    fn create(
        &mut self,
        path: &RelPath,
        executable: bool,
    ) -> Result<(PathBuf, File), BuildTreeError> {
        let place = self.place(path)?;
        let mode = if executable { 0o755 } else { 0o644 };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&place);
        let file = taken(opened, path, &place)?;
        Ok((place, file))
    }

    /// Returns the path in the scratch directory, with its parents created.
    fn place(&self, path: &RelPath) -> Result<PathBuf, BuildTreeError> {
        let place = self.scratch.path().join(path.as_str());
        if let Some(parent) = place.parent().filter(|_| path.as_str().contains('/')) {
            taken(fs::create_dir_all(parent), path, parent)?;
        }
        Ok(place)
    }
}

/// Distinguishes conflicts with existing entries from I/O errors.
fn taken<T>(result: io::Result<T>, path: &RelPath, place: &Path) -> Result<T, BuildTreeError> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(BuildTreeError::Conflict { path: path.clone() })
        }
        other => Ok(other.at(place)?),
    }
}
