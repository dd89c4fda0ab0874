//! Looks a task up as a single step, and performs it if it is not remembered.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wake_model::{Outcome, SandboxLevel, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::engine::Engine;
use wake_steps::error::{StepError, store_full};
use wake_steps::event::Reporter;
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::{
    Batch, Cancel, Machine, Results, SchedulePolicy, Step, StepContext, StepFailure, StepId,
    StepSuccess, Steps, clock,
};
use wake_store::{Store, StoreError};

use crate::task::Task;

/// A task, and where to look it up.
pub(crate) struct Looking<'a> {
    pub(crate) task: &'a Arc<Task>,
    pub(crate) store: &'a Arc<Store>,
    pub(crate) sandbox: SandboxLevel,
}

impl Looking<'_> {
    /// Looks the task up, unless it is to run again, and lets `engine` perform it if it is not remembered.
    pub(crate) fn by(
        &self,
        engine: Box<dyn Engine>,
        rebuild: bool,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<Came>, Diagnostic> {
        let Looking { task, store, sandbox } = *self;
        let profile = Profile::default();
        let machine = Machine::with_engine(store.clone(), engine, Some(1), sandbox, profile)?;
        let steps = OneJob { task, store, order: [StepId(0)], came: Mutex::default() };
        let batch = Batch {
            steps: &steps,
            results: &Results::new(1),
            sources: &PathBuf::from("/"),
            history: &History::default(),
            rules: SchedulePolicy { rebuild, ..SchedulePolicy::default() },
            cancel,
            started: clock::now(),
        };
        machine.perform(&batch, reporter);
        Ok(steps.came.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The result of the step.
pub(crate) enum Came {
    Ran,
    Remembered(TreeDigest),
    Ended(Outcome),
    Failed(Box<Diagnostic>),
}

/// A batch of one job.
struct OneJob<'a> {
    task: &'a Task,
    store: &'a Store,
    order: [StepId; 1],
    came: Mutex<Option<Came>>,
}

impl OneJob<'_> {
    fn came(&self, came: Came) {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(came);
    }
}

impl Steps for OneJob<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, _step: StepId) -> Vec<StepId> {
        Vec::new()
    }

    fn label(&self, _step: StepId) -> &str {
        &self.task.label
    }

    fn is_requested(&self, _step: StepId) -> bool {
        true
    }

    fn step(&self, _step: StepId, _ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        self.task.step().map_err(|diagnostic| {
            self.came(Came::Failed(Box::new(diagnostic.clone())));
            Box::new(diagnostic)
        })
    }

    fn done(&self, _step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        self.came(match kept.remembered {
            true => Came::Remembered(kept.done.tree),
            false => Came::Ran,
        });
        Ok(())
    }

    fn failed(&self, _step: StepId, failure: StepFailure<'_>) {
        self.came(match failure {
            StepFailure::Command { record, .. } => Came::Ended(record.outcome.clone()),
            StepFailure::Error(error) => {
                let diagnostic = match error {
                    StepError::Refused(diagnostic) => *diagnostic,
                    StepError::Store(StoreError::DiskFull { .. }) => store_full(self.store.root()),
                    error => Diagnostic::error(Class::Environment, error.to_string()),
                };
                Came::Failed(Box::new(diagnostic))
            }
        });
    }
}
