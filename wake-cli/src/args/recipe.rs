//! Arguments of `wake recipe`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::asset::AssetRegistryArgs;

/// `wake recipe`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = RECIPE_HELP)]
pub(crate) struct RecipeArgs {
    #[command(flatten)]
    pub(crate) registry: AssetRegistryArgs,
    #[command(subcommand)]
    pub(crate) command: RecipeCommand,
}

const RECIPE_HELP: &str = "\
An asset is named `GENOME/ASSET[:TAG]`, and built by the recipe of the same name unless `--recipe`
is given. A recipe is YAML, JSON or Jsonnet, in one of three forms: with `inputs` and
`command_template_list`, the older one with `required_files` and `command_list`, or the later one
with `input_files` and `command_templates`.";

/// Subcommands of `wake recipe`.
#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// Build assets and add them to the registry; unchanged steps are cached
    Build(RecipeBuildArgs),
    /// Show what a build would run, and why, without running it
    Plan {
        #[command(flatten)]
        build: RecipeBuildArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain why a build ran or would run
    Why {
        #[command(flatten)]
        build: RecipeBuildArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run recipes on the inputs of their `test` sections, and compare the results
    Test(RecipeTestArgs),
    /// Check recipe and asset class documents and report errors
    Check {
        /// Recipe and asset class documents
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Add recipes and asset classes to the registry
    Add {
        /// Recipe and asset class documents
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Replace existing documents of the same names
        #[arg(short, long)]
        force: bool,
    },
    /// Remove recipes or asset classes from the registry
    Remove(RecipeRemoveArgs),
    /// List the recipes and asset classes in the registry
    List,
    /// Print the inputs and outputs of a recipe
    Show {
        /// Recipe, given by name or file
        #[arg(value_name = "RECIPE")]
        recipe: String,
    },
}

/// What to remove.
#[derive(Debug, Args)]
pub(crate) struct RecipeRemoveArgs {
    /// Names of recipes, or of asset classes with --asset-class
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Remove asset classes
    #[arg(long)]
    pub(crate) asset_class: bool,
    /// Remove asset classes even if recipes, assets or other classes in the registry use them
    #[arg(short, long, requires = "asset_class")]
    pub(crate) force: bool,
}

/// What to build, and from what.
#[derive(Debug, Args)]
pub(crate) struct RecipeBuildArgs {
    /// Assets to build, as `GENOME/ASSET[:TAG]`
    #[arg(required = true, value_name = "ASSET")]
    pub(crate) targets: Vec<String>,
    /// Input files of recipes, as `NAME=FILE`, `ASSET.NAME=FILE` or `GENOME/ASSET.NAME=FILE`
    #[arg(long, value_name = "NAME=FILE", num_args = 1..)]
    pub(crate) files: Vec<String>,
    /// Parameter values
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    pub(crate) params: Vec<String>,
    /// Input assets of recipes, as `NAME=[GENOME/]ASSET[.SEEK_KEY][:TAG]`
    #[arg(long, value_name = "NAME=ASSET", num_args = 1..)]
    pub(crate) assets: Vec<String>,
    /// Recipe to use for all ASSETs, given by name or file
    #[arg(short, long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
    #[command(flatten)]
    pub(crate) places: RecipePlaces,
    /// Do not build parent assets; they must already exist
    #[arg(long)]
    pub(crate) no_parents: bool,
    /// Continue after a failure with everything that does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Rebuild the ASSETs even if they are cached
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// Description of a new genome
    #[arg(long, value_name = "TEXT")]
    pub(crate) genome_description: Option<String>,
    /// Print the paths of the assets
    #[arg(long)]
    pub(crate) print: bool,
}

/// Where to find documents, and where to run commands.
#[derive(Debug, Args)]
pub(crate) struct RecipePlaces {
    /// Directory of further recipes and asset classes
    #[arg(long = "documents", value_name = "DIR")]
    pub(crate) documents: Vec<PathBuf>,
    /// Root file system for commands: `host`, a directory or an image [default: the recipe's container, else `host`]
    #[arg(long, value_name = "ROOT")]
    pub(crate) rootfs: Option<String>,
}

/// `wake recipe test`
#[derive(Debug, Args)]
pub(crate) struct RecipeTestArgs {
    /// Recipes, given by name or file
    #[arg(required = true, value_name = "RECIPE")]
    pub(crate) recipes: Vec<String>,
    #[command(flatten)]
    pub(crate) places: RecipePlaces,
    /// Fetch remote test inputs again
    #[arg(long)]
    pub(crate) refetch: bool,
    /// Write test results to FILE as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
