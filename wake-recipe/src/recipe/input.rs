//! The inputs of a recipe: files, parameters, assets.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;
use wake_asset::{ClassName, RegistryPath};
use wake_yaml::{DocumentError, Fields, Mark, Node, Value, Yaml, list, text};

use crate::class::{entries, optional_text, word};
use crate::name::InputName;
use crate::template::Written;

/// The inputs of a recipe.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Files.
    pub files: Vec<FileInput>,
    /// Parameters.
    pub params: Vec<ParamInput>,
    /// Assets.
    pub assets: Vec<AssetInput>,
}

/// A file input.
#[derive(Clone, Debug)]
pub struct FileInput {
    /// Its name.
    pub name: InputName,
    /// Its description.
    pub description: String,
    /// The location of its name, for errors.
    pub(super) written: Written,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct ParamInput {
    /// Its name.
    pub name: InputName,
    /// Its description.
    pub description: String,
    /// The default value.
    pub default: Option<Json>,
    /// Its type; none for any value, in which case a value from the command line is a string.
    pub kind: Option<ParamType>,
    /// The location of its name, for errors.
    pub(super) written: Written,
}

/// The type of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamType {
    /// A whole number, with optional inclusive bounds.
    Integer(Option<i64>, Option<i64>),
    /// A number.
    Number,
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// One of these strings.
    OneOf(Vec<String>),
}

/// An asset input.
#[derive(Clone, Debug)]
pub struct AssetInput {
    /// Its name.
    pub name: InputName,
    /// Its description.
    pub description: String,
    /// The required class.
    pub class: ClassName,
    /// The default asset.
    pub default: Option<DefaultAsset>,
    /// The location of its name, for errors.
    pub(super) written: Written,
    /// The location of its class, for errors.
    pub(crate) class_written: Written,
}

/// The default of an asset input.
#[derive(Clone, Debug)]
pub struct DefaultAsset {
    /// The asset.
    pub path: RegistryPath,
    /// Its location, for errors.
    pub(crate) written: Written,
}

impl DefaultAsset {
    pub(super) fn read(yaml: &mut Yaml, node: &Arc<Node>) -> Result<DefaultAsset, DocumentError> {
        let path = word(yaml, node, "`default`")?;
        Ok(DefaultAsset { path, written: Written::new(&yaml.source, node.at, String::new()) })
    }
}

impl Inputs {
    /// Returns the asset input called `name`: by its own name, else by its class if no other input has that class.
    pub fn asset(&self, name: &str) -> Option<&AssetInput> {
        let by_name = self.assets.iter().find(|input| input.name.as_str() == name);
        by_name.or_else(|| {
            let mut of_class = self.assets.iter().filter(|input| input.class.as_str() == name);
            let first = of_class.next();
            first.filter(|_| of_class.next().is_none())
        })
    }

    /// Checks that input names are unique.
    pub(super) fn check(&self) -> Result<(), DocumentError> {
        // Mapping keys are unique already; the older form has lists.
        let files = self.files.iter().map(|input| (&input.name, &input.written));
        let params = self.params.iter().map(|input| (&input.name, &input.written));
        let assets = self.assets.iter().map(|input| (&input.name, &input.written));
        check_once(files, "file")?;
        check_once(params, "parameter")?;
        check_once(assets, "asset")
    }
}

/// Checks that no name occurs twice.
fn check_once<'a>(
    names: impl Iterator<Item = (&'a InputName, &'a Written)>,
    what: &str,
) -> Result<(), DocumentError> {
    let mut seen = BTreeSet::new();
    for (name, written) in names {
        if !seen.insert(name.as_str()) {
            let message = format!("duplicate {what} input `{name}`");
            return Err(written.error(message));
        }
    }
    Ok(())
}

impl ParamInput {
    /// Parses a value from the command line.
    pub fn parse(&self, typed: &str) -> Result<Json, String> {
        let wrong = |what: &str| format!("parameter `{}` must be {what}, not `{typed}`", self.name);
        match &self.kind {
            None | Some(ParamType::String) => Ok(typed.into()),
            Some(ParamType::Integer(least, most)) => {
                let number: i64 = typed.trim().parse().map_err(|_| wrong("a whole number"))?;
                let fits = least.is_none_or(|least| number >= least)
                    && most.is_none_or(|most| number <= most);
                match fits {
                    true => Ok(number.into()),
                    false => Err(wrong(&within(*least, *most))),
                }
            }
            Some(ParamType::Number) => match serde_json::from_str::<Json>(typed.trim()) {
                Ok(number) if number.is_number() => Ok(number),
                _ => Err(wrong("a number")),
            },
            Some(ParamType::Boolean) => match typed.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Ok(true.into()),
                "false" | "no" | "off" => Ok(false.into()),
                _ => Err(wrong("`true` or `false`")),
            },
            Some(ParamType::OneOf(choices)) => match choices.iter().any(|one| one == typed) {
                true => Ok(typed.into()),
                false => Err(wrong(&format!("one of `{}`", choices.join("`, `")))),
            },
        }
    }

    /// Checks that a default value has the parameter's type.
    fn takes(&self, value: &Json) -> Result<(), String> {
        let typed = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_text = matches!(value, Json::String(_));
        match &self.kind {
            None => Ok(()),
            Some(ParamType::Integer(..) | ParamType::Number | ParamType::Boolean) if is_text => {
                Err(format!("the default of parameter `{}` is a string", self.name))
            }
            Some(_) => self.parse(&typed).map(|_| ()),
        }
    }
}

fn within(least: Option<i64>, most: Option<i64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        (Some(least), None) => format!("{least} or more"),
        (None, Some(most)) => format!("{most} or less"),
        (None, None) => "a whole number".to_owned(),
    }
}

pub(super) fn name(yaml: &Yaml, at: Mark, written: &str) -> Result<InputName, DocumentError> {
    written
        .parse()
        .map_err(|error: crate::name::InputNameError| yaml.source.error(at, error.to_string()))
}

fn description(yaml: &mut Yaml, fields: &mut Fields<'_>) -> Result<String, DocumentError> {
    let node = fields.need(yaml, "description")?;
    text(yaml, node, "`description`")
}

/// Reads the file inputs.
pub(super) fn files(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
) -> Result<Vec<FileInput>, DocumentError> {
    let mut files = Vec::new();
    for entry in entries(yaml, node, "the files of the recipe")? {
        let name = name(yaml, entry.at, &entry.key)?;
        let mut fields = Fields::of(yaml, &entry.value, &format!("file `{name}`"))?;
        let description = description(yaml, &mut fields)?;
        fields.finish_warning(yaml)?;
        let written = name_at(yaml, entry.at);
        files.push(FileInput { name, description, written });
    }
    Ok(files)
}

/// Reads the parameters.
pub(super) fn params(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
) -> Result<Vec<ParamInput>, DocumentError> {
    let mut params = Vec::new();
    for entry in entries(yaml, node, "the parameters of the recipe")? {
        let name = name(yaml, entry.at, &entry.key)?;
        let mut fields = Fields::of(yaml, &entry.value, &format!("parameter `{name}`"))?;
        let description = description(yaml, &mut fields)?;
        let default = fields.take("default");
        let kind = param_type(yaml, &mut fields)?;
        fields.finish_warning(yaml)?;
        let (written, json) = (name_at(yaml, entry.at), default.map(|node| node.to_json()));
        let param = ParamInput { name, description, default: json, kind, written };
        if let (Some(node), Some(default)) = (default, &param.default) {
            param.takes(default).map_err(|message| yaml.source.error(node.at, message))?;
        }
        params.push(param);
    }
    Ok(params)
}

/// Reads the type of a parameter, a wake extension: `type`, `choices`, `minimum`, `maximum`.
fn param_type(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
) -> Result<Option<ParamType>, DocumentError> {
    const TYPES: [&str; 4] = ["integer", "number", "string", "boolean"];
    let choices = match fields.take("choices") {
        Some(node) => {
            let items = list(yaml, node, "`choices`")?.to_vec();
            let texts = items.iter().map(|item| text(yaml, item, "a choice"));
            Some(texts.collect::<Result<Vec<_>, _>>()?)
        }
        None => None,
    };
    let mut bound = |yaml: &Yaml, key: &'static str| match fields.take(key) {
        Some(node) => match node.to_json().as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(yaml.source.error(node.at, format!("`{key}` must be a whole number"))),
        },
        None => Ok(None),
    };
    let (least, most) = (bound(yaml, "minimum")?, bound(yaml, "maximum")?);
    let Some(node) = fields.take("type") else {
        return Ok(match (choices, least, most) {
            (Some(choices), _, _) => Some(ParamType::OneOf(choices)),
            (None, None, None) => None,
            (None, least, most) => Some(ParamType::Integer(least, most)),
        });
    };
    let written = text(yaml, node, "`type`")?;
    Ok(Some(match (written.as_str(), choices) {
        ("string", Some(choices)) => ParamType::OneOf(choices),
        ("string", None) => ParamType::String,
        ("integer", _) => ParamType::Integer(least, most),
        ("number", _) => ParamType::Number,
        ("boolean", _) => ParamType::Boolean,
        _ => {
            let error = yaml.source.error(node.at, format!("`{written}` is not a parameter type"));
            return Err(error.with_hint(match wake_model::nearest::nearest(&written, TYPES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the types are `{}`", TYPES.join("`, `")),
            }));
        }
    }))
}

/// Reads the asset inputs.
pub(super) fn assets(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
) -> Result<Vec<AssetInput>, DocumentError> {
    let mut assets = Vec::new();
    for entry in entries(yaml, node, "the assets of the recipe")? {
        let name = name(yaml, entry.at, &entry.key)?;
        let mut fields = Fields::of(yaml, &entry.value, &format!("asset `{name}`"))?;
        let description = description(yaml, &mut fields)?;
        let class_node = fields.need(yaml, "asset_class")?;
        let class = word(yaml, class_node, "`asset_class`")?;
        let default = match fields.take("default") {
            Some(node) => Some(DefaultAsset::read(yaml, node)?),
            None => None,
        };
        fields.finish_warning(yaml)?;
        let class_written = name_at(yaml, class_node.at);
        let written = name_at(yaml, entry.at);
        assets.push(AssetInput { name, description, class, default, written, class_written });
    }
    Ok(assets)
}

/// An input of the older form.
pub(super) struct Listed {
    pub(super) name: InputName,
    pub(super) description: String,
    pub(super) default: Option<Arc<Node>>,
    pub(super) written: Written,
}

/// Reads a list of inputs of the older form.
pub(super) fn listed(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
    what: &str,
) -> Result<Vec<Listed>, DocumentError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let mut inputs = Vec::new();
    for item in list(yaml, node, what)?.to_vec() {
        let mut fields = Fields::of(yaml, &item, what)?;
        let key = fields.need(yaml, "key")?;
        let written = text(yaml, key, "`key`")?;
        let name = name(yaml, key.at, &written)?;
        let description = optional_text(yaml, &mut fields, "description", "`description`")?;
        let default = fields.take("default").cloned();
        fields.finish_warning(yaml)?;
        inputs.push(Listed { name, description, default, written: name_at(yaml, key.at) });
    }
    Ok(inputs)
}

fn name_at(yaml: &Yaml, at: Mark) -> Written {
    Written::new(&yaml.source, at, String::new())
}

/// Whether a node is a mapping.
pub(super) fn is_mapping(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}
