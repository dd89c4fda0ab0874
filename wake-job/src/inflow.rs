//! The inputs of a job, through pipes and sockets, as far as the job reads them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wake_buffer::{Buffers, Unwritten};
use wake_codespec::codespec::Socket;
use wake_codespec::name::BufferName;
use wake_exec::Networks;
use wake_model::BufferId;
use wake_store::Store;

use crate::flow::{Flow, FlowError, PIECE, Step, wait_for_bytes, wait_for_room};
use crate::outlet::StreamError;
use crate::pipes::{self, Blocks, Given, has_left};
use crate::shared_outlet::ReplicaOutlet;
use crate::sockets;
use crate::task::{InputEnd, Task};

/// Writes part of an input to a file.
type Giver<'a> = dyn FnMut(&File) -> Result<Given, StreamError> + 'a;

/// The inputs of a job.
#[derive(Clone, Copy)]
pub(crate) struct Inflow<'a> {
    pub(crate) store: &'a Store,
    pub(crate) task: &'a Task,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

impl Inflow<'_> {
    /// Sends an input through a pipe.
    pub(crate) fn feed(
        self,
        path: &Path,
        end: &InputEnd,
        done: &AtomicBool,
    ) -> Result<(), StreamError> {
        self.give_all(end, done, &mut |give| pipes::feed(path, done, give))
    }

    /// Sends an input through a socket of a replica, and stores what comes back in an output; false if the replica never listened.
    pub(crate) fn through(
        self,
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

    /// Sends an input to `to`.
    fn give_all(
        self,
        end: &InputEnd,
        done: &AtomicBool,
        to: &mut dyn FnMut(&mut Giver<'_>) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        let is_done = || done.load(Ordering::Acquire);
        match end {
            InputEnd::Buffer(id, _) => give_buffer(self.store, id, done, self.now, to),
            InputEnd::Standard => {
                let input = io::stdin().as_fd().try_clone_to_owned().map_err(StreamError::Input)?;
                let input = File::from(input);
                // Fails if it is not a pipe.
                let _ = rustix::pipe::fcntl_setpipe_size(&input, PIECE);
                let mut flow = Flow::default();
                to(&mut |file| give(&mut flow, &input, file, &is_done))
            }
        }
    }
}

/// Sends the content of a buffer to `to`, even while it is still being written.
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

/// Moves available bytes from standard input to a pipe, up to the end of the input or of the command.
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

/// Returns the result of a thread, and propagates its panic.
pub(crate) fn joined<T>(ended: thread::Result<T>) -> T {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
