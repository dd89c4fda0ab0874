//! What is said in objects.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wake_codespec::Codespec;
use wake_codespec::name::BufferName;
use wake_model::{BufferId, Tags};

/// A run whose images and buffers are known.
#[derive(Clone, Debug)]
pub struct KubernetesRun<'a> {
    /// What its objects are called.
    pub name: &'a RunName,
    /// Its number in the store that keeps what is known of it, if one does.
    pub number: Option<u64>,
    /// What runs to its end.
    pub job: Part<'a>,
    /// The buffers of the job, by what its codespec calls them.
    pub buffers: &'a BTreeMap<BufferName, BufferId>,
    /// What serves it.
    pub worker: Option<Part<'a>>,
    /// Seconds that it has.
    pub timeout: u64,
    /// Its tags.
    pub tags: &'a Tags,
}

/// A codespec that runs several times.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// What people call it.
    pub label: &'a str,
    /// What is run.
    pub codespec: &'a Codespec,
    /// Its image by its digest.
    pub image: &'a str,
    /// How many of it.
    pub replicas: u32,
    /// On which nodes.
    pub node_pool: Option<&'a str>,
}

/// What a cluster has for runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSite {
    /// The namespace; none: the one that is set for whoever applies the objects.
    pub namespace: Option<String>,
    /// The image that has wake, by its digest.
    pub image: Option<String>,
    /// The claim of the volume that the store lies on.
    pub claim: Option<String>,
    /// Where the store lies on that volume; empty: at its top.
    pub store: String,
    /// The label of nodes whose value is a node pool.
    pub pool_label: Option<String>,
}

/// A name that every object may have: a label of DNS that leaves room for what comes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName(String);

/// A text that is no name of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid object name: expected up to {LONGEST} lower-case letters, digits and `-`, starting with a letter and not ending with `-`"
)]
pub struct RunNameError(String);

/// So many characters, so that `-worker-99999` and what Kubernetes puts behind names fits.
const LONGEST: usize = 40;

impl RunName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// That of the job of this number in some store, told apart from those of other stores by `distinct`: letters and digits of which ten count.
    pub fn numbered(number: u64, distinct: &str) -> RunName {
        let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let distinct: String = distinct.chars().filter(fits).take(10).collect();
        RunName(format!("wake-{number}-{distinct}"))
    }

    /// A name made of any text, told apart from others by `distinct`.
    pub fn of(text: &str, distinct: &str) -> RunName {
        let plain = |text: &str| {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
                .collect::<String>()
        };
        let distinct: String = plain(distinct).replace('-', "").chars().take(8).collect();
        let room = LONGEST - distinct.len() - "wake--".len();
        let text: String = plain(text).trim_matches('-').chars().take(room).collect();
        let parts = ["wake", text.trim_matches('-'), &distinct];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        RunName(parts.join("-"))
    }
}

impl FromStr for RunName {
    type Err = RunNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(fits)
            && !text.ends_with('-')
            && text.len() <= LONGEST;
        match is_name {
            true => Ok(RunName(text.to_owned())),
            false => Err(RunNameError(text.to_owned())),
        }
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_made_of_any_text() {
        for (text, distinct, name) in [
            ("negating/versions/3", "ab12", "wake-negating-versions-3-ab12"),
            ("", "12", "wake-12"),
            ("--Ä_.", "0123456789", "wake-01234567"),
            ("x", "", "wake-x"),
        ] {
            let made = RunName::of(text, distinct);
            assert_eq!(made.as_str(), name);
            assert_eq!(name.parse(), Ok(made));
        }
        let long = RunName::of(&"a".repeat(500), "01234567");
        assert_eq!(long.as_str().parse(), Ok(long));
    }

    #[test]
    fn a_name_of_a_number_fits_whatever_the_number() {
        let name = RunName::numbered(u64::MAX, "abcdefghijklmnop");
        assert_eq!(name.as_str(), "wake-18446744073709551615-abcdefghij");
        assert_eq!(name.as_str().parse(), Ok(name));
    }

    #[test]
    fn what_no_object_may_be_called_is_refused() {
        for wrong in ["", "1a", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(41)] {
            assert!(wrong.parse::<RunName>().is_err(), "{wrong}");
        }
    }
}
