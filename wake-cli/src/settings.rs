//! The settings, combined from the command line and the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wake_build::{
    ChosenOptions, FetchGauge, KubernetesSettings, LockUse, Mirrors, PersonSettings, Reach,
    SlurmSettings,
};
use wake_model::SandboxLevel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Owners;
use wake_store::ware::Route;

use crate::args::{ColorWhen, Global, MessageFormat, ProgressHow, SandboxHow, Warnings};
use crate::environment::{Ci, Environment, Process};
use crate::manner::{Detail, Manner, Verbosity};
use crate::terminal::style::Style;

/// The settings of the program, whatever the command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The working directory; absolute.
    pub(crate) cwd: PathBuf,
    /// The store given by flag or environment, which overrides `wake.toml`.
    named_store: Option<PathBuf>,
    /// The default store.
    default_store: Option<PathBuf>,
    /// The maximum number of parallel commands, if given.
    pub(crate) jobs: Option<usize>,
    /// The command line.
    pub(crate) argv: Vec<String>,
    /// The directory of the user's keys and settings.
    pub(crate) config: Option<PathBuf>,
    /// How other machines are reached.
    pub(crate) route: Route,
    /// The progress of fetching packages.
    pub(crate) gauge: Arc<FetchGauge>,
    /// Mirrors of registries.
    pub(crate) mirrors: Mirrors,
    /// How to submit jobs to Slurm.
    pub(crate) slurm: SlurmSettings,
    /// How to run jobs in a Kubernetes cluster.
    pub(crate) kubernetes: KubernetesSettings,
    /// Whether registries and other machines may be contacted.
    pub(crate) reach: Reach,
    /// Whether the lock may be written.
    pub(crate) lock_use: LockUse,
    /// The owners whose checkouts and stores are trusted.
    pub(crate) owners: Owners,
    /// The values of build options.
    pub(crate) chosen: ChosenOptions,
    /// The sandbox level.
    pub(crate) sandbox: SandboxLevel,
    /// The format of messages.
    pub(crate) format: MessageFormat,
    /// How to show progress.
    pub(crate) progress: Progress,
    /// Standard error is a terminal.
    pub(crate) terminal: bool,
    /// The terminal type, as in `TERM`.
    pub(crate) terminal_kind: Option<String>,
    /// The manner of human-readable output.
    pub(crate) manner: Manner,
    /// The width of a terminal whose size is unknown.
    pub(crate) columns: Option<usize>,
}

/// How to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A live bar.
    Bar,
    /// Lines with timestamps.
    Plain,
    /// Not at all.
    None,
}

impl Settings {
    /// Combines flags, variables and terminal properties, in that order of precedence.
    pub(crate) fn new(
        global: &Global,
        environment: &Environment,
        process: &Process,
    ) -> Result<Self, Diagnostic> {
        let cwd = match &global.directory {
            None => process.cwd.clone(),
            Some(directory) => directory_of(&process.cwd.join(directory))?,
        };
        let capable = process.terminal && !environment.is_dumb();
        let absolute = |store: &PathBuf| process.cwd.join(store);
        let offline = global.offline || global.frozen;
        let person = environment.config.as_ref().map(|dir| dir.join("config.toml"));
        let person = person.as_deref().map(PersonSettings::read).transpose()?;
        let person = person.unwrap_or_default();
        Ok(Settings {
            cwd,
            named_store: global.store.as_ref().or(environment.store.as_ref()).map(absolute),
            default_store: environment.cache.as_ref().map(|cache| cache.join("wake/store")),
            jobs: global.jobs.map(usize::from),
            argv: process.argv.clone(),
            route: person.route(Route { offline, ..environment.route.clone() }),
            mirrors: person.mirrors,
            slurm: person.slurm,
            kubernetes: person.kubernetes,
            gauge: Arc::default(),
            config: environment.config.clone(),
            reach: if offline { Reach::Nothing } else { Reach::Everything },
            lock_use: if global.locked || global.frozen {
                LockUse::AsItIs
            } else {
                LockUse::MayChange
            },
            owners: environment.owners.clone(),
            chosen: ChosenOptions::parse(&global.set)?,
            sandbox: match global.sandbox {
                SandboxHow::Strict => SandboxLevel::Strict,
                SandboxHow::Weak => SandboxLevel::Weak,
            },
            format: global.message_format,
            progress: progress(global, environment, capable)?,
            terminal: process.terminal,
            terminal_kind: environment.terminal_kind.clone(),
            manner: manner(global, environment, capable),
            columns: environment.columns,
        })
    }
}

impl Settings {
    /// Returns the settings with another setting for warnings.
    pub(crate) fn showing(&self, warnings: Warnings) -> Settings {
        Settings { manner: Manner { warnings, ..self.manner }, ..self.clone() }
    }

    /// The directory of the user's keys and settings.
    pub(crate) fn config(&self) -> Result<&Path, Diagnostic> {
        self.config.as_deref().ok_or_else(|| {
            let message = "cannot locate the user configuration directory";
            Diagnostic::error(Class::Environment, message).help("set `HOME` or `XDG_CONFIG_HOME`")
        })
    }

    /// Returns the settings for another directory, with this store.
    pub(crate) fn in_directory(&self, cwd: &Path, store: &Path) -> Settings {
        Settings { cwd: cwd.to_owned(), named_store: Some(store.to_owned()), ..self.clone() }
    }

    /// Returns the store directory, and whether it was set by flag or variable, which override `wake.toml`.
    pub(crate) fn store(&self) -> Result<(PathBuf, bool), Diagnostic> {
        if let Some(store) = &self.named_store {
            return Ok((store.clone(), true));
        }
        let default = self.default_store.clone().ok_or_else(|| {
            let message = "no store directory: neither `HOME` nor `XDG_CACHE_HOME` is set";
            Diagnostic::error(Class::Environment, message)
                .help("set one with `--store DIR` or `WAKE_STORE`")
        })?;
        Ok((default, false))
    }
}

fn directory_of(directory: &Path) -> Result<PathBuf, Diagnostic> {
    let found = std::fs::canonicalize(directory).and_then(|path| {
        if path.is_dir() { Ok(path) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
    });
    found.map_err(|source| {
        Diagnostic::error(Class::Usage, format!("`{}`: {source}", directory.display()))
    })
}

fn progress(
    global: &Global,
    environment: &Environment,
    capable: bool,
) -> Result<Progress, Diagnostic> {
    let asked = match (global.progress, environment.progress.as_deref()) {
        (Some(asked), _) => asked,
        (None, None) => ProgressHow::Auto,
        (None, Some(text)) => clap::ValueEnum::from_str(text, true).map_err(|_| {
            Diagnostic::error(Class::Usage, format!("invalid `WAKE_PROGRESS` value `{text}`"))
                .help("use auto, bar, plain or none")
        })?,
    };
    Ok(match asked {
        ProgressHow::None => Progress::None,
        ProgressHow::Plain => Progress::Plain,
        ProgressHow::Bar => Progress::Bar,
        ProgressHow::Auto if global.quiet => Progress::None,
        ProgressHow::Auto if capable && environment.ci == Ci::No => Progress::Bar,
        ProgressHow::Auto => Progress::Plain,
    })
}

fn manner(global: &Global, environment: &Environment, capable: bool) -> Manner {
    let color = match global.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if environment.no_color => false,
        ColorWhen::Auto => environment.force_color || capable,
    };
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Everything,
    };
    let short = global.message_format == MessageFormat::Short;
    Manner {
        style: Style { color, unicode: environment.utf8 },
        detail: if short { Detail::Short } else { Detail::Full },
        verbosity,
        warnings: Warnings::default(),
        annotations: environment.ci == Ci::GitHub,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn settings(line: &str, environment: &Environment, terminal: bool) -> Settings {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let process = Process { cwd: "/start".into(), terminal, argv: Vec::new() };
        Settings::new(&cli.global, environment, &process).unwrap()
    }

    /// Returns settings without flags or a terminal.
    pub(crate) fn quiet(cwd: &std::path::Path) -> Settings {
        let environment = Environment { utf8: true, ..Environment::default() };
        let settings = settings("wake build --progress none", &environment, false);
        Settings { cwd: cwd.to_owned(), ..settings }
    }

    #[test]
    fn a_terminal_gets_a_bar_and_a_service_gets_lines() {
        let none = Environment::default();
        assert_eq!(settings("wake build", &none, true).progress, Progress::Bar);
        assert_eq!(settings("wake build", &none, false).progress, Progress::Plain);
        let ci = Environment { ci: Ci::Some, ..Environment::default() };
        assert_eq!(settings("wake build", &ci, true).progress, Progress::Plain);
        let dumb = Environment { terminal_kind: Some("dumb".into()), ..Environment::default() };
        assert_eq!(settings("wake build", &dumb, true).progress, Progress::Plain);
    }

    #[test]
    fn flags_win_over_variables() {
        let environment = Environment {
            progress: Some("none".into()),
            no_color: true,
            store: Some("/var".into()),
            ..Environment::default()
        };
        let by_variable = settings("wake build", &environment, true);
        assert_eq!(by_variable.progress, Progress::None);
        assert!(!by_variable.manner.style.color);
        assert_eq!(by_variable.named_store, Some("/var".into()));
        let line = "wake build --progress bar --color always --store s";
        let by_flag = settings(line, &environment, true);
        assert_eq!(by_flag.progress, Progress::Bar);
        assert!(by_flag.manner.style.color);
        assert_eq!(by_flag.named_store, Some("/start/s".into()));
    }

    #[test]
    fn an_invalid_variable_is_named_in_the_error() {
        let environment = Environment { progress: Some("loud".into()), ..Environment::default() };
        let cli = Cli::try_parse_from(["wake", "build"]).unwrap();
        let process = Process { cwd: "/".into(), terminal: false, argv: Vec::new() };
        let error = Settings::new(&cli.global, &environment, &process).unwrap_err();
        assert_eq!(error.class, Class::Usage);
        assert_eq!(error.message, "invalid `WAKE_PROGRESS` value `loud`");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let cli = Cli::try_parse_from(["wake", "-C", "/nowhere/at/all", "build"]).unwrap();
        let process = Process { cwd: "/".into(), terminal: false, argv: Vec::new() };
        let error = Settings::new(&cli.global, &Environment::default(), &process).unwrap_err();
        assert_eq!(error.message, "`/nowhere/at/all`: No such file or directory (os error 2)");
    }

    #[test]
    fn colours_follow_the_conventions() {
        let forced = Environment { force_color: true, ..Environment::default() };
        assert!(settings("wake build", &forced, false).manner.style.color);
        let both = Environment { no_color: true, force_color: true, ..Environment::default() };
        assert!(!settings("wake build", &both, true).manner.style.color);
    }
}
