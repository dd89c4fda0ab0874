//! The Timeless Stack ids of a module's run: SHA-384 over its inputs and outputs.

use std::fs;

use wake_build::{Session, StepJob};
use wake_formula::{Document, FormulaRecord, OutputWares, Writing, made};
use wake_model::{ActionDigest, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::shell_line::shell_word;
use wake_store::Lookup;

use super::record::Record;
use crate::command::plan;

/// Completes the record with its formula id, the wares of its outputs, and its own id.
pub(super) fn complete(run: &Record, session: &Session) -> Result<FormulaRecord, Failure> {
    let label = &run.finished.label;
    let step = step(run, session)?;
    let scratch = session.store().scratch().map_err(store_failure)?;
    let writing = Writing { warehouse: None, scratch: scratch.path() };
    let document = writing.document(&step.job).map_err(|error| plan::not_written(label, &error))?;
    let mut record = run.record();
    record.formula_id = Document::Repeatr(document).id().to_string();
    record.results = results(run, &step, session)?;
    record.metadata.insert("wake.result".to_owned(), record.result_id());
    Ok(record)
}

/// Returns the current step, if it is still what ran.
fn step(run: &Record, session: &Session) -> Result<StepJob, Failure> {
    let label = &run.finished.label;
    let key: Option<ActionDigest> = run.finished.key.as_ref().and_then(|key| key.parse().ok());
    let step = match key {
        Some(key) => session.job_with_key(&key)?,
        None => None,
    };
    step.ok_or_else(|| {
        let message = format!("{label} has changed since it ran as {}", run.execution.guid);
        Diagnostic::error(Class::Nothing, message)
            .note(
                "ids are computed from the command's inputs, and its files exist only in the checkout",
            )
            .help(format!("run the current version with `wake build {}`", shell_word(label)))
            .into()
    })
}

/// Returns the wares of its outputs; none for a failed run, whose outputs are not kept.
fn results(run: &Record, step: &StepJob, session: &Session) -> Result<OutputWares, Failure> {
    let tree: Option<TreeDigest> = run.finished.outputs.as_ref().and_then(|tree| tree.parse().ok());
    let Some(tree) = tree else { return Ok(OutputWares::new()) };
    let store = session.store();
    let Lookup::Hit(_) = store.tree(&tree).map_err(store_failure)? else {
        let message = format!("the outputs of {} are no longer in the store", run.finished.label);
        return Err(Diagnostic::error(Class::Nothing, message).into());
    };
    let scratch = store.scratch().map_err(store_failure)?;
    let copies = scratch.path().join("outputs");
    fs::create_dir(&copies).map_err(|source| {
        Diagnostic::error(Class::Environment, format!("`{}`: {source}", copies.display()))
    })?;
    made(&step.job, &store.tree_place(&tree), &copies)
        .map_err(|error| plan::not_written(&run.finished.label, &error).into())
}
