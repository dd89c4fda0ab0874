//! `wake recipe test`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use wake_asset::{AssetName, Registry, RegistryPath};
use wake_recipe::error::{of_asset, of_document};
use wake_recipe::given::{Given, GivenValue};
use wake_recipe::plan::{BuildRequest, Documents, FoundRecipe, ParentPolicy, UnknownGenome};
use wake_recipe::step::{Purpose, step_count};
use wake_recipe::{Builds, Plan};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::profile::Profile;
use wake_steps::{Cancel, Machine, Results, SchedulePolicy};
use wake_store::ware::{Portion, Web};

use crate::args::RecipeTestArgs;
use crate::command::test::{tell_cases, write_junit};
use crate::exit::{Exit, Outcome};
use crate::outside::Outside;
use crate::recipes::{self, Library, RootFinder};
use crate::report;
use crate::report::tests::TestListener;
use crate::report::witness::Witness;
use crate::settings::Settings;
use crate::{session, signals};

/// Runs recipes on the inputs of their tests.
pub(super) fn run(
    args: &RecipeTestArgs,
    registry: Option<Registry>,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let machine = session::machine(settings, Profile::default())?;
    let cancel = session::cancel()?;
    let empty =
        machine.store().scratch().map_err(|error| wake_steps::error::store_failure(&error))?;
    // Without a registry there are no genomes; what is built needs none to be kept in.
    let registry = match registry {
        Some(registry) => registry,
        None => Registry::create(&empty.path().join("genome_config.yaml"), None, &[])
            .map_err(|error| of_asset(&error))?,
    };
    let plan = plan(args, &registry, &machine, settings, &cancel)?;
    let results = Results::new(step_count(&plan));
    let left = recipes::left_behind(&machine);
    let builds = Builds::new(plan, machine.store(), &results, Purpose::Test, left);
    let rules = SchedulePolicy { keep_going: true, ..SchedulePolicy::default() };
    let (listener, ended) = TestListener::new(report::reporter(settings));
    let mut witness = Witness::new(Box::new(listener));
    let outside = Outside { machine: &machine, settings, rules, tells_host: true, cancel: &cancel };
    let end = outside.perform(&builds, &results, &mut witness);
    let mut ended = ended.borrow_mut();
    tell_cases(machine.store(), &mut ended, settings, say);
    if let Some(path) = &args.junit {
        write_junit(&settings.cwd.join(path), &ended)?;
    }
    Ok(Exit(witness.exit_code(signals::exit_code(end.exit))))
}

/// One plan of all recipes: each on inputs of its own.
fn plan(
    args: &RecipeTestArgs,
    registry: &Registry,
    machine: &Machine,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<Plan, Failure> {
    let catalog = registry.read().map_err(|error| of_asset(&error))?;
    let mut whole = Plan { builds: Vec::new(), warnings: Vec::new() };
    for named in &args.recipes {
        let mut dirs: Vec<PathBuf> =
            args.places.documents.iter().map(|dir| settings.cwd.join(dir)).collect();
        let file = settings.cwd.join(named);
        dirs.extend(file.parent().filter(|_| file.is_file()).map(Path::to_owned));
        let library = Library { catalog: Some(&catalog), dirs, settings };
        let roots = RootFinder::new(args.places.rootfs.clone(), machine.store(), settings, cancel);
        let (asset, found) = found(&library, named)?;
        let Some(test) = &found.recipe.test else {
            let mut warning = of_document(&found.recipe.error("the recipe has no `test` section"));
            warning.level = Level::Warning;
            report::diagnostic::tell(&warning, settings.manner);
            continue;
        };
        let mut files = Vec::new();
        for file in &test.files {
            let path = fetched(&file.location, &found.path, machine, settings, cancel)
                .map_err(|problem| of_document(&file.error(problem)))?;
            let value = path.display().to_string();
            files.push(GivenValue { key: format!("{asset}.{}", file.name), value });
        }
        let genome = match &test.genome {
            Some(genome) => genome.clone(),
            // Of a recipe that needs no genome it is only a name; of sequences it is what they are.
            None => "test".parse().map_err(|error: wake_asset::NameError| {
                Diagnostic::error(Class::Internal, error.to_string())
            })?,
        };
        let request = BuildRequest {
            assets: vec![RegistryPath { genome: Some(genome), asset, seek_key: None, tag: None }],
            given: Given { files, ..Given::default() },
            recipe: Some(named.clone()),
            parents: ParentPolicy::Build,
            catalog: &catalog,
            documents: &library,
            roots: &roots,
            cwd: settings.cwd.clone(),
            unknown_genome: UnknownGenome::Name,
            genome_description: None,
        };
        whole.append(Plan::new(&request)?);
    }
    if whole.builds.is_empty() {
        return Err(Diagnostic::error(Class::Nothing, "there is nothing to test").into());
    }
    for warning in &whole.warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
    Ok(whole)
}

/// The recipe of a name or a file, and the asset that it makes.
fn found(library: &Library<'_>, named: &str) -> Result<(AssetName, FoundRecipe), Diagnostic> {
    let wrong = |error: wake_asset::NameError| Diagnostic::error(Class::Usage, error.to_string());
    let any: AssetName = "asset".parse().map_err(wrong)?;
    let Some(found) = library.recipe(&any, Some(named))? else {
        return Err(Diagnostic::error(Class::Nothing, format!("there is no recipe `{named}`"))
            .help("`wake recipe list` shows those that there are; a file is named with its path"));
    };
    let asset = found.recipe.name.as_str().parse().map_err(wrong)?;
    Ok((asset, found))
}

/// Where a file of a test lies: beside its document, or in the store once it has been fetched.
fn fetched(
    location: &str,
    document: &Path,
    machine: &Machine,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<PathBuf, String> {
    let path = match location.strip_prefix("file://") {
        Some(path) => path,
        None if location.contains("://") => {
            return from_web(location, machine, settings, cancel);
        }
        None => location,
    };
    let dir = document.parent().unwrap_or(Path::new("/"));
    Ok(dir.join(path))
}

/// A file by its address, which is fetched once: whoever wants it anew removes it from the store.
fn from_web(
    url: &str,
    machine: &Machine,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<PathBuf, String> {
    let store = machine.store();
    let name = url.split(['?', '#']).next().unwrap_or_default().rsplit('/').next();
    let name = name.filter(|name| !name.is_empty() && !name.starts_with('.')).unwrap_or("file");
    let dir = store
        .outside_dir()
        .join("fetched")
        .join(wake_model::BlobDigest::of(url.as_bytes()).to_string())
        .path();
    let place = dir.join(name);
    if place.is_file() {
        return Ok(place);
    }
    let io = |error: std::io::Error| format!("`{}`: {error}", place.display());
    let scratch = store.scratch().map_err(|error| error.to_string())?;
    fs::create_dir_all(scratch.path()).map_err(io)?;
    let draft = scratch.path().join("file");
    let web = Web::new(settings.route.clone());
    let mut answer = web
        .get_patiently(url, &Portion::default(), cancel.meter())
        .map_err(|error| format!("`{url}`: {error}"))?;
    if answer.status != 200 {
        return Err(format!("`{url}`: the server says {}", answer.status_line));
    }
    let mut file = fs::File::create(&draft).map_err(io)?;
    std::io::copy(&mut answer.bytes, &mut file).map_err(|error| format!("`{url}`: {error}"))?;
    fs::create_dir_all(&dir).map_err(io)?;
    fs::rename(&draft, &place).map_err(io)?;
    Ok(place)
}
