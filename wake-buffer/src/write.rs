//! Writing a buffer: a stream becomes blocks as it arrives, with only a piece in memory at a time.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wake_model::{BlobDigest, BufferId};
use wake_store::{BlobWriter, StreamBlock, StreamWriter};

use crate::about::{Content, End};
use crate::buffers::Buffers;
use crate::error::BufferError;

/// The default block size in bytes.
pub const USUAL_BLOCK: u64 = 4 << 20;
/// Bytes that are read at once: few enough to stay in the CPU cache until they are written.
pub(crate) const PIECE: usize = 256 << 10;

/// A buffer that is being written. If it is dropped before its end, the buffer is broken off.
#[derive(Debug)]
pub struct BufferWriter<'s> {
    buffers: Buffers<'s>,
    id: BufferId,
    options: WriteOptions,
    stream: StreamWriter,
    block: Option<OpenBlock<'s>>,
    hasher: blake3::Hasher,
    size: u64,
}

/// A block that has not been stored.
#[derive(Debug)]
struct OpenBlock<'s> {
    bytes: BlobWriter<'s>,
    /// When its first byte arrived, if blocks are flushed after a time.
    since: Option<Instant>,
}

/// How a stream is divided into blocks.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// The maximum block size in bytes.
    pub block: u64,
    /// When an unfinished block is stored; none for only at the end.
    pub flush: Option<Flush>,
    /// Whether everything is flushed to disk when writing ends.
    pub durable: bool,
}

/// How long bytes may wait before readers get them.
#[derive(Clone, Copy, Debug)]
pub struct Flush {
    /// The longest wait.
    pub after: Duration,
    /// The clock to use.
    pub clock: fn() -> Instant,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { block: USUAL_BLOCK, flush: None, durable: true }
    }
}

impl<'s> Buffers<'s> {
    /// Begins writing a buffer, which is possible only once.
    pub fn begin(
        &self,
        id: &BufferId,
        options: WriteOptions,
        now: u64,
    ) -> Result<BufferWriter<'s>, BufferError> {
        self.live(id, now)?;
        let stream = self.store.begin_stream(&self.dir(id))?;
        let stream = stream.ok_or_else(|| BufferError::Written(id.clone()))?;
        let (id, hasher) = (id.clone(), blake3::Hasher::new());
        Ok(BufferWriter { buffers: *self, id, options, stream, block: None, hasher, size: 0 })
    }

    /// Writes everything from `source` up to its end.
    ///
    /// If reading or storing fails, the buffer fails with that reason.
    pub fn write(
        &self,
        id: &BufferId,
        source: &mut (impl Read + AsFd),
        options: WriteOptions,
        now: u64,
    ) -> Result<Content, BufferError> {
        let mut writer = self.begin(id, options, now)?;
        match writer.take_all(source) {
            Ok(()) => writer.finish(),
            Err(error) => {
                // If even this cannot be written, the buffer is broken off, which readers see as a failure too.
                let _ = writer.fail(&error.to_string());
                Err(error)
            }
        }
    }

    /// Completes a buffer from a list of blocks in the store; returns false if one of them is missing.
    pub fn adopt(
        &self,
        id: &BufferId,
        blocks: &[StreamBlock],
        content: Content,
        now: u64,
    ) -> Result<bool, BufferError> {
        for block in blocks {
            if self.store.open_blob(&block.blob)?.is_none() {
                return Ok(false);
            }
        }
        let mut writer = self.begin(id, WriteOptions::default(), now)?;
        blocks.iter().try_for_each(|block| writer.stream.add(block))?;
        self.keep_end(id, &writer.complete(content))?;
        Ok(true)
    }

    /// Returns the blocks of a buffer so far.
    pub fn blocks(&self, id: &BufferId) -> Result<Vec<StreamBlock>, BufferError> {
        let mut blocks = Vec::new();
        let Some(mut stream) = self.stream(id)? else { return Ok(blocks) };
        while let Some(block) = stream.next_block()? {
            blocks.push(block);
        }
        Ok(blocks)
    }
}

impl BufferWriter<'_> {
    /// Appends bytes, storing each block as it fills up, without waiting for the disk.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), BufferError> {
        while !bytes.is_empty() {
            let block = match &mut self.block {
                Some(block) => &mut block.bytes,
                none => {
                    let since = self.options.flush.map(|flush| (flush.clock)());
                    let bytes = self.buffers.store.begin_blob()?;
                    &mut none.insert(OpenBlock { bytes, since }).bytes
                }
            };
            let room = self.options.block.max(1) - block.size();
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            if let Err(error) = block.write(piece) {
                // If the disk is full, this makes room for recording that.
                self.block = None;
                return Err(error.into());
            }
            self.hasher.update(piece);
            self.size += piece.len() as u64;
            if piece.len() == room {
                self.put_down()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Stores the unfinished block, if there is one, so that readers get it.
    pub fn put_down(&mut self) -> Result<(), BufferError> {
        let Some(OpenBlock { bytes, .. }) = self.block.take() else { return Ok(()) };
        let (blob, size) = bytes.finish()?;
        Ok(self.stream.add(&StreamBlock { blob, size })?)
    }

    /// Discards the unfinished block.
    pub fn forget(&mut self) {
        self.block = None;
    }

    /// Stores the unfinished block if its bytes have waited long enough.
    pub fn put_down_if_old(&mut self) -> Result<(), BufferError> {
        match self.patience() {
            Some(Duration::ZERO) => self.put_down(),
            _ => Ok(()),
        }
    }

    /// Completes the buffer.
    pub fn finish(mut self) -> Result<Content, BufferError> {
        let content = self.kept()?;
        self.buffers.keep_end(&self.id, &self.complete(content))?;
        Ok(content)
    }

    /// Leaves it to another process to complete or fail the buffer with [`Buffers::settle`]; until then it counts as being written.
    pub fn leave(mut self) -> Result<Content, BufferError> {
        let content = self.kept()?;
        self.buffers.keep_left(&self.id, &self.complete(content))?;
        Ok(content)
    }

    /// Fails the buffer. What has been written can be read.
    pub fn fail(mut self, reason: &str) -> Result<(), BufferError> {
        // The failure is recorded even if there is no room for the last block.
        let put_down = self.put_down();
        let end = End::Failed { reason: reason.to_owned() };
        self.buffers.keep_end(&self.id, &end).and(put_down)
    }

    /// Stores the last block, and returns the content.
    fn kept(&mut self) -> Result<Content, BufferError> {
        self.put_down()?;
        if self.options.durable {
            self.buffers.store.sync_stream(&self.buffers.dir(&self.id))?;
        }
        Ok(Content { digest: BlobDigest(self.hasher.finalize().into()), size: self.size })
    }

    fn complete(&self, Content { digest: content, size }: Content) -> End {
        End::Complete { content, size, blocks: BlobDigest(self.stream.digest()) }
    }

    fn take_all(&mut self, source: &mut (impl Read + AsFd)) -> Result<(), BufferError> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.patience() {
                Some(Duration::ZERO) => self.put_down()?,
                Some(patience) if !is_ready(source, patience).map_err(BufferError::Source)? => {
                    continue;
                }
                _ => {}
            }
            match source.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(many) => self.write(&piece[..many])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BufferError::Source(error)),
            }
        }
    }

    /// Returns how long the unfinished block may still wait; none if there is none, or blocks are not flushed.
    fn patience(&self) -> Option<Duration> {
        let (flush, since) = (self.options.flush?, self.block.as_ref()?.since?);
        Some(flush.after.saturating_sub((flush.clock)().saturating_duration_since(since)))
    }
}

fn is_ready(source: &impl AsFd, within: Duration) -> io::Result<bool> {
    let mut all = [PollFd::new(source, PollFlags::IN)];
    let within = Timespec::try_from(within).ok();
    match poll(&mut all, within.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok(true),
        ready => Ok(ready? > 0),
    }
}
