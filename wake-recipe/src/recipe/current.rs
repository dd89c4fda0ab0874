//! The form with `inputs` and `command_template_list`.

use std::sync::Arc;

use wake_asset::Excluded;
use wake_yaml::{DocumentError, Fields, Node, Warning, Yaml, list, text};

use super::{CustomProperty, Generation, Head, Inputs, OutputClass, Recipe, check, head, input};
use crate::class::{optional_text, word};
use crate::template::{Template, Written};

pub(super) fn read(yaml: &mut Yaml, root: &Arc<Node>) -> Result<Recipe, DocumentError> {
    let mut fields = Fields::of(yaml, root, "the recipe")?;
    let Head { name, version, description, whole } = head(yaml, &mut fields, true)?;
    let class = fields.need(yaml, "output_asset_class")?;
    let output_class = OutputClass::Named(word(yaml, class, "`output_asset_class`")?);
    let node = fields.need(yaml, "inputs")?;
    let mut given = Fields::of(yaml, node, "`inputs`")?;
    let inputs = Inputs {
        files: input::files(yaml, given.take("files"))?,
        params: input::params(yaml, given.take("params"))?,
        assets: input::assets(yaml, given.take("assets"))?,
    };
    given.finish(yaml)?;
    let mut warnings = Vec::new();
    let node = fields.need(yaml, "command_template_list")?;
    let commands = templates(yaml, node, "`command_template_list`", &mut warnings)?;
    let custom_properties = properties(yaml, fields.take("custom_properties"))?;
    let default_tag = optional_template(yaml, fields.take("default_tag"), &mut warnings)?;
    let container = container(yaml, &mut fields, "container")?;
    let checksum_exclude = excluded(yaml, fields.take("checksum_exclude_list"))?;
    let test = check::read(yaml, fields.take("test"))?;
    fields.finish_warning(yaml)?;
    let generation = Generation::Current;
    Ok(Recipe {
        name,
        version,
        description,
        output_class,
        inputs,
        commands,
        custom_properties,
        default_tag,
        container,
        checksum_exclude,
        test,
        generation,
        warnings,
        text: Vec::new(),
        whole,
    })
}

/// A list of templates of Jinja.
pub(super) fn templates(
    yaml: &mut Yaml,
    node: &Arc<Node>,
    what: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Template>, DocumentError> {
    let mut templates = Vec::new();
    for item in list(yaml, node, what)?.to_vec() {
        let written = text(yaml, &item, &format!("an item of {what}"))?;
        let (template, more) = Template::jinja(Written::new(&yaml.source, item.at, written))?;
        templates.push(template);
        warnings.extend(more);
    }
    Ok(templates)
}

pub(super) fn optional_template(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Template>, DocumentError> {
    let Some(node) = node else { return Ok(None) };
    let written = text(yaml, node, "the default tag")?;
    let (template, more) = Template::jinja(Written::new(&yaml.source, node.at, written))?;
    warnings.extend(more);
    Ok(Some(template))
}

pub(super) fn properties(
    yaml: &mut Yaml,
    node: Option<&Arc<Node>>,
) -> Result<Vec<CustomProperty>, DocumentError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let mut properties = Vec::new();
    for entry in Fields::of(yaml, node, "`custom_properties`")?.rest() {
        let name = input::name(yaml, entry.at, &entry.key)?;
        let command = text(yaml, &entry.value, &format!("custom property `{name}`"))?;
        properties.push(CustomProperty { name, command });
    }
    Ok(properties)
}

/// The image that commands run in; an empty text is none.
pub(super) fn container(
    yaml: &mut Yaml,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<String>, DocumentError> {
    let container = optional_text(yaml, fields, key, "the container")?;
    Ok((!container.trim().is_empty()).then(|| container.trim().to_owned()))
}

fn excluded(yaml: &mut Yaml, node: Option<&Arc<Node>>) -> Result<Vec<String>, DocumentError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let mut excluded = Vec::new();
    for item in list(yaml, node, "`checksum_exclude_list`")?.to_vec() {
        let written = text(yaml, &item, "an item of `checksum_exclude_list`")?;
        Excluded::new(std::slice::from_ref(&written)).map_err(|error| {
            let last = error.lines().last().unwrap_or_default().trim();
            yaml.source.error(item.at, format!("`{written}` is no regular expression: {last}"))
        })?;
        excluded.push(written);
    }
    Ok(excluded)
}
