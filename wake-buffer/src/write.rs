//! Writing: a stream becomes blocks as it comes, of which a piece is in memory at a time.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wake_model::{BlobDigest, BufferId};
use wake_store::{BlobWriter, StreamBlock, StreamWriter};

use crate::about::{Content, End};
use crate::buffers::Buffers;
use crate::error::BufferError;

/// Bytes of a block where nobody says otherwise.
pub const USUAL_BLOCK: u64 = 4 << 20;
/// Bytes that are taken at once: no more than stays near a processor from being read to being written.
pub(crate) const PIECE: usize = 256 << 10;

/// A buffer while it is written. One that is dropped before its end is broken off.
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

/// A block that has not been put down.
#[derive(Debug)]
struct OpenBlock<'s> {
    bytes: BlobWriter<'s>,
    /// When the first of them came, where they may not wait for ever.
    since: Option<Instant>,
}

/// How bytes are put into blocks.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// Bytes of a block, at most.
    pub block: u64,
    /// When a block is put down that is not full, if it is before the end.
    pub flush: Option<Flush>,
    /// Whether all is on the disk when writing ends.
    pub durable: bool,
}

/// How long what has come may wait until readers get it.
#[derive(Clone, Copy, Debug)]
pub struct Flush {
    /// So long.
    pub after: Duration,
    /// By this clock.
    pub clock: fn() -> Instant,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { block: USUAL_BLOCK, flush: None, durable: true }
    }
}

impl<'s> Buffers<'s> {
    /// Begins to write a buffer, which can be done once.
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

    /// Writes all that `source` gives until its end.
    ///
    /// What could not be read or kept leaves a buffer that says so.
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
                // Where not even that can be written it is broken off, which says the same.
                let _ = writer.fail(&error.to_string());
                Err(error)
            }
        }
    }

    /// Has a buffer be what a list of blocks that the store has says; says whether it has all of them.
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

    /// The blocks of a buffer, as far as it is.
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
    /// Adds bytes; a block that they fill is put down. Nobody waits for it to be on the disk.
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
                // Where the disk is full, that makes room for saying so.
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

    /// Puts a block down that is not full, if there is one: readers get it.
    pub fn put_down(&mut self) -> Result<(), BufferError> {
        let Some(OpenBlock { bytes, .. }) = self.block.take() else { return Ok(()) };
        let (blob, size) = bytes.finish()?;
        Ok(self.stream.add(&StreamBlock { blob, size })?)
    }

    /// Drops a block that has not been put down.
    pub fn forget(&mut self) {
        self.block = None;
    }

    /// Puts a block down whose bytes have waited long enough.
    pub fn put_down_if_old(&mut self) -> Result<(), BufferError> {
        match self.patience() {
            Some(Duration::ZERO) => self.put_down(),
            _ => Ok(()),
        }
    }

    /// Says that this was all.
    pub fn finish(mut self) -> Result<Content, BufferError> {
        let content = self.kept()?;
        self.buffers.keep_end(&self.id, &self.complete(content))?;
        Ok(content)
    }

    /// Leaves it to somebody else to say whether this was all, by [`Buffers::settle`]; until then it counts as being written.
    pub fn leave(mut self) -> Result<Content, BufferError> {
        let content = self.kept()?;
        self.buffers.keep_left(&self.id, &self.complete(content))?;
        Ok(content)
    }

    /// Says that it will never be whole. What has come can be read.
    pub fn fail(mut self, reason: &str) -> Result<(), BufferError> {
        // That there is no room for the rest is no reason not to say so.
        let put_down = self.put_down();
        let end = End::Failed { reason: reason.to_owned() };
        self.buffers.keep_end(&self.id, &end).and(put_down)
    }

    /// What has come, all of which is put down.
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

    /// How long bytes may still wait that have come and not been put down; none if there are none, or may wait for ever.
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
