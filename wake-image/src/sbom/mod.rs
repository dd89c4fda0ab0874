//! What an image consists of, as SPDX 2.3 says it: the packages of its distribution, and what wake's packages put into it.

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

/// Files of an image that a package of wake put there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedPackage {
    /// What wake calls the package in paths: `NAMESPACE@NAME@VERSION`.
    pub id: String,
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its content, where it was fetched.
    pub content: Option<String>,
    /// The files, from the root of the image.
    pub files: Vec<RelPath>,
}

/// What an image consists of, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// SPDX 2.3 as canonical JSON.
    pub text: String,
    /// The database of packages in the image of which nothing stands there, since it is of a kind that is not read.
    pub unread: Option<String>,
}

impl Images<'_> {
    /// What an image consists of: SPDX 2.3 as canonical JSON, the same wherever and whenever it is made. The layers are fetched for it.
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

/// Bytes of a database of packages at most.
const LARGEST: u64 = 256 << 20;

/// The files among `paths`, each once: links and directories have no content of their own.
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
