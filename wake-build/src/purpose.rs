//! Which of the modules that targets mean are wanted: what a build is for.

use std::collections::BTreeSet;

use regex::Regex;
use wake_steps::diagnostic::{Class, Diagnostic};

/// What a build is for.
#[derive(Clone, Debug, Default)]
pub enum Purpose {
    /// Results: patterns mean neither tests nor what has the tag `manual`.
    #[default]
    Results,
    /// To know of all that there is.
    Everything,
    /// Tests, and nothing else.
    Tests(TestSelection),
}

/// Which tests are wanted.
#[derive(Clone, Debug, Default)]
pub struct TestSelection {
    /// What their labels must match.
    pub filter: Option<Regex>,
    /// Only these, by their labels.
    pub labels: Option<BTreeSet<String>>,
    /// One share of them.
    pub shard: Option<Shard>,
}

/// One of several shares of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    index: usize,
    /// Of how many.
    count: usize,
}

/// Which tags are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSelection {
    /// One of these, unless there are none.
    pub with: Vec<String>,
    /// None of these.
    pub without: Vec<String>,
}

/// A module as far as it decides whether it is wanted.
pub(crate) struct Candidate<'a> {
    /// How it is called.
    pub(crate) label: &'a str,
    /// Whether it is a test.
    pub(crate) is_test: bool,
    /// Its tags.
    pub(crate) tags: &'a [Box<str>],
    /// Whether it is meant by a pattern, not by its name.
    pub(crate) is_one_of_all: bool,
}

/// What patterns do not mean.
const MANUAL: &str = "manual";

impl Shard {
    /// Reads `2/5`, the second of five.
    pub fn parse(text: &str) -> Result<Shard, String> {
        let wrong = || format!("expected a share such as `1/3`, found `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (usize, usize) =
            index.parse().ok().zip(count.parse().ok()).ok_or_else(wrong)?;
        match (1..=count).contains(&index) {
            true => Ok(Shard { index: index - 1, count }),
            false => Err(wrong()),
        }
    }

    /// Whether the thing of this number belongs to it.
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
    /// Whether a module that a target means is wanted, but for its share; an error where a person names what cannot be.
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
                let message = format!("{label} is no test");
                Err(Diagnostic::error(Class::Usage, message)
                    .help("a module becomes one by `test=true` of wake.module()"))
            }
            Purpose::Tests(TestSelection { filter, labels, shard: _ }) => Ok(is_test
                && tags.takes(own, is_one_of_all)
                && filter.as_ref().is_none_or(|filter| filter.is_match(label))
                && labels.as_ref().is_none_or(|labels| labels.contains(label))),
        }
    }

    /// The share that is wanted of what is.
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
    fn patterns_mean_results_or_tests() {
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
    fn tags_choose_and_names_win() {
        let slow = TagSelection { with: vec!["slow".into()], without: vec!["net".into()] };
        let own = |tags: &[&str]| -> Vec<Box<str>> { tags.iter().map(|t| Box::from(*t)).collect() };
        assert!(slow.takes(&own(&["slow"]), true));
        assert!(!slow.takes(&own(&["slow", "net"]), true));
        assert!(!slow.takes(&own(&[]), true));
        assert!(slow.takes(&own(&["net"]), false));
    }

    #[test]
    fn shares_are_read_and_cover_everything_once() {
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
