//! Requests for configured modules, as targets and functions make them.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::Op;
use wake_model::{PkgKey, json};

use crate::instance::PkgInstance;

/// A request for a module with a configuration.
#[derive(Clone, Debug)]
pub(crate) struct ModuleRequest {
    /// Its package.
    pub pkg: PkgKey,
    /// Its name in the package.
    pub module: String,
    /// Its configuration; none: its default.
    pub config: Option<Value>,
    /// Whether the configuration contains only keys that differ from the default.
    pub merge: bool,
    /// Whether it comes from a pattern: then it is left out if it needs a configuration.
    pub is_one_of_all: bool,
}

impl ModuleRequest {
    /// Returns a text that is unique for the module and its configuration.
    pub(crate) fn identity(&self) -> Arc<str> {
        let config = self.config.as_ref().map(json::canonical).unwrap_or_default();
        let merge = if self.merge { "+" } else { "" };
        [self.pkg.as_str(), "@", &self.module, "@", merge, &config].concat().into()
    }

    /// Returns the operation that evaluates it, if its package `pkg` has such a module.
    pub(super) fn op(&self, pkg: &PkgInstance) -> Option<Op> {
        Some(Op::Module {
            file: pkg.modules.get(&self.module)?.file().cloned(),
            name: self.module.clone(),
            pkg: pkg.own(),
            config: self.config.as_ref().map(json::text),
            merge: self.merge,
        })
    }

    /// Parses a module id in the text of a module.
    pub(super) fn of_text(id: &RawValue) -> Option<ModuleRequest> {
        #[derive(Deserialize)]
        struct Id {
            pkg: PkgKey,
            module: String,
            #[serde(default, deserialize_with = "given")]
            config: Option<Value>,
        }
        /// A given value counts even if it is null.
        fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
            Value::deserialize(value).map(Some)
        }
        let Id { pkg, module, config } = serde_json::from_str(id.get()).ok()?;
        Some(ModuleRequest { pkg, module, config, merge: false, is_one_of_all: false })
    }

    /// Parses a module id as functions return it.
    pub(super) fn of_id(id: &Value) -> Option<ModuleRequest> {
        Some(ModuleRequest {
            pkg: id.get("pkg")?.as_str()?.parse().ok()?,
            module: id.get("module")?.as_str()?.to_owned(),
            config: id.get("config").cloned(),
            merge: false,
            is_one_of_all: false,
        })
    }
}
