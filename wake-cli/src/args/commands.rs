//! What each command takes of its own.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use regex::Regex;
use wake_build::{Shard, TagSelection, TargetPattern};
use wake_model::PkgName;

use crate::args::quantity;

/// Which modules, with which configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// The targets [default: the package around you]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// The configuration of the targets.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigArgs {
    /// Set one key of the targets' default config; VALUE is JSON if it parses as JSON, else a string
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Replace the whole config of the targets by a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) config_json: Option<String>,
}

/// Which of the modules that patterns mean.
#[derive(Args, Clone, Debug)]
pub(crate) struct TagArgs {
    /// Of the modules that patterns mean, take only those with TAG; with several, those with one of them
    #[arg(long = "tag", value_name = "TAG")]
    with: Vec<String>,
    /// Take none with TAG
    #[arg(long = "no-tag", value_name = "TAG")]
    without: Vec<String>,
}

impl TagArgs {
    pub(crate) fn selection(&self) -> TagSelection {
        TagSelection { with: self.with.clone(), without: self.without.clone() }
    }
}

/// `wake test`
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) tags: TagArgs,
    /// Run only tests whose label matches REGEX
    #[arg(long, value_name = "REGEX")]
    pub(crate) filter: Option<Regex>,
    /// Run only the tests that failed when they ran last
    #[arg(long)]
    pub(crate) failed: bool,
    /// Run only the tests that were flaky in their last runs
    #[arg(long, conflicts_with = "failed")]
    pub(crate) flaky: bool,
    /// Run only the Kth of N shares of the tests
    #[arg(long, value_name = "K/N", value_parser = Shard::parse)]
    pub(crate) shard: Option<Shard>,
    /// Run each test N times, whatever is remembered; it passes if it passes each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) runs: Option<u32>,
    /// Try a test again up to N times after a failure, instead of what the test says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) retries: Option<u32>,
    /// Stop at the first failure of what tests need; failures of tests stop nothing
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Write what came of each test to FILE, as JUnit does
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Test again whenever something changes that matters, until Ctrl-C
    #[arg(long, conflicts_with_all = ["file", "failed", "flaky"])]
    pub(crate) watch: bool,
    /// With --watch, look every so many seconds instead of having the system tell what changes
    #[arg(long, value_name = "SECONDS", requires = "watch")]
    pub(crate) poll: Option<NonZeroU32>,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

/// `wake build`
#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) tags: TagArgs,
    /// After a failure, continue with everything that does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Do not update the links in `.wake/out`
    #[arg(long)]
    pub(crate) no_link: bool,
    /// Run the commands of the targets again even if their results are cached
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Print the paths of the results on standard output
    #[arg(long)]
    pub(crate) print: bool,
    /// Build again whenever something changes that matters, until Ctrl-C
    #[arg(long, conflicts_with_all = ["print", "rebuild", "file"])]
    pub(crate) watch: bool,
    /// With --watch, look every so many seconds instead of having the system tell what changes
    #[arg(long, value_name = "SECONDS", requires = "watch")]
    pub(crate) poll: Option<NonZeroU32>,
    #[command(flatten)]
    pub(crate) warnings: WarningArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

/// For the commands that build.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WarningArgs {
    /// When to show what a command that succeeded wrote to standard error
    #[arg(long, value_name = "WHEN", default_value = "ran")]
    pub(crate) warnings: Warnings,
}

/// `--warnings`: what commands that succeeded wrote to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Warnings {
    /// It is not shown
    None,
    /// It is shown in the build that ran the command
    #[default]
    Ran,
    /// It is shown as well where the result is remembered
    All,
}

/// For the commands that build.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileArgs {
    /// Write a trace of where the time went to FILE, for the viewers of Perfetto and Chrome
    #[arg(long = "profile", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `wake run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The target to run: its output `bin`, else its only executable output; `TARGET#KEY` names another
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) warnings: WarningArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// `wake shell`
#[derive(Args, Debug)]
pub(crate) struct ShellArgs {
    /// The module to enter [default: the one of the package around you]
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<TargetPattern>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Run the command of the step first, and enter amid what it leaves behind
    #[arg(long)]
    pub(crate) after: bool,
    /// Enter the step that failed last, with --after
    #[arg(long, conflicts_with_all = ["target", "config", "config_json"])]
    pub(crate) failed: bool,
}

/// `wake exec`
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    /// The module in whose sandbox the command runs
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: TargetPattern,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Run the command of the step first, and this one amid what it leaves behind
    #[arg(long)]
    pub(crate) after: bool,
    /// The command: a path, or a name that is looked for on the `PATH` of the step; and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// `wake plan`
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Leave out cache hits
    #[arg(long)]
    pub(crate) changed_only: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: PlanFormat,
    /// Where to pack the inputs of a formula; created if missing [default: .wake/warehouse]
    #[arg(long, value_name = "DIR")]
    pub(crate) warehouse: Option<PathBuf>,
}

/// `wake plan --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Each step and what would happen to it
    Text,
    /// The same, as JSON
    Json,
    /// The one module that TARGET names, as a formula for `wake formula run`; what it needs must have been built
    Formula,
}

/// `wake why`
#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// The target to explain
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: TargetPattern,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Explain instead why the workspace needs this package, `NAMESPACE/NAME`: who does, and where that is written
    #[arg(long, value_name = "PACKAGE", conflicts_with = "target")]
    pub(crate) depends: Option<PkgName>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake graph`
#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The format of the graph
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    pub(crate) format: GraphFormat,
}

/// `wake graph --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz
    Dot,
    /// Mermaid, as shown in Markdown files
    Mermaid,
    /// Nodes and edges, as JSON
    Json,
    /// The commands that compile, for clangd and other editors: `compile_commands.json`
    CompileCommands,
}

/// `wake affected`
#[derive(Args, Debug)]
pub(crate) struct AffectedArgs {
    /// The targets to look at [default: //...]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// The revision of the git repository to compare the checkout with
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub(crate) since: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake query`
#[derive(Args, Debug)]
#[command(after_long_help = QUERIES)]
pub(crate) struct QueryArgs {
    /// What to find, such as 'rdeps(//libs/ring:lib) & kind(test)'
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: String,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: QueryFormat,
}

const QUERIES: &str = "\
Queries:
  TARGET          the modules that a target or a label means; in ' or \" if it holds spaces
  deps(Q)         these, and all that they need
  rdeps(Q)        these, and all that need them
  path(Q, Q)      a shortest way from one of the first to one of the second, in its order
  owner(FILE)     the modules whose commands see a file, or that are made from it
  kind(KIND, Q)   those of a kind: test, command, files; of all without Q
  tag(TAG, Q)     those with a tag; of all without Q
  Q + Q           the modules of both
  Q - Q           those of the first without those of the second
  Q & Q           those that are in both
  Operators go from left to right and stand between spaces.";

/// `wake query --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// A label a line
    Text,
    /// Modules with their kinds, tags and needs, as JSON
    Json,
    /// Graphviz
    Dot,
}

/// `wake log`
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// A build, by its name or the first letters of it [default: list all]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Print what the last action of TARGET wrote
    #[arg(short, long, value_name = "TARGET", conflicts_with_all = ["failed", "critical_path"])]
    pub(crate) output: Option<TargetPattern>,
    /// Show only failures; without RUN, those of the last build
    #[arg(long)]
    pub(crate) failed: bool,
    /// Show the chain of steps that bounded the build; without RUN, of the last build
    #[arg(long, conflicts_with = "failed")]
    pub(crate) critical_path: bool,
    /// List the tests that were flaky in their last runs
    #[arg(long, conflicts_with_all = ["run", "failed", "output", "critical_path", "formulas", "records"])]
    pub(crate) flaky: bool,
    /// List the run records of formulas instead, or print the one that RUN names
    #[arg(long, conflicts_with_all = ["failed", "output", "critical_path", "records"])]
    pub(crate) formulas: bool,
    /// List the run records of commands, or print the one that RUN names, or the last one of the module RUN
    #[arg(long, conflicts_with_all = ["failed", "output", "critical_path"])]
    pub(crate) records: bool,
    /// Add the formulaID, the wares of the results and the result id to the record
    #[arg(long, requires = "records")]
    pub(crate) ids: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake ls`
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// The targets to list [default: every package below this directory, or else the one around it]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// List modules too that belong to another one, such as `server.unit` to `server`
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake eval`
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// The expression; `wake` in it is the library. A file that ends in `.jsonnet` or `.libsonnet` is evaluated as with --file
    #[arg(value_name = "EXPR", required_unless_present = "file")]
    pub(crate) expression: Option<String>,
    /// Evaluate a file instead
    #[arg(short, long, value_name = "FILE", conflicts_with = "expression")]
    pub(crate) file: Option<PathBuf>,
    /// Look for imports here too that are not beside the importing file; of several, in the last first
    #[arg(short = 'J', long = "jpath", value_name = "DIR")]
    pub(crate) library: Vec<PathBuf>,
    /// Expect a string, and print it as it is
    #[arg(short = 'S', long = "string")]
    pub(crate) raw: bool,
    /// Expect a list, and print its elements as a stream of YAML documents
    #[arg(short = 'y', long, conflicts_with = "multi")]
    pub(crate) yaml_stream: bool,
    /// Expect an object, write each of its fields to a file of that name in DIR, and list the files
    #[arg(short = 'm', long, value_name = "DIR")]
    pub(crate) multi: Option<PathBuf>,
    /// Write to FILE instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Create the directories of the files that are written
    #[arg(short = 'c', long)]
    pub(crate) create_output_dirs: bool,
}

/// `wake init`
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The directory; created if missing
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The name of the package [default: the name of the directory]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What the package begins with
    #[arg(long, value_name = "TEMPLATE", default_value = "plain")]
    pub(crate) template: Template,
}

/// `wake init --template`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A program made by a shell script, and its test; needs no rules
    Plain,
    /// The same by the rules for commands
    Sh,
    /// A library, a program and a test in C
    Cc,
    /// A library, a program and tests in Python
    Python,
    /// A library, a program and tests in Rust
    Rust,
}

impl Template {
    /// Whether the package is made by the library of rules.
    pub(crate) fn has_rules(self) -> bool {
        self != Template::Plain
    }
}

/// `wake gc`
#[derive(Args, Debug)]
pub(crate) struct GcArgs {
    /// Delete the least recently used until the store is no larger than this, such as 20G
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_size: Option<u64>,
    /// Delete what has not been used for this long, such as 7d [default: 30d, unless --max-size is given]
    #[arg(long, value_name = "AGE", value_parser = quantity::age)]
    pub(crate) older_than: Option<Duration>,
    /// Show what would be deleted without deleting it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `wake store`
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check all content against its digest; what does not match is quarantined
    Verify {
        /// Trust files whose metadata is unchanged
        #[arg(long)]
        quick: bool,
    },
    /// Print where a tree is
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
    /// Put the content of a directory into the store, and print the digest of its tree
    Import {
        /// The directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show how much space each kind of content takes
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
