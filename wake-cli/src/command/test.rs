//! `wake test`

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use wake_build::{BuildRequest, Purpose, Session, TestSelection};
use wake_model::{ActionDigest, BlobDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::event::ActionFinished;
use wake_store::Log;

use crate::args::{MessageFormat, TestArgs};
use crate::exit::{Exit, Outcome};
use crate::report::cases::CaseEnd;
use crate::report::tests::{TestEnd, TestListener, TestResults};
use crate::report::{self, junit};
use crate::selection;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Runs tests, tells as it goes, and writes what came of them where that was asked for.
pub(crate) fn run(args: &TestArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
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
    let mut results = results.borrow_mut();
    if results.iter().next().is_some() {
        let session = session::open(settings)?;
        note_failed(&session, &results);
        results.read_cases(|ended| stdout_of(&session, ended));
        tell_failed_cases(&results, settings, say);
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

fn note_failed(session: &Session, results: &TestResults) {
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
}

/// What a test wrote to standard output, now or when it passed.
fn stdout_of(session: &Session, ended: &ActionFinished) -> Option<String> {
    let store = session.store();
    let kept = || {
        let key: ActionDigest = ended.key.as_ref()?.parse().ok()?;
        let stored = store.action_record(&key).ok()??;
        store.log(&stored, Log::Stdout).ok()?
    };
    let digest: BlobDigest = ended.stdout.as_ref()?.parse().ok()?;
    let bytes = store.blob(&digest).ok().flatten().or_else(kept)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names the cases that failed of each test that says which it has run.
fn tell_failed_cases(results: &TestResults, settings: &Settings, say: &mut impl Write) {
    /// Cases that are named.
    const SHOWN: usize = 10;
    if settings.format == MessageFormat::Json {
        return;
    }
    for (label, _, _) in results.iter() {
        let cases = results.cases(label);
        let failed = cases.iter().filter(|case| case.end == CaseEnd::Failed);
        let names: Vec<_> = failed.map(|case| escape::line(&case.name)).collect();
        if names.is_empty() {
            continue;
        }
        let shown = names.iter().take(SHOWN).map(|name| name.to_string()).collect::<Vec<_>>();
        let more = match names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (count, all, label) = (names.len(), cases.len(), escape::line(label));
        let text = format!("{label}: {count} of {all} cases failed: {}{more}\n", shown.join(", "));
        // Where standard error is closed there is nobody to tell.
        let _ = say.write_all(text.as_bytes());
    }
}

fn write_junit(path: &Path, results: &TestResults) -> Result<(), Diagnostic> {
    std::fs::write(path, junit::document(results)).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Diagnostic::error(Class::Environment, message)
    })
}
