//! The form with `required_files` and `command_list`, mostly in JSON: placeholders have single braces, and the recipe declares
//! its seek keys itself.

use std::sync::Arc;

use wake_asset::ClassName;
use wake_yaml::{DocumentError, Fields, Node, Yaml, text};

use super::input::{AssetInput, DefaultAsset, FileInput, Listed, ParamInput};
use super::{
    Generation, Head, Inputs, OutputClass, Recipe, commands as commands_of, head, input, templated,
};
use crate::class::{AssetClass, entries, seek_key};
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
        .map_err(|error: wake_asset::NameError| whole.error(error.to_string()))?;
    let class = AssetClass::of_recipe(class, &description, seek_keys, whole.clone());
    let inputs = inputs(yaml, &mut fields)?;
    let mut commands = Vec::new();
    let node = fields.need(yaml, "command_list")?;
    for item in commands_of(yaml, node, "command_list")? {
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
        class_written: whole.clone(),
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
        .map(|Listed { name, description, written, .. }| FileInput { name, description, written })
        .collect();
    let params = match fields.take("required_parameters") {
        Some(node) => input::listed(yaml, Some(node), "`required_parameters`")?,
        None => input::listed(yaml, fields.take("required_params"), "`required_params`")?,
    };
    let params = params.into_iter().map(|Listed { name, description, default, written }| {
        let default = default.map(|node| node.to_json());
        ParamInput { name, description, default, kind: None, written }
    });
    let params = params.collect();
    let mut assets = Vec::new();
    for listed in input::listed(yaml, fields.take("required_assets"), "`required_assets`")? {
        let Listed { name, description, default, written } = listed;
        let default = match &default {
            Some(node) => Some(DefaultAsset::read(yaml, node)?),
            None => None,
        };
        // This form has no classes: the asset name serves as the class.
        let class = default.as_ref().map_or(name.as_str(), |default| default.path.asset.as_str());
        let class = class
            .parse()
            .map_err(|error: wake_asset::NameError| written.error(error.to_string()))?;
        let class_written = written.clone();
        assets.push(AssetInput { name, description, class, default, written, class_written });
    }
    Ok(Inputs { files, params, assets })
}
