//! Pushing assets to an archive place.

use wake_registry::Address;
use wake_store::ware::{Meter, Web};

use crate::archive::{self, ArchiveSum};
use crate::attributes::{
    self, AliasDocument, AssetDocument, FORM, FormDocument, GenomeDocument, KeptDocument,
    ParentDocument, json,
};
use crate::catalog::{Catalog, Found};
use crate::config::DocumentKind;
use crate::error::AssetError;
use crate::measure::{BUILD_DIR, measure};
use crate::register::Existing;
use crate::registry::Registry;
use crate::registry_path::{AssetId, RegistryPath};
use crate::shelf::{Document, Shelf};
use crate::staging::Staging;
use crate::there::write_index;

/// The result of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The asset was pushed.
    New {
        /// The size of its archive in bytes.
        size: u64,
    },
    /// The asset was already there.
    There,
}

impl Registry {
    /// Packs an asset and writes it to `address`, with the documents of the asset and its genome. The archive is written before the documents that refer to it.
    pub fn push(
        &self,
        path: &RegistryPath,
        address: &Address,
        existing: Existing,
        web: &Web,
        meter: &Meter,
    ) -> Result<Pushed, AssetError> {
        let shelf = Shelf::new(address.clone(), web, meter);
        let _hold = shelf.hold()?;
        let catalog = self.read()?;
        let found = catalog.find(path)?;
        let measured = measure(&found.data_dir(), &Default::default())?;
        let there = there(&shelf, &found)?;
        if let Some(there) = &there {
            if there.wake_tree_digest == measured.tree.to_string() {
                write_index(&shelf)?;
                return Ok(Pushed::There);
            }
            if existing == Existing::Refuse {
                return Err(AssetError::Exists { asset: shelf.place(Document::Form(&found.id)) });
            }
        }
        let staging = Staging::new(self.folders())?;
        let archive = staging.path("archive");
        let sum = archive::pack(&found.data_dir(), &found.id.tag, &archive)?;
        let form = form(&catalog, &found, &measured.tree.to_string(), &sum)?;
        put_genome(&shelf, &catalog, &found)?;
        shelf.put_archive(&found.id, &archive, &sum, &json(&form))?;
        let asset = Document::Asset(&found.id.genome, &found.id.asset);
        if shelf.get(asset)?.is_none() {
            let default_tag = found.asset.default_tag().unwrap_or(&found.id.tag).to_string();
            shelf.put(asset, &json(&AssetDocument { wake: FORM, default_tag }))?;
        }
        write_index(&shelf)?;
        Ok(Pushed::New { size: sum.size })
    }
}

fn there(shelf: &Shelf<'_>, found: &Found<'_>) -> Result<Option<FormDocument>, AssetError> {
    let document = Document::Form(&found.id);
    let bytes = shelf.get(document)?;
    bytes.map(|bytes| attributes::read(&shelf.place(document), &bytes)).transpose()
}

fn form(
    catalog: &Catalog,
    found: &Found<'_>,
    tree: &str,
    sum: &ArchiveSum,
) -> Result<FormDocument, AssetError> {
    let entry = found.entry;
    let digest = |parent: &crate::config::Relative| {
        let parent = catalog.get(parent.id.as_ref()?)?;
        Some(parent.digest().ok()?.to_string())
    };
    let parents = entry
        .parents
        .iter()
        .map(|parent| ParentDocument { id: parent.text.clone(), asset_digest: digest(parent) });
    let types = entry
        .seek_keys
        .iter()
        .filter_map(|(key, _)| Some((key.to_string(), found.seek_type(key.as_str())?.to_string())));
    Ok(FormDocument {
        wake: FORM,
        genome: found.id.genome.to_string(),
        asset: found.id.asset.to_string(),
        tag: found.id.tag.to_string(),
        asset_class: found.asset.class.as_ref().map(ToString::to_string),
        asset_description: found.asset.description.clone(),
        tag_description: entry.description.clone(),
        asset_digest: found.digest()?.to_string(),
        wake_tree_digest: tree.to_owned(),
        seek_keys: entry
            .seek_keys
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect(),
        wake_seek_types: types.collect(),
        custom_properties: entry.custom_properties.clone(),
        asset_parents: parents.collect(),
        date_built: entry.date_built.clone(),
        recipe: recipe(catalog, found),
        asset_classes: classes(catalog, found),
        archive_digest: sum.md5.clone(),
        archive_sha256: sum.sha256.clone(),
        archive_size: sum.size,
    })
}

/// Returns the recipe that built it, whose name is in its build record.
fn recipe(catalog: &Catalog, found: &Found<'_>) -> Option<KeptDocument> {
    let AssetId { asset, tag, .. } = &found.id;
    let dir = found.data_dir().join(BUILD_DIR);
    let (begin, end) = (format!("build_recipe_{asset}__"), ".json");
    let file = match dir.join(format!("{begin}{tag}{end}")) {
        file if file.is_file() => file,
        // The asset was retagged since it was built.
        _ => {
            let names = std::fs::read_dir(&dir).ok()?.filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                (name.starts_with(&begin) && name.ends_with(end)).then_some(name)
            });
            dir.join(names.min()?)
        }
    };
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    catalog.document(DocumentKind::Recipe, said["name"].as_str()?)
}

fn classes(catalog: &Catalog, found: &Found<'_>) -> Vec<KeptDocument> {
    let class = found.asset.class.as_ref().map(|class| class.as_str());
    let names = class.map(|class| catalog.lineage(class)).unwrap_or_default();
    names.iter().filter_map(|name| catalog.document(DocumentKind::Class, name)).collect()
}

/// Writes the documents of the genome and its aliases. An alias that belongs to another genome there is kept.
fn put_genome(shelf: &Shelf<'_>, catalog: &Catalog, found: &Found<'_>) -> Result<(), AssetError> {
    let genome = found.genome;
    for alias in &genome.aliases {
        let document = Document::Alias(alias);
        if shelf.get(document)?.is_none() {
            let digest = genome.digest.to_string();
            shelf.put(document, &json(&AliasDocument { wake: FORM, digest }))?;
        }
    }
    let document = Document::Genome(&genome.digest);
    if shelf.get(document)?.is_some() {
        return Ok(());
    }
    let said = GenomeDocument {
        wake: FORM,
        digest: genome.digest.to_string(),
        aliases: genome.aliases.iter().map(ToString::to_string).collect(),
        description: genome.description.clone(),
        sequences: catalog.sequences(genome)?.unwrap_or_default(),
    };
    shelf.put(document, &json(&said))
}
