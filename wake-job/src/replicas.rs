//! Replicas of a job that run independently, each on any machine: their records, and the outcome of the job.
//!
//! A process that starts or ends a replica holds the lock of the job meanwhile, so exactly one finds that no other replica is left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use wake_buffer::{BufferError, Buffers, State, WriteOptions};
use wake_model::{ActionDigest, BufferId};

use crate::job_log::LOG;
use crate::jobs::{Jobs, JobsError, LOCK, OwnJob, io_error, is_locked};
use crate::order::purge_passing;
use crate::record::{JobRecord, Status};
use crate::replica::{BegunReplica, OwnReplica, ReplicaRecord, STOP, damaged, read};
use crate::sent::fail_unwritten;

const RECORD: &str = "replica.json";

/// The replicas of a job.
#[derive(Clone, Debug)]
pub struct Replicas<'s> {
    jobs: Jobs<'s>,
    id: u64,
    count: u32,
    outputs: Vec<BufferId>,
}

/// How a job ends, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verdict {
    status: Status,
    reason: Option<String>,
}

/// Receives the records of the replicas when all have succeeded and their outputs are complete.
pub type AllSucceeded<'a> = dyn FnMut(&[ReplicaRecord]) + 'a;

impl<'s> Replicas<'s> {
    /// Returns the replicas of a job whose replicas run independently; none for any other job.
    pub fn of(jobs: Jobs<'s>, id: u64) -> Result<Option<Self>, JobsError> {
        let Some(sent) = jobs.sent(id)?.filter(|sent| sent.apart) else { return Ok(None) };
        let count = jobs.get(id)?.replicas;
        Ok(Some(Replicas { jobs, id, count, outputs: sent.outputs }))
    }

    /// Returns the record of each.
    pub fn all(&self) -> Result<Vec<ReplicaRecord>, JobsError> {
        let all = self.noted()?;
        // In this order: no replica starts once its job has ended.
        let job = self.jobs.get(self.id)?;
        let as_ended = |one: ReplicaRecord| match (one.status, job.finished) {
            (Status::Pending, Some(finished)) => one.never_begun(finished),
            _ => one,
        };
        Ok(all.into_iter().map(as_ended).collect())
    }

    /// Returns the records as they were written.
    fn noted(&self) -> Result<Vec<ReplicaRecord>, JobsError> {
        (0..self.count).map(|number| self.get(number)).collect()
    }

    /// Whether a process is running this replica.
    pub fn is_held(&self, number: u32) -> bool {
        is_locked(&self.dir(number).join(LOCK))
    }

    /// Whether all of them have been told to end.
    pub fn are_ending(&self) -> bool {
        self.jobs.why_cancelled(self.id).is_some() || self.jobs.dir(self.id).join(STOP).exists()
    }

    /// Starts a replica in this process.
    pub fn begin(
        &self,
        number: u32,
        node: Option<String>,
        now: u64,
    ) -> Result<BegunReplica, JobsError> {
        let own = self.jobs.claim_in_turn(self.id)?;
        let mut job = self.jobs.get(self.id)?;
        if job.status.is_last() || self.are_ending() {
            return Ok(BegunReplica::Over);
        }
        if number >= self.count || self.get(number)?.status != Status::Pending {
            return Ok(BegunReplica::Taken);
        }
        let dir = self.dir(number);
        fs::create_dir_all(&dir).map_err(|source| io_error(&dir, source))?;
        let path = dir.join(LOCK);
        let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(BegunReplica::Taken),
            locked => locked.map_err(|error| io_error(&path, error.into()))?,
        }
        let (status, started) = (Status::Running, Some(now));
        let record = ReplicaRecord { status, node, started, ..ReplicaRecord::waiting() };
        self.note(number, &record)?;
        if job.started.is_none() {
            (job.status, job.started) = (Status::Running, Some(now));
            self.jobs.note(&own, &job)?;
        }
        let job = own.dir().to_owned();
        Ok(BegunReplica::Own(OwnReplica { number, job, dir, _lock: lock, record }))
    }

    /// Records how a replica of this process ended; returns the record of the job if it has ended with it. If all have succeeded, `succeeded`
    /// is called before that is recorded.
    pub fn end(
        &self,
        replica: OwnReplica,
        (status, reason): (Status, Option<String>),
        action: Option<ActionDigest>,
        now: u64,
        succeeded: &mut AllSucceeded<'_>,
    ) -> Result<Option<JobRecord>, JobsError> {
        let own = self.jobs.claim_in_turn(self.id)?;
        let record = replica.record.clone().ended((status, reason.clone()), now);
        let record = ReplicaRecord { action, ..record };
        self.note(replica.number, &record)?;
        self.stop_unless_succeeded(Verdict { status, reason })?;
        self.settled(&own, now, succeeded)
    }

    /// Records how a replica ended that no process reports on; returns the record of the job if it has ended with it.
    ///
    /// If a process has recorded an end in the meantime, that one is kept.
    pub fn conclude(
        &self,
        number: u32,
        (status, reason): (Status, String),
        now: u64,
    ) -> Result<Option<JobRecord>, JobsError> {
        let own = self.jobs.claim_in_turn(self.id)?;
        let record = self.get(number)?;
        let is_over = record.status == Status::Pending && self.are_ending();
        if !record.status.is_last() && !is_over {
            let of_job = Some(format!("Replica {number}: {reason}"));
            let record = record.ended((status, Some(reason)), now);
            self.note(number, &record)?;
            self.stop_unless_succeeded(Verdict { status, reason: of_job })?;
        }
        self.settled(&own, now, &mut |_| {})
    }

    /// Records how the job ended, if it has, and returns its record.
    pub fn settle(&self, now: u64) -> Result<Option<JobRecord>, JobsError> {
        let own = self.jobs.claim_in_turn(self.id)?;
        self.settled(&own, now, &mut |_| {})
    }

    fn settled(
        &self,
        own: &OwnJob,
        now: u64,
        succeeded: &mut AllSucceeded<'_>,
    ) -> Result<Option<JobRecord>, JobsError> {
        let mut job = self.jobs.get(self.id)?;
        if job.status.is_last() {
            return Ok(Some(job));
        }
        let Some(verdict) = self.verdict()? else { return Ok(None) };
        let Verdict { status, reason } = self.end_outputs(verdict, now);
        if status == Status::Succeeded {
            succeeded(&self.noted()?);
        }
        (job.status, job.status_reason, job.finished) = (status, reason, Some(now));
        self.jobs.note(own, &job)?;
        purge_passing(self.jobs.store(), own.dir());
        Ok(Some(job))
    }

    /// Determines how the job ended; none if it has not.
    fn verdict(&self) -> Result<Option<Verdict>, JobsError> {
        let all = self.noted()?;
        if all.iter().all(|replica| replica.status == Status::Succeeded) {
            return Ok(Some(Verdict { status: Status::Succeeded, reason: None }));
        }
        if all.iter().any(|replica| replica.status == Status::Running) {
            return Ok(None);
        }
        let stop = read::<Verdict>(&self.jobs.dir(self.id).join(STOP))?;
        let cancelled = self.jobs.why_cancelled(self.id);
        Ok(stop.or(cancelled.map(|why| Verdict { status: Status::Canceled, reason: Some(why) })))
    }

    /// Completes or fails the outputs; if they cannot be completed, the job fails with that reason.
    fn end_outputs(&self, verdict: Verdict, now: u64) -> Verdict {
        let buffers = Buffers::new(self.jobs.store());
        let end = |id: &BufferId| match buffers.get(id)?.state {
            State::Unwritten => buffers.begin(id, WriteOptions::default(), now)?.finish().map(drop),
            _ => buffers.settle(id, None),
        };
        let lost = match verdict.status {
            Status::Succeeded => self.outputs.iter().try_for_each(end).err(),
            _ => None,
        };
        let verdict = match lost {
            None => verdict,
            Some(error) => Verdict { status: Status::Failed, reason: Some(error.to_string()) },
        };
        if verdict.status != Status::Succeeded {
            let reason = verdict.reason.clone().unwrap_or_default();
            fail_unwritten(self.jobs.store(), &self.outputs, &reason, now);
            let fail =
                |id: &BufferId| -> Result<(), BufferError> { buffers.settle(id, Some(&reason)) };
            // If even this cannot be written, the buffer counts as being written; the job's reason says why it is not.
            self.outputs.iter().for_each(|id| drop(fail(id)));
        }
        verdict
    }

    /// Tells all others to end if one did not succeed; the first one determines how the job ends.
    fn stop_unless_succeeded(&self, verdict: Verdict) -> Result<(), JobsError> {
        let path = self.jobs.dir(self.id).join(STOP);
        if verdict.status == Status::Succeeded || self.are_ending() {
            return Ok(());
        }
        self.keep(&path, &verdict)
    }

    /// The paths of their logs.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        (0..self.count).map(|number| self.dir(number).join(LOG)).collect()
    }

    fn get(&self, number: u32) -> Result<ReplicaRecord, JobsError> {
        let record = read(&self.dir(number).join(RECORD))?;
        Ok(record.unwrap_or_else(ReplicaRecord::waiting))
    }

    fn note(&self, number: u32, record: &ReplicaRecord) -> Result<(), JobsError> {
        let dir = self.dir(number);
        fs::create_dir_all(&dir).map_err(|source| io_error(&dir, source))?;
        self.keep(&dir.join(RECORD), record)
    }

    fn keep(&self, path: &Path, value: &impl Serialize) -> Result<(), JobsError> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| damaged(path, &error))?;
        Ok(self.jobs.store().keep_file(path, &bytes)?)
    }

    fn dir(&self, number: u32) -> PathBuf {
        self.jobs.dir(self.id).join("replica").join(number.to_string())
    }
}
