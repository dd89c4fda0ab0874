//! Adding genomes to a registry, and their aliases.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::catalog::Catalog;
use crate::error::{AssetError, At};
use crate::folders;
use crate::genome::Genome;
use crate::journal::Journal;
use crate::links;
use crate::name::GenomeName;
use crate::registry::Registry;
use crate::registry_path::AssetId;
use crate::staging::Staging;

/// A genome to add to a registry.
#[derive(Clone, Debug)]
pub struct NewGenome {
    /// The genome; without sequences if only its digest is known.
    pub genome: Genome,
    /// Its aliases.
    pub aliases: Vec<GenomeName>,
    /// Its description.
    pub description: Option<String>,
}

/// Who may own an alias before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasOwner {
    /// Nobody.
    Nobody,
    /// Any genome: the alias is reassigned.
    Anybody,
}

impl NewGenome {
    /// Checks that its aliases do not belong to another genome.
    pub(crate) fn check(&self, catalog: &Catalog) -> Result<(), AssetError> {
        for alias in &self.aliases {
            if let Some(other) = catalog.config.contents.genome(alias.as_str())
                && other.digest != self.genome.digest
            {
                let (alias, digest) = (alias.to_string(), other.digest.to_string());
                return Err(AssetError::AliasTaken { alias, digest });
            }
        }
        Ok(())
    }
}

impl Registry {
    /// Adds a genome, or adds aliases to an existing one. Returns whether it is new.
    pub fn add_genome(&self, new: &NewGenome) -> Result<bool, AssetError> {
        let digest = &new.genome.digest;
        let staging = Staging::new(self.folders())?;
        let change = self.change()?;
        new.check(&change.catalog)?;
        let is_new = change.catalog.config.contents.genome(digest.as_str()).is_none();
        let mut journal = Journal::new();
        let has_some = !new.genome.sequences.is_empty();
        if has_some && (is_new || !self.folders().sequences(digest).is_file()) {
            let place = folders::sequences(digest);
            let made = staging.near(&place, "sequences")?;
            write_sequences(&made.path, &new.genome)?;
            journal.moves(made.relative, place);
        }
        link_all(&change.catalog, new, &staging, &mut journal)?;
        staging.sync()?;
        change.commit(journal, |edit| {
            if is_new {
                edit.add_genome(digest);
            }
            if let Some(description) = &new.description {
                edit.describe_genome(digest, description);
            }
            for alias in &new.aliases {
                edit.add_alias(digest, alias);
            }
        })?;
        Ok(is_new)
    }

    /// Adds an alias to a genome.
    pub fn add_alias(
        &self,
        genome: &GenomeName,
        alias: &GenomeName,
        owner: AliasOwner,
    ) -> Result<(), AssetError> {
        let staging = Staging::new(self.folders())?;
        let change = self.change()?;
        let digest = change.catalog.genome(genome)?.digest.clone();
        let other = change.catalog.config.contents.genome(alias.as_str());
        let other = other.map(|other| other.digest.clone());
        let mut journal = Journal::new();
        let from = match other {
            Some(other) if other == digest => return Ok(()),
            Some(other) if owner == AliasOwner::Nobody || other.as_str() == alias.as_str() => {
                let (alias, digest) = (alias.to_string(), other.to_string());
                return Err(AssetError::AliasTaken { alias, digest });
            }
            other => other,
        };
        let new = NewGenome {
            genome: Genome { digest: digest.clone(), sequences: Vec::new() },
            aliases: vec![alias.clone()],
            description: None,
        };
        link_all(&change.catalog, &new, &staging, &mut journal)?;
        staging.sync()?;
        change.commit(journal, |edit| {
            if let Some(other) = &from {
                edit.remove_alias(other, alias);
            }
            edit.add_alias(&digest, alias);
        })
    }

    /// Removes an alias.
    pub fn remove_alias(&self, alias: &GenomeName) -> Result<(), AssetError> {
        let staging = Staging::new(self.folders())?;
        let change = self.change()?;
        let genome = change.catalog.genome(alias)?;
        if genome.digest.as_str() == alias.as_str() {
            let problem = format!("`{alias}` is a genome digest, not an alias");
            return Err(AssetError::Place {
                place: self.config().display().to_string(),
                problem,
                hint: None,
            });
        }
        let digest = genome.digest.clone();
        let place: std::path::PathBuf = ["alias", alias.as_str()].iter().collect();
        let old = staging.near(&place, "old")?;
        change.commit_first(vec![(place, old.relative)], |edit| edit.remove_alias(&digest, alias))
    }
}

/// Creates the links for all assets of a genome under its new aliases, replacing existing files.
fn link_all(
    catalog: &Catalog,
    new: &NewGenome,
    staging: &Staging,
    journal: &mut Journal,
) -> Result<(), AssetError> {
    let there = catalog.config.contents.genome(new.genome.digest.as_str());
    for (number, alias) in new.aliases.iter().enumerate() {
        let has = there.is_some_and(|genome| genome.aliases.contains(alias));
        if has {
            continue;
        }
        let place: std::path::PathBuf = ["alias", alias.as_str()].iter().collect();
        let made = staging.near(&place, &format!("alias{number}"))?;
        let dir = made.path;
        fs::create_dir_all(&dir).at(&dir)?;
        for asset in there.iter().flat_map(|genome| &genome.assets) {
            for entry in &asset.tags {
                let id = AssetId {
                    genome: new.genome.digest.clone(),
                    asset: asset.name.clone(),
                    tag: entry.tag.clone(),
                };
                let data = catalog.data_dir(&id);
                if data.is_dir() {
                    let to = dir.join(id.asset.as_str()).join(id.tag.as_str());
                    links::make(&catalog.folders, &data, &to, &id, alias)?;
                }
            }
        }
        if catalog.genome_folder().join(&place).symlink_metadata().is_ok() {
            let old = staging.near(&place, &format!("old{number}"))?;
            journal.moves(place.clone(), old.relative);
        }
        journal.moves(made.relative, place);
    }
    Ok(())
}

/// Writes the list of a genome's sequences, used to compare it with others.
pub(crate) fn write_sequences(place: &Path, genome: &Genome) -> Result<(), AssetError> {
    let text = json!(genome.sequences).to_string();
    fs::write(place, text).at(place)
}
