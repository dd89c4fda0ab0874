//! Relaying a command's output while it runs.

use wake_exec::Stream;

/// The maximum length of a line, in bytes; a longer one is passed on in pieces.
const LONGEST: usize = 64 << 10;

/// Assembles the output of two streams from pieces, so that whole lines can be passed on.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Relay {
    /// Adds a piece; returns the lines that are now complete, with their line breaks.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) -> Option<String> {
        let rest = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        rest.extend_from_slice(bytes);
        let whole = match rest.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => last + 1,
            None if rest.len() > LONGEST => rest.len(),
            None => return None,
        };
        let text = String::from_utf8_lossy(&rest[..whole]).into_owned();
        rest.drain(..whole);
        Some(text)
    }

    /// Returns the rest when both streams have ended.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let rest = [std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr)].concat();
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_streams_apart() {
        let mut relay = Relay::default();
        assert_eq!(relay.push(Stream::Stdout, b"on"), None);
        assert_eq!(relay.push(Stream::Stderr, b"two\nth"), Some("two\n".to_owned()));
        assert_eq!(relay.push(Stream::Stdout, b"e\n"), Some("one\n".to_owned()));
        assert_eq!(relay.finish(), Some("th".to_owned()));
        assert_eq!(relay.finish(), None);
    }

    #[test]
    fn a_character_split_between_reads_stays_whole() {
        let mut relay = Relay::default();
        assert_eq!(relay.push(Stream::Stdout, &[0xc3]), None);
        assert_eq!(relay.push(Stream::Stdout, &[0xa9, b'\n']), Some("é\n".to_owned()));
    }

    #[test]
    fn an_endless_line_is_not_buffered_whole() {
        let mut relay = Relay::default();
        let piece = vec![b'x'; LONGEST + 1];
        assert_eq!(relay.push(Stream::Stdout, &piece).map(|text| text.len()), Some(LONGEST + 1));
    }
}
