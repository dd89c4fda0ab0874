//! The form with `input_files` and `command_templates`, in which all values stand below `values`.

use std::sync::Arc;

use wake_yaml::{DocumentError, Fields, Node, Yaml};

use super::{Generation, Head, Inputs, OutputClass, Recipe, check, current, head, input};
use crate::class::word;

/// What is said about a recipe, and is nothing to a build.
const SAID: [&str; 4] = ["tags", "outputs", "resources", "metadata"];

pub(super) fn read(yaml: &mut Yaml, root: &Arc<Node>) -> Result<Recipe, DocumentError> {
    let mut fields = Fields::of(yaml, root, "the recipe")?;
    let Head { name, version, description, whole } = head(yaml, &mut fields, true)?;
    let class = fields.need(yaml, "output_asset_class")?;
    let output_class = OutputClass::Named(word(yaml, class, "`output_asset_class`")?);
    let inputs = Inputs {
        files: input::files(yaml, fields.take("input_files"))?,
        params: input::params(yaml, fields.take("input_params"))?,
        assets: input::assets(yaml, fields.take("input_assets"))?,
    };
    let mut warnings = Vec::new();
    let node = fields.need(yaml, "command_templates")?;
    let commands = current::templates(yaml, node, "`command_templates`", &mut warnings)?;
    let custom_properties = current::properties(yaml, fields.take("custom_seek_keys"))?;
    let default_tag =
        current::optional_template(yaml, fields.take("default_asset"), &mut warnings)?;
    let container = current::container(yaml, &mut fields, "docker_image")?;
    let test = check::read(yaml, fields.take("test"))?;
    for key in SAID {
        fields.take(key);
    }
    fields.finish_warning(yaml)?;
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
        checksum_exclude: Vec::new(),
        test,
        generation: Generation::Renamed,
        warnings,
        text: Vec::new(),
        whole,
    })
}
