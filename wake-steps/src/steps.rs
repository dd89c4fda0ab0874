//! Steps, as a front hands them over.

use wake_model::{ActionDigest, RunRecord};

use crate::diagnostic::Diagnostic;
use crate::error::StepError;
use crate::machine::Machine;
use crate::pin::{PinnedAction, StepContext, pin};
use crate::reason::Change;
use crate::results::StepOutput;
use crate::step::{Step, StepId};

/// Steps by number, with their dependencies.
///
/// Only numbers and labels have to be known in advance: a step itself is made when its dependencies are done.
pub trait Steps: Sync {
    /// Returns the numbers of the steps, dependencies first; each is below the bound of their [`Results`].
    fn order(&self) -> &[StepId];

    /// Returns the dependencies of a step among [`Steps::order`], each once.
    fn needs(&self, step: StepId) -> Vec<StepId>;

    /// Returns the step's label.
    fn label(&self, step: StepId) -> &str;

    /// Returns whether the user asked for the step.
    fn is_requested(&self, step: StepId) -> bool;

    /// Returns how a test is run; none if the step is not a test.
    fn test(&self, _step: StepId) -> Option<TestPolicy> {
        None
    }

    /// Makes the step; called once its dependencies are done.
    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>>;

    /// Called for a step without a cached result before it runs; an error means that its result could not be kept anyway.
    fn before_run(&self, _step: StepId) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// Returns the step's name in the history, unique among all steps.
    fn past_name(&self, step: StepId) -> &str {
        self.label(step)
    }

    /// Returns the step's name in another system.
    fn identity(&self, _step: StepId) -> Option<String> {
        None
    }

    /// Receives the output of a step, before any dependent is made; the step fails if this does.
    fn done(&self, _step: StepId, _kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// Receives the reason why a step has no output.
    fn failed(&self, _step: StepId, _failure: StepFailure<'_>) {}

    /// Returns the name of the packed output with this number.
    fn output_name(&self, _step: StepId, _number: usize) -> Option<String> {
        None
    }

    /// Returns the place in the user's documents of a part that changed, as `file:line:column`.
    fn place_of(&self, _step: StepId, _change: &Change) -> Option<String> {
        None
    }
}

/// How a test is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPolicy {
    /// How often it is retried after a failure.
    pub retries: u32,
}

/// Makes and pins a step on `machine`, once its dependencies are done.
pub(crate) fn pinned(
    steps: &dyn Steps,
    step: StepId,
    ground: &StepContext<'_>,
    machine: &Machine,
) -> Result<PinnedAction, StepError> {
    let made = steps.step(step, ground).map_err(StepError::Refused)?;
    pin(made, ground, &|| machine.host(), machine.sandbox())
}

/// The result of a step that is done.
pub struct StepSuccess<'a> {
    /// The step's action.
    pub pinned: &'a PinnedAction,
    /// Its key.
    pub key: ActionDigest,
    /// Its output.
    pub done: &'a StepOutput,
    /// The run that produced it, now or earlier.
    pub record: &'a RunRecord,
    /// Whether its result was cached.
    pub remembered: bool,
}

/// Why a step has no output.
pub enum StepFailure<'a> {
    /// Its command ran and failed, or its outputs cannot be kept.
    Command {
        /// The step's action.
        pinned: &'a PinnedAction,
        /// The run.
        record: &'a RunRecord,
        /// The tree of packed wares, which are kept even if the command fails.
        packed: Option<&'a StepOutput>,
        /// What is wrong with its outputs, a line each.
        faults: &'a [String],
    },
    /// It could not be carried out.
    Error(StepError),
}

impl StepSuccess<'_> {
    /// Returns how long its command took, in milliseconds.
    pub fn dur_ms(&self) -> u64 {
        self.record.usage.wall_us / 1000
    }
}
