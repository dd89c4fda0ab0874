//! The bytes of small files that were copied for one job, for later jobs with the same files.

use std::collections::HashMap;

use wake_model::BlobDigest;

/// The largest file that is kept, in bytes.
const LARGEST: usize = 64 << 10;

/// The most bytes kept in total.
const MOST: usize = 1 << 20;

/// Contents by digest: a tool or a header is an input of many jobs, and need not be read and hashed for each.
#[derive(Default)]
pub(crate) struct SharedFiles {
    kept: HashMap<BlobDigest, Box<[u8]>>,
    held: usize,
}

impl SharedFiles {
    /// Returns the bytes with this digest, if they are kept.
    pub(crate) fn get(&self, blob: &BlobDigest) -> Option<&[u8]> {
        self.kept.get(blob).map(|bytes| &**bytes)
    }

    /// Keeps `bytes`, verified to have the digest `blob`, unless they are too large.
    ///
    /// If there is no room, everything else is dropped: frequently used content soon returns.
    pub(crate) fn keep(&mut self, blob: BlobDigest, bytes: &[u8]) {
        if bytes.len() > LARGEST || self.kept.contains_key(&blob) {
            return;
        }
        if self.held + bytes.len() > MOST {
            self.kept.clear();
            self.held = 0;
        }
        self.held += bytes.len();
        self.kept.insert(blob, bytes.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_files_never_exceed_their_limit() {
        let mut shared = SharedFiles::default();
        let most = MOST / LARGEST;
        let piece = |number: usize| vec![u8::try_from(number).unwrap_or(0); LARGEST];
        for number in 0..most {
            let bytes = piece(number);
            shared.keep(BlobDigest::of(&bytes), &bytes);
            // Adding the same content again takes no room.
            shared.keep(BlobDigest::of(&bytes), &bytes);
        }
        assert_eq!((shared.kept.len(), shared.held), (most, MOST));
        for number in 0..most {
            let bytes = piece(number);
            assert_eq!(shared.get(&BlobDigest::of(&bytes)), Some(&*bytes));
        }
        shared.keep(BlobDigest::of(b"one more"), b"one more");
        assert_eq!((shared.kept.len(), shared.held), (1, 8));
        let large = vec![7; LARGEST + 1];
        shared.keep(BlobDigest::of(&large), &large);
        assert_eq!(shared.get(&BlobDigest::of(&large)), None);
    }
}
