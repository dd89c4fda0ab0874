//! Formulas as steps: several are performed together, independently.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wake_model::{RunRecord as StepRecord, WareId};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::{Step, StepContext, StepFailure, StepId, StepOutput, StepSuccess, Steps};
use wake_store::ware::{ArchivePolicy, Meter, Route, Warehouse, mirror};
use wake_store::{Store, StoreError};

use crate::host_access::{DocumentPlace, Grants, NetworkGrant};
use crate::repeatr::Policy;
use crate::run_error::RunError;
use crate::run_record::{Dialect, FormulaRecord};
use crate::task::{Keeper, PackedOutput, Task};
use crate::{Document, FormulaId, check, lower};

/// Formulas to perform.
pub struct Formulas<'a> {
    store: &'a Store,
    grants: Grants,
    all: Vec<FormulaStep>,
    order: Vec<StepId>,
}

struct FormulaStep {
    label: String,
    past_name: String,
    task: Task,
    /// The warehouse of each output to save, in the order of the outputs.
    targets: Vec<Option<Warehouse>>,
    /// The names of its outputs, in order.
    output_names: Vec<String>,
    result: Mutex<Option<Result<FormulaResult, RunError>>>,
}

/// The end of a formula.
#[derive(Debug)]
pub struct FormulaEnd {
    /// Its label.
    pub label: String,
    /// Its id.
    pub id: FormulaId,
    /// The dialect in which its record is printed.
    pub dialect: Dialect,
    /// Its result; [`RunError::Cancelled`] if it was never tried.
    pub result: Result<FormulaResult, RunError>,
}

/// The result of a formula, from this run or an earlier one.
#[derive(Clone, Debug)]
pub struct FormulaResult {
    /// Its record.
    pub record: FormulaRecord,
    /// Whether it was cached; then it did not run and wrote nothing.
    pub remembered: bool,
    /// The directory of its packed outputs.
    outputs: PathBuf,
}

impl FormulaResult {
    /// Returns the paths of its packed outputs, by name; empty outputs have none.
    pub fn packed(&self) -> impl Iterator<Item = PathBuf> {
        let wares = self.record.results.values().filter(|ware| !ware.is_nothing());
        wares.map(|ware| self.outputs.join(ware.to_string()))
    }
}

impl<'a> Formulas<'a> {
    /// Creates an empty set; packed outputs are in `store`, and `grants` limits access to the machine.
    pub fn new(store: &'a Store, grants: Grants) -> Formulas<'a> {
        Formulas { store, grants, all: Vec::new(), order: Vec::new() }
    }

    /// Adds a formula, called `label` in messages and `past_name` in the history.
    ///
    /// It is checked as far as possible without its wares.
    pub fn add(
        &mut self,
        document: &Document,
        label: String,
        past_name: String,
        place: &DocumentPlace<'_>,
    ) -> Result<(), RunError> {
        let task = Task::of(document, place, self.grants)?;
        if task.wants_network && self.grants.network == NetworkGrant::Never {
            return Err(RunError::Network);
        }
        granted(task.policy)?;
        check::places(&task)?;
        check::mounts(&task)?;
        let targets = targets(&task, self.store.route())?;
        for (output, target) in task.outputs.values().zip(&targets) {
            target.iter().try_for_each(|target| task.may_keep(output, target, None))?;
        }
        let (result, output_names) = (Mutex::default(), task.outputs.keys().cloned().collect());
        self.order.push(StepId(self.all.len()));
        self.all.push(FormulaStep { label, past_name, task, targets, output_names, result });
        Ok(())
    }

    /// Returns the program of a formula with its arguments.
    pub fn command(&self, step: StepId) -> &[String] {
        &self.all[step.0].task.exec
    }

    /// Returns the end of each formula, in the order in which they were added.
    pub fn into_results(self) -> impl Iterator<Item = FormulaEnd> {
        self.all.into_iter().map(|formula| {
            let result = formula.result.into_inner().unwrap_or_else(PoisonError::into_inner);
            let FormulaStep { label, task: Task { id, dialect, .. }, .. } = formula;
            FormulaEnd { label, id, dialect, result: result.unwrap_or(Err(RunError::Cancelled)) }
        })
    }

    fn formula(&self, step: StepId) -> &FormulaStep {
        &self.all[step.0]
    }

    /// Returns the record of a run, after saving its outputs where the context says.
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
                task.may_keep(output, target, Some(ware))?;
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
        Ok(FormulaResult { record, remembered, outputs })
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
        make_workspace_warehouse(output)?;
        let source = Warehouse::File(self.store.tree_place(&packed.tree).join(ware.to_string()));
        mirror(ware, target, &[source], ArchivePolicy::WARE, &Meter::default())
            .map_err(|source| RunError::Save { path: output.path.to_string(), source })
    }
}

/// Rejects a policy that cannot be granted in full, before anything runs.
fn granted(policy: Policy) -> Result<(), RunError> {
    let reason = match policy {
        Policy::Routine => return Ok(()),
        Policy::Governor if wake_exec::keeps_owners() => return Ok(()),
        Policy::Governor => "this process cannot give its command more than one user and group",
        Policy::Sysad => "no command gets rights over the machine",
    };
    let policy: &'static str = policy.into();
    Err(RunError::Policy { policy, reason })
}

/// Creates the workspace's warehouse if it keeps `output` and does not exist.
fn make_workspace_warehouse(output: &PackedOutput) -> Result<(), RunError> {
    let Keeper::Workspace(dir) = &output.keeper else { return Ok(()) };
    match fs::create_dir(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(RunError::Store(StoreError::Io { path: dir.clone(), source }))
        }
        _ => Ok(()),
    }
}

fn targets(task: &Task, route: &Route) -> Result<Vec<Option<Warehouse>>, RunError> {
    let target = |output: &PackedOutput| match &output.keeper {
        Keeper::Nobody => Ok(None),
        Keeper::Workspace(dir) => Ok(Some(Warehouse::CaFile(dir.clone()))),
        Keeper::Address(url) => Warehouse::parse(url, output.packtype, &task.base, route)
            .map(Some)
            .map_err(|source| RunError::Address { path: output.path.to_string(), source }),
    };
    task.outputs.values().map(target).collect()
}

impl FormulaStep {
    /// Records why the formula cannot be performed, and returns the diagnostic.
    fn refuses(&self, error: RunError) -> Box<Diagnostic> {
        let diagnostic = error.diagnostic(&self.label);
        self.ends(Err(error));
        Box::new(diagnostic)
    }

    fn ends(&self, result: Result<FormulaResult, RunError>) {
        let mut slot = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        // The reason why a step could not be made is more precise than the failure.
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
            let Some(target) = target else { continue };
            let ready = make_workspace_warehouse(output)
                .and_then(|()| formula.task.may_keep(output, target, None));
            ready.map_err(|error| formula.refuses(error))?;
            target.check_writable().map_err(|source| {
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
        self.formula(step).output_names.get(number).cloned()
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
