//! What a root directory is given: the host's system, a directory's entries, and what every root has.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::Stat;

use super::confine::Confinement;
use super::kernel;
use super::mounts::{self, Memory, Writable};
use super::view::{RootItem, RootNeed, RootPlan};
use crate::defaults::{HOME, SYSTEM_DIRS, USER};
use crate::etc::{EtcEntry, system_etc, walk_etc};
use crate::job::{Identity, Network};
use crate::wire::JobError;

/// What else programs need of `/etc` that reach the network.
const NETWORK_ETC: &[&str] =
    &["hosts", "nsswitch.conf", "services", "protocols", "ssl", "pki", "ca-certificates"];

/// What of these must be the host's, whatever a root directory brings.
const NETWORK_OWN: &[&str] = &["resolv.conf", "hosts"];

const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

impl RootPlan {
    pub(crate) fn show_system(&mut self, confined: &Confinement) -> Result<(), JobError> {
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
        let shown = system_etc(Path::new("/"));
        self.copy_etc(&shown.map_err(|error| JobError::step("read", "/etc", error))?)?;
        for (name, text) in fixed_etc(confined) {
            self.add(format!("etc/{name}"), RootItem::File(text.into_bytes(), 0o644));
        }
        Ok(())
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
        self.add("tmp", RootItem::Directory);
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
                // It is often a link to a place that a command does not see.
                if let Ok(bytes) = fs::read("/etc/resolv.conf") {
                    self.add("etc/resolv.conf", RootItem::File(bytes, 0o644));
                }
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

    /// Copies what of `/etc` lies at `names`, directories with what they hold; nothing where nothing is.
    fn copy_etc(&mut self, names: &[impl AsRef<str>]) -> Result<(), JobError> {
        let mut add = |path: String, entry: EtcEntry, _: Option<&Stat>| {
            let item = match entry {
                EtcEntry::Hidden => return,
                EtcEntry::File(bytes) => RootItem::File(bytes, 0o644),
                EtcEntry::Link(target) => RootItem::Link(target.into()),
                EtcEntry::Dir => RootItem::Directory,
            };
            self.add(format!("etc/{path}"), item);
        };
        walk_etc(Path::new("/"), names, &mut add)
            .map_err(|error| JobError::step("copy", "/etc", error))
    }
}

/// Files of `/etc` that are the same on every machine: who the command is, and where `localhost` is.
fn fixed_etc(confined: &Confinement) -> Vec<(&'static str, String)> {
    let Identity { uid, gid, hostname } = &confined.identity;
    let mut files = vec![
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/bin/sh\n{USER}:x:{uid}:{gid}:{USER}:{HOME}:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
            ),
        ),
        ("group", format!("root:x:0:\n{USER}:x:{gid}:\nnogroup:x:65534:\n")),
    ];
    if confined.network == Network::None {
        let databases = ["passwd", "group", "shadow", "hosts", "networks", "services", "protocols"];
        let files_only = databases.map(|database| format!("{database}: files\n"));
        files.extend([
            ("hosts", format!("127.0.0.1 localhost {hostname}\n::1 localhost {hostname}\n")),
            ("nsswitch.conf", files_only.concat()),
            // A name may have addresses of both families.
            ("host.conf", "multi on\n".to_owned()),
        ]);
    }
    files
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
