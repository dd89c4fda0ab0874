//! Access to asset registries: where they are, and the diagnostics for their errors.

use std::path::{Path, PathBuf};

use wake_asset::{Address, AssetError, Registry, RegistryPath};
use wake_recipe::error::of_asset;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::AssetRegistryArgs;
use crate::environment::{self, Environment};
use crate::exit::Stop;
use crate::settings::Settings;

/// Returns the path of the configuration of the selected registry.
pub(crate) fn config(
    args: &AssetRegistryArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<PathBuf, Stop> {
    match args.genome_config.as_ref().or(environment.refgenie.as_ref()) {
        Some(path) => Ok(settings.cwd.join(path)),
        None => Err(Diagnostic::error(Class::Usage, "no asset registry configured")
            .help("pass its `genome_config.yaml` with `--genome-config FILE` or REFGENIE; `wake genome init FASTA` creates a registry if there is none")
            .into()),
    }
}

/// Opens the selected registry.
pub(crate) fn open(
    args: &AssetRegistryArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<Registry, Stop> {
    let config = config(args, settings, environment)?;
    Registry::open(&config, &environment::variable).map_err(|error| stop(&error, settings))
}

/// Opens the selected registry; `None` if none is selected.
pub(crate) fn open_named(
    args: &AssetRegistryArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<Option<Registry>, Stop> {
    match args.genome_config.is_some() || environment.refgenie.is_some() {
        true => open(args, settings, environment).map(Some),
        false => Ok(None),
    }
}

/// Parses a registry path from the command line.
pub(crate) fn path(text: &str, settings: &Settings) -> Result<RegistryPath, Stop> {
    text.parse().map_err(|error: wake_asset::ParseRegistryPathError| {
        stop(&AssetError::Path(error), settings)
    })
}

/// Parses the address of asset archives from the command line.
pub(crate) fn address(text: &str, settings: &Settings) -> Result<Address, Stop> {
    Address::parse(text, &settings.cwd)
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()).into())
}

/// Parses any other name from the command line.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Stop> {
    text.parse().map_err(|error: T::Err| Diagnostic::error(Class::Usage, error.to_string()).into())
}

/// Turns a registry error into the end of a command.
pub(crate) fn stop(error: &AssetError, settings: &Settings) -> Stop {
    failure(error, settings).into()
}

/// Turns a registry error into a diagnostic, which names the registry's files by their full paths.
pub(crate) fn failure(error: &AssetError, settings: &Settings) -> Diagnostic {
    let mut diagnostic = of_asset(error);
    if let Some(place) = &mut diagnostic.place
        && let Ok(below) = Path::new(&place.file).strip_prefix(&settings.cwd)
    {
        place.file = below.display().to_string();
    }
    diagnostic
}
