//! `wake asset list`: the assets in the local registry, and in places to pull from.

use std::io::Write;

use serde_json::{Value, json};
use wake_asset::{
    AssetEntry, AssetError, Catalog, Detail, GenomeEntry, GenomeName, TagEntry, There,
};
use wake_store::ware::Web;

use super::places::Places;
use crate::assets;
use crate::exit::{Outcome, Stop};
use crate::print;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Lists the assets of the local registry.
pub(super) fn here(
    catalog: &Catalog,
    named: &[String],
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let mut genomes = Vec::new();
    for name in names(named)? {
        genomes.push(catalog.genome(&name).map_err(|error| assets::stop(&error, settings))?);
    }
    if named.is_empty() {
        genomes.extend(catalog.genomes());
    }
    if json {
        let genomes: Vec<Value> = genomes.iter().map(|genome| genome_as_json(genome)).collect();
        let folder = catalog.genome_folder().display().to_string();
        return print::json(&json!({"genome_folder": folder, "genomes": genomes}), out);
    }
    let lines = genomes.iter().flat_map(|genome| lines(genome, named.is_empty()));
    print::lines(lines.map(|line| escape::line(&line).to_string()), out)
}

/// Lists the assets of remote places; with several places, each below its address.
pub(super) fn there(
    places: &Places,
    named: &[String],
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let names = names(named)?;
    let detail = match json || !names.is_empty() {
        true => Detail::Everything,
        false => Detail::Names,
    };
    let cancel = session::cancel()?;
    let (web, meter) = (Web::new(settings.route.clone()), cancel.meter());
    let transfer = Transfer::show(settings, "Asking", meter);
    let mut found: Vec<(String, There)> = Vec::new();
    for place in places.all() {
        let there = wake_asset::there(place, &names, detail, &web, meter)
            .map_err(|error| assets::stop(&error, settings))?;
        found.push((place.to_string(), there));
    }
    drop(transfer);
    check_known(&names, &found, settings)?;
    if json {
        let one = |(place, there): &(String, There)| {
            let genomes: Vec<Value> = there.genomes.iter().map(genome_as_json).collect();
            json!({"from": place, "genomes": genomes})
        };
        let places: Vec<Value> = found.iter().map(one).collect();
        return print::json(&json!({"places": places}), out);
    }
    let mut printed = Vec::new();
    for (place, there) in &found {
        printed.extend((found.len() > 1).then(|| place.clone()));
        printed.extend(there.genomes.iter().flat_map(|genome| lines(genome, named.is_empty())));
    }
    print::lines(printed.into_iter().map(|line| escape::line(&line).to_string()), out)
}

/// Checks that each named genome is in at least one place.
fn check_known(
    names: &[GenomeName],
    found: &[(String, There)],
    settings: &Settings,
) -> Result<(), Stop> {
    for name in names {
        let missing = |(_, there): &(String, There)| {
            let (_, missing) = there.unknown.iter().find(|(unknown, _)| unknown == name)?;
            Some(missing.clone())
        };
        let missing: Vec<_> = found.iter().filter_map(missing).collect();
        if let Some(first) = missing.first()
            && missing.len() == found.len()
        {
            return Err(assets::stop(&AssetError::Missing(first.clone()), settings));
        }
    }
    Ok(())
}

fn names(named: &[String]) -> Result<Vec<GenomeName>, Stop> {
    named.iter().map(|name| assets::name(name)).collect()
}

fn lines(genome: &GenomeEntry, is_overview: bool) -> Vec<String> {
    if is_overview { vec![overview(genome)] } else { details(genome) }
}

fn overview(genome: &GenomeEntry) -> String {
    let names: Vec<&str> = genome.assets.iter().map(|asset| asset.name.as_str()).collect();
    format!("{:<20} {}", genome.title(), names.join(", ")).trim_end().to_owned()
}

fn details(genome: &GenomeEntry) -> Vec<String> {
    let aliases: Vec<&str> = genome.aliases.iter().map(GenomeName::as_str).collect();
    let head = format!("{} {}", genome.digest, aliases.join(", "));
    let mut lines = vec![head.trim_end().to_owned()];
    for asset in &genome.assets {
        for entry in &asset.tags {
            lines.push(form(asset, entry));
        }
    }
    lines
}

fn form(asset: &AssetEntry, entry: &TagEntry) -> String {
    let is_default = asset.default_tag() == Some(&entry.tag);
    let keys: Vec<&str> = entry.seek_keys.iter().map(|(key, _)| key.as_str()).collect();
    let mut name = format!("{}:{}", asset.name, entry.tag);
    name.push_str(if is_default { " (default)" } else { "" });
    format!("  {name:<32} {}", keys.join(", ")).trim_end().to_owned()
}

fn genome_as_json(genome: &GenomeEntry) -> Value {
    json!({
        "aliases": genome.aliases,
        "assets": genome.assets.iter().map(asset_as_json).collect::<Vec<_>>(),
        "description": genome.description,
        "digest": genome.digest,
    })
}

fn asset_as_json(asset: &AssetEntry) -> Value {
    json!({
        "class": asset.class,
        "default_tag": asset.default_tag(),
        "description": asset.description,
        "name": asset.name,
        "tags": asset.tags.iter().map(tag_as_json).collect::<Vec<_>>(),
    })
}

fn tag_as_json(entry: &TagEntry) -> Value {
    let object = |pairs: &[(String, String)]| -> Value {
        Value::Object(pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect())
    };
    let texts = |relatives: &[wake_asset::Relative]| -> Vec<Value> {
        relatives.iter().map(|relative| json!(relative.text)).collect()
    };
    let keys: Vec<(String, String)> =
        entry.seek_keys.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    json!({
        "children": texts(&entry.children),
        "custom_properties": object(&entry.custom_properties),
        "date_built": entry.date_built,
        "description": entry.description,
        "digest": entry.digest,
        "parents": texts(&entry.parents),
        "seek_keys": object(&keys),
        "size": entry.size,
        "tag": entry.tag,
        "tree_digest": entry.tree,
    })
}
