//! The runs that become objects.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wake_codespec::Codespec;
use wake_codespec::name::BufferName;
use wake_model::{BufferId, Tags};

/// A run whose images and buffers are known.
#[derive(Clone, Debug)]
pub struct KubernetesRun<'a> {
    /// The name of its objects.
    pub name: &'a RunName,
    /// Its number in the store that has its record, if there is one.
    pub number: Option<u64>,
    /// The job.
    pub job: Part<'a>,
    /// The buffers of the job, by their names in its codespec.
    pub buffers: &'a BTreeMap<BufferName, BufferId>,
    /// The worker that serves it.
    pub worker: Option<Part<'a>>,
    /// Its time limit in seconds.
    pub timeout: u64,
    /// Its tags.
    pub tags: &'a Tags,
}

/// The job or the worker of a run.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its name for people.
    pub label: &'a str,
    /// Its codespec.
    pub codespec: &'a Codespec,
    /// Its image, by digest.
    pub image: &'a str,
    /// The number of replicas.
    pub replicas: u32,
    /// The node pool that it runs on.
    pub node_pool: Option<&'a str>,
}

/// The configuration of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSite {
    /// The namespace; none for the default of whoever applies the objects.
    pub namespace: Option<String>,
    /// The image that contains wake, by digest.
    pub image: Option<String>,
    /// The claim of the volume that holds the store.
    pub claim: Option<String>,
    /// The path of the store on that volume; empty for its top directory.
    pub store: String,
    /// The node label whose value is the node pool.
    pub pool_label: Option<String>,
}

/// A name for objects: a DNS label short enough for the suffixes that are appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName(String);

/// The text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid object name: expected up to {LONGEST} lower-case letters, digits and `-`, starting with a letter and not ending with `-`"
)]
pub struct RunNameError(String);

/// The longest name, which leaves room for `-worker-99999` and Kubernetes' own suffixes.
const LONGEST: usize = 40;

impl RunName {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for a job number; `distinct`, of which ten letters and digits are used, distinguishes it from jobs of other stores.
    pub fn numbered(number: u64, distinct: &str) -> RunName {
        let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let distinct: String = distinct.chars().filter(fits).take(10).collect();
        RunName(format!("wake-{number}-{distinct}"))
    }

    /// A name derived from any text; `distinct` distinguishes it from others.
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
    fn any_text_becomes_a_valid_name() {
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
    fn the_name_of_the_largest_number_is_valid() {
        let name = RunName::numbered(u64::MAX, "abcdefghijklmnop");
        assert_eq!(name.as_str(), "wake-18446744073709551615-abcdefghij");
        assert_eq!(name.as_str().parse(), Ok(name));
    }

    #[test]
    fn invalid_names_are_refused() {
        for wrong in ["", "1a", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(41)] {
            assert!(wrong.parse::<RunName>().is_err(), "{wrong}");
        }
    }
}
