//! Renders the templates of a build before anything runs.

use std::path::{Component, Path};

use serde_json::Value;
use wake_asset::{AssetName, SeekEntry, Tag};
use wake_steps::diagnostic::Diagnostic;
use wake_yaml::DocumentError;

use super::super::build::{Build, GivenAsset, Origin};
use super::Planner;
use crate::error::of_document;

impl Planner<'_> {
    /// Renders every template of a build, with placeholders for values that are known only later.
    pub(super) fn check(&self, build: &Build) -> Result<(), Diagnostic> {
        let wrong = |error: DocumentError| of_document(&error);
        let properties: Vec<_> = build
            .recipe
            .custom_properties
            .iter()
            .map(|property| (property.name.clone(), "1".to_owned()))
            .collect();
        let mut found = Vec::new();
        for given in &build.assets {
            let (asset, entries) = self.likely_entries(given, build);
            let value = given.value(&asset, &entries).unwrap_or(Value::Null);
            found.push((given.name.clone(), value, entries));
        }
        let tag: Tag = build.tag.clone().unwrap_or_default();
        let values = build.values(&properties, &found, Some(&tag));
        for command in &build.recipe.commands {
            command.render(&values).map_err(wrong)?;
            check_names(command, &values).map_err(wrong)?;
        }
        if let (Some(template), None) = (&build.recipe.default_tag, &build.tag) {
            template.render(&build.values(&properties, &found, None)).map_err(wrong)?;
        }
        let values = build.seek_values(&properties, &found, &tag);
        for decl in &build.seek_keys.keys {
            let value = decl.value.render(&values).map_err(wrong)?;
            if decl.kind.is_path() && !stays_inside(Path::new(&value)) {
                let message =
                    format!("seek key `{}`: `{value}` points outside the asset", decl.key);
                return Err(wrong(decl.value.error(message)));
            }
        }
        Ok(())
    }

    /// Returns the seek keys of an asset input; of an asset to be built, with unrendered values.
    fn likely_entries(&self, given: &GivenAsset, child: &Build) -> (AssetName, Vec<SeekEntry>) {
        match &given.origin {
            Origin::Registered { id, seek_keys, .. } => (id.asset.clone(), seek_keys.clone()),
            Origin::Built(number) => {
                let parent = self.builds.get(*number).unwrap_or(child);
                let entry = |decl: &crate::class::SeekKeyDecl| SeekEntry {
                    key: decl.key.clone(),
                    kind: decl.kind,
                    value: decl.value.source().to_owned(),
                };
                (parent.asset.clone(), parent.seek_keys.keys.iter().map(entry).collect())
            }
        }
    }
}

/// Whether a path of a seek key stays below its asset.
fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Checks that every name is defined, even in branches that depend on values not known yet.
fn check_names(
    template: &crate::template::Template,
    values: &crate::template::Values,
) -> Result<(), DocumentError> {
    let source = template.source();
    let asks_itself = source.contains("defined") || source.contains("default");
    match source.contains("{%") && source.contains("custom_") && !asks_itself {
        true => template.check_names(values),
        false => Ok(()),
    }
}
