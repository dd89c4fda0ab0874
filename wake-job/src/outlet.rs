//! Where the bytes of an output go: into a buffer, to standard output, or both.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use wake_buffer::{BufferError, BufferWriter, USUAL_BLOCK};
use wake_codespec::name::BufferName;

use crate::flow::{Flow, FlowError, PIECE, Step, passes, wait_for_room};
use crate::pipes::{Taken, Taker};

/// After how long a block is put down that is not full.
const FLUSH: Duration = Duration::from_secs(1);
/// Blocks that wait while one is put down.
const WAITING: usize = 1;

pub(crate) struct Outlet<'scope, 's> {
    keeper: Option<Keeper<'scope, 's>>,
    standard: Option<File>,
    flow: Flow,
    pending: Vec<u8>,
    filled: usize,
    since: Option<Instant>,
}

/// Why a stream to or from a job broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Buffer(#[from] BufferError),
    #[error("a pipe: {0}")]
    Pipe(#[from] io::Error),
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
    #[error("standard input cannot be read: {0}")]
    Input(io::Error),
    #[error("the socket at port {port}: {error}")]
    Socket { port: u16, error: io::Error },
    #[error("a way to a worker: {0}")]
    Way(io::Error),
    #[error(
        "the output `{output}` cannot be overwritten: replica {replica} writes it, and replica {first} has written it"
    )]
    Overwritten { output: BufferName, replica: usize, first: usize },
}

/// Puts blocks down beside whoever fills them.
struct Keeper<'scope, 's> {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: ScopedJoinHandle<'scope, Kept<'s>>,
}

/// A buffer, and how keeping blocks in it went.
type Kept<'s> = (BufferWriter<'s>, Result<(), BufferError>);

impl<'scope, 's: 'scope> Keeper<'scope, 's> {
    fn begin(scope: &'scope Scope<'scope, '_>, mut writer: BufferWriter<'s>) -> Self {
        let (full, blocks) = sync_channel::<Vec<u8>>(WAITING);
        let (used, empty) = channel();
        let thread = scope.spawn(move || {
            for block in blocks {
                if let Err(error) = writer.add(&block) {
                    return (writer, Err(error));
                }
                // Nobody may want it any more.
                let _ = used.send(block);
            }
            (writer, Ok(()))
        });
        Keeper { full, empty, thread }
    }

    fn end(self) -> Kept<'s> {
        drop(self.full);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl<'scope, 's: 'scope> Outlet<'scope, 's> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, '_>,
        buffer: Option<BufferWriter<'s>>,
        standard: Option<File>,
    ) -> Self {
        if let Some(standard) = &standard {
            // It need not be a pipe.
            let _ = rustix::pipe::fcntl_setpipe_size(standard, PIECE);
        }
        let keeper = buffer.map(|writer| Keeper::begin(scope, writer));
        let (flow, pending) = (Flow::default(), Vec::new());
        Outlet { keeper, standard, flow, pending, filled: 0, since: None }
    }

    /// Puts down what is left; the buffer, and whether all of it could be kept.
    pub(crate) fn end(mut self) -> (Option<BufferWriter<'s>>, Result<(), StreamError>) {
        self.put_down();
        let Some(keeper) = self.keeper else { return (None, Ok(())) };
        let (writer, kept) = keeper.end();
        (Some(writer), kept.map_err(StreamError::from))
    }

    /// Fills the block of the buffer; what came goes to standard output as well.
    fn fill(&mut self, mut pipe: &File) -> Result<Taken, StreamError> {
        self.pending.resize(USUAL_BLOCK, 0);
        let many = match pipe.read(&mut self.pending[self.filled..]) {
            Err(error) if passes(&error) => return Ok(Taken::Some),
            // Of a socket: whoever sent has gone without having read all that it was sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Taken::Nothing);
            }
            many => many?,
        };
        if many == 0 {
            return Ok(Taken::Nothing);
        }
        let came = self.filled..self.filled + many;
        self.filled = came.end;
        self.since.get_or_insert_with(wake_steps::clock::now);
        if let Some(standard) = &mut self.standard {
            standard.write_all(&self.pending[came]).map_err(StreamError::Output)?;
        }
        match self.filled < USUAL_BLOCK || self.put_down() {
            true => Ok(Taken::Some),
            false => Ok(Taken::Refused),
        }
    }

    /// Hands the block over; false where no more can be kept, which [`end`](Self::end) explains.
    fn put_down(&mut self) -> bool {
        let Some(keeper) = &self.keeper else { return true };
        if self.filled == 0 {
            return true;
        }
        let mut block = std::mem::take(&mut self.pending);
        block.truncate(self.filled);
        (self.filled, self.since) = (0, None);
        let is_taken = keeper.full.send(block).is_ok();
        self.pending = keeper.empty.try_recv().unwrap_or_default();
        is_taken
    }

    /// Has what came go to standard output alone.
    fn pass(&mut self, pipe: &File) -> Result<Taken, StreamError> {
        let Some(standard) = &self.standard else { return Ok(Taken::Nothing) };
        let step = match self.flow.step(pipe, standard) {
            Err(FlowError::From(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Taken::Nothing);
            }
            step => step.map_err(|error| match error {
                FlowError::From(error) => StreamError::Pipe(error),
                FlowError::To(error) => StreamError::Output(error),
            })?,
        };
        match step {
            Step::Moved => {}
            Step::End => return Ok(Taken::Nothing),
            Step::Full => wait_for_room(standard).map_err(StreamError::Output)?,
        }
        Ok(Taken::Some)
    }
}

impl<'scope, 's: 'scope> Taker<StreamError> for Outlet<'scope, 's> {
    fn take(&mut self, pipe: &File) -> Result<Taken, StreamError> {
        match self.keeper {
            Some(_) => self.fill(pipe),
            None => loop {
                let taken = self.pass(pipe)?;
                if !self.flow.holds_some() {
                    return Ok(taken);
                }
            },
        }
    }

    fn nothing_came(&mut self) -> Result<Taken, StreamError> {
        let is_old = self.since.is_some_and(|since| since.elapsed() > FLUSH);
        match !is_old || self.put_down() {
            true => Ok(Taken::Nothing),
            false => Ok(Taken::Refused),
        }
    }
}
