//! Recipes as what is built, planned, explained and tested: read, and handed to this machine as steps.

mod library;
mod roots;
mod fetched;

use std::path::PathBuf;

use wake_recipe::Builds;
use wake_steps::{Machine, Steps};

pub(crate) use self::fetched::{Fetcher, Freshness};
pub(crate) use self::library::{Document, Library, read_document};
pub(crate) use self::roots::RootFinder;

/// Where what failed commands left is put.
pub(crate) fn left_behind(machine: &Machine) -> PathBuf {
    machine.store().outside_dir().join("failed").path()
}

/// The numbers of the steps of what was asked for.
pub(crate) fn requested(builds: &Builds<'_>) -> Vec<wake_steps::StepId> {
    builds.order().iter().copied().filter(|step| builds.is_requested(*step)).collect()
}
