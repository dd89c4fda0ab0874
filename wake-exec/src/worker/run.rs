//! One job from beginning to end, inside its walls.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{CWD, Mode, OFlags};
use wake_model::RelPath;

use super::beside::MemoryDirs;
use super::confine::Confinement;
use super::owners::Owners;
use super::place::DirWriter;
use super::populate::{self, Filling, PendingWork, Reach, check_unchanged};
use super::scratch::{self, OwnDirectory, WorkDir};
use super::shared::SharedFiles;
use super::spawn::{Starter, Walls};
use super::standing::{StandingRoot, StandingRoots, outside_work};
use super::tools::{OutputRoot, Tools};
use super::traces::Traces;
use super::view::{Layers, RootItem, RootPlan, RootView, SHOWN};
use super::watcher::Watcher;
use super::{memory, reap, weak};
use crate::clock;
use crate::finished::JobResult;
use crate::job::{Access, Job, Source, WorkPlace};
use crate::scheduling::Scheduling;
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
    /// Standard input of commands that get none.
    nothing: OwnedFd,
}

/// How large pieces are read in.
const BUFFER: usize = 128 << 10;

impl Runner {
    /// `scheduling` is that of commands, if it is known.
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
            traces: confined.as_ref().map(Traces::new).transpose().map_err(traced)?,
            confined,
            standing: StandingRoots::default(),
            watcher: Watcher::default(),
            starter: Starter::new(scheduling),
            buffer: vec![0; BUFFER],
            shared: SharedFiles::default(),
            nothing,
        })
    }

    /// Runs `job`; `control` may ask to stop it.
    pub(crate) fn run(&mut self, job: &Job, control: &UnixStream) -> Result<JobResult, JobError> {
        if self.confined.is_none() {
            let mut tools = Tools {
                control,
                starter: &mut self.starter,
                buffer: &mut self.buffer,
                nothing: &self.nothing,
            };
            return weak::run(job, &mut tools, &mut self.shared);
        }
        self.run_confined(job, control)
    }

    /// Removes what the last command may have left, after its result has been sent.
    pub(crate) fn tidy(&mut self) -> Result<(), JobError> {
        self.standing.tidy();
        match (&mut self.traces, &self.confined) {
            (Some(traces), Some(confined)) => {
                traces.remove(confined, &mut self.buffer).map_err(traced)
            }
            _ => Ok(()),
        }
    }

    fn run_confined(&mut self, job: &Job, control: &UnixStream) -> Result<JobResult, JobError> {
        let start = clock::instant();
        let Some(confined) = &self.confined else {
            return Err(JobError::bad_job("", "needs a confined worker"));
        };
        // Before what the command has for itself, so that its list of mounts has one order. Where anything goes wrong,
        // nobody knows what became of the root directory: it is not given back.
        let mut stand = match self.standing.take(job) {
            Some(stand) => stand,
            None => StandingRoot::new(build_view(confined, job)?),
        };
        let (work, pending) = work_directory(confined, job, &mut self.buffer, &mut self.shared)?;
        let fresh = match &stand.beside {
            Some(beside) if beside.are_as_new(job, &mut self.watcher) => None,
            _ => Some(MemoryDirs::new(confined, job, &mut self.watcher)?),
        };
        let base = job.work.as_ref().map_or("", RelPath::as_str);
        let mut own: Vec<(CString, BorrowedFd<'_>)> = Vec::with_capacity(3);
        if let Some(work) = &work {
            own.push((absolute(base, "")?, work.mount.as_fd()));
        }
        own.extend(fresh.iter().flat_map(MemoryDirs::places));
        let places: Vec<CString> = own.iter().map(|(at, _)| at.clone()).collect();
        let past = stand.past(&places);
        let beside = fresh.as_ref().or(stand.beside.as_ref());
        let in_memory = work.iter().map(|work| work.mount.as_fd());
        let in_memory: Vec<BorrowedFd<'_>> =
            in_memory.chain(beside.into_iter().flat_map(MemoryDirs::mounts)).collect();
        for (path, mount) in &pending.mounts {
            own.push((absolute(base, path)?, mount.as_fd()));
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
        let ended = tools.command(job, &job.command, Some(walls), &used, &reap::all_inside)?;
        check_unchanged(&pending.watched)?;
        let root = match &work {
            Some(work) => OutputRoot::Work(work.mount.as_fd()),
            None => OutputRoot::Root(stand.view.root.as_fd(), confined.disk_owners.as_ref()),
        };
        let finished = tools.finish(job, ended, &root, setup, start)?;
        let held = memory::in_files(&in_memory);
        drop((own, in_memory));
        stand.served(places, fresh, held);
        self.standing.give_back(job, stand);
        Ok(finished)
    }
}

/// The root directory that `job` asks for.
fn build_view(confined: &Confinement, job: &Job) -> Result<RootView, JobError> {
    let mut plan = RootPlan::new(confined, &job.root)?;
    if let Some(work) = &job.work {
        plan.add(work.as_str(), RootItem::Directory);
    }
    for (path, source) in outside_work(job) {
        plan.add(path.as_str(), item(path, source, &confined.owners)?);
    }
    let layers = match &job.scratch {
        WorkPlace::Disk(parent) if !StandingRoots::can_have(job) => {
            Layers::Disk(OwnDirectory::below(parent)?)
        }
        _ => Layers::Memory(&job.limits),
    };
    plan.build(confined, layers, job.made_at)
}

/// The work directory with the inputs that lie in it.
fn work_directory(
    confined: &Confinement,
    job: &Job,
    buffer: &mut [u8],
    shared: &mut SharedFiles,
) -> Result<(Option<WorkDir>, PendingWork), JobError> {
    let Some(at) = &job.work else { return Ok((None, PendingWork::default())) };
    let work = scratch::work(job, confined.owner)?;
    // What belongs to others is for reading: nothing new may appear beside it either.
    let place = DirWriter::new(work.mount.as_fd(), confined.owner).unreachable().sealing(FOREIGN);
    let mut filling = Filling::new(place, Reach::Mounts, buffer, shared);
    for input in &job.inputs {
        if let Some(path) = input.path.strip(at) {
            filling.put(path.as_str(), &input.source)?;
        }
    }
    let pending = filling.finish()?;
    Ok((Some(work), pending))
}

fn traced(errno: rustix::io::Errno) -> JobError {
    JobError::step("clean", "namespaces", errno)
}

/// Where the work directory holds what other packages and modules made.
const FOREIGN: &str = ".wake";

/// An input outside the work directory as part of the root directory.
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
            let mount = mounts::host_as_owned(host, writable, owners)
                .map_err(|errno| JobError::step("mount", host, errno))?;
            Ok(if *access == Access::Layered {
                RootItem::Layered(mount)
            } else {
                RootItem::Mount(mount)
            })
        }
        Source::File { .. } => {
            let reason = "is a single file outside the work directory, which can only be mounted";
            Err(JobError::bad_job(path.as_str(), reason))
        }
    }
}

/// A path below the root directory as the mount namespace has it.
fn absolute(base: &str, path: &str) -> Result<CString, JobError> {
    let mut text = SHOWN.to_bytes().to_vec();
    for part in [base, path].into_iter().filter(|part| !part.is_empty()) {
        text.push(b'/');
        text.extend_from_slice(part.as_bytes());
    }
    CString::new(text).map_err(|_| JobError::bad_job(path, "holds a NUL character"))
}
