//! The log of a job as it grows: what the containers of its pods write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wake_job::log_reader::LogReader;
use wake_job::record::{JobLog, Jobs, JobsError, OwnJob};
use wake_kubernetes::{Kubectl, KubernetesPod, LogChild, LogEnd};
use wake_steps::clock::now;
use wake_store::Store;

use super::lines::Lines;

/// How long is waited for the rest of a log whose container has ended.
const REST: Duration = Duration::from_secs(10);
/// How often it is looked for that.
const LOOK: Duration = Duration::from_millis(20);

/// What is read of the pods of a job.
pub(super) struct Logs<'a> {
    store: &'a Store,
    id: u64,
    kubectl: Kubectl,
    /// Whether several write, so that each line says who.
    has_several: bool,
    log: Arc<Mutex<JobLog>>,
    readings: BTreeMap<Instance, Reading>,
    /// Those of which there will be no more.
    done: BTreeSet<Instance>,
}

/// One run of a container: the pod, and how often it was begun again.
type Instance = (String, u32);

/// A log that is read as it is written.
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

    /// Reads on as these pods write.
    pub(super) fn follow(&mut self, pods: &[KubernetesPod]) -> Result<(), JobsError> {
        self.reap(pods);
        for pod in pods.iter().filter(|pod| pod.has_begun) {
            let instance = instance(pod);
            if self.done.contains(&instance) || self.readings.contains_key(&instance) {
                continue;
            }
            let lines = self.lines(pod)?;
            // Where it cannot be read now, it is tried again when it is looked next.
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

    /// Whether a reading has ended since it was looked last, as it does with its container.
    pub(super) fn has_news(&self) -> bool {
        self.readings.values().any(|reading| reading.is_over.load(Ordering::Acquire))
    }

    /// Whether all was read that a container wrote whose pod is being taken away: then it has ended, which may be said much later.
    pub(super) fn has_all(&mut self, pod: &KubernetesPod) -> bool {
        self.reap(&[]);
        self.done.contains(&instance(pod))
    }

    /// Takes what there is of these pods now.
    pub(super) fn catch_up(&mut self, pods: &[KubernetesPod]) -> Result<(), JobsError> {
        self.rest(pods).map(drop)
    }

    /// Takes all that there will be of these pods; of what cannot be had, the log says so.
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
                // So that it is over when it is looked next: its thread finds the end of what it reads.
                while !reading.is_over.load(Ordering::Acquire) {
                    thread::sleep(LOOK);
                }
            }
        }
        // Nothing more comes of any of them.
        self.reap(&[]);
        for (pod, why) in self.rest(pods)? {
            let label = &pod.label;
            let line = format!("wake: cannot fetch the last output of {label}: {why}\n");
            self.log.lock().unwrap_or_else(PoisonError::into_inner).add(line.as_bytes());
            // Nobody asks for it again.
            self.done.insert(instance(pod));
        }
        Ok(())
    }

    /// Ends readings that are over.
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
            // One that broke off is read once more, from its beginning.
            if child.end().is_ok() && !goes_on {
                self.log.lock().unwrap_or_else(PoisonError::into_inner).add(&lines.end());
                self.done.insert(at);
            }
        }
    }

    /// Reads what is there now of pods that nobody reads; of which that failed, and why.
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
                    true => Err("its node has discarded it".to_owned()),
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

    /// What passes on what the log has not yet of a pod.
    fn lines(&self, pod: &KubernetesPod) -> Result<Lines, JobsError> {
        let log = self.all()?;
        let tag = self.has_several.then(|| pod.label.clone());
        if pod.restarts == 0 {
            return Ok(Lines::after(&log, tag));
        }
        // What it wrote before is another log, which the cluster has no more.
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

    /// All of the log.
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

/// Passes on what comes, until nothing more does.
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
            // Whoever wrote it says why it ended.
            Err(_) => return lines,
        }
    }
}
