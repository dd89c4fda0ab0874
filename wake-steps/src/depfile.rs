//! Depfiles: what a command read, in Make's syntax, as compilers write it.

/// Returns the prerequisites of all rules as written, sorted and without duplicates; none on a syntax error.
///
/// A backslash before a space, a `#` or the end of a line, and `$$`, have the meaning that Make gives them; backslashes before
/// a space count in pairs. Source: GNU Make manual, "Rule Syntax"; what gcc and clang write for `-MD`.
pub(crate) fn prerequisites(text: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = Words { rest: text };
    let mut found = Vec::new();
    let mut in_targets = true;
    let mut is_line_empty = true;
    while let Some(word) = words.next() {
        match word {
            Word::LineEnd => {
                if in_targets && !is_line_empty {
                    return None;
                }
                (in_targets, is_line_empty) = (true, true);
            }
            Word::Text(_) if in_targets => is_line_empty = false,
            Word::Colon if in_targets && !is_line_empty => in_targets = false,
            Word::Colon => return None,
            Word::Text(text) => found.push(text),
        }
    }
    if in_targets && !is_line_empty {
        return None;
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

enum Word {
    Text(String),
    /// The end of a rule's targets.
    Colon,
    LineEnd,
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<Word> {
        self.skip_space();
        let first = self.rest.chars().next()?;
        match first {
            '\n' => {
                self.rest = &self.rest[1..];
                Some(Word::LineEnd)
            }
            '#' => {
                self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
                self.next()
            }
            ':' if self.ends_targets() => {
                self.rest = &self.rest[1..];
                Some(Word::Colon)
            }
            _ => Some(Word::Text(self.text())),
        }
    }

    fn skip_space(&mut self) {
        loop {
            let trimmed = self.rest.trim_start_matches([' ', '\t', '\r']);
            let continued = trimmed.strip_prefix("\\\n").or_else(|| trimmed.strip_prefix("\\\r\n"));
            match continued {
                Some(next_line) => self.rest = next_line,
                None => {
                    self.rest = trimmed;
                    return;
                }
            }
        }
    }

    /// Returns whether the next colon ends the targets rather than being part of a name.
    fn ends_targets(&self) -> bool {
        matches!(self.rest.as_bytes().get(1), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'\\'))
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        while let Some(next) = self.rest.chars().next() {
            match next {
                ' ' | '\t' | '\n' | '\r' => break,
                ':' if self.ends_targets() => break,
                '\\' => {
                    let count = self.rest.bytes().take_while(|byte| *byte == b'\\').count();
                    let behind = &self.rest[count..];
                    let is_line_end = behind.starts_with('\n') || behind.starts_with("\r\n");
                    if is_line_end {
                        // The last backslash continues the line.
                        text.push_str(&self.rest[..count - 1]);
                        self.rest = &self.rest[count - 1..];
                        break;
                    }
                    if !behind.starts_with([' ', '#', ':']) {
                        text.push_str(&self.rest[..count]);
                        self.rest = behind;
                        continue;
                    }
                    text.push_str(&self.rest[..count / 2]);
                    self.rest = behind;
                    if count % 2 == 1 {
                        text.push_str(&behind[..1]);
                        self.rest = &behind[1..];
                    }
                }
                '$' if self.rest.starts_with("$$") => {
                    text.push('$');
                    self.rest = &self.rest[2..];
                }
                other => {
                    text.push(other);
                    self.rest = &self.rest[other.len_utf8()..];
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::prerequisites;

    fn of(text: &str) -> Option<Vec<String>> {
        prerequisites(text.as_bytes())
    }

    #[test]
    fn depfiles_of_compilers_are_read() {
        let expected = Some(vec!["a.c".to_owned(), "b.h".to_owned(), "d/c.h".to_owned()]);
        assert_eq!(of("a.o: a.c b.h \\\n  d/c.h\n"), expected);
        assert_eq!(of("a.o: a.c \\\r\n b.h d/c.h\r\n"), expected);
        assert_eq!(of("a.o a.d : a.c b.h\\\n d/c.h\n\nb.h:\n\nd/c.h:\n"), expected);
        assert_eq!(of("# made by hand\na.o: d/c.h a.c b.h"), expected);
        assert_eq!(of("C:/x.o: a.c b.h d/c.h"), expected);
    }

    #[test]
    fn special_characters_in_names_are_read() {
        let one = |name: &str| Some(vec![name.to_owned()]);
        assert_eq!(of(r"x: a\ b.c"), one("a b.c"));
        assert_eq!(of(r"x: a\#b.c"), one("a#b.c"));
        assert_eq!(of("x: a$$b.c"), one("a$b.c"));
        assert_eq!(of(r"x: a\b.c"), one(r"a\b.c"));
        assert_eq!(of(r"x: a:b.c"), one("a:b.c"));
        assert_eq!(of(r"x: a\\\ b.c"), one(r"a\ b.c"));
        assert_eq!(of("x: \u{e9}.c"), one("\u{e9}.c"));
        let two = Some(vec![r"a\".to_owned(), "b.c".to_owned()]);
        assert_eq!(of(r"x: a\\ b.c"), two);
    }

    #[test]
    fn invalid_syntax_is_refused() {
        assert_eq!(of("a.c b.h\n"), None);
        assert_eq!(of("a.c"), None);
        assert_eq!(of(": a.c"), None);
        assert_eq!(of("x: a : b"), None);
        assert_eq!(prerequisites(b"x: \xff"), None);
        assert_eq!(of(""), Some(Vec::new()));
        assert_eq!(of("x:"), Some(Vec::new()));
    }
}
