//! A registry as its publishers see it: a directory of files that are written in an order in which readers see nothing half.

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

/// A registry that packages are put into. While this lives nobody else writes there.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    name: Name,
    /// Who signs what is written, where the registry is signed.
    signer: Option<Box<HeadSigner>>,
    /// Holds the lock.
    _mark: File,
}

/// How a version stands in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    New,
    /// It is there, with the same content.
    Published,
}

/// What was done with a version that was to be put into a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was put there.
    Published,
    /// It was there, and was signed by somebody else as well.
    Attested,
    /// It was there as it was to be.
    Nothing,
}

impl Directory {
    /// Opens the registry at `root`, waiting for whoever writes there. A directory with nothing in it, or none, becomes the registry
    /// `name`.
    pub fn open(root: &Path, name: &Name) -> Result<Directory, RegistryError> {
        if Directory::can_be_made(root) {
            make_mark(root, name)?;
        }
        Directory::existing(root, name)
    }

    /// Whether nothing lies at `root` that a registry would be mixed with.
    pub fn can_be_made(root: &Path) -> bool {
        match fs::read_dir(root) {
            Ok(entries) => entries.flatten().all(|entry| is_new_mark(&entry.file_name())),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// Opens a registry that is there, waiting for whoever writes there.
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

    /// How a version stands here: new, or there with the same content. Other content under the same version is an error, whatever
    /// became of that version; so is a name that people would take for another one that is here.
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

    /// Puts versions here, each behind what it needs of the others; those that are there already are only signed, where somebody signs
    /// them who did not before. Whatever is cut off, a reader sees a version with all that it needs or not at all, and the same call
    /// again does the rest.
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
        // Also what another one was cut off before.
        let namespaces: BTreeSet<Option<Name>> =
            uploads.iter().map(|upload| upload.release.namespace.clone()).collect();
        self.put_lists(&namespaces, now)?;
        Ok(deeds)
    }

    /// Adds what people sign of a version that is there, unless whoever it is did so before.
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
        // Whoever signed last may have been cut off before the log said so.
        let listed = self.read(&pkg)?.1.get(version).map(|listed| listed.attestations);
        if listed != Some(attestations) {
            let event = Event::Attest { at: now, version: version.clone(), attestations };
            self.append(&pkg, &event)?;
        }
        Ok(if news.is_empty() { Deed::Nothing } else { Deed::Attested })
    }

    /// Says of a version that it is not to be chosen anew, or with no reason that it may be again. Whether that is news.
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

    /// What happened to a package here.
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

    /// Every package that is here.
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

/// Those of `lines` that add something to the attestations in `bytes`: by a key that signed nothing of the version there, or of a form
/// that is only carried and not there yet.
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

/// How many attestations these are.
fn count(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}

/// Makes the file that says that there is a registry, unless somebody has just done so.
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
    // Where two make it at once, both have to lock the same one.
    let place = root.join(MARK);
    match fs::hard_link(&temporary, &place) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        linked => at(&place, linked)?,
    }
    at(&temporary, fs::remove_file(&temporary))
}

/// Whether it is what is left of a registry whose making was cut off.
fn is_new_mark(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.strip_prefix('.').is_some_and(|name| name.starts_with(MARK) && name.ends_with(".new"))
    })
}

/// The file that says that there is a registry, with the lock on it: the one that is there when the lock is had.
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

/// Names in a directory, none where there is no such directory. What is being written is not among them.
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

/// Makes a directory of the registry at `root`, which whoever may write there can write as well.
fn make_dir(root: &Path, dir: &Path) -> Result<(), RegistryError> {
    if dir == root || dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_dir(root, above)?;
    }
    match fs::create_dir(dir) {
        // Somebody else has just made it.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            at(dir, made)?;
            open_as(root, dir, 0o7777);
            Ok(())
        }
    }
}

/// Lets those read and write what was just made who may do so with the registry at `root`, whatever the umask of its publisher. Of its
/// mode only these bits count.
fn open_as(root: &Path, made: &Path, bits: u32) {
    // A file system without modes has others that say who may.
    if let Ok(metadata) = fs::metadata(root) {
        let _ = fs::set_permissions(made, fs::Permissions::from_mode(metadata.mode() & bits));
    }
}

/// Writes a file so that readers see all of it or none, and so that it is on the disk before anything that names it.
fn put(
    root: &Path,
    path: &str,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), RegistryError> {
    let place = root.join(path);
    let dir = place.parent().unwrap_or(root);
    make_dir(root, dir)?;
    // There is one writer, so what lies there is what another one was cut off before.
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
