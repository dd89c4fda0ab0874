//! The build as programs read it: one JSON object a line. Described in `spec/events.md`.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use wake_steps::event::{Event, Reporter, Status};
use wake_steps::run_log::Lines;

use crate::terminal::escape;

/// How long a line may wait in the buffer, so that ten thousand remembered steps are not as many
/// system calls.
const LATEST: Duration = Duration::from_millis(50);

/// Writes every event as a line.
pub(crate) struct Json<W> {
    out: W,
    buffer: Vec<u8>,
    flushed: Instant,
    /// Milliseconds since 1970.
    clock: Box<dyn Fn() -> u64>,
    lines: Lines,
    fault: Option<io::Error>,
}

impl<W: Write> Json<W> {
    /// A reporter that writes to `out`.
    pub(crate) fn new(out: W, clock: Box<dyn Fn() -> u64>) -> Self {
        let (buffer, flushed, lines) = (Vec::new(), wake_steps::clock::now(), Lines::default());
        Json { out, buffer, flushed, clock, lines, fault: None }
    }

    fn flush(&mut self) {
        let text = String::from_utf8_lossy(&self.buffer);
        let text = escape::json(&text);
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            // A build does not fail because the reader has gone; what came of it is in the run's log.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => self.fault = Some(error),
            _ => {}
        }
        self.buffer.clear();
        self.flushed = wake_steps::clock::now();
    }
}

/// Whether nobody waits for this line: there are as many of these as there are steps.
fn may_wait(event: &Event) -> bool {
    match event {
        Event::Announced { .. } => true,
        Event::ActionFinished(finished) => finished.status != Status::Failed,
        _ => false,
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) {
        // Writing to memory cannot fail, and an event has no map with keys that are not strings.
        let _ = self.lines.write(event, (self.clock)(), &mut self.buffer);
        if !may_wait(event) || self.flushed.elapsed() >= LATEST {
            self.flush();
        }
    }

    fn tick(&mut self) {
        if !self.buffer.is_empty() {
            self.flush();
        }
    }

    fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }
}
