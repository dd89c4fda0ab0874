//! The status of jobs, wherever they run. If no process reports it, the job's engine is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wake_job::jobs::{Jobs, JobsError};
use wake_job::record::{EngineName, JobRecord, SentJob, Status};
use wake_job::replicas::Replicas;
use wake_job::sent::conclude;
use wake_model::Tags;
use wake_steps::clock::{now, unix_ms};
use wake_store::Store;

use super::engines;
use super::said::{Said, Waits};
use crate::settings::Settings;

/// The interval between queries to an engine, initially and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// The status of jobs. An engine is asked only while no process owns the job, at increasing intervals.
pub(super) struct Known<'s> {
    store: &'s Store,
    settings: &'s Settings,
    asked: BTreeMap<u64, Asked>,
    /// Messages of engines that do not respond, which are not asked again for a while.
    silent: BTreeMap<EngineName, (Instant, String)>,
}

struct Asked {
    /// The job's status at the time.
    status: Status,
    at: Instant,
    pause: Duration,
    reason: Option<String>,
}

impl<'s> Known<'s> {
    pub(super) fn new(store: &'s Store, settings: &'s Settings) -> Self {
        Known { store, settings, asked: BTreeMap::new(), silent: BTreeMap::new() }
    }

    /// Returns the current record of a job.
    pub(super) fn get(&mut self, id: u64) -> Result<JobRecord, JobsError> {
        let jobs = Jobs::new(self.store);
        let record = jobs.get(id)?;
        if record.status.is_last() || jobs.is_held(id) {
            self.asked.remove(&id);
            return Ok(record);
        }
        match jobs.sent(id)? {
            None => Ok(record),
            Some(sent) if sent.apart => self.asked_apart(record, &sent),
            Some(sent) => self.asked(record, &sent),
        }
    }

    /// Updates a job whose replicas run separately.
    fn asked_apart(&mut self, record: JobRecord, sent: &SentJob) -> Result<JobRecord, JobsError> {
        let (id, jobs) = (record.id, Jobs::new(self.store));
        let Some(replicas) = Replicas::of(jobs, id)? else { return Ok(record) };
        let all = replicas.all()?;
        // Usually the last process has recorded it.
        if (replicas.are_ending() || all.iter().all(|one| one.status.is_last()))
            && let Some(ended) = replicas.settle(unix_ms())?
        {
            return Ok(ended);
        }
        let all = (0..).zip(all);
        let unheard =
            all.filter(|(number, one)| !one.status.is_last() && !replicas.is_held(*number));
        let unheard: Vec<(u32, Status)> =
            unheard.map(|(number, one)| (number, one.status)).collect();
        if unheard.is_empty() {
            self.asked.remove(&id);
            return Ok(record);
        }
        if let Some(reason) = self.said_before(&record) {
            return Ok(JobRecord { status_reason: reason, ..record });
        }
        let mut waits = Waits::default();
        for (number, said) in self.ask_apart(id, sent, &unheard) {
            match said {
                Said::Goes(Some(reason)) => waits.add(reason),
                Said::Goes(None) => {}
                Said::Silent(said) => waits.is_silent(said),
                Said::Ended(status, reason) => {
                    let asked = jobs.why_cancelled(id).filter(|_| status == Status::Canceled);
                    let reason = asked.unwrap_or(reason);
                    let ended = replicas.conclude(number, (status, reason), unix_ms())?;
                    // Replicas that start anyway find the job ended.
                    let _ = engines::let_go(sent);
                    if let Some(ended) = ended {
                        return Ok(ended);
                    }
                }
            }
        }
        let reason = waits.told(record.status == Status::Pending, record.replicas);
        self.keep_said(&record, reason.clone());
        Ok(JobRecord { status_reason: reason, ..record })
    }

    fn ask_apart(
        &mut self,
        id: u64,
        sent: &SentJob,
        wanted: &[(u32, Status)],
    ) -> BTreeMap<u32, Said> {
        if let Some(said) = self.silence(sent.engine) {
            return wanted
                .iter()
                .map(|&(number, _)| (number, Said::Silent(said.clone())))
                .collect();
        }
        let all = engines::look_at_replicas(self.store, id, sent, wanted);
        all.values().for_each(|said| self.hear(sent.engine, said));
        all
    }

    /// Lists the current records of jobs with these tags, newest first.
    pub(super) fn list(&mut self, tags: &Tags, limit: usize) -> Result<Vec<JobRecord>, JobsError> {
        let all = Jobs::new(self.store).list()?;
        let wanted = all.into_iter().filter(|job| job.tags.has_all(tags)).take(limit);
        wanted.map(|job| if job.status.is_last() { Ok(job) } else { self.get(job.id) }).collect()
    }

    fn asked(&mut self, record: JobRecord, sent: &SentJob) -> Result<JobRecord, JobsError> {
        let id = record.id;
        if let Some(reason) = self.said_before(&record) {
            return Ok(JobRecord { status_reason: reason, ..record });
        }
        let reason = match self.ask(id, sent)? {
            Said::Goes(reason) => reason,
            Said::Silent(said) => Some(said),
            Said::Ended(status, reason) => {
                let asked = Jobs::new(self.store).why_cancelled(id);
                let reason = asked.filter(|_| status == Status::Canceled).unwrap_or(reason);
                return conclude(self.store, id, sent, (status, reason), unix_ms());
            }
        };
        self.keep_said(&record, reason.clone());
        // The query may have updated the record.
        let record = Jobs::new(self.store).get(id)?;
        match record.status.is_last() {
            true => Ok(record),
            false => Ok(JobRecord { status_reason: reason, ..record }),
        }
    }

    /// Returns the last answer for a job whose engine is not to be asked yet.
    fn said_before(&self, record: &JobRecord) -> Option<Option<String>> {
        let holds =
            |asked: &&Asked| asked.status == record.status && asked.at.elapsed() < asked.pause;
        let asked = self.asked.get(&record.id).filter(holds);
        asked.map(|asked| asked.reason.clone())
    }

    fn keep_said(&mut self, record: &JobRecord, reason: Option<String>) {
        let pause = self.asked.get(&record.id).map_or(PAUSES.0, |asked| asked.pause * 2);
        let (status, pause) = (record.status, pause.min(PAUSES.1));
        self.asked.insert(record.id, Asked { status, at: now(), pause, reason });
    }

    /// Asks the engine, and remembers if it does not respond.
    fn ask(&mut self, id: u64, sent: &SentJob) -> Result<Said, JobsError> {
        if let Some(said) = self.silence(sent.engine) {
            return Ok(Said::Silent(said));
        }
        let said = engines::look(self.store, self.settings, id, sent)?;
        self.hear(sent.engine, &said);
        Ok(said)
    }

    /// Returns the message of an engine that did not respond and is not to be asked yet.
    fn silence(&self, engine: EngineName) -> Option<String> {
        let silent = self.silent.get(&engine).filter(|(since, _)| since.elapsed() < PAUSES.1);
        silent.map(|(_, said)| said.clone())
    }

    fn hear(&mut self, engine: EngineName, said: &Said) {
        match said {
            Said::Silent(said) => self.silent.insert(engine, (now(), said.clone())),
            Said::Goes(_) | Said::Ended(..) => self.silent.remove(&engine),
        };
    }
}
