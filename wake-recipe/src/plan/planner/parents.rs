//! Resolves the asset inputs of a recipe: from the registry, or built first.

use std::path::Path;

use wake_asset::{AssetName, RegistryPath, SeekEntry, SeekType};
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};

use super::super::build::{GenomeRef, GivenAsset, Origin};
use super::super::request::{BuildRequest, ParentPolicy};
use super::Planner;
use crate::content::{asset_inputs, unreadable};
use crate::error::{of_asset, of_document};
use crate::given::{GivenKind, names_of_genome};
use crate::recipe::{AssetInput, Recipe};
use crate::template::Written;

impl Planner<'_> {
    pub(super) fn asset(
        &mut self,
        input: &AssetInput,
        recipe: &Recipe,
        genome: &GenomeRef,
        asset: &AssetName,
        way: &mut Vec<String>,
    ) -> Result<GivenAsset, Diagnostic> {
        let names = names_of_genome(&genome.called, genome.digest.as_str(), &genome.aliases);
        let mut called = vec![input.name.as_str()];
        let by_class = recipe.inputs.asset(input.class.as_str());
        if by_class.is_some_and(|one| one.name == input.name) {
            called.push(input.class.as_str());
        }
        self.known[2].push(input.name.to_string());
        let flag = format!("--assets {}=ASSET", input.name);
        let (mut path, written) =
            match self.request.given.find(GivenKind::Asset, &names, asset, &called) {
                Some((number, typed)) => {
                    self.used[2].push(number);
                    let path = typed.parse::<RegistryPath>().map_err(|error| {
                        of_asset(&error.into())
                            .note(format!("in `--assets {}={typed}`", input.name))
                    })?;
                    (path, None)
                }
                None => {
                    let default = input.default.clone().ok_or_else(|| {
                        let label = format!("{}/{asset}", genome.called);
                        let message =
                            format!("{label} needs asset `{}` ({})", input.name, input.description);
                        Diagnostic::error(Class::Usage, message).help(format!("add `{flag}`"))
                    })?;
                    (default.path, Some(default.written))
                }
            };
        path.genome.get_or_insert_with(|| genome.called.clone());
        let named = NamedAsset { path: &path, written: written.as_ref() };
        let origin = self.origin(&named, genome, recipe, way)?;
        let given = GivenAsset {
            name: input.name.clone(),
            class: input.class.to_string(),
            seek_key: path.seek_key.clone(),
            origin,
        };
        self.check_class(&given, &named, input, recipe, &flag)?;
        Ok(given)
    }

    /// Returns the origin of an asset input: a build of this plan, the registry, or an additional build.
    fn origin(
        &mut self,
        named: &NamedAsset<'_>,
        own: &GenomeRef,
        child: &Recipe,
        way: &mut Vec<String>,
    ) -> Result<Origin, Diagnostic> {
        let path = named.path;
        let whole = RegistryPath { seek_key: None, ..path.clone() };
        let genome = match &path.genome {
            Some(called) if *called != own.called => match self.request.catalog.genome(called) {
                Ok(genome) => genome.digest.clone(),
                Err(_) => match self.genomes.iter().find(|(name, _)| name == called) {
                    Some((_, genome)) => genome.digest.clone(),
                    None => own.digest.clone(),
                },
            },
            _ => own.digest.clone(),
        };
        let is_asked = |request: &BuildRequest<'_>| {
            request.assets.iter().any(|asked| {
                asked.asset == path.asset
                    && (path.tag.is_none() || asked.tag == path.tag)
                    && asked.genome.as_ref().is_some_and(|called| {
                        *called == own.called
                            || called.as_str() == genome.as_str()
                            || self
                                .request
                                .catalog
                                .genome(called)
                                .is_ok_and(|found| found.digest == genome)
                    })
            })
        };
        if is_asked(self.request) {
            return Ok(Origin::Built(self.want(&whole, true, way)?));
        }
        let is_given = self.is_given(&whole, own, child)?;
        let missing = match self.request.catalog.find(&whole) {
            Ok(_) if is_given => return Ok(Origin::Built(self.want(&whole, false, way)?)),
            Ok(found) => return registered(&found, self.request.catalog.genome_folder()),
            Err(error) => error,
        };
        // A genome that is not in the registry was named on the command line, so the error is not at a document.
        let is_known =
            path.genome.as_ref().is_some_and(|called| self.request.catalog.genome(called).is_ok());
        if self.request.parents == ParentPolicy::Refuse {
            let told = of_asset(&missing);
            let told = if is_known { named.placed(told) } else { told };
            return Err(told.help("omit `--no-parents` to build it first"));
        }
        let has_recipe = self.request.documents.recipe(&path.asset, None)?.is_some();
        if !has_recipe && !is_known {
            return Err(named.placed(self.no_recipe(path, None)));
        }
        if !has_recipe {
            return Err(named
                .placed(of_asset(&missing))
                .note(format!("and no recipe `{}` can build it", path.asset)));
        }
        Ok(Origin::Built(self.want(&whole, false, way)?))
    }

    /// Whether a file is given for an input that only the parent's recipe has, not the child's. Then the parent is built, even if
    /// the registry has one.
    fn is_given(
        &self,
        path: &RegistryPath,
        own: &GenomeRef,
        child: &Recipe,
    ) -> Result<bool, Diagnostic> {
        if self.request.parents == ParentPolicy::Refuse {
            return Ok(false);
        }
        let Some(found) = self.request.documents.recipe(&path.asset, None)? else {
            return Ok(false);
        };
        let names = names_of_genome(&own.called, own.digest.as_str(), &own.aliases);
        Ok(found.recipe.inputs.files.iter().any(|input| {
            let name = input.name.as_str();
            child.inputs.files.iter().all(|own| own.name != input.name)
                && self.request.given.find(GivenKind::File, &names, &path.asset, &[name]).is_some()
        }))
    }

    /// Checks that an asset has the class that the input requires, and the requested seek key.
    fn check_class(
        &self,
        given: &GivenAsset,
        named: &NamedAsset<'_>,
        input: &AssetInput,
        recipe: &Recipe,
        flag: &str,
    ) -> Result<(), Diagnostic> {
        let path = named.path;
        let found = self.request.catalog.find(&RegistryPath { seek_key: None, ..path.clone() });
        let (class, keys): (Option<String>, Vec<String>) = match &given.origin {
            Origin::Built(number) => {
                let build = &self.builds[*number];
                let keys = build.seek_keys.keys.iter().map(|decl| decl.key.to_string());
                (Some(build.seek_keys.class.to_string()), keys.collect())
            }
            Origin::Registered { seek_keys, .. } => {
                let class = found.ok().and_then(|found| found.asset.class.clone());
                let keys = seek_keys.iter().map(|entry| entry.key.to_string());
                (class.map(|class| class.to_string()), keys.collect())
            }
        };
        // Older registries have no classes.
        if let Some(class) = class.filter(|class| *class != given.class) {
            let message = format!(
                "`{path}` has class `{class}`, but input `{}` of recipe `{}` requires class `{}`",
                given.name, recipe.name, given.class
            );
            let place = of_document(&input.class_written.error("")).place;
            return Err(Diagnostic::error(Class::Resolution, message)
                .at(place)
                .help(format!("choose another asset: `{flag}`")));
        }
        let Some(key) =
            given.seek_key.as_ref().filter(|key| !keys.iter().any(|one| one == key.as_str()))
        else {
            return Ok(());
        };
        let message = format!("`{path}`: asset `{}` has no seek key `{key}`", path.asset);
        let diagnostic = named.placed(Diagnostic::error(Class::Nothing, message));
        Err(match nearest(key.as_str(), keys.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("it has `{}`", keys.join("`, `"))),
        })
    }
}

/// An asset input, with the place where the recipe names it, if it does.
struct NamedAsset<'a> {
    path: &'a RegistryPath,
    written: Option<&'a Written>,
}

impl NamedAsset<'_> {
    /// Adds that place to a diagnostic.
    fn placed(&self, diagnostic: Diagnostic) -> Diagnostic {
        let place = self.written.and_then(|written| of_document(&written.error("")).place);
        diagnostic.at(place)
    }
}

/// Returns an asset of the registry as the origin of an input.
fn registered(found: &wake_asset::Found<'_>, genomes: &Path) -> Result<Origin, Diagnostic> {
    let dir = found.data_dir();
    let title = found.title();
    let inputs = asset_inputs(&dir, genomes).map_err(|error| {
        unreadable(&format!("asset `{title}`"), &dir, &error)
            .help("rebuild it with `wake recipe build`")
    })?;
    let digest = found.digest().map_err(|error| of_asset(&error))?;
    let entry = |(key, value): &(wake_asset::SeekKey, String)| {
        let kind = found.seek_type(key.as_str()).unwrap_or(SeekType::File);
        SeekEntry { key: key.clone(), kind, value: value.clone() }
    };
    let seek_keys = found.entry.seek_keys.iter().map(entry).collect();
    Ok(Origin::Registered { id: found.id.clone(), digest, seek_keys, inputs })
}
