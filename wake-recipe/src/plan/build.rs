//! One asset to build, with its inputs.

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

/// One asset to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Its genome.
    pub genome: GenomeRef,
    /// Its name.
    pub asset: AssetName,
    /// Its tag, if requested.
    pub tag: Option<Tag>,
    /// Its recipe.
    pub recipe: Recipe,
    /// The path of the recipe's document.
    pub recipe_path: PathBuf,
    /// Its seek keys.
    pub seek_keys: SeekKeys,
    /// Its class and that class's ancestors.
    pub classes: Vec<AssetClass>,
    /// Its file inputs.
    pub files: Vec<GivenFile>,
    /// Its parameters.
    pub params: Vec<(InputName, Value)>,
    /// Its asset inputs.
    pub assets: Vec<GivenAsset>,
    /// The root file system for its commands.
    pub root: RootOf,
    /// Whether it was requested, as opposed to needed by another build.
    pub is_requested: bool,
}

/// A genome, as requested.
#[derive(Clone, Debug)]
pub struct GenomeRef {
    /// Its digest.
    pub digest: GenomeDigest,
    /// The name in the request.
    pub called: GenomeName,
    /// Its aliases.
    pub aliases: Vec<GenomeName>,
    /// The genome, if the registry does not have it yet.
    pub new: Option<NewGenome>,
}

/// A file input of a build.
#[derive(Clone, Debug)]
pub struct GivenFile {
    /// The name of the input.
    pub name: InputName,
    /// The file.
    pub file: ReadFile,
}

/// An asset input of a build.
#[derive(Clone, Debug)]
pub struct GivenAsset {
    /// The name of the input.
    pub name: InputName,
    /// The required class.
    pub class: String,
    /// The seek key; none for the asset itself.
    pub seek_key: Option<SeekKey>,
    /// Its origin.
    pub origin: Origin,
}

/// The origin of an asset input.
#[derive(Clone, Debug)]
pub enum Origin {
    /// It is in the registry.
    Registered {
        /// Its id.
        id: AssetId,
        /// Its digest.
        digest: AssetDigest,
        /// Its seek keys.
        seek_keys: Vec<SeekEntry>,
        /// Its files, by relative path.
        inputs: BTreeMap<RelPath, Input>,
    },
    /// It is built by this plan: the index of the build.
    Built(usize),
}

/// A resolved asset input: the input's name, its value in templates, and the asset's seek keys.
pub(crate) type FoundAsset = (InputName, Value, Vec<SeekEntry>);

/// The working directory of commands.
pub(crate) const WORK: &str = "/work";
/// The directory of file inputs, relative to it.
pub(crate) const FILES: &str = "files";
/// The directory of asset inputs, relative to it.
pub(crate) const ASSETS: &str = "assets";
/// The output folder, relative to it.
pub(crate) const ASSET: &str = "asset";

impl GivenFile {
    /// Returns its path in the working directory: the name of the input, so that the file's own name does not matter,
    /// with the file's extension, which tools use to determine the format.
    pub(crate) fn place(&self) -> String {
        let name = self.file.path.file_name().and_then(|name| name.to_str());
        format!("{FILES}/{}{}", self.name, end_of(name.unwrap_or_default()))
    }
}

/// Returns the extension of a file name; for a compressed file with the inner one: `.fa.gz`.
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
    /// Returns its name for messages.
    pub fn label(&self) -> String {
        let tag = self.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
        format!("{}/{}{tag}", self.genome.called, self.asset)
    }

    /// Returns the template values known so far, including custom `properties` and the resolved asset inputs in
    /// `found`.
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
        // Also by class if that is unambiguous; and below `files`, where published recipes expect it.
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

    /// Returns the values for seek key templates: the namespaces, and all inputs as top-level names, as older classes use
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

    /// Returns the `values` namespace of the renamed form, whose seek key paths are relative to a folder of all genomes.
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

/// Returns the path of a part of an asset input, relative to the working directory.
fn below_assets(input: &InputName, value: &str) -> String {
    match value {
        "." => format!("{ASSETS}/{input}"),
        value => format!("{ASSETS}/{input}/{value}"),
    }
}

impl GivenAsset {
    /// Returns its template value, a path or a value, from `entries`, the seek keys of `asset`.
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
    fn the_extension_of_a_compressed_file_has_two_parts() {
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
