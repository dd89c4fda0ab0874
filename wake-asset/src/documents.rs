//! The recipes and asset classes in a registry.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::attributes::KeptDocument;
use crate::catalog::Catalog;
use crate::config::{DocumentEntry, DocumentKind};
use crate::error::At;
use crate::error::{AssetError, Missing};
use crate::folders::Folders;
use crate::journal::Journal;
use crate::journal::write_synced;
use crate::name::{ClassName, RecipeName};
use crate::register::Existing;
use crate::registry::Registry;
use crate::staging;

/// A recipe or an asset class to add to a registry.
#[derive(Clone, Debug)]
pub struct NewDocument {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// The content of its file.
    pub text: Vec<u8>,
    /// Its version.
    pub version: String,
    /// Its description.
    pub description: String,
    /// Its origin; refgenie writes `self-added` for a document that a person added.
    pub source: String,
    /// For a recipe: its output asset class.
    pub output_class: Option<ClassName>,
}

impl Catalog {
    /// Returns a document of the registry with its text; none if there is none or its file cannot be read.
    pub(crate) fn document(&self, kind: DocumentKind, name: &str) -> Option<KeptDocument> {
        let (known, file) = match kind {
            DocumentKind::Recipe => (self.recipes(), self.recipe_file(name)),
            DocumentKind::Class => (self.classes(), self.class_file(name)),
        };
        let entry = known.iter().find(|entry| entry.name == name)?;
        let text = String::from_utf8(read_at_most(&file?, LONGEST).ok()?).ok()?;
        Some(KeptDocument {
            name: entry.name.clone(),
            version: entry.version.clone().unwrap_or_default(),
            description: entry.description.clone().unwrap_or_default(),
            output_asset_class: entry.output_class.as_ref().map(ToString::to_string),
            text,
        })
    }
}

impl Registry {
    /// Adds a document that came with an asset, unless one of its name exists.
    pub(crate) fn keep_document(
        &self,
        kind: DocumentKind,
        document: &KeptDocument,
        source: &str,
    ) -> Result<(), AssetError> {
        let catalog = self.read()?;
        let known = match kind {
            DocumentKind::Recipe => catalog.recipes(),
            DocumentKind::Class => catalog.classes(),
        };
        if known.iter().any(|entry| entry.name == document.name) {
            return Ok(());
        }
        let class = document.output_asset_class.as_ref().map(|class| class.parse());
        let new = NewDocument {
            kind,
            name: document.name.clone(),
            text: document.text.clone().into_bytes(),
            version: document.version.clone(),
            description: document.description.clone(),
            source: source.to_owned(),
            output_class: class.transpose()?,
        };
        match self.put_document(&new, Existing::Refuse) {
            // Another process added it first.
            Err(AssetError::Exists { .. }) => Ok(()),
            done => done,
        }
    }

    /// Adds a document and its entry. An existing document with other content is an error, unless it may be replaced.
    pub fn put_document(&self, new: &NewDocument, existing: Existing) -> Result<(), AssetError> {
        let file = file_name(new.kind, &new.name)?;
        let place = folder(self.folders(), new.kind).join(&file);
        let change = self.change()?;
        let is_same = fs::read(&place).is_ok_and(|there| there == new.text);
        let known = match new.kind {
            DocumentKind::Recipe => change.catalog.recipes(),
            DocumentKind::Class => change.catalog.classes(),
        };
        let is_there = known.iter().any(|entry| entry.name == new.name);
        if is_there && !is_same && existing == Existing::Refuse {
            return Err(AssetError::Exists { asset: new.name.clone() });
        }
        if !is_same {
            let dir = folder(self.folders(), new.kind);
            fs::create_dir_all(dir).at(dir)?;
            let draft = place.with_extension("new");
            write_synced(&draft, &new.text)?;
            fs::rename(&draft, &place).at(&place)?;
        }
        let entry = DocumentEntry {
            name: new.name.clone(),
            path: Some(file),
            source: Some(new.source.clone()),
            version: Some(new.version.clone()),
            description: Some(new.description.clone()),
            output_class: new.output_class.clone(),
        };
        change.commit(Journal::new(), |edit| edit.put_document(new.kind, &entry))
    }

    /// Removes a document.
    pub fn remove_document(&self, kind: DocumentKind, name: &str) -> Result<(), AssetError> {
        let change = self.change()?;
        let (known, what, file) = match kind {
            DocumentKind::Recipe => {
                (change.catalog.recipes(), "recipe", change.catalog.recipe_file(name))
            }
            DocumentKind::Class => {
                (change.catalog.classes(), "asset class", change.catalog.class_file(name))
            }
        };
        if !known.iter().any(|entry| entry.name == name) {
            let names = known.iter().map(|entry| &*entry.name);
            let what = format!("no {what} `{name}` in the registry");
            let else_do = "run `wake recipe list` to list the recipes and asset classes";
            return Err(AssetError::Missing(Missing::new(what, name, names, else_do)));
        }
        change.commit(Journal::new(), |edit| edit.remove_document(kind, name))?;
        file.map_or(Ok(()), |file| staging::remove(&file))
    }
}

fn folder(folders: &Folders, kind: DocumentKind) -> &Path {
    match kind {
        DocumentKind::Recipe => &folders.recipes,
        DocumentKind::Class => &folders.classes,
    }
}

/// The most bytes in a document that accompanies an asset.
const LONGEST: u64 = 1 << 20;

fn read_at_most(file: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(std::io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

impl KeptDocument {
    /// Checks that the document can be added to a registry.
    pub(crate) fn check(&self, kind: DocumentKind) -> Result<(), AssetError> {
        file_name(kind, &self.name)?;
        let class = self.output_asset_class.as_ref();
        class.map_or(Ok(()), |class| Ok(class.parse::<ClassName>().map(drop)?))
    }
}

/// Returns the name of its file, as refgenie names it.
fn file_name(kind: DocumentKind, name: &str) -> Result<String, AssetError> {
    match kind {
        DocumentKind::Recipe => {
            name.parse::<RecipeName>().map(|name| format!("{name}_asset_recipe.yaml"))
        }
        DocumentKind::Class => {
            name.parse::<ClassName>().map(|name| format!("{name}_asset_class.yaml"))
        }
    }
    .map_err(AssetError::from)
}
