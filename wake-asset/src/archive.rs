//! Asset archives for other registries: a gzip-compressed tar archive of the directory named after the tag.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use wake_store::TREE_MTIME;
use wake_store::ware::{
    ArchivePolicy, EntryPath, LayerEntry, Links, Meta, Meter, Node, Timestamp, extract_bare,
    write_layer,
};

use crate::error::{AssetError, At};
use crate::measure::hex;
use crate::name::Tag;

/// What an untrusted archive may contain. Link targets are checked later, by code that knows the asset's parents.
const POLICY: ArchivePolicy =
    ArchivePolicy { links: Links::Any, max_path: 4096, max_depth: 128, ..ArchivePolicy::WARE };

/// Digests and size of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArchiveSum {
    pub(crate) md5: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

/// Packs `dir` into the file `to`. The archive is reproducible: it contains nothing specific to this machine.
pub(crate) fn pack(dir: &Path, tag: &Tag, to: &Path) -> Result<ArchiveSum, AssetError> {
    let mut entries = BTreeMap::new();
    list(dir, tag.as_str(), &mut entries)?;
    let file = Summed::new(BufWriter::new(File::create(to).at(to)?));
    let packed = GzEncoder::new(file, Compression::default());
    let written = |error: wake_store::ware::BareTarError| AssetError::Tree {
        path: dir.to_owned(),
        problem: error.to_string(),
    };
    let packed = write_layer(&entries, packed).map_err(written)?;
    let mut file = packed.finish().at(to)?;
    file.flush().at(to)?;
    Ok(file.sum())
}

/// Unpacks an archive into the empty directory `stage` and returns the path of its one directory. Its links may point anywhere.
pub(crate) fn unpack(
    archive: &Path,
    stage: &Path,
    tag: &Tag,
    meter: &Meter,
) -> Result<PathBuf, AssetError> {
    let wrong = |problem: String| AssetError::Tree { path: archive.to_owned(), problem };
    let source = File::open(archive).at(archive)?;
    let root =
        extract_bare(source, stage, POLICY, meter).map_err(|error| match meter.is_stopped() {
            true => AssetError::Cancelled,
            false => wrong(error.to_string()),
        })?;
    let dir = root.join(tag.as_str());
    let others = fs::read_dir(&root).at(&root)?.filter_map(Result::ok);
    let has_others = others.into_iter().any(|entry| entry.file_name() != tag.as_str());
    match dir.is_dir() && !has_others {
        true => Ok(dir),
        false => Err(wrong(format!("expected only the directory `{tag}`"))),
    }
}

fn list(
    dir: &Path,
    at: &str,
    entries: &mut BTreeMap<EntryPath, LayerEntry>,
) -> Result<(), AssetError> {
    let meta = |node, perms| Meta {
        node,
        perms,
        uid: 0,
        gid: 0,
        mtime: Timestamp { seconds: TREE_MTIME, nanos: 0 },
        xattrs: BTreeMap::new(),
    };
    let mut put = |path: &Path, at: &str, meta: Meta, place: Option<PathBuf>| {
        let wrong = |problem: String| AssetError::Tree { path: path.to_owned(), problem };
        let name = EntryPath::parse(at.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        entries.insert(name, (meta, place));
        Ok::<_, AssetError>(())
    };
    put(dir, at, meta(Node::Dir, 0o755), None)?;
    let mut below = Vec::new();
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        let path = entry.path();
        let wrong =
            |problem: &str| AssetError::Tree { path: path.clone(), problem: problem.to_owned() };
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| wrong("its name is not UTF-8"))?;
        let called = format!("{at}/{name}");
        let metadata = fs::symlink_metadata(&path).at(&path)?;
        if metadata.is_dir() {
            below.push((path, called));
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).at(&path)?;
            let target = target.to_str().ok_or_else(|| wrong("its target is not UTF-8"))?;
            let node = Node::Symlink { target: target.to_owned() };
            put(&path, &called, meta(node, 0o777), None)?;
        } else if metadata.is_file() {
            let perms = if metadata.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
            let node = Node::File { size: metadata.len() };
            put(&path, &called, meta(node, perms), Some(path.clone()))?;
        } else {
            return Err(wrong("not a file, directory or link"));
        }
    }
    below.into_iter().try_for_each(|(dir, at)| list(&dir, &at, entries))
}

/// A writer that computes size and digests.
struct Summed<W> {
    to: W,
    md5: Md5,
    sha256: Sha256,
    size: u64,
}

impl<W> Summed<W> {
    fn new(to: W) -> Summed<W> {
        Summed { to, md5: Md5::new(), sha256: Sha256::new(), size: 0 }
    }

    fn sum(self) -> ArchiveSum {
        let (md5, sha256) = (hex(&self.md5.finalize()), hex(&self.sha256.finalize()));
        ArchiveSum { md5, sha256, size: self.size }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.md5.update(&bytes[..length]);
        self.sha256.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Computes the digests of an existing archive.
pub(crate) fn sum(archive: &Path) -> Result<ArchiveSum, AssetError> {
    let mut summed = Summed::new(std::io::sink());
    let mut file = File::open(archive).at(archive)?;
    std::io::copy(&mut file, &mut summed).at(archive)?;
    Ok(summed.sum())
}
