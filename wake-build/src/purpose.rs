//! The purpose of a build, which selects among the modules that targets name.

use std::collections::BTreeSet;

use regex::Regex;
use wake_steps::diagnostic::{Class, Diagnostic};

/// The purpose of a build.
#[derive(Clone, Debug, Default)]
pub enum Purpose {
    /// Results: patterns match neither tests nor modules with the tag `manual`.
    #[default]
    Results,
    /// Information about all modules.
    Everything,
    /// Tests only.
    Tests(TestSelection),
}

/// Which tests are selected.
#[derive(Clone, Debug, Default)]
pub struct TestSelection {
    /// A pattern for their labels.
    pub filter: Option<Regex>,
    /// Exactly these labels.
    pub labels: Option<BTreeSet<String>>,
    /// One shard of them.
    pub shard: Option<Shard>,
}

/// One of several shards of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its index, from 0.
    index: usize,
    /// The number of shards.
    count: usize,
}

/// Which tags are selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSelection {
    /// At least one of these, unless empty.
    pub with: Vec<String>,
    /// None of these.
    pub without: Vec<String>,
}

/// The properties of a module that decide whether it is selected.
pub(crate) struct Candidate<'a> {
    /// Its label.
    pub(crate) label: &'a str,
    /// Whether it is a test.
    pub(crate) is_test: bool,
    /// Its tags.
    pub(crate) tags: &'a [Box<str>],
    /// Whether it was matched by a pattern instead of named.
    pub(crate) is_one_of_all: bool,
}

/// The tag of modules that patterns do not match.
const MANUAL: &str = "manual";

impl Shard {
    /// Parses `2/5`, the second of five.
    pub fn parse(text: &str) -> Result<Shard, String> {
        let wrong = || format!("expected a shard such as `1/3`, found `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (usize, usize) =
            index.parse().ok().zip(count.parse().ok()).ok_or_else(wrong)?;
        match (1..=count).contains(&index) {
            true => Ok(Shard { index: index - 1, count }),
            false => Err(wrong()),
        }
    }

    /// Returns whether the thing with this number belongs to the shard.
    pub(crate) fn has(self, number: usize) -> bool {
        number % self.count == self.index
    }
}

impl TagSelection {
    fn takes(&self, tags: &[Box<str>], is_one_of_all: bool) -> bool {
        let has = |tag: &str| tags.iter().any(|own| **own == *tag);
        if !is_one_of_all {
            return true;
        }
        let is_asked = self.with.iter().any(|tag| has(tag));
        (self.with.is_empty() || is_asked)
            && !self.without.iter().any(|tag| has(tag))
            && (!has(MANUAL) || self.with.iter().any(|tag| tag == MANUAL))
    }
}

impl Purpose {
    /// Returns whether a module is selected, apart from sharding; an error if the user named one that cannot be.
    pub(crate) fn wants(
        &self,
        candidate: &Candidate<'_>,
        tags: &TagSelection,
    ) -> Result<bool, Diagnostic> {
        let Candidate { label, is_test, tags: own, is_one_of_all } = *candidate;
        match self {
            Purpose::Everything => Ok(true),
            Purpose::Results => Ok(!is_one_of_all || (!is_test && tags.takes(own, true))),
            Purpose::Tests(_) if !is_test && !is_one_of_all => {
                let message = format!("{label} is not a test");
                Err(Diagnostic::error(Class::Usage, message)
                    .help("make a module a test with `test=true` in wake.module()"))
            }
            Purpose::Tests(TestSelection { filter, labels, shard: _ }) => Ok(is_test
                && tags.takes(own, is_one_of_all)
                && filter.as_ref().is_none_or(|filter| filter.is_match(label))
                && labels.as_ref().is_none_or(|labels| labels.contains(label))),
        }
    }

    /// Returns the shard that is selected.
    pub(crate) fn shard(&self) -> Option<Shard> {
        match self {
            Purpose::Tests(selection) => selection.shard,
            Purpose::Results | Purpose::Everything => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wants(purpose: &Purpose, label: &str, is_test: bool, tags: &[&str]) -> bool {
        let own: Vec<Box<str>> = tags.iter().map(|tag| Box::from(*tag)).collect();
        let candidate = Candidate { label, is_test, tags: &own, is_one_of_all: true };
        purpose.wants(&candidate, &TagSelection::default()).unwrap()
    }

    #[test]
    fn patterns_select_results_or_tests() {
        let tests = Purpose::Tests(TestSelection::default());
        assert!(wants(&Purpose::Results, "//:a", false, &["slow"]));
        assert!(!wants(&Purpose::Results, "//:a", true, &[]));
        assert!(!wants(&Purpose::Results, "//:a", false, &["manual"]));
        assert!(wants(&tests, "//:a", true, &[]));
        assert!(!wants(&tests, "//:a", true, &["manual"]));
        assert!(!wants(&tests, "//:a", false, &[]));
        assert!(wants(&Purpose::Everything, "//:a", true, &["manual"]));
    }

    #[test]
    fn tags_select_and_named_modules_override_them() {
        let slow = TagSelection { with: vec!["slow".into()], without: vec!["net".into()] };
        let own = |tags: &[&str]| -> Vec<Box<str>> { tags.iter().map(|t| Box::from(*t)).collect() };
        assert!(slow.takes(&own(&["slow"]), true));
        assert!(!slow.takes(&own(&["slow", "net"]), true));
        assert!(!slow.takes(&own(&[]), true));
        assert!(slow.takes(&own(&["net"]), false));
    }

    #[test]
    fn shares_cover_everything_exactly_once() {
        for wrong in ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2"] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
        let shares: Vec<Shard> =
            ["1/3", "2/3", "3/3"].iter().map(|text| Shard::parse(text).unwrap()).collect();
        for number in 0..10 {
            assert_eq!(shares.iter().filter(|share| share.has(number)).count(), 1);
        }
    }
}
