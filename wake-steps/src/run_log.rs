//! The log of a run: its events as JSON lines, one file for each run below a state directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};

use serde::Serialize;
use wake_store::ConfinedPath;
use wake_store::ware::is_guid;

use crate::clock::unix_ms;
use crate::event::{Event, Reporter};

/// The directory of the logs, relative to the state directory.
const RUNS_DIR: &str = "runs";
/// The suffix of their names.
const SUFFIX: &str = ".jsonl";

/// One line of a run's log and of the JSON stream, described in `spec/events.md`.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    t: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes the events of one run as lines.
#[derive(Debug, Default)]
pub struct Lines {
    seq: u64,
    run: Option<String>,
}

impl Lines {
    /// Writes the next event, which happened `unix_ms` milliseconds after the beginning of 1970.
    pub fn write(
        &mut self,
        event: &Event,
        unix_ms: u64,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        let run = match event {
            // The event itself contains the run.
            Event::Started { run, .. } => {
                self.run = Some(run.clone());
                None
            }
            _ => self.run.as_deref(),
        };
        let line = Line { seq: self.seq, t: unix_ms as f64 / 1000.0, run, event };
        self.seq += 1;
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }
}

/// Forwards events and writes each to the run's log.
pub struct LogWriter<'a> {
    inner: &'a mut dyn Reporter,
    log: Option<BufWriter<File>>,
    lines: Lines,
}

impl<'a> LogWriter<'a> {
    /// Starts the log of the run called `run`, and deletes the oldest logs if there are more than `kept`; the run goes on if the
    /// log cannot be written.
    pub fn start(
        inner: &'a mut dyn Reporter,
        state_dir: &ConfinedPath,
        run: &str,
        kept: usize,
    ) -> LogWriter<'a> {
        let log = state_dir.join(RUNS_DIR).join(format!("{run}{SUFFIX}")).create_new();
        let log = log.ok().map(BufWriter::new);
        forget_oldest(state_dir, kept);
        LogWriter { inner, log, lines: Lines::default() }
    }
}

impl Reporter for LogWriter<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::ActionOutput { .. } = event {
            return self.inner.event(event);
        }
        if let Some(log) = &mut self.log {
            let written = self.lines.write(event, unix_ms(), log);
            // A command that has run is recorded even if this process is killed.
            let is_run = matches!(event, Event::ActionFinished(step) if step.execution.is_some());
            let written = if is_run { written.and_then(|()| log.flush()) } else { written };
            // The build goes on without its log, for example on a full disk.
            if written.is_err() {
                self.log = None;
            }
        }
        self.inner.event(event);
    }

    fn tick(&mut self) {
        self.inner.tick();
    }
}

/// Returns the logs below a state directory, oldest first, with the name of each run.
pub fn list(state_dir: &ConfinedPath) -> Vec<(String, ConfinedPath)> {
    let dir = state_dir.join(RUNS_DIR);
    let is_log = |name: &OsStr| run_of(name).is_some();
    let mut runs: Vec<_> = dir
        .entries(is_log)
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.is_file)
        .filter_map(|entry| Some((entry.modified, run_of(&entry.name)?.to_owned(), entry.name)))
        .collect();
    runs.sort();
    runs.into_iter().map(|(_, run, name)| (run, dir.join(name))).collect()
}

/// Returns the run whose log has this name; none if it is not the name of a log.
fn run_of(name: &OsStr) -> Option<&str> {
    let run = name.to_str()?.strip_suffix(SUFFIX)?;
    is_guid(run).then_some(run)
}

fn forget_oldest(state_dir: &ConfinedPath, kept: usize) {
    let runs = list(state_dir);
    for (_, path) in runs.iter().take(runs.len().saturating_sub(kept)) {
        // Another process may have deleted it first.
        let _ = path.remove_file();
    }
}
