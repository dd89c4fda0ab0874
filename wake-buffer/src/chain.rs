//! How Tyger verifies a stream: the MD5 of each block, and a hash chain over them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Returns a digest as written in headers.
pub fn text(digest: &[u8]) -> String {
    STANDARD.encode(digest)
}

/// A hash chain over the blocks so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashChain(String);

impl Default for HashChain {
    /// The chain before the first block: sixteen zeros.
    fn default() -> Self {
        HashChain(STANDARD.encode([b'0'; 16]))
    }
}

impl HashChain {
    /// Returns the chain extended by a block with this MD5.
    #[must_use]
    pub fn with(&self, md5: &[u8; 16]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        hasher.update(text(md5).as_bytes());
        HashChain(STANDARD.encode(hasher.finalize()))
    }

    /// The chain as written in headers.
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
