//! The modules of a plan as steps.

use petgraph::graph::NodeIndex;
use wake_steps::diagnostic::Diagnostic;
use wake_steps::reason::Change;
use wake_steps::{Step, StepContext, StepId, StepSuccess, Steps, TestPolicy};

use crate::lower::{Lowering, step_id};
use crate::plan::ModuleStep;
use crate::snapshot::{Records, Spool, StepRecord, StepResult};

/// The modules of a plan as steps.
pub(crate) struct ModuleSteps<'a> {
    lowering: &'a Lowering<'a>,
    order: Vec<StepId>,
    /// Records each step for the next build, once it is done; none if there is no snapshot to take.
    records: Option<Spool>,
}

impl<'a> ModuleSteps<'a> {
    /// Wraps all modules of the plan; a record of each goes to `records`.
    pub(crate) fn new(lowering: &'a Lowering<'a>, records: Option<Spool>) -> Self {
        let order = lowering.plan.order.iter().copied().map(step_id).collect();
        ModuleSteps { lowering, order, records }
    }

    /// Returns the records of the steps, if all are done.
    pub(crate) fn into_records(self) -> Option<Records> {
        self.records?.finish()
    }

    fn module(&self, step: StepId) -> &ModuleStep {
        &self.lowering.plan.graph[NodeIndex::new(step.0)]
    }
}

impl Steps for ModuleSteps<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        self.lowering.plan.needs(NodeIndex::new(step.0)).into_iter().map(StepId).collect()
    }

    fn label(&self, step: StepId) -> &str {
        &self.module(step).label
    }

    fn is_requested(&self, step: StepId) -> bool {
        self.module(step).requested
    }

    fn test(&self, step: StepId) -> Option<TestPolicy> {
        self.module(step).decl.test.map(|test| TestPolicy { retries: test.retries })
    }

    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        self.lowering.step(NodeIndex::new(step.0), ground)
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let module = self.module(step);
        let link = module.requested.then(|| module.link_name());
        if let (Some(records), Some(result)) = (&self.records, StepResult::of(kept)) {
            let record = StepRecord {
                label: &module.label,
                link: link.as_deref(),
                outputs: &module.instance.outputs,
                test: module.decl.test.map(|test| test.retries),
                needs: self.needs(step).into(),
                result,
            };
            records.put(step, &record);
        }
        module.instance.forget();
        Ok(())
    }

    fn place_of(&self, step: StepId, change: &Change) -> Option<String> {
        self.lowering.place_of(NodeIndex::new(step.0), change)
    }
}
