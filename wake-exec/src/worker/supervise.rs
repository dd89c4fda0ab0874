//! Supervises a command until it ends or must be killed.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wake_model::{Outcome, Usage};

use super::disk::{DiskExcess, DiskMeter, RESERVE};
use super::group::BoundGroup;
use super::kernel::{self, ReapedChild, Wait};
use super::logs::LogCapture;
use super::spawn::Running;
use super::uses::Uses;
use crate::clock;
use crate::finished::Log;
use crate::job::{Limits, Logs, Stream};
use crate::wire::{self, JobError, Reply};

/// How a command ended, its output and its resource usage.
pub(crate) struct CommandEnd {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: Log,
    pub(crate) stderr: Log,
    pub(crate) usage: Usage,
}

impl CommandEnd {
    /// Returns the end of a command for which there was not enough memory to start it.
    pub(crate) fn out_of_memory() -> Self {
        let (outcome, usage) = (Outcome::OutOfMemory, Usage::default());
        CommandEnd { outcome, stdout: Log::default(), stderr: Log::default(), usage }
    }
}

/// How often the memory of a limited command is added up.
const MEMORY_TICK: Duration = Duration::from_millis(20);

/// How often dead orphans are reaped, so that they do not count towards the process limit.
const ORPHAN_TICK: Duration = Duration::from_secs(1);

/// A command under supervision.
pub(crate) struct Supervision<'a> {
    pub(crate) running: Running,
    pub(crate) control: &'a UnixStream,
    pub(crate) limits: &'a Limits,
    pub(crate) logs: Logs,
    pub(crate) started: Instant,
    pub(crate) around: Surroundings<'a>,
}

/// The surroundings of a command's main process: how what it leaves there is measured and cleared.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// Returns what its processes and its files in memory hold, in bytes.
    pub(crate) memory: &'a dyn Fn() -> u64,
    /// The control group that it is in, if there is one, which bounds its memory instead.
    pub(crate) group: Option<&'a BoundGroup<'a>>,
    /// Kills and reaps everything that is left.
    pub(crate) clear: &'a dyn Fn() -> Result<(), Errno>,
    /// Receives questions about what it uses, where the kernel can ask.
    pub(crate) uses: Option<&'a Uses>,
    /// Adds up its disk usage, if necessary.
    pub(crate) disk: Option<&'a RefCell<DiskMeter>>,
}

/// The command's output streams.
pub(crate) struct Streams {
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// The write ends: while these are open here, a command that closes its own as it exits causes no wake-up.
    pub(crate) ends: [OwnedFd; 2],
}

#[derive(Clone, Copy)]
enum EndCause {
    Natural(ReapedChild),
    TimedOut,
    OutOfMemory,
    OutOfDisk(DiskExcess),
    Cancelled,
    /// It was told to exit, and did.
    Left(ReapedChild),
}

impl Supervision<'_> {
    /// Returns when no process of the command is left; `streams` are captured, unless it writes elsewhere.
    pub(crate) fn until_gone(
        self,
        streams: Option<Streams>,
        buffer: &mut [u8],
    ) -> Result<CommandEnd, JobError> {
        let failed = |errno: Errno| JobError::step("watch", "command", errno);
        let tell = match self.logs {
            Logs::AtOnce => Some(self.control),
            Logs::AtEnd => None,
        };
        let log = self.limits.log;
        let mut stdout = OutputPipe { capture: LogCapture::new(log), stream: Stream::Stdout, tell };
        let mut stderr = OutputPipe { capture: LogCapture::new(log), stream: Stream::Stderr, tell };
        let mut memory = MemoryWatch::new(&self.around);
        let end = self
            .until_end(streams.as_ref(), &mut memory, [&mut stdout, &mut stderr], buffer)
            .map_err(failed)?;
        let ended = match end {
            EndCause::Natural(waited) | EndCause::Left(waited) => Some(waited),
            EndCause::TimedOut
            | EndCause::OutOfMemory
            | EndCause::OutOfDisk(_)
            | EndCause::Cancelled => {
                let _ = rustix::process::pidfd_send_signal(
                    &self.running.pidfd,
                    rustix::process::Signal::KILL,
                );
                kernel::reap_one(self.running.pid, Wait::Block).map_err(failed)?
            }
        };
        (self.around.clear)().map_err(failed)?;
        let wall = self.started.elapsed();
        if let Some(Streams { stdout: from_stdout, stderr: from_stderr, ends }) = streams {
            drop(ends);
            drain(&from_stdout, &mut stdout, buffer).map_err(failed)?;
            drain(&from_stderr, &mut stderr, buffer).map_err(failed)?;
        }
        let outcome = match end {
            // The kernel may have killed a process that the command depended on.
            EndCause::Natural(_) if memory.was_taken() => Outcome::OutOfMemory,
            EndCause::Natural(waited) => outcome(waited.status),
            EndCause::TimedOut => Outcome::TimedOut,
            EndCause::OutOfMemory => Outcome::OutOfMemory,
            EndCause::OutOfDisk(DiskExcess::Bound) => {
                let Limits { disk, inodes, .. } = *self.limits;
                let held = self.around.disk.map_or(0, |disk| disk.borrow_mut().measure());
                return Err(JobError::OutOfDisk { bytes: disk, files: inodes, held });
            }
            EndCause::OutOfDisk(DiskExcess::Reserve) => {
                return Err(JobError::DiskFull { reserve: RESERVE });
            }
            EndCause::Cancelled | EndCause::Left(_) => return Err(JobError::Cancelled),
        };
        let mut usage = usage(wall, ended.as_ref());
        usage.peak_bytes = usage.peak_bytes.max(memory.peak);
        let (stdout, stderr) = (stdout.capture.finish(), stderr.capture.finish());
        Ok(CommandEnd { outcome, stdout, stderr, usage })
    }

    fn until_end<'a>(
        &self,
        streams: Option<&Streams>,
        memory: &mut MemoryWatch<'_>,
        [stdout, stderr]: [&mut OutputPipe<'a>; 2],
        buffer: &mut [u8],
    ) -> Result<EndCause, Errno> {
        let mut streams = match streams {
            Some(streams) => vec![(&streams.stdout, stdout), (&streams.stderr, stderr)],
            None => Vec::new(),
        };
        let after_streams = 2 + streams.len();
        let mut next_memory = self.limits.memory.map(|_| self.started + MEMORY_TICK);
        // The deadline for a command that was told to exit.
        let mut told: Option<Instant> = None;
        loop {
            let mut fds = Vec::with_capacity(5);
            fds.push(PollFd::new(&self.running.pidfd, PollFlags::IN));
            // After a stop request, only the executor's disappearance is of interest.
            let heard = if told.is_some() { PollFlags::empty() } else { PollFlags::IN };
            fds.push(PollFd::new(self.control, heard));
            fds.extend(streams.iter().map(|(fd, _)| PollFd::new(*fd, PollFlags::IN)));
            let questions = self.around.uses.and_then(Uses::questions);
            fds.extend(questions.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut fds, Some(&self.pause(next_memory, told))) {
                Err(Errno::INTR) => continue,
                Ok(0) => kernel::reap_orphans(self.running.pid)?,
                other => drop(other?),
            };
            let is_alone = fds[1].revents().contains(PollFlags::HUP);
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            for ((fd, output), _) in
                streams.iter_mut().zip(&ready[2..]).filter(|(_, ready)| **ready)
            {
                take(fd, output, buffer)?;
            }
            if let (Some(uses), Some(true)) = (self.around.uses, ready.get(after_streams)) {
                uses.answer()?;
            }
            if ready[0]
                && let Some(waited) = kernel::reap_one(self.running.pid, Wait::Poll)?
            {
                return Ok(match told {
                    Some(_) => EndCause::Left(waited),
                    None => EndCause::Natural(waited),
                });
            }
            let now = clock::instant();
            // Any message from the executor while a command runs means stop; so does its disappearance.
            if ready[1] {
                match self.limits.grace {
                    Some(grace) if told.is_none() && !is_alone => {
                        self.tell_to_end();
                        told = Some(now + grace);
                    }
                    _ => return Ok(EndCause::Cancelled),
                }
            }
            if told.is_some_and(|until| now >= until) {
                return Ok(EndCause::Cancelled);
            }
            if self.deadline().is_some_and(|deadline| now >= deadline) {
                return Ok(EndCause::TimedOut);
            }
            if let (Some(limit), Some(at)) = (self.limits.memory, next_memory)
                && now >= at
            {
                if memory.exceeds(limit) {
                    return Ok(EndCause::OutOfMemory);
                }
                next_memory = Some(now + MEMORY_TICK);
            }
            if let Some(excess) = self.around.disk.and_then(|disk| disk.borrow_mut().excess()) {
                return Ok(EndCause::OutOfDisk(excess));
            }
        }
    }

    fn tell_to_end(&self) {
        let term = rustix::process::Signal::TERM;
        // A process that has already exited is the desired result.
        let _ = rustix::process::pidfd_send_signal(&self.running.pidfd, term);
    }

    fn deadline(&self) -> Option<Instant> {
        self.limits.wall.map(|wall| self.started + wall)
    }

    /// Returns the time until something must be checked even if no event arrives.
    fn pause(&self, next_memory: Option<Instant>, told: Option<Instant>) -> Timespec {
        let now = clock::instant();
        let next_disk = self.around.disk.map(|disk| disk.borrow().next());
        let until = [self.deadline(), next_memory, next_disk, told]
            .into_iter()
            .flatten()
            .map(|at| at.saturating_duration_since(now))
            .fold(ORPHAN_TICK, Duration::min);
        Timespec {
            tv_sec: until.as_secs().try_into().unwrap_or(1),
            tv_nsec: until.subsec_nanos().into(),
        }
    }
}

/// Watches a command's memory.
struct MemoryWatch<'a> {
    around: Surroundings<'a>,
    /// How many processes of the group the kernel had killed for memory before this command.
    kills: u64,
    /// The highest value seen in the group, in bytes.
    peak: u64,
}

impl<'a> MemoryWatch<'a> {
    fn new(around: &Surroundings<'a>) -> Self {
        let kills = around.group.map_or(0, BoundGroup::kills);
        MemoryWatch { around: *around, kills, peak: 0 }
    }

    /// Returns whether it holds, or was about to hold, more than `limit`.
    fn exceeds(&mut self, limit: u64) -> bool {
        match self.around.group {
            Some(group) => {
                self.peak = self.peak.max(group.held());
                self.was_taken()
            }
            None => (self.around.memory)() > limit,
        }
    }

    /// Returns whether the kernel has killed one of its processes for memory.
    fn was_taken(&self) -> bool {
        self.around.group.is_some_and(|group| group.kills() > self.kills)
    }
}

fn outcome(status: libc::c_int) -> Outcome {
    if libc::WIFSIGNALED(status) {
        Outcome::Signaled(libc::WTERMSIG(status))
    } else {
        Outcome::Exited(libc::WEXITSTATUS(status))
    }
}

fn usage(wall: Duration, ended: Option<&ReapedChild>) -> Usage {
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Usage {
        wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
        user_us: ended.map_or(0, |ended| micros(ended.usage.ru_utime)),
        sys_us: ended.map_or(0, |ended| micros(ended.usage.ru_stime)),
        peak_bytes: ended.map_or(0, |ended| ended.usage.ru_maxrss as u64 * 1024),
    }
}

/// The destination of an output stream.
struct OutputPipe<'a> {
    capture: LogCapture,
    stream: Stream,
    /// The executor, if output is reported at once.
    tell: Option<&'a UnixStream>,
}

impl OutputPipe<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.capture.push(bytes);
        if let Some(socket) = self.tell {
            // An executor that is gone is noticed by the supervision loop.
            let _ = wire::send(socket, &Reply::Wrote(self.stream, bytes.to_vec()));
        }
    }
}

/// Reads once what is available.
fn take(stream: &OwnedFd, output: &mut OutputPipe<'_>, buffer: &mut [u8]) -> Result<(), Errno> {
    match kernel::read_some(stream.as_fd(), buffer) {
        Ok(length) => {
            output.push(&buffer[..length]);
            Ok(())
        }
        Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Reads the rest; no writer is left.
fn drain(stream: &OwnedFd, output: &mut OutputPipe<'_>, buffer: &mut [u8]) -> Result<(), Errno> {
    loop {
        match kernel::read_some(stream.as_fd(), buffer) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(()),
            Ok(length) => output.push(&buffer[..length]),
            Err(errno) => return Err(errno),
        }
    }
}
