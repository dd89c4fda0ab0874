//! The root file system of an exec: the host's, none, or a tree that was made, packed or lies in a package.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, Node, PkgKey, RelPath, RootFs, TreeDigest};
use wake_store::TreeBuilder;
use wake_store::ware::{
    Category, PackType, Policy, Unpack, UnpackError, UnpackFilters, WareCache, WareId, Warehouse,
    scan,
};

use super::{Done, Site};
use crate::diagnostic::{Class, Diagnostic};
use crate::files::Seen;
use crate::instance::PkgInstance;
use crate::view::{Place, Special, special};

/// A root file system with where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// What it is; part of the key.
    pub(crate) fs: RootFs,
    /// Where it lies, if it is a tree.
    pub(crate) made: Option<MadeRoot>,
}

/// A root file system that is a tree of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MadeRoot {
    /// What it was made from.
    pub(crate) origin: RootOrigin,
    /// The tree.
    pub(crate) tree: TreeDigest,
    /// The directory in it.
    pub(crate) below: RelPath,
}

/// What a root file system was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RootOrigin {
    /// It is a directory that this step left.
    Step(usize),
    /// A ware with this id, which says what is in it.
    Ware,
    /// These files of the checkout, relative to the workspace's root.
    Files(Vec<RelPath>),
    /// An archive that a step left.
    Archive,
}

impl Root {
    /// The host's, or none.
    fn plain(fs: RootFs) -> Root {
        Root { fs, made: None }
    }

    /// A whole tree of the store.
    pub(crate) fn of_tree(tree: TreeDigest, origin: RootOrigin) -> Root {
        let made = MadeRoot { origin, tree, below: RelPath::root() };
        Root { fs: RootFs::Tree(tree), made: Some(made) }
    }
}

/// The directory at a path of a step's outputs as a root file system; none if it is no directory.
pub(crate) fn root_in(done: &Done, step: usize, below: &RelPath) -> Option<Root> {
    let part = done.manifest.subtree(below).filter(|_| done.manifest.get(below).is_none())?;
    let made = MadeRoot { origin: RootOrigin::Step(step), tree: done.tree, below: below.clone() };
    Some(Root { fs: RootFs::Tree(part.digest()), made: Some(made) })
}

/// Why something packed cannot be a root file system.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("`{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has a name or a link that is not UTF-8", path.display())]
    Name { path: PathBuf },
    #[error("it is a single file, and a root file system is a directory")]
    NoDirectory,
    #[error(transparent)]
    Build(#[from] wake_store::BuildTreeError),
    #[error(transparent)]
    Store(#[from] wake_store::StoreError),
}

impl ImportError {
    fn class(&self) -> Class {
        match self {
            ImportError::Unpack(error) => match error.category() {
                Category::WareCorrupt | Category::HashMismatch => Class::Integrity,
                Category::Usage | Category::FilterRejection => Class::Evaluation,
                _ => Class::Environment,
            },
            ImportError::Name { .. } | ImportError::NoDirectory => Class::Evaluation,
            ImportError::Read { .. } | ImportError::Build(_) | ImportError::Store(_) => {
                Class::Environment
            }
        }
    }
}

impl Site<'_> {
    /// The root file system that `rootfs` names, fetched and unpacked where it has to be.
    pub(super) fn root(&self, rootfs: &Value) -> Result<Root, Box<Diagnostic>> {
        match rootfs {
            Value::Null => Ok(Root::plain(RootFs::Host((self.pinner.host)()?))),
            Value::String(name) if name == "host" => {
                Ok(Root::plain(RootFs::Host((self.pinner.host)()?)))
            }
            Value::String(name) if name == "empty" => Ok(Root::plain(RootFs::Empty)),
            other => match other.get("type").and_then(Value::as_str) {
                Some("ware") => self.root_of_ware(other),
                _ => self.root_at(other),
            },
        }
    }

    fn root_of_ware(&self, rootfs: &Value) -> Result<Root, Box<Diagnostic>> {
        let text = rootfs.get("ware").unwrap_or(&Value::Null);
        let ware: WareId = text
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|error| self.error(format!("`rootfs`: {error}"), text))?;
        let base = self.pinner.evaluator.files.absolute(&self.pkg.dir);
        let mut sources = Vec::new();
        for url in rootfs.get("warehouses").and_then(Value::as_array).into_iter().flatten() {
            let parsed = Warehouse::parse(url.as_str().unwrap_or_default(), ware.packtype(), &base);
            sources.push(parsed.map_err(|error| self.error(format!("`rootfs`: {error}"), url))?);
        }
        let tree =
            self.imported("ware", &ware.to_string(), text, || self.fetch(&ware, &sources))?;
        Ok(Root::of_tree(tree, RootOrigin::Ware))
    }

    /// A directory or an archive, by a reference.
    fn root_at(&self, rootfs: &Value) -> Result<Root, Box<Diagnostic>> {
        let path = match special(rootfs) {
            Some(Special::File { path, .. } | Special::Pkg { path }) => path,
            Some(Special::Module) => rootfs.get("path").and_then(Value::as_str).unwrap_or_default(),
            None => {
                let message =
                    "`rootfs` is neither `wake.HOST`, `wake.EMPTY`, a file, a directory nor a ware";
                return Err(self.error(message, rootfs));
            }
        };
        match Place::parse(path) {
            Some(Place::Own(below)) => self.root_of_files(self.pkg, &below, path, rootfs),
            Some(Place::Pkg(key, below)) => {
                self.root_of_files(self.owner(&key, rootfs)?, &below, path, rootfs)
            }
            Some(Place::Module(id, below)) => self.root_of_module(&id, &below, path, rootfs),
            None => {
                Err(self.error(format!("`rootfs` is `{path}`, no path inside the package"), rootfs))
            }
        }
    }

    fn owner(&self, key: &PkgKey, rootfs: &Value) -> Result<&PkgInstance, Box<Diagnostic>> {
        let owner = self.pinner.instances.get(key);
        owner.ok_or_else(|| self.error(format!("no package `{key}` in this build"), rootfs))
    }

    /// An archive or a directory among the files of `owner`.
    fn root_of_files(
        &self,
        owner: &PkgInstance,
        below: &RelPath,
        path: &str,
        rootfs: &Value,
    ) -> Result<Root, Box<Diagnostic>> {
        let chosen: Vec<_> =
            owner.files.iter().filter(|(file, _)| file.starts_with(below)).collect();
        let of = |(file, _): &&(RelPath, Seen)| owner.dir.join(file);
        let origin = RootOrigin::Files(chosen.iter().map(of).collect());
        match chosen.first() {
            Some((file, Seen::File { blob, .. })) if file == below => {
                let host = self.pinner.evaluator.files.absolute(&owner.dir.join(file));
                let tree = self.unpacked(&host, blob, rootfs)?;
                Ok(Root::of_tree(tree, origin))
            }
            Some((file, _)) if file == below => {
                let message = format!("`rootfs` is `{path}`, neither a file nor a directory");
                Err(self.error(message, rootfs))
            }
            Some(_) => Ok(Root::of_tree(self.pkg_tree(owner, below, &chosen)?, origin)),
            None => {
                let owner = crate::target::label(&owner.dir);
                let message = format!("`rootfs` is `{path}`, not among the files of {owner}");
                Err(self.error(message, rootfs))
            }
        }
    }

    fn root_of_module(
        &self,
        id: &str,
        below: &RelPath,
        path: &str,
        rootfs: &Value,
    ) -> Result<Root, Box<Diagnostic>> {
        let node = self.pinner.plan.by_id.get(id).copied();
        let done =
            node.and_then(|node| Some((node.index(), self.pinner.done.get(node.index())?.get()?)));
        let Some((step, done)) = done else {
            let message =
                format!("`{path}` belongs to a module that is not among this one's `modules`");
            return Err(self.error(message, rootfs));
        };
        if let Some(root) = root_in(done, step, below) {
            return Ok(root);
        }
        match done.manifest.get(below) {
            Some(Node::File { blob, .. }) => {
                let host = self.pinner.store.tree_place(&done.tree).join(below.as_str());
                let tree = self.unpacked(&host, blob, rootfs)?;
                Ok(Root::of_tree(tree, RootOrigin::Archive))
            }
            _ => {
                let message = format!("`rootfs` is `{path}`, neither a directory nor a file");
                Err(self.error(message, rootfs))
            }
        }
    }

    fn unpacked(
        &self,
        host: &Path,
        blob: &BlobDigest,
        rootfs: &Value,
    ) -> Result<TreeDigest, Box<Diagnostic>> {
        self.imported("archive", &blob.to_string(), rootfs, || {
            let zip = host.extension().is_some_and(|extension| extension == "zip");
            let packtype = if zip { PackType::Zip } else { PackType::Tar };
            let source = Warehouse::File(host.to_owned());
            let ware = scan(packtype, &source, UnpackFilters::LOSSLESS, Policy::WARE)?;
            // Not by way of the cache: a `tar` id leaves links out, and this archive's own are wanted.
            self.place(&ware, &[source], None)
        })
    }

    fn fetch(&self, ware: &WareId, sources: &[Warehouse]) -> Result<TreeDigest, ImportError> {
        let cache = WareCache::new(&self.pinner.store.ware_cache_dir());
        self.place(ware, sources, Some(&cache))
    }

    /// Unpacks a ware and puts what is in it into the store.
    fn place(
        &self,
        ware: &WareId,
        sources: &[Warehouse],
        cache: Option<&WareCache>,
    ) -> Result<TreeDigest, ImportError> {
        let filters = UnpackFilters::LOSSLESS;
        let unpack = Unpack { ware, sources, filters, cache, policy: Policy::WARE };
        let scratch = self.pinner.store.scratch()?;
        let unpacked = match cache {
            Some(_) => unpack.into_cache()?,
            None => {
                let destination = scratch.path().join("root");
                unpack.place_at(&destination, wake_store::ware::Placement::Direct)?
            }
        };
        if !unpacked.path.is_dir() {
            return Err(ImportError::NoDirectory);
        }
        let mut builder = self.pinner.store.build_tree()?;
        add_directory(&mut builder, &unpacked.path, &RelPath::root())?;
        Ok(builder.finish()?)
    }

    /// The tree that `kind` and `name` stand for: looked up, or made by `import` and remembered.
    fn imported(
        &self,
        kind: &str,
        name: &str,
        rootfs: &Value,
        import: impl FnOnce() -> Result<TreeDigest, ImportError>,
    ) -> Result<TreeDigest, Box<Diagnostic>> {
        let key = memo_key(kind, name);
        // Held while it is unpacked, so that steps with one root do it once.
        let mut roots = self.pinner.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = roots.get(&key) {
            return Ok(*tree);
        }
        let tree = match self.remembered(&key) {
            Some(tree) => tree,
            None => {
                let tree = import().map_err(|error| self.not_imported(&error, rootfs))?;
                self.pinner.store.memo().put(key, tree.0.as_bytes().to_vec());
                tree
            }
        };
        roots.insert(key, tree);
        Ok(tree)
    }

    fn remembered(&self, key: &Digest) -> Option<TreeDigest> {
        let bytes = self.pinner.store.memo().get(key)?;
        let tree = TreeDigest(Digest::from_bytes(bytes.try_into().ok()?));
        self.pinner.store.tree(&tree).ok()?.hit().map(|_| tree)
    }

    fn not_imported(&self, error: &ImportError, rootfs: &Value) -> Box<Diagnostic> {
        let mut diagnostic = self.error(format!("`rootfs`: {error}"), rootfs);
        diagnostic.class = error.class();
        diagnostic
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
