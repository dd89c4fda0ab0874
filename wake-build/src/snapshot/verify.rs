//! Comparing the checkout with a snapshot: one parallel walk over `stat`.

use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Mode, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use wake_model::{BlobDigest, RelPath};

use super::file::Snapshot;
use super::listing::{Listing, name_of, open_dir};
use super::signature::Proof;
use super::table::{DirRecord, FileKind};
use super::touched::{Names, Touched};
use crate::files::{FileState, Signature, hash_file, now};
use crate::sources::{DIR_PATH, LARGEST};
use wake_model::place::PKG_FILE;
use wake_steps::profile::{Profile, SpanKind};

/// How many consecutive directories are examined from a common parent. Opening each of them
/// costs more than the longer paths to their files.
const GROUP: usize = 32;

/// Differences under which the plan is still valid.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Files with different content.
    pub(crate) changed: Vec<ChangedFile>,
    /// New proofs that other files, by number, are unchanged: they were read again.
    pub(crate) files: Vec<(u32, Proof)>,
    /// The same for directories, which were listed again.
    pub(crate) dirs: Vec<(u32, Proof)>,
}

/// A file with different content.
#[derive(Debug)]
pub(crate) struct ChangedFile {
    pub(crate) number: u32,
    pub(crate) path: RelPath,
    /// Its present state.
    pub(crate) seen: FileState,
    pub(crate) signature: Signature,
    /// Whether an equal signature will mean equal content.
    pub(crate) settled: bool,
}

/// Where a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Here,
    /// Perhaps in another checkout: if the signature of a directory differs, so do those of its files.
    Elsewhere,
}

/// Compares the checkout at `root` with `snapshot`, on the threads of the current pool. None if functions would see something
/// different, or the kind of something has changed, so that the plan is invalid.
pub(crate) fn verify(
    snapshot: &Snapshot,
    origin: Origin,
    root: &Path,
    profile: &Profile,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Option<Differences> {
    let root = rustix::fs::open(root, DIR_PATH, Mode::empty()).ok()?;
    let groups = snapshot.dirs().div_ceil(GROUP);
    let compared: Option<Vec<Differences>> = (0..groups)
        .into_par_iter()
        .with_min_len(4)
        .map(|group| {
            let first = group * GROUP;
            let numbers = first..snapshot.dirs().min(first + GROUP);
            let group = Group::new(snapshot, origin, &root, numbers, profile)?;
            Group { is_stopped, ..group }.compare()
        })
        .try_fold(Differences::default, |all, one| Some(all.and(one?)))
        .collect();
    Some(compared?.into_iter().fold(Differences::default(), Differences::and))
}

/// The same for a checkout that was compared with `snapshot` before and in which only these paths have been touched since.
pub(crate) fn verify_touched(
    snapshot: &Snapshot,
    touched: &Touched,
    root: &Path,
    profile: &Profile,
) -> Option<Differences> {
    let root = rustix::fs::open(root, DIR_PATH, Mode::empty()).ok()?;
    let mut differences = Differences::default();
    let mut buffer = Vec::with_capacity(256);
    for (number, names) in touched.dirs(snapshot)? {
        let group = Group::new(snapshot, Origin::Here, &root, number..number + 1, profile)?;
        group.compare_dir(number, &names, &mut buffer, &mut differences)?;
    }
    Some(differences)
}

impl Differences {
    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.files.is_empty() && self.dirs.is_empty()
    }

    fn and(mut self, mut other: Differences) -> Differences {
        self.files.append(&mut other.files);
        self.changed.append(&mut other.changed);
        self.dirs.append(&mut other.dirs);
        self
    }
}

/// Consecutive directories of a snapshot.
struct Group<'a> {
    snapshot: &'a Snapshot,
    origin: Origin,
    profile: &'a Profile,
    numbers: Range<usize>,
    /// A common parent of them, and how much of their paths leads to it.
    above: OwnedFd,
    skipped: usize,
    /// Taken once for the group: an earlier time is only more cautious.
    looked: i128,
    is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// Where to find the files of a directory: in `dir`, along `way`.
struct Spot<'a> {
    dir: BorrowedFd<'a>,
    way: &'a str,
    /// The directory's path from the root of the checkout.
    path: &'a str,
    /// Whether no file can have the recorded signature.
    is_of_others: bool,
}

impl<'a> Group<'a> {
    fn new(
        snapshot: &'a Snapshot,
        origin: Origin,
        root: &OwnedFd,
        numbers: Range<usize>,
        profile: &'a Profile,
    ) -> Option<Group<'a>> {
        let above = above(snapshot, numbers.clone())?;
        let (dir, above) = match openat(root, name_of(above), DIR_PATH, Mode::empty()) {
            Ok(dir) => (dir, above),
            // It may be gone: then each directory is opened from the root.
            Err(_) => (openat(root, ".", DIR_PATH, Mode::empty()).ok()?, ""),
        };
        let skipped = if above.is_empty() { 0 } else { above.len() + 1 };
        let (above, looked, is_stopped) = (dir, now(), &|| false);
        Some(Group { snapshot, origin, profile, numbers, above, skipped, looked, is_stopped })
    }

    /// Returns none if the plan is invalid.
    fn compare(&self) -> Option<Differences> {
        let mut differences = Differences::default();
        let mut buffer = Vec::with_capacity(256);
        for number in self.numbers.clone() {
            self.compare_dir(number, &Names::All, &mut buffer, &mut differences)?;
        }
        Some(differences)
    }

    fn compare_dir(
        &self,
        number: usize,
        names: &Names<'_>,
        buffer: &mut Vec<u8>,
        differences: &mut Differences,
    ) -> Option<()> {
        let dir = self.snapshot.dir(number)?;
        let path = self.snapshot.text(dir.path)?;
        // The parent may be the first of the directories itself.
        let way = path.get(self.skipped..).unwrap_or_default();
        let stat = match statat(&self.above, name_of(way), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => stat,
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return self.without(&dir),
            Err(_) => return None,
        };
        let is_changed = !self.snapshot.proves_dir(number, &Proof::of(&stat));
        let open = || open_dir(&self.above, way, dir.is_listed());
        let opened = if is_changed { Some(open()?) } else { None };
        let spot = match &opened {
            Some(opened) => {
                let is_of_others = self.origin == Origin::Elsewhere;
                Spot { dir: opened.as_fd(), way: "", path, is_of_others }
            }
            None => Spot { dir: self.above.as_fd(), way, path, is_of_others: false },
        };
        // The signature of what will be listed: it may have been replaced meanwhile.
        let signature = |opened| fstat(opened).ok().map(|stat| Signature::of(&stat));
        let changed = match &opened {
            Some(opened) => Some((opened, signature(opened)?)),
            None => None,
        };
        match names {
            Names::All => {
                for number in numbers(dir.files)? {
                    self.compare_file(&spot, number, buffer, differences)?;
                }
            }
            Names::These(names) => {
                for number in names.iter().filter_map(|name| self.snapshot.file_in(&dir, name)) {
                    self.compare_file(&spot, number, buffer, differences)?;
                }
            }
        }
        if let Some((opened, signature)) = changed {
            compare_listing(&dir, opened)?;
            let proof = Proof::if_settled(signature, self.looked);
            differences.dirs.push((u32::try_from(number).ok()?, proof));
        }
        Some(())
    }

    /// Compares a directory that does not exist: the plan is valid if there was nothing in it.
    fn without(&self, dir: &DirRecord) -> Option<()> {
        let is_absent =
            |number| self.snapshot.file(number).is_some_and(|file| file.kind == FileKind::Absent);
        (!dir.is_listed() && numbers(dir.files)?.all(is_absent)).then_some(())
    }

    /// Returns none if the plan is invalid.
    fn compare_file(
        &self,
        spot: &Spot,
        number: usize,
        buffer: &mut Vec<u8>,
        differences: &mut Differences,
    ) -> Option<()> {
        let name = spot.way_to(self.snapshot.file_name(number)?, buffer)?;
        if spot.is_of_others
            && let FileKind::File { .. } = self.snapshot.content(number)?.kind
        {
            return self.compare_bytes(spot, number, name, differences);
        }
        let stat = match statat(spot.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => {
                let is_absent = self.snapshot.file(number)?.kind == FileKind::Absent;
                return is_absent.then_some(());
            }
            Err(_) => return None,
        };
        if !self.snapshot.proves_file(number, &Proof::of(&stat)) {
            self.compare_content(spot, number, name, &stat, differences)?;
        }
        Some(())
    }

    /// Compares a file whose signature proves nothing; none if the plan is invalid.
    fn compare_content(
        &self,
        spot: &Spot,
        number: usize,
        name: &CStr,
        stat: &Stat,
        differences: &mut Differences,
    ) -> Option<()> {
        let record = self.snapshot.file(number)?;
        // A different kind requires planning again.
        let is_as_before = |kind: FileType| {
            FileType::from_raw_mode(stat.st_mode) == kind
                && FileType::from_raw_mode(record.signature.mode) == kind
        };
        match record.kind {
            FileKind::File { .. } if is_as_before(FileType::RegularFile) => {
                return self.compare_bytes(spot, number, name, differences);
            }
            FileKind::Other if is_as_before(FileType::Symlink) => {
                let text = readlinkat(spot.dir, name, Vec::new()).ok()?.into_string().ok()?;
                (BlobDigest::of(text.as_bytes()) == record.blob).then_some(())?;
            }
            FileKind::Other if is_as_before(FileType::Directory) => {}
            FileKind::Absent | FileKind::File { .. } | FileKind::Other => return None,
        }
        let proof = Proof::if_settled(Signature::of(stat), self.looked);
        differences.files.push((u32::try_from(number).ok()?, proof));
        Some(())
    }

    /// Reads a file; none if the plan is invalid.
    fn compare_bytes(
        &self,
        spot: &Spot,
        number: usize,
        name: &CStr,
        differences: &mut Differences,
    ) -> Option<()> {
        let path = || spot.path_of(std::str::from_utf8(self.snapshot.file_name(number)?).ok()?);
        let name_of_span = || format!("hash {}", path().unwrap_or_default());
        let mut span = self.profile.begin(SpanKind::Hashing, name_of_span);
        let before = self.snapshot.content(number)?;
        // Functions do not get larger files.
        let most = if before.is_source { LARGEST } else { u64::MAX };
        let (signature, blob, size) = hash_file(spot.dir, name, most, self.is_stopped).ok()?;
        span.note("bytes", || size);
        drop(span);
        let mode = signature.mode;
        let executable = mode & 0o100 != 0;
        let is_file = FileType::from_raw_mode(mode) == FileType::RegularFile;
        // Whether a program is executable matters for planning.
        (is_file && before.kind == FileKind::File { executable }).then_some(())?;
        let number = u32::try_from(number).ok()?;
        if blob == before.blob {
            differences.files.push((number, Proof::if_settled(signature, self.looked)));
            return Some(());
        }
        (!before.is_source).then_some(())?;
        let (path, seen) = (path()?, FileState::File { blob, size, executable });
        let settled = signature.is_settled(self.looked);
        differences.changed.push(ChangedFile { number, path, seen, signature, settled });
        Some(())
    }
}

impl Spot<'_> {
    /// Writes the path of a file to `buffer`.
    fn way_to<'b>(&self, name: &[u8], buffer: &'b mut Vec<u8>) -> Option<&'b CStr> {
        buffer.clear();
        if !self.way.is_empty() {
            buffer.extend_from_slice(self.way.as_bytes());
            buffer.push(b'/');
        }
        buffer.extend_from_slice(name);
        buffer.push(0);
        CStr::from_bytes_with_nul(buffer).ok()
    }

    fn path_of(&self, name: &str) -> Option<RelPath> {
        match self.path {
            "" => name.parse().ok(),
            path => format!("{path}/{name}").parse().ok(),
        }
    }
}

fn numbers((first, count): (u32, u32)) -> Option<Range<usize>> {
    Some(first as usize..first.checked_add(count)? as usize)
}

/// Returns the innermost directory that contains all of these directories, or is one of them.
fn above(snapshot: &Snapshot, numbers: Range<usize>) -> Option<&str> {
    let mut above = snapshot.dir_path(numbers.start)?;
    for number in numbers {
        let path = snapshot.dir_path(number)?;
        while !lies_in(path, above) {
            above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
    Some(above)
}

fn lies_in(path: &str, dir: &str) -> bool {
    let rest = path.strip_prefix(dir);
    dir.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Compares the listing of a directory.
fn compare_listing(record: &DirRecord, dir: &OwnedFd) -> Option<()> {
    let DirRecord { list, walk, border, .. } = record;
    if record.is_listed() {
        let listing = Listing::read(dir)?;
        (list.is_none() || listing.digest() == *list).then_some(())?;
        (walk.is_none() || listing.subdirectories() == *walk).then_some(())?;
    }
    let is_pkg = || statat(dir, PKG_FILE, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    (!*border || !is_pkg()).then_some(())
}
