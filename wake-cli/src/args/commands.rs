//! Arguments of the individual commands.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use regex::Regex;
use wake_build::{Shard, TagSelection, TargetPattern};
use wake_model::PkgName;

use crate::args::quantity;

/// A selection of modules and their configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// Targets [default: the current package]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Configuration of the targets.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigArgs {
    /// Override one key of the targets' default config; VALUE is parsed as JSON, or else taken as a string
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Replace the targets' whole config with a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) config_json: Option<String>,
}

/// Filters on the modules that patterns match.
#[derive(Args, Clone, Debug)]
pub(crate) struct TagArgs {
    /// Select only modules with TAG among those that patterns match; if repeated, modules with any of the tags
    #[arg(long = "tag", value_name = "TAG")]
    with: Vec<String>,
    /// Exclude modules with TAG among those that patterns match
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
    /// Run only tests that failed in their last run
    #[arg(long)]
    pub(crate) failed: bool,
    /// Run only tests that were flaky in their last runs
    #[arg(long, conflicts_with = "failed")]
    pub(crate) flaky: bool,
    /// Run only the Kth of N shards of the tests
    #[arg(long, value_name = "K/N", value_parser = Shard::parse)]
    pub(crate) shard: Option<Shard>,
    /// Run each test N times, ignoring cached results; it passes only if every run passes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) runs: Option<u32>,
    /// Retry a failing test up to N times, overriding the test's own setting
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) retries: Option<u32>,
    /// Stop at the first failed step that tests depend on; failing tests stop nothing
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Write test results to FILE as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Rerun the tests after every relevant change, until Ctrl-C
    #[arg(long, conflicts_with_all = ["file", "failed", "flaky"])]
    pub(crate) watch: bool,
    /// With --watch, poll for changes every SECONDS instead of using kernel notifications
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
    /// Continue after a failure with everything that does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Do not update the links in `.wake/out`
    #[arg(long)]
    pub(crate) no_link: bool,
    /// Rerun the targets' commands even if their results are cached
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Print the paths of the results to standard output
    #[arg(long)]
    pub(crate) print: bool,
    /// Rebuild after every relevant change, until Ctrl-C
    #[arg(long, conflicts_with_all = ["print", "rebuild", "file"])]
    pub(crate) watch: bool,
    /// With --watch, poll for changes every SECONDS instead of using kernel notifications
    #[arg(long, value_name = "SECONDS", requires = "watch")]
    pub(crate) poll: Option<NonZeroU32>,
    #[command(flatten)]
    pub(crate) warnings: WarningArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

/// The `--warnings` flag of commands that build.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WarningArgs {
    /// When to show the standard error of commands that succeed
    #[arg(long, value_name = "WHEN", default_value = "ran")]
    pub(crate) warnings: Warnings,
}

/// `--warnings`: when to show the standard error of commands that succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Warnings {
    /// Never
    None,
    /// In the build that ran the command
    #[default]
    Ran,
    /// Also when the result was cached
    All,
}

/// The `--profile` flag of commands that build.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProfileArgs {
    /// Write a trace of the build's timing to FILE, for the Perfetto and Chrome viewers
    #[arg(long = "profile", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `wake run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Target to run: its output `bin`, or else its only executable output; `TARGET#KEY` selects another
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) warnings: WarningArgs,
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// Arguments to pass to the program
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) arguments: Vec<OsString>,
}

/// `wake shell`
#[derive(Args, Debug)]
pub(crate) struct ShellArgs {
    /// Module to enter [default: the only module of the current package]
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<TargetPattern>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Run the step's own command first, and enter the sandbox as that leaves it
    #[arg(long)]
    pub(crate) after: bool,
    /// Enter the step that failed last; implies --after
    #[arg(long, conflicts_with_all = ["target", "config", "config_json"])]
    pub(crate) failed: bool,
}

/// `wake exec`
#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    /// Module in whose sandbox to run the command
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: TargetPattern,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Run the step's own command first, and CMD in the sandbox as that leaves it
    #[arg(long)]
    pub(crate) after: bool,
    /// Command to run, with its arguments: a path, or a name to look up on the step's `PATH`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// `wake plan`
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Omit cache hits
    #[arg(long)]
    pub(crate) changed_only: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: PlanFormat,
    /// Warehouse to pack the formula's inputs into; created if missing [default: .wake/warehouse]
    #[arg(long, value_name = "DIR")]
    pub(crate) warehouse: Option<PathBuf>,
}

/// `wake plan --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// What would happen to each step
    Text,
    /// The same, as JSON
    Json,
    /// The one module that TARGET names, as a formula for `wake formula run`; its dependencies must already be built
    Formula,
}

/// `wake why`
#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// Target to explain
    #[arg(value_name = "TARGET", default_value = ".")]
    pub(crate) target: TargetPattern,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Explain instead why the workspace needs PACKAGE (`NAMESPACE/NAME`): which packages require it, and where
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
    /// Output format
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
    /// JSON nodes and edges
    Json,
    /// A `compile_commands.json` for clangd and editors
    CompileCommands,
}

/// `wake affected`
#[derive(Args, Debug)]
pub(crate) struct AffectedArgs {
    /// Targets to check [default: //...]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Git revision to compare the checkout with
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
    /// Query, such as 'rdeps(//libs/ring:lib) & kind(test)'
    #[arg(value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: String,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: QueryFormat,
}

const QUERIES: &str = "\
Queries:
  TARGET          the modules of a target or label; quote with ' or \" if it contains spaces
  deps(Q)         Q and its transitive dependencies
  rdeps(Q)        Q and everything that depends on it, directly or not
  path(Q, Q)      a shortest dependency path from the first set to the second, in order
  owner(FILE)     modules whose commands see FILE, or that are evaluated from it
  kind(KIND, Q)   modules in Q of a kind: test, command, files [default Q: all]
  tag(TAG, Q)     modules in Q with a tag [default Q: all]
  Q + Q           union
  Q - Q           difference
  Q & Q           intersection
  Operators are left-associative, have equal precedence, and must be surrounded by spaces.";

/// `wake query --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// One label per line
    Text,
    /// JSON with each module's kind, tags and dependencies
    Json,
    /// Graphviz
    Dot,
}

/// `wake log`
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Build to show, by its name or a unique prefix of it [default: list all]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Print the output of TARGET's last action
    #[arg(short, long, value_name = "TARGET", conflicts_with_all = ["failed", "critical_path"])]
    pub(crate) output: Option<TargetPattern>,
    /// Show only failures [default RUN: the last build]
    #[arg(long)]
    pub(crate) failed: bool,
    /// Show the critical path [default RUN: the last build]
    #[arg(long, conflicts_with = "failed")]
    pub(crate) critical_path: bool,
    /// List tests that were flaky in their last runs
    #[arg(long, conflicts_with_all = ["run", "failed", "output", "critical_path", "formulas", "records"])]
    pub(crate) flaky: bool,
    /// List the run records of formulas, or print the one that RUN names
    #[arg(long, conflicts_with_all = ["failed", "output", "critical_path", "records"])]
    pub(crate) formulas: bool,
    /// List the run records of commands, or print one: the record RUN, or the last record of the module RUN
    #[arg(long, conflicts_with_all = ["failed", "output", "critical_path"])]
    pub(crate) records: bool,
    /// Add the formulaID, the result wares and the result id to the record
    #[arg(long, requires = "records")]
    pub(crate) ids: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake ls`
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// Targets to list [default: the packages in and below this directory, or else the current package]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Include modules that belong to another module, such as `server.unit` to `server`
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake eval`
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// Expression to evaluate, with the library in scope as `wake`; a path ending in `.jsonnet` or `.libsonnet` is treated as --file
    #[arg(value_name = "EXPR", required_unless_present = "file")]
    pub(crate) expression: Option<String>,
    /// Evaluate FILE instead of an expression
    #[arg(short, long, value_name = "FILE", conflicts_with = "expression")]
    pub(crate) file: Option<PathBuf>,
    /// Add a directory to the import search path; if repeated, the last is searched first
    #[arg(short = 'J', long = "jpath", value_name = "DIR")]
    pub(crate) library: Vec<PathBuf>,
    /// Expect a string and print it raw
    #[arg(short = 'S', long = "string")]
    pub(crate) raw: bool,
    /// Expect an array and print it as a YAML stream
    #[arg(short = 'y', long, conflicts_with = "multi")]
    pub(crate) yaml_stream: bool,
    /// Expect an object, write each field to a file of that name in DIR, and list the files
    #[arg(short = 'm', long, value_name = "DIR")]
    pub(crate) multi: Option<PathBuf>,
    /// Write to FILE instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output_file: Option<PathBuf>,
    /// Create missing directories for output files
    #[arg(short = 'c', long)]
    pub(crate) create_output_dirs: bool,
}

/// `wake init`
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Directory of the package; created if missing
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Package name [default: the name of the directory]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Template to start from
    #[arg(long, value_name = "TEMPLATE", default_value = "plain")]
    pub(crate) template: Template,
}

/// `wake init --template`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A program made by a shell script, with a test; uses no rules
    Plain,
    /// The same, using the rules for commands
    Sh,
    /// A C library and program, with a test
    Cc,
    /// A Python library and program, with tests
    Python,
    /// A Rust library and program, with tests
    Rust,
}

impl Template {
    /// Whether the package uses the rule library.
    pub(crate) fn has_rules(self) -> bool {
        self != Template::Plain
    }
}

/// `wake gc`
#[derive(Args, Debug)]
pub(crate) struct GcArgs {
    /// Delete the least recently used content until the store is at most SIZE, such as 20G
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_size: Option<u64>,
    /// Delete content that has not been used for AGE, such as 7d [default: 30d, unless --max-size is given]
    #[arg(long, value_name = "AGE", value_parser = quantity::age)]
    pub(crate) older_than: Option<Duration>,
    /// Show what would be deleted without deleting it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `wake store`
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Check all content against its digest, and quarantine what does not match
    Verify {
        /// Skip files whose metadata is unchanged
        #[arg(long)]
        quick: bool,
    },
    /// Print the path of a tree
    Path {
        /// Digest of the tree
        #[arg(value_name = "DIGEST")]
        tree: String,
    },
    /// List a tree
    Ls {
        /// Tree, or path in it
        #[arg(value_name = "DIGEST[/PATH]")]
        place: String,
    },
    /// Print a blob, or a file in a tree
    Cat {
        /// Blob, or path in a tree
        #[arg(value_name = "DIGEST[/PATH]")]
        place: String,
    },
    /// Copy a directory into the store and print the digest of its tree
    Import {
        /// Directory to import
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show the disk usage of each kind of content
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
    /// Shell to complete for
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}
