//! Build requests, and the traits that find documents and root file systems.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wake_asset::{AssetName, Catalog, RegistryPath};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::step::Root;

use crate::class::AssetClass;
use crate::given::Given;
use crate::recipe::Recipe;

/// A request to build assets.
pub struct BuildRequest<'a> {
    /// The requested assets.
    pub assets: Vec<RegistryPath>,
    /// Inputs from the command line.
    pub given: Given,
    /// The recipe for all requested assets; none for the recipe with the asset's name.
    pub recipe: Option<String>,
    /// What to do with missing parents.
    pub parents: ParentPolicy,
    /// The contents of the registry.
    pub catalog: &'a Catalog,
    /// Finds documents.
    pub documents: &'a dyn Documents,
    /// Finds root file systems.
    pub roots: &'a dyn Roots,
    /// The base of relative file paths.
    pub cwd: PathBuf,
    /// What to do with an unknown genome.
    pub unknown_genome: UnknownGenome,
    /// The description of new genomes.
    pub genome_description: Option<String>,
}

/// What to do with missing parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentPolicy {
    /// Build them first.
    Build,
    /// Fail.
    Refuse,
}

/// What to do with a genome that is not in the registry and has no sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownGenome {
    /// Fail.
    Refuse,
    /// Treat it as a bare name, for a test that registers nothing.
    Name,
}

/// A recipe and the path of its document.
#[derive(Clone, Debug)]
pub struct FoundRecipe {
    /// The recipe.
    pub recipe: Recipe,
    /// The path of its document.
    pub path: PathBuf,
}

/// Finds recipes and asset classes.
pub trait Documents: Sync {
    /// Finds the recipe for an asset: the named one, else the one with the asset's name.
    fn recipe(
        &self,
        asset: &AssetName,
        named: Option<&str>,
    ) -> Result<Option<FoundRecipe>, Diagnostic>;

    /// Finds the class of this name or path. `beside` is a document that refers to it.
    fn class(
        &self,
        name: &str,
        beside: Option<&std::path::Path>,
    ) -> Result<Option<AssetClass>, Diagnostic>;

    /// Returns the names of all known recipes, for suggestions.
    fn recipe_names(&self) -> Vec<String>;

    /// Returns the names of all known classes, for suggestions.
    fn class_names(&self) -> Vec<String>;
}

/// Finds root file systems.
pub trait Roots: Sync {
    /// Returns the root for a recipe with this container, or without one.
    fn root(&self, container: Option<&str>) -> Result<RootOf, Diagnostic>;
}

/// The root file system for commands.
#[derive(Clone, Debug)]
pub struct RootOf {
    /// The file system.
    pub root: Root,
    /// Environment variables that an image sets.
    pub env: BTreeMap<String, String>,
}
