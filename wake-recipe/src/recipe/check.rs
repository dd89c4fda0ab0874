//! The `test` section of a recipe: test inputs and expected outputs.

use std::sync::Arc;

use serde_json::Value as Json;
use wake_asset::{GenomeName, SeekKey};
use wake_model::nearest::nearest;
use wake_yaml::{DocumentError, Fields, Mark, Node, Yaml, list, text};

use super::input::{self, Inputs};
use crate::class::{entries, word};
use crate::name::InputName;
use crate::template::{Template, Written};

/// The test of a recipe.
#[derive(Clone, Debug, Default)]
pub struct RecipeTest {
    /// The genome of its input assets.
    pub genome: Option<GenomeName>,
    /// Its input files.
    pub files: Vec<TestFile>,
    /// Its expected outputs.
    pub outputs: Vec<ExpectedOutput>,
    /// Commands that must succeed on the result; renamed form only.
    pub commands: Vec<Template>,
}

/// An input file of a test.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The name of the input.
    pub name: InputName,
    /// Its URL, or its path relative to the document.
    pub location: String,
    /// Its location for errors.
    pub(crate) written: Written,
}

/// The expected value of one seek key.
#[derive(Clone, Debug)]
pub struct ExpectedOutput {
    /// The key.
    pub key: SeekKey,
    /// The expected result.
    pub expectation: Expectation,
    /// Its location for errors.
    pub(crate) written: Written,
}

/// The expected target of a seek key.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// A file with this MD5.
    Md5(String),
    /// This value.
    Value(Json),
}

impl TestFile {
    /// Returns an error at its location.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }
}

impl ExpectedOutput {
    /// Returns an error at its location.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }
}

impl RecipeTest {
    /// Checks that the test gives each input that has no default, and no file that is not an input.
    pub fn check_inputs(&self, inputs: &Inputs) -> Result<(), DocumentError> {
        for file in &self.files {
            let known = || inputs.files.iter().map(|input| input.name.as_str());
            if !known().any(|name| name == file.name.as_str()) {
                let error = file.error(format!("the recipe has no file input `{}`", file.name));
                return Err(match nearest(file.name.as_str(), known()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
        }
        for input in &inputs.files {
            if self.files.iter().all(|file| file.name != input.name) {
                let message = format!("`test` gives no file for input `{}`", input.name);
                let hint = format!("add `{}` to `inputs` of `test`", input.name);
                return Err(input.written.error(message).with_hint(hint));
            }
        }
        let params = inputs.params.iter().filter(|input| input.default.is_none());
        let params = params.map(|input| ("parameter", &input.name, &input.written));
        let assets = inputs.assets.iter().filter(|input| input.default.is_none());
        let assets = assets.map(|input| ("asset", &input.name, &input.written));
        if let Some((what, name, written)) = params.chain(assets).next() {
            let message = format!("{what} `{name}` has no default, which a test needs");
            return Err(written.error(message).with_hint("add a `default`"));
        }
        let lacks_genome = |input: &&input::AssetInput| {
            input.default.as_ref().is_some_and(|default| default.path.genome.is_none())
        };
        match inputs.assets.iter().find(lacks_genome).filter(|_| self.genome.is_none()) {
            None => Ok(()),
            Some(input) => {
                let message = format!("`test` names no genome for asset `{}`", input.name);
                Err(input.written.error(message).with_hint("add a `genome` to `test`"))
            }
        }
    }
}

/// Reads the `test` section.
pub(super) fn read(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
) -> Result<Option<RecipeTest>, DocumentError> {
    let Some(node) = node else { return Ok(None) };
    let mut fields = Fields::of(yaml, node, "`test`")?;
    let genome = match fields.take("genome") {
        Some(node) => Some(word(yaml, node, "`genome`")?),
        None => None,
    };
    let mut files = Vec::new();
    if let Some(node) = fields.take("inputs") {
        let mut inputs = Fields::of(yaml, node, "`inputs` of `test`")?;
        // The specification's text has the files here, its schema one level deeper.
        let nested = inputs.clone().take("files").filter(|node| input::is_mapping(node));
        let given = match nested {
            Some(nested) => {
                inputs.take("files");
                inputs.take("params");
                inputs.take("assets");
                inputs.finish_warning(yaml)?;
                entries(yaml, Some(nested), "`files` of `test`")?
            }
            None => entries(yaml, Some(node), "`inputs` of `test`")?,
        };
        for entry in given {
            let name = input::name(yaml, entry.at, &entry.key)?;
            let location = text(yaml, &entry.value, &format!("file `{name}` of `test`"))?;
            let written = Written::new(&yaml.source, entry.value.at, location.clone());
            files.push(TestFile { name, location, written });
        }
    }
    let mut outputs = Vec::new();
    for entry in entries(yaml, fields.take("outputs"), "`outputs` of `test`")? {
        outputs.push(output(yaml, &entry.key, entry.at, &entry.value)?);
    }
    let mut commands = Vec::new();
    if let Some(node) = fields.take("commands") {
        for item in list(yaml, node, "`commands` of `test`")?.to_vec() {
            let written = text(yaml, &item, "a command of `test`")?;
            commands.push(Template::format(Written::new(&yaml.source, item.at, written))?);
        }
    }
    fields.finish_warning(yaml)?;
    Ok(Some(RecipeTest { genome, files, outputs, commands }))
}

fn output(
    yaml: &mut Yaml,
    key: &str,
    at: Mark,
    node: &Arc<Node>,
) -> Result<ExpectedOutput, DocumentError> {
    let what = format!("output `{key}` of `test`");
    let error = |error: wake_asset::NameError| yaml.source.error(at, error.to_string());
    let key: SeekKey = key.parse().map_err(error)?;
    let mut fields = Fields::of(yaml, node, &what)?;
    let sums = [fields.take("md5sum"), fields.take("checksum")];
    let value = fields.take("value");
    let mut sums = sums.into_iter().flatten();
    let expectation = match (sums.next(), sums.next(), value) {
        (Some(node), None, None) => {
            let sum = text(yaml, node, "`md5sum`")?.to_ascii_lowercase();
            if sum.len() != 32 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let error = yaml.source.error(node.at, format!("`{sum}` is not an MD5 digest"));
                return Err(error.with_hint("an MD5 digest has 32 hexadecimal digits"));
            }
            Expectation::Md5(sum)
        }
        (None, None, Some(node)) => Expectation::Value(node.to_json()),
        (None, None, None) => {
            let error = yaml.source.error(at, format!("{what} has no expectation"));
            return Err(
                error.with_hint("add `md5sum` or `checksum` for a file, or `value` for a value")
            );
        }
        _ => return Err(yaml.source.error(at, format!("{what} has more than one expectation"))),
    };
    fields.finish_warning(yaml)?;
    Ok(ExpectedOutput { key, expectation, written: Written::new(&yaml.source, at, String::new()) })
}
