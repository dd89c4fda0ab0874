//! Reading the canonical encoding back.
//!
//! Only for those who show what was hashed: what something *is* follows from its digest alone.

use crate::digest::Digest;
use crate::encode::{BYTES, DIGEST, FALSE, LIST, NONE, RECORD, TEXT, TRUE, UINT};

/// The bytes are not a canonical encoding of what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical encoding: wrong or missing byte at offset {at}")]
pub struct DecodeError {
    /// How many bytes were understood.
    pub at: usize,
}

/// One value, without what lies in a list or record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// The absence of a value.
    None,
    /// A truth value.
    Bool(bool),
    /// An unsigned number.
    Uint(u64),
    /// A text.
    Text(&'a str),
    /// Any bytes.
    Bytes(&'a [u8]),
    /// A digest.
    Digest(Digest),
    /// A list; this many values follow.
    List(u64),
    /// A record; this many pairs of a text and a value follow.
    Record(u64),
}

/// Takes an encoding apart, value by value; never reads past its end.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes on after so many bytes.
    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next value.
    pub fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let start = self.at;
        let token = self.token_or_none();
        token.ok_or_else(|| {
            self.at = start;
            self.error()
        })
    }

    /// The error that says where this stands.
    pub fn error(&self) -> DecodeError {
        DecodeError { at: self.at }
    }

    /// Succeeds if nothing is left.
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
    fn what_was_encoded_comes_back() {
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
    fn a_cut_encoding_is_an_error_wherever_it_is_cut() {
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
