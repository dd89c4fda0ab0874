//! Calls as steps: with the same sandbox, cache and interface as everything else that runs.

use std::sync::{Mutex, PoisonError};

use petgraph::graph::NodeIndex;
use wake_model::{LogRef, Manifest, Outcome, RelPath, RunRecord, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::error::store_failure;
use wake_steps::{Input, Step, StepContext, StepFailure, StepId, StepSuccess, Steps};
use wake_store::{Log, Lookup, Store};

use super::call::Call;
use crate::lower::Lowering;

/// The time limit of a call in seconds.
const LONGEST: u32 = 600;
/// The directory in which a retriever creates packages.
pub(super) const OUT: &str = "out";
/// How many lines of a failed call's log are shown.
const SHOWN_LINES: usize = 20;

/// The output of a call.
pub(super) struct Left {
    /// The tree that contains `out`.
    pub(super) tree: TreeDigest,
    /// The content of the tree.
    pub(super) manifest: Manifest,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
}

/// The result of a call; none if it was not begun, or was stopped.
pub(super) type CallEnd = Option<Result<Left, Box<Diagnostic>>>;

/// Independent calls, by number.
pub(super) struct CallSteps<'a> {
    lowering: &'a Lowering<'a>,
    calls: &'a [Call],
    labels: Vec<String>,
    /// The place of each.
    places: &'a [Option<Place>],
    order: Vec<StepId>,
    store: &'a Store,
    ended: Mutex<Vec<CallEnd>>,
}

impl<'a> CallSteps<'a> {
    /// Wraps a plan with a command for each call.
    pub(super) fn new(
        lowering: &'a Lowering<'a>,
        calls: &'a [Call],
        places: &'a [Option<Place>],
        store: &'a Store,
    ) -> CallSteps<'a> {
        let order = (0..calls.len()).map(StepId).collect();
        let labels = calls.iter().map(Call::label).collect();
        let ended = Mutex::new(calls.iter().map(|_| None).collect());
        CallSteps { lowering, calls, labels, places, order, store, ended }
    }

    /// Returns the result of each call.
    pub(super) fn into_ended(self) -> Vec<CallEnd> {
        self.ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self, step: StepId, how: Result<Left, Box<Diagnostic>>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = ended.get_mut(step.0) {
            *slot = Some(how);
        }
    }

    /// Returns the standard output of the command, from the cached result if necessary.
    fn stdout(&self, kept: &StepSuccess<'_>) -> Result<Vec<u8>, Box<Diagnostic>> {
        let Some(LogRef { blob, .. }) = &kept.record.stdout else { return Ok(Vec::new()) };
        let failed = |error| Box::new(store_failure(error));
        let found = match self.store.action(&kept.key).map_err(failed)? {
            Lookup::Hit(action) => self.store.log(&action, Log::Stdout).map_err(failed)?,
            Lookup::Miss | Lookup::Corrupt(_) => None,
        };
        match found {
            Some(bytes) => Ok(bytes),
            None => Ok(self.store.blob(blob).map_err(failed)?.unwrap_or_default()),
        }
    }

    fn command_failed(&self, step: StepId, record: &RunRecord, faults: &[String]) -> Diagnostic {
        let (label, limit) = (self.label(step), self.limit(step));
        let at = self.places.get(step.0).cloned().flatten();
        let diagnostic = match &record.outcome {
            Outcome::TimedOut => {
                let message = format!("{label} took more than {limit} seconds and was stopped");
                Diagnostic::error(Class::Timeout, message)
            }
            outcome if outcome.is_success() => {
                let message = format!("{label} produced output that cannot be kept");
                let diagnostic = Diagnostic::error(Class::Integrity, message);
                faults.iter().cloned().fold(diagnostic, Diagnostic::note)
            }
            outcome => Diagnostic::error(Class::Action, format!("{label} failed: {outcome}")),
        };
        self.with_log(diagnostic.at(at), record)
    }

    /// Adds the end of the command's log, and how to see all of it.
    fn with_log(&self, diagnostic: Diagnostic, record: &RunRecord) -> Diagnostic {
        let said = |log: &Option<LogRef>| {
            let log = log.as_ref()?;
            let bytes = self.store.blob(&log.blob).ok()??;
            Some((log.blob, String::from_utf8_lossy(&bytes).into_owned()))
        };
        let answer = || said(&record.stdout).filter(|_| !record.outcome.is_success());
        let Some((blob, text)) = said(&record.stderr).or_else(answer) else {
            return match record.outcome.is_success() {
                true => diagnostic,
                false => diagnostic.note("it printed nothing"),
            };
        };
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        let diagnostic = lines[skipped..].iter().fold(diagnostic, |all, line| all.note(*line));
        match skipped {
            0 => diagnostic,
            _ => diagnostic
                .help(format!("run `wake store cat {blob}` to see all {} lines", lines.len())),
        }
    }

    fn limit(&self, step: StepId) -> f64 {
        let declared = self.calls.get(step.0).and_then(|call| call.exec.get("timeout")?.as_f64());
        declared.map_or(LONGEST.into(), |seconds| seconds.min(LONGEST.into()))
    }
}

impl Steps for CallSteps<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, _step: StepId) -> Vec<StepId> {
        Vec::new()
    }

    fn label(&self, step: StepId) -> &str {
        self.labels.get(step.0).map_or("", String::as_str)
    }

    fn is_requested(&self, _step: StepId) -> bool {
        true
    }

    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let made = self.lowering.step(NodeIndex::new(step.0), ground);
        let mut made = made.map_err(|error| match error.place {
            Some(_) => error,
            None => Box::new(error.at(self.places.get(step.0).cloned().flatten())),
        })?;
        let out = RelPath::parse(OUT).unwrap_or_default();
        if !made.inputs.reaches(&out) {
            // Nothing else is at this path, so this cannot fail.
            let _ = made.inputs.place(out, Input::Dir);
        }
        made.terms.timeout = Some(self.limit(step));
        made.terms.forgotten = self.calls.get(step.0).is_some_and(Call::uses_network);
        Ok(made)
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let stdout = self.stdout(kept)?;
        let (tree, manifest) = (kept.done.tree, kept.done.manifest.clone());
        self.ends(step, Ok(Left { tree, manifest, stdout }));
        Ok(())
    }

    fn failed(&self, step: StepId, failure: StepFailure<'_>) {
        let diagnostic = match failure {
            StepFailure::Command { record, faults, .. } => {
                self.command_failed(step, record, faults)
            }
            StepFailure::Error(error) => {
                let at = self.places.get(step.0).cloned().flatten();
                let diagnostic = error.diagnostic(self.label(step), self.store);
                match diagnostic.place {
                    Some(_) => diagnostic,
                    None => diagnostic.at(at),
                }
            }
        };
        self.ends(step, Err(Box::new(diagnostic)));
    }
}
