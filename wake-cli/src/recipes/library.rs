//! Lookup of recipes and asset classes: in files, directories and the registry.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_asset::{AssetName, Catalog};
use wake_build::Expression;
use wake_model::nearest::nearest;
use wake_recipe::error::of_document;
use wake_recipe::plan::{Documents, FoundRecipe};
use wake_recipe::{AssetClass, Recipe};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::session;
use crate::settings::Settings;

/// The file name extensions of documents.
const ENDS: [&str; 5] = ["yaml", "yml", "json", "jsonnet", "libsonnet"];
/// Allows a document to be a function of the `wake` interface.
const APPLY: &str = "local wake = {\n  recipe(name, version, inputs, output_asset_class, command_template_list, description=null, default_tag=null, container=null, custom_properties=null, checksum_exclude_list=null, test=null)::\n    { name: name, version: version, description: description, output_asset_class: output_asset_class, inputs: inputs, container: container, command_template_list: command_template_list, custom_properties: custom_properties, default_tag: default_tag, checksum_exclude_list: checksum_exclude_list, test: test },\n  assetClass(name, seek_keys, version=null, description=null, parents=[])::\n    { name: name, version: version, description: description, seek_keys: seek_keys, parents: parents },\n};\nlocal document = import 'FILE';\nif std.isFunction(document) then document(wake) else document\n";

/// The places where documents are looked up.
pub(crate) struct Library<'a> {
    /// The registry, searched last.
    pub(crate) catalog: Option<&'a Catalog>,
    /// Directories of documents, searched first.
    pub(crate) dirs: Vec<PathBuf>,
    pub(crate) settings: &'a Settings,
}

/// A document of either kind.
pub(crate) enum Document {
    /// A recipe.
    Recipe(Box<Recipe>),
    /// An asset class.
    Class(Box<AssetClass>),
}

/// Reads a document of either kind.
pub(crate) fn read_document(path: &Path, settings: &Settings) -> Result<Document, Diagnostic> {
    let text = text(path, settings)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_class = match &text {
        Text::Computed(value) => value.get("seek_keys").is_some(),
        Text::Written(bytes) => {
            let is_key = |line: &[u8]| {
                line.starts_with(b"seek_keys:")
                    || line.trim_ascii_start().starts_with(b"\"seek_keys\"")
            };
            name.contains("asset_class") || bytes.split(|byte| *byte == b'\n').any(is_key)
        }
    };
    Ok(match is_class {
        true => Document::Class(Box::new(class_of(path, text, settings)?)),
        false => Document::Recipe(Box::new(recipe_of(path, text, settings)?)),
    })
}

enum Text {
    Written(Vec<u8>),
    Computed(Value),
}

/// Reads the text of a document, evaluating Jsonnet.
fn text(path: &Path, settings: &Settings) -> Result<Text, Diagnostic> {
    let is_jsonnet = path.extension().is_some_and(|end| end == "jsonnet" || end == "libsonnet");
    let unreadable = |source: std::io::Error| {
        Diagnostic::error(Class::Usage, format!("cannot read `{}`: {source}", path.display()))
    };
    if !is_jsonnet {
        return fs::read(path).map(Text::Written).map_err(unreadable);
    }
    let path = path.canonicalize().map_err(unreadable)?;
    let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let code = APPLY.replace("FILE", &name.replace('\\', "\\\\").replace('\'', "\\'"));
    let expression = Expression { code, file: None, dir, library: Vec::new() };
    let first = |failure: Failure| {
        let none = || Diagnostic::error(Class::Internal, "the document evaluated to nothing");
        failure.diagnostics.into_iter().next().unwrap_or_else(none)
    };
    let result = session::eval_alone(settings, &expression).map_err(first)?;
    Ok(Text::Computed(result.value))
}

fn recipe_of(path: &Path, text: Text, settings: &Settings) -> Result<Recipe, Diagnostic> {
    let name = shown(path, settings);
    let recipe = match text {
        Text::Written(bytes) => Recipe::read(&name, &bytes),
        Text::Computed(value) => Recipe::computed(&name, &value),
    };
    recipe.map_err(|error| of_document(&error))
}

fn class_of(path: &Path, text: Text, settings: &Settings) -> Result<AssetClass, Diagnostic> {
    let name = shown(path, settings);
    let class = match text {
        Text::Written(bytes) => AssetClass::read(&name, &bytes),
        Text::Computed(value) => AssetClass::computed(&name, &value),
    };
    class.map_err(|error| of_document(&error))
}

/// Returns a path as shown to the user.
fn shown(path: &Path, settings: &Settings) -> String {
    path.strip_prefix(&settings.cwd).unwrap_or(path).display().to_string()
}

/// Whether a text is a document's path, not its name.
fn is_path(text: &str) -> bool {
    let end = text.rsplit_once('.').map(|(_, end)| end);
    text.contains('/') || end.is_some_and(|end| ENDS.contains(&end))
}

impl Library<'_> {
    /// Returns the file of a document in the first directory that has it.
    fn file(&self, name: &str, kind: &str, more: Option<&Path>) -> Option<PathBuf> {
        let beside = more.and_then(Path::parent);
        let beside =
            beside.into_iter().flat_map(|dir| [dir.to_owned(), dir.join(format!("../{kind}"))]);
        let dirs = self.dirs.iter().flat_map(|dir| [dir.clone(), dir.join(kind)]);
        let what = if kind == "recipes" { "asset_recipe" } else { "asset_class" };
        beside.chain(dirs).find_map(|dir| {
            let whole = ENDS.iter().map(|end| dir.join(format!("{name}_{what}.{end}")));
            let older = ENDS.iter().map(|end| dir.join(format!("{name}.{what}.{end}")));
            let plain = ENDS.iter().map(|end| dir.join(format!("{name}.{end}")));
            let plain = plain.filter(|_| kind == "recipes");
            whole.chain(older).chain(plain).find(|path| path.is_file())
        })
    }

    /// Returns the recipe with a name, or in a file; an error if there is none.
    pub(crate) fn named(&self, named: &str) -> Result<FoundRecipe, Diagnostic> {
        if let Some(path) = self.recipe_path(named) {
            let recipe = recipe_of(&path, text(&path, self.settings)?, self.settings)?;
            return Ok(FoundRecipe { recipe, path });
        }
        let error = Diagnostic::error(Class::Nothing, format!("no recipe `{named}`"));
        Err(match nearest(named, self.recipe_names().iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => {
                error.help("run `wake recipe list` to list the recipes, or name a file by its path")
            }
        })
    }

    fn recipe_path(&self, named: &str) -> Option<PathBuf> {
        match is_path(named) {
            true => Some(self.settings.cwd.join(named)),
            false => self.recipe_file(named),
        }
    }

    fn recipe_file(&self, name: &str) -> Option<PathBuf> {
        let kept = || self.catalog.and_then(|catalog| catalog.recipe_file(name));
        self.file(name, "recipes", None).or_else(kept)
    }
}

impl Documents for Library<'_> {
    fn recipe(
        &self,
        asset: &AssetName,
        named: Option<&str>,
    ) -> Result<Option<FoundRecipe>, Diagnostic> {
        let path = match named {
            Some(named) => self.recipe_path(named),
            None => self.recipe_file(asset.as_str()),
        };
        let Some(path) = path else { return Ok(None) };
        let recipe = recipe_of(&path, text(&path, self.settings)?, self.settings)?;
        Ok(Some(FoundRecipe { recipe, path }))
    }

    fn class(&self, name: &str, beside: Option<&Path>) -> Result<Option<AssetClass>, Diagnostic> {
        let path = match is_path(name) {
            true => Some(beside.and_then(Path::parent).unwrap_or(&self.settings.cwd).join(name)),
            false => {
                let kept = || self.catalog.and_then(|catalog| catalog.class_file(name));
                self.file(name, "asset_classes", beside).or_else(kept)
            }
        };
        let Some(path) = path.filter(|path| path.is_file()) else { return Ok(None) };
        Ok(Some(class_of(&path, text(&path, self.settings)?, self.settings)?))
    }

    fn recipe_names(&self) -> Vec<String> {
        let kept = self.catalog.map_or(&[][..], |catalog| catalog.recipes());
        let dirs = self.dirs.iter().flat_map(|dir| [dir.clone(), dir.join("recipes")]);
        let mut names = names(dirs, "_asset_recipe.");
        names.extend(kept.iter().map(|entry| entry.name.clone()));
        names.into_iter().collect()
    }

    fn class_names(&self) -> Vec<String> {
        let kept = self.catalog.map_or(&[][..], |catalog| catalog.classes());
        let dirs = self.dirs.iter().flat_map(|dir| [dir.clone(), dir.join("asset_classes")]);
        let mut names = names(dirs, "_asset_class.");
        names.extend(kept.iter().map(|entry| entry.name.clone()));
        names.into_iter().collect()
    }
}

/// Returns the names of the documents in directories.
fn names(dirs: impl Iterator<Item = PathBuf>, what: &str) -> BTreeSet<String> {
    let entries = dirs.filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name();
        Some(name.to_str()?.split_once(what)?.0.to_owned())
    };
    entries.filter_map(name).collect()
}
