//! Parser for the query language.
//!
//! ```text
//! expression := operand { ("+" | "-" | "&") operand }        left to right, equal precedence
//! operand    := "(" expression ")" | NAME "(" argument { "," argument } ")" | target
//! ```
//!
//! A word ends at white space, a parenthesis or a comma; a word in `'` or `"` can contain anything else. An operator is a separate
//! word, because names may contain `+` and `-`.

use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic, Place};

/// A query: an expression for a set of modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// The modules that a target names.
    Target(Word),
    /// The modules in either set.
    Union(Box<Query>, Box<Query>),
    /// The modules of the first set that are not in the second.
    Difference(Box<Query>, Box<Query>),
    /// The modules in both sets.
    Intersection(Box<Query>, Box<Query>),
    /// A set and all its dependencies.
    Needs(Box<Query>),
    /// A set and all its dependents.
    NeededBy(Box<Query>),
    /// A shortest dependency path from the first set to the second.
    Path(Box<Query>, Box<Query>),
    /// The modules that see a file or are made from it.
    Owner(Word),
    /// The modules of a kind in a set.
    Kind(ModuleKind, Box<Query>),
    /// The modules with a tag in a set.
    Tagged(Word, Box<Query>),
}

/// Kinds of modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModuleKind {
    /// A test.
    Test,
    /// Runs a command and is not a test.
    Command,
    /// Collects files without a command.
    Files,
}

impl ModuleKind {
    const ALL: [ModuleKind; 3] = [ModuleKind::Test, ModuleKind::Command, ModuleKind::Files];

    /// Returns its keyword.
    pub(super) fn name(self) -> &'static str {
        match self {
            ModuleKind::Test => "test",
            ModuleKind::Command => "command",
            ModuleKind::Files => "files",
        }
    }
}

/// A word of a query, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// The index of its first character.
    at: usize,
    /// The index after its last character.
    end: usize,
    is_quoted: bool,
}

/// The default set of functions: every module of the workspace.
const ALL: &str = "//...";

const FUNCTIONS: [&str; 6] = ["deps", "rdeps", "path", "owner", "kind", "tag"];

impl Query {
    /// Parses a query.
    pub(super) fn parse(text: &str) -> Result<Query, Diagnostic> {
        let mut parser = Parser { text, words: words(text)?, next: 0 };
        let query = parser.expression(0)?;
        match parser.peek() {
            None => Ok(query),
            Some(word) => {
                let message = format!("expected `+`, `-` or `&`, found `{}`", word.text);
                Err(parser.error(message, Some(&word)))
            }
        }
    }

    /// Returns the targets in the query.
    pub(super) fn targets(&self) -> Vec<&Word> {
        match self {
            Query::Target(word) => vec![word],
            Query::Owner(_) => Vec::new(),
            Query::Union(one, other)
            | Query::Difference(one, other)
            | Query::Intersection(one, other)
            | Query::Path(one, other) => [one.targets(), other.targets()].concat(),
            Query::Needs(of) | Query::NeededBy(of) | Query::Kind(_, of) | Query::Tagged(_, of) => {
                of.targets()
            }
        }
    }

    /// Returns whether all modules of the workspace have to be known.
    pub(super) fn is_about_all(&self) -> bool {
        match self {
            Query::NeededBy(_) | Query::Owner(_) => true,
            Query::Target(_) => false,
            Query::Union(one, other)
            | Query::Difference(one, other)
            | Query::Intersection(one, other)
            | Query::Path(one, other) => one.is_about_all() || other.is_about_all(),
            Query::Needs(of) | Query::Kind(_, of) | Query::Tagged(_, of) => of.is_about_all(),
        }
    }
}

/// Returns an error at a word of the query `text`; without a word, at its end.
pub(super) fn error_at(text: &str, message: String, word: Option<&Word>) -> Diagnostic {
    let length = text.chars().count();
    let (at, end) = word.map_or((length, length + 1), |word| (word.at, word.end));
    let place = Place {
        file: "query".to_owned(),
        line: 1,
        column: at + 1,
        end_column: end + 1,
        source_line: text.replace(['\n', '\r', '\t'], " "),
        label: None,
    };
    Diagnostic::error(Class::Usage, message).at(Some(place))
}

/// The deepest nesting of parentheses.
const DEEPEST: usize = 100;

struct Parser<'a> {
    text: &'a str,
    words: Vec<Word>,
    next: usize,
}

impl Parser<'_> {
    fn error(&self, message: String, word: Option<&Word>) -> Diagnostic {
        error_at(self.text, message, word)
    }

    fn peek(&self) -> Option<Word> {
        self.words.get(self.next).cloned()
    }

    fn take(&mut self, what: &str) -> Result<Word, Diagnostic> {
        let word = self.peek();
        self.next += 1;
        word.ok_or_else(|| self.error(format!("expected {what}, found the end"), None))
    }

    fn expect(&mut self, sign: &str) -> Result<(), Diagnostic> {
        let word = self.take(&format!("`{sign}`"))?;
        match word.is_sign(sign) {
            true => Ok(()),
            false => {
                let message = format!("expected `{sign}`, found `{}`", word.text);
                Err(self.error(message, Some(&word)))
            }
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Query, Diagnostic> {
        let mut query = self.operand(depth)?;
        while let Some(word) = self.peek() {
            let combine = match word.text.as_str() {
                "+" => Query::Union,
                "-" => Query::Difference,
                "&" => Query::Intersection,
                _ => break,
            };
            if word.is_quoted {
                break;
            }
            self.next += 1;
            query = combine(Box::new(query), Box::new(self.operand(depth)?));
        }
        Ok(query)
    }

    fn operand(&mut self, depth: usize) -> Result<Query, Diagnostic> {
        let word = self.take("a target or a function")?;
        if depth > DEEPEST {
            return Err(self.error(
                format!("parentheses are nested more than {DEEPEST} levels deep"),
                Some(&word),
            ));
        }
        if word.is_sign("(") {
            let query = self.expression(depth + 1)?;
            self.expect(")")?;
            return Ok(query);
        }
        if !word.is_quoted && matches!(word.text.as_str(), ")" | "," | "+" | "-" | "&") {
            let message = format!("expected a target or a function, found `{}`", word.text);
            return Err(self.error(message, Some(&word)));
        }
        match self.peek().filter(|next| next.is_sign("(") && !word.is_quoted) {
            Some(_) => self.function(word, depth + 1),
            None => Ok(Query::Target(word)),
        }
    }

    fn function(&mut self, name: Word, depth: usize) -> Result<Query, Diagnostic> {
        self.expect("(")?;
        let query = match name.text.as_str() {
            "deps" => Query::Needs(Box::new(self.expression(depth)?)),
            "rdeps" => Query::NeededBy(Box::new(self.expression(depth)?)),
            "path" => {
                let from = self.expression(depth)?;
                self.expect(",")?;
                Query::Path(Box::new(from), Box::new(self.expression(depth)?))
            }
            "owner" => Query::Owner(self.word("a file")?),
            "kind" => {
                let kind = self.kind()?;
                Query::Kind(kind, Box::new(self.among(&name, depth)?))
            }
            "tag" => {
                let tag = self.word("a tag")?;
                Query::Tagged(tag, Box::new(self.among(&name, depth)?))
            }
            other => {
                let unknown = self.error(format!("unknown function `{other}`"), Some(&name));
                return Err(match nearest(other, FUNCTIONS) {
                    Some(near) => unknown.help(format!("did you mean `{near}`?")),
                    None => unknown.help(format!("the functions are {}", FUNCTIONS.join(", "))),
                });
            }
        };
        self.expect(")")?;
        Ok(query)
    }

    /// Parses the set that a function selects from: the one after a comma, otherwise all modules of the workspace.
    fn among(&mut self, name: &Word, depth: usize) -> Result<Query, Diagnostic> {
        if self.peek().is_some_and(|next| next.is_sign(",")) {
            self.next += 1;
            return self.expression(depth);
        }
        Ok(Query::Target(Word { text: ALL.to_owned(), is_quoted: true, ..name.clone() }))
    }

    fn word(&mut self, what: &str) -> Result<Word, Diagnostic> {
        let word = self.take(what)?;
        match !word.is_quoted && matches!(word.text.as_str(), "(" | ")" | ",") {
            false => Ok(word),
            true => Err(self.error(format!("expected {what}, found `{}`", word.text), Some(&word))),
        }
    }

    fn kind(&mut self) -> Result<ModuleKind, Diagnostic> {
        let word = self.word("a kind")?;
        let kind = ModuleKind::ALL.into_iter().find(|kind| kind.name() == word.text);
        kind.ok_or_else(|| {
            let names = ModuleKind::ALL.map(ModuleKind::name).join(", ");
            self.error(format!("unknown kind `{}`", word.text), Some(&word))
                .help(format!("the kinds are {names}"))
        })
    }
}

impl Word {
    fn is_sign(&self, sign: &str) -> bool {
        !self.is_quoted && self.text == sign
    }
}

/// Splits a query into words.
fn words(text: &str) -> Result<Vec<Word>, Diagnostic> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let begin = at;
        let (word, is_quoted) = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' | ')' | ',' => {
                at += 1;
                (chars[begin].to_string(), false)
            }
            quote @ ('\'' | '"') => {
                let Some((word, length)) = quoted(&chars[at + 1..], quote) else {
                    let word = Word { text: String::new(), at, end: chars.len(), is_quoted: true };
                    let message = format!("unterminated string that begins with {quote}");
                    return Err(error_at(text, message, Some(&word)));
                };
                at += length + 1;
                (word, true)
            }
            _ => {
                let ends = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | ',');
                at += chars[at..].iter().position(ends).unwrap_or(chars.len() - at);
                (chars[begin..at].iter().collect(), false)
            }
        };
        found.push(Word { text: word, at: begin, end: at, is_quoted });
    }
    Ok(found)
}

/// Returns the text up to the first `quote` that is not doubled, with doubled quotes reduced, and the characters consumed; none if there
/// is no closing quote.
fn quoted(chars: &[char], quote: char) -> Option<(String, usize)> {
    let (mut text, mut at) = (String::new(), 0);
    loop {
        match (*chars.get(at)?, chars.get(at + 1)) {
            (c, next) if c == quote && next == Some(&quote) => at += 2,
            (c, _) if c == quote => return Some((text, at + 1)),
            _ => at += 1,
        }
        text.push(chars[at - 1]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Formats the expression with parentheses around every operation.
    fn shape(query: &Query) -> String {
        let two = |one: &Query, sign: &str, other: &Query| {
            format!("({} {sign} {})", shape(one), shape(other))
        };
        match query {
            Query::Target(word) => word.text.clone(),
            Query::Union(one, other) => two(one, "+", other),
            Query::Difference(one, other) => two(one, "-", other),
            Query::Intersection(one, other) => two(one, "&", other),
            Query::Needs(of) => format!("deps({})", shape(of)),
            Query::NeededBy(of) => format!("rdeps({})", shape(of)),
            Query::Path(one, other) => format!("path({}, {})", shape(one), shape(other)),
            Query::Owner(file) => format!("owner({})", file.text),
            Query::Kind(kind, of) => format!("kind({}, {})", kind.name(), shape(of)),
            Query::Tagged(tag, of) => format!("tag({}, {})", tag.text, shape(of)),
        }
    }

    fn read(text: &str) -> String {
        shape(&Query::parse(text).unwrap())
    }

    /// Returns the error message, and the part of the query above the carets.
    fn wrong(text: &str) -> (String, String) {
        let error = Query::parse(text).unwrap_err();
        let place = error.place.unwrap();
        let marked = text.chars().skip(place.column - 1).take(place.end_column - place.column);
        (error.message, marked.collect())
    }

    #[test]
    fn operators_are_left_associative() {
        assert_eq!(read("a + b - c & d"), "(((a + b) - c) & d)");
        assert_eq!(read("a + (b - c)"), "(a + (b - c))");
        assert_eq!(read("a - 'b' + \"-\""), "((a - b) + -)");
    }

    #[test]
    fn names_may_contain_operators_and_quoted_names_anything() {
        assert_eq!(read("//libs/a-b+c:x"), "//libs/a-b+c:x");
        assert_eq!(
            read("'//:m src=./a (b).c' + deps(\"//:d, e\")"),
            "(//:m src=./a (b).c + deps(//:d, e))"
        );
        assert_eq!(
            read("'//:m s=\"it''s\"' - \"//:m s=\"\"x\"\"\""),
            "(//:m s=\"it's\" - //:m s=\"x\")"
        );
        assert_eq!(read("deps"), "deps");
    }

    #[test]
    fn functions_take_their_arguments() {
        assert_eq!(read("path( a , rdeps(b) )"), "path(a, rdeps(b))");
        assert_eq!(read("kind(test) & owner(src/a.c)"), "(kind(test, //...) & owner(src/a.c))");
        assert_eq!(read("tag(slow, //web/...)"), "tag(slow, //web/...)");
    }

    #[test]
    fn errors_are_shown_at_their_position() {
        let cases = [
            ("", "expected a target or a function, found the end", ""),
            ("a +", "expected a target or a function, found the end", ""),
            ("a b", "expected `+`, `-` or `&`, found `b`", "b"),
            ("deps(a", "expected `)`, found the end", ""),
            ("(a))", "expected `+`, `-` or `&`, found `)`", ")"),
            ("deps()", "expected a target or a function, found `)`", ")"),
            ("path(a)", "expected `,`, found `)`", ")"),
            ("dep(a)", "unknown function `dep`", "dep"),
            ("kind(tests, a)", "unknown kind `tests`", "tests"),
            ("a + 'b", "unterminated string that begins with '", "'b"),
            ("& a", "expected a target or a function, found `&`", "&"),
        ];
        for (text, message, marked) in cases {
            assert_eq!(wrong(text), (message.to_owned(), marked.to_owned()), "{text}");
        }
        let deep = "(".repeat(5_000);
        assert_eq!(wrong(&deep).0, "parentheses are nested more than 100 levels deep");
    }
}
