//! Bytes of small files, kept from when they are hashed until a command wants them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wake_model::BlobDigest;

use super::lock;

/// Files from here on are cheaper to read twice than to keep, in bytes.
const LARGEST: usize = 16 << 10;

/// So much is kept at once, in bytes.
const MOST: usize = 8 << 20;

/// Contents by digest, each until it is taken, as far as there is room.
pub(super) struct Contents {
    room: AtomicUsize,
    kept: [Mutex<HashMap<BlobDigest, Box<[u8]>>>; SHARDS],
}

const SHARDS: usize = 8;

impl Default for Contents {
    fn default() -> Self {
        let kept = std::array::from_fn(|_| Mutex::default());
        Contents { room: AtomicUsize::new(MOST), kept }
    }
}

impl Contents {
    /// Keeps `bytes`, whose digest is `blob`, if they are few and there is room.
    pub(super) fn keep(&self, blob: BlobDigest, bytes: Vec<u8>) {
        let size = bytes.len();
        let order = Ordering::Relaxed;
        if size > LARGEST
            || self.room.fetch_update(order, order, |room| room.checked_sub(size)).is_err()
        {
            return;
        }
        if let Some(same) = lock(self.shard(&blob)).insert(blob, bytes.into_boxed_slice()) {
            self.room.fetch_add(same.len(), order);
        }
    }

    /// The bytes with this digest, which are not kept any longer.
    pub(super) fn take(&self, blob: &BlobDigest) -> Option<Vec<u8>> {
        let bytes = lock(self.shard(blob)).remove(blob)?;
        self.room.fetch_add(bytes.len(), Ordering::Relaxed);
        Some(bytes.into_vec())
    }

    fn shard(&self, blob: &BlobDigest) -> &Mutex<HashMap<BlobDigest, Box<[u8]>>> {
        &self.kept[usize::from(blob.as_bytes()[0]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_kept_is_given_once() {
        let contents = Contents::default();
        let (a, b) = (BlobDigest::of(b"a"), BlobDigest::of(b"b"));
        contents.keep(a, b"a".to_vec());
        assert_eq!(contents.take(&b), None);
        assert_eq!(contents.take(&a).unwrap(), b"a");
        assert_eq!(contents.take(&a), None);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_room_comes_back() {
        let contents = Contents::default();
        let blob = |number: usize| BlobDigest::of(&number.to_le_bytes());
        let piece = vec![7; LARGEST];
        let most = MOST / LARGEST;
        contents.keep(blob(most), vec![7; LARGEST + 1]);
        assert_eq!(contents.take(&blob(most)), None, "it is too large");
        for number in 0..=most {
            // Twice the same takes the room of one.
            contents.keep(blob(number), piece.clone());
            contents.keep(blob(number), piece.clone());
        }
        let kept = (0..=most).filter(|number| contents.take(&blob(*number)).is_some()).count();
        assert!((most - 1..=most).contains(&kept), "{kept} of {most}");
        contents.keep(blob(most), piece);
        assert!(contents.take(&blob(most)).is_some(), "what was taken has left no room");
    }
}
