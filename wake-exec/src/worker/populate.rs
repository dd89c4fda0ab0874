//! Filling what a command sees with the inputs of its job.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use wake_model::BlobDigest;

use super::kernel;
use super::mounts::{self, Writable};
use super::place::{DirWriter, fix_time};
use super::shared::SharedFiles;
use crate::clock;
use crate::job::{Access, FileSignature, Seal, Source};
use crate::wire::JobError;

/// From this size on a file is mounted rather than copied, in bytes.
const MOUNTED_FROM: u64 = 1 << 20;

/// How what cannot be copied gets to its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As a mount.
    Mounts,
    /// As a symbolic link, where there are no mounts.
    Links,
}

/// What files are copied with.
pub(crate) struct CopyBuffers<'a> {
    /// Large pieces are read into it.
    pub(crate) buffer: &'a mut [u8],
    /// What was copied for earlier jobs.
    pub(crate) shared: &'a mut SharedFiles,
}

/// What is left to be done when the files are in place.
#[derive(Default)]
pub(crate) struct PendingWork {
    /// Mounts for paths below the place.
    pub(crate) mounts: Vec<(String, OwnedFd)>,
    /// Files of the host that must be as they are until the command is done.
    pub(crate) watched: Vec<(PathBuf, FileSignature)>,
    /// Files of the host that had another content than the job says.
    pub(crate) changed: Vec<PathBuf>,
}

/// Puts `source` at `path` below `place`.
pub(crate) fn put(
    place: &mut DirWriter<'_>,
    path: &str,
    source: &Source,
    reach: Reach,
    copying: &mut CopyBuffers<'_>,
    pending: &mut PendingWork,
) -> Result<(), JobError> {
    let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
    match source {
        Source::Bytes { bytes, executable } => make(place, path, *executable, bytes).map_err(made),
        Source::Link { target } => place.link(path, target.as_bytes()).map_err(made),
        Source::Dir => place.directory(path).map_err(made),
        Source::Mount { host, access } => {
            let mount = Mountable { host, access: *access, path };
            mount.put(place, reach, pending)
        }
        Source::File { host, blob, executable, seal } => {
            let file = HostFile { host, blob, executable: *executable, seal: *seal };
            file.put(place, path, reach, copying, pending)
        }
    }
}

/// Makes a file of bytes that are at hand.
fn make(
    place: &mut DirWriter<'_>,
    path: &str,
    executable: bool,
    bytes: &[u8],
) -> Result<(), Errno> {
    let file = place.file(path, mode(executable))?;
    kernel::write_all(&file, bytes).and_then(|()| fix_time(&file))
}

/// The mode of an input file.
pub(crate) fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

struct Mountable<'a> {
    host: &'a Path,
    access: Access,
    path: &'a str,
}

impl Mountable<'_> {
    fn put(
        &self,
        place: &mut DirWriter<'_>,
        reach: Reach,
        pending: &mut PendingWork,
    ) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("mount", self.host, errno);
        if reach == Reach::Links {
            return place.link(self.path, self.host.as_os_str().as_bytes()).map_err(failed);
        }
        let writable = match self.access {
            Access::ReadOnly => Writable::No,
            Access::ReadWrite => Writable::Yes,
            Access::Layered => {
                return Err(JobError::bad_job(
                    self.path,
                    "cannot be layered inside the work directory",
                ));
            }
        };
        let mount = mounts::host(self.host, writable).map_err(failed)?;
        let stat = rustix::fs::fstat(&mount).map_err(failed)?;
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        mount_point(place, self.path, directory)?;
        pending.mounts.push((self.path.to_owned(), mount));
        Ok(())
    }
}

/// Makes something of the right kind for a mount to lie on.
fn mount_point(place: &mut DirWriter<'_>, path: &str, directory: bool) -> Result<(), JobError> {
    let made = if directory {
        place.directory(path)
    } else {
        match place.file(path, 0o444) {
            Ok(_) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno),
        }
    };
    made.map_err(|errno| JobError::step("create", format!("/{path}"), errno))
}

/// A regular file that the job knows by digest.
struct HostFile<'a> {
    host: &'a Path,
    blob: &'a BlobDigest,
    executable: bool,
    seal: Seal,
}

impl HostFile<'_> {
    fn put(
        &self,
        place: &mut DirWriter<'_>,
        path: &str,
        reach: Reach,
        copying: &mut CopyBuffers<'_>,
        pending: &mut PendingWork,
    ) -> Result<(), JobError> {
        if self.seal == Seal::Digest
            && let Some(bytes) = copying.shared.get(self.blob)
        {
            let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
            return make(place, path, self.executable, bytes).map_err(made);
        }
        // What is no regular file (any more) is a change like any other, and a pipe must not block.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::open(self.host, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return self.changed(pending),
            Err(errno) => return Err(JobError::step("open", self.host, errno)),
        };
        let metadata = file.metadata().map_err(|error| JobError::step("read", self.host, error))?;
        let signature = FileSignature::from(&metadata);
        if !metadata.is_file() || matches!(self.seal, Seal::Signature(was) if was != signature) {
            return self.changed(pending);
        }
        if self.seal != Seal::Store && !is_settled(&signature) {
            // A copy that is hashed while it is made cannot be of anything else.
            let hashed = HostFile { seal: Seal::Digest, ..*self };
            return hashed.copy(&file, signature, place, path, copying, pending);
        }
        if reach == Reach::Mounts && metadata.len() >= MOUNTED_FROM && self.mountable(&metadata) {
            return self.mount(&file, signature, place, path, copying.buffer, pending);
        }
        self.copy(&file, signature, place, path, copying, pending)
    }

    fn changed(&self, pending: &mut PendingWork) -> Result<(), JobError> {
        pending.changed.push(self.host.to_owned());
        Ok(())
    }

    /// Whether a mount shows the mode that the job says, to a command that is nobody in particular.
    fn mountable(&self, metadata: &fs::Metadata) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        let bits = metadata.permissions().mode();
        bits & 0o004 != 0 && (bits & 0o001 != 0) == self.executable
    }

    fn mount(
        &self,
        file: &File,
        signature: FileSignature,
        place: &mut DirWriter<'_>,
        path: &str,
        buffer: &mut [u8],
        pending: &mut PendingWork,
    ) -> Result<(), JobError> {
        if self.seal == Seal::Digest {
            let mut hasher = blake3::Hasher::new();
            self.read(file, signature.size, buffer, |bytes| {
                hasher.update(bytes);
                Ok(())
            })?;
            if hasher.finalize().as_bytes() != self.blob.as_bytes() {
                return self.changed(pending);
            }
        }
        let failed = |errno: Errno| JobError::step("mount", self.host, errno);
        let mount = mounts::host(self.host, Writable::No).map_err(failed)?;
        // Between the opening and the mounting the path may have come to mean another file.
        let stat = rustix::fs::fstat(&mount).map_err(failed)?;
        if (stat.st_dev, stat.st_ino) != (signature.dev, signature.ino) {
            return self.changed(pending);
        }
        mount_point(place, path, false)?;
        pending.mounts.push((path.to_owned(), mount));
        if self.seal != Seal::Store {
            pending.watched.push((self.host.to_owned(), signature));
        }
        Ok(())
    }

    fn copy(
        &self,
        file: &File,
        signature: FileSignature,
        place: &mut DirWriter<'_>,
        path: &str,
        copying: &mut CopyBuffers<'_>,
        pending: &mut PendingWork,
    ) -> Result<(), JobError> {
        let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
        let copy = place.file(path, mode(self.executable)).map_err(made)?;
        let mut hasher = blake3::Hasher::new();
        let hashed = self.seal == Seal::Digest;
        let (mut pieces, mut length) = (0, 0);
        self.read(file, signature.size, copying.buffer, |bytes| {
            (pieces, length) = (pieces + 1, bytes.len());
            if hashed {
                hasher.update(bytes);
            }
            kernel::write_all(&copy, bytes).map_err(made)
        })?;
        fix_time(&copy).map_err(made)?;
        let same = match self.seal {
            Seal::Store => true,
            Seal::Digest => hasher.finalize().as_bytes() == self.blob.as_bytes(),
            Seal::Signature(_) => {
                file.metadata().is_ok_and(|now| FileSignature::from(&now) == signature)
            }
        };
        if !same {
            return self.changed(pending);
        }
        // What came in one piece is still in the buffer.
        if hashed && pieces == 1 {
            copying.shared.keep(*self.blob, &copying.buffer[..length]);
        }
        Ok(())
    }

    /// Reads the file as far as it went when it was opened: what is more by now is a change, and no part of
    /// what the job knows.
    fn read(
        &self,
        file: &File,
        size: u64,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8]) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            match kernel::read_some(file.as_fd(), &mut buffer[..wanted]) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    each(&buffer[..length])?;
                    left -= length as u64;
                }
                Err(errno) => return Err(JobError::step("read", self.host, errno)),
            }
        }
        Ok(())
    }
}

/// Whether a further change would show in the signature: two changes within one tick of a file system's
/// clock look like one.
fn is_settled(signature: &FileSignature) -> bool {
    const COARSEST_TICK_NS: i128 = 2_000_000_000;
    let last = signature.mtime_ns.max(signature.ctime_ns);
    last + COARSEST_TICK_NS < i128::try_from(clock::since_1970().as_nanos()).unwrap_or(0)
}

/// Those of `watched` that are not any more what they were.
pub(crate) fn changed_since(watched: &[(PathBuf, FileSignature)]) -> Vec<PathBuf> {
    watched
        .iter()
        .filter(|(path, signature)| {
            !fs::metadata(path).is_ok_and(|now| FileSignature::from(&now) == *signature)
        })
        .map(|(path, _)| path.clone())
        .collect()
}
