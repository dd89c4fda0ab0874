//! The command line exactly as typed. [`crate::settings`] decides what it means.

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
pub(crate) use recipe::{
    RecipeArgs, RecipeBuildArgs, RecipeCommand, RecipeRemoveArgs, RecipeTestArgs,
};
pub(crate) use stored_image::{PlatformArgs, StoredImageCommand};

/// Build exactly what is declared, from declared inputs alone, and cache every result.
#[derive(Debug, Parser)]
#[command(
    name = "wake",
    version,
    max_term_width = 100,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "A target is `path`, `path:module`, `//path:module` or `path/...`; the default is \
                  the current package.",
    after_long_help = AFTER_LONG_HELP
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Parses the command line of this process; exits on help, version and usage errors.
    pub(crate) fn typed() -> Self {
        let typed = Self::command().try_get_matches().or_else(|error| match error.kind() {
            // Grouping the commands would take longer than an up-to-date build.
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
  .                 all modules of the current package
  path:module       one module of the package in a directory
  //path:module     the same, relative to the workspace root
  path/...          every package in and below a directory
  'path:module k=v' one configuration of a module; every printed label is a valid target
  name@1.2.0:module a module of a package in the store; prefix the namespace, if any

Exit codes:
    0  success
    1  an action failed
    2  usage error
    3  a test failed
    4  no targets matched, or no tests ran
    5  error in a package file
    6  packages conflict
    7  an integrity check failed
    9  a registry or other remote resource is unavailable
   10  the machine does not allow it: sandbox, disk, permissions
   11  `wake lock --check`: the lock would change
   12  an action timed out
   70  internal error in wake; a report is written
  125  run, shell, exec: nothing was started; otherwise the program's own exit code
  126  run, shell, exec: program not executable
  127  run, shell, exec: program not found
  128+ terminated by a signal, such as 130 for Ctrl-C

Environment:
  WAKE_STORE           store directory, like --store
  WAKE_PROGRESS        auto, bar, plain or none, like --progress
  WAKE_SAFE_DIRECTORY  workspaces and stores to trust although other users own them, separated
                       by `:`; * for all
  VELOCITY_IMAGE_DIR, VELOCITY_IMAGE_PATH, VELOCITY_SYSTEM, VELOCITY_BACKEND, VELOCITY_DISTRO,
  VELOCITY_BUILD_DIR, VELOCITY_CONFIG_DIR, VELOCITY_OPENSHIFT_CPU_LIMIT,
  VELOCITY_OPENSHIFT_MEMORY_LIMIT
                       settings of wake image, as in Velocity
  REFGENIE             configuration file of the asset registry, like --genome-config of wake asset,
                       wake genome and wake recipe
  WAKE_TOKEN_NAME      login for the registry NAME: a token, or `USER:PASSWORD`
  HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR,
  XDG_CONFIG_HOME, DOCKER_CONFIG, NETRC, NO_COLOR, CLICOLOR_FORCE, CI, GITHUB_ACTIONS
                       with their usual meanings

Files:
  wake.toml                        workspace settings
  ~/.config/wake/config.toml       user settings: mirrors, proxy, CA certificates, timeouts, Slurm,
                                   Kubernetes
  ~/.config/wake/credentials.toml  saved logins
  ~/.config/wake/keys/             signing keys";

/// The commands, in the order of everyday use.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build targets and link their results into the workspace
    Build(BuildArgs),
    /// Run tests, skipping those that passed and have not changed
    Test(TestArgs),
    /// Build a target and run the result
    Run(RunArgs),
    /// Open a shell in the sandbox of a step
    Shell(ShellArgs),
    /// Run a command in the sandbox of a step
    Exec(ExecArgs),
    /// Show what a build would run, and why, without running it
    Plan(PlanArgs),
    /// Explain why a target ran or was a cache hit
    Why(WhyArgs),
    /// Print the module graph
    Graph(GraphArgs),
    /// Find modules by dependencies, files, kind or tags
    Query(QueryArgs),
    /// List the targets affected by changes since a revision
    Affected(AffectedArgs),
    /// List past builds, show one, or print an action's output
    Log(LogArgs),
    /// List packages and their modules
    Ls(LsArgs),
    /// Evaluate Jsonnet with the wake library
    Eval(EvalArgs),
    /// Create a new package
    Init(InitArgs),
    /// Show the package dependency tree, with versions
    Tree(TreeArgs),
    /// Show what a registry knows about a package
    Info(InfoArgs),
    /// Search for published packages
    Search(SearchArgs),
    /// Copy the packages in `wake.lock` into a directory registry
    Vendor(VendorArgs),
    /// Add dependencies to the current package
    Add(AddArgs),
    /// Remove dependencies from the current package
    Remove(RemoveArgs),
    /// Resolve dependencies that `wake.lock` does not settle yet
    ///
    /// Chooses versions of published packages, and retrieves packages that come from a retriever.
    Lock(LockArgs),
    /// Update packages to newer versions
    ///
    /// Chooses newer versions of published packages, and retrieves packages from retrievers again.
    Update(UpdateArgs),
    /// Publish packages, after building them as others will get them
    Publish(PublishArgs),
    /// Yank a published version so that new locks do not select it
    Yank(YankArgs),
    /// Verify and save a login for a registry
    Login(LoginArgs),
    /// Delete the saved login for a registry
    Logout(LogoutArgs),
    /// Generate and show your signing keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign registries, and reset what is recorded about them
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Delete store content that has not been used for 30 days
    ///
    /// Content that a checkout still uses is kept.
    Gc(GcArgs),
    /// Inspect the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Run, check, format and identify Timeless Stack formulas
    #[command(subcommand)]
    Formula(FormulaCommand),
    /// Build images from Velocity specifications; pull and push images
    Image(ImageArgs),
    /// Store and show Tyger codespecs
    #[command(subcommand)]
    Codespec(CodespecCommand),
    /// Find, register, tag and remove genome assets
    ///
    /// The assets are kept in a registry that refgenie can read.
    Asset(AssetArgs),
    /// Add, name and compare the genomes of an asset registry
    Genome(GenomeArgs),
    /// Build genome assets from refgenie recipes
    ///
    /// The assets are added to a registry that refgenie can read.
    Recipe(RecipeArgs),
    /// Create, write and read buffers: write-once streams
    #[command(subcommand)]
    Buffer(BufferCommand),
    /// Run codespecs locally, on Slurm or on Kubernetes
    #[command(subcommand)]
    Job(JobCommand),
    /// Pack, unpack and verify content-addressed file trees (wares)
    #[command(subcommand)]
    Ware(WareCommand),
    /// Check whether this machine can run builds
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
    fn invalid_arguments_are_usage_errors() {
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
            "wake recipe remove",
            "wake recipe remove a --force",
            "wake recipe test",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_mistyped_command_gets_a_suggestion() {
        let text = parse("wake biuld").unwrap_err().to_string();
        assert!(text.contains("'build'"), "{text}");
    }
}
