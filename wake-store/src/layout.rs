//! Where everything lies below the root of the store. Source: `spec/store-layout.md`.

use std::path::{Path, PathBuf};

use wake_model::{BlobDigest, Digest, TreeDigest};

/// The content of the file `format` in a store of this version.
pub(crate) const FORMAT: &str = "wake-store 2\n";
/// The same of the version before, which kept each action's record in a file of its own: all else is alike, and
/// without a record an action is run again.
pub(crate) const FORMER_FORMAT: &str = "wake-store 1\n";

/// The places in one store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Layout { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    /// Held shared by every open store, alone by garbage collection.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The turnstile before [`Layout::lock`].
    pub(crate) fn gate(&self) -> PathBuf {
        self.root.join("gate")
    }

    pub(crate) fn trees(&self) -> PathBuf {
        self.root.join("tree")
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.root.join("manifest")
    }

    pub(crate) fn actions(&self) -> PathBuf {
        self.root.join("action")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blob")
    }

    pub(crate) fn memo(&self) -> PathBuf {
        self.root.join("memo")
    }

    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn states(&self) -> PathBuf {
        self.root.join("state")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn wares(&self) -> PathBuf {
        self.root.join("ware")
    }

    pub(crate) fn tree(&self, digest: &TreeDigest) -> PathBuf {
        self.sharded("tree", &digest.0)
    }

    /// The manifest and stamps of a tree that no action made.
    pub(crate) fn manifest(&self, digest: &TreeDigest) -> PathBuf {
        self.sharded("manifest", &digest.0)
    }

    pub(crate) fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.sharded("blob", &digest.0)
    }

    /// `<root>/<kind>/ab/ab01…`: built in one allocation, because warm builds do little else.
    fn sharded(&self, kind: &str, digest: &Digest) -> PathBuf {
        let hex = blake3::Hash::from_bytes(*digest.as_bytes()).to_hex();
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + kind.len() + 70);
        path.push(&self.root);
        path.push(kind);
        path.push(&hex[..2]);
        path.push(&hex[..]);
        path
    }
}
