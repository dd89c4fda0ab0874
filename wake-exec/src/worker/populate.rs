//! Places a job's inputs where the command sees them.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use wake_model::{BlobDigest, RelPath};

use super::kernel;
use super::mounts::{self, Writable};
use super::place::{DirWriter, fix_time};
use super::shared::SharedFiles;
use crate::job::{Access, Layer, Seal, Source};
use crate::wire::JobError;

/// Files of the store of this size and larger are mounted rather than copied, in bytes.
const MOUNTED_FROM: u64 = 128 << 10;

/// How files that are not copied are placed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As a mount, or showing through from a layer below the work directory.
    Layers,
    /// As a mount.
    Mounts,
    /// As a symbolic link, where mounts are not available.
    Links,
}

/// What remains to be done once the files are in place.
#[derive(Default)]
pub(crate) struct PendingWork {
    /// Mounts for paths below the directory.
    pub(crate) mounts: Vec<(String, OwnedFd)>,
    /// Directories of the store that must show through the directory.
    pub(crate) below: Vec<PathBuf>,
}

/// A directory that is being filled.
pub(crate) struct Filling<'a> {
    place: DirWriter<'a>,
    reach: Reach,
    /// A buffer for large reads.
    buffer: &'a mut [u8],
    /// Content copied for earlier jobs.
    shared: &'a mut SharedFiles,
    pending: PendingWork,
    /// Files of the host whose content differs from what the job states.
    changed: Vec<PathBuf>,
}

impl<'a> Filling<'a> {
    /// Starts with an empty `place`.
    pub(crate) fn new(
        place: DirWriter<'a>,
        reach: Reach,
        buffer: &'a mut [u8],
        shared: &'a mut SharedFiles,
    ) -> Self {
        let (pending, changed) = (PendingWork::default(), Vec::new());
        Filling { place, reach, buffer, shared, pending, changed }
    }

    /// Places `source` at `path`.
    pub(crate) fn put(&mut self, path: &str, source: &Source) -> Result<(), JobError> {
        let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
        match source {
            Source::Bytes { bytes, executable } => {
                make(&mut self.place, path, *executable, bytes).map_err(made)
            }
            Source::Link { target } => self.place.link(path, target.as_bytes()).map_err(made),
            Source::Dir => self.place.directory(path).map_err(made),
            Source::Mount { host, access } => self.mount_as_it_lies(path, host, *access),
            Source::File { host, blob, executable, seal } => {
                let expected = (*seal == Seal::Digest).then_some(blob);
                self.put_file(path, &HostFile { host, expected, executable: *executable })
            }
        }
    }

    /// Finishes; fails if files of the host were not what the job states.
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

    /// Creates a mount point of the right kind, and records the mount.
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
        if let Some(blob) = wanted.expected
            && let Some(bytes) = self.shared.get(blob)
        {
            let made = |errno: Errno| JobError::step("create", format!("/{path}"), errno);
            return make(&mut self.place, path, wanted.executable, bytes).map_err(made);
        }
        // A file that is not (or no longer) regular counts as changed, and a pipe must not block.
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
        let is_mounted = wanted.expected.is_none()
            && self.reach != Reach::Links
            && metadata.len() >= MOUNTED_FROM
            && self.place.is_sealed(path);
        if is_mounted {
            return self.mount_as_it_lies(path, host, Access::ReadOnly);
        }
        self.copy(path, wanted, &file, metadata.len())
    }

    /// Lets the files of a layer show through, or copies them if that is not possible.
    pub(crate) fn put_layer(&mut self, layer: &Layer) -> Result<(), JobError> {
        // Created here as well, so that they are like all others.
        for dir in &layer.dirs {
            self.place
                .directory(dir.as_str())
                .map_err(|errno| JobError::step("create", format!("/{dir}"), errno))?;
        }
        if self.reach == Reach::Layers {
            self.pending.below.push(layer.tree.clone());
            return Ok(());
        }
        for dir in std::iter::once(&RelPath::root()).chain(&layer.dirs) {
            let host = layer.tree.join(dir.as_str());
            let failed = |error| JobError::step("read", &host, error);
            for entry in std::fs::read_dir(&host).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let stat = entry.metadata().map_err(failed)?;
                // A name that is not UTF-8 is not from the store.
                let name = entry
                    .file_name()
                    .into_string()
                    .ok()
                    .and_then(|name| RelPath::parse(&name).ok());
                if let (true, Some(name)) = (stat.is_file(), name) {
                    let executable = stat.permissions().mode() & 0o111 != 0;
                    let file = HostFile { host: &entry.path(), expected: None, executable };
                    self.put_file(dir.join(&name).as_str(), &file)?;
                }
            }
        }
        Ok(())
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
        let hashed = wanted.expected.is_some();
        let (mut pieces, mut length) = (0, 0);
        wanted.read(file, size, self.buffer, |bytes| {
            (pieces, length) = (pieces + 1, bytes.len());
            if hashed {
                hasher.update(bytes);
            }
            kernel::write_all(&copy, bytes).map_err(made)
        })?;
        fix_time(&copy).map_err(made)?;
        // A copy that is hashed while it is made is verified.
        let Some(blob) = wanted.expected else { return Ok(()) };
        if hasher.finalize().as_bytes() != blob.0.as_bytes() {
            return self.changed(wanted.host);
        }
        // A file read in one piece is still in the buffer.
        if pieces == 1 {
            self.shared.keep(*blob, &self.buffer[..length]);
        }
        Ok(())
    }
}

/// Creates a file from bytes in memory.
fn make(
    place: &mut DirWriter<'_>,
    path: &str,
    executable: bool,
    bytes: &[u8],
) -> Result<(), Errno> {
    let file = place.file(path, mode(executable))?;
    kernel::write_all(&file, bytes).and_then(|()| fix_time(&file))
}

/// Returns the mode of an input file.
pub(crate) fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// A regular file of the host.
struct HostFile<'a> {
    host: &'a Path,
    /// The expected content, if nothing else proves it.
    expected: Option<&'a BlobDigest>,
    executable: bool,
}

impl HostFile<'_> {
    /// Reads the file up to the size it had when it was opened: anything beyond that is a change, and not part of what
    /// the job knows.
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
