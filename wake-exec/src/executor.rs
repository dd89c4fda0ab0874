//! The host side: a pool of workers, one for each job that runs at the same time.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cancel::CancelToken;
use crate::clock;
use crate::error::SandboxError;
use crate::finished::JobResult;
use crate::groups::{CommandGroup, GroupHome};
use crate::job::{Job, Stream};
use crate::networks::Networks;
use crate::scheduling::Scheduling;
use crate::visit::{Visit, Visitor};
use crate::wire::{self, Reply, RequestRef, WorkerClass};

/// How a worker process is started: a program whose `main` ends in [`crate::serve`].
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program, usually the running one itself.
    pub program: PathBuf,
    /// The arguments that make it a worker.
    pub args: Vec<String>,
}

/// The number of idle workers kept of each kind.
const IDLE: usize = 256;

/// Runs jobs, as many at once as threads call it.
///
/// Workers are started on demand, which takes about 3 ms each, and die with the executor.
#[derive(Debug)]
pub struct Executor {
    command: WorkerCommand,
    /// How commands are scheduled, independently of the calling threads.
    scheduling: Option<Scheduling>,
    idle: Mutex<HashMap<WorkerClass, Vec<Worker>>>,
    /// Workers that have been killed but may not have exited yet.
    leaving: Mutex<Vec<Worker>>,
    /// Where control groups are created, or why there are none; determined on first use.
    groups: OnceLock<Result<GroupHome, String>>,
}

/// How long a worker may take to stop a command before the worker itself is killed.
const CANCEL_GRACE: Duration = Duration::from_millis(80);

impl Executor {
    /// Creates an executor without workers. Commands are scheduled like the calling thread.
    pub fn new(command: WorkerCommand) -> Self {
        let scheduling = Scheduling::of_thread();
        let (idle, leaving, groups) = (Mutex::default(), Mutex::default(), OnceLock::new());
        Executor { command, scheduling, idle, leaving, groups }
    }

    /// Runs `job` and waits for it. A command that ran and failed is [`Ok`].
    ///
    /// When `cancel` fires, every process of the command is dead before this returns.
    pub fn run(&self, job: &Job, cancel: &CancelToken) -> Result<JobResult, SandboxError> {
        self.run_in_turn(job, cancel, || Some(|_| ()), &mut |_, _| {})
    }

    /// As [`Executor::run`], for a command that has to wait: everything is prepared for it, then `turn` is called. The
    /// command starts when `turn` returns a value, and never if it returns none. That value is called once the command
    /// has ended and its outputs have been processed, with whether all went well; it is dropped if it does not get that
    /// far. `wrote` receives what the command writes, if the job's logs are reported at once.
    ///
    /// The command waits for `wrote` as for any slow reader.
    pub fn run_in_turn<E: FnOnce(bool)>(
        &self,
        job: &Job,
        cancel: &CancelToken,
        turn: impl FnOnce() -> Option<E>,
        wrote: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<JobResult, SandboxError> {
        if cancel.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        let asked = clock::instant();
        let class = WorkerClass::of(job);
        let mut worker = self.worker(&class)?;
        let wait = asked.elapsed();
        let group = self.group(job);
        let result = worker.run(job, group.as_ref(), cancel, turn, wrote);
        match &result {
            Err(SandboxError::Worker(_)) => worker.kill(),
            _ if worker.dead => {}
            _ => self.give_back(class, worker),
        }
        result.map(|mut finished| {
            finished.timings.wait = wait;
            finished
        })
    }

    /// Runs `visit` where the command of `job` would run, and waits for it; no outputs are collected.
    ///
    /// When `cancel` fires, every process of the job and the visit is dead before this returns.
    pub fn visit(
        &self,
        job: &Job,
        visit: &Visit,
        cancel: &CancelToken,
        visitor: &mut dyn Visitor,
    ) -> Result<JobResult, SandboxError> {
        if cancel.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        let mut worker = self.worker(&WorkerClass::of(job))?;
        let group = self.group(job);
        let result = worker.visit(job, group.as_ref(), visit, cancel, visitor);
        // What was done there is unknown.
        worker.kill();
        result
    }

    /// Creates `count` networks for commands that others must be able to reach.
    pub fn networks(&self, count: u32) -> Result<Networks, SandboxError> {
        let (socket, child) = spawn(&self.command)?;
        Networks::held(socket, child, count)
    }

    /// Ends idle workers without waiting for them, since the kernel takes a while: for use when no further job is
    /// expected.
    pub fn rest(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        for mut worker in idle.drain().flat_map(|(_, workers)| workers) {
            worker.end();
            leaving.push(worker);
        }
    }

    /// Returns what bounds the memory of commands that have a limit: a description of the control groups, or why memory
    /// is added up instead.
    pub(crate) fn bounds(&self) -> Result<String, &str> {
        match self.groups() {
            Ok(home) => Ok(home.describe()),
            Err(why) => Err(why),
        }
    }

    fn groups(&self) -> &Result<GroupHome, String> {
        self.groups.get_or_init(|| GroupHome::new(Path::new("/")))
    }

    /// Returns a control group for `job` if it has a limit that a group can enforce.
    fn group(&self, job: &Job) -> Option<CommandGroup> {
        job.limits.memory.or(job.limits.processors)?;
        self.groups().as_ref().ok()?.group()
    }

    fn worker(&self, class: &WorkerClass) -> Result<Worker, SandboxError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.get_mut(class).and_then(take_own) {
            Some(worker) => Ok(worker),
            None => {
                drop(idle);
                self.start(class)
            }
        }
    }

    fn start(&self, class: &WorkerClass) -> Result<Worker, SandboxError> {
        Worker::start(&self.command, class, &self.scheduling)
    }

    fn give_back(&self, class: WorkerClass, worker: Worker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = idle.entry(class).or_default();
        if workers.len() < IDLE {
            workers.push(worker);
        }
    }
}

/// Takes a worker that this thread started, which runs on the thread's processors; otherwise the most recently used
/// one.
fn take_own(workers: &mut Vec<Worker>) -> Option<Worker> {
    let thread = std::thread::current().id();
    match workers.iter().rposition(|worker| worker.started_by == thread) {
        Some(own) => Some(workers.remove(own)),
        None => workers.pop(),
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // End all of them before waiting for the first.
        self.rest();
    }
}

/// One worker process.
#[derive(Debug)]
struct Worker {
    socket: UnixStream,
    /// The process that was started; it outlives the process below, and so everything that runs in its namespaces.
    child: Child,
    /// The process that holds the namespaces.
    inner: Option<OwnedFd>,
    started_by: ThreadId,
    dead: bool,
}

/// Starts a process and returns the other end of its standard input.
#[expect(clippy::disallowed_methods, reason = "a worker is this program again")]
fn spawn(command: &WorkerCommand) -> Result<(UnixStream, Child), SandboxError> {
    let not_started = |source: io::Error| SandboxError::WorkerNotStarted {
        program: command.program.clone(),
        source,
    };
    let (socket, theirs) = UnixStream::pair().map_err(not_started)?;
    let child = Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        // Ctrl-C on the terminal is meant for the process that started this one, and that process tells its workers.
        .process_group(0)
        .spawn()
        .map_err(not_started)?;
    Ok((socket, child))
}

impl Worker {
    fn start(
        command: &WorkerCommand,
        class: &WorkerClass,
        scheduling: &Option<Scheduling>,
    ) -> Result<Self, SandboxError> {
        let (socket, child) = spawn(command)?;
        let started_by = std::thread::current().id();
        let mut worker = Worker { socket, child, inner: None, started_by, dead: false };
        wire::send(&worker.socket, &RequestRef::Become(class, scheduling))
            .map_err(worker_failed)?;
        match wire::receive(&worker.socket).map_err(worker_failed)? {
            Some(Reply::Ready(Ok(pid))) => {
                worker.inner =
                    Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                Ok(worker)
            }
            Some(Reply::Ready(Err(failure))) => Err(failure.into()),
            Some(_) => Err(out_of_turn()),
            None => Err(worker.last_words()),
        }
    }

    fn run<E: FnOnce(bool)>(
        &mut self,
        job: &Job,
        group: Option<&CommandGroup>,
        cancel: &CancelToken,
        turn: impl FnOnce() -> Option<E>,
        wrote: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<JobResult, SandboxError> {
        let group = group.map(CommandGroup::dirs);
        wire::send(&self.socket, &RequestRef::Run(job, group)).map_err(worker_failed)?;
        let Some(ended) = turn() else {
            self.kill();
            return Err(SandboxError::Cancelled);
        };
        // If the worker died while it was preparing, its exit status says more than its socket does.
        if wire::send(&self.socket, &RequestRef::Go).is_err() {
            return Err(self.last_words());
        }
        let patience = job.limits.grace.unwrap_or_default() + CANCEL_GRACE;
        let mut stopping = None;
        loop {
            if self.wait(cancel, patience, &mut stopping)? == WorkerAnswer::Cancelled {
                return Err(SandboxError::Cancelled);
            }
            match wire::receive(&self.socket).map_err(worker_failed)? {
                Some(Reply::Wrote(stream, bytes)) => wrote(stream, &bytes),
                Some(Reply::Done(result)) => {
                    ended(matches!(&*result, Ok(done) if done.is_success()));
                    return (*result).map_err(SandboxError::from);
                }
                Some(_) => return Err(out_of_turn()),
                None => return Err(self.last_words()),
            }
        }
    }

    fn visit(
        &mut self,
        job: &Job,
        group: Option<&CommandGroup>,
        visit: &Visit,
        cancel: &CancelToken,
        visitor: &mut dyn Visitor,
    ) -> Result<JobResult, SandboxError> {
        let group = group.map(CommandGroup::dirs);
        wire::send(&self.socket, &RequestRef::Visit(job, group, visit)).map_err(worker_failed)?;
        if wire::send(&self.socket, &RequestRef::Go).is_err() {
            return Err(self.last_words());
        }
        let mut own_runs = true;
        loop {
            match self.wait_for_visit(cancel, own_runs.then(|| visitor.enough()))? {
                VisitNews::Cancelled => return Err(SandboxError::Cancelled),
                VisitNews::Enough => {
                    own_runs = false;
                    wire::send(&self.socket, &RequestRef::Cancel).map_err(worker_failed)?;
                    continue;
                }
                VisitNews::Answer => {}
            }
            match wire::receive(&self.socket).map_err(worker_failed)? {
                Some(Reply::Wrote(stream, bytes)) => visitor.wrote(stream, &bytes),
                Some(Reply::Welcome(own)) => {
                    own_runs = false;
                    let own = own.map(|own| own.map_err(SandboxError::from));
                    let connected = |source| SandboxError::step("connect", "terminal", source);
                    let streams = visitor.streams(own).map_err(connected)?;
                    wire::send(&self.socket, &RequestRef::Streams)
                        .and_then(|()| {
                            let streams = streams.each_ref().map(|stream| stream.as_fd());
                            wire::send_files(&self.socket, &streams)
                        })
                        .map_err(worker_failed)?;
                }
                Some(Reply::Done(result)) => return (*result).map_err(SandboxError::from),
                Some(_) => return Err(out_of_turn()),
                None => return Err(self.last_words()),
            }
        }
    }

    /// Waits for a reply or for one of the tokens to fire.
    fn wait_for_visit(
        &self,
        cancel: &CancelToken,
        enough: Option<&CancelToken>,
    ) -> Result<VisitNews, SandboxError> {
        let mut fds = vec![self.socket.as_fd(), cancel.fd()];
        fds.extend(enough.map(CancelToken::fd));
        let mut fds: Vec<PollFd<'_>> =
            fds.into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        loop {
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(worker_failed(errno.into())),
                Ok(_) => {}
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            match ready.as_slice() {
                [_, true, ..] => return Ok(VisitNews::Cancelled),
                [true, ..] => return Ok(VisitNews::Answer),
                [_, _, true] => return Ok(VisitNews::Enough),
                _ => {}
            }
        }
    }

    /// Waits for a reply, passing on a cancellation; once it is passed on, `stopping` is the deadline for the worker.
    fn wait(
        &mut self,
        cancel: &CancelToken,
        patience: Duration,
        stopping: &mut Option<Instant>,
    ) -> Result<WorkerAnswer, SandboxError> {
        loop {
            let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            let mut left = None;
            match stopping {
                Some(until) => left = Some(until.saturating_duration_since(clock::instant())),
                None => fds.push(PollFd::from_borrowed_fd(cancel.fd(), PollFlags::IN)),
            }
            let left = left.map(|left| Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(left.min(CANCEL_GRACE).subsec_nanos()),
            });
            match poll(&mut fds, left.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(worker_failed(errno.into())),
                Ok(_) => {}
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            match stopping {
                // Even if the command keeps writing.
                None if ready[1] => {
                    wire::send(&self.socket, &RequestRef::Cancel).map_err(worker_failed)?;
                    *stopping = Some(clock::instant() + patience);
                }
                Some(until) if !ready[0] && clock::instant() >= *until => {
                    self.kill();
                    return Ok(WorkerAnswer::Cancelled);
                }
                _ if ready[0] => return Ok(WorkerAnswer::Answer),
                _ => {}
            }
        }
    }

    fn kill(&mut self) {
        self.end();
        let _ = self.child.wait();
    }

    /// Kills the worker without waiting for it to exit.
    fn end(&mut self) {
        self.dead = true;
        // A process that has already exited is the desired result.
        let _ = match &self.inner {
            Some(inner) => pidfd_send_signal(inner, Signal::KILL).map_err(io::Error::from),
            None => self.child.kill(),
        };
    }

    /// Describes how a worker ended that closed its socket.
    fn last_words(&mut self) -> SandboxError {
        self.dead = true;
        match self.child.wait() {
            Ok(status) => SandboxError::Worker(format!("it ended with {status}")),
            Err(error) => SandboxError::Worker(error.to_string()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

enum VisitNews {
    Answer,
    Enough,
    Cancelled,
}

#[derive(PartialEq, Eq)]
enum WorkerAnswer {
    Answer,
    Cancelled,
}

fn out_of_turn() -> SandboxError {
    SandboxError::Worker("it sent an unexpected reply".to_owned())
}

fn worker_failed(error: io::Error) -> SandboxError {
    SandboxError::Worker(error.to_string())
}
