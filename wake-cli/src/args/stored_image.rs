//! Arguments of `wake image` for existing images.

use clap::{Args, Subcommand};

/// Subcommands of `wake image` for existing images.
#[derive(Debug, Subcommand)]
pub(crate) enum StoredImageCommand {
    /// Pull an image into the store and print its name with its digest
    Pull {
        /// Image
        #[arg(value_name = "IMAGE")]
        image: String,
        #[command(flatten)]
        platform: PlatformArgs,
    },
    /// Show the digest, configuration and layers of an image
    Inspect {
        /// Image
        #[arg(value_name = "IMAGE")]
        image: String,
        #[command(flatten)]
        platform: PlatformArgs,
        /// Print JSON; with `--provenance`, the signed statements unchanged
        #[arg(long)]
        json: bool,
        /// Print the SBOM as SPDX: the one attached to the image, or else one made now
        #[arg(long, conflicts_with_all = ["provenance", "json"])]
        sbom: bool,
        /// Print the signed provenance statements attached to the image
        #[arg(long)]
        provenance: bool,
    },
    /// Save an image to a layout or an archive
    Save {
        /// Image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// Destination: `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]` or `docker-archive:FILE[:NAME]`
        #[arg(value_name = "TARGET")]
        target: String,
        #[command(flatten)]
        platform: PlatformArgs,
    },
    /// Push an image to a container registry, with its SBOM and provenance
    Push {
        /// Image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// Destination: `HOST/REPOSITORY[:TAG]`
        #[arg(value_name = "TARGET")]
        target: String,
        #[command(flatten)]
        platform: PlatformArgs,
        /// Sign the provenance of an image built by a module with this key, given by name or file [default: your key, if any]
        #[arg(long, value_name = "KEY", conflicts_with = "no_sign")]
        key: Option<String>,
        /// Do not sign
        #[arg(long)]
        no_sign: bool,
        /// Do not attach an SBOM
        #[arg(long)]
        no_sbom: bool,
    },
}

/// The platform of an image.
#[derive(Debug, Args)]
pub(crate) struct PlatformArgs {
    /// Platform, as `OS/ARCHITECTURE[/VARIANT]`, such as `linux/arm64` [default: this machine's]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
}
