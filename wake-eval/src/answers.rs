//! Answers to the questions of a running evaluation about other packages and modules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::{BlobDigest, RelPath};

/// Provides the instances of dependencies, as seen from outside, as JSON text.
///
/// Called on the thread that waits for the evaluation; several evaluations may ask concurrently.
pub trait Answers: Sync {
    /// Answers are the same within an epoch, so that a worker may keep them. `None`: it must ask each time.
    ///
    /// Something not yet available may become available within an epoch.
    fn epoch(&self) -> Option<u64> {
        None
    }

    /// Answers that are known and likely to be needed, to be sent in advance if there is an epoch.
    ///
    /// Each must be the answer that the question would get.
    fn likely(&self) -> Vec<(Topic, Arc<str>)> {
        Vec::new()
    }

    /// Returns the instance of the package `key` (`namespace@name@version`); `None` if there is no such package.
    fn pkg(&self, key: &str) -> Option<Arc<str>>;

    /// Returns the instance `{"id", "inputs", "outputs"}` of the module with the module id object `id`.
    fn module(&self, id: &Value) -> Answer;

    /// Returns what can be imported from the package `key`, a [`Library`] as JSON text; `None` if there is no such
    /// package.
    fn library(&self, _key: &str) -> Option<Arc<str>> {
        None
    }

    /// Returns the setting of an option, an [`OptionSetting`] as JSON text; `None` if it is not set.
    fn option(&self, _name: &str) -> Option<Arc<str>> {
        None
    }

    /// Returns the current digest for a [`crate::Read`] of this way from the package being evaluated.
    fn way(&self, _way: &Way) -> Option<BlobDigest> {
        None
    }

    /// Returns the [`named_digest`] of what is listed at the end of this way; `None` if nothing is.
    fn named(&self, _way: &Way) -> Option<BlobDigest> {
        None
    }

    /// Returns the name, for people, of the file at the end of this way.
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

/// The setting of an option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionSetting {
    /// The value.
    pub value: SetValue,
    /// What set it, for messages: `--set cc.opt=3`.
    pub by: String,
}

/// The value that an option is set to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetValue {
    /// A value from a package.
    Json(Value),
    /// A string typed by a person; the option's default determines its type.
    Text(String),
}

/// A package that files can be imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// The directory of its files, passed unchanged to the factory that the worker was started with.
    pub root: PathBuf,
    /// The files listed in `files`, sorted.
    pub files: Vec<RelPath>,
    /// The other files that can be imported, sorted.
    pub sources: Vec<RelPath>,
    /// Its import library: directories to search, in order.
    pub imports: Vec<RelPath>,
    /// The package keys of its dependencies, by its own keys for them.
    pub pkgs: BTreeMap<String, String>,
}

impl Library {
    /// Whether other packages may import the file at `path`.
    pub fn offers(&self, path: &RelPath) -> bool {
        [&self.files, &self.sources].iter().any(|files| files.binary_search(path).is_ok())
    }
}

/// Returns the digest that stands for a file, or with `is_dir` a directory, of the package `key` where only its path
/// matters.
pub fn named_digest(key: &str, is_dir: bool) -> BlobDigest {
    BlobDigest::of(format!("{key} {}", if is_dir { "dir" } else { "file" }).as_bytes())
}

/// The way from a package to a file of another one: `@cc/@util//list.libsonnet`. It consists of the keys by which
/// each package knows the next one, and the path of the file in the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Way {
    /// The keys; at least one.
    pub keys: Vec<String>,
    /// The file.
    pub path: RelPath,
}

/// Separates the keys from the path; no path contains it.
const PATH: &str = "//";

impl Way {
    /// Parses a displayed [`Way`]; `None` if it is something else, such as the path of a file.
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

/// The subject of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// The package with this key.
    Pkg(Arc<str>),
    /// The module with this id, as canonical JSON.
    Module(Arc<str>),
    /// What can be imported from the package with this key.
    Library(Arc<str>),
    /// The setting of the option with this name.
    Option(Arc<str>),
}

/// The state of a module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// It has been instantiated; its JSON text.
    Ready(Arc<str>),
    /// It has not been instantiated yet.
    Pending,
    /// There is no such module.
    Unknown,
}

/// An implementation without any packages and modules.
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
