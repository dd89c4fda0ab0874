//! Runs commands without confinement: by convention only, where the kernel provides none and the user asked for it.
//!
//! A private directory, a clean environment, no inherited descriptors, limits, and the termination of every process
//! that does not hide. A command can still read and write whatever its user can.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::Signal;
use wake_model::RelPath;

use super::disk::DiskMeter;
use super::group::BoundGroup;
use super::kernel::{self, Wait};
use super::place::DirWriter;
use super::populate::{Filling, Reach};
use super::scratch::{self, OwnDirectory};
use super::shared::SharedFiles;
use super::supervise::Surroundings;
use super::tools::{OutputRoot, Tools};
use crate::clock;
use crate::defaults::{DEFAULT_ENV, HOME, REPORT_VARIABLE};
use crate::finished::JobResult;
use crate::groups::GroupDirs;
use crate::job::{Command, Job, JobRoot, WorkPlace};
use crate::visit::Visit;
use crate::wire::JobError;

/// Makes this process a subreaper, which inherits its orphans.
///
/// Programs that gain privileges when executed do so here: a container engine maps its caller's users through one,
/// `newuidmap`.
pub(crate) fn prepare() -> Result<(), JobError> {
    let failed = |errno| JobError::step("prepare", "worker process", errno);
    let myself = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(myself)).map_err(failed)?;
    kernel::default_signals();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Runs `job`, or `visit` in its place, in a private directory.
pub(crate) fn run(
    job: &Job,
    group: Option<&GroupDirs>,
    visit: Option<&Visit>,
    tools: &mut Tools<'_>,
    shared: &mut SharedFiles,
) -> Result<JobResult, JobError> {
    let start = clock::instant();
    if job.root != JobRoot::Host {
        return Err(JobError::bad_job("/", "must be the host's in the weak sandbox"));
    }
    let Some(at) = &job.work else {
        return Err(JobError::bad_job("/", "cannot be the work directory in the weak sandbox"));
    };
    let own = match &job.scratch {
        WorkPlace::Disk(parent) => OwnDirectory::below(parent)?,
        WorkPlace::Memory => OwnDirectory::new(beside(&job.outputs.into))?,
    };
    let work = own.part("work", None)?;
    for name in ["tmp", "tmp/home"] {
        own.part(name, None)?;
    }
    populate_work(job, at, &work, tools.buffer, shared)?;
    let command = translated(&job.command, at, own.path());
    let visit = visit.map(|visit| Visit {
        commands: visit.commands.iter().map(|one| translated(one, at, own.path())).collect(),
        ..visit.clone()
    });
    let setup = start.elapsed();
    let start = tools.turn()?;
    let opened = scratch::open(&work)?;
    let on_disk = matches!(job.scratch, WorkPlace::Disk(_)).then_some(opened.as_fd());
    let unknown = || Box::new(|| 0);
    let disk = on_disk.map(|work| DiskMeter::new(&[work], &job.limits, unknown())).transpose()?;
    let disk = disk.map(RefCell::new);
    let group = group.map(|group| BoundGroup::new(group, &job.limits, 0)).transpose()?;
    let (group, disk) = (group.as_ref(), disk.as_ref());
    let clear = || {
        if let Some(group) = group {
            group.kill();
        }
        clear()
    };
    let around = Surroundings { memory: &|| 0, group, clear: &clear, uses: None, disk };
    let ended = match &visit {
        None => tools.command(job, &command, None, around)?,
        Some(visit) => tools.visit(job, &command, visit, None, around)?,
    };
    tools.finish(job, ended, &OutputRoot::Work(opened.as_fd()), setup, start)
}

fn beside(into: &Path) -> PathBuf {
    let mut name = into.as_os_str().to_owned();
    name.push(".work");
    name.into()
}

fn populate_work(
    job: &Job,
    at: &RelPath,
    work: &Path,
    buffer: &mut [u8],
    shared: &mut SharedFiles,
) -> Result<(), JobError> {
    let root: OwnedFd = scratch::open(work)?;
    let place = DirWriter::new(root.as_fd(), None);
    let mut filling = Filling::new(place, Reach::Links, buffer, shared);
    for input in &job.inputs {
        let Some(path) = input.path.strip(at) else {
            let reason = "must be in the work directory in the weak sandbox";
            return Err(JobError::bad_job(input.path.as_str(), reason));
        };
        filling.put(path.as_str(), &input.source)?;
    }
    for layer in &job.layers {
        filling.put_layer(layer)?;
    }
    filling.finish().map(drop)
}

/// Returns the command with the fixed paths of the strict sandbox replaced by the real ones.
fn translated(command: &Command, at: &RelPath, own: &Path) -> Command {
    let mut command = command.clone();
    let below = |path: &Path| path.to_string_lossy().into_owned();
    let work = format!("/{at}");
    if let Some(rest) = command.cwd.strip_prefix(&work)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        command.cwd = format!("{}{rest}", below(&own.join("work")));
    }
    for (name, value) in &mut command.env {
        if name == REPORT_VARIABLE
            && let Some(rest) = value.strip_prefix(&format!("{work}/"))
        {
            *value = below(&own.join("work").join(rest));
        }
        if !DEFAULT_ENV.contains(&(name, value)) {
            continue;
        }
        match name.as_str() {
            "HOME" => *value = below(&own.join(&HOME[1..])),
            "TMPDIR" => *value = below(&own.join("tmp")),
            _ => {}
        }
    }
    command
}

/// Kills and reaps this process's descendants until none is left that it may kill: a process that has changed its user
/// is out of reach.
fn clear() -> Result<(), Errno> {
    loop {
        let is_left = |pid: &&i32| {
            let pid = rustix::process::Pid::from_raw(**pid);
            // A process that has already exited is the desired result.
            let killed = pid.map(|pid| rustix::process::kill_process(pid, Signal::KILL));
            killed != Some(Err(Errno::PERM))
        };
        let left = descendants().iter().filter(is_left).count();
        while kernel::reap_one(-1, Wait::Poll)?.is_some() {}
        if left == 0 {
            return Ok(());
        }
    }
}

/// Returns the IDs of all descendants of this process.
fn descendants() -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut open = vec![i32::try_from(std::process::id()).unwrap_or_default()];
    while let Some(pid) = open.pop() {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let children = text.split_whitespace().filter_map(|word| word.parse().ok());
        open.extend(children.filter(|child| found.insert(*child)));
    }
    found
}
