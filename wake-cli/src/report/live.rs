//! The live lines at the bottom of the terminal during a build.

use std::time::Duration;

use crate::report::screen::{Size, beside_verb, fit};
use crate::report::tally::{Parts, Running, Tally};
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::width::{columns, cut_middle, pad};
use crate::terminal::words;

/// How long a command runs before it gets its own line.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Returns the bar, and below it the long-running commands, in at most a third of the terminal.
pub(crate) fn lines(tally: &Tally, now: Duration, size: Size, style: Style) -> Vec<String> {
    if tally.counts.total == 0 {
        let line = style.verb(Role::Guide, "Evaluating", words::clock(now));
        return if now < WORTH_A_LINE { Vec::new() } else { vec![line] };
    }
    let mut lines = vec![bar_line(tally, now, size.columns, style)];
    lines.extend(running_lines(tally, now, size, style));
    lines
}

fn bar_line(tally: &Tally, now: Duration, room: usize, style: Style) -> String {
    let parts = tally.parts();
    let mut facts = format!("{}/{}", parts.done, tally.counts.total);
    let numbers = [
        ("hit", tally.counts.hit),
        ("ran", tally.counts.ran),
        ("failed", tally.counts.failed),
        ("running", parts.running),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        facts += &format!("  {name} {number}");
    }
    facts += &format!("  {}", words::clock(now));
    let estimate = tally.estimate(now).filter(|left| left.as_secs() > 0);
    if let Some(left) = estimate {
        facts += &format!("  eta ~{}", words::clock(left));
    }
    style.verb(Role::Guide, "Building", beside_verb(&facts, room, |room| Some(bar(parts, room))))
}

/// Draws the bar: done `=`, running `>`, ready `-`, unknown `.`; each non-empty part takes at least one column.
fn bar(parts: Parts, room: usize) -> String {
    let Parts { done, running, ready, unknown } = parts;
    let total = (done + running + ready + unknown).max(1);
    let edge = |steps: usize| (steps * room).div_ceil(total).min(room);
    let edges = [edge(done), edge(done + running), edge(done + running + ready), room];
    let full = if done == total { room } else { edges[0].min(room - 1) };
    let mut bar = "=".repeat(full);
    for (edge, glyph) in edges[1..].iter().zip([">", "-", "."]) {
        bar += &glyph.repeat(edge.saturating_sub(bar.len()));
    }
    bar
}

fn running_lines(tally: &Tally, now: Duration, size: Size, style: Style) -> Vec<String> {
    let mut running = tally.running();
    running.retain(|running| now.saturating_sub(running.since) >= WORTH_A_LINE);
    let room = (size.rows / 3).saturating_sub(1);
    let shown = if running.len() > room { room.saturating_sub(1) } else { running.len() };
    let hidden = running.len() - shown;
    let label_room = running[..shown]
        .iter()
        .map(|running| columns(&escape::line(&running.label)))
        .max()
        .unwrap_or(0)
        .min(size.columns.saturating_sub(30).max(16));
    let mut lines: Vec<String> = running[..shown]
        .iter()
        .map(|running| running_line(running, now, label_room, style))
        .collect();
    if hidden > 0 && room > 0 {
        lines.push(format!("{hidden} more"));
    }
    let last = lines.len().saturating_sub(1);
    for (at, line) in lines.iter_mut().enumerate() {
        let branch = if at == last { style.glyph("└", "`-") } else { style.glyph("├", "|-") };
        *line = style.paint(Role::Faint, fit(&format!("   {branch} {line}"), size.columns));
    }
    lines
}

fn running_line(running: &Running, now: Duration, label_room: usize, style: Style) -> String {
    let label = cut_middle(&escape::line(&running.label), label_room, style.glyph("…", ".."));
    let clock = words::clock(now.saturating_sub(running.since));
    let usual = running.usual.filter(|usual| usual.as_secs() > 0);
    let usual = usual.map_or_else(String::new, |usual| format!(" (usual {})", words::clock(usual)));
    format!("{}  {clock}{usual}", pad(&label, label_room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::{announced, finished, started};
    use crate::terminal::style::VERB_COLUMNS;
    use wake_steps::event::{Event, Status};

    const PLAIN: Style = Style { color: false, unicode: true };

    fn tally(events: Vec<Event>) -> Tally {
        let mut tally = Tally::default();
        events.iter().for_each(|event| tally.event(event));
        tally
    }

    fn some() -> Tally {
        tally(vec![
            announced(0, "//compiler:core", &[]),
            announced(1, "//web:bundle", &[]),
            announced(2, "//fmt:fmt", &[]),
            announced(3, "//docs:site", &[1]),
            announced(4, "//lex:lex", &[]),
            started(0, "//compiler:core", 1_000),
            finished(2, "//fmt:fmt", Status::Hit, 1_000),
            started(1, "//web:bundle", 3_000),
        ])
    }

    #[test]
    fn parts_of_the_bar() {
        let parts = |done, running, ready, unknown| Parts { done, running, ready, unknown };
        assert_eq!(bar(parts(5, 1, 2, 2), 10), "=====>--..");
        assert_eq!(bar(parts(10, 0, 0, 0), 10), "==========");
        // Never full before the end, and running steps are always visible.
        assert_eq!(bar(parts(999, 1, 0, 0), 10), "=========>");
        assert_eq!(bar(parts(0, 1, 0, 999), 10), ">.........");
        assert_eq!(bar(parts(0, 0, 0, 0), 3), "...");
    }

    #[test]
    fn a_wide_terminal() {
        let size = Size { columns: 100, rows: 30 };
        let now = Duration::from_millis(3_500);
        assert_eq!(
            lines(&some(), now, size, PLAIN),
            [
                "    Building [======>>>>>>>>>>>>------......] 1/5  hit 1  running 2  3s",
                "   └ //compiler:core  2s",
            ]
        );
        let later = lines(&some(), Duration::from_secs(64), size, PLAIN);
        assert_eq!(later[1], "   ├ //compiler:core  1m03s");
        assert_eq!(later[2], "   └ //web:bundle     1m01s");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns_there in 1..120 {
            let size = Size { columns: columns_there, rows: 12 };
            for line in lines(&some(), Duration::from_secs(64), size, PLAIN) {
                let room = columns_there.max(VERB_COLUMNS + 2);
                assert!(columns(&line) < room, "{columns_there}: {line}");
            }
        }
    }

    #[test]
    fn a_low_terminal_shows_some_and_counts_the_rest() {
        let mut events = Vec::new();
        for id in 0..9 {
            events.push(announced(id, "//a:b", &[]));
            events.push(started(id, "//a:b", 0));
        }
        let size = Size { columns: 80, rows: 12 };
        let plain = Style { color: false, unicode: false };
        let lines = lines(&tally(events), Duration::from_secs(2), size, plain);
        assert_eq!(lines[1..], ["   |- //a:b  2s", "   |- //a:b  2s", "   `- 7 more"]);
    }

    #[test]
    fn evaluation_is_named_once_it_takes_a_second() {
        let size = Size { columns: 80, rows: 24 };
        let nothing = Tally::default();
        assert_eq!(lines(&nothing, Duration::from_millis(999), size, PLAIN), [""; 0]);
        assert_eq!(lines(&nothing, Duration::from_secs(2), size, PLAIN), ["  Evaluating 2s"]);
    }
}
