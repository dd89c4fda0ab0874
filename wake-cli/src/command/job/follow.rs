//! Following a remote job: its log, its status, and its standard streams through buffers.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wake_buffer::{BufferError, Buffers, Flush, Unwritten, WriteOptions};
use wake_codespec::name::BufferName;
use wake_codespec::run::{BufferArgument, RunDocument};
use wake_job::jobs::Jobs;
use wake_job::log_reader::LogReader;
use wake_job::options::Streams;
use wake_job::record::{BY_USER, JobRecord, NOBODY_READS, Status};
use wake_job::sent::fail_unwritten;
use wake_model::{BufferId, Tags};
use wake_steps::clock::unix_ms;
use wake_store::Store;

use super::carry_out::purge;
use super::known::Known;
use super::sending::Sending;
use super::{JOB_FAILED, engines, failure, shown};
use crate::command::buffer::failure as buffer_failure;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::signals;
use crate::terminal::style::Role;

/// The polling interval, initially and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// After how long an incomplete block of a stream is flushed.
const FLUSH: Duration = Duration::from_millis(200);

/// Runs `wake job exec` and `wake job run` on a remote engine.
pub(super) fn carry_out(
    sending: &Sending<'_>,
    streams: Streams,
    mut run: RunDocument,
    free: (Option<&BufferName>, Option<&BufferName>),
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let Sending { store, settings, .. } = sending;
    let passing = match streams {
        Streams::Standard => Passing::make(store, &mut run, free)?,
        Streams::Made => Passing::default(),
    };
    let plan = sending.planned(&run);
    let sent = plan.and_then(|plan| sending.send(run, plan));
    let record = sent.inspect_err(|_| passing.purge(store))?;
    let id = record.id;
    let streaming = Streaming::begin(store, &passing);
    let followed = follow(sending, id, &streaming, say);
    let output: Vec<BufferId> = passing.output.iter().cloned().collect();
    match &followed {
        // Written buffers have an end; unwritten ones do not yet.
        Ok(_) => fail_unwritten(store, &output, "the job has ended", unix_ms()),
        Err(_) => streaming.give_up(),
    }
    let broken = streaming.end();
    passing.purge(store);
    let record = followed?;
    match broken {
        Err(BufferError::Sink(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Err(Stop::NobodyReads);
        }
        // The job's failure is more informative than its broken output.
        Err(error) if record.status == Status::Succeeded => {
            return Err(buffer_failure(error).into());
        }
        _ => {}
    }
    if streams == Streams::Made {
        print::json(&shown(&record, Jobs::new(store))?, out)?;
    }
    if record.status == Status::Succeeded {
        return Ok(Exit::SUCCESS);
    }
    let reason = record.status_reason.unwrap_or_default();
    let text = format!("job {id}: {reason}; `wake job logs {id}`");
    writeln!(say, "{}", settings.manner.style.verb(Role::Bad, "Failed", text))?;
    Ok(Exit(signals::stopped().unwrap_or(JOB_FAILED)))
}

/// Follows a job until it ends; cancels it on an interrupt, or when its output is no longer read.
fn follow(
    sending: &Sending<'_>,
    id: u64,
    streaming: &Streaming,
    say: &mut impl Write,
) -> Result<JobRecord, Stop> {
    let Sending { args, store, settings, cancel, .. } = sending;
    let (jobs, mut known) = (Jobs::new(store), Known::new(store, settings));
    let talks = settings.manner.verbosity > Verbosity::Quiet;
    let mut log = args.logs.then(|| LogReader::new(jobs, id)).transpose().map_err(failure)?;
    let (mut pause, mut is_told, mut last) = (PAUSES.0, false, None);
    loop {
        let record = known.get(id).map_err(failure)?;
        let now = (record.status, record.status_reason.clone());
        if talks && !record.status.is_last() && last.as_ref() != Some(&now) {
            let reason = now.1.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let text = format!("job {id}{reason}");
            let verb = format!("{:?}", record.status);
            writeln!(say, "{}", settings.manner.style.verb(Role::Guide, &verb, text))?;
        }
        last = Some(now);
        let written = match &mut log {
            Some(log) => log.piece().map_err(failure)?,
            None => Vec::new(),
        };
        // A closed stream is not an error; the log has everything.
        let _ = say.write_all(&written).and_then(|()| say.flush());
        if !written.is_empty() {
            pause = PAUSES.0;
            continue;
        }
        if record.status.is_last() {
            return Ok(record);
        }
        let why = match cancel.is_cancelled() {
            true => Some(BY_USER),
            false => streaming.nobody_reads().then_some(NOBODY_READS),
        };
        if let (false, Some(why)) = (is_told, why) {
            is_told = true;
            jobs.cancel(id, why).map_err(failure)?;
            engines::cancel(store, settings, id)?;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Temporary buffers for standard input and output.
#[derive(Clone, Debug, Default)]
struct Passing {
    input: Option<BufferId>,
    output: Option<BufferId>,
}

impl Passing {
    /// Creates buffers for the input and the output without one.
    fn make(
        store: &Store,
        run: &mut RunDocument,
        (input, output): (Option<&BufferName>, Option<&BufferName>),
    ) -> Result<Passing, Stop> {
        let mut make = |name: &BufferName| -> Result<BufferId, Stop> {
            let mut tags = Tags::default();
            let set = tags.set("bufferName", name.as_str()).map_err(BufferError::Tag);
            let made = set.and_then(|()| Buffers::new(store).create(&tags, None, unix_ms()));
            let id = made.map_err(buffer_failure)?;
            run.set_argument(name.as_str(), BufferArgument::Buffer(id.clone()));
            Ok(id)
        };
        let input = input.map(&mut make).transpose()?;
        Ok(Passing { input, output: output.map(&mut make).transpose()? })
    }

    fn purge(&self, store: &Store) {
        let all: Vec<BufferId> = self.input.iter().chain(&self.output).cloned().collect();
        purge(store, &all);
    }
}

/// Standard input and output of a remote job.
struct Streaming {
    output: Option<JoinHandle<Result<(), BufferError>>>,
    /// Whether no more data will come.
    is_over: Arc<AtomicBool>,
    nobody_reads: Arc<AtomicBool>,
}

impl Streaming {
    fn begin(store: &Arc<Store>, passing: &Passing) -> Streaming {
        if let Some(id) = passing.input.clone() {
            let store = store.clone();
            // This thread is not joined: a job may end before its input, and a blocked read cannot be interrupted.
            thread::spawn(move || {
                let flush = Some(Flush { after: FLUSH, clock: wake_steps::clock::now });
                let options = WriteOptions { flush, durable: false, ..WriteOptions::default() };
                // On failure, the buffer records the failure for the job.
                let _ = Buffers::new(&store).write(&id, &mut io::stdin(), options, unix_ms());
            });
        }
        let (is_over, nobody_reads) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let output = passing.output.clone().map(|id| {
            let (store, is_over, nobody_reads) =
                (store.clone(), is_over.clone(), nobody_reads.clone());
            thread::spawn(move || {
                let is_over = || is_over.load(Ordering::Acquire);
                let mut out = io::stdout();
                let read =
                    Buffers::new(&store).read(&id, Unwritten::Wait, &mut out, unix_ms(), &is_over);
                if matches!(&read, Err(BufferError::Sink(_))) {
                    nobody_reads.store(true, Ordering::Release);
                }
                read
            })
        });
        Streaming { output, is_over, nobody_reads }
    }

    fn nobody_reads(&self) -> bool {
        self.nobody_reads.load(Ordering::Acquire)
    }

    /// Stops reading.
    fn give_up(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Waits until all output of the job has been read.
    fn end(self) -> Result<(), BufferError> {
        let Some(output) = self.output else { return Ok(()) };
        output.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
