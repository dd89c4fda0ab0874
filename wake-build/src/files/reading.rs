//! Reading files of a checkout that may be changing.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use wake_model::BlobDigest;

use super::Signature;

/// Files of this size or more are read in pieces. None is mapped into memory, because truncating a
/// mapped file would kill the process.
const PIECEWISE_FROM: u64 = 1 << 20;

/// Hashes a file of at most `most` bytes that may be changing: the signature is taken before the first byte is read.
///
/// `is_stopped` is polled while the file is read, because reading a sparse file can take forever.
pub(crate) fn hash_file(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
    most: u64,
    is_stopped: &dyn Fn() -> bool,
) -> std::io::Result<(Signature, BlobDigest, u64)> {
    let (file, signature) = open(dir, path)?;
    if signature.size > most {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    let (blob, size) = hash_telling(file, &signature, is_stopped, drop)?;
    Ok((signature, blob, size))
}

fn open(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<(OwnedFd, Signature)> {
    // Does not wait for the other end of a pipe, and takes no controlling terminal.
    let file = open_unnoted(dir, path, OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let signature = Signature::of(&rustix::fs::fstat(&file)?);
    Ok((file, signature))
}

/// Opens a file for reading without updating its access time where the system allows that: for new files, the update
/// costs nearly as much as reading them.
pub(crate) fn open_unnoted(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    /// Whether this has not been refused yet, as it is for a file of another user; then it is not tried again.
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

/// Opens the file at `path`; none if something else lies there.
pub(super) fn open_file(
    dir: impl AsFd,
    path: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<Option<(OwnedFd, Signature)>> {
    let (file, signature) = open(dir, path)?;
    let kind = FileType::from_raw_mode(signature.mode);
    Ok((kind == FileType::RegularFile).then_some((file, signature)))
}

/// How many bytes are read before checking whether to stop.
const PIECE: usize = 256 << 10;

/// Returns the digest and size of an open file that had this signature; `whole` gets the content of a file that was read
/// in one piece.
pub(super) fn hash_telling(
    file: OwnedFd,
    signature: &Signature,
    is_stopped: &dyn Fn() -> bool,
    whole: impl FnOnce(Vec<u8>),
) -> std::io::Result<(BlobDigest, u64)> {
    // Data appended beyond its size while it is read is a change that the signature will show.
    let mut file = File::from(file).take(signature.size);
    if signature.size >= PIECEWISE_FROM {
        return hash_piecewise(file, is_stopped);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(signature.size).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    let (blob, size) = (BlobDigest::of(&bytes), bytes.len() as u64);
    whole(bytes);
    Ok((blob, size))
}

fn hash_piecewise(
    mut file: impl Read,
    is_stopped: &dyn Fn() -> bool,
) -> std::io::Result<(BlobDigest, u64)> {
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE]);
    loop {
        if is_stopped() {
            return Err(std::io::Error::other("wake was interrupted"));
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok((BlobDigest(hasher.finalize().into()), hasher.count())),
            Ok(length) => _ = hasher.update(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the content of a regular file of at most `most` bytes; none if it is larger, a link, or unreadable.
pub(crate) fn read_at_most(path: &Path, most: u64) -> Option<Vec<u8>> {
    let (file, signature) = open_file(CWD, path).ok()??;
    let mut bytes = Vec::new();
    File::from(file).take(most).read_to_end(&mut bytes).ok()?;
    (signature.size <= most).then_some(bytes)
}

/// Returns the digest and size of the file at `path`, read as in a build.
pub fn file_digest(path: &Path) -> std::io::Result<(BlobDigest, u64)> {
    hash_file(CWD, path, u64::MAX, &|| false).map(|(_, blob, size)| (blob, size))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, fstat, utimensat};

    use super::open_unnoted;

    #[test]
    fn reading_does_not_change_access_times_of_own_files() {
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
}
