//! The form with `required_files` and `command_list`, mostly in JSON: single braces name values, and what comes of a recipe
//! stands in it.

use std::sync::Arc;

use wake_asset::ClassName;
use wake_yaml::{DocumentError, Fields, Node, Yaml, list, text};

use super::input::{AssetInput, FileInput, ParamInput};
use super::{Generation, Head, Inputs, OutputClass, Recipe, head, input, templated};
use crate::class::{AssetClass, entries, seek_key, word};
use crate::template::{Template, Written};

pub(super) fn read(yaml: &mut Yaml, root: &Arc<Node>) -> Result<Recipe, DocumentError> {
    let mut fields = Fields::of(yaml, root, "the recipe")?;
    let Head { name, version, description, whole } = head(yaml, &mut fields, false)?;
    let mut seek_keys = Vec::new();
    let node = fields.need(yaml, "assets")?;
    for entry in entries(yaml, Some(node), "`assets`")? {
        seek_keys.push(seek_key(yaml, &entry.key, entry.at, &entry.value)?);
    }
    let class: ClassName = name
        .as_str()
        .parse()
        .map_err(|error: wake_asset::NameError| yaml.source.error(root.at, error.to_string()))?;
    let class = AssetClass::of_recipe(class, &description, seek_keys, whole.clone());
    let inputs = inputs(yaml, &mut fields)?;
    let mut commands = Vec::new();
    let node = fields.need(yaml, "command_list")?;
    for item in list(yaml, node, "`command_list`")?.to_vec() {
        let written = text(yaml, &item, "an item of `command_list`")?;
        commands.push(Template::format(Written::new(&yaml.source, item.at, written))?);
    }
    let container = templated::container(yaml, &mut fields, "container")?;
    let default_tag = match fields.take("default_tag") {
        Some(node) => {
            let written = text(yaml, node, "`default_tag`")?;
            Some(Template::format(Written::new(&yaml.source, node.at, written))?)
        }
        None => None,
    };
    fields.finish_warning(yaml)?;
    Ok(Recipe {
        name,
        version,
        description,
        output_class: OutputClass::Own(Box::new(class)),
        inputs,
        commands,
        custom_properties: Vec::new(),
        default_tag,
        container,
        checksum_exclude: Vec::new(),
        test: None,
        generation: Generation::Older,
        warnings: Vec::new(),
        text: Vec::new(),
        whole,
    })
}

fn inputs(yaml: &mut Yaml, fields: &mut Fields<'_>) -> Result<Inputs, DocumentError> {
    let files = input::listed(yaml, fields.take("required_files"), "`required_files`")?
        .into_iter()
        .map(|(name, description, _)| FileInput { name, description })
        .collect();
    let params = match fields.take("required_parameters") {
        Some(node) => input::listed(yaml, Some(node), "`required_parameters`")?,
        None => input::listed(yaml, fields.take("required_params"), "`required_params`")?,
    };
    let params = params.into_iter().map(|(name, description, default)| {
        let default = default.map(|node| node.to_json());
        ParamInput { name, description, default, kind: None }
    });
    let params = params.collect();
    let mut assets = Vec::new();
    for (name, description, default) in
        input::listed(yaml, fields.take("required_assets"), "`required_assets`")?
    {
        let default: Option<wake_asset::RegistryPath> = match &default {
            Some(node) => Some(word(yaml, node, "`default`")?),
            None => None,
        };
        // There were no classes: what an asset is called said what it is.
        let class = default.as_ref().map_or(name.as_str(), |path| path.asset.as_str());
        let class = class.parse().map_err(|error: wake_asset::NameError| {
            yaml.source.error(fields.at(), error.to_string())
        })?;
        assets.push(AssetInput { name, description, class, default });
    }
    Ok(Inputs { files, params, assets })
}
