//! `wake recipe`

mod build;
mod documents;
mod test;

use std::io::Write;

use crate::args::{RecipeArgs, RecipeCommand};
use crate::assets;
use crate::environment::Environment;
use crate::exit::Outcome;
use crate::settings::Settings;

/// Runs a `wake recipe` subcommand.
pub(crate) fn run(
    args: &RecipeArgs,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let registry = || assets::open(&args.registry, settings, environment);
    let named = || assets::open_named(&args.registry, settings, environment);
    match &args.command {
        RecipeCommand::Build(args) => build::build(args, &registry()?, settings, out, say),
        RecipeCommand::Plan { build, json } => {
            build::plan(build, &registry()?, *json, settings, out)
        }
        RecipeCommand::Why { build, json } => build::why(build, &registry()?, *json, settings, out),
        RecipeCommand::Test(args) => test::run(args, named()?, settings, say),
        RecipeCommand::Check { files } => documents::check(files, settings, say),
        RecipeCommand::Add { files, force } => {
            documents::add(files, *force, &registry()?, settings, say)
        }
        RecipeCommand::Remove(args) => documents::remove(args, &registry()?, settings, say),
        RecipeCommand::List => documents::list(&registry()?, settings, out),
        RecipeCommand::Show { recipe } => documents::show(recipe, named()?, settings, out),
    }
}
