//! Asset classes and their seek keys, own and inherited.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;
use strum::VariantNames;
use wake_asset::{ClassName, SeekEntry, SeekKey, SeekType};
use wake_model::nearest::nearest;
use wake_yaml::{DocumentError, Entry, Fields, Node, Value, Warning, Yaml, list, text};

use crate::REFGENIE;
use crate::template::{Template, Values, Written};

/// An asset class, as declared by its document.
#[derive(Clone, Debug)]
pub struct AssetClass {
    /// Its name.
    pub name: ClassName,
    /// Its version; empty if it has none.
    pub version: String,
    /// Its description.
    pub description: String,
    /// Its own seek keys.
    pub seek_keys: Vec<SeekKeyDecl>,
    /// The classes that it inherits from.
    pub parents: Vec<ParentClass>,
    /// Warnings about the document.
    pub warnings: Vec<Warning>,
    /// The text of the document.
    pub text: Vec<u8>,
    /// The location for errors about the whole document.
    whole: Written,
}

/// A reference to a class that another one inherits from.
#[derive(Clone, Debug)]
pub struct ParentClass {
    /// The reference as written, with its location for errors.
    written: Written,
}

/// A seek key, as declared by a class.
#[derive(Clone, Debug)]
pub struct SeekKeyDecl {
    /// The key.
    pub key: SeekKey,
    /// Its type.
    pub kind: SeekType,
    /// The template of its value: a path below the asset's directory, or a value.
    pub value: Template,
    /// Its description.
    pub description: String,
}

/// All seek keys of an asset class, including inherited ones.
#[derive(Clone, Debug)]
pub struct SeekKeys {
    /// The class.
    pub class: ClassName,
    /// The keys, in the order in which a registry lists them.
    pub keys: Vec<SeekKeyDecl>,
}

/// Finds the parents of asset classes.
pub trait Classes {
    /// Returns the class that `child` refers to as `parent`.
    fn class(&self, child: &AssetClass, parent: &ParentClass) -> Result<AssetClass, DocumentError>;
}

/// The key of every asset's directory.
const DIR: &str = "dir";

/// The most levels of inheritance.
const DEEPEST: usize = 32;

impl AssetClass {
    /// Parses the document of a class.
    pub fn read(file: &str, bytes: &[u8]) -> Result<AssetClass, DocumentError> {
        let class = AssetClass::of(Yaml::parse(file, bytes, REFGENIE)?)?;
        Ok(AssetClass { text: bytes.to_owned(), ..class })
    }

    /// Reads a class from the value of the Jsonnet file `file`.
    pub fn computed(file: &str, value: &Json) -> Result<AssetClass, DocumentError> {
        let class = AssetClass::of(Yaml::computed(file, value, REFGENIE))?;
        Ok(AssetClass { text: format!("{value:#}\n").into_bytes(), ..class })
    }

    /// Makes the class of a recipe of the older form, which declares its seek keys itself.
    pub(crate) fn of_recipe(
        name: ClassName,
        description: &str,
        seek_keys: Vec<SeekKeyDecl>,
        whole: Written,
    ) -> AssetClass {
        let (version, parents, warnings, text) = Default::default();
        let description = description.to_owned();
        AssetClass { name, version, description, seek_keys, parents, warnings, text, whole }
    }

    fn of(mut yaml: Yaml) -> Result<AssetClass, DocumentError> {
        let root = Arc::clone(&yaml.root);
        let mut fields = Fields::of(&yaml, &root, "the asset class")?;
        let node = fields.need(&yaml, "name")?;
        let name = word(&mut yaml, node, "`name`")?;
        let version = match fields.take("version") {
            Some(node) => words(&mut yaml, node, "`version`")?,
            None => String::new(),
        };
        let description = optional_text(&mut yaml, &mut fields, "description", "`description`")?;
        let mut seek_keys = Vec::new();
        let node = fields.need(&yaml, "seek_keys")?;
        for entry in entries(&yaml, Some(node), "`seek_keys`")? {
            seek_keys.push(seek_key(&mut yaml, &entry.key, entry.at, &entry.value)?);
        }
        let mut parents = Vec::new();
        if let Some(node) = fields.take("parents") {
            for item in list(&yaml, node, "`parents`")? {
                let name = text(&mut yaml, item, "a parent")?;
                parents.push(ParentClass { written: Written::new(&yaml.source, item.at, name) });
            }
        }
        // Keys of later versions that do not affect a build.
        for key in ["serving_modes", "tags", "metadata"] {
            fields.take(key);
        }
        fields.finish_warning(&mut yaml)?;
        let whole = Written::new(&yaml.source, root.at, String::new());
        let (Yaml { warnings, .. }, text) = (yaml, Vec::new());
        Ok(AssetClass { name, version, description, seek_keys, parents, warnings, text, whole })
    }

    /// Returns all seek keys: inherited ones first; its own override those of the same name.
    pub fn seek_keys(&self, classes: &dyn Classes) -> Result<SeekKeys, DocumentError> {
        let mut keys = Vec::new();
        self.gather(classes, &mut Vec::new(), &mut keys)?;
        Ok(SeekKeys { class: self.name.clone(), keys })
    }

    fn gather(
        &self,
        classes: &dyn Classes,
        above: &mut Vec<ClassName>,
        keys: &mut Vec<SeekKeyDecl>,
    ) -> Result<(), DocumentError> {
        above.push(self.name.clone());
        for parent in &self.parents {
            let class = classes.class(self, parent)?;
            if above.contains(&class.name) {
                above.push(class.name);
                let way = above.iter().map(ToString::to_string).collect::<Vec<_>>().join("` -> `");
                return Err(parent
                    .error(format!("asset classes inherit from each other in a cycle: `{way}`")));
            }
            if above.len() == DEEPEST {
                let message = format!("more than {DEEPEST} asset classes inherit from each other");
                return Err(parent.error(message));
            }
            class.gather(classes, above, keys)?;
        }
        above.pop();
        for decl in &self.seek_keys {
            put(keys, decl.clone());
        }
        if keys.iter().all(|decl| decl.key.as_str() != DIR)
            && let (Ok(key), written) = (DIR.parse(), self.whole.with_text("."))
        {
            let (kind, value) = (SeekType::Directory, Template::format(written)?);
            let description = "the directory of the asset".to_owned();
            put(keys, SeekKeyDecl { key, kind, value, description });
        }
        Ok(())
    }
}

impl ParentClass {
    /// Returns its name, or the path or URL of its document.
    pub fn name(&self) -> &str {
        &self.written.text
    }

    /// Returns an error at the reference.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }
}

/// Adds a key; one that exists is replaced in place.
fn put(keys: &mut Vec<SeekKeyDecl>, decl: SeekKeyDecl) {
    match keys.iter_mut().find(|one| one.key == decl.key) {
        Some(one) => *one = decl,
        None => keys.push(decl),
    }
}

impl SeekKeys {
    /// Renders the value of each key with the values of a build and checks its type.
    pub fn resolve(&self, values: &Values) -> Result<Vec<SeekEntry>, DocumentError> {
        let entry = |decl: &SeekKeyDecl| {
            let value = decl.value.render(values)?;
            decl.kind
                .value_of(&value)
                .map_err(|error| decl.value.error(format!("seek key `{}`: {error}", decl.key)))?;
            Ok(SeekEntry { key: decl.key.clone(), kind: decl.kind, value })
        };
        self.keys.iter().map(entry).collect()
    }

    /// Returns all names that their templates use.
    pub fn names(&self) -> BTreeSet<String> {
        self.keys.iter().flat_map(|decl| decl.value.names()).collect()
    }
}

/// Reads a seek key: a mapping or, in older documents, a bare value, which is a path.
pub(crate) fn seek_key(
    yaml: &mut Yaml,
    key: &str,
    at: wake_yaml::Mark,
    node: &Arc<Node>,
) -> Result<SeekKeyDecl, DocumentError> {
    let what = format!("seek key `{key}`");
    let key: SeekKey = key
        .parse()
        .map_err(|error: wake_asset::NameError| yaml.source.error(at, error.to_string()))?;
    if let Value::Text { .. } = &node.value {
        let value = text(yaml, node, &what)?;
        let kind = if value == "." { SeekType::Directory } else { SeekType::File };
        let value = Template::format(Written::new(&yaml.source, node.at, value))?;
        return Ok(SeekKeyDecl { key, kind, value, description: String::new() });
    }
    let mut fields = Fields::of(yaml, node, &what)?;
    let value = fields.need(yaml, "value")?;
    let written = text(yaml, value, &format!("`value` of {what}"))?;
    let written = Template::format(Written::new(&yaml.source, value.at, written))?;
    let kind_node = fields.need(yaml, "type")?;
    let kind_text = text(yaml, kind_node, &format!("`type` of {what}"))?;
    let kind = kind_text.parse().map_err(|_| {
        let error =
            yaml.source.error(kind_node.at, format!("`{kind_text}` is not a seek key type"));
        error.with_hint(match nearest(&kind_text, SeekType::VARIANTS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the types are `{}`", SeekType::VARIANTS.join("`, `")),
        })
    })?;
    let description = optional_text(yaml, &mut fields, "description", "`description`")?;
    fields.finish_warning(yaml)?;
    Ok(SeekKeyDecl { key, kind, value: written, description })
}

/// Returns the entries of a mapping keyed by name; null entries count as absent, and so does a null mapping.
pub(crate) fn entries<'a>(
    yaml: &Yaml,
    node: Option<&'a Arc<Node>>,
    what: &str,
) -> Result<Vec<&'a Entry>, DocumentError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let mut entries = Fields::of(yaml, node, what)?.rest();
    entries.retain(|entry| !matches!(entry.value.value, Value::Null));
    Ok(entries)
}

/// Reads a string and parses it as a name.
pub(crate) fn word<T>(yaml: &mut Yaml, node: &Arc<Node>, what: &str) -> Result<T, DocumentError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let written = text(yaml, node, what)?;
    written.parse().map_err(|error: T::Err| yaml.source.error(node.at, error.to_string()))
}

/// Reads a non-empty string without white space.
pub(crate) fn words(
    yaml: &mut Yaml,
    node: &Arc<Node>,
    what: &str,
) -> Result<String, DocumentError> {
    let written = text(yaml, node, what)?;
    match written.chars().any(char::is_whitespace) || written.is_empty() {
        true => Err(yaml.source.error(node.at, format!("{what} must be one word"))),
        false => Ok(written),
    }
}

/// Reads an optional string.
pub(crate) fn optional_text(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
    what: &str,
) -> Result<String, DocumentError> {
    match fields.take(key) {
        Some(node) => Ok(text(yaml, node, what)?),
        None => Ok(String::new()),
    }
}
