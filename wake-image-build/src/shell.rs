//! The lines of `@run` as one script that reports the line in which it stopped.

use wake_velocity::template::Run;

/// Written to standard error before the number of that line.
const STOPPED: &str = "wake: stopped in line ";
const OF: &str = " of @run";

/// Joins the commands to a script. A failing command ends it, wherever in its line it is.
///
/// If a command spans several lines, nothing can be inserted between them, and the first line stands for all.
pub(crate) fn script(run: &[Run]) -> String {
    let mut script = BEGIN.replace("SAID", &stopped_in("$wake_line"));
    let mut open = Open::default();
    for (number, run) in run.iter().enumerate() {
        if open.is_closed() {
            script.push_str(&format!("wake_at {}\n", number + 1));
        }
        let text = text(run);
        open.read(&text);
        script.push_str(&text);
        script.push('\n');
    }
    if open.is_closed() {
        script.push_str("wake_at end\n");
    }
    script
}

/// Between commands this behaves like `&&`.
const BEGIN: &str = r#"set -e
wake_at() { wake_status=$?; [ "$wake_status" -eq 0 ] || exit "$wake_status"; wake_line=$1; }
trap 'wake_status=$?; [ "$wake_status" -eq 0 ] || echo "SAID" >&2' EXIT
"#;

/// A line of `@run` as shell code.
pub(crate) fn text(run: &Run) -> String {
    match run {
        Run::Command(line) => line.with(|name| format!("${name}")),
        Run::Export(env) => {
            let text = |line: &wake_velocity::template::Line| line.with(|name| format!("${name}"));
            format!("export {}=\"{}\"", text(&env.name), text(&env.value))
        }
    }
}

/// The message with which a script reports the line.
pub(crate) fn stopped_in(line: &str) -> String {
    format!("{STOPPED}{line}{OF}")
}

/// The number, from 0, of the line in which the script that wrote `log` stopped. Tools may add prefixes to the
/// output.
pub(crate) fn stopped(log: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(log);
    let number = |line: &str| {
        let (_, rest) = line.trim_end().rsplit_once(STOPPED)?;
        rest.strip_suffix(OF)?.parse::<usize>().ok()?.checked_sub(1)
    };
    text.lines().rev().find_map(number)
}

/// What a shell still expects at the end of a line.
#[derive(Debug, Default)]
pub(crate) struct Open {
    quote: Option<char>,
    /// Compound commands, braces and parentheses.
    depth: usize,
    /// Those of them that end in `esac`, where a parenthesis ends a pattern.
    cases: usize,
    goes_on: bool,
    /// A here-document, which may extend to the end of the script.
    document: bool,
}

impl Open {
    pub(crate) fn is_closed(&self) -> bool {
        self.quote.is_none() && self.depth == 0 && !self.goes_on && !self.document
    }

    pub(crate) fn read(&mut self, line: &str) {
        self.goes_on = false;
        let mut word = String::new();
        // Whether the word could be a reserved word.
        let (mut is_first, mut is_quoted) = (true, self.quote.is_some());
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            match (c, self.quote) {
                ('\\', None | Some('"')) => {
                    is_quoted = true;
                    if characters.next().is_none() {
                        self.goes_on = true;
                    }
                }
                ('\'' | '"' | '`', None) => {
                    self.quote = Some(c);
                    is_quoted = true;
                }
                (c, Some(open)) if c == open => self.quote = None,
                (_, Some(_)) => {}
                ('#', None) if word.is_empty() && !is_quoted => break,
                ('<', None) if characters.peek() == Some(&'<') => self.document = true,
                (c, None) if c.is_whitespace() || ";&|()".contains(c) => {
                    let had_word = !word.is_empty() || is_quoted;
                    let goes_before = self.end_of_word(&word, is_first && !is_quoted);
                    is_first = if c.is_whitespace() {
                        (is_first && !had_word) || goes_before
                    } else {
                        true
                    };
                    word.clear();
                    is_quoted = false;
                    match c {
                        '(' if self.cases == 0 => self.depth += 1,
                        ')' if self.cases == 0 => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    self.goes_on = matches!(c, '&' | '|');
                    continue;
                }
                (c, None) => word.push(c),
            }
            if !c.is_whitespace() && c != '\\' {
                self.goes_on = false;
            }
        }
        self.end_of_word(&word, is_first && !is_quoted);
        // A single `&` ends a command.
        let end = line.trim_end();
        if self.goes_on && end.ends_with('&') && !end.ends_with("&&") {
            self.goes_on = false;
        }
    }

    /// Processes a word; returns whether the next one is again the first word of a command.
    fn end_of_word(&mut self, word: &str, is_first: bool) -> bool {
        match word {
            "if" | "for" | "while" | "until" | "case" | "select" | "{" if is_first => {
                self.depth += 1;
                self.cases += usize::from(word == "case");
                matches!(word, "if" | "while" | "until" | "{")
            }
            "fi" | "done" | "}" if is_first => {
                self.depth = self.depth.saturating_sub(1);
                false
            }
            "esac" => {
                self.depth = self.depth.saturating_sub(1);
                self.cases = self.cases.saturating_sub(1);
                false
            }
            "then" | "else" | "elif" | "do" | "!" => is_first,
            _ => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a real shell runs the scripts")]

    use super::*;
    use std::process::Command;
    use wake_velocity::DocumentError;
    use wake_velocity::template::{Line, Piece};

    fn lines(lines: &[&str]) -> Vec<Run> {
        let line = |text: &&str| {
            let at = DocumentError::whole("t", "").place;
            Run::Command(Line { pieces: vec![Piece::Text((*text).to_owned())], at })
        };
        lines.iter().map(line).collect()
    }

    /// Runs the script of these lines: its exit status, its output, and the line in which it says it stopped.
    fn ran(run: &[&str]) -> (i32, String, Option<usize>) {
        let ended = Command::new("sh").arg("-c").arg(script(&lines(run))).output().unwrap();
        let out = String::from_utf8(ended.stdout).unwrap();
        (ended.status.code().unwrap(), out, stopped(&ended.stderr))
    }

    #[test]
    fn a_script_reports_the_line_that_failed() {
        assert_eq!(ran(&["echo a", "echo b"]), (0, "a\nb\n".to_owned(), None));
        assert_eq!(ran(&["echo a", "true", "exit 7", "echo b"]), (7, "a\n".to_owned(), Some(2)));
        assert_eq!(ran(&["true", "false && true", "echo b"]), (1, String::new(), Some(1)));
        assert_eq!(ran(&["true", "! true"]), (1, String::new(), Some(1)));
        assert_eq!(ran(&["cd /", "pwd"]), (0, "/\n".to_owned(), None));
    }

    #[test]
    fn a_command_over_several_lines_is_one() {
        let compound = ["if true", "then", "  false", "fi", "echo b"];
        assert_eq!(ran(&compound), (1, String::new(), Some(0)));
        let case = ["case x in", "  y) echo y;;", "  *) echo x;;", "esac", "false"];
        assert_eq!(ran(&case), (1, "x\n".to_owned(), Some(4)));
        assert_eq!(ran(&["echo a \\", "b", "false"]), (1, "a b\n".to_owned(), Some(2)));
        assert_eq!(ran(&["echo 'a", "b'", "false"]), (1, "a\nb\n".to_owned(), Some(2)));
        assert_eq!(ran(&["cat <<E", "wake", "E", "false"]), (1, "wake\n".to_owned(), Some(0)));
        assert_eq!(ran(&["(", "echo a", ")", "false"]), (1, "a\n".to_owned(), Some(3)));
        assert_eq!(ran(&["f() {", "  false", "}", "f"]), (1, String::new(), Some(3)));
        assert_eq!(ran(&["true &&", "false"]), (1, String::new(), Some(0)));
        let loop_ = ["for x in 1 2; do", "echo $x", "done", "echo if", "false"];
        assert_eq!(ran(&loop_), (1, "1\n2\nif\n".to_owned(), Some(4)));
    }
}
