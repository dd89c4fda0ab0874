//! Assets from an archive place.

use std::time::SystemTime;

use super::fetch::{Expected, fetch};
use super::{Pull, Pulled, check_parent, check_room, same};
use crate::archive::ArchiveSum;
use crate::attributes::{self, AliasDocument, AssetDocument, FormDocument, GenomeDocument};
use crate::catalog::Catalog;
use crate::error::AssetError;
use crate::genome::Genome;
use crate::genomes::NewGenome;
use crate::incoming::partial;
use crate::measure::{AssetDigest, Excluded, ParseAssetDigestError, measure};
use crate::name::{GenomeDigest, GenomeName, Tag};
use crate::register::{Existing, Registration, time_of};
use crate::registry_path::{AssetId, RegistryPath};
use crate::seek::{SeekEntry, SeekType};
use crate::shelf::{Document, Shelf};
use crate::staging::Staging;

/// Pulls an asset from an archive place.
pub(super) fn pull(
    of: &Pull<'_>,
    shelf: &Shelf<'_>,
    path: &RegistryPath,
    existing: Existing,
) -> Result<Pulled, AssetError> {
    let catalog = of.registry.read()?;
    let (id, alias) = resolve(shelf, &catalog, path)?;
    let form = form(shelf, &id)?;
    if let Some(found) = catalog.get(&id)
        && found.entry.tree.as_ref() == Some(&form.wake_tree_digest)
    {
        return Ok(Pulled::There(id));
    }
    check_room(&catalog, &id, existing)?;
    check_parents(&catalog, &form)?;
    form.documents().try_for_each(|(kind, document)| document.check(kind))?;
    let sum = ArchiveSum {
        md5: form.archive_digest.clone(),
        sha256: checked_sha256(shelf, &id, &form)?,
        size: form.archive_size,
    };
    let registration = registration(shelf, id, &form, of.now)?;
    let id = &registration.id;
    let expected = Expected {
        what: format!("`{id}`"),
        title: shelf.title(),
        place: shelf.place(Document::Form(id)),
        partial: partial(&of.registry.folders().own(), &sum.sha256),
        size: Some(sum.size),
        md5: &sum.md5,
        sha256: Some(&sum.sha256),
    };
    let archive = fetch(expected, of.meter, |from| shelf.archive(id, &sum, from))?;
    let staging = Staging::new(of.registry.folders())?;
    let tree = of.unpacked(&staging, &archive, id, &registration.parents)?;
    let measured = measure(&tree, &Excluded::default())?;
    same("the tree of", id, &form.wake_tree_digest, &measured.tree.to_string())?;
    let genome = new_genome(shelf, &catalog, &id.genome, alias)?;
    let told: AssetDigest =
        form.asset_digest.parse().map_err(|error: ParseAssetDigestError| AssetError::Place {
            place: shelf.place(Document::Form(id)),
            problem: format!("{error}"),
            hint: None,
        })?;
    let registration = Registration { genome, tree, existing, ..registration };
    let registered = of.registry.register_told(&registration, Some(told))?;
    archive.drop_it();
    for (kind, document) in form.documents() {
        of.registry.keep_document(kind, document, &shelf.title())?;
    }
    Ok(Pulled::New(Box::new(registered)))
}

/// Resolves a registry path to an asset id, and the alias of its genome if that was used.
fn resolve(
    shelf: &Shelf<'_>,
    catalog: &Catalog,
    path: &RegistryPath,
) -> Result<(AssetId, Option<GenomeName>), AssetError> {
    let called =
        path.genome.clone().ok_or_else(|| AssetError::NoGenome { path: path.to_string() })?;
    let here = catalog.config.contents.genome(called.as_str());
    let (digest, alias) = match here {
        Some(genome) => (genome.digest.clone(), None),
        None => match shelf.get(Document::Alias(&called))? {
            Some(bytes) => {
                let place = shelf.place(Document::Alias(&called));
                let document: AliasDocument = attributes::read(&place, &bytes)?;
                (document.digest.parse()?, Some(called.clone()))
            }
            None => match called.as_str().parse::<GenomeDigest>() {
                Ok(digest) if shelf.get(Document::Genome(&digest))?.is_some() => (digest, None),
                _ => return Err(not_there(shelf, format!("no genome `{called}`"))),
            },
        },
    };
    let tag = match &path.tag {
        Some(tag) => tag.clone(),
        None => default_tag(shelf, &digest, path)?,
    };
    Ok((AssetId { genome: digest, asset: path.asset.clone(), tag }, alias))
}

fn default_tag(
    shelf: &Shelf<'_>,
    digest: &GenomeDigest,
    path: &RegistryPath,
) -> Result<Tag, AssetError> {
    let document = Document::Asset(digest, &path.asset);
    match shelf.get(document)? {
        Some(bytes) => {
            let said: AssetDocument = attributes::read(&shelf.place(document), &bytes)?;
            Ok(said.default_tag.parse()?)
        }
        None => Err(not_there(shelf, format!("no asset `{path}`"))),
    }
}

fn not_there(shelf: &Shelf<'_>, what: String) -> AssetError {
    super::not_there(&shelf.title(), &what)
}

fn form(shelf: &Shelf<'_>, id: &AssetId) -> Result<FormDocument, AssetError> {
    let document = Document::Form(id);
    let bytes = shelf.get(document)?.ok_or_else(|| not_there(shelf, format!("no asset `{id}`")))?;
    let form: FormDocument = attributes::read(&shelf.place(document), &bytes)?;
    let named = format!("{}/{}:{}", form.genome, form.asset, form.tag);
    same(&format!("the document on {} for", shelf.title()), id, &id.to_string(), &named)?;
    Ok(form)
}

/// Checks that each parent matches the asset of the same id in the registry, if there is one.
fn check_parents(catalog: &Catalog, form: &FormDocument) -> Result<(), AssetError> {
    let made = format!("{}/{}", form.asset, form.tag);
    for parent in &form.asset_parents {
        let (Ok(id), Some(there)) = (parent.id.parse::<AssetId>(), &parent.asset_digest) else {
            continue;
        };
        check_parent(catalog, &id, there, &made)?;
    }
    Ok(())
}

/// Checks a digest that becomes a file name.
fn checked_sha256(
    shelf: &Shelf<'_>,
    id: &AssetId,
    form: &FormDocument,
) -> Result<String, AssetError> {
    let text = &form.archive_sha256;
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(AssetError::Place {
            place: shelf.place(Document::Form(id)),
            problem: format!("`{}` is not a SHA-256 digest", text.escape_debug()),
            hint: None,
        }),
    }
}

/// Returns the genome if the registry does not have it, checked against its digest, with the alias that was used.
fn new_genome(
    shelf: &Shelf<'_>,
    catalog: &Catalog,
    digest: &GenomeDigest,
    alias: Option<GenomeName>,
) -> Result<Option<NewGenome>, AssetError> {
    if catalog.config.contents.genome(digest.as_str()).is_some() {
        return Ok(None);
    }
    let document = Document::Genome(digest);
    let wrong =
        |problem: String| AssetError::Place { place: shelf.place(document), problem, hint: None };
    let bytes = shelf.get(document)?.ok_or_else(|| wrong("not found".to_owned()))?;
    let said: GenomeDocument = attributes::read(&shelf.place(document), &bytes)?;
    let genome = Genome::of(said.sequences).map_err(wrong)?;
    if genome.digest != *digest {
        return Err(AssetError::Digest {
            what: format!("the genome of the sequences in {}", shelf.place(document)),
            expected: digest.to_string(),
            came: genome.digest.to_string(),
        });
    }
    Ok(Some(NewGenome {
        genome,
        aliases: alias.into_iter().collect(),
        description: said.description,
    }))
}

fn registration(
    shelf: &Shelf<'_>,
    id: AssetId,
    form: &FormDocument,
    now: SystemTime,
) -> Result<Registration, AssetError> {
    let wrong = |problem: String| AssetError::Place {
        place: shelf.place(Document::Form(&id)),
        problem,
        hint: None,
    };
    let seek_key = |(key, value): &(String, String)| {
        let kind = form.wake_seek_types.get(key).map(|kind| {
            kind.parse::<SeekType>()
                .map_err(|_| wrong(format!("`{}` is not a seek key type", kind.escape_debug())))
        });
        let kind = kind.transpose()?.unwrap_or(SeekType::String);
        Ok(SeekEntry { key: key.parse()?, kind, value: value.clone() })
    };
    let seek_keys = form.seek_keys.iter().map(seek_key).collect::<Result<_, AssetError>>()?;
    let parents = form.asset_parents.iter().map(|parent| Ok(parent.id.parse()?));
    let parents = parents.collect::<Result<_, AssetError>>()?;
    let class = form.asset_class.as_ref().map(|class| class.parse()).transpose()?;
    Ok(Registration {
        id,
        tree: std::path::PathBuf::new(),
        class,
        description: form.asset_description.clone(),
        tag_description: form.tag_description.clone(),
        seek_keys,
        parents,
        custom_properties: form.custom_properties.clone(),
        build: None,
        excluded: Excluded::default(),
        built: form.date_built.as_deref().and_then(time_of).unwrap_or(now),
        existing: Existing::Refuse,
        genome: None,
    })
}
