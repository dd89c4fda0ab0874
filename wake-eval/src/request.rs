//! One function application that someone wants evaluated.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_model::RelPath;

/// What to evaluate, and where its sources are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// How the package is called in errors: `//libs/zlib`; `//` for the workspace root.
    pub pkg: String,
    /// Where the sources are; handed as it is to the factory that the worker was started with.
    pub root: PathBuf,
    /// Which function to apply.
    pub op: Op,
}

/// The functions that can be applied. As JSON, with canonical arguments, it is canonical JSON. Results are described in `spec/jsonnet-api.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    /// `PKG.libsonnet` applied to `(wake)`.
    Pkg,
    /// What `PKG.libsonnet` says of modules and metadata, where that takes the packages that it names.
    Modules {
        /// The package's own instance without files and modules, as canonical JSON.
        pkg: Arc<RawValue>,
    },
    /// The package's `inputs` applied to `(wake, pkg)`.
    Inputs {
        /// The package's own instance, as canonical JSON.
        pkg: Arc<RawValue>,
    },
    /// A module function applied to `(wake, pkg, config)` and, where what they need is known, its own functions.
    Module {
        /// Canonical JSON; none: what the function declares as its default.
        config: Option<Arc<RawValue>>,
        /// Whether `config` holds only keys that differ from the default.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        merge: bool,
        /// The file that holds the function; none: it stands among the `modules` of `PKG.libsonnet`.
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
        /// How the text is called in errors: a file is called by its path in the package.
        label: String,
        /// The directory that its imports start from.
        #[serde(default)]
        dir: RelPath,
        /// Where imports are looked for that are not found beside the importing file, in this order.
        #[serde(default)]
        library: Vec<RelPath>,
    },
    /// Where in the source the object `value` (a file, reference, module id, exec) was built by `op`.
    ///
    /// Evaluates `op` again and stops where a call yields an equal value. The result is a [`crate::Place`] or null.
    Locate {
        /// The application that built the value.
        op: Box<Op>,
        /// The value as it came out.
        value: Value,
    },
}
