//! Root directories: mount namespaces that hold nothing but what a command may see.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::confine::{Confined, mount_namespace, open_root};
use super::kernel;
use super::mounts::{self, Memory, Writable};
use super::place::Place;
use super::scratch::{self, OwnDirectory};
use crate::job::{Access, Limits, Network, Root};
use crate::wire::Failure;

/// A finished root directory.
pub(crate) struct View {
    /// The mount namespace that has it.
    pub(crate) ns: OwnedFd,
    /// The directory itself.
    pub(crate) root: OwnedFd,
    /// What was written to its layers, where that lies on the host.
    _layers: Option<OwnDirectory>,
}

/// Where what is written to layers is kept.
pub(crate) enum Layers<'a> {
    /// In memory, within these limits.
    Memory(&'a Limits),
    /// In a directory of the host.
    Disk(OwnDirectory),
}

/// System directories of the host, whatever of them exists. `/usr/local` is not among them, because
/// the identity of the host does not cover it.
const SYSTEM: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What of `/etc` belongs to the installed system rather than to the machine.
const SYSTEM_ETC: &[&str] = &["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"];

/// What else programs need of `/etc` that reach the network.
const NETWORK_ETC: &[&str] = &[
    "resolv.conf",
    "hosts",
    "nsswitch.conf",
    "services",
    "protocols",
    "ssl",
    "pki",
    "ca-certificates",
];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// A root directory under construction.
pub(crate) struct Plan {
    ground: Ground,
    items: Vec<(String, Item)>,
}

/// What the root directory itself is.
enum Ground {
    /// An empty file system in memory, read only once it is furnished.
    Memory,
    /// A directory of the host.
    Host(OwnedFd),
    /// A directory of the host below a private layer.
    Layered(OwnedFd),
}

/// Something at one path of the root directory.
pub(crate) enum Item {
    /// An empty directory.
    Directory,
    /// A file by its bytes and its mode.
    File(Vec<u8>, u32),
    /// A symbolic link.
    Link(OsString),
    /// A mount.
    Mount(OwnedFd),
    /// A mount below a private layer.
    Layered(OwnedFd),
}

impl Plan {
    /// What `root` asks for, together with what every root directory has.
    pub(crate) fn new(confined: &Confined, root: &Root) -> Result<Self, Failure> {
        let mount = |host: &Path, writable| {
            mounts::host(host, writable).map_err(|errno| Failure::step("mount", host, errno))
        };
        let ground = match root {
            Root::Host | Root::Empty | Root::Dir { access: Access::ReadOnly, .. } => Ground::Memory,
            Root::Dir { host, access: Access::ReadWrite } => {
                Ground::Host(mount(host, Writable::Yes)?)
            }
            Root::Dir { host, access: Access::Layered } => {
                Ground::Layered(mount(host, Writable::No)?)
            }
        };
        let mut plan = Plan { ground, items: Vec::new() };
        match root {
            Root::Host => plan.show_system()?,
            Root::Dir { host, access: Access::ReadOnly } => plan.show_entries(host)?,
            Root::Empty | Root::Dir { .. } => {}
        }
        plan.furnish(confined)?;
        Ok(plan)
    }

    /// Puts `item` at `path`.
    pub(crate) fn add(&mut self, path: impl Into<String>, item: Item) {
        self.items.push((path.into(), item));
    }

    fn show_system(&mut self) -> Result<(), Failure> {
        for name in SYSTEM {
            self.show(name, &Path::new("/").join(name))?;
        }
        if Path::new("/usr/local").is_dir() {
            let memory = Memory { mode: "0755", owner: None, bytes: Some(4096), inodes: Some(1) };
            let nothing = mounts::memory(&memory)
                .map_err(|errno| Failure::unavailable("mounting tmpfs", errno))?;
            kernel::set_mount(&nothing, libc::MOUNT_ATTR_RDONLY, false)
                .map_err(|errno| Failure::step("mount", "/usr/local", errno))?;
            self.add("usr/local", Item::Mount(nothing));
        }
        self.add("etc", Item::Directory);
        self.copy_etc(SYSTEM_ETC)
    }

    /// Every entry of `host` is mounted by itself, so that the mount points of the rest can lie beside them.
    fn show_entries(&mut self, host: &Path) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::step("read", host, error);
        for entry in fs::read_dir(host).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if !["dev", "proc", "tmp"].contains(&name) {
                self.show(name, &host.join(name))?;
            }
        }
        Ok(())
    }

    /// What every root has: `/dev`, `/proc`, `/tmp`, and the network's files where there is one.
    fn furnish(&mut self, confined: &Confined) -> Result<(), Failure> {
        let proc = mounts::proc().map_err(|errno| Failure::unavailable("mounting /proc", errno))?;
        self.add("proc", Item::Mount(proc));
        self.add("tmp", Item::Directory);
        self.add("dev/shm", Item::Directory);
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            let device =
                mounts::device(&path).map_err(|errno| Failure::step("mount", &path, errno))?;
            self.add(format!("dev/{name}"), Item::Mount(device));
        }
        let links =
            [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
        for (name, target) in links {
            self.add(format!("dev/{name}"), Item::Link(target.into()));
        }
        // Some container engines forbid it, and few commands need it.
        if let Ok(terminals) = mounts::terminals() {
            self.add("dev/pts", Item::Mount(terminals));
            self.add("dev/ptmx", Item::Link("pts/ptmx".into()));
        }
        match confined.network {
            Network::Host => self.copy_etc(NETWORK_ETC),
            Network::None => Ok(()),
        }
    }

    /// Shows `host` at `name`: links as links, all else mounted read only; nothing where nothing is.
    fn show(&mut self, name: &str, host: &Path) -> Result<(), Failure> {
        let Ok(metadata) = fs::symlink_metadata(host) else { return Ok(()) };
        let item = if metadata.is_symlink() {
            let target = fs::read_link(host).map_err(|error| Failure::step("read", host, error))?;
            Item::Link(target.into())
        } else {
            let mount = mounts::host(host, Writable::No)
                .map_err(|errno| Failure::step("mount", host, errno))?;
            Item::Mount(mount)
        };
        self.add(name, item);
        Ok(())
    }

    fn copy_etc(&mut self, names: &[&str]) -> Result<(), Failure> {
        names
            .iter()
            .try_for_each(|name| self.copy(&Path::new("/etc").join(name), &format!("etc/{name}")))
    }

    /// Copies `host` to `name`, directories with what they hold; nothing where nothing is.
    fn copy(&mut self, host: &Path, name: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::step("copy", host, error);
        let Ok(metadata) = fs::symlink_metadata(host) else { return Ok(()) };
        // The resolver's file is often a link to a place that a command does not see.
        if metadata.is_symlink() && !name.ends_with("resolv.conf") {
            let target = fs::read_link(host).map_err(failed)?;
            self.add(name, Item::Link(target.into()));
        } else if metadata.is_dir() {
            self.add(name, Item::Directory);
            // What the user may not read, no command may: private keys lie among certificates.
            let Ok(entries) = fs::read_dir(host) else { return Ok(()) };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Ok(child) = entry.file_name().into_string() else { continue };
                self.copy(&entry.path(), &format!("{name}/{child}"))?;
            }
        } else if let Ok(bytes) = fs::read(host) {
            self.add(name, Item::File(bytes, 0o644));
        }
        Ok(())
    }

    /// Builds it in a mount namespace of its own, and returns to the host's.
    pub(crate) fn build(self, confined: &Confined, layers: Layers<'_>) -> Result<View, Failure> {
        let (workshop, kept) = match layers {
            Layers::Memory(limits) => (scratch::memory(limits, "0755", None)?, None),
            Layers::Disk(dir) => {
                let mount = mounts::host(dir.path(), Writable::Yes)
                    .map_err(|errno| Failure::step("mount", dir.path(), errno))?;
                (mount, Some(dir))
            }
        };
        kernel::unshare(libc::CLONE_NEWNS)
            .map_err(|errno| Failure::unavailable("mount namespaces", errno))?;
        let assembled = self.assemble(confined, workshop);
        confined.host.enter().map_err(|errno| Failure::step("enter", "/", errno))?;
        assembled.map(|(ns, root)| View { ns, root, _layers: kept })
    }

    /// The finished mount namespace and its root directory.
    fn assemble(
        self,
        confined: &Confined,
        workshop: OwnedFd,
    ) -> Result<(OwnedFd, OwnedFd), Failure> {
        let mut workshop = Workshop::open(workshop)?;
        let read_only = matches!(self.ground, Ground::Memory);
        let ground = match self.ground {
            Ground::Memory => memory_root()?,
            Ground::Host(mount) => mount,
            Ground::Layered(lower) => workshop.layer(lower)?,
        };
        let mut items = Vec::with_capacity(self.items.len());
        for (path, item) in self.items {
            let item = match item {
                Item::Layered(lower) => Item::Mount(workshop.layer(lower)?),
                other => other,
            };
            items.push((path, item));
        }
        pivot(&ground)?;
        let mut place = Place::new(ground, confined.owner);
        for (path, item) in items {
            put(&mut place, &path, item).map_err(|errno| {
                Failure::step("create", PathBuf::from(format!("/{path}")), errno)
            })?;
        }
        if read_only {
            kernel::set_mount(place.root(), libc::MOUNT_ATTR_RDONLY, false)
                .map_err(|errno| Failure::step("mount", "/", errno))?;
        }
        Ok((mount_namespace(&confined.proc)?, open_root()?))
    }
}

/// A directory in which layers are put together; gone once the root directory has been changed.
struct Workshop {
    place: Place,
    count: usize,
}

impl Workshop {
    /// Makes `mount` this namespace's root directory.
    fn open(mount: OwnedFd) -> Result<Self, Failure> {
        pivot(&mount)?;
        Ok(Workshop { place: Place::new(mount, None), count: 0 })
    }

    /// `lower` with a private layer on top.
    fn layer(&mut self, lower: OwnedFd) -> Result<OwnedFd, Failure> {
        let base = format!("layer{}", self.count);
        self.count += 1;
        let failed = |errno: Errno| Failure::unavailable("layered file systems", errno);
        for part in ["lower", "upper", "work"] {
            self.place.directory(&format!("{base}/{part}")).map_err(failed)?;
        }
        mounts::attach(&lower, self.place.root(), &format!("{base}/lower")).map_err(failed)?;
        let at = |part: &str| Path::new("/").join(&base).join(part);
        mounts::layered(&at("lower"), &at("upper"), &at("work")).map_err(failed)
    }
}

fn memory_root() -> Result<OwnedFd, Failure> {
    let memory = Memory { mode: "0755", owner: None, bytes: None, inodes: None };
    mounts::memory(&memory).map_err(|errno| Failure::unavailable("mounting tmpfs", errno))
}

/// Makes `root` the root directory of this mount namespace, and lets go of the old one.
fn pivot(root: &OwnedFd) -> Result<(), Failure> {
    let failed = |errno: Errno| Failure::unavailable("changing the root directory", errno);
    mounts::attach(root, CWD, "/").map_err(failed)?;
    rustix::process::fchdir(root).map_err(failed)?;
    // Old root onto new root, then away with the upper one: no directory is needed for the old one.
    rustix::process::pivot_root(".", ".").map_err(failed)?;
    unmount(".", UnmountFlags::DETACH).map_err(failed)?;
    rustix::process::chdir("/").map_err(failed)
}

fn put(place: &mut Place, path: &str, item: Item) -> Result<(), Errno> {
    let absent_or_kept = |made: Result<(), Errno>| match made {
        // A root directory that brings its own keeps it.
        Err(Errno::EXIST) => Ok(()),
        other => other,
    };
    match item {
        Item::Directory => place.directory(path),
        Item::File(bytes, mode) => match place.file(path, mode) {
            Ok(file) => kernel::write_all(&file, &bytes),
            Err(errno) => absent_or_kept(Err(errno)),
        },
        Item::Link(target) => absent_or_kept(place.link(path, OsStr::as_bytes(&target))),
        Item::Mount(mount) | Item::Layered(mount) => {
            let stat = rustix::fs::fstat(&mount)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                place.directory(path)?;
            } else {
                absent_or_kept(place.file(path, 0o644).map(drop))?;
            }
            // Opened here and not by path, so that no link of the root directory decides where.
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
