//! The forms whose commands are Jinja: the one with `inputs` and `command_template_list`, and the renamed one.
//!
//! They differ in key names, in where the inputs are, and in additional keys.

use std::sync::Arc;

use wake_asset::Excluded;
use wake_yaml::{DocumentError, Fields, Node, Warning, Yaml, list, text};

use super::{CustomProperty, Generation, Head, Inputs, OutputClass, Recipe, check, head, input};
use crate::class::{entries, optional_text, word};
use crate::template::{Template, Written};

/// The key names of a form.
pub(super) struct Keys {
    generation: Generation,
    inputs: InputKeys,
    commands: &'static str,
    properties: &'static str,
    default_tag: &'static str,
    container: &'static str,
    /// The key of paths that the digest leaves out; none if the form has no such key.
    excluded: Option<&'static str>,
    /// Keys that are accepted and do not affect a build.
    said: &'static [&'static str],
}

/// Where a form has the inputs of a recipe.
enum InputKeys {
    /// Below this key, as `files`, `params` and `assets`.
    Below(&'static str),
    /// At the top level, under these keys.
    Beside { files: &'static str, params: &'static str, assets: &'static str },
}

pub(super) const CURRENT: Keys = Keys {
    generation: Generation::Current,
    inputs: InputKeys::Below("inputs"),
    commands: "command_template_list",
    properties: "custom_properties",
    default_tag: "default_tag",
    container: "container",
    excluded: Some("checksum_exclude_list"),
    said: &[],
};

pub(super) const RENAMED: Keys = Keys {
    generation: Generation::Renamed,
    inputs: InputKeys::Beside {
        files: "input_files",
        params: "input_params",
        assets: "input_assets",
    },
    commands: "command_templates",
    properties: "custom_seek_keys",
    default_tag: "default_asset",
    container: "docker_image",
    excluded: None,
    said: &["tags", "outputs", "resources", "metadata"],
};

pub(super) fn read(
    yaml: &mut Yaml,
    root: &Arc<Node>,
    keys: &Keys,
) -> Result<Recipe, DocumentError> {
    let mut fields = Fields::of(yaml, root, "the recipe")?;
    let Head { name, version, description, whole } = head(yaml, &mut fields, true)?;
    let class = fields.need(yaml, "output_asset_class")?;
    let output_class = OutputClass::Named(word(yaml, class, "`output_asset_class`")?);
    let class_written = Written::new(&yaml.source, class.at, String::new());
    let inputs = inputs(yaml, &mut fields, &keys.inputs)?;
    let mut warnings = Vec::new();
    let node = fields.need(yaml, keys.commands)?;
    let commands = templates(yaml, node, keys.commands, &mut warnings)?;
    let custom_properties = properties(yaml, &mut fields, keys.properties)?;
    let default_tag = optional_template(yaml, &mut fields, keys.default_tag, &mut warnings)?;
    let container = container(yaml, &mut fields, keys.container)?;
    let checksum_exclude = match keys.excluded {
        Some(key) => excluded(yaml, &mut fields, key)?,
        None => Vec::new(),
    };
    let test = check::read(yaml, fields.take("test"))?;
    for &key in keys.said {
        fields.take(key);
    }
    fields.finish_warning(yaml)?;
    let (generation, text) = (keys.generation, Vec::new());
    Ok(Recipe {
        name,
        version,
        description,
        output_class,
        class_written,
        inputs,
        commands,
        custom_properties,
        default_tag,
        container,
        checksum_exclude,
        test,
        generation,
        warnings,
        text,
        whole,
    })
}

fn inputs(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    keys: &InputKeys,
) -> Result<Inputs, DocumentError> {
    match keys {
        InputKeys::Below(key) => {
            let node = fields.need(yaml, key)?;
            let mut below = Fields::of(yaml, node, &format!("`{key}`"))?;
            let inputs = mappings(yaml, &mut below, ["files", "params", "assets"])?;
            below.finish(yaml)?;
            Ok(inputs)
        }
        InputKeys::Beside { files, params, assets } => {
            mappings(yaml, fields, [files, params, assets])
        }
    }
}

fn mappings(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    [files, params, assets]: [&'static str; 3],
) -> Result<Inputs, DocumentError> {
    Ok(Inputs {
        files: input::files(yaml, fields.take(files))?,
        params: input::params(yaml, fields.take(params))?,
        assets: input::assets(yaml, fields.take(assets))?,
    })
}

/// Reads a list of Jinja templates.
fn templates(
    yaml: &mut Yaml,
    node: &Arc<Node>,
    key: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Template>, DocumentError> {
    let mut templates = Vec::new();
    for item in super::commands(yaml, node, key)? {
        let written = text(yaml, &item, &format!("an item of `{key}`"))?;
        let (template, more) = Template::jinja(Written::new(&yaml.source, item.at, written))?;
        templates.push(template);
        warnings.extend(more);
    }
    Ok(templates)
}

fn optional_template(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Template>, DocumentError> {
    let Some(node) = fields.take(key) else { return Ok(None) };
    let written = text(yaml, node, "the default tag")?;
    let (template, more) = Template::jinja(Written::new(&yaml.source, node.at, written))?;
    warnings.extend(more);
    Ok(Some(template))
}

fn properties(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Vec<CustomProperty>, DocumentError> {
    let mut properties = Vec::new();
    for entry in entries(yaml, fields.take(key), &format!("`{key}`"))? {
        let name = input::name(yaml, entry.at, &entry.key)?;
        let command = text(yaml, &entry.value, &format!("custom property `{name}`"))?;
        properties.push(CustomProperty { name, command });
    }
    Ok(properties)
}

/// Reads the container image; an empty string means none.
pub(super) fn container(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<String>, DocumentError> {
    let container = optional_text(yaml, fields, key, "the container")?;
    Ok((!container.trim().is_empty()).then(|| container.trim().to_owned()))
}

fn excluded(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Vec<String>, DocumentError> {
    let Some(node) = fields.take(key) else { return Ok(Vec::new()) };
    let mut excluded = Vec::new();
    for item in list(yaml, node, &format!("`{key}`"))?.to_vec() {
        let written = text(yaml, &item, &format!("an item of `{key}`"))?;
        Excluded::new(std::slice::from_ref(&written)).map_err(|error| {
            let last = error.lines().last().unwrap_or_default().trim();
            yaml.source.error(item.at, format!("invalid regular expression `{written}`: {last}"))
        })?;
        excluded.push(written);
    }
    Ok(excluded)
}
