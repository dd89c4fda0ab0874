//! The paths of everything below the root of the store. Source: `spec/store-layout.md`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use wake_model::{BlobDigest, Digest, TreeDigest};

/// The content of the file `format` in a store of this version.
pub(crate) const FORMAT: &str = "wake-store 3\n";
/// That of the previous versions, which differ only in their action records: without a record, an action is run again.
pub(crate) const FORMER_FORMATS: [&str; 2] = ["wake-store 1\n", "wake-store 2\n"];

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The paths in one store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) format: PathBuf,
    /// Held shared by every open store, exclusively by garbage collection.
    pub(crate) lock: PathBuf,
    /// The gate before [`Layout::lock`].
    pub(crate) gate: PathBuf,
    pub(crate) trees: PathBuf,
    pub(crate) manifests: PathBuf,
    pub(crate) actions: PathBuf,
    pub(crate) blobs: PathBuf,
    pub(crate) memo: PathBuf,
    pub(crate) roots: PathBuf,
    pub(crate) outside: PathBuf,
    pub(crate) states: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) quarantine: PathBuf,
    pub(crate) wares: PathBuf,
    pub(crate) registries: PathBuf,
    pub(crate) codespecs: PathBuf,
    pub(crate) buffers: PathBuf,
    pub(crate) jobs: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Layout {
            format: root.join("format"),
            lock: root.join("lock"),
            gate: root.join("gate"),
            trees: root.join("tree"),
            manifests: root.join("manifest"),
            actions: root.join("action"),
            blobs: root.join("blob"),
            memo: root.join("memo"),
            roots: root.join("roots"),
            outside: root.join("outside"),
            states: root.join("state"),
            tmp: root.join("tmp"),
            quarantine: root.join("quarantine"),
            wares: root.join("ware"),
            registries: root.join("registry"),
            codespecs: root.join("codespec"),
            buffers: root.join("buffer"),
            jobs: root.join("job"),
            root,
        }
    }

    /// Returns the directories in its root.
    pub(crate) fn dirs(&self) -> [&PathBuf; 15] {
        let Layout { trees, manifests, actions, blobs, memo, roots, .. } = self;
        let Layout { outside, states, tmp, quarantine, wares, registries, .. } = self;
        let Layout { codespecs, buffers, jobs, .. } = self;
        [
            trees, manifests, actions, blobs, memo, roots, outside, states, tmp, quarantine, wares,
            registries, codespecs, buffers, jobs,
        ]
    }

    pub(crate) fn tree(&self, digest: &TreeDigest) -> PathBuf {
        self.sharded("tree", &digest.0)
    }

    /// The manifest and stamps of a tree that no action created.
    pub(crate) fn manifest(&self, digest: &TreeDigest) -> PathBuf {
        self.sharded("manifest", &digest.0)
    }

    pub(crate) fn blob(&self, digest: &BlobDigest) -> PathBuf {
        self.sharded("blob", &digest.0)
    }

    /// Returns `<root>/<kind>/ab/ab01…`, built in one allocation, because warm builds do little else.
    fn sharded(&self, kind: &str, digest: &Digest) -> PathBuf {
        let mut hex = [0; 64];
        for (at, byte) in digest.as_bytes().iter().enumerate() {
            hex[2 * at] = HEX[usize::from(byte >> 4)];
            hex[2 * at + 1] = HEX[usize::from(byte & 15)];
        }
        let root = self.root.as_os_str().as_bytes();
        let mut path = Vec::with_capacity(root.len() + kind.len() + 70);
        for part in [root, b"/", kind.as_bytes(), b"/", &hex[..2], b"/", &hex] {
            path.extend_from_slice(part);
        }
        OsString::from_vec(path).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn paths_match_the_specification() {
        let digest = Digest::from_bytes(std::array::from_fn(|at| 0xf0 - 7 * at as u8));
        let hex = digest.to_string();
        for root in ["/store", "/"] {
            let layout = Layout::new(root.into());
            let expected = Path::new(root).join("tree").join(&hex[..2]).join(&hex);
            assert_eq!(layout.tree(&TreeDigest(digest)), expected);
        }
    }
}
