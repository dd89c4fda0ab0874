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

/// What a person chose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the person stands.
    pub cwd: PathBuf,
    /// Where the store is; `wake.toml` may say otherwise.
    pub store: PathBuf,
    /// Whether the store was named explicitly, so that `wake.toml` does not count.
    pub store_is_explicit: bool,
    /// How many commands run at once; none: what `wake.toml` says, else one for each processor.
    pub jobs: Option<usize>,
    /// Whose checkouts and stores are believed.
    pub owners: Owners,
    /// How strictly commands are kept to what is declared.
    pub sandbox: SandboxLevel,
    /// What options of the build are set to.
    pub chosen: ChosenOptions,
    /// How other machines are reached.
    pub route: Route,
    /// Where the files of registries lie as well.
    pub mirrors: Mirrors,
    /// Where a person's own keys and settings lie.
    pub config: Option<PathBuf>,
    /// Whether registries may be asked.
    pub reach: Reach,
    /// What says how far the fetching of packages has come.
    pub gauge: Arc<FetchGauge>,
    /// Whether the lock may be written.
    pub lock_use: LockUse,
    /// What was typed, for the log.
    pub argv: Vec<String>,
    /// The program to start as a worker, and the arguments that make it evaluate or run commands.
    pub workers: Workers,
    /// Where the time goes, for those who want to know.
    pub profile: Profile,
}

/// Whether `wake.lock` may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockUse {
    /// Where a requirement is not met, versions are chosen.
    #[default]
    MayChange,
    /// It decides, and what it does not meet is an error: `--locked`.
    AsItIs,
}
