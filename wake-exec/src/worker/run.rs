//! One job from beginning to end, inside the sandbox.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{CWD, Mode, OFlags};
use wake_model::RelPath;

use super::beside::MemoryDirs;
use super::changes::Layered;
use super::confine::Confinement;
use super::disk::DiskMeter;
use super::etc_copy::EtcCopy;
use super::group::BoundGroup;
use super::owners::Owners;
use super::place::DirWriter;
use super::populate::{self, Filling, PendingWork, Reach};
use super::scratch::{self, OwnDirectory, WorkDir, WorkForm};
use super::shared::SharedFiles;
use super::spawn::{Attachment, Starter, Walls};
use super::standing::{StandingRoot, StandingRoots, outside_work};
use super::supervise::Surroundings;
use super::tools::{OutputRoot, Tools};
use super::traces::Traces;
use super::view::{RootItem, RootLayers, RootPlan, RootView, SHOWN};
use super::watcher::Watcher;
use super::{memory, reap, weak};
use crate::clock;
use crate::etc::is_system;
use crate::finished::JobResult;
use crate::groups::GroupDirs;
use crate::job::{Access, Fidelity, Job, JobInput, JobRoot, Source, WorkPlace};
use crate::scheduling::Scheduling;
use crate::visit::Visit;
use crate::wire::JobError;

/// Runs jobs, one after another.
pub(crate) struct Runner {
    confined: Option<Confinement>,
    traces: Option<Traces>,
    standing: StandingRoots,
    watcher: Watcher,
    starter: Starter,
    pub(crate) buffer: Vec<u8>,
    shared: SharedFiles,
    /// The `/etc` of commands with the host's root directory.
    etc: Option<EtcCopy>,
    /// Whether files of the store can show through work directories, as far as is known.
    can_layer: bool,
    /// Standard input of commands that have none.
    nothing: OwnedFd,
}

/// The size of reads.
const BUFFER: usize = 128 << 10;

impl Runner {
    /// `scheduling` is that of commands, if known.
    pub(crate) fn new(
        confined: Option<Confinement>,
        scheduling: Option<Scheduling>,
    ) -> Result<Self, JobError> {
        let nothing = rustix::fs::openat(
            CWD,
            "/dev/null",
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY,
            Mode::empty(),
        )
        .map_err(|errno| JobError::step("open", "/dev/null", errno))?;
        Ok(Runner {
            traces: confined.as_ref().map(Traces::new),
            confined,
            standing: StandingRoots::default(),
            watcher: Watcher::default(),
            starter: Starter::new(scheduling),
            buffer: vec![0; BUFFER],
            shared: SharedFiles::default(),
            etc: None,
            can_layer: true,
            nothing,
        })
    }

    /// Runs `job`, or `visit` in its place, in the control group `group`; `control` may request a stop.
    pub(crate) fn run(
        &mut self,
        job: &Job,
        group: Option<&GroupDirs>,
        visit: Option<&Visit>,
        control: &UnixStream,
    ) -> Result<JobResult, JobError> {
        if self.confined.is_none() {
            let mut tools = Tools {
                control,
                starter: &mut self.starter,
                buffer: &mut self.buffer,
                nothing: &self.nothing,
            };
            return weak::run(job, group, visit, &mut tools, &mut self.shared);
        }
        self.run_confined(job, group, visit, control)
    }

    /// Removes what the last command may have left, after its result has been sent.
    pub(crate) fn tidy(&mut self) -> Result<(), JobError> {
        self.standing.tidy();
        match (&self.traces, &self.confined) {
            (Some(traces), Some(confined)) => traces.remove(confined).map_err(traced),
            _ => Ok(()),
        }
    }

    fn run_confined(
        &mut self,
        job: &Job,
        group: Option<&GroupDirs>,
        visit: Option<&Visit>,
        control: &UnixStream,
    ) -> Result<JobResult, JobError> {
        let start = clock::instant();
        let Some(confined) = &self.confined else {
            return Err(JobError::bad_job("", "needs a confined worker"));
        };
        // Before the command's own mounts, so that its mount list has a fixed order. If anything fails, the state of
        // the root directory is unknown, and it is not returned for reuse.
        let mut stand = match self.standing.take(job) {
            Some(stand) => stand,
            None => StandingRoot::new(build_view(confined, job, &mut self.etc)?),
        };
        let work = work_directory(
            confined,
            job,
            &mut stand,
            &mut self.can_layer,
            &mut self.buffer,
            &mut self.shared,
        )?;
        let fresh = match &stand.beside {
            Some(beside) if beside.are_as_new(job, &mut self.watcher) => None,
            _ => Some(MemoryDirs::new(confined, job, &mut self.watcher)?),
        };
        let base = job.work.as_ref().map_or("", RelPath::as_str);
        let mut own: Vec<Attachment<'_>> = Vec::with_capacity(4);
        if let Some(shown) = work.shown() {
            own.push(Attachment::Mount(absolute(base, "")?, shown));
        }
        let beside = fresh.iter().flat_map(MemoryDirs::places);
        own.extend(beside.map(|(at, mount)| Attachment::Mount(at, mount)));
        let places: Vec<CString> = own.iter().map(|attachment| attachment.at().clone()).collect();
        let past = stand.past(&places);
        let beside = fresh.as_ref().or(stand.beside.as_ref());
        let in_memory = work.dir.iter().map(|dir| dir.mount.as_fd());
        let in_memory: Vec<BorrowedFd<'_>> =
            in_memory.chain(beside.into_iter().flat_map(MemoryDirs::mounts)).collect();
        if holds_foreign(job) {
            own.push(Attachment::ReadOnly(absolute(base, FOREIGN)?));
        }
        for (path, mount) in &work.pending.mounts {
            own.push(Attachment::Mount(absolute(base, path)?, mount.as_fd()));
        }
        let owner = confined.owner;
        let inside = confined.inside.as_ref();
        let walls = Walls { view: &stand.view.ns, past: &past, attachments: &own, owner, inside };
        let proc = &confined.proc;
        let mut tools = Tools {
            control,
            starter: &mut self.starter,
            buffer: &mut self.buffer,
            nothing: &self.nothing,
        };
        let setup = start.elapsed();
        let start = tools.turn()?;
        let used = || memory::used(proc, &in_memory);
        let uses = Some(&confined.uses);
        let disk = on_disk(job, &work, &stand);
        let disk = disk
            .map(|roots| DiskMeter::new(&roots, &job.limits, deleted_on_disk(proc, beside)?))
            .transpose()?;
        let disk = disk.map(RefCell::new);
        let disk = disk.as_ref();
        let group = group.map(|group| {
            // The part used by inputs was written by this process.
            BoundGroup::new(group, &job.limits, memory::in_files(&in_memory))
        });
        let group = group.transpose()?;
        let (group, clear) = (group.as_ref(), &reap::all_inside);
        let around = Surroundings { memory: &used, group, clear, uses, disk };
        let ended = match visit {
            None => tools.command(job, &job.command, Some(walls), around)?,
            Some(visit) => tools.visit(job, &job.command, visit, Some(walls), around)?,
        };
        let owners = confined.disk_owners.as_ref();
        let root = match (work.shown(), &job.root, &stand.view.own_layer) {
            (_, JobRoot::Dir { host, .. }, Some((layer, before)))
                if job.outputs.fidelity == Fidelity::Changes =>
            {
                let (layer, into) = (layer.as_fd(), job.outputs.into.as_path());
                let (lower, limit) = (host.as_path(), job.limits.disk);
                OutputRoot::Layer(Layered { layer, lower, before, owners, into, limit })
            }
            (Some(shown), _, _) => OutputRoot::Work(shown),
            (None, _, _) => OutputRoot::Root(stand.view.root.as_fd(), owners),
        };
        let finished = tools.finish(job, ended, &root, setup, start)?;
        let held = memory::in_files(&in_memory);
        drop((own, in_memory));
        stand.served(places, fresh, held);
        self.standing.give_back(job, stand);
        Ok(finished)
    }
}

/// Builds the root directory that `job` requests.
fn build_view(
    confined: &Confinement,
    job: &Job,
    etc: &mut Option<EtcCopy>,
) -> Result<RootView, JobError> {
    let is_layered = matches!(job.root, JobRoot::Dir { access: Access::Layered, .. });
    match &job.scratch {
        WorkPlace::Disk(parent) if !StandingRoots::can_have(job) => {
            let on_disk = RootLayers::Disk(OwnDirectory::below(parent)?);
            match root_plan(confined, job, etc)?.build(confined, on_disk, job.made_at) {
                // Not every file system of a host can hold a layer: memory can.
                Err(JobError::Unavailable { .. }) if is_layered => {}
                built => return built,
            }
        }
        _ => {}
    }
    let in_memory = RootLayers::Memory(&job.limits);
    root_plan(confined, job, etc)?.build(confined, in_memory, job.made_at)
}

/// Returns what the root directory of `job` consists of.
fn root_plan(
    confined: &Confinement,
    job: &Job,
    etc: &mut Option<EtcCopy>,
) -> Result<RootPlan, JobError> {
    let mut plan = RootPlan::new(confined, &job.root, etc)?;
    if let Some(work) = &job.work {
        plan.add(work.as_str(), RootItem::Directory);
        if plan.is_layered() {
            // What is written there is not part of any result.
            plan.add("tmp", RootItem::Directory);
        }
    }
    for device in &job.devices {
        plan.show_device(device)?;
    }
    for (path, source) in outside_work(job) {
        plan.add(path.as_str(), item(path, source, &confined.owners)?);
    }
    Ok(plan)
}

/// A work directory with its inputs.
#[derive(Default)]
struct Work {
    /// None if the root directory itself is written to.
    dir: Option<WorkDir>,
    /// The mount that the command sees, if other directories show through it.
    layered: Option<OwnedFd>,
    pending: PendingWork,
}

impl Work {
    /// Returns the mount that the command sees.
    fn shown(&self) -> Option<BorrowedFd<'_>> {
        let dir = self.dir.as_ref().map(|dir| dir.mount.as_fd());
        self.layered.as_ref().map(|layered| layered.as_fd()).or(dir)
    }
}

/// Creates the work directory of `job`; `can_layer` says whether files of the store can show through it, and is cleared
/// if that turns out to be unsupported.
fn work_directory(
    confined: &Confinement,
    job: &Job,
    stand: &mut StandingRoot,
    can_layer: &mut bool,
    buffer: &mut [u8],
    shared: &mut SharedFiles,
) -> Result<Work, JobError> {
    let Some(at) = &job.work else { return Ok(Work::default()) };
    let mut filled = |form: WorkForm, reach: Reach| {
        let dir = scratch::work(job, confined.owner, form)?;
        // Files of others are read-only: nothing new may appear beside them either.
        let place = DirWriter::new(dir.place(), confined.owner).unreachable().sealing(FOREIGN);
        let mut filling = Filling::new(place, reach, buffer, shared);
        for input in &job.inputs {
            if let Some(path) = input.path.strip(at) {
                filling.put(path.as_str(), &input.source)?;
            }
        }
        for layer in &job.layers {
            filling.put_layer(layer)?;
        }
        let pending = filling.finish()?;
        Ok((dir, pending))
    };
    if *can_layer && !job.layers.is_empty() {
        let (dir, pending) = filled(WorkForm::Upper, Reach::Layers)?;
        let StandingRoot { view, layers, .. } = stand;
        match layers.show_through(confined, view, &dir.mount, &pending.below)? {
            Ok(shown) => return Ok(Work { dir: Some(dir), layered: Some(shown), pending }),
            // Copies make no difference to a command.
            Err(_) => *can_layer = false,
        }
    }
    let (dir, pending) = filled(WorkForm::Whole, Reach::Mounts)?;
    Ok(Work { dir: Some(dir), layered: None, pending })
}

/// Returns the directories on disk that the command writes to; none if all of them are in memory.
fn on_disk<'a>(job: &Job, work: &'a Work, stand: &'a StandingRoot) -> Option<Vec<BorrowedFd<'a>>> {
    let dir = work.dir.iter().map(|dir| dir.mount.as_fd());
    let on_disk = dir.chain(stand.view.layers.iter().map(|layers| layers.as_fd()));
    let on_disk: Vec<BorrowedFd<'a>> = on_disk.collect();
    (matches!(job.scratch, WorkPlace::Disk(_)) && !on_disk.is_empty()).then_some(on_disk)
}

/// Returns a function that computes the size of open files on disk that no longer have a name.
fn deleted_on_disk(
    proc: &OwnedFd,
    beside: Option<&MemoryDirs>,
) -> Result<Box<dyn Fn() -> u64>, JobError> {
    let failed = |errno| JobError::step("open", "/proc", errno);
    let proc = rustix::io::fcntl_dupfd_cloexec(proc, 0).map_err(failed)?;
    let in_memory = beside.into_iter().flat_map(MemoryDirs::mounts);
    let devices = in_memory.map(|mount| rustix::fs::fstat(mount).map(|stat| stat.st_dev));
    let devices = devices.collect::<Result<Vec<u64>, _>>().map_err(failed)?;
    Ok(Box::new(move || memory::in_deleted_files(proc.as_fd(), &devices)))
}

/// Returns whether the work directory contains files of other packages and modules.
fn holds_foreign(job: &Job) -> bool {
    let Some(at) = &job.work else { return false };
    let foreign = at.join(&RelPath::parse(FOREIGN).unwrap_or_default());
    let is_foreign = |input: &JobInput| {
        !matches!(input.source, Source::Bytes { .. }) && input.path.starts_with(&foreign)
    };
    job.inputs.iter().any(is_foreign)
}

fn traced(errno: rustix::io::Errno) -> JobError {
    JobError::step("clean", "namespaces", errno)
}

/// The directory in the work directory with the files of other packages and modules.
const FOREIGN: &str = ".wake";

/// Converts an input outside the work directory to an item of the root directory.
fn item(path: &RelPath, source: &Source, owners: &Owners) -> Result<RootItem, JobError> {
    use super::mounts::{self, Writable};
    match source {
        Source::Bytes { bytes, executable } => {
            Ok(RootItem::File(bytes.clone(), populate::mode(*executable)))
        }
        Source::Link { target } => Ok(RootItem::Link(target.into())),
        Source::Dir if path.as_str() == "tmp" => Ok(RootItem::Shared),
        Source::Dir => Ok(RootItem::Own),
        Source::Mount { host, access } => {
            let writable = match access {
                Access::ReadOnly | Access::Layered => Writable::No,
                Access::ReadWrite => Writable::Yes,
            };
            // System files that only root may read are not for commands, whatever their user ID.
            let mount = match *access == Access::ReadOnly && is_system(host) {
                true => mounts::host(host, writable),
                false => mounts::host_as_owned(host, writable, owners),
            };
            let mount = mount.map_err(|errno| JobError::step("mount", host, errno))?;
            Ok(if *access == Access::Layered {
                RootItem::Layered(mount)
            } else {
                RootItem::Mount(mount)
            })
        }
        Source::File { .. } => {
            let reason = "is a single file outside the work directory and can only be mounted";
            Err(JobError::bad_job(path.as_str(), reason))
        }
    }
}

/// Converts a path below the root directory to one in the mount namespace.
fn absolute(base: &str, path: &str) -> Result<CString, JobError> {
    let mut text = SHOWN.to_bytes().to_vec();
    for part in [base, path].into_iter().filter(|part| !part.is_empty()) {
        text.push(b'/');
        text.extend_from_slice(part.as_bytes());
    }
    CString::new(text).map_err(|_| JobError::bad_job(path, "contains a NUL character"))
}
