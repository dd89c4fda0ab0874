//! The terminal reporter: lines that start with a verb, and a bar below them.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use wake_build::FetchGauge;
use wake_steps::event::{ActionFinished, Event, Reporter, Status};
use wake_steps::shell_line::shell_word;

use crate::clock::Clock;
use crate::manner::{Detail, Manner, Verbosity};
use crate::report::diagnostic;
use crate::report::places::Places;
use crate::report::screen::{Screen, Size};
use crate::report::summary::{Summary, Verdict};
use crate::report::tally::Tally;
use crate::report::{excerpt, live, transfer};
use crate::signals;
use crate::terminal::escape;
use crate::terminal::style::{Role, VERB_COLUMNS};
use crate::terminal::words;

/// The minimum time between redraws of the bar.
const FRAME: Duration = Duration::from_millis(100);
/// Shorter fetches are not shown.
const FETCH_WORTH_A_LINE: Duration = Duration::from_millis(300);

/// A reporter that writes lines with a right-aligned verb and, given a bar, live lines.
pub(crate) struct Verbs<W> {
    screen: Screen<W>,
    manner: Manner,
    clock: Clock,
    bar: Option<Bar>,
    tally: Tally,
    links: Vec<String>,
    /// Printed only once something runs or fails, so that a build with nothing to do is one line.
    held: Option<String>,
    places: Places,
}

/// The state of the live lines.
pub(crate) struct Bar {
    /// Returns the current size of the terminal.
    pub(crate) size: Box<dyn Fn() -> Size + Send>,
    /// When the bar was last drawn.
    pub(crate) drawn: Duration,
    /// The progress of fetching packages.
    pub(crate) gauge: Arc<FetchGauge>,
    /// When the current fetching of packages started, if any.
    pub(crate) fetching_since: Option<Duration>,
}

impl<W: Write> Verbs<W> {
    /// Makes a reporter that writes to `out`.
    pub(crate) fn new(out: W, manner: Manner, clock: Clock, bar: Option<Bar>) -> Self {
        Verbs {
            screen: Screen::new(out),
            manner,
            clock,
            bar,
            tally: Tally::default(),
            links: Vec::new(),
            held: None,
            places: Places::default(),
        }
    }

    fn say(&mut self, text: &str) {
        let held = self.held.take().unwrap_or_default();
        self.screen.log(&format!("{held}{text}"));
    }

    fn verb(&mut self, role: Role, verb: &str, rest: &str) {
        let line = self.manner.style.verb(role, verb, rest);
        self.say(&format!("{line}\n"));
    }

    fn hold_evaluated(&mut self, event: &Event) {
        let Event::Evaluated { pkgs, modules, evaluations, cached, t_ms } = event else { return };
        let cached = match *cached {
            0 => String::new(),
            cached if cached == *evaluations => " (all from cache)".to_owned(),
            cached => format!(" ({cached} of {evaluations} from cache)"),
        };
        let modules = words::count(*modules, "module");
        let packages = words::count(*pkgs, "package");
        let time = words::span_ms(*t_ms);
        let line = format!("{modules} of {packages} in {time}{cached}");
        let line = self.manner.style.verb(Role::Good, "Evaluated", line);
        self.held = Some(format!("{line}\n"));
    }

    fn finished(&mut self, finished: &ActionFinished) {
        let label = escape::line(&finished.label);
        let time = words::span_ms(finished.dur_ms);
        let because = escape::line(&finished.why);
        match finished.status {
            Status::Failed => self.failed(finished),
            Status::Ran if self.tally.tests.is_one(finished.id) => self.passed(finished),
            Status::Ran => {
                if self.manner.verbosity >= Verbosity::Verbose {
                    self.verb(Role::Good, "Ran", &format!("{label} in {time}: {because}"));
                }
                self.warned(finished);
            }
            Status::Skipped if self.manner.verbosity >= Verbosity::Verbose => {
                self.verb(Role::Caution, "Skipped", &format!("{label}: {because}"));
            }
            Status::Hit => {
                if self.manner.verbosity >= Verbosity::Everything {
                    self.verb(Role::Faint, "Hit", &format!("{label} (saved {time})"));
                }
                self.warned(finished);
            }
            _ => {}
        }
    }

    /// Reports a test that ran and passed.
    fn passed(&mut self, finished: &ActionFinished) {
        if self.manner.verbosity == Verbosity::Quiet {
            return;
        }
        let label = escape::line(&finished.label);
        let time = words::span_ms(finished.dur_ms);
        self.verb(Role::Good, "Passed", &format!("{label} in {time}{}", attempts(finished)));
    }

    fn warned(&mut self, finished: &ActionFinished) {
        let lines = excerpt::warnings(finished, self.manner.warnings);
        let heard = self.tally.was_heard(finished.id);
        if lines.is_empty() || heard || self.manner.verbosity == Verbosity::Quiet {
            return;
        }
        let style = self.manner.style;
        let head = format!("by {}", style.paint(Role::Strong, escape::line(&finished.label)));
        let mut text = format!("{}\n", style.verb(Role::Caution, "Warned", head));
        let margin = " ".repeat(VERB_COLUMNS + 1);
        for line in &lines {
            let line = self.places.seen_from_root(&finished.label, line);
            text += &format!("{margin}{}\n", line.trim_end());
        }
        self.say(&text);
    }

    /// Reports a failed command, with an excerpt of its output and how to see the rest.
    fn failed(&mut self, finished: &ActionFinished) {
        let style = self.manner.style;
        let label = escape::line(&finished.label);
        let command = words::command(&finished.command);
        let command = escape::line(&command);
        if self.manner.detail == Detail::Short {
            let how = how(finished);
            return self.say(&format!("{label}: {}: {how}\n", style.paint(Role::Bad, "failed")));
        }
        let head = style.paint(Role::Strong, &label);
        let mut head = format!("{head} ({})", how(finished));
        if !command.is_empty() {
            head += &format!("  {}", style.paint(Role::Faint, command));
        }
        let mut text = format!("{}\n", style.verb(Role::Bad, "Failed", head));
        let margin = " ".repeat(VERB_COLUMNS + 1);
        for line in finished.faults.iter().map(|fault| escape::line(fault)) {
            text += &format!("{margin}{}\n", style.paint(Role::Strong, line));
        }
        for line in excerpt::of(finished) {
            let line = self.places.seen_from_root(&finished.label, &line);
            text += &format!("{margin}{}\n", line.trim_end());
        }
        for help in finished.help.iter().map(|help| escape::line(help)) {
            text += &format!("{margin}{} {help}\n", style.paint(Role::Guide, "help:"));
        }
        if finished.outcome.is_some() {
            let log = style.paint(Role::Guide, "log:");
            text += &format!(
                "{margin}{log} wake log -o {}\n",
                escape::line(&shell_word(&finished.label))
            );
        }
        self.say(&text);
    }

    fn links(&mut self) {
        let quiet = self.tally.counts.ran == 0 && self.manner.verbosity < Verbosity::Verbose;
        let links = std::mem::take(&mut self.links);
        match links.as_slice() {
            [] => {}
            _ if quiet => {}
            links if links.len() > MOST_LINKS => {
                let rest = format!("{} results below .wake/out", links.len());
                self.verb(Role::Good, "Linked", &rest);
            }
            links => links.iter().for_each(|link| self.verb(Role::Good, "Linked", link)),
        }
    }

    fn end(&mut self, event: &Event) {
        self.screen.live(Vec::new());
        self.bar = None;
        self.links();
        let failed = std::mem::take(&mut self.tally.failed);
        let Some(ending) = Summary::of(event, &failed, self.tally.errors) else { return };
        self.held = None;
        if let Some(tests) = self.tally.tests.sentence()
            && self.manner.verbosity > Verbosity::Quiet
        {
            self.verb(Role::Good, "Tested", &tests);
        }
        let sentence = ending.sentence();
        match ending.verdict() {
            Verdict::Finished if self.manner.verbosity == Verbosity::Quiet => {}
            Verdict::Finished => self.verb(Role::Good, "Finished", &sentence),
            Verdict::Failed => self.verb(Role::Bad, "Error", &sentence),
            Verdict::Interrupted => self.verb(Role::Caution, "Interrupted", &sentence),
        }
    }

    fn draw(&mut self) {
        let now = (self.clock)();
        let Some(bar) = &mut self.bar else { return };
        if signals::take_resumed() {
            self.screen.forget();
        } else if now < bar.drawn + FRAME {
            return;
        }
        bar.drawn = now;
        let size = (bar.size)();
        let fetching = bar.gauge.now().filter(|_| self.tally.counts.total == 0);
        let since = fetching.map(|_| bar.fetching_since.unwrap_or(now));
        bar.fetching_since = since;
        let lines = match (fetching, since) {
            (Some(fetching), Some(since)) if now >= since + FETCH_WORTH_A_LINE => {
                let elapsed = now.saturating_sub(since);
                vec![transfer::fetching_line(fetching, elapsed, size.columns, self.manner.style)]
            }
            _ => live::lines(&self.tally, now, size, self.manner.style),
        };
        self.screen.live(lines);
    }
}

/// The maximum number of links to list individually.
const MOST_LINKS: usize = 8;

/// Describes how and when a command ended, `exit 2, 12.4s`. If none ran, the reason has already been reported.
pub(crate) fn how(finished: &ActionFinished) -> String {
    let time = words::span_ms(finished.dur_ms);
    match &finished.outcome {
        None => "no result".to_owned(),
        Some(outcome) => format!("{}, {time}", escape::line(outcome)),
    }
}

/// Describes the attempts of a test; empty if it passed at once.
pub(crate) fn attempts(finished: &ActionFinished) -> String {
    match finished.test {
        Some(runs) if runs.failures > 0 => {
            format!(" (flaky: failed {} of {} times)", runs.failures, runs.attempts)
        }
        Some(runs) if runs.attempts > 1 => format!(" ({} times)", runs.attempts),
        _ => String::new(),
    }
}

/// The message about a ware whose unpacked files were modified.
pub(crate) fn altered(ware: &wake_model::WareId) -> String {
    format!("{ware} was modified in the store: unpacking it again")
}

impl<W: Write> Reporter for Verbs<W> {
    fn event(&mut self, event: &Event) {
        self.tally.event(event);
        if let Event::Started { root, .. } = event {
            self.places = Places::below(root);
        }
        match event {
            Event::Started { sandbox, .. } if sandbox == "weak" => {
                let rest = "the sandbox is weak: commands can see more than they declare";
                self.verb(Role::Caution, "Warning", rest);
            }
            Event::Locked { change } if self.manner.verbosity > Verbosity::Quiet => {
                self.verb(Role::Good, "Locked", &escape::line(change));
            }
            Event::Retrieving { by, pkgs } if self.manner.verbosity > Verbosity::Quiet => {
                self.verb(Role::Good, "Retrieving", &words::retrieving(by, *pkgs));
            }
            Event::Fetched { pkgs, bytes, t_ms } if self.manner.verbosity > Verbosity::Quiet => {
                let (packages, bytes) = (words::count(*pkgs, "package"), words::bytes(*bytes));
                let rest = format!("{packages}, {bytes} in {}", words::span_ms(*t_ms));
                self.verb(Role::Good, "Fetched", &rest);
            }
            Event::Evaluated { .. } if self.manner.verbosity > Verbosity::Quiet => {
                self.hold_evaluated(event);
            }
            Event::ActionStarted { label, .. } => {
                if self.held.is_some() {
                    self.say("");
                }
                if self.manner.verbosity >= Verbosity::Everything {
                    self.verb(Role::Guide, "Running", &escape::line(label));
                }
            }
            Event::WareUnpacking { ware, .. } if self.manner.verbosity >= Verbosity::Verbose => {
                self.verb(Role::Good, "Unpacking", &ware.to_string());
            }
            Event::WareAltered { ware, .. } => {
                self.verb(Role::Caution, "Warning", &altered(ware));
            }
            Event::ActionFinished(finished) => self.finished(finished),
            Event::Diagnostic(diagnostic) => {
                let Manner { detail, style, .. } = self.manner;
                self.say(&diagnostic::render(diagnostic, detail, style));
            }
            Event::Trace { label, text } if self.manner.verbosity > Verbosity::Quiet => {
                for line in escape::lines(text) {
                    self.verb(Role::Guide, "Trace", &format!("{}: {line}", escape::line(label)));
                }
            }
            Event::Linked { path, .. } if self.manner.verbosity > Verbosity::Quiet => {
                self.links.push(escape::line(path).into_owned());
            }
            Event::Finished { .. } => self.end(event),
            _ => {}
        }
        self.draw();
    }

    fn tick(&mut self) {
        self.draw();
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

    fn manner(verbosity: Verbosity, detail: Detail) -> Manner {
        let style = Style { color: false, unicode: true };
        Manner { style, detail, verbosity, warnings: Warnings::Ran, annotations: false }
    }

    fn shown(events: &[Event], manner: Manner) -> String {
        let mut out = Vec::new();
        let mut verbs = Verbs::new(&mut out, manner, fixed(Duration::ZERO), None);
        events.iter().for_each(|event| verbs.event(event));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_build_that_fails() {
        assert_eq!(
            shown(&recorded::failing(), manner(Verbosity::Normal, Detail::Full)),
            "   Evaluated 3 modules of 2 packages in 0.09s (5 of 8 from cache)
      Failed //web:bundle (exit 2, 12.4s)  node build.js
             error: no chart
             \\x1b[2Jsee
             log: wake log -o //web:bundle
error: `./src/chart.ts` is not in the sandbox
 --> web/PKG.libsonnet:6:3
  |
6 |   files: ['./src/a.ts'],
  |   ^^^^^
  help: add it to files
       Error 1 of 3 actions failed in 41.4s: //web:bundle; 1 ok, all cached, 1 skipped
"
        );
    }

    #[test]
    fn a_command_that_succeeds_with_wrong_outputs() {
        let mut failed = recorded::action(0, "//a:b", Status::Failed, 1_000);
        (failed.outcome, failed.exit) = (Some("exit 0".into()), Some(0));
        failed.faults = vec!["`./out.txt` was declared and is not there".into()];
        failed.stdout_tail = "wrote out.text\n".into();
        let events = [recorded::announced(0, "//a:b", &[]), Event::ActionFinished(failed.into())];
        assert_eq!(
            shown(&events, manner(Verbosity::Normal, Detail::Full)),
            "      Failed //a:b (exit 0, 1.2s)  ./build.sh
             `./out.txt` was declared and is not there
             wrote out.text
             log: wake log -o //a:b
"
        );
    }

    #[test]
    fn a_build_that_fails_in_short() {
        assert_eq!(
            shown(&recorded::failing(), manner(Verbosity::Quiet, Detail::Short)),
            "//web:bundle: failed: exit 2, 12.4s
web/PKG.libsonnet:6:3: error: `./src/chart.ts` is not in the sandbox
       Error 1 of 3 actions failed in 41.4s: //web:bundle; 1 ok, all cached, 1 skipped
"
        );
    }

    #[test]
    fn a_build_that_fetches() {
        assert_eq!(
            shown(&recorded::fetching(), manner(Verbosity::Normal, Detail::Full)),
            "      Locked + acme/greet 1.2.0
  Retrieving 2 packages by //wheels
     Fetched 2 packages, 512 B in 0.07s
"
        );
        assert_eq!(shown(&recorded::fetching(), manner(Verbosity::Quiet, Detail::Full)), "");
    }

    #[test]
    fn a_build_that_succeeds() {
        assert_eq!(
            shown(&recorded::succeeding(), manner(Verbosity::Normal, Detail::Full)),
            "   Evaluated 3 modules of 2 packages in 0.09s (all from cache)
       Trace //web:bundle: PKG:3 level\\x1b[2J
      Linked .wake/out/web/bundle
    Finished 2 actions (1 hit, 1 ran) in 1.3s (saved ~1.2s)
"
        );
        let everything =
            shown(&recorded::succeeding(), manner(Verbosity::Everything, Detail::Full));
        assert!(everything.contains("         Hit //lex:lex (saved 1.2s)\n"), "{everything}");
        assert!(everything.contains("         Ran //web:bundle in 1.2s: no earlier run\n"));
    }

    #[test]
    fn a_build_with_nothing_to_do_is_one_line_and_quietly_none() {
        assert_eq!(
            shown(&recorded::remembered(), manner(Verbosity::Normal, Detail::Full)),
            "    Finished 2 actions, all cached, in 0.04s (saved ~6m12s)\n"
        );
        assert_eq!(shown(&recorded::remembered(), manner(Verbosity::Quiet, Detail::Full)), "");
    }

    #[test]
    fn a_weak_sandbox_is_never_silent() {
        let text = shown(&[recorded::begun("weak")], manner(Verbosity::Quiet, Detail::Full));
        assert!(text.starts_with("     Warning the sandbox is weak"), "{text}");
    }

    #[test]
    fn the_bar_is_drawn_ten_times_a_second_and_leaves_nothing_behind() {
        let mut out = Vec::new();
        let time = Arc::new(std::sync::Mutex::new(Duration::ZERO));
        let reading = Arc::clone(&time);
        let bar = Bar {
            size: Box::new(|| Size { columns: 60, rows: 24 }),
            drawn: Duration::ZERO,
            gauge: Arc::default(),
            fetching_since: None,
        };
        let set = |to: Duration| *time.lock().unwrap() = to;
        let manner = manner(Verbosity::Normal, Detail::Full);
        let clock: Clock = Box::new(move || *reading.lock().unwrap());
        let mut verbs = Verbs::new(&mut out, manner, clock, Some(bar));
        let events = recorded::succeeding();
        verbs.event(&events[0]);
        let mut now = Duration::ZERO;
        for event in &events[3..7] {
            now += Duration::from_millis(30);
            set(now);
            verbs.event(event);
        }
        set(Duration::from_millis(1_150));
        verbs.tick();
        events[7..].iter().for_each(|event| verbs.event(event));
        let text = String::from_utf8_lossy(&out).into_owned();
        let first = "    Building [=========>>>>>>>>>] 1/2  hit 1  running 1  0s";
        assert!(text.starts_with(first), "{text:?}");
        assert!(text.contains("\r\x1b[J    Building [=="), "{text:?}");
        // Two frames, then the bar is erased and only the log remains.
        assert_eq!(text.matches("Building").count(), 2, "{text:?}");
        let end = "\r\x1b[1A\x1b[J      Linked .wake/out/web/bundle\n    Finished 2 actions (1 hit, 1 ran) in 1.3s (saved ~1.2s)\n";
        assert!(text.ends_with(end), "{text:?}");
    }
}
