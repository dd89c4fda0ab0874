//! `wake recipe build`, `plan` and `why`

use std::io::Write;

use wake_asset::{Registry, RegistryPath};
use wake_recipe::given::{Given, GivenKind, GivenValue};
use wake_recipe::plan::{BuildRequest, ParentPolicy, UnknownGenome};
use wake_recipe::step::{BuildEnd, Purpose, step_count};
use wake_recipe::{Builds, Plan};
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::explain::Outlook;
use wake_steps::profile::Profile;
use wake_steps::{Cancel, Machine, Results, SchedulePolicy};

use crate::args::RecipeBuildArgs;
use crate::assets;
use crate::command::{plan as planned, why as explained};
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::outside::{Outside, history};
use crate::print;
use crate::recipes::{self, Library, RootFinder};
use crate::report::{self, witness::Witness};
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::{session, signals};

/// Builds assets, reporting progress.
pub(super) fn build(
    args: &RecipeBuildArgs,
    registry: &Registry,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let machine = session::machine(settings, Profile::default())?;
    let cancel = session::cancel()?;
    let plan = planned_builds(args, registry, &machine, settings, &cancel)?;
    let results = Results::new(step_count(&plan));
    let left = recipes::left_behind(&machine);
    let purpose = Purpose::Register(registry);
    let builds = Builds::new(plan, machine.store(), &results, purpose, left);
    let (keep_going, rebuild) = (args.keep_going, args.rebuild);
    let rules = SchedulePolicy { keep_going, rebuild, ..SchedulePolicy::default() };
    let mut witness = Witness::new(report::reporter(settings));
    let outside = Outside { machine: &machine, settings, rules, tells_host: true, cancel: &cancel };
    let end = outside.perform(&builds, &results, &mut witness);
    let style = settings.manner.style;
    let mut places = Vec::new();
    for (build, end) in builds.plan().builds.iter().zip(builds.ends()) {
        let label = build.label();
        let (verb, text) = match end {
            None => continue,
            Some(BuildEnd::Registered(registered)) => {
                places.push(registered.dir.clone());
                let tag = &registered.id.tag;
                let name = format!("{}/{}:{tag}", build.genome.called, build.asset);
                ("Registered", format!("{name} ({})", registered.digest))
            }
            Some(BuildEnd::There(id)) => {
                places.push(
                    registry
                        .read()
                        .map_err(|error| assets::failure(&error, settings))?
                        .data_dir(&id),
                );
                let name = format!("{}/{}:{}", build.genome.called, build.asset, id.tag);
                ("Unchanged", name)
            }
            Some(BuildEnd::Failed(left)) => {
                let text = format!("{label} left its unfinished outputs in {}", left.display());
                writeln!(say, "{}", style.verb(Role::Bad, "Failed", escape::line(&text)))?;
                continue;
            }
        };
        if settings.manner.verbosity > Verbosity::Quiet {
            writeln!(say, "{}", style.verb(Role::Good, verb, escape::line(&text)))?;
        }
    }
    if args.print {
        print::lines(places.iter().map(|place| place.display()), out)?;
    }
    Ok(Exit(witness.exit_code(signals::exit_code(end.exit))))
}

/// Prints what a build would do with each step, and why.
pub(super) fn plan(
    args: &RecipeBuildArgs,
    registry: &Registry,
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let steps = look(args, registry, settings, |_, outlook| outlook.plan())?;
    planned::tell(&steps, json, settings, out)
}

/// Prints why the named assets were last built, or would be built now.
pub(super) fn why(
    args: &RecipeBuildArgs,
    registry: &Registry,
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let answers = look(args, registry, settings, |builds, outlook| {
        // Earlier steps are planned first.
        outlook.plan()?;
        recipes::requested(builds)
            .into_iter()
            .map(|step| outlook.why(step))
            .collect::<Result<Vec<_>, _>>()
    })?;
    explained::tell_all(&answers, json, settings, out)
}

fn look<T>(
    args: &RecipeBuildArgs,
    registry: &Registry,
    settings: &Settings,
    look: impl FnOnce(&Builds<'_>, &Outlook<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let machine = session::machine(settings, Profile::default())?;
    let cancel = session::cancel()?;
    let plan = planned_builds(args, registry, &machine, settings, &cancel)?;
    let results = Results::new(step_count(&plan));
    let left = recipes::left_behind(&machine);
    let purpose = Purpose::Register(registry);
    let builds = Builds::new(plan, machine.store(), &results, purpose, left);
    let history = history(&machine);
    look(&builds, &Outlook::new(&machine, &builds, &results, &history, &cancel))
}

fn planned_builds(
    args: &RecipeBuildArgs,
    registry: &Registry,
    machine: &Machine,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<Plan, Failure> {
    let catalog = registry.read().map_err(|error| assets::failure(&error, settings))?;
    let assets = args.targets.iter().map(|target| {
        target.parse::<RegistryPath>().map_err(|error| assets::failure(&error.into(), settings))
    });
    let dirs = args.places.documents.iter().map(|dir| settings.cwd.join(dir));
    let mut dirs: Vec<_> = dirs.collect();
    if let Some(recipe) = args.recipe.as_ref().map(|recipe| settings.cwd.join(recipe))
        && recipe.is_file()
        && let Some(dir) = recipe.parent()
    {
        dirs.push(dir.to_owned());
    }
    let library = Library { catalog: Some(&catalog), dirs, settings };
    let roots = RootFinder::new(args.places.rootfs.clone(), machine.store(), settings, cancel);
    let request = BuildRequest {
        assets: assets.collect::<Result<_, _>>()?,
        given: given(args)?,
        recipe: args.recipe.clone(),
        parents: if args.no_parents { ParentPolicy::Refuse } else { ParentPolicy::Build },
        catalog: &catalog,
        documents: &library,
        roots: &roots,
        cwd: settings.cwd.clone(),
        unknown_genome: UnknownGenome::Refuse,
        genome_description: args.genome_description.clone(),
    };
    let plan = Plan::new(&request)?;
    for warning in &plan.warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
    Ok(plan)
}

fn given(args: &RecipeBuildArgs) -> Result<Given, Diagnostic> {
    let parse = |typed: &[String], kind: GivenKind| {
        typed.iter().map(|one| GivenValue::parse(one, kind.flag())).collect::<Result<Vec<_>, _>>()
    };
    Ok(Given {
        files: parse(&args.files, GivenKind::File)?,
        params: parse(&args.params, GivenKind::Param)?,
        assets: parse(&args.assets, GivenKind::Asset)?,
    })
}
