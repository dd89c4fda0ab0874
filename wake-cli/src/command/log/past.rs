//! A past build, read from its log.

use std::collections::BTreeMap;
use std::time::SystemTime;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::event::{ActionFinished, Event, Status};
use wake_steps::run_log;
use wake_store::ConfinedPath;

use crate::report::summary::Summary;

/// The maximum size of a log in bytes; no build writes a larger one.
const LARGEST: u64 = 256 << 20;

/// A past build.
pub(super) struct PastRun {
    /// Its name.
    pub(super) run: String,
    /// The time of its last event.
    pub(super) ended: SystemTime,
    /// The text of the log.
    pub(super) text: String,
    /// Its events, without kinds that this version does not know.
    pub(super) events: Vec<Event>,
}

/// The properties of a build in its first event.
#[derive(Default)]
pub(super) struct Start<'a> {
    /// The command line.
    pub(super) argv: &'a [String],
    /// The maximum number of parallel commands; 0 in logs of versions that did not record it.
    pub(super) jobs: usize,
    /// The sandbox level.
    pub(super) sandbox: &'a str,
    /// The machine, if recorded.
    pub(super) host: Option<&'a str>,
}

impl PastRun {
    /// Reads the log of `run` at `path`.
    pub(super) fn read(run: String, path: &ConfinedPath) -> Result<Self, Diagnostic> {
        let fault = |source: std::io::Error| {
            Diagnostic::error(Class::Environment, format!("`{}`: {source}", path.path().display()))
        };
        let file = path.open().map_err(fault)?;
        let ended = file.metadata().and_then(|meta| meta.modified()).map_err(fault)?;
        let bytes = path.read(LARGEST).map_err(fault)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // A power failure may leave half a line, a later version unknown kinds of events.
        let events = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(PastRun { run, ended, text, events })
    }

    /// Returns the runs with logs below a state directory, oldest first.
    pub(super) fn all(
        state_dir: &ConfinedPath,
    ) -> impl DoubleEndedIterator<Item = PastRun> + use<> {
        // Another process may have deleted the oldest meanwhile.
        run_log::list(state_dir)
            .into_iter()
            .filter_map(|(run, path)| PastRun::read(run, &path).ok())
    }

    /// Returns the content of its first event.
    pub(super) fn start(&self) -> Start<'_> {
        let start = self.events.iter().find_map(|event| match event {
            Event::Started { argv, jobs, sandbox, host, .. } => {
                Some(Start { argv, jobs: *jobs, sandbox, host: host.as_deref() })
            }
            _ => None,
        });
        start.unwrap_or_default()
    }

    /// Returns how it ended; `None` if the log is incomplete or the build is still running.
    pub(super) fn end(&self) -> Option<Summary<'_>> {
        self.events.iter().rev().find_map(|event| Summary::of(event, &[], 0))
    }

    /// Returns the identity of a step in another system.
    pub(super) fn identity(&self, step: usize) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            Event::Announced { id, identity, .. } if *id == step => identity.as_deref(),
            _ => None,
        })
    }

    /// Returns the finished steps, in order of completion.
    pub(super) fn ended(&self) -> impl DoubleEndedIterator<Item = &ActionFinished> {
        self.events.iter().filter_map(|event| match event {
            Event::ActionFinished(finished) => Some(&**finished),
            _ => None,
        })
    }

    /// Returns the failed actions.
    pub(super) fn failed(&self) -> impl Iterator<Item = &ActionFinished> {
        self.ended().filter(|finished| finished.status == Status::Failed)
    }

    /// Returns the steps whose command was running when the log ended.
    pub(super) fn open(&self) -> Vec<&str> {
        let mut open = BTreeMap::new();
        for event in &self.events {
            match event {
                Event::ActionStarted { id, label, .. } => {
                    open.insert(*id, label.as_str());
                }
                Event::ActionFinished(finished) => {
                    open.remove(&finished.id);
                }
                _ => {}
            }
        }
        open.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::recorded;

    fn written(events: &[Event], rest: &str) -> PastRun {
        let dir = tempfile::tempdir().unwrap();
        let path = ConfinedPath::top(dir.path()).unwrap().join("r.jsonl");
        let mut text = String::new();
        for event in events {
            text += &format!("{}\n", serde_json::to_string(event).unwrap());
        }
        std::fs::write(path.path(), text + rest).unwrap();
        PastRun::read("r".into(), &path).unwrap()
    }

    #[test]
    fn a_log_is_read_back_as_its_events() {
        let events = recorded::failing();
        let past = written(&events, "");
        assert_eq!(past.events, events);
        assert_eq!(past.start().argv, ["wake", "build"]);
        assert_eq!(past.end().map(|end| end.exit), Some(1));
        let failed: Vec<_> = past.failed().map(|finished| finished.label.as_str()).collect();
        assert_eq!(failed, ["//web:bundle"]);
        assert!(past.open().is_empty());
    }

    #[test]
    fn a_truncated_log_is_read_as_far_as_possible() {
        let events = &recorded::succeeding()[..7];
        let past = written(events, "{\"kind\":\"of a later wake\"}\n{\"kind\":\"fini");
        assert_eq!(past.events, events);
        assert!(past.end().is_none());
        assert_eq!(past.open(), ["//web:bundle"]);
    }
}
