//! The contents of an archive place.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detail, There, asset, chosen, genome};
use crate::attributes::{
    self, AliasDocument, AssetDocument, FORM, FormDocument, GenomeDocument, IndexAsset,
    IndexDocument, IndexGenome,
};
use crate::config::{AssetEntry, GenomeEntry, Relative, TagEntry};
use crate::error::AssetError;
use crate::name::{AssetName, GenomeDigest, GenomeName, SeekKey, Tag};
use crate::registry_path::AssetId;
use crate::shelf::{Document, Shelf};

pub(super) fn there(
    shelf: &Shelf<'_>,
    named: &[GenomeName],
    detail: Detail,
) -> Result<There, AssetError> {
    let genomes = match shelf.index()? {
        Some(bytes) => indexed(&attributes::read(&shelf.index_place(), &bytes)?),
        None => found(shelf, named)?,
    };
    let mut there = chosen(genomes, named, &shelf.title());
    if detail == Detail::Everything {
        for genome in &mut there.genomes {
            describe(shelf, genome)?;
            relate(genome);
        }
    }
    Ok(there)
}

/// Writes the index of a directory, for clients of a file server that cannot list it.
pub(crate) fn write_index(shelf: &Shelf<'_>) -> Result<(), AssetError> {
    if !shelf.keeps_index() {
        return Ok(());
    }
    let genomes = chosen(found(shelf, &[])?, &[], &shelf.title()).genomes;
    let asset = |asset: &AssetEntry| IndexAsset {
        asset: asset.name.to_string(),
        tags: asset.tags.iter().map(|entry| entry.tag.to_string()).collect(),
    };
    let genome = |genome: &GenomeEntry| IndexGenome {
        digest: genome.digest.to_string(),
        aliases: genome.aliases.iter().map(ToString::to_string).collect(),
        assets: genome.assets.iter().map(asset).collect(),
    };
    let index = IndexDocument { wake: FORM, genomes: genomes.iter().map(genome).collect() };
    shelf.put_index(&attributes::json(&index))
}

/// The genomes listed in an index.
fn indexed(index: &IndexDocument) -> Vec<GenomeEntry> {
    let one = |said: &IndexGenome| {
        let assets = said.assets.iter().filter_map(|said| {
            let tags = said.tags.iter().filter_map(|tag| tag.parse().ok()).collect();
            Some(asset(said.asset.parse().ok()?, tags))
        });
        let aliases = said.aliases.iter().filter_map(|alias| alias.parse().ok()).collect();
        Some(genome(said.digest.parse().ok()?, aliases, assets.collect()))
    };
    index.genomes.iter().filter_map(one).collect()
}

/// The genomes found in a place that can be searched: those with an alias there, and those `named` by digest.
fn found(shelf: &Shelf<'_>, named: &[GenomeName]) -> Result<Vec<GenomeEntry>, AssetError> {
    let mut aliases: BTreeMap<GenomeDigest, Vec<GenomeName>> = BTreeMap::new();
    for alias in shelf.aliases()? {
        let document = Document::Alias(&alias);
        let Some(bytes) = shelf.get(document)? else { continue };
        let said: AliasDocument = attributes::read(&shelf.place(document), &bytes)?;
        aliases.entry(said.digest.parse()?).or_default().push(alias);
    }
    let mut digests: BTreeSet<GenomeDigest> = aliases.keys().cloned().collect();
    digests.extend(shelf.genomes()?);
    digests.extend(named.iter().filter_map(|name| name.as_str().parse().ok()));
    let mut genomes = Vec::new();
    for digest in digests {
        let mut assets: BTreeMap<AssetName, Vec<Tag>> = BTreeMap::new();
        let Some(forms) = shelf.forms(&digest)? else { continue };
        for (name, tag) in forms {
            assets.entry(name).or_default().push(tag);
        }
        let assets = assets.into_iter().map(|(name, tags)| asset(name, tags)).collect();
        let aliases = aliases.remove(&digest).unwrap_or_default();
        genomes.push(genome(digest, aliases, assets));
    }
    Ok(genomes)
}

fn describe(shelf: &Shelf<'_>, genome: &mut GenomeEntry) -> Result<(), AssetError> {
    let document = Document::Genome(&genome.digest);
    if let Some(bytes) = shelf.get(document)? {
        let said: GenomeDocument = attributes::read(&shelf.place(document), &bytes)?;
        genome.description = said.description;
    }
    for asset in &mut genome.assets {
        let document = Document::Asset(&genome.digest, &asset.name);
        if let Some(bytes) = shelf.get(document)? {
            let said: AssetDocument = attributes::read(&shelf.place(document), &bytes)?;
            asset.default_tag = said.default_tag.parse().ok();
        }
        for at in 0..asset.tags.len() {
            let (genome, tag) = (genome.digest.clone(), asset.tags[at].tag.clone());
            let id = AssetId { genome, asset: asset.name.clone(), tag };
            let document = Document::Form(&id);
            if let Some(bytes) = shelf.get(document)? {
                let said = attributes::read(&shelf.place(document), &bytes)?;
                tell(asset, at, said);
            }
        }
    }
    Ok(())
}

/// Fills in the entry of a tag from its document.
fn tell(asset: &mut AssetEntry, at: usize, said: FormDocument) {
    let key = |(key, value): (String, String)| Some((key.parse::<SeekKey>().ok()?, value));
    let kind = |(key, kind): (String, String)| Some((key.parse().ok()?, kind.parse().ok()?));
    let parents = said.asset_parents.into_iter().map(|parent| Relative::read(parent.id));
    let entry = &mut asset.tags[at];
    *entry = TagEntry {
        description: said.tag_description,
        digest: Some(said.asset_digest),
        tree: Some(said.wake_tree_digest),
        date_built: said.date_built,
        custom_properties: said.custom_properties,
        seek_keys: said.seek_keys.into_iter().filter_map(key).collect(),
        seek_types: said.wake_seek_types.into_iter().filter_map(kind).collect(),
        parents: parents.collect(),
        ..TagEntry::of_name(entry.tag.clone())
    };
    let class = said.asset_class.and_then(|class| class.parse().ok());
    asset.class = asset.class.take().or(class);
    asset.description = asset.description.take().or(said.asset_description);
}

/// Fills in the children of each asset, which no document lists.
fn relate(genome: &mut GenomeEntry) {
    let mut made: BTreeMap<String, Vec<Relative>> = BTreeMap::new();
    for asset in &genome.assets {
        for entry in &asset.tags {
            let id = format!("{}/{}:{}", genome.digest, asset.name, entry.tag);
            for parent in &entry.parents {
                made.entry(parent.text.clone()).or_default().push(Relative::read(id.clone()));
            }
        }
    }
    for asset in &mut genome.assets {
        for entry in &mut asset.tags {
            let id = format!("{}/{}:{}", genome.digest, asset.name, entry.tag);
            entry.children = made.remove(&id).unwrap_or_default();
        }
    }
}
