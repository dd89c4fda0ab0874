//! The identity of the host: what `wake.HOST` stands for in a key.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, HostDigest};

use crate::clock;
use crate::etc::{Descend, EtcEntry, system_etc, walk_etc};
use crate::installed::add_packages;

/// The identity of this machine's system directories: the operating system release, the installed packages according to
/// the package manager, and everything in `/etc` that commands see. Source: `spec/sandbox.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostIdentity {
    /// The digest that enters keys.
    pub digest: HostDigest,
    /// Evidence by which a later run can tell that the identity still holds; none if something was changed a moment
    /// ago.
    pub proof: Option<HostProof>,
}

/// The `stat` results of everything that an identity was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProof {
    seen: Vec<(String, Option<HostStamp>)>,
}

/// The part of `stat` for a file or directory that necessarily changes when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HostStamp {
    inode: (u64, u64),
    size: u64,
    /// In seconds and nanoseconds since 1970.
    changed: (i64, i64),
}

/// What an identity was read from, in human-readable form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostContents {
    /// The installed packages with their versions, where the database format is known.
    pub packages: BTreeMap<String, String>,
    /// The databases by absolute path, with the digests of their bytes.
    pub databases: BTreeMap<String, String>,
    /// The files and links of `/etc`, with digests of contents and targets.
    pub etc: BTreeMap<String, String>,
}

/// The identity of the host could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {source}", path.display())]
pub struct HostIdentityError {
    /// The file.
    pub path: PathBuf,
    /// The kernel's error.
    pub source: io::Error,
}

/// Release files and package databases of common distributions; those that exist are read.
const SOURCES: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "usr/lib/sysimage/rpm/Packages.db",
];

/// Directories whose listing is the database: one entry per package with its version.
const LISTINGS: &[&str] = &["var/lib/pacman/local", "var/lib/dpkg/status.d"];

/// What was read of the host's system.
#[derive(Default)]
struct HostParts {
    databases: Vec<(&'static str, BlobDigest)>,
    packages: BTreeMap<String, String>,
    etc: Vec<(String, ShownEtc)>,
    seen: Vec<(String, Option<HostStamp>)>,
}

/// A file or link of `/etc`, as it enters the identity.
enum ShownEtc {
    File(BlobDigest),
    Link(String),
}

impl HostIdentity {
    /// Reads the identity from this machine; takes some milliseconds for a package database of a few megabytes.
    pub fn read() -> Result<Self, HostIdentityError> {
        Self::read_below(Path::new("/"))
    }

    /// As [`HostIdentity::read`], with what it was read from.
    pub fn read_with_contents() -> Result<(Self, HostContents), HostIdentityError> {
        Self::read_all_below(Path::new("/"))
    }

    /// Reads the identity from a system below `root`.
    pub fn read_below(root: &Path) -> Result<Self, HostIdentityError> {
        Self::read_all_below(root).map(|(identity, _)| identity)
    }

    fn read_all_below(root: &Path) -> Result<(Self, HostContents), HostIdentityError> {
        let now = clock::since_1970();
        let parts = HostParts::read(root)?;
        let digest = digest_of(Domain::Host, |encoder| {
            encoder.list(3);
            encoder.text(std::env::consts::ARCH);
            encoder.list(parts.databases.len());
            for (name, digest) in &parts.databases {
                encoder.list(2);
                encoder.text(name);
                encoder.digest(&digest.0);
            }
            encoder.list(parts.etc.len());
            for (path, shown) in &parts.etc {
                encoder.list(2);
                encoder.text(path);
                match shown {
                    ShownEtc::File(blob) => encoder.digest(&blob.0),
                    ShownEtc::Link(target) => encoder.text(target),
                }
            }
        });
        let is_proof =
            parts.seen.iter().all(|(_, stamp)| stamp.is_none_or(|it| it.is_settled(now)));
        let contents = parts.contents();
        let proof = is_proof.then_some(HostProof { seen: parts.seen });
        Ok((HostIdentity { digest: HostDigest(digest), proof }, contents))
    }
}

impl HostProof {
    /// Returns whether this machine still has the same identity, within the same boot; costs one `stat` per file.
    pub fn holds(&self) -> bool {
        self.holds_below(Path::new("/"))
    }

    /// As [`HostProof::holds`], for a system below `root`.
    pub fn holds_below(&self, root: &Path) -> bool {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(root) = rustix::fs::open(root, flags, Mode::empty()) else { return false };
        self.seen.iter().all(|(path, stamp)| {
            let now = rustix::fs::statat(&root, path.as_str(), rustix::fs::AtFlags::empty());
            now.ok().as_ref().map(HostStamp::of) == *stamp
        })
    }
}

impl HostStamp {
    fn of(stat: &Stat) -> Self {
        let ns =
            |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        HostStamp {
            inode: (stat.st_dev, stat.st_ino),
            size: stat.st_size.unsigned_abs(),
            changed: (
                ns(stat.st_mtime, stat.st_mtime_nsec as i64),
                ns(stat.st_ctime, stat.st_ctime_nsec as i64),
            ),
        }
    }

    /// Returns whether any change after `now` would show: `now` must be later than the last change by more than a clock
    /// tick of the coarsest file system.
    fn is_settled(&self, now: std::time::Duration) -> bool {
        const TICK: i128 = 2_000_000_000;
        i128::from(self.changed.0.max(self.changed.1)) + TICK < now.as_nanos() as i128
    }
}

impl HostParts {
    fn read(root: &Path) -> Result<Self, HostIdentityError> {
        let mut parts = HostParts::default();
        for name in SOURCES {
            parts.add(root, name, &fs::read)?;
        }
        for name in LISTINGS {
            parts.add(root, name, &listing)?;
        }
        parts
            .add_etc(root)
            .map_err(|source| HostIdentityError { path: root.join("etc"), source })?;
        Ok(parts)
    }

    fn contents(&self) -> HostContents {
        let database =
            |(name, digest): &(&str, BlobDigest)| (format!("/{name}"), digest.to_string());
        let shown = |(path, shown): &(String, ShownEtc)| {
            let shown = match shown {
                ShownEtc::File(blob) => blob.to_string(),
                ShownEtc::Link(target) => target.clone(),
            };
            (format!("/etc/{path}"), shown)
        };
        HostContents {
            packages: self.packages.clone(),
            databases: self.databases.iter().map(database).collect(),
            etc: self.etc.iter().map(shown).collect(),
        }
    }

    fn add(
        &mut self,
        root: &Path,
        name: &'static str,
        read: &dyn Fn(PathBuf) -> io::Result<Vec<u8>>,
    ) -> Result<(), HostIdentityError> {
        let path = root.join(name);
        // Taken before reading, so that a concurrent write counts as a change.
        let stat =
            match rustix::fs::stat(&path) {
                Err(Errno::NOENT | Errno::NOTDIR) => None,
                stat => Some(stat.map_err(|errno| HostIdentityError {
                    path: path.clone(),
                    source: errno.into(),
                })?),
            };
        self.seen.push((name.to_owned(), stat.as_ref().map(HostStamp::of)));
        match read(path.clone()) {
            Ok(bytes) => {
                add_packages(name, &bytes, &mut self.packages);
                self.databases.push((name, BlobDigest::of(&bytes)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(HostIdentityError { path, source }),
        }
        Ok(())
    }

    /// Adds what commands see of `/etc`, sorted by path.
    fn add_etc(&mut self, root: &Path) -> io::Result<()> {
        let dir = rustix::fs::statat(CWD, root.join("etc"), rustix::fs::AtFlags::empty());
        self.seen.push(("etc".to_owned(), dir.ok().as_ref().map(HostStamp::of)));
        walk_etc(root, &system_etc(root)?, &mut |path, entry, stat| {
            if let Some(stat) = stat {
                self.seen.push((format!("etc/{path}"), Some(HostStamp::of(stat))));
            }
            match entry {
                EtcEntry::File(bytes) => {
                    self.etc.push((path, ShownEtc::File(BlobDigest::of(&bytes))));
                }
                EtcEntry::Link(target) => self.etc.push((path, ShownEtc::Link(target))),
                EtcEntry::Dir | EtcEntry::Hidden => {}
            }
            Descend::Yes
        })?;
        self.etc.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(())
    }
}

fn listing(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names.join("\n").into_bytes())
}
