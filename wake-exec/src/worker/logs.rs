//! Captures what a command writes to a stream: its beginning and its end.

use std::collections::VecDeque;

use crate::finished::Log;

/// Keeps the first and the last bytes of a stream, in bounded memory.
pub(crate) struct LogCapture {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl LogCapture {
    /// Keeps `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let half = usize::try_from(limit / 2).unwrap_or(usize::MAX);
        LogCapture { half, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    /// Adds the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        let kept = &rest[rest.len().saturating_sub(self.half)..];
        let excess = (self.tail.len() + kept.len()).saturating_sub(self.half);
        self.tail.drain(..excess);
        self.tail.extend(kept);
        self.dropped += (rest.len() - kept.len() + excess) as u64;
    }

    /// Returns what was kept.
    pub(crate) fn finish(mut self) -> Log {
        if self.dropped == 0 {
            self.head.extend(self.tail.drain(..));
        }
        Log { head: self.head, dropped: self.dropped, tail: self.tail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: u64, pieces: &[&[u8]]) -> Log {
        let mut capture = LogCapture::new(limit);
        pieces.iter().for_each(|piece| capture.push(piece));
        capture.finish()
    }

    #[test]
    fn a_log_that_fits_is_complete() {
        let log = kept(8, &[b"abc", b"", b"defgh"]);
        assert_eq!(log, Log { head: b"abcdefgh".to_vec(), dropped: 0, tail: Vec::new() });
    }

    #[test]
    fn a_long_log_keeps_both_ends() {
        let whole = kept(8, &[b"abcdefghijkl"]);
        assert_eq!(whole, Log { head: b"abcd".to_vec(), dropped: 4, tail: b"ijkl".to_vec() });
        let bytes: Vec<&[u8]> = b"abcdefghijkl".chunks(1).collect();
        assert_eq!(kept(8, &bytes), whole);
        assert_eq!(kept(8, &[b"abcdefghijkl", &[b'x'; 100]]).dropped, 104);
    }
}
