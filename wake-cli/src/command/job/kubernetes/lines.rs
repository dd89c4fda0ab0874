//! Copying a container's output to the log of its job: each byte once, even if the log is read again from the start.

/// Passes on the output of a container.
pub(super) struct Lines {
    /// The prefix for lines, if several containers write; output is then passed on in whole lines.
    tag: Option<String>,
    /// What an earlier, interrupted reading passed on.
    taken: Vec<u8>,
    /// How much of that has been read again.
    seen: usize,
    /// The incomplete last line.
    begun: Vec<u8>,
    /// A notice by the node, unless more output follows it.
    notice: Vec<u8>,
}

/// What a node appends to, or returns instead of, a log that it has discarded, without a newline. Source: Kubernetes, kubelet; containerd.
const NOTICES: [&[u8]; 2] = [
    b"unable to retrieve container logs for ",
    b"rpc error: code = NotFound desc = an error occurred when try to find container ",
];

/// The maximum length of a line in bytes; a longer one is split.
const LONGEST: usize = 64 << 10;

impl Lines {
    /// Passes on what follows the part already in a log.
    pub(super) fn after(log: &[u8], tag: Option<String>) -> Lines {
        let taken = match &tag {
            None => log.to_vec(),
            Some(tag) => {
                let head = head(tag);
                let lines = log.split_inclusive(|&byte| byte == b'\n');
                lines.filter_map(|line| line.strip_prefix(&head[..])).flatten().copied().collect()
            }
        };
        Lines { tag, taken, seen: 0, begun: Vec::new(), notice: Vec::new() }
    }

    /// Takes new output, and returns what goes into the log.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Vec<u8> {
        let bytes = self.without_notice(bytes);
        let rest = self.new_of(&bytes);
        let Some(tag) = &self.tag else { return rest };
        self.begun.extend_from_slice(&rest);
        let mut whole = Vec::new();
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            whole.extend(head(tag));
            whole.extend(self.begun.drain(..=end));
        }
        if self.begun.len() > LONGEST {
            whole.extend(head(tag));
            whole.append(&mut self.begun);
            whole.push(b'\n');
        }
        whole
    }

    /// Whether the node has reported that the log is gone.
    pub(super) fn is_lost(&self) -> bool {
        !self.notice.is_empty()
    }

    /// Returns the incomplete last line.
    pub(super) fn end(self) -> Vec<u8> {
        match self.tag {
            Some(tag) if !self.begun.is_empty() => [&head(&tag)[..], &self.begun, b"\n"].concat(),
            _ => Vec::new(),
        }
    }

    /// Strips what may be a notice by the node.
    fn without_notice(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.notice);
        all.extend_from_slice(bytes);
        let line = all.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if NOTICES.iter().any(|notice| all[line..].starts_with(notice)) {
            self.notice = all.split_off(line);
        }
        all
    }

    /// Returns the part that was not read before.
    fn new_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let left = &self.taken[self.seen..];
        let same = left.len().min(bytes.len());
        if left[..same] == bytes[..same] {
            self.seen += same;
            return bytes[same..].to_vec();
        }
        // The log now starts elsewhere, as when the cluster keeps only the end of a long log: better twice than never.
        let passed = self.taken[..self.seen].to_vec();
        self.taken.clear();
        self.seen = 0;
        [passed, bytes.to_vec()].concat()
    }
}

fn head(tag: &str) -> Vec<u8> {
    format!("[{tag}] ").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str, tag: Option<&str>, written: &[&str]) -> String {
        let mut lines = Lines::after(log.as_bytes(), tag.map(str::to_owned));
        let mut all: Vec<u8> =
            written.iter().flat_map(|bytes| lines.add(bytes.as_bytes())).collect();
        all.extend(lines.end());
        String::from_utf8_lossy(&all).into_owned()
    }

    #[test]
    fn several_logs_are_merged_by_line_and_one_is_unchanged() {
        assert_eq!(told("", None, &["a", "b\nc"]), "ab\nc");
        let several = told("", Some("job-1"), &["a", "b\nc\nd"]);
        assert_eq!(several, "[job-1] ab\n[job-1] c\n[job-1] d\n");
    }

    #[test]
    fn repeated_log_output_is_forwarded_once() {
        assert_eq!(told("ab\nc", None, &["a", "b\ncd", "\n"]), "d\n");
        assert_eq!(told("ab\nc", None, &["ab"]), "");
        let log = "[job-0] x\n[job-1] a\n[job-0] y\n[job-1] b\n";
        assert_eq!(told(log, Some("job-1"), &["a\nb\nc\n"]), "[job-1] c\n");
        let lost = "unable to retrieve container logs for containerd://65d2";
        assert_eq!(told("ab\n", None, &[lost]), "");
        assert_eq!(told("", None, &["ab\n", "c\n", lost]), "ab\nc\n");
        let said = format!("{lost}\n");
        assert_eq!(told("", None, &["ab\n", lost, "\n"]), format!("ab\n{said}"));
        // The beginning is gone.
        assert_eq!(told("abcd", None, &["ab", "xy", "z"]), "abxyz");
    }
}
