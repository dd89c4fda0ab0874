//! The doorway to registries of assets: where one is, and what people are told when it is at fault.

use std::path::PathBuf;

use wake_asset::{Address, AssetError, Kind, Registry, RegistryPath};
use wake_steps::diagnostic::{Class, Diagnostic, Place};

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
        None => Err(Diagnostic::error(Class::Usage, "no registry of assets is named")
            .help("`--genome-config FILE` or the variable REFGENIE says where its `genome_config.yaml` is; `wake genome init FASTA` makes one where there is none")
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

/// What a person is told of what is wrong with a registry.
pub(crate) fn failure(error: &AssetError, settings: &Settings) -> Diagnostic {
    let class = match error.kind() {
        Kind::Usage => Class::Usage,
        Kind::Nothing => Class::Nothing,
        Kind::Document => Class::Evaluation,
        Kind::Conflict => Class::Resolution,
        Kind::Integrity => Class::Integrity,
        Kind::Network => Class::Network,
        Kind::Environment => Class::Environment,
        Kind::Interrupted => Class::Interrupted,
    };
    let diagnostic = Diagnostic::error(class, error.to_string()).at(place(error, settings));
    match error.hint() {
        Some(hint) => diagnostic.help(hint),
        None => diagnostic,
    }
}

fn place(error: &AssetError, settings: &Settings) -> Option<Place> {
    let AssetError::Document(fault) = error else { return None };
    let file = fault.file.strip_prefix(&settings.cwd).unwrap_or(&fault.file);
    let width = fault.source_line.chars().skip(fault.column.saturating_sub(1));
    let width = width.take_while(|c| !c.is_whitespace() && *c != ':').count().max(1);
    Some(Place {
        file: file.display().to_string(),
        line: fault.line,
        column: fault.column,
        end_column: fault.column + width,
        source_line: fault.source_line.clone(),
        label: None,
    })
}
