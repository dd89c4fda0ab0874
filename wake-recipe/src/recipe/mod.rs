//! Recipes: one model for three generations of documents.
//!
//! | file | contains |
//! |---|---|
//! | `input` | the inputs of a recipe |
//! | `check` | the `test` section |
//! | `templated` | the form with `inputs` and `command_template_list`, which is refgenie's own specification, and that with `input_files` and `command_templates` |
//! | `older` | the form with `required_files` and `command_list`, in JSON |
//! | `document` | writes a recipe as JSON, for the build record |

mod input;
mod check;
mod templated;
mod older;
mod document;

use std::sync::Arc;

use serde_json::Value as Json;
use wake_asset::{ClassName, RecipeName};
use wake_yaml::{DocumentError, Entry, Node, Value, Warning, Yaml, list};

pub use self::check::{Expectation, ExpectedOutput, RecipeTest, TestFile};
pub use self::input::{AssetInput, DefaultAsset, FileInput, Inputs, ParamInput, ParamType};
use crate::REFGENIE;
use crate::class::AssetClass;
use crate::name::InputName;
use crate::template::{Template, Written};

/// A recipe, as declared by its document.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name.
    pub name: RecipeName,
    /// Its version; empty if it has none.
    pub version: String,
    /// Its description.
    pub description: String,
    /// The class of its asset.
    pub output_class: OutputClass,
    /// The location for errors about that class.
    class_written: Written,
    /// Its inputs.
    pub inputs: Inputs,
    /// Its commands, in order.
    pub commands: Vec<Template>,
    /// Its custom properties, each with its command.
    pub custom_properties: Vec<CustomProperty>,
    /// The template of the tag used if none is requested.
    pub default_tag: Option<Template>,
    /// The image that commands run in.
    pub container: Option<String>,
    /// Regular expressions for paths that the asset digest leaves out.
    pub checksum_exclude: Vec<String>,
    /// Its test.
    pub test: Option<RecipeTest>,
    /// The form of its document.
    pub generation: Generation,
    /// Warnings about the document.
    pub warnings: Vec<Warning>,
    /// The text of the document.
    pub text: Vec<u8>,
    /// The location for errors about the whole document.
    whole: Written,
}

/// The class of a recipe's asset.
#[derive(Clone, Debug)]
pub enum OutputClass {
    /// A class with a document of its own.
    Named(ClassName),
    /// A class that the recipe itself declares.
    Own(Box<AssetClass>),
}

/// A property of the build environment, recorded with the asset.
#[derive(Clone, Debug)]
pub struct CustomProperty {
    /// Its name.
    pub name: InputName,
    /// The shell command that prints its value.
    pub command: String,
}

/// The form of a recipe's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Generation {
    /// The form with `required_files`, `assets` and `command_list`.
    #[strum(serialize = "older")]
    Older,
    /// The form with `inputs` and `command_template_list`.
    #[strum(serialize = "current")]
    Current,
    /// The form with `input_files` and `command_templates`.
    #[strum(serialize = "renamed")]
    Renamed,
}

/// Keys that identify a generation.
const OLDER: [&str; 5] =
    ["command_list", "required_files", "required_assets", "required_parameters", "required_params"];
const CURRENT: [&str; 4] = ["command_template_list", "inputs", "custom_properties", "default_tag"];
const RENAMED: [&str; 7] = [
    "command_templates",
    "input_files",
    "input_params",
    "input_assets",
    "docker_image",
    "custom_seek_keys",
    "default_asset",
];

impl Recipe {
    /// Parses the document of a recipe.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Recipe, DocumentError> {
        let recipe = Recipe::of(Yaml::parse(file, bytes, REFGENIE)?)?;
        Ok(Recipe { text: bytes.to_owned(), ..recipe })
    }

    /// Reads a recipe from the value of the Jsonnet file `file`.
    pub fn computed(file: &str, value: &Json) -> Result<Recipe, DocumentError> {
        let recipe = Recipe::of(Yaml::computed(file, value, REFGENIE))?;
        Ok(Recipe { text: format!("{value:#}\n").into_bytes(), ..recipe })
    }

    fn of(mut yaml: Yaml) -> Result<Recipe, DocumentError> {
        let root = Arc::clone(&yaml.root);
        let Value::Map(entries) = &root.value else {
            let message = format!("the recipe is {}: expected a mapping", wake_yaml::kind(&root));
            return Err(yaml.source.error(root.at, message));
        };
        let mut recipe = match generation(&yaml, entries)? {
            Generation::Older => older::read(&mut yaml, &root),
            Generation::Current => templated::read(&mut yaml, &root, &templated::CURRENT),
            Generation::Renamed => templated::read(&mut yaml, &root, &templated::RENAMED),
        }?;
        recipe.inputs.check()?;
        recipe.warnings.append(&mut yaml.warnings);
        Ok(recipe)
    }

    /// Returns an error about the whole document.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.whole.error(message)
    }

    /// Returns an error about its output class.
    pub fn class_error(&self, message: impl Into<String>) -> DocumentError {
        self.class_written.error(message)
    }
}

/// Returns the list of commands, which must not be empty.
fn commands(yaml: &Yaml, node: &Node, key: &str) -> Result<Vec<Arc<Node>>, DocumentError> {
    let commands = list(yaml, node, &format!("`{key}`"))?.to_vec();
    match commands.is_empty() {
        false => Ok(commands),
        true => Err(yaml
            .source
            .error(node.at, "the recipe has no commands")
            .with_hint("add the commands that make the asset")),
    }
}

/// Determines the form of a document; all identifying keys must belong to one form.
fn generation(yaml: &Yaml, entries: &[Entry]) -> Result<Generation, DocumentError> {
    let find = |keys: &[&str]| entries.iter().find(|entry| keys.contains(&entry.key.as_str()));
    let found = [
        (Generation::Current, find(&CURRENT)),
        (Generation::Older, find(&OLDER)),
        (Generation::Renamed, find(&RENAMED)),
    ];
    let mut found = found.into_iter().filter_map(|(generation, entry)| Some((generation, entry?)));
    let Some((generation, first)) = found.next() else { return Ok(Generation::Current) };
    match found.next() {
        None => Ok(generation),
        Some((other, second)) => {
            let message = format!(
                "`{}` belongs to the {other} recipe form, but `{}` belongs to the {generation} form",
                second.key, first.key
            );
            Err(yaml.source.error(second.at, message).with_hint("use the keys of one form"))
        }
    }
}

/// The fields that all forms have in common.
struct Head {
    name: RecipeName,
    version: String,
    description: String,
    whole: Written,
}

/// Reads the common fields; a missing name defaults to that of the file.
fn head(
    yaml: &mut Yaml,
    fields: &mut wake_yaml::Fields<'_>,
    must: bool,
) -> Result<Head, DocumentError> {
    let name = match fields.take("name") {
        Some(node) => crate::class::word(yaml, node, "`name`")?,
        None if must => {
            fields.need(yaml, "name")?;
            return Err(yaml.source.error(fields.at(), "the recipe has no `name`"));
        }
        None => name_of_file(yaml.source.file())
            .ok_or_else(|| yaml.source.error(fields.at(), "the recipe has no `name`"))?,
    };
    let version = match (fields.take("version"), must) {
        (Some(node), _) => crate::class::words(yaml, node, "`version`")?,
        (None, false) => String::new(),
        (None, true) => return Err(yaml.source.error(fields.at(), "the recipe has no `version`")),
    };
    let description = crate::class::optional_text(yaml, fields, "description", "`description`")?;
    let description = if description.is_empty() { name.to_string() } else { description };
    let whole = Written::new(&yaml.source, fields.at(), String::new());
    Ok(Head { name, version, description, whole })
}

fn name_of_file(file: &str) -> Option<RecipeName> {
    let name = file.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    stem.strip_suffix("_asset_recipe").unwrap_or(stem).parse().ok()
}
