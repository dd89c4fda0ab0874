//! Assets from a refgenie server.
//!
//! It provides less than a place of wake's own: no tree digest, no seek key types, no sequences. The MD5 of the archive is
//! verified, seek key types are inferred from the files, and a new genome is read from its sequences if they are what is
//! pulled.

use std::path::Path;
use std::time::SystemTime;

use super::fetch::{Expected, fetch};
use super::{Pull, Pulled, check_parent, check_room, not_there};
use crate::catalog::Catalog;
use crate::error::AssetError;
use crate::folders;
use crate::genome::Genome;
use crate::genomes::NewGenome;
use crate::incoming::partial;
use crate::measure::{AssetDigest, Excluded, ParseAssetDigestError};
use crate::name::{GenomeDigest, GenomeName};
use crate::register::{Existing, Registration, time_of};
use crate::registry_path::{AssetId, RegistryPath};
use crate::seek::{SeekEntry, SeekType};
use crate::server::{Attributes, Server};
use crate::staging::Staging;

/// The asset that has the sequences of a genome, and its seek key.
const FASTA: &str = "fasta";

/// Pulls an asset from a server.
pub(super) fn pull(
    of: &Pull<'_>,
    server: &Server<'_>,
    path: &RegistryPath,
    existing: Existing,
) -> Result<Pulled, AssetError> {
    let catalog = of.registry.read()?;
    let (id, alias) = resolve(server, &catalog, path)?;
    let said = server.attributes(&id)?;
    let said = said.ok_or_else(|| not_there(&server.title(), &format!("no asset `{id}`")))?;
    let told: AssetDigest = said.asset_digest.parse().map_err(|error: ParseAssetDigestError| {
        AssetError::Place { place: server.title(), problem: format!("{error}"), hint: None }
    })?;
    if let Some(found) = catalog.get(&id)
        && found.digest()? == told
    {
        return Ok(Pulled::There(id));
    }
    check_room(&catalog, &id, existing)?;
    let parents = parents(server, &catalog, &id, &said)?;
    let md5 = checked_md5(server, &said)?;
    let expected = Expected {
        what: format!("`{id}`"),
        title: server.title(),
        place: server.archive_place(&id),
        partial: partial(&of.registry.folders().own(), &md5),
        size: None,
        md5: &md5,
        sha256: None,
    };
    let archive = fetch(expected, of.meter, |from| server.archive(&id, from))?;
    let staging = Staging::new(of.registry.folders())?;
    let tree = of.unpacked(&staging, &archive, &id, &parents)?;
    let seek_keys = seek_keys(&said, &tree)?;
    let genome = genome(server, &catalog, &id, alias, &seek_keys, &tree)?;
    let registration = registration(id, &said, tree, seek_keys, parents, of.now, existing)?;
    let registration = Registration { genome: genome.clone(), ..registration };
    let registered = of.registry.register_told(&registration, Some(told))?;
    archive.drop_it();
    if let Some(genome) = genome {
        // The registry may have had the genome without its sequences.
        of.registry.add_genome(&genome)?;
    }
    Ok(Pulled::New(Box::new(registered)))
}

/// Resolves a registry path to an asset id, and the alias of its genome if that was used.
fn resolve(
    server: &Server<'_>,
    catalog: &Catalog,
    path: &RegistryPath,
) -> Result<(AssetId, Option<GenomeName>), AssetError> {
    let called =
        path.genome.clone().ok_or_else(|| AssetError::NoGenome { path: path.to_string() })?;
    let missing = || not_there(&server.title(), &format!("no genome `{called}`"));
    let here = catalog.config.contents.genome(called.as_str());
    let (genome, alias) = match here {
        Some(genome) => (genome.digest.clone(), None),
        None => match server.genome_of(&called)? {
            Some(digest) if digest.as_str() == called.as_str() => (digest, None),
            Some(digest) => (digest, Some(called.clone())),
            None => {
                let digest: GenomeDigest = called.as_str().parse().map_err(|_| missing())?;
                server.genome(&digest)?.ok_or_else(missing)?;
                (digest, None)
            }
        },
    };
    let tag = match &path.tag {
        Some(tag) => tag.clone(),
        None => server
            .default_tag(&genome, &path.asset)?
            .ok_or_else(|| not_there(&server.title(), &format!("no asset `{path}`")))?,
    };
    Ok((AssetId { genome, asset: path.asset.clone(), tag }, alias))
}

/// Returns the parents; each must match the asset of the same id in the registry.
fn parents(
    server: &Server<'_>,
    catalog: &Catalog,
    id: &AssetId,
    said: &Attributes,
) -> Result<Vec<AssetId>, AssetError> {
    let mut parents = Vec::new();
    for parent in &said.asset_parents {
        let parent: AssetId = parent.parse()?;
        if catalog.get(&parent).is_some()
            && let Some(there) = server.digest(&parent)?
        {
            check_parent(catalog, &parent, &there, &format!("{}/{}", id.asset, id.tag))?;
        }
        parents.push(parent);
    }
    Ok(parents)
}

/// Checks a digest that becomes a file name.
fn checked_md5(server: &Server<'_>, said: &Attributes) -> Result<String, AssetError> {
    let text = &said.archive_digest;
    match text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(AssetError::Place {
            place: server.title(),
            problem: format!("`{}` is not an MD5 digest", text.escape_debug()),
            hint: None,
        }),
    }
}

/// Infers the seek key types from the files.
fn seek_keys(said: &Attributes, tree: &Path) -> Result<Vec<SeekEntry>, AssetError> {
    let entry = |(key, value): (&String, &String)| {
        let kind = SeekType::guess(tree, value);
        Ok(SeekEntry { key: key.parse()?, kind, value: value.clone() })
    };
    said.seek_keys.iter().map(entry).collect()
}

/// Returns the genome of the asset, read from its sequences if they were pulled; they must match its digest.
fn genome(
    server: &Server<'_>,
    catalog: &Catalog,
    id: &AssetId,
    alias: Option<GenomeName>,
    seek_keys: &[SeekEntry],
    tree: &Path,
) -> Result<Option<NewGenome>, AssetError> {
    let is_known = catalog.config.contents.genome(id.genome.as_str()).is_some();
    let file = seek_keys.iter().find(|entry| entry.key.as_str() == FASTA);
    let genome = match file.filter(|_| id.asset.as_str() == FASTA) {
        Some(entry) => Genome::of_fasta(&folders::below(tree, &entry.value, "the asset")?)?,
        None if is_known => return Ok(None),
        None => Genome { digest: id.genome.clone(), sequences: Vec::new() },
    };
    if genome.digest != id.genome {
        return Err(AssetError::Digest {
            what: format!("the genome of the sequences in `{id}`"),
            expected: id.genome.to_string(),
            came: genome.digest.to_string(),
        });
    }
    let description = match is_known {
        true => None,
        false => server.genome(&id.genome)?.unwrap_or_default().genome_description,
    };
    Ok(Some(NewGenome { genome, aliases: alias.into_iter().collect(), description }))
}

fn registration(
    id: AssetId,
    said: &Attributes,
    tree: std::path::PathBuf,
    seek_keys: Vec<SeekEntry>,
    parents: Vec<AssetId>,
    now: SystemTime,
    existing: Existing,
) -> Result<Registration, AssetError> {
    let class = said.asset_class.as_ref().map(|class| class.parse()).transpose()?;
    Ok(Registration {
        id,
        tree,
        class,
        description: None,
        tag_description: None,
        seek_keys,
        parents,
        custom_properties: Vec::new(),
        build: None,
        excluded: Excluded::default(),
        built: said.date_built.as_deref().and_then(time_of).unwrap_or(now),
        existing,
        genome: None,
    })
}
