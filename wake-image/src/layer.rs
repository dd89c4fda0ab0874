//! A layer as a file: newly written from entries, or existing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wake_model::BlobDigest;
use wake_store::TREE_MTIME;
use wake_store::ware::{EntryPath, LayerEntry, Meta, Node, Timestamp, write_layer};

use crate::digest::ImageDigest;
use crate::document::{Descriptor, LAYER};
use crate::error::{ImageError, at};

/// An uncompressed layer, so its digest does not depend on a compressor.
#[derive(Clone, Debug)]
pub struct WrittenLayer {
    /// Its descriptor in a manifest.
    pub descriptor: Descriptor,
    /// The digest of its bytes in the store.
    pub blob: BlobDigest,
    /// Its path.
    pub place: PathBuf,
}

impl WrittenLayer {
    /// Writes a layer of `entries` to the new file `place`.
    pub fn write(
        entries: &BTreeMap<EntryPath, LayerEntry>,
        place: &Path,
    ) -> Result<WrittenLayer, ImageError> {
        let file = at(place, File::create_new(place))?;
        let hashing = Hashing::new(BufWriter::with_capacity(BUFFER, file));
        let mut done = write_layer(entries, hashing)?;
        at(place, done.to.flush())?;
        Ok(done.layer(place))
    }

    /// The existing layer in the file `place`.
    pub fn of_file(place: &Path) -> Result<WrittenLayer, ImageError> {
        let mut file = at(place, File::open(place))?;
        let mut hashing = Hashing::new(io::sink());
        at(place, io::copy(&mut file, &mut hashing))?;
        Ok(hashing.layer(place))
    }

    /// Its digest in the configuration.
    pub fn diff_id(&self) -> ImageDigest {
        self.descriptor.digest
    }
}

const BUFFER: usize = 256 << 10;

/// The metadata of an entry. All entries have the same time, that of all trees.
pub fn layer_meta(node: Node, perms: u16, [uid, gid]: [u32; 2]) -> Meta {
    let mtime = Timestamp { seconds: TREE_MTIME, nanos: 0 };
    Meta { node, perms, uid, gid, mtime, xattrs: BTreeMap::new() }
}

struct Hashing<W> {
    to: W,
    sha256: Sha256,
    blake3: blake3::Hasher,
    size: u64,
}

impl<W> Hashing<W> {
    fn new(to: W) -> Hashing<W> {
        Hashing { to, sha256: Sha256::new(), blake3: blake3::Hasher::new(), size: 0 }
    }

    fn layer(self, place: &Path) -> WrittenLayer {
        let digest = ImageDigest::finished(self.sha256);
        let descriptor = Descriptor { digest, size: self.size, ..Descriptor::of(LAYER, &[]) };
        let blob = BlobDigest(self.blake3.finalize().into());
        WrittenLayer { descriptor, blob, place: place.to_owned() }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.blake3.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
