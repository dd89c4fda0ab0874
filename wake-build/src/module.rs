//! The results of a module's functions, typed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use wake_model::declared::{self, Module, TestDecl};
use wake_model::encode::{Domain, digest_bytes};
use wake_model::json::push_text;
use wake_model::place::{LocalPath, module_prefix, pkg_prefix};
use wake_model::{OutputDecl, OutputKind, PkgKey, RelPath};

use crate::config_text;
use crate::instance::Instances;
use crate::shelf::ShelfEntry;
use crate::view::{Special, push_outside, special};
use crate::written::JsonValue;

/// The declaration of a module, with its configuration.
#[derive(Clone, Debug)]
pub(crate) struct ModuleDecl {
    /// Its name in paths: `namespace@name@version@module@config`.
    pub(crate) id: Arc<str>,
    /// Its name in its package.
    pub name: Box<str>,
    /// Whether its configuration is known to be the default.
    pub is_default: bool,
    /// The module's own label for this configuration.
    pub label: Option<Box<str>>,
    /// Its configuration, as given or by default, as canonical JSON.
    pub config: Box<str>,
    /// Its tags.
    pub tags: Box<[Box<str>]>,
    /// How it is tested, if it is a test.
    pub test: Option<TestDecl>,
    /// The package whose files the command sees, if that is not the module's own.
    pub pkg: Option<PkgKey>,
    /// Which of the package's files the command sees: paths and globs; none: all.
    pub pkg_files: Option<Vec<String>>,
}

/// A module with every value known: only the content of its inputs has to be pinned.
#[derive(Debug)]
pub(crate) struct ModuleInstance {
    /// The value of the outputs function, as canonical JSON.
    pub outputs: Box<str>,
    /// Its view for others.
    pub seen: ModuleView,
    /// The results of all its functions, until they are no longer needed: they are most of what a module holds.
    text: Mutex<Option<ShelfEntry>>,
}

/// A module as functions of other modules and their commands see it.
#[derive(Clone, Debug)]
pub(crate) struct ModuleView {
    /// Its id, inputs and outputs, as canonical JSON.
    pub text: Arc<str>,
    /// Where the inputs begin in the text.
    inputs: usize,
}

/// The results of all functions of a module, as a text.
pub(crate) struct ModuleText(String);

/// The results of a module's functions that decide what is run, and what others see.
pub(crate) type ModuleParts<'a> = Module<'a, IgnoredAny, JsonValue<'a>, JsonValue<'a>>;

/// The command of a module.
pub(crate) type Exec<'a> = declared::Exec<'a, JsonValue<'a>>;

/// The dependencies of a module: module ids as JSON text, by its own keys for them.
type Modules<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A module value without the form that the evaluator guarantees: a bug in wake.
#[derive(Debug, thiserror::Error)]
#[error("unexpected value in the module: {0}")]
pub(crate) struct ModuleError(String);

impl From<serde_json::Error> for ModuleError {
    fn from(error: serde_json::Error) -> ModuleError {
        ModuleError(error.to_string())
    }
}

/// The result of evaluating a module.
pub(crate) struct ModuleAnswer<'a> {
    /// Its declaration.
    pub decl: ModuleDecl,
    /// Its dependencies.
    pub needed: Modules<'a>,
    /// The rest; none if it waits for other modules.
    pub instance: Option<ModuleInstance>,
}

/// Reads the result of evaluating the module `module` of the package `own`; `shelved` is the same text, spooled.
pub(crate) fn parse<'a>(
    text: &'a RawValue,
    shelved: &ShelfEntry,
    own: &PkgKey,
    module: &str,
    instances: &Instances,
) -> Result<ModuleAnswer<'a>, ModuleError> {
    let json: Module<'_, JsonValue<'_>, JsonValue<'_>, IgnoredAny> =
        serde_json::from_str(text.get())?;
    let pkg = match &json.pkg {
        JsonValue::Null => None,
        JsonValue::Text(key) => {
            Some(key.parse().map_err(|_| ModuleError(format!("package `{key}`")))?)
        }
        other => return Err(ModuleError(format!("package {}", other.to_value()))),
    };
    let config = json.config.canonical().into_boxed_str();
    let digest = digest_bytes(Domain::Value, config.as_bytes());
    let id = [own.as_str(), "@", module, "@", &digest.short(16)].concat().into();
    let (name, label) = (json.name.into(), json.label.map(Into::into));
    let decl = ModuleDecl {
        id,
        name,
        is_default: json.default,
        label,
        config,
        tags: json.tags.into_iter().map(Into::into).collect(),
        test: json.test,
        pkg,
        pkg_files: json.pkg_files,
    };
    let is_complete = json.pending.is_none() && json.files.is_some();
    let instance = is_complete.then(|| ModuleInstance {
        outputs: json.outputs.canonical().into(),
        seen: ModuleView::of(
            &decl.id,
            &json.inputs,
            &json.outputs,
            decl.pkg_files_owner(own),
            instances,
        ),
        text: Mutex::new(Some(shelved.clone())),
    });
    Ok(ModuleAnswer { decl, needed: json.modules, instance })
}

impl ModuleDecl {
    /// Returns the package whose files the command sees.
    pub(crate) fn pkg_files_owner<'a>(&'a self, own: &'a PkgKey) -> &'a PkgKey {
        self.pkg.as_ref().unwrap_or(own)
    }

    /// Returns the first digits of the digest of the configuration.
    pub(crate) fn config_digits(&self) -> String {
        config_text::digits(&self.config)
    }
}

impl ModuleView {
    /// Creates the view. Paths in outputs are below the module's directory; paths in inputs are below the package's if it
    /// names them, because they come from there. `owner` is the package of the module's files.
    fn of(
        id: &str,
        inputs: &JsonValue<'_>,
        outputs: &JsonValue<'_>,
        owner: &PkgKey,
        instances: &Instances,
    ) -> ModuleView {
        let (module, pkg) = (module_prefix(id), pkg_prefix(owner));
        let named = |path: &RelPath| instances.get(owner).is_some_and(|pkg| pkg.names(path));
        let of_input = |path: &RelPath| if named(path) { pkg.as_str() } else { module.as_str() };
        let mut text = String::from("{\"id\":");
        push_text(id, &mut text);
        text.push(',');
        let at = text.len();
        text.push_str("\"inputs\":");
        push_outside(inputs, &of_input, &mut text);
        text.push_str(",\"outputs\":");
        push_outside(outputs, &|_| &module, &mut text);
        text.push('}');
        ModuleView { text: text.into(), inputs: at }
    }

    /// Writes the view of commands: the canonical JSON of inputs and outputs.
    pub(crate) fn push_for_commands(&self, out: &mut String) {
        out.push('{');
        out.push_str(self.text.get(self.inputs..).unwrap_or("}"));
    }
}

impl ModuleInstance {
    /// Returns the results of all its functions, which are kept until the step is done.
    pub(crate) fn text(&self) -> Result<ModuleText, ModuleError> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = text.ok_or_else(|| ModuleError("it has been dropped".to_owned()))?;
        ModuleText::of(&text)
    }

    /// Drops what decides what is run: the step is done.
    pub(crate) fn forget(&self) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ModuleText {
    /// Reads a spooled text.
    pub(crate) fn of(text: &ShelfEntry) -> Result<ModuleText, ModuleError> {
        let text = text.text().map(ModuleText);
        text.ok_or_else(|| ModuleError("its text cannot be read again".to_owned()))
    }

    /// Returns the id of its dependency with this key.
    pub(crate) fn needed(&self, key: &str) -> Option<Value> {
        let json: Module<'_, IgnoredAny, IgnoredAny, IgnoredAny> =
            serde_json::from_str(&self.0).ok()?;
        serde_json::from_str(json.modules.get(key)?.get()).ok()
    }

    /// Reads what decides what is run.
    pub(crate) fn parts(&self) -> Result<ModuleParts<'_>, ModuleError> {
        Ok(serde_json::from_str(&self.0)?)
    }
}

/// Returns the paths that a command with these outputs must create, relative to its working directory, sorted.
pub(crate) fn declared_outputs(outputs: &JsonValue<'_>) -> Vec<OutputDecl> {
    each_output(outputs, declared_path)
}

/// Returns the outputs that are not paths but would be with `./` before them, sorted.
pub(crate) fn output_texts(outputs: &JsonValue<'_>) -> Vec<RelPath> {
    let text = |value: &JsonValue<'_>| match value {
        JsonValue::Text(text) => RelPath::parse(text).ok().filter(|path| !path.is_root()),
        _ => None,
    };
    each_output(outputs, text)
}

/// Applies `read` to each output, and to each element of a list; sorted, without duplicates.
fn each_output<T: Ord>(
    outputs: &JsonValue<'_>,
    read: impl Fn(&JsonValue<'_>) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    if let JsonValue::Fields(outputs) = outputs {
        for (_, value) in outputs {
            match value {
                JsonValue::List(items) => found.extend(items.iter().filter_map(&read)),
                one => found.extend(read(one)),
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn declared_path(value: &JsonValue<'_>) -> Option<OutputDecl> {
    let Some(Special::File { path, .. }) = special(value) else { return None };
    let Some(LocalPath::Own(own)) = LocalPath::parse(path) else { return None };
    let kind = if path.ends_with('/') { OutputKind::Dir } else { OutputKind::Any };
    Some(OutputDecl { path: own, kind })
}
