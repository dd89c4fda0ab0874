//! What lies in the checkout: digests of files, remembered by what `stat` says of them.
//!
//! Times decide nothing here but whether bytes must be read again. A file is read again unless its
//! inode, size, mode and both times are what they were *and* it was already old when it was read:
//! within the clock tick in which a file was last changed, it could change once more unseen.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::slice::ParallelSliceMut;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use wake_eval::Sources;
use wake_model::path::resolve_link;
use wake_model::{BlobDigest, RelPath};

use crate::profile::{Profile, SpanKind};
use crate::snapshot::Snapshot;
use crate::sources::DirSources;

/// What lies at one path of the checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// Its bytes.
        blob: BlobDigest,
        /// Their number.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link, by its text.
    Link(String),
    /// A directory.
    Dir,
    /// A device, socket or pipe.
    Other,
}

/// What `stat` says of a file; equal signatures of old files mean equal bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    /// Device and inode.
    pub inode: (u64, u64),
    /// Bytes.
    pub size: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Last change of the bytes, in nanoseconds; [`i64::MAX`] for all times after the year 2262.
    pub mtime: i64,
    /// Last change of anything about it, in nanoseconds, likewise.
    pub ctime: i64,
}

impl Signature {
    /// The signature in a `stat` result.
    #[allow(clippy::useless_conversion, reason = "the fields' types differ between architectures")]
    pub(crate) fn of(stat: &Stat) -> Signature {
        let nanoseconds = |s: i64, ns: i64| {
            s.checked_mul(1_000_000_000).and_then(|s| s.checked_add(ns)).unwrap_or(i64::MAX)
        };
        Signature {
            inode: (stat.st_dev.into(), stat.st_ino.into()),
            size: stat.st_size.unsigned_abs(),
            mode: stat.st_mode,
            mtime: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            ctime: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }

    /// Whether a file of this signature, looked at when the clock said `now`, can no longer change unseen.
    ///
    /// A file system that keeps whole seconds only is given two of them.
    pub(crate) fn is_settled(&self, now: i128) -> bool {
        const TICK: i128 = 20_000_000;
        const COARSE: i128 = 2_000_000_000;
        let latest = i128::from(self.mtime.max(self.ctime));
        let coarse = self.ctime % 1_000_000_000 == 0;
        latest + if coarse { COARSE } else { TICK } < now
    }
}

/// A file of the checkout that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read: {source}")]
pub(crate) struct FileError {
    /// Relative to the workspace's root.
    pub path: RelPath,
    /// What the system said.
    pub source: std::io::Error,
}

/// The files of a checkout, each looked at once in a build.
pub(crate) struct Files<'a> {
    root: PathBuf,
    /// The root opened, so that the way to it is not gone for each file; none if that failed.
    dir: Option<OwnedFd>,
    old: HashMap<Box<str>, (Signature, BlobDigest)>,
    snapshot: Option<&'a Snapshot>,
    /// What is known lies outside the tables, of which about half is empty.
    shards: [Mutex<HashMap<RelPath, Box<Known>>>; SHARDS],
    profile: Profile,
}

/// What is known of one path that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What lay there.
    pub(crate) seen: Seen,
    /// What `stat` said of it; of a regular file, when its bytes were hashed.
    pub(crate) signature: Option<Signature>,
    /// Whether equal signatures will mean equal content; else it is read again next time.
    pub(crate) settled: bool,
}

const SHARDS: usize = 16;

impl<'a> Files<'a> {
    /// The files below `root`, with what the file at `cache` and a snapshot remember of them.
    pub(crate) fn open(root: &Path, cache: &Path, snapshot: Option<&'a Snapshot>) -> Files<'a> {
        let old = cache::read(cache).unwrap_or_default();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::new()));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(root, flags, Mode::empty()).ok();
        Files { root: root.to_owned(), dir, old, snapshot, shards, profile: Profile::default() }
    }

    /// The same, saying where the time goes.
    pub(crate) fn profiled(self, profile: &Profile) -> Files<'a> {
        Files { profile: profile.clone(), ..self }
    }

    /// What is remembered of a file whose signature was proof of its bytes.
    fn remembered(&self, path: &RelPath) -> Option<(Signature, BlobDigest)> {
        let from_snapshot = || self.snapshot?.settled_file(path);
        self.old.get(path.as_str()).copied().or_else(from_snapshot)
    }

    /// What lies at `path`, relative to the workspace's root; reads the bytes only where it must.
    pub(crate) fn look(&self, path: &RelPath) -> Result<Seen, FileError> {
        let shard = &self.shards[shard_of(path)];
        if let Some(known) = lock(shard).get(path) {
            return Ok(known.seen.clone());
        }
        let known =
            self.examine(path).map_err(|source| FileError { path: path.clone(), source })?;
        let seen = known.seen.clone();
        lock(shard).insert(path.clone(), Box::new(known));
        Ok(seen)
    }

    /// What `stat` said of a file when its bytes were hashed, if from now on it tells a change.
    pub(crate) fn signature(&self, path: &RelPath) -> Option<Signature> {
        let shard = lock(&self.shards[shard_of(path)]);
        shard.get(path).filter(|known| known.settled).and_then(|known| known.signature)
    }

    /// The digest of the names and kinds in a directory of the package at `pkg`; none if it is absent.
    pub(crate) fn listing(&self, pkg: &RelPath, dir: &RelPath) -> Option<BlobDigest> {
        let sources = DirSources::new(&self.absolute(pkg));
        let entries = sources.list(dir).ok()??;
        Some(wake_eval::list_digest(&entries))
    }

    /// The absolute path of `path`.
    pub(crate) fn absolute(&self, path: &RelPath) -> PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_str()) }
    }

    /// Calls `use_known` with everything that was looked at, sorted by path; nothing can be looked at meanwhile.
    pub(crate) fn with_known<T>(&self, use_known: impl FnOnce(&[(&RelPath, &Known)]) -> T) -> T {
        let shards: Vec<_> = self.shards.iter().map(lock).collect();
        let mut known: Vec<(&RelPath, &Known)> = shards
            .iter()
            .flat_map(|shard| shard.iter().map(|(path, known)| (path, known.as_ref())))
            .collect();
        known.par_sort_unstable_by_key(|(path, _)| *path);
        use_known(&known)
    }

    /// Takes over what someone else has just seen at `path`.
    pub(crate) fn prime(&self, path: RelPath, seen: Seen, signature: Signature, settled: bool) {
        let shard = &self.shards[shard_of(&path)];
        let known = Known { seen, signature: Some(signature), settled };
        lock(shard).insert(path, Box::new(known));
    }

    /// Writes what was learnt to `cache`, keeping what was not looked at.
    pub(crate) fn save(&self, cache: &Path) -> std::io::Result<()> {
        cache::write(cache, self)
    }

    /// A directory, and `path` as seen from there.
    fn place<'p>(&'p self, path: &'p RelPath) -> (BorrowedFd<'p>, Cow<'p, Path>) {
        match &self.dir {
            Some(dir) if path.is_root() => (dir.as_fd(), Path::new(".").into()),
            Some(dir) => (dir.as_fd(), Path::new(path.as_str()).into()),
            None => (CWD, self.absolute(path).into()),
        }
    }

    fn examine(&self, path: &RelPath) -> std::io::Result<Known> {
        let (dir, place) = self.place(path);
        let now = now();
        let remembered = self.remembered(path);
        // With nothing to compare a file with, it is read in any case; what cannot be opened is asked what it is.
        if remembered.is_none() {
            match open_file(dir, &*place) {
                Ok(Some((file, signature))) => return self.hash(path, file, signature, now),
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Known::ABSENT),
                Ok(None) | Err(_) => {}
            }
        }
        let stat = match rustix::fs::statat(dir, &*place, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Known::ABSENT),
            Err(error) => return Err(error.into()),
        };
        let seen = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let signature = Signature::of(&stat);
                if let Some((old, blob)) = remembered
                    && old == signature
                {
                    return Ok(Known::file(signature, blob, signature.size, true));
                }
                let (file, signature) = open_file(dir, &*place)?.ok_or(Errno::AGAIN)?;
                return self.hash(path, file, signature, now);
            }
            FileType::Directory => Seen::Dir,
            FileType::Symlink => Seen::Link(link_text(&self.absolute(path))?),
            _ => Seen::Other,
        };
        let signature = Signature::of(&stat);
        Ok(Known { seen, signature: Some(signature), settled: signature.is_settled(now) })
    }

    /// Hashes the file that was opened at `path` after the clock said `now`.
    fn hash(
        &self,
        path: &RelPath,
        file: OwnedFd,
        signature: Signature,
        now: i128,
    ) -> std::io::Result<Known> {
        let mut span = self.profile.begin(SpanKind::Hashing, || format!("hash {path}"));
        let (blob, size) = hash_open(file, &signature)?;
        span.note("bytes", || size);
        Ok(Known::file(signature, blob, size, signature.is_settled(now)))
    }
}

impl Known {
    const ABSENT: Known = Known { seen: Seen::Absent, signature: None, settled: false };

    fn file(signature: Signature, blob: BlobDigest, size: u64, settled: bool) -> Known {
        let executable = signature.mode & 0o100 != 0;
        let seen = Seen::File { blob, size, executable };
        Known { seen, signature: Some(signature), settled }
    }
}

/// Where a link at `path` of a package leads inside the package; none if it leaves it.
pub(crate) fn link_inside(path: &RelPath, target: &str) -> Option<RelPath> {
    resolve_link(&path.parent().unwrap_or_default(), target)
}

/// Files from here on are read piece by piece, never whole; none is mapped into memory, because one
/// that is cut short while it is read would then end the process.
const PIECEWISE_FROM: u64 = 1 << 20;

/// Hashes a file that may change meanwhile: the signature is of before the first byte was read.
pub(crate) fn hash_file(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
) -> std::io::Result<(Signature, BlobDigest, u64)> {
    let (file, signature) = open(dir, path)?;
    let (blob, size) = hash_open(file, &signature)?;
    Ok((signature, blob, size))
}

fn open(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<(OwnedFd, Signature)> {
    // Nothing waits for the other end of a pipe.
    let file = open_unnoted(dir, path, OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
    let signature = Signature::of(&rustix::fs::fstat(&file)?);
    Ok((file, signature))
}

/// Opens something for reading, without the time of that being noted where the system allows it: of new files, noting it
/// costs nearly what reading them does.
pub(crate) fn open_unnoted(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    /// Whether nobody was refused yet, as for a file of another user: then it is not worth asking again.
    static ALLOWED: AtomicBool = AtomicBool::new(true);
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
    if ALLOWED.load(Ordering::Relaxed) {
        match rustix::fs::openat(&dir, path, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => ALLOWED.store(false, Ordering::Relaxed),
            opened => return opened,
        }
    }
    rustix::fs::openat(dir, path, flags, Mode::empty())
}

/// The file at `path` opened; none if something else that can be opened lies there.
fn open_file(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<Option<(OwnedFd, Signature)>> {
    let (file, signature) = open(dir, path)?;
    let kind = FileType::from_raw_mode(signature.mode);
    Ok((kind == FileType::RegularFile).then_some((file, signature)))
}

fn hash_open(file: OwnedFd, signature: &Signature) -> std::io::Result<(BlobDigest, u64)> {
    let mut file = File::from(file);
    if signature.size >= PIECEWISE_FROM {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file)?;
        return Ok((BlobDigest(hasher.finalize().into()), hasher.count()));
    }
    // What is added behind its size while it is read is a change that the signature will tell.
    let mut bytes = Vec::with_capacity(usize::try_from(signature.size).unwrap_or(0));
    file.take(signature.size).read_to_end(&mut bytes)?;
    Ok((BlobDigest::of(&bytes), bytes.len() as u64))
}

/// The digest and the number of bytes of the file at `path`, read as a build reads it.
pub fn file_digest(path: &Path) -> std::io::Result<(BlobDigest, u64)> {
    hash_file(CWD, path).map(|(_, blob, size)| (blob, size))
}

fn link_text(path: &Path) -> std::io::Result<String> {
    let target = std::fs::read_link(path)?;
    target.into_os_string().into_string().map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, "the link's text is not valid UTF-8")
    })
}

/// The file systems' clock, in nanoseconds since 1970.
pub(crate) fn now() -> i128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

fn shard_of(path: &RelPath) -> usize {
    path.as_str().bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
        % SHARDS
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The file that remembers digests between builds: a head, a checksum, then fixed heads and paths.
mod cache {
    use super::{BlobDigest, Files, HashMap, Path, RelPath, Signature, lock, shard_of};

    const HEAD: &[u8] = b"wake files 1\n";
    const FIXED: usize = 8 * 3 + 4 + 16 * 2 + 32 + 4;

    pub(super) fn read(path: &Path) -> Option<HashMap<Box<str>, (Signature, BlobDigest)>> {
        let bytes = std::fs::read(path).ok()?;
        let rest = bytes.strip_prefix(HEAD)?;
        let (checksum, mut body) = rest.split_at_checked(32)?;
        if blake3::hash(body).as_bytes() != checksum {
            return None;
        }
        let mut known = HashMap::with_capacity(body.len() / 120);
        while !body.is_empty() {
            let (fixed, rest) = body.split_at_checked(FIXED)?;
            let (signature, blob, length) = decode(fixed)?;
            let (path, rest) = rest.split_at_checked(length)?;
            known.insert(std::str::from_utf8(path).ok()?.into(), (signature, blob));
            body = rest;
        }
        Some(known)
    }

    pub(super) fn write(path: &Path, files: &Files) -> std::io::Result<()> {
        let mut body = Vec::new();
        let mut is_new = false;
        for shard in &files.shards {
            for (path, known) in lock(shard).iter() {
                if let (Some(signature), super::Seen::File { blob, .. }, true) =
                    (&known.signature, &known.seen, known.settled)
                {
                    is_new |= files.old.get(path.as_str()) != Some(&(*signature, *blob));
                    encode(&mut body, path.as_str(), signature, blob);
                }
            }
        }
        if !is_new {
            return Ok(());
        }
        for (path, (signature, blob)) in &files.old {
            let seen = RelPath::parse(path)
                .is_ok_and(|path| lock(&files.shards[shard_of(&path)]).contains_key(&path));
            if !seen {
                encode(&mut body, path, signature, blob);
            }
        }
        let checksum = blake3::hash(&body);
        crate::state::replace_in_parts(path, &[HEAD, checksum.as_bytes(), &body])
    }

    fn encode(body: &mut Vec<u8>, path: &str, signature: &Signature, blob: &BlobDigest) {
        let Signature { inode: (device, inode), size, mode, mtime, ctime } = signature;
        body.extend_from_slice(&device.to_le_bytes());
        body.extend_from_slice(&inode.to_le_bytes());
        body.extend_from_slice(&size.to_le_bytes());
        body.extend_from_slice(&mode.to_le_bytes());
        body.extend_from_slice(&i128::from(*mtime).to_le_bytes());
        body.extend_from_slice(&i128::from(*ctime).to_le_bytes());
        body.extend_from_slice(blob.as_bytes());
        let length = u32::try_from(path.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(path.as_bytes());
    }

    fn decode(fixed: &[u8]) -> Option<(Signature, BlobDigest, usize)> {
        let mut rest = fixed;
        let signature = Signature {
            inode: (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?)),
            size: u64::from_le_bytes(take(&mut rest)?),
            mode: u32::from_le_bytes(take(&mut rest)?),
            mtime: i64::try_from(i128::from_le_bytes(take(&mut rest)?)).ok()?,
            ctime: i64::try_from(i128::from_le_bytes(take(&mut rest)?)).ok()?,
        };
        let blob = BlobDigest(wake_model::Digest::from_bytes(take(&mut rest)?));
        let length = u32::from_le_bytes(take(&mut rest)?);
        Some((signature, blob, length as usize))
    }

    fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        let (head, tail) = rest.split_first_chunk::<N>()?;
        *rest = tail;
        Some(*head)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, fstat, utimensat};

    use super::{Signature, open_unnoted};

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn reading_leaves_no_trace_in_the_times_of_ones_own_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "text").unwrap();
        let long_ago = Timespec { tv_sec: 1, tv_nsec: 0 };
        let times = Timestamps { last_access: long_ago, last_modification: long_ago };
        utimensat(CWD, file.path(), &times, AtFlags::empty()).unwrap();
        let opened = open_unnoted(CWD, file.path(), OFlags::NOFOLLOW).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(rustix::io::read(&opened, &mut buffer).unwrap(), 4);
        assert_eq!(fstat(&opened).unwrap().st_atime, 1);
        assert!(open_unnoted(CWD, "/nowhere/at/all", OFlags::empty()).is_err());
    }

    #[test]
    fn nothing_is_settled_that_could_change_unseen() {
        let now = 1_000 * SECOND;
        let is_settled = |mtime: i64, ctime: i64| {
            Signature { mtime, ctime, ..Signature::default() }.is_settled(now.into())
        };
        assert!(is_settled(now - SECOND, now - SECOND + 1));
        assert!(!is_settled(now - SECOND, now - 1), "changed in this tick of the clock");
        assert!(!is_settled(now - 1, now - SECOND + 1), "its bytes changed in this tick");
        // The clock was set back since.
        assert!(!is_settled(now + SECOND, now - SECOND + 1));
        assert!(!is_settled(now - SECOND, now + 500 * SECOND + 1));
        // A file system of whole seconds.
        assert!(!is_settled(now - SECOND, now - SECOND));
        assert!(is_settled(now - 3 * SECOND, now - 3 * SECOND));
        // A time that cannot be told from later ones.
        assert!(!is_settled(i64::MAX, now - SECOND));
    }
}
