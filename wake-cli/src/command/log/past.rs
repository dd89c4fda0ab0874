//! One build as its log tells it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::event::{ActionFinished, Event, Status};
use wake_steps::run_log;
use wake_store::ConfinedPath;

use crate::report::summary::Summary;

/// Bytes of a log that no build has written.
const LARGEST: u64 = 256 << 20;

/// A past build.
pub(super) struct PastRun {
    /// Its name.
    pub(super) run: String,
    /// When its last event was written.
    pub(super) ended: SystemTime,
    /// The log itself.
    pub(super) text: String,
    /// What happened; kinds of events that this wake does not know are left out.
    pub(super) events: Vec<Event>,
}

/// What is said of a build before it begins.
#[derive(Default)]
pub(super) struct Start<'a> {
    /// What was typed.
    pub(super) argv: &'a [String],
    /// Commands that ran at once at most; 0 in a log of a wake that did not say it.
    pub(super) jobs: usize,
    /// How strictly commands were kept.
    pub(super) sandbox: &'a str,
    /// The machine, where that is told.
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
        // A power cut may leave half a line, a later wake events of kinds unknown here.
        let events = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(PastRun { run, ended, text, events })
    }

    /// The runs whose logs are below a state directory, the oldest first.
    pub(super) fn all(
        state_dir: &ConfinedPath,
    ) -> impl DoubleEndedIterator<Item = PastRun> + use<> {
        // Another process may just have dropped one as the oldest.
        run_log::list(state_dir)
            .into_iter()
            .filter_map(|(run, path)| PastRun::read(run, &path).ok())
    }

    /// What its first event says.
    pub(super) fn start(&self) -> Start<'_> {
        let start = self.events.iter().find_map(|event| match event {
            Event::Started { argv, jobs, sandbox, host, .. } => {
                Some(Start { argv, jobs: *jobs, sandbox, host: host.as_deref() })
            }
            _ => None,
        });
        start.unwrap_or_default()
    }

    /// How it ended; none if it was cut short, or goes on.
    pub(super) fn end(&self) -> Option<Summary<'_>> {
        self.events.iter().rev().find_map(|event| Summary::of(event, &[], 0))
    }

    /// What another system calls the step of this number.
    pub(super) fn identity(&self, step: usize) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            Event::Announced { id, identity, .. } if *id == step => identity.as_deref(),
            _ => None,
        })
    }

    /// The steps that came to an end, in that order.
    pub(super) fn ended(&self) -> impl DoubleEndedIterator<Item = &ActionFinished> {
        self.events.iter().filter_map(|event| match event {
            Event::ActionFinished(finished) => Some(&**finished),
            _ => None,
        })
    }

    /// The actions that failed.
    pub(super) fn failed(&self) -> impl Iterator<Item = &ActionFinished> {
        self.ended().filter(|finished| finished.status == Status::Failed)
    }

    /// The steps whose command was running when the log ended.
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
    fn a_log_comes_back_as_its_events() {
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
    fn a_log_that_was_cut_short_tells_what_it_can() {
        let events = &recorded::succeeding()[..7];
        let past = written(events, "{\"kind\":\"of a later wake\"}\n{\"kind\":\"fini");
        assert_eq!(past.events, events);
        assert!(past.end().is_none());
        assert_eq!(past.open(), ["//web:bundle"]);
    }
}
