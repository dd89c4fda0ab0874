//! Archive places: a directory, a file server that serves one, or a container registry.

mod look;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wake_registry::{Address, ContainerError, Repository};
use wake_store::ware::{Meter, Web, WebBody};

use crate::archive::ArchiveSum;
use crate::error::{AssetError, At};
use crate::incoming::{Incoming, document_bytes, escaped, web_file};
use crate::journal::write_synced;
use crate::measure::hex;
use crate::name::{AssetName, GenomeDigest, GenomeName};
use crate::registry_path::AssetId;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCUMENT: &str = "application/vnd.wake.asset.document.v1+json";
const ARCHIVE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The folder or repository of aliases.
const ALIASES: &str = "aliases";

/// An archive place.
#[derive(Debug)]
pub(crate) struct Shelf<'a> {
    address: Address,
    web: &'a Web,
    meter: &'a Meter,
}

/// A document in such a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Document<'a> {
    /// The genome of an alias.
    Alias(&'a GenomeName),
    /// A genome.
    Genome(&'a GenomeDigest),
    /// An asset, for all tags.
    Asset(&'a GenomeDigest, &'a AssetName),
    /// One tag of an asset, which has an archive.
    Form(&'a AssetId),
}

impl Document<'_> {
    /// Its file path.
    fn file(self) -> String {
        match self {
            Document::Alias(alias) => format!("{ALIASES}/{alias}.json"),
            Document::Genome(digest) => format!("{digest}/genome.json"),
            Document::Asset(digest, asset) => format!("{digest}/{asset}.asset.json"),
            Document::Form(AssetId { genome, asset, tag }) => {
                format!("{genome}/{asset}__{tag}.json")
            }
        }
    }

    /// Its repository, below the prefix, and its tag.
    fn tag(self) -> (String, String) {
        match self {
            Document::Alias(alias) => {
                (ALIASES.to_owned(), format!("a.{}", spelled(alias.as_str())))
            }
            Document::Genome(digest) => (repository(digest), "genome".to_owned()),
            Document::Asset(digest, asset) => {
                (repository(digest), format!("d.{}", spelled(asset.as_str())))
            }
            Document::Form(AssetId { genome, asset, tag }) => {
                let tag = format!("t.{}.{}", spelled(asset.as_str()), spelled(tag.as_str()));
                (repository(genome), tag)
            }
        }
    }
}

/// The repository name of a genome; such names are lower-case.
fn repository(digest: &GenomeDigest) -> String {
    let is_small = digest.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match is_small {
        true => digest.to_string(),
        false => format!("x{}", hex(digest.as_str().as_bytes())),
    }
}

/// Encodes a name for a container tag: letters, digits and `-` as they are, other bytes as `_` and two hexadecimal digits.
fn spelled(name: &str) -> String {
    let one = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || byte == b'-' => char::from(byte).to_string(),
        byte => format!("_{byte:02x}"),
    };
    name.bytes().map(one).collect()
}

impl<'a> Shelf<'a> {
    pub(crate) fn new(address: Address, web: &'a Web, meter: &'a Meter) -> Shelf<'a> {
        Shelf { address, web, meter }
    }

    /// Returns its name for messages.
    pub(crate) fn title(&self) -> String {
        self.address.to_string()
    }

    /// Returns the location of a document, for messages.
    pub(crate) fn place(&self, document: Document<'_>) -> String {
        match &self.address {
            Address::Oci { .. } => {
                let (repository, tag) = document.tag();
                format!("{}/{repository}:{tag}", self.address)
            }
            _ => format!("{}/{}", self.address, document.file()),
        }
    }

    /// Checks that the place is writable, and locks it while the returned file is open.
    pub(crate) fn hold(&self) -> Result<Option<File>, AssetError> {
        match &self.address {
            Address::Web(_) => Err(AssetError::Place {
                place: self.title(),
                problem: "a file server is read-only".to_owned(),
                hint: Some(
                    "push to the directory it serves, `file:DIR`, or to `oci://HOST/PREFIX`"
                        .to_owned(),
                ),
            }),
            Address::Oci { .. } => Ok(None),
            Address::Dir(dir) => {
                fs::create_dir_all(dir).at(dir)?;
                let place = dir.join(".lock");
                let mut options = OpenOptions::new();
                let file = options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&place)
                    .at(&place)?;
                flock(&file, FlockOperation::LockExclusive).at(&place)?;
                Ok(Some(file))
            }
        }
    }

    /// Returns a document; none if it does not exist.
    pub(crate) fn get(&self, document: Document<'_>) -> Result<Option<Vec<u8>>, AssetError> {
        match &self.address {
            Address::Oci { .. } => {
                let (repository, tag) = document.tag();
                let repository = self.repository(&repository)?;
                let Some(manifest) = self.manifest(&repository, &tag)? else { return Ok(None) };
                let digest = manifest["config"]["digest"].as_str().unwrap_or_default().to_owned();
                let blob = repository.blob(&digest, self.meter).map_err(container)?;
                let Some(blob) = blob else { return Ok(None) };
                let bytes = document_bytes(&self.place(document), blob)?;
                match format!("sha256:{}", hex(&Sha256::digest(&bytes))) == digest {
                    true => Ok(Some(bytes)),
                    false => Err(AssetError::Digest {
                        what: format!("content of {}", self.place(document)),
                        expected: digest,
                        came: format!("sha256:{}", hex(&Sha256::digest(&bytes))),
                    }),
                }
            }
            _ => match self.file(&document.file(), 0)? {
                Some(incoming) => document_bytes(&self.place(document), incoming.bytes).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Requests the archive of an asset from offset `from`, if supported; none if it does not exist.
    pub(crate) fn archive(
        &self,
        id: &AssetId,
        sum: &ArchiveSum,
        from: u64,
    ) -> Result<Option<Incoming>, AssetError> {
        match &self.address {
            Address::Oci { .. } => {
                let repository = self.repository(&Document::Form(id).tag().0)?;
                let digest = format!("sha256:{}", sum.sha256);
                let blob = repository.blob_from(&digest, from, self.meter).map_err(container)?;
                Ok(blob.map(|(bytes, from)| Incoming { bytes, from, size: None }))
            }
            _ => self.file(&archive_file(id), from),
        }
    }

    /// Writes an archive, and then its document.
    pub(crate) fn put_archive(
        &self,
        id: &AssetId,
        archive: &Path,
        sum: &ArchiveSum,
        document: &[u8],
    ) -> Result<(), AssetError> {
        match &self.address {
            Address::Oci { .. } => {
                let (repository, tag) = Document::Form(id).tag();
                let repository = self.repository(&repository)?;
                let body = WebBody::File { path: archive.to_owned(), size: sum.size };
                let digest = format!("sha256:{}", sum.sha256);
                repository.put_blob(&digest, body, self.meter).map_err(container)?;
                let layer = json!({"digest": digest, "mediaType": ARCHIVE, "size": sum.size});
                self.put_manifest(&repository, &tag, document, vec![layer])
            }
            _ => {
                self.put_file(&archive_file(id), |to| fs::copy(archive, to).map(drop).at(to))?;
                self.put(Document::Form(id), document)
            }
        }
    }

    /// Writes a document.
    pub(crate) fn put(&self, document: Document<'_>, bytes: &[u8]) -> Result<(), AssetError> {
        match &self.address {
            Address::Oci { .. } => {
                let (repository, tag) = document.tag();
                let repository = self.repository(&repository)?;
                let empty = WebBody::Bytes(b"{}".to_vec());
                repository.put_blob(&digest(b"{}"), empty, self.meter).map_err(container)?;
                let layer = json!({"digest": digest(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json", "size": 2});
                self.put_manifest(&repository, &tag, bytes, vec![layer])
            }
            _ => self.put_file(&document.file(), |to| write_synced(to, bytes)),
        }
    }

    fn put_manifest(
        &self,
        repository: &Repository,
        tag: &str,
        document: &[u8],
        layers: Vec<serde_json::Value>,
    ) -> Result<(), AssetError> {
        let body = WebBody::Bytes(document.to_vec());
        repository.put_blob(&digest(document), body, self.meter).map_err(container)?;
        let manifest = json!({
            "artifactType": DOCUMENT,
            "config": {"digest": digest(document), "mediaType": DOCUMENT, "size": document.len()},
            "layers": layers,
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        let bytes = manifest.to_string().into_bytes();
        repository.put_manifest(tag, MANIFEST, bytes, self.meter).map_err(container)
    }

    fn put_file(
        &self,
        file: &str,
        write: impl FnOnce(&Path) -> Result<(), AssetError>,
    ) -> Result<(), AssetError> {
        let Address::Dir(dir) = &self.address else { return self.hold().map(drop) };
        let place = dir.join(file);
        let parent = place.parent().unwrap_or(dir);
        fs::create_dir_all(parent).at(parent)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let draft = parent.join(format!(".{name}.new"));
        write(&draft)?;
        fs::rename(&draft, &place).at(&place)
    }

    /// Requests a file from offset `from`, if supported.
    fn file(&self, file: &str, from: u64) -> Result<Option<Incoming>, AssetError> {
        match &self.address {
            Address::Dir(dir) => {
                let place = dir.join(file);
                let mut opened = match File::open(&place) {
                    Ok(opened) => opened,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error).at(&place),
                };
                opened.seek(SeekFrom::Start(from)).at(&place)?;
                Ok(Some(Incoming { bytes: Box::new(opened), from, size: None }))
            }
            Address::Web(url) => {
                web_file(self.web, &format!("{url}/{}", escaped(file)), from, self.meter)
            }
            Address::Oci { .. } => Ok(None),
        }
    }

    fn repository(&self, name: &str) -> Result<Repository, AssetError> {
        let Address::Oci { host, prefix } = &self.address else {
            return Err(AssetError::Place {
                place: self.title(),
                problem: "not a container registry".to_owned(),
                hint: None,
            });
        };
        let name = match &**prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        };
        Repository::new(host, &name, self.web.clone()).map_err(container)
    }

    fn manifest(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> Result<Option<serde_json::Value>, AssetError> {
        let bytes = repository.manifest(tag, &[MANIFEST], self.meter).map_err(container)?;
        let wrong = |error: serde_json::Error| AssetError::Place {
            place: format!("{}:{tag}", self.title()),
            problem: format!("its manifest is not JSON: {error}"),
            hint: None,
        };
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(wrong)).transpose()
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn archive_file(id: &AssetId) -> String {
    format!("{}/{}__{}.tgz", id.genome, id.asset, id.tag)
}

fn container(error: ContainerError) -> AssetError {
    match error {
        ContainerError::Unavailable { place, problem } => AssetError::Network { place, problem },
        ContainerError::Denied { place, status } => AssetError::Place {
            place,
            problem: status,
            hint: Some("log in with `skopeo login`, `podman login` or `docker login`".to_owned()),
        },
        ContainerError::Cancelled => AssetError::Cancelled,
        ContainerError::Logins { path, problem } => {
            AssetError::Place { place: path.display().to_string(), problem, hint: None }
        }
        ContainerError::Here(problem) => {
            AssetError::Place { place: "this machine".to_owned(), problem, hint: None }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn encoded_names_stay_distinct() {
        let id = |text: &str| text.parse::<AssetId>().unwrap();
        let tag = |text: &str| Document::Form(&id(text)).tag();
        assert_eq!(
            tag("4e88/bwa_index:1.0~a"),
            ("4e88".to_owned(), "t.bwa_5findex.1_2e0_7ea".to_owned())
        );
        assert_ne!(tag("4e88/a:b.c"), tag("4e88/a:b_c"));
        assert_eq!(tag("Ab/a:b").0, "x4162");
    }
}
