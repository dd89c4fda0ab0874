//! What `wake image` takes, with the names of Velocity.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::stored_image::StoredImageCommand;

/// `wake image`
#[derive(Args, Debug)]
#[command(after_help = IMAGE_HELP)]
pub(crate) struct ImageArgs {
    /// What documents call the tool that builds images [default: apptainer]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// The machine that images are for [default: its architecture]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) system: Option<String>,
    /// The distribution that images are made of [default: ubuntu]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) distro: Option<String>,
    /// A directory of images; the first one that has a name counts [default: ~/.velocity/images]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) images: Vec<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: ImageCommand,
}

const IMAGE_HELP: &str = "\
A target is NAME or NAME@=VERSION, NAME@^LOWEST, NAME@_HIGHEST, NAME@LOWEST%HIGHEST; where images have
a `specs.yaml`, NAME@VERSION, NAME@LOWEST:, NAME@:HIGHEST, NAME@LOWEST:HIGHEST as well.
For `pull`, `inspect`, `save` and `push` an image is HOST/REPOSITORY[:TAG][@sha256:DIGEST], oci:DIR[:NAME],
oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], or the path of a layout or an archive.
What is not said here is read from VELOCITY_IMAGE_DIR or VELOCITY_IMAGE_PATH, VELOCITY_SYSTEM,
VELOCITY_BACKEND, VELOCITY_DISTRO and VELOCITY_BUILD_DIR, then from `config.yaml` in VELOCITY_CONFIG_DIR
or ~/.velocity.";

/// What is asked of images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List the images that exist for system, backend and distribution
    Avail {
        /// Only these
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Show which versions targets come to, as a tree of what needs what
    Spec {
        /// Images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
    },
    /// Show what is built for targets, in which order, under which ids
    Plan {
        /// Images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// For people, or for programs
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: ImageFormat,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Print the scripts and commands that build targets, and run none
    #[command(visible_alias = "dry-run")]
    Script {
        /// Images
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// What the last image is to be called
        #[arg(short, long, value_name = "NAME")]
        name: Option<String>,
        /// Keep the names of the images in between
        #[arg(short, long)]
        leave_tags: bool,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Build images, each as steps that are cached, and keep them by name
    Build(BuildImageArgs),
    /// Say why the steps of images ran last, or would run now
    Why {
        /// Images
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
    /// Open a shell where the commands of an image run, after them and amid what they left
    Shell {
        /// The image
        #[arg(value_name = "TARGET", required = true)]
        targets: Vec<String>,
        /// Before its commands
        #[arg(long)]
        before: bool,
        /// A command instead of a shell
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
        #[command(flatten)]
        reach: ReachArgs,
        #[command(flatten)]
        added: AddedArgs,
    },
    /// Write down which images of others are begun from; of all images where no target is named
    Lock {
        /// Images
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// Look up those that are locked as well
        #[arg(short, long)]
        update: bool,
        #[command(flatten)]
        added: AddedArgs,
    },
    #[command(flatten)]
    Stored(StoredImageCommand),
    /// Write the documents of a new image, to begin with
    Create {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
        /// Its version
        #[arg(value_name = "VERSION")]
        version: String,
    },
}

/// `wake image build`
#[derive(Args, Debug)]
pub(crate) struct BuildImageArgs {
    /// Images
    #[arg(value_name = "TARGET", required = true)]
    pub(crate) targets: Vec<String>,
    /// What the last image is to be called
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Give the last image away as well: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE` or `HOST/REPOSITORY:TAG`
    #[arg(short, long, value_name = "IMAGE")]
    pub(crate) output: Option<String>,
    /// Have another tool build them: apptainer, singularity, podman, docker, buildah or openshift
    #[arg(short, long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// Say this to another tool before its command, as `--engine-flag=--runtime=runc`; may be given several times
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) engine_flag: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Put no SBOM beside an image that is given to a registry
    #[arg(long)]
    pub(crate) no_sbom: bool,
    /// Print the scripts and commands of the tool that is named, or else of the backend, and run none
    #[arg(short, long)]
    pub(crate) dry_run: bool,
    /// Keep the names of the images in between, where a tool has them
    #[arg(short, long)]
    pub(crate) leave_tags: bool,
    /// Go on with what does not need what has failed
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Build the images of the targets anew, whatever is remembered
    #[arg(short = 'c', long, alias = "clean")]
    pub(crate) rebuild: bool,
    #[command(flatten)]
    pub(crate) added: AddedArgs,
}

/// What builds of images may reach.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ReachArgs {
    /// Let prologs and the lines of `@run` reach the network
    #[arg(long)]
    pub(crate) allow_network: bool,
}

/// What is added to what images say.
#[derive(Args, Debug)]
pub(crate) struct AddedArgs {
    /// Add to the commands: `value: --no-cache; when: backend=podman`
    #[arg(short = 'A', long = "argument", value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// Give templates a value, before what images say: `name: prefix; value: /opt`
    #[arg(short = 'V', long = "variable", value_name = "VARIABLE")]
    pub(crate) variables: Vec<String>,
}

/// `wake image plan --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageFormat {
    /// A line for each image
    Text,
    /// One JSON object
    Json,
}
