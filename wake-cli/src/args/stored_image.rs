//! What `wake image` takes of images that lie somewhere.

use clap::{Args, Subcommand};

/// What is asked of images that lie somewhere.
#[derive(Debug, Subcommand)]
pub(crate) enum StoredImageCommand {
    /// Put an image into the store and print its name with its digest
    Pull {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
        #[command(flatten)]
        platform: PlatformArgs,
    },
    /// Say what an image is: its digest, how it is run, its layers
    Inspect {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
        #[command(flatten)]
        platform: PlatformArgs,
        /// Print one JSON object; with `--provenance`, what is signed as it lies there
        #[arg(long)]
        json: bool,
        /// What it consists of, as SPDX: as it lies beside the image, or else made now
        #[arg(long, conflicts_with_all = ["provenance", "json"])]
        sbom: bool,
        /// The signed statements that lie beside it, of where it comes from
        #[arg(long)]
        provenance: bool,
    },
    /// Write an image into a layout or an archive
    Save {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]` or `docker-archive:FILE[:NAME]`
        #[arg(value_name = "TARGET")]
        target: String,
        #[command(flatten)]
        platform: PlatformArgs,
    },
    /// Give an image to a registry of containers, with what lies beside it: what it consists of, where it comes from
    Push {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// `HOST/REPOSITORY[:TAG]`
        #[arg(value_name = "TARGET")]
        target: String,
        #[command(flatten)]
        platform: PlatformArgs,
        /// The key that signs where an image comes from that a module is: its name, or a file [default: yours, if there is one]
        #[arg(long, value_name = "KEY", conflicts_with = "no_sign")]
        key: Option<String>,
        /// Sign nothing
        #[arg(long)]
        no_sign: bool,
        /// Say nothing of what the image consists of
        #[arg(long)]
        no_sbom: bool,
    },
}

/// For which machines an image is to be.
#[derive(Debug, Args)]
pub(crate) struct PlatformArgs {
    /// `OS/ARCHITECTURE[/VARIANT]`, such as `linux/arm64`; without it that of this machine
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}
