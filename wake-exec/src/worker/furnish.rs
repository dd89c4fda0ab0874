//! The contents of a root directory: the host's system, a directory's entries, and what every root has.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Stat;

use super::kernel;
use super::mounts::{self, Memory, Writable};
use super::view::{RootItem, RootNeed, RootPlan};
use crate::defaults::SYSTEM_DIRS;
use crate::etc::{Descend, EtcEntry, NETWORK_ETC, resolver, walk_etc};
use crate::job::Network;
use crate::wire::JobError;

/// Those that must be the host's, whatever the root directory contains.
const NETWORK_OWN: &[&str] = &["resolv.conf", "hosts"];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

impl RootPlan {
    /// Adds the host's system directories, with `etc` as its `/etc`.
    pub(crate) fn show_system(&mut self, etc: OwnedFd) -> Result<(), JobError> {
        for name in SYSTEM_DIRS {
            self.show(name, &Path::new("/").join(name))?;
        }
        if Path::new("/usr/local").is_dir() {
            let memory = Memory { mode: "0755", owner: None, bytes: Some(4096), inodes: Some(1) };
            let nothing = mounts::memory(&memory)
                .map_err(|errno| JobError::unavailable("mounting tmpfs", errno))?;
            kernel::set_mount(&nothing, libc::MOUNT_ATTR_RDONLY, false)
                .map_err(|errno| JobError::step("mount", "/usr/local", errno))?;
            self.add("usr/local", RootItem::Mount(nothing));
        }
        self.add("etc", RootItem::Mount(etc));
        Ok(())
    }

    /// Mounts every entry of `host` separately, so that the mount points of everything else can be beside them.
    pub(crate) fn show_entries(&mut self, host: &Path, network: Network) -> Result<(), JobError> {
        for name in names(host)? {
            let path = host.join(&name);
            let open = name == "etc" && network == Network::Host && !path.is_symlink();
            if open && path.is_dir() {
                self.add("etc", RootItem::Directory);
                for below in names(&path)? {
                    if !NETWORK_OWN.contains(&below.as_str()) {
                        self.show(&format!("etc/{below}"), &path.join(&below))?;
                    }
                }
            } else if !["dev", "proc", "tmp"].contains(&name.as_str()) {
                self.show(&name, &path)?;
            }
        }
        Ok(())
    }

    /// Adds what every root has: `/dev`, `/proc` and `/tmp`.
    pub(crate) fn furnish(&mut self) -> Result<(), JobError> {
        let proc =
            mounts::proc().map_err(|errno| JobError::unavailable("mounting /proc", errno))?;
        self.add("proc", RootItem::Mount(proc));
        // A private root has what its job declares.
        if !self.is_layered() {
            self.add("tmp", RootItem::Directory);
        }
        self.add("dev/shm", RootItem::Directory);
        for name in DEVICES {
            self.show_device(&Path::new("/dev").join(name))?;
        }
        let links =
            [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
        for (name, target) in links {
            self.add(format!("dev/{name}"), RootItem::Link(target.into()));
        }
        // Some container engines forbid it, and few commands need it.
        if let Ok(terminals) = mounts::terminals() {
            self.add("dev/pts", RootItem::Mount(terminals));
            self.add("dev/ptmx", RootItem::Link("pts/ptmx".into()));
        }
        Ok(())
    }

    /// Adds a device of the host, at its own path.
    pub(crate) fn show_device(&mut self, path: &Path) -> Result<(), JobError> {
        let device = mounts::device(path).map_err(|errno| JobError::step("mount", path, errno))?;
        let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy().into_owned();
        self.add(name, RootItem::Mount(device));
        Ok(())
    }

    /// Adds what programs with network access need in `/etc`, except where the root directory has its own.
    pub(crate) fn show_network(&mut self) -> Result<(), JobError> {
        let own = self.items.len();
        self.add("etc", RootItem::Directory);
        if let Some(bytes) = resolver() {
            self.add("etc/resolv.conf", RootItem::File(bytes, 0o644));
        }
        self.copy_etc(NETWORK_ETC)?;
        self.items[own..].iter_mut().for_each(|(_, _, need)| *need = RootNeed::IfRoom);
        Ok(())
    }

    /// Shows `host` at `name`: links as links, everything else mounted read-only; nothing if it does not exist.
    fn show(&mut self, name: &str, host: &Path) -> Result<(), JobError> {
        let Ok(metadata) = fs::symlink_metadata(host) else { return Ok(()) };
        let item = if metadata.is_symlink() {
            let target =
                fs::read_link(host).map_err(|error| JobError::step("read", host, error))?;
            RootItem::Link(target.into())
        } else {
            let mount = mounts::host(host, Writable::No)
                .map_err(|errno| JobError::step("mount", host, errno))?;
            RootItem::Mount(mount)
        };
        self.add(name, item);
        Ok(())
    }

    /// Copies what `/etc` has at `names`, directories with their contents; nothing if they do not exist.
    fn copy_etc(&mut self, names: &[impl AsRef<str>]) -> Result<(), JobError> {
        let mut add = |path: String, entry: EtcEntry, _: Option<&Stat>| {
            let item = match entry {
                EtcEntry::Hidden => return Descend::No,
                EtcEntry::File(bytes) => RootItem::File(bytes, 0o644),
                EtcEntry::Link(target) => RootItem::Link(target.into()),
                EtcEntry::Dir => RootItem::Directory,
            };
            self.add(format!("etc/{path}"), item);
            Descend::Yes
        };
        walk_etc(Path::new("/"), names, &mut add)
            .map_err(|error| JobError::step("copy", "/etc", error))
    }
}

/// Returns the names in a directory that are UTF-8, sorted.
fn names(dir: &Path) -> Result<Vec<String>, JobError> {
    let failed = |error: io::Error| JobError::step("read", dir, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
