//! `wake log`: past builds, from their events in `.wake/runs`.

mod past;
mod output;
mod critical;
mod records;

use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wake_build::{Flakiness, Session, TestPast};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::event::{ActionFinished, Reporter};
use wake_steps::run_log;
use wake_steps::shell_line::shell_word;
use wake_store::ConfinedPath;

use crate::args::LogArgs;
use crate::clock;
use crate::command::log::past::PastRun;
use crate::command::test::flakiness;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::print;
use crate::report::plain::Plain;
use crate::report::summary::Verdict;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::words;

/// Lists past builds, shows one, or prints the output of an action.
pub(crate) fn run(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    if args.formulas {
        return records::formulas(args, settings, out);
    }
    if args.records {
        return records::run(args, settings, out);
    }
    if let Some(target) = &args.output {
        return output::run(target, args.run.as_deref(), settings, out);
    }
    let session = session::open(settings)?;
    if args.flaky {
        return flaky(&session.test_past(), args.json, out);
    }
    if args.critical_path {
        let past = find(args.run.as_deref(), &session.state_dir())?;
        return critical::run(&past, args.json, settings.manner.style, out);
    }
    let past = match (&args.run, args.failed) {
        (None, false) => return list(args.json, &session, settings, out),
        (run, _) => find(run.as_deref(), &session.state_dir())?,
    };
    match (args.failed, args.json) {
        (true, true) => print::json(&past.failed().map(brief).collect::<Vec<_>>(), out),
        (true, false) => failed(&past, settings.manner.style, out),
        (false, true) => print::text(&escape::json(&past.text), out),
        (false, false) => show(&past, settings, out),
    }
}

/// Lists the tests that were flaky in their last runs.
fn flaky(past: &TestPast, as_json: bool, out: &mut impl Write) -> Outcome {
    if as_json {
        let entry = |(test, Flakiness { flaky, runs }): (&str, Flakiness)| json!({"test": test, "flaky": flaky, "runs": runs});
        return print::json(&past.flaky().map(entry).collect::<Vec<_>>(), out);
    }
    let line = |(test, found)| format!("{}: {}", escape::line(test), flakiness(found));
    print::lines(past.flaky().map(line), out)?;
    Ok(Exit(0))
}

/// Returns the step whose command failed last, in any recorded build.
pub(crate) fn last_failed(state_dir: &ConfinedPath) -> Option<String> {
    let mut last = PastRun::all(state_dir).rev().filter_map(|past| {
        let failed = past.failed().filter(|finished| finished.key.is_some());
        failed.map(|finished| finished.label.clone()).last()
    });
    last.next()
}

/// Returns the run with this prefix; without one, the last run.
fn find(prefix: Option<&str>, state_dir: &ConfinedPath) -> Result<PastRun, Diagnostic> {
    let mut runs = run_log::list(state_dir);
    let (run, path) = match prefix {
        Some(prefix) => {
            let exact = runs.iter().any(|(run, _)| run == prefix);
            runs.retain(|(run, _)| run.starts_with(prefix) && (!exact || run == prefix));
            only(runs, "run", prefix, "run `wake log` to list the builds")?
        }
        None => runs.pop().ok_or_else(|| {
            Diagnostic::error(Class::Nothing, "no builds in this workspace yet")
                .help("run `wake build` to build the current package")
        })?,
    };
    PastRun::read(run, &path)
}

/// Returns the only item in `fitting`, or an error that no or several `noun`s begin with `prefix`.
fn only<T>(mut fitting: Vec<T>, noun: &str, prefix: &str, help: &str) -> Result<T, Diagnostic> {
    let (class, message) = match (fitting.pop(), fitting.pop()) {
        (Some(found), None) => return Ok(found),
        (Some(_), Some(_)) => {
            (Class::Usage, format!("more than one {noun} begins with `{prefix}`"))
        }
        (None, _) => (Class::Nothing, format!("no {noun} begins with `{prefix}`")),
    };
    Err(Diagnostic::error(class, message).help(help))
}

fn list(as_json: bool, session: &Session, settings: &Settings, out: &mut impl Write) -> Outcome {
    // Read one at a time: all of them together are large.
    let runs = PastRun::all(&session.state_dir());
    if as_json {
        return print::json(&runs.map(|past| summary(&past)).collect::<Vec<_>>(), out);
    }
    let names = run_log::list(&session.state_dir()).into_iter().map(|(run, _)| run);
    let (names, style): (Vec<String>, _) = (names.collect(), settings.manner.style);
    print::lines(runs.map(|past| line(short_name(&past.run, &names), &past, style)), out)
}

/// Returns the time part of a run's name, if that is unique.
fn short_name<'a>(run: &'a str, runs: &[String]) -> &'a str {
    let short = run.split('-').next().unwrap_or(run);
    let alone = runs.iter().filter(|run| run.starts_with(short)).count() == 1;
    if alone { short } else { run }
}

fn line(name: &str, past: &PastRun, style: Style) -> String {
    let age = clock::since(past.ended);
    let (role, word, what) = match past.end() {
        None => (Role::Caution, "cut short", String::new()),
        Some(end) => {
            let (role, word) = match end.verdict() {
                Verdict::Finished => (Role::Good, "ok"),
                Verdict::Interrupted => (Role::Caution, "stopped"),
                Verdict::Failed => (Role::Bad, "failed"),
            };
            let counts = end.counts;
            let time = words::span_ms(end.wall_ms);
            let what = format!(
                "{} hit, {} ran, {} failed in {time}",
                counts.hit, counts.ran, counts.failed
            );
            (role, word, what)
        }
    };
    let words = past.start().argv.iter().skip(1).map(|word| shell_word(word));
    let typed = words.collect::<Vec<_>>().join(" ");
    let word = style.paint(role, format_args!("{word:<9}"));
    let ago = words::ago(age);
    format!("{name}  {ago:<12}  {word}  wake {}  {what}", escape::line(&typed))
}

fn summary(past: &PastRun) -> Value {
    let ended = past.ended.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let end = past.end();
    json!({
        "run": past.run,
        "argv": past.start().argv,
        "ended": ended.as_millis() as f64 / 1000.0,
        "exit": end.map(|end| end.exit),
        "counts": end.map(|end| end.counts),
        "wall_ms": end.map(|end| end.wall_ms),
    })
}

fn failed(past: &PastRun, style: Style, out: &mut impl Write) -> Outcome {
    let line = |finished: &ActionFinished| {
        let how = escape::line(finished.outcome.as_deref().unwrap_or(&finished.why));
        let label = style.paint(Role::Bad, escape::line(&finished.label));
        format!("{label}  {how}  {}", escape::line(&finished.command))
    };
    print::lines(past.failed().map(line), out)
}

fn brief(finished: &ActionFinished) -> Value {
    json!({
        "label": finished.label,
        "outcome": finished.outcome,
        "exit": finished.exit,
        "why": finished.why,
        "command": finished.command,
        "key": finished.key,
    })
}

/// Shows a run as a plain log, from its events.
fn show(past: &PastRun, settings: &Settings, out: &mut impl Write) -> Outcome {
    let mut manner = settings.manner;
    manner.annotations = false;
    manner.verbosity = manner.verbosity.max(Verbosity::Verbose);
    let mut text = Vec::new();
    let mut plain = Plain::new(&mut text, manner, clock::fixed(Duration::ZERO));
    past.events.iter().for_each(|event| plain.event(event));
    out.write_all(&text)?;
    if past.end().is_none() {
        writeln!(out, "the log ends here: the build was killed or is still running")?;
        for label in past.open() {
            writeln!(out, "not done: {}", escape::line(label))?;
        }
    }
    Ok(Exit::SUCCESS)
}
