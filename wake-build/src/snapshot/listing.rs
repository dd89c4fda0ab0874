//! The content of a directory, as functions and the walk for packages see it.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, statat};
use wake_eval::EntryKind;
use wake_model::BlobDigest;
use wake_model::place::PKG_FILE;

use crate::files::open_unnoted;
use crate::sources::DIR_PATH;
use crate::workspace::is_hidden;

/// The entries of a directory.
pub(super) struct Listing<'a> {
    dir: &'a OwnedFd,
    /// The names, concatenated.
    names: Vec<u8>,
    /// The position of each name, and its kind, unordered.
    entries: Vec<(Range<usize>, FileType)>,
}

impl<'a> Listing<'a> {
    /// Reads an open directory from its present position; none on failure.
    pub(super) fn read(dir: &'a OwnedFd) -> Option<Listing<'a>> {
        let (mut names, mut entries) = (Vec::with_capacity(256), Vec::with_capacity(16));
        let mut buffer = [MaybeUninit::uninit(); 8 << 10];
        let mut found = RawDir::new(dir, &mut buffer);
        while let Some(entry) = found.next() {
            let entry = entry.ok()?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                let start = names.len();
                names.extend_from_slice(name);
                entries.push((start..names.len(), entry.file_type()));
            }
        }
        Some(Listing { dir, names, entries })
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], FileType)> {
        self.entries.iter().map(|(name, kind)| (&self.names[name.clone()], *kind))
    }

    /// Returns the digest of what `dir()` sees; none if `dir()` would fail.
    pub(super) fn digest(&self) -> Option<BlobDigest> {
        let entry = |(name, kind)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((name, crate::sources::kind(self.dir, name, kind).ok()?))
        };
        let entries: Option<Vec<(&str, EntryKind)>> = self.entries().map(entry).collect();
        Some(wake_eval::digest_of_listing(entries?))
    }

    /// Returns the digest of what a walk for packages sees: subdirectories, and whether there is a package file.
    pub(super) fn subdirectories(&self) -> Option<BlobDigest> {
        let mut names: Vec<&[u8]> = Vec::new();
        for (name, kind) in self.entries() {
            let is_dir = match kind {
                FileType::Unknown => {
                    let stat = statat(self.dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
                }
                kind => kind == FileType::Directory,
            };
            let is_walked = is_dir && !is_hidden(as_os_str(name));
            if is_walked || name == PKG_FILE.as_bytes() {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut text = Vec::new();
        for name in names {
            text.extend_from_slice(name);
            text.push(0);
        }
        Some(BlobDigest::of(&text))
    }
}

/// Opens the directory at `way` below `dir` without following links, for listing or only for access.
pub(super) fn open_dir(dir: &OwnedFd, way: &str, is_to_be_listed: bool) -> Option<OwnedFd> {
    let opened = match is_to_be_listed {
        true => open_unnoted(dir, name_of(way), OFlags::DIRECTORY | OFlags::NOFOLLOW),
        false => openat(dir, name_of(way), DIR_PATH | OFlags::NOFOLLOW, Mode::empty()),
    };
    opened.ok()
}

/// Returns the path of a directory as the system expects it.
pub(super) fn name_of(way: &str) -> &str {
    if way.is_empty() { "." } else { way }
}

fn as_os_str(name: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, Mode, OFlags, openat};
    use wake_eval::Sources;
    use wake_model::RelPath;

    use super::*;
    use crate::sources::DirSources;

    #[test]
    fn a_listing_matches_what_functions_see() {
        let scene = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            fs::write(scene.path().join(name), name).unwrap();
            fs::set_permissions(scene.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        file("plain", 0o644);
        file("run.sh", 0o755);
        fs::create_dir(scene.path().join("below")).unwrap();
        symlink("nowhere", scene.path().join("link")).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || openat(CWD, scene.path(), flags, Mode::empty()).unwrap();
        let dir = open();
        let listing = Listing::read(&dir).unwrap();
        let seen = DirSources::new(scene.path()).list(&RelPath::root()).unwrap().unwrap();
        let expected = Some(wake_eval::list_digest(&seen));
        assert_eq!(listing.digest(), expected);
        fs::write(scene.path().join("below/x"), "").unwrap();
        let walked = listing.subdirectories();
        fs::create_dir(scene.path().join(".git")).unwrap();
        assert_eq!(Listing::read(&open()).unwrap().subdirectories(), walked);
        fs::create_dir(scene.path().join("more")).unwrap();
        assert_ne!(Listing::read(&open()).unwrap().subdirectories(), walked);
    }
}
