//! Images on disk: a layout (image-spec 1.1, "Image Layout"), the same in a tar archive, and the output of `docker
//! save`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use wake_store::ware::{ArchivePolicy, Meter, extract_bare};

use crate::digest::ImageDigest;
use crate::document::{CONFIG, Descriptor, LARGEST, LAYER, Manifest, parsed, subject_of};
use crate::error::{ImageError, at};
use crate::reference::LocalForm;

/// The file that marks a layout.
pub(crate) const LAYOUT_FILE: &str = "oci-layout";
pub(crate) const INDEX_FILE: &str = "index.json";
/// The annotation with the name of an image.
pub(crate) const NAME: &str = "org.opencontainers.image.ref.name";
/// The same annotation, as Docker's tools write it.
const DOCKER_NAME: &str = "io.containerd.image.name";

/// A directory of images.
#[derive(Debug)]
pub(crate) struct Local {
    dir: PathBuf,
    images: Vec<Named>,
    /// Artifacts that refer to images.
    beside: Vec<Descriptor>,
    /// Blobs that are not where a layout has them.
    elsewhere: HashMap<ImageDigest, Bytes>,
}

#[derive(Debug)]
struct Named {
    names: Vec<String>,
    descriptor: Descriptor,
}

#[derive(Debug)]
enum Bytes {
    At(PathBuf),
    These(Vec<u8>),
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Local {
    /// Opens the images at `path` in this format; an archive is unpacked into `scratch`, an empty directory.
    pub(crate) fn open(
        form: LocalForm,
        path: &Path,
        scratch: &Path,
        meter: &Meter,
    ) -> Result<Local, ImageError> {
        match form {
            LocalForm::Layout => Local::layout(path),
            LocalForm::OciArchive | LocalForm::DockerArchive => {
                let dir = unpacked(path, scratch, meter)?;
                let is_layout = dir.join(LAYOUT_FILE).is_file() && dir.join(INDEX_FILE).is_file();
                match is_layout && form == LocalForm::OciArchive {
                    true => Local::layout(&dir),
                    false => Local::saved(path, &dir),
                }
            }
        }
    }

    fn layout(dir: &Path) -> Result<Local, ImageError> {
        let fault = |problem: String| form_fault(dir, "image layout", problem);
        let file = dir.join(INDEX_FILE);
        let bytes = small(&file).map_err(|error| match error {
            ImageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                fault(format!("it has no `{INDEX_FILE}`"))
            }
            other => other,
        })?;
        let index: Index = parsed("index", &bytes).map_err(|error| fault(error.to_string()))?;
        let (beside, images): (Vec<_>, Vec<_>) =
            index.manifests.into_iter().partition(Descriptor::is_artifact);
        let named = |descriptor: Descriptor| {
            let name = |key: &str| descriptor.annotations.get(key).cloned();
            let names = [NAME, DOCKER_NAME].into_iter().filter_map(name).collect();
            Named { names, descriptor }
        };
        let images = images.into_iter().map(named).collect();
        Ok(Local { dir: dir.to_owned(), images, beside, elsewhere: HashMap::new() })
    }

    /// Reads the output of `docker save`, which has no manifests: one is created for each image.
    fn saved(archive: &Path, dir: &Path) -> Result<Local, ImageError> {
        let fault = |problem: String| form_fault(archive, "image archive", problem);
        let file = dir.join("manifest.json");
        let bytes = small(&file)
            .map_err(|_| fault(format!("it has neither `{INDEX_FILE}` nor `manifest.json`")))?;
        let saved: Vec<Saved> = parsed("list", &bytes).map_err(|error| fault(error.to_string()))?;
        let (images, beside, elsewhere) = (Vec::new(), Vec::new(), HashMap::new());
        let mut local = Local { dir: dir.to_owned(), images, beside, elsewhere };
        for Saved { config, repo_tags, layers } in saved {
            let config = local.take(&inside(dir, &config, &fault)?, CONFIG)?;
            let layers: Result<Vec<Descriptor>, ImageError> = layers
                .iter()
                .map(|layer| local.take(&inside(dir, layer, &fault)?, LAYER))
                .collect();
            let bytes = Manifest::bytes(&config, &layers?);
            let descriptor = Descriptor::of(crate::document::MANIFEST, &bytes);
            local.elsewhere.insert(descriptor.digest, Bytes::These(bytes));
            local.images.push(Named { names: repo_tags.unwrap_or_default(), descriptor });
        }
        Ok(local)
    }

    /// Computes the descriptor of a file in an archive.
    fn take(&mut self, path: &Path, media_type: &str) -> Result<Descriptor, ImageError> {
        let (digest, size) = measured(path)?;
        self.elsewhere.insert(digest, Bytes::At(path.to_owned()));
        Ok(Descriptor { digest, size, ..Descriptor::of(media_type, &[]) })
    }

    /// Finds the image with this name or digest, or the only one if neither is given. `image` is the reference for
    /// messages.
    pub(crate) fn find(
        &self,
        image: &str,
        name: Option<&str>,
        digest: Option<&ImageDigest>,
    ) -> Result<&Descriptor, ImageError> {
        let has = || self.images.iter().flat_map(|one| one.names.clone()).collect();
        let is_called = |one: &&Named| name.is_none_or(|name| one.names.iter().any(|n| n == name));
        let is_it = |one: &&Named| digest.is_none_or(|digest| one.descriptor.digest == *digest);
        let mut found = self.images.iter().filter(is_called).filter(is_it);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(&one.descriptor),
            (None, _) => Err(ImageError::NotThere { image: image.to_owned(), has: has() }),
            (Some(_), Some(_)) => Err(ImageError::Several { image: image.to_owned(), has: has() }),
        }
    }

    /// The artifacts that refer to the image with this digest.
    pub(crate) fn referring(&self, image: &ImageDigest) -> Vec<Descriptor> {
        let of_image = |one: &&Descriptor| {
            let mut bytes = Vec::new();
            let source = self.bytes(&one.digest).ok().flatten();
            let read = source.map(|source| source.take(LARGEST).read_to_end(&mut bytes));
            read.is_some_and(|read| read.is_ok()) && subject_of(&bytes) == Some(*image)
        };
        self.beside.iter().filter(of_image).cloned().collect()
    }

    /// The blob with a digest, unverified; `None` if it does not exist.
    pub(crate) fn bytes(
        &self,
        digest: &ImageDigest,
    ) -> Result<Option<Box<dyn Read + Send>>, ImageError> {
        let path = match self.elsewhere.get(digest) {
            Some(Bytes::These(bytes)) => return Ok(Some(Box::new(io::Cursor::new(bytes.clone())))),
            Some(Bytes::At(path)) => path.clone(),
            None => self.dir.join("blobs/sha256").join(digest.hex()),
        };
        match regular(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ImageError::Io { path, source }),
        }
    }
}

/// The digest of a file of any kind.
pub fn file_digest(path: &Path) -> Result<ImageDigest, ImageError> {
    Ok(measured(path)?.0)
}

fn measured(path: &Path) -> Result<(ImageDigest, u64), ImageError> {
    let mut file = at(path, regular(path))?;
    let (mut hasher, mut size, mut piece) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let read = at(path, file.read(&mut piece))?;
        if read == 0 {
            return Ok((ImageDigest::finished(hasher), size));
        }
        hasher.update(&piece[..read]);
        size += read as u64;
    }
}

fn form_fault(path: &Path, what: &'static str, problem: String) -> ImageError {
    ImageError::Form { path: path.to_owned(), what, problem }
}

fn unpacked(archive: &Path, scratch: &Path, meter: &Meter) -> Result<PathBuf, ImageError> {
    let file = at(archive, regular(archive))?;
    extract_bare(file, scratch, ArchivePolicy::IMAGE, meter)
        .map_err(|error| form_fault(archive, "image archive", error.to_string()))
}

/// Resolves a path listed in an archive, which must stay inside it.
fn inside(
    dir: &Path,
    path: &str,
    fault: &dyn Fn(String) -> ImageError,
) -> Result<PathBuf, ImageError> {
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let there = dir.join(path).canonicalize().ok().filter(|_| is_plain);
    let dir = dir.canonicalize().map_err(|error| fault(error.to_string()))?;
    there.filter(|there| there.starts_with(&dir)).ok_or_else(|| {
        fault(format!("it refers to `{}`, which it does not contain", path.escape_debug()))
    })
}

/// Opens a regular file, without blocking.
fn regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

fn small(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let read = regular(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    at(path, read)?;
    match bytes.len() as u64 > LARGEST {
        true => {
            Err(form_fault(path, "image list", format!("it is larger than {} MiB", LARGEST >> 20)))
        }
        false => Ok(bytes),
    }
}
