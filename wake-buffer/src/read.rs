//! Reading: from the first block on, also while the later ones are still being written.

use std::io::Write;
use std::thread;
use std::time::Duration;

use wake_model::{BlobDigest, BufferId};
use wake_store::{StreamBlock, StreamReader};

use crate::about::{Content, State};
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
pub struct BufferReader<'s> {
    buffers: Buffers<'s>,
    id: BufferId,
    stream: Option<StreamReader>,
    block: u64,
    hasher: blake3::Hasher,
    size: u64,
    unwritten: Unwritten,
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
        let (stream, hasher) = (self.stream(id)?, blake3::Hasher::new());
        Ok(BufferReader {
            buffers: *self,
            id: id.clone(),
            stream,
            block: 0,
            hasher,
            size: 0,
            unwritten,
        })
    }

    /// Hands all of a buffer to `sink`; `is_cancelled` is asked while it waits.
    pub fn read(
        &self,
        id: &BufferId,
        unwritten: Unwritten,
        sink: &mut dyn Write,
        now: u64,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Content, BufferError> {
        let mut reader = self.open(id, unwritten, now)?;
        while let Some((_, bytes)) = reader.next(is_cancelled)? {
            sink.write_all(&bytes).map_err(BufferError::Sink)?;
        }
        sink.flush().map_err(BufferError::Sink)?;
        Ok(Content { digest: BlobDigest(reader.hasher.finalize().into()), size: reader.size })
    }
}

impl BufferReader<'_> {
    /// The next block, compared with what it was when it was written; none at the end of a buffer that is whole.
    pub fn next(
        &mut self,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<(StreamBlock, Vec<u8>)>, BufferError> {
        loop {
            if is_cancelled() {
                return Err(BufferError::Cancelled);
            }
            if let Some(block) = self.listed()? {
                return self.bytes(block).map(Some);
            }
            // In this order: a writer says that it is done before it lets go, and after its last block.
            let is_being_written = self.stream.as_ref().map(StreamReader::is_being_written);
            match (self.buffers.end(&self.id)?, is_being_written) {
                (Some(State::Failed(reason)), _) => {
                    return Err(BufferError::Failed { id: self.id.clone(), reason });
                }
                (Some(State::Complete(content)), _) => return self.end(content),
                (Some(_), _) | (None, Some(true)) => thread::sleep(LOOK),
                (None, Some(false)) => {
                    if self.buffers.end(&self.id)?.is_none() {
                        let (id, bytes) = (self.id.clone(), self.size);
                        return Err(BufferError::BrokenOff { id, bytes });
                    }
                }
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

    fn listed(&mut self) -> Result<Option<StreamBlock>, BufferError> {
        if self.stream.is_none() {
            self.stream = self.buffers.stream(&self.id)?;
        }
        match &mut self.stream {
            Some(stream) => Ok(stream.next_block()?),
            None => Ok(None),
        }
    }

    fn bytes(&mut self, block: StreamBlock) -> Result<(StreamBlock, Vec<u8>), BufferError> {
        let damaged = || BufferError::Damaged { id: self.id.clone(), block: self.block };
        let bytes = self.buffers.store.blob(&block.blob)?.ok_or_else(damaged)?;
        self.hasher.update(&bytes);
        self.size += bytes.len() as u64;
        self.block += 1;
        Ok((block, bytes))
    }

    /// What was read must be what was written.
    fn end(&mut self, content: Content) -> Result<Option<(StreamBlock, Vec<u8>)>, BufferError> {
        // Blocks that came between the last look and the end.
        if let Some(block) = self.listed()? {
            return self.bytes(block).map(Some);
        }
        let came = BlobDigest(self.hasher.finalize().into());
        match came == content.digest {
            true => Ok(None),
            false => Err(BufferError::Damaged { id: self.id.clone(), block: self.block }),
        }
    }
}
