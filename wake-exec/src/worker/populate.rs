//! Filling what a command sees with the inputs of its job.

use std::fs::File;
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
use crate::job::{Access, Seal, Source};
use crate::wire::JobError;

/// From this size on a file of the store is mounted rather than copied, in bytes.
const MOUNTED_FROM: u64 = 128 << 10;

/// How what cannot be copied gets to its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As a mount, or from below the work directory, which is a layer.
    Layers,
    /// As a mount.
    Mounts,
    /// As a symbolic link, where there are no mounts.
    Links,
}

/// What is left to be done when the files are in place.
#[derive(Default)]
pub(crate) struct PendingWork {
    /// Mounts for paths below the place.
    pub(crate) mounts: Vec<(String, OwnedFd)>,
    /// Directories of the store that are to show through the place.
    pub(crate) below: Vec<PathBuf>,
}

/// A place that is being filled.
pub(crate) struct Filling<'a> {
    place: DirWriter<'a>,
    reach: Reach,
    /// Large pieces are read into it.
    buffer: &'a mut [u8],
    /// What was copied for earlier jobs.
    shared: &'a mut SharedFiles,
    pending: PendingWork,
    /// Files of the host that had another content than the job says.
    changed: Vec<PathBuf>,
}

impl<'a> Filling<'a> {
    /// Begins with nothing in `place`.
    pub(crate) fn new(
        place: DirWriter<'a>,
        reach: Reach,
        buffer: &'a mut [u8],
        shared: &'a mut SharedFiles,
    ) -> Self {
        let (pending, changed) = (PendingWork::default(), Vec::new());
        Filling { place, reach, buffer, shared, pending, changed }
    }

    /// Puts `source` at `path`.
    pub(crate) fn put(&mut self, path: &str, source: &Source) -> Result<(), JobError> {
        let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
        match source {
            Source::Bytes { bytes, executable } => {
                make(&mut self.place, path, *executable, bytes).map_err(made)
            }
            Source::Link { target } => self.place.link(path, target.as_bytes()).map_err(made),
            Source::Dir => self.place.directory(path).map_err(made),
            Source::Mount { host, access } => self.mount_as_it_lies(path, host, *access),
            Source::Kept { tree, blob, executable } => {
                let (host, seal) = (&tree.join(path), Seal::Store);
                match self.reach {
                    Reach::Layers => self.show(path, tree),
                    Reach::Mounts | Reach::Links => {
                        self.put_file(path, &HostFile { host, blob, executable: *executable, seal })
                    }
                }
            }
            Source::File { host, blob, executable, seal } => {
                self.put_file(path, &HostFile { host, blob, executable: *executable, seal: *seal })
            }
        }
    }

    /// Ends it; an error if files of the host were not what the job says.
    pub(crate) fn finish(self) -> Result<PendingWork, JobError> {
        if !self.changed.is_empty() {
            return Err(JobError::Changed { paths: self.changed });
        }
        self.place.fix_times().map_err(|errno| JobError::step("create", "/", errno))?;
        Ok(self.pending)
    }

    fn mount_as_it_lies(
        &mut self,
        path: &str,
        host: &Path,
        access: Access,
    ) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("mount", host, errno);
        if self.reach == Reach::Links {
            return self.place.link(path, host.as_os_str().as_bytes()).map_err(failed);
        }
        let writable = match access {
            Access::ReadOnly => Writable::No,
            Access::ReadWrite => Writable::Yes,
            Access::Layered => {
                return Err(JobError::bad_job(path, "cannot be layered inside the work directory"));
            }
        };
        let mount = mounts::host(host, writable).map_err(failed)?;
        let stat = rustix::fs::fstat(&mount).map_err(failed)?;
        self.add_mount(path, mount, FileType::from_raw_mode(stat.st_mode))
    }

    /// Makes something of the right kind for a mount to lie on, and notes the mount.
    fn add_mount(&mut self, path: &str, mount: OwnedFd, kind: FileType) -> Result<(), JobError> {
        let made = if kind == FileType::Directory {
            self.place.directory(path)
        } else {
            match self.place.file(path, 0o444) {
                Ok(_) | Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(errno),
            }
        };
        made.map_err(|errno| JobError::step("create", format!("/{path}"), errno))?;
        self.pending.mounts.push((path.to_owned(), mount));
        Ok(())
    }

    fn put_file(&mut self, path: &str, wanted: &HostFile<'_>) -> Result<(), JobError> {
        let host = wanted.host;
        if wanted.seal == Seal::Digest
            && let Some(bytes) = self.shared.get(wanted.blob)
        {
            let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
            return make(&mut self.place, path, wanted.executable, bytes).map_err(made);
        }
        // What is no regular file (any more) is a change like any other, and a pipe must not block.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match rustix::fs::open(host, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return self.changed(host),
            Err(errno) => return Err(JobError::step("open", host, errno)),
        };
        let metadata = file.metadata().map_err(|error| JobError::step("read", host, error))?;
        if !metadata.is_file() {
            return self.changed(host);
        }
        let is_mounted = wanted.seal == Seal::Store
            && self.reach != Reach::Links
            && metadata.len() >= MOUNTED_FROM
            && self.place.is_sealed(path);
        if is_mounted {
            return self.mount_as_it_lies(path, host, Access::ReadOnly);
        }
        self.copy(path, wanted, &file, metadata.len())
    }

    /// Leaves a file of `tree` to show through.
    fn show(&mut self, path: &str, tree: &Path) -> Result<(), JobError> {
        // Mostly it is the same as that of the file before.
        let below = &mut self.pending.below;
        if below.last().is_none_or(|last| last != tree) && !below.iter().any(|other| other == tree)
        {
            below.push(tree.to_owned());
        }
        // It is made here as well, so that it is like any other.
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.place
            .directory(parent)
            .map_err(|errno| JobError::step("create", format!("/{path}"), errno))
    }

    fn changed(&mut self, host: &Path) -> Result<(), JobError> {
        self.changed.push(host.to_owned());
        Ok(())
    }

    fn copy(
        &mut self,
        path: &str,
        wanted: &HostFile<'_>,
        file: &File,
        size: u64,
    ) -> Result<(), JobError> {
        let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
        let copy = self.place.file(path, mode(wanted.executable)).map_err(made)?;
        let mut hasher = blake3::Hasher::new();
        let hashed = wanted.seal == Seal::Digest;
        let (mut pieces, mut length) = (0, 0);
        wanted.read(file, size, self.buffer, |bytes| {
            (pieces, length) = (pieces + 1, bytes.len());
            if hashed {
                hasher.update(bytes);
            }
            kernel::write_all(&copy, bytes).map_err(made)
        })?;
        fix_time(&copy).map_err(made)?;
        // A copy that is hashed while it is made cannot be of anything else.
        if hashed && hasher.finalize().as_bytes() != wanted.blob.0.as_bytes() {
            return self.changed(wanted.host);
        }
        // What came in one piece is still in the buffer.
        if hashed && pieces == 1 {
            self.shared.keep(*wanted.blob, &self.buffer[..length]);
        }
        Ok(())
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

/// A regular file that the job knows by digest.
struct HostFile<'a> {
    host: &'a Path,
    blob: &'a BlobDigest,
    executable: bool,
    seal: Seal,
}

impl HostFile<'_> {
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
