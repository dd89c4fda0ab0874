//! Rendering of diagnostics for people.

use std::fmt::Write;
use std::io::Write as _;

use wake_steps::diagnostic::{Diagnostic, Level, Place};

use crate::manner::{Detail, Manner};
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::width;

/// Writes `diagnostic` to standard error.
pub(crate) fn tell(diagnostic: &Diagnostic, manner: Manner) {
    let text = render(diagnostic, manner.detail, manner.style);
    // A closed standard error is not an error.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Renders `diagnostic` as text that ends in a line break.
pub(crate) fn render(diagnostic: &Diagnostic, detail: Detail, style: Style) -> String {
    match detail {
        Detail::Full => full(diagnostic, style),
        Detail::Short => short(diagnostic, style),
    }
}

fn full(diagnostic: &Diagnostic, style: Style) -> String {
    let mut lines = escape::lines(&diagnostic.message).into_iter();
    let first = lines.next().unwrap_or_default();
    let mut out =
        format!("{}: {}\n", level(diagnostic.level, style), style.paint(Role::Strong, first));
    // Longer reasoning, `because … and …`, follows below its heading.
    for line in lines {
        indent(&mut out, 2, &line);
    }
    let gutter = diagnostic.place.as_ref().map_or(0, |place| digits(place.line));
    if let Some(place) = &diagnostic.place {
        quote(&mut out, place, diagnostic.level, style);
    }
    for note in &diagnostic.notes {
        let lead = format!("{}{} ", " ".repeat(gutter + 1), style.paint(Role::Guide, "="));
        hang(&mut out, &lead, gutter + 3, "note", note, style);
    }
    for help in &diagnostic.help {
        hang(&mut out, &" ".repeat(gutter + 1), gutter + 1, "help", help, style);
    }
    out
}

fn short(diagnostic: &Diagnostic, style: Style) -> String {
    let place = diagnostic.place.as_ref().map_or_else(String::new, |place| {
        format!("{}:{}:{}: ", escape::line(&place.file), place.line, place.column)
    });
    let message = escape::lines(&diagnostic.message).join(" ");
    format!("{place}{}: {message}\n", level(diagnostic.level, style))
}

/// Returns the level word of a diagnostic.
fn level(level: Level, style: Style) -> String {
    match level {
        Level::Error => style.paint(Role::Bad, "error"),
        Level::Warning => style.paint(Role::Caution, "warning"),
    }
}

/// Appends the source line, with carets below the marked part.
fn quote(out: &mut String, place: &Place, level: Level, style: Style) {
    let gutter = " ".repeat(digits(place.line));
    let bar = style.paint(Role::Guide, "|");
    let arrow = style.paint(Role::Guide, "-->");
    let file = escape::line(&place.file);
    push_line(out, format_args!("{gutter}{arrow} {file}:{}:{}", place.line, place.column));
    if place.source_line.is_empty() && place.label.is_none() {
        return;
    }
    let window = Window::of(place);
    let role = if level == Level::Error { Role::Bad } else { Role::Caution };
    let carets = style.paint(role, "^".repeat(window.carets));
    let label = place
        .label
        .as_ref()
        .map_or_else(String::new, |label| format!(" {}", style.paint(role, escape::line(label))));
    let number = style.paint(Role::Guide, place.line);
    push_line(out, format_args!("{gutter} {bar}"));
    push_line(out, format_args!("{number} {bar} {}", window.text));
    push_line(out, format_args!("{gutter} {bar} {}{carets}{label}", " ".repeat(window.before)));
}

/// The shown part of a source line, with the carets' position in terminal columns.
struct Window {
    text: String,
    before: usize,
    carets: usize,
}

/// The maximum number of characters of a source line to show; generated files can have very long lines.
const LONGEST_QUOTE: usize = 160;

impl Window {
    fn of(place: &Place) -> Self {
        let characters: Vec<char> = place.source_line.chars().collect();
        let from = place.column.saturating_sub(1).min(characters.len());
        let to = place.end_column.saturating_sub(1).clamp(from, characters.len());
        let start = if characters.len() > LONGEST_QUOTE { from.saturating_sub(60) } else { 0 };
        let end = characters.len().min(start + LONGEST_QUOTE);
        let part = |range: std::ops::Range<usize>| {
            let text: String = characters[range].iter().collect();
            escape::line(&text).into_owned()
        };
        let marked = to.min(end);
        Window {
            text: part(start..end),
            before: width::columns(&part(start..from)),
            carets: width::columns(&part(from..marked)).max(1),
        }
    }
}

/// Appends a labelled text, with further lines aligned below the first.
fn hang(out: &mut String, lead: &str, lead_columns: usize, label: &str, text: &str, style: Style) {
    let mut lines = escape::lines(text).into_iter();
    let first = lines.next().unwrap_or_default();
    push_line(out, format_args!("{lead}{}: {first}", style.paint(Role::Guide, label)));
    for line in lines {
        indent(out, lead_columns + label.len() + 2, &line);
    }
}

fn indent(out: &mut String, columns: usize, line: &str) {
    push_line(out, format_args!("{}{}", " ".repeat(columns), line.trim_end()));
}

/// Appends a line without trailing blanks.
fn push_line(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{line}");
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use wake_steps::diagnostic::Class;

    const PLAIN: Style = Style { color: false, unicode: true };

    fn place(source: &str, column: usize, end_column: usize, label: Option<&str>) -> Place {
        Place {
            file: "tools/fmt/fmt.libsonnet".into(),
            line: 14,
            column,
            end_column,
            source_line: source.into(),
            label: label.map(str::to_owned),
        }
    }

    #[test]
    fn the_whole_form() {
        let source = "    outptus: function(wake, pkg) { bin: './bin/fmt' },";
        let label = Some("did you mean `outputs`?");
        let diagnostic =
            Diagnostic::error(Class::Evaluation, "unknown field `outptus` in module()")
                .at(Some(place(source, 5, 12, label)))
                .note("module() called from tools/fmt/PKG.libsonnet:9:13")
                .help("fields of module(): name, pkg, modules\nsee the API");
        assert_eq!(
            full(&diagnostic, PLAIN),
            "\
error: unknown field `outptus` in module()
  --> tools/fmt/fmt.libsonnet:14:5
   |
14 |     outptus: function(wake, pkg) { bin: './bin/fmt' },
   |     ^^^^^^^ did you mean `outputs`?
   = note: module() called from tools/fmt/PKG.libsonnet:9:13
   help: fields of module(): name, pkg, modules
         see the API
"
        );
        assert_eq!(
            short(&diagnostic, PLAIN),
            "tools/fmt/fmt.libsonnet:14:5: error: unknown field `outptus` in module()\n"
        );
    }

    #[test]
    fn reasoning_without_a_place() {
        let diagnostic = Diagnostic::error(
            Class::Resolution,
            "no versions satisfy the constraints\nbecause a needs b\nthere is no solution.",
        )
        .help("relax b");
        assert_eq!(
            full(&diagnostic, PLAIN),
            "\
error: no versions satisfy the constraints
  because a needs b
  there is no solution.
 help: relax b
"
        );
    }

    #[test]
    fn carets_stand_below_wide_characters_and_tabs() {
        let diagnostic = Diagnostic::error(Class::Evaluation, "x").at(Some(place(
            "\t'漢字' + oops",
            9,
            13,
            None,
        )));
        let text = full(&diagnostic, PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "14 |     '漢字' + oops");
        // Four for the tab, two quotes, four for two wide characters, three for the plus: 13.
        assert_eq!(lines[4], format!("   | {}^^^^", " ".repeat(13)));
    }

    #[test]
    fn endless_lines_are_cut_around_the_caret() {
        let source = format!("{}oops{}", "a".repeat(5000), "b".repeat(5000));
        let diagnostic =
            Diagnostic::error(Class::Evaluation, "x").at(Some(place(&source, 5001, 5005, None)));
        let text = full(&diagnostic, PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3].len(), "14 | ".len() + LONGEST_QUOTE);
        let caret = lines[4].find('^').map(|at| &lines[3][at..at + 4]);
        assert_eq!(caret, Some("oops"));
    }

    #[test]
    fn impossible_columns_do_no_harm() {
        for (column, end_column) in [(0, 0), (9, 3), (100, 200), (1, 1)] {
            let diagnostic = Diagnostic::error(Class::Evaluation, "x")
                .at(Some(place("short", column, end_column, None)));
            assert!(full(&diagnostic, PLAIN).contains('^'));
        }
    }

    #[test]
    fn hostile_names_are_escaped() {
        let mut hostile = place("local x = '\x1b[2J'", 1, 6, Some("\x1b]0;x\x07"));
        hostile.file = "a\nb\x1b[2J".into();
        let diagnostic = Diagnostic::error(Class::Evaluation, "bad `\x1b[2J`").at(Some(hostile));
        for detail in [Detail::Full, Detail::Short] {
            let text = render(&diagnostic, detail, PLAIN);
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
        assert_eq!(full(&diagnostic, PLAIN).lines().count(), 5);
    }

    #[test]
    fn colours_mark_level_and_caret() {
        let style = Style { color: true, unicode: true };
        let mut diagnostic = Diagnostic::error(Class::Evaluation, "x");
        diagnostic.level = Level::Warning;
        assert_eq!(full(&diagnostic, style), "\x1b[1;33mwarning\x1b[0m: \x1b[1mx\x1b[0m\n");
    }
}
