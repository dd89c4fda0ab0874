//! From what is asked for to what is built.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_asset::{
    AssetError, AssetName, ClassName, Genome, GenomeName, NewGenome, RegistryPath, SeekEntry,
    SeekType, Tag,
};
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_yaml::DocumentError;

use super::Plan;
use super::build::{Build, GenomeRef, GivenAsset, GivenFile, Origin};
use super::request::{BuildRequest, FoundRecipe, ParentPolicy, UnknownGenome};
use crate::class::{AssetClass, Classes, ParentClass, SeekKeys};
use crate::content::{asset_inputs, read_file, unreadable};
use crate::error::{of_asset, of_document, warning};
use crate::given::{GivenKind, names_of_genome};
use crate::name::InputName;
use crate::recipe::{AssetInput, OutputClass, Recipe};
use crate::template::Written;

/// The class whose assets say which genome it is.
const FASTA: &str = "fasta";
/// Hexadecimal digits of the digest of a genome.
const DIGITS: usize = 48;

/// The files and the values that a recipe is given.
type FilesAndParams = (Vec<GivenFile>, Vec<(InputName, Value)>);

/// Plans what is asked for.
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
                format!("`{path}` names the part `{key}` of an asset: assets are built whole");
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
    /// Which of the given values are used, by kind.
    used: [Vec<usize>; 3],
    /// The names of inputs that there are, by kind.
    known: [Vec<String>; 3],
    /// Genomes that are new, by what they are called.
    genomes: Vec<(GenomeName, Genome)>,
}

impl Planner<'_> {
    /// Has an asset among the builds; its number. `way` are the assets that want it.
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
            let message = format!("assets are made of each other: `{}`", way.join("` < `"));
            return Err(Diagnostic::error(Class::Resolution, message)
                .help("give one of them with `--assets NAME=GENOME/ASSET`"));
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

    /// The build of an asset that is planned already.
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
        let diagnostic = Diagnostic::error(Class::Nothing, format!("there is no recipe `{name}`"));
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => diagnostic
                .help("`wake recipe add FILE` adds one, `--recipe FILE` takes one from a file"),
            None => diagnostic.help(format!(
                "there are `{}`; `--recipe FILE` takes one from a file",
                names.join("`, `")
            )),
        }
    }

    /// The genome that is called so; one that is not there yet is that of the sequences that are given.
    fn genome(
        &mut self,
        called: &GenomeName,
        path: &RegistryPath,
        recipe: &Recipe,
    ) -> Result<GenomeRef, Diagnostic> {
        let missing = match self.request.catalog.genome(called) {
            Ok(genome) => {
                return Ok(GenomeRef {
                    digest: genome.digest.clone(),
                    called: called.clone(),
                    aliases: genome.aliases.clone(),
                    new: None,
                });
            }
            Err(error) => error,
        };
        let known = self.genomes.iter().find(|(name, _)| name == called);
        let genome = match known {
            Some((_, genome)) => genome.clone(),
            None => {
                let genome = self.new_genome(called, path, recipe, &missing)?;
                self.genomes.push((called.clone(), genome.clone()));
                genome
            }
        };
        let is_digest = genome.digest.as_str() == called.as_str();
        let aliases = if is_digest { Vec::new() } else { vec![called.clone()] };
        let (digest, description) =
            (genome.digest.clone(), self.request.genome_description.clone());
        let new = Some(NewGenome { genome, aliases: aliases.clone(), description });
        Ok(GenomeRef { digest, called: called.clone(), aliases, new })
    }

    fn new_genome(
        &mut self,
        called: &GenomeName,
        path: &RegistryPath,
        recipe: &Recipe,
        missing: &AssetError,
    ) -> Result<Genome, Diagnostic> {
        let asset = match recipe.class_name() {
            FASTA => path.asset.clone(),
            _ => FASTA.parse().map_err(|_| of_asset(missing))?,
        };
        let given = self.request.given.find(GivenKind::File, &[called.as_str()], &asset, &[FASTA]);
        let Some((_, file)) = given else {
            if self.request.unknown_genome == UnknownGenome::Name
                && let Ok(digest) = "0".repeat(DIGITS).parse()
            {
                return Ok(Genome { digest, sequences: Vec::new() });
            }
            return Err(of_asset(missing)
                .help("a build of the asset `fasta` adds one: `--files fasta=FILE`"));
        };
        let file = self.request.cwd.join(file);
        if let Err(error) = std::fs::metadata(&file) {
            return Err(unreadable(&format!("file `{FASTA}`"), &file, &error));
        }
        Genome::of_fasta(&file).map_err(|error| of_asset(&error))
    }

    /// The seek keys of what a recipe makes, and the classes that they come from.
    fn seek_keys(
        &self,
        recipe: &Recipe,
        recipe_path: &Path,
    ) -> Result<(SeekKeys, Vec<AssetClass>), Diagnostic> {
        let finder =
            ClassFinder { request: self.request, beside: recipe_path, found: Default::default() };
        let class = match &recipe.output_class {
            OutputClass::Own(class) => (**class).clone(),
            OutputClass::Named(name) => finder.find(name.as_str(), recipe)?,
        };
        let keys = class.seek_keys(&finder).map_err(|error| of_document(&error))?;
        // What came first is what others inherit from, once.
        let mut classes = finder.found.into_inner().unwrap_or_default();
        if matches!(recipe.output_class, OutputClass::Own(_)) {
            classes.clear();
        }
        classes.reverse();
        let mut seen: Vec<ClassName> = Vec::new();
        classes.retain(|class| {
            let is_new = !seen.contains(&class.name);
            seen.push(class.name.clone());
            is_new
        });
        Ok((keys, classes))
    }

    fn files_and_params(
        &mut self,
        recipe: &Recipe,
        genome: &GenomeRef,
        asset: &AssetName,
    ) -> Result<FilesAndParams, Diagnostic> {
        let given = &self.request.given;
        let names = names_of_genome(&genome.called, genome.digest.as_str(), &genome.aliases);
        let (mut files, mut params, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for input in &recipe.inputs.files {
            self.known[0].push(input.name.to_string());
            match given.find(GivenKind::File, &names, asset, &[input.name.as_str()]) {
                Some((number, path)) => {
                    self.used[0].push(number);
                    files.push((input.name.clone(), self.request.cwd.join(path)));
                }
                None => missing.push((
                    format!("file `{}` ({})", input.name, input.description),
                    format!("--files {}=FILE", input.name),
                )),
            }
        }
        for input in &recipe.inputs.params {
            self.known[1].push(input.name.to_string());
            let name = input.name.clone();
            match given.find(GivenKind::Param, &names, asset, &[name.as_str()]) {
                Some((number, typed)) => {
                    self.used[1].push(number);
                    let value = input.parse(typed);
                    let wrong = |message| Diagnostic::error(Class::Usage, message);
                    params.push((name, value.map_err(wrong)?));
                }
                None => match &input.default {
                    Some(default) => params.push((name, default.clone())),
                    None => missing.push((
                        format!("parameter `{name}` ({})", input.description),
                        format!("--params {name}=VALUE"),
                    )),
                },
            }
        }
        if !missing.is_empty() {
            let (what, flags): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            let label = format!("{}/{asset}", genome.called);
            let message = format!("{label} needs {}", what.join(", "));
            return Err(Diagnostic::error(Class::Usage, message)
                .help(format!("give what is missing: `{}`", flags.join(" "))));
        }
        let read = |(name, path): (InputName, PathBuf)| {
            let file = read_file(&path)
                .map_err(|error| unreadable(&format!("file `{name}`"), &path, &error))?;
            Ok(GivenFile { name, file })
        };
        let files = files.into_iter().map(read).collect::<Result<_, Diagnostic>>()?;
        Ok((files, params))
    }

    fn asset(
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
                        Diagnostic::error(Class::Usage, message)
                            .help(format!("give what is missing: `{flag}`"))
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

    /// Where an asset comes from: what is built here, what is in the registry, or what can be built.
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
        // Of a genome that is not here it was typed which one.
        let is_known =
            path.genome.as_ref().is_some_and(|called| self.request.catalog.genome(called).is_ok());
        if self.request.parents == ParentPolicy::Refuse {
            let told = of_asset(&missing);
            let told = if is_known { named.placed(told) } else { told };
            return Err(told.help("without `--no-parents` it is built first"));
        }
        let has_recipe = self.request.documents.recipe(&path.asset, None)?.is_some();
        if !has_recipe && !is_known {
            return Err(named.placed(self.no_recipe(path, None)));
        }
        if !has_recipe {
            return Err(named
                .placed(of_asset(&missing))
                .note(format!("and there is no recipe `{}` to build it", path.asset)));
        }
        Ok(Origin::Built(self.want(&whole, false, way)?))
    }

    /// Whether a file is given for what an asset is built from, and not for what is built from that: then it is built from it, though
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

    /// Whether an asset is of the class that an input asks for, and has the part that is asked for.
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
        // Older registries know no classes.
        if let Some(class) = class.filter(|class| *class != given.class) {
            let message = format!(
                "`{path}` is of class `{class}`, and input `{}` of recipe `{}` of class `{}`",
                given.name, recipe.name, given.class
            );
            let place = of_document(&input.class_written.error("")).place;
            return Err(Diagnostic::error(Class::Resolution, message)
                .at(place)
                .help(format!("give another one: `{flag}`")));
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

    /// Fills in every template of a build, before anything is run: what is known only then stands for itself.
    fn check(&self, build: &Build) -> Result<(), Diagnostic> {
        let wrong = |error: DocumentError| of_document(&error);
        let properties: Vec<_> = build
            .recipe
            .custom_properties
            .iter()
            .map(|property| (property.name.clone(), "1".to_owned()))
            .collect();
        let mut found = Vec::new();
        for given in &build.assets {
            let (asset, entries) = self.likely_entries(given, build);
            let value = given.value(&asset, &entries).unwrap_or(Value::Null);
            found.push((given.name.clone(), value, entries));
        }
        let tag: Tag = build.tag.clone().unwrap_or_default();
        let values = build.values(&properties, &found, Some(&tag));
        for command in &build.recipe.commands {
            command.render(&values).map_err(wrong)?;
            check_names(command, &values).map_err(wrong)?;
        }
        if let (Some(template), None) = (&build.recipe.default_tag, &build.tag) {
            template.render(&build.values(&properties, &found, None)).map_err(wrong)?;
        }
        let values = build.seek_values(&properties, &found, &tag);
        for decl in &build.seek_keys.keys {
            decl.value.render(&values).map_err(wrong)?;
        }
        Ok(())
    }

    /// The seek keys of an asset that is given, with what is not known yet in their values.
    fn likely_entries(&self, given: &GivenAsset, child: &Build) -> (AssetName, Vec<SeekEntry>) {
        match &given.origin {
            Origin::Registered { id, seek_keys, .. } => (id.asset.clone(), seek_keys.clone()),
            Origin::Built(number) => {
                let parent = self.builds.get(*number).unwrap_or(child);
                let entry = |decl: &crate::class::SeekKeyDecl| SeekEntry {
                    key: decl.key.clone(),
                    kind: decl.kind,
                    value: decl.value.source().to_owned(),
                };
                (parent.asset.clone(), parent.seek_keys.keys.iter().map(entry).collect())
            }
        }
    }
}

/// An asset that is to be given, with where a recipe names it, if one does.
struct NamedAsset<'a> {
    path: &'a RegistryPath,
    written: Option<&'a Written>,
}

impl NamedAsset<'_> {
    /// What is said of it, where it is named.
    fn placed(&self, diagnostic: Diagnostic) -> Diagnostic {
        let place = self.written.and_then(|written| of_document(&written.error("")).place);
        diagnostic.at(place)
    }
}

/// That each name of a template has a value also where a condition on what is not known yet leaves it out.
fn check_names(
    template: &crate::template::Template,
    values: &crate::template::Values,
) -> Result<(), DocumentError> {
    let source = template.source();
    let asks_itself = source.contains("defined") || source.contains("default");
    match source.contains("{%") && source.contains("custom_") && !asks_itself {
        true => template.check_names(values),
        false => Ok(()),
    }
}

/// An asset of the registry as one that is given.
fn registered(found: &wake_asset::Found<'_>, genomes: &Path) -> Result<Origin, Diagnostic> {
    let dir = found.data_dir();
    let title = found.title();
    let inputs = asset_inputs(&dir, genomes).map_err(|error| {
        unreadable(&format!("asset `{title}`"), &dir, &error)
            .help("`wake recipe build` builds it again")
    })?;
    let digest = found.digest().map_err(|error| of_asset(&error))?;
    let entry = |(key, value): &(wake_asset::SeekKey, String)| {
        let kind = found.seek_type(key.as_str()).unwrap_or(SeekType::File);
        SeekEntry { key: key.clone(), kind, value: value.clone() }
    };
    let seek_keys = found.entry.seek_keys.iter().map(entry).collect();
    Ok(Origin::Registered { id: found.id.clone(), digest, seek_keys, inputs })
}

fn no_genome(path: &RegistryPath) -> Diagnostic {
    of_asset(&AssetError::NoGenome { path: path.to_string() })
}

/// What is wrong with a class: where it says so itself, else where another one names it.
fn failed_at(parent: &ParentClass, diagnostic: Diagnostic) -> DocumentError {
    let hint = diagnostic.help.first().cloned();
    let error = parent.error(diagnostic.message);
    match diagnostic.place {
        None => DocumentError { hint, ..error },
        Some(at) => {
            let place = wake_yaml::Place { file: at.file.into(), line: at.line, column: at.column };
            DocumentError { place, source_line: at.source_line, hint, ..error }
        }
    }
}

/// Finds the classes that others inherit from, and remembers which.
struct ClassFinder<'a> {
    request: &'a BuildRequest<'a>,
    beside: &'a Path,
    found: std::sync::Mutex<Vec<AssetClass>>,
}

impl ClassFinder<'_> {
    fn find(&self, name: &str, recipe: &Recipe) -> Result<AssetClass, Diagnostic> {
        let found = self.request.documents.class(name, Some(self.beside))?;
        let Some(class) = found else {
            let message = format!("there is no asset class `{name}`");
            return Err(self.no_class(name, of_document(&recipe.class_error(message))));
        };
        self.remember(&class);
        Ok(class)
    }

    fn no_class(&self, name: &str, diagnostic: Diagnostic) -> Diagnostic {
        let names = self.request.documents.class_names();
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!(
                "`wake recipe add FILE` adds one, and `{name}_asset_class.yaml` beside the recipe is one"
            )),
        }
    }

    fn remember(&self, class: &AssetClass) {
        if let Ok(mut found) = self.found.lock() {
            found.push(class.clone());
        }
    }
}

impl Classes for ClassFinder<'_> {
    fn class(&self, child: &AssetClass, parent: &ParentClass) -> Result<AssetClass, DocumentError> {
        let failed = |diagnostic: Diagnostic| failed_at(parent, diagnostic);
        let name = parent.name();
        let found = self.request.documents.class(name, Some(self.beside)).map_err(failed)?;
        let class = found.ok_or_else(|| {
            let message =
                format!("class `{}` inherits from `{name}`, which is no class", child.name);
            failed(self.no_class(name, Diagnostic::error(Class::Evaluation, message)))
        })?;
        self.remember(&class);
        Ok(class)
    }
}
