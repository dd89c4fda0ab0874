//! History: the last keys of each step and how long it took.
//!
//!

use std::collections::BTreeMap;
use std::io::Write;

use wake_model::ActionDigest;
use wake_store::ConfinedPath;

/// The last run of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// Its last key.
    pub last: ActionDigest,
    /// Its key before that; the same if there was none.
    pub before: ActionDigest,
    /// How long its command took last, in milliseconds.
    pub dur_ms: u64,
}

/// The last run of every step, by name.
#[derive(Clone, Debug, Default)]
pub struct History {
    steps: BTreeMap<String, LastRun>,
}

const HEAD: &str = "wake history 2";
/// Below this size in bytes, superseded lines do no harm.
const LONG: u64 = 1 << 20;
/// The largest history that is read, in bytes; a longer file was not written by wake.
const LARGEST: u64 = 256 << 20;

impl History {
    /// Reads the file at `path`; none if it does not exist. Unreadable content is ignored.
    pub fn read(path: &ConfinedPath) -> Option<History> {
        let text = String::from_utf8(path.read(LARGEST).ok()?).ok()?;
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return None;
        }
        Some(History { steps: lines.filter_map(parse).collect() })
    }

    /// Appends a few steps to the existing file at `path`; `before` is the previous key of each.
    ///
    /// The last of several lines for one step counts, until [`History::write`] leaves only that one. This happens whenever the
    /// file has grown to another power of two from [`LONG`] on, so that it stays bounded without a full build.
    pub fn append(path: &ConfinedPath, steps: &[(String, LastRun)]) -> std::io::Result<()> {
        let text: String = steps.iter().map(|(label, past)| line(label, past)).collect();
        let mut file = path.append()?;
        let before = file.metadata()?.len();
        file.write_all(text.as_bytes())?;
        let after = before + text.len() as u64;
        if after >= LONG && before.leading_zeros() != after.leading_zeros() {
            // An unreadable file is lost in any case.
            History::read(path).unwrap_or_default().write(path)?;
        }
        Ok(())
    }

    /// Writes the file at `path`.
    pub fn write(&self, path: &ConfinedPath) -> std::io::Result<()> {
        let mut text = format!("{HEAD}\n");
        for (label, past) in &self.steps {
            text.push_str(&line(label, past));
        }
        path.replace_by(&[text.as_bytes()])
    }

    /// Returns the names of all known steps.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.steps.keys().map(String::as_str)
    }

    /// Returns the last run of the step called `label`.
    pub fn get(&self, label: &str) -> Option<&LastRun> {
        self.steps.get(label)
    }

    /// Records the current key of a step and how long its command took.
    pub fn note(&mut self, label: &str, key: ActionDigest, dur_ms: u64) {
        let before = match self.steps.get(label) {
            Some(past) if past.last == key => past.before,
            Some(past) => past.last,
            None => key,
        };
        self.steps.insert(label.to_owned(), LastRun { last: key, before, dur_ms });
    }
}

fn line(label: &str, LastRun { last, before, dur_ms }: &LastRun) -> String {
    format!("{last} {before} {dur_ms} {label}\n")
}

fn parse(line: &str) -> Option<(String, LastRun)> {
    let mut parts = line.splitn(4, ' ');
    let last = parts.next()?.parse().ok()?;
    let before = parts.next()?.parse().ok()?;
    let dur_ms = parts.next()?.parse().ok()?;
    Some((parts.next()?.to_owned(), LastRun { last, before, dur_ms }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_model::Digest;

    fn key(byte: u8) -> ActionDigest {
        ActionDigest(Digest::from_bytes([byte; 32]))
    }

    #[test]
    fn history_is_read_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = ConfinedPath::top(dir.path()).unwrap().join("history");
        let mut history = History::default();
        history.note("//a b:c", key(1), 5);
        history.note("//a b:c", key(2), 7);
        history.note("//a b:c", key(2), 9);
        history.write(&path).unwrap();
        let past = *History::read(&path).unwrap().get("//a b:c").unwrap();
        assert_eq!(past, LastRun { last: key(2), before: key(1), dur_ms: 9 });
        let newer = LastRun { last: key(3), before: key(2), dur_ms: 4 };
        History::append(&path, &[("//a b:c".to_owned(), newer)]).unwrap();
        assert_eq!(*History::read(&path).unwrap().get("//a b:c").unwrap(), newer);
        for number in 0..10_000u32 {
            let past = LastRun { dur_ms: number.into(), ..newer };
            History::append(&path, &[("//a b:c".to_owned(), past)]).unwrap();
            assert!(std::fs::metadata(path.path()).unwrap().len() < LONG);
        }
        assert_eq!(History::read(&path).unwrap().get("//a b:c").unwrap().dur_ms, 9_999);
        std::fs::write(path.path(), "something else").unwrap();
        assert!(History::read(&path).is_none());
    }
}
