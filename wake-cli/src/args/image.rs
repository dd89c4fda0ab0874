//! Arguments of `wake image`, named as in Velocity.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::stored_image::StoredImageCommand;

/// `wake image`
#[derive(Args, Debug)]
#[command(after_help = IMAGE_HELP)]
pub(crate) struct ImageArgs {
    /// Backend to build for, as named in specifications [default: apptainer]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// System to build for [default: this machine's architecture]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) system: Option<String>,
    /// Distribution to build on [default: ubuntu]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) distro: Option<String>,
    /// Image directory; if repeated, the first that has a name wins [default: ~/.velocity/images]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) images: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: ImageCommand,
}

const IMAGE_HELP: &str = "\
A target is NAME or NAME@=VERSION, NAME@^LOWEST, NAME@_HIGHEST, NAME@LOWEST%HIGHEST; for images with
a `specs.yaml`, also NAME@VERSION, NAME@LOWEST:, NAME@:HIGHEST, NAME@LOWEST:HIGHEST.
For `pull`, `inspect`, `save` and `push` an image is HOST/REPOSITORY[:TAG][@sha256:DIGEST],
oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], or the path of a layout or an
archive.
Settings without a flag are read from VELOCITY_IMAGE_DIR or VELOCITY_IMAGE_PATH, VELOCITY_SYSTEM,
VELOCITY_BACKEND, VELOCITY_DISTRO and VELOCITY_BUILD_DIR, then from `config.yaml` in
VELOCITY_CONFIG_DIR or ~/.velocity.";

/// Subcommands of `wake image` for specifications.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List the images available for a system, backend and distribution
    Avail {
        /// Images to list [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Show the resolved versions of targets as a dependency tree
    Spec {
        /// Target images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
    },
    /// Show which images targets need, in build order, with their build ids
    Plan {
        /// Target images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Output format
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: ImageFormat,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Print the scripts and commands that build targets, without running them
    #[command(visible_alias = "dry-run")]
    Script {
        /// Target images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Name of the last image
        #[arg(short, long, value_name = "NAME")]
        name: Option<String>,
        /// Keep the tags of intermediate images
        #[arg(short, long)]
        leave_tags: bool,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Build images in cached steps, and store them by name
    Build(BuildImageArgs),
    /// Explain why the steps of images last ran, or would run now
    Why {
        /// Target images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        #[command(flatten)]
        reach: ReachArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Open a shell in an image's build environment, after its commands have run
    Shell {
        /// Image to enter
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Enter before the image's commands run
        #[arg(long)]
        before: bool,
        /// Command to run instead of a shell
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
        #[command(flatten)]
        reach: ReachArgs,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Lock the external base images of targets
    Lock {
        /// Target images
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// Update base images that are already locked
        #[arg(short, long)]
        update: bool,
        #[command(flatten)]
        added: AddedArgs,
    },
    #[command(flatten)]
    Stored(StoredImageCommand),
    /// Create the skeleton of a new image specification
    Create {
        /// Name of the image
        #[arg(value_name = "NAME")]
        name: String,
        /// Version of the image
        #[arg(value_name = "VERSION")]
        version: String,
    },
}

/// `wake image build`
#[derive(Args, Debug)]
pub(crate) struct BuildImageArgs {
    /// Target images
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,
    /// Name of the last image
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Also export the last image, to `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE` or `HOST/REPOSITORY:TAG`
    #[arg(short, long, value_name = "IMAGE")]
    pub(crate) output: Option<String>,
    /// Build with another tool: apptainer, singularity, podman, docker, buildah or openshift
    #[arg(short, long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// Pass FLAG to the other tool before its subcommand, as in `--engine-flag=--runtime=runc`; repeatable
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) engine_flag: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Do not attach an SBOM to an image pushed to a registry
    #[arg(long)]
    pub(crate) no_sbom: bool,
    /// Print the scripts and commands of the engine, or else of the backend, without running them
    #[arg(short, long)]
    pub(crate) dry_run: bool,
    /// Keep the tags of intermediate images, if the tool has any
    #[arg(short, long)]
    pub(crate) leave_tags: bool,
    /// Continue after a failure with everything that does not depend on it
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Rebuild the target images even if they are cached
    #[arg(short = 'c', long, alias = "clean")]
    pub(crate) rebuild: bool,
    #[command(flatten)]
    pub(crate) added: AddedArgs,
}

/// Network access of image builds.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ReachArgs {
    /// Allow network access for prologs and `@run` lines
    #[arg(long)]
    pub(crate) allow_network: bool,
}

/// Additions to the image specifications.
#[derive(Args, Debug)]
pub(crate) struct AddedArgs {
    /// Add an argument to build commands, such as `value: --no-cache; when: backend=podman`
    #[arg(short = 'A', long = "argument", value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// Set a template variable, overriding specifications, such as `name: prefix; value: /opt`
    #[arg(short = 'V', long = "variable", value_name = "VARIABLE")]
    pub(crate) variables: Vec<String>,
}

/// `wake image plan --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    /// One line per image
    Text,
    /// A single JSON object
    Json,
}
