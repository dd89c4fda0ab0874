//! Packages in a container registry: one repository for each package, one tag for each version, and nothing that is
//! overwritten.

mod challenge;
mod document;
mod tag;
mod host;
mod transfer;
mod referrers;
mod containers;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use wake_model::{Name, PkgName, Release, TreeDigest, Version, json as canonical_json};
use wake_store::ware::{Meter, Web, WebBody};

pub use self::containers::{BlobPart, ContainerError, Repository};
use self::document::digest;
use self::host::Host;
use self::tag::Tag;
use crate::archive::Upload;
use crate::credentials::Login;

use crate::error::RegistryError;
use crate::event::Event;
use crate::shelf::Part;

/// How many manifests are requested at once.
const AT_ONCE: usize = 8;

/// A container registry with the packages below a prefix.
#[derive(Debug)]
pub(crate) struct Oci {
    registry: Name,
    prefix: String,
    host: Host,
}

/// A blob of a container registry.
pub(crate) struct Blob {
    /// The bytes.
    pub(crate) bytes: Box<dyn Read + Send>,
    /// The offset of the first byte.
    pub(crate) from: u64,
    /// How many there are, if the server says so.
    pub(crate) size: Option<u64>,
    /// The digest of the whole blob.
    pub(crate) digest: String,
}

/// The state of a version in its repository.
pub(crate) enum Place {
    /// There is no tag for it.
    Free,
    /// It is published.
    Taken(Box<Release>),
}

impl Oci {
    /// `named` is the name used for the environment variable with its login; `None` if that login may not be used.
    pub(crate) fn new(
        registry: Name,
        named: Option<Name>,
        host: String,
        prefix: String,
        web: Web,
    ) -> Oci {
        Oci { prefix, host: Host::new(registry.clone(), named, host, web), registry }
    }

    /// Whether there is a registry at all.
    pub(crate) fn check_there(&self, meter: &Meter) -> Result<(), RegistryError> {
        self.host.check_there(meter)
    }

    /// Uses this login instead of any saved one.
    pub(crate) fn ask_with(&self, login: Login) {
        self.host.ask_with(login);
    }

    /// Returns the token server, if it is another server that does not receive logins without being recorded.
    pub(crate) fn strange_token_server(
        &self,
        meter: &Meter,
    ) -> Result<Option<String>, RegistryError> {
        self.host.strange_token_server(meter)
    }

    /// Whether the registry accepts the login.
    pub(crate) fn check_login(&self, meter: &Meter) -> Result<(), RegistryError> {
        self.host.check_login(meter)
    }

    /// Returns the log of a package, built from its tags: the versions, lowest first, then the statements about each.
    /// Returns `None` if the repository does not exist.
    ///
    /// Entries of `seen`, the log as built last time, are not requested again. It is an error if a tag in it has
    /// disappeared.
    pub(crate) fn log(
        &self,
        pkg: &PkgName,
        seen: &[u8],
        meter: &Meter,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let tags = self.tags(pkg, meter)?;
        let mut lines = seen_lines(seen);
        let there = tags.as_ref();
        if let Some(gone) = lines.keys().find(|tag| !there.is_some_and(|tags| tags.contains(tag))) {
            let (registry, repository) = (self.registry.clone(), self.repository(pkg));
            return Err(RegistryError::TagGone { registry, repository, tag: gone.text() });
        }
        let Some(tags) = tags else { return Ok(None) };
        let new = |lines: &BTreeMap<Tag, String>, tag: &Tag| !lines.contains_key(tag);
        let (versions, statements): (Vec<Tag>, Vec<Tag>) =
            tags.into_iter().partition(|tag| matches!(tag, Tag::Version(_)));
        let versions = versions.into_iter().filter(|tag| new(&lines, tag)).collect();
        lines.extend(self.lines(pkg, versions, meter)?);
        // Statements about versions that do not exist or that only a later wake can use are ignored.
        let is_usable = |line: &String| !matches!(Event::parse(line), Ok(Event::Later { .. }));
        let is_of_one =
            |tag: &Tag| lines.get(&Tag::Version(tag.version().clone())).is_some_and(is_usable);
        let is_wanted = |tag: &Tag| new(&lines, tag) && is_of_one(tag);
        let statements = statements.into_iter().filter(is_wanted).collect();
        let stated = self.lines(pkg, statements, meter)?;
        lines.extend(stated);
        Ok(Some(lines.into_values().flat_map(String::into_bytes).collect()))
    }

    /// Returns a file of a version, from offset `from` if the server supports ranges; `None` if it does not exist.
    pub(crate) fn part(
        &self,
        pkg: &PkgName,
        version: &Version,
        part: Part,
        from: u64,
        meter: &Meter,
    ) -> Result<Option<Blob>, RegistryError> {
        let tag = Tag::Version(version.clone());
        let Some(manifest) = self.manifest(pkg, &tag, meter)? else { return Ok(None) };
        if !manifest.is_package() {
            return Ok(None);
        }
        match part {
            Part::Metadata => {
                let bytes = self.config(pkg, version, &manifest, meter)?;
                let size = Some(bytes.len() as u64);
                let bytes = Box::new(Cursor::new(bytes));
                Ok(Some(Blob { bytes, from: 0, size, digest: manifest.config.digest.clone() }))
            }
            Part::Attestations => {
                let lines = self.attestations_of(pkg, version, &manifest, meter)?;
                let (size, bytes) = (Some(lines.len() as u64), Box::new(Cursor::new(lines)));
                Ok(Some(Blob { bytes, from: 0, size, digest: manifest.own.digest.clone() }))
            }
            Part::Archive => {
                let Some(archive) = manifest.archive() else {
                    return Err(self.altered(pkg, version, "its manifest has no archive"));
                };
                Ok(Some(self.blob(pkg, version, archive, from, meter)?))
            }
        }
    }

    /// Returns the state of the version of `release` here; versions that differ only in build metadata count as the
    /// same. It is an error if the repository contains another package.
    pub(crate) fn place(&self, release: &Release, meter: &Meter) -> Result<Place, RegistryError> {
        let (pkg, version) = (release.pkg_name(), &release.version);
        let tags = self.tags(&pkg, meter)?.unwrap_or_default();
        let bare = |version: &Version| {
            version.to_string().split('+').next().unwrap_or_default().to_owned()
        };
        let same = |tag: &&Tag| bare(tag.version()) == bare(version);
        let is_version = |tag: &&Tag| matches!(tag, Tag::Version(_));
        let own = tags.iter().filter(is_version).find(same);
        if own.is_none() && tags.iter().any(|tag| same(&tag)) {
            return Err(self.altered(&pkg, version, "its tag has disappeared"));
        }
        let other = || tags.iter().rfind(is_version);
        let Some(tag) = own.or_else(other) else { return Ok(Place::Free) };
        let there = self.release(&pkg, tag, meter)?;
        match (there, own) {
            (Some(there), _) if there.pkg_name() != pkg => {
                Err(RegistryError::Resembles { pkg, other: there.pkg_name() })
            }
            (Some(there), Some(_)) => Ok(Place::Taken(Box::new(there))),
            (None, Some(_)) => {
                Err(self.altered(&pkg, version, "its tag does not point to a wake package"))
            }
            (_, None) => Ok(Place::Free),
        }
    }

    /// Publishes a version, blobs first; what is already there is not sent again.
    pub(crate) fn put(&self, upload: &Upload<'_>, meter: &Meter) -> Result<(), RegistryError> {
        let Upload { release, archive, sum, attestations } = *upload;
        let pkg = release.pkg_name();
        let signed = Some(attestations).filter(|lines| !lines.is_empty());
        if let Some(lines) = signed {
            let name = digest(lines.as_bytes());
            self.put_blob(&pkg, &name, WebBody::Bytes(lines.as_bytes().to_vec()), meter)?;
        }
        let body = WebBody::File { path: archive.to_owned(), size: sum.size };
        self.put_blob(&pkg, &format!("sha256:{}", sum.sha256), body, meter)?;
        let text = release.text();
        let name = digest(text.as_bytes());
        self.put_blob(&pkg, &name, WebBody::Bytes(text.into_bytes()), meter)?;
        let tag = Tag::Version(release.version.clone());
        let manifest = document::package(release, sum, signed);
        self.put_manifest(&pkg, &tag.text(), manifest, meter).map(drop)
    }

    /// Publishes a statement about an existing version.
    pub(crate) fn state(
        &self,
        pkg: &PkgName,
        version: &Version,
        event: &Event,
        meter: &Meter,
    ) -> Result<(), RegistryError> {
        let line = event.line().unwrap_or_default();
        let tags = self.tags(pkg, meter)?.unwrap_or_default();
        let number = |tag: &Tag| match tag {
            Tag::Statement(about, number) if about == version => Some(*number),
            _ => None,
        };
        let next = tags.iter().filter_map(number).max().unwrap_or(0).saturating_add(1);
        let nothing = document::NOTHING;
        self.put_blob(pkg, &digest(nothing), WebBody::Bytes(nothing.to_vec()), meter)?;
        let name = digest(line.as_bytes());
        self.put_blob(pkg, &name, WebBody::Bytes(line.clone().into_bytes()), meter)?;
        let tag = Tag::Statement(version.clone(), next);
        self.put_manifest(pkg, &tag.text(), document::statement(&line), meter)?;
        match self.manifest(pkg, &tag, meter)? {
            Some(there) if there.config.digest == name => Ok(()),
            _ => {
                let problem =
                    format!("tag `{}` was written concurrently: run the command again", tag.text());
                Err(self.host.unavailable(&self.repository(pkg), &problem))
            }
        }
    }

    /// The content of a published version.
    pub(crate) fn content(
        &self,
        pkg: &PkgName,
        version: &Version,
        meter: &Meter,
    ) -> Result<Option<TreeDigest>, RegistryError> {
        let there = self.release(pkg, &Tag::Version(version.clone()), meter)?;
        Ok(there.map(|release| release.content))
    }

    fn repository(&self, pkg: &PkgName) -> String {
        tag::repository(&self.prefix, pkg)
    }

    fn altered(&self, pkg: &PkgName, version: &Version, problem: &str) -> RegistryError {
        let (pkg, version) = (pkg.clone(), version.clone());
        let (registry, problem) = (self.registry.clone(), problem.to_owned());
        RegistryError::Altered { registry, pkg, version, problem }
    }

    /// The log lines of the given tags, several of them requested at once.
    fn lines(
        &self,
        pkg: &PkgName,
        tags: Vec<Tag>,
        meter: &Meter,
    ) -> Result<Vec<(Tag, String)>, RegistryError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut lines = Vec::new();
            while let Some(tag) = tags.get(next.fetch_add(1, Ordering::Relaxed)) {
                let line = self.line(pkg, tag, meter)?;
                lines.extend(line.map(|line| (tag.clone(), line)));
            }
            Ok(lines)
        };
        thread::scope(|scope| {
            let threads = (0..tags.len().min(AT_ONCE)).map(|_| scope.spawn(work));
            let threads: Vec<_> = threads.collect();
            let mut lines = Vec::new();
            for thread in threads {
                let found: Result<Vec<(Tag, String)>, RegistryError> =
                    thread.join().unwrap_or_else(|panic| resume_unwind(panic));
                lines.extend(found?);
            }
            Ok(lines)
        })
    }

    /// The log line of a tag; `None` if it is not a tag of wake, or if it belongs to another package with the same
    /// repository.
    fn line(
        &self,
        pkg: &PkgName,
        tag: &Tag,
        meter: &Meter,
    ) -> Result<Option<String>, RegistryError> {
        let Some(manifest) = self.manifest(pkg, tag, meter)? else { return Ok(None) };
        let version = tag.version();
        let is_one = match tag {
            Tag::Version(_) => manifest.is_package(),
            Tag::Statement(..) => manifest.is_statement(),
        };
        if !is_one {
            return Ok(None);
        }
        let bytes = self.config(pkg, version, &manifest, meter)?;
        let fault = |problem: &str| self.altered(pkg, version, problem);
        let said: Value = serde_json::from_slice(&bytes)
            .map_err(|_| fault("the document under its tag is not JSON"))?;
        let mut line = match tag {
            Tag::Version(_) => {
                let archive = manifest.archive();
                let archive = archive.and_then(|one| Some((one.sha256()?, one.size)));
                let (sha256, size) = archive.ok_or_else(|| fault("its manifest has no archive"))?;
                // The time of publication is unknown, and nothing depends on it.
                json!({
                    "archive": { "sha256": sha256, "size": size },
                    "at": 0,
                    "attestations": u64::from(manifest.attestations().is_some()),
                    "kind": "publish",
                    "meta": said,
                })
            }
            Tag::Statement(..) => said,
        };
        let event =
            Event::parse(&canonical_json::canonical(&line)).map_err(|problem| fault(&problem))?;
        let about = match &event {
            Event::Publish { meta, .. } if meta.pkg_name() != *pkg => return Ok(None),
            Event::Publish { meta, .. } => meta.version.to_string(),
            Event::Later { version } => version.clone(),
            Event::Yank { version, .. }
            | Event::Unyank { version, .. }
            | Event::Tombstone { version, .. }
            | Event::Attest { version, .. } => version.to_string(),
            Event::Unknown => version.to_string(),
        };
        if about != version.to_string() || matches!(tag, Tag::Statement(..)) != event.is_statement()
        {
            return Err(fault("the document under its tag is about something else"));
        }
        line["tag"] = json!(tag.text());
        Ok(Some(canonical_json::canonical(&line) + "\n"))
    }

    /// The metadata of a version; `None` if there is no package under the tag.
    fn release(
        &self,
        pkg: &PkgName,
        tag: &Tag,
        meter: &Meter,
    ) -> Result<Option<Release>, RegistryError> {
        let Some(manifest) = self.manifest(pkg, tag, meter)? else { return Ok(None) };
        if !manifest.is_package() {
            return Ok(None);
        }
        let bytes = self.config(pkg, tag.version(), &manifest, meter)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Release::parse(&text).ok())
    }
}

/// The lines of a log built from tags, by tag.
fn seen_lines(seen: &[u8]) -> BTreeMap<Tag, String> {
    let text = String::from_utf8_lossy(seen);
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        Some((Tag::parse(value["tag"].as_str()?)?, line.to_owned()))
    };
    text.split_inclusive('\n').filter_map(line).collect()
}
