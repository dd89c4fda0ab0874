//! The SBOM of an image in SPDX 2.3: the packages of its distribution, and those that wake put into it.

mod distribution;
mod spdx;

use std::fs::File;
use std::io::Read;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use wake_model::{Manifest, Node, RelPath};

pub(crate) use self::spdx::SPDX;
use self::spdx::{ListedFile, document};
use crate::error::{ImageError, at};
use crate::images::{Image, Images};

/// Files in an image that come from a package of wake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedPackage {
    /// The package's name in paths: `NAMESPACE@NAME@VERSION`.
    pub id: String,
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its content, if it was fetched.
    pub content: Option<String>,
    /// The files, relative to the root of the image.
    pub files: Vec<RelPath>,
}

/// The SBOM of an image, as far as its contents are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// SPDX 2.3 as canonical JSON.
    pub text: String,
    /// A package database in the image that is not included, because its format is not supported.
    pub unread: Option<String>,
}

impl Images<'_> {
    /// Returns the SBOM of an image. It is reproducible. Fetches the layers.
    pub fn sbom(&self, image: &Image, placed: &[PlacedPackage]) -> Result<Sbom, ImageError> {
        let tree = self.tree(image)?;
        let files = self.store.manifest(&tree)?.unwrap_or_default();
        let text = |path: &str| {
            let path = RelPath::parse(path).ok()?;
            let bytes = match files.get(&path)? {
                Node::File { size, .. } if *size <= LARGEST => self.store.cat(&tree, &path).ok()?,
                _ => return None,
            };
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let packages = distribution::packages(&files, &text);
        let place = self.store.tree_place(&tree);
        let mut all = placed.to_vec();
        all.sort();
        let mut listed = Vec::new();
        for package in &all {
            let mut own = Vec::new();
            for path in sorted(&package.files, &files) {
                own.push(measured(path, &place.join(path.as_str()))?);
            }
            listed.push((package, own));
        }
        let unread = distribution::unread(&files);
        Ok(Sbom { text: document(image, &packages, unread.as_deref(), &listed), unread })
    }
}

/// Maximum size of a package database, in bytes.
const LARGEST: u64 = 256 << 20;

/// The files among `paths`, without duplicates; links and directories have no content of their own.
fn sorted<'p>(paths: &'p [RelPath], files: &Manifest) -> Vec<&'p RelPath> {
    let is_file = |path: &&RelPath| matches!(files.get(path), Some(Node::File { .. }));
    let mut paths: Vec<&RelPath> = paths.iter().filter(is_file).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn measured(path: &RelPath, place: &std::path::Path) -> Result<ListedFile, ImageError> {
    let mut file = at(place, File::open(place))?;
    let (mut sha1, mut sha256, mut piece) = (Sha1::new(), Sha256::new(), vec![0; 256 << 10]);
    loop {
        match at(place, file.read(&mut piece))? {
            0 => break,
            read => {
                sha1.update(&piece[..read]);
                sha256.update(&piece[..read]);
            }
        }
    }
    let path = path.as_str().to_owned();
    Ok(ListedFile { path, sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()) })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
