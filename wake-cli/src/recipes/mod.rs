//! Recipes as what is built, planned, explained and tested: read, and handed to this machine as steps.

mod library;
mod roots;

use std::path::PathBuf;

use wake_asset::Registry;
use wake_recipe::Builds;
use wake_recipe::error::of_asset;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::Reporter;
use wake_steps::history::History;
use wake_steps::run::{Run, RunEnd, announce};
use wake_steps::{Batch, Cancel, Machine, Results, SchedulePolicy, Steps, clock};
use wake_store::ConfinedPath;

pub(crate) use self::library::{Document, Library, read_document};
pub(crate) use self::roots::RootFinder;
use crate::environment::{self, Environment};
use crate::settings::Settings;

/// So many logs of runs of recipes are kept, with those of formulas.
const KEPT_LOGS: usize = 1000;

/// Opens the registry that is meant.
pub(crate) fn registry(
    typed: Option<&PathBuf>,
    settings: &Settings,
    environment: &Environment,
) -> Result<Registry, Failure> {
    let Some(path) = typed.or(environment.refgenie.as_ref()) else {
        return Err(Diagnostic::error(Class::Usage, "no registry of assets is named")
            .help("`--genome-config FILE` or the variable REFGENIE says where its `genome_config.yaml` is")
            .into());
    };
    Registry::open(&settings.cwd.join(path), &environment::variable)
        .map_err(|error| of_asset(&error).into())
}

/// Where what failed commands left is put.
pub(crate) fn left_behind(machine: &Machine) -> PathBuf {
    machine.store().outside_dir().join("failed").path()
}

/// Carries builds out, telling `reporter` of each.
pub(crate) fn perform(
    builds: &Builds<'_>,
    results: &Results,
    machine: &Machine,
    rules: SchedulePolicy,
    settings: &Settings,
    cancel: &Cancel,
    reporter: &mut dyn Reporter,
) -> RunEnd {
    let started = clock::now();
    let run = Run {
        state_dir: &machine.store().outside_dir(),
        kept_logs: KEPT_LOGS,
        overrides: &[],
        argv: &settings.argv,
        root: &settings.cwd,
        tells_host: true,
        cancel,
        started,
    };
    let mut history = history(machine);
    let (end, _) = machine.run(&run, reporter, |reporter, ending| {
        announce(builds, &history, reporter);
        let work = Batch {
            steps: builds,
            results,
            sources: &PathBuf::from("/"),
            history: &history,
            rules,
            cancel,
            started,
        };
        *ending = machine.perform(&work, reporter);
        history.note_all(builds, ending);
        // Only explanations and estimates are lost with it.
        let _ = history.write(&history_file(machine));
        Ok::<(), Failure>(())
    });
    end
}

/// What recipes did before.
pub(crate) fn history(machine: &Machine) -> History {
    History::read(&history_file(machine)).unwrap_or_default()
}

fn history_file(machine: &Machine) -> ConfinedPath {
    machine.store().outside_dir().join("state/recipes")
}

/// The numbers of the steps of what was asked for.
pub(crate) fn requested(builds: &Builds<'_>) -> Vec<wake_steps::StepId> {
    builds.order().iter().copied().filter(|step| builds.is_requested(*step)).collect()
}
