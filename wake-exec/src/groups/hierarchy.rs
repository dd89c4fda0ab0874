//! The available control group hierarchies, and the position of this process in them.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::Version;

/// Where groups could be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    /// A group that accounts memory, or could: new groups are created in it.
    pub(crate) memory: PathBuf,
    /// The same for processes.
    pub(crate) processes: Option<PathBuf>,
    /// The same for CPU time.
    pub(crate) processors: Option<PathBuf>,
}

/// Returns the candidate places in the system below `root`, best first.
///
/// With version 2, these are the group of this process and its parent: a group that contains processes, as this
/// process's does, cannot have child groups that account memory, except at the root of the hierarchy.
pub(crate) fn candidates(root: &Path) -> Vec<Hierarchy> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let mounts: Vec<Mount> = text("proc/self/mountinfo").lines().filter_map(Mount::parse).collect();
    let own: Vec<OwnGroup> = text("proc/self/cgroup").lines().filter_map(OwnGroup::parse).collect();
    let at = |controller: Option<&str>| {
        let mount = mounts.iter().find(|mount| mount.has(controller))?;
        let own = own.iter().find(|own| own.has(controller))?;
        let below = own.path.strip_prefix(&mount.root).ok()?;
        let top = root.join(mount.point.strip_prefix("/").ok()?);
        Some((top.clone(), top.join(below)))
    };
    let mut found = Vec::new();
    if let Some((top, own)) = at(None) {
        let around = own.parent().filter(|around| around.starts_with(&top)).map(Path::to_owned);
        found.extend(std::iter::once(own).chain(around).map(|place| Hierarchy {
            version: Version::V2,
            processes: Some(place.clone()),
            processors: Some(place.clone()),
            memory: place,
        }));
    }
    if let Some((_, memory)) = at(Some("memory")) {
        let processes = at(Some("pids")).map(|(_, place)| place);
        let processors = at(Some("cpu")).map(|(_, place)| place);
        found.push(Hierarchy { version: Version::V1, memory, processes, processors });
    }
    found
}

/// A mount of a hierarchy.
struct Mount {
    /// Where it is mounted.
    point: PathBuf,
    /// The group of the hierarchy that appears there.
    root: PathBuf,
    /// The hierarchy's controllers; none with version 2, whose groups list theirs themselves.
    controllers: Option<Vec<String>>,
}

impl Mount {
    /// Parses a line of `mountinfo`. Source: proc(5).
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (unescaped(before.next()?), unescaped(before.next()?));
        let mut after = after.split(' ');
        let kind = after.next()?;
        let controllers = match kind {
            "cgroup2" => None,
            "cgroup" => Some(after.nth(1)?.split(',').map(str::to_owned).collect()),
            _ => return None,
        };
        Some(Mount { point, root, controllers })
    }

    fn has(&self, controller: Option<&str>) -> bool {
        match (&self.controllers, controller) {
            (None, None) => true,
            (Some(all), Some(one)) => all.iter().any(|known| known == one),
            _ => false,
        }
    }
}

/// Decodes a path from `mountinfo`, where some characters are written as octal escapes.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let number = || u8::from_str_radix(std::str::from_utf8(others.get(..3)?).ok()?, 8).ok();
        match number().filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[3..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// A group that this process is in.
struct OwnGroup {
    path: PathBuf,
    /// As in [`Mount`].
    controllers: Option<Vec<String>>,
}

impl OwnGroup {
    /// Parses a line of `/proc/self/cgroup`. Source: cgroups(7).
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers) = (fields.next()?, fields.next()?);
        let path = PathBuf::from(fields.next()?);
        // A group outside the part of the hierarchy that this process sees has such a path.
        if path.components().any(|part| part == std::path::Component::ParentDir) {
            return None;
        }
        let controllers = match controllers {
            "" if number == "0" => None,
            some => Some(some.split(',').map(str::to_owned).collect()),
        };
        Some(OwnGroup { path, controllers })
    }

    fn has(&self, controller: Option<&str>) -> bool {
        match (&self.controllers, controller) {
            (None, None) => true,
            (Some(all), Some(one)) => all.iter().any(|known| known == one),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(mountinfo: &str, own: &str) -> Vec<(Version, String, Option<String>)> {
        let system = tempfile::tempdir().unwrap();
        let root = system.path();
        fs::create_dir_all(root.join("proc/self")).unwrap();
        fs::write(root.join("proc/self/mountinfo"), mountinfo).unwrap();
        fs::write(root.join("proc/self/cgroup"), own).unwrap();
        let text = |path: PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let all = candidates(root).into_iter();
        all.map(|one| (one.version, text(one.memory), one.processes.map(text))).collect()
    }

    const UNIFIED: &str =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const MEMORY: &str = "35 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    const PIDS: &str = "36 31 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";

    #[test]
    fn version_2_offers_the_own_group_and_its_parent() {
        let own = "0::/user.slice/user-7.slice/run-5.scope\n";
        let (inner, outer) = (
            "sys/fs/cgroup/user.slice/user-7.slice/run-5.scope".to_owned(),
            "sys/fs/cgroup/user.slice/user-7.slice".to_owned(),
        );
        let expected =
            [(Version::V2, inner.clone(), Some(inner)), (Version::V2, outer.clone(), Some(outer))];
        assert_eq!(found(UNIFIED, own), expected);
    }

    #[test]
    fn the_top_group_has_no_parent() {
        let top = "sys/fs/cgroup".to_owned();
        let expected = [(Version::V2, top.clone(), Some(top))];
        assert_eq!(found(UNIFIED, "0::/\n"), expected);
    }

    #[test]
    fn version_1_has_a_directory_for_each_controller() {
        let own = "8:pids:/\n4:memory:/job/7\n1:name=systemd:/x\n";
        let memory = "sys/fs/cgroup/memory/job/7".to_owned();
        assert_eq!(
            found(&format!("{MEMORY}{PIDS}"), own),
            [(Version::V1, memory.clone(), Some("sys/fs/cgroup/pids".to_owned()))]
        );
        assert_eq!(found(MEMORY, own), [(Version::V1, memory, None)]);
        assert_eq!(found(PIDS, own), []);
    }

    #[test]
    fn cpu_time_is_limited_if_its_controller_exists() {
        let system = tempfile::tempdir().unwrap();
        let root = system.path();
        fs::create_dir_all(root.join("proc/self")).unwrap();
        let cpu = "37 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        fs::write(root.join("proc/self/mountinfo"), format!("{MEMORY}{cpu}")).unwrap();
        let place = |own: &str| {
            fs::write(root.join("proc/self/cgroup"), own).unwrap();
            candidates(root).remove(0).processors
        };
        let expected = root.join("sys/fs/cgroup/cpu/job/7");
        assert_eq!(place("4:memory:/\n3:cpu,cpuacct:/job/7\n"), Some(expected));
        assert_eq!(place("4:memory:/\n"), None);
    }

    #[test]
    fn part_of_a_hierarchy_mounted_elsewhere_is_found() {
        let mounts = "35 31 0:30 /box/3 /groups\\040here rw - cgroup cgroup rw,cpu,memory\n";
        let place = "groups here/inner".to_owned();
        assert_eq!(found(mounts, "4:cpu,memory:/box/3/inner\n"), [(Version::V1, place, None)]);
        assert_eq!(found(mounts, "4:cpu,memory:/elsewhere\n"), []);
        assert_eq!(found(mounts, "4:cpu,memory:/../other\n"), []);
    }
}
