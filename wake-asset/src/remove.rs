//! Removing assets.

use crate::error::AssetError;
use crate::folders;
use crate::registry::Registry;
use crate::registry_path::AssetId;
use crate::staging::Staging;

/// What to do with an asset that has children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relatives {
    /// Keep it and fail.
    Keep,
    /// Remove it from the parents of its children.
    Forget,
}

impl Registry {
    /// Removes one tag of an asset: its entry first, then its links and data.
    pub fn remove(&self, id: &AssetId, relatives: Relatives) -> Result<(), AssetError> {
        let staging = Staging::new(self.folders())?;
        let change = self.change()?;
        let found = change.catalog.find(&id.clone().into())?;
        let known = |id: &AssetId| change.catalog.get(id).is_some();
        let ids = |relatives: &[crate::config::Relative]| -> Vec<AssetId> {
            relatives.iter().filter_map(|relative| relative.id.clone()).collect()
        };
        let children: Vec<AssetId> = ids(&found.entry.children).into_iter().filter(known).collect();
        if relatives == Relatives::Keep && !children.is_empty() {
            return Err(AssetError::HasChildren {
                asset: format!("{}/{}:{}", found.genome.title(), id.asset, id.tag),
                children: children.iter().map(ToString::to_string).collect(),
            });
        }
        let parents = ids(&found.entry.parents);
        let others = found.asset.tags.iter().map(|entry| &entry.tag).filter(|tag| **tag != id.tag);
        let was_default = found.asset.default_tag().is_none_or(|default| *default == id.tag);
        let next = others.clone().next().filter(|_| was_default).cloned();
        let mut places = vec![folders::data(id)];
        let aliases = found.genome.aliases.iter();
        places.extend(aliases.map(|alias| folders::alias_of(alias, &id.asset, &id.tag)));
        let mut moves = Vec::new();
        for (number, place) in places.into_iter().enumerate() {
            let old = staging.near(&place, &format!("old{number}"))?;
            moves.push((place, old.relative));
        }
        change.commit_first(moves, |edit| {
            edit.remove_tag(id, next.as_ref());
            for parent in &parents {
                edit.remove_child(parent, id);
            }
            for child in &children {
                edit.remove_parent(child, id);
            }
        })
    }
}
