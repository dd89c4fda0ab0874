//! Performing one step: make it, pin it, look up its key, else run it and store the result.

use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use wake_model::action::Command;
use wake_model::{
    ActionDigest, BlobDigest, LogRef, Manifest, Network, RootFs, RunRecord, TreeDigest,
};
use wake_store::ware::new_guid;
use wake_store::{ActionEntry, Adopted, Corruption, Logs};

use super::{Message, Schedule};
use crate::advice::{unmovable_directory, unseen_files};
use crate::claims::{self, Remembered, look_up};
use crate::clock::micros;
use crate::collect::collect;
use crate::compose::compose;
use crate::diagnostic::{Class, Diagnostic, Level};
use crate::engine::{EngineRequest, KeptOutputs, Performance, Whereabouts};
use crate::error::StepError;
use crate::event::{Event, Execution, Status, TestRuns};
use crate::own_tree;
use crate::pin::{PinnedAction, StepContext};
use crate::profile::{OpenSpan, SpanKind};
use crate::reason::{Reason, reason};
use crate::results::StepOutput;
use crate::shell_line::shell_line;
use crate::step::StepId;
use crate::steps::{StepFailure, StepSuccess, TestPolicy, pinned};
use crate::test_report;
use crate::wares::WareNews;

/// The result of one step.
pub(super) enum StepOutcome {
    Hit {
        key: ActionDigest,
        why: Reason,
        record: Box<RunRecord>,
        command: String,
        tree: TreeDigest,
    },
    Ran {
        key: ActionDigest,
        why: Reason,
        ran: Box<ActionRun>,
        command: String,
    },
    Failed(Box<Diagnostic>),
    Cancelled,
}

/// An action that was run.
#[derive(Debug)]
pub(super) struct ActionRun {
    /// Its result.
    pub(super) record: RunRecord,
    /// What the log records of the command; none if there was no command.
    pub(super) execution: Option<Box<Execution>>,
    /// The tree of its outputs; none unless it succeeded.
    pub(super) tree: Option<TreeDigest>,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// Its standard error.
    pub(super) stderr: Vec<u8>,
    /// What is wrong with the outputs of a command that succeeded, a line each.
    pub(super) faults: Vec<String>,
    /// Hints if it failed, a line each.
    pub(super) help: Vec<String>,
    /// Time spent around the command.
    pub(super) overhead: Duration,
    /// How often it was tried, for a test.
    pub(super) test: Option<TestRuns>,
}

/// A step that has been pinned and is being performed.
struct Attempt<'a> {
    step: StepId,
    pinned: &'a PinnedAction,
    key: ActionDigest,
    /// The canonical bytes of the action, whose digest is its key.
    action: &'a [u8],
    sender: &'a Sender<Message>,
}

impl Schedule<'_> {
    /// Performs a step that has been ready since `ready`, and sends its result.
    pub(super) fn perform(&self, step: StepId, ready: Instant, sender: &Sender<Message>) {
        let label = self.work.steps.label(step);
        let mut span = self.span(label);
        span.note("waited_us", || micros(ready.elapsed()));
        let result =
            self.try_perform(step, sender).unwrap_or_else(|error| self.failed(step, error));
        if result.is_failure() && self.work.steps.test(step).is_none() {
            // A step that failed before its command began never had a slot.
            self.slots.failed();
        }
        result.describe(&mut span);
        drop(span);
        // The receiver outlives the scope in which this runs.
        let _ = sender.send(Message::Ended { step, result: Box::new(result) });
    }

    /// Tells the front why a step could not be carried out.
    fn failed(&self, step: StepId, error: StepError) -> StepOutcome {
        let steps = self.work.steps;
        let is_stopped = matches!(error, StepError::Cancelled) || self.work.cancel.is_cancelled();
        let diagnostic = error.diagnostic(steps.label(step), self.machine.store());
        steps.failed(step, StepFailure::Error(error));
        if is_stopped { StepOutcome::Cancelled } else { StepOutcome::Failed(Box::new(diagnostic)) }
    }

    fn try_perform(
        &self,
        step: StepId,
        sender: &Sender<Message>,
    ) -> Result<StepOutcome, StepError> {
        if self.work.cancel.is_cancelled() {
            return Err(StepError::Cancelled);
        }
        let store = self.machine.store();
        let pinned = self.pin(step, sender)?;
        let (action, key) = pinned.action.encode_with_digest();
        let attempt = Attempt { step, pinned: &pinned, key, action: &action, sender };
        let command = shell_line(&pinned);
        let past = self.work.history.get(self.work.steps.past_name(step));
        let span = self.span("look up");
        own_tree::remember(store, &pinned.inputs);
        // Of two steps with the same key, the second finds the result of the first.
        let _turn = self.busy.wait_for(key);
        let force = self.work.rules.rebuild && self.work.steps.is_requested(step);
        let Remembered { result: found, damaged } = look_up(&pinned, store, &key)?;
        drop(span);
        if let Some(corruption) = damaged {
            self.warn(&attempt, &corruption);
        }
        if let Some((stored, why)) = found.filter(|_| !force) {
            if why == Reason::Unread {
                claims::adopt(store, &stored, key, &action)?;
            }
            let tree = stored.tree();
            let record = Box::new(stored.into_record());
            let done = StepOutput { tree, manifest: record.outputs.clone() };
            self.keep(&attempt, &record, done, true)?;
            return Ok(StepOutcome::Hit { key, why, record, command, tree });
        }
        let why = match () {
            () if force => Reason::Asked,
            () if !pinned.is_hermetic() => Reason::NotRemembered,
            () => reason(store, past, &key, &action),
        };
        self.work.steps.before_run(step).map_err(StepError::Refused)?;
        let ran = match self.work.steps.test(step) {
            Some(test) => self.run_test(&attempt, test)?,
            None => self.run_action(&attempt, true)?,
        };
        Ok(StepOutcome::Ran { key, why, ran: Box::new(ran), command })
    }

    /// Runs a test as often as the user asks, retrying each run until it passes or its retries are used up; the result is
    /// that of the first run that failed, or else of the last.
    fn run_test(
        &self,
        attempt: &Attempt<'_>,
        TestPolicy { retries }: TestPolicy,
    ) -> Result<ActionRun, StepError> {
        let rules = self.work.rules;
        let runs = if self.work.steps.is_requested(attempt.step) { rules.runs.max(1) } else { 1 };
        let retries = rules.retries.unwrap_or(retries);
        let mut test = TestRuns::default();
        let mut run = 0;
        let mut tries = 0;
        loop {
            let is_last = run + 1 == runs;
            // A flaky result is not cached.
            let remembers = is_last && (test.failures == 0 || runs == 1);
            let ran = self.run_action(attempt, remembers)?;
            test.attempts += 1;
            let passed = ran.tree.is_some();
            test.failures += u32::from(!passed);
            match passed {
                true if is_last => return Ok(ActionRun { test: Some(test), ..ran }),
                true => (run, tries) = (run + 1, 0),
                false if tries == retries => {
                    return Ok(ActionRun { test: Some(test), ..ran });
                }
                false => tries += 1,
            }
        }
    }

    fn pin(&self, step: StepId, sender: &Sender<Message>) -> Result<PinnedAction, StepError> {
        let _span = self.span("pin");
        let tell = |news: WareNews<'_>| {
            let event = match news {
                WareNews::Altered(ware) => Event::WareAltered { id: step.0, ware: ware.clone() },
                WareNews::Unpacking(ware) => {
                    Event::WareUnpacking { id: step.0, ware: ware.clone() }
                }
            };
            let _ = sender.send(Message::Said(event));
        };
        let (results, wares) = (self.work.results, &self.wares);
        let ground = StepContext { results, wares, tell: &tell };
        pinned(self.work.steps, step, &ground, self.machine)
    }

    /// Runs an action and stores its result, unless it fails; caches it if `remembers`.
    fn run_action(&self, attempt: &Attempt<'_>, remembers: bool) -> Result<ActionRun, StepError> {
        let &Attempt { step, pinned, .. } = attempt;
        let Performance {
            began_ms,
            outcome,
            usage,
            stdout,
            stderr,
            depfile,
            report,
            overhead,
            left,
        } = self.performance(attempt)?;
        if pinned.terms.report.is_some() {
            test_report::keep(self.machine.store(), &attempt.key, report.as_ref())?;
        }
        let mut record = RunRecord {
            guid: new_guid(),
            started_ms: began_ms,
            outcome,
            outputs: Manifest::default(),
            wares: Default::default(),
            stdout: log_ref(&stdout),
            stderr: log_ref(&stderr),
            usage,
            sandbox: pinned.action.sandbox,
        };
        let is_command = matches!(pinned.action.command, Command::Run(_));
        let execution = |record: &RunRecord| self.execution(step, pinned, record);
        let (mut tree, mut faults, mut packed) = (None, Vec::new(), None);
        let mut help = Vec::new();
        match left {
            Ok(None) => {}
            Err(found) => faults = found,
            Ok(Some(left)) => {
                record.wares.clone_from(&left.wares);
                let done = StepOutput { tree: left.tree, manifest: left.manifest.clone() };
                if record.outcome.is_success() {
                    record.outputs = left.manifest.clone();
                    let logs = Logs { stdout: &stdout, stderr: &stderr };
                    // Stored before it is reported: a result that was reported is in the store even if this process is killed.
                    self.remember(attempt, &record, left, logs, remembers)?;
                    if let Some(depfile) = depfile.filter(|_| remembers) {
                        self.remember_read(attempt, &depfile)?;
                    }
                    tree = Some(done.tree);
                    self.keep(attempt, &record, done, false)?;
                } else {
                    packed = Some(done);
                }
            }
        }
        if tree.is_none() {
            // The logs of a failed command are kept beside the store's records, for `wake log`.
            for log in [&stdout, &stderr].into_iter().filter(|log| !log.is_empty()) {
                self.machine.store().put_blob(log)?;
            }
            for log in [&stderr, &stdout] {
                help.extend(unseen_files(pinned, self.work.sources, log));
            }
            help.extend([&stderr, &stdout].iter().find_map(|log| unmovable_directory(pinned, log)));
            let (faults, packed) = (&*faults, packed.as_ref());
            let failed = StepFailure::Command { pinned, record: &record, packed, faults };
            self.work.steps.failed(step, failed);
        }
        let execution = is_command.then(|| Box::new(execution(&record)));
        let test = None;
        Ok(ActionRun { record, execution, tree, stdout, stderr, faults, help, overhead, test })
    }

    fn performance(&self, attempt: &Attempt<'_>) -> Result<Performance, StepError> {
        let &Attempt { step, pinned, key, action: _, sender } = attempt;
        if let Command::Collect { .. } = pinned.action.command {
            self.begins(step, key);
            let _span = self.span("gather");
            return collect(pinned, self.machine.store(), self.work.sources);
        }
        if let Command::Image { composition, .. } = &pinned.action.command {
            self.begins(step, key);
            let _span = self.span("put image together");
            let (store, meter) = (self.machine.store(), self.work.cancel.meter());
            return compose(pinned, composition, store, self.work.sources, meter);
        }
        let places = pinned.terms.cpus.map_or(1, |cpus| cpus as usize);
        self.machine.engine().perform(EngineRequest {
            pinned,
            sources: self.work.sources,
            cancel: self.work.cancel,
            profile: self.machine.profile(),
            turn: &mut || {
                let slot = self.slots.take(places)?;
                self.begins(step, key);
                Some(if self.work.steps.test(step).is_some() { slot.tolerant() } else { slot })
            },
            wrote: &mut |stream, bytes| {
                let event = Event::ActionOutput { id: step.0, stream, bytes: bytes.to_vec() };
                let _ = sender.send(Message::Said(event));
            },
        })
    }

    /// Keeps the output of a step for its dependents and for its front.
    fn keep(
        &self,
        &Attempt { step, pinned, key, .. }: &Attempt<'_>,
        record: &RunRecord,
        done: StepOutput,
        remembered: bool,
    ) -> Result<(), StepError> {
        let kept = StepSuccess { pinned, key, done: &done, record, remembered };
        self.work.steps.done(step, &kept).map_err(StepError::Refused)?;
        self.work.results.put(step, done);
        Ok(())
    }

    /// Moves the output into the store, and caches the run if it `remembers`, its bytes are here and the key covers all that
    /// it saw.
    fn remember(
        &self,
        attempt: &Attempt<'_>,
        record: &RunRecord,
        left: KeptOutputs,
        logs: Logs<'_>,
        remembers: bool,
    ) -> Result<(), StepError> {
        let Adopted { tree, stamps, replaced } = match left.bytes {
            Whereabouts::Here(adopted) => adopted,
            // A result that nobody reads on this machine can stay with the engine.
            Whereabouts::Away if !self.work.steps.is_requested(attempt.step) => return Ok(()),
            Whereabouts::Away => self.machine.engine().bring(&left.tree, &left.manifest)?,
        };
        if let Some(corruption) = &replaced {
            self.warn(attempt, corruption);
        }
        if remembers && attempt.pinned.is_hermetic() {
            let (digest, action) = (attempt.key, attempt.action);
            let entry = ActionEntry { digest, action, record, tree, stamps: &stamps, logs };
            self.machine.store().put_action(entry)?;
        } else if attempt.pinned.terms.forgotten {
            // No record names the logs, but the front reads them.
            for log in [logs.stdout, logs.stderr].into_iter().filter(|log| !log.is_empty()) {
                self.machine.store().put_blob(log)?;
            }
        }
        Ok(())
    }

    /// Records what the command's depfile lists.
    fn remember_read(&self, attempt: &Attempt<'_>, depfile: &[u8]) -> Result<(), StepError> {
        let store = self.machine.store();
        if let Err(error) = claims::remember(attempt.pinned, store, attempt.key, depfile)? {
            let label = self.work.steps.label(attempt.step);
            let mut warning = Diagnostic::error(Class::Action, format!("{label}: {error}"))
                .help("the step runs again whenever one of its inputs changes");
            warning.level = Level::Warning;
            let _ = attempt.sender.send(Message::Said(Event::Diagnostic(Box::new(warning))));
        }
        Ok(())
    }

    fn warn(&self, attempt: &Attempt<'_>, corruption: &Corruption) {
        let label = self.work.steps.label(attempt.step);
        let message = format!("{label}: in the store, {corruption}");
        let mut warning = Diagnostic::error(Class::Integrity, message)
            .help("it is built again; run `wake store verify` to check the rest of the store");
        warning.level = Level::Warning;
        let _ = attempt.sender.send(Message::Said(Event::Diagnostic(Box::new(warning))));
    }

    /// Returns what the log records of a command beyond its step.
    fn execution(&self, step: StepId, pinned: &PinnedAction, record: &RunRecord) -> Execution {
        let host = match &pinned.action.root {
            RootFs::Host(host) => Some(host.to_string()),
            _ => None,
        };
        let paths = pinned.action.outputs.paths();
        let name = |number: usize| {
            let path = || paths.get(number).map_or_else(String::new, |path| format!("/{path}"));
            self.work.steps.output_name(step, number).unwrap_or_else(path)
        };
        let wares = record.wares.iter().enumerate();
        Execution {
            guid: record.guid.clone(),
            began_ms: record.started_ms,
            wall_us: record.usage.wall_us,
            user_us: record.usage.user_us,
            host,
            wares: wares.map(|(number, ware)| (name(number), ware.clone())).collect(),
            hermetic: pinned.is_hermetic()
                && pinned.action.network == Network::None
                && !matches!(pinned.action.root, RootFs::Host(_)),
        }
    }

    fn span(&self, name: &str) -> OpenSpan<'_> {
        self.machine.profile().begin(SpanKind::Step, || name.to_owned())
    }
}

impl StepOutcome {
    fn is_failure(&self) -> bool {
        match self {
            StepOutcome::Ran { ran, .. } => ran.tree.is_none(),
            StepOutcome::Failed(_) => true,
            StepOutcome::Hit { .. } | StepOutcome::Cancelled => false,
        }
    }

    /// Adds the result of the step to its span.
    fn describe(&self, span: &mut OpenSpan<'_>) {
        let status = match self {
            StepOutcome::Hit { .. } => Status::Hit,
            StepOutcome::Ran { ran, .. } if ran.tree.is_some() => Status::Ran,
            _ if self.is_failure() => Status::Failed,
            _ => Status::Aborted,
        };
        span.note_text("status", status);
        match self {
            StepOutcome::Hit { key, why, .. } => {
                span.note_text("key", key);
                span.note_text("why", why);
            }
            StepOutcome::Ran { key, why, ran, .. } => {
                span.note_text("key", key);
                span.note_text("why", why);
                span.note_text("outcome", &ran.record.outcome);
            }
            StepOutcome::Failed(_) | StepOutcome::Cancelled => {}
        }
    }
}

fn log_ref(bytes: &[u8]) -> Option<LogRef> {
    let size = bytes.len() as u64;
    (size > 0).then(|| LogRef { blob: BlobDigest::of(bytes), size, dropped: 0 })
}
