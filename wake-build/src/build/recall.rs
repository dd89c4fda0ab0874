//! Adds the stored standard error of cached results to their events.

use std::io;

use wake_steps::event::{ActionFinished, Event, Reporter, Status};
use wake_store::{Log, Store};

/// The most bytes of a stream in an event.
const LONGEST: usize = 4096;

/// Forwards events; those of cached results get the end of their command's standard error.
pub(super) struct Recall<'a> {
    pub(super) inner: &'a mut dyn Reporter,
    pub(super) store: &'a Store,
}

impl Recall<'_> {
    /// Returns the end of the stored stream; empty if it can no longer be read.
    fn kept(&self, finished: &ActionFinished) -> Option<String> {
        finished.stderr.as_ref()?;
        let key = finished.key.as_ref()?.parse().ok()?;
        let action = self.store.action_record(&key).ok()??;
        let bytes = self.store.log(&action, Log::Stderr).ok()??;
        let start = bytes.len().saturating_sub(LONGEST);
        Some(String::from_utf8_lossy(&bytes[start..]).into_owned())
    }
}

impl Reporter for Recall<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::ActionFinished(finished) = event
            && finished.status == Status::Hit
            && let Some(stderr_tail) = self.kept(finished)
        {
            let told = ActionFinished { stderr_tail, ..(**finished).clone() };
            return self.inner.event(&Event::ActionFinished(Box::new(told)));
        }
        self.inner.event(event);
    }

    fn tick(&mut self) {
        self.inner.tick();
    }

    fn take_fault(&mut self) -> Option<io::Error> {
        self.inner.take_fault()
    }
}
