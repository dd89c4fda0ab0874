//! Evidence that an unpacked ware is unmodified since it was put in its place.
//!
//! A seal contains a hash over the `lstat` results of all nodes: comparing it costs about 1 µs per node and reads no
//! content. Writing to, replacing, adding or removing a file changes a change time, an inode number or a directory's
//! modification time, which only the kernel sets. If these differ nevertheless, as after a restored backup, the content
//! decides: a seal also records the id of the whole tree, including links and owners, if the tree on disk is what the
//! ware declares.

use super::filters::PackFilters;
use super::pack::pack;
use super::warehouse::Warehouse;
use crate::clock;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wake_model::ware::{PackType, WareId};

const HEAD: &str = "wake ware seal 3";
/// How many claims are kept, the newest ones.
const MOST_CLAIMS: usize = 64;
/// The precision of the last use.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The seal of one unpacked ware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    stamps: blake3::Hash,
    /// The `tree` id of the tree on disk; none if it cannot be known without reading it.
    tree: Option<WareId>,
    /// The `tree` id of everything that was received.
    received: WareId,
    /// Which lists of warehouses have sent it.
    claims: Vec<Claim>,
}

/// The list of warehouses from which a ware was requested, in order: the same list gets the same tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim(blake3::Hash);

impl Claim {
    pub(crate) fn of(sources: &[Warehouse]) -> Claim {
        let mut hasher = blake3::Hasher::new();
        for source in sources {
            let address = source.to_string();
            hasher.update(&(address.len() as u64).to_le_bytes()).update(address.as_bytes());
        }
        Claim(hasher.finalize())
    }
}

impl Seal {
    /// Seals the tree at `root`, which is known to be right.
    pub(crate) fn of(
        root: &Path,
        tree: Option<WareId>,
        received: WareId,
        claim: Claim,
    ) -> io::Result<Seal> {
        Ok(Seal { stamps: stamps(root)?, tree, received, claims: vec![claim] })
    }

    /// Returns the `tree` id of everything received, whatever part of it this disk can represent.
    pub(crate) fn received(&self) -> &WareId {
        &self.received
    }

    /// Returns whether a request for `ware` with `claim` would be answered with this tree: either its id covers
    /// everything, or these warehouses have sent this tree. That an id leaves out nothing of this tree does not mean
    /// that other warehouses would send the same one.
    pub(crate) fn answers(&self, ware: &WareId, claim: Claim) -> bool {
        match ware.packtype() {
            PackType::Tree | PackType::Git => true,
            PackType::Tar | PackType::Zip => self.claims.contains(&claim),
        }
    }

    /// Adds a claim; none if it is there already.
    pub(crate) fn with_claim(mut self, claim: Claim) -> Option<Seal> {
        if self.claims.contains(&claim) {
            return None;
        }
        self.claims.push(claim);
        let excess = self.claims.len().saturating_sub(MOST_CLAIMS);
        self.claims.drain(..excess);
        Some(self)
    }

    /// Reads a seal; none if the file is not one.
    pub(crate) fn read(path: &Path) -> Option<Seal> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let stamps = blake3::Hash::from_hex(lines.next()?).ok()?;
        let tree = match lines.next()? {
            "-" => None,
            id => Some(id.parse().ok()?),
        };
        let received = lines.next()?.parse().ok()?;
        let claims: Option<Vec<Claim>> =
            lines.map(|line| blake3::Hash::from_hex(line).ok().map(Claim)).collect();
        Some(Seal { stamps, tree, received, claims: claims? })
    }

    /// Writes the seal atomically.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let Seal { stamps, tree, received, claims } = self;
        let tree = tree.as_ref().map_or("-".to_owned(), WareId::to_string);
        let new = path.with_extension(format!("new-{}", super::guid::new_guid()));
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let claims: String = claims.iter().map(|claim| format!("{}\n", claim.0.to_hex())).collect();
        fs::write(&new, format!("{HEAD}\n{}\n{tree}\n{received}\n{claims}", stamps.to_hex()))?;
        fs::rename(&new, path)
    }

    /// Returns whether nothing was modified at `root`.
    pub(crate) fn is_whole(&self, root: &Path) -> bool {
        stamps(root).is_ok_and(|stamps| stamps == self.stamps)
    }

    /// Returns a new seal for the tree at `root` if its content is right although its metadata changed.
    pub(crate) fn renewed(&self, root: &Path) -> Option<Seal> {
        let tree = self.tree.clone()?;
        let before = stamps(root).ok()?;
        let found = pack(root, PackType::Tree, PackFilters::LOSSLESS, None).ok()?;
        // A write while the content is read changes the stamps.
        let still = stamps(root).ok()? == before;
        (found == tree && still).then(|| Seal { stamps: before, ..self.clone() })
    }
}

/// Records at `seal` that its ware is used now.
pub(crate) fn note_use(seal: &Path) {
    let now = clock::now();
    let is_old = |used| now.duration_since(used).is_ok_and(|age| age > DAY);
    if fs::metadata(seal).and_then(|meta| meta.modified()).is_ok_and(is_old) {
        // Only the order of garbage collection depends on it.
        let _ = File::options().append(true).open(seal).and_then(|file| file.set_modified(now));
    }
}

/// Returns a hash over the kernel's metadata of every node at and below `root`.
fn stamps(root: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let meta = fs::symlink_metadata(root)?;
    // The root is sealed before it is moved into place, which changes its change time.
    put(&mut hasher, Path::new(""), &meta, 0);
    // An explicit stack: an altered tree may be arbitrarily deep.
    let mut open: Vec<PathBuf> = meta.is_dir().then(PathBuf::new).into_iter().collect();
    while let Some(dir) = open.pop() {
        let mut entries = fs::read_dir(root.join(&dir))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, meta) = (dir.join(entry.file_name()), entry.metadata()?);
            put(
                &mut hasher,
                &path,
                &meta,
                i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec()),
            );
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(hasher.finalize())
}

fn put(hasher: &mut blake3::Hasher, path: &Path, meta: &Metadata, ctime: i128) {
    let path = path.as_os_str().as_bytes();
    let mtime = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    hasher.update(&(path.len() as u64).to_le_bytes()).update(path);
    for number in [meta.ino(), meta.size(), meta.rdev()] {
        hasher.update(&number.to_le_bytes());
    }
    for number in [meta.mode(), meta.uid(), meta.gid()] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&mtime.to_le_bytes()).update(&ctime.to_le_bytes());
}
