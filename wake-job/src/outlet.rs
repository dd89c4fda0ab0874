//! Where the bytes of an output go: into a buffer, to standard output, or both.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use wake_buffer::{BufferError, BufferWriter, Content, USUAL_BLOCK};

use crate::pipes::Piece;

/// After how long a block is put down that is not full.
const FLUSH: Duration = Duration::from_secs(1);

pub(crate) struct Outlet<'s> {
    pub(crate) buffer: Option<BufferWriter<'s>>,
    pub(crate) standard: Option<File>,
    pending: Vec<u8>,
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
}

impl<'s> Outlet<'s> {
    pub(crate) fn new(buffer: Option<BufferWriter<'s>>, standard: Option<File>) -> Self {
        let pending = Vec::new();
        Outlet { buffer, standard, pending, since: None }
    }

    pub(crate) fn take(&mut self, piece: Piece<'_>) -> Result<(), StreamError> {
        let Piece::Bytes(mut bytes) = piece else { return self.flush_if_old() };
        if let Some(standard) = &mut self.standard {
            standard.write_all(bytes).map_err(StreamError::Output)?;
        }
        let Some(buffer) = &mut self.buffer else { return Ok(()) };
        while !bytes.is_empty() {
            let room = USUAL_BLOCK - self.pending.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == USUAL_BLOCK {
                buffer.add(&self.pending)?;
                self.pending.clear();
                self.since = None;
            }
        }
        if !self.pending.is_empty() {
            self.since.get_or_insert_with(wake_steps::clock::now);
        }
        Ok(())
    }

    fn flush_if_old(&mut self) -> Result<(), StreamError> {
        if self.since.is_some_and(|since| since.elapsed() > FLUSH)
            && let Some(buffer) = &mut self.buffer
        {
            buffer.add(&self.pending)?;
            self.pending.clear();
            self.since = None;
        }
        Ok(())
    }

    /// Says that this was all; what the buffer holds, if there is one.
    pub(crate) fn finish(mut self) -> Result<Option<Content>, StreamError> {
        let Some(mut buffer) = self.buffer.take() else { return Ok(None) };
        buffer.add(&self.pending)?;
        Ok(Some(buffer.finish()?))
    }

    /// Says that it will never be whole.
    pub(crate) fn fail(mut self, reason: &str) {
        if let Some(buffer) = self.buffer.take() {
            // Where not even that can be written it is broken off, which says the same.
            let _ = buffer.fail(reason);
        }
    }
}
