//! The contents of a refgenie server.

use std::collections::BTreeMap;

use super::{Detail, There, asset, chosen, genome};
use crate::config::{AssetEntry, GenomeEntry, Relative, TagEntry};
use crate::error::AssetError;
use crate::name::{AssetName, GenomeDigest, GenomeName, SeekKey, Tag};
use crate::registry_path::{AssetId, RegistryPath};
use crate::server::{Described, Server};

pub(super) fn there(
    server: &Server<'_>,
    named: &[GenomeName],
    detail: Detail,
) -> Result<There, AssetError> {
    let aliases = server.aliases()?;
    let mut genomes = Vec::new();
    for (digest, forms) in server.assets()? {
        let aliases = aliases.get(&digest).into_iter().flatten();
        let aliases = aliases.filter_map(|alias| alias.parse().ok()).collect();
        if let Ok(digest) = digest.parse() {
            genomes.push(genome(digest, aliases, assets(&forms)));
        }
    }
    let mut there = chosen(genomes, named, &server.title());
    if detail == Detail::Everything {
        there.genomes.iter_mut().try_for_each(|genome| describe(server, genome))?;
    }
    Ok(there)
}

/// Collects the assets of a genome from the server's lines, one for each seek key of each tag: `ASSET.SEEK_KEY:TAG`.
fn assets(forms: &[String]) -> Vec<AssetEntry> {
    let mut tags: BTreeMap<AssetName, Vec<Tag>> = BTreeMap::new();
    for path in forms.iter().filter_map(|form| form.parse::<RegistryPath>().ok()) {
        tags.entry(path.asset).or_default().extend(path.tag);
    }
    tags.into_iter().map(|(name, tags)| asset(name, tags)).collect()
}

fn describe(server: &Server<'_>, genome: &mut GenomeEntry) -> Result<(), AssetError> {
    let said = server.genome(&genome.digest)?.unwrap_or_default();
    genome.description = said.genome_description;
    for asset in &mut genome.assets {
        asset.default_tag = server.default_tag(&genome.digest, &asset.name)?;
        for tag in &mut asset.tags {
            let id = id(&genome.digest, &asset.name, &tag.tag);
            if let Some(said) = server.described(&id)? {
                asset.class = said.asset_class.as_deref().and_then(|class| class.parse().ok());
                *tag = form(id.tag, said);
            }
        }
    }
    Ok(())
}

fn id(genome: &GenomeDigest, asset: &AssetName, tag: &Tag) -> AssetId {
    AssetId { genome: genome.clone(), asset: asset.clone(), tag: tag.clone() }
}

fn form(tag: Tag, said: Described) -> TagEntry {
    let relatives = |texts: Vec<String>| texts.into_iter().map(Relative::read).collect();
    let key = |(key, value): (String, String)| Some((key.parse::<SeekKey>().ok()?, value));
    TagEntry {
        digest: said.asset_digest,
        size: said.asset_size,
        date_built: said.date_built,
        seek_keys: said.seek_keys.into_iter().filter_map(key).collect(),
        parents: relatives(said.asset_parents),
        children: relatives(said.asset_children),
        ..TagEntry::of_name(tag)
    }
}
