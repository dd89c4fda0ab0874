//! Names of configured modules, as targets and functions give them.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::Op;
use wake_model::{PkgKey, json};

use crate::instance::PkgInstance;

/// Which module is wanted, with which configuration.
#[derive(Clone, Debug)]
pub(crate) struct ModuleRequest {
    /// Its package.
    pub pkg: PkgKey,
    /// Its name in the package.
    pub module: String,
    /// Its configuration; none: its default.
    pub config: Option<Value>,
    /// Whether the configuration holds only keys that differ from the default.
    pub merge: bool,
    /// Whether a pattern means it among others: then it is left out where it cannot do without a configuration.
    pub is_one_of_all: bool,
}

impl ModuleRequest {
    /// One text for each module and configuration.
    pub(crate) fn identity(&self) -> Arc<str> {
        let config = self.config.as_ref().map(json::canonical).unwrap_or_default();
        let merge = if self.merge { "+" } else { "" };
        [self.pkg.as_str(), "@", &self.module, "@", merge, &config].concat().into()
    }

    /// The application that makes it, if the package `pkg`, which is its own, has such a module.
    pub(super) fn op(&self, pkg: &PkgInstance) -> Option<Op> {
        Some(Op::Module {
            file: pkg.modules.get(&self.module)?.file().cloned(),
            name: self.module.clone(),
            pkg: pkg.own(),
            config: self.config.as_ref().map(json::text),
            merge: self.merge,
        })
    }

    /// Reads a module id in the text of a module.
    pub(super) fn of_text(id: &RawValue) -> Option<ModuleRequest> {
        #[derive(Deserialize)]
        struct Id {
            pkg: PkgKey,
            module: String,
            #[serde(default, deserialize_with = "given")]
            config: Option<Value>,
        }
        /// What is given counts, also null.
        fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
            Value::deserialize(value).map(Some)
        }
        let Id { pkg, module, config } = serde_json::from_str(id.get()).ok()?;
        Some(ModuleRequest { pkg, module, config, merge: false, is_one_of_all: false })
    }

    /// Reads a module id as functions return it.
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
