//! Tells whether a tree is unmodified, without reading its files.
//!
//! Every file and link of a tree in the store has a *stamp*: its inode and its change time, which only the kernel sets.
//! Size and mode are compared with the manifest, modification times with the one that all trees have; for a directory,
//! whose modification time changes whenever an entry is added or removed, that is enough. So a write through a link, a
//! truncation, and a replaced or added file are all detected by one `lstat` per node.
//!
//! Stamps say nothing about bytes that a power cut kept from reaching the disk. So they record the boot in which they
//! were taken, and in another boot the bytes are hashed once; as they have then been read from the disk, the stamps are
//! *settled*, and later boots trust them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;

use rayon::prelude::*;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, Stat, fstat, open, statat};
use serde::{Deserialize, Serialize};
use wake_model::{Manifest, Node, RelPath};

use crate::error::{At, StoreError, optional};
use crate::listing::{DIR_FLAGS, EntryKind, Listing, has_tree_mtime, mode_of};

/// Trees with at least this many nodes are compared by all threads.
const PARALLEL_NODES: usize = 512;

/// What the kernel reported about each file and link of a tree when it was known to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// The boot in which the bytes were last verified; none if the system has no boot ID.
    pub(crate) boot: Option<[u8; 16]>,
    /// Whether the bytes have been read back in a later boot than the one that wrote them.
    pub(crate) settled: bool,
    /// In the order of the manifest's files and links.
    pub(crate) nodes: Vec<Stamp>,
}

/// The stamp of one file or link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) inode: u64,
    #[serde(with = "postcard::fixint::le")]
    pub(crate) changed_ns: i64,
}

/// The result of comparing a tree with its stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Nothing was modified.
    Untouched,
    /// Something was modified, or may not have reached the disk: the bytes must be hashed.
    Doubtful,
    /// The tree does not exist.
    Absent,
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        let nanos = stat.st_ctime_nsec as i64;
        Stamp { inode: stat.st_ino, changed_ns: stat.st_ctime * 1_000_000_000 + nanos }
    }
}

impl Stamps {
    /// Returns the stamps of a listed tree whose bytes are known to be right.
    pub(crate) fn of(listing: &Listing) -> Self {
        let nodes = listing.entries.iter().filter(|found| found.kind != EntryKind::Dir);
        let nodes = nodes.map(|found| Stamp::of(&found.stat)).collect();
        Stamps { boot: current_boot(), settled: false, nodes }
    }

    /// As [`Stamps::of`], after the bytes have been read back; `before` are the stamps that did not match.
    pub(crate) fn renewed(listing: &Listing, before: Option<&Stamps>) -> Self {
        let stamps = Stamps::of(listing);
        let other_boot = before.is_some_and(|before| before.boot != stamps.boot);
        Stamps { settled: other_boot, ..stamps }
    }

    /// Returns whether these describe bytes that are on the disk or in this boot's memory.
    fn are_binding(&self) -> bool {
        self.settled || (self.boot.is_some() && self.boot == current_boot())
    }

    /// Compares the tree at `path`, which should have the contents of `manifest`, with these stamps.
    ///
    /// One `lstat` per node, about 1 µs each, on all threads if there are many.
    pub(crate) fn compare(
        &self,
        path: &Path,
        manifest: &Manifest,
    ) -> Result<Freshness, StoreError> {
        let Some(dir) = optional(open(path, DIR_FLAGS, Mode::empty()).at(path))? else {
            return Ok(Freshness::Absent);
        };
        if !self.are_binding() || !has_tree_mtime(&fstat(&dir).at(path)?) {
            return Ok(Freshness::Doubtful);
        }
        let untouched = self.nodes_untouched(&dir, manifest);
        Ok(if untouched { Freshness::Untouched } else { Freshness::Doubtful })
    }

    fn nodes_untouched(&self, dir: &OwnedFd, manifest: &Manifest) -> bool {
        let is_stamped = |node: &Node| !matches!(node, Node::Dir);
        let stamped: Vec<(&RelPath, &Node)> =
            manifest.iter().filter(|(_, node)| is_stamped(node)).collect();
        if stamped.len() != self.nodes.len() {
            return false;
        }
        let untouched = |((path, node), stamp): ((&RelPath, &Node), &Stamp)| {
            is_untouched(dir, path, node, stamp)
        };
        let nodes_are = if stamped.len() >= PARALLEL_NODES {
            stamped.into_par_iter().zip(&self.nodes).all(untouched)
        } else {
            stamped.into_iter().zip(&self.nodes).all(untouched)
        };
        nodes_are && dirs_untouched(dir, manifest)
    }
}

fn is_untouched(dir: &OwnedFd, path: &RelPath, node: &Node, stamp: &Stamp) -> bool {
    let Ok(stat) = statat(dir, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) else { return false };
    let as_declared = match node {
        Node::File { size, executable, .. } => {
            stat.st_size as u64 == *size && mode_of(&stat) == file_mode(*executable)
        }
        Node::Link { target } => stat.st_size as usize == target.len(),
        Node::Dir => false,
    };
    as_declared && has_tree_mtime(&stat) && Stamp::of(&stat) == *stamp
}

/// Does not check the root; checks every directory below it, including implied ones.
fn dirs_untouched(dir: &OwnedFd, manifest: &Manifest) -> bool {
    let mut seen: HashSet<&str> = HashSet::new();
    for (path, node) in manifest.iter() {
        let deepest = match node {
            Node::Dir => path.as_str(),
            Node::File { .. } | Node::Link { .. } => parent(path.as_str()),
        };
        let mut at = deepest;
        while !at.is_empty() && seen.insert(at) {
            match statat(dir, at, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if has_tree_mtime(&stat) => at = parent(at),
                _ => return false,
            }
        }
    }
    true
}

fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..slash])
}

/// Returns the permission bits of a file in a tree.
pub(crate) const fn file_mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Returns the ID of the current boot; none if the system does not provide one.
pub fn current_boot() -> Option<[u8; 16]> {
    static BOOT: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let hex: String = text.trim().chars().filter(|c| *c != '-').collect();
        u128::from_str_radix(&hex, 16).ok().map(u128::to_be_bytes)
    })
}
