//! What is known of a job, wherever it runs: where no process says it, the engine that was asked to run it is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wake_job::record::{EngineName, JobRecord, Jobs, JobsError, SentJob, Status};
use wake_job::sent::conclude;
use wake_model::Tags;
use wake_steps::clock::{now, unix_ms};
use wake_store::Store;

use super::engines;
use super::said::Said;

/// After how long an engine is asked again, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// What is known of jobs; an engine is asked only while no process holds the job, and less often the longer that takes.
pub(super) struct Known<'s> {
    store: &'s Store,
    asked: BTreeMap<u64, Asked>,
    /// What was said of engines that do not answer, which makes one wait.
    silent: BTreeMap<EngineName, (Instant, String)>,
}

struct Asked {
    at: Instant,
    pause: Duration,
    reason: Option<String>,
}

impl<'s> Known<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Known { store, asked: BTreeMap::new(), silent: BTreeMap::new() }
    }

    /// A job as it is now.
    pub(super) fn get(&mut self, id: u64) -> Result<JobRecord, JobsError> {
        let jobs = Jobs::new(self.store);
        let record = jobs.get(id)?;
        if record.status.is_last() || jobs.is_held(id) {
            self.asked.remove(&id);
            return Ok(record);
        }
        match jobs.sent(id)? {
            None => Ok(record),
            Some(sent) => self.asked(record, &sent),
        }
    }

    /// Those of all jobs that have these tags, as they are now, the latest first.
    pub(super) fn list(&mut self, tags: &Tags, limit: usize) -> Result<Vec<JobRecord>, JobsError> {
        let all = Jobs::new(self.store).list()?;
        let wanted = all.into_iter().filter(|job| job.tags.has_all(tags)).take(limit);
        wanted.map(|job| if job.status.is_last() { Ok(job) } else { self.get(job.id) }).collect()
    }

    fn asked(&mut self, record: JobRecord, sent: &SentJob) -> Result<JobRecord, JobsError> {
        let id = record.id;
        if let Some(Asked { at, pause, reason }) = self.asked.get(&id)
            && at.elapsed() < *pause
        {
            let status_reason = reason.clone();
            return Ok(JobRecord { status_reason, ..record });
        }
        let reason = match self.ask(id, sent) {
            Said::Goes(reason) => reason,
            Said::Silent(said) => Some(said),
            Said::Ended(status, reason) => {
                let asked = Jobs::new(self.store).why_cancelled(id);
                let reason = asked.filter(|_| status == Status::Canceled).unwrap_or(reason);
                return conclude(self.store, id, sent, (status, reason), unix_ms());
            }
        };
        let pause = self.asked.get(&id).map_or(PAUSES.0, |asked| asked.pause * 2);
        let asked = Asked { at: now(), pause: pause.min(PAUSES.1), reason: reason.clone() };
        self.asked.insert(id, asked);
        Ok(JobRecord { status_reason: reason, ..record })
    }

    /// What the engine says, which is not asked again at once where it does not answer.
    fn ask(&mut self, id: u64, sent: &SentJob) -> Said {
        if let Some((since, said)) = self.silent.get(&sent.engine)
            && since.elapsed() < PAUSES.1
        {
            return Said::Silent(said.clone());
        }
        let said = engines::look(self.store, id, sent);
        match &said {
            Said::Silent(said) => self.silent.insert(sent.engine, (now(), said.clone())),
            Said::Goes(_) | Said::Ended(..) => self.silent.remove(&sent.engine),
        };
        said
    }
}
