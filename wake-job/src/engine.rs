//! Performs a job: what its action names as files are pipes while it runs.
//!
//! An action names an input by what comes out of its pipe, and its outputs are lists of the blocks that went into theirs. So a job is
//! looked up and remembered like any other step.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, thread};

use wake_buffer::{BufferWriter, Buffers, Content, Unwritten};
use wake_codespec::name::BufferName;
use wake_model::{InputNode, Manifest, MountAccess, Outputs, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::engine::{Engine, EngineRequest, KeptOutputs, Performance, Whereabouts};
use wake_steps::error::StepError;
use wake_steps::here::Here;
use wake_steps::pin::{InputPlace, PinnedAction};
use wake_steps::{Cancel, Input, Inputs};
use wake_store::{Adopted, Scratch, Store, StoreError};

use crate::flow::{Flow, FlowError, PIECE, Step, wait_for_bytes, wait_for_room};
use crate::outlet::{Outlet, StreamError};
use crate::pipes::{self, Blocks, Given};
use crate::stream_list::StreamList;
use crate::task::{InputEnd, OutputEnd, Task};

/// Runs one job on this machine.
pub(crate) struct PipeEngine {
    pub(crate) here: Here,
    pub(crate) store: Arc<Store>,
    pub(crate) task: Arc<Task>,
    /// Why a stream broke off, so that the job had to be stopped.
    pub(crate) trouble: Arc<Mutex<Option<Trouble>>>,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

/// An output that is about to be written: with its buffer, and with standard output.
type BegunOutput<'s> = (BufferName, Option<BufferWriter<'s>>, Option<File>);
/// An output that the command has written.
type EndedOutput<'s> = (BufferName, Option<BufferWriter<'s>>);

/// Why a job was stopped.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A stream to or from it broke off.
    Stream(String),
    /// Nobody reads standard output any more.
    NobodyReads,
}

impl Engine for PipeEngine {
    fn perform(&self, order: EngineRequest<'_, '_>) -> Result<Performance, StepError> {
        let EngineRequest { pinned, sources, cancel, profile, turn, wrote } = order;
        let scratch = self.pipes()?;
        let piped = self.piped(pinned, &scratch);
        let outlets = self.outlets()?;
        let done = AtomicBool::new(false);
        let (performed, ended) = thread::scope(|scope| {
            let feeders: Vec<_> = self
                .task
                .inputs
                .iter()
                .map(|(name, end)| {
                    let path = scratch.path().join(name.as_str());
                    let done = &done;
                    scope.spawn(move || self.watch(self.feed(&path, end, done), cancel))
                })
                .collect();
            let drainers: Vec<_> = outlets
                .into_iter()
                .map(|(name, writer, standard)| {
                    let path = scratch.path().join(name.as_str());
                    let done = &done;
                    let mut outlet = Outlet::new(scope, writer, standard);
                    scope.spawn(move || {
                        let drained = pipes::drain(&path, done, &mut outlet);
                        let (writer, kept) = outlet.end();
                        self.watch(drained.and(kept), cancel);
                        (name, writer)
                    })
                })
                .collect();
            let order = EngineRequest { pinned: &piped, sources, cancel, profile, turn, wrote };
            let performed = self.here.perform(order);
            done.store(true, Ordering::Release);
            feeders.into_iter().for_each(|feeder| joined(feeder.join()));
            let ended: Vec<EndedOutput<'_>> =
                drainers.into_iter().map(|drainer| joined(drainer.join())).collect();
            (performed, ended)
        });
        self.end(performed, ended)
    }

    fn bring(&self, tree: &TreeDigest, manifest: &Manifest) -> Result<Adopted, StepError> {
        self.here.bring(tree, manifest)
    }
}

impl PipeEngine {
    /// The directory of pipes.
    fn pipes(&self) -> Result<Scratch, StepError> {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = self.store.scratch()?;
        let dir = scratch.path();
        let failed = |source| StoreError::Io { path: dir.to_owned(), source };
        // Whoever the command is, it may look there.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        let inputs = self.task.inputs.iter().map(|(name, _)| name);
        let outputs = self.task.outputs.iter().map(|(name, _)| name);
        for name in inputs.chain(outputs) {
            pipes::make(&dir.join(name.as_str())).map_err(failed)?;
        }
        Ok(scratch)
    }

    /// The action with the pipes in place of what stands for them.
    fn piped(&self, pinned: &PinnedAction, scratch: &Scratch) -> PinnedAction {
        let mut piped = pinned.clone();
        let (dir, access) = (self.task.pipe_dir(), MountAccess::ReadWrite);
        let host = scratch.path().to_owned();
        let name = host.to_string_lossy().into_owned();
        let mut inputs = Inputs::default();
        // Nothing else lies there.
        let _ = inputs.place(dir.clone(), Input::Mount { host, access });
        piped.inputs = inputs;
        piped.located = vec![InputPlace::AsNamed];
        let at = piped.action.work.join(&dir);
        piped.action.inputs = [(at, InputNode::Mount { host: name, access })].into();
        piped.action.outputs = Outputs::Tree(Vec::new());
        piped
    }

    fn outlets(&self) -> Result<Vec<BegunOutput<'_>>, StepError> {
        let buffers = Buffers::new(&self.store);
        let outlet = |(name, OutputEnd { buffer, standard }): &(BufferName, OutputEnd)| {
            let writer = buffer.as_ref().map(|id| buffers.begin(id, self.now)).transpose();
            let writer = writer.map_err(|error| refused(&error.to_string()))?;
            // What a command makes can be made again.
            let writer = writer.map(|writer| writer.durable(false));
            let standard = standard.then(|| io::stdout().as_fd().try_clone_to_owned());
            let standard = standard.transpose().map_err(|error| refused(&error.to_string()))?;
            Ok((name.clone(), writer, standard.map(File::from)))
        };
        self.task.outputs.iter().map(outlet).collect()
    }

    fn feed(
        &self,
        path: &std::path::Path,
        end: &InputEnd,
        done: &AtomicBool,
    ) -> Result<(), StreamError> {
        let is_done = || done.load(Ordering::Acquire);
        match end {
            InputEnd::Buffer(id, _) => {
                let buffers = Buffers::new(&self.store);
                let mut reader = buffers.open(id, Unwritten::Wait, self.now)?;
                let mut next = || match reader.next(&is_done) {
                    Ok(block) => Ok(block.map(|(_, bytes)| bytes)),
                    Err(wake_buffer::BufferError::Cancelled) => Ok(None),
                    Err(error) => Err(StreamError::from(error)),
                };
                let mut blocks = Blocks::default();
                pipes::feed(path, done, &mut |pipe| blocks.give(pipe, &mut next))
            }
            InputEnd::Standard => {
                let input = io::stdin().as_fd().try_clone_to_owned().map_err(StreamError::Input)?;
                let input = File::from(input);
                // It need not be a pipe.
                let _ = rustix::pipe::fcntl_setpipe_size(&input, PIECE);
                let mut flow = Flow::default();
                pipes::feed(path, done, &mut |pipe| give(&mut flow, &input, pipe, &is_done))
            }
        }
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
        let mut slot = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(trouble);
        drop(slot);
        cancel.cancel();
    }

    /// Ends the outputs as the command has ended, and keeps what went into them.
    fn end(
        &self,
        performed: Result<Performance, StepError>,
        ended: Vec<EndedOutput<'_>>,
    ) -> Result<Performance, StepError> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = match (&performed, &trouble) {
            (_, Some(Trouble::Stream(reason))) => Some(reason.clone()),
            (_, Some(Trouble::NobodyReads)) => Some("nobody reads standard output".to_owned()),
            (Ok(performance), None) if performance.outcome.is_success() => None,
            (Ok(performance), None) => Some(format!("the job ended with {}", performance.outcome)),
            (Err(StepError::Cancelled), None) => Some("the job was cancelled".to_owned()),
            (Err(error), None) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            for writer in ended.into_iter().filter_map(|(_, writer)| writer) {
                // Where not even that can be written it is broken off, which says the same.
                let _ = writer.fail(&reason);
            }
            return match (performed, trouble) {
                (_, Some(_)) => Err(refused(&reason)),
                (performed, None) => performed,
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
        Err(FlowError::To(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Given::NobodyReads)
        }
        Err(FlowError::To(error)) => Err(StreamError::Pipe(error)),
        Err(FlowError::From(error)) => Err(StreamError::Input(error)),
    }
}

fn refused(reason: &str) -> StepError {
    StepError::Refused(Box::new(Diagnostic::error(Class::Environment, reason)))
}
