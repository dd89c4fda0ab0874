//! The directories in which a wake process creates the groups of its commands.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::hierarchy::{Hierarchy, candidates};
use super::{GroupDirs, Version};

/// Where groups of commands are created, until this is dropped.
#[derive(Debug)]
pub(crate) struct GroupHome {
    version: Version,
    /// Those for memory first; one per hierarchy, because a process is in one group of each.
    homes: Vec<OwnGroup>,
    /// The one that counts processes.
    processes: Option<usize>,
    /// The one that bounds CPU time.
    processors: Option<usize>,
    groups: AtomicU64,
}

/// The prefix of wake's own directories; a random number follows.
const NAME: &str = "wake-";

impl GroupHome {
    /// Creates one in the system below `root`, usually `/`; the error says why that is not possible.
    ///
    /// Leftovers of killed processes beside it are removed.
    pub(crate) fn new(root: &Path) -> Result<Self, String> {
        let mut reason = None;
        for hierarchy in candidates(root) {
            match Self::within(&hierarchy, root) {
                Ok(home) => return Ok(home),
                Err(Some(why)) => _ = reason.get_or_insert(why),
                Err(None) => {}
            }
        }
        Err(reason.unwrap_or_else(|| "no control group accounts for memory".to_owned()))
    }

    /// The error is the reason, or none if memory is not accounted at all.
    fn within(hierarchy: &Hierarchy, root: &Path) -> Result<Self, Option<String>> {
        let Hierarchy { version, memory: place, processes, processors } = hierarchy;
        let refused = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| {
                Some(format!("cannot create a control group in `{path}`: {error}"))
            }
        };
        if *version == Version::V2 && !lists(&place.join(SUBTREE), "memory") {
            share_out(place, root)?;
        }
        let memory = OwnGroup::new(place).map_err(refused(place))?;
        let mut homes = vec![memory];
        let (processes, processors) = match version {
            Version::V1 => {
                let mut places = vec![place.clone()];
                // It is good to bound these as well, but not required: there are other, less exact ways.
                let mut beside = |place: &Option<PathBuf>| {
                    let place = place.as_ref()?;
                    if let Some(known) = places.iter().position(|known| known == place) {
                        return Some(known);
                    }
                    homes.push(OwnGroup::new(place).ok()?);
                    places.push(place.clone());
                    Some(homes.len() - 1)
                };
                (beside(processes), beside(processors))
            }
            Version::V2 => {
                let subtree = homes[0].path.join(SUBTREE);
                let counts = |controller: &str| fs::write(&subtree, format!("+{controller}"));
                counts("memory").map_err(refused(&homes[0].path))?;
                let counts = |controller: &str| counts(controller).is_ok().then_some(0);
                (counts("pids"), counts("cpu"))
            }
        };
        let groups = AtomicU64::new(0);
        Ok(GroupHome { version: *version, homes, processes, processors, groups })
    }

    /// Creates a group for one command; none if that is no longer possible.
    pub(crate) fn group(&self) -> Option<CommandGroup> {
        let name = self.groups.fetch_add(1, Ordering::Relaxed).to_string();
        let path = |home: usize| self.homes[home].path.join(&name);
        let dirs = GroupDirs {
            version: self.version,
            memory: path(0),
            processes: self.processes.map(path),
            processors: self.processors.map(path),
        };
        let group = CommandGroup(dirs);
        let made = group.0.all().into_iter().all(|dir| fs::create_dir(dir).is_ok());
        made.then_some(group)
    }

    /// Describes what is used.
    pub(crate) fn describe(&self) -> String {
        let version = match self.version {
            Version::V1 => "v1",
            Version::V2 => "v2",
        };
        let memory = &self.homes[0].path;
        let around = memory.parent().unwrap_or(memory);
        let mut counted = vec!["memory"];
        counted.extend(self.processes.map(|_| "processes"));
        counted.extend(self.processors.map(|_| "CPU time"));
        let counted = match counted.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("{} and {last}", others.join(", "))
            }
            _ => "memory".to_owned(),
        };
        format!("{version} for {counted}, in {}", around.display())
    }
}

/// The group of one command; removed on drop, when no process may be left in it.
#[derive(Debug)]
pub(crate) struct CommandGroup(GroupDirs);

impl CommandGroup {
    pub(crate) fn dirs(&self) -> &GroupDirs {
        &self.0
    }
}

impl Drop for CommandGroup {
    fn drop(&mut self) {
        for dir in self.0.all() {
            // A group that cannot be removed yet is removed with its parent.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// A directory of this wake process alone.
#[derive(Debug)]
struct OwnGroup {
    path: PathBuf,
    /// Locked as long as this process lives, so that no other one removes the directory.
    _lock: File,
}

impl OwnGroup {
    /// Creates one in the group `place`, and removes the leftovers of killed processes there.
    fn new(place: &Path) -> io::Result<Self> {
        sweep(place);
        loop {
            let path =
                place.join(format!("{NAME}{:016x}", RandomState::new().build_hasher().finish()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Until it is locked, a concurrent sweep may take it for a leftover.
            let Ok(lock) = File::open(&path) else { continue };
            let is_there = || Some(path.metadata().ok()?.ino() == lock.metadata().ok()?.ino());
            if lock.try_lock().is_ok() && is_there() == Some(true) {
                return Ok(OwnGroup { path, _lock: lock });
            }
        }
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the directories in `place` whose wake process is dead.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_own_name)
            && let Ok(left) = File::open(entry.path())
            && left.try_lock().is_ok()
        {
            remove(&entry.path());
        }
    }
}

fn is_own_name(name: &str) -> bool {
    let number = name.strip_prefix(NAME);
    number.is_some_and(|number| number.len() == 16 && u64::from_str_radix(number, 16).is_ok())
}

/// Removes a directory and the groups of commands in it, except where processes are left.
fn remove(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// The controllers enabled for child groups, in version 2.
const SUBTREE: &str = "cgroup.subtree_control";

/// Enables memory accounting for the children of `place`, if it contains only this process and its descendants: these
/// are first moved into a child group, as the kernel requires. The error is that of [`GroupHome::within`].
fn share_out(place: &Path, root: &Path) -> Result<(), Option<String>> {
    if !lists(&place.join("cgroup.controllers"), "memory") {
        return Err(None);
    }
    let inside = fs::read_to_string(place.join(PROCESSES)).map_err(|_| None)?;
    let inside: Vec<u32> = inside.lines().filter_map(|line| line.parse().ok()).collect();
    if inside.is_empty() || !inside.iter().all(|pid| descends(*pid, std::process::id(), root)) {
        return Err(Some(format!(
            "other processes are in the control group `{}`: start wake in a group of its own, for example with \
             `systemd-run --user --scope -p Delegate=yes wake build`",
            place.display()
        )));
    }
    let refused = |error: io::Error| {
        Some(format!("cannot create a control group in `{}`: {error}", place.display()))
    };
    let own = place.join("wake");
    match fs::create_dir(&own) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(refused)?,
    }
    for pid in inside {
        // A process that has ended meanwhile does not matter.
        let _ = fs::write(own.join(PROCESSES), pid.to_string());
    }
    let subtree = place.join(SUBTREE);
    fs::write(&subtree, "+memory").map_err(refused)?;
    for controller in ["+pids", "+cpu"] {
        // A controller that is unavailable here is not required.
        let _ = fs::write(&subtree, controller);
    }
    Ok(())
}

const PROCESSES: &str = "cgroup.procs";

/// Returns whether a file of words contains `word`.
fn lists(path: &Path, word: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.split_whitespace().any(|known| known == word))
}

/// Returns whether `pid` is `ancestor` or one of its descendants.
fn descends(pid: u32, ancestor: u32, root: &Path) -> bool {
    let mut at = pid;
    while at > 1 {
        if at == ancestor {
            return true;
        }
        let stat = fs::read_to_string(root.join(format!("proc/{at}/stat"))).unwrap_or_default();
        // The name may contain anything; the state and the parent come after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        at = parent.and_then(|parent| parent.parse().ok()).unwrap_or(0);
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, clippy::unwrap_used)]
    use super::*;

    /// A system with version 2, in which this process is in `/own`.
    struct System(tempfile::TempDir);

    impl System {
        fn new() -> Self {
            let system = System(tempfile::tempdir().unwrap());
            system.file("proc/self/cgroup", "0::/own\n");
            let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
            system.file("proc/self/mountinfo", mounts);
            system.file("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
            system.file("sys/fs/cgroup/cgroup.subtree_control", "cpu\n");
            system.file("sys/fs/cgroup/own/cgroup.controllers", "");
            system.file("sys/fs/cgroup/own/cgroup.subtree_control", "");
            system.file("sys/fs/cgroup/own/cgroup.procs", "");
            system
        }

        fn file(&self, path: &str, text: impl AsRef<[u8]>) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.0.path().join(path)).unwrap()
        }

        fn home(&self) -> Result<GroupHome, String> {
            let root = self.0.path().to_str().unwrap();
            GroupHome::new(self.0.path()).map_err(|why| why.replace(root, ""))
        }

        fn own_directories(&self, group: &str) -> Vec<String> {
            let entries = fs::read_dir(self.0.path().join(group)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| is_own_name(name)).collect()
        }
    }

    #[test]
    fn groups_are_created_in_a_parent_that_counts_memory() {
        let system = System::new();
        system.file("sys/fs/cgroup/cgroup.subtree_control", "cpu memory pids\n");
        let home = system.home().unwrap();
        let (first, second) = (home.group().unwrap(), home.group().unwrap());
        assert_ne!(first.dirs().memory, second.dirs().memory);
        assert_eq!(first.dirs().processes.as_ref(), Some(&first.dirs().memory));
        let [name] = &system.own_directories("sys/fs/cgroup")[..] else { panic!() };
        let around = system.0.path().join("sys/fs/cgroup").join(name);
        assert!(first.dirs().memory.starts_with(&around));
        let control = format!("sys/fs/cgroup/{name}/cgroup.subtree_control");
        // The kernel applies each write; a file keeps only the last one.
        assert_eq!(system.read(&control), "+cpu");
        assert_eq!(first.dirs().processors.as_ref(), Some(&first.dirs().memory));
    }

    #[test]
    fn an_own_group_is_divided() {
        let system = System::new();
        let (own, child) = (std::process::id(), 4_000_000);
        system.file("sys/fs/cgroup/own/cgroup.controllers", "memory pids\n");
        system.file("sys/fs/cgroup/own/cgroup.procs", format!("{own}\n{child}\n"));
        system.file(&format!("proc/{child}/stat"), format!("{child} (a ) b) S {own} 1 1"));
        let home = system.home().unwrap();
        assert_eq!(system.own_directories("sys/fs/cgroup/own").len(), 1);
        assert_eq!(system.read("sys/fs/cgroup/own/cgroup.subtree_control"), "+cpu");
        // The kernel applies each write; a file keeps only the last one.
        assert_eq!(system.read("sys/fs/cgroup/own/wake/cgroup.procs"), child.to_string());
        drop(home);
    }

    #[test]
    fn controllers_of_one_hierarchy_have_one_group() {
        let system = System(tempfile::tempdir().unwrap());
        system.file("proc/self/cgroup", "4:cpu,memory:/own\n3:pids:/own\n");
        system.file(
            "proc/self/mountinfo",
            "30 23 0:26 / /sys/fs/cgroup/both rw - cgroup cgroup rw,cpu,memory\n\
             31 23 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
        );
        for place in ["both/own", "pids/own"] {
            fs::create_dir_all(system.0.path().join("sys/fs/cgroup").join(place)).unwrap();
        }
        let home = system.home().unwrap();
        let group = home.group().unwrap();
        let dirs = group.dirs().clone();
        assert_eq!(dirs.processors.as_ref(), Some(&dirs.memory));
        assert_eq!(dirs.all(), [&dirs.memory, dirs.processes.as_ref().unwrap()]);
        assert_eq!(system.own_directories("sys/fs/cgroup/both/own").len(), 1);
        let said = home.describe();
        assert!(said.starts_with("v1 for memory, processes and CPU time, in "), "{said}");
        drop(group);
        assert!(dirs.all().iter().all(|dir| !dir.exists()));
    }

    #[test]
    fn a_group_with_other_processes_is_not_changed() {
        let system = System::new();
        system.file("sys/fs/cgroup/own/cgroup.controllers", "memory pids\n");
        system.file("sys/fs/cgroup/own/cgroup.procs", format!("{}\n1\n", std::process::id()));
        let expected = "other processes are in the control group `/sys/fs/cgroup/own`: start wake in a group of its own, for example with \
                        `systemd-run --user --scope -p Delegate=yes wake build`";
        assert_eq!(system.home().unwrap_err(), expected);
        assert!(!system.0.path().join("sys/fs/cgroup/own/wake").exists());
    }

    #[test]
    fn missing_memory_accounting_is_reported() {
        let system = System::new();
        let expected = "no control group accounts for memory";
        assert_eq!(system.home().unwrap_err(), expected);
        let none = System(tempfile::tempdir().unwrap());
        assert_eq!(none.home().unwrap_err(), expected);
    }

    #[test]
    fn a_group_is_removed_after_its_processes_end() {
        let home = match GroupHome::new(Path::new("/")) {
            Ok(home) => home,
            Err(why) => {
                return wake_tests::skip("a_group_is_removed_after_its_processes_end", &why);
            }
        };
        let group = home.group().unwrap();
        let dirs = group.dirs().clone();
        let mut inside = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(dirs.memory.join(PROCESSES), inside.id().to_string()).unwrap();
        drop(group);
        assert!(dirs.memory.exists(), "the group still has a process");
        inside.kill().unwrap();
        inside.wait().unwrap();
        let around = home.homes[0].path.clone();
        drop(home);
        assert!(!dirs.memory.exists() && !around.exists());
        assert!(!dirs.processes.is_some_and(|processes| processes.exists()));
    }

    #[test]
    fn only_groups_of_killed_processes_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let dir = |name: &str| place.path().join(name);
        for name in ["wake-0123456789abcdef/0", "wake-0123456789abcdef/1", "wake-other", "own"] {
            fs::create_dir_all(dir(name)).unwrap();
        }
        let living = OwnGroup::new(place.path()).unwrap();
        fs::create_dir(living.path.join("0")).unwrap();
        let next = OwnGroup::new(place.path()).unwrap();
        assert!(!dir("wake-0123456789abcdef").exists());
        for kept in [dir("wake-other"), dir("own"), living.path.join("0"), next.path.clone()] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let path = living.path.clone();
        drop(living);
        assert!(!path.exists());
    }
}
