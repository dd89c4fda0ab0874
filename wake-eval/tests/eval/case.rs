//! A test case: an archive with the files of a package, the request, and the expected result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use wake_eval::{Answer, Answers, EvalError, Evaluated, Op, Pool, Request};

use crate::archive::Archive;

/// A case file, with the sections that are not sources: `op`, `answers`, `expect`, `reads`, `trace`.
pub(crate) struct Case {
    archive: Archive,
    request: Request,
    answers: Dependencies,
}

impl Case {
    pub(crate) fn open(path: &Path) -> Case {
        let archive = Archive::open(path);
        let json =
            |name: &str| archive.get(name).map(|text| serde_json::from_str::<Value>(text).unwrap());
        let op = json("op").map_or(Op::Pkg, |op| serde_json::from_value(op).unwrap());
        let answers = Dependencies::from_json(json("answers").unwrap_or_default());
        let request = Request { pkg: "//".to_owned(), root: path.to_owned(), op };
        Case { archive, request, answers }
    }

    pub(crate) fn run(&self, pool: &Pool) -> Result<Evaluated, EvalError> {
        pool.evaluate(&self.request, &self.answers)
    }

    pub(crate) fn op(&self) -> &Op {
        &self.request.op
    }

    pub(crate) fn section(&self, name: &str) -> Option<&str> {
        self.archive.get(name)
    }
}

/// Instances of packages by key, and of modules by the canonical text of their ids; null means pending.
#[derive(Default)]
pub(crate) struct Dependencies {
    pkgs: BTreeMap<String, Arc<str>>,
    modules: BTreeMap<String, Option<Arc<str>>>,
    libraries: BTreeMap<String, Arc<str>>,
}

impl Dependencies {
    /// Parses `{"pkgs": {key: instance}, "modules": [[id, instance or null]], "libraries": {key: library}}`, where
    /// the root of a library is an archive with its files.
    pub(crate) fn from_json(json: Value) -> Dependencies {
        let text = |value: &Value| -> Arc<str> { value.to_string().into() };
        let pkgs = json["pkgs"].as_object().into_iter().flatten();
        let modules = json["modules"].as_array().into_iter().flatten();
        let libraries = json["libraries"].as_object().into_iter().flatten();
        Dependencies {
            libraries: libraries.map(|(key, library)| (key.clone(), text(library))).collect(),
            pkgs: pkgs.map(|(key, instance)| (key.clone(), text(instance))).collect(),
            modules: modules
                .map(|pair| (pair[0].to_string(), (!pair[1].is_null()).then(|| text(&pair[1]))))
                .collect(),
        }
    }
}

impl Answers for Dependencies {
    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.pkgs.get(key).cloned()
    }

    fn library(&self, key: &str) -> Option<Arc<str>> {
        self.libraries.get(key).cloned()
    }

    fn module(&self, id: &Value) -> Answer {
        match self.modules.get(&id.to_string()) {
            Some(Some(text)) => Answer::Ready(text.clone()),
            Some(None) => Answer::Pending,
            None => Answer::Unknown,
        }
    }
}
