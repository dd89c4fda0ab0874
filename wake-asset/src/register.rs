//! Registering a finished asset, all or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime, Time, UtcDateTime};
use wake_model::TreeDigest;

use crate::build_inputs::{BuildInputs, Json};
use crate::catalog::{Catalog, DIR_KEY, absent};
use crate::config::{Edit, Relative, TagEntry};
use crate::error::{AssetError, At};
use crate::folders;
use crate::genomes::{NewGenome, write_sequences};
use crate::journal::Journal;
use crate::links;
use crate::measure::{AssetDigest, BUILD_DIR, Excluded, Measured, measure};
use crate::name::{ClassName, GenomeName, SeekKey};
use crate::registry::{Change, Registry};
use crate::registry_path::AssetId;
use crate::seek::{SeekEntry, SeekType};
use crate::staging::{self, Staging};

/// An asset to register.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id.
    pub id: AssetId,
    /// The directory with its files, or its one file; not modified.
    pub tree: PathBuf,
    /// Its class.
    pub class: Option<ClassName>,
    /// A description of the asset, for all tags.
    pub description: Option<String>,
    /// A description of this tag.
    pub tag_description: Option<String>,
    /// Its seek keys; `dir` is added if missing.
    pub seek_keys: Vec<SeekEntry>,
    /// Its parents.
    pub parents: Vec<AssetId>,
    /// The custom properties recorded by its build, in order.
    pub custom_properties: Vec<(String, String)>,
    /// Its build record; none if wake did not build it.
    pub build: Option<BuildRecord>,
    /// The paths that its digest leaves out.
    pub excluded: Excluded,
    /// When it was built.
    pub built: SystemTime,
    /// What to do if it exists already.
    pub existing: Existing,
    /// The genome to add, if it is not in the registry.
    pub genome: Option<NewGenome>,
}

/// The build record of an asset: the contents of its `_refgenie_build`.
#[derive(Clone, Debug, Default)]
pub struct BuildRecord {
    /// Its inputs.
    pub inputs: BuildInputs,
    /// The recipe, in refgenie's format.
    pub recipe: Option<Json>,
    /// Further files, by name, such as logs.
    pub files: Vec<(String, Vec<u8>)>,
}

/// What to do with an existing asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Keep it and fail.
    Refuse,
    /// Replace it.
    Replace,
}

/// A registered asset.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub id: AssetId,
    /// Its data directory.
    pub dir: PathBuf,
    /// refgenie's digest of it.
    pub digest: AssetDigest,
    /// The digest of its tree.
    pub tree: TreeDigest,
    /// The total size of its files in bytes.
    pub size: u64,
}

impl Registry {
    /// Registers an asset atomically: its data, its links for each alias of its genome, and its entry in the configuration.
    ///
    /// Its seek keys are checked first. After any failure, even a power cut, the registry has all of the asset or is unchanged. Any
    /// number of processes may register assets concurrently.
    pub fn register(&self, asset: &Registration) -> Result<Registered, AssetError> {
        self.register_told(asset, None)
    }

    /// The same, with a digest from a caller that knows which paths it leaves out.
    pub(crate) fn register_told(
        &self,
        asset: &Registration,
        told: Option<AssetDigest>,
    ) -> Result<Registered, AssetError> {
        asset.id.tag.check_new()?;
        check_room(&self.read()?, asset)?;
        let staging = Staging::new(self.folders())?;
        let tree = staging.near(&folders::data(&asset.id), DATA)?.path;
        staging::copy(&asset.tree, &tree)?;
        check_seek_keys(asset, &tree)?;
        let mut measured = measure(&tree, &asset.excluded)?;
        measured.digest = told.unwrap_or(measured.digest);
        if let Some(build) = &asset.build {
            write_build(&tree, &asset.id, build)?;
        }
        let change = self.change()?;
        check_room(&change.catalog, asset)?;
        put(change, asset, &measured, &staging)?;
        Ok(Registered {
            id: asset.id.clone(),
            dir: self.folders().data(&asset.id),
            digest: measured.digest,
            tree: measured.tree,
            size: measured.size,
        })
    }
}

/// The name of its data in the staging directory.
const DATA: &str = "data";

/// Checks whether the asset can be registered at all.
fn check_room(catalog: &Catalog, asset: &Registration) -> Result<(), AssetError> {
    let id = &asset.id;
    let name: GenomeName = id.genome.clone().into();
    let genome = match (catalog.genome(&name), &asset.genome) {
        (Ok(genome), _) => Some(genome),
        (Err(_), Some(new)) if new.genome.digest == id.genome => None,
        (Err(error), _) => return Err(error),
    };
    if let Some(new) = &asset.genome {
        new.check(catalog)?;
    }
    let there = genome.and_then(|genome| genome.asset(&id.asset));
    if let (Some(there), Some(class)) = (there.and_then(|there| there.class.as_ref()), &asset.class)
        && there != class
    {
        return Err(AssetError::ClassTaken {
            asset: format!(
                "{}/{}",
                genome.map_or(id.genome.as_str(), |genome| genome.title()),
                id.asset
            ),
            has: there.to_string(),
            class: class.to_string(),
        });
    }
    let is_registered = there.is_some_and(|there| there.tag(&id.tag).is_some());
    let data = catalog.data_dir(id);
    if asset.existing == Existing::Replace {
        return Ok(());
    }
    match (is_registered, data.symlink_metadata().is_ok()) {
        (true, _) => {
            let title = genome.map_or(id.genome.as_str(), |genome| genome.title());
            Err(AssetError::Exists { asset: format!("{title}/{}:{}", id.asset, id.tag) })
        }
        (false, true) => Err(AssetError::Unregistered { path: data }),
        (false, false) => Ok(()),
    }
}

/// Checks that the target of each seek key exists and has its type.
fn check_seek_keys(asset: &Registration, tree: &Path) -> Result<(), AssetError> {
    for (number, entry) in asset.seek_keys.iter().enumerate() {
        let wrong = |problem: String| AssetError::Seek {
            asset: asset.id.to_string(),
            key: entry.key.to_string(),
            kind: Some(entry.kind),
            problem,
        };
        if asset.seek_keys[..number].iter().any(|before| before.key == entry.key) {
            return Err(wrong("defined twice".to_owned()));
        }
        if !entry.kind.is_path() {
            entry.kind.value_of(&entry.value).map_err(|error| wrong(error.to_string()))?;
            continue;
        }
        let path = folders::below(tree, &entry.value, "the asset")
            .map_err(|error| wrong(error.to_string()))?;
        // A link to another asset resolves from the source directory and from the final one, not from staging.
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let path = if is_link { asset.tree.join(&entry.value) } else { path };
        if let Some(problem) = absent(&path, Some(entry.kind), &entry.value) {
            return Err(wrong(problem));
        }
    }
    Ok(())
}

fn write_build(tree: &Path, id: &AssetId, build: &BuildRecord) -> Result<(), AssetError> {
    let dir = tree.join(BUILD_DIR);
    fs::create_dir_all(&dir).at(&dir)?;
    let write = |name: &str, bytes: &[u8]| {
        let place = folders::below(&dir, name, BUILD_DIR)?;
        fs::write(&place, bytes).at(&place)
    };
    let AssetId { genome, asset, tag } = id;
    for (name, bytes) in &build.files {
        write(name, bytes)?;
    }
    let inputs = build.inputs.to_json().text();
    write(&format!("build_inputs_{asset}__{tag}.json"), inputs.as_bytes())?;
    if let Some(recipe) = &build.recipe {
        write(&format!("build_recipe_{asset}__{tag}.json"), recipe.text().as_bytes())?;
    }
    write(&format!("{genome}_{asset}__{tag}.flag"), b"")
}

/// Moves staged files into place.
fn put(
    change: Change<'_>,
    asset: &Registration,
    measured: &Measured,
    staging: &Staging,
) -> Result<(), AssetError> {
    let id = &asset.id;
    let mut journal = Journal::new();
    let is_new_genome = change.catalog.config.contents.genome(id.genome.as_str()).is_none();
    if let (Some(new), true) = (&asset.genome, is_new_genome)
        && !new.genome.sequences.is_empty()
    {
        let place = folders::sequences(&id.genome);
        let made = staging.near(&place, "sequences")?;
        write_sequences(&made.path, &new.genome)?;
        journal.moves(made.relative, place);
    }
    let data = staging.near(&folders::data(id), DATA)?;
    let mut places = vec![(data.relative, folders::data(id))];
    for (number, alias) in aliases(&change.catalog, asset).iter().enumerate() {
        let place = folders::alias_of(alias, &id.asset, &id.tag);
        let made = staging.near(&place, &format!("alias{number}"))?;
        links::make(change.registry.folders(), &data.path, &made.path, id, alias)?;
        places.push((made.relative, place));
    }
    for (number, (made, place)) in places.into_iter().enumerate() {
        if change.registry.folders().genomes.join(&place).symlink_metadata().is_ok() {
            let old = staging.near(&place, &format!("old{number}"))?;
            journal.moves(place.clone(), old.relative);
        }
        journal.moves(made, place);
    }
    staging.sync()?;
    let entry = entry(asset, measured);
    let is_first = change
        .catalog
        .config
        .contents
        .genome(id.genome.as_str())
        .and_then(|genome| genome.asset(&id.asset))
        .is_none_or(|there| there.tags.is_empty() || there.default_tag.is_none());
    change.commit(journal, |edit| note(edit, asset, &entry, is_new_genome, is_first))
}

/// Returns the aliases that its genome will have.
fn aliases(catalog: &Catalog, asset: &Registration) -> Vec<GenomeName> {
    let there = catalog.config.contents.genome(asset.id.genome.as_str());
    let mut aliases = there.map_or(Vec::new(), |genome| genome.aliases.clone());
    if let Some(new) = &asset.genome {
        for alias in &new.aliases {
            if !aliases.contains(alias) {
                aliases.push(alias.clone());
            }
        }
    }
    aliases
}

fn note(
    edit: &mut Edit,
    asset: &Registration,
    entry: &TagEntry,
    is_new_genome: bool,
    is_first: bool,
) {
    let id = &asset.id;
    if let (Some(new), true) = (&asset.genome, is_new_genome) {
        edit.add_genome(&id.genome);
        if let Some(description) = &new.description {
            edit.describe_genome(&id.genome, description);
        }
    }
    edit.describe_asset(&id.genome, &id.asset, asset.description.as_deref(), asset.class.as_ref());
    edit.put_tag(id, entry);
    if is_first {
        edit.set_default_tag(&id.genome, &id.asset, &id.tag);
    }
    for parent in &asset.parents {
        edit.add_child(parent, id);
    }
    if let Some(new) = &asset.genome {
        for alias in &new.aliases {
            edit.add_alias(&id.genome, alias);
        }
    }
}

fn entry(asset: &Registration, measured: &Measured) -> TagEntry {
    let mut keys = asset.seek_keys.clone();
    if let Ok(key) = DIR_KEY.parse::<SeekKey>()
        && !keys.iter().any(|entry| entry.key == key)
    {
        keys.push(SeekEntry { key, kind: SeekType::Directory, value: ".".to_owned() });
    }
    let parent = |id: &AssetId| Relative { text: id.to_string(), id: Some(id.clone()) };
    TagEntry {
        tag: asset.id.tag.clone(),
        description: asset.tag_description.clone(),
        path: Some(asset.id.asset.to_string()),
        digest: Some(measured.digest.to_string()),
        tree: Some(measured.tree.to_string()),
        size: Some(size_for_people(measured.size)),
        date_built: Some(date(asset.built)),
        custom_properties: asset.custom_properties.clone(),
        seek_types: keys.iter().map(|entry| (entry.key.clone(), entry.kind)).collect(),
        seek_keys: keys.into_iter().map(|entry| (entry.key, entry.value)).collect(),
        parents: asset.parents.iter().map(parent).collect(),
        children: Vec::new(),
    }
}

/// Formats a size as refgenie does: `1.50 KB`.
pub(crate) fn size_for_people(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} TB")
}

/// Formats a time as refgenie does, in UTC: `2026-11-20_23:28`.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}_{:02}:{:02}", time.hour(), time.minute())
}

/// Parses such a time; none if it is invalid.
pub(crate) fn time_of(written: &str) -> Option<SystemTime> {
    let numbers = written.split(['-', '_', ':']).map(|part| part.parse::<u16>().ok());
    let numbers: Vec<u16> = numbers.collect::<Option<_>>()?;
    let [year, month, day, hour, minute] = numbers[..] else { return None };
    let small = |number: u16| u8::try_from(number).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let day = Date::from_calendar_date(i32::from(year), month, small(day)?).ok()?;
    let time = Time::from_hms(small(hour)?, small(minute)?, 0).ok()?;
    let time = UtcDateTime::new(day, time).unix_timestamp();
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(time).ok()?);
    // Accept only what formats back to the same text.
    (date(time) == written).then_some(time)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn dates_and_sizes_are_formatted_as_in_refgenie() {
        assert_eq!(date(UNIX_EPOCH + Duration::from_secs(1_795_217_280)), "2026-11-20_23:28");
        let written = "2026-11-20_23:28";
        assert_eq!(time_of(written).map(date).as_deref(), Some(written));
        for wrong in ["", "2026-11-20", "2026-13-20_23:28", "2026-1-20_23:28", "1960-01-01_00:00"] {
            assert_eq!(time_of(wrong), None, "{wrong}");
        }
        assert_eq!(["0.00 B", "1.50 KB", "1.00 MB"], [0, 1536, 1 << 20].map(size_for_people));
    }
}
