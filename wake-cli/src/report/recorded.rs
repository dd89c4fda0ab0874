//! Recorded builds, for the tests of reporters.

#![allow(clippy::unwrap_used)]

use wake_model::WareId;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::event::{ActionFinished, Counts, EVENT_VERSION, Event, Execution, Status};

/// Announces a step that needs `needs`.
pub(crate) fn announced(id: usize, label: &str, needs: &[usize]) -> Event {
    let needs = needs.to_vec();
    Event::Announced {
        id,
        label: label.into(),
        needs,
        requested: false,
        usual_ms: None,
        identity: None,
        test: false,
    }
}

/// Starts its command.
pub(crate) fn started(id: usize, label: &str, t_ms: u64) -> Event {
    Event::ActionStarted { id, label: label.into(), key: KEY.into(), t_ms }
}

/// Ends it.
pub(crate) fn finished(id: usize, label: &str, status: Status, t_ms: u64) -> Event {
    Event::ActionFinished(Box::new(action(id, label, status, t_ms)))
}

/// Returns the details of its end, for tests to change.
pub(crate) fn action(id: usize, label: &str, status: Status, t_ms: u64) -> ActionFinished {
    let ran = matches!(status, Status::Ran | Status::Failed);
    let key = status != Status::Skipped && status != Status::Aborted;
    ActionFinished {
        id,
        label: label.into(),
        status,
        key: key.then(|| KEY.into()),
        outcome: ran.then(|| if status == Status::Ran { "exit 0".into() } else { "exit 2".into() }),
        exit: ran.then_some(if status == Status::Ran { 0 } else { 2 }),
        why: "no earlier run".into(),
        dur_ms: 1_200,
        sandbox_us: 600,
        cpu_us: 1_100_000,
        rss_max: 4 << 20,
        outputs: (status == Status::Ran || status == Status::Hit).then(|| KEY.into()),
        stdout: None,
        stderr: None,
        stdout_tail: String::new(),
        stderr_tail: String::new(),
        faults: Vec::new(),
        help: Vec::new(),
        command: "./build.sh".into(),
        execution: ran.then(|| Execution {
            guid: "n7ygmwq4-c88a35y1-c71xbye4".into(),
            began_ms: 1_795_246_956_228,
            wall_us: 1_200_345,
            user_us: 1_000_000,
            host: Some(KEY.into()),
            wares: Default::default(),
            hermetic: true,
        }),
        test: None,
        ready_ms: (status != Status::Skipped).then_some(t_ms.saturating_sub(1_210)),
        start_ms: key.then_some(t_ms.saturating_sub(1_200)),
        t_ms,
    }
}

/// Returns the first event.
pub(crate) fn begun(sandbox: &str) -> Event {
    Event::Started {
        v: EVENT_VERSION,
        run: "7f3a".into(),
        wake: "0.1.0".into(),
        argv: vec!["wake".into(), "build".into()],
        root: "/w".into(),
        sandbox: sandbox.into(),
        jobs: 2,
        host: None,
    }
}

/// Returns a build of three steps in which the second fails and the third is skipped.
pub(crate) fn failing() -> Vec<Event> {
    let mut failed = action(1, "//web:bundle", Status::Failed, 41_300);
    failed.dur_ms = 12_400;
    failed.command = "node build.js".into();
    failed.stderr_tail = "\x1b[31merror:\x1b[0m no chart\n\x1b[2Jsee\r\n".into();
    let place = Place {
        file: "web/PKG.libsonnet".into(),
        line: 6,
        column: 3,
        end_column: 8,
        source_line: "  files: ['./src/a.ts'],".into(),
        label: None,
    };
    vec![
        begun("strict"),
        Event::Evaluated { pkgs: 2, modules: 3, evaluations: 8, cached: 5, t_ms: 90 },
        announced(0, "//lex:lex", &[]),
        announced(1, "//web:bundle", &[]),
        announced(2, "//docs:site", &[1]),
        finished(0, "//lex:lex", Status::Hit, 100),
        started(1, "//web:bundle", 28_900),
        Event::ActionFinished(Box::new(failed)),
        Event::Diagnostic(Box::new(
            Diagnostic::error(Class::Action, "`./src/chart.ts` is not in the sandbox")
                .at(Some(place))
                .help("add it to files"),
        )),
        finished(2, "//docs:site", Status::Skipped, 41_301),
        Event::Finished {
            exit: 1,
            classes: vec![1],
            counts: Counts { total: 3, hit: 1, failed: 1, skipped: 1, ..Counts::default() },
            wall_ms: 41_400,
            saved_ms: 1_200,
            overrides: Vec::new(),
        },
    ]
}

/// Returns the start of a build that resolves versions and fetches packages.
pub(crate) fn fetching() -> Vec<Event> {
    vec![
        begun("strict"),
        Event::Locked { change: "+ acme/greet 1.2.0".into() },
        Event::Retrieving { by: "//wheels".into(), pkgs: 2 },
        Event::Fetched { pkgs: 2, bytes: 512, t_ms: 70 },
    ]
}

/// Returns the same three steps, successful, with a trace and a link.
pub(crate) fn succeeding() -> Vec<Event> {
    vec![
        begun("strict"),
        Event::Evaluated { pkgs: 2, modules: 3, evaluations: 8, cached: 8, t_ms: 90 },
        Event::Trace { label: "//web:bundle".into(), text: "PKG:3 level\x1b[2J".into() },
        announced(0, "//lex:lex", &[]),
        announced(1, "//web:bundle", &[0]),
        finished(0, "//lex:lex", Status::Hit, 100),
        started(1, "//web:bundle", 110),
        finished(1, "//web:bundle", Status::Ran, 1_310),
        Event::Linked { id: 1, path: ".wake/out/web/bundle".into() },
        Event::Finished {
            exit: 0,
            classes: vec![],
            counts: Counts { total: 2, hit: 1, ran: 1, ..Counts::default() },
            wall_ms: 1_320,
            saved_ms: 1_200,
            overrides: Vec::new(),
        },
    ]
}

/// Returns a formula whose root was modified in the store and is unpacked again, and which produces a ware.
pub(crate) fn formula() -> Vec<Event> {
    let (id, label) = (0, "formula.json");
    let ware = || WAREID.parse::<WareId>().unwrap();
    let mut begun = begun("strict");
    if let Event::Started { host, .. } = &mut begun {
        *host = Some(KEY.into());
    }
    let mut announced = announced(id, label, &[]);
    if let Event::Announced { identity, .. } = &mut announced {
        *identity = Some(FORMULA_ID.into());
    }
    let mut done = action(id, label, Status::Ran, 1_310);
    if let Some(execution) = &mut done.execution {
        execution.host = None;
        execution.hermetic = false;
        execution.wares.insert("/task/out".into(), ware());
    }
    vec![
        begun,
        announced,
        Event::WareAltered { id, ware: ware() },
        Event::WareUnpacking { id, ware: ware() },
        started(id, label, 110),
        Event::ActionOutput {
            id,
            stream: wake_exec::Stream::Stderr,
            bytes: b"half a li\xff".to_vec(),
        },
        Event::ActionFinished(Box::new(done)),
        Event::Finished {
            exit: 0,
            classes: vec![],
            counts: Counts { total: 1, ran: 1, ..Counts::default() },
            wall_ms: 1_320,
            saved_ms: 0,
            overrides: Vec::new(),
        },
    ]
}

/// Returns a build in which everything is cached.
pub(crate) fn remembered() -> Vec<Event> {
    vec![
        begun("strict"),
        Event::Evaluated { pkgs: 2, modules: 2, evaluations: 8, cached: 8, t_ms: 3 },
        announced(0, "//lex:lex", &[]),
        announced(1, "//web:bundle", &[0]),
        finished(0, "//lex:lex", Status::Hit, 4),
        finished(1, "//web:bundle", Status::Hit, 4),
        Event::Linked { id: 1, path: ".wake/out/web/bundle".into() },
        Event::Finished {
            exit: 0,
            classes: vec![],
            counts: Counts { total: 2, hit: 2, ..Counts::default() },
            wall_ms: 40,
            saved_ms: 372_000,
            overrides: Vec::new(),
        },
    ]
}

const WAREID: &str = "tar:6q7G4hWr283FpTa5Lf8heVqw9t97b5VoMU6AGszuBYAz9EzQdeHVFAou7c4W9vFcQ6";
const FORMULA_ID: &str = "9mb9Nixx2M5FoxVJgQtYzn1QvtQdM1TZjZeC4QGSjUCXbHVdAD3v91JWPjZXGkTKD6";
const KEY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
