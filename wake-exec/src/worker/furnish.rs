//! What a root directory is given: the host's system, a directory's entries, and what every root has.

use std::fs;
use std::io;
use std::path::Path;

use super::confine::Confinement;
use super::kernel;
use super::mounts::{self, Memory, Writable};
use super::view::{RootItem, RootNeed, RootPlan};
use crate::defaults::{SYSTEM_DIRS, SYSTEM_ETC};
use crate::job::Network;
use crate::wire::JobError;

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

/// What of these must be the host's, whatever a root directory brings.
const NETWORK_OWN: &[&str] = &["resolv.conf", "hosts"];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

impl RootPlan {
    pub(crate) fn show_system(&mut self) -> Result<(), JobError> {
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
        self.add("etc", RootItem::Directory);
        self.copy_etc(SYSTEM_ETC)
    }

    /// Every entry of `host` is mounted by itself, so that the mount points of the rest can lie beside them.
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

    /// What every root has: `/dev`, `/proc`, `/tmp`, and the network's files where there is one.
    pub(crate) fn furnish(&mut self, confined: &Confinement) -> Result<(), JobError> {
        let proc =
            mounts::proc().map_err(|errno| JobError::unavailable("mounting /proc", errno))?;
        self.add("proc", RootItem::Mount(proc));
        // A root of the command's own has what its job says.
        if !self.is_layered() {
            self.add("tmp", RootItem::Directory);
        }
        self.add("dev/shm", RootItem::Directory);
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            let device =
                mounts::device(&path).map_err(|errno| JobError::step("mount", &path, errno))?;
            self.add(format!("dev/{name}"), RootItem::Mount(device));
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
        match confined.network {
            Network::Host => {
                let own = self.items.len();
                self.add("etc", RootItem::Directory);
                self.copy_etc(NETWORK_ETC)?;
                self.items[own..].iter_mut().for_each(|(_, _, need)| *need = RootNeed::IfRoom);
                Ok(())
            }
            Network::None => Ok(()),
        }
    }

    /// Shows `host` at `name`: links as links, all else mounted read only; nothing where nothing is.
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

    fn copy_etc(&mut self, names: &[&str]) -> Result<(), JobError> {
        names
            .iter()
            .try_for_each(|name| self.copy(&Path::new("/etc").join(name), &format!("etc/{name}")))
    }

    /// Copies `host` to `name`, directories with what they hold; nothing where nothing is.
    fn copy(&mut self, host: &Path, name: &str) -> Result<(), JobError> {
        let failed = |error: io::Error| JobError::step("copy", host, error);
        let Ok(metadata) = fs::symlink_metadata(host) else { return Ok(()) };
        // The resolver's file is often a link to a place that a command does not see.
        if metadata.is_symlink() && !name.ends_with("resolv.conf") {
            let target = fs::read_link(host).map_err(failed)?;
            self.add(name, RootItem::Link(target.into()));
        } else if metadata.is_dir() {
            self.add(name, RootItem::Directory);
            // What the user may not read, no command may: private keys lie among certificates.
            let Ok(entries) = fs::read_dir(host) else { return Ok(()) };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Ok(child) = entry.file_name().into_string() else { continue };
                self.copy(&entry.path(), &format!("{name}/{child}"))?;
            }
        } else if let Ok(bytes) = fs::read(host) {
            self.add(name, RootItem::File(bytes, 0o644));
        }
        Ok(())
    }
}

/// The names in a directory that are UTF-8, sorted.
fn names(dir: &Path) -> Result<Vec<String>, JobError> {
    let failed = |error: io::Error| JobError::step("read", dir, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
