//! `wake test`

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use wake_build::{BuildRequest, Flakiness, PastEnd, Purpose, Session, TestPast, TestSelection};
use wake_model::{ActionDigest, BlobDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::event::{ActionFinished, Reporter};
use wake_steps::test_report::{TestReport, test_report};
use wake_store::{Log, Store};

use crate::args::{MessageFormat, TestArgs};
use crate::command::watch::{self, Watched};
use crate::exit::{Exit, Outcome};
use crate::report::cases::{CaseEnd, TestCase, of_junit, of_tap};
use crate::report::tests::{TestEnd, TestListener, TestResults};
use crate::report::{self, junit};
use crate::selection;
use crate::session;
use crate::settings::Settings;
use crate::terminal::{escape, words};

/// Runs tests, reporting progress, and writes a report on request.
pub(crate) fn run(args: &TestArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let labels = match (args.failed, args.flaky) {
        (true, _) => Some(last_failed(settings)?),
        (false, true) => Some(lately_flaky(settings)?),
        (false, false) => None,
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
    if args.watch {
        return watch_tests(&request, args, settings, say);
    }
    let (listener, results) = TestListener::new(report::reporter(settings));
    let profile = args.profile.file.as_deref();
    let report = session::build_told(settings, &request, profile, Box::new(listener));
    let mut results = results.borrow_mut();
    if results.iter().next().is_some() {
        take(&session::open(settings)?, &mut results, settings, say);
    }
    if let Some(path) = &args.junit {
        write_junit(&settings.cwd.join(path), &results)?;
    }
    Ok(Exit(report.exit))
}

/// Reruns tests on every change.
fn watch_tests(
    request: &BuildRequest,
    args: &TestArgs,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let heard: RefCell<Option<Rc<RefCell<TestResults>>>> = RefCell::default();
    let mut reporter = || -> Box<dyn Reporter> {
        let (listener, results) = TestListener::new(report::reporter(settings));
        heard.replace(Some(results));
        Box::new(listener)
    };
    let mut after = |session: &Session| {
        let Some(results) = heard.take() else { return Ok(()) };
        let mut results = results.borrow_mut();
        take(session, &mut results, settings, say);
        args.junit.as_ref().map_or(Ok(()), |path| write_junit(&settings.cwd.join(path), &results))
    };
    let poll = args.poll.map(|seconds| Duration::from_secs(u64::from(seconds.get())));
    let (reporter, after) = (&mut reporter, &mut after);
    watch::run(Watched { request, poll, reporter, after }, settings)
}

/// Records the test results, and prints what tests report about their cases.
fn take(session: &Session, results: &mut TestResults, settings: &Settings, say: &mut impl Write) {
    note_failed(session, results);
    let past = note_runs(session, results);
    read_cases(session.store(), results, settings);
    tell_failed_cases(results, settings, say);
    tell_flaky(results, &past, settings, say);
}

/// Prints what tests report about their cases; `store` has their results.
pub(crate) fn tell_cases(
    store: &Store,
    results: &mut TestResults,
    settings: &Settings,
    say: &mut impl Write,
) {
    read_cases(store, results, settings);
    tell_failed_cases(results, settings, say);
}

fn read_cases(store: &Store, results: &mut TestResults, settings: &Settings) {
    let mut warnings = Vec::new();
    results.read_cases(|ended| cases(store, ended, &mut warnings));
    for warning in &warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
}

/// Returns the cases a test reports, now or when it passed: from its report file, else from standard output.
fn cases(
    store: &Store,
    ended: &ActionFinished,
    warnings: &mut Vec<Diagnostic>,
) -> Option<Vec<TestCase>> {
    let key: Option<ActionDigest> = ended.key.as_ref().and_then(|key| key.parse().ok());
    let mut unread = |why: String| {
        let message = format!("{}: cannot read its report: {why}", ended.label);
        let mut warning = Diagnostic::error(Class::Test, message)
            .help("its exit code decides whether it passed; its test cases are not listed");
        warning.level = Level::Warning;
        warnings.push(warning);
    };
    match key.and_then(|key| test_report(store, &key)) {
        Some(TestReport::Bytes(bytes)) => match of_junit(&bytes) {
            Ok(cases) => return Some(cases),
            Err(fault) => unread(fault.to_string()),
        },
        Some(TestReport::Unread(why)) => unread(why),
        None => {}
    }
    stdout_of(store, ended).as_deref().and_then(of_tap)
}

/// Records how the tests that ran ended; returns the whole history.
fn note_runs(session: &Session, results: &TestResults) -> TestPast {
    let mut past = session.test_past();
    let ran = results.iter().filter_map(|(label, end, ended)| Some((label, end, ended?)));
    let mut has_run = false;
    for (label, end, ended) in ran {
        let (Some(runs), Some(key)) = (ended.test, &ended.key) else { continue };
        has_run = true;
        let end = match end {
            TestEnd::Passed if runs.failures == 0 => PastEnd::Passed,
            TestEnd::Passed => PastEnd::Flaky,
            _ => PastEnd::Failed,
        };
        past.note(label, key, end);
    }
    if has_run {
        session.keep_test_past(&past);
    }
    past
}

/// Prints how often each test that ran was flaky.
fn tell_flaky(results: &TestResults, past: &TestPast, settings: &Settings, say: &mut impl Write) {
    if settings.format == MessageFormat::Json {
        return;
    }
    for (label, _, ended) in results.iter() {
        if ended.is_some_and(|ended| ended.test.is_some())
            && let Some(found) = past.flakiness(label)
        {
            let label = escape::line(label);
            // A closed standard error is not an error.
            let _ = writeln!(say, "{label}: {}", flakiness(found));
        }
    }
}

/// `flaky in 3 of its last 20 runs`
pub(crate) fn flakiness(found: Flakiness) -> String {
    let Flakiness { flaky, runs } = found;
    match runs {
        1 => "flaky in its last run".to_owned(),
        runs => format!("flaky in {flaky} of its last {runs} runs"),
    }
}

/// Returns the tests that failed in their last run.
fn last_failed(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let failed = session::open(settings)?.failed_tests();
    if failed.is_empty() {
        let message = "no test failed in its last run";
        return Err(Diagnostic::error(Class::Nothing, message).into());
    }
    Ok(failed)
}

/// Returns the tests that were flaky in their last runs.
fn lately_flaky(settings: &Settings) -> Result<BTreeSet<String>, Failure> {
    let past = session::open(settings)?.test_past();
    let flaky: BTreeSet<String> = past.flaky().map(|(label, _)| label.to_owned()).collect();
    if flaky.is_empty() {
        let message = "no test was flaky in its last runs";
        return Err(Diagnostic::error(Class::Nothing, message).into());
    }
    Ok(flaky)
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

/// Returns a test's standard output, from now or from when it passed.
fn stdout_of(store: &Store, ended: &ActionFinished) -> Option<String> {
    let kept = || {
        let key: ActionDigest = ended.key.as_ref()?.parse().ok()?;
        let stored = store.action_record(&key).ok()??;
        store.log(&stored, Log::Stdout).ok()?
    };
    let digest: BlobDigest = ended.stdout.as_ref()?.parse().ok()?;
    let bytes = store.blob(&digest).ok().flatten().or_else(kept)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lists the failed cases of each test that reports its cases.
fn tell_failed_cases(results: &TestResults, settings: &Settings, say: &mut impl Write) {
    /// The maximum number of cases to name.
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
        let (count, all) = (names.len(), words::count(cases.len(), "case"));
        let label = escape::line(label);
        let mut text = format!("{label}: {count} of {all} failed: {}{more}\n", shown.join(", "));
        for case in cases.iter().filter(|case| case.end == CaseEnd::Failed).take(SHOWN) {
            if let Some(line) = case.message.lines().find(|line| !line.trim().is_empty()) {
                let (name, line) = (escape::line(&case.name), escape::line(line.trim()));
                text.push_str(&format!("  {name}: {line}\n"));
            }
        }
        // A closed standard error is not an error.
        let _ = say.write_all(text.as_bytes());
    }
}

/// Writes the JUnit report.
pub(crate) fn write_junit(path: &Path, results: &TestResults) -> Result<(), Diagnostic> {
    std::fs::write(path, junit::document(results)).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Diagnostic::error(Class::Environment, message)
    })
}
