//! A directory registry as its publishers see it. Files are written in an order in which readers never see a partial
//! state.

mod lists;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use wake_model::release::resemblance;
use wake_model::{Name, PkgName, Release, Version, json as canonical_json};

pub use self::lists::HeadKeys;
use self::lists::HeadSigner;
use crate::archive::Upload;
use crate::attestation::Attestation;
use crate::error::{RegistryError, at};
use crate::event::Event;
use crate::log::{LogFault, PkgLog, statement, whole};
use crate::shelf::{self, MARK, Part};
use crate::site::check_mark;

/// A registry that packages are published to. Nobody else can write to it while this exists.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    name: Name,
    /// Signs what is written, if the registry is signed.
    signer: Option<Box<HeadSigner>>,
    /// Holds the lock.
    _mark: File,
}

/// The state of a version in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not published.
    New,
    /// It is published with the same content.
    Published,
}

/// What was done with a version to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was published.
    Published,
    /// It was already there, and an attestation was added.
    Attested,
    /// It was already there.
    Nothing,
}

impl Directory {
    /// Opens the registry at `root`, waiting for other writers. A missing or empty directory becomes the registry
    /// `name`.
    pub fn open(root: &Path, name: &Name) -> Result<Directory, RegistryError> {
        if Directory::can_be_made(root) {
            make_mark(root, name)?;
        }
        Directory::existing(root, name)
    }

    /// Whether `root` is missing or empty, so that a registry can be created there.
    pub fn can_be_made(root: &Path) -> bool {
        match fs::read_dir(root) {
            Ok(entries) => entries.flatten().all(|entry| is_new_mark(&entry.file_name())),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// Opens an existing registry, waiting for other writers.
    pub fn existing(root: &Path, name: &Name) -> Result<Directory, RegistryError> {
        let place = root.join(MARK);
        let mut mark = match locked_mark(&place) {
            Ok(mark) => mark,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let address = format!("file://{}", root.display());
                return Err(RegistryError::NoRegistry { address });
            }
            Err(source) => return Err(RegistryError::Io { path: place, source }),
        };
        let mut bytes = Vec::new();
        at(&place, Read::by_ref(&mut mark).take(1 << 20).read_to_end(&mut bytes))?;
        check_mark(&bytes).map_err(|problem| RegistryError::Unavailable {
            registry: name.clone(),
            path: place.display().to_string(),
            problem,
        })?;
        Ok(Directory { root: root.to_owned(), name: name.clone(), signer: None, _mark: mark })
    }

    /// Returns the state of a version here. It is an error if the same version has different content, even if it was
    /// yanked or removed, or if the name could be mistaken for another one that is here.
    pub fn standing(&self, release: &Release) -> Result<Standing, RegistryError> {
        let pkg = release.pkg_name();
        let (_, log) = self.read(&pkg)?;
        if let Some(there) = log.same(&release.version) {
            let (there, version) = (there.release.content, there.release.version.clone());
            let ours = release.content;
            return match there == ours && version == release.version {
                true => Ok(Standing::Published),
                false => Err(RegistryError::OtherContent { pkg, version, there, ours }),
            };
        }
        if log.is_empty() {
            let alike = |other: &PkgName| *other != pkg && resemblance(other) == resemblance(&pkg);
            if let Some(other) = self.names()?.into_iter().find(alike) {
                return Err(RegistryError::Resembles { pkg, other });
            }
        }
        Ok(Standing::New)
    }

    /// Publishes versions, dependencies first. Versions that are already there only get new attestations. If this is
    /// interrupted at any point, readers see a version with all its dependencies or not at all, and the same call
    /// completes the rest.
    pub fn publish(&self, uploads: &[Upload<'_>], now: u64) -> Result<Vec<Deed>, RegistryError> {
        let standings: Vec<Standing> =
            uploads.iter().map(|upload| self.standing(upload.release)).collect::<Result<_, _>>()?;
        let pairs = uploads.iter().zip(&standings);
        let new: Vec<&Upload> = pairs
            .filter(|(_, standing)| **standing == Standing::New)
            .map(|(upload, _)| upload)
            .collect();
        for upload in &new {
            let Release { version, .. } = upload.release;
            let pkg = upload.release.pkg_name();
            let archive = shelf::part(&pkg, version, Part::Archive);
            put(&self.root, &archive, |to| {
                std::io::copy(&mut File::open(upload.archive)?, to).map(drop)
            })?;
            let text = upload.release.text();
            let metadata = shelf::part(&pkg, version, Part::Metadata);
            put(&self.root, &metadata, |file| file.write_all(text.as_bytes()))?;
            if !upload.attestations.is_empty() {
                let attestations = shelf::part(&pkg, version, Part::Attestations);
                put(&self.root, &attestations, |file| {
                    file.write_all(upload.attestations.as_bytes())
                })?;
            }
        }
        for upload in &new {
            let event = Event::Publish {
                at: now,
                archive: upload.sum.clone(),
                attestations: count(upload.attestations.as_bytes()),
                meta: Box::new(upload.release.clone()),
            };
            self.append(&upload.release.pkg_name(), &event)?;
        }
        let mut deeds = Vec::new();
        for (upload, standing) in uploads.iter().zip(&standings) {
            deeds.push(match (standing, upload.attestations) {
                (Standing::New, _) => Deed::Published,
                (Standing::Published, "") => Deed::Nothing,
                (Standing::Published, lines) => self.attest(upload.release, lines, now)?,
            });
        }
        // Also those that an interrupted run left out.
        let namespaces: BTreeSet<Option<Name>> =
            uploads.iter().map(|upload| upload.release.namespace.clone()).collect();
        self.put_lists(&namespaces, now)?;
        Ok(deeds)
    }

    /// Adds attestations to a published version, except by keys that have already signed it.
    fn attest(&self, release: &Release, lines: &str, now: u64) -> Result<Deed, RegistryError> {
        let (pkg, version) = (release.pkg_name(), &release.version);
        let path = shelf::part(&pkg, version, Part::Attestations);
        let place = self.root.join(&path);
        let mut bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(RegistryError::Io { path: place, source }),
        };
        let news = not_there(&bytes, lines, release);
        if !news.is_empty() {
            bytes.extend_from_slice(news.as_bytes());
            put(&self.root, &path, |file| file.write_all(&bytes))?;
        }
        let attestations = count(&bytes);
        // An earlier signer may have been interrupted before the log was written.
        let listed = self.read(&pkg)?.1.get(version).map(|listed| listed.attestations);
        if listed != Some(attestations) {
            let event = Event::Attest { at: now, version: version.clone(), attestations };
            self.append(&pkg, &event)?;
        }
        Ok(if news.is_empty() { Deed::Nothing } else { Deed::Attested })
    }

    /// Yanks a version, or without a yank undoes that. Returns whether this changed anything.
    pub fn yank(
        &self,
        pkg: &PkgName,
        version: &Version,
        yank: Option<crate::log::Yank>,
        now: u64,
    ) -> Result<bool, RegistryError> {
        let (_, log) = self.read(pkg)?;
        let Some(listed) = log.get(version) else {
            let (registry, pkg, version) = (self.name.clone(), pkg.clone(), version.clone());
            return Err(RegistryError::NoVersion { registry, pkg, version });
        };
        let news = listed.yanked != yank;
        if news {
            self.append(pkg, &statement(version.clone(), yank, now))?;
        }
        self.put_lists(&BTreeSet::from([pkg.namespace.clone()]), now)?;
        Ok(news)
    }

    /// The log of a package here.
    pub fn log(&self, pkg: &PkgName) -> Result<PkgLog, RegistryError> {
        Ok(self.read(pkg)?.1)
    }

    fn read(&self, pkg: &PkgName) -> Result<(Vec<u8>, PkgLog), RegistryError> {
        let path = shelf::log(pkg);
        let place = self.root.join(&path);
        let mut bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(RegistryError::Io { path: place, source }),
        };
        bytes.truncate(whole(&bytes).len());
        let log = PkgLog::parse(&bytes, pkg).map_err(|LogFault { line, problem }| {
            RegistryError::Log { registry: self.name.clone(), path, line, problem }
        })?;
        Ok((bytes, log))
    }

    fn append(&self, pkg: &PkgName, event: &Event) -> Result<(), RegistryError> {
        let (mut bytes, _) = self.read(pkg)?;
        bytes.extend(event.line().unwrap_or_default().into_bytes());
        put(&self.root, &shelf::log(pkg), |file| file.write_all(&bytes))
    }

    /// All packages here.
    fn names(&self) -> Result<Vec<PkgName>, RegistryError> {
        let index = self.root.join("index");
        let mut names = Vec::new();
        for namespace in children(&index)? {
            let of = namespace.parse::<Name>().ok();
            if of.is_some() || namespace == "_" {
                names.extend(self.names_of(of.as_ref())?);
            }
        }
        Ok(names)
    }

    fn names_of(&self, of: Option<&Name>) -> Result<Vec<PkgName>, RegistryError> {
        let list = shelf::list(of);
        let dir = self.root.join(list.strip_suffix(".jsonl").unwrap_or(&list));
        let mut names: Vec<PkgName> = Vec::new();
        for file in children(&dir)? {
            let name = file.strip_suffix(".jsonl").and_then(|name| name.parse().ok());
            names.extend(name.map(|name| PkgName { namespace: of.cloned(), name }));
        }
        names.sort();
        Ok(names)
    }
}

/// Those of `lines` that add something to the attestations in `bytes`: by a key that has not signed this version
/// there, or of an unknown form that is not there yet.
pub(crate) fn not_there(bytes: &[u8], lines: &str, release: &Release) -> String {
    let signers = |bytes: &[u8]| -> BTreeSet<String> {
        let attestations = Attestation::all(bytes);
        let about = attestations.iter().filter(|one| one.is_about(&release.content));
        about.flat_map(|one| one.envelope.claimed().map(str::to_owned)).collect()
    };
    let there = signers(bytes);
    let is_there =
        |line: &str| bytes.split(|byte| *byte == b'\n').any(|one| one == line.as_bytes());
    let is_new = |line: &&str| {
        let own = signers(line.as_bytes());
        !line.is_empty() && !is_there(line) && (own.is_empty() || !own.is_subset(&there))
    };
    lines.lines().filter(is_new).flat_map(|line| [line, "\n"]).collect()
}

/// How many attestations there are.
fn count(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}

/// Creates the file that marks a registry, unless somebody has just done so.
fn make_mark(root: &Path, name: &Name) -> Result<(), RegistryError> {
    at(root, fs::create_dir_all(root))?;
    let text = canonical_json::canonical(&json!({ "name": name, "wake": 1 })) + "\n";
    let temporary = root.join(format!(".{MARK}.{}.new", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        open_as(root, &temporary, 0o666);
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    at(&temporary, written)?;
    // If two processes create it at the same time, both must lock the same file.
    let place = root.join(MARK);
    match fs::hard_link(&temporary, &place) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        linked => at(&place, linked)?,
    }
    at(&temporary, fs::remove_file(&temporary))
}

/// Whether it is left over from an interrupted creation of a registry.
fn is_new_mark(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.strip_prefix('.').is_some_and(|name| name.starts_with(MARK) && name.ends_with(".new"))
    })
}

/// Opens and locks the file that marks a registry, making sure it is still the current one.
fn locked_mark(place: &Path) -> std::io::Result<File> {
    loop {
        let mark = File::open(place)?;
        rustix::io::retry_on_intr(|| flock(&mark, FlockOperation::LockExclusive))?;
        let is_same = fs::metadata(place).is_ok_and(|there| {
            mark.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        });
        if is_same {
            return Ok(mark);
        }
    }
}

/// The names in a directory, without files being written; empty if the directory does not exist.
fn children(dir: &Path) -> Result<Vec<String>, RegistryError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(RegistryError::Io { path: dir.to_owned(), source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(at(dir, entry)?.file_name().into_string().ok());
    }
    Ok(names)
}

/// Creates a directory in the registry at `root`, with the same write permissions.
fn make_dir(root: &Path, dir: &Path) -> Result<(), RegistryError> {
    if dir == root || dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_dir(root, above)?;
    }
    match fs::create_dir(dir) {
        // Another process has just created it.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            at(dir, made)?;
            open_as(root, dir, 0o7777);
            Ok(())
        }
    }
}

/// Gives a new file or directory the permissions of the registry at `root`, regardless of the publisher's umask and
/// masked by `bits`.
fn open_as(root: &Path, made: &Path, bits: u32) {
    // A file system without modes has other means of access control.
    if let Ok(metadata) = fs::metadata(root) {
        let _ = fs::set_permissions(made, fs::Permissions::from_mode(metadata.mode() & bits));
    }
}

/// Writes a file atomically, and syncs it to disk before anything names it.
fn put(
    root: &Path,
    path: &str,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), RegistryError> {
    let place = root.join(path);
    let dir = place.parent().unwrap_or(root);
    make_dir(root, dir)?;
    // There is only one writer, so an existing file is left over from an interrupted one.
    let temporary =
        dir.join(format!(".{}.new", place.file_name().unwrap_or_default().to_string_lossy()));
    let written = File::create(&temporary).and_then(|mut file| {
        open_as(root, &temporary, 0o666);
        write(&mut file)?;
        file.sync_all()
    });
    at(&temporary, written)?;
    at(&place, fs::rename(&temporary, &place))?;
    at(dir, File::open(dir).and_then(|dir| dir.sync_all()))
}
