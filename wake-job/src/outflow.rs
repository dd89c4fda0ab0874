//! The outputs of a job: how they are started, and how they end with it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use wake_buffer::{
    BufferError, BufferWriter, Buffers, Content, Flush, State, USUAL_BLOCK, WriteOptions,
};
use wake_codespec::name::BufferName;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::engine::{KeptOutputs, Performance, Whereabouts};
use wake_steps::error::StepError;
use wake_store::Store;

use crate::outlet::buffer_trouble;
use crate::output_claim::OutputClaim;
use crate::record::NOBODY_READS;
use crate::stream_list::StreamList;
use crate::tally::Trouble;
use crate::task::{OutputEnd, Task};

/// How outputs are written. They are not flushed to disk, because a command can be run again.
pub(crate) const BLOCKS: WriteOptions = WriteOptions {
    block: USUAL_BLOCK,
    flush: Some(Flush { after: Duration::from_secs(1), clock: wake_steps::clock::now }),
    durable: false,
};

/// An output that is about to be written, with its buffer and standard output.
pub(crate) type BegunOutput<'s> = (BufferName, Option<BufferWriter<'s>>, Option<File>);
/// An output that has been written, with its buffer.
pub(crate) type EndedOutput<'s> = (BufferName, Option<BufferWriter<'s>>);

/// The outputs of a job.
#[derive(Clone, Copy)]
pub(crate) struct Outflow<'s> {
    pub(crate) store: &'s Store,
    pub(crate) task: &'s Task,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

impl<'s> Outflow<'s> {
    /// Begins writing all of them.
    pub(crate) fn begin(self) -> Result<Vec<BegunOutput<'s>>, StepError> {
        let buffers = Buffers::new(self.store);
        let outlet = |(name, OutputEnd { buffer, standard }): &(BufferName, OutputEnd)| {
            let begin = |id| buffers.begin(id, BLOCKS, self.now);
            let writer = buffer.as_ref().map(begin).transpose();
            let writer = writer.map_err(|error| self.lost(&error))?;
            let standard = standard.then(|| io::stdout().as_fd().try_clone_to_owned());
            let standard = standard.transpose().map_err(|error| refused(&error.to_string()))?;
            Ok((name.clone(), writer, standard.map(File::from)))
        };
        self.task.outputs.iter().map(outlet).collect()
    }

    /// The same for replicas on several machines: no output is begun before its first byte is written.
    pub(crate) fn claims(self) -> Vec<(BufferName, OutputClaim<'s>)> {
        let (buffers, now) = (Buffers::new(self.store), self.now);
        let dir = self.store.jobs_dir().join(self.task.id.to_string()).join("writer");
        let claim = |(name, end): &(BufferName, OutputEnd)| {
            let (id, path) = (end.buffer.clone()?, dir.join(name.as_str()));
            Some((name.clone(), OutputClaim { buffers, id, options: BLOCKS, path, now }))
        };
        self.task.outputs.iter().filter_map(claim).collect()
    }

    /// Completes or fails the outputs according to how the command ended, and stores their lists of blocks.
    pub(crate) fn end(
        self,
        performed: Result<Performance, StepError>,
        trouble: Option<Trouble>,
        ended: Vec<EndedOutput<'_>>,
    ) -> Result<Performance, StepError> {
        let reason = match (&performed, &trouble) {
            (_, Some(Trouble::Stream(trouble))) => Some(trouble.message.clone()),
            (_, Some(Trouble::Worker(reason))) => Some(reason.clone()),
            (_, Some(Trouble::NobodyReads)) => Some(NOBODY_READS.to_owned()),
            (Ok(performance), None) if performance.outcome.is_success() => None,
            (Ok(performance), _) => Some(format!("the job ended with {}", performance.outcome)),
            (Err(StepError::Cancelled), _) => Some("the job was cancelled".to_owned()),
            (Err(error), _) => Some(error.to_string()),
        };
        if let Some(reason) = reason {
            for writer in ended.into_iter().filter_map(|(_, writer)| writer) {
                // If even this cannot be written, the buffer is broken off, which readers see as a failure too.
                let _ = writer.fail(&reason);
            }
            return match (performed, trouble) {
                (performed, None | Some(Trouble::Replica(_))) => performed,
                (_, Some(_)) => Err(refused(&reason)),
            };
        }
        let mut performance = performed?;
        let mut lists = Vec::new();
        for (name, writer) in ended {
            // Whether it is complete depends on all replicas.
            let end = if self.task.is_part() { BufferWriter::leave } else { BufferWriter::finish };
            let content = writer.map(end).transpose();
            let content = content.map_err(|error| self.lost(&error))?;
            lists.push((name, content));
        }
        performance.left = Ok(Some(self.kept(&lists)?));
        Ok(performance)
    }

    fn lost(self, error: &BufferError) -> StepError {
        StepError::Refused(Box::new(buffer_trouble(error, self.store)))
    }

    /// Stores the lists of blocks of outputs that are already complete.
    pub(crate) fn listed(self) -> Result<KeptOutputs, StepError> {
        let buffers = Buffers::new(self.store);
        let listed = |(name, end): &(BufferName, OutputEnd)| {
            let of = |id| match buffers.get(id)?.state {
                State::Complete(content) => Ok(content),
                _ => Err(BufferError::Unwritten(id.clone())),
            };
            let content = end.buffer.as_ref().map(of).transpose();
            Ok((name.clone(), content.map_err(|error| self.lost(&error))?))
        };
        let lists = self.task.outputs.iter().map(listed).collect::<Result<Vec<_>, StepError>>()?;
        self.kept(&lists)
    }

    /// Stores the lists of blocks of the outputs, as the output tree of the action.
    fn kept(self, ended: &[(BufferName, Option<Content>)]) -> Result<KeptOutputs, StepError> {
        let buffers = Buffers::new(self.store);
        let mut builder = self.store.build_tree()?;
        let ends = self.task.outputs.iter().map(|(_, end)| end);
        for ((name, content), end) in ended.iter().zip(ends) {
            let list = match (content, &end.buffer) {
                (Some(content), Some(id)) => {
                    let blocks = buffers.blocks(id).map_err(|error| self.lost(&error))?;
                    StreamList { content: *content, blocks }.to_string()
                }
                _ => String::new(),
            };
            let at = self.task.work().join(&self.task.pipe_dir());
            let at = at.child(name.as_str()).map_err(|error| refused(&error.to_string()))?;
            let at = at.strip(&self.task.work()).unwrap_or(at);
            builder
                .add_bytes(&at, list.as_bytes(), false)
                .map_err(|error| refused(&error.to_string()))?;
        }
        let finished = builder.finish_as_outputs();
        let (manifest, adopted) = finished.map_err(|error| refused(&error.to_string()))?;
        let (tree, wares) = (adopted.tree, Vec::new());
        Ok(KeptOutputs { tree, manifest, wares, bytes: Whereabouts::Here(adopted) })
    }
}

pub(crate) fn refused(reason: &str) -> StepError {
    StepError::Refused(Box::new(Diagnostic::error(Class::Environment, reason)))
}
