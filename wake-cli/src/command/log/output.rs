//! `wake log -o TARGET`: what the commands of a target wrote.

use std::collections::BTreeSet;
use std::io::Write;

use wake_build::Session;
use wake_model::RelPath;
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
    target: &str,
    run: Option<&str>,
    session: &Session,
    out: &mut impl Write,
) -> Outcome {
    let wanted = Wanted::parse(target, &session.workspace.here)?;
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for past in runs(run, session)? {
        for finished in past.events.iter().rev().filter_map(has_output) {
            if wanted.fits(&finished.label) && told.insert(finished.label.clone()) {
                found.push(finished.clone());
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    if found.is_empty() {
        let message = format!("no build here ran `{target}`");
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

/// The labels that a target means: one module with every configuration, or a package's modules.
pub(super) struct Wanted {
    label: String,
    whole_pkg: bool,
}

impl Wanted {
    pub(super) fn parse(target: &str, here: &RelPath) -> Result<Self, Diagnostic> {
        let (path, module) = match target.rsplit_once(':') {
            Some((path, module)) => (path, Some(module)),
            None => (target, None),
        };
        let path = match path.strip_prefix("//") {
            Some(path) => path.to_owned(),
            None if here.is_root() => path.to_owned(),
            None => format!("{here}/{path}"),
        };
        let pkg = match path.trim_end_matches('/') {
            "" => RelPath::root(),
            path => RelPath::parse(path).map_err(|error| {
                Diagnostic::error(Class::Usage, format!("target `{target}`: {error}"))
            })?,
        };
        let label = format!("//{pkg}:{}", module.unwrap_or_default());
        Ok(Wanted { label, whole_pkg: module.is_none() })
    }

    pub(super) fn fits(&self, label: &str) -> bool {
        // A configuration that is not the default stands after an `@`.
        label
            .strip_prefix(&self.label)
            .is_some_and(|rest| self.whole_pkg || rest.is_empty() || rest.starts_with('@'))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fits(target: &str, here: &str, label: &str) -> bool {
        let here = if here.is_empty() { RelPath::root() } else { here.parse().unwrap() };
        Wanted::parse(target, &here).unwrap().fits(label)
    }

    #[test]
    fn targets_mean_labels() {
        assert!(fits("//web:bundle", "", "//web:bundle"));
        assert!(fits("//web:bundle", "libs", "//web:bundle@3f2a"));
        assert!(!fits("//web:bundle", "", "//web:bundle2"));
        assert!(fits(":m", "", "//:m"));
        assert!(fits(":m", "web", "//web:m"));
        assert!(fits("../lex", "web", "//lex:a"));
        assert!(fits(".", "web", "//web:m"));
        assert!(!fits("web", "", "//webs:m"));
        assert!(Wanted::parse("../../x", &"web".parse().unwrap()).is_err());
    }
}
