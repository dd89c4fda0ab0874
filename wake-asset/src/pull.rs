//! Taking assets from a place for archives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use wake_registry::Address;
use wake_store::ware::{Meter, Web, pause};

use crate::archive::{self, ArchiveSum};
use crate::attributes::{self, AliasDocument, AssetDocument, FormDocument, GenomeDocument};
use crate::catalog::Catalog;
use crate::error::{AssetError, At, Missing};
use crate::genome::Genome;
use crate::genomes::NewGenome;
use crate::measure::{AssetDigest, Excluded, ParseAssetDigestError, measure};
use crate::name::{GenomeDigest, GenomeName, Tag};
use crate::register::{Existing, Registered, Registration};
use crate::registry::Registry;
use crate::registry_path::{AssetId, RegistryPath};
use crate::seek::{SeekEntry, SeekType};
use crate::shelf::{Document, Incoming, Shelf, partial};
use crate::staging::Staging;

/// How often an archive may break off with nothing between.
const BREAKS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What became of an asset that was to be pulled.
#[derive(Clone, Debug)]
pub enum Pulled {
    /// It is registered now.
    New(Box<Registered>),
    /// It was there, with the same content.
    There(AssetId),
}

impl Registry {
    /// Fetches an asset from `address` and registers it, with its genome where that is not known.
    ///
    /// An archive that breaks off goes on where it did, also in a later run. What came is compared with what is said of it, and what it
    /// was made of with what is here, before anything is registered.
    pub fn pull(
        &self,
        path: &RegistryPath,
        address: &Address,
        existing: Existing,
        now: SystemTime,
        web: &Web,
        meter: &Meter,
    ) -> Result<Pulled, AssetError> {
        let shelf = Shelf::new(address.clone(), web, meter);
        let catalog = self.read()?;
        let (id, alias) = resolve(&shelf, &catalog, path)?;
        let form = form(&shelf, &id)?;
        if let Some(found) = catalog.get(&id)
            && found.entry.tree.as_ref() == Some(&form.wake_tree_digest)
        {
            return Ok(Pulled::There(id));
        }
        check_parents(&catalog, &form)?;
        let sum = ArchiveSum {
            md5: form.archive_digest.clone(),
            sha256: checked_sha256(&shelf, &id, &form)?,
            size: form.archive_size,
        };
        let staging = Staging::new(self.folders())?;
        let archive = fetch(&shelf, &id, &sum, &self.folders().own(), meter)?;
        let stage = staging.path("unpacked");
        fs::create_dir(&stage).at(&stage)?;
        let tree = archive::unpack(&archive.path, &stage, &id.tag, meter)?;
        let measured = measure(&tree, &Excluded::default())?;
        same("the tree of", &id, &form.wake_tree_digest, &measured.tree.to_string())?;
        let registration = Registration {
            genome: new_genome(&shelf, &catalog, &id.genome, alias)?,
            tree,
            existing,
            ..registration(&shelf, id, &form, now)?
        };
        let told = form.asset_digest.parse().map_err(|error: ParseAssetDigestError| {
            AssetError::Place {
                place: shelf.place(Document::Form(&registration.id)),
                problem: format!("{error}"),
                hint: None,
            }
        })?;
        let told: AssetDigest = told;
        let registered = self.register_told(&registration, Some(told))?;
        archive.drop_it();
        Ok(Pulled::New(Box::new(registered)))
    }
}

fn same(what: &str, id: &AssetId, expected: &str, came: &str) -> Result<(), AssetError> {
    if expected == came {
        return Ok(());
    }
    let (expected, came) = (expected.to_owned(), came.to_owned());
    Err(AssetError::Digest { what: format!("{what} `{id}`"), expected, came })
}

/// Which asset is meant, and what its genome was called, if by an alias.
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
    let what = format!("{} has {what}", shelf.title());
    AssetError::Missing(Missing::new(what, "", [], String::new()))
}

fn form(shelf: &Shelf<'_>, id: &AssetId) -> Result<FormDocument, AssetError> {
    let document = Document::Form(id);
    let bytes = shelf.get(document)?.ok_or_else(|| not_there(shelf, format!("no asset `{id}`")))?;
    let form: FormDocument = attributes::read(&shelf.place(document), &bytes)?;
    let named = format!("{}/{}:{}", form.genome, form.asset, form.tag);
    same(&format!("what {} says of", shelf.title()), id, &id.to_string(), &named)?;
    Ok(form)
}

/// What it was made of must be what is here under that name, if it is here.
fn check_parents(catalog: &Catalog, form: &FormDocument) -> Result<(), AssetError> {
    for parent in &form.asset_parents {
        let Ok(id) = parent.id.parse::<AssetId>() else { continue };
        let (Some(here), Some(there)) = (catalog.get(&id), &parent.asset_digest) else { continue };
        let here = here.digest()?;
        if here.as_str() != there {
            return Err(AssetError::Digest {
                what: format!(
                    "`{id}` here, of which `{}/{}` was made there,",
                    form.asset, form.tag
                ),
                expected: there.clone(),
                came: here.to_string(),
            });
        }
    }
    Ok(())
}

/// A digest that names a file here.
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
            problem: format!("`{}` is no SHA-256", text.escape_debug()),
            hint: None,
        }),
    }
}

/// An archive that came, as long as it is of use.
struct Fetched {
    path: std::path::PathBuf,
    _held: File,
}

impl Fetched {
    fn drop_it(self) {
        // What is left is as good as new.
        let _ = fs::remove_file(&self.path);
    }
}

fn fetch(
    shelf: &Shelf<'_>,
    id: &AssetId,
    sum: &ArchiveSum,
    own: &Path,
    meter: &Meter,
) -> Result<Fetched, AssetError> {
    let path = partial(own, sum);
    let dir = path.parent().unwrap_or(own);
    fs::create_dir_all(dir).at(dir)?;
    let mut options = OpenOptions::new();
    let mut file = options.read(true).create(true).append(true).open(&path).at(&path)?;
    flock(&file, FlockOperation::LockExclusive).at(&path)?;
    meter.expect(Some(sum.size));
    let mut breaks = 0;
    loop {
        let before = file.metadata().at(&path)?.len();
        if before >= sum.size {
            break;
        }
        let incoming = shelf.archive(id, sum, before)?;
        let incoming = incoming.ok_or_else(|| not_there(shelf, format!("no archive of `{id}`")))?;
        match take(incoming, &mut file, before, sum.size, meter) {
            Ok(()) => {}
            Err(Broken::Here(error)) => return Err(error).at(&path),
            Err(Broken::Stopped) => return Err(AssetError::Cancelled),
            Err(Broken::There(problem)) => {
                let now = file.metadata().at(&path)?.len();
                breaks = if now > before { 0 } else { breaks + 1 };
                if breaks == BREAKS {
                    return Err(AssetError::Network {
                        place: shelf.place(Document::Form(id)),
                        problem,
                    });
                }
                let wait = FIRST_WAIT * 2u32.pow(breaks);
                pause(wait, meter).map_err(|_| AssetError::Cancelled)?;
            }
        }
    }
    let came = archive::sum(&path)?;
    let is_same = came == *sum;
    let fetched = Fetched { path, _held: file };
    if !is_same {
        // Nothing of it is of use: the next time all of it comes.
        fetched.drop_it();
        same("the archive of", id, &sum.sha256, &came.sha256)?;
        same("the archive of", id, &sum.md5, &came.md5)?;
        same("the size of the archive of", id, &sum.size.to_string(), &came.size.to_string())?;
        return Err(AssetError::Cancelled);
    }
    Ok(fetched)
}

enum Broken {
    Here(io::Error),
    There(String),
    Stopped,
}

/// Writes down what comes, up to the size that there is to be.
fn take(
    incoming: Incoming,
    file: &mut File,
    before: u64,
    size: u64,
    meter: &Meter,
) -> Result<(), Broken> {
    let Incoming { bytes, from } = incoming;
    let mut at = before;
    if from != before {
        file.set_len(0).map_err(Broken::Here)?;
        at = 0;
    }
    // One byte more than there may be shows that there are more.
    let mut bytes = bytes.take(size + 1 - at);
    let mut buffer = vec![0; 256 << 10];
    loop {
        if meter.is_stopped() {
            return Err(Broken::Stopped);
        }
        match bytes.read(&mut buffer) {
            Ok(0) if at < size => return Err(Broken::There("it broke off".to_owned())),
            Ok(0) => return Ok(()),
            Ok(length) => {
                file.write_all(&buffer[..length]).map_err(Broken::Here)?;
                at += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !meter.is_stopped() => {}
            Err(_) if meter.is_stopped() => return Err(Broken::Stopped),
            Err(error) => return Err(Broken::There(format!("it broke off: {error}"))),
        }
    }
}

/// The genome, where it is not known here, compared with its digest; by its alias where it was asked for by that.
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
    let bytes = shelf.get(document)?.ok_or_else(|| wrong("it is not there".to_owned()))?;
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
                .map_err(|_| wrong(format!("`{}` is no type of seek keys", kind.escape_debug())))
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
        built: now,
        existing: Existing::Refuse,
        genome: None,
    })
}
