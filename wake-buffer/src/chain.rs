//! How Tyger knows that a stream is whole: the MD5 of each block, and a chain of hashes over them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A digest as it stands in headers.
pub fn text(digest: &[u8]) -> String {
    STANDARD.encode(digest)
}

/// The chain as far as it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashChain(String);

impl Default for HashChain {
    /// The chain of no block: sixteen zeros.
    fn default() -> Self {
        HashChain(STANDARD.encode([b'0'; 16]))
    }
}

impl HashChain {
    /// The chain with the next block, by the MD5 of that.
    #[must_use]
    pub fn with(&self, md5: &[u8; 16]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        hasher.update(text(md5).as_bytes());
        HashChain(STANDARD.encode(hasher.finalize()))
    }

    /// As it stands in headers.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_vectors_hold() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../spec/vectors/buffer.json")).unwrap();
        for case in vectors["chains"].as_array().unwrap() {
            let mut chain = HashChain::default();
            // An empty block ends each stream.
            let blocks =
                case["blocks"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
            for (block, said) in blocks.chain([""]).zip(case["said"].as_array().unwrap()) {
                let md5 = md5::Md5::digest(block.as_bytes()).into();
                chain = chain.with(&md5);
                assert_eq!(
                    (text(&md5).as_str(), chain.as_str()),
                    (said[0].as_str().unwrap(), said[1].as_str().unwrap())
                );
            }
        }
    }
}
