//! Renaming tags and setting default tags.

use crate::error::AssetError;
use crate::folders;
use crate::journal::Journal;
use crate::links;
use crate::name::Tag;
use crate::register::Existing;
use crate::registry::Registry;
use crate::registry_path::AssetId;
use crate::staging::Staging;

impl Registry {
    /// Makes a tag the default of its asset.
    pub fn set_default_tag(&self, id: &AssetId) -> Result<(), AssetError> {
        let change = self.change()?;
        change.catalog.find(&id.clone().into())?;
        change.commit(Journal::new(), |edit| edit.set_default_tag(&id.genome, &id.asset, &id.tag))
    }

    /// Renames the tag of an asset: renames its data and links, and updates its parents and children.
    pub fn retag(&self, id: &AssetId, tag: &Tag, existing: Existing) -> Result<(), AssetError> {
        tag.check_new()?;
        if id.tag == *tag {
            return Ok(());
        }
        let staging = Staging::new(self.folders())?;
        let change = self.change()?;
        let found = change.catalog.find(&id.clone().into())?;
        let to = AssetId { tag: tag.clone(), ..id.clone() };
        let is_there = found.asset.tag(tag).is_some();
        if is_there && existing == Existing::Refuse {
            let asset = format!("{}/{}:{tag}", found.genome.title(), id.asset);
            return Err(AssetError::Exists { asset });
        }
        let relatives: Vec<AssetId> = found
            .entry
            .parents
            .iter()
            .chain(&found.entry.children)
            .filter_map(|relative| relative.id.clone())
            .collect();
        let was_default = found.asset.default_tag().is_some_and(|default| *default == id.tag);
        let mut journal = Journal::new();
        let data = change.catalog.data_dir(id);
        let mut moved = Vec::new();
        if data.is_dir() {
            moved.push((folders::data(id), folders::data(&to)));
        }
        for (number, alias) in found.genome.aliases.iter().enumerate() {
            let name = format!("alias{number}");
            if data.is_dir() {
                let new = folders::alias_of(alias, &to.asset, &to.tag);
                let made = staging.near(&new, &name)?;
                links::make(self.folders(), &data, &made.path, &to, alias)?;
                moved.push((made.relative, new));
            }
            let old = folders::alias_of(alias, &id.asset, &id.tag);
            let gone = staging.near(&old, &format!("gone{number}"))?;
            journal.moves(old, gone.relative);
        }
        for (number, (from, place)) in moved.into_iter().enumerate() {
            if change.catalog.genome_folder().join(&place).symlink_metadata().is_ok() {
                let old = staging.near(&place, &format!("old{number}"))?;
                journal.moves(place.clone(), old.relative);
            }
            journal.moves(from, place);
        }
        staging.sync()?;
        change.commit(journal, |edit| {
            if is_there {
                edit.remove_tag(&to, None);
            }
            edit.rename_tag(id, tag);
            for relative in &relatives {
                edit.rename_relative(relative, id, &to);
            }
            if was_default {
                edit.set_default_tag(&id.genome, &id.asset, tag);
            }
        })
    }
}
