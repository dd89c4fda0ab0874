//! Comparing the checkout with a snapshot: one parallel walk over `stat`.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use wake_model::{BlobDigest, RelPath};

use super::file::{ResultView, Snapshot};
use super::listing::Listing;
use super::table::{DirRecord, FileKind, FileRecord};
use crate::files::{Seen, Signature, hash_file, now};
use crate::profile::{Profile, SpanKind};
use crate::workspace::PKG_FILE;

/// How the checkout compares with a snapshot.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Functions would see something else, or something is of another kind: plan anew.
    Stale,
    /// The plan holds.
    Holds(Differences),
}

/// What differs though the plan holds.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Files by number that were read again: what they are now.
    pub(crate) files: Vec<(usize, RelPath, Seen, Signature, bool)>,
    /// Of those, the numbers of files whose content is another.
    pub(crate) changed: Vec<usize>,
    /// Directories by number that were listed again and hold the same.
    pub(crate) dirs: Vec<(usize, Signature, bool)>,
}

/// Compares the checkout at `root` with `snapshot`, on the threads of the current pool.
pub(crate) fn verify(snapshot: &Snapshot, root: &Path, profile: &Profile) -> Verdict {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(root_fd) = rustix::fs::open(root, flags, Mode::empty()) else { return Verdict::Stale };
    let count = snapshot.dirs();
    let compared: Option<Vec<Differences>> = (0..count)
        .into_par_iter()
        .with_min_len(64)
        .map(|index| {
            let dir = snapshot.dir(index)?;
            Comparison { snapshot, root_fd: &root_fd, index, dir: &dir, profile }.compare()
        })
        .try_fold(Differences::default, |all, one| Some(all.and(one?)))
        .collect::<Option<Vec<_>>>();
    match compared {
        Some(parts) => {
            Verdict::Holds(parts.into_iter().fold(Differences::default(), Differences::and))
        }
        None => Verdict::Stale,
    }
}

impl Differences {
    fn and(mut self, mut other: Differences) -> Differences {
        self.files.append(&mut other.files);
        self.changed.append(&mut other.changed);
        self.dirs.append(&mut other.dirs);
        self
    }
}

struct Comparison<'a> {
    snapshot: &'a Snapshot,
    root_fd: &'a OwnedFd,
    index: usize,
    dir: &'a DirRecord,
    profile: &'a Profile,
}

impl Comparison<'_> {
    /// None: the plan does not hold.
    fn compare(&self) -> Option<Differences> {
        let mut differences = Differences::default();
        // Once for all that follows: an earlier moment only makes for caution.
        let looked = now();
        let path = self.snapshot.text(self.dir.path)?;
        let name = if path.is_empty() { "." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match openat(self.root_fd, name, flags, Mode::empty()) {
            Ok(dir) => Some(dir),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
            Err(_) => return None,
        };
        let changed = match &dir {
            Some(dir) => {
                let signature = Signature::of(&fstat(dir).ok()?);
                Some(signature).filter(|now| !self.dir.settled || *now != self.dir.signature)
            }
            None if self.dir.list.is_some() || self.dir.walk.is_some() => return None,
            None => None,
        };
        let mut modes = Vec::new();
        let (start, count) = (self.dir.files.0 as usize, self.dir.files.1 as usize);
        for number in start..start.checked_add(count)? {
            let record = self.snapshot.file(number)?;
            let mode =
                self.compare_file(dir.as_ref(), path, looked, number, &record, &mut differences)?;
            if changed.is_some() {
                modes.extend(mode.map(|mode| (self.snapshot.text(record.name), mode)));
            }
        }
        if let (Some(dir), Some(signature)) = (&dir, changed) {
            self.compare_listing(dir, &modes)?;
            differences.dirs.push((self.index, signature, signature.is_settled(looked)));
        }
        Some(differences)
    }

    /// Compares what lies in a directory; `modes` says what is known of its files already, sorted by name.
    fn compare_listing(&self, dir: &OwnedFd, modes: &[(Option<&str>, u32)]) -> Option<()> {
        let DirRecord { list, walk, border, .. } = self.dir;
        if list.is_some() || walk.is_some() {
            let listing = Listing::read(dir)?;
            let mode = |name: &str| {
                let known = modes.binary_search_by_key(&Some(name), |(name, _)| *name);
                known.ok().map(|at| modes[at].1)
            };
            (list.is_none() || listing.digest(mode) == *list).then_some(())?;
            (walk.is_none() || listing.subdirectories() == *walk).then_some(())?;
        }
        let is_pkg = || statat(dir, PKG_FILE, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        (!*border || !is_pkg()).then_some(())
    }

    /// None: the plan does not hold. Else the mode of the file, if there is one.
    fn compare_file(
        &self,
        dir: Option<&OwnedFd>,
        dir_path: &str,
        looked: i128,
        number: usize,
        record: &FileRecord,
        differences: &mut Differences,
    ) -> Option<Option<u32>> {
        let name = self.snapshot.text(record.name)?;
        let stat = dir.map(|dir| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
        let signature = match stat {
            None | Some(Err(Errno::NOENT)) => {
                return (record.kind == FileKind::Absent).then_some(None);
            }
            Some(Err(_)) => return None,
            Some(Ok(stat)) => Signature::of(&stat),
        };
        let mode = Some(signature.mode);
        if record.settled && signature == record.signature {
            return Some(mode);
        }
        // What has become of another kind is planned anew.
        let is_as_before = |kind: FileType| {
            FileType::from_raw_mode(signature.mode) == kind
                && FileType::from_raw_mode(record.signature.mode) == kind
        };
        let path = if dir_path.is_empty() { name.to_owned() } else { format!("{dir_path}/{name}") };
        let path: RelPath = path.parse().ok()?;
        let dir = dir?;
        let (seen, signature) = match record.kind {
            FileKind::Absent => return None,
            FileKind::File { executable } => {
                is_as_before(FileType::RegularFile).then_some(())?;
                let mut span = self.profile.begin(SpanKind::Hashing, || format!("hash {path}"));
                let (signature, blob, size) = hash_file(dir, name).ok()?;
                span.note("bytes", || size);
                drop(span);
                // Whether a program may be executed is a question for planning.
                (executable == (signature.mode & 0o100 != 0)).then_some(())?;
                if blob != record.blob {
                    (!record.is_source).then_some(())?;
                    differences.changed.push(number);
                }
                (Seen::File { blob, size, executable }, signature)
            }
            FileKind::Other if is_as_before(FileType::Symlink) => {
                let text = readlinkat(dir, name, Vec::new()).ok()?.into_string().ok()?;
                (BlobDigest::of(text.as_bytes()) == record.blob).then_some(())?;
                (Seen::Link(text), signature)
            }
            FileKind::Other if is_as_before(FileType::Directory) => (Seen::Dir, signature),
            FileKind::Other => return None,
        };
        differences.files.push((number, path, seen, signature, signature.is_settled(looked)));
        Some(mode)
    }
}

/// The links below `out` that must be made anew; none if a result no longer lies where its link says, untouched. Results of
/// the numbers in `made_again` are passed over; `store` is where most others lie.
pub(crate) fn check_results(
    snapshot: &Snapshot,
    out: &Path,
    store: &Path,
    made_again: &HashSet<usize>,
) -> Option<Vec<(String, PathBuf)>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |dir| openat(CWD, dir, flags, Mode::empty()).ok();
    // Short ways from open directories: there are many links.
    let (out, store_dir) = (open(out), open(store)?);
    let broken: Option<Vec<Option<(String, PathBuf)>>> = (0..snapshot.results())
        .into_par_iter()
        .with_min_len(64)
        .filter(|index| !made_again.contains(index))
        .map(|index| {
            let ResultView { link, target, .. } = snapshot.result(index)?;
            let place = Path::new(target).strip_prefix(store).unwrap_or(Path::new(target));
            is_untouched(&snapshot.result(index)?, &store_dir, place.to_str()?).then_some(())?;
            let there = out.as_ref().map(|out| readlinkat(out, link, Vec::new()));
            let right = there.is_some_and(|there| {
                there.is_ok_and(|there| there.as_bytes() == target.as_bytes())
            });
            Some((!right).then(|| (link.to_owned(), PathBuf::from(target))))
        })
        .collect();
    Some(broken?.into_iter().flatten().collect())
}

/// Whether everything in a result is as it was; `place` is where it lies, from `dir`.
fn is_untouched(result: &ResultView, dir: &OwnedFd, place: &str) -> bool {
    let mut path = String::with_capacity(place.len() + 64);
    (0..result.len()).all(|number| {
        let Some((file, signature)) = result.file(number) else { return false };
        path.clear();
        path.push_str(place);
        if !file.is_empty() {
            path.push('/');
            path.push_str(file);
        }
        let stat = statat(dir, path.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| result_signature(&stat) == signature)
    })
}

/// What tells whether something in a result was touched. Of a directory, the change time tells nothing: noting
/// its last use moves it. Its modification time moves whenever an entry comes or goes.
pub(super) fn result_signature(stat: &Stat) -> Signature {
    let signature = Signature::of(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Signature { ctime: 0, ..signature },
        _ => signature,
    }
}
