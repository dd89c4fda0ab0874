//! `wake plan --format formula`: a module as a document for `wake formula run`.

use std::io::Write;
use std::path::PathBuf;

use wake_build::TargetPattern;
use wake_formula::{Document, FromJobError, Writing};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_store::ConfinedPath;

use crate::args::PlanArgs;
use crate::exit::Outcome;
use crate::print;
use crate::selection;
use crate::session;
use crate::settings::Settings;

/// The directory of the default warehouse, in a checkout's state.
///
/// It is not in the store: printed documents refer to it, and the store is garbage-collected.
const WAREHOUSE: &str = "warehouse";

/// Prints the formula of one module, and packs its inputs.
pub(super) fn run(args: &PlanArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let config = selection::config(&args.selection.config)?;
    let target = match args.selection.targets.as_slice() {
        [] => &TargetPattern::from("."),
        [target] => target,
        [_, _, ..] => {
            let message = "a formula covers exactly one module: name one target";
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
    };
    let session = session::open(settings)?;
    let step = session.job_of(target, config.as_ref())?;
    let warehouse = match &args.warehouse {
        Some(dir) => settings.cwd.join(dir),
        None => own_warehouse(&session.state_dir())?,
    };
    let scratch = session.store().scratch().map_err(store_failure)?;
    let writing = Writing { warehouse: Some(&warehouse), scratch: scratch.path() };
    let document = writing.document(&step.job).map_err(|error| not_written(&step.label, &error))?;
    print::text(&Document::Repeatr(document).format(), out)
}

/// Returns the warehouse of the checkout, creating it if missing; an error if it contains links.
fn own_warehouse(state_dir: &ConfinedPath) -> Result<PathBuf, Diagnostic> {
    let warehouse = state_dir.join(WAREHOUSE);
    let made = warehouse.make_dir().and_then(|_| only_dirs_and_files(&warehouse, DEEPEST));
    made.map_err(|error| {
        let message = format!("cannot use the warehouse `{}`: {error}", warehouse.path().display());
        Diagnostic::error(Class::Environment, message)
            .help("remove it, or use another directory with `--warehouse DIR`")
    })?;
    Ok(warehouse.path())
}

/// The maximum depth of directories in a warehouse: packed wares are two deep.
const DEEPEST: usize = 3;

fn only_dirs_and_files(dir: &ConfinedPath, deepest: usize) -> std::io::Result<()> {
    for entry in dir.entries(|_| true)?.into_iter().filter(|entry| !entry.is_file) {
        let deeper = deepest.checked_sub(1).ok_or(std::io::ErrorKind::InvalidData)?;
        only_dirs_and_files(&dir.join(entry.name), deeper)?;
    }
    Ok(())
}

/// Returns the diagnostic for a module that cannot be written as a formula.
pub(crate) fn not_written(label: &str, error: &FromJobError) -> Diagnostic {
    let class = match error {
        FromJobError::Io { .. } | FromJobError::Pack(_) => Class::Environment,
        FromJobError::Changed { .. } => Class::Action,
        FromJobError::Network
        | FromJobError::Layer
        | FromJobError::NoShell
        | FromJobError::Outside { .. }
        | FromJobError::Path { .. } => Class::Evaluation,
    };
    let diagnostic =
        Diagnostic::error(class, format!("{label} cannot be written as a formula: {error}"));
    match error {
        FromJobError::NoShell => diagnostic
            .help("pass values as arguments, or in a file made with `wake.file(…, dump=true)`"),
        FromJobError::Changed { .. } => {
            diagnostic.help("run the command again: a file was edited meanwhile")
        }
        _ => diagnostic,
    }
}
