//! A command's control group, as used by the worker that runs it.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use crate::groups::{GroupDirs, Version};
use crate::job::Limits;
use crate::wire::JobError;

/// A bounded group, which a command enters before it executes its program.
pub(crate) struct BoundGroup<'a> {
    dirs: &'a GroupDirs,
    /// A process that writes `0` into these enters the group.
    doors: Vec<OwnedFd>,
}

impl<'a> BoundGroup<'a> {
    /// Bounds the group: its memory limit is the command's, less the `held` bytes already held outside the group on its
    /// behalf.
    pub(crate) fn new(dirs: &'a GroupDirs, limits: &Limits, held: u64) -> Result<Self, JobError> {
        let set = |dir: &Path, name: &str, value: &str| {
            let path = dir.join(name);
            fs::write(&path, value).map_err(|error| JobError::step("write", path, error))
        };
        let bytes = limits.memory.map_or(u64::MAX, |limit| limit.saturating_sub(held));
        // The kernel treats larger numbers as no limit.
        let bytes = bytes.min(1 << 62).to_string();
        match dirs.version {
            Version::V1 => {
                set(&dirs.memory, "memory.limit_in_bytes", &bytes)?;
                // Only if the kernel accounts for swap.
                let _ = set(&dirs.memory, "memory.memsw.limit_in_bytes", &bytes);
            }
            Version::V2 => {
                set(&dirs.memory, "memory.max", &bytes)?;
                let _ = set(&dirs.memory, "memory.swap.max", "0");
                let _ = set(&dirs.memory, "memory.oom.group", "1");
            }
        }
        if let Some(processes) = &dirs.processes {
            set(processes, "pids.max", &limits.processes.to_string())?;
        }
        if let (Some(dir), Some(processors)) = (&dirs.processors, limits.processors) {
            let (quota, period) = share(processors);
            match dirs.version {
                Version::V1 => {
                    set(dir, "cpu.cfs_period_us", &period.to_string())?;
                    set(dir, "cpu.cfs_quota_us", &quota.to_string())?;
                }
                Version::V2 => set(dir, "cpu.max", &format!("{quota} {period}"))?,
            }
        }
        let open = |dir: &Path| {
            let path = dir.join("cgroup.procs");
            rustix::fs::openat(CWD, &path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| JobError::step("open", path, errno))
        };
        let doors = dirs.all().into_iter().map(|dir| open(dir));
        Ok(BoundGroup { dirs, doors: doors.collect::<Result<_, _>>()? })
    }

    /// Returns whether it bounds CPU time.
    pub(crate) fn bounds_processors(&self) -> bool {
        self.dirs.processors.is_some()
    }

    /// Returns the files into which a process writes `0` to enter the group.
    pub(crate) fn doors(&self) -> Vec<RawFd> {
        self.doors.iter().map(|door| door.as_raw_fd()).collect()
    }

    /// Returns how often the kernel has killed a process of the group because it was at its memory limit.
    pub(crate) fn kills(&self) -> u64 {
        let name = match self.dirs.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(self.dirs.memory.join(name)).unwrap_or_default();
        number(&text, "oom_kill").unwrap_or(0)
    }

    /// Returns the memory of the group that the kernel could not reclaim at once, in bytes: without page cache.
    pub(crate) fn held(&self) -> u64 {
        let stat = fs::read_to_string(self.dirs.memory.join("memory.stat")).unwrap_or_default();
        let names = match self.dirs.version {
            Version::V1 => ["total_rss", "total_shmem"],
            Version::V2 => ["anon", "shmem"],
        };
        names.iter().filter_map(|name| number(&stat, name)).sum()
    }

    /// Kills every process in the group.
    pub(crate) fn kill(&self) {
        let memory = &self.dirs.memory;
        if self.dirs.version == Version::V2 && fs::write(memory.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        let inside = fs::read_to_string(memory.join("cgroup.procs")).unwrap_or_default();
        for pid in inside.lines().filter_map(|line| line.parse().ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                // A process that has already exited is the desired result.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Returns the quota and the period, in microseconds, for a command limited to this many thousandths of a processor.
///
/// The kernel accepts no quota below a millisecond and no period above a second.
fn share(processors: u64) -> (u64, u64) {
    let period: u64 = if processors < 10 { 1_000_000 } else { 100_000 };
    ((processors.saturating_mul(period) / 1000).max(1000), period)
}

/// Returns the number after `name` in lines of names and numbers.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    rest.and_then(|rest| rest.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group(version: Version) -> (tempfile::TempDir, GroupDirs) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.procs"), "").unwrap();
        let memory = dir.path().to_owned();
        let processes = (version == Version::V2).then(|| memory.clone());
        let processors = Some(memory.clone());
        (dir, GroupDirs { version, memory, processes, processors })
    }

    fn limits() -> Limits {
        Limits { memory: Some(64 << 20), processes: 77, ..Limits::default() }
    }

    #[test]
    fn limits_are_written_in_version_2() {
        let (dir, dirs) = group(Version::V2);
        let bound = BoundGroup::new(&dirs, &limits(), 1 << 20).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("memory.max"), (63u64 << 20).to_string());
        assert_eq!((read("memory.swap.max"), read("memory.oom.group")), ("0".into(), "1".into()));
        assert_eq!(read("pids.max"), "77");
        assert_eq!(bound.doors().len(), 1);
    }

    #[test]
    fn cpu_time_is_limited_in_both_versions() {
        for (processors, quota, period) in
            [(1500, "150000", "100000"), (10, "1000", "100000"), (1, "1000", "1000000")]
        {
            let limits = Limits { processors: Some(processors), ..Limits::default() };
            let (dir, dirs) = group(Version::V1);
            BoundGroup::new(&dirs, &limits, 0).unwrap();
            let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
            assert_eq!((&*read("cpu.cfs_quota_us"), &*read("cpu.cfs_period_us")), (quota, period));
            let (dir, dirs) = group(Version::V2);
            BoundGroup::new(&dirs, &limits, 0).unwrap();
            let said = fs::read_to_string(dir.path().join("cpu.max")).unwrap();
            assert_eq!(said, format!("{quota} {period}"));
        }
    }

    #[test]
    fn the_limit_is_zero_if_others_hold_all_memory() {
        let (dir, dirs) = group(Version::V1);
        BoundGroup::new(&dirs, &limits(), 1 << 40).unwrap();
        let said = fs::read_to_string(dir.path().join("memory.limit_in_bytes")).unwrap();
        assert_eq!(said, "0");
    }

    #[test]
    fn the_kernels_kills_and_counts_are_read_in_both_versions() {
        let events = "low 0\nhigh 0\nmax 21\noom 1\noom_kill 1\noom_group_kill 0\n";
        let stat = "anon 4096\nfile 90000\nkernel 5\nshmem 8192\nanon_thp 7\n";
        let (dir, dirs) = group(Version::V2);
        let bound = BoundGroup::new(&dirs, &limits(), 0).unwrap();
        assert_eq!(bound.kills(), 0);
        fs::write(dir.path().join("memory.events"), events).unwrap();
        fs::write(dir.path().join("memory.stat"), stat).unwrap();
        assert_eq!((bound.kills(), bound.held()), (1, 12288));
        let (dir, dirs) = group(Version::V1);
        let bound = BoundGroup::new(&dirs, &limits(), 0).unwrap();
        let oom = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        fs::write(dir.path().join("memory.oom_control"), oom).unwrap();
        let stat = "rss 1\nshmem 2\ntotal_rss 100\ntotal_rss_huge 7\ntotal_shmem 11\n";
        fs::write(dir.path().join("memory.stat"), stat).unwrap();
        assert_eq!((bound.kills(), bound.held()), (2, 111));
    }
}
