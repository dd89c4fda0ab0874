//! What `wake.HOST` stands for in a key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, HostDigest};

use crate::etc::{EtcEntry, system_etc, walk_etc};

/// The identity of this machine's system directories: its operating system's release, what its
/// package manager says is installed, and all of `/etc` that commands see. Source: `spec/sandbox.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostIdentity {
    /// The identity as it enters keys.
    pub digest: HostDigest,
}

/// The identity of the host could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read `{}`: {source}", path.display())]
pub struct HostIdentityError {
    /// Which file.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}

/// Release files and package databases of the common distributions; those that exist are read.
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

/// Directories whose listing is the database: one entry for each package with its version.
const LISTINGS: &[&str] = &["var/lib/pacman/local", "var/lib/dpkg/status.d"];

type ReadSource = fn(PathBuf) -> io::Result<Vec<u8>>;

impl HostIdentity {
    /// Reads it from this machine; about 2 ms for a few megabytes of package database.
    pub fn read() -> Result<Self, HostIdentityError> {
        Self::read_below(Path::new("/"))
    }

    /// Reads it from a system that lies below `root`.
    pub fn read_below(root: &Path) -> Result<Self, HostIdentityError> {
        let mut parts = Vec::new();
        let files = SOURCES.iter().map(|name| (name, fs::read as ReadSource));
        let listings = LISTINGS.iter().map(|name| (name, listing as ReadSource));
        for (name, read) in files.chain(listings) {
            let path = root.join(name);
            let bytes = match read(path.clone()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|source| HostIdentityError { path, source })?,
            };
            parts.push((*name, BlobDigest::of(&bytes)));
        }
        let etc = shown_etc(root)
            .map_err(|source| HostIdentityError { path: root.join("etc"), source })?;
        let digest = digest_of(Domain::Host, |encoder| {
            encoder.list(3);
            encoder.text(std::env::consts::ARCH);
            encoder.list(parts.len());
            for (name, digest) in &parts {
                encoder.list(2);
                encoder.text(name);
                encoder.digest(&digest.0);
            }
            encoder.list(etc.len());
            for (path, shown) in &etc {
                encoder.list(2);
                encoder.text(path);
                match shown {
                    ShownEtc::File(blob) => encoder.digest(&blob.0),
                    ShownEtc::Link(target) => encoder.text(target),
                }
            }
        });
        Ok(HostIdentity { digest: HostDigest(digest) })
    }
}

/// A file or link of `/etc`, as it enters the identity.
enum ShownEtc {
    File(BlobDigest),
    Link(String),
}

/// What commands see of `/etc`, sorted by path.
fn shown_etc(root: &Path) -> io::Result<Vec<(String, ShownEtc)>> {
    let mut shown = Vec::new();
    walk_etc(root, &system_etc(root)?, &mut |path, entry| match entry {
        EtcEntry::File(bytes) => shown.push((path, ShownEtc::File(BlobDigest::of(&bytes)))),
        EtcEntry::Link(target) => shown.push((path, ShownEtc::Link(target))),
        EtcEntry::Dir => {}
    })?;
    shown.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(shown)
}

fn listing(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names.join("\n").into_bytes())
}
