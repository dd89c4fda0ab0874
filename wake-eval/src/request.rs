//! Requests to evaluate one function application.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_model::RelPath;

/// What to evaluate, and where its sources are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The name of the package, for messages: `//libs/zlib`; `//` for the workspace root.
    pub pkg: String,
    /// The location of the sources, passed unchanged to the factory that the worker was started with.
    pub root: PathBuf,
    /// The function to apply.
    pub op: Op,
}

/// The functions that can be applied. With canonical arguments, the JSON form is canonical. `spec/jsonnet-api.md`
/// describes the results.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    /// `PKG.libsonnet` applied to `(wake)`.
    Pkg,
    /// The modules and metadata of `PKG.libsonnet`, if they require its dependencies.
    Modules {
        /// The package's own instance without files and modules, as canonical JSON.
        pkg: Arc<RawValue>,
    },
    /// The package's `inputs` applied to `(wake, pkg)`.
    Inputs {
        /// The package's own instance, as canonical JSON.
        pkg: Arc<RawValue>,
    },
    /// A module function applied to `(wake, pkg, config)`, and its own functions if what they need is known.
    Module {
        /// The config as canonical JSON; `None` for the function's default.
        config: Option<Arc<RawValue>>,
        /// Whether `config` contains only the keys that differ from the default.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        merge: bool,
        /// The file that contains the function; `None` if it is in `modules` of `PKG.libsonnet`.
        file: Option<RelPath>,
        /// The name of the module in its package.
        name: String,
        /// The package's own instance, as canonical JSON.
        pkg: Arc<RawValue>,
    },
    /// An expression, with `wake` bound and the package's files importable.
    Expr {
        /// The Jsonnet text.
        code: String,
        /// The name of the text in messages: for a file, its path in the package.
        label: String,
        /// The directory that imports are relative to.
        #[serde(default)]
        dir: RelPath,
        /// The directories to search, in order, for imports that are not found beside the importing file.
        #[serde(default)]
        library: Vec<RelPath>,
    },
    /// Finds where in the source `op` built the object `value` (a file, reference, module id, exec).
    ///
    /// Evaluates `op` again and stops at a call that yields an equal value. The result is a [`crate::Place`] or null.
    Locate {
        /// The application that built the value.
        op: Box<Op>,
        /// The resulting value.
        value: Value,
    },
}
