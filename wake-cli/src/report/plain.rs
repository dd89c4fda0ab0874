//! The plain reporter, for log files: one line for each relevant change, without cursor movement.

use std::io::Write;
use std::time::Duration;

use wake_steps::event::{ActionFinished, Event, Reporter, Status};
use wake_steps::shell_line::shell_word;

use crate::clock::Clock;
use crate::manner::{Detail, Manner, Verbosity};
use crate::report::diagnostic;
use crate::report::places::Places;
use crate::report::summary::{Summary, Verdict, list};
use crate::report::tally::Tally;
use crate::report::verbs::{altered, attempts, how};
use crate::report::{annotation, excerpt};
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// The silence after which a line says what is running: CI services kill silent jobs.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A reporter that writes lines with the time since the start.
pub(crate) struct Plain<W> {
    out: W,
    manner: Manner,
    clock: Clock,
    tally: Tally,
    run: String,
    spoke: Duration,
    held: Option<String>,
    places: Places,
}

impl<W: Write> Plain<W> {
    /// Makes a reporter that writes to `out`.
    pub(crate) fn new(out: W, manner: Manner, clock: Clock) -> Self {
        Plain {
            out,
            manner,
            clock,
            tally: Tally::default(),
            run: String::new(),
            spoke: Duration::ZERO,
            held: None,
            places: Places::default(),
        }
    }

    fn say(&mut self, text: &str) {
        let held = self.held.take().unwrap_or_default();
        // A closed stream does not fail a build.
        let _ =
            self.out.write_all(format!("{held}{text}").as_bytes()).and_then(|()| self.out.flush());
        self.spoke = (self.clock)();
    }

    fn stamped(&mut self, at: Duration, text: &str) {
        let text = format!("{} {text}\n", stamp(at));
        self.say(&text);
    }

    fn finished(&mut self, finished: &ActionFinished) {
        let label = escape::line(&finished.label);
        let time = words::span_ms(finished.dur_ms);
        let why = escape::line(&finished.why);
        let at = Duration::from_millis(finished.t_ms);
        match finished.status {
            Status::Failed => self.failed(finished, at),
            Status::Ran if self.tally.tests.is_one(finished.id) => self.passed(finished, at),
            Status::Ran => {
                if self.manner.verbosity >= Verbosity::Verbose {
                    self.stamped(at, &format!("ran {label} {time}: {why}"));
                }
                self.warned(finished, at);
            }
            Status::Skipped if self.manner.verbosity >= Verbosity::Verbose => {
                self.stamped(at, &format!("skipped {label}: {why}"));
            }
            Status::Hit => {
                if self.manner.verbosity >= Verbosity::Everything {
                    self.stamped(at, &format!("hit {label} (saved {time})"));
                }
                self.warned(finished, at);
            }
            _ => {}
        }
    }

    /// Reports a test that ran and passed.
    fn passed(&mut self, finished: &ActionFinished, at: Duration) {
        if self.manner.verbosity == Verbosity::Quiet {
            return;
        }
        let label = escape::line(&finished.label);
        let time = words::span_ms(finished.dur_ms);
        self.stamped(at, &format!("PASS {label} {time}{}", attempts(finished)));
    }

    fn warned(&mut self, finished: &ActionFinished, at: Duration) {
        let lines = excerpt::warnings(finished, self.manner.warnings);
        let heard = self.tally.was_heard(finished.id);
        if lines.is_empty() || heard || self.manner.verbosity == Verbosity::Quiet {
            return;
        }
        let label = escape::line(&finished.label);
        let when = if finished.status == Status::Hit { " when it ran" } else { "" };
        let mut text = format!("{} {label} wrote to standard error{when}\n", stamp(at));
        lines.iter().for_each(|line| text += &self.places.quoted(&finished.label, line));
        self.say(&text);
    }

    fn failed(&mut self, finished: &ActionFinished, at: Duration) {
        let style = self.manner.style;
        let label = escape::line(&finished.label);
        let how = how(finished);
        if self.manner.detail == Detail::Short {
            return self.say(&format!("{label}: {}: {how}\n", style.paint(Role::Bad, "failed")));
        }
        let command = words::command(&finished.command);
        let command = escape::line(&command);
        let fail = style.paint(Role::Bad, "FAIL");
        let mut text = format!("{} {fail} {label} ({how})  {command}", stamp(at));
        text.truncate(text.trim_end().len());
        text.push('\n');
        if self.manner.annotations {
            text += &annotation::of_action(&finished.label, &how);
        }
        let faults = finished.faults.iter().map(|fault| escape::line(fault));
        for line in faults.chain(excerpt::of(finished)) {
            text += &self.places.quoted(&finished.label, &line);
        }
        for help in finished.help.iter().map(|help| escape::line(help)) {
            text += &format!("  help: {help}\n");
        }
        if finished.outcome.is_some() {
            text += &format!("  log: wake log -o {}\n", escape::line(&shell_word(&finished.label)));
        }
        self.say(&text);
    }

    fn evaluated(&mut self, event: &Event) {
        let Event::Evaluated { pkgs, modules, evaluations, cached, t_ms } = event else { return };
        let modules = words::count(*modules, "module");
        let packages = words::count(*pkgs, "package");
        let at = stamp(Duration::from_millis(*t_ms));
        let cached = format!("({cached} of {evaluations} from cache)");
        self.held = Some(format!("{at} evaluated {modules} of {packages} {cached}\n"));
    }

    fn end(&mut self, event: &Event) {
        let failed = std::mem::take(&mut self.tally.failed);
        let Some(ending) = Summary::of(event, &failed, self.tally.errors) else { return };
        self.held = None;
        if let Some(tests) = self.tally.tests.sentence()
            && self.manner.verbosity > Verbosity::Quiet
        {
            self.stamped(Duration::from_millis(ending.wall_ms), &format!("tested {tests}"));
        }
        let (role, word) = match ending.verdict() {
            Verdict::Finished if self.manner.verbosity == Verbosity::Quiet => return,
            Verdict::Finished => (Role::Good, "Finished"),
            Verdict::Failed => (Role::Bad, "FAILED"),
            Verdict::Interrupted => (Role::Caution, "Interrupted"),
        };
        let run = match self.run.as_str() {
            run if run.is_empty() || ending.verdict() == Verdict::Finished => String::new(),
            // A read-only checkout has no log.
            run if !self.places.has_log(run) => String::new(),
            run => format!(", log .wake/runs/{run}.jsonl"),
        };
        let word = self.manner.style.paint(role, word);
        self.stamped(
            Duration::from_millis(ending.wall_ms),
            &format!("{word} {}{run}", ending.sentence()),
        );
        if !failed.is_empty() {
            self.say(&format!("failed: {}\n", list(&failed, usize::MAX)));
        }
    }

    fn heartbeat(&mut self) {
        let now = (self.clock)();
        if now < self.spoke + HEARTBEAT || self.manner.verbosity == Verbosity::Quiet {
            return;
        }
        let running: Vec<String> = self
            .tally
            .running()
            .iter()
            .map(|step| {
                format!("{} ({})", step.label, words::clock(now.saturating_sub(step.since)))
            })
            .collect();
        let running = match running.as_slice() {
            [] => String::new(),
            running => format!(", running: {}", list(running, 4)),
        };
        let text = match self.tally.counts.total {
            0 => "evaluating".to_owned(),
            total => format!("{}/{total} done{running}", self.tally.done()),
        };
        self.stamped(now, &text);
    }
}

/// Formats the time since the start in minutes, seconds and tenths: `[1:41.0]`.
fn stamp(at: Duration) -> String {
    let tenths = at.as_millis() / 100;
    format!("[{}:{:02}.{}]", tenths / 600, tenths / 10 % 60, tenths % 10)
}

impl<W: Write> Reporter for Plain<W> {
    fn event(&mut self, event: &Event) {
        self.tally.event(event);
        match event {
            Event::Started { run, sandbox, root, .. } => {
                self.places = Places::below(root);
                self.run = escape::line(run).into_owned();
                if sandbox == "weak" {
                    let text =
                        "warning: the sandbox is weak: commands can see more than they declare";
                    self.stamped(Duration::ZERO, text);
                }
            }
            // Steps outside a checkout are logged in the store.
            Event::Announced { identity: Some(_), .. } => self.run.clear(),
            Event::Locked { change } if self.manner.verbosity > Verbosity::Quiet => {
                let text = format!("locked {}", escape::line(change));
                self.stamped((self.clock)(), &text);
            }
            Event::Retrieving { by, pkgs } if self.manner.verbosity > Verbosity::Quiet => {
                let text = format!("retrieving {}", words::retrieving(by, *pkgs));
                self.stamped((self.clock)(), &text);
            }
            Event::Fetched { pkgs, bytes, t_ms } if self.manner.verbosity > Verbosity::Quiet => {
                let (packages, bytes) = (words::count(*pkgs, "package"), words::bytes(*bytes));
                let text = format!("fetched {packages}, {bytes}");
                self.stamped(Duration::from_millis(*t_ms), &text);
            }
            Event::Evaluated { .. } if self.manner.verbosity > Verbosity::Quiet => {
                self.evaluated(event);
            }
            Event::WareUnpacking { ware, .. } if self.manner.verbosity >= Verbosity::Verbose => {
                self.stamped((self.clock)(), &format!("unpacking {ware}"));
            }
            Event::WareAltered { ware, .. } => {
                self.stamped((self.clock)(), &altered(ware));
            }
            Event::ActionStarted { .. } if self.held.is_some() => self.say(""),
            Event::ActionFinished(finished) => self.finished(finished),
            Event::Diagnostic(diagnostic) => {
                let Manner { detail, style, annotations, .. } = self.manner;
                let mut text = diagnostic::render(diagnostic, detail, style);
                if annotations {
                    text += &annotation::of(diagnostic);
                }
                self.say(&text);
            }
            Event::Trace { label, text } if self.manner.verbosity > Verbosity::Quiet => {
                for line in escape::lines(text) {
                    self.say(&format!("trace {}: {line}\n", escape::line(label)));
                }
            }
            Event::Linked { path, .. } if self.manner.verbosity >= Verbosity::Verbose => {
                let now = (self.clock)();
                self.stamped(now, &format!("linked {}", escape::line(path)));
            }
            Event::Finished { .. } => self.end(event),
            _ => {}
        }
    }

    fn tick(&mut self) {
        self.heartbeat();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::Warnings;
    use crate::clock::fixed;
    use crate::report::recorded;
    use crate::terminal::style::Style;
    use wake_steps::event::Status;

    fn shown(events: &[Event], annotations: bool, color: bool) -> String {
        let style = Style { color, unicode: false };
        let manner = Manner {
            warnings: Warnings::Ran,
            style,
            detail: Detail::Full,
            verbosity: Verbosity::Normal,
            annotations,
        };
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out, manner, fixed(Duration::ZERO));
        events.iter().for_each(|event| plain.event(event));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_build_that_fails() {
        assert_eq!(
            shown(&recorded::failing(), true, false),
            "[0:00.0] evaluated 3 modules of 2 packages (5 of 8 from cache)
[0:41.3] FAIL //web:bundle (exit 2, 12.4s)  node build.js
::error title=//web%3Abundle:://web:bundle failed: exit 2, 12.4s
  | error: no chart
  | \\x1b[2Jsee
  log: wake log -o //web:bundle
error: `./src/chart.ts` is not in the sandbox
 --> web/PKG.libsonnet:6:3
  |
6 |   files: ['./src/a.ts'],
  |   ^^^^^
  help: add it to files
::error file=web/PKG.libsonnet,line=6,col=3::`./src/chart.ts` is not in the sandbox
[0:41.4] FAILED 1 of 3 actions failed in 41.4s: //web:bundle; 1 ok, all cached, 1 skipped, log .wake/runs/7f3a.jsonl
failed: //web:bundle
"
        );
    }

    #[test]
    fn builds_that_succeed() {
        assert_eq!(
            shown(&recorded::remembered(), false, false),
            "[0:00.0] Finished 2 actions, all cached, in 0.04s (saved ~6m12s)\n"
        );
        assert_eq!(
            shown(&recorded::succeeding(), false, false),
            "[0:00.0] evaluated 3 modules of 2 packages (8 of 8 from cache)
trace //web:bundle: PKG:3 level\\x1b[2J
[0:01.3] Finished 2 actions (1 hit, 1 ran) in 1.3s (saved ~1.2s)
"
        );
    }

    #[test]
    fn without_colour_no_escape_is_written_and_with_it_only_ours() {
        assert!(!shown(&recorded::failing(), true, false).contains('\x1b'));
        let colored = shown(&recorded::failing(), true, true);
        let ours = ["\x1b[1;31m", "\x1b[1;36m", "\x1b[1m", "\x1b[0m"];
        let rest = ours.iter().fold(colored.clone(), |text, code| text.replace(code, ""));
        assert!(colored.contains('\x1b') && !rest.contains('\x1b'), "{rest:?}");
    }

    #[test]
    fn output_cannot_command_the_service() {
        let mut failed = recorded::action(0, "//a:b", Status::Failed, 1);
        failed.stderr_tail = "::stop-commands::x\n ::error::y\nz ##[command]w\n".into();
        let events =
            [recorded::announced(0, "//a:b", &[]), Event::ActionFinished(Box::new(failed))];
        let text = shown(&events, true, false);
        let commands: Vec<&str> =
            text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        assert_eq!(commands, ["::error title=//a%3Ab:://a:b failed: exit 2, 1.2s"]);
        assert!(!text.contains("##["), "{text}");
    }

    #[test]
    fn running_steps_are_reported_after_thirty_silent_seconds() {
        let style = Style { color: false, unicode: false };
        let manner = Manner {
            style,
            detail: Detail::Full,
            verbosity: Verbosity::Normal,
            warnings: Warnings::Ran,
            annotations: false,
        };
        let time = std::sync::Arc::new(std::sync::Mutex::new(Duration::ZERO));
        let reading = std::sync::Arc::clone(&time);
        let mut out = Vec::new();
        let mut plain = Plain::new(&mut out, manner, Box::new(move || *reading.lock().unwrap()));
        plain.event(&recorded::announced(0, "//a:b", &[]));
        plain.event(&recorded::started(0, "//a:b", 4_000));
        for seconds in [29, 32, 40, 61, 62] {
            *time.lock().unwrap() = Duration::from_secs(seconds);
            plain.tick();
        }
        assert_eq!(
            String::from_utf8_lossy(&out),
            "[0:32.0] 0/1 done, running: //a:b (28s)\n[1:02.0] 0/1 done, running: //a:b (58s)\n"
        );
    }
}
