//! One asset that is to be built, with all that it is given.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use wake_asset::{
    AssetDigest, AssetId, AssetName, GenomeDigest, GenomeName, NewGenome, SeekEntry, SeekKey,
    SeekType, Tag,
};
use wake_model::RelPath;
use wake_steps::Input;

use super::request::RootOf;
use crate::class::{AssetClass, SeekKeys};
use crate::content::ReadFile;
use crate::name::InputName;
use crate::recipe::{Generation, Recipe};
use crate::template::Values;

/// One asset that is to be built.
#[derive(Clone, Debug)]
pub struct Build {
    /// Its genome.
    pub genome: GenomeRef,
    /// Its name.
    pub asset: AssetName,
    /// Its tag, if a person says it.
    pub tag: Option<Tag>,
    /// How it is made.
    pub recipe: Recipe,
    /// Where the document of that lies.
    pub recipe_path: PathBuf,
    /// What is found in it.
    pub seek_keys: SeekKeys,
    /// Its class, and those that it inherits from.
    pub classes: Vec<AssetClass>,
    /// The files that it is given.
    pub files: Vec<GivenFile>,
    /// The values that it is given.
    pub params: Vec<(InputName, Value)>,
    /// The assets that it is given.
    pub assets: Vec<GivenAsset>,
    /// What commands run in.
    pub root: RootOf,
    /// Whether a person asked for it.
    pub is_requested: bool,
}

/// A genome, as it was asked for.
#[derive(Clone, Debug)]
pub struct GenomeRef {
    /// Its digest.
    pub digest: GenomeDigest,
    /// What it was called.
    pub called: GenomeName,
    /// What else it is called.
    pub aliases: Vec<GenomeName>,
    /// The genome, if the registry does not have it yet.
    pub new: Option<NewGenome>,
}

/// A file that is given to a recipe.
#[derive(Clone, Debug)]
pub struct GivenFile {
    /// The input that it is.
    pub name: InputName,
    /// The file.
    pub file: ReadFile,
}

/// An asset that is given to a recipe.
#[derive(Clone, Debug)]
pub struct GivenAsset {
    /// The input that it is.
    pub name: InputName,
    /// The class that it must be of.
    pub class: String,
    /// Which part of it; none for what it is by itself.
    pub seek_key: Option<SeekKey>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an asset comes from that is given to a recipe.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It is in the registry.
    Registered {
        /// Which one it is.
        id: AssetId,
        /// Its digest.
        digest: AssetDigest,
        /// Its seek keys.
        seek_keys: Vec<SeekEntry>,
        /// Its files, by their paths in it.
        inputs: BTreeMap<RelPath, Input>,
    },
    /// It is built as well: the number of that among the builds.
    Built(usize),
}

/// What is found of an asset that is given: the input, its value in templates, and the seek keys.
pub(crate) type FoundAsset = (InputName, Value, Vec<SeekEntry>);

/// The directory of a command, as it sees it.
pub(crate) const WORK: &str = "/work";
/// Where files lie, from there.
pub(crate) const FILES: &str = "files";
/// Where other assets lie, from there.
pub(crate) const ASSETS: &str = "assets";
/// What becomes the asset, from there.
pub(crate) const ASSET: &str = "asset";

impl GivenFile {
    /// Where it lies for a command, from its directory: by the name of the input, so that what the file is called changes nothing,
    /// with the end of its name, which tells tools what it is.
    pub(crate) fn place(&self) -> String {
        let name = self.file.path.file_name().and_then(|name| name.to_str());
        format!("{FILES}/{}{}", self.name, end_of(name.unwrap_or_default()))
    }
}

/// The end of the name of a file, with that below it where it is one of a packed file: `.fa.gz`.
fn end_of(name: &str) -> &str {
    let is_end = |end: &str| {
        !end.is_empty() && end.len() <= 16 && end.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let Some(last) = name.rfind('.').filter(|at| *at > 0 && is_end(&name[at + 1..])) else {
        return "";
    };
    let is_packed = ["gz", "bz2", "xz", "zst", "bgz"].contains(&&name[last + 1..]);
    let below = name[..last].rfind('.').filter(|at| *at > 0 && is_end(&name[at + 1..last]));
    match below.filter(|_| is_packed) {
        Some(below) => &name[below..],
        None => &name[last..],
    }
}

impl Build {
    /// What people call it.
    pub fn label(&self) -> String {
        let tag = self.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
        format!("{}/{}{tag}", self.genome.called, self.asset)
    }

    /// What is filled into templates, as far as it is known: `properties` that are known, and what is found by the seek keys that
    /// inputs name.
    pub(crate) fn values(
        &self,
        properties: &[(InputName, String)],
        found: &[FoundAsset],
        tag: Option<&Tag>,
    ) -> Values {
        let mut values = self.plain_values(properties, found, tag);
        match self.recipe.generation {
            Generation::Current => {}
            Generation::Older => self.flatten(&mut values),
            Generation::Renamed => {
                let below = self.renamed(&values, found);
                values = Map::from_iter([("values".to_owned(), Value::Object(below))]);
            }
        }
        values
    }

    fn plain_values(
        &self,
        properties: &[(InputName, String)],
        found: &[FoundAsset],
        tag: Option<&Tag>,
    ) -> Values {
        let mut files: Map<String, Value> = self
            .files
            .iter()
            .map(|file| (file.name.to_string(), format!("{WORK}/{}", file.place()).into()))
            .collect();
        let mut assets: Map<String, Value> =
            found.iter().map(|(name, value, _)| (name.to_string(), value.clone())).collect();
        // By its class as well where that says which; and among the files, where published recipes look for it.
        for (name, value, _) in found {
            files.entry(name.to_string()).or_insert_with(|| value.clone());
        }
        for input in &self.assets {
            let by_class = self.recipe.inputs.asset(&input.class);
            if by_class.is_some_and(|one| one.name == input.name)
                && let Some(value) = assets.get(input.name.as_str()).cloned()
            {
                assets.entry(input.class.clone()).or_insert(value);
            }
        }
        let params = self.params.iter().map(|(name, value)| (name.to_string(), value.clone()));
        let properties = properties.iter();
        let properties = properties.map(|(name, value)| (name.to_string(), value.as_str().into()));
        let mut values = Map::from_iter([
            ("genome".to_owned(), self.genome.digest.as_str().into()),
            ("asset".to_owned(), self.asset.as_str().into()),
            ("files".to_owned(), Value::Object(files)),
            ("params".to_owned(), Value::Object(params.collect())),
            ("assets".to_owned(), Value::Object(assets)),
            ("custom_properties".to_owned(), Value::Object(properties.collect())),
            ("test".to_owned(), self.test_values()),
        ]);
        if let Some(tag) = tag {
            values.insert("tag".to_owned(), tag.as_str().into());
            values.insert("asset_outfolder".to_owned(), format!("{WORK}/{ASSET}").into());
        }
        values
    }

    /// The values that seek keys are filled with: those of every form, and parameters by their names alone, as older classes have
    /// them.
    pub(crate) fn seek_values(
        &self,
        properties: &[(InputName, String)],
        found: &[FoundAsset],
        tag: &Tag,
    ) -> Values {
        let mut values = self.plain_values(properties, found, Some(tag));
        self.flatten(&mut values);
        values
    }

    fn flatten(&self, values: &mut Values) {
        for group in ["files", "params", "assets"] {
            let Some(Value::Object(fields)) = values.get(group).cloned() else { continue };
            for (name, value) in fields {
                values.entry(name).or_insert(value);
            }
        }
    }

    /// What the renamed form has below `values`: paths of seek keys there start at a folder of all genomes.
    fn renamed(&self, values: &Values, found: &[FoundAsset]) -> Map<String, Value> {
        let assets = found.iter().map(|(name, _, entries)| {
            let keys: Map<String, Value> = entries
                .iter()
                .map(|entry| {
                    let value = match entry.kind.is_path() {
                        true => below_assets(name, &entry.value).into(),
                        false => entry.value.as_str().into(),
                    };
                    (entry.key.to_string(), value)
                })
                .collect();
            (name.to_string(), json!({ "seek_keys_dict": keys }))
        });
        let assets: Map<String, Value> = assets.collect();
        let mut below = Map::from_iter([
            ("genome_digest".to_owned(), self.genome.digest.as_str().into()),
            ("genome_folder".to_owned(), WORK.into()),
            ("assets".to_owned(), Value::Object(assets)),
        ]);
        for (name, of) in [
            ("asset", "asset"),
            ("tag", "tag"),
            ("output_folder", "asset_outfolder"),
            ("files", "files"),
            ("params", "params"),
            ("custom_seek_keys", "custom_properties"),
            ("custom_properties", "custom_properties"),
        ] {
            below.extend(values.get(of).map(|value| (name.to_owned(), value.clone())));
        }
        below
    }

    fn test_values(&self) -> Value {
        let Some(test) = &self.recipe.test else { return json!({}) };
        let files: Map<String, Value> = test
            .files
            .iter()
            .map(|file| (file.name.to_string(), file.location.as_str().into()))
            .collect();
        let genome = test.genome.as_ref().map(|genome| genome.as_str());
        json!({ "genome": genome, "inputs": files })
    }
}

/// Where a part of an asset that is given lies, from the directory of a command.
fn below_assets(input: &InputName, value: &str) -> String {
    match value {
        "." => format!("{ASSETS}/{input}"),
        value => format!("{ASSETS}/{input}/{value}"),
    }
}

impl GivenAsset {
    /// What a template finds for it among `entries`, the seek keys of `asset`: a path, or a value.
    pub(crate) fn value(&self, asset: &AssetName, entries: &[SeekEntry]) -> Option<Value> {
        let find = |key: &str| entries.iter().find(|entry| entry.key.as_str() == key);
        let entry = match &self.seek_key {
            Some(key) => find(key.as_str())?,
            None => match find(asset.as_str()) {
                Some(entry) => entry,
                None => return Some(format!("{WORK}/{}", below_assets(&self.name, ".")).into()),
            },
        };
        Some(match entry.kind {
            SeekType::Directory | SeekType::File | SeekType::Prefix => {
                format!("{WORK}/{}", below_assets(&self.name, &entry.value)).into()
            }
            kind => kind.value_of(&entry.value).unwrap_or_else(|_| entry.value.as_str().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn the_end_of_a_name_says_how_a_file_is_packed_as_well() {
        for (name, end) in [
            ("hg38.fa", ".fa"),
            ("Homo.GRCh38.dna.fa.gz", ".fa.gz"),
            ("a.gz", ".gz"),
            ("README", ""),
            (".hidden", ""),
            ("a.b c", ""),
            ("x.", ""),
        ] {
            assert_eq!(end_of(name), end, "{name}");
        }
    }
}
