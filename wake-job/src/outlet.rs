//! Writes the bytes of an output to a buffer, to standard output, or both.

use std::fs::File;
use std::io::{self, Read, Write};

use wake_buffer::{BufferError, BufferWriter};
use wake_codespec::name::BufferName;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_full;
use wake_store::{Store, StoreError};

use crate::flow::{Flow, FlowError, PIECE, Step, passes, wait_for_room};
use crate::pipes::{Taken, Taker};

pub(crate) struct Outlet<'s> {
    buffer: Option<BufferWriter<'s>>,
    standard: Option<File>,
    flow: Flow,
    piece: Vec<u8>,
}

/// Why a stream to or from a job broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Buffer(#[from] BufferError),
    #[error("pipe: {0}")]
    Pipe(#[from] io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    #[error("socket on port {port}: {error}")]
    Socket { port: u16, error: io::Error },
    #[error("cannot forward connections to a worker: {0}")]
    Way(io::Error),
    #[error(
        "the output `{output}` cannot be overwritten: replica {replica} writes to it after replica {first}"
    )]
    Overwritten { output: BufferName, replica: usize, first: usize },
}

impl StreamError {
    /// Returns the diagnostic for the user.
    pub(crate) fn diagnostic(&self, store: &Store) -> Diagnostic {
        match self {
            StreamError::Buffer(error) => buffer_trouble(error, store),
            error => Diagnostic::error(Class::Environment, error.to_string()),
        }
    }
}

/// Returns the diagnostic for a buffer of a job that cannot be read or written.
pub(crate) fn buffer_trouble(error: &BufferError, store: &Store) -> Diagnostic {
    match error {
        // Paths within the store are not shown.
        BufferError::Store(StoreError::DiskFull { .. }) => store_full(store.root()),
        error => Diagnostic::error(Class::Environment, error.to_string()),
    }
}

impl<'s> Outlet<'s> {
    pub(crate) fn new(buffer: Option<BufferWriter<'s>>, standard: Option<File>) -> Self {
        if let Some(standard) = &standard {
            // Fails if it is not a pipe.
            let _ = rustix::pipe::fcntl_setpipe_size(standard, PIECE);
        }
        Outlet { buffer, standard, flow: Flow::default(), piece: Vec::new() }
    }

    /// Returns the buffer, whose last block may not have been stored.
    pub(crate) fn end(self) -> Option<BufferWriter<'s>> {
        self.buffer
    }

    /// Writes available bytes to the buffer, and to standard output if it is used.
    fn fill(&mut self, mut pipe: &File) -> Result<Taken, StreamError> {
        self.piece.resize(PIECE, 0);
        let many = match pipe.read(&mut self.piece) {
            Ok(0) => return Ok(Taken::Nothing),
            Err(error) if passes(&error) => return Ok(Taken::Some),
            // On a socket: the sender has closed it without reading everything that was sent to it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Taken::Nothing);
            }
            many => many?,
        };
        if let Some(standard) = &mut self.standard {
            standard.write_all(&self.piece[..many]).map_err(StreamError::Output)?;
        }
        if let Some(buffer) = &mut self.buffer {
            buffer.write(&self.piece[..many])?;
            buffer.put_down_if_old()?;
        }
        Ok(Taken::Some)
    }

    /// Writes available bytes to standard output only.
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

impl Taker<StreamError> for Outlet<'_> {
    fn take(&mut self, pipe: &File) -> Result<Taken, StreamError> {
        match self.buffer {
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
        if let Some(buffer) = &mut self.buffer {
            buffer.put_down_if_old()?;
        }
        Ok(Taken::Nothing)
    }
}
