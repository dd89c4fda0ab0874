//! The bytes of a text: words, quoted strings, white space and comments.

use super::Next;
use super::state::State;
use crate::prepare::eight::{self, eight};
use crate::prepare::token::{self, Kind};

/// A text that is scanned from given offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'t>(pub(super) &'t str);

impl<'t> Bytes<'t> {
    /// Returns the byte at an offset; zero at the end.
    #[inline(always)]
    pub(super) fn at(self, at: usize) -> u8 {
        self.0.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// Returns the first byte of the next token, and its offset; zero at the end.
    #[inline(always)]
    pub(super) fn next(self, mut at: usize) -> (u8, usize) {
        let mut byte = self.at(at);
        if byte == b' ' {
            at += 1;
            byte = self.at(at);
        }
        // Lower bytes need a closer look: line breaks, spaces, comments.
        if byte > b'#' && byte != b'/' { (byte, at) } else { self.skip(at) }
    }

    #[inline(never)]
    fn skip(self, mut at: usize) -> (u8, usize) {
        let bytes = self.0.as_bytes();
        loop {
            match self.at(at) {
                b' ' | b'\n' => {
                    at += 1;
                    if self.at(at) == b' ' {
                        at = token::skip_eights(bytes, at, eight::spaces);
                    }
                }
                b'\t' | b'\r' => at += 1,
                b'#' => at = token::line_end(bytes, at),
                b'/' if self.at(at + 1) == b'/' => at = token::line_end(bytes, at),
                byte => return (byte, at),
            }
        }
    }

    /// Returns the text between two offsets.
    pub(super) fn written(self, (start, end): (u32, u32)) -> Option<&'t str> {
        self.0.get(start as usize..end as usize)
    }

    /// Whether the text between two offsets is `word`.
    #[inline(always)]
    pub(super) fn is(self, start: usize, end: usize, word: &str) -> bool {
        self.0.as_bytes().get(start..end) == Some(word.as_bytes())
    }

    /// Whether there is an operator of one byte.
    #[inline(always)]
    pub(super) fn is_operator(self, at: usize, operator: u8) -> bool {
        self.at(at) == operator && !token::is_operator(self.at(at + 1))
    }

    /// `=`, followed by an expression.
    #[inline(always)]
    pub(super) fn assign(self, at: usize) -> Next {
        let (_, at) = self.next(at);
        self.is_operator(at, b'=').then_some((State::Begin, at + 1))
    }

    /// Returns the kind and the end of the word, a name or a keyword, that starts here.
    #[inline(always)]
    pub(super) fn word(self, at: usize) -> Option<(Kind, usize)> {
        let first = eight(self.0.as_bytes(), at);
        let length = eight::word(first);
        match token::short_word(first, length) {
            Some(kind) => Some((kind, at + length)),
            None => token::long_word(self.0.as_bytes(), at),
        }
    }

    /// Returns the start and the end of the next name.
    #[inline(always)]
    pub(super) fn name(self, at: usize) -> Option<(usize, usize)> {
        let (byte, start) = self.next(at);
        if !token::begins_word(byte) {
            return None;
        }
        let (kind, end) = self.word(start)?;
        (kind == Kind::Name).then_some((start, end))
    }

    /// Returns the kind and the end of a rarer token.
    #[inline(never)]
    pub(super) fn scanned(self, at: usize) -> Option<(Kind, usize)> {
        token::one(self.0, at)
    }

    /// Returns the kind and the end of a quoted string.
    #[inline(always)]
    pub(super) fn quoted(self, at: usize, quote: u8) -> Option<(Kind, usize)> {
        match token::quote_end(self.0.as_bytes(), at, quote) {
            0 => self.scanned(at),
            end => Some((Kind::Quoted, end)),
        }
    }
}
