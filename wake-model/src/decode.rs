//! Decoding of the canonical encoding.
//!
//! Only used to show what was hashed: identity is decided by digests alone.

use crate::digest::Digest;
use crate::encode::{BYTES, DIGEST, FALSE, LIST, NONE, RECORD, TEXT, TRUE, UINT};

/// The bytes are not a canonical encoding of what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical encoding: wrong or missing byte at offset {at}")]
pub struct DecodeError {
    /// How many bytes were valid.
    pub at: usize,
}

/// One value; lists and records are given without their content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// No value.
    None,
    /// A boolean.
    Bool(bool),
    /// An unsigned integer.
    Uint(u64),
    /// A string.
    Text(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A digest.
    Digest(Digest),
    /// A list; this many values follow.
    List(u64),
    /// A record; this many pairs of a text and a value follow.
    Record(u64),
}

/// Decodes an encoding value by value; never reads past the end.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Starts decoding `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder { bytes, at: 0 }
    }

    /// Returns how many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Continues at the given offset.
    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Returns the next value.
    pub fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let start = self.at;
        let token = self.token_or_none();
        token.ok_or_else(|| {
            self.at = start;
            self.error()
        })
    }

    /// Returns an error for the current position.
    pub fn error(&self) -> DecodeError {
        DecodeError { at: self.at }
    }

    /// Succeeds if no bytes are left.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.error()) }
    }

    fn token_or_none(&mut self) -> Option<Token<'a>> {
        Some(match self.take(1)?[0] {
            NONE => Token::None,
            FALSE => Token::Bool(false),
            TRUE => Token::Bool(true),
            UINT => Token::Uint(self.number()?),
            TEXT => Token::Text(std::str::from_utf8(self.counted()?).ok()?),
            BYTES => Token::Bytes(self.counted()?),
            DIGEST => Token::Digest(Digest::from_bytes(self.take(Digest::LEN)?.try_into().ok()?)),
            LIST => Token::List(self.number()?),
            RECORD => Token::Record(self.number()?),
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::encode::Encoder;

    fn every_kind() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.none();
        e.bool(true);
        e.bool(false);
        e.uint(u64::MAX);
        e.text("grün");
        e.bytes(b"\xff");
        e.digest(&Digest::from_bytes([9; 32]));
        e.list(0);
        e.record(3);
        bytes
    }

    #[test]
    fn encoded_values_are_decoded_unchanged() {
        let bytes = every_kind();
        let mut decoder = Decoder::new(&bytes);
        let expected = [
            Token::None,
            Token::Bool(true),
            Token::Bool(false),
            Token::Uint(u64::MAX),
            Token::Text("grün"),
            Token::Bytes(b"\xff"),
            Token::Digest(Digest::from_bytes([9; 32])),
            Token::List(0),
            Token::Record(3),
        ];
        for token in expected {
            assert_eq!(decoder.token(), Ok(token));
        }
        assert_eq!(decoder.end(), Ok(()));
        assert_eq!(decoder.token(), Err(DecodeError { at: bytes.len() }));
    }

    #[test]
    fn an_encoding_truncated_anywhere_is_an_error() {
        let bytes = every_kind();
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::new(&bytes[..cut]);
            let count = std::iter::from_fn(|| decoder.token().ok()).count();
            assert!(count < 9, "{cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        let mut bytes = vec![TEXT];
        bytes.extend(u64::MAX.to_le_bytes());
        assert_eq!(Decoder::new(&bytes).token(), Err(DecodeError { at: 0 }));
    }
}
