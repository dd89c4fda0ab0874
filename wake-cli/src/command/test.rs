//! `wake test`

use std::collections::BTreeSet;
use std::path::Path;

use wake_build::{BuildRequest, Purpose, TestSelection};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::TestArgs;
use crate::exit::{Exit, Outcome};
use crate::report::tests::{TestEnd, TestListener, TestResults};
use crate::report::{self, junit};
use crate::selection;
use crate::session;
use crate::settings::Settings;

/// Runs tests, tells as it goes, and writes what came of them where that was asked for.
pub(crate) fn run(args: &TestArgs, settings: &Settings) -> Outcome {
    let labels = match args.failed {
        true => Some(last_failed(settings)?),
        false => None,
    };
    let selection = TestSelection { filter: args.filter.clone(), labels, shard: args.shard };
    let request = BuildRequest {
        targets: args.selection.targets.clone(),
        config: selection::config(&args.selection.config)?,
        purpose: Purpose::Tests(selection),
        tags: args.tags.selection(),
        keep_going: !args.fail_fast,
        runs: args.runs,
        retries: args.retries,
        ..BuildRequest::default()
    };
    let (listener, results) = TestListener::new(report::reporter(settings));
    let profile = args.profile.file.as_deref();
    let report = session::build_told(settings, &request, profile, Box::new(listener));
    let results = results.borrow();
    if results.iter().next().is_some() {
        note_failed(settings, &results)?;
    }
    if let Some(path) = &args.junit {
        write_junit(&settings.cwd.join(path), &results)?;
    }
    Ok(Exit(report.exit))
}

/// The tests that failed when they ran last.
fn last_failed(settings: &Settings) -> Result<BTreeSet<String>, wake_steps::diagnostic::Failure> {
    let failed = session::open(settings)?.failed_tests();
    if failed.is_empty() {
        let message = "no test failed when it ran last";
        return Err(Diagnostic::error(Class::Nothing, message).into());
    }
    Ok(failed)
}

fn note_failed(
    settings: &Settings,
    results: &TestResults,
) -> Result<(), wake_steps::diagnostic::Failure> {
    let session = session::open(settings)?;
    let mut failed = session.failed_tests();
    let before = failed.clone();
    for (label, end, _) in results.iter() {
        match end {
            TestEnd::Failed => drop(failed.insert(label.to_owned())),
            TestEnd::Passed => drop(failed.remove(label)),
            TestEnd::NotRun => {}
        }
    }
    if failed != before {
        session.note_failed_tests(&failed);
    }
    Ok(())
}

fn write_junit(path: &Path, results: &TestResults) -> Result<(), Diagnostic> {
    std::fs::write(path, junit::document(results)).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Diagnostic::error(Class::Environment, message)
    })
}
