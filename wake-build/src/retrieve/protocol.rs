//! The protocol of retrievers: requests and answers. Source: `spec/retrievers.md`.

use serde::Deserialize;
use serde_json::{Value, json};
use wake_model::{Name, PkgName, Requirement, TreeDigest, Version};

/// The most packages in one call.
pub(super) const MOST_REQUESTS: usize = 1000;
/// The most bytes that a retriever may write to standard output.
const MOST_BYTES: usize = 8 << 20;

/// A request for a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PkgWanted {
    /// The package.
    pub(super) name: PkgName,
    /// The versions that match.
    pub(super) requirement: Requirement,
    /// The version and content it must have, if it is locked.
    pub(super) locked: Option<(Version, TreeDigest)>,
}

impl PkgWanted {
    /// Returns the sort key of requests.
    pub(super) fn order(&self) -> (Option<&Name>, &Name, String) {
        let PkgName { namespace, name } = &self.name;
        (namespace.as_ref(), name, self.requirement.to_string())
    }

    /// Returns the JSON for the retriever.
    pub(super) fn json(&self) -> Value {
        let PkgName { namespace, name } = &self.name;
        let mut json = json!({
            "name": name.as_str(),
            "namespace": namespace.as_ref().map(Name::as_str),
            "version": self.requirement.to_string(),
        });
        if let Some((version, content)) = &self.locked {
            let locked = json!({ "content": content.to_string(), "version": version.to_string() });
            json["locked"] = locked;
        }
        json
    }
}

/// A retriever's answer for one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PkgAnswer {
    /// It is at this path.
    Path(String),
    /// It is not available, for this reason.
    Error(String),
}

/// Why an answer is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("wrote nothing to standard output")]
    Nothing,
    #[error("wrote more than {} MiB to standard output", MOST_BYTES >> 20)]
    TooMuch,
    #[error("wrote an invalid answer to standard output: {problem}")]
    Form {
        problem: String,
        /// The beginning of the output.
        beginning: String,
    },
    #[error("has neither one `path` nor one `error` in element {number} of `pkgs`")]
    Element { number: usize },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pkgs: Vec<WrittenPkg>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPkg {
    path: Option<String>,
    error: Option<String>,
}

/// Parses what a retriever wrote to standard output.
pub(super) fn read_answers(stdout: &[u8]) -> Result<Vec<PkgAnswer>, AnswerError> {
    /// The most characters shown of an invalid answer.
    const SHOWN: usize = 200;
    if stdout.trim_ascii().is_empty() {
        return Err(AnswerError::Nothing);
    }
    if stdout.len() > MOST_BYTES {
        return Err(AnswerError::TooMuch);
    }
    let written: Written = serde_json::from_slice(stdout).map_err(|error| AnswerError::Form {
        problem: error.to_string(),
        beginning: String::from_utf8_lossy(stdout).chars().take(SHOWN).collect(),
    })?;
    let answer = |(number, pkg)| match pkg {
        WrittenPkg { path: Some(path), error: None } => Ok(PkgAnswer::Path(path)),
        WrittenPkg { path: None, error: Some(error) } => Ok(PkgAnswer::Error(error)),
        WrittenPkg { .. } => Err(AnswerError::Element { number }),
    };
    written.pkgs.into_iter().enumerate().map(answer).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The vectors of `spec/retrievers.md`.
    const VECTORS: &str = include_str!("../../../spec/vectors/retrievers.json");

    #[derive(Deserialize)]
    struct Vectors {
        requests: Vec<RequestVector>,
        answers: Vec<AnswerVector>,
    }

    #[derive(Deserialize)]
    struct RequestVector {
        package: String,
        version: Requirement,
        locked: Option<(Version, String)>,
        json: String,
    }

    #[derive(Deserialize)]
    struct AnswerVector {
        stdout: String,
        pkgs: Option<Vec<Value>>,
        error: Option<String>,
    }

    #[test]
    fn requests_match_the_specification() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.requests.len() > 2);
        let mut before = None;
        for RequestVector { package, version, locked, json } in vectors.requests {
            let locked =
                locked.map(|(version, content)| (version, TreeDigest(content.parse().unwrap())));
            let wanted = PkgWanted { name: package.parse().unwrap(), requirement: version, locked };
            assert_eq!(wake_model::json::canonical(&wanted.json()), json);
            let order = wanted.order();
            let order = (order.0.cloned(), order.1.clone(), order.2);
            assert!(before.is_none_or(|before| before < order), "{json}");
            before = Some(order);
        }
    }

    #[test]
    fn answers_match_the_specification() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.answers.len() > 8);
        for AnswerVector { stdout, pkgs, error } in vectors.answers {
            let json = |answer: PkgAnswer| match answer {
                PkgAnswer::Path(path) => json!({ "path": path }),
                PkgAnswer::Error(error) => json!({ "error": error }),
            };
            let read = read_answers(stdout.as_bytes());
            let (read, wrong) = match read {
                Ok(answers) => (Some(answers.into_iter().map(json).collect::<Vec<_>>()), None),
                Err(error) => (None, Some(error.to_string())),
            };
            assert_eq!((read, wrong), (pkgs, error), "{stdout}");
        }
    }

    #[test]
    fn exceeded_limits_are_reported() {
        let much = format!("{{\"pkgs\":[]}}{}", " ".repeat(MOST_BYTES));
        let error = read_answers(much.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "wrote more than 8 MiB to standard output");
        assert!(read_answers(&much.as_bytes()[..MOST_BYTES]).unwrap().is_empty());
    }
}
