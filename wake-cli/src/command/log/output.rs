//! `wake log -o TARGET`: what the commands of a target wrote.

use std::collections::BTreeSet;
use std::io::Write;

use wake_build::{Session, TargetPattern};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::ActionFinished;
use wake_steps::run_log;
use wake_store::{Log, Store};

use crate::command::log::past::Past;
use crate::command::log::{find, has_output};
use crate::exit::{Exit, Outcome};
use crate::session::store_fault;
use crate::terminal::escape;

/// Prints the output of the last action of each module that `target` names, in `run` or in any.
pub(super) fn run(
    target: &TargetPattern,
    run: Option<&str>,
    session: &Session,
    out: &mut impl Write,
) -> Outcome {
    let scope = target.scope(&session.workspace)?;
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for past in runs(run, session)? {
        for finished in past.events.iter().rev().filter_map(has_output) {
            if scope.contains(&finished.label) && told.insert(finished.label.clone()) {
                found.push(finished.clone());
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    if found.is_empty() {
        let message = format!("no build here ran `{}`", target.as_str());
        return Err(Diagnostic::error(Class::Nothing, message)
            .help("`wake log` lists the builds")
            .into());
    }
    found.sort_by(|a, b| a.label.cmp(&b.label));
    for finished in &found {
        if found.len() > 1 {
            writeln!(out, "==> {} <==", escape::line(&finished.label))?;
        }
        for text in
            [stream(finished, Log::Stdout, session)?, stream(finished, Log::Stderr, session)?]
        {
            for line in escape::lines(&text) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(Exit::Success)
}

/// The runs to look in, the last first.
fn runs(run: Option<&str>, session: &Session) -> Result<Vec<Past>, Diagnostic> {
    if run.is_some() {
        return Ok(vec![find(run, session)?]);
    }
    let all = run_log::list(&session.state_dir());
    Ok(all.into_iter().rev().filter_map(|(run, path)| Past::read(run, &path).ok()).collect())
}

/// The whole stream from the store, or else the end of it that the log holds.
fn stream(finished: &ActionFinished, log: Log, session: &Session) -> Result<String, Failure> {
    let (digest, tail) = match log {
        Log::Stdout => (&finished.stdout, &finished.stdout_tail),
        Log::Stderr => (&finished.stderr, &finished.stderr_tail),
    };
    let store = session.store();
    let mut bytes = None;
    if let Some(digest) = digest.as_ref().and_then(|digest| digest.parse().ok()) {
        bytes = store.blob(&digest).map_err(store_fault)?;
    }
    if bytes.is_none() {
        bytes = recorded(finished, log, store)?;
    }
    Ok(bytes.map_or_else(|| tail.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn recorded(
    finished: &ActionFinished,
    log: Log,
    store: &Store,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(key) = finished.key.as_ref().and_then(|key| key.parse().ok()) else { return Ok(None) };
    let Some(action) = store.action_record(&key).map_err(store_fault)? else { return Ok(None) };
    Ok(store.log(&action, log).map_err(store_fault)?)
}
