//! `wake log -o TARGET`: the output of the commands of a target, which is modules or a formula.

use std::io::Write;
use std::slice;

use wake_build::TargetPattern;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::event::{ActionFinished, Status};
use wake_store::{ConfinedPath, Log, Store};

use crate::command::log::find;
use crate::command::log::past::PastRun;
use crate::exit::{Exit, Outcome};
use crate::formulas;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Prints the output of the last action of each module in `target`, in `run` or in any run.
pub(super) fn run(
    target: &TargetPattern,
    run: Option<&str>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let files = formulas::among(slice::from_ref(target), settings)?;
    let Some(file) = files.first() else {
        return match of_modules(target, run, settings, out) {
            // Images belong to no workspace, so their steps are named by their own labels.
            Err(none) => {
                let store = session::store(settings)?;
                let is_it = |_: &PastRun, step: &ActionFinished| step.label == target.as_str();
                let found = last(run, &store.outside_dir(), is_it).unwrap_or_default();
                if found.is_empty() { Err(none) } else { tell(target, found, &store, out) }
            }
            told => told,
        };
    };
    let store = session::store(settings)?;
    // Its current id; before an edit it had another.
    let id = formulas::read(file, settings)?.ok().map(|document| document.id().to_string());
    let found = last(run, &store.outside_dir(), |past, step| {
        step.label == target.as_str() || (id.is_some() && past.identity(step.id) == id.as_deref())
    })?;
    tell(target, found, &store, out)
}

/// Prints the output of modules of the workspace.
fn of_modules(
    target: &TargetPattern,
    run: Option<&str>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let session = session::open(settings)?;
    let scope = target.scope(&session.workspace)?;
    let found = last(run, &session.state_dir(), |_, step| scope.contains(&step.label))?;
    tell(target, found, session.store(), out)
}

/// Whether a step has an action, whose output may exist.
fn has_output(finished: &ActionFinished) -> bool {
    !matches!(finished.status, Status::Skipped | Status::Aborted) && finished.key.is_some()
}

/// Returns the last matching actions, one per label: those of `run`, or of the last run that has any.
fn last(
    run: Option<&str>,
    state_dir: &ConfinedPath,
    is_meant: impl Fn(&PastRun, &ActionFinished) -> bool,
) -> Result<Vec<ActionFinished>, Diagnostic> {
    let runs: Box<dyn Iterator<Item = PastRun>> = match run {
        Some(_) => Box::new(std::iter::once(find(run, state_dir)?)),
        None => Box::new(PastRun::all(state_dir).rev()),
    };
    for past in runs {
        let mut found: Vec<ActionFinished> = Vec::new();
        for finished in past.ended().rev().filter(|finished| has_output(finished)) {
            let is_new = found.iter().all(|other| other.label != finished.label);
            if is_new && is_meant(&past, finished) {
                found.push(finished.clone());
            }
        }
        if !found.is_empty() {
            found.sort_by(|a, b| a.label.cmp(&b.label));
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn tell(
    target: &TargetPattern,
    found: Vec<ActionFinished>,
    store: &Store,
    out: &mut impl Write,
) -> Outcome {
    if found.is_empty() {
        let message = format!("no build in this workspace ran `{}`", target.as_str());
        let diagnostic = Diagnostic::error(Class::Nothing, message);
        let help = match target.as_module() {
            Some(module) => format!("write a module of the current package as `{module}`"),
            None => {
                "run `wake log` to list builds, `wake log --formulas` to list formula runs".into()
            }
        };
        return Err(diagnostic.help(help).into());
    }
    for finished in &found {
        if found.len() > 1 {
            writeln!(out, "==> {} <==", escape::line(&finished.label))?;
        }
        for text in [stream(finished, Log::Stdout, store)?, stream(finished, Log::Stderr, store)?] {
            for line in escape::lines(&text) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(Exit::SUCCESS)
}

/// Returns the whole stream from the store, or else its tail from the log.
fn stream(finished: &ActionFinished, log: Log, store: &Store) -> Result<String, Failure> {
    let (digest, tail) = match log {
        Log::Stdout => (&finished.stdout, &finished.stdout_tail),
        Log::Stderr => (&finished.stderr, &finished.stderr_tail),
    };
    let written = match digest.as_ref().and_then(|digest| digest.parse().ok()) {
        Some(digest) => store.blob(&digest).map_err(store_failure)?,
        None => None,
    };
    let key = finished.key.as_ref().and_then(|key| key.parse().ok());
    let bytes = match (written, key) {
        (None, Some(key)) => match store.action_record(&key).map_err(store_failure)? {
            Some(action) => store.log(&action, log).map_err(store_failure)?,
            None => None,
        },
        (written, _) => written,
    };
    Ok(bytes.map_or_else(|| tail.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
