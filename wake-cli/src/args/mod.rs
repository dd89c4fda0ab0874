//! What was typed, exactly. What it means is decided in [`crate::settings`].

mod global;
mod quantity;
mod commands;
mod layer1;
mod codespec;
mod buffer;
mod job;
mod stored_image;
mod image;
mod asset;
mod recipe;
mod packages;
mod overview;
mod elsewhere;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use asset::{
    AddAssetArgs, AliasCommand, AssetArgs, AssetCommand, AssetRegistryArgs, GenomeArgs,
    GenomeCommand,
};
pub(crate) use buffer::{BufferCommand, ChoiceArgs, SeveralArgs};
pub(crate) use codespec::{CodespecCommand, CreateCodespecArgs};
pub(crate) use commands::{
    AffectedArgs, BuildArgs, CompletionsArgs, ConfigArgs, DoctorArgs, EvalArgs, ExecArgs, GcArgs,
    GraphArgs, GraphFormat, InitArgs, LogArgs, LsArgs, PlanArgs, PlanFormat, QueryArgs,
    QueryFormat, RunArgs, ShellArgs, StoreCommand, Template, TestArgs, Warnings, WhyArgs,
};
pub(crate) use global::{ColorWhen, Global, MessageFormat, ProgressHow, SandboxHow};
pub(crate) use image::{
    AddedArgs, BuildImageArgs, ImageArgs, ImageCommand, ImageFormat, ReachArgs,
};
pub(crate) use job::{JobArgs, JobCommand, PipesCommand};
pub(crate) use layer1::{FormulaCommand, FormulaFormat, Placer, WareCommand};
pub(crate) use packages::{
    AddArgs, InfoArgs, KeyCommand, LockArgs, LoginArgs, LogoutArgs, PublishArgs, RegistryCommand,
    RemoveArgs, SearchArgs, SignArgs, TreeArgs, UpdateArgs, VendorArgs, YankArgs,
};
pub(crate) use recipe::{RecipeArgs, RecipeBuildArgs, RecipeCommand, RecipeTestArgs};
pub(crate) use stored_image::{PlatformArgs, StoredImageCommand};

/// Build what is declared, from what is declared and nothing else, and cache every result.
#[derive(Debug, Parser)]
#[command(
    name = "wake",
    version,
    max_term_width = 100,
    propagate_version = false,
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

impl Cli {
    /// What this process was started with; help, a version and mistakes end it.
    pub(crate) fn typed() -> Self {
        let typed = Self::command().try_get_matches().or_else(|error| match error.kind() {
            // Putting its groups together would take longer than a build that has nothing to do.
            ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                overview::grouped(Self::command()).try_get_matches()
            }
            _ => Err(error),
        });
        let matches = typed.unwrap_or_else(|error| elsewhere::led_on(error).exit());
        let typed = Self::from_arg_matches(&matches);
        typed.unwrap_or_else(|error| error.format(&mut Self::command()).exit())
    }
}

const AFTER_LONG_HELP: &str = "\
Targets:
  .                 the package around you, all of its modules
  path:module       one module of the package in a directory
  //path:module     the same, from the root of the workspace
  path/...          every package below a directory
  'path:module k=v' one configuration of a module; any label that is printed is a target
  name@1.2.0:module a module of a package in the store, with its namespace if it has one

Exit codes:
    0  ok
    1  an action failed
    2  the command line is wrong
    3  a test failed
    4  nothing matched, or nothing was tested
    5  a package file is wrong
    6  packages do not fit together
    7  something in the store is not what it was
    9  what another machine has cannot be had
   10  the machine does not allow it: sandbox, disk, permissions
   11  `wake lock --check`: the lock would change
   12  an action ran out of time
   70  a fault of wake itself; a report is written
  125  run, shell, exec: nothing could be run; else the code is that of what ran
  126  run, shell, exec: it cannot be executed
  127  run, shell, exec: it is not there
  128+ a signal, such as 130 for Ctrl-C

Environment:
  WAKE_STORE           directory of the store, as --store
  WAKE_PROGRESS        auto, bar, plain or none, as --progress
  WAKE_SAFE_DIRECTORY  workspaces and stores that you trust although others own them, with `:` between
                       them; * for all
  VELOCITY_IMAGE_DIR, VELOCITY_IMAGE_PATH, VELOCITY_SYSTEM, VELOCITY_BACKEND, VELOCITY_DISTRO,
  VELOCITY_BUILD_DIR, VELOCITY_CONFIG_DIR, VELOCITY_OPENSHIFT_CPU_LIMIT, VELOCITY_OPENSHIFT_MEMORY_LIMIT
                       for wake image, as Velocity has them
  REFGENIE             the configuration of the registry of assets, as --genome-config of wake asset
                       and wake genome
  WAKE_TOKEN_NAME      the login for the registry NAME: a token, or `USER:PASSWORD`
  HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR,
  XDG_CONFIG_HOME, DOCKER_CONFIG, NETRC, NO_COLOR, CLICOLOR_FORCE, CI, GITHUB_ACTIONS as elsewhere

Files:
  wake.toml                   the settings of a workspace
  ~/.config/wake/config.toml  your own: mirrors, proxy, authorities, waits, Slurm; beside it
                              credentials.toml and keys/";

/// The commands, in the order of a day's work.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build targets and link their results into the workspace
    Build(BuildArgs),
    /// Run tests; what passed and has not changed is remembered
    Test(TestArgs),
    /// Build a target and run the result
    Run(RunArgs),
    /// Open a shell in the sandbox of a step
    Shell(ShellArgs),
    /// Run a command in the sandbox of a step
    Exec(ExecArgs),
    /// Show what a build would run, and why, without running it
    Plan(PlanArgs),
    /// Explain why a target ran, or was a cache hit
    Why(WhyArgs),
    /// Print the graph of modules
    Graph(GraphArgs),
    /// Find modules by how they hang together
    Query(QueryArgs),
    /// List the targets that a change since a revision affects
    Affected(AffectedArgs),
    /// List past builds, show one, or print what an action wrote
    Log(LogArgs),
    /// List packages and their modules
    Ls(LsArgs),
    /// Evaluate Jsonnet with the wake library
    Eval(EvalArgs),
    /// Create a package that builds
    Init(InitArgs),
    /// Show which packages need which, and in which versions
    Tree(TreeArgs),
    /// Show what the registry of a package says of it
    Info(InfoArgs),
    /// Find published packages by words
    Search(SearchArgs),
    /// Have a directory be a registry with what `wake.lock` names
    Vendor(VendorArgs),
    /// Have the package around you name published packages
    Add(AddArgs),
    /// Have the package around you name packages no more
    Remove(RemoveArgs),
    /// Choose versions of packages that `wake.lock` does not settle
    ///
    /// Versions of published packages are chosen; packages that a retriever gives are retrieved.
    Lock(LockArgs),
    /// Choose newer versions of packages
    ///
    /// Newer versions of published packages are chosen; those that a retriever gives are retrieved anew.
    Update(UpdateArgs),
    /// Publish packages, after trying them as others get them
    Publish(PublishArgs),
    /// Have nobody choose a published version anew
    Yank(YankArgs),
    /// Note a login for a registry, once it lets you in with it
    Login(LoginArgs),
    /// Forget the login for a registry
    Logout(LogoutArgs),
    /// Make and show the keys that you sign with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign registries, and manage what is remembered of them
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Delete from the store what nothing has used for 30 days
    ///
    /// What a checkout uses stays.
    Gc(GcArgs),
    /// Inspect the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Run, identify, check or format formulas of the Timeless Stack
    #[command(subcommand)]
    Formula(FormulaCommand),
    /// Build images of Velocity's specifications; pull and push any
    Image(ImageArgs),
    /// Keep and show Tyger's codespecs
    #[command(subcommand)]
    Codespec(CodespecCommand),
    /// Find, register, tag and remove assets of genomes
    ///
    /// They lie in a registry that refgenie reads.
    Asset(AssetArgs),
    /// Add genomes to a registry of assets, name and compare them
    Genome(GenomeArgs),
    /// Build assets of genomes by refgenie's recipes
    ///
    /// They go into a registry that refgenie reads.
    Recipe(RecipeArgs),
    /// Keep streams that are written once
    #[command(subcommand)]
    Buffer(BufferCommand),
    /// Run codespecs on this machine, Slurm or Kubernetes
    #[command(subcommand)]
    Job(JobCommand),
    /// Pack, unpack and verify trees by ids of their content
    #[command(subcommand)]
    Ware(WareCommand),
    /// Check whether this machine can build
    Doctor(DoctorArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

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
            assert_eq!(build.selection.targets, ["x:y".into()]);
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
            "wake log --failed --critical-path",
            "wake build --profile",
            "wake gc --max-size many",
            "wake eval",
            "wake exec a:b",
            "wake exec a:b ls",
            "wake shell a:b --failed",
            "wake build --poll 2",
            "wake build --watch --poll 0",
            "wake build --watch --print",
            "wake query",
            "wake key",
            "wake key show A",
            "wake publish --key a --no-sign",
            "wake registry sign main --days 0",
            "wake store",
            "wake formula run",
            "wake ware pack tar",
            "wake image",
            "wake image spec",
            "wake asset",
            "wake asset seek",
            "wake asset tag a/b",
            "wake genome init --alias x",
            "wake genome compare a",
            "wake recipe",
            "wake recipe build",
            "wake recipe test",
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
