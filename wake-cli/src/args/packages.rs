//! Arguments of the commands about published packages.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wake_build::TargetPattern;
use wake_model::{Name, PkgName, Version};

/// `wake tree`
#[derive(Args, Debug)]
pub(crate) struct TreeArgs {
    /// Packages to show [default: all of the workspace]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake info`
#[derive(Args, Debug)]
pub(crate) struct InfoArgs {
    /// Package, as `NAMESPACE/NAME` or `NAMESPACE/NAME@VERSION` [default version: the newest]
    #[arg(value_name = "PACKAGE")]
    pub(crate) package: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake search`
#[derive(Args, Debug)]
pub(crate) struct SearchArgs {
    /// Words that the name or description must contain
    #[arg(value_name = "WORD", required = true)]
    pub(crate) words: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `wake vendor`
#[derive(Args, Debug)]
pub(crate) struct VendorArgs {
    /// Directory to write the registry to
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// `wake add`
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// Packages to add, as `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,

    /// Retrieve the packages with this exec, such as `pkg.wheels./retrieve` [default: that of the namespace's other packages, else the registries]
    #[arg(long, value_name = "EXEC")]
    pub(crate) by: Option<String>,

    /// Allow versions younger than `min-age`
    #[arg(long)]
    pub(crate) now: bool,
}

/// `wake remove`
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// Packages to remove, by name or by key in `pkgs`
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,
}

/// `wake lock`
#[derive(Args, Debug)]
pub(crate) struct LockArgs {
    /// Fail with exit code 11 if the lock would change, without changing it
    #[arg(long)]
    pub(crate) check: bool,
}

/// `wake update`
#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// Packages to update, as `NAMESPACE/NAME` [default: all]
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<PkgName>,
    /// Update (or downgrade) to exactly VERSION
    #[arg(long, value_name = "VERSION", requires = "packages")]
    pub(crate) precise: Option<Version>,
    /// Allow versions younger than `min-age` in `wake.toml`
    #[arg(long, requires = "packages")]
    pub(crate) now: bool,
}

/// `wake publish`
#[derive(Args, Debug)]
pub(crate) struct PublishArgs {
    /// Packages to publish [default: the current package]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<TargetPattern>,
    /// Do everything except publish
    #[arg(short = 'n', long, conflicts_with = "list")]
    pub(crate) dry_run: bool,
    /// List the files that would be published, and exit
    #[arg(long)]
    pub(crate) list: bool,
    /// Publish to this registry of `wake.toml` instead of the namespace's
    #[arg(long, value_name = "NAME")]
    pub(crate) registry: Option<String>,
    /// Do not build the modules from the packaged files
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Sign with this key, given by name or file [default: your only key, or the one trusted by `[trust]`]
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "no_sign")]
    pub(crate) key: Option<String>,
    /// Do not sign
    #[arg(long)]
    pub(crate) no_sign: bool,
    /// Publish this file, a path in the package, even though it appears to contain a secret
    #[arg(long, value_name = "PATH")]
    pub(crate) allow_secret: Vec<String>,
}

/// `wake yank`
#[derive(Args, Debug)]
pub(crate) struct YankArgs {
    /// Version to yank, as `NAMESPACE/NAME@VERSION`
    #[arg(value_name = "PACKAGE@VERSION")]
    pub(crate) version: String,
    /// Reason to show to users of the version
    #[arg(long, value_name = "TEXT", required_unless_present = "undo", conflicts_with = "undo")]
    pub(crate) reason: Option<String>,
    /// Requirement to recommend as a replacement
    #[arg(long = "use", value_name = "REQUIREMENT", conflicts_with = "undo")]
    pub(crate) instead: Option<String>,
    /// Undo a yank
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `wake registry`
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Forget the recorded state of a registry and trust its current state
    Forget {
        /// Name of the registry in `wake.toml`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Sign the current state of a directory registry, making it a signed registry
    Sign(SignArgs),
}

/// `wake registry sign`
#[derive(Args, Debug)]
pub(crate) struct SignArgs {
    /// Name of the registry in `wake.toml`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Sign with this key, given by name or file [default: the key its readers trust]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) key: Option<String>,
    /// Number of days until the signature expires
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500), default_value = "90")]
    pub(crate) days: u32,
}

/// `wake login`
#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// Name of the registry in `wake.toml`
    #[arg(value_name = "REGISTRY")]
    pub(crate) registry: String,
    /// User name; reads a password from standard input instead of a token
    #[arg(long, short = 'u', value_name = "NAME")]
    pub(crate) username: Option<String>,
}

/// `wake logout`
#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    /// Name of the registry in `wake.toml`
    #[arg(value_name = "REGISTRY")]
    pub(crate) registry: String,
}

/// `wake key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Generate a signing key
    Generate {
        /// Name of the key
        #[arg(value_name = "NAME", default_value = "default")]
        name: Name,
    },
    /// List your keys
    List,
    /// Print the public key, in the format `wake.toml` expects
    Show {
        /// Name of the key
        #[arg(value_name = "NAME", default_value = "default")]
        name: Name,
        /// Print PEM, for other programs
        #[arg(long)]
        pem: bool,
    },
}
