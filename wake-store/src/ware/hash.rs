//! SHA-384 and base58, the two halves of every Timeless identity.

use sha2::{Digest, Sha384};
use std::fmt;

/// A SHA-384 digest; displayed in base58 with the Bitcoin alphabet, like WareIDs and formulaIDs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha384Digest([u8; 48]);

impl Sha384Digest {
    /// Hashes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha384::digest(bytes).into())
    }

    /// Returns the digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 48] {
        &self.0
    }
}

impl fmt::Display for Sha384Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base58(&self.0))
    }
}

impl fmt::Debug for Sha384Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Formats `bytes` in base58 with the Bitcoin alphabet; each leading zero byte becomes `1`.
pub fn base58(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

/// An incremental hasher.
#[derive(Clone, Default)]
pub struct Sha384Stream(Sha384);

impl Sha384Stream {
    /// Adds `bytes` to the hash.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest.
    pub fn finish(self) -> Sha384Digest {
        Sha384Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zero_bytes_become_ones() {
        // From the base58 Internet-Draft (draft-msporny-base58), section 5.
        assert_eq!(base58(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(base58(&[0x00, 0x00, 0x28, 0x7f, 0xb4, 0xcd]), "11233QC4");
    }

    #[test]
    fn sha384_of_abc_matches_the_published_value() {
        // FIPS 180-4 example.
        let hex: String =
            Sha384Digest::of(b"abc").as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert!(hex.starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"));
    }
}
