//! Expressions: how they start, continue and end.

use super::state::{Around, State};
use super::{Next, Walk};
use crate::prepare::OWN;
use crate::prepare::shape::Shape;
use crate::prepare::token::Kind;

impl Walk<'_> {
    #[inline(always)]
    pub(super) fn begin(&mut self, byte: u8, at: usize) -> Next {
        self.level.start = at as u32;
        let (kind, end) = match byte {
            b'\'' | b'"' => self.bytes.quoted(at, byte)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.bytes.word(at)?,
            b'(' => return self.enter(at, Around::Parens, State::Begin),
            b'[' => return self.list(at),
            b'{' => return self.object(at, Shape::EmptyObject),
            b'0'..=b'9' | b'@' | b'$' | b'|' | b'-' | b'!' => self.bytes.scanned(at)?,
            _ => return None,
        };
        self.atom(kind, end)
    }

    /// Continues after the first token of an expression, which ends at `end`.
    #[inline(always)]
    fn atom(&mut self, kind: Kind, end: usize) -> Next {
        let shape = match kind {
            Kind::Name => Shape::Unknown,
            Kind::Quoted | Kind::Verbatim | Kind::Block => Shape::Text,
            Kind::Null | Kind::True | Kind::False => Shape::Plain,
            Kind::Number => Shape::of_number(self.bytes.written((self.level.start, end as u32))?),
            Kind::SelfWord | Kind::Dollar if self.is_in_object() => Shape::Object,
            _ => return self.begin_with(kind, end),
        };
        self.level.shape = Some(shape);
        Some((State::Follow, end))
    }

    /// Continues after a keyword, or another token that rarely starts an expression.
    fn begin_with(&mut self, kind: Kind, at: usize) -> Next {
        if self.level.has_left {
            return None;
        }
        match kind {
            Kind::Function => {
                let (byte, at) = self.bytes.next(at);
                (byte == b'(').then_some(())?;
                return self.enter(at, Around::FunctionParameters, State::Parameter);
            }
            Kind::Local => {
                self.push(at, Around::Local)?;
                return Some((State::Bind, at));
            }
            Kind::If => self.push(at, Around::If)?,
            Kind::Error => self.push(at, Around::Last)?,
            Kind::Import => return self.path(at),
            Kind::Not | Kind::Minus => self.level.is_mixed = true,
            _ => return None,
        }
        Some((State::Begin, at))
    }

    /// Parses the path of an import, which must be the complete expression.
    fn path(&mut self, at: usize) -> Next {
        let (quote, at) = self.bytes.next(at);
        if !matches!(quote, b'\'' | b'"') {
            return None;
        }
        let (kind, end) = self.bytes.quoted(at, quote)?;
        let (after, _) = self.bytes.next(end);
        let is_all = matches!(after, b',' | b')' | b']' | b'}' | b';' | 0);
        (kind == Kind::Quoted && is_all).then_some((State::Follow, end))
    }

    /// Parses an argument that starts with a word, which may be its name.
    #[inline(always)]
    pub(super) fn argument(&mut self, at: usize) -> Next {
        self.level.start = at as u32;
        let (kind, end) = self.bytes.word(at)?;
        if kind == Kind::Name {
            let (byte, at) = self.bytes.next(end);
            if byte == b'=' && self.bytes.is_operator(at, b'=') {
                self.becomes(Around::NamedArguments)?;
                return Some((State::Begin, at + 1));
            }
        }
        self.atom(kind, end)
    }

    #[inline(always)]
    fn list(&mut self, at: usize) -> Next {
        self.push(at, Around::First)?;
        match self.bytes.next(at + 1) {
            (b']', end) => self.leave(end, Shape::EmptyList),
            _ => Some((State::Begin, at + 1)),
        }
    }

    #[inline(always)]
    pub(super) fn follow(&mut self, (byte, at): (u8, usize)) -> Next {
        match byte {
            b'.' => {
                self.level.shape = Some(Shape::Unknown);
                let (start, end) = self.bytes.name(at + 1)?;
                (!self.bytes.is(start, end, OWN)).then_some((State::Follow, end))
            }
            b'(' => self.enter(at, Around::Arguments, State::Argument),
            b'[' => self.enter(at, Around::Index, State::Begin),
            b'{' if self.level.shape.is_some_and(Shape::is_object) => {
                self.object(at, Shape::Object)
            }
            b',' => self.comma(at),
            b')' => self.right_paren(at),
            b']' => self.right_bracket(at),
            b'}' => self.right_brace(at),
            b';' if self.inner()? == Around::Local => {
                self.becomes(Around::Last)?;
                Some((State::Begin, at + 1))
            }
            b'+' if self.bytes.is_operator(at, b'+') => self.plus(at),
            0 if at == self.bytes.0.len() => self.text_end(at),
            _ => self.go_on(byte, at),
        }
    }

    #[inline(always)]
    fn right_paren(&mut self, at: usize) -> Next {
        match self.inner()? {
            Around::Arguments | Around::NamedArguments => self.leave(at, Shape::Unknown),
            Around::Parens => {
                let inside = self.level.shape;
                let next = self.leave(at, Shape::Unknown);
                self.level.shape = inside;
                next
            }
            Around::Default => {
                self.pop();
                self.leave_parameters(at)
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn right_bracket(&mut self, at: usize) -> Next {
        match self.inner()? {
            Around::Index => self.leave(at, Shape::Unknown),
            Around::First | Around::List => self.leave(at, Shape::List),
            Around::Source | Around::Condition => self.comprehension(at),
            Around::Key => self.key(at, Around::Value),
            Around::FirstKey => self.key(at, Around::FirstValue),
            _ => None,
        }
    }

    #[inline(always)]
    fn right_brace(&mut self, at: usize) -> Next {
        match self.inner()? {
            Around::Value | Around::FirstValue | Around::Fields => self.leave(at, Shape::Object),
            Around::MemberLocal => {
                let next = self.leave(at, Shape::Object);
                // There may be no elements.
                self.level.shape = None;
                next
            }
            _ => None,
        }
    }

    /// Continues after a comma.
    #[inline(always)]
    fn comma(&mut self, at: usize) -> Next {
        let next = match self.inner()? {
            Around::First | Around::List => {
                self.becomes(Around::List)?;
                State::Element
            }
            Around::Arguments => {
                self.becomes(Around::Arguments)?;
                State::Argument
            }
            Around::NamedArguments => {
                self.becomes(Around::NamedArguments)?;
                State::NamedArgument
            }
            Around::Local => State::Bind,
            Around::Value | Around::FirstValue => {
                self.pop();
                self.level.shape = Some(Shape::Object);
                State::Member
            }
            Around::MemberLocal => {
                self.pop();
                self.level.shape = None;
                State::Member
            }
            Around::Default => {
                self.pop();
                State::Parameter
            }
            _ => return None,
        };
        Some((next, at + 1))
    }

    /// Continues after an expression with a word or an operator.
    fn go_on(&mut self, byte: u8, at: usize) -> Next {
        let (kind, end) = if byte.is_ascii_lowercase() {
            self.bytes.word(at)?
        } else {
            self.bytes.scanned(at)?
        };
        match kind {
            Kind::Then if self.inner()? == Around::If => self.becomes(Around::Then)?,
            Kind::Else => self.otherwise()?,
            Kind::For => return self.source(at, end),
            Kind::If => return self.condition(at, end),
            Kind::And
            | Kind::Or
            | Kind::Less
            | Kind::Greater
            | Kind::LessEqual
            | Kind::GreaterEqual
            | Kind::Minus
                if !self.level.has_left =>
            {
                self.level.is_mixed = true;
            }
            _ => return None,
        }
        Some((State::Begin, end))
    }

    /// `else`.
    fn otherwise(&mut self) -> Option<()> {
        loop {
            self.finish()?;
            match self.top()?.around {
                Around::Then => return self.becomes(Around::Last),
                Around::Last | Around::Module => self.end_body(),
                _ => return None,
            }
        }
    }

    fn text_end(&mut self, at: usize) -> Next {
        self.finish()?;
        while self.depth > 0 {
            match self.top()?.around {
                Around::Last | Around::Then | Around::Module => self.end_body(),
                _ => return None,
            }
        }
        Some((State::Whole, at))
    }
}
