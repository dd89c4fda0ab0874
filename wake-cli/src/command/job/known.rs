//! What is known of a job, wherever it runs: where no process says it, the engine that was asked to run it is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wake_job::perform::BY_USER;
use wake_job::record::{EngineName, JobRecord, Jobs, JobsError, SentJob, Status};
use wake_job::sent::conclude;
use wake_model::Tags;
use wake_slurm::{SlurmEnd, SlurmError, SlurmId, SlurmJob, SlurmState, ask};
use wake_steps::clock::{now, unix_ms};
use wake_store::Store;

/// After how long an engine is asked again, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// What is known of jobs; an engine is asked only while no process holds the job, and less often the longer that takes.
pub(super) struct Known<'s> {
    store: &'s Store,
    asked: BTreeMap<u64, Asked>,
    /// What was said of an engine that does not answer, which makes one wait.
    away: Option<(Instant, String)>,
}

struct Asked {
    at: Instant,
    pause: Duration,
    reason: Option<String>,
}

impl<'s> Known<'s> {
    pub(super) fn new(store: &'s Store) -> Self {
        Known { store, asked: BTreeMap::new(), away: None }
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
        let answer = match &self.away {
            Some((since, said)) if since.elapsed() < PAUSES.1 => {
                Err(SlurmError::Away { said: said.clone() })
            }
            _ => look(sent),
        };
        if let Err(SlurmError::Away { said }) = &answer {
            self.away.get_or_insert_with(|| (now(), said.clone()));
        } else {
            self.away = None;
        }
        let said = match answer {
            Ok(job) => said(&job, || Jobs::new(self.store).engine_log(id)),
            Err(SlurmError::Unknown(_)) => Said::Ended(
                Status::Failed,
                "Slurm knows nothing of it any more, and it has not said how it ended".to_owned(),
            ),
            Err(error) => Said::Goes(Some(error.to_string())),
        };
        match said {
            Said::Goes(reason) => {
                let pause = self.asked.get(&id).map_or(PAUSES.0, |asked| asked.pause * 2);
                let asked = Asked { at: now(), pause: pause.min(PAUSES.1), reason: reason.clone() };
                self.asked.insert(id, asked);
                Ok(JobRecord { status_reason: reason, ..record })
            }
            Said::Ended(status, reason) => {
                let by_user = record.status == Status::Canceling && status == Status::Canceled;
                let reason = if by_user { BY_USER.to_owned() } else { reason };
                conclude(self.store, id, sent, (status, reason), unix_ms())
            }
        }
    }
}

/// What an engine says of a job.
enum Said {
    /// It has not ended, and what keeps it.
    Goes(Option<String>),
    /// How it ended, if its process has not said so.
    Ended(Status, String),
}

fn look(sent: &SentJob) -> Result<SlurmJob, SlurmError> {
    match sent.engine {
        EngineName::Slurm => match sent.id.parse::<SlurmId>() {
            Ok(id) => ask::look(&id),
            Err(_) => Err(SlurmError::Unknown(sent.id.clone())),
        },
    }
}

fn said(job: &SlurmJob, log: impl Fn() -> String) -> Said {
    let SlurmJob { state, node } = job;
    match state {
        SlurmState::Waiting { reason } => {
            let reason = reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            Said::Goes(Some(format!("it waits in the queue of Slurm{reason}")))
        }
        SlurmState::Running => Said::Goes(None),
        SlurmState::Ended(end) => {
            let status = match end.was_cancelled() {
                true => Status::Canceled,
                false => Status::Failed,
            };
            Said::Ended(status, how_it_ended(end, node.as_deref(), &log()))
        }
    }
}

/// How a job ended whose process has not said it.
fn how_it_ended(end: &SlurmEnd, node: Option<&str>, log: &str) -> String {
    let on = node.map_or_else(String::new, |node| format!(" on {node}"));
    if end.had_no_output_file() || end.had_no_directory() {
        let node = node.unwrap_or("its node");
        return format!("{node} does not have the store: it lies where that node does not see it");
    }
    // What wake itself wrote before it could keep anything is all that there is.
    let last = log.lines().rev().map(str::trim).find(|line| line.starts_with("error: "));
    match last {
        Some(last) if end.code != 0 => {
            format!("wake could not run it{on}: {}", &last["error: ".len()..])
        }
        _ => format!("Slurm ended it{on}: {end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(word: &str, code: u8, signal: u8) -> SlurmEnd {
        SlurmEnd { word: word.to_owned(), reason: None, code, signal }
    }

    #[test]
    fn an_end_that_no_process_said_is_told_as_slurm_has_it() {
        let told = |end, log: &str| how_it_ended(&end, Some("n1"), log);
        assert_eq!(told(end("NODE_FAIL", 0, 0), ""), "Slurm ended it on n1: NODE_FAIL");
        assert_eq!(told(end("FAILED", 0, 9), ""), "Slurm ended it on n1: FAILED, by signal 9");
        let nowhere = "n1 does not have the store: it lies where that node does not see it";
        assert_eq!(told(end("FAILED", 0, 53), ""), nowhere);
        let log = "error: the job `7` was not found\n  help: x\n";
        assert_eq!(
            told(end("FAILED", 4, 0), log),
            "wake could not run it on n1: the job `7` was not found"
        );
    }
}
