//! A scrolling log, with live lines below it that are redrawn in place.

use std::io::Write;

use crate::terminal::style::VERB_COLUMNS;
use crate::terminal::width;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns.
    pub(crate) columns: usize,
    /// Rows.
    pub(crate) rows: usize,
}

/// The output: standard error, or a buffer in tests.
///
/// Write errors are ignored: a closed stream does not fail a build.
pub(crate) struct Screen<W> {
    out: W,
    live: Vec<String>,
}

impl<W: Write> Screen<W> {
    /// Makes an empty screen.
    pub(crate) fn new(out: W) -> Self {
        Screen { out, live: Vec::new() }
    }

    /// Appends whole lines to the log, above the live lines.
    pub(crate) fn log(&mut self, text: &str) {
        let frame = format!("{}{text}{}", self.erasure(), self.live.join("\n"));
        self.write(&frame);
    }

    /// Replaces the live lines; each must fit the terminal's width.
    pub(crate) fn live(&mut self, lines: Vec<String>) {
        if lines == self.live {
            return;
        }
        let frame = format!("{}{}", self.erasure(), lines.join("\n"));
        self.live = lines;
        self.write(&frame);
    }

    /// Forgets where the live lines were, because something else has written since, such as a shell after
    /// Ctrl-Z.
    pub(crate) fn forget(&mut self) {
        self.live.clear();
    }

    /// Writes a frame at once, so that a terminal never shows half of one.
    fn write(&mut self, frame: &str) {
        let _ = self.out.write_all(frame.as_bytes()).and_then(|()| self.out.flush());
    }

    /// Returns the sequence that erases the live lines and moves the cursor to the start of the first.
    fn erasure(&self) -> String {
        match self.live.len() {
            0 => String::new(),
            1 => "\r\x1b[J".to_owned(),
            lines => format!("\r\x1b[{}A\x1b[J", lines - 1),
        }
    }
}

/// Returns the size of the terminal at standard error; if unknown, `columns`, or else 80 by 24.
pub(crate) fn of_stderr(columns: Option<usize>) -> Size {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => Size { columns: columns.unwrap_or(80), rows: 24 },
    }
}

/// Cuts `line` to fit a terminal of `columns` without wrapping.
///
/// One column stays free: some terminals wrap when the last one is written.
pub(crate) fn fit(line: &str, columns: usize) -> String {
    width::cut_end(line, columns.saturating_sub(1))
}

/// Fits a bar and `facts` beside a verb, without the bar if it would be too short to be useful.
pub(crate) fn beside_verb(
    facts: &str,
    columns: usize,
    bar: impl FnOnce(usize) -> Option<String>,
) -> String {
    // The verb, a blank, two brackets, a blank, and the last column of the terminal.
    let left = columns.saturating_sub(VERB_COLUMNS + width::columns(facts) + 5);
    let bar = if left < 10 { None } else { bar(left.min(30)) };
    let text = bar.map_or_else(|| facts.to_owned(), |bar| format!("[{bar}] {facts}"));
    fit(&text, columns.saturating_sub(VERB_COLUMNS + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(use_it: impl FnOnce(&mut Screen<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        use_it(&mut Screen::new(&mut out));
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn the_log_scrolls_above_the_live_lines() {
        let text = written(|screen| {
            screen.live(vec!["a".into(), "b".into()]);
            screen.log("line\n");
            screen.live(vec![]);
        });
        assert_eq!(text, "a\nb\r\x1b[1A\x1b[Jline\na\nb\r\x1b[1A\x1b[J");
    }

    #[test]
    fn the_same_lines_are_not_drawn_twice() {
        let text = written(|screen| {
            screen.live(vec!["a".into()]);
            screen.live(vec!["a".into()]);
            screen.forget();
            screen.live(vec!["a".into()]);
        });
        assert_eq!(text, "aa");
    }
}
