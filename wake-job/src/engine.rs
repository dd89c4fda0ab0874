//! Performs a job: files of its action become pipes and sockets while it runs, and its replicas and workers run side by side.
//!
//! An action names an input by the bytes that come out of its pipe, and its outputs are lists of the blocks that went into theirs. So a
//! job is looked up and remembered like any other step.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use wake_exec::{Executor, Networks, Scheduling, Stream};
use wake_model::{Manifest, Outcome, TreeDigest};
use wake_steps::Cancel;
use wake_steps::engine::{Engine, EngineRequest, Performance};
use wake_steps::error::StepError;
use wake_steps::here::Here;
use wake_steps::pin::PinnedAction;
use wake_steps::slots::Slots;
use wake_store::{Adopted, Scratch, Store, StoreError};

use crate::crew::{Ground, News};
use crate::flow::LOOK;
use crate::graphics::{Graphics, GraphicsClaim};
use crate::inflow::{Inflow, joined};
use crate::log_lines::LogLines;
use crate::members::{Means, Member};
use crate::outflow::{EndedOutput, Outflow, refused};
use crate::outlet::Outlet;
use crate::pipes;
use crate::shared_outlet::SharedOutlet;
use crate::stage::Stage;
use crate::tally::{ActionSlot, Deadline, Restarts, Tally, TroubleSlot, ended_as};
use crate::task::Task;

/// Runs one job on this machine.
pub(crate) struct PipeEngine {
    pub(crate) here: Here,
    /// Holds the networks.
    pub(crate) executor: Executor,
    pub(crate) store: Arc<Store>,
    pub(crate) task: Arc<Task>,
    /// Receives why the job had to be stopped.
    pub(crate) trouble: TroubleSlot,
    /// Counts the restarts of workers.
    pub(crate) restarts: Restarts,
    /// Receives the action that was performed.
    pub(crate) action: ActionSlot,
    /// The scheduling of the threads for streams, in place of a step's.
    pub(crate) scheduling: Option<Scheduling>,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

/// The number of reports that can be queued.
const NEWS: usize = 16;

impl Engine for PipeEngine {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        let EngineRequest { pinned, sources, cancel, profile, turn, wrote } = order;
        if let Some(scheduling) = &self.scheduling {
            // A step's thread is bound to one CPU, the same one in every process; all streams through chained jobs would share it.
            scheduling.apply();
        }
        self.action.note(pinned.action.digest());
        let deadline = Deadline::of(&self.task);
        let networks = self.networks()?;
        let Some(graphics) = self.graphics(&|| cancel.is_cancelled() || deadline.is_past())? else {
            return self.not_begun(cancel);
        };
        let mut means = Means { networks: networks.as_ref(), graphics };
        let pipes = self.pipes()?;
        let (replicas, workers) = self.members(pinned, &pipes, &mut means)?;
        let outlets = self.outlets()?;
        let Some(_turn) = turn() else { return Err(StepError::Cancelled) };
        let stop = Cancel::new().map_err(|error| refused(&error.to_string()))?;
        let slots = Slots::new(replicas.len() + workers.len(), false);
        let ground = Ground { here: &self.here, sources, profile, stop: &stop, slots: &slots };
        // Whether each replica has ended, and whether everything is over.
        let done: Vec<AtomicBool> = replicas.iter().map(|_| AtomicBool::new(false)).collect();
        let over = AtomicBool::new(false);
        let stage = Stage {
            task: &self.task,
            inflow: Inflow { store: &self.store, task: &self.task, now: self.now },
            trouble: &self.trouble,
            cancel,
            networks: networks.as_ref(),
            pipes: &pipes,
            outlets: &outlets,
            done: &done,
            over: &over,
        };
        let performed = thread::scope(|scope| {
            let (tell, news) = sync_channel(NEWS);
            let streams = stage.begin_streams(scope, &tell);
            stage.open_ways(scope);
            stage.begin_members(scope, &ground, (&replicas, &workers), &tell);
            drop(tell);
            let names = replicas.iter().chain(&workers).map(|member| member.name.clone());
            let mut lines = LogLines::new(names.collect(), self.task.is_alone());
            let mut tally =
                Tally::new(&self.task, (&self.trouble, &self.restarts), self.now, &stop);
            let mut wrote_line = |number: usize, stream: Stream, bytes: &[u8]| {
                lines.add(number, stream, bytes, wrote);
            };
            hear(&news, &mut tally, (cancel, deadline), &mut wrote_line);
            lines.end(wrote);
            over.store(true, Ordering::Release);
            streams.into_iter().for_each(|stream| joined(stream.join()));
            tally.performed()
        });
        let ended: Vec<EndedOutput<'_>> = outlets.iter().map(|shared| shared.end()).collect();
        self.outflow().end(performed, self.trouble.get(), ended)
    }

    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError> {
        self.here.bring(tree, manifest)
    }
}

/// Receives all reports until there are no more senders, and stops the job if it is cancelled or exceeds its deadline.
fn hear(
    news: &Receiver<News>,
    tally: &mut Tally<'_>,
    (cancel, deadline): (&Cancel, Deadline),
    wrote: &mut dyn FnMut(usize, Stream, &[u8]),
) {
    loop {
        if cancel.is_cancelled() {
            tally.stop();
        } else if deadline.is_past() {
            tally.is_late = true;
            tally.stop();
        }
        match news.recv_timeout(LOOK) {
            Ok(News::Wrote(number, stream, bytes)) => wrote(number, stream, &bytes),
            Ok(news) => tally.hear(news),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl PipeEngine {
    fn outflow(&self) -> Outflow<'_> {
        Outflow { store: &self.store, task: &self.task, now: self.now }
    }

    /// Creates networks for the processes, if any of them must be reachable.
    fn networks(&self) -> Result<Option<Networks>, StepError> {
        let is_reached =
            !self.task.codespec.sockets().is_empty() || self.task.endpoints().next().is_some();
        let (replicas, workers) = self.task.sizes();
        match (is_reached, self.task.shares_network()) {
            (false, _) => Ok(None),
            (true, true) => Ok(Some(Networks::of_host())),
            (true, false) => {
                let count = u32::try_from(replicas + workers).unwrap_or(u32::MAX);
                Ok(Some(self.executor.networks(count)?))
            }
        }
    }

    /// Claims the GPUs that all processes request together; none if `is_over` returns true before they are free.
    fn graphics(&self, is_over: &dyn Fn() -> bool) -> Result<Option<GraphicsClaim>, StepError> {
        // Several machines may share a store, but each has its own GPUs.
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let dir = self.store.jobs_dir().join("graphics").join(host);
        let all = Graphics::of(Path::new("/dev"), self.task.given_graphics.as_ref());
        let claimed = all.claim(self.task.graphics(), &dir, is_over);
        claimed.map_err(|source| StoreError::Io { path: dir, source }.into())
    }

    fn members(
        &self,
        pinned: &PinnedAction,
        pipes: &[Scratch],
        means: &mut Means<'_>,
    ) -> Result<(Vec<Member>, Vec<Member>), StepError> {
        let mut replicas = Vec::new();
        for (number, scratch) in pipes.iter().enumerate() {
            replicas.push(self.task.replica(number, pinned, scratch, means)?);
        }
        let mut workers = Vec::new();
        if let Some(worker) = &self.task.worker {
            for number in 0..worker.replicas as usize {
                workers.push(self.task.worker(worker, number, pinned, means)?);
            }
        }
        Ok((replicas, workers))
    }

    /// Creates the directories of pipes, one for each replica.
    fn pipes(&self) -> Result<Vec<Scratch>, StepError> {
        self.task.own.clone().map(|_| self.pipes_of_one()).collect()
    }

    fn pipes_of_one(&self) -> Result<Scratch, StepError> {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = self.store.scratch()?;
        let dir = scratch.path();
        let failed = |source| StoreError::Io { path: dir.to_owned(), source };
        // The command may run as any user.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        for name in self.task.codespec.piped() {
            pipes::make(&dir.join(name.as_str())).map_err(failed)?;
        }
        Ok(scratch)
    }

    fn outlets(&self) -> Result<Vec<Arc<SharedOutlet<'_>>>, StepError> {
        if self.task.is_part() {
            let claims = self.outflow().claims();
            return Ok(claims
                .into_iter()
                .map(|(name, claim)| SharedOutlet::claimed(name, claim))
                .collect());
        }
        let begun = self.outflow().begin()?.into_iter();
        let outlet =
            |(name, writer, standard)| SharedOutlet::new(name, Outlet::new(writer, standard));
        Ok(begun.map(outlet).collect())
    }

    /// Returns the result of a job that was cancelled, or ran out of time, before it started.
    fn not_begun(&self, cancel: &Cancel) -> Result<Performance, StepError> {
        let performed = match cancel.is_cancelled() {
            true => Err(StepError::Cancelled),
            false => Ok(ended_as(Outcome::TimedOut, self.now)),
        };
        // Outputs that replicas on several machines share are ended by the process that ends the job.
        let outputs = if self.task.is_part() { Vec::new() } else { self.outflow().begin()? };
        let ended = outputs.into_iter().map(|(name, writer, _)| (name, writer)).collect();
        self.outflow().end(performed, self.trouble.get(), ended)
    }
}
