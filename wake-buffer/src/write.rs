//! Writing: a stream becomes blocks as it comes, of which one is in memory at a time.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wake_model::{BlobDigest, BufferId};
use wake_store::{StreamBlock, StreamWriter};

use crate::about::{Content, End};
use crate::buffers::Buffers;
use crate::chain::md5;
use crate::error::BufferError;

/// Bytes of a block where nobody says otherwise.
pub const USUAL_BLOCK: usize = 4 << 20;
/// From so many bytes on it is worth it to compute their MD5 beside the rest.
const BESIDE: usize = 256 << 10;

/// A buffer while it is written. One that is dropped before its end is broken off.
pub struct BufferWriter<'s> {
    buffers: Buffers<'s>,
    id: BufferId,
    stream: StreamWriter,
    hasher: blake3::Hasher,
    size: u64,
    durable: bool,
}

/// How bytes are put into blocks.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// Bytes of a block, at most.
    pub block: usize,
    /// After how long a block is put down that is not full, if the source is one that makes wait.
    pub flush: Option<Duration>,
    /// Whether all is on the disk when writing ends.
    pub durable: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        let flush = Some(Duration::from_secs(1));
        WriteOptions { block: USUAL_BLOCK, flush, durable: true }
    }
}

impl<'s> Buffers<'s> {
    /// Begins to write a buffer, which can be done once.
    pub fn begin(&self, id: &BufferId, now: u64) -> Result<BufferWriter<'s>, BufferError> {
        self.live(id, now)?;
        let stream = self.store.begin_stream(&self.dir(id))?;
        let stream = stream.ok_or_else(|| BufferError::Written(id.clone()))?;
        let (id, hasher) = (id.clone(), blake3::Hasher::new());
        Ok(BufferWriter { buffers: *self, id, stream, hasher, size: 0, durable: true })
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
        let mut writer = self.begin(id, now)?;
        writer.durable = options.durable;
        let mut filling = Filling::new(options);
        loop {
            match filling.next(source) {
                Ok([]) => return writer.finish(),
                Ok(block) => {
                    if let Err(error) = writer.add(block) {
                        return Err(writer.fail_for(error));
                    }
                }
                Err(error) => return Err(writer.fail_for(BufferError::Source(error))),
            }
        }
    }
}

impl Buffers<'_> {
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
        let mut writer = self.begin(id, now)?;
        blocks.iter().try_for_each(|block| writer.stream.add(block))?;
        let end = End::Complete { content: content.digest.to_string(), size: content.size };
        self.keep_end(id, &end)?;
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
    /// Puts a block down; nobody waits for it to be on the disk. No block is empty.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), BufferError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let hasher = &mut self.hasher;
        let store = self.buffers.store;
        let mut keep = || {
            hasher.update(bytes);
            store.put_blob(bytes)
        };
        let (blob, md5) = match bytes.len() < BESIDE {
            true => (keep(), md5(bytes)),
            // MD5 takes longer than all the rest.
            false => thread::scope(|scope| {
                let md5 = scope.spawn(|| md5(bytes));
                let blob = keep();
                (blob, md5.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            }),
        };
        let (blob, size) = (blob?, bytes.len() as u64);
        self.stream.add(&StreamBlock { blob, size, md5 })?;
        self.size += size;
        Ok(())
    }

    /// Says that this was all.
    pub fn finish(self) -> Result<Content, BufferError> {
        if self.durable {
            self.buffers.store.sync_stream(&self.buffers.dir(&self.id))?;
        }
        let digest = BlobDigest(self.hasher.finalize().into());
        let end = End::Complete { content: digest.to_string(), size: self.size };
        self.buffers.keep_end(&self.id, &end)?;
        Ok(Content { digest, size: self.size })
    }

    /// Says that it will never be whole.
    pub fn fail(self, reason: &str) -> Result<(), BufferError> {
        self.buffers.keep_end(&self.id, &End::Failed { reason: reason.to_owned() })
    }

    fn fail_for(self, error: BufferError) -> BufferError {
        // Where not even that can be written it is broken off, which says the same.
        let _ = self.fail(&error.to_string());
        error
    }

    /// Whether all is to be on the disk at its end.
    #[must_use]
    pub fn durable(self, durable: bool) -> Self {
        BufferWriter { durable, ..self }
    }
}

/// A block that is being filled.
pub struct Filling {
    bytes: Vec<u8>,
    flush: Option<Duration>,
}

impl Filling {
    /// An empty block.
    pub fn new(options: WriteOptions) -> Self {
        Filling { bytes: vec![0; options.block.max(1)], flush: options.flush }
    }

    /// The next block of a source: full, or what has come when its time is over; empty at the end.
    pub fn next(&mut self, source: &mut (impl Read + AsFd)) -> io::Result<&[u8]> {
        let mut filled = 0;
        while filled < self.bytes.len() {
            if filled > 0
                && let Some(flush) = self.flush
                && !is_ready(source, flush)?
            {
                break;
            }
            match source.read(&mut self.bytes[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.bytes[..filled])
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
