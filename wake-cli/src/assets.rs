//! The doorway to registries of assets: where one is, and what people are told when it is at fault.

use std::path::{Path, PathBuf};

use wake_asset::{Address, AssetError, Registry, RegistryPath};
use wake_recipe::error::of_asset;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::AssetRegistryArgs;
use crate::environment::{self, Environment};
use crate::exit::Stop;
use crate::settings::Settings;

/// Where the configuration of the registry is that is meant.
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

/// Opens the registry that is meant.
pub(crate) fn open(
    args: &AssetRegistryArgs,
    settings: &Settings,
    environment: &Environment,
) -> Result<Registry, Stop> {
    let config = config(args, settings, environment)?;
    Registry::open(&config, &environment::variable).map_err(|error| stop(&error, settings))
}

/// The same for what needs none; none if none is meant.
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

/// A registry path that was typed.
pub(crate) fn path(text: &str, settings: &Settings) -> Result<RegistryPath, Stop> {
    text.parse().map_err(|error: wake_asset::ParseRegistryPathError| {
        stop(&AssetError::Path(error), settings)
    })
}

/// Where archives of assets lie, as it was typed.
pub(crate) fn address(text: &str, settings: &Settings) -> Result<Address, Stop> {
    Address::parse(text, &settings.cwd)
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()).into())
}

/// Something else that was typed and is a name.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Stop> {
    text.parse().map_err(|error: T::Err| Diagnostic::error(Class::Usage, error.to_string()).into())
}

/// What a person is told of what is wrong with a registry, as the end of a command.
pub(crate) fn stop(error: &AssetError, settings: &Settings) -> Stop {
    failure(error, settings).into()
}

/// What a person is told of what is wrong with a registry; its files are named from where they are.
pub(crate) fn failure(error: &AssetError, settings: &Settings) -> Diagnostic {
    let mut diagnostic = of_asset(error);
    if let Some(place) = &mut diagnostic.place
        && let Ok(below) = Path::new(&place.file).strip_prefix(&settings.cwd)
    {
        place.file = below.display().to_string();
    }
    diagnostic
}
