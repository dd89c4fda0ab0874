//! What a retriever is asked, and what it answers. Source: `spec/retrievers.md`.

use serde::Deserialize;
use serde_json::{Value, json};
use wake_model::{Name, PkgName, Requirement, TreeDigest, Version};

/// Packages that one call asks for, at most.
pub(super) const MOST_REQUESTS: usize = 1000;
/// Bytes that a retriever may write to standard output.
const MOST_BYTES: usize = 8 << 20;

/// One package that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PkgWanted {
    /// The package.
    pub(super) name: PkgName,
    /// The versions that will do.
    pub(super) requirement: Requirement,
    /// What it has to be, if it is locked.
    pub(super) locked: Option<(Version, TreeDigest)>,
}

impl PkgWanted {
    /// What calls are sorted by.
    pub(super) fn order(&self) -> (Option<&Name>, &Name, String) {
        let PkgName { namespace, name } = &self.name;
        (namespace.as_ref(), name, self.requirement.to_string())
    }

    /// As the retriever gets it.
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

/// What a retriever says of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PkgAnswer {
    /// It lies there.
    Path(String),
    /// There is none, for this reason.
    Error(String),
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("wrote nothing to standard output")]
    Nothing,
    #[error("wrote more than {} MiB to standard output", MOST_BYTES >> 20)]
    TooMuch,
    #[error("wrote to standard output what is no answer: {problem}")]
    Form {
        problem: String,
        /// How it begins.
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

/// Reads what a retriever wrote to standard output.
pub(super) fn read_answers(stdout: &[u8]) -> Result<Vec<PkgAnswer>, AnswerError> {
    /// Characters that are shown of what is no answer.
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
    fn requests_are_those_of_the_specification() {
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
    fn answers_are_those_of_the_specification() {
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
    fn more_than_may_be_is_said() {
        let much = format!("{{\"pkgs\":[]}}{}", " ".repeat(MOST_BYTES));
        let error = read_answers(much.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "wrote more than 8 MiB to standard output");
        assert!(read_answers(&much.as_bytes()[..MOST_BYTES]).unwrap().is_empty());
    }
}
