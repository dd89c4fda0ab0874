//! The archive of a package: the tar of its tree, compressed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use wake_model::Release;
use wake_store::StoredTree;
use wake_store::ware::write_bare_tar;

use crate::error::{RegistryError, at};
use crate::event::ArchiveSum;

/// The zstd level. No identity depends on the compressed bytes, so another version of wake may choose a higher one.
const LEVEL: i32 = 19;

/// A packed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedPkg {
    /// The archive.
    pub archive: ArchiveSum,
    /// SHA-256 of the uncompressed tar, as hexadecimal digits. It depends on the tree alone.
    pub tar_sha256: String,
}

/// A version to be added to a registry.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// Its metadata.
    pub release: &'a Release,
    /// The archive file.
    pub archive: &'a Path,
    /// Checksum and size of the archive.
    pub sum: &'a ArchiveSum,
    /// Its attestations, one per line; empty if there are none.
    pub attestations: &'a str,
}

/// Packs a tree into a new file.
pub fn pack(tree: &StoredTree, into: &Path) -> Result<PackedPkg, RegistryError> {
    let file = at(into, File::create_new(into))?;
    let unwritten = |source| RegistryError::Io { path: into.to_owned(), source };
    let compressed = Summed::new(BufWriter::new(file));
    let mut encoder = zstd::stream::write::Encoder::new(compressed, LEVEL).map_err(unwritten)?;
    encoder.include_contentsize(true).map_err(unwritten)?;
    encoder.include_checksum(false).map_err(unwritten)?;
    let size = tar_size(tree);
    encoder.set_pledged_src_size(size).map_err(unwritten)?;
    let tar = write_bare_tar(&tree.manifest, &tree.path, Summed::new(encoder))
        .map_err(|error| RegistryError::Pack(error.to_string()))?;
    let (encoder, tar_sha256, _) = tar.end();
    let compressed = encoder.finish().map_err(unwritten)?;
    let (mut file, sha256, size) = compressed.end();
    file.flush().map_err(unwritten)?;
    let file = file.into_inner().map_err(|error| unwritten(error.into_error()))?;
    file.sync_all().map_err(unwritten)?;
    Ok(PackedPkg { archive: ArchiveSum { sha256, size }, tar_sha256 })
}

/// Returns the size of the tar where it is known in advance, that is, where no path is long.
fn tar_size(tree: &StoredTree) -> Option<u64> {
    let mut size = 1024;
    for (path, node) in tree.manifest.iter() {
        let (length, link) = match node {
            wake_model::Node::File { size, .. } => (*size, 0),
            wake_model::Node::Link { target } => (0, target.len()),
            wake_model::Node::Dir => return None,
        };
        if path.as_str().len() > 100 || link > 100 {
            return None;
        }
        size += 512 + length.next_multiple_of(512);
    }
    Some(size)
}

/// Passes bytes on while counting and hashing them.
struct Summed<W> {
    to: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Summed<W> {
    fn new(to: W) -> Self {
        Summed { to, hash: Sha256::new(), size: 0 }
    }

    fn end(self) -> (W, String, u64) {
        (self.to, hex(&self.hash.finalize()), self.size)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.hash.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;
    use wake_model::{RelPath, TreeDigest};
    use wake_store::Store;
    use wake_store::ware::Meter;

    /// The vectors computed by `spec/reference/wake_encoding.py`.
    #[test]
    fn archives_are_those_of_the_specification_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let other = Store::open(&dir.path().join("other")).unwrap();
        let text = include_str!("../../spec/vectors/archive.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        for (number, case) in vectors["cases"].as_array().unwrap().iter().enumerate() {
            let name = case["name"].as_str().unwrap();
            let mut builder = store.build_tree().unwrap();
            for (path, node) in case["nodes"].as_object().unwrap() {
                let path: RelPath = path.parse().unwrap();
                match node["link"].as_str() {
                    Some(target) => builder.add_link(&path, target).unwrap(),
                    None => {
                        let bytes = node["file"].as_str().unwrap().as_bytes();
                        let executable = node["executable"].as_bool().unwrap();
                        builder.add_bytes(&path, bytes, executable).unwrap();
                    }
                }
            }
            let content: TreeDigest = builder.finish().unwrap();
            assert_eq!(content.to_string(), case["content"].as_str().unwrap(), "{name}");
            let tree = store.tree(&content).unwrap().hit().unwrap();
            let into = dir.path().join(number.to_string());
            let packed = pack(&tree, &into).unwrap();
            assert_eq!(packed.tar_sha256, case["sha256"].as_str().unwrap(), "{name}");
            let bytes = std::fs::read(&into).unwrap();
            assert_eq!(packed.archive.sha256, hex(&Sha256::digest(&bytes)), "{name}");
            assert_eq!(packed.archive.size, bytes.len() as u64, "{name}");
            let plain = zstd::decode_all(&*bytes).unwrap();
            assert_eq!(plain.len() as u64, case["bytes"].as_u64().unwrap(), "{name}");
            for bytes in [&bytes, &plain] {
                let read = other.read_archive(&**bytes, &content, &Meter::default()).unwrap();
                assert_eq!(read.manifest, tree.manifest, "{name}");
            }
        }
    }
}
