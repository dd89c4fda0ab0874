//! What a module's functions said, typed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wake_model::{OutputDecl, OutputKind, PkgKey, RelPath};

use crate::instance::Instances;
use crate::view::{Place, Special, module_prefix, outside, pkg_prefix, special};

/// The declaration of a module with its configuration.
#[derive(Clone, Debug)]
pub(crate) struct ModuleDecl {
    /// Its name in paths: `namespace@name@version@module@config`.
    pub(crate) id: String,
    /// Its name in its package.
    pub name: String,
    /// Its configuration, as given or as its default says.
    pub config: Value,
    /// The package whose files the command sees, where that is not the module's own.
    pub pkg: Option<PkgKey>,
    /// The modules that it needs: module ids, as JSON text, by its own key for them.
    pub modules: BTreeMap<String, Box<RawValue>>,
    /// Which of the package's files the command sees: paths and globs; none: all.
    pub pkg_files: Option<Vec<String>>,
}

/// A module with every value known: what is left is to pin the bytes.
#[derive(Debug)]
pub(crate) struct ModuleInstance {
    /// Its name in paths: `namespace@name@version@module@config`.
    pub id: String,
    /// What the inputs function gave.
    pub inputs: Value,
    /// The file objects beyond the package's files.
    pub files: Vec<Value>,
    /// What is run; none: the outputs are taken from what lies there.
    exec: Option<ExecText>,
    /// What the outputs function gave.
    pub outputs: Value,
}

/// What is run, as JSON text, until nobody will ask again: of many modules it is most of what they hold.
#[derive(Debug)]
struct ExecText(Mutex<Option<Box<RawValue>>>);

/// What is run, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exec {
    /// The file object of the program.
    #[serde(rename = "ref")]
    pub program: Value,
    /// What it gets on standard input.
    #[serde(default)]
    pub config: Value,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<Value>,
    /// Its environment.
    #[serde(default)]
    pub env: BTreeMap<String, Value>,
    /// The file system below.
    #[serde(default)]
    pub rootfs: Value,
    /// Whether it may reach the network.
    #[serde(default)]
    pub network: bool,
    /// Seconds.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Hints and limits.
    #[serde(default)]
    pub resources: Value,
}

#[derive(Deserialize)]
struct ModuleJson {
    name: String,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    pkg: Value,
    #[serde(default)]
    modules: BTreeMap<String, Box<RawValue>>,
    #[serde(default, rename = "pkgFiles")]
    pkg_files: Option<Vec<String>>,
    #[serde(default)]
    outputs: Value,
    #[serde(default)]
    pending: Value,
    #[serde(default)]
    inputs: Value,
    #[serde(default)]
    files: Option<Vec<Value>>,
    #[serde(default)]
    exec: Option<Box<RawValue>>,
}

/// A module that is not of the form that the evaluator promises: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("the module has an unexpected form: {0}")]
pub(crate) struct ModuleError(String);

impl ModuleDecl {
    /// Reads what the evaluation of `module` of the package `key` gave; no instance if it waits for
    /// other modules.
    pub(crate) fn parse(
        text: &RawValue,
        key: &PkgKey,
        module: &str,
    ) -> Result<(ModuleDecl, Option<ModuleInstance>), ModuleError> {
        let json: ModuleJson =
            serde_json::from_str(text.get()).map_err(|e| ModuleError(e.to_string()))?;
        let pkg = match &json.pkg {
            Value::Null => None,
            Value::String(key) => {
                Some(key.parse().map_err(|_| ModuleError(format!("package `{key}`")))?)
            }
            other => return Err(ModuleError(format!("package {other}"))),
        };
        let config = wake_model::json::digest(&json.config);
        let id = format!("{key}@{module}@{}", config.0.short(16));
        let decl = ModuleDecl {
            id: id.clone(),
            name: json.name,
            config: json.config,
            pkg,
            modules: json.modules,
            pkg_files: json.pkg_files,
        };
        let instance = match (&json.pending, json.files) {
            (Value::Null, Some(files)) => Some(ModuleInstance {
                id,
                inputs: json.inputs,
                files,
                exec: json.exec.map(|text| ExecText(Mutex::new(Some(text)))),
                outputs: json.outputs,
            }),
            _ => None,
        };
        Ok((decl, instance))
    }

    /// The id of the module that it needs under a key.
    pub(crate) fn needed(&self, key: &str) -> Option<Value> {
        serde_json::from_str(self.modules.get(key)?.get()).ok()
    }

    /// The package whose files the command sees.
    pub(crate) fn pkg_files_owner<'a>(&'a self, own: &'a PkgKey) -> &'a PkgKey {
        self.pkg.as_ref().unwrap_or(own)
    }
}

impl ModuleInstance {
    /// What is run; none: the outputs are taken from what lies there.
    pub(crate) fn exec(&self) -> Result<Option<Exec>, ModuleError> {
        let Some(ExecText(text)) = &self.exec else { return Ok(None) };
        let text = text.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(text) = &*text else {
            return Err(ModuleError("its exec is forgotten".to_owned()));
        };
        serde_json::from_str(text.get()).map(Some).map_err(|e| ModuleError(e.to_string()))
    }

    /// Forgets what is run: the step is done.
    pub(crate) fn forget_exec(&self) {
        if let Some(ExecText(text)) = &self.exec {
            *text.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// What functions of other modules see, as JSON text; `owner` is the package of its files.
    ///
    /// Paths in outputs lie in the module's directory; paths in inputs lie in the package's, where it
    /// names them, because that is where they come from.
    pub(crate) fn outside(&self, owner: &PkgKey, instances: &Instances) -> Arc<str> {
        let module = module_prefix(&self.id);
        let pkg = pkg_prefix(owner);
        let named =
            |path: &RelPath| instances.get(owner).is_some_and(|pkg| pkg.file(path).is_some());
        let of_input = |path: &RelPath| if named(path) { pkg.clone() } else { module.clone() };
        let value = json!({
            "id": self.id,
            "inputs": outside(&self.inputs, &of_input),
            "outputs": outside(&self.outputs, &|_| module.clone()),
        });
        wake_model::json::canonical(&value).into()
    }

    /// The paths that the command must create, relative to its working directory, sorted.
    pub(crate) fn declared(&self) -> Vec<OutputDecl> {
        let mut declared = Vec::new();
        if let Value::Object(outputs) = &self.outputs {
            for value in outputs.values() {
                match value {
                    Value::Array(items) => declared.extend(items.iter().filter_map(declared_path)),
                    one => declared.extend(declared_path(one)),
                }
            }
        }
        declared.sort();
        declared.dedup();
        declared
    }
}

fn declared_path(value: &Value) -> Option<OutputDecl> {
    let Some(Special::File { path, .. }) = special(value) else { return None };
    let Some(Place::Own(own)) = Place::parse(path) else { return None };
    let kind = if path.ends_with('/') { OutputKind::Dir } else { OutputKind::Any };
    Some(OutputDecl { path: own, kind })
}
