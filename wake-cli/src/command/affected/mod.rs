//! `wake affected`: the targets whose forecasts differ between a revision and the checkout.

mod revision;

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::json;
use wake_build::{Forecasts, Session, TargetPattern};
use wake_steps::diagnostic::{Class, Failure};

use self::revision::Revision;
use crate::args::AffectedArgs;
use crate::exit::Outcome;
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Prints the targets affected by changes since a revision.
pub(crate) fn run(args: &AffectedArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let revision = Revision::find(&args.since, &session.workspace.root)?;
    let everything = [TargetPattern::from("//...")];
    let targets = if args.targets.is_empty() { &everything[..] } else { &args.targets };
    let now = session::told(session.forecasts_again(targets)?, settings);
    let before = before(&revision, &session, settings)?;
    let affected: Vec<&str> = now.labels().filter(|label| !now.is_same(label, &before)).collect();
    if !args.json {
        return print::lines(affected.into_iter().map(escape::line), out);
    }
    let all: BTreeSet<&str> = now.labels().collect();
    // With named targets, a missing label may just not have been selected.
    let removed: Vec<&str> = match args.targets.is_empty() {
        true => before.labels().filter(|label| !all.contains(label)).collect(),
        false => Vec::new(),
    };
    let state = |label: &str| if before.has(label) { "changed" } else { "added" };
    let told: Vec<_> = affected
        .into_iter()
        .map(|label| json!({ "label": label, "state": state(label) }))
        .collect();
    print::json(&json!({ "since": revision.commit, "affected": told, "removed": removed }), out)
}

/// Returns the forecasts of all modules of the workspace as of a revision.
fn before(
    revision: &Revision,
    session: &Session,
    settings: &Settings,
) -> Result<Forecasts, Failure> {
    // If the workspace did not exist, everything is new.
    let Some(tree) = &revision.tree else { return Ok(Forecasts::default()) };
    if let Some(kept) = session.kept_forecasts(tree)? {
        return Ok(kept);
    }
    let scratch = session.store().scratch().map_err(wake_steps::error::store_failure)?;
    let root = revision.check_out(scratch.path())?;
    let forecasts = forecasts_in(&root, &settings.in_directory(&root, session.store().root()))
        .map_err(|failure| of_revision(failure, revision))?;
    session.keep_forecasts(tree, &forecasts)?;
    Ok(forecasts)
}

fn forecasts_in(root: &std::path::Path, settings: &Settings) -> Result<Forecasts, Failure> {
    let found = session::open(settings);
    let session = match found {
        // There was no workspace yet.
        Err(failure) if failure.class() == Class::Usage => return Ok(Forecasts::default()),
        session => session?,
    };
    if session.workspace.root != root {
        return Ok(Forecasts::default());
    }
    match session.forecasts(&["//...".into()]) {
        Ok(explained) => Ok(explained.answer),
        Err(failure) if failure.class() == Class::Nothing => Ok(Forecasts::default()),
        Err(failure) => Err(failure),
    }
}

/// Adds the revision to the diagnostics of a failure.
fn of_revision(mut failure: Failure, revision: &Revision) -> Failure {
    for diagnostic in &mut failure.diagnostics {
        let short = revision.commit.get(..12).unwrap_or(&revision.commit);
        diagnostic.notes.push(format!("in revision {short}, which the checkout is compared with"));
        if let Some(place) = &mut diagnostic.place {
            place.file = format!("{short}:{}", place.file);
        }
    }
    if let Some(last) = failure.diagnostics.last_mut() {
        last.help.push("compare with another revision with `--since REV`".to_owned());
    }
    failure
}
