//! What a module's functions said, typed.

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

/// The declaration of a module with its configuration.
#[derive(Clone, Debug)]
pub(crate) struct ModuleDecl {
    /// Its name in paths: `namespace@name@version@module@config`.
    pub(crate) id: Arc<str>,
    /// Its name in its package.
    pub name: Box<str>,
    /// Whether its configuration is known to be the default.
    pub is_default: bool,
    /// What tells this configuration from others for people.
    pub label: Option<Box<str>>,
    /// Its configuration, as given or as its default says, as canonical JSON.
    pub config: Box<str>,
    /// Words by which people choose.
    pub tags: Box<[Box<str>]>,
    /// How it is tested, if it is a test.
    pub test: Option<TestDecl>,
    /// The package whose files the command sees, where that is not the module's own.
    pub pkg: Option<PkgKey>,
    /// Which of the package's files the command sees: paths and globs; none: all.
    pub pkg_files: Option<Vec<String>>,
}

/// A module with every value known: what is left is to pin the bytes.
#[derive(Debug)]
pub(crate) struct ModuleInstance {
    /// What the outputs function gave, as canonical JSON.
    pub outputs: Box<str>,
    /// What others see of it.
    pub seen: ModuleView,
    /// All that its functions gave, until nobody will ask again: of many modules it is most of what they hold.
    text: Mutex<Option<ShelfEntry>>,
}

/// What functions of other modules and their commands see of a module.
#[derive(Clone, Debug)]
pub(crate) struct ModuleView {
    /// As canonical JSON: its id, inputs and outputs.
    pub text: Arc<str>,
    /// Where the inputs begin.
    inputs: usize,
}

/// All that the functions of a module gave, as a text.
pub(crate) struct ModuleText(String);

/// What the functions of a module gave that decides what is run, and what others see of it.
pub(crate) type ModuleParts<'a> = Module<'a, IgnoredAny, JsonValue<'a>, JsonValue<'a>>;

/// What is run.
pub(crate) type Exec<'a> = declared::Exec<'a, JsonValue<'a>>;

/// The modules that a module needs: module ids as JSON text, by its own key for them.
type Modules<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A module that is not of the form that the evaluator promises: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("the module has an unexpected form: {0}")]
pub(crate) struct ModuleError(String);

impl From<serde_json::Error> for ModuleError {
    fn from(error: serde_json::Error) -> ModuleError {
        ModuleError(error.to_string())
    }
}

/// What an evaluation gave for a module.
pub(crate) struct ModuleAnswer<'a> {
    /// Its declaration.
    pub decl: ModuleDecl,
    /// The modules that it needs.
    pub needed: Modules<'a>,
    /// The rest; none if it waits for other modules.
    pub instance: Option<ModuleInstance>,
}

/// Reads what an evaluation gave for the module `module` of the package `own`; `shelved` is the same text, put aside.
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
    /// The package whose files the command sees.
    pub(crate) fn pkg_files_owner<'a>(&'a self, own: &'a PkgKey) -> &'a PkgKey {
        self.pkg.as_ref().unwrap_or(own)
    }

    /// The first digits of the digest of the configuration.
    pub(crate) fn config_digits(&self) -> String {
        config_text::digits(&self.config)
    }
}

impl ModuleView {
    /// Paths in outputs lie in the module's directory; paths in inputs lie in the package's, where it
    /// names them, because that is where they come from. `owner` is the package of the module's files.
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

    /// Writes what commands see: the canonical JSON of inputs and outputs.
    pub(crate) fn push_for_commands(&self, out: &mut String) {
        out.push('{');
        out.push_str(self.text.get(self.inputs..).unwrap_or("}"));
    }
}

impl ModuleInstance {
    /// All that its functions gave, which is there until the step is done.
    pub(crate) fn text(&self) -> Result<ModuleText, ModuleError> {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = text.ok_or_else(|| ModuleError("it is forgotten".to_owned()))?;
        ModuleText::of(&text)
    }

    /// Forgets what decides what is run: the step is done.
    pub(crate) fn forget(&self) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ModuleText {
    /// Reads a text that was put aside.
    pub(crate) fn of(text: &ShelfEntry) -> Result<ModuleText, ModuleError> {
        let text = text.text().map(ModuleText);
        text.ok_or_else(|| ModuleError("its text cannot be read again".to_owned()))
    }

    /// The id of the module that it needs under a key.
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

/// The paths that a command with these outputs must create, relative to its working directory, sorted.
pub(crate) fn declared_outputs(outputs: &JsonValue<'_>) -> Vec<OutputDecl> {
    each_output(outputs, declared_path)
}

/// What of these outputs is no path and would be one with `./` before it, sorted.
pub(crate) fn output_texts(outputs: &JsonValue<'_>) -> Vec<RelPath> {
    let text = |value: &JsonValue<'_>| match value {
        JsonValue::Text(text) => RelPath::parse(text).ok().filter(|path| !path.is_root()),
        _ => None,
    };
    each_output(outputs, text)
}

/// What `read` makes of each output, and of each element of one that is a list; sorted, each once.
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
