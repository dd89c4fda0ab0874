//! Flags that every command takes.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Print only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print what ran and why; twice: also cache hits
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// How to show progress [default: auto]
    #[arg(long, global = true, value_name = "HOW")]
    pub(crate) progress: Option<ProgressHow>,
    /// Format of messages: for people, for programs (events, one JSON object a line), or one line for each error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// How many commands to run at once [default: one for each processor]
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(wake_steps::MOST_JOBS)))]
    pub(crate) jobs: Option<u16>,
    /// Directory of the store [default: ~/.cache/wake/store]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Set an option of the build, as packages read it with `wake.option`, or all that a profile of the root package sets
    #[arg(long = "set", global = true, value_name = "NAME=VALUE|@PROFILE")]
    pub(crate) set: Vec<String>,
    /// Ask no registry, no retriever that needs the network and no other machine; what is missing is an error
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Never change `wake.lock`: what it does not meet is an error
    #[arg(long, global = true)]
    pub(crate) locked: bool,
    /// Both --offline and --locked
    #[arg(long, global = true)]
    pub(crate) frozen: bool,
    /// How strictly commands are held to what they declare
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
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// A live bar
    Bar,
    /// Lines with timestamps, for logs
    Plain,
    /// No progress, only what has happened
    None,
}

/// `--message-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Full messages with source lines
    Human,
    /// Events on standard output
    Json,
    /// One line for each error
    Short,
}

/// `--sandbox`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxHow {
    /// Enforced by the kernel: a command sees nothing else
    Strict,
    /// By convention only, where the kernel cannot enforce it; results are marked and never shared
    Weak,
}
