//! Ensures that every failure is reported once and every event stream ends.

use std::io::Write;
use std::time::Instant;

use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::{Counts, Event, Reporter};
use wake_steps::profile::Profile;

use crate::report::profile::ProfileFile;
use crate::signals;

/// A reporter that passes events on and remembers what they reported.
///
/// A build may fail before its first event, or with an error that no event reported; a reader of
/// the events must still see every error, and a `finished` event at the end.
pub(crate) struct Witness {
    inner: Box<dyn Reporter>,
    start: Instant,
    told: Vec<Diagnostic>,
    ended: bool,
    profile: Option<(ProfileFile, Profile)>,
}

impl Witness {
    /// Makes a witness in front of `inner`.
    pub(crate) fn new(inner: Box<dyn Reporter>) -> Self {
        Witness {
            inner,
            start: wake_steps::clock::now(),
            told: Vec::new(),
            ended: false,
            profile: None,
        }
    }

    /// Makes the witness write `profile` to `file` just before the end is reported, however the build ends.
    pub(crate) fn keep(&mut self, file: ProfileFile, profile: Profile) {
        self.profile = Some((file, profile));
    }

    /// Reports the unreported part of `failure`, and ends the stream if it has not ended; returns the exit code.
    pub(crate) fn close(&mut self, failure: &Failure) -> u8 {
        let exit = failure.class().exit_code();
        if self.ended {
            return self.exit_code(exit);
        }
        for diagnostic in &failure.diagnostics {
            if !self.told.contains(diagnostic) {
                self.inner.event(&Event::Diagnostic(Box::new(diagnostic.clone())));
            }
        }
        let mut classes: Vec<u8> =
            failure.diagnostics.iter().map(|diagnostic| diagnostic.class.exit_code()).collect();
        classes.sort_unstable();
        classes.dedup();
        self.event(&Event::Finished {
            exit,
            classes,
            counts: Counts::default(),
            wall_ms: self.start.elapsed().as_millis() as u64,
            saved_ms: 0,
            overrides: Vec::new(),
        });
        self.exit_code(exit)
    }

    /// Returns the exit code of a run that ended with `code`; reports a failure if its events could not be written.
    pub(crate) fn exit_code(&mut self, code: u8) -> u8 {
        let Some(fault) = self.inner.take_fault() else { return code };
        let message = format!("error: cannot write events to standard output: {fault}\n");
        // A closed standard error is not an error.
        let _ = std::io::stderr().write_all(message.as_bytes());
        if code == 0 { Class::Environment.exit_code() } else { code }
    }
}

impl Reporter for Witness {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Diagnostic(diagnostic) => self.told.push((**diagnostic).clone()),
            Event::Finished { .. } => {
                self.ended = true;
                let profile = self.profile.take();
                if let Some(fault) = profile.and_then(|(file, spans)| file.write(&spans.take())) {
                    self.inner.event(&Event::Diagnostic(Box::new(fault)));
                }
                // Only the program knows which signal it was.
                let mut last = event.clone();
                if let Event::Finished { exit, .. } = &mut last {
                    *exit = signals::exit_code(*exit);
                }
                return self.inner.event(&last);
            }
            _ => {}
        }
        self.inner.event(event);
    }

    fn tick(&mut self) {
        self.inner.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    struct Notes(Rc<RefCell<Vec<Event>>>);

    impl Reporter for Notes {
        fn event(&mut self, event: &Event) {
            self.0.borrow_mut().push(event.clone());
        }
    }

    #[test]
    fn a_failure_is_reported_once_and_closed_once() {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let mut witness = Witness::new(Box::new(Notes(Rc::clone(&notes))));
        let told = Diagnostic::error(Class::Evaluation, "a");
        let untold = Diagnostic::error(Class::Environment, "b");
        witness.event(&Event::Diagnostic(Box::new(told.clone())));
        let failure = Failure { diagnostics: vec![told.clone(), untold.clone()] };
        witness.close(&failure);
        witness.close(&failure);
        let notes = notes.borrow();
        assert_eq!(notes.len(), 3);
        assert_eq!(notes[0], Event::Diagnostic(Box::new(told)));
        assert_eq!(notes[1], Event::Diagnostic(Box::new(untold)));
        let Event::Finished { exit: 5, classes, .. } = &notes[2] else {
            panic!("{:?}", notes[2]);
        };
        assert_eq!(classes, &[5, 10]);
    }
}
