//! What `wake asset` and `wake genome` take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which registry of assets.
#[derive(Debug, Args)]
pub(crate) struct AssetRegistryArgs {
    /// The configuration of the registry, `genome_config.yaml`; without it the one that REFGENIE names
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) genome_config: Option<PathBuf>,
}

/// `wake asset`.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "An asset is named `GENOME/ASSET`, with `.SEEK_KEY` for a part of it and `:TAG` for one of its forms."
)]
pub(crate) struct AssetArgs {
    #[command(flatten)]
    pub(crate) registry: AssetRegistryArgs,
    #[command(subcommand)]
    pub(crate) command: AssetCommand,
}

/// What is asked of assets.
#[derive(Debug, Subcommand)]
pub(crate) enum AssetCommand {
    /// Print where assets are, or the values of their seek keys
    Seek {
        /// Assets
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Do not look whether something is there
        #[arg(long)]
        unchecked: bool,
        /// Where the data lie, by the digest of the genome
        #[arg(long)]
        data: bool,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// List genomes and their assets, of the registry here or of a place to pull from
    List {
        /// What is at `file:DIR`, the `https://` address of the same or of a server of refgenie, or `oci://HOST/PREFIX`; without an
        /// address at the servers of the configuration
        #[arg(long, value_name = "ADDRESS", num_args = 0..=1)]
        #[allow(clippy::option_option, reason = "the flag may stand without an address")]
        from: Option<Option<String>>,
        /// Only these genomes, and each tag
        #[arg(short, long = "genome", value_name = "GENOME")]
        genomes: Vec<String>,
        /// Print one JSON object with everything
        #[arg(long)]
        json: bool,
    },
    /// Print the digests by which refgenie tells assets
    Id {
        /// Assets
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Print the digests of whole trees
        #[arg(long)]
        tree: bool,
    },
    /// Give an asset another tag, or have its tag be the default one
    Tag {
        /// The asset
        #[arg(value_name = "ASSET")]
        asset: String,
        /// The new tag
        #[arg(long = "to", value_name = "TAG", required_unless_present = "default")]
        to: Option<String>,
        /// Have this tag be the one that is meant where none is named
        #[arg(long)]
        default: bool,
        /// Replace an asset that has the new tag
        #[arg(long, requires = "to")]
        force: bool,
    },
    /// Register a directory or a file that was made elsewhere; it is copied
    Add(AddAssetArgs),
    /// Remove assets and their files
    Remove {
        /// Assets
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Also those of which others were made
        #[arg(long)]
        force: bool,
    },
    /// Fetch assets from where somebody pushed them, and register them
    Pull {
        /// Assets
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// `file:DIR`, the `https://` address of the same or of a server of refgenie, or `oci://HOST/PREFIX`; without it the servers
        /// of the configuration
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
        /// Replace what is there and is something else
        #[arg(long)]
        force: bool,
    },
    /// Pack assets and put them where others can fetch them
    Push {
        /// Assets
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// `file:DIR`, which any server of files may serve, or `oci://HOST/PREFIX`
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// Replace what is there and is something else
        #[arg(long)]
        force: bool,
    },
    /// Put the paths of assets in place of `refgenie://GENOME/ASSET` in a text
    Populate {
        /// A file; without it standard input
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// `wake asset add`.
#[derive(Debug, Args)]
pub(crate) struct AddAssetArgs {
    /// What it is to be called
    #[arg(value_name = "ASSET")]
    pub(crate) asset: String,
    /// The directory or file
    #[arg(long, value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// What is found by which key, as JSON: `{"fasta": "genome.fa", "cores": {"value": "4", "type": "number"}}`
    #[arg(long, value_name = "JSON")]
    pub(crate) seek_keys: Option<String>,
    /// Its class
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// What the asset is
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// What this form of it is
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag_description: Option<String>,
    /// An asset that it was made of
    #[arg(long = "parent", value_name = "ASSET")]
    pub(crate) parents: Vec<String>,
    /// Replace what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `wake genome`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct GenomeArgs {
    #[command(flatten)]
    pub(crate) registry: AssetRegistryArgs,
    #[command(subcommand)]
    pub(crate) command: GenomeCommand,
}

/// What is asked of genomes.
#[derive(Debug, Subcommand)]
pub(crate) enum GenomeCommand {
    /// Add the genome of a FASTA file, packed with gzip or not; the registry is made if it is not there
    Init {
        /// The file; without it only the registry is made
        #[arg(value_name = "FASTA")]
        fasta: Option<PathBuf>,
        /// What the genome is to be called
        #[arg(short, long = "alias", value_name = "ALIAS", requires = "fasta")]
        aliases: Vec<String>,
        /// What the genome is
        #[arg(long, value_name = "TEXT", requires = "fasta")]
        description: Option<String>,
        /// Where data of a new registry are to lie; without it beside its configuration
        #[arg(long, value_name = "DIR")]
        genome_folder: Option<PathBuf>,
        /// A server that refgenie is to ask, of a new registry
        #[arg(long = "genome-server", value_name = "URL")]
        servers: Vec<String>,
    },
    /// Show, set and remove aliases
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Print a sequence, or a part of it
    Getseq {
        /// The genome, which must have an asset `fasta`
        #[arg(value_name = "GENOME")]
        genome: String,
        /// `NAME` or `NAME:START-END`: the first character is 0, the one at END is not printed
        #[arg(value_name = "LOCUS")]
        locus: String,
    },
    /// Say what two genomes have in common
    Compare {
        /// A genome
        #[arg(value_name = "A")]
        a: String,
        /// Another one
        #[arg(value_name = "B")]
        b: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `wake genome alias`.
#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Print the digests of genomes, with all their aliases
    Get {
        /// Genomes, by alias or digest; without any all of them
        #[arg(value_name = "GENOME")]
        genomes: Vec<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Give a genome further aliases
    Set {
        /// The genome
        #[arg(value_name = "GENOME")]
        genome: String,
        /// Aliases
        #[arg(required = true, value_name = "ALIAS")]
        aliases: Vec<String>,
        /// Take them from other genomes
        #[arg(long)]
        force: bool,
    },
    /// Take aliases away
    Remove {
        /// Aliases
        #[arg(required = true, value_name = "ALIAS")]
        aliases: Vec<String>,
    },
}
