//! Finds a key among the sorted entries of a file without reading all of them.
//!
//! Entries have 64 bytes and start with their key. The file is read with `pread` rather than mapped: if somebody
//! truncates it, that gives an error instead of a signal. Source: `spec/store-layout.md`, memo segments and packs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use wake_model::Digest;

/// The size of an entry.
pub(crate) const ENTRY: usize = 64;
const KEY: usize = 32;
/// The number of entries read around the expected position of a key.
const WINDOW: u64 = 256;
/// After this many lookups, the whole index is read.
const LOOKS_BEFORE_INDEX: u32 = 16;

/// Returns the number in the eight bytes at `at`, if there are that many.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The index of one file.
#[derive(Debug)]
pub(crate) struct SortedIndex {
    /// Its offset in the file.
    at: u64,
    count: u64,
    whole: OnceLock<Vec<u8>>,
    looks: AtomicU32,
}

impl SortedIndex {
    pub(crate) fn new(at: u64, count: u64) -> Self {
        SortedIndex { at, count, whole: OnceLock::new(), looks: AtomicU32::new(0) }
    }

    /// Returns the entry of a key; none if it is missing or the file cannot be read.
    pub(crate) fn find(&self, file: &File, key: &Digest) -> Option<[u8; ENTRY]> {
        let key_bytes = key.as_bytes().as_slice();
        let few = self.looks.fetch_add(1, Ordering::Relaxed) < LOOKS_BEFORE_INDEX;
        if few && self.whole.get().is_none() {
            let (start, window) = self.window(file, key)?;
            let at_start = start == 0;
            let at_end = start + (window.len() / ENTRY) as u64 == self.count;
            let from = window.get(..KEY)?;
            let to = window.get(window.len() - ENTRY..)?.get(..KEY)?;
            if (at_start || from <= key_bytes) && (at_end || key_bytes <= to) {
                return search(&window, key_bytes);
            }
        }
        search(self.whole(file)?, key_bytes)
    }

    /// Returns all entries, concatenated; none if the file cannot be read.
    pub(crate) fn whole(&self, file: &File) -> Option<&[u8]> {
        if self.whole.get().is_none() {
            let mut index = vec![0; usize::try_from(self.count).ok()?.checked_mul(ENTRY)?];
            file.read_exact_at(&mut index, self.at).ok()?;
            // Another thread may have been faster: both read the same.
            let _ = self.whole.set(index);
        }
        self.whole.get().map(Vec::as_slice)
    }

    /// Returns the entries around the expected position of `key`: keys are hashes, so they are evenly distributed.
    fn window(&self, file: &File, key: &Digest) -> Option<(u64, Vec<u8>)> {
        let [a, b, c, d, e, f, g, h, ..] = *key.as_bytes();
        let head = u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let guess = ((head * u128::from(self.count)) >> 64) as u64;
        let start = guess.saturating_sub(WINDOW / 2).min(self.count.saturating_sub(WINDOW));
        let count = WINDOW.min(self.count - start);
        let mut window = vec![0; count as usize * ENTRY];
        file.read_exact_at(&mut window, self.at + start * ENTRY as u64).ok()?;
        Some((start, window))
    }
}

fn search(index: &[u8], key: &[u8]) -> Option<[u8; ENTRY]> {
    let (entries, _) = index.as_chunks::<ENTRY>();
    let at = entries.binary_search_by(|entry| entry[..KEY].cmp(key)).ok()?;
    Some(entries[at])
}
