//! Performs a job: what its action names as files are pipes and sockets while it runs, and beside it run its other replicas and its workers.
//!
//! An action names an input by what comes out of its pipe, and its outputs are lists of the blocks that went into theirs. So a job is
//! looked up and remembered like any other step.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use wake_buffer::{BufferWriter, Buffers, Content, Flush, USUAL_BLOCK, Unwritten, WriteOptions};
use wake_codespec::codespec::Socket;
use wake_codespec::name::BufferName;
use wake_exec::{Executor, Networks, Scheduling};
use wake_model::{BufferId, Manifest, Outcome, TreeDigest};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::engine::{Engine, EngineRequest, KeptOutputs, Performance, Whereabouts};
use wake_steps::error::StepError;
use wake_steps::here::Here;
use wake_steps::pin::PinnedAction;
use wake_steps::slots::Slots;
use wake_store::{Adopted, Scratch, Store, StoreError};

use crate::crew::{Ground, News, all_listen};
use crate::flow::{Flow, FlowError, LOOK, PIECE, Step, wait_for_bytes, wait_for_room};
use crate::graphics::{Graphics, GraphicsClaim};
use crate::log_lines::LogLines;
use crate::members::{Means, Member};
use crate::outlet::{Outlet, StreamError};
use crate::pipes::{self, Blocks, Given, has_left};
use crate::relay::{Way, address};
use crate::shared_outlet::{ReplicaOutlet, SharedOutlet};
use crate::sockets;
use crate::stream_list::StreamList;
use crate::tally::{Deadline, Tally, Trouble, TroubleSlot, ended_as};
use crate::task::{InputEnd, OutputEnd, Task};

/// Runs one job on this machine.
pub(crate) struct PipeEngine {
    pub(crate) here: Here,
    /// What holds networks.
    pub(crate) executor: Executor,
    pub(crate) store: Arc<Store>,
    pub(crate) task: Arc<Task>,
    /// Why the job had to be stopped.
    pub(crate) trouble: TroubleSlot,
    /// How the threads of streams are treated, instead of what that of a step is.
    pub(crate) scheduling: Option<Scheduling>,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

/// How outputs are put into blocks. What a command makes can be made again, so nobody waits for the disk.
pub(crate) const BLOCKS: WriteOptions = WriteOptions {
    block: USUAL_BLOCK,
    flush: Some(Flush { after: Duration::from_secs(1), clock: wake_steps::clock::now }),
    durable: false,
};

/// What puts some of an input into a file.
type Giver<'a> = dyn FnMut(&File) -> Result<Given, StreamError> + 'a;
/// An output that is about to be written: with its buffer, and with standard output.
type BegunOutput<'s> = (BufferName, Option<BufferWriter<'s>>, Option<File>);
/// An output that the command has written.
type EndedOutput<'s> = (BufferName, Option<BufferWriter<'s>>);

impl Engine for PipeEngine {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        let EngineRequest { pinned, sources, cancel, profile, turn, wrote } = order;
        if let Some(scheduling) = &self.scheduling {
            // A step keeps to one processor, the same one in every process, and so would all that streams through chained jobs.
            scheduling.apply();
        }
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
        // Whether a replica has ended, and whether all is over.
        let done: Vec<AtomicBool> = replicas.iter().map(|_| AtomicBool::new(false)).collect();
        let over = AtomicBool::new(false);
        let (performed, ended) = thread::scope(|scope| {
            let (tell, news) = sync_channel(NEWS);
            let outlets: Vec<_> = outlets
                .into_iter()
                .map(|(name, writer, standard)| {
                    SharedOutlet::new(name, Outlet::new(writer, standard))
                })
                .collect();
            let mut streams = Vec::new();
            for (replica, (scratch, done)) in pipes.iter().zip(&done).enumerate() {
                for (name, end) in
                    self.task.inputs.iter().filter(|(name, _)| self.task.is_piped(name))
                {
                    let path = scratch.path().join(name.as_str());
                    streams
                        .push(scope.spawn(move || self.watch(self.feed(&path, end, done), cancel)));
                }
                for shared in &outlets {
                    if !self.task.is_piped(shared.name()) {
                        continue;
                    }
                    let path = scratch.path().join(shared.name().as_str());
                    let mut outlet = ReplicaOutlet { shared: shared.clone(), replica };
                    streams.push(scope.spawn(move || {
                        self.watch(pipes::drain(&path, done, &mut outlet), cancel);
                    }));
                }
                for socket in self.task.codespec.sockets() {
                    let Some(networks) = &networks else { continue };
                    let shared =
                        outlets.iter().find(|one| Some(one.name()) == socket.output.as_ref());
                    let outlet =
                        shared.map(|shared| ReplicaOutlet { shared: shared.clone(), replica });
                    let tell = tell.clone();
                    streams.push(scope.spawn(move || {
                        let through = self.through(socket, networks, replica, outlet, done);
                        if matches!(through, Ok(true)) {
                            let _ = tell.send(News::SocketDone);
                        }
                        self.watch(through.map(drop), cancel);
                    }));
                }
            }
            if let Some(networks) = &networks {
                for way in self.ways() {
                    let opened = way.open(scope, networks, &over);
                    self.watch(opened.map_err(StreamError::Way), cancel);
                }
            }
            for (number, member) in workers.iter().enumerate() {
                let tell = tell.clone();
                let (ground, number) = (&ground, replicas.len() + number);
                scope.spawn(move || ground.keep(member, number, &tell));
            }
            for (replica, (member, done)) in replicas.iter().zip(&done).enumerate() {
                let (tell, ground, networks) = (tell.clone(), &ground, &networks);
                scope.spawn(move || {
                    let ended = match self.may_begin(networks.as_ref(), ground.stop) {
                        Ok(true) => ground.run(member, replica, &tell),
                        Ok(false) => Err(StepError::Cancelled),
                        Err(error) => Err(error),
                    };
                    done.store(true, Ordering::Release);
                    let _ = tell.send(News::Ended(replica, Box::new(ended)));
                });
            }
            drop(tell);
            let names = replicas.iter().chain(&workers).map(|member| member.name.clone());
            let mut lines = LogLines::new(names.collect());
            let mut tally = Tally::new(&self.task, &self.trouble, self.now, &stop);
            loop {
                if cancel.is_cancelled() {
                    stop.cancel();
                } else if deadline.is_past() {
                    tally.is_late = true;
                    stop.cancel();
                }
                match news.recv_timeout(LOOK) {
                    Ok(News::Wrote(number, stream, bytes)) => {
                        lines.add(number, stream, &bytes, wrote);
                    }
                    Ok(news) => tally.hear(news),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            lines.end(wrote);
            over.store(true, Ordering::Release);
            streams.into_iter().for_each(|stream| joined(stream.join()));
            let ended: Vec<EndedOutput<'_>> = outlets.iter().map(|shared| shared.end()).collect();
            (tally.performed(), ended)
        });
        self.end(performed, ended)
    }

    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError> {
        self.here.bring(tree, manifest)
    }
}

/// What is told that waits to be heard.
const NEWS: usize = 16;

impl PipeEngine {
    /// Networks for those who run together, where any of them is to be reached by others.
    fn networks(&self) -> Result<Option<Networks>, StepError> {
        let is_reached =
            !self.task.codespec.sockets().is_empty() || self.task.endpoints().next().is_some();
        let (replicas, workers) = self.task.sizes();
        match (is_reached, self.task.shares_network) {
            (false, _) => Ok(None),
            (true, true) => Ok(Some(Networks::of_host())),
            (true, false) => {
                let count = u32::try_from(replicas + workers).unwrap_or(u32::MAX);
                Ok(Some(self.executor.networks(count)?))
            }
        }
    }

    /// The graphics processors that all of them want together; none if `is_over` before it has them.
    fn graphics(&self, is_over: &dyn Fn() -> bool) -> Result<Option<GraphicsClaim>, StepError> {
        let dir = self.store.jobs_dir().join("graphics");
        let all = Graphics::of(Path::new("/dev"));
        let claimed = all.claim(self.task.graphics(), &dir, is_over);
        claimed.map_err(|source| StoreError::Io { path: dir, source }.into())
    }

    /// The ways from the networks of the job to those of its workers.
    fn ways(&self) -> Vec<Way> {
        if self.task.shares_network {
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

    fn members(
        &self,
        pinned: &PinnedAction,
        pipes: &[Scratch],
        means: &mut Means<'_>,
    ) -> Result<(Vec<Member>, Vec<Member>), StepError> {
        let replicas = pipes
            .iter()
            .enumerate()
            .map(|(number, scratch)| self.task.replica(number, pinned, scratch, means))
            .collect();
        let mut workers = Vec::new();
        if let Some(worker) = &self.task.worker {
            for number in 0..worker.replicas as usize {
                workers.push(self.task.worker(worker, number, pinned, means)?);
            }
        }
        Ok((replicas, workers))
    }

    /// Waits until the job may begin: as soon as its workers listen; false if all is over before.
    fn may_begin(&self, networks: Option<&Networks>, stop: &Cancel) -> Result<bool, StepError> {
        let Some(networks) = networks else { return Ok(true) };
        all_listen(&self.task, networks, stop).map_err(|error| refused(&error.to_string()))
    }

    /// The directories of pipes, one for each replica.
    fn pipes(&self) -> Result<Vec<Scratch>, StepError> {
        (0..self.task.replicas).map(|_| self.pipes_of_one()).collect()
    }

    fn pipes_of_one(&self) -> Result<Scratch, StepError> {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = self.store.scratch()?;
        let dir = scratch.path();
        let failed = |source| StoreError::Io { path: dir.to_owned(), source };
        // Whoever the command is, it may look there.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        for name in self.task.codespec.piped() {
            pipes::make(&dir.join(name.as_str())).map_err(failed)?;
        }
        Ok(scratch)
    }

    fn outlets(&self) -> Result<Vec<BegunOutput<'_>>, StepError> {
        let buffers = Buffers::new(&self.store);
        let outlet = |(name, OutputEnd { buffer, standard }): &(BufferName, OutputEnd)| {
            let begin = |id| buffers.begin(id, BLOCKS, self.now);
            let writer = buffer.as_ref().map(begin).transpose();
            let writer = writer.map_err(|error| refused(&error.to_string()))?;
            let standard = standard.then(|| io::stdout().as_fd().try_clone_to_owned());
            let standard = standard.transpose().map_err(|error| refused(&error.to_string()))?;
            Ok((name.clone(), writer, standard.map(File::from)))
        };
        self.task.outputs.iter().map(outlet).collect()
    }

    fn feed(&self, path: &Path, end: &InputEnd, done: &AtomicBool) -> Result<(), StreamError> {
        self.give_all(end, done, &mut |give| pipes::feed(path, done, give))
    }

    /// Has all of a buffer go through a socket of a replica, and all that comes back into another; false if nothing ever listened there.
    fn through(
        &self,
        socket: &Socket,
        networks: &Networks,
        replica: usize,
        outlet: Option<ReplicaOutlet<'_>>,
        done: &AtomicBool,
    ) -> Result<bool, StreamError> {
        let named = |error| StreamError::Socket { port: socket.port, error };
        let connected = sockets::connected(networks, replica, socket.port, done).map_err(named)?;
        let Some(stream) = connected else { return Ok(false) };
        let is_input = |(name, _): &&(BufferName, InputEnd)| Some(name) == socket.input.as_ref();
        let input = self.task.inputs.iter().find(is_input);
        thread::scope(|scope| {
            let stream = &stream;
            let sent = scope.spawn(move || match input {
                Some((_, end)) => self.give_all(end, done, &mut |give| sockets::send(stream, give)),
                None => Ok(()),
            });
            let received = match outlet {
                Some(mut outlet) => sockets::receive(stream, &mut outlet),
                None => Ok(()),
            };
            joined(sent.join()).and(received).map(|()| true)
        })
    }

    /// Has all of an input go where `to` takes it.
    fn give_all(
        &self,
        end: &InputEnd,
        done: &AtomicBool,
        to: &mut dyn FnMut(&mut Giver<'_>) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        let is_done = || done.load(Ordering::Acquire);
        match end {
            InputEnd::Buffer(id, _) => give_buffer(&self.store, id, done, self.now, to),
            InputEnd::Standard => {
                let input = io::stdin().as_fd().try_clone_to_owned().map_err(StreamError::Input)?;
                let input = File::from(input);
                // It need not be a pipe.
                let _ = rustix::pipe::fcntl_setpipe_size(&input, PIECE);
                let mut flow = Flow::default();
                to(&mut |file| give(&mut flow, &input, file, &is_done))
            }
        }
    }

    /// What comes of a job that was stopped before it began, or had no time left for that.
    fn not_begun(&self, cancel: &Cancel) -> Result<Performance, StepError> {
        let performed = match cancel.is_cancelled() {
            true => Err(StepError::Cancelled),
            false => Ok(ended_as(Outcome::TimedOut, self.now)),
        };
        let outputs = self.outlets()?;
        self.end(performed, outputs.into_iter().map(|(name, writer, _)| (name, writer)).collect())
    }

    /// Has a stream that broke off stop the job.
    fn watch(&self, streamed: Result<(), StreamError>, cancel: &Cancel) {
        let Err(error) = streamed else { return };
        let trouble = match &error {
            StreamError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Trouble::NobodyReads
            }
            _ => Trouble::Stream(error.to_string()),
        };
        self.trouble.note(trouble);
        cancel.cancel();
    }

    /// Ends the outputs as the command has ended, and keeps what went into them.
    fn end(
        &self,
        performed: Result<Performance, StepError>,
        ended: Vec<EndedOutput<'_>>,
    ) -> Result<Performance, StepError> {
        let trouble = self.trouble.get();
        let reason = match (&performed, &trouble) {
            (_, Some(Trouble::Stream(reason) | Trouble::Worker(reason))) => Some(reason.clone()),
            (_, Some(Trouble::NobodyReads)) => Some("nobody reads standard output".to_owned()),
            (Ok(performance), None) if performance.outcome.is_success() => None,
            (Ok(performance), _) => Some(format!("the job ended with {}", performance.outcome)),
            (Err(StepError::Cancelled), _) => Some("the job was cancelled".to_owned()),
            (Err(error), _) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            for writer in ended.into_iter().filter_map(|(_, writer)| writer) {
                // Where not even that can be written it is broken off, which says the same.
                let _ = writer.fail(&reason);
            }
            return match (performed, trouble) {
                (performed, None | Some(Trouble::Replica(_))) => performed,
                (_, Some(_)) => Err(refused(&reason)),
            };
        }
        let mut performance = performed?;
        let mut lists = Vec::new();
        for (name, writer) in ended {
            let content = writer.map(BufferWriter::finish).transpose();
            let content = content.map_err(|error| refused(&error.to_string()))?;
            lists.push((name, content));
        }
        performance.left = Ok(Some(self.kept(&lists)?));
        Ok(performance)
    }

    /// The lists of what went into the outputs, as the tree that the action leaves.
    fn kept(&self, ended: &[(BufferName, Option<Content>)]) -> Result<KeptOutputs, StepError> {
        let buffers = Buffers::new(&self.store);
        let mut builder = self.store.build_tree()?;
        let ends = self.task.outputs.iter().map(|(_, end)| end);
        for ((name, content), end) in ended.iter().zip(ends) {
            let list = match (content, &end.buffer) {
                (Some(content), Some(id)) => {
                    let blocks = buffers.blocks(id).map_err(|error| refused(&error.to_string()))?;
                    StreamList { content: *content, blocks }.to_string()
                }
                _ => String::new(),
            };
            let at = self.task.work().join(&self.task.pipe_dir());
            let at = at.child(name.as_str()).map_err(|error| refused(&error.to_string()))?;
            let at = at.strip(&self.task.work()).unwrap_or(at);
            builder
                .add_bytes(&at, list.as_bytes(), false)
                .map_err(|error| refused(&error.to_string()))?;
        }
        let finished = builder.finish_as_outputs();
        let (manifest, adopted) = finished.map_err(|error| refused(&error.to_string()))?;
        let (tree, wares) = (adopted.tree, Vec::new());
        Ok(KeptOutputs { tree, manifest, wares, bytes: Whereabouts::Here(adopted) })
    }
}

/// Has what a buffer holds go where `to` takes it, also while it is being written.
pub(crate) fn give_buffer(
    store: &Store,
    id: &BufferId,
    done: &AtomicBool,
    now: u64,
    to: &mut dyn FnMut(&mut Giver<'_>) -> Result<(), StreamError>,
) -> Result<(), StreamError> {
    let mut reader = Buffers::new(store).open(id, Unwritten::Wait, now)?;
    let is_done = || done.load(Ordering::Acquire);
    let mut next = || match reader.next(&is_done) {
        Ok(block) => Ok(block.map(|block| block.file)),
        Err(wake_buffer::BufferError::Cancelled) => Ok(None),
        Err(error) => Err(StreamError::from(error)),
    };
    let mut blocks = Blocks::default();
    to(&mut |file| blocks.give(file, &mut next))
}

/// What a thread came to; what is wrong in it is wrong here.
fn joined<T>(ended: thread::Result<T>) -> T {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Has what has come on standard input go into a pipe, until its end or the command's.
fn give(
    flow: &mut Flow,
    input: &File,
    pipe: &File,
    is_done: &dyn Fn() -> bool,
) -> Result<Given, StreamError> {
    if is_done() {
        return Ok(Given::All);
    }
    if !flow.holds_some() && wait_for_bytes(input).map_err(StreamError::Input)?.is_none() {
        return Ok(Given::Some);
    }
    match flow.step(input, pipe) {
        Ok(Step::Moved) => Ok(Given::Some),
        Ok(Step::End) => Ok(Given::All),
        Ok(Step::Full) => {
            wait_for_room(pipe)?;
            Ok(Given::Some)
        }
        Err(FlowError::To(error)) if has_left(&error) => Ok(Given::NobodyReads),
        Err(FlowError::To(error)) => Err(StreamError::Pipe(error)),
        Err(FlowError::From(error)) => Err(StreamError::Input(error)),
    }
}

fn refused(reason: &str) -> StepError {
    StepError::Refused(Box::new(Diagnostic::error(Class::Environment, reason)))
}
