//! Registers a finished asset.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use wake_asset::{
    AssetError, AssetId, DocumentKind, Existing, NewDocument, Registration, Registry, RegistryPath,
};
use wake_model::{Manifest, Node, RelPath};
use wake_steps::StepSuccess;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Scratch;

use super::content::GivenLink;
use super::{BuildEnd, Builds};
use crate::error::of_asset;
use crate::plan::{ASSET, Build, Origin};
use crate::recipe::Generation;

/// The source recorded for documents that a build adds.
const SOURCE: &str = "self-added";

impl Builds<'_> {
    /// Registers the output of a build, unless the registry already has it.
    pub(super) fn register(
        &self,
        number: usize,
        registry: &Registry,
        kept: &StepSuccess<'_>,
    ) -> Result<BuildEnd, Diagnostic> {
        let build = self.build(number);
        name_genome(registry, build)?;
        let facts = self.facts(number)?;
        let id = self.id(number)?;
        let links = self.links(kept.done)?;
        let links = links
            .into_iter()
            .map(|link| Ok((link.path.clone(), self.link_text(number, &id, &link)?)))
            .collect::<Result<Vec<_>, Diagnostic>>()?;
        let properties: Vec<(String, String)> = facts
            .properties
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        let tree = with_links(&Self::nodes(kept.done), &links)?.digest().to_string();
        let parents = self.parents(number)?;
        if self.is_there(registry, &id, &tree, &properties)? {
            return Ok(BuildEnd::There(id));
        }
        let built = self.store.tree_place(&kept.done.tree).join(ASSET);
        let staged = match links.is_empty() {
            true => None,
            false => Some(self.staged(&built, &links, &id, &parents, registry)?),
        };
        let class = match build.recipe.generation {
            Generation::Older => None,
            Generation::Current | Generation::Renamed => Some(build.seek_keys.class.clone()),
        };
        let registration = Registration {
            id: id.clone(),
            tree: staged.as_ref().map_or(built, |(_, staged)| staged.clone()),
            class,
            description: Some(build.recipe.description.clone()),
            tag_description: None,
            seek_keys: self.seek_entries(number)?,
            parents,
            custom_properties: properties,
            build: Some(self.record(number, kept)?),
            excluded: self.excluded(number)?,
            built: UNIX_EPOCH + Duration::from_millis(kept.record.started_ms),
            existing: Existing::Replace,
            genome: build.genome.new.clone(),
        };
        let registered = registry.register(&registration).map_err(|error| of_asset(&error))?;
        self.keep_documents(registry, build)?;
        Ok(BuildEnd::Registered(registered))
    }

    /// Whether the registry already has exactly this asset.
    fn is_there(
        &self,
        registry: &Registry,
        id: &AssetId,
        tree: &str,
        properties: &[(String, String)],
    ) -> Result<bool, Diagnostic> {
        let catalog = registry.read().map_err(|error| of_asset(&error))?;
        let path: RegistryPath = id.clone().into();
        let Ok(found) = catalog.find(&path) else { return Ok(false) };
        Ok(found.entry.tree.as_deref() == Some(tree)
            && found.entry.custom_properties == properties
            && found.data_dir().is_dir())
    }

    fn parents(&self, number: usize) -> Result<Vec<AssetId>, Diagnostic> {
        let mut parents = Vec::new();
        for given in &self.build(number).assets {
            let id = match &given.origin {
                Origin::Registered { id, .. } => id.clone(),
                Origin::Built(parent) => self.id(*parent)?,
            };
            if !parents.contains(&id) {
                parents.push(id);
            }
        }
        Ok(parents)
    }

    /// Returns the target of a link from an asset to another one in the same registry.
    fn link_text(
        &self,
        number: usize,
        own: &AssetId,
        link: &GivenLink,
    ) -> Result<String, Diagnostic> {
        let mut assets = self.build(number).assets.iter();
        let given = assets.find(|given| given.name.as_str() == link.input).ok_or_else(|| {
            let message = format!("the target of link `{}` is not an input", link.path);
            Diagnostic::error(Class::Action, message)
        })?;
        let other = match &given.origin {
            Origin::Registered { id, .. } => id.clone(),
            Origin::Built(parent) => self.id(*parent)?,
        };
        let up = "../".repeat(link.path.components().count() - 1);
        let way = match other.genome == own.genome {
            true => format!("../../{}/{}", other.asset, other.tag),
            false => format!("../../../{}/{}/{}", other.genome, other.asset, other.tag),
        };
        Ok(match link.below.is_root() {
            true => format!("{up}{way}"),
            false => format!("{up}{way}/{}", link.below),
        })
    }

    /// Makes a directory of the asset with its links, sharing files with the store. Link targets resolve from there
    /// as they will in the registry.
    fn staged(
        &self,
        built: &Path,
        links: &[(RelPath, String)],
        id: &AssetId,
        parents: &[AssetId],
        registry: &Registry,
    ) -> Result<(Scratch, PathBuf), Diagnostic> {
        let catalog = registry.read().map_err(|error| of_asset(&error))?;
        let scratch =
            self.store.scratch().map_err(|error| wake_steps::error::store_failure(&error))?;
        let place = |id: &AssetId| {
            let parts = [id.genome.as_str(), id.asset.as_str(), id.tag.as_str()];
            parts.iter().fold(scratch.path().to_owned(), |path, part| path.join(part))
        };
        let at = place(id);
        let lay = || -> std::io::Result<()> {
            for parent in parents.iter().filter(|parent| *parent != id) {
                let seen = place(parent);
                fs::create_dir_all(seen.parent().unwrap_or(&seen))?;
                symlink(catalog.data_dir(parent), &seen)?;
            }
            fs::create_dir_all(at.parent().unwrap_or(&at))?;
            share(built, &at)?;
            for (path, target) in links {
                let place: PathBuf = at.join(path.as_str());
                fs::create_dir_all(place.parent().unwrap_or(&place))?;
                symlink(target, place)?;
            }
            Ok(())
        };
        lay().map_err(|error| {
            Diagnostic::error(Class::Environment, format!("`{}`: {error}", at.display()))
        })?;
        Ok((scratch, at))
    }

    /// Adds the recipe and the classes, which refgenie looks up, to the registry; existing ones are kept.
    fn keep_documents(&self, registry: &Registry, build: &Build) -> Result<(), Diagnostic> {
        if build.recipe.generation != Generation::Current {
            return Ok(());
        }
        let catalog = registry.read().map_err(|error| of_asset(&error))?;
        let mut documents = Vec::new();
        for class in &build.classes {
            if catalog.classes().iter().all(|entry| entry.name != class.name.as_str()) {
                documents.push(NewDocument {
                    kind: DocumentKind::Class,
                    name: class.name.to_string(),
                    text: class.text.clone(),
                    version: class.version.clone(),
                    description: class.description.clone(),
                    source: SOURCE.to_owned(),
                    output_class: None,
                });
            }
        }
        let recipe = &build.recipe;
        if catalog.recipes().iter().all(|entry| entry.name != recipe.name.as_str()) {
            documents.push(NewDocument {
                kind: DocumentKind::Recipe,
                name: recipe.name.to_string(),
                text: recipe.text.clone(),
                version: recipe.version.clone(),
                description: recipe.description.clone(),
                source: SOURCE.to_owned(),
                output_class: recipe.class_name().parse().ok(),
            });
        }
        for document in documents {
            match registry.put_document(&document, Existing::Refuse) {
                // Another process added it first.
                Ok(()) | Err(AssetError::Exists { .. }) => {}
                Err(error) => return Err(of_asset(&error)),
            }
        }
        Ok(())
    }
}

/// Adds a new alias to a genome that the registry already has, and to all its assets.
fn name_genome(registry: &Registry, build: &Build) -> Result<(), Diagnostic> {
    let Some(new) = &build.genome.new else { return Ok(()) };
    let catalog = registry.read().map_err(|error| of_asset(&error))?;
    let Ok(there) = catalog.genome(&build.genome.digest.clone().into()) else { return Ok(()) };
    if new.aliases.iter().any(|alias| !there.aliases.contains(alias)) {
        registry.add_genome(new).map_err(|error| of_asset(&error))?;
    }
    Ok(())
}

fn with_links(nodes: &Manifest, links: &[(RelPath, String)]) -> Result<Manifest, Diagnostic> {
    let link =
        |(path, target): &(RelPath, String)| (path.clone(), Node::Link { target: target.clone() });
    let own = nodes.iter().map(|(path, node)| (path.clone(), node.clone()));
    Manifest::new(own.chain(links.iter().map(link)))
        .map_err(|error| Diagnostic::error(Class::Integrity, error.to_string()))
}

/// Copies a directory with hard links to its files; both are on one file system.
fn share(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            share(&path, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path)?, &target)?;
        } else {
            fs::hard_link(&path, &target)?;
        }
    }
    Ok(())
}
