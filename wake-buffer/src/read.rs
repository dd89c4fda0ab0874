//! Reading: from the first block on, also while the later ones are still being written.

use std::fs::File;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use wake_model::{BlobDigest, BufferId};
use wake_store::{StreamBlock, StreamReader};

use crate::about::{Content, End};
use crate::buffers::Buffers;
use crate::error::BufferError;

/// What a reader does where a buffer has not been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Waits for a writer.
    Wait,
    /// Gives up.
    Refuse,
}

/// How often is looked whether there is more.
const LOOK: Duration = Duration::from_millis(10);

/// The blocks of a buffer, one after the other.
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

/// A block that is what it was when it was written.
#[derive(Debug)]
pub struct Block {
    /// The file that has its bytes, at its beginning.
    pub file: File,
    /// How many they are.
    pub size: u64,
}

impl<'s> Buffers<'s> {
    /// Begins to read a buffer.
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

    /// Hands all of a buffer to `sink`; `is_cancelled` is asked while it waits.
    ///
    /// Where both are files, the kernel moves the bytes.
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
    /// The next block, compared with what it was when it was written; none at the end of a buffer that is whole.
    pub fn next(&mut self, is_cancelled: &dyn Fn() -> bool) -> Result<Option<Block>, BufferError> {
        loop {
            if is_cancelled() {
                return Err(BufferError::Cancelled);
            }
            if let Some(block) = self.listed()? {
                return self.compared(block).map(Some);
            }
            // In this order: a writer says that it is done before it lets go, and after its last block.
            let is_being_written = self.stream.as_ref().map(StreamReader::is_being_written);
            match (self.buffers.end(&self.id)?, is_being_written) {
                // Blocks that came between the last look and the end come first.
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
                        // Somebody is to say whether this was all.
                        (None, Some(_)) => thread::sleep(LOOK),
                        (Some(_), _) => {}
                    }
                }
                // It has just been written as a whole.
                (Some(_), None) => {}
                (None, None) => match self.unwritten {
                    Unwritten::Refuse => return Err(BufferError::Unwritten(self.id.clone())),
                    Unwritten::Wait => {
                        thread::sleep(LOOK);
                        // It may have been removed meanwhile.
                        self.buffers.get(&self.id)?;
                    }
                },
            }
        }
    }

    /// What the buffer holds, once its end has been reached.
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

    /// Each block was what it was; so is the whole, if these were its blocks.
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
