//! What `wake recipe` takes.

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
An asset is named `GENOME/ASSET[:TAG]`, and built by the recipe of its name unless `--recipe` says which.
A recipe is YAML, JSON or Jsonnet: the form with `inputs` and `command_template_list`, the older one with
`required_files` and `command_list`, or the later one with `input_files` and `command_templates`.";

/// What is asked of recipes.
#[derive(Debug, Subcommand)]
pub(crate) enum RecipeCommand {
    /// Build assets and put them into the registry; what has not changed is remembered
    Build(RecipeBuildArgs),
    /// Show what a build would run, and why, without running it
    Plan {
        #[command(flatten)]
        build: RecipeBuildArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain why a build ran, or would run
    Why {
        #[command(flatten)]
        build: RecipeBuildArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run recipes on the inputs of their `test` sections, and compare what comes of them
    Test(RecipeTestArgs),
    /// Check documents of recipes and asset classes, and say what is wrong with them
    Check {
        /// The documents
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Have the registry keep recipes and asset classes
    Add {
        /// The documents
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Put them in the place of others of their names
        #[arg(short, long)]
        force: bool,
    },
    /// List the recipes and the asset classes that the registry keeps
    List,
    /// Print what a recipe needs and what it makes
    Show {
        /// The recipe: its name, or its file
        #[arg(value_name = "RECIPE")]
        recipe: String,
    },
}

/// What is built, and from what.
#[derive(Debug, Args)]
pub(crate) struct RecipeBuildArgs {
    /// What is to be built: `GENOME/ASSET[:TAG]`
    #[arg(required = true, value_name = "ASSET")]
    pub(crate) targets: Vec<String>,
    /// Files for the inputs of recipes: `NAME=FILE`, `ASSET.NAME=FILE`, `GENOME/ASSET.NAME=FILE`
    #[arg(long, value_name = "NAME=FILE", num_args = 1..)]
    pub(crate) files: Vec<String>,
    /// Values for their parameters
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    pub(crate) params: Vec<String>,
    /// Assets for their inputs: `NAME=[GENOME/]ASSET[.SEEK_KEY][:TAG]`
    #[arg(long, value_name = "NAME=ASSET", num_args = 1..)]
    pub(crate) assets: Vec<String>,
    /// The recipe for all that is named: a name, or a file
    #[arg(short, long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
    #[command(flatten)]
    pub(crate) places: RecipePlaces,
    /// Do not build assets first that others are made of: they must be there
    #[arg(long)]
    pub(crate) no_parents: bool,
    /// Go on with what does not need what failed
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Run what is named again, though it is remembered
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// What a genome is that is new
    #[arg(long, value_name = "TEXT")]
    pub(crate) genome_description: Option<String>,
    /// Print where the assets lie
    #[arg(long)]
    pub(crate) print: bool,
}

/// Where documents are found, and in what commands run.
#[derive(Debug, Args)]
pub(crate) struct RecipePlaces {
    /// A directory of recipes and asset classes that the registry need not keep
    #[arg(long = "documents", value_name = "DIR")]
    pub(crate) documents: Vec<PathBuf>,
    /// What commands run in: `host`, a directory or an image; without it the container of the recipe, else `host`
    #[arg(long, value_name = "ROOT")]
    pub(crate) rootfs: Option<String>,
}

/// `wake recipe test`
#[derive(Debug, Args)]
pub(crate) struct RecipeTestArgs {
    /// The recipes: names, or files
    #[arg(required = true, value_name = "RECIPE")]
    pub(crate) recipes: Vec<String>,
    #[command(flatten)]
    pub(crate) places: RecipePlaces,
    /// Fetch files again that the tests name by their addresses
    #[arg(long)]
    pub(crate) refetch: bool,
    /// Write what came of them as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
