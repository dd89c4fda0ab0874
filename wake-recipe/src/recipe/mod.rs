//! How an asset is made: recipes of three generations of documents as one model.
//!
//! | file | has |
//! |---|---|
//! | `input` | what a recipe is given |
//! | `check` | the section that says how a recipe is tested |
//! | `templated` | the form with `inputs` and `command_template_list`, which is refgenie's own specification, and that with `input_files` and `command_templates` |
//! | `older` | the form with `required_files` and `command_list`, in JSON |
//! | `document` | a recipe as a document again, as it is kept beside what was built |

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

/// How an asset is made, as a document says.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name.
    pub name: RecipeName,
    /// Its version; empty where none is said.
    pub version: String,
    /// What it makes, in words.
    pub description: String,
    /// The class of what it makes.
    pub output_class: OutputClass,
    /// An error here is one about that class.
    class_written: Written,
    /// What it is given.
    pub inputs: Inputs,
    /// What is run, in this order.
    pub commands: Vec<Template>,
    /// What is noted of where it is built: the names of properties, and the commands that tell them.
    pub custom_properties: Vec<CustomProperty>,
    /// What the asset is tagged with where nobody says otherwise.
    pub default_tag: Option<Template>,
    /// The image that commands run in.
    pub container: Option<String>,
    /// Paths that are left out of the digest of an asset.
    pub checksum_exclude: Vec<String>,
    /// How it is tested.
    pub test: Option<RecipeTest>,
    /// Which form its document has.
    pub generation: Generation,
    /// What is probably not meant in the document.
    pub warnings: Vec<Warning>,
    /// The document.
    pub text: Vec<u8>,
    /// An error here is one about the document.
    whole: Written,
}

/// The class of what a recipe makes.
#[derive(Clone, Debug)]
pub enum OutputClass {
    /// One that has a document of its own.
    Named(ClassName),
    /// One that the recipe says itself.
    Own(Box<AssetClass>),
}

/// Something that is noted of where an asset is built.
#[derive(Clone, Debug)]
pub struct CustomProperty {
    /// What it is called.
    pub name: InputName,
    /// A command of the shell that prints it.
    pub command: String,
}

/// Which form documents have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Generation {
    /// That with `required_files`, `assets` and `command_list`.
    #[strum(serialize = "older")]
    Older,
    /// That with `inputs` and `command_template_list`.
    #[strum(serialize = "current")]
    Current,
    /// That with `input_files` and `command_templates`.
    #[strum(serialize = "renamed")]
    Renamed,
}

/// Keys that tell a generation.
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
    /// Reads the document of a recipe.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Recipe, DocumentError> {
        let recipe = Recipe::of(Yaml::parse(file, bytes, REFGENIE)?)?;
        Ok(Recipe { text: bytes.to_owned(), ..recipe })
    }

    /// A recipe that was computed from `file`.
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

    /// An error about the document.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.whole.error(message)
    }

    /// An error about the class of what it makes.
    pub fn class_error(&self, message: impl Into<String>) -> DocumentError {
        self.class_written.error(message)
    }
}

/// The commands of a recipe, as a list of them says; there must be one.
fn commands(yaml: &Yaml, node: &Node, key: &str) -> Result<Vec<Arc<Node>>, DocumentError> {
    let commands = list(yaml, node, &format!("`{key}`"))?.to_vec();
    match commands.is_empty() {
        false => Ok(commands),
        true => Err(yaml
            .source
            .error(node.at, "the recipe has no commands")
            .with_hint("they are what makes the asset")),
    }
}

/// Which form the document has: all keys that tell it must be of one.
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
                "`{}` is of the {other} form of recipes, and `{}` of the {generation} one",
                second.key, first.key
            );
            Err(yaml.source.error(second.at, message).with_hint("a recipe has one form"))
        }
    }
}

/// The parts that all forms have in common while they are read.
struct Head {
    name: RecipeName,
    version: String,
    description: String,
    whole: Written,
}

/// Reads what every form begins with; a name that is not said is that of the file.
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
