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
        /// Print one JSON object
        #[arg(long)]
        json: bool,
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
    /// Give an image to a registry of containers
    Push {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// `HOST/REPOSITORY[:TAG]`
        #[arg(value_name = "TARGET")]
        target: String,
        #[command(flatten)]
        platform: PlatformArgs,
    },
}

/// For which machines an image is to be.
#[derive(Debug, Args)]
pub(crate) struct PlatformArgs {
    /// `OS/ARCHITECTURE[/VARIANT]`, such as `linux/arm64`; without it that of this machine
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}
