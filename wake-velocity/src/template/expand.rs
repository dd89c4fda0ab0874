//! Expands one raw line: variables, conditions, comments, references to arguments.

use wake_model::nearest::nearest;
use wake_yaml::{DocumentError, Mark, Text};

use super::{Line, Piece, Reading};

/// Maximum size of an expanded line, in bytes; only endless expansion exceeds it.
const LONGEST: usize = 1 << 20;
/// Maximum number of expansion rounds for a line.
const MOST_ROUNDS: usize = 100;

/// A raw line of a template.
pub(super) struct Raw<'a> {
    pub(super) source: &'a Text,
    /// The line number, from 1.
    pub(super) number: usize,
    pub(super) text: &'a str,
    pub(super) reading: Reading<'a>,
}

impl Raw<'_> {
    fn error(&self, byte: usize, message: impl Into<String>) -> DocumentError {
        let byte = byte.min(self.text.len());
        let column = self.text[..byte].chars().count() + 1;
        self.source.error(Mark { line: self.number, column }, message)
    }

    /// The position of the first character that is not white space.
    pub(super) fn mark(&self) -> Mark {
        let begins = self.text.len() - self.text.trim_start().len();
        Mark { line: self.number, column: self.text[..begins].chars().count() + 1 }
    }

    fn undefined(&self, byte: usize, name: &str) -> DocumentError {
        let error = self.error(byte, format!("variable `{name}` is not defined"));
        let names = self.reading.variables.iter().map(|(name, _)| name.as_str());
        let names = names.chain(["__base__"]);
        match (name, nearest(name, names)) {
            ("__base__", _) => error
                .with_hint("name the base image in `@from`: nothing is built before this image"),
            (_, Some(near)) => error.with_hint(format!("did you mean `{near}`?")),
            _ => error.with_hint("define it under `variables` of the image"),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let variables = self.reading.variables.iter().rev();
        variables.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Expands a line of the first generation; the result is empty if nothing is left.
    pub(super) fn first(&self, backend: &str) -> Result<String, DocumentError> {
        let filled = self.fill_first()?;
        let uncommented = filled.split('#').next().unwrap_or_default().trim_matches(' ');
        let mut rest = uncommented;
        let mut wanted = true;
        // Only words with `?` at the start of the line are conditions, unlike in `echo $?`.
        while let Some(after) = rest.strip_prefix('?') {
            let end = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
            let first = rest == uncommented;
            wanted = (!first && wanted) || &after[..end] == backend;
            rest = after[end..].trim_start_matches(' ');
        }
        Ok(if wanted { rest.to_owned() } else { String::new() })
    }

    /// Substitutes `%(name)`, unless it is escaped by a backslash. Values are not expanded further.
    fn fill_first(&self) -> Result<String, DocumentError> {
        let mut filled = String::new();
        let mut rest = self.text;
        while let Some((before, name, after)) = bracketed(rest, "%(", ")") {
            filled.push_str(before);
            if before.ends_with('\\') {
                filled.push_str(&format!("%({name})"));
            } else {
                let at = self.text.len() - rest.len() + before.len();
                let value = self.value(name).ok_or_else(|| self.undefined(at, name))?;
                filled.push_str(value);
            }
            rest = after;
        }
        Ok(filled + rest)
    }

    /// Expands a line of the second generation; the result is empty if nothing is left.
    pub(super) fn second(&self, holds: super::Holds<'_>) -> Result<String, DocumentError> {
        let text = self.text.split(">>>").next().unwrap_or_default();
        let text = self.decided(text, holds)?;
        let text = self.fill_second(&text)?;
        Ok(text.split(">>>").next().unwrap_or_default().trim().to_owned())
    }

    /// Replaces `?? condition |> text ??` by its text if the condition holds, and by nothing otherwise.
    fn decided(&self, text: &str, holds: super::Holds<'_>) -> Result<String, DocumentError> {
        let mut decided = String::new();
        let mut rest = text;
        while let Some(then) = rest.find("|>") {
            let Some(open) = rest[..then].rfind("??") else { break };
            let Some(close) = rest[then + 2..].find("??").map(|at| at + then + 2) else { break };
            let condition = self.fill_second(&rest[open + 2..then])?;
            let holds = holds(&condition).map_err(|part| {
                let at = self.text.find(rest).unwrap_or(0) + open;
                self.error(at, format!("`{part}` has no version"))
            })?;
            decided.push_str(&rest[..open]);
            if holds {
                decided.push_str(rest[then + 2..close].trim());
            }
            rest = &rest[close + 2..];
        }
        Ok(decided + rest)
    }

    /// Substitutes `{{ name }}` repeatedly, also in values and in text that results from substitution.
    fn fill_second(&self, text: &str) -> Result<String, DocumentError> {
        let mut text = text.to_owned();
        for round in 0.. {
            let mut filled = String::new();
            let mut rest = text.as_str();
            let mut last = None;
            while let Some((before, name, after)) = braced(rest) {
                let at = self.reference(name);
                let value = self.value(name).ok_or_else(|| self.undefined(at, name))?;
                filled.push_str(before);
                filled.push_str(value);
                last = Some((at, name));
                rest = after;
            }
            let Some((at, name)) = last else { return Ok(text) };
            filled.push_str(rest);
            if round == MOST_ROUNDS || filled.len() > LONGEST {
                let message = format!("the value of variable `{name}` refers to itself");
                return Err(self.error(at, message));
            }
            text = filled;
        }
        Ok(text)
    }

    /// The position at which the line refers to a variable, directly or through the value of another one.
    fn reference(&self, name: &str) -> usize {
        let mut references = self.text.match_indices("{{").map(|(at, _)| at);
        let is_meant = |at: &usize| {
            let rest = self.text[at + 2..].trim_start();
            rest.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with("}}"))
        };
        let meant = references.clone().find(is_meant);
        meant.or_else(|| references.next()).unwrap_or(0)
    }

    /// Splits a line at its references to build arguments.
    pub(super) fn pieces(&self, text: &str, find: FindArgument) -> Line {
        let mut pieces = Vec::new();
        let mut before = String::new();
        let mut rest = text;
        while let Some((text, name, after)) = find(rest) {
            before.push_str(text);
            match name {
                Ok(name) => {
                    if !before.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut before)));
                    }
                    pieces.push(Piece::Argument(name.to_owned()));
                }
                Err(literal) => before.push_str(literal),
            }
            rest = after;
        }
        before.push_str(rest);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        Line { pieces, at: self.source.place(self.mark()) }
    }
}

/// Finds the next reference to an argument: the text before it, its name or a literal text, and the text after it.
pub(super) type FindArgument =
    for<'a> fn(&'a str) -> Option<(&'a str, Result<&'a str, &'a str>, &'a str)>;

/// `@(NAME)`, unless it is escaped by a backslash.
pub(super) fn first_argument(text: &str) -> Option<(&str, Result<&str, &str>, &str)> {
    let (before, name, after) = bracketed(text, "@(", ")")?;
    let whole = &text[before.len()..text.len() - after.len()];
    Some((before, if before.ends_with('\\') { Err(whole) } else { Ok(name) }, after))
}

/// `@@ NAME @@`.
pub(super) fn second_argument(text: &str) -> Option<(&str, Result<&str, &str>, &str)> {
    let mut from = 0;
    loop {
        let open = text[from..].find("@@")? + from;
        let inside = &text[open + 2..];
        let close = inside.find("@@")?;
        let name = inside[..close].trim();
        if !name.is_empty() && !name.contains(char::is_whitespace) {
            return Some((&text[..open], Ok(name), &inside[close + 2..]));
        }
        from = open + 2;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The next word in brackets: the text before it, the word, and the text after it.
fn bracketed<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut from = 0;
    loop {
        let at = text[from..].find(open)? + from;
        let inside = &text[at + open.len()..];
        let end = inside.find(|c| !is_word(c)).unwrap_or(inside.len());
        if let Some(after) = inside[end..].strip_prefix(close) {
            return Some((&text[..at], &inside[..end], after));
        }
        from = at + open.len();
    }
}

/// The next `{{ name }}`, innermost first.
fn braced(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let close = text[from..].find("}}")? + from;
        if let Some(open) = text[from..close].rfind("{{").map(|open| open + from) {
            let name = text[open + 2..close].trim();
            if !name.is_empty() && !name.contains(char::is_whitespace) {
                return Some((&text[..open], name, &text[close + 2..]));
            }
        }
        from = close + 2;
    }
}
