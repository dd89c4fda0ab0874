//! Container images assembled from a module's inputs.

use std::collections::BTreeMap;

use wake_image::{Composition, LayerSource, PackedLayer, PlacedFiles, Platform};
use wake_model::Network;
use wake_model::action::Command;
use wake_steps::step::{Root, Terms};

use super::root::image::Wanted;
use super::{Lowered, Site, WORK_DIR, text};
use crate::module::Exec;
use crate::written::JsonValue;

/// Returns whether an exec is run by wake itself, to assemble an image.
pub(super) fn is_image(program: &JsonValue<'_>) -> bool {
    program.get("type").and_then(JsonValue::as_str) == Some("image")
}

impl Site<'_> {
    /// Returns the command that assembles an image; its base is in the store afterwards.
    pub(super) fn image_command(
        &mut self,
        exec: &Exec<'_>,
    ) -> Lowered<(Command, Root, Network, Terms)> {
        let config = &exec.config;
        let of = |name: &str| config.get(name).filter(|value| !value.is_null());
        let mut layers = Vec::new();
        if let Some(JsonValue::List(all)) = of("layers") {
            for layer in all {
                self.bring_referred(layer)?;
                layers.push(match layer.get("layer") {
                    Some(packed) => LayerSource::Packed(PackedLayer {
                        tar: text::argument(packed)
                            .map_err(|problem| self.error(problem, packed))?,
                    }),
                    None => LayerSource::Files(self.placed_files(layer)?),
                });
            }
        }
        let platform = match of("platform") {
            Some(value @ JsonValue::Text(platform)) => {
                Some(platform.parse().map_err(|error: wake_image::ParsePlatformError| {
                    self.error(error.to_string(), value)
                })?)
            }
            _ => None,
        };
        let platform = platform.unwrap_or_else(Platform::here);
        let (base, root, platform) = match of("base") {
            None => (None, Root::Empty, platform),
            Some(base) => {
                // Its files are part of the key, so that changes are explained and a build from a snapshot notices them.
                let image = self.image(base, &platform, Wanted::Layers)?;
                (Some(image.digest), image.root, image.platform)
            }
        };
        let composition = Composition {
            base,
            cmd: of("cmd").map(texts),
            entrypoint: of("entrypoint").map(texts),
            env: of("env").map(fields).unwrap_or_default(),
            layers,
            labels: of("labels").map(fields).unwrap_or_default(),
            platform,
            to: of("to").and_then(JsonValue::as_str).unwrap_or("./image").to_owned(),
            user: of("user").and_then(JsonValue::as_str).map(str::to_owned),
            workdir: of("workdir").and_then(JsonValue::as_str).map(str::to_owned),
        };
        let (cwd, composition) = (WORK_DIR.to_owned(), composition.text());
        let command = Command::Image { cwd, composition };
        Ok((command, root, Network::None, Terms::default()))
    }

    fn placed_files(&self, layer: &JsonValue<'_>) -> Lowered<Vec<PlacedFiles>> {
        let JsonValue::List(items) = layer else { return Ok(Vec::new()) };
        let mut placed = Vec::with_capacity(items.len());
        for item in items {
            let from = item.get("from").unwrap_or(&JsonValue::Null);
            let number = |name: &str| match item.get(name) {
                Some(JsonValue::Number(number)) => number.as_u64(),
                _ => None,
            };
            let owner = [number("uid").unwrap_or(0), number("gid").unwrap_or(0)];
            placed.push(PlacedFiles {
                from: text::argument(from).map_err(|problem| self.error(problem, from))?,
                mode: number("mode").and_then(|mode| u16::try_from(mode).ok()),
                owner: owner.map(|id| u32::try_from(id).unwrap_or(0)),
                to: item.get("to").and_then(JsonValue::as_str).unwrap_or_default().to_owned(),
            });
        }
        Ok(placed)
    }
}

fn texts(value: &JsonValue<'_>) -> Vec<String> {
    let JsonValue::List(items) = value else { return Vec::new() };
    items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()
}

fn fields(value: &JsonValue<'_>) -> BTreeMap<String, String> {
    let JsonValue::Fields(fields) = value else { return BTreeMap::new() };
    let text = |value: &JsonValue<'_>| Some(value.as_str()?.to_owned());
    fields.iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}
