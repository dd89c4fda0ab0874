//! The grammar: parses a text, rewrites it for the engine, and rejects what is invalid.

mod expression;
mod operator;
mod object;
mod comprehension;

use super::edits::Edits;
use super::shape::Shape;
use super::token::{Kind, Token};
use super::{Call, Calls, Mode, Refusal, RefusalKind, Stretch};

/// The result of parsing a text.
pub(super) struct Checked {
    pub(super) edits: Edits,
    pub(super) calls: Calls,
    pub(super) patterns: Vec<Box<str>>,
}

/// Parses a complete text.
pub(super) fn check(
    text: &str,
    tokens: Vec<Token>,
    edits: Edits,
    mode: Mode,
    nesting: usize,
) -> Result<Checked, Box<Refusal>> {
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        edits,
        mode,
        calls: Calls::default(),
        patterns: Vec::new(),
        variables: Vec::new(),
        depth: 0,
        nesting,
        objects: 0,
    };
    parser.expression()?;
    if parser.kind() != Kind::End {
        return parser.expected("end of file");
    }
    Ok(Checked { edits: parser.edits, calls: parser.calls, patterns: parser.patterns })
}

type Parsed<T> = Result<T, Box<Refusal>>;

/// A parsed expression.
#[derive(Debug, Clone, Copy)]
struct Expression {
    shape: Shape,
    start: u32,
    end: u32,
    form: Form,
}

/// The syntactic form of an expression, as far as it matters to its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A variable, possibly in parentheses.
    Variable,
    /// A prefix operator and its operand.
    Prefixed,
    Other,
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    edits: Edits,
    mode: Mode,
    calls: Calls,
    patterns: Vec<Box<str>>,
    /// The starts of the arguments that are only a variable, in the enclosing calls.
    variables: Vec<u32>,
    /// The number of enclosing expressions.
    depth: usize,
    nesting: usize,
    /// The number of enclosing objects, in which `self` is defined.
    objects: usize,
}

impl<'t> Parser<'t> {
    fn token(&self) -> Token {
        // The last token marks the end, and is never consumed.
        self.tokens[self.at]
    }

    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    fn next_kind(&self) -> Kind {
        self.tokens[self.at + 1].kind
    }

    /// Returns the end of the last consumed token.
    fn end(&self) -> u32 {
        self.tokens[self.at.saturating_sub(1)].end
    }

    fn written(&self, token: Token) -> &'t str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// Whether a name equals this one.
    fn is_called(&self, token: Token, name: &str) -> bool {
        let bytes = self.text.as_bytes();
        (token.end - token.start) as usize == name.len()
            && bytes.get(token.start as usize..token.end as usize) == Some(name.as_bytes())
    }

    fn take(&mut self) -> Token {
        let token = self.token();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn takes(&mut self, kind: Kind) -> bool {
        let there = self.kind() == kind;
        if there {
            self.at += 1;
        }
        there
    }

    fn expect(&mut self, kind: Kind, what: &str) -> Parsed<Token> {
        if self.kind() == kind { Ok(self.take()) } else { self.expected(what) }
    }

    #[cold]
    fn expected<T>(&self, what: &str) -> Parsed<T> {
        let token = self.token();
        let found = match token.kind {
            Kind::End => "end of file".to_owned(),
            Kind::Name => format!("identifier \"{}\"", self.written(token)),
            Kind::Number => format!("number \"{}\"", self.written(token)),
            kind if kind.is_text() => "a string".to_owned(),
            _ => format!("'{}'", self.written(token)),
        };
        let at = if token.kind == Kind::End && self.at > 0 {
            let end = self.end() as usize;
            Stretch { start: end, end }
        } else {
            token.stretch()
        };
        Err(Refusal::syntax(format!("expected {what}, got {found}"), at))
    }

    #[cold]
    fn refuse<T>(&self, token: Token, message: impl Into<String>) -> Parsed<T> {
        Err(Refusal::syntax(message, token.stretch()))
    }

    /// Rejects expressions that nest too deeply, `more` levels included.
    #[inline]
    fn check_depth(&self, more: usize) -> Parsed<()> {
        if self.depth + more <= self.nesting { Ok(()) } else { self.too_deep() }
    }

    #[cold]
    fn too_deep(&self) -> Parsed<()> {
        let message = format!("expressions nest more than {} deep", self.nesting);
        Err(Box::new(Refusal { kind: RefusalKind::Nesting, message, at: self.token().stretch() }))
    }

    /// Wraps the text between two offsets in a call.
    fn call(&mut self, call: Call, start: u32, end: u32) {
        self.calls.insert(call);
        self.edits.open(start, call.opening());
        self.edits.close(end, ")");
    }

    /// Makes an expression that can fail report its place, if requested.
    #[inline]
    fn locate(&mut self, expression: Expression) -> Expression {
        if self.mode == Mode::Places {
            self.call(Call::At, expression.start, expression.end);
            return Expression { form: Form::Other, ..expression };
        }
        expression
    }

    /// Replaces a token with `text`.
    fn replace(&mut self, token: Token, text: &str) {
        self.edits.replace(token.start, token.end, text);
    }
}
