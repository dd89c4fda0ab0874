//! The log of a package, and the state that its events add up to.

use std::collections::BTreeMap;

use wake_model::{PkgName, Release, TreeDigest, Version};

use crate::event::{ArchiveSum, Event};

/// Maximum size of a log, in bytes.
pub(crate) const LONGEST: u64 = 16 << 20;

/// The log of a package, up to its last complete line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PkgLog {
    versions: BTreeMap<Version, Listed>,
    later: Vec<String>,
    lines: usize,
}

/// A version that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its metadata.
    pub release: Release,
    /// Its archive.
    pub archive: ArchiveSum,
    /// When it was published, in seconds since 1970.
    pub at: u64,
    /// How many attestations it has, as far as the registry says.
    pub attestations: u64,
    /// Why it is yanked, if it is.
    pub yanked: Option<Yank>,
    /// Why its archive was removed, if it was.
    pub gone: Option<String>,
}

/// Why a version is yanked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yank {
    /// The reason that its publisher gave.
    pub reason: String,
    /// What to use instead.
    pub instead: Option<String>,
}

/// The event that yanks a version, or without a yank the one that undoes it.
pub(crate) fn statement(version: Version, yank: Option<Yank>, at: u64) -> Event {
    match yank {
        Some(Yank { reason, instead }) => Event::Yank { at, version, reason, instead },
        None => Event::Unyank { at, version },
    }
}

/// An invalid line of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct LogFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl PkgLog {
    /// Parses the log of `pkg`. A last line without a line feed is still being written and is ignored.
    pub fn parse(bytes: &[u8], pkg: &PkgName) -> Result<PkgLog, LogFault> {
        let mut log = PkgLog::default();
        for line in whole_lines(bytes) {
            log.lines += 1;
            let taken = read(line).and_then(|event| log.take(event, pkg));
            taken.map_err(|problem| LogFault { line: log.lines, problem })?;
        }
        Ok(log)
    }

    /// Adds the staged lines; a version that is already published with the same content stays as it is.
    pub(crate) fn with_staged(mut self, staged: &[u8], pkg: &PkgName) -> Result<PkgLog, LogFault> {
        for line in whole_lines(staged) {
            self.lines += 1;
            let taken = read(line).and_then(|event| match &event {
                Event::Publish { meta, .. }
                    if self.content(&meta.version) == Some(meta.content) =>
                {
                    Ok(())
                }
                _ => self.take(event, pkg),
            });
            taken.map_err(|problem| LogFault { line: self.lines, problem })?;
        }
        Ok(self)
    }

    fn take(&mut self, event: Event, pkg: &PkgName) -> Result<(), String> {
        let named = |version: &Version| {
            format!("version {version} has not been published before this line")
        };
        match event {
            Event::Publish { at, archive, attestations, meta } => {
                if meta.pkg_name() != *pkg {
                    return Err(format!(
                        "it is about `{}`, but this is the log of `{pkg}`",
                        meta.pkg_name()
                    ));
                }
                if let Some(there) = self.same(&meta.version) {
                    return Err(format!("version {} is published twice", there.release.version));
                }
                let version = meta.version.clone();
                let listed =
                    Listed { release: *meta, archive, at, attestations, yanked: None, gone: None };
                self.versions.insert(version, listed);
            }
            Event::Yank { version, reason, instead, .. } => {
                let listed = self.versions.get_mut(&version).ok_or_else(|| named(&version))?;
                listed.yanked = Some(Yank { reason, instead });
            }
            Event::Unyank { version, .. } => {
                let listed = self.versions.get_mut(&version).ok_or_else(|| named(&version))?;
                listed.yanked = None;
            }
            Event::Tombstone { version, content, reason, .. } => {
                let listed = self.versions.get_mut(&version).ok_or_else(|| named(&version))?;
                if listed.release.content != content {
                    return Err(format!("version {version} has different content"));
                }
                listed.gone = Some(reason);
            }
            Event::Attest { version, attestations, .. } => {
                let listed = self.versions.get_mut(&version).ok_or_else(|| named(&version))?;
                listed.attestations = attestations;
            }
            Event::Later { version } => self.later.push(version),
            Event::Unknown => {}
        }
        Ok(())
    }

    /// Returns the published version that equals this one up to build metadata.
    pub fn same(&self, version: &Version) -> Option<&Listed> {
        let text = version.to_string();
        let release = |text: &str| text.split('+').next().unwrap_or_default().to_owned();
        let wanted = release(&text);
        self.versions.values().find(|listed| release(&listed.release.version.to_string()) == wanted)
    }

    /// Returns the version, if it was published.
    pub fn get(&self, version: &Version) -> Option<&Listed> {
        self.versions.get(version)
    }

    /// Returns all published versions, lowest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Listed> {
        self.versions.values()
    }

    /// Versions that only a later wake can use, as written.
    pub fn later(&self) -> &[String] {
        &self.later
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Whether it has no lines.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Returns the highest version that may be chosen, a pre-release only if there is nothing else; otherwise the
    /// highest of all.
    pub fn newest(&self) -> Option<&Listed> {
        let may_be_chosen = |listed: &&Listed| listed.yanked.is_none() && listed.gone.is_none();
        let is_plain = |listed: &&Listed| !listed.release.version.to_string().contains('-');
        let usable: Vec<&Listed> = self.versions().rev().filter(may_be_chosen).collect();
        let plain = usable.iter().copied().find(is_plain);
        plain.or(usable.first().copied()).or_else(|| self.versions().next_back())
    }

    /// Whether it gives a version a different content than `other`.
    pub(crate) fn is_at_odds_with(&self, other: &PkgLog) -> bool {
        let is_other = |listed: &Listed| {
            let theirs = other.content(&listed.release.version);
            theirs.is_some_and(|theirs| theirs != listed.release.content)
        };
        self.versions().any(is_other)
    }

    /// Whether it has everything that is in `other`.
    pub(crate) fn has_all_of(&self, other: &PkgLog) -> bool {
        let is_here = |listed: &Listed| self.versions.contains_key(&listed.release.version);
        self.lines >= other.lines && other.versions().all(is_here)
    }

    /// The content of a version, even if it was yanked or removed.
    pub fn content(&self, version: &Version) -> Option<TreeDigest> {
        Some(self.same(version)?.release.content)
    }
}

fn read(line: &[u8]) -> Result<Event, String> {
    Event::parse(std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?)
}

/// The complete lines, without their line feeds.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

/// The bytes up to the last line feed.
pub(crate) fn whole(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &bytes[..end]
}

/// The offset of the last complete line.
pub(crate) fn last_line(bytes: &[u8]) -> usize {
    let lines = whole(bytes);
    let before = lines.strip_suffix(b"\n").unwrap_or(lines);
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// The first line, from 1, at which `now` differs from `before`; `None` if `now` starts with `before`.
pub(crate) fn first_change(before: &[u8], now: &[u8]) -> Option<usize> {
    if now.starts_with(before) {
        return None;
    }
    let same = before.iter().zip(now).take_while(|(one, two)| one == two).count();
    Some(1 + before[..same].iter().filter(|byte| **byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn publish(version: &str, content: &str) -> String {
        let content = wake_model::BlobDigest::of(content.as_bytes());
        format!(
            "{{\"archive\":{{\"sha256\":\"00\",\"size\":1}},\"at\":1,\"attestations\":0,\"kind\":\"publish\",\"meta\":{{\"api\":1,\"content\":\"{content}\",\"files\":1,\"modules\":[],\"name\":\"greet\",\"namespace\":\"acme\",\"pkgs\":{{}},\"size\":1,\"version\":\"{version}\",\"wake\":1}}}}\n"
        )
    }

    fn yank(version: &str) -> String {
        format!("{{\"at\":2,\"kind\":\"yank\",\"reason\":\"why\",\"version\":\"{version}\"}}\n")
    }

    fn parse(text: &str) -> Result<PkgLog, LogFault> {
        PkgLog::parse(text.as_bytes(), &"acme/greet".parse().unwrap())
    }

    #[test]
    fn later_lines_update_a_version() {
        let (one, two) = (publish("1.0.0", "1"), publish("1.1.0", "2"));
        let unyank = "{\"at\":3,\"kind\":\"unyank\",\"version\":\"1.1.0\"}\n";
        let newest = |text: &str| {
            parse(text).unwrap().newest().map(|listed| listed.release.version.to_string())
        };
        assert_eq!(newest(""), None);
        assert_eq!(newest(&[&*one, &*two].concat()).as_deref(), Some("1.1.0"));
        assert_eq!(newest(&[&*one, &*two, &yank("1.1.0")].concat()).as_deref(), Some("1.0.0"));
        let all = [&*one, &*two, &yank("1.1.0"), unyank].concat();
        assert_eq!(newest(&all).as_deref(), Some("1.1.0"));
        let candidate = publish("2.0.0-rc.1", "3");
        assert_eq!(newest(&[&*one, &*candidate].concat()).as_deref(), Some("1.0.0"));
        assert_eq!(newest(&candidate).as_deref(), Some("2.0.0-rc.1"));
    }

    #[test]
    fn a_line_that_is_still_written_does_not_count() {
        let (one, two) = (publish("1.0.0", "1"), publish("1.1.0", "2"));
        let cut = [&*one, &two[..two.len() - 1]].concat();
        assert_eq!(parse(&cut).unwrap().versions().count(), 1);
        assert_eq!(whole(cut.as_bytes()), one.as_bytes());
    }

    #[test]
    fn invalid_events_are_reported_with_their_line() {
        let one = publish("1.0.0", "1");
        for (second, problem) in [
            (publish("1.0.0", "2"), "version 1.0.0 is published twice"),
            (publish("1.0.0+b", "2"), "version 1.0.0 is published twice"),
            (yank("1.2.0"), "version 1.2.0 has not been published before this line"),
            (
                publish("1.2.0", "2").replace("acme", "evil"),
                "it is about `evil/greet`, but this is the log of `acme/greet`",
            ),
        ] {
            let fault = LogFault { line: 2, problem: problem.to_owned() };
            assert_eq!(parse(&[&*one, &*second].concat()), Err(fault));
        }
        assert_eq!(parse(&[&*one, "<html>\n"].concat()).unwrap_err().line, 2);
    }

    #[test]
    fn the_last_line_is_complete() {
        for (text, at) in [("", 0), ("a", 0), ("a\n", 0), ("a\nbc\n", 2), ("a\nbc\nd", 2)] {
            assert_eq!(last_line(text.as_bytes()), at, "{text:?}");
        }
    }

    #[test]
    fn n5_a_log_only_grows() {
        let change = |before: &str, now: &str| first_change(before.as_bytes(), now.as_bytes());
        assert_eq!(change("", "a\n"), None);
        assert_eq!(change("a\n", "a\nb\n"), None);
        assert_eq!(change("a\nb\n", "a\nb\n"), None);
        assert_eq!(change("a\nb\n", "a\n"), Some(2));
        assert_eq!(change("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(change("a\n", ""), Some(1));
        assert_eq!(change("a\nb\n", "x\nb\n"), Some(1));
    }
}
