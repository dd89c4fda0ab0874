//! Global flags, accepted by every command.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// The global flags.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print only errors and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print which steps ran and why; -vv also prints cache hits
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// How to show progress [default: auto]
    #[arg(long, global = true, value_name = "HOW")]
    pub(crate) progress: Option<ProgressHow>,
    /// Format of messages
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// Maximum number of commands to run at once [default: number of CPUs]
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(wake_steps::MOST_JOBS)))]
    pub(crate) jobs: Option<u16>,
    /// Store directory [default: ~/.cache/wake/store]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Set a build option (`wake.option` in packages), or apply a profile of the root package
    #[arg(long = "set", global = true, value_name = "NAME=VALUE|@PROFILE")]
    pub(crate) set: Vec<String>,
    /// Do not contact registries, retrievers that need the network, or other machines; fail if anything is missing
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Fail if `wake.lock` would have to change
    #[arg(long, global = true)]
    pub(crate) locked: bool,
    /// Equivalent to --offline and --locked together
    #[arg(long, global = true)]
    pub(crate) frozen: bool,
    /// How strictly to confine commands to their declared inputs
    #[arg(long, global = true, value_name = "LEVEL", default_value = "strict")]
    pub(crate) sandbox: SandboxHow,
}

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--progress`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressHow {
    /// A bar on a terminal, otherwise plain lines
    Auto,
    /// A live progress bar
    Bar,
    /// Timestamped lines, for logs
    Plain,
    /// No progress, only results
    None,
}

/// `--message-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Full messages with source excerpts
    Human,
    /// Events on standard output, one JSON object per line
    Json,
    /// One line per error
    Short,
}

/// `--sandbox`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxHow {
    /// Enforced by the kernel: commands see only their declared inputs
    Strict,
    /// Not enforced, for machines whose kernel cannot; results are marked and never shared
    Weak,
}
