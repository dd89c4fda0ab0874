//! Archives of trees that contain only files and links: without owners and times, so that a tree has exactly one
//! archive.

use super::archive::{Content, ExtractError, Stream, TarWriter, Visit, read_tar};
use super::disk::{ROOT, TreeWriter};
use super::entry_path::EntryPath;
use super::extraction::Extraction;
use super::filters::{Rules, UnpackFilters};
use super::meter::{Meter, Metered};
use super::node::{Coverage, Meta, Node, Timestamp};
use super::policy::ArchivePolicy;
use crate::listing::TREE_MTIME;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use wake_model::{Manifest, Node as TreeNode, RelPath};

/// Why a tree was not written as an archive.
#[derive(Debug, thiserror::Error)]
pub enum BareTarError {
    /// Such an archive can contain only files and links.
    #[error("`{path}` is an empty directory, which an archive of files cannot hold")]
    EmptyDir {
        /// The directory.
        path: RelPath,
    },
    /// A file cannot be read, or its bytes differ from the manifest.
    #[error("`{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("{0}")]
    Write(io::Error),
}

/// Writes the entries of `manifest` from `dir` as a tar archive: entries sorted by the bytes of their paths, ustar,
/// extended records only for what does not fit; modes 0644, 0755 and 0777, owner 0, the time of all trees.
pub fn write_bare_tar<W: Write>(manifest: &Manifest, dir: &Path, to: W) -> Result<W, BareTarError> {
    let mut tar = TarWriter::new(to);
    for (path, node) in manifest.iter() {
        let entry = EntryPath::root().join(path.as_str());
        let (node, perms) = match node {
            TreeNode::Dir => return Err(BareTarError::EmptyDir { path: path.clone() }),
            TreeNode::Link { target } => (Node::Symlink { target: target.clone() }, 0o777),
            TreeNode::File { size, executable, .. } => {
                (Node::File { size: *size }, if *executable { 0o755 } else { 0o644 })
            }
        };
        let meta = bare(node, perms);
        tar.entry(&entry, &meta).map_err(BareTarError::Write)?;
        if let Node::File { size } = meta.node {
            let place = dir.join(path.as_str());
            copy(&place, size, &mut tar)?;
        }
    }
    tar.finish().map_err(BareTarError::Write)
}

fn bare(node: Node, perms: u16) -> Meta {
    let mtime = Timestamp { seconds: TREE_MTIME, nanos: 0 };
    Meta { node, perms, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new() }
}

pub(super) fn copy<W: Write>(
    place: &Path,
    size: u64,
    tar: &mut TarWriter<W>,
) -> Result<(), BareTarError> {
    let unread = |source| BareTarError::Read { path: place.to_owned(), source };
    let mut file = File::open(place).map_err(unread)?;
    let (mut buffer, mut left) = (vec![0; 64 << 10], size);
    loop {
        let length = file.read(&mut buffer).map_err(unread)?;
        let Some(rest) = left.checked_sub(length as u64).filter(|rest| length > 0 || *rest == 0)
        else {
            return Err(unread(io::Error::other("its size changed while it was read")));
        };
        if length == 0 {
            return Ok(());
        }
        left = rest;
        tar.content(&buffer[..length]).map_err(BareTarError::Write)?;
    }
}

/// Unpacks an untrusted archive, compressed or not, into the empty directory `stage`; returns the path of its root
/// there.
///
/// It may contain what a package may: files, links that stay inside, and directories. Owners and times are ignored.
/// `meter` counts the bytes read, and may stop the operation.
pub fn extract_bare(
    source: impl Read,
    stage: &Path,
    policy: ArchivePolicy,
    meter: &Meter,
) -> Result<PathBuf, ExtractError> {
    let writer = TreeWriter::new(stage)?;
    let rules = Rules::of(&UnpackFilters::LOSSLESS);
    let extraction = Extraction::new(policy, rules, Coverage::EveryNode, Some(writer), meter);
    let mut bare = Bare(extraction);
    let mut stream = Stream::open(Metered { source, meter }, policy)?;
    read_tar(&mut stream, &mut bare)?;
    bare.0.finish()?;
    Ok(stage.join(ROOT))
}

/// Passes on what a package may contain.
struct Bare<'a>(Extraction<'a>);

impl Visit for Bare<'_> {
    fn entry(
        &mut self,
        path: EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError> {
        let refused =
            |kind| ExtractError::Kind { path: path.to_string().escape_debug().to_string(), kind };
        let perms = match &meta.node {
            Node::File { .. } if meta.perms & 0o100 == 0 => 0o644,
            Node::File { .. } | Node::Dir => 0o755,
            Node::Symlink { .. } => 0o777,
            Node::Hardlink { .. } => return Err(refused("a hard link")),
            Node::Fifo => return Err(refused("a pipe")),
            Node::CharDevice { .. } | Node::BlockDevice { .. } => return Err(refused("a device")),
        };
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        self.0.entry(path, Meta { uid, gid, ..bare(meta.node, perms) }, content)
    }
}
