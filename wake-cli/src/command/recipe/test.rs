//! `wake recipe test`

use std::io::Write;
use std::path::{Path, PathBuf};

use wake_asset::{AssetName, Registry, RegistryPath};
use wake_recipe::error::of_document;
use wake_recipe::given::{Given, GivenValue};
use wake_recipe::plan::{BuildRequest, ParentPolicy, UnknownGenome};
use wake_recipe::recipe::TestFile;
use wake_recipe::step::{Purpose, step_count};
use wake_recipe::{Builds, Plan};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::profile::Profile;
use wake_steps::{Cancel, Machine, Results, SchedulePolicy};

use crate::args::RecipeTestArgs;
use crate::assets;
use crate::command::test::{tell_cases, write_junit};
use crate::exit::{Exit, Outcome};
use crate::outside::Outside;
use crate::recipes::{self, Fetcher, Freshness, Library, RootFinder};
use crate::report;
use crate::report::tests::TestListener;
use crate::report::witness::Witness;
use crate::settings::Settings;
use crate::{session, signals};

/// Runs recipes on their test inputs.
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
    // Without a registry there are no genomes. Test results are not stored in one.
    let registry = match registry {
        Some(registry) => registry,
        None => Registry::create(&empty.path().join("genome_config.yaml"), None, &[])
            .map_err(|error| assets::failure(&error, settings))?,
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

/// Plans all recipes together, each on its own inputs.
fn plan(
    args: &RecipeTestArgs,
    registry: &Registry,
    machine: &Machine,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<Plan, Failure> {
    let catalog = registry.read().map_err(|error| assets::failure(&error, settings))?;
    let mut whole = Plan { builds: Vec::new(), warnings: Vec::new() };
    let freshness = if args.refetch { Freshness::Fetched } else { Freshness::Kept };
    let fetcher = Fetcher { store: machine.store(), cancel, freshness };
    for named in &args.recipes {
        let mut dirs: Vec<PathBuf> =
            args.places.documents.iter().map(|dir| settings.cwd.join(dir)).collect();
        let file = settings.cwd.join(named);
        dirs.extend(file.parent().filter(|_| file.is_file()).map(Path::to_owned));
        let library = Library { catalog: Some(&catalog), dirs, settings };
        let roots = RootFinder::new(args.places.rootfs.clone(), machine.store(), settings, cancel);
        let found = library.named(named)?;
        let wrong =
            |error: wake_asset::NameError| Diagnostic::error(Class::Usage, error.to_string());
        let asset: AssetName = found.recipe.name.as_str().parse().map_err(wrong)?;
        let Some(test) = &found.recipe.test else {
            let mut warning = of_document(&found.recipe.error("the recipe has no `test` section"));
            warning.level = Level::Warning;
            report::diagnostic::tell(&warning, settings.manner);
            continue;
        };
        test.check_inputs(&found.recipe.inputs).map_err(|error| of_document(&error))?;
        let mut files = Vec::new();
        for file in &test.files {
            let path = located(file, &found.path, &fetcher)?;
            let value = path.display().to_string();
            files.push(GivenValue { key: format!("{asset}.{}", file.name), value });
        }
        let genome = match &test.genome {
            Some(genome) => genome.clone(),
            // For a recipe without a genome this is only a name; for sequences it is their digest.
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
        return Err(Diagnostic::error(Class::Nothing, "nothing to test").into());
    }
    for warning in &whole.warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
    Ok(whole)
}

/// Locates a test file: relative to its document, or in the store after fetching.
fn located(file: &TestFile, document: &Path, fetcher: &Fetcher<'_>) -> Result<PathBuf, Diagnostic> {
    let at_file = |told: Diagnostic| {
        let place = of_document(&file.error(String::new())).place;
        let message = format!("file `{}` of `test`: {}", file.name, told.message);
        Diagnostic { place, message, ..told }
    };
    let path = match file.location.strip_prefix("file://") {
        Some(path) => path,
        None if file.location.contains("://") => {
            return fetcher.file(&file.location).map_err(at_file);
        }
        None => &file.location,
    };
    let path = document.parent().unwrap_or(Path::new("/")).join(path);
    match path.is_file() {
        true => Ok(path),
        false => {
            let message = format!("no file `{}`", path.display());
            Err(at_file(Diagnostic::error(Class::Nothing, message))
                .help("use a URL, or a path relative to the document"))
        }
    }
}
