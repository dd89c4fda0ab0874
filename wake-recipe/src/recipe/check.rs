//! The section that says how a recipe is tested: what it is given, and what must come of it.

use std::sync::Arc;

use serde_json::Value as Json;
use wake_asset::{GenomeName, SeekKey};
use wake_yaml::{DocumentError, Fields, Mark, Node, Yaml, list, text};

use super::input;
use crate::class::{entries, word};
use crate::name::InputName;
use crate::template::{Template, Written};

/// How a recipe is tested.
#[derive(Clone, Debug, Default)]
pub struct RecipeTest {
    /// The genome whose assets it is given.
    pub genome: Option<GenomeName>,
    /// The files that it is given.
    pub files: Vec<TestFile>,
    /// What must come of it.
    pub outputs: Vec<ExpectedOutput>,
    /// Commands that must succeed in what came of it; of the renamed form.
    pub commands: Vec<Template>,
}

/// A file that a recipe is given in its test.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The input that it is.
    pub name: InputName,
    /// Its address, or its path from where the document lies.
    pub location: String,
    /// An error here is one about it.
    pub(crate) written: Written,
}

/// What must come of a recipe at one seek key.
#[derive(Clone, Debug)]
pub struct ExpectedOutput {
    /// The key.
    pub key: SeekKey,
    /// What must be there.
    pub expectation: Expectation,
    /// An error here is one about it.
    pub(crate) written: Written,
}

/// What must be found by a seek key.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// A file of this MD5 digest.
    Md5(String),
    /// This value.
    Value(Json),
}

impl TestFile {
    /// An error about it.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }
}

impl ExpectedOutput {
    /// An error about it.
    pub fn error(&self, message: impl Into<String>) -> DocumentError {
        self.written.error(message)
    }
}

/// Reads the section.
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
        // The text of the specification has the files here, its schema one level deeper.
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
                let error = yaml.source.error(node.at, format!("`{sum}` is no MD5 digest"));
                return Err(error.with_hint("one has 32 hexadecimal digits"));
            }
            Expectation::Md5(sum)
        }
        (None, None, Some(node)) => Expectation::Value(node.to_json()),
        (None, None, None) => {
            let error = yaml.source.error(at, format!("{what} says nothing that can be tested"));
            return Err(error.with_hint("`md5sum` or `checksum` is of a file, `value` of a value"));
        }
        _ => return Err(yaml.source.error(at, format!("{what} says more than one thing"))),
    };
    fields.finish_warning(yaml)?;
    Ok(ExpectedOutput { key, expectation, written: Written::new(&yaml.source, at, String::new()) })
}
