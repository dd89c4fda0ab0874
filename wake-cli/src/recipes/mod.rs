//! Recipes as what is built, planned, explained and tested: read, and handed to this machine as steps.

mod library;
mod roots;

use std::path::PathBuf;

use wake_asset::Registry;
use wake_recipe::Builds;
use wake_recipe::error::of_asset;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::{Machine, Steps};

pub(crate) use self::library::{Document, Library, read_document};
pub(crate) use self::roots::RootFinder;
use crate::environment::{self, Environment};
use crate::settings::Settings;

/// Opens the registry that is meant.
pub(crate) fn registry(
    typed: Option<&PathBuf>,
    settings: &Settings,
    environment: &Environment,
) -> Result<Registry, Failure> {
    let Some(path) = typed.or(environment.refgenie.as_ref()) else {
        return Err(Diagnostic::error(Class::Usage, "no registry of assets is named")
            .help("`--genome-config FILE` or the variable REFGENIE says where its `genome_config.yaml` is; `wake genome init FASTA` makes one where there is none")
            .into());
    };
    Registry::open(&settings.cwd.join(path), &environment::variable)
        .map_err(|error| of_asset(&error).into())
}

/// Where what failed commands left is put.
pub(crate) fn left_behind(machine: &Machine) -> PathBuf {
    machine.store().outside_dir().join("failed").path()
}

/// The numbers of the steps of what was asked for.
pub(crate) fn requested(builds: &Builds<'_>) -> Vec<wake_steps::StepId> {
    builds.order().iter().copied().filter(|step| builds.is_requested(*step)).collect()
}
