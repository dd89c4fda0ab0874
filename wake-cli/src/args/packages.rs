//! What the commands about published packages take.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wake_build::TargetPattern;
use wake_model::{Name, PkgName, Version};

/// `wake tree`
#[derive(Args, Debug)]
pub(crate) struct TreeArgs {
    /// The packages [default: all of the workspace]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake info`
#[derive(Args, Debug)]
pub(crate) struct InfoArgs {
    /// The package, as `NAMESPACE/NAME`, or a version of it, `NAMESPACE/NAME@VERSION` [default: the newest]
    #[arg(value_name = "PACKAGE")]
    pub(crate) package: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake search`
#[derive(Args, Debug)]
pub(crate) struct SearchArgs {
    /// What its name or description has: all of these words
    #[arg(value_name = "WORD", required = true)]
    pub(crate) words: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake vendor`
#[derive(Args, Debug)]
pub(crate) struct VendorArgs {
    /// The directory, which becomes a registry
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// `wake add`
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// The packages, as `NAMESPACE/NAME`, or with the versions that will do: `NAMESPACE/NAME@REQUIREMENT`
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,

    /// Have this exec retrieve them, such as `pkg.wheels./retrieve` [default: as other packages of their namespaces, else the registries]
    #[arg(long, value_name = "EXEC")]
    pub(crate) by: Option<String>,

    /// Take versions however young they are, whatever `min-age` says
    #[arg(long)]
    pub(crate) now: bool,
}

/// `wake remove`
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The packages, by their names or by their keys in `pkgs`
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,
}

/// `wake lock`
#[derive(Args, Debug)]
pub(crate) struct LockArgs {
    /// Change nothing; fail with exit code 11 if something would change
    #[arg(long)]
    pub(crate) check: bool,
}

/// `wake update`
#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// The packages, as `NAMESPACE/NAME` [default: all]
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<PkgName>,
    /// Choose exactly this version, up or down
    #[arg(long, value_name = "VERSION", requires = "packages")]
    pub(crate) precise: Option<Version>,
    /// Choose also versions that are younger than `min-age` in `wake.toml`
    #[arg(long, requires = "packages")]
    pub(crate) now: bool,
}

/// `wake publish`
#[derive(Args, Debug)]
pub(crate) struct PublishArgs {
    /// The packages [default: the package around you]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Do everything but publish
    #[arg(short = 'n', long, conflicts_with = "list")]
    pub(crate) dry_run: bool,
    /// List the files that others would get, and do no more
    #[arg(long)]
    pub(crate) list: bool,
    /// Publish to this registry of `wake.toml` instead of that of the namespace
    #[arg(long, value_name = "NAME")]
    pub(crate) registry: Option<String>,
    /// Do not build the modules from what others would get
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Sign with this key: its name, or the path of its file [default: the only one there is, or that `[trust]` counts]
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "no_sign")]
    pub(crate) key: Option<String>,
    /// Sign nothing
    #[arg(long)]
    pub(crate) no_sign: bool,
    /// Publish this file although it looks as if it held a secret; a path in the package
    #[arg(long, value_name = "PATH")]
    pub(crate) allow_secret: Vec<String>,
}

/// `wake yank`
#[derive(Args, Debug)]
pub(crate) struct YankArgs {
    /// The version, as `NAMESPACE/NAME@VERSION`
    #[arg(value_name = "PACKAGE@VERSION")]
    pub(crate) version: String,
    /// Why, for whoever has it
    #[arg(long, value_name = "TEXT", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) reason: Option<String>,
    /// What to use instead, as a requirement
    #[arg(long = "use", value_name = "REQUIREMENT", conflicts_with = "undo")]
    pub(crate) instead: Option<String>,
    /// Allow it to be chosen again
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `wake registry`
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Forget what was seen of a registry, so that what it says now is taken for right
    Forget {
        /// What `wake.toml` calls it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Sign a registry in a directory as it is now; from then on it is a signed one
    Sign(SignArgs),
}

/// `wake registry sign`
#[derive(Args, Debug)]
pub(crate) struct SignArgs {
    /// What `wake.toml` calls it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Sign with this key: its name, or the path of its file [default: the one that its readers believe]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) key: Option<String>,
    /// For how many days that holds
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500), default_value = "90")]
    pub(crate) days: u32,
}

/// `wake login`
#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// What `wake.toml` calls the registry
    #[arg(value_name = "REGISTRY")]
    pub(crate) registry: String,
    /// Your name there; the password is then read from standard input, without it a token
    #[arg(long, short = 'u', value_name = "NAME")]
    pub(crate) username: Option<String>,
}

/// `wake logout`
#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    /// What `wake.toml` calls the registry
    #[arg(value_name = "REGISTRY")]
    pub(crate) registry: String,
}

/// `wake key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key to sign with
    Generate {
        /// What it is to be called
        #[arg(value_name = "NAME", default_value = "default")]
        name: Name,
    },
    /// List the keys that you have
    List,
    /// Print the half of a key that others may have, as `wake.toml` takes it
    Show {
        /// What it is called
        #[arg(value_name = "NAME", default_value = "default")]
        name: Name,
        /// Print it as PEM, for other programs
        #[arg(long)]
        pem: bool,
    },
}
