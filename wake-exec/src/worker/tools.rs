//! What both sandbox levels have in common: a command from its turn until its outputs are collected.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use serde_bytes::ByteBuf;
use wake_model::{Manifest, Outcome};

use super::changes::Layered;
use super::collect::{Collection, OutputDir, collect};
use super::group::BoundGroup;
use super::kernel;
use super::owners::{DiskOwners, Owner};
use super::place::STRAIGHT;
use super::spawn::{Launch, Running, Starter, Walls};
use super::supervise::{CommandEnd, Streams, Supervision, Surroundings};
use super::written;
use crate::clock;
use crate::finished::{JobResult, OutputFault, Timings};
use crate::job::{Command, Fidelity, Job, Limits, TakeOutputs};
use crate::visit::{Visit, VisitOrder};
use crate::wire::{self, JobError, Reply, Request};

/// What a run works with.
pub(crate) struct Tools<'a> {
    pub(crate) control: &'a UnixStream,
    pub(crate) starter: &'a mut Starter,
    pub(crate) buffer: &'a mut [u8],
    pub(crate) nothing: &'a OwnedFd,
}

/// Where outputs are.
pub(crate) enum OutputRoot<'a> {
    /// In the work directory.
    Work(BorrowedFd<'a>),
    /// Anywhere below the root directory, with these owners on disk, if owners can be set.
    Root(BorrowedFd<'a>, Option<&'a DiskOwners>),
    /// In the layer of a root directory, which contains all changes.
    Layer(Layered<'a>),
}

impl Tools<'_> {
    /// Waits until the command may start; returns that time.
    pub(crate) fn turn(&self) -> Result<Instant, JobError> {
        match wire::receive(self.control) {
            Ok(Some(Request::Go)) => Ok(clock::instant()),
            Ok(_) | Err(_) => Err(JobError::Cancelled),
        }
    }

    /// Starts the command and supervises it until nothing of it is left.
    pub(crate) fn command(
        &mut self,
        job: &Job,
        command: &Command,
        walls: Option<Walls<'_>>,
        around: Surroundings<'_>,
    ) -> Result<CommandEnd, JobError> {
        let piped = |errno| JobError::step("create", "pipe", errno);
        let (stdout, to_stdout) = pipe_with(PipeFlags::CLOEXEC).map_err(piped)?;
        let (stderr, to_stderr) = pipe_with(PipeFlags::CLOEXEC).map_err(piped)?;
        if let Some(Owner { uid, gid }) = walls.as_ref().and_then(|walls| walls.owner) {
            // Otherwise it could not open `/dev/stdout`, which leads to a pipe of the worker.
            for pipe in [&to_stdout, &to_stderr] {
                let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                rustix::fs::fchown(pipe, uid, gid).map_err(piped)?;
            }
        }
        let given = match command.stdin.is_empty() {
            true => None,
            false => Some(kernel::memory_file(c"stdin", &command.stdin).map_err(piped)?),
        };
        let stdin = given.as_ref().unwrap_or(self.nothing);
        let launch = Launch {
            command,
            limits: &job.limits,
            stdio: [stdin.as_fd(), to_stdout.as_fd(), to_stderr.as_fd()],
            walls,
            terminal: false,
            doors: doors(around),
            processors: processors(job, around),
        };
        let started = clock::instant();
        let running = match self.starter.start(&launch) {
            Err(failed) if failed.is_for_memory() && around.group.is_some() => {
                return Ok(CommandEnd::out_of_memory());
            }
            started => started?,
        };
        let streams = Streams { stdout, stderr, ends: [to_stdout, to_stderr] };
        let (control, limits, logs) = (self.control, &job.limits, job.logs);
        let watch = Supervision { running, control, limits, logs, started, around };
        watch.until_gone(Some(streams), self.buffer)
    }

    /// Runs a visit, before or after the command, and returns when nothing of either is left.
    pub(crate) fn visit(
        &mut self,
        job: &Job,
        command: &Command,
        visit: &Visit,
        walls: Option<Walls<'_>>,
        around: Surroundings<'_>,
    ) -> Result<CommandEnd, JobError> {
        let (own, walls) = match visit.order {
            VisitOrder::Before => (None, walls),
            VisitOrder::After => {
                let own = match self.command(job, command, walls, around) {
                    Ok(end) => Ok(end.outcome),
                    Err(
                        failed @ (JobError::NotStarted { .. }
                        | JobError::OutOfDisk { .. }
                        | JobError::DiskFull { .. }),
                    ) => Err(failed),
                    Err(JobError::Cancelled) => Err(JobError::Cancelled),
                    Err(other) => return Err(other),
                };
                (Some(own), walls.map(Walls::standing))
            }
        };
        let streams = self.streams(own)?;
        if let Some(Owner { uid, gid }) = walls.and_then(|walls| walls.owner) {
            // Otherwise they could not be opened by name; they are usable without. Standard input may be a user's file.
            for output in &streams[1..] {
                let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                let _ = rustix::fs::fchown(output, uid, gid);
            }
        }
        let started = clock::instant();
        let running = self.first(job, visit, &streams, walls, around)?;
        // Whoever reads from them must see end of file.
        drop(streams);
        let limits = Limits { wall: None, ..job.limits.clone() };
        let (control, logs) = (self.control, job.logs);
        let watch = Supervision { running, control, limits: &limits, logs, started, around };
        watch.until_gone(None, self.buffer)
    }

    /// Announces that a visit can begin, and receives its streams.
    fn streams(&self, own: Option<Result<Outcome, JobError>>) -> Result<[OwnedFd; 3], JobError> {
        wire::send(self.control, &Reply::Welcome(own)).map_err(|_| JobError::Cancelled)?;
        loop {
            match wire::receive(self.control) {
                // Too late to stop something that has ended.
                Ok(Some(Request::Cancel)) => {}
                Ok(Some(Request::Streams)) => break,
                Ok(_) | Err(_) => return Err(JobError::Cancelled),
            }
        }
        wire::receive_files(self.control)
            .map_err(|error| JobError::step("connect", "terminal", error))
    }

    /// Starts the first command of a visit whose program exists.
    fn first(
        &mut self,
        job: &Job,
        visit: &Visit,
        streams: &[OwnedFd; 3],
        mut walls: Option<Walls<'_>>,
        around: Surroundings<'_>,
    ) -> Result<Running, JobError> {
        let mut refused = None;
        for command in &visit.commands {
            let stdio = streams.each_ref().map(|stream| stream.as_fd());
            let terminal = visit.terminal;
            let (limits, doors) = (&job.limits, doors(around));
            let processors = processors(job, around);
            let launch = Launch { command, limits, stdio, walls, terminal, doors, processors };
            match self.starter.start(&launch) {
                Err(JobError::NotStarted { program, errno })
                    if matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::EACCES) =>
                {
                    // Like a shell: if no other candidate exists, one that may not be executed is the one that was
                    // meant.
                    let is_better = errno == libc::EACCES || refused.is_none();
                    let failed = JobError::NotStarted { program, errno };
                    refused = if is_better { Some(failed) } else { refused };
                    walls = walls.map(Walls::standing);
                }
                other => return other,
            }
        }
        Err(refused.unwrap_or_else(|| JobError::bad_job("", "names no program")))
    }

    /// Collects the outputs of a command that has ended, and assembles its result.
    ///
    /// `setup` is how long the preparation took; the command started running at `start`.
    pub(crate) fn finish(
        &mut self,
        job: &Job,
        ended: CommandEnd,
        base: &OutputRoot<'_>,
        setup: Duration,
        start: Instant,
    ) -> Result<JobResult, JobError> {
        let run = start.elapsed();
        let (mut outputs, mut changes) = (Ok(Manifest::default()), Vec::new());
        match (base, job.outputs.fidelity) {
            (OutputRoot::Layer(layered), Fidelity::Changes) => {
                if ended.outcome.is_success() {
                    match layered.changes(self.buffer)? {
                        Ok(found) => changes = found,
                        Err(faults) => outputs = Err(faults),
                    }
                }
            }
            _ => outputs = self.collect(job, &ended, base)?,
        }
        let depfile = match &job.outputs.depfile {
            Some(path) if ended.outcome.is_success() => {
                let base = self.base(job, base)?;
                match written::depfile(base.as_fd(), path)? {
                    Ok(bytes) => Some(ByteBuf::from(bytes)),
                    Err(fault) => {
                        let mut faults = outputs.err().unwrap_or_default();
                        faults.push(fault);
                        outputs = Err(faults);
                        None
                    }
                }
            }
            _ => None,
        };
        let report = match &job.outputs.report {
            Some(path) => {
                let base = self.base(job, base)?;
                written::report(base.as_fd(), path)?.map(|report| report.map(ByteBuf::from))
            }
            None => None,
        };
        let collect = start.elapsed() - run;
        let timings = Timings { wait: Duration::ZERO, setup, run, collect };
        let CommandEnd { outcome, stdout, stderr, usage } = ended;
        Ok(JobResult { outcome, stdout, stderr, usage, timings, outputs, depfile, report, changes })
    }

    /// Collects the outputs, if they are to be collected.
    fn collect(
        &mut self,
        job: &Job,
        ended: &CommandEnd,
        base: &OutputRoot<'_>,
    ) -> Result<Result<Manifest, Vec<OutputFault>>, JobError> {
        let wanted = match job.outputs.take {
            TakeOutputs::OnSuccess => ended.outcome.is_success(),
            TakeOutputs::Always => {
                matches!(ended.outcome, Outcome::Exited(_) | Outcome::Signaled(_))
            }
        };
        if !wanted || (job.outputs.declared.is_empty() && job.outputs.texts.is_empty()) {
            return Ok(Ok(Manifest::default()));
        }
        let opened = self.base(job, base)?;
        let owners = match base {
            OutputRoot::Work(_) | OutputRoot::Layer(_) => None,
            OutputRoot::Root(_, owners) => *owners,
        };
        let (base, limit) = (opened.as_fd(), job.limits.disk);
        let collection = Collection { outputs: &job.outputs, base, owners, limit };
        collect(&collection, self.buffer)
    }

    fn base<'b>(&self, job: &Job, base: &OutputRoot<'b>) -> Result<OutputDir<'b>, JobError> {
        let wanted = &job.outputs.base;
        let (from, path) = match (base, &job.work) {
            (OutputRoot::Work(fd), Some(work)) => {
                let below = wanted.strip(work).ok_or_else(|| {
                    JobError::bad_job(wanted.as_str(), "is not in the work directory")
                })?;
                (*fd, below)
            }
            (OutputRoot::Work(fd) | OutputRoot::Root(fd, _), _) => (*fd, wanted.clone()),
            (OutputRoot::Layer(layered), _) => (layered.layer, wanted.clone()),
        };
        if path.is_root() {
            return Ok(OutputDir::Lent(from));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(from, path.as_str(), flags, Mode::empty(), STRAIGHT)
            .map(OutputDir::Opened)
            .map_err(|errno| JobError::step("open", wanted.as_str(), errno))
    }
}

/// Returns the files through which a command enters its control group, if it has one.
fn doors(around: Surroundings<'_>) -> Vec<RawFd> {
    around.group.map(BoundGroup::doors).unwrap_or_default()
}

/// Returns the number of processors that a command is restricted to because its control group does not bound CPU time.
fn processors(job: &Job, around: Surroundings<'_>) -> Option<usize> {
    let thousandths = job.limits.processors?;
    let is_bounded = around.group.is_some_and(BoundGroup::bounds_processors);
    let whole = usize::try_from(thousandths.div_ceil(1000)).unwrap_or(usize::MAX);
    (!is_bounded).then_some(whole)
}
