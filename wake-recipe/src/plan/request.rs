//! What is asked for, and who finds what it needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wake_asset::{AssetName, Catalog, RegistryPath};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::step::Root;

use crate::class::AssetClass;
use crate::given::Given;
use crate::recipe::Recipe;

/// What is asked for.
pub struct BuildRequest<'a> {
    /// The assets.
    pub assets: Vec<RegistryPath>,
    /// What they are given.
    pub given: Given,
    /// The recipe for all that is asked for; none: the one that is called as the asset is.
    pub recipe: Option<String>,
    /// What happens to assets that others are made of and that are not there.
    pub parents: ParentPolicy,
    /// What is in the registry.
    pub catalog: &'a Catalog,
    /// Who finds documents.
    pub documents: &'a dyn Documents,
    /// Who finds root file systems.
    pub roots: &'a dyn Roots,
    /// Where relative paths of files start.
    pub cwd: PathBuf,
    /// What a genome is that nobody knows.
    pub unknown_genome: UnknownGenome,
    /// What is said of genomes that are new.
    pub genome_description: Option<String>,
}

/// What happens to assets that others are made of and that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentPolicy {
    /// They are built first.
    Build,
    /// They are an error.
    Refuse,
}

/// What a genome is that nobody knows and no sequences tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownGenome {
    /// An error.
    Refuse,
    /// A mere name, for a test that keeps nothing.
    Name,
}

/// A recipe, and the text that it was read from.
#[derive(Clone, Debug)]
pub struct FoundRecipe {
    /// The recipe.
    pub recipe: Recipe,
    /// Where its document lies.
    pub path: PathBuf,
}

/// Who finds documents.
pub trait Documents: Sync {
    /// The recipe for an asset: the one that is named, else the one that is called as the asset is; none if there is none.
    fn recipe(
        &self,
        asset: &AssetName,
        named: Option<&str>,
    ) -> Result<Option<FoundRecipe>, Diagnostic>;

    /// The class of this name or path; none if there is none. `beside` is a document that names it.
    fn class(
        &self,
        name: &str,
        beside: Option<&std::path::Path>,
    ) -> Result<Option<AssetClass>, Diagnostic>;

    /// The names of all recipes that are known, for suggestions.
    fn recipe_names(&self) -> Vec<String>;

    /// The names of all classes that are known, for suggestions.
    fn class_names(&self) -> Vec<String>;
}

/// Who finds root file systems.
pub trait Roots: Sync {
    /// What commands run in whose recipe names this container, or none.
    fn root(&self, container: Option<&str>) -> Result<RootOf, Diagnostic>;
}

/// What commands run in.
#[derive(Clone, Debug)]
pub struct RootOf {
    /// The file system.
    pub root: Root,
    /// Variables that belong to it, as an image sets them.
    pub env: BTreeMap<String, String>,
}
