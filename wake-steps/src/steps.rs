//! What is to be performed, as whoever has the documents hands it over.

use wake_model::{ActionDigest, RunRecord};

use crate::diagnostic::Diagnostic;
use crate::error::StepError;
use crate::machine::Machine;
use crate::pin::{PinnedAction, StepContext, pin};
use crate::reason::Change;
use crate::results::StepOutput;
use crate::step::{Step, StepId};

/// Steps by number, each with those that it needs.
///
/// Only their numbers and names need be known beforehand: a step itself is made when all that it needs is done.
pub trait Steps: Sync {
    /// The numbers of the steps, dependencies first; each is below the bound of the [`Results`] that go with them.
    fn order(&self) -> &[StepId];

    /// The steps among [`Steps::order`] that a step needs, each once.
    fn needs(&self, step: StepId) -> Vec<StepId>;

    /// What a person calls it.
    fn label(&self, step: StepId) -> &str;

    /// Whether a person asked for it.
    fn is_requested(&self, step: StepId) -> bool;

    /// How it is gone about if it is a test; none if it is none.
    fn test(&self, _step: StepId) -> Option<TestPolicy> {
        None
    }

    /// The step itself; called where all that it needs is done.
    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>>;

    /// Called where a step is not remembered, before it runs: what nobody could keep is not worth making.
    fn before_run(&self, _step: StepId) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// What history knows it by: one text for each step that ever was.
    fn past_name(&self, step: StepId) -> &str {
        self.label(step)
    }

    /// What another system calls it.
    fn identity(&self, _step: StepId) -> Option<String> {
        None
    }

    /// Takes what a step left; called before any step that needs it is made. The step fails where it cannot be taken.
    fn done(&self, _step: StepId, _kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// Takes why a step left nothing.
    fn failed(&self, _step: StepId, _failure: StepFailure<'_>) {}

    /// What a person calls the output of this number that is kept as a packed ware.
    fn output_name(&self, _step: StepId, _number: usize) -> Option<String> {
        None
    }

    /// Where in what a person wrote a part of the step stands that differs, as `file:line:column`.
    fn place_of(&self, _step: StepId, _change: &Change) -> Option<String> {
        None
    }
}

/// How a test is gone about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPolicy {
    /// How often it is tried again after a failure.
    pub retries: u32,
}

/// Has a step made and pinned on `machine`, where all that it needs is done.
pub(crate) fn pinned(
    steps: &dyn Steps,
    step: StepId,
    ground: &StepContext<'_>,
    machine: &Machine,
) -> Result<PinnedAction, StepError> {
    let made = steps.step(step, ground).map_err(StepError::Refused)?;
    pin(made, ground, &|| machine.host(), machine.sandbox())
}

/// What came of a step that is done.
pub struct StepSuccess<'a> {
    /// The step's action.
    pub pinned: &'a PinnedAction,
    /// Its key.
    pub key: ActionDigest,
    /// What it left behind.
    pub done: &'a StepOutput,
    /// The run that left it, now or before.
    pub record: &'a RunRecord,
    /// Whether it was remembered.
    pub remembered: bool,
}

/// Why a step left nothing.
pub enum StepFailure<'a> {
    /// Its command ran and failed, or left something that cannot be kept.
    Command {
        /// The step's action.
        pinned: &'a PinnedAction,
        /// The run.
        record: &'a RunRecord,
        /// The tree of packed wares, which are kept however the command ends.
        packed: Option<&'a StepOutput>,
        /// What is wrong with what it left, a line each.
        faults: &'a [String],
    },
    /// It came to no end.
    Error(StepError),
}

impl StepSuccess<'_> {
    /// How long its command took, in milliseconds.
    pub fn dur_ms(&self) -> u64 {
        self.record.usage.wall_us / 1000
    }
}
