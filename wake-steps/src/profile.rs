//! Build profiles: spans of time on tracks, which can be drawn.
//!
//! Unless a profile was requested, nothing is recorded, and a span costs one check of an [`Option`].
#![expect(clippy::disallowed_methods, reason = "a profile is made of times")]

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use serde_json::Value;
use strum::AsRefStr;

/// Records spans from every thread, if it records at all; clones share the recording.
#[derive(Clone, Debug, Default)]
pub struct Profile(Option<Arc<Recorder>>);

/// All that was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Threads of wake and its worker processes, in the order of their first span.
    pub tracks: Vec<Track>,
    /// In the order of their ends; spans of one track are nested or disjoint.
    pub spans: Vec<Span>,
    /// The number of steps in progress, whenever it changed.
    pub loads: Vec<Load>,
}

/// A row of spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Track {
    /// A thread of wake, by name.
    Thread(String),
    /// An evaluator process, by process number.
    Evaluator(u32),
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its index in [`Recording::tracks`].
    pub track: usize,
    /// The kind of work.
    pub kind: SpanKind,
    /// What was done, and to what.
    pub name: String,
    /// Nanoseconds since the recording began.
    pub from_ns: u64,
    /// Its duration in nanoseconds.
    pub took_ns: u64,
    /// Further details.
    pub notes: Vec<(&'static str, Value)>,
}

/// Kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr)]
#[strum(serialize_all = "lowercase")]
pub enum SpanKind {
    /// A stage of the build as a whole.
    Stage,
    /// A function was applied, or its cached result used.
    Evaluation,
    /// A source file was read.
    Hashing,
    /// The snapshot was read, compared or written.
    Snapshot,
    /// A step was performed; its parts are nested in it.
    Step,
}

/// The number of steps at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Nanoseconds since the recording began.
    pub at_ns: u64,
    /// Steps that were ready and waited for a thread.
    pub ready: usize,
    /// Steps that threads were working on.
    pub in_hand: usize,
}

#[derive(Debug)]
struct Recorder {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recorded: Recording,
    threads: HashMap<ThreadId, usize>,
    evaluators: HashMap<u32, usize>,
}

impl Profile {
    /// Returns a profile that records from now on.
    pub fn recording() -> Profile {
        let (began, state) = (Instant::now(), Mutex::default());
        Profile(Some(Arc::new(Recorder { began, state })))
    }

    /// Returns what was recorded since the last call; nothing if it does not record.
    pub fn take(&self) -> Recording {
        let Some(recorder) = &self.0 else { return Recording::default() };
        std::mem::take(&mut *recorder.lock()).recorded
    }

    /// Begins a span on the track of this thread; it ends when the value is dropped.
    pub fn begin(&self, kind: SpanKind, name: impl FnOnce() -> String) -> OpenSpan<'_> {
        OpenSpan(self.0.as_deref().map(|recorder| SpanStart {
            recorder,
            kind,
            name: name(),
            from: Instant::now(),
            notes: Vec::new(),
        }))
    }

    /// Begins a span for a stage of the build, on the track of this thread.
    pub fn stage(&self, name: &str) -> OpenSpan<'_> {
        self.begin(SpanKind::Stage, || name.to_owned())
    }

    /// Records a completed part of a step, on the track of this thread.
    pub fn part_of_step(&self, name: &str, from: Instant, to: Instant) {
        if let Some(recorder) = self.0.as_deref() {
            let track = recorder.lock().thread();
            recorder.put(track, SpanKind::Step, name.to_owned(), (from, to), Vec::new());
        }
    }

    /// Records an evaluation that the evaluator process has just completed.
    pub fn evaluator(&self, process: u32, from: Instant, name: impl FnOnce() -> String) {
        if let Some(recorder) = self.0.as_deref() {
            let track = recorder.lock().evaluator(process);
            let until = (from, Instant::now());
            recorder.put(track, SpanKind::Evaluation, name(), until, Vec::new());
        }
    }

    /// Records how many steps are ready and in progress.
    pub fn load(&self, ready: usize, in_hand: usize) {
        if let Some(recorder) = self.0.as_deref() {
            let at_ns = recorder.ns(Instant::now());
            recorder.lock().recorded.loads.push(Load { at_ns, ready, in_hand });
        }
    }
}

impl Recorder {
    fn put(
        &self,
        track: usize,
        kind: SpanKind,
        name: String,
        (from, to): (Instant, Instant),
        notes: Vec<(&'static str, Value)>,
    ) {
        let from_ns = self.ns(from);
        let took_ns = self.ns(to).saturating_sub(from_ns);
        self.lock().recorded.spans.push(Span { track, kind, name, from_ns, took_ns, notes });
    }

    fn ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn thread(&mut self) -> usize {
        let State { recorded: Recording { tracks, .. }, threads, .. } = self;
        let thread = std::thread::current();
        *threads.entry(thread.id()).or_insert_with(|| {
            tracks.push(Track::Thread(thread.name().unwrap_or("unnamed").to_owned()));
            tracks.len() - 1
        })
    }

    fn evaluator(&mut self, process: u32) -> usize {
        let State { recorded: Recording { tracks, .. }, evaluators, .. } = self;
        *evaluators.entry(process).or_insert_with(|| {
            tracks.push(Track::Evaluator(process));
            tracks.len() - 1
        })
    }
}

/// A span that lasts until it is dropped.
#[must_use = "a span ends when it is dropped"]
pub struct OpenSpan<'a>(Option<SpanStart<'a>>);

struct SpanStart<'a> {
    recorder: &'a Recorder,
    kind: SpanKind,
    name: String,
    from: Instant,
    notes: Vec<(&'static str, Value)>,
}

impl OpenSpan<'_> {
    /// Adds a detail that has just become known.
    pub fn note<V: Into<Value>>(&mut self, name: &'static str, value: impl FnOnce() -> V) {
        if let Some(begun) = &mut self.0 {
            begun.notes.push((name, value().into()));
        }
    }

    /// Discards the span.
    pub fn forget(mut self) {
        self.0 = None;
    }

    /// Adds a detail that is shown as text.
    pub fn note_text<V: Display>(&mut self, name: &'static str, value: V) {
        self.note(name, || value.to_string());
    }
}

impl Drop for OpenSpan<'_> {
    fn drop(&mut self) {
        if let Some(SpanStart { recorder, kind, name, from, notes }) = self.0.take() {
            let track = recorder.lock().thread();
            recorder.put(track, kind, name, (from, Instant::now()), notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_a_thread_lie_within_each_other() {
        let profile = Profile::recording();
        {
            let _outer = profile.stage("outer");
            let mut inner = profile.begin(SpanKind::Hashing, || "inner".into());
            inner.note("bytes", || 7);
        }
        profile.evaluator(12, Instant::now(), || "elsewhere".into());
        let Recording { tracks, spans, .. } = profile.take();
        assert!(matches!(&tracks[..], [Track::Thread(_), Track::Evaluator(12)]), "{tracks:?}");
        let names: Vec<_> = spans.iter().map(|span| (span.track, span.name.as_str())).collect();
        assert_eq!(names, [(0, "inner"), (0, "outer"), (1, "elsewhere")]);
        let (inner, outer) = (&spans[0], &spans[1]);
        assert!(outer.from_ns <= inner.from_ns);
        assert!(inner.from_ns + inner.took_ns <= outer.from_ns + outer.took_ns);
        assert_eq!(inner.notes, [("bytes", Value::from(7))]);
    }

    #[test]
    fn nothing_is_recorded_unasked() {
        let profile = Profile::default();
        let mut span = profile.begin(SpanKind::Stage, || unreachable!("names cost time"));
        span.note("cost", || -> Value { unreachable!("and so do notes") });
        drop(span);
        profile.load(1, 1);
        assert_eq!(profile.take(), Recording::default());
    }
}
