//! The build as programs read it: one JSON object a line. Described in `spec/events.md`.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use wake_build::event::{Event, Reporter, Status};

/// Milliseconds since 1970.
pub(crate) type UnixClock = Box<dyn Fn() -> u64>;

/// How long a line may wait in the buffer, so that ten thousand remembered steps are not as many
/// system calls.
const LATEST: Duration = Duration::from_millis(50);

/// Writes every event as a line.
pub(crate) struct Json<W> {
    out: W,
    buffer: Vec<u8>,
    flushed: Instant,
    clock: UnixClock,
    seq: u64,
    run: Option<String>,
}

/// An event with its envelope.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    t: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event,
}

impl<W: Write> Json<W> {
    /// A reporter that writes to `out`.
    pub(crate) fn new(out: W, clock: UnixClock) -> Self {
        Json { out, buffer: Vec::new(), flushed: Instant::now(), clock, seq: 0, run: None }
    }

    fn flush(&mut self) {
        // A build does not fail because the reader has gone; what came of it is in the run's log.
        let _ = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        self.flushed = Instant::now();
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
        let run = match event {
            // The event itself names the run.
            Event::Started { run, .. } => {
                self.run = Some(run.clone());
                None
            }
            _ => self.run.as_deref(),
        };
        let t = (self.clock)() as f64 / 1000.0;
        let line = Line { seq: self.seq, t, run, event };
        self.seq += 1;
        // Writing to memory cannot fail, and an event has no map with keys that are not strings.
        let _ = serde_json::to_writer(&mut self.buffer, &line);
        self.buffer.push(b'\n');
        if !may_wait(event) || self.flushed.elapsed() >= LATEST {
            self.flush();
        }
    }

    fn tick(&mut self) {
        if !self.buffer.is_empty() {
            self.flush();
        }
    }
}
