//! Determines what a command changed in a private root: compares the private layer with what is below it.
//!
//! The result depends on the two trees alone, not on how the kernel stores the difference: a file rewritten with the
//! same bytes is not a change.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::kernel;
use super::owners::DiskOwners;
use crate::finished::{Change, Changed, OutputDefect, OutputFault};
use crate::wire::JobError;

/// The maximum nesting of directories; each level takes two open files and some stack.
const DEPTH: usize = 200;
/// Entries of a root directory that belong to the sandbox, which are not changes.
const SYSTEM: [&str; 2] = ["dev", "proc"];
/// The attribute with which the kernel marks a directory of the layer as opaque: nothing shows through it.
const OPAQUE: &str = "user.overlay.opaque";
/// The attribute with a program's file capabilities.
const CAPABILITY: &str = "security.capability";

/// The contents of a layer before a command has run.
pub(crate) struct LayerBefore(HashMap<String, Trace>);

/// Evidence by which a later change to an entry is detected.
#[derive(PartialEq, Eq)]
enum Trace {
    /// A directory, whatever is created in it.
    Dir {
        mode: u32,
        owner: (u32, u32),
    },
    Other {
        ino: u64,
        changed: (i64, i64),
    },
}

impl Trace {
    fn of(stat: &Stat) -> Trace {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                Trace::Dir { mode: stat.st_mode, owner: (stat.st_uid, stat.st_gid) }
            }
            _ => Trace::Other {
                ino: stat.st_ino,
                changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            },
        }
    }
}

impl LayerBefore {
    /// Records the present contents of `layer`.
    pub(crate) fn of(layer: BorrowedFd<'_>) -> Result<LayerBefore, JobError> {
        let mut traces = HashMap::new();
        let mut note = |path: String, stat: &Stat| {
            traces.insert(path, Trace::of(stat));
        };
        walk(layer, "", 0, &mut note)
            .map_err(|errno| JobError::step("read", "root layer", errno))?;
        Ok(LayerBefore(traces))
    }

    fn is_as_it_was(&self, path: &str, stat: &Stat) -> bool {
        self.0.get(path).is_some_and(|trace| *trace == Trace::of(stat))
    }
}

fn walk(
    dir: BorrowedFd<'_>,
    path: &str,
    depth: usize,
    note: &mut dyn FnMut(String, &Stat),
) -> Result<(), Errno> {
    for name in names(dir)?.into_iter().flatten() {
        let stat = rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        let at = below(path, &name);
        note(at.clone(), &stat);
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && depth < DEPTH {
            walk(open(dir, &name)?.as_fd(), &at, depth + 1, note)?;
        }
    }
    Ok(())
}

/// The two trees, and where changed files are put.
pub(crate) struct Layered<'a> {
    /// The layer that was written to.
    pub(crate) layer: BorrowedFd<'a>,
    /// The tree below, on the host.
    pub(crate) lower: &'a Path,
    /// What the sandbox itself created in the layer.
    pub(crate) before: &'a LayerBefore,
    /// The owners of files on disk, if they differ from what the worker sees.
    pub(crate) owners: Option<&'a DiskOwners>,
    /// A directory, not yet existing, that is created: changed files are put there under their numbers.
    pub(crate) into: &'a Path,
    /// The maximum size of all changed files, in bytes.
    pub(crate) limit: u64,
}

impl Layered<'_> {
    /// Returns everything that changed, sorted by path, or everything that is wrong with it. The layer cannot be used
    /// afterwards.
    pub(crate) fn changes(
        &self,
        buffer: &mut [u8],
    ) -> Result<Result<Vec<Change>, Vec<OutputFault>>, JobError> {
        let made = |errno: Errno| JobError::step("create", self.into, errno);
        rustix::fs::mkdirat(CWD, self.into, Mode::from_raw_mode(0o700)).map_err(made)?;
        let into = open(CWD, &self.into.to_string_lossy()).map_err(made)?;
        let opened = open(CWD, &self.lower.to_string_lossy());
        let lower = opened.map_err(|errno| JobError::step("open", self.lower, errno))?;
        let mut walk = Walk {
            of: self,
            into,
            buffer,
            changes: Vec::new(),
            faults: Vec::new(),
            files: 0,
            taken: 0,
        };
        let failed = |errno| JobError::step("read", "root layer", errno);
        walk.root(&lower).map_err(failed)?;
        let lower = Lower { dir: lower, hidden: false };
        walk.directory(self.layer, Some(lower), "", 0).map_err(failed)?;
        let Walk { mut changes, faults, .. } = walk;
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(if faults.is_empty() { Ok(changes) } else { Err(faults) })
    }
}

/// The directory below one of the layer.
struct Lower {
    dir: OwnedFd,
    /// Whether nothing of it shows through.
    hidden: bool,
}

struct Walk<'a, 'b> {
    of: &'a Layered<'a>,
    into: OwnedFd,
    buffer: &'b mut [u8],
    changes: Vec<Change>,
    faults: Vec<OutputFault>,
    files: u64,
    taken: u64,
}

impl Walk<'_, '_> {
    /// Visits the root itself, for which only a change of mode or owner counts.
    fn root(&mut self, lower: &OwnedFd) -> Result<(), Errno> {
        let (stat, below) = (rustix::fs::fstat(self.of.layer)?, rustix::fs::fstat(lower)?);
        if stat.st_mode & 0o1777 != below.st_mode & 0o1777 || !self.is_of_the_same(&stat, &below) {
            self.change("", Changed::Dir, &stat, Some(&below));
        }
        Ok(())
    }

    fn directory(
        &mut self,
        layer: BorrowedFd<'_>,
        lower: Option<Lower>,
        path: &str,
        depth: usize,
    ) -> Result<(), Errno> {
        let (mut there, mut whited) = (BTreeSet::new(), BTreeSet::new());
        for name in names(layer)? {
            let name = match name {
                Ok(name) => name,
                Err(lossy) => {
                    self.fault(&below(path, &lossy), OutputDefect::NameNotUtf8);
                    continue;
                }
            };
            if path.is_empty() && SYSTEM.contains(&name.as_str()) {
                there.insert(name);
                continue;
            }
            let stat = rustix::fs::statat(layer, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            if is_whiteout(&stat) {
                whited.insert(name);
                continue;
            }
            self.node(layer, lower.as_ref(), &name, &stat, &below(path, &name), depth)?;
            there.insert(name);
        }
        if let Some(lower) = &lower {
            self.gone(lower, path, &there, &whited)?;
        }
        Ok(())
    }

    /// Records what of `lower` no longer shows: by name, or all at once if nothing of it is left.
    fn gone(
        &mut self,
        lower: &Lower,
        path: &str,
        there: &BTreeSet<String>,
        whited: &BTreeSet<String>,
    ) -> Result<(), Errno> {
        if !lower.hidden && whited.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = names(lower.dir.as_fd())?.into_iter().flatten().collect();
        let is_gone =
            |name: &&String| !there.contains(*name) && (lower.hidden || whited.contains(*name));
        let gone: Vec<&String> = names.iter().filter(is_gone).collect();
        if gone.len() > 1 && gone.len() == names.len() {
            self.changes.push(Change::of_nobody(path.to_owned(), Changed::Emptied));
        } else {
            let gone = gone.into_iter().map(|name| below(path, name));
            self.changes.extend(gone.map(|path| Change::of_nobody(path, Changed::Gone)));
        }
        Ok(())
    }

    fn node(
        &mut self,
        layer: BorrowedFd<'_>,
        lower: Option<&Lower>,
        name: &str,
        stat: &Stat,
        path: &str,
        depth: usize,
    ) -> Result<(), Errno> {
        let below = match lower {
            Some(lower) => stat_below(&lower.dir, name)?,
            None => None,
        };
        let is_ours = || below.is_none() && self.of.before.is_as_it_was(path, stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let (is_ours, known) = (is_ours(), self.changes.len());
                self.subdirectory(layer, lower, name, below.as_ref(), path, depth)?;
                let is_dir = below.is_some_and(|below| is_dir(&below));
                let is_new = match is_dir {
                    // What the sandbox created for itself counts only if something was created in it.
                    false => !is_ours || self.changes.len() > known,
                    true => below.is_some_and(|below| !self.is_alike(stat, &below)),
                };
                if is_new {
                    self.change(path, Changed::Dir, stat, below.as_ref());
                }
            }
            _ if is_ours() => {}
            FileType::RegularFile => self.file(layer, lower, name, stat, below.as_ref(), path)?,
            FileType::Symlink => self.link(layer, lower, name, stat, below.as_ref(), path)?,
            FileType::Fifo => {
                if !below.is_some_and(|below| self.is_alike(stat, &below)) {
                    self.change(path, Changed::Pipe, stat, below.as_ref());
                }
            }
            // A socket that nobody listens on any more is nothing.
            FileType::Socket => {}
            _ => self.fault(path, OutputDefect::Device),
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        layer: BorrowedFd<'_>,
        lower: Option<&Lower>,
        name: &str,
        below: Option<&Stat>,
        path: &str,
        depth: usize,
    ) -> Result<(), Errno> {
        if depth >= DEPTH {
            self.fault(path, OutputDefect::TooDeep { limit: DEPTH });
            return Ok(());
        }
        let dir = open(layer, name)?;
        let below = match (lower, below) {
            (Some(lower), Some(below)) if is_dir(below) => Some(Lower {
                dir: open(&lower.dir, name)?,
                hidden: lower.hidden || is_opaque(&dir)?,
            }),
            _ => None,
        };
        self.directory(dir.as_fd(), below, path, depth + 1)
    }

    fn file(
        &mut self,
        layer: BorrowedFd<'_>,
        lower: Option<&Lower>,
        name: &str,
        stat: &Stat,
        below: Option<&Stat>,
        path: &str,
    ) -> Result<(), Errno> {
        let from = open_file(layer, name)?;
        let capability = capability(&from)?;
        if let (Some(lower), Some(below)) = (lower, below)
            && self.is_alike(stat, below)
            && stat.st_size == below.st_size
        {
            let old = open_file(&lower.dir, name)?;
            if self::capability(&old)? == capability && self.has_same_bytes(&from, &old)? {
                return Ok(());
            }
        }
        self.taken = self.taken.saturating_add(stat.st_size as u64);
        if self.taken > self.of.limit {
            self.fault(path, OutputDefect::TooLarge { limit: self.of.limit });
            return Ok(());
        }
        let number = self.files;
        self.files += 1;
        self.take(layer, name, stat, &from, number)?;
        self.change(path, Changed::File { number, size: stat.st_size as u64 }, stat, below);
        if let (Some(change), Some(capability)) = (self.changes.last_mut(), capability) {
            change.capability = Some(capability);
        }
        Ok(())
    }

    /// Puts a file's bytes where the caller finds them under its number.
    fn take(
        &mut self,
        layer: BorrowedFd<'_>,
        name: &str,
        stat: &Stat,
        from: &OwnedFd,
        number: u64,
    ) -> Result<(), Errno> {
        let to = number.to_string();
        // A file with further names is copied: changing the moved one would change those as well.
        if stat.st_nlink == 1 && rustix::fs::renameat(layer, name, &self.into, &to).is_ok() {
            return rustix::fs::fchmod(from, Mode::from_raw_mode(0o600));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.into, &to, flags, Mode::from_raw_mode(0o600))?;
        loop {
            match kernel::read_some(from, self.buffer)? {
                0 => return Ok(()),
                length => kernel::write_all(&file, &self.buffer[..length])?,
            }
        }
    }

    fn link(
        &mut self,
        layer: BorrowedFd<'_>,
        lower: Option<&Lower>,
        name: &str,
        stat: &Stat,
        below: Option<&Stat>,
        path: &str,
    ) -> Result<(), Errno> {
        let target = rustix::fs::readlinkat(layer, name, Vec::new())?;
        if let (Some(lower), Some(below)) = (lower, below)
            && self.is_alike(stat, below)
            && rustix::fs::readlinkat(&lower.dir, name, Vec::new())? == target
        {
            return Ok(());
        }
        match target.into_string() {
            Ok(target) => self.change(path, Changed::Link { target }, stat, below),
            Err(_) => self.fault(path, OutputDefect::NameNotUtf8),
        }
        Ok(())
    }

    fn change(&mut self, path: &str, what: Changed, stat: &Stat, below: Option<&Stat>) {
        let (uid, gid) = self.disk_owner(stat);
        let is_same = |same: bool| below.is_some() && same;
        let kept_owner = is_same(below.is_some_and(|below| self.is_of_the_same(stat, below)));
        let kept_mode = is_same(below.is_some_and(|below| below.st_mode == stat.st_mode));
        let (path, mode) = (path.to_owned(), (stat.st_mode & 0o7777) as u16);
        self.changes.push(Change {
            path,
            what,
            mode,
            owner: [uid, gid],
            kept_owner,
            kept_mode,
            capability: None,
        });
    }

    /// Returns whether both are of the same kind, mode and owner.
    fn is_alike(&self, stat: &Stat, below: &Stat) -> bool {
        stat.st_mode == below.st_mode && self.is_of_the_same(stat, below)
    }

    fn is_of_the_same(&self, stat: &Stat, below: &Stat) -> bool {
        self.disk_owner(stat) == (below.st_uid, below.st_gid)
    }

    fn disk_owner(&self, stat: &Stat) -> (u32, u32) {
        match self.of.owners {
            Some(DiskOwners { users, groups }) => (users.of(stat.st_uid), groups.of(stat.st_gid)),
            None => (stat.st_uid, stat.st_gid),
        }
    }

    fn has_same_bytes(&mut self, one: &OwnedFd, other: &OwnedFd) -> Result<bool, Errno> {
        let half = self.buffer.len() / 2;
        let (this, that) = self.buffer.split_at_mut(half);
        let is_same = loop {
            let length = kernel::read_some(one, this)?;
            if length == 0 {
                break true;
            }
            let mut read = 0;
            while read < length {
                match kernel::read_some(other, &mut that[read..length])? {
                    0 => break,
                    more => read += more,
                }
            }
            if this[..length] != that[..read] {
                break false;
            }
        };
        rustix::fs::seek(one, rustix::fs::SeekFrom::Start(0))?;
        Ok(is_same)
    }

    fn fault(&mut self, path: &str, fault: OutputDefect) {
        self.faults.push(OutputFault { path: path.to_owned(), fault });
    }
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Returns whether it is a whiteout: the kernel's mark that something below is removed.
fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_opaque(dir: &OwnedFd) -> Result<bool, Errno> {
    let mut value = [0u8; 8];
    match rustix::fs::fgetxattr(dir, OPAQUE, &mut value) {
        Ok(length) => Ok(value.first() == Some(&b'y') && length == 1),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Returns the capabilities of a program file, in the form that holds for all users of a machine.
fn capability(file: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = [0u8; 64];
    let length = match rustix::fs::fgetxattr(file, CAPABILITY, &mut value) {
        Ok(length) => length,
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut value = value[..length].to_vec();
    // The third version states the only user namespace in which it holds.
    if length == 24 && value[3] == 3 {
        value.truncate(20);
        value[3] = 2;
    }
    Ok(Some(value))
}

fn stat_below(dir: &OwnedFd, name: &str) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn open(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

fn open_file(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// Returns the names in a directory, sorted; for one that is not UTF-8, a displayable approximation.
fn names(dir: BorrowedFd<'_>) -> Result<Vec<Result<String, String>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) => names.push(Ok(name.to_owned())),
            Err(_) => names.push(Err(entry.file_name().to_string_lossy().into_owned())),
        }
    }
    names.sort_unstable();
    Ok(names)
}
