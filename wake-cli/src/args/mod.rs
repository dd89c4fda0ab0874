//! What was typed, exactly. What it means is decided in [`crate::settings`].

mod quantity;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Build what is declared, see only what is declared, remember everything.
#[derive(Debug, Parser)]
#[command(
    name = "wake",
    version,
    max_term_width = 100,
    propagate_version = false,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "A target is `path`, `path:module`, `//path:module` or `path/...`; none means the \
                  package around you.",
    after_long_help = AFTER_LONG_HELP
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_LONG_HELP: &str = "\
Targets:
  .                 the package around you, all of its modules
  path:module       one module of the package in a directory
  //path:module     the same, from the root of the workspace
  path/...          every package below a directory

Exit codes:
    0  ok
    1  an action failed
    2  the command line is wrong
    4  nothing matched
    5  a package file is wrong
    6  packages do not fit together
    7  something in the store is not what it was
   10  the machine does not allow it: sandbox, disk, permissions
   12  an action ran out of time
   70  a fault of wake itself; a report is written
  128+ a signal, such as 130 for Ctrl-C

Environment:
  WAKE_STORE      directory of the store, as --store
  WAKE_PROGRESS   auto, bar, plain or none, as --progress
  NO_COLOR, CLICOLOR_FORCE, CI, GITHUB_ACTIONS as elsewhere";

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Say only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what ran and why; twice: also what was remembered
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
    /// How to show what is going on [default: auto]
    #[arg(long, global = true, value_name = "HOW")]
    pub(crate) progress: Option<ProgressHow>,
    /// Who reads: a person, a program (events, one JSON object a line), a short list of errors
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// How many commands run at once [default: one for each processor]
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) jobs: Option<u16>,
    /// Directory of the store [default: ~/.cache/wake/store]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// How strictly commands are kept to what they declare
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
    /// A bar on a terminal, else plain
    Auto,
    /// A live bar
    Bar,
    /// Lines with the time, as logs want them
    Plain,
    /// Only what happened, not what is going on
    None,
}

/// `--message-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// Whole messages with source lines
    Human,
    /// Events on standard output
    Json,
    /// One line for each error
    Short,
}

/// `--sandbox`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxHow {
    /// By the kernel: a command sees nothing else
    Strict,
    /// By convention only, where the kernel cannot; results are marked and never shared
    Weak,
}

/// The commands, in the order of a day's work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build targets and link the results into the workspace
    #[command(visible_alias = "b")]
    Build(BuildArgs),
    /// Build a target and run what it yields
    #[command(visible_alias = "r")]
    Run(RunArgs),
    /// Show what a build would run, and why, without running it
    Plan(PlanArgs),
    /// Explain why a target ran, or was remembered
    Why(WhyArgs),
    /// Print the graph of modules
    Graph(GraphArgs),
    /// List past builds, or show one, or what an action wrote
    Log(LogArgs),
    /// List packages and their modules
    Ls(LsArgs),
    /// Evaluate Jsonnet with the wake library
    Eval(EvalArgs),
    /// Start a package that builds
    Init(InitArgs),
    /// Delete from the store what no checkout uses
    Gc(GcArgs),
    /// Look into the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check whether this machine can build
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Which modules, with which configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// What to build [default: the package around you]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// The configuration of the targets.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigArgs {
    /// Configure the targets; VALUE is JSON, or else a string
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Configure the targets with a whole JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) config_json: Option<String>,
}

/// `wake build`
#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Go on with what does not depend on a failure
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Leave `.wake/out` as it is
    #[arg(long)]
    pub(crate) no_link: bool,
    /// Run the commands of the targets again, whatever is remembered
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Print the paths of the results on standard output
    #[arg(long)]
    pub(crate) print: bool,
}

/// `wake run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// What to run: its output `bin`, else its only executable one; `TARGET#KEY` names another
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// `wake plan`
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Leave out what is remembered
    #[arg(long)]
    pub(crate) changed_only: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake why`
#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// What to explain
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake graph`
#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The language of the picture
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub(crate) format: GraphFormat,
}

/// `wake graph --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz
    Dot,
    /// Mermaid, as Markdown files show it
    Mermaid,
    /// Nodes and edges
    Json,
}

/// `wake log`
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// The build: its name, or the first letters of it [default: list all]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Print what the last action of TARGET wrote
    #[arg(short, long, value_name = "TARGET", conflicts_with = "failed")]
    pub(crate) output: Option<String>,
    /// Show only what failed; without RUN, in the last build
    #[arg(long)]
    pub(crate) failed: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake ls`
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// What to list [default: every package below you]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake eval`
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// The expression, in which `wake` is the library
    #[arg(value_name = "EXPR", required_unless_present = "file")]
    pub(crate) expression: Option<String>,
    /// Evaluate a file instead
    #[arg(short, long, value_name = "FILE", conflicts_with = "expression")]
    pub(crate) file: Option<PathBuf>,
}

/// `wake init`
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Where; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The name of the package [default: the name of the directory]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// `wake gc`
#[derive(Args, Debug)]
pub(crate) struct GcArgs {
    /// Stop deleting once the store is this small, such as 20G
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_size: Option<u64>,
    /// Delete only what has not been used for this long, such as 30d
    #[arg(long, value_name = "AGE", value_parser = quantity::age)]
    pub(crate) older_than: Option<Duration>,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `wake store`
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Compare everything with its name; what is wrong is put aside
    Verify {
        /// Believe files that look untouched
        #[arg(long)]
        quick: bool,
    },
    /// Print where a tree lies
    Path {
        /// The tree
        #[arg(value_name = "DIGEST")]
        tree: String,
    },
    /// List a tree
    Ls {
        /// The tree, or a path in it
        #[arg(value_name = "DIGEST[/PATH]")]
        place: String,
    },
    /// Print a file of a tree, or a blob
    Cat {
        /// The blob, or a path in a tree
        #[arg(value_name = "DIGEST[/PATH]")]
        place: String,
    },
    /// Show what each kind of thing takes
    Du {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `wake doctor`
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake completions`
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_go_before_and_after() {
        let before = parse("wake -C d -v build x:y -j 3").unwrap();
        let after = parse("wake build x:y -C d -v -j 3").unwrap();
        for cli in [before, after] {
            assert_eq!(cli.global.directory, Some(PathBuf::from("d")));
            assert_eq!((cli.global.verbose, cli.global.jobs), (1, Some(3)));
            let Command::Build(build) = cli.command else { panic!() };
            assert_eq!(build.selection.targets, ["x:y"]);
        }
    }

    #[test]
    fn arguments_after_the_dashes_belong_to_the_program() {
        let cli = parse("wake run //a:b -- -v --help").unwrap();
        let Command::Run(run) = cli.command else { panic!() };
        assert_eq!(run.arguments, ["-v", "--help"]);
        assert_eq!(cli.global.verbose, 0);
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for line in [
            "wake",
            "wake biuld",
            "wake build -j 0",
            "wake build -q -v",
            "wake build --color sometimes",
            "wake log --failed -o x",
            "wake gc --max-size many",
            "wake eval",
            "wake store",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_mistyped_command_has_a_suggestion() {
        let text = parse("wake biuld").unwrap_err().to_string();
        assert!(text.contains("'build'"), "{text}");
    }
}
