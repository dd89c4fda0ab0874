//! Makes the builds of a request.
//!
//! | file | contains |
//! |---|---|
//! | `genome` | resolves a genome, or reads a new one |
//! | `classes` | finds the seek keys of an asset, from its class and the class's ancestors |
//! | `inputs` | resolves file inputs and parameters |
//! | `parents` | resolves asset inputs |
//! | `check` | renders every template before anything runs |

mod genome;
mod classes;
mod inputs;
mod parents;
mod check;

use wake_asset::{AssetError, Genome, GenomeName, RegistryPath};
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};

use super::Plan;
use super::build::{Build, GenomeRef};
use super::request::{BuildRequest, FoundRecipe};
use crate::error::{of_asset, warning};
use crate::given::GivenKind;

/// Plans a request.
pub(super) fn plan(request: &BuildRequest<'_>) -> Result<Plan, Diagnostic> {
    let mut planner = Planner {
        request,
        builds: Vec::new(),
        warnings: Vec::new(),
        used: Default::default(),
        known: Default::default(),
        genomes: Vec::new(),
    };
    for path in &request.assets {
        if let Some(key) = &path.seek_key {
            let message =
                format!("`{path}` names seek key `{key}`: only whole assets can be built");
            return Err(Diagnostic::error(Class::Usage, message));
        }
        planner.want(path, true, &mut Vec::new())?;
    }
    for (kind, (used, known)) in [GivenKind::File, GivenKind::Param, GivenKind::Asset]
        .into_iter()
        .zip(planner.used.iter().zip(&planner.known))
    {
        request.given.check_used(kind, used, known)?;
    }
    Ok(Plan { builds: planner.builds, warnings: planner.warnings })
}

struct Planner<'a> {
    request: &'a BuildRequest<'a>,
    builds: Vec<Build>,
    warnings: Vec<Diagnostic>,
    /// The indexes of the used command line inputs, by kind.
    used: [Vec<usize>; 3],
    /// The names of all inputs, by kind.
    known: [Vec<String>; 3],
    /// New genomes, by name.
    genomes: Vec<(GenomeName, Genome)>,
}

impl Planner<'_> {
    /// Adds an asset to the builds and returns its index. `way` lists the assets that need it, for cycle detection.
    fn want(
        &mut self,
        path: &RegistryPath,
        is_requested: bool,
        way: &mut Vec<String>,
    ) -> Result<usize, Diagnostic> {
        let called = path.genome.clone().ok_or_else(|| no_genome(path))?;
        let named = self.request.recipe.as_deref().filter(|_| is_requested);
        let found = self.request.documents.recipe(&path.asset, named)?;
        let FoundRecipe { recipe, path: recipe_path } =
            found.ok_or_else(|| self.no_recipe(path, named))?;
        let genome = self.genome(&called, path, &recipe)?;
        if let Some(number) = self.planned(&genome, path) {
            self.builds[number].is_requested |= is_requested;
            return Ok(number);
        }
        let label = format!("{}/{}", genome.digest, path.asset);
        if way.contains(&label) {
            way.push(label);
            let message =
                format!("assets depend on each other in a cycle: `{}`", way.join("` -> `"));
            return Err(Diagnostic::error(Class::Resolution, message)
                .help("break the cycle with `--assets NAME=GENOME/ASSET`"));
        }
        if let Some(tag) = &path.tag {
            tag.check_new().map_err(|error| Diagnostic::error(Class::Usage, error.to_string()))?;
        }
        self.warnings.extend(recipe.warnings.iter().map(warning));
        let (seek_keys, classes) = self.seek_keys(&recipe, &recipe_path)?;
        way.push(label);
        let (files, params) = self.files_and_params(&recipe, &genome, &path.asset)?;
        let mut assets = Vec::new();
        for input in &recipe.inputs.assets {
            assets.push(self.asset(input, &recipe, &genome, &path.asset, way)?);
        }
        way.pop();
        let root = self.request.roots.root(recipe.container.as_deref())?;
        let (asset, tag) = (path.asset.clone(), path.tag.clone());
        let build = Build {
            genome,
            asset,
            tag,
            recipe,
            recipe_path,
            seek_keys,
            classes,
            files,
            params,
            assets,
            root,
            is_requested,
        };
        self.check(&build)?;
        self.builds.push(build);
        Ok(self.builds.len() - 1)
    }

    /// Returns the build of an asset that is already planned.
    fn planned(&self, genome: &GenomeRef, path: &RegistryPath) -> Option<usize> {
        self.builds.iter().position(|build| {
            build.genome.digest == genome.digest
                && build.asset == path.asset
                && (path.tag.is_none() || build.tag == path.tag)
        })
    }

    fn no_recipe(&self, path: &RegistryPath, named: Option<&str>) -> Diagnostic {
        let name = named.unwrap_or(path.asset.as_str());
        let names = self.request.documents.recipe_names();
        let diagnostic = Diagnostic::error(Class::Nothing, format!("no recipe `{name}`"));
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => diagnostic.help(
                "add one with `wake recipe add FILE`, or use one from a file with `--recipe FILE`",
            ),
            None => diagnostic.help(format!(
                "known recipes: `{}`; use one from a file with `--recipe FILE`",
                names.join("`, `")
            )),
        }
    }
}

fn no_genome(path: &RegistryPath) -> Diagnostic {
    of_asset(&AssetError::NoGenome { path: path.to_string() })
}
