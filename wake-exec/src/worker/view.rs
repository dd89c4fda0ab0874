//! Root directories: mount namespaces that contain only what a command may see.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::changes::LayerBefore;
use super::confine::{Confinement, mount_namespace};
use super::dates::{Dates, times_of};
use super::etc_copy::EtcCopy;
use super::kernel;
use super::mounts::{self, ROOT, Writable};
use super::place::{DirWriter, fix_time};
use super::scratch::{self, OwnDirectory};
use crate::job::{Access, JobRoot, Limits, Network};
use crate::wire::JobError;

/// A finished root directory.
///
/// Commands run in its mount namespace itself, one after another, with their root changed to [`SHOWN`]. Giving each a
/// copy would be cheap to create, but the kernel synchronizes all processors when a mount is removed. Instead, an
/// earlier command's mounts are moved to [`PAST`], which no path of a command reaches, and are removed with the whole
/// namespace.
pub(crate) struct RootView {
    /// Its mount namespace.
    pub(crate) ns: OwnedFd,
    /// The directory itself.
    pub(crate) root: OwnedFd,
    /// The data written to its layers, if that is on the host.
    pub(crate) layers: Option<OwnedFd>,
    /// The layer of the root directory itself, if it has one, with its contents before a command has run.
    pub(crate) own_layer: Option<(OwnedFd, LayerBefore)>,
    /// Removes the data of the layers.
    _layers: Option<OwnDirectory>,
}

/// Where a root directory is in its mount namespace.
pub(crate) const SHOWN: &CStr = c"/shown";

/// Where the mounts of earlier commands are in the mount namespace.
pub(crate) const PAST: &CStr = c"/past";

/// Where the data written to layers is kept.
pub(crate) enum RootLayers<'a> {
    /// In memory, within these limits.
    Memory(&'a Limits),
    /// In a directory of the host.
    Disk(OwnDirectory),
}

/// A root directory under construction.
pub(crate) struct RootPlan {
    ground: RootBase,
    pub(crate) items: Vec<(String, RootItem, RootNeed)>,
}

/// Whether an item of the root directory is required.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootNeed {
    /// It is.
    Must,
    /// It is left out if the root directory's own files are in the way.
    IfRoom,
}

/// The base of a root directory.
enum RootBase {
    /// An empty in-memory file system, read-only once it is furnished.
    Memory,
    /// A directory of the host.
    Host(OwnedFd),
    /// A directory of the host below a private layer.
    Layered(OwnedFd),
}

/// An item at one path of the root directory.
pub(crate) enum RootItem {
    /// A directory; an existing one stays as it is.
    Directory,
    /// A directory that belongs to the command, whether or not it existed before.
    Own,
    /// A directory in which everybody may create entries and remove their own.
    Shared,
    /// A file with these bytes and this mode.
    File(Vec<u8>, u32),
    /// A symbolic link.
    Link(OsString),
    /// A mount.
    Mount(OwnedFd),
    /// A mount below a private layer.
    Layered(OwnedFd),
}

impl RootPlan {
    /// Returns what `root` requests, together with what every root directory has.
    ///
    /// `etc` is created if it is needed and does not exist yet.
    pub(crate) fn new(
        confined: &Confinement,
        root: &JobRoot,
        etc: &mut Option<EtcCopy>,
    ) -> Result<Self, JobError> {
        let ground = match root {
            JobRoot::Host | JobRoot::Empty | JobRoot::Dir { access: Access::ReadOnly, .. } => {
                RootBase::Memory
            }
            JobRoot::Dir { host, access: Access::ReadWrite } => {
                let mount = mounts::host_as_owned(host, Writable::Yes, &confined.owners)
                    .map_err(|errno| JobError::step("mount", host, errno))?;
                RootBase::Host(mount)
            }
            JobRoot::Dir { host, access: Access::Layered } => {
                let lower = mounts::host_as_owned(host, Writable::No, &confined.owners)
                    .map_err(|errno| JobError::step("mount", host, errno))?;
                RootBase::Layered(lower)
            }
        };
        let mut plan = RootPlan { ground, items: Vec::new() };
        match root {
            JobRoot::Host => {
                let etc = match etc {
                    Some(etc) => etc,
                    None => etc.insert(EtcCopy::new(confined)?),
                };
                plan.show_system(etc.mount(confined)?)?;
            }
            JobRoot::Dir { host, access: Access::ReadOnly } => {
                plan.show_entries(host, confined.network)?;
            }
            JobRoot::Empty | JobRoot::Dir { .. } => {}
        }
        plan.furnish()?;
        if *root != JobRoot::Host && confined.network == Network::Host {
            plan.show_network()?;
        }
        Ok(plan)
    }

    /// Returns whether the root directory has a private layer.
    pub(crate) fn is_layered(&self) -> bool {
        matches!(self.ground, RootBase::Layered(_))
    }

    /// Adds `item` at `path`.
    pub(crate) fn add(&mut self, path: impl Into<String>, item: RootItem) {
        self.items.push((path.into(), item, RootNeed::Must));
    }

    /// Builds it in a mount namespace of its own, and returns to the host's; entries created in a layer are dated
    /// `made_at`.
    pub(crate) fn build(
        self,
        confined: &Confinement,
        layers: RootLayers<'_>,
        made_at: i64,
    ) -> Result<RootView, JobError> {
        let opened = match &layers {
            RootLayers::Memory(_) => None,
            RootLayers::Disk(dir) => Some(scratch::open(dir.path())?),
        };
        let (workshop, kept) = match layers {
            RootLayers::Memory(limits) => (scratch::memory(limits, "0755", None)?, None),
            RootLayers::Disk(dir) => {
                let mount = mounts::host(dir.path(), Writable::Yes)
                    .map_err(|errno| JobError::step("mount", dir.path(), errno))?;
                (mount, Some(dir))
            }
        };
        kernel::unshare(libc::CLONE_NEWNS)
            .map_err(|errno| JobError::unavailable("mount namespaces", errno))?;
        let assembled = self.assemble(confined, workshop, made_at);
        confined.host.enter().map_err(|errno| JobError::step("enter", "/", errno))?;
        assembled.map(|(ns, root, own_layer)| RootView {
            ns,
            root,
            layers: opened,
            own_layer,
            _layers: kept,
        })
    }

    /// Returns the finished mount namespace, its root directory and the layer of that.
    fn assemble(
        self,
        confined: &Confinement,
        workshop: OwnedFd,
        made_at: i64,
    ) -> Result<AssembledRoot, JobError> {
        let mut workshop = Workshop::open(workshop)?;
        let (read_only, layered) = (matches!(self.ground, RootBase::Memory), self.is_layered());
        let mut own_layer = None;
        let ground = match self.ground {
            RootBase::Memory => memory_root()?,
            RootBase::Host(mount) => mount,
            RootBase::Layered(lower) => {
                let (ground, layer) = workshop.layer(lower)?;
                own_layer = Some(layer);
                ground
            }
        };
        let mut items = Vec::with_capacity(self.items.len());
        for (path, item, need) in self.items {
            let item = match item {
                RootItem::Layered(lower) => RootItem::Mount(workshop.layer(lower)?.0),
                other => other,
            };
            items.push((path, item, need));
        }
        outside_of(&ground)?;
        let mut place = DirWriter::new(ground.as_fd(), confined.owner);
        let mut dates = layered.then(|| Dates::new(made_at));
        for (path, item, need) in items {
            if let Some(dates) = &mut dates {
                let is_mount = matches!(item, RootItem::Mount(_) | RootItem::Layered(_));
                dates.note(&ground, &path, is_mount)?;
            }
            match put(&mut place, &path, item) {
                Err(errno) if need == RootNeed::Must => {
                    return Err(JobError::step("create", format!("/{path}"), errno));
                }
                _ => {}
            }
        }
        if let Some(dates) = dates {
            dates.restore(&ground)?;
        }
        if read_only {
            place
                .fix_times()
                .and_then(|()| kernel::set_mount(&ground, libc::MOUNT_ATTR_RDONLY, false))
                .map_err(|errno| JobError::step("mount", "/", errno))?;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, SHOWN, flags, Mode::empty())
            .map_err(|errno| JobError::step("open", "/", errno))?;
        let own_layer = match own_layer {
            Some(layer) => {
                let before = LayerBefore::of(layer.as_fd())?;
                Some((layer, before))
            }
            None => None,
        };
        Ok((mount_namespace(&confined.proc)?, root, own_layer))
    }
}

/// A mount namespace, its root directory, and the layer of that with its contents.
type AssembledRoot = (OwnedFd, OwnedFd, Option<(OwnedFd, LayerBefore)>);

/// Makes `ground` a directory of an otherwise empty root directory of this mount namespace.
fn outside_of(ground: &OwnedFd) -> Result<(), JobError> {
    let failed = |errno: Errno| JobError::unavailable("changing the root directory", errno);
    let outside = memory_root()?;
    for name in [SHOWN, PAST] {
        let name = name.to_bytes().strip_prefix(b"/").unwrap_or_default();
        rustix::fs::mkdirat(&outside, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
    }
    pivot(&outside)?;
    mounts::attach(ground, CWD, SHOWN).map_err(failed)
}

/// A directory in which layers are assembled; it disappears once the root directory has been changed.
struct Workshop {
    mount: OwnedFd,
    count: usize,
}

impl Workshop {
    /// Makes `mount` this namespace's root directory.
    fn open(mount: OwnedFd) -> Result<Self, JobError> {
        pivot(&mount)?;
        Ok(Workshop { mount, count: 0 })
    }

    /// Returns `lower` with a private layer on top, and that layer.
    fn layer(&mut self, lower: OwnedFd) -> Result<(OwnedFd, OwnedFd), JobError> {
        let base = format!("layer{}", self.count);
        self.count += 1;
        let failed = |errno: Errno| JobError::unavailable("layered file systems", errno);
        let mut place = DirWriter::new(self.mount.as_fd(), None);
        for part in ["lower", "upper", "work"] {
            place.directory(&format!("{base}/{part}")).map_err(failed)?;
        }
        // The top of the layer is the one that is visible.
        let stat = rustix::fs::fstat(&lower).map_err(failed)?;
        let mode = stat.st_mode & 0o1777;
        let top = format!("{base}/upper");
        let flags = AtFlags::empty();
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        match rustix::fs::chownat(&self.mount, &top, Some(uid), Some(gid), flags) {
            // An ordinary user can give it only to itself.
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
            Err(errno) => return Err(failed(errno)),
        }
        rustix::fs::chmodat(&self.mount, &top, Mode::from_raw_mode(mode), flags).map_err(failed)?;
        rustix::fs::utimensat(&self.mount, &top, &times_of(&stat), flags).map_err(failed)?;
        mounts::attach(&lower, &self.mount, format!("{base}/lower")).map_err(failed)?;
        let at = |part: &str| Path::new("/").join(&base).join(part);
        let layered = mounts::layered(&at("lower"), &at("upper"), &at("work")).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let upper = rustix::fs::openat(&self.mount, &top, flags, Mode::empty()).map_err(failed)?;
        Ok((layered, upper))
    }
}

fn memory_root() -> Result<OwnedFd, JobError> {
    mounts::memory(&ROOT).map_err(|errno| JobError::unavailable("mounting tmpfs", errno))
}

fn pivot(root: &OwnedFd) -> Result<(), JobError> {
    mounts::pivot(root).map_err(|errno| JobError::unavailable("changing the root directory", errno))
}

/// Makes the directories above `path` searchable for everybody, whoever owns them.
fn open_the_way(root: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
    for dir in std::iter::once(".").filter(|_| !path.is_empty()).chain(above) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = rustix::fs::openat2(root, dir, flags, Mode::empty(), super::place::STRAIGHT)?;
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode);
        if !mode.contains(Mode::XOTH) {
            rustix::fs::fchmod(&opened, mode | Mode::XOTH)?;
        }
    }
    Ok(())
}

fn put(place: &mut DirWriter<'_>, path: &str, item: RootItem) -> Result<(), Errno> {
    let absent_or_kept = |made: Result<(), Errno>| match made {
        // A root directory that has its own keeps it.
        Err(Errno::EXIST) => Ok(()),
        other => other,
    };
    match item {
        RootItem::Directory => place.directory(path),
        RootItem::Own => {
            place.directory(path)?;
            place.own(path)?;
            open_the_way(place.root(), path)
        }
        RootItem::Shared => place.directory(path).and_then(|()| place.share(path)),
        RootItem::File(bytes, mode) => match place.file(path, mode) {
            Ok(file) => kernel::write_all(&file, &bytes).and_then(|()| fix_time(&file)),
            Err(errno) => absent_or_kept(Err(errno)),
        },
        RootItem::Link(target) => absent_or_kept(place.link(path, OsStr::as_bytes(&target))),
        RootItem::Mount(mount) | RootItem::Layered(mount) => {
            let stat = rustix::fs::fstat(&mount)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                place.directory(path)?;
                place.cover(path);
            } else {
                absent_or_kept(place.file(path, 0o644).map(drop))?;
            }
            // Opened here and not by path, so that no link in the root directory redirects it.
            let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let target = rustix::fs::openat2(
                place.root(),
                path,
                flags,
                Mode::empty(),
                super::place::STRAIGHT,
            )?;
            mounts::attach_on(&mount, &target)
        }
    }
}
