//! The ids of Slurm jobs.

use std::fmt;
use std::str::FromStr;

/// The id of a job: `NUMBER`, or `NUMBER;CLUSTER` if there are several clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmId {
    number: u32,
    cluster: Option<String>,
}

/// The text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Slurm job id")]
pub struct ParseSlurmIdError(String);

impl SlurmId {
    /// The number of the job.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The job's cluster, if there are several.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }
}

impl FromStr for SlurmId {
    type Err = ParseSlurmIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSlurmIdError(text.to_owned());
        let (number, cluster) = match text.split_once(';') {
            Some((number, cluster)) => (number, Some(cluster)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with('-')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) || !cluster.is_none_or(is_name) {
            return Err(wrong());
        }
        let number = number.parse().map_err(|_| wrong())?;
        Ok(SlurmId { number, cluster: cluster.map(str::to_owned) })
    }
}

impl fmt::Display for SlurmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cluster {
            None => write!(f, "{}", self.number),
            Some(cluster) => write!(f, "{};{cluster}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_parsed_and_displayed() {
        for text in ["1", "4294967294", "7;north", "7;a-b_c.d"] {
            assert_eq!(text.parse::<SlurmId>().unwrap().to_string(), text);
        }
        for wrong in ["", ";", "7;", ";a", "+7", "-7", "7 ", "7;a b", "7;--all", "4294967296"] {
            assert!(wrong.parse::<SlurmId>().is_err(), "{wrong}");
        }
    }
}
