//! Reading a buffer, possibly while it is still being written.

use std::fs::File;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use wake_model::{BlobDigest, BufferId};
use wake_store::{StreamBlock, StreamReader};

use crate::about::{Content, End};
use crate::buffers::Buffers;
use crate::error::BufferError;

/// What a reader does if the buffer has not been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Wait for a writer.
    Wait,
    /// Give up.
    Refuse,
}

/// The interval at which new blocks are looked for.
const LOOK: Duration = Duration::from_millis(10);

/// Reads the blocks of a buffer in order.
#[derive(Debug)]
pub struct BufferReader<'s> {
    buffers: Buffers<'s>,
    id: BufferId,
    stream: Option<StreamReader>,
    block: u64,
    size: u64,
    unwritten: Unwritten,
    content: Option<Content>,
}

/// A verified block.
#[derive(Debug)]
pub struct Block {
    /// A file with its bytes, positioned at the beginning.
    pub file: File,
    /// Its size in bytes.
    pub size: u64,
}

impl<'s> Buffers<'s> {
    /// Opens a buffer for reading.
    pub fn open(
        &self,
        id: &BufferId,
        unwritten: Unwritten,
        now: u64,
    ) -> Result<BufferReader<'s>, BufferError> {
        self.live(id, now)?;
        let (id, stream) = (id.clone(), self.stream(id)?);
        Ok(BufferReader { buffers: *self, id, stream, block: 0, size: 0, unwritten, content: None })
    }

    /// Copies a whole buffer to `sink`; `is_cancelled` is polled while waiting.
    ///
    /// If `sink` is a file, the kernel copies the bytes.
    pub fn read(
        &self,
        id: &BufferId,
        unwritten: Unwritten,
        sink: &mut impl Write,
        now: u64,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), BufferError> {
        let mut reader = self.open(id, unwritten, now)?;
        while let Some(mut block) = reader.next(is_cancelled)? {
            io::copy(&mut block.file, sink).map_err(BufferError::Sink)?;
        }
        sink.flush().map_err(BufferError::Sink)
    }
}

impl BufferReader<'_> {
    /// Returns the next block after verifying it; none at the end of a complete buffer.
    pub fn next(&mut self, is_cancelled: &dyn Fn() -> bool) -> Result<Option<Block>, BufferError> {
        loop {
            if is_cancelled() {
                return Err(BufferError::Cancelled);
            }
            if let Some(block) = self.listed()? {
                return self.compared(block).map(Some);
            }
            // In this order: a writer records the end after its last block, and before it releases its lock.
            let is_being_written = self.stream.as_ref().map(StreamReader::is_being_written);
            match (self.buffers.end(&self.id)?, is_being_written) {
                // Blocks that were added since the last check come first.
                (Some(end), Some(_)) => match self.listed()? {
                    Some(block) => return self.compared(block).map(Some),
                    None => return self.ended(end).map(|()| None),
                },
                (None, Some(true)) => thread::sleep(LOOK),
                (None, Some(false)) => {
                    match (self.buffers.end(&self.id)?, self.buffers.left(&self.id)?) {
                        (None, None) => {
                            let (id, bytes) = (self.id.clone(), self.size);
                            return Err(BufferError::BrokenOff { id, bytes });
                        }
                        // Another process is to decide whether it is complete.
                        (None, Some(_)) => thread::sleep(LOOK),
                        (Some(_), _) => {}
                    }
                }
                // It has just been written completely.
                (Some(_), None) => {}
                (None, None) => match self.unwritten {
                    Unwritten::Refuse => return Err(BufferError::Unwritten(self.id.clone())),
                    Unwritten::Wait => {
                        thread::sleep(LOOK);
                        // It may have been removed in the meantime.
                        self.buffers.get(&self.id)?;
                    }
                },
            }
        }
    }

    /// The content of the buffer, once its end has been reached.
    pub fn content(&self) -> Option<Content> {
        self.content
    }

    fn listed(&mut self) -> Result<Option<StreamBlock>, BufferError> {
        if self.stream.is_none() {
            self.stream = self.buffers.stream(&self.id)?;
        }
        match &mut self.stream {
            Some(stream) => Ok(stream.next_block()?),
            None => Ok(None),
        }
    }

    fn compared(&mut self, block: StreamBlock) -> Result<Block, BufferError> {
        let file = self.buffers.store.compared_blob(&block.blob)?;
        let file = file.ok_or_else(|| self.damaged())?;
        self.size += block.size;
        self.block += 1;
        Ok(Block { file, size: block.size })
    }

    /// Checks the end: all blocks have been verified, so it remains to check that they were the right ones.
    fn ended(&mut self, end: End) -> Result<(), BufferError> {
        match end {
            End::Failed { reason } => Err(BufferError::Failed { id: self.id.clone(), reason }),
            End::Complete { content: digest, size, blocks } => {
                let came = self.stream.as_ref().map(|stream| BlobDigest(stream.digest()));
                if came != Some(blocks) || self.size != size {
                    return Err(self.damaged());
                }
                self.content = Some(Content { digest, size });
                Ok(())
            }
        }
    }

    fn damaged(&self) -> BufferError {
        BufferError::Damaged { id: self.id.clone(), block: self.block }
    }
}
