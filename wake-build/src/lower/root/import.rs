//! Imports wares and archives as trees of the store, once for each id.

use std::fs::File;
use std::io::Read;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread;

use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, RelPath, TreeDigest};
use wake_steps::diagnostic::Class;
use wake_steps::error::ware_class;
use wake_steps::step::Fetch;
use wake_store::ware::{
    ArchivePolicy, Category, PackType, Placement, Unpack, UnpackError, UnpackFilters, Warehouse,
    scan,
};
use wake_store::{BuildTreeError, Store};

use crate::lower::Site;

/// Why something packed cannot be a root file system.
#[derive(Debug, thiserror::Error)]
pub(in crate::lower) enum ImportError {
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("the packed content is a single file, but a root file system is a directory")]
    NoDirectory,
    #[error(transparent)]
    Build(#[from] BuildTreeError),
    #[error(transparent)]
    Store(#[from] wake_store::StoreError),
}

impl ImportError {
    /// Returns the class of the error, which decides the exit code.
    pub(in crate::lower) fn class(&self) -> Class {
        match self {
            ImportError::Unpack(error) => ware_class(error),
            ImportError::Build(BuildTreeError::NotText { .. }) | ImportError::NoDirectory => {
                Class::Evaluation
            }
            ImportError::Build(_) | ImportError::Store(_) => Class::Environment,
        }
    }

    /// Returns a remedy.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            ImportError::Unpack(error) => match error.category() {
                Category::WarehouseUnavailable => Some(
                    "give a warehouse that can be reached: `rootfs={ ware: …, warehouses: ['ca+file:///…'] }`",
                ),
                Category::WareNotFound => {
                    Some("run `wake ware mirror` to copy a ware into a warehouse")
                }
                Category::HashMismatch => {
                    Some("correct the id, or the content of the warehouse: they do not match")
                }
                Category::WareCorrupt => Some(
                    "use a tar archive, plain or compressed with gzip, bzip2, xz or zstd, or a zip archive whose name ends in `.zip`",
                ),
                _ => None,
            },
            ImportError::NoDirectory => Some("pack the directory that should become `/`"),
            _ => None,
        }
    }
}

impl Site<'_> {
    /// Returns the tree of a ware, from the first warehouse that has it.
    pub(super) fn ware_tree(&self, fetch: &Fetch) -> Result<TreeDigest, ImportError> {
        // An id may leave out a difference between two trees, so the addresses are part of the name.
        let asked = fetch.from.iter().map(|warehouse| format!(" {warehouse}"));
        let name = std::iter::once(fetch.ware.to_string()).chain(asked).collect::<String>();
        self.imported("ware", &name, || {
            self.tree_of(&self.ground.wares.get(fetch, self.ground.tell)?.path)
        })
    }

    /// Returns the tree of the archive at `host` with this digest.
    pub(super) fn archive_tree(
        &self,
        host: &Path,
        blob: &BlobDigest,
    ) -> Result<TreeDigest, ImportError> {
        self.imported("archive", &blob.to_string(), || {
            let scratch = self.lowering.store.scratch()?;
            let into = scratch.path().join("root");
            let is_zip = host.extension().is_some_and(|extension| extension == "zip");
            let packtype = if is_zip { PackType::Zip } else { PackType::Tar };
            self.tree_of(&self.unpacked_as(packtype, host, &into)?)
        })
    }

    /// Unpacks the archive at `host`, as a zip if it begins like one, into `into`, and returns the directory.
    pub(in crate::lower) fn unpacked(
        &self,
        host: &Path,
        into: &Path,
    ) -> Result<PathBuf, ImportError> {
        let mut head = [0; 4];
        let read = File::open(host).and_then(|mut file| file.read_exact(&mut head));
        let is_zip = read.is_ok() && matches!(&head, b"PK\x03\x04" | b"PK\x05\x06");
        self.unpacked_as(if is_zip { PackType::Zip } else { PackType::Tar }, host, into)
    }

    fn unpacked_as(
        &self,
        packtype: PackType,
        host: &Path,
        into: &Path,
    ) -> Result<PathBuf, ImportError> {
        let sources = [Warehouse::File(host.to_owned())];
        let filters = UnpackFilters::LOSSLESS;
        let (policy, meter) = (ArchivePolicy::ROOT, self.ground.wares.meter());
        let ware = &scan(packtype, &sources[0], filters, policy, meter)?;
        // The cache is not used: a `tar` id leaves links out, and this archive's own are needed.
        let unpack = Unpack { ware, sources: &sources, filters, cache: None, policy };
        Ok(unpack.place_at(into, Placement::Direct, meter)?.path)
    }

    /// Adds a directory to the store.
    pub(in crate::lower) fn tree_of(&self, dir: &Path) -> Result<TreeDigest, ImportError> {
        if !dir.is_dir() {
            return Err(ImportError::NoDirectory);
        }
        let mut builder = self.lowering.store.build_tree()?;
        // Devices are no loss: the sandbox has its own `/dev`.
        builder.add_contents(&RelPath::root(), dir)?;
        Ok(builder.finish()?)
    }

    /// Returns whether the tree for `kind` and `name` is here.
    pub(in crate::lower) fn is_imported(&self, kind: &str, name: &str) -> bool {
        remembered(self.lowering.store, &memo_key(kind, name)).is_some()
    }

    /// Returns the tree for `kind` and `name`: looked up, or created by `import` and recorded.
    pub(in crate::lower) fn imported<E: Send>(
        &self,
        kind: &str,
        name: &str,
        import: impl FnOnce() -> Result<TreeDigest, E> + Send,
    ) -> Result<TreeDigest, E> {
        let key = memo_key(kind, name);
        let mut roots = self.lowering.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let root = roots.entry(key).or_default().clone();
        drop(roots);
        // Held during the import, so that steps with the same root import it once, while others import theirs.
        let mut root = root.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = *root {
            return Ok(tree);
        }
        let store = self.lowering.store;
        let found = || match remembered(store, &key) {
            Some(tree) => Ok(tree),
            None => {
                let tree = import()?;
                store.memo().put(key, tree.0.as_bytes().to_vec());
                Ok(tree)
            }
        };
        // In a separate thread: a thread of the pool that waits for parts of this could begin another step, which would wait
        // for this lock.
        let tree = thread::scope(|scope| {
            scope.spawn(found).join().unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        *root = Some(tree);
        Ok(tree)
    }
}

fn remembered(store: &Store, key: &Digest) -> Option<TreeDigest> {
    let bytes = store.memo().get(key)?;
    let tree = TreeDigest(Digest::from_bytes(bytes.try_into().ok()?));
    store.tree(&tree).ok()?.hit().map(|_| tree)
}

/// Returns the memo key of the tree of a ware or an archive. Source: `spec/store-layout.md`, the memo.
fn memo_key(kind: &str, name: &str) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(3);
        encoder.text("rootfs");
        encoder.text(kind);
        encoder.text(name);
    })
}
