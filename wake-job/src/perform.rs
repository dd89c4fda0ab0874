//! Performs a task as a step on this machine, and determines how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wake_buffer::{BufferError, Buffers};
use wake_exec::{Executor, Scheduling, WorkerCommand};
use wake_model::{ActionDigest, Outcome, SandboxLevel, TreeDigest};
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::event::{Event, Reporter};
use wake_steps::here::Here;
use wake_steps::{Cancel, clock};
use wake_store::Store;

use crate::engine::PipeEngine;
use crate::job_log::JobLog;
use crate::lookup::{Came, Looking};
use crate::outlet::buffer_trouble;
use crate::record::{BY_USER, NOBODY_READS, Status};
use crate::remembered::lists;
use crate::tally::{ActionSlot, Restarts, Trouble, TroubleSlot};
use crate::task::Task;

/// The environment in which a job is performed.
pub struct Surroundings<'a> {
    /// The store.
    pub store: &'a Arc<Store>,
    /// How to start a process that runs the command.
    pub worker: WorkerCommand,
    /// The level of the sandbox.
    pub sandbox: SandboxLevel,
    /// Stops it.
    pub cancel: &'a Cancel,
    /// Whether it runs even if it is remembered.
    pub rerun: bool,
    /// Receives the output of the command.
    pub wrote: &'a mut dyn FnMut(&[u8]),
    /// Receives the number of worker restarts.
    pub restarted: &'a mut dyn FnMut(u32),
}

/// How a job ended.
#[derive(Debug)]
pub struct JobEnd {
    /// Its status.
    pub status: Status,
    /// The reason.
    pub reason: Option<String>,
    /// Whether its result was cached, so that it did not run.
    pub remembered: bool,
    /// The failure of something other than the command.
    pub failure: Option<Failure>,
    /// Whether it ended because standard output was closed.
    pub nobody_reads: bool,
    /// The action that was performed, if any.
    pub action: Option<ActionDigest>,
}

/// Does `work` while polling `is_to_end`, which fires `cancel` when it returns true.
pub fn watched<T>(
    is_to_end: &(dyn Fn() -> bool + Sync),
    cancel: &Cancel,
    work: impl FnOnce() -> T,
) -> T {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                if is_to_end() {
                    return cancel.cancel();
                }
                thread::sleep(LOOK);
            }
        });
        let _over = Over(&ended);
        work()
    })
}

/// Sets a flag when it is dropped, even by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The polling interval.
const LOOK: Duration = Duration::from_millis(50);

/// Performs a task.
pub fn perform(task: &Arc<Task>, log: JobLog, with: Surroundings<'_>) -> JobEnd {
    let Surroundings { store, worker, sandbox, cancel, rerun, wrote, restarted } = with;
    let restarts = Restarts::default();
    let reporter = &mut JobReporter { log, wrote, restarts: restarts.clone(), told: 0, restarted };
    let action = ActionSlot::default();
    let performing = Performing { task, store, worker, sandbox, cancel, restarts, action };
    let end = performing.end(rerun, reporter);
    JobEnd { action: performing.action.get(), ..end }
}

impl JobEnd {
    /// Returns the end of a job for which something other than the command failed.
    pub fn failed(diagnostic: Diagnostic) -> JobEnd {
        let reason = Some(diagnostic.message.clone());
        JobEnd { failure: Some(diagnostic.into()), ..ended(Status::Failed, reason) }
    }

    /// Returns the end of a job that could not start; `is_cancelled` says whether it was cancelled in the meantime.
    pub fn not_begun(reason: &str, is_cancelled: bool) -> JobEnd {
        match is_cancelled {
            true => ended(Status::Canceled, Some(BY_USER.to_owned())),
            false => ended(Status::Failed, Some(reason.to_owned())),
        }
    }
}

struct Performing<'a> {
    task: &'a Arc<Task>,
    store: &'a Arc<Store>,
    worker: WorkerCommand,
    sandbox: SandboxLevel,
    cancel: &'a Cancel,
    restarts: Restarts,
    action: ActionSlot,
}

impl Performing<'_> {
    fn end(&self, rerun: bool, reporter: &mut JobReporter<'_>) -> JobEnd {
        let (came, trouble) = match self.once(rerun, reporter) {
            Ok(came) => came,
            Err(diagnostic) => return JobEnd::failed(diagnostic),
        };
        if let Some(Came::Remembered(tree)) = came {
            match self.recall(&tree) {
                Ok(true) => {
                    return JobEnd { remembered: true, ..ended(Status::Succeeded, None) };
                }
                // Some blocks have been removed since: it runs again.
                Ok(false) => {
                    return match self.once(true, reporter) {
                        Ok((came, trouble)) => self.said(came, trouble),
                        Err(diagnostic) => JobEnd::failed(diagnostic),
                    };
                }
                Err(error) => return JobEnd::failed(buffer_trouble(&error, self.store)),
            }
        }
        self.said(came, trouble)
    }

    fn said(&self, came: Option<Came>, trouble: Option<Trouble>) -> JobEnd {
        match (came, trouble) {
            (_, Some(Trouble::NobodyReads)) => {
                let reason = Some(NOBODY_READS.to_owned());
                JobEnd { nobody_reads: true, ..ended(Status::Canceled, reason) }
            }
            (_, Some(Trouble::Stream(diagnostic))) => JobEnd::failed(*diagnostic),
            (_, Some(Trouble::Worker(reason))) => ended(Status::Failed, Some(reason)),
            (Some(Came::Ran | Came::Remembered(_)), _) => ended(Status::Succeeded, None),
            (Some(Came::Ended(outcome)), trouble) => {
                let main = match trouble {
                    Some(Trouble::Replica(number)) => format!("Main of replica {number}"),
                    _ => "Main".to_owned(),
                };
                let reason = match outcome {
                    Outcome::TimedOut => {
                        return ended(
                            Status::Canceled,
                            Some("the job exceeded its timeout".to_owned()),
                        );
                    }
                    Outcome::OutOfMemory => "the job exceeded its memory limit".to_owned(),
                    Outcome::Exited(code) => format!("{main} exited with code {code}"),
                    Outcome::Signaled(signal) => format!("{main} was killed by signal {signal}"),
                };
                ended(Status::Failed, Some(reason))
            }
            (Some(Came::Failed(diagnostic)), _) => match self.cancel.is_cancelled() {
                true => ended(Status::Canceled, Some(BY_USER.to_owned())),
                false => JobEnd::failed(*diagnostic),
            },
            (None, _) => ended(Status::Canceled, Some(BY_USER.to_owned())),
        }
    }

    fn once(
        &self,
        rebuild: bool,
        reporter: &mut JobReporter<'_>,
    ) -> Result<(Option<Came>, Option<Trouble>), Diagnostic> {
        let trouble = TroubleSlot::default();
        let engine = PipeEngine {
            here: Here::new(self.store.clone(), Executor::new(self.worker.clone())),
            executor: Executor::new(self.worker.clone()),
            store: self.store.clone(),
            task: self.task.clone(),
            trouble: trouble.clone(),
            restarts: self.restarts.clone(),
            action: self.action.clone(),
            scheduling: Scheduling::of_thread(),
            now: clock::unix_ms(),
        };
        let looking = Looking { task: self.task, store: self.store, sandbox: self.sandbox };
        let came = looking.by(Box::new(engine), rebuild, self.cancel, reporter)?;
        let trouble = trouble.get();
        Ok((came, trouble))
    }

    /// Restores the outputs of a remembered run; false if some of their blocks are gone.
    fn recall(&self, tree: &TreeDigest) -> Result<bool, BufferError> {
        let buffers = Buffers::new(self.store);
        let now = clock::unix_ms();
        let Some(lists) = lists(self.task, self.store, tree)? else { return Ok(false) };
        for ((_, end), list) in self.task.outputs.iter().zip(lists) {
            let Some(id) = &end.buffer else { return Ok(false) };
            if !buffers.adopt(id, &list.blocks, list.content, now)? {
                return Ok(false);
            }
            if end.standard {
                let mut out = std::io::stdout().lock();
                buffers.read(id, wake_buffer::Unwritten::Refuse, &mut out, now, &|| false)?;
            }
        }
        Ok(true)
    }
}

fn ended(status: Status, reason: Option<String>) -> JobEnd {
    JobEnd { status, reason, remembered: false, failure: None, nobody_reads: false, action: None }
}

/// Logs the output of the command, and passes it on.
struct JobReporter<'a> {
    log: JobLog,
    wrote: &'a mut dyn FnMut(&[u8]),
    restarts: Restarts,
    /// How many restarts have been reported.
    told: u32,
    restarted: &'a mut dyn FnMut(u32),
}

impl Reporter for JobReporter<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::ActionOutput { bytes, .. } = event {
            self.log.add(bytes);
            (self.wrote)(bytes);
            // Each restart writes a line.
            let restarts = self.restarts.get();
            if restarts != self.told {
                self.told = restarts;
                (self.restarted)(restarts);
            }
        }
    }
}
