//! Edits of the dependencies in a package file, which leave every other byte unchanged.

use super::text::{Kind, Lexeme, Stretch, closes, is_colon, opens, stretch, string, tokens};

/// Why a package file cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no call of `wake.pkg`, or there are several.
    #[error("there is not exactly one literal call of `wake.pkg`")]
    NoCall,
    /// `pkgs` is computed.
    #[error("`pkgs` is not an object literal with one field per package")]
    Computed,
    /// A dependency already has that key.
    #[error("a package has that key already")]
    Taken,
    /// No dependency has that key.
    #[error("no package has that key")]
    Absent,
}

/// Adds a dependency to a package file; `value` gets the name of the `wake` parameter in that file.
pub fn with_pkg(
    text: &str,
    key: &str,
    value: impl FnOnce(&str) -> String,
) -> Result<String, EditError> {
    let tokens = tokens(text);
    let call = Call::find(&tokens)?;
    let field = format!("{}: {}", written_key(key), value(call.library));
    let Some(object) = call.pkgs(&tokens)? else {
        return Ok(call.with_argument(text, &tokens, &field));
    };
    if object.fields(&tokens)?.iter().any(|found| found.key == key) {
        return Err(EditError::Taken);
    }
    Ok(object.with_field(text, &tokens, &field))
}

/// Removes the dependency with that key from a package file.
pub fn without_pkg(text: &str, key: &str) -> Result<String, EditError> {
    let tokens = tokens(text);
    let object = Call::find(&tokens)?.pkgs(&tokens)?.ok_or(EditError::Absent)?;
    let fields = object.fields(&tokens)?;
    let field = fields.iter().find(|found| found.key == key).ok_or(EditError::Absent)?;
    let (mut start, mut end) =
        (stretch(&tokens[field.first]).start, stretch(&tokens[field.last]).end);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[end..].find('\n').map(|newline| end + newline);
    // A line of its own is removed completely, including a comment at its end.
    let own_line = text[line_start..start].trim().is_empty()
        && line_end.is_some_and(|line_end| is_space_or_comment(&text[end..line_end]));
    match line_end {
        Some(line_end) if own_line => (start, end) = (line_start, line_end + 1),
        _ => end += text[end..].len() - text[end..].trim_start_matches(' ').len(),
    }
    Ok([&text[..start], &text[end..]].concat())
}

/// Returns an argument, as written, of the call that is the dependency with that key.
pub fn argument_of(text: &str, key: &str, argument: &str) -> Option<String> {
    let tokens = tokens(text);
    let object = Call::find(&tokens).ok()?.pkgs(&tokens).ok()??;
    let field = object.fields(&tokens).ok()?.into_iter().find(|found| found.key == key)?;
    let open = (field.first..field.last).find(|at| tokens[*at].kind == Kind::LeftParen)?;
    let close = closing(&tokens, open).filter(|close| *close <= field.last)?;
    let inside = || inside(&tokens, open, close);
    let is_it = |at: &usize| tokens[*at].text == argument && tokens[at + 1].kind == Kind::Assign;
    let start = inside().find(is_it)? + 2;
    let comma = inside().find(|at| *at > start && tokens[*at].kind == Kind::Comma);
    let last = comma.unwrap_or(close) - 1;
    text.get(stretch(&tokens[start]).start..stretch(&tokens[last]).end).map(str::to_owned)
}

/// Returns the arguments of the `wake.pkg` call, with their parentheses; `None` if it is not written exactly once.
pub(super) fn arguments(text: &str) -> Option<Stretch> {
    let tokens = tokens(text);
    let call = Call::find(&tokens).ok()?;
    let (start, end) = (stretch(&tokens[call.open]).start, stretch(&tokens[call.close]).end);
    Some(Stretch { start, end })
}

fn is_space_or_comment(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || rest.starts_with("//") || rest.starts_with('#')
}

fn written_key(key: &str) -> String {
    let mut characters = key.chars();
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = characters.next().is_some_and(is_start)
        && characters.all(|c| is_start(c) || c.is_ascii_digit());
    match is_name && matches!(tokens(key).as_slice(), [Lexeme { kind: Kind::Name, .. }]) {
        true => key.to_owned(),
        false => format!("'{key}'"),
    }
}

/// The call of `wake.pkg`, as token numbers.
struct Call<'t> {
    library: &'t str,
    open: usize,
    close: usize,
}

/// The object literal of `pkgs`, as the token numbers of its brackets.
struct Object {
    open: usize,
    close: usize,
}

/// A field of it, from its key to the comma after it, if there is one.
struct Field {
    key: String,
    first: usize,
    last: usize,
}

impl<'t> Call<'t> {
    fn find(tokens: &[Lexeme<'t>]) -> Result<Call<'t>, EditError> {
        let mut calls = tokens.windows(4).enumerate().filter(|(_, four)| {
            four[0].kind == Kind::Name
                && four[1].kind == Kind::Dot
                && four[2].text == "pkg"
                && four[3].kind == Kind::LeftParen
        });
        let (Some((at, four)), None) = (calls.next(), calls.next()) else {
            return Err(EditError::NoCall);
        };
        let close = closing(tokens, at + 3).ok_or(EditError::NoCall)?;
        Ok(Call { library: four[0].text, open: at + 3, close })
    }

    fn pkgs(&self, tokens: &[Lexeme<'_>]) -> Result<Option<Object>, EditError> {
        let Some(at) = inside(tokens, self.open, self.close)
            .find(|at| tokens[*at].text == "pkgs" && tokens[at + 1].kind == Kind::Assign)
        else {
            return Ok(None);
        };
        let open = at + 2;
        let close = tokens.get(open).filter(|token| token.kind == Kind::LeftBrace);
        let close = close.and_then(|_| closing(tokens, open)).ok_or(EditError::Computed)?;
        // After the object, there could be a merge or an index.
        match tokens.get(close + 1).map(|token| token.kind) {
            Some(Kind::Comma | Kind::RightParen) => Ok(Some(Object { open, close })),
            _ => Err(EditError::Computed),
        }
    }

    /// Returns the text with `pkgs` as an additional argument.
    fn with_argument(&self, text: &str, tokens: &[Lexeme<'_>], field: &str) -> String {
        let last = &tokens[self.close - 1];
        let at = stretch(last).end;
        let comma = if matches!(last.kind, Kind::Comma | Kind::LeftParen) { "" } else { "," };
        let close = stretch(&tokens[self.close]).start;
        let line_start = text[..close].rfind('\n').map_or(0, |newline| newline + 1);
        if text[line_start..close].trim().is_empty() && line_start > 0 {
            let indent = &text[line_start..close];
            let argument = format!("{indent}  pkgs={{\n{indent}    {field},\n{indent}  }},\n");
            return [&text[..at], comma, &text[at..line_start], &argument, &text[line_start..]]
                .concat();
        }
        let separator = if last.kind == Kind::LeftParen { "" } else { " " };
        let argument = format!("{comma}{separator}pkgs={{ {field} }}");
        [&text[..at], &argument, &text[at..]].concat()
    }
}

impl Object {
    fn fields(&self, tokens: &[Lexeme<'_>]) -> Result<Vec<Field>, EditError> {
        let mut fields = Vec::new();
        let mut at = self.open + 1;
        while at < self.close {
            let key = match tokens[at].kind {
                Kind::Name => tokens[at].text.to_owned(),
                _ => string(&tokens[at]).ok_or(EditError::Computed)?.to_owned(),
            };
            if !is_colon(&tokens[at + 1]) {
                return Err(EditError::Computed);
            }
            let mut ends = inside(tokens, self.open, self.close).filter(|end| *end > at);
            let comma = ends.find(|end| tokens[*end].kind == Kind::Comma);
            let last = comma.unwrap_or(self.close - 1);
            fields.push(Field { key, first: at, last });
            at = last + 1;
        }
        let is_for = |at: usize| tokens[at].kind == Kind::For;
        match inside(tokens, self.open, self.close).any(is_for) {
            true => Err(EditError::Computed),
            false => Ok(fields),
        }
    }

    fn with_field(&self, text: &str, tokens: &[Lexeme<'_>], field: &str) -> String {
        let last = &tokens[self.close - 1];
        let at = stretch(last).end;
        let comma = if matches!(last.kind, Kind::Comma | Kind::LeftBrace) { "" } else { "," };
        let close = stretch(&tokens[self.close]).start;
        let line_start = text[..close].rfind('\n').map_or(0, |newline| newline + 1);
        let is_empty = last.kind == Kind::LeftBrace;
        if line_start > at && text[line_start..close].trim().is_empty() {
            let indent = &text[line_start..close];
            let line = format!("{indent}  {field},\n");
            return [&text[..at], comma, &text[at..line_start], &line, &text[line_start..]]
                .concat();
        }
        let after = if is_empty { &text[close..] } else { &text[at..] };
        let end = if is_empty { " " } else { "" };
        [&text[..at], comma, " ", field, end, after].concat()
    }
}

/// Returns the bracket that closes the one at `open`.
fn closing(tokens: &[Lexeme<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if opens(token) {
            depth += 1;
        } else if closes(token) {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Iterates over the tokens between two brackets that are not inside nested brackets.
fn inside<'a>(
    tokens: &'a [Lexeme<'_>],
    open: usize,
    close: usize,
) -> impl Iterator<Item = usize> + 'a {
    let mut depth = 0_usize;
    (open + 1..close).filter(move |at| {
        let token = &tokens[*at];
        if closes(token) {
            depth = depth.saturating_sub(1);
            return false;
        }
        let is_inside = depth == 0;
        if opens(token) {
            depth += 1;
        }
        is_inside
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn add(text: &str) -> Result<String, EditError> {
        with_pkg(text, "http", |library| format!("{library}.getPkg(X)"))
    }

    #[test]
    fn a_package_is_added_beside_the_others() {
        for (before, after) in [
            (
                "function(w)\n  // 1\n  w.pkg(\n    w.pkgInfo('a', '1.0.0'),\n    pkgs={\n      b: w.getPkg(Y), // b\n      // last\n    },\n  )\n",
                "function(w)\n  // 1\n  w.pkg(\n    w.pkgInfo('a', '1.0.0'),\n    pkgs={\n      b: w.getPkg(Y), // b\n      // last\n      http: w.getPkg(X),\n    },\n  )\n",
            ),
            (
                "function(w) w.pkg(I, pkgs={\n  b: Y\n})",
                "function(w) w.pkg(I, pkgs={\n  b: Y,\n  http: w.getPkg(X),\n})",
            ),
            (
                "function(w) w.pkg(I, pkgs={ b: Y })",
                "function(w) w.pkg(I, pkgs={ b: Y, http: w.getPkg(X) })",
            ),
            (
                "function(w) w.pkg(I, pkgs={ b: Y, })",
                "function(w) w.pkg(I, pkgs={ b: Y, http: w.getPkg(X) })",
            ),
            ("function(w) w.pkg(I, pkgs={})", "function(w) w.pkg(I, pkgs={ http: w.getPkg(X) })"),
            ("function(w) w.pkg(I)", "function(w) w.pkg(I, pkgs={ http: w.getPkg(X) })"),
            (
                "function(wake)\n  wake.pkg(\n    I,\n    files=[],\n  )\n",
                "function(wake)\n  wake.pkg(\n    I,\n    files=[],\n    pkgs={\n      http: wake.getPkg(X),\n    },\n  )\n",
            ),
            (
                "function(wake)\n  wake.pkg(\n    I\n  )\n",
                "function(wake)\n  wake.pkg(\n    I,\n    pkgs={\n      http: wake.getPkg(X),\n    },\n  )\n",
            ),
        ] {
            assert_eq!(add(before).as_deref(), Ok(after));
            assert_eq!(add(after), Err(EditError::Taken));
        }
    }

    #[test]
    fn an_added_package_can_be_removed() {
        for text in [
            "function(w) w.pkg(\n  I,\n  pkgs={\n    b: Y, // b\n    // last\n  },\n)\n",
            "function(w) w.pkg(I, pkgs={ b: Y, })",
        ] {
            let without = without_pkg(&add(text).unwrap(), "http").unwrap();
            assert_eq!(without.replace(' ', ""), text.replace(' ', ""));
        }
        let one = "function(w) w.pkg(I, pkgs={\n  a: f(X, { y: 1 }), // a\n  'b-c': Y,\n})";
        assert_eq!(without_pkg(one, "a").unwrap(), "function(w) w.pkg(I, pkgs={\n  'b-c': Y,\n})");
        assert_eq!(
            without_pkg(one, "b-c").unwrap(),
            "function(w) w.pkg(I, pkgs={\n  a: f(X, { y: 1 }), // a\n})"
        );
        assert_eq!(without_pkg(one, "d"), Err(EditError::Absent));
        assert_eq!(without_pkg("function(w) w.pkg(I)", "d"), Err(EditError::Absent));
    }

    #[test]
    fn an_argument_is_returned_as_written() {
        let text = "function(w) w.pkg(I, pkgs={\n  a: w.getPkg(w.pkgInfo('a', '*'), from=w.exec('pkg.b./c', config={ d: [1, 2] }), global=true),\n  b: w.getPkg(J),\n  'c-d': w.getPkg(K, from = './c' /* there */),\n  e: X })";
        let exec = "w.exec('pkg.b./c', config={ d: [1, 2] })";
        assert_eq!(argument_of(text, "a", "from").as_deref(), Some(exec));
        assert_eq!(argument_of(text, "a", "global").as_deref(), Some("true"));
        assert_eq!(argument_of(text, "c-d", "from").as_deref(), Some("'./c'"));
        for key in ["b", "e", "f"] {
            assert_eq!(argument_of(text, key, "from"), None, "{key}");
        }
    }

    #[test]
    fn computed_values_are_not_edited() {
        for text in [
            "function(w) w.pkg(I, pkgs=all)",
            "function(w) w.pkg(I, pkgs={ a: X } + more)",
            "function(w) w.pkg(I, pkgs={ [key]: X for key in keys })",
        ] {
            assert_eq!(add(text), Err(EditError::Computed), "{text}");
        }
        for text in ["function(w) w.other()", "[w.pkg(I), w.pkg(J)]", "function(w) w.pkg(I"] {
            assert_eq!(add(text), Err(EditError::NoCall), "{text}");
        }
    }

    #[test]
    fn keys_are_quoted_where_necessary() {
        assert_eq!(
            ["a", "a_b", "a-b", "local", "0a"].map(written_key),
            ["a", "a_b", "'a-b'", "'local'", "'0a'"]
        );
    }
}
