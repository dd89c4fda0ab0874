//! Wares and archives that become trees of the store, once for each id.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, RelPath, TreeDigest};
use wake_steps::diagnostic::Class;
use wake_steps::error::ware_class;
use wake_steps::step::Fetch;
use wake_store::TreeBuilder;
use wake_store::ware::{
    ArchivePolicy, Category, Meter, PackType, Placement, Unpack, UnpackError, UnpackFilters,
    Warehouse, scan,
};

use crate::lower::Site;

/// Why something packed cannot be a root file system.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("`{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has a name or a link that is not UTF-8", path.display())]
    Name { path: PathBuf },
    #[error("what is packed is a single file, and a root file system is a directory")]
    NoDirectory,
    #[error(transparent)]
    Build(#[from] wake_store::BuildTreeError),
    #[error(transparent)]
    Store(#[from] wake_store::StoreError),
}

impl ImportError {
    /// Who is at fault, which decides the exit code.
    pub(super) fn class(&self) -> Class {
        match self {
            ImportError::Unpack(error) => ware_class(error),
            ImportError::Name { .. } | ImportError::NoDirectory => Class::Evaluation,
            ImportError::Read { .. } | ImportError::Build(_) | ImportError::Store(_) => {
                Class::Environment
            }
        }
    }

    /// What a person can do about it.
    pub(super) fn help(&self) -> Option<&'static str> {
        match self {
            ImportError::Unpack(error) => match error.category() {
                Category::WarehouseUnavailable => Some(
                    "name a warehouse that can be reached: `rootfs={ ware: …, warehouses: ['ca+file:///…'] }`",
                ),
                Category::WareNotFound => Some("`wake ware mirror` copies a ware into a warehouse"),
                Category::HashMismatch => {
                    Some("one of the two is wrong: the id, or what the warehouse holds")
                }
                Category::WareCorrupt => Some(
                    "wanted is a tar archive, plain or in gzip, bzip2, xz or zstd, or a zip archive whose name ends in `.zip`",
                ),
                _ => None,
            },
            ImportError::NoDirectory => Some("pack the directory that is to be `/`"),
            _ => None,
        }
    }
}

impl Site<'_> {
    /// The tree of a ware, from the first warehouse that has it.
    pub(super) fn ware_tree(&self, fetch: &Fetch) -> Result<TreeDigest, ImportError> {
        self.imported("ware", &fetch.ware.to_string(), || {
            self.tree_of(&self.ground.wares.get(fetch, self.ground.tell)?.path)
        })
    }

    /// The tree of the archive that lies at `host` and has these bytes.
    pub(super) fn archive_tree(
        &self,
        host: &Path,
        blob: &BlobDigest,
    ) -> Result<TreeDigest, ImportError> {
        self.imported("archive", &blob.to_string(), || {
            let zip = host.extension().is_some_and(|extension| extension == "zip");
            let packtype = if zip { PackType::Zip } else { PackType::Tar };
            let sources = [Warehouse::File(host.to_owned())];
            let filters = UnpackFilters::LOSSLESS;
            let ware =
                &scan(packtype, &sources[0], filters, ArchivePolicy::WARE, &Meter::default())?;
            // The cache is not asked: a `tar` id leaves links out, and this archive's own are wanted.
            let policy = ArchivePolicy::WARE;
            let unpack = Unpack { ware, sources: &sources, filters, cache: None, policy };
            let scratch = self.lowering.store.scratch()?;
            let unpacked = unpack.place_at(
                &scratch.path().join("root"),
                Placement::Direct,
                &Meter::default(),
            )?;
            self.tree_of(&unpacked.path)
        })
    }

    /// Puts a directory into the store.
    fn tree_of(&self, dir: &Path) -> Result<TreeDigest, ImportError> {
        if !dir.is_dir() {
            return Err(ImportError::NoDirectory);
        }
        let mut builder = self.lowering.store.build_tree()?;
        add_directory(&mut builder, dir, &RelPath::root())?;
        Ok(builder.finish()?)
    }

    /// The tree that `kind` and `name` stand for: looked up, or made by `import` and remembered.
    fn imported(
        &self,
        kind: &str,
        name: &str,
        import: impl FnOnce() -> Result<TreeDigest, ImportError>,
    ) -> Result<TreeDigest, ImportError> {
        let key = memo_key(kind, name);
        // Held while it is unpacked, so that steps with one root do it once.
        let mut roots = self.lowering.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = roots.get(&key) {
            return Ok(*tree);
        }
        let tree = match self.remembered(&key) {
            Some(tree) => tree,
            None => {
                let tree = import()?;
                self.lowering.store.memo().put(key, tree.0.as_bytes().to_vec());
                tree
            }
        };
        roots.insert(key, tree);
        Ok(tree)
    }

    fn remembered(&self, key: &Digest) -> Option<TreeDigest> {
        let bytes = self.lowering.store.memo().get(key)?;
        let tree = TreeDigest(Digest::from_bytes(bytes.try_into().ok()?));
        self.lowering.store.tree(&tree).ok()?.hit().map(|_| tree)
    }
}

/// Under which the tree of a ware or an archive is remembered. Source: `spec/store-layout.md`, the memo.
fn memo_key(kind: &str, name: &str) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(3);
        encoder.text("rootfs");
        encoder.text(kind);
        encoder.text(name);
    })
}

/// Adds what lies in `dir`: files with their executable bit, links, directories. Devices, pipes and sockets are left
/// out, because no tree holds them and `/dev` is the sandbox's own.
fn add_directory(
    builder: &mut TreeBuilder<'_>,
    dir: &Path,
    at: &RelPath,
) -> Result<(), ImportError> {
    let read = |path: &Path, source| ImportError::Read { path: path.to_owned(), source };
    let mut empty = true;
    for entry in std::fs::read_dir(dir).map_err(|error| read(dir, error))? {
        let path = entry.map_err(|error| read(dir, error))?.path();
        let not_text = || ImportError::Name { path: path.clone() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(not_text)?;
        let below = at.child(name).map_err(|_| not_text())?;
        let metadata = path.symlink_metadata().map_err(|error| read(&path, error))?;
        if metadata.is_dir() {
            add_directory(builder, &path, &below)?;
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(&path).map_err(|error| read(&path, error))?;
            builder.add_link(&below, target.to_str().ok_or_else(not_text)?)?;
        } else if metadata.is_file() {
            let blob = blob_of(&path).map_err(|error| read(&path, error))?;
            let executable = metadata.permissions().mode() & 0o111 != 0;
            builder.add_file(&below, &path, &blob, executable)?;
        } else {
            continue;
        }
        empty = false;
    }
    if empty && !at.is_root() {
        builder.add_dir(at)?;
    }
    Ok(())
}

fn blob_of(path: &Path) -> io::Result<BlobDigest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(BlobDigest(hasher.finalize().into()))
}
