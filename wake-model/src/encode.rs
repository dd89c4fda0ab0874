//! The canonical encoding: the bytes that digests are computed from.
//!
//! Every value starts with a tag byte and contains its own length, so no two different values have the same bytes,
//! and none is a prefix of another. A digest is BLAKE3 in key-derivation mode over these bytes. The context string
//! names the kind of thing, so things of different kinds never share a digest. `spec/encoding.md` contains the
//! grammar and the vectors.

use std::sync::OnceLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

use crate::digest::Digest;

/// Receives encoded bytes as they are produced: a hasher or a buffer.
pub trait Sink {
    /// Consumes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for blake3::Hasher {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// A kind of hashed thing. Its context string separates its digests from those of other kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A directory.
    Tree,
    /// A package.
    Pkg,
    /// One command with its inputs.
    Action,
    /// A JSON value.
    Value,
    /// The identity of a host.
    Host,
    /// An evaluation that can be cached.
    Evaluation,
    /// A run record.
    Record,
    /// The build of a container image from Velocity documents.
    ImageBuild,
}

impl Domain {
    /// Returns the BLAKE3 context string.
    pub const fn context(self) -> &'static str {
        match self {
            Domain::Tree => "wake tree v1",
            Domain::Pkg => "wake pkg v1",
            Domain::Action => "wake action v3",
            Domain::Value => "wake value v1",
            Domain::Host => "wake host v2",
            Domain::Evaluation => "wake evaluation v1",
            Domain::Record => "wake record v1",
            Domain::ImageBuild => "wake image build v1",
        }
    }

    /// Returns the BLAKE3 key derived from the context string; the same for all things of a kind.
    fn context_key(self) -> &'static ContextKey {
        static KEYS: [OnceLock<ContextKey>; 8] = [const { OnceLock::new() }; 8];
        KEYS[self as usize].get_or_init(|| hash_derive_key_context(self.context()))
    }
}

pub(crate) const NONE: u8 = 0x00;
pub(crate) const FALSE: u8 = 0x01;
pub(crate) const TRUE: u8 = 0x02;
pub(crate) const UINT: u8 = 0x03;
pub(crate) const TEXT: u8 = 0x04;
pub(crate) const BYTES: u8 = 0x05;
pub(crate) const DIGEST: u8 = 0x06;
pub(crate) const LIST: u8 = 0x07;
pub(crate) const RECORD: u8 = 0x08;

/// Writes canonical values to a sink.
pub struct Encoder<'a, S: Sink> {
    sink: &'a mut S,
}

impl<'a, S: Sink> Encoder<'a, S> {
    /// Creates an encoder that writes to `sink`.
    pub fn new(sink: &'a mut S) -> Self {
        Encoder { sink }
    }

    /// Writes the absence of a value.
    pub fn none(&mut self) {
        self.sink.put(&[NONE]);
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) {
        self.sink.put(&[if value { TRUE } else { FALSE }]);
    }

    /// Writes an unsigned integer: eight bytes, least significant first.
    pub fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    /// Writes a UTF-8 string, preceded by its length in bytes.
    pub fn text(&mut self, value: &str) {
        self.head(TEXT, value.len() as u64);
        self.sink.put(value.as_bytes());
    }

    /// Writes a byte string, preceded by its length.
    pub fn bytes(&mut self, value: &[u8]) {
        self.head(BYTES, value.len() as u64);
        self.sink.put(value);
    }

    /// Writes a digest: 32 bytes.
    pub fn digest(&mut self, value: &Digest) {
        self.sink.put(&[DIGEST]);
        self.sink.put(value.as_bytes());
    }

    /// Writes the head of a list; exactly `count` values must follow.
    pub fn list(&mut self, count: usize) {
        self.head(LIST, count as u64);
    }

    /// Writes the head of a record; exactly `count` pairs of a string and a value must follow.
    pub fn record(&mut self, count: usize) {
        self.head(RECORD, count as u64);
    }

    fn head(&mut self, tag: u8, number: u64) {
        let mut bytes = [0; 9];
        bytes[0] = tag;
        bytes[1..].copy_from_slice(&number.to_le_bytes());
        self.sink.put(&bytes);
    }
}

/// Sets the count of the list at the start of `bytes`, for callers that count while they write.
pub(crate) fn recount(bytes: &mut [u8], count: usize) {
    if let Some(number) = bytes.get_mut(1..9) {
        number.copy_from_slice(&(count as u64).to_le_bytes());
    }
}

/// Hashes what `write` encodes, in the context of `domain`.
pub fn digest_of(domain: Domain, write: impl FnOnce(&mut Encoder<'_, Vec<u8>>)) -> Digest {
    let mut bytes = Vec::with_capacity(512);
    write(&mut Encoder::new(&mut bytes));
    digest_bytes(domain, &bytes)
}

/// Hashes bytes that are already encoded, in the context of `domain`.
pub fn digest_bytes(domain: Domain, encoded: &[u8]) -> Digest {
    blake3::Hasher::new_from_context_key(domain.context_key()).update(encoded).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(write: impl FnOnce(&mut Encoder<'_, Vec<u8>>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out));
        out
    }

    #[test]
    fn a_digest_is_that_of_key_derivation_with_the_context_of_its_kind() {
        use Domain::{Action, Evaluation, Host, ImageBuild, Pkg, Record, Tree, Value};
        for domain in [Tree, Pkg, Action, Value, Host, Evaluation, Record, ImageBuild] {
            let expected = blake3::derive_key(domain.context(), b"bytes");
            assert_eq!(*digest_bytes(domain, b"bytes").as_bytes(), expected);
        }
    }

    #[test]
    fn framing_keeps_structures_apart() {
        let joined = bytes(|e| {
            e.list(1);
            e.text("ab");
        });
        let split = bytes(|e| {
            e.list(2);
            e.text("a");
            e.text("b");
        });
        assert_ne!(joined, split);
        assert_ne!(bytes(|e| e.text("a")), bytes(|e| e.bytes(b"a")));
        assert_ne!(bytes(|e| e.none()), bytes(|e| e.text("")));
    }

    #[test]
    fn numbers_are_eight_bytes_least_significant_first() {
        assert_eq!(bytes(|e| e.uint(258)), [3, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn one_encoding_in_two_domains_has_two_digests() {
        let write = |e: &mut Encoder<'_, Vec<u8>>| e.text("x");
        assert_ne!(digest_of(Domain::Tree, write), digest_of(Domain::Action, write));
    }
}
