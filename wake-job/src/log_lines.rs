//! The output of several processes in one log, line by line, each prefixed with its writer.

use wake_exec::Stream;

/// Assembles lines. The output of a single process is passed on unchanged.
pub(crate) struct LogLines {
    is_alone: bool,
    names: Vec<String>,
    /// The unfinished line of each process.
    begun: Vec<Vec<u8>>,
}

/// The maximum length of a line in bytes; longer ones are split.
const LONGEST: usize = 64 << 10;

impl LogLines {
    pub(crate) fn new(names: Vec<String>, is_alone: bool) -> Self {
        let begun = names.iter().map(|_| Vec::new()).collect();
        LogLines { is_alone, names, begun }
    }

    /// Adds output of a process, and passes on the lines that are complete.
    pub(crate) fn add(
        &mut self,
        number: usize,
        stream: Stream,
        bytes: &[u8],
        wrote: &mut dyn FnMut(Stream, &[u8]),
    ) {
        if self.is_alone {
            return wrote(stream, bytes);
        }
        let begun = &mut self.begun[number];
        begun.extend_from_slice(bytes);
        while let Some(end) = begun.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = begun.drain(..=end).collect();
            wrote(stream, &named(&self.names[number], &line));
        }
        if begun.len() > LONGEST {
            let line = std::mem::take(begun);
            wrote(stream, &named(&self.names[number], &[&line[..], b"\n"].concat()));
        }
    }

    /// Passes on the unfinished lines.
    pub(crate) fn end(self, wrote: &mut dyn FnMut(Stream, &[u8])) {
        for (name, line) in self.names.iter().zip(self.begun) {
            if !line.is_empty() {
                wrote(Stream::Stdout, &named(name, &[&line[..], b"\n"].concat()));
            }
        }
    }
}

fn named(name: &str, line: &[u8]) -> Vec<u8> {
    [b"[", name.as_bytes(), b"] ", line].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str], is_alone: bool, written: &[(usize, &str)]) -> String {
        let mut all = Vec::new();
        let mut wrote = |_: Stream, bytes: &[u8]| all.extend_from_slice(bytes);
        let mut lines =
            LogLines::new(names.iter().map(|&name| name.to_owned()).collect(), is_alone);
        for (number, text) in written {
            lines.add(*number, Stream::Stdout, text.as_bytes(), &mut wrote);
        }
        lines.end(&mut wrote);
        String::from_utf8_lossy(&all).into_owned()
    }

    #[test]
    fn several_writers_are_merged_by_line_and_one_is_unchanged() {
        let written = [(0, "a"), (1, "x\ny\nz"), (0, "b\n"), (1, "!")];
        assert_eq!(
            told(&["job-0", "worker-0"], false, &written),
            "[worker-0] x\n[worker-0] y\n[job-0] ab\n[worker-0] z!\n"
        );
        let written = [(0, "a"), (0, "b\nc")];
        assert_eq!(told(&["job-0"], true, &written), "ab\nc");
        // Other replicas may be elsewhere.
        assert_eq!(told(&["job-4"], false, &written), "[job-4] ab\n[job-4] c\n");
    }
}
