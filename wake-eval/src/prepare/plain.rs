//! Texts of which nothing has to be changed, seen without the grammar: most package files only call, list and name.
//!
//! What is taken here is a part of the language in which there are no operators, comprehensions, assertions, defaults,
//! extended fields, `self` and what else may have to be changed or looked at closely. Everything else is left to the grammar:
//! whatever is wrong is found there. So a fault here could only be to take too much, and a test asks the grammar as well.

use super::OWN;
use super::token::{Kind, Token};

/// What nests deeper is left to the grammar.
const DEEPEST: usize = 64;

/// What an expression stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Parens,
    List,
    /// The arguments of a call; the second once one of them was named.
    Arguments,
    NamedArguments,
    Index,
    /// The name of a field that is computed.
    Key,
    /// The value of a field.
    Value,
    /// The value of a local.
    Local,
    If,
    Then,
    /// What ends where that ends in which it stands: the body of a function, what follows locals, what follows `else`.
    Last,
}

/// Whether nothing has to be changed about `text`, as far as that can be seen here.
pub(super) fn is_plain(text: &str, tokens: &[Token]) -> bool {
    Walk { text: text.as_bytes(), tokens, at: 0, around: [Around::Last; DEEPEST], depth: 0 }.whole()
        == Some(())
}

/// A walk from token to token; nothing is what the grammar has to look at.
struct Walk<'t> {
    text: &'t [u8],
    tokens: &'t [Token],
    at: usize,
    around: [Around; DEEPEST],
    depth: usize,
}

/// What comes next.
enum Next {
    /// An expression begins.
    Begin,
    /// It goes on, or ends.
    Follow,
    /// The text ends.
    End,
}

impl Walk<'_> {
    fn whole(mut self) -> Option<()> {
        let mut next = Next::Begin;
        loop {
            next = match next {
                Next::Begin => self.begin()?,
                Next::Follow => self.follow()?,
                Next::End => return Some(()),
            };
        }
    }

    #[inline]
    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    #[inline]
    fn takes(&mut self, kind: Kind) -> bool {
        let there = self.kind() == kind;
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn expect(&mut self, kind: Kind) -> Option<()> {
        self.takes(kind).then_some(())
    }

    #[inline]
    fn enter(&mut self, around: Around) -> Option<Next> {
        *self.around.get_mut(self.depth)? = around;
        self.depth += 1;
        Some(Next::Begin)
    }

    #[inline]
    fn begin(&mut self) -> Option<Next> {
        let kind = self.kind();
        self.at += 1;
        match kind {
            Kind::Name
            | Kind::Number
            | Kind::Quoted
            | Kind::Verbatim
            | Kind::Block
            | Kind::Null
            | Kind::True
            | Kind::False => Some(Next::Follow),
            Kind::LeftParen => self.enter(Around::Parens),
            Kind::LeftBracket if self.takes(Kind::RightBracket) => Some(Next::Follow),
            Kind::LeftBracket => self.enter(Around::List),
            Kind::LeftBrace => self.object(),
            Kind::Function => {
                self.parameters()?;
                self.enter(Around::Last)
            }
            Kind::Local => {
                self.bind()?;
                self.enter(Around::Local)
            }
            Kind::If => self.enter(Around::If),
            Kind::Error => self.enter(Around::Last),
            Kind::Import => {
                if !self.takes(Kind::Quoted) {
                    self.expect(Kind::Verbatim)?;
                }
                ends(self.kind()).then_some(Next::Follow)
            }
            _ => None,
        }
    }

    fn follow(&mut self) -> Option<Next> {
        let kind = self.kind();
        match kind {
            Kind::Dot => {
                self.at += 1;
                let name = self.tokens[self.at];
                self.expect(Kind::Name)?;
                let written = self.text.get(name.start as usize..name.end as usize)?;
                return (written != OWN.as_bytes()).then_some(Next::Follow);
            }
            Kind::LeftParen => {
                self.at += 1;
                return match () {
                    () if self.takes(Kind::RightParen) => Some(Next::Follow),
                    () if self.takes_name() => self.enter(Around::NamedArguments),
                    () => self.enter(Around::Arguments),
                };
            }
            Kind::LeftBracket => {
                self.at += 1;
                return self.enter(Around::Index);
            }
            Kind::LeftBrace => {
                self.at += 1;
                return self.object();
            }
            _ => {}
        }
        let Some(inner) = self.depth.checked_sub(1) else {
            return (kind == Kind::End).then_some(Next::End);
        };
        let around = &mut self.around[inner];
        match (*around, kind) {
            (Around::Then, Kind::Else) | (Around::Local, Kind::Semicolon) => *around = Around::Last,
            (Around::If, Kind::Then) => *around = Around::Then,
            (Around::Last | Around::Then, kind) if ends(kind) => {
                self.depth = inner;
                return Some(Next::Follow);
            }
            (Around::Parens | Around::Arguments | Around::NamedArguments, Kind::RightParen)
            | (Around::List | Around::Index, Kind::RightBracket)
            | (Around::Value, Kind::RightBrace) => return self.leave(),
            (_, Kind::Comma) => return self.comma(inner),
            (Around::Key, Kind::RightBracket) => {
                *around = Around::Value;
                self.at += 1;
                return self.colon();
            }
            _ => return None,
        }
        self.at += 1;
        Some(Next::Begin)
    }

    #[inline]
    fn leave(&mut self) -> Option<Next> {
        self.depth -= 1;
        self.at += 1;
        Some(Next::Follow)
    }

    /// What follows a comma in what is around.
    #[inline]
    fn comma(&mut self, inner: usize) -> Option<Next> {
        self.at += 1;
        match (self.around[inner], self.kind()) {
            (Around::List, Kind::RightBracket)
            | (Around::Arguments | Around::NamedArguments, Kind::RightParen)
            | (Around::Value, Kind::RightBrace) => self.leave(),
            (Around::List, _) => Some(Next::Begin),
            (Around::Arguments | Around::NamedArguments, _) if self.takes_name() => {
                self.around[inner] = Around::NamedArguments;
                Some(Next::Begin)
            }
            (Around::Arguments, _) => Some(Next::Begin),
            (Around::Value, _) => {
                self.depth = inner;
                self.field()
            }
            (Around::Local, _) => {
                self.bind()?;
                Some(Next::Begin)
            }
            _ => None,
        }
    }

    /// The rest of an object, after its brace.
    fn object(&mut self) -> Option<Next> {
        if self.takes(Kind::RightBrace) { Some(Next::Follow) } else { self.field() }
    }

    fn field(&mut self) -> Option<Next> {
        let kind = self.kind();
        self.at += 1;
        match kind {
            Kind::LeftBracket => return self.enter(Around::Key),
            Kind::Name if self.kind() == Kind::LeftParen => self.parameters()?,
            kind if kind == Kind::Name || kind.is_text() => {}
            _ => return None,
        }
        self.enter(Around::Value)?;
        self.colon()
    }

    #[inline]
    fn colon(&mut self) -> Option<Next> {
        let kind = self.kind();
        self.at += 1;
        matches!(kind, Kind::Colon | Kind::Colons2 | Kind::Colons3).then_some(Next::Begin)
    }

    /// Takes the name of an argument, if it has one.
    #[inline]
    fn takes_name(&mut self) -> bool {
        let named = self.kind() == Kind::Name && self.tokens[self.at + 1].kind == Kind::Assign;
        self.at += if named { 2 } else { 0 };
        named
    }

    /// `name =` or `name(parameters) =`.
    fn bind(&mut self) -> Option<()> {
        self.expect(Kind::Name)?;
        if self.kind() == Kind::LeftParen {
            self.parameters()?;
        }
        self.expect(Kind::Assign)
    }

    /// `(name, name)`, without defaults.
    fn parameters(&mut self) -> Option<()> {
        self.expect(Kind::LeftParen)?;
        while !self.takes(Kind::RightParen) {
            self.expect(Kind::Name)?;
            if !self.takes(Kind::Comma) {
                return self.expect(Kind::RightParen);
            }
        }
        Some(())
    }
}

/// Whether an expression ends before such a token.
#[inline]
fn ends(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Comma
            | Kind::RightParen
            | Kind::RightBracket
            | Kind::RightBrace
            | Kind::Semicolon
            | Kind::Then
            | Kind::Else
            | Kind::End
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::edits::Edits;
    use super::super::{Mode, Prepared, by_grammar, token};
    use super::*;

    fn seen(text: &str) -> bool {
        let tokens = token::tokens(text, &mut Edits::default());
        tokens.is_ok_and(|tokens| is_plain(text, &tokens))
    }

    #[track_caller]
    fn the_grammar_agrees(text: &str) {
        let mut edits = Edits::default();
        let tokens = token::tokens(text, &mut edits).unwrap();
        let Prepared { changed, calls, patterns } =
            by_grammar(text, tokens, edits, Mode::Values, 1_000_000).unwrap();
        let is_same = changed.is_none_or(|(changed, _)| changed == text);
        assert!(
            is_same && calls == super::super::Calls::default() && patterns.is_empty(),
            "{text}"
        );
    }

    #[test]
    fn calls_lists_and_objects_are_plain() {
        for text in [
            "function(wake) wake.pkg(wake.pkgInfo('a', '1'), files=[x, 'y',], pkgs={ 'a': b, c:: { [d]: 1 }, }, )",
            "local a = import 'a', f(x, y) = [x][0]; if a then f(1, y=2) else error 'x'",
            "{ f(x): if x then {} else null, a: (b) { c: @'d' } }.a",
        ] {
            assert!(seen(text), "{text}");
            the_grammar_agrees(text);
        }
        for text in
            ["a + b", "a.own('x')", "function(a, b, config={}) 1", "self", "f(x) tailstrict"]
        {
            assert!(!seen(text), "{text}");
        }
        assert!(!seen(&"[".repeat(DEEPEST + 1)));
    }

    /// Words in any order, of which a few happen to be programs, and programs with a word more, less or changed.
    #[test]
    fn the_grammar_changes_nothing_that_is_plain() {
        const WORDS: [&str; 52] = [
            "a",
            "b",
            "own",
            "config",
            "x",
            "1",
            "'s'",
            "@'v'",
            "|||\n  t\n|||",
            "null",
            "true",
            "self",
            "$",
            "super",
            "(",
            "(",
            "(",
            ")",
            ")",
            ")",
            "[",
            "[",
            "]",
            "]",
            "{",
            "{",
            "}",
            "}",
            ",",
            ",",
            ",",
            ".",
            ":",
            "::",
            "+:",
            "=",
            "=",
            ";",
            "function",
            "local",
            "if",
            "then",
            "else",
            "import",
            "importstr",
            "error",
            "assert",
            "for",
            "in",
            "+",
            "-",
            "tailstrict",
        ];
        const PROGRAMS: [&str; 4] = [
            "function ( wake ) wake . pkg ( a , b = [ x , 's' , ] , c = { a : b , 's' :: 1 , [ d ] : { } , } )",
            "local a = import 's' , f ( x , y ) = [ x ] [ 0 ] ; if a then f ( 1 , y = 2 ) else error 's'",
            "{ f ( x ) : if x then { } else null , a : ( b ) { c : @'v' } } . a",
            "f ( function ( a ) local b = a ; b , if a then if b then 1 else 2 ) [ 'x' ] ( )",
        ];
        let mut state = 1_u64;
        let mut below = |count: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % count as u64) as usize
        };
        let mut plain = 0;
        for round in 0..60_000 {
            let mut words: Vec<&str> = match round % 3 {
                0 => (0..1 + below(7)).map(|_| WORDS[below(WORDS.len())]).collect(),
                _ => PROGRAMS[below(PROGRAMS.len())].split(' ').collect(),
            };
            for _ in 0..below(3) {
                let (at, word) = (below(words.len()), WORDS[below(WORDS.len())]);
                match below(3) {
                    0 => words.insert(at, word),
                    1 if words.len() > 1 => drop(words.remove(at)),
                    _ => words[at] = word,
                }
            }
            let text = words.join(" ");
            if seen(&text) {
                plain += 1;
                the_grammar_agrees(&text);
            }
        }
        assert!(plain > 10_000, "{plain} of them are plain");
    }
}
