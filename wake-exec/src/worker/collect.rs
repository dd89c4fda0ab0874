//! Collects outputs from where the command left them. No process of the command is alive any more, and no link is ever
//! followed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use wake_model::{BlobDigest, Manifest, Node, OutputDecl, OutputKind, RelPath};

use super::kernel;
use super::owners::DiskOwners;
use super::place::{STRAIGHT, fixed_times};
use crate::defaults::input_time;
use crate::finished::{OutputDefect, OutputFault};
use crate::job::{Fidelity, Outputs, TakeOutputs};
use crate::wire::JobError;

/// The maximum nesting of output directories; each level takes three open files and some stack.
const DEPTH: usize = 200;

/// Entries of a root directory that belong to the sandbox, which are not collected with it.
const SYSTEM: [&str; 2] = ["dev", "proc"];

/// What is collected from where.
pub(crate) struct Collection<'a> {
    pub(crate) outputs: &'a Outputs,
    /// The directory that output paths are relative to.
    pub(crate) base: BorrowedFd<'a>,
    /// The owners that outputs keep, if owners can be set.
    pub(crate) owners: Option<&'a DiskOwners>,
    /// The maximum size of all outputs, in bytes.
    pub(crate) limit: u64,
}

/// Copies the declared outputs; or returns everything that is wrong with them, and leaves nothing behind.
pub(crate) fn collect(
    collection: &Collection<'_>,
    buffer: &mut [u8],
) -> Result<Result<Manifest, Vec<OutputFault>>, JobError> {
    let into = &collection.outputs.into;
    let made = |errno: Errno| JobError::step("create", into, errno);
    rustix::fs::mkdirat(CWD, into, Mode::from_raw_mode(0o755)).map_err(made)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let target = rustix::fs::openat(CWD, into, flags, Mode::empty()).map_err(made)?;
    let mut taking = Taking {
        collection,
        target: target.as_fd(),
        buffer,
        nodes: Vec::new(),
        faults: Vec::new(),
        taken: 0,
    };
    let mut declared: Vec<&OutputDecl> = collection.outputs.declared.iter().collect();
    declared.sort();
    let mut done: Option<&RelPath> = None;
    for decl in declared {
        // The contents of a directory that is collected as a whole are collected with it.
        if done.is_some_and(|done| decl.path.starts_with(done)) {
            taking.check_present(decl)?;
        } else if taking.declared(decl)? {
            done = Some(&decl.path);
        }
    }
    collection.outputs.texts.iter().for_each(|path| taking.check_absent(path));
    taking.finish(into)
}

struct Taking<'a> {
    collection: &'a Collection<'a>,
    target: BorrowedFd<'a>,
    buffer: &'a mut [u8],
    nodes: Vec<(RelPath, Node)>,
    faults: Vec<OutputFault>,
    taken: u64,
}

/// A directory: one that belongs to the caller, or one opened for this purpose.
pub(crate) enum OutputDir<'a> {
    Lent(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl AsFd for OutputDir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            OutputDir::Lent(fd) => *fd,
            OutputDir::Opened(fd) => fd.as_fd(),
        }
    }
}

impl<'a> Taking<'a> {
    fn finish(self, into: &Path) -> Result<Result<Manifest, Vec<OutputFault>>, JobError> {
        if self.faults.is_empty() {
            match Manifest::new(self.nodes) {
                Ok(manifest) => return Ok(Ok(manifest)),
                Err(conflict) => {
                    let fault = OutputFault::new(&conflict.path, OutputDefect::Conflict);
                    return discard(into).map(|()| Err(vec![fault]));
                }
            }
        }
        discard(into).map(|()| Err(self.faults))
    }

    fn fault(&mut self, path: &RelPath, fault: OutputDefect) {
        self.faults.push(OutputFault::new(path, fault));
    }

    /// Collects one declared path; returns whether it is a directory.
    fn declared(&mut self, decl: &OutputDecl) -> Result<bool, JobError> {
        let Some(holder) = self.holder(decl)? else { return Ok(false) };
        let name = decl.path.file_name().unwrap_or(".").to_owned();
        let Some(stat) = self.stat(holder.as_fd(), &name, decl)? else { return Ok(false) };
        let target = self.target_of(&decl.path)?;
        let node = OutputPlace {
            dir: holder.as_fd(),
            name: &name,
            target: target.as_fd(),
            path: &decl.path,
        };
        self.node(&node, &stat)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    fn check_present(&mut self, decl: &OutputDecl) -> Result<(), JobError> {
        let Some(holder) = self.holder(decl)? else { return Ok(()) };
        let name = decl.path.file_name().unwrap_or(".").to_owned();
        self.stat(holder.as_fd(), &name, decl).map(drop)
    }

    fn check_absent(&mut self, path: &RelPath) {
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let (base, mode) = (self.collection.base, Mode::empty());
        if rustix::fs::openat2(base, path.as_str(), flags, mode, STRAIGHT).is_ok() {
            self.fault(path, OutputDefect::NamedAsText { path: path.to_string() });
        }
    }

    /// Returns the directory that holds a declared path; none if there is none, which is recorded.
    fn holder(&mut self, decl: &OutputDecl) -> Result<Option<OutputDir<'a>>, JobError> {
        let base = self.collection.base;
        let parent = decl.path.parent().unwrap_or_default();
        if parent.is_root() {
            return Ok(Some(OutputDir::Lent(base)));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat2(base, parent.as_str(), flags, Mode::empty(), STRAIGHT) {
            Ok(holder) => Ok(Some(OutputDir::Opened(holder))),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                self.missing(decl);
                Ok(None)
            }
            Err(Errno::LOOP | Errno::XDEV) => {
                self.fault(&decl.path, OutputDefect::BehindLink);
                Ok(None)
            }
            Err(errno) => Err(JobError::step("open", decl.path.as_str(), errno)),
        }
    }

    fn stat(
        &mut self,
        holder: BorrowedFd<'_>,
        name: &str,
        decl: &OutputDecl,
    ) -> Result<Option<Stat>, JobError> {
        match rustix::fs::statat(holder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let kind = FileType::from_raw_mode(stat.st_mode);
                if decl.kind == OutputKind::Dir && kind != FileType::Directory {
                    self.fault(&decl.path, OutputDefect::NotADirectory);
                    return Ok(None);
                }
                Ok(Some(stat))
            }
            Err(Errno::NOENT) => {
                self.missing(decl);
                Ok(None)
            }
            Err(errno) => Err(JobError::step("read", decl.path.as_str(), errno)),
        }
    }

    fn missing(&mut self, decl: &OutputDecl) {
        if self.collection.outputs.take == TakeOutputs::OnSuccess {
            self.fault(&decl.path, OutputDefect::Missing);
        }
    }

    /// Returns the directory into which `path` is copied, creating it if necessary.
    fn target_of(&self, path: &RelPath) -> Result<OutputDir<'a>, JobError> {
        let failed = |errno: Errno| JobError::step("create", path.as_str(), errno);
        let mut at = OutputDir::Lent(self.target);
        let parent = path.parent().unwrap_or_default();
        for component in parent.components() {
            at = OutputDir::Opened(make_directory(at.as_fd(), component).map_err(failed)?);
        }
        Ok(at)
    }

    fn node(&mut self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        let fault = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.file(at, stat),
            FileType::Directory => return self.directory(at, stat),
            FileType::Symlink => return self.link(at, stat),
            FileType::Fifo if self.exact() => return self.pipe(at, stat),
            FileType::Fifo => OutputDefect::Fifo,
            FileType::Socket => OutputDefect::Socket,
            _ => OutputDefect::Device,
        };
        self.fault(at.path, fault);
        Ok(())
    }

    fn exact(&self) -> bool {
        self.collection.outputs.fidelity == Fidelity::Attributes
    }

    fn file(&mut self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("copy", at.path.as_str(), errno);
        if stat.st_mode & 0o6000 != 0 && !self.exact() {
            self.fault(at.path, OutputDefect::SetId);
            return Ok(());
        }
        // Checked before reading: a sparse file is larger than the space it occupies.
        self.taken = self.taken.saturating_add(stat.st_size as u64);
        if self.taken > self.collection.limit {
            self.fault(at.path, OutputDefect::TooLarge { limit: self.collection.limit });
            return Ok(());
        }
        let executable = stat.st_mode & 0o111 != 0;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let from = rustix::fs::openat(at.dir, at.name, flags, Mode::empty()).map_err(failed)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable { 0o555 } else { 0o444 });
        let to = rustix::fs::openat(at.target, at.name, flags, mode).map_err(failed)?;
        let (blob, size) = copy_hashing(&from, &to, self.buffer).map_err(failed)?;
        if self.exact() {
            self.give(&to, c"", stat).map_err(failed)?;
            rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(failed)?;
        }
        let time = if self.exact() { stat.st_mtime } else { input_time() };
        rustix::fs::futimens(&to, &fixed_times(time)).map_err(failed)?;
        self.nodes.push((at.path.clone(), Node::File { blob, size, executable }));
        Ok(())
    }

    fn directory(&mut self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        if at.path.components().count() > DEPTH {
            self.fault(at.path, OutputDefect::TooDeep { limit: DEPTH });
            return Ok(());
        }
        let failed = |errno: Errno| JobError::step("copy", at.path.as_str(), errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let from = rustix::fs::openat(at.dir, at.name, flags, Mode::empty()).map_err(failed)?;
        let target = make_directory(at.target, at.name).map_err(failed)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match name_of(entry.file_name()) {
                Ok("." | "..") => {}
                Ok(name) => names.push(name.to_owned()),
                Err(lossy) => {
                    let path = format!("{}/{lossy}", at.path);
                    self.faults.push(OutputFault { path, fault: OutputDefect::NameNotUtf8 });
                }
            }
        }
        names.sort_unstable();
        if !at.path.is_root() {
            self.nodes.push((at.path.clone(), Node::Dir));
        }
        for name in names {
            if at.path.is_root() && SYSTEM.contains(&name.as_str()) {
                continue;
            }
            let path = at.path.child(&name).map_err(|_| failed(Errno::INVAL))?;
            let stat = rustix::fs::statat(&from, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed)?;
            let below =
                OutputPlace { dir: from.as_fd(), name: &name, target: target.as_fd(), path: &path };
            self.node(&below, &stat)?;
        }
        if self.exact() {
            self.give(&target, c"", stat).map_err(failed)?;
            rustix::fs::fchmod(&target, Mode::from_raw_mode(stat.st_mode & 0o7777))
                .map_err(failed)?;
        }
        let time = if self.exact() { stat.st_mtime } else { input_time() };
        rustix::fs::futimens(&target, &fixed_times(time)).map_err(failed)
    }

    /// Gives a copy, at `name` in `dir` or `dir` itself, the owner of the original.
    fn give(&self, dir: impl AsFd, name: &CStr, stat: &Stat) -> Result<(), Errno> {
        let Some(DiskOwners { users, groups }) = self.collection.owners else { return Ok(()) };
        let (uid, gid) = (users.of(stat.st_uid), groups.of(stat.st_gid));
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(dir, name, uid, gid, flags)
    }

    /// Creates a pipe like the one that was left; a manifest cannot represent it.
    fn pipe(&self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("copy", at.path.as_str(), errno);
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::mknodat(at.target, at.name, FileType::Fifo, mode, 0).map_err(failed)?;
        self.give_name(at, stat)?;
        rustix::fs::chmodat(at.target, at.name, mode, AtFlags::empty()).map_err(failed)?;
        let times = fixed_times(stat.st_mtime);
        rustix::fs::utimensat(at.target, at.name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)
    }

    fn give_name(&self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("copy", at.path.as_str(), errno);
        let name = CString::new(at.name).map_err(|_| failed(Errno::INVAL))?;
        self.give(at.target, &name, stat).map_err(failed)
    }

    fn link(&mut self, at: &OutputPlace<'_>, stat: &Stat) -> Result<(), JobError> {
        let failed = |errno: Errno| JobError::step("copy", at.path.as_str(), errno);
        let target = rustix::fs::readlinkat(at.dir, at.name, Vec::new()).map_err(failed)?;
        let target = match target.into_string() {
            Ok(target) => target,
            Err(error) => {
                let target = String::from_utf8_lossy(error.into_cstring().as_bytes()).into_owned();
                self.fault(at.path, OutputDefect::LinkLeaves { target });
                return Ok(());
            }
        };
        if !self.exact() && !self.stays(at.path, &target) {
            self.fault(at.path, OutputDefect::LinkLeaves { target });
            return Ok(());
        }
        rustix::fs::symlinkat(target.as_str(), at.target, at.name).map_err(failed)?;
        if self.exact() {
            self.give_name(at, stat)?;
            let times = fixed_times(stat.st_mtime);
            rustix::fs::utimensat(at.target, at.name, &times, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed)?;
        }
        self.nodes.push((at.path.clone(), Node::Link { target }));
        Ok(())
    }

    /// Returns whether a link at `path` to `target` leads to a declared output.
    ///
    /// A `..` after a name is refused even if the path stays inside textually: the name may be a link itself, and then
    /// the path would lead elsewhere.
    fn stays(&self, path: &RelPath, target: &str) -> bool {
        let mut parts = target.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
        while parts.next_if_eq(&"..").is_some() {}
        if parts.any(|part| part == "..") {
            return false;
        }
        let from = path.parent().unwrap_or_default();
        wake_model::path::resolve_link(&from, target).is_some_and(|resolved| {
            self.collection.outputs.declared.iter().any(|decl| resolved.starts_with(&decl.path))
        })
    }
}

/// One name in one directory, and the directory it is copied into.
struct OutputPlace<'a> {
    dir: BorrowedFd<'a>,
    name: &'a str,
    target: BorrowedFd<'a>,
    path: &'a RelPath,
}

fn name_of(name: &CStr) -> Result<&str, String> {
    name.to_str().map_err(|_| name.to_string_lossy().into_owned())
}

fn make_directory(dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Copies and hashes in one pass, so that the digest is that of the bytes written.
fn copy_hashing(
    from: &OwnedFd,
    to: &OwnedFd,
    buffer: &mut [u8],
) -> Result<(BlobDigest, u64), Errno> {
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    loop {
        let length = kernel::read_some(from, buffer)?;
        if length == 0 {
            return Ok((BlobDigest(hasher.finalize().into()), size));
        }
        hasher.update(&buffer[..length]);
        kernel::write_all(to, &buffer[..length])?;
        size += length as u64;
    }
}

fn discard(into: &Path) -> Result<(), JobError> {
    std::fs::remove_dir_all(into).map_err(|error| JobError::step("remove", into, error))
}
