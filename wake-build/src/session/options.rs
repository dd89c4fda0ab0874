//! What the command line and the environment decide.

use std::path::PathBuf;
use std::sync::Arc;

use wake_model::SandboxLevel;
use wake_steps::profile::Profile;
use wake_store::Owners;
use wake_store::ware::Route;

use crate::gauge::FetchGauge;
use crate::options::ChosenOptions;
use crate::registries::{Mirrors, Reach};
use crate::workers::Workers;

/// The options of a session.
#[derive(Clone, Debug)]
pub struct Options {
    /// The current directory.
    pub cwd: PathBuf,
    /// Where the store is; `wake.toml` may say otherwise.
    pub store: PathBuf,
    /// Whether the store was named explicitly, so that `wake.toml` is ignored.
    pub store_is_explicit: bool,
    /// How many commands run at once; none: as in `wake.toml`, or one for each processor.
    pub jobs: Option<usize>,
    /// Which owners of checkouts and stores are trusted.
    pub owners: Owners,
    /// The sandbox level.
    pub sandbox: SandboxLevel,
    /// The options of the build.
    pub chosen: ChosenOptions,
    /// How to reach other machines.
    pub route: Route,
    /// Mirrors of registries.
    pub mirrors: Mirrors,
    /// The directory of the user's keys and settings.
    pub config: Option<PathBuf>,
    /// Whether registries may be used.
    pub reach: Reach,
    /// Reports the progress of fetching packages.
    pub gauge: Arc<FetchGauge>,
    /// Whether the lock may be written.
    pub lock_use: LockUse,
    /// The command line, for the log.
    pub argv: Vec<String>,
    /// The worker program, and the arguments that make it evaluate or run commands.
    pub workers: Workers,
    /// Records where the time goes.
    pub profile: Profile,
}

/// Whether `wake.lock` may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockUse {
    /// If a requirement is not met, versions are chosen.
    #[default]
    MayChange,
    /// It is binding, and an unmet requirement is an error: `--locked`.
    AsItIs,
}
