//! Listing an archive place: by its files, its tags, or the index of a directory.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use wake_registry::Address;

use super::{ALIASES, Shelf, container, repository};
use crate::error::{AssetError, At};
use crate::incoming::document_bytes;
use crate::journal::write_synced;
use crate::name::{AssetName, GenomeDigest, GenomeName, Tag};

/// The index file of a directory.
const INDEX: &str = "index.json";

/// The fields that only the document of a tag has.
#[derive(Deserialize)]
struct FormName {
    asset: String,
    tag: String,
}

impl Shelf<'_> {
    /// Returns the aliases of its genomes.
    pub(crate) fn aliases(&self) -> Result<Vec<GenomeName>, AssetError> {
        let names = match &self.address {
            Address::Oci { .. } => self.tags(ALIASES, "a.")?.unwrap_or_default(),
            _ => self.documents(ALIASES)?.unwrap_or_default(),
        };
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Returns its genomes, if they can be listed: a container registry does not list its repositories.
    pub(crate) fn genomes(&self) -> Result<Vec<GenomeDigest>, AssetError> {
        let Address::Dir(dir) = &self.address else { return Ok(Vec::new()) };
        let names = names(dir)?.ok_or_else(|| AssetError::Place {
            place: self.title(),
            problem: "no such directory".to_owned(),
            hint: None,
        })?;
        let digests = names.iter().filter_map(|name| name.parse::<GenomeDigest>().ok());
        Ok(digests
            .filter(|digest| dir.join(digest.as_str()).join("genome.json").is_file())
            .collect())
    }

    /// Returns the assets of a genome with their tags; none if the genome does not exist.
    pub(crate) fn forms(
        &self,
        genome: &GenomeDigest,
    ) -> Result<Option<Vec<(AssetName, Tag)>>, AssetError> {
        if let Address::Oci { .. } = &self.address {
            let tags = self.tags(&repository(genome), "t.")?;
            let form = |tag: &String| {
                let (asset, tag) = tag.split_once('/')?;
                Some((asset.parse().ok()?, tag.parse().ok()?))
            };
            return Ok(tags.map(|tags| tags.iter().filter_map(form).collect()));
        }
        let Some(documents) = self.documents(genome.as_str())? else { return Ok(None) };
        let mut forms = Vec::new();
        for name in documents {
            let file = format!("{genome}/{name}.json");
            let Some(incoming) = self.file(&file, 0)? else { continue };
            let bytes = document_bytes(&format!("{}/{file}", self.address), incoming.bytes)?;
            // The file name does not determine where the asset name ends.
            if let Ok(said) = serde_json::from_slice::<FormName>(&bytes)
                && let (Ok(asset), Ok(tag)) = (said.asset.parse(), said.tag.parse())
            {
                forms.push((asset, tag));
            }
        }
        Ok(Some(forms))
    }

    /// Returns the index of a file server, which must have one because it cannot be listed; none for other places.
    pub(crate) fn index(&self) -> Result<Option<Vec<u8>>, AssetError> {
        let Address::Web(_) = &self.address else { return Ok(None) };
        match self.file(INDEX, 0)? {
            Some(incoming) => document_bytes(&self.index_place(), incoming.bytes).map(Some),
            None => Err(AssetError::Place {
                place: self.title(),
                problem: format!(
                    "cannot list its assets: not a refgenie server, and it has no `{INDEX}`"
                ),
                hint: Some(
                    "push to the served directory with `wake asset push`, which writes the index"
                        .to_owned(),
                ),
            }),
        }
    }

    /// Returns the location of the index, for messages.
    pub(crate) fn index_place(&self) -> String {
        format!("{}/{INDEX}", self.address)
    }

    /// Whether the place needs an index.
    pub(crate) fn keeps_index(&self) -> bool {
        matches!(&self.address, Address::Dir(_))
    }

    /// Writes the index.
    pub(crate) fn put_index(&self, bytes: &[u8]) -> Result<(), AssetError> {
        self.put_file(INDEX, |to| write_synced(to, bytes))
    }

    /// Returns the names of the documents in one of its directories; none if the directory does not exist.
    fn documents(&self, folder: &str) -> Result<Option<Vec<String>>, AssetError> {
        let Address::Dir(dir) = &self.address else { return Ok(None) };
        let one = |name: &String| name.strip_suffix(".json").map(str::to_owned);
        let is_whole = |name: &&String| !name.starts_with('.');
        let names = names(&dir.join(folder))?;
        Ok(names.map(|names| names.iter().filter(is_whole).filter_map(one).collect()))
    }

    /// Decodes the tags of a repository that start with `prefix`, with `/` between names; none if the repository does not exist.
    fn tags(&self, name: &str, prefix: &str) -> Result<Option<Vec<String>>, AssetError> {
        let tags = self.repository(name)?.tags(self.meter).map_err(container)?;
        let one = |tag: &String| {
            let names = tag.strip_prefix(prefix)?.split('.').map(unspelled);
            names.collect::<Option<Vec<String>>>().map(|names| names.join("/"))
        };
        Ok(tags.map(|tags| tags.iter().filter_map(one).collect()))
    }
}

/// Returns the sorted names in a directory; none if it does not exist.
fn names(dir: &Path) -> Result<Option<Vec<String>>, AssetError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).at(dir),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.at(dir)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(Some(names))
}

/// Decodes a part of a tag; none if it is invalid.
fn unspelled(part: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, more @ ..] = rest {
        rest = match (first, more) {
            (b'_', [high, low, more @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                more
            }
            (b'_', _) => return None,
            (byte, more) => {
                bytes.push(*byte);
                more
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::spelled;
    use super::unspelled;

    #[test]
    fn a_name_is_decoded_from_its_tag() {
        for name in ["bwa_index", "1.0~a", "é", "a.b_c"] {
            assert_eq!(unspelled(&spelled(name)).as_deref(), Some(name));
        }
        for part in ["_", "_f", "a_zz", "_ff"] {
            assert_eq!(unspelled(part), None, "{part}");
        }
    }
}
