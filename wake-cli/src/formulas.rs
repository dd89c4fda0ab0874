//! Formulas: read from documents, and turned into steps for this machine.

use std::fs;
use std::path::{Path, PathBuf};

use wake_build::TargetPattern;
use wake_formula::{Document, DocumentError, DocumentPlace, Formulas, Grants, RunError};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Place};
use wake_steps::explain::Outlook;
use wake_steps::profile::Profile;
use wake_steps::{Machine, Results, Steps};

use crate::args::ConfigArgs;
use crate::exit::Stop;
use crate::outside::history;
use crate::session;
use crate::settings::Settings;

/// Returns the targets as documents, if all are files.
pub(crate) fn among(
    targets: &[TargetPattern],
    settings: &Settings,
) -> Result<Vec<PathBuf>, Diagnostic> {
    let files = targets.iter().map(|target| PathBuf::from(target.as_str()));
    let files: Vec<PathBuf> = files.filter(|file| settings.cwd.join(file).is_file()).collect();
    if !files.is_empty() && files.len() < targets.len() {
        let message = "cannot mix formulas and packages as targets";
        return Err(Diagnostic::error(Class::Usage, message)
            .note(format!("`{}` is a file, so it is treated as a formula", files[0].display())));
    }
    Ok(files)
}

/// Refuses a configuration, which formulas do not have.
pub(crate) fn take_no_config(config: &ConfigArgs) -> Result<(), Diagnostic> {
    if config.config.is_empty() && config.config_json.is_none() {
        return Ok(());
    }
    let message = "`--config` does not apply to formulas";
    Err(Diagnostic::error(Class::Usage, message).help("omit `--config`, or edit the formula"))
}

/// Reads the document in a file, or returns a diagnostic.
pub(crate) fn read(
    file: &Path,
    settings: &Settings,
) -> Result<Result<Document, Diagnostic>, Diagnostic> {
    let path = settings.cwd.join(file);
    let text = fs::read_to_string(&path).map_err(|source| {
        Diagnostic::error(Class::Usage, format!("cannot read `{}`: {source}", file.display()))
    })?;
    let document = Document::parse(&text, &file.display().to_string());
    Ok(document.map_err(|error| match text.trim_start().starts_with('{') {
        true => malformed(error),
        false => malformed(error).help(
            "a file target is read as a JSON formula; name a package by its directory, or a module of the current package by `:NAME`",
        ),
    }))
}

/// Turns a document error into a diagnostic with its place.
fn malformed(error: DocumentError) -> Diagnostic {
    let place = Place {
        file: error.file,
        line: error.line,
        column: error.column,
        end_column: error.column + 1,
        source_line: error.source_line,
        label: None,
    };
    let mut diagnostic = Diagnostic::error(Class::Evaluation, error.message).at(Some(place));
    diagnostic.help.extend(error.hint);
    diagnostic
}

/// Adds the document of a file to the batch.
///
/// Relative addresses are resolved as in the original tools: for repeatr against the current directory, for warpforge
/// against the document's directory.
pub(crate) fn add(
    formulas: &mut Formulas<'_>,
    document: &Document,
    file: &Path,
    settings: &Settings,
) -> Result<(), RunError> {
    let path = settings.cwd.join(file);
    let dir = path.parent().unwrap_or(Path::new("/"));
    let base = match document {
        Document::Repeatr(_) => &settings.cwd,
        Document::Warpforge(_) => dir,
    };
    let home = settings.route.home.as_deref().map(Path::new);
    let label = file.display().to_string();
    // The same text for a file, however it is named.
    let past_name = path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string();
    formulas.add(document, label, past_name, &DocumentPlace { dir, base, home })
}

/// Reads the formulas in files, with access to the machine as allowed by `grants`.
pub(crate) fn of_files<'a>(
    files: &[PathBuf],
    machine: &'a Machine,
    grants: Grants,
    settings: &Settings,
) -> Result<Formulas<'a>, Failure> {
    let mut formulas = Formulas::new(machine.store(), grants);
    for file in files {
        let document = read(file, settings)??;
        add(&mut formulas, &document, file, settings)
            .map_err(|error| error.diagnostic(&file.display().to_string()))?;
    }
    Ok(formulas)
}

/// Applies `look` to the formulas in `targets`, without running any; `None` if they are packages.
pub(crate) fn look_at<T>(
    targets: &[TargetPattern],
    config: &ConfigArgs,
    settings: &Settings,
    look: impl FnOnce(&Formulas<'_>, &Outlook<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Stop> {
    let files = among(targets, settings)?;
    if files.is_empty() {
        return Ok(None);
    }
    take_no_config(config)?;
    let machine = session::machine(settings, Profile::default())?;
    let formulas = of_files(&files, &machine, Grants::LOOK, settings)?;
    let results = Results::new(formulas.order().len());
    let history = history(&machine);
    let cancel = session::cancel()?;
    let outlook = Outlook::new(&machine, &formulas, &results, &history, &cancel);
    Ok(Some(look(&formulas, &outlook)?))
}
