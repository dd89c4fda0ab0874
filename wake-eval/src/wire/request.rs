//! The encoding of a request in a frame.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wake_model::RelPath;

use crate::{Op, Request, Topic};

/// Bytes of text about other packages and modules that a worker keeps; beyond this, everything is forgotten and sent
/// again.
///
/// Parsed, the texts take eight times as much. Both ends count in the same way; if they ever differ, something is
/// asked or sent once more.
pub(crate) const KEPT: usize = 2 << 20;

/// A request, and what is sent with it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RequestParts<'a> {
    /// Answers stay the same within an epoch; `None` if they may change.
    pub(crate) epoch: Option<u64>,
    /// Answers sent in advance.
    #[serde(borrow)]
    pub(crate) told: Vec<(Topic, &'a str)>,
    /// The name of the package, for messages.
    pub(crate) pkg: &'a str,
    /// Where the sources are.
    pub(crate) root: &'a Path,
    /// The function to apply.
    pub(crate) task: Task<'a>,
}

/// An [`Op`] whose JSON is kept as text, so that it is parsed only once, and only if it is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Task<'a> {
    Pkg,
    Modules {
        pkg: &'a str,
    },
    Inputs {
        pkg: &'a str,
    },
    Module {
        config: Option<&'a str>,
        merge: bool,
        file: Option<Cow<'a, RelPath>>,
        name: &'a str,
        pkg: &'a str,
    },
    Expr {
        code: &'a str,
        label: &'a str,
        dir: Cow<'a, RelPath>,
        library: Cow<'a, [RelPath]>,
    },
    Locate {
        task: Box<Task<'a>>,
        value: Cow<'a, str>,
    },
}

impl<'a> Task<'a> {
    fn of(op: &'a Op) -> Self {
        match op {
            Op::Pkg => Task::Pkg,
            Op::Modules { pkg } => Task::Modules { pkg: pkg.get() },
            Op::Inputs { pkg } => Task::Inputs { pkg: pkg.get() },
            Op::Module { config, merge, file, name, pkg } => Task::Module {
                config: config.as_ref().map(|config| config.get()),
                merge: *merge,
                file: file.as_ref().map(Cow::Borrowed),
                name,
                pkg: pkg.get(),
            },
            Op::Expr { code, label, dir, library } => {
                Task::Expr { code, label, dir: Cow::Borrowed(dir), library: Cow::Borrowed(library) }
            }
            Op::Locate { op, value } => {
                let value = wake_model::json::canonical(value);
                Task::Locate { task: Box::new(Task::of(op)), value: value.into() }
            }
        }
    }
}

/// Encodes a request.
pub(crate) fn encode(
    epoch: Option<u64>,
    told: &[(Topic, Arc<str>)],
    request: &Request,
) -> io::Result<Vec<u8>> {
    let Request { pkg, root, op } = request;
    let told = told.iter().map(|(topic, text)| (topic.clone(), &**text)).collect();
    let parts = RequestParts { epoch, told, pkg, root, task: Task::of(op) };
    super::encode(&parts, 4 << 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::wire::decode;

    #[test]
    fn a_request_arrives_with_its_context() {
        let told = [(Topic::Pkg("@a@1.0.0".into()), "{}"), (Topic::Module("{}".into()), "é")];
        let texts: Vec<_> =
            told.iter().map(|(topic, text)| (topic.clone(), Arc::from(*text))).collect();
        let (config, pkg) = (json!({"b": 1.5}), json!({"key": "@b@1.0.0"}));
        let [config, pkg] = [config, pkg].map(|value| wake_model::json::text(&value));
        let file: RelPath = "d/m.libsonnet".parse().unwrap();
        let name = "m".to_owned();
        let (config, merge) = (Some(config), true);
        let op = Op::Module { config, merge, file: Some(file.clone()), name, pkg };
        let op = Op::Locate { op: Box::new(op), value: json!([null, "é"]) };
        let request = Request { pkg: "//b".to_owned(), root: "/b".into(), op };
        let task = Task::Module {
            config: Some(r#"{"b":1.5}"#),
            merge: true,
            file: Some(Cow::Owned(file)),
            name: "m",
            pkg: r#"{"key":"@b@1.0.0"}"#,
        };
        let task = Task::Locate { task: Box::new(task), value: r#"[null,"é"]"#.into() };
        for epoch in [None, Some(u64::MAX)] {
            let content = encode(epoch, &texts, &request).unwrap();
            let (told, task) = (told.to_vec(), task.clone());
            let parts = RequestParts { epoch, told, pkg: "//b", root: Path::new("/b"), task };
            assert_eq!(decode::<RequestParts<'_>>(&content).unwrap(), parts);
        }
        assert!(decode::<RequestParts<'_>>(&[]).is_err());
    }
}
