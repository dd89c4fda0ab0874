//! Recipes: read from documents, and turned into steps for this machine.

mod library;
mod roots;
mod fetched;

use std::path::PathBuf;

use wake_recipe::Builds;
use wake_steps::{Machine, Steps};

pub(crate) use self::fetched::{Fetcher, Freshness};
pub(crate) use self::library::{Document, Library, read_document};
pub(crate) use self::roots::RootFinder;

/// Returns the directory for the outputs of failed commands.
pub(crate) fn left_behind(machine: &Machine) -> PathBuf {
    machine.store().outside_dir().join("failed").path()
}

/// Returns the ids of the requested steps.
pub(crate) fn requested(builds: &Builds<'_>) -> Vec<wake_steps::StepId> {
    builds.order().iter().copied().filter(|step| builds.is_requested(*step)).collect()
}
