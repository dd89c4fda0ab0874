//! Formulas as steps: several are performed together, each by itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wake_model::{RunRecord as StepRecord, WareId};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::{Step, StepContext, StepFailure, StepId, StepOutput, StepSuccess, Steps};
use wake_store::Store;
use wake_store::ware::{ArchivePolicy, Meter, Route, Warehouse, mirror};

use crate::repeatr::Policy;
use crate::run_error::RunError;
use crate::run_record::{Dialect, FormulaRecord};
use crate::task::{PackedOutput, Task};
use crate::{Document, check, lower};

/// Formulas that are to be carried out.
pub struct Formulas<'a> {
    store: &'a Store,
    /// Whether formulas that ask for the network get it.
    network: bool,
    all: Vec<FormulaStep>,
    order: Vec<StepId>,
}

struct FormulaStep {
    label: String,
    past_name: String,
    task: Task,
    /// The warehouse of each output that is to be saved, in the outputs' order.
    targets: Vec<Option<Warehouse>>,
    result: Mutex<Option<Result<FormulaResult, RunError>>>,
}

/// A formula that was carried out, now or before.
#[derive(Clone, Debug)]
pub struct FormulaResult {
    /// What came of it.
    pub record: FormulaRecord,
    /// The spelling of the formula, in which the record is to be printed.
    pub dialect: Dialect,
    /// Whether it was remembered; then it did not run and wrote nothing.
    pub remembered: bool,
    /// The directory in which its packed outputs lie.
    outputs: PathBuf,
}

impl FormulaResult {
    /// Where its outputs lie, packed, in the order of their names; none of those that are nothing.
    pub fn packed(&self) -> impl Iterator<Item = PathBuf> {
        let wares = self.record.results.values().filter(|ware| !ware.is_nothing());
        wares.map(|ware| self.outputs.join(ware.to_string()))
    }
}

impl<'a> Formulas<'a> {
    /// None yet; packed outputs lie in `store`, and formulas that ask for the network get it if `network` says so.
    pub fn new(store: &'a Store, network: bool) -> Formulas<'a> {
        Formulas { store, network, all: Vec::new(), order: Vec::new() }
    }

    /// Adds one, called `label` by people and `past_name` by history; relative addresses and mounts start at `base`.
    ///
    /// What can be said against it without its wares is said now.
    pub fn add(
        &mut self,
        document: &Document,
        label: String,
        past_name: String,
        base: &Path,
    ) -> Result<(), RunError> {
        let task = Task::of(document, base)?;
        if task.network && !self.network {
            return Err(RunError::Network);
        }
        check::places(&task)?;
        let targets = targets(&task, self.store.route())?;
        let result = Mutex::default();
        self.order.push(StepId(self.all.len()));
        self.all.push(FormulaStep { label, past_name, task, targets, result });
        Ok(())
    }

    /// The program of a formula with its arguments.
    pub fn command(&self, step: StepId) -> &[String] {
        &self.all[step.0].task.exec
    }

    /// Those that ask for more rights than any command gets.
    pub fn grants_nothing(&self) -> impl Iterator<Item = (&str, Policy)> {
        self.all.iter().filter_map(|formula| Some((&*formula.label, formula.task.policy?)))
    }

    /// What came of each, in the order in which they were added; none of those that nobody came to.
    pub fn into_results(
        self,
    ) -> impl Iterator<Item = (String, Option<Result<FormulaResult, RunError>>)> {
        self.all.into_iter().map(|formula| {
            let result = formula.result.into_inner().unwrap_or_else(PoisonError::into_inner);
            (formula.label, result)
        })
    }

    fn formula(&self, step: StepId) -> &FormulaStep {
        &self.all[step.0]
    }

    /// The record of a run, after its outputs have been saved where the context wants them.
    fn ran(
        &self,
        formula: &FormulaStep,
        record: &StepRecord,
        packed: &StepOutput,
        remembered: bool,
    ) -> Result<FormulaResult, RunError> {
        let FormulaStep { task, targets, .. } = formula;
        for ((output, target), ware) in task.outputs.values().zip(targets).zip(&record.wares) {
            if let Some(target) = target {
                self.save(output, target, ware, packed)?;
            }
        }
        let names = task.outputs.keys().cloned();
        let record = FormulaRecord {
            guid: record.guid.clone(),
            time: i64::try_from(record.started_ms / 1000).unwrap_or(i64::MAX),
            formula_id: task.id.to_string(),
            exit_code: record.outcome.exit_code(),
            results: names.zip(record.wares.iter().cloned()).collect(),
            hostname: None,
            metadata: Default::default(),
        };
        let outputs = self.store.tree_place(&packed.tree);
        Ok(FormulaResult { record, dialect: task.dialect, remembered, outputs })
    }

    fn save(
        &self,
        output: &PackedOutput,
        target: &Warehouse,
        ware: &WareId,
        packed: &StepOutput,
    ) -> Result<(), RunError> {
        if ware.is_nothing() || target.holds(ware) {
            return Ok(());
        }
        let source = Warehouse::File(self.store.tree_place(&packed.tree).join(ware.to_string()));
        mirror(ware, target, &[source], ArchivePolicy::WARE, &Meter::default())
            .map_err(|source| RunError::Save { path: output.path.to_string(), source })
    }
}

fn targets(task: &Task, route: &Route) -> Result<Vec<Option<Warehouse>>, RunError> {
    let target = |output: &PackedOutput| {
        let parse = |url: &String| {
            Warehouse::parse(url, output.packtype, &task.base, route)
                .map_err(|source| RunError::Address { path: output.path.to_string(), source })
        };
        output.save.as_ref().map(parse).transpose()
    };
    task.outputs.values().map(target).collect()
}

impl FormulaStep {
    /// Notes why it cannot be carried out, and says so.
    fn refuses(&self, error: RunError) -> Box<Diagnostic> {
        let diagnostic = error.diagnostic(&self.label);
        self.ends(Err(error));
        Box::new(diagnostic)
    }

    fn ends(&self, result: Result<FormulaResult, RunError>) {
        let mut slot = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        // Why a step could not be made is known better than that it could not.
        slot.get_or_insert(result);
    }
}

impl Steps for Formulas<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, _step: StepId) -> Vec<StepId> {
        Vec::new()
    }

    fn label(&self, step: StepId) -> &str {
        &self.formula(step).label
    }

    fn is_requested(&self, _step: StepId) -> bool {
        true
    }

    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let formula = self.formula(step);
        lower::step(&formula.task, ground).map_err(|error| formula.refuses(error))
    }

    fn before_run(&self, step: StepId) -> Result<(), Box<Diagnostic>> {
        let formula = self.formula(step);
        for (output, target) in formula.task.outputs.values().zip(&formula.targets) {
            target.as_ref().map_or(Ok(()), Warehouse::check_writable).map_err(|source| {
                let path = output.path.to_string();
                formula.refuses(RunError::Output { path, source: source.into() })
            })?;
        }
        Ok(())
    }

    fn past_name(&self, step: StepId) -> &str {
        &self.formula(step).past_name
    }

    fn identity(&self, step: StepId) -> Option<String> {
        Some(self.formula(step).task.id.to_string())
    }

    fn output_name(&self, step: StepId, number: usize) -> Option<String> {
        self.formula(step).task.outputs.keys().nth(number).cloned()
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let formula = self.formula(step);
        match self.ran(formula, kept.record, kept.done, kept.remembered) {
            Ok(ran) => formula.ends(Ok(ran)),
            Err(error) => return Err(formula.refuses(error)),
        }
        Ok(())
    }

    fn failed(&self, step: StepId, failure: StepFailure<'_>) {
        let formula = self.formula(step);
        formula.ends(match failure {
            StepFailure::Command { record, packed: Some(packed), .. } => {
                self.ran(formula, record, packed, false)
            }
            StepFailure::Command { faults, .. } => Err(RunError::Left(faults.join("\n"))),
            StepFailure::Error(error) => Err(error.into()),
        });
    }
}
