//! Objects, locals and parameters.

use super::state::{Around, State};
use super::{Next, Walk};
use crate::prepare::CONFIG;
use crate::prepare::shape::Shape;
use crate::prepare::token::Kind;

impl Walk<'_> {
    /// Parses an object; `empty` is the shape of the operand if the object is empty.
    #[inline(always)]
    pub(super) fn object(&mut self, at: usize, empty: Shape) -> Next {
        match self.bytes.next(at + 1) {
            (b'}', end) => {
                self.level.shape = Some(empty);
                Some((State::Follow, end + 1))
            }
            (byte, at) => self.member(byte, at, Around::FirstKey),
        }
    }

    pub(super) fn member(&mut self, byte: u8, at: usize, key: Around) -> Next {
        let (kind, end) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.bytes.word(at)?,
            b'\'' | b'"' => self.bytes.quoted(at, byte)?,
            b'}' => return Some((State::Follow, at + 1)),
            b'[' => {
                let (_, start) = self.bytes.next(at + 1);
                self.push(start, key)?;
                return Some((State::Begin, start));
            }
            _ => self.bytes.scanned(at)?,
        };
        match kind {
            Kind::Name => {
                self.push(at, Around::Value)?;
                self.parameters_or(end, Around::FieldParameters, State::Colon)
            }
            Kind::Local => {
                self.push(at, Around::MemberLocal)?;
                Some((State::Bind, end))
            }
            kind if kind.is_text() => {
                self.push(at, Around::Value)?;
                Some((State::Colon, end))
            }
            _ => None,
        }
    }

    /// Parses the end of a computed name; `value` tells whether it is the only field so far.
    pub(super) fn key(&mut self, at: usize, value: Around) -> Next {
        let (_, colon) = self.bytes.next(at + 1);
        let is_visible = self.bytes.is_operator(colon, b':');
        self.becomes(if is_visible { value } else { Around::Value })?;
        Some((State::Colon, colon))
    }

    #[inline(always)]
    pub(super) fn colon(&mut self, at: usize) -> Next {
        if self.bytes.is_operator(at, b':') {
            return Some((State::Begin, at + 1));
        }
        let (kind, end) = self.bytes.scanned(at)?;
        matches!(kind, Kind::Colon | Kind::Colons2 | Kind::Colons3).then_some((State::Begin, end))
    }

    /// Parses parameters if there is a parenthesis; else continues with `next`.
    #[inline(always)]
    pub(super) fn parameters_or(&mut self, at: usize, around: Around, next: State) -> Next {
        match self.bytes.next(at) {
            (b'(', at) => self.enter(at, around, State::Parameter),
            (_, at) => Some((next, at)),
        }
    }

    pub(super) fn parameter(&mut self, byte: u8, at: usize) -> Next {
        if byte == b')' {
            return self.leave_parameters(at);
        }
        let (start, end) = self.bytes.name(at)?;
        let is_config = self.bytes.is(start, end, CONFIG);
        let frame = self.top()?;
        frame.count = frame.count.saturating_add(1);
        match self.bytes.next(end) {
            (b',', at) => Some((State::Parameter, at + 1)),
            (b')', at) => self.leave_parameters(at),
            (_, at) => {
                let frame = self.top()?;
                if is_config && frame.count == 3 {
                    (frame.around == Around::FunctionParameters).then_some(())?;
                    frame.takes_config = true;
                }
                let next = self.bytes.assign(at)?;
                self.push(at, Around::Default)?;
                Some(next)
            }
        }
    }

    pub(super) fn leave_parameters(&mut self, at: usize) -> Next {
        let (_, body) = self.bytes.next(at + 1);
        let frame = self.top()?;
        let around = frame.around;
        if around == Around::FunctionParameters {
            frame.at = body as u32;
            let takes_config = frame.takes_config;
            self.becomes(if takes_config { Around::Module } else { Around::Last })?;
            return Some((State::Begin, body));
        }
        self.pop();
        match around {
            Around::BindParameters => Some((State::Assign, body)),
            Around::FieldParameters => Some((State::Colon, body)),
            _ => None,
        }
    }

    pub(super) fn is_in_object(&self) -> bool {
        let is_member =
            |around| matches!(around, Around::Value | Around::FirstValue | Around::MemberLocal);
        self.frames[..self.depth].iter().any(|frame| is_member(frame.around))
    }
}
