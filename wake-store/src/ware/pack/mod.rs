//! Packs a tree on disk: computes its id and, if requested, its archive.

mod error;
mod archive;

use self::archive::Archive;
pub use self::error::PackError;
use super::disk::{Child, list_dir, meta_of, read_link};
use super::entry_path::EntryPath;
use super::filters::{PackFilters, Passage, Rules};
use super::hash::{Sha384Digest, Sha384Stream};
use super::meter::Meter;
use super::node::{Body, Coverage, Meta, Node, node_hash};
use super::warehouse::Warehouse;
use rayon::prelude::*;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use wake_model::ware::{PackType, WareId};

/// The maximum number of directories above a node.
const MAX_DEPTH: usize = 256;

/// Computes the id of the tree at `path` and, with a `target`, stores its archive there.
///
/// Returns [`WareId::nothing`] for a path that does not exist or whose node the pack type leaves out. Unset filters
/// leave the metadata unchanged; fractions of seconds are always dropped. Without a target, files are hashed in
/// parallel. Memory use does not grow with the size of files.
pub fn pack(
    path: &Path,
    packtype: PackType,
    filters: PackFilters,
    target: Option<&Warehouse>,
) -> Result<WareId, PackError> {
    pack_metered(path, packtype, filters, target, &Meter::default())
}

/// As [`pack`]; `meter` counts the bytes of files, and may stop the operation.
pub fn pack_metered(
    path: &Path,
    packtype: PackType,
    filters: PackFilters,
    target: Option<&Warehouse>,
    meter: &Meter,
) -> Result<WareId, PackError> {
    meter.expect(None);
    let coverage = match packtype {
        PackType::Tar | PackType::Zip => Coverage::FilesAndDirs,
        PackType::Tree => Coverage::EveryNode,
        PackType::Git => return Err(PackError::Unsupported { packtype }),
    };
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(WareId::nothing(packtype));
        }
        Err(source) => return Err(PackError::Read { path: path.to_owned(), source }),
        Ok(_) => {}
    }
    let packer = Packer { rules: Rules::of(&filters), coverage, meter };
    let root = PackedDir { name: path, entry: EntryPath::root(), above: None };
    let mut archive = target.map(|target| Archive::begin(packtype, target)).transpose()?;
    let ware = match packer.root(path, &root, archive.as_mut())? {
        Some(hash) => WareId::new(packtype, hash),
        // A node that ids of this kind do not cover is nothing, as in rio.
        None if coverage == Coverage::FilesAndDirs => return Ok(WareId::nothing(packtype)),
        None => return Err(PackError::Dropped { path: path.to_owned() }),
    };
    if let Some(archive) = archive {
        archive.commit(&ware)?;
    }
    Ok(ware)
}

struct Packer<'a> {
    rules: Rules,
    coverage: Coverage,
    meter: &'a Meter,
}

/// The path of the current node, spelled out only for an error or an archive.
struct PackedDir<'a> {
    name: &'a Path,
    entry: EntryPath,
    above: Option<&'a PackedDir<'a>>,
}

impl PackedDir<'_> {
    fn full(&self) -> PathBuf {
        self.above.map_or_else(|| self.name.to_owned(), |above| above.full().join(self.name))
    }

    fn depth(&self) -> usize {
        self.above.map_or(0, |above| above.depth() + 1)
    }

    fn read_error(&self, source: impl Into<io::Error>) -> PackError {
        PackError::Read { path: self.full(), source: source.into() }
    }
}

impl Packer<'_> {
    fn root(
        &self,
        path: &Path,
        here: &PackedDir<'_>,
        archive: Option<&mut Archive>,
    ) -> Result<Option<Sha384Digest>, PackError> {
        let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| here.read_error(e))?;
        self.node(CWD, path, FileType::from_raw_mode(stat.st_mode), here, archive)
    }

    /// Returns the hash of a node as its directory counts it; none if the directory leaves it out.
    fn node(
        &self,
        dir: BorrowedFd<'_>,
        name: &Path,
        kind: FileType,
        here: &PackedDir<'_>,
        archive: Option<&mut Archive>,
    ) -> Result<Option<Sha384Digest>, PackError> {
        if self.meter.is_stopped() {
            return Err(PackError::Cancelled);
        }
        match kind {
            FileType::RegularFile => {
                let (file, mut meta) = self.open(dir, name, OFlags::NONBLOCK, here)?;
                self.filter(&mut meta, here)?;
                let Node::File { size } = meta.node else {
                    return Err(PackError::Changed { path: here.full() });
                };
                let content = hash_file(&file, size, &meta, here, archive, self.meter)?;
                Ok(Some(node_hash(here.entry.name(), &meta, Body::Content(&content))))
            }
            FileType::Directory => {
                if here.depth() > MAX_DEPTH {
                    return Err(PackError::Depth { path: here.full() });
                }
                let (file, mut meta) = self.open(dir, name, OFlags::DIRECTORY, here)?;
                self.filter(&mut meta, here)?;
                self.dir(&file, &meta, here, archive).map(Some)
            }
            FileType::Socket => Err(PackError::Socket { path: here.full() }),
            _ => self.other(dir, name, here, archive),
        }
    }

    fn other(
        &self,
        dir: BorrowedFd<'_>,
        name: &Path,
        here: &PackedDir<'_>,
        archive: Option<&mut Archive>,
    ) -> Result<Option<Sha384Digest>, PackError> {
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| here.read_error(e))?;
        let mut meta =
            whole_seconds(meta_of(&stat).ok_or_else(|| PackError::Socket { path: here.full() })?);
        if let Node::Symlink { target } = &mut meta.node {
            *target = read_link(dir, &name.to_string_lossy()).map_err(|e| here.read_error(e))?;
        }
        if self.filter(&mut meta, here)? == Passage::Dropped {
            return Ok(None);
        }
        if let Some(archive) = archive {
            if !archive.holds(&meta) {
                return Err(PackError::Kind { path: here.full() });
            }
            archive.entry(&here.entry, &meta)?;
        }
        let counts = self.coverage == Coverage::EveryNode;
        Ok(counts.then(|| node_hash(here.entry.name(), &meta, Body::Nothing)))
    }

    fn dir(
        &self,
        dir: &OwnedFd,
        meta: &Meta,
        here: &PackedDir<'_>,
        archive: Option<&mut Archive>,
    ) -> Result<Sha384Digest, PackError> {
        let children = list_dir(dir.as_fd()).map_err(|error| here.read_error(error))?;
        let one = |child: &Child, archive: Option<&mut Archive>| {
            let below = PackedDir {
                name: Path::new(&child.name),
                entry: here.entry.join(&child.name),
                above: Some(here),
            };
            self.node(dir.as_fd(), below.name, child.kind, &below, archive)
        };
        let hashes: Result<Vec<Option<Sha384Digest>>, PackError> = match archive {
            Some(archive) => {
                archive.entry(&here.entry, meta)?;
                children.iter().map(|child| one(child, Some(archive))).collect()
            }
            // Fewer are not worth waking another thread.
            None if children.len() < 24 => children.iter().map(|child| one(child, None)).collect(),
            None => children.par_iter().with_min_len(12).map(|child| one(child, None)).collect(),
        };
        let hashes: Vec<Sha384Digest> = hashes?.into_iter().flatten().collect();
        Ok(node_hash(here.entry.name(), meta, Body::Children(&hashes)))
    }

    fn open(
        &self,
        dir: BorrowedFd<'_>,
        name: &Path,
        flags: OFlags,
        here: &PackedDir<'_>,
    ) -> Result<(OwnedFd, Meta), PackError> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd =
            rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(|e| here.read_error(e))?;
        let stat = rustix::fs::fstat(&fd).map_err(|e| here.read_error(e))?;
        let meta = meta_of(&stat).ok_or_else(|| PackError::Socket { path: here.full() })?;
        Ok((fd, whole_seconds(meta)))
    }

    fn filter(&self, meta: &mut Meta, here: &PackedDir<'_>) -> Result<Passage, PackError> {
        Ok(self.rules.apply(&here.entry, meta)?)
    }
}

/// An archive cannot represent more than ustar headers do, so its id does not either.
fn whole_seconds(mut meta: Meta) -> Meta {
    meta.mtime.nanos = 0;
    meta
}

/// Hashes a file and, with an archive, appends it there.
fn hash_file(
    file: &OwnedFd,
    size: u64,
    meta: &Meta,
    here: &PackedDir<'_>,
    mut archive: Option<&mut Archive>,
    meter: &Meter,
) -> Result<Sha384Digest, PackError> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 1 << 17]);
    }
    if let Some(archive) = archive.as_deref_mut() {
        archive.entry(&here.entry, meta)?;
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut stream = Sha384Stream::default();
        let mut read = 0;
        // A read shorter than the buffer has reached the end, so a small file takes one read.
        while read < size {
            let n = rustix::io::retry_on_intr(|| rustix::io::read(file, &mut buffer[..]))
                .map_err(|e| here.read_error(e))?;
            read += n as u64;
            if n == 0 || read > size {
                return Err(PackError::Changed { path: here.full() });
            }
            if meter.is_stopped() {
                return Err(PackError::Cancelled);
            }
            stream.update(&buffer[..n]);
            meter.add(n);
            if let Some(archive) = archive.as_deref_mut() {
                archive.content(&buffer[..n])?;
            }
        }
        Ok(stream.finish())
    })
}
