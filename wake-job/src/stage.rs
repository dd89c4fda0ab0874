//! Starts everything that runs during a job: its streams, the routes to its workers, workers and replicas.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{Scope, ScopedJoinHandle};

use wake_exec::Networks;
use wake_steps::Cancel;
use wake_steps::error::StepError;
use wake_store::Scratch;

use crate::crew::{Ground, News, all_listen};
use crate::inflow::Inflow;
use crate::members::Member;
use crate::outflow::refused;
use crate::outlet::StreamError;
use crate::pipes;
use crate::relay::{Way, address};
use crate::shared_outlet::{ReplicaOutlet, SharedOutlet};
use crate::tally::{Trouble, TroubleSlot};
use crate::task::Task;

/// The shared state of everything that runs during a job.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) task: &'a Task,
    pub(crate) inflow: Inflow<'a>,
    pub(crate) trouble: &'a TroubleSlot,
    /// Cancels the job.
    pub(crate) cancel: &'a Cancel,
    pub(crate) networks: Option<&'a Networks>,
    /// The directories of pipes, one for each replica.
    pub(crate) pipes: &'a [Scratch],
    pub(crate) outlets: &'a [Arc<SharedOutlet<'a>>],
    /// Whether each replica has ended.
    pub(crate) done: &'a [AtomicBool],
    /// Whether everything is over.
    pub(crate) over: &'a AtomicBool,
}

impl<'a> Stage<'a> {
    /// Starts all streams to and from replicas.
    pub(crate) fn begin_streams<'scope>(
        self,
        scope: &'scope Scope<'scope, 'a>,
        tell: &SyncSender<News>,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let task = self.task;
        let mut streams = Vec::new();
        for (place, (scratch, done)) in self.pipes.iter().zip(self.done).enumerate() {
            let replica = task.own.start as usize + place;
            for (name, end) in task.inputs.iter().filter(|(name, _)| task.is_piped(name)) {
                let path = scratch.path().join(name.as_str());
                streams.push(scope.spawn(move || {
                    self.watch(self.inflow.feed(&path, end, done));
                }));
            }
            for shared in self.outlets.iter().filter(|shared| task.is_piped(shared.name())) {
                let path = scratch.path().join(shared.name().as_str());
                let mut outlet = ReplicaOutlet { shared: shared.clone(), replica };
                streams.push(scope.spawn(move || {
                    self.watch(pipes::drain(&path, done, &mut outlet));
                }));
            }
            for socket in task.codespec.sockets() {
                let Some(networks) = self.networks else { continue };
                let shared =
                    self.outlets.iter().find(|one| Some(one.name()) == socket.output.as_ref());
                let outlet = shared.map(|shared| ReplicaOutlet { shared: shared.clone(), replica });
                let tell = tell.clone();
                streams.push(scope.spawn(move || {
                    let through = self.inflow.through(socket, networks, place, outlet, done);
                    if matches!(through, Ok(true)) {
                        let _ = tell.send(News::SocketDone);
                    }
                    self.watch(through.map(drop));
                }));
            }
        }
        streams
    }

    /// Opens the routes from the job's networks to its workers' networks.
    pub(crate) fn open_ways<'scope>(self, scope: &'scope Scope<'scope, 'a>) {
        let Some(networks) = self.networks else { return };
        for way in self.ways() {
            let opened = way.open(scope, networks, self.over);
            self.watch(opened.map_err(StreamError::Way));
        }
    }

    /// Starts the workers, and the replicas as soon as the workers are ready.
    pub(crate) fn begin_members<'scope>(
        self,
        scope: &'scope Scope<'scope, 'a>,
        ground: &'a Ground<'a>,
        (replicas, workers): (&'a [Member], &'a [Member]),
        tell: &SyncSender<News>,
    ) {
        for (number, member) in workers.iter().enumerate() {
            let (tell, number) = (tell.clone(), replicas.len() + number);
            scope.spawn(move || ground.keep(member, number, &tell));
        }
        for (replica, (member, done)) in replicas.iter().zip(self.done).enumerate() {
            let tell = tell.clone();
            scope.spawn(move || {
                let ended = match self.may_begin(ground.stop) {
                    Ok(true) => ground.run(member, replica, &tell),
                    Ok(false) => Err(StepError::Cancelled),
                    Err(error) => Err(error),
                };
                done.store(true, Ordering::Release);
                let _ = tell.send(News::Ended(replica, Box::new(ended)));
            });
        }
    }

    /// Stops the job if a stream broke off.
    fn watch(self, streamed: Result<(), StreamError>) {
        let Err(error) = streamed else { return };
        let trouble = match &error {
            StreamError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Trouble::NobodyReads
            }
            error => Trouble::Stream(Box::new(error.diagnostic(self.inflow.store))),
        };
        self.trouble.note(trouble);
        self.cancel.cancel();
    }

    /// Returns the routes from the job's networks to its workers' networks.
    fn ways(self) -> Vec<Way> {
        if self.task.shares_network() {
            return Vec::new();
        }
        let (replicas, workers) = self.task.sizes();
        let mut ways = Vec::new();
        for from in 0..replicas {
            for worker in 0..workers {
                for (_, port) in self.task.endpoints() {
                    let at = address(&self.task.address(worker), self.task.shown_port(port));
                    ways.push(Way { from, at, to: replicas + worker, port });
                }
            }
        }
        ways
    }

    /// Waits until the job may start, which is when its workers listen; false if it is stopped first.
    fn may_begin(self, stop: &Cancel) -> Result<bool, StepError> {
        let Some(networks) = self.networks else { return Ok(true) };
        all_listen(self.task, networks, stop).map_err(|error| refused(&error.to_string()))
    }
}
