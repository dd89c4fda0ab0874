//! What a running evaluation may ask about other packages and modules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::{BlobDigest, RelPath};

/// Gives the instances of dependencies, as seen from outside, as JSON text.
///
/// Called on the thread that waits for the evaluation; several evaluations may ask at once.
pub trait Answers: Sync {
    /// Answers of equal epochs agree, so that a worker may keep them; none: it must ask again each time.
    ///
    /// What is not there yet may appear within an epoch.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// What is known already and likely to be asked, so that it is told beforehand where there is an epoch.
    ///
    /// Each must be what the question would be answered with.
    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        Vec::new()
    }

    /// The instance of the package `key` (`namespace@name@version`); none if there is no such package.
    fn pkg(&self, key: &str) -> Option<Arc<str>>;

    /// The instance `{"id", "inputs", "outputs"}` of the module that `id` (a module id object) names.
    fn module(&self, id: &Value) -> Answer;

    /// What can be imported of the package `key`, a [`Library`] as JSON text; none if there is no such package.
    fn library(&self, _key: &str) -> Option<Arc<str>> {
        None
    }

    /// What the option of this name is set to, an [`OptionSetting`] as JSON text; none if nobody sets it.
    fn option(&self, _name: &str) -> Option<Arc<str>> {
        None
    }

    /// What a [`crate::Read`] of this way from the package at hand would see now.
    fn way(&self, _way: &Way) -> Option<BlobDigest> {
        None
    }

    /// The [`named_digest`] of what is named at the end of this way; none if nothing is.
    fn named(&self, _way: &Way) -> Option<BlobDigest> {
        None
    }

    /// What a person calls the file at the end of this way.
    fn called(&self, _way: &Way) -> Option<String> {
        None
    }
}

impl<A: Answers + ?Sized> Answers for &A {
    fn epoch(&self) -> Option<u64> {
        (**self).epoch()
    }

    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        (**self).likely()
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        (**self).pkg(key)
    }

    fn module(&self, id: &Value) -> Answer {
        (**self).module(id)
    }

    fn library(&self, key: &str) -> Option<Arc<str>> {
        (**self).library(key)
    }

    fn option(&self, name: &str) -> Option<Arc<str>> {
        (**self).option(name)
    }

    fn way(&self, way: &Way) -> Option<BlobDigest> {
        (**self).way(way)
    }

    fn named(&self, way: &Way) -> Option<BlobDigest> {
        (**self).named(way)
    }

    fn called(&self, way: &Way) -> Option<String> {
        (**self).called(way)
    }
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionSetting {
    /// The value.
    pub value: SetValue,
    /// Who says so, as a person would call it: `--set cc.opt=3`.
    pub by: String,
}

/// A value that an option is set to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetValue {
    /// As a package says it.
    Json(Value),
    /// As a person typed it: of which type it is the option's default says.
    Text(String),
}

/// A package as a place to import from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Where its files are; handed as it is to the factory that the worker was started with.
    pub root: PathBuf,
    /// The files that it names, sorted.
    pub files: Vec<RelPath>,
    /// The files that others may import beside these, sorted.
    pub sources: Vec<RelPath>,
    /// Where its imports are looked for besides, in this order.
    pub imports: Vec<RelPath>,
    /// The keys of its packages, by its own keys for them.
    pub pkgs: BTreeMap<String, String>,
}

impl Library {
    /// Whether others may import the file at `path`.
    pub fn offers(&self, path: &RelPath) -> bool {
        [&self.files, &self.sources].iter().any(|files| files.binary_search(path).is_ok())
    }
}

/// The digest of the place of a file or, if `is_dir`, a directory in the package `key`: all that there is to know of it
/// where only its place counts.
pub fn named_digest(key: &str, is_dir: bool) -> BlobDigest {
    BlobDigest::of(format!("{key} {}", if is_dir { "dir" } else { "file" }).as_bytes())
}

/// The way from a package to a file of another one: `@cc/@util//list.libsonnet`, the keys under which each package
/// knows the next one, and the file's path in the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Way {
    /// The keys, one at least.
    pub keys: Vec<String>,
    /// The file.
    pub path: RelPath,
}

/// Stands between the keys of a way and the path; no path holds it.
const PATH: &str = "//";

impl Way {
    /// Reads what [`Way`] is displayed as; none if it is something else, such as the path of a file.
    pub fn parse(text: &str) -> Option<Way> {
        let (keys, path) = text.split_once(PATH)?;
        let keys: Option<Vec<String>> =
            keys.split('/').map(|key| key.strip_prefix('@').map(str::to_owned)).collect();
        Some(Way { keys: keys?, path: path.parse().ok()? })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.keys.iter().enumerate() {
            write!(f, "{}@{key}", if at == 0 { "" } else { "/" })?;
        }
        write!(f, "{PATH}{}", self.path)
    }
}

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// The package of this key.
    Pkg(Arc<str>),
    /// The module whose id, as canonical JSON, this is.
    Module(Arc<str>),
    /// What can be imported of the package of this key.
    Library(Arc<str>),
    /// What the option of this name is set to.
    Option(Arc<str>),
}

/// What is known about a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// It has been instantiated: its JSON text.
    Ready(Arc<str>),
    /// It will be, but has not been yet.
    Pending,
    /// There is no such module.
    Unknown,
}

/// Knows no package and no module.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnswers;

impl Answers for NoAnswers {
    fn pkg(&self, _key: &str) -> Option<Arc<str>> {
        None
    }

    fn module(&self, _id: &Value) -> Answer {
        Answer::Unknown
    }
}
