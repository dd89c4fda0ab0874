//! The directory layout of a registry.

use std::path::{Path, PathBuf};

use crate::config::Contents;
use crate::error::AssetError;
use crate::measure::is_confined;
use crate::name::{AssetName, GenomeDigest, GenomeName, Tag};
use crate::registry_path::AssetId;

/// The directories of a registry, all absolute.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    pub(crate) genomes: PathBuf,
    pub(crate) recipes: PathBuf,
    pub(crate) classes: PathBuf,
}

/// Looks up an environment variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Folders {
    pub(crate) fn of(
        contents: &Contents,
        config: &Path,
        variables: Variables<'_>,
    ) -> Result<Folders, AssetError> {
        let base = config.parent().unwrap_or(Path::new("/"));
        let place = |text: &str| {
            let named = |name: String| AssetError::Place {
                place: config.display().to_string(),
                problem: format!("`{text}` uses the variable `{name}`, which is not set"),
                hint: Some(format!("set `{name}`, or write the path without it")),
            };
            Ok::<_, AssetError>(base.join(expanded(text, variables).map_err(named)?))
        };
        let genomes = match &contents.genome_folder {
            Some(text) => place(text)?,
            None => base.to_owned(),
        };
        let or_below = |text: &Option<String>, name: &str| match text {
            Some(text) => place(text),
            None => Ok(genomes.join(name)),
        };
        Ok(Folders {
            recipes: or_below(&contents.recipe_folder, "recipes")?,
            classes: or_below(&contents.class_folder, "asset_classes")?,
            genomes,
        })
    }

    /// Returns wake's own directory.
    pub(crate) fn own(&self) -> PathBuf {
        self.genomes.join(OWN)
    }

    pub(crate) fn data(&self, id: &AssetId) -> PathBuf {
        self.genomes.join(data(id))
    }

    pub(crate) fn alias(&self, alias: &GenomeName, asset: &AssetName, tag: &Tag) -> PathBuf {
        self.genomes.join(alias_of(alias, asset, tag))
    }

    pub(crate) fn sequences(&self, genome: &GenomeDigest) -> PathBuf {
        self.genomes.join(sequences(genome))
    }
}

/// The name of wake's own directory.
pub(crate) const OWN: &str = ".wake";

/// The path of an asset, relative to the genome folder.
pub(crate) fn data(id: &AssetId) -> PathBuf {
    ["data", id.genome.as_str(), id.asset.as_str(), id.tag.as_str()].iter().collect()
}

/// The path of an asset's alias links, relative to the genome folder.
pub(crate) fn alias_of(alias: &GenomeName, asset: &AssetName, tag: &Tag) -> PathBuf {
    ["alias", alias.as_str(), asset.as_str(), tag.as_str()].iter().collect()
}

/// The path of a genome's list of sequences, relative to the genome folder.
pub(crate) fn sequences(genome: &GenomeDigest) -> PathBuf {
    let file = format!("{genome}__ASDs.json");
    ["data", genome.as_str(), &file].iter().collect()
}

/// Joins an untrusted path to a directory; a path that points outside it is an error.
pub(crate) fn below(dir: &Path, path: &str, of: &str) -> Result<PathBuf, AssetError> {
    match is_confined(Path::new(path)) {
        true => Ok(dir.join(path)),
        false => Err(AssetError::escapes(path, of)),
    }
}

/// Expands variables, `$NAME` or `${NAME}`, and a leading `~` in a path. The error is the name of an unset variable.
fn expanded(text: &str, variables: Variables<'_>) -> Result<String, String> {
    let value = |name: &str| variables(name).ok_or_else(|| name.to_owned());
    let mut done = String::new();
    let mut rest = text;
    if let Some(behind) =
        text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))
    {
        done.push_str(&value("HOME")?);
        rest = behind;
    }
    while let Some((before, behind)) = rest.split_once('$') {
        done.push_str(before);
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let braced = behind.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, behind) = match braced {
            Some((name, behind)) => (name, behind),
            None => behind.split_at(behind.find(|c| !is_of_name(c)).unwrap_or(behind.len())),
        };
        match name {
            "" => done.push('$'),
            name => done.push_str(&value(name)?),
        }
        rest = behind;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded() {
        let variables = |name: &str| (name != "NO").then(|| format!("<{name}>"));
        let expanded = |text| expanded(text, &variables);
        assert_eq!(expanded("/a/$B/${C}d/$"), Ok("/a/<B>/<C>d/$".to_owned()));
        assert_eq!(expanded("~/g"), Ok("<HOME>/g".to_owned()));
        assert_eq!(expanded("/a~/~b"), Ok("/a~/~b".to_owned()));
        assert_eq!(expanded("$NO/x"), Err("NO".to_owned()));
    }

    #[test]
    fn a_path_stays_below_its_directory() {
        let below =
            |path| below(Path::new("/d"), path, "its asset").map_err(|error| error.to_string());
        assert_eq!(below("a/./b"), Ok("/d/a/./b".into()));
        assert_eq!(below("."), Ok("/d/.".into()));
        for path in ["..", "a/../../b", "/etc/passwd", "a/.."] {
            assert_eq!(below(path), Err(format!("`{path}` points outside its asset")));
        }
    }
}
