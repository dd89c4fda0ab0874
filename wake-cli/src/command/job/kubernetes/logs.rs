//! The growing log of a job: the output of the containers of its pods.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wake_job::job_log::JobLog;
use wake_job::jobs::{Jobs, JobsError, OwnJob};
use wake_job::log_reader::LogReader;
use wake_kubernetes::{Kubectl, KubernetesPod, LogChild, LogEnd};
use wake_steps::clock::now;
use wake_store::Store;

use super::lines::Lines;

/// How long to wait for the rest of the log of a container that has ended.
const REST: Duration = Duration::from_secs(10);
/// The polling interval for that.
const LOOK: Duration = Duration::from_millis(20);

/// The logs of the pods of a job.
pub(super) struct Logs<'a> {
    store: &'a Store,
    id: u64,
    kubectl: Kubectl,
    /// Whether several containers write, so that lines are prefixed.
    has_several: bool,
    log: Arc<Mutex<JobLog>>,
    readings: BTreeMap<Instance, Reading>,
    /// Containers whose logs are complete.
    done: BTreeSet<Instance>,
}

/// One run of a container: the pod, and its number of restarts.
type Instance = (String, u32);

/// A log that is being followed.
struct Reading {
    child: LogChild,
    thread: JoinHandle<Lines>,
    is_over: Arc<AtomicBool>,
}

impl<'a> Logs<'a> {
    pub(super) fn new(
        store: &'a Store,
        (own, id): (&OwnJob, u64),
        kubectl: Kubectl,
        has_several: bool,
    ) -> Result<Self, JobsError> {
        let log = Arc::new(Mutex::new(own.log()?));
        let (readings, done) = (BTreeMap::new(), BTreeSet::new());
        Ok(Logs { store, id, kubectl, has_several, log, readings, done })
    }

    /// Follows the logs of these pods.
    pub(super) fn follow(&mut self, pods: &[KubernetesPod]) -> Result<(), JobsError> {
        self.reap(pods);
        for pod in pods.iter().filter(|pod| pod.has_begun) {
            let instance = instance(pod);
            if self.done.contains(&instance) || self.readings.contains_key(&instance) {
                continue;
            }
            let lines = self.lines(pod)?;
            // If it cannot be read now, the next check tries again.
            if let Ok(reader) = self.kubectl.log(&pod.name, LogEnd::Container) {
                let (bytes, child) = reader.parts();
                let is_over = Arc::<AtomicBool>::default();
                let (log, over) = (self.log.clone(), is_over.clone());
                let thread = thread::spawn(move || {
                    let lines = pass_on(bytes, lines, &log);
                    over.store(true, Ordering::Release);
                    lines
                });
                self.readings.insert(instance, Reading { child, thread, is_over });
            }
        }
        Ok(())
    }

    /// Whether a reading has ended since the last check, as it does with its container.
    pub(super) fn has_news(&self) -> bool {
        self.readings.values().any(|reading| reading.is_over.load(Ordering::Acquire))
    }

    /// Whether the log of a pod being deleted was read completely: then its container has ended, which may be reported much later.
    pub(super) fn has_all(&mut self, pod: &KubernetesPod) -> bool {
        self.reap(&[]);
        self.done.contains(&instance(pod))
    }

    /// Reads the current logs of these pods.
    pub(super) fn catch_up(&mut self, pods: &[KubernetesPod]) -> Result<(), JobsError> {
        self.rest(pods).map(drop)
    }

    /// Reads the complete logs of these pods, and notes in the log what cannot be fetched.
    pub(super) fn end(&mut self, pods: &[KubernetesPod]) -> Result<(), JobsError> {
        let begun = now();
        while begun.elapsed() < REST
            && self.readings.values().any(|reading| !reading.is_over.load(Ordering::Acquire))
        {
            thread::sleep(LOOK);
        }
        for reading in self.readings.values_mut() {
            if !reading.is_over.load(Ordering::Acquire) {
                reading.child.stop();
                // Wait until its thread has found the end of what it reads.
                while !reading.is_over.load(Ordering::Acquire) {
                    thread::sleep(LOOK);
                }
            }
        }
        // None of them will write any more.
        self.reap(&[]);
        for (pod, why) in self.rest(pods)? {
            let label = &pod.label;
            let line = format!("wake: cannot fetch the last output of {label}: {why}\n");
            self.log.lock().unwrap_or_else(PoisonError::into_inner).add(line.as_bytes());
            // It is not requested again.
            self.done.insert(instance(pod));
        }
        Ok(())
    }

    /// Ends finished readings.
    fn reap(&mut self, pods: &[KubernetesPod]) {
        let is_over = |reading: &Reading| reading.is_over.load(Ordering::Acquire);
        let over: Vec<Instance> = self
            .readings
            .iter()
            .filter(|(_, one)| is_over(one))
            .map(|(at, _)| at.clone())
            .collect();
        for at in over {
            let Some(Reading { child, thread, .. }) = self.readings.remove(&at) else { continue };
            let lines = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let goes_on = pods.iter().any(|pod| instance(pod) == at && !pod.has_ended);
            // An interrupted reading is repeated from the start.
            if child.end().is_ok() && !goes_on {
                self.log.lock().unwrap_or_else(PoisonError::into_inner).add(&lines.end());
                self.done.insert(at);
            }
        }
    }

    /// Reads the current logs of pods that are not being followed; returns which failed, and why.
    fn rest<'p>(
        &mut self,
        pods: &'p [KubernetesPod],
    ) -> Result<Vec<(&'p KubernetesPod, String)>, JobsError> {
        let mut failed = Vec::new();
        for pod in pods.iter().filter(|pod| pod.has_begun) {
            let at = instance(pod);
            if self.done.contains(&at) || self.readings.contains_key(&at) {
                continue;
            }
            let lines = self.lines(pod)?;
            let read = self.kubectl.log(&pod.name, LogEnd::Now);
            let ended = read.map_err(|error| error.to_string()).and_then(|reader| {
                let (bytes, child) = reader.parts();
                let lines = pass_on(bytes, lines, &self.log);
                child.end()?;
                match lines.is_lost() {
                    true => Err("the node has discarded it".to_owned()),
                    false => Ok(lines),
                }
            });
            match ended {
                Ok(lines) if pod.has_ended => {
                    self.log.lock().unwrap_or_else(PoisonError::into_inner).add(&lines.end());
                    self.done.insert(at);
                }
                Ok(_) => {}
                Err(why) => failed.push((pod, why)),
            }
        }
        Ok(failed)
    }

    /// Returns the lines that pass on what the log does not have yet of a pod.
    fn lines(&self, pod: &KubernetesPod) -> Result<Lines, JobsError> {
        let log = self.all()?;
        let tag = self.has_several.then(|| pod.label.clone());
        if pod.restarts == 0 {
            return Ok(Lines::after(&log, tag));
        }
        // Earlier output was in another log, which the cluster no longer has.
        let start = pod.restarts + 1;
        let line = format!("wake: {} restarted: start {start}\n", pod.label);
        let line = line.as_bytes();
        let begun = log.windows(line.len()).rposition(|part| part == line);
        match begun {
            Some(at) => Ok(Lines::after(&log[at + line.len()..], tag)),
            None => {
                self.log.lock().unwrap_or_else(PoisonError::into_inner).add(line);
                Ok(Lines::after(b"", tag))
            }
        }
    }

    /// Reads the whole log.
    fn all(&self) -> Result<Vec<u8>, JobsError> {
        let mut reader = LogReader::new(Jobs::new(self.store), self.id)?;
        let mut log = Vec::new();
        loop {
            let piece = reader.piece()?;
            if piece.is_empty() {
                return Ok(log);
            }
            log.extend(piece);
        }
    }
}

fn instance(pod: &KubernetesPod) -> Instance {
    (pod.name.clone(), pod.restarts)
}

/// Passes on output until it ends.
fn pass_on(mut bytes: Box<dyn Read + Send>, mut lines: Lines, log: &Mutex<JobLog>) -> Lines {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return lines,
            Ok(many) => {
                let whole = lines.add(&buffer[..many]);
                log.lock().unwrap_or_else(PoisonError::into_inner).add(&whole);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // The writer reports why it ended.
            Err(_) => return lines,
        }
    }
}
