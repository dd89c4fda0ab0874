//! Writes an image to a registry, a layout or an archive.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wake_model::json as canonical_json;
use wake_registry::Repository;
use wake_store::TREE_MTIME;
use wake_store::ware::{EntryPath, LayerEntry, Meta, Node, Timestamp, WebBody, write_layer};

use crate::attached::Attachment;
use crate::digest::ImageDigest;
use crate::document::{Descriptor, INDEX};
use crate::error::{ImageError, at};
use crate::images::{Image, Images};
use crate::local::{INDEX_FILE, LAYOUT_FILE, NAME};
use crate::reference::{ImageReference, LocalForm};

impl Images<'_> {
    /// Writes an image to `to`; blobs that are already there are not sent again. Layers keep their compression, so
    /// the digest is the same everywhere except in the format of `docker save`, which has neither manifests nor
    /// attachments.
    pub fn send(
        &self,
        image: &Image,
        attached: &[Attachment],
        to: &ImageReference,
    ) -> Result<(), ImageError> {
        self.bring(image)?;
        match to {
            ImageReference::Registry { host, repository, tag, digest } => {
                if digest.is_some() {
                    return Err(ImageError::ReadOnly(to.to_string()));
                }
                let tag = tag.as_deref().unwrap_or("latest");
                let to = Repository::new(host, repository, self.web().clone())?;
                self.push(image, &to, tag)?;
                attached.iter().try_for_each(|one| self.push_attachment(image, one, &to))
            }
            ImageReference::Local { digest: Some(_), .. } => {
                Err(ImageError::ReadOnly(to.to_string()))
            }
            ImageReference::Local { form, path, name, digest: None, .. } => match form {
                LocalForm::Layout => self.write_layout(image, attached, path, name.as_deref()),
                LocalForm::OciArchive => {
                    let files = self.layout_files(image, attached, name.as_deref())?;
                    self.write_archive(&files, path)
                }
                LocalForm::DockerArchive => {
                    self.write_archive(&self.docker_files(image, name.as_deref())?, path)
                }
            },
        }
    }

    fn push(&self, image: &Image, to: &Repository, tag: &str) -> Result<(), ImageError> {
        for layer in &image.manifest.layers {
            let (path, _) = self.kept_layer(image, layer)?;
            let body = WebBody::File { path, size: layer.size };
            to.put_blob(&layer.digest.to_string(), body, self.meter)?;
        }
        let config = WebBody::Bytes(image.config_bytes.clone());
        to.put_blob(&image.manifest.config.digest.to_string(), config, self.meter)?;
        let (kind, bytes) = (&image.manifest.media_type, image.manifest_bytes.clone());
        Ok(to.put_manifest(tag, kind, bytes, self.meter)?)
    }

    fn push_attachment(
        &self,
        image: &Image,
        attachment: &Attachment,
        to: &Repository,
    ) -> Result<(), ImageError> {
        for part in &attachment.parts {
            let (path, _) = self.kept_layer(image, part)?;
            let body = WebBody::File { path, size: part.size };
            to.put_blob(&part.digest.to_string(), body, self.meter)?;
        }
        let entry = serde_json::to_value(&attachment.entry).unwrap_or_default();
        let (subject, bytes) = (image.digest.to_string(), attachment.manifest.clone());
        Ok(to.refer(&subject, &entry, bytes, self.meter)?)
    }

    /// Adds an image to a new or existing layout; it replaces an image of the same name.
    fn write_layout(
        &self,
        image: &Image,
        attached: &[Attachment],
        dir: &Path,
        name: Option<&str>,
    ) -> Result<(), ImageError> {
        let index_file = dir.join(INDEX_FILE);
        let mut manifests = match fs::read(&index_file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => {
                let bytes = at(&index_file, other)?;
                let fault = |problem: &str| ImageError::Form {
                    path: dir.to_owned(),
                    what: "image layout",
                    problem: problem.to_owned(),
                };
                let value: Value =
                    serde_json::from_slice(&bytes).map_err(|_| fault("its index is not JSON"))?;
                value["manifests"]
                    .as_array()
                    .cloned()
                    .ok_or_else(|| fault("its index has no manifests"))?
            }
        };
        let called = |one: &Value| one["annotations"][NAME].as_str().map(str::to_owned);
        let digest = json!(image.digest);
        manifests.retain(|one| match name {
            Some(name) => called(one).as_deref() != Some(name),
            None => called(one).is_some() || one["digest"] != digest,
        });
        manifests.push(named(image, name));
        for entry in entries(attached) {
            if !manifests.iter().any(|one| one["digest"] == entry["digest"]) {
                manifests.push(entry);
            }
        }
        for (path, bytes) in self.layout_files(image, attached, name)? {
            if path == INDEX_FILE {
                continue;
            }
            let place = dir.join(&path);
            if let Some(parent) = place.parent() {
                at(parent, fs::create_dir_all(parent))?;
            }
            match bytes {
                Bytes::These(bytes) => replace(&place, &bytes)?,
                Bytes::At(from, _) if !place.is_file() => {
                    let new = place.with_extension("new");
                    at(&new, fs::copy(&from, &new).map(drop))?;
                    at(&place, fs::rename(&new, &place))?;
                }
                Bytes::At(..) => {}
            }
        }
        // Last, so that everything it refers to exists.
        replace(&index_file, index(manifests).as_bytes())
    }

    fn layout_files(
        &self,
        image: &Image,
        attached: &[Attachment],
        name: Option<&str>,
    ) -> Result<Vec<(String, Bytes)>, ImageError> {
        let blob = |digest: &ImageDigest| format!("blobs/sha256/{}", digest.hex());
        let mut files = Vec::new();
        for layer in &image.manifest.layers {
            let (path, _) = self.kept_layer(image, layer)?;
            files.push((blob(&layer.digest), Bytes::At(path, layer.size)));
        }
        for attachment in attached {
            for part in &attachment.parts {
                let (path, _) = self.kept_layer(image, part)?;
                files.push((blob(&part.digest), Bytes::At(path, part.size)));
            }
            let manifest = Bytes::These(attachment.manifest.clone());
            files.push((blob(&attachment.entry.digest), manifest));
        }
        let config = Bytes::These(image.config_bytes.clone());
        files.push((blob(&image.manifest.config.digest), config));
        files.push((blob(&image.digest), Bytes::These(image.manifest_bytes.clone())));
        let layout = canonical_json::canonical(&json!({"imageLayoutVersion": "1.0.0"}));
        files.push((LAYOUT_FILE.to_owned(), Bytes::These(layout.into_bytes())));
        let index = index(std::iter::once(named(image, name)).chain(entries(attached)).collect());
        files.push((INDEX_FILE.to_owned(), Bytes::These(index.into_bytes())));
        Ok(files)
    }

    /// The files that `docker save` writes: a list of images, each with its configuration and layers.
    fn docker_files(
        &self,
        image: &Image,
        name: Option<&str>,
    ) -> Result<Vec<(String, Bytes)>, ImageError> {
        let mut files = Vec::new();
        let mut layers = Vec::new();
        for layer in &image.manifest.layers {
            let (path, _) = self.kept_layer(image, layer)?;
            let called = format!("{}.tar", layer.digest.hex());
            if !layers.contains(&called) {
                files.push((called.clone(), Bytes::At(path, layer.size)));
            }
            layers.push(called);
        }
        let config = format!("{}.json", image.manifest.config.digest.hex());
        files.push((config.clone(), Bytes::These(image.config_bytes.clone())));
        let tags: Vec<String> = name.map(str::to_owned).into_iter().collect();
        let list = json!([{"Config": config, "Layers": layers, "RepoTags": tags}]);
        let list = canonical_json::canonical(&list).into_bytes();
        files.push(("manifest.json".to_owned(), Bytes::These(list)));
        Ok(files)
    }

    /// Writes a reproducible tar archive, and moves it into place atomically.
    fn write_archive(&self, files: &[(String, Bytes)], to: &Path) -> Result<(), ImageError> {
        let scratch = self.store.scratch()?;
        let mut entries = std::collections::BTreeMap::new();
        for (number, (path, bytes)) in files.iter().enumerate() {
            let (place, size) = match bytes {
                Bytes::At(place, size) => (place.clone(), *size),
                Bytes::These(bytes) => {
                    let place = scratch.path().join(number.to_string());
                    at(&place, fs::write(&place, bytes))?;
                    (place, bytes.len() as u64)
                }
            };
            let at = EntryPath::parse(path.as_bytes()).unwrap_or_default();
            let mtime = Timestamp { seconds: TREE_MTIME, nanos: 0 };
            let node = Node::File { size };
            let meta =
                Meta { node, perms: 0o644, uid: 0, gid: 0, mtime, xattrs: Default::default() };
            let entry: LayerEntry = (meta, Some(place));
            entries.insert(at, entry);
        }
        let mut new = to.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let file = at(&new, File::create(&new))?;
        let mut done = write_layer(&entries, BufWriter::new(file))?;
        at(&new, done.flush())?;
        at(to, fs::rename(&new, to))
    }
}

/// The bytes of a file to be written.
enum Bytes {
    These(Vec<u8>),
    At(PathBuf, u64),
}

fn named(image: &Image, name: Option<&str>) -> Value {
    let descriptor = Descriptor {
        platform: Some(image.config.platform.clone()),
        annotations: name.map(|name| (NAME.to_owned(), name.to_owned())).into_iter().collect(),
        ..Descriptor::of(&image.manifest.media_type, &image.manifest_bytes)
    };
    serde_json::to_value(descriptor).unwrap_or_default()
}

fn entries(attached: &[Attachment]) -> impl Iterator<Item = Value> {
    attached.iter().map(|one| serde_json::to_value(&one.entry).unwrap_or_default())
}

fn index(manifests: Vec<Value>) -> String {
    canonical_json::canonical(
        &json!({"manifests": manifests, "mediaType": INDEX, "schemaVersion": 2}),
    )
}

fn replace(place: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    let new = place.with_extension("new");
    at(&new, fs::write(&new, bytes))?;
    at(place, fs::rename(&new, place))
}
