//! Arguments of `wake asset` and `wake genome`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Selects the asset registry.
#[derive(Debug, Args)]
pub(crate) struct AssetRegistryArgs {
    /// Configuration of the registry, `genome_config.yaml` [default: $REFGENIE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) genome_config: Option<PathBuf>,
}

/// `wake asset`.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "An asset is named `GENOME/ASSET[.SEEK_KEY][:TAG]`: the seek key selects a part of it, the tag a variant."
)]
pub(crate) struct AssetArgs {
    #[command(flatten)]
    pub(crate) registry: AssetRegistryArgs,
    #[command(subcommand)]
    pub(crate) command: AssetCommand,
}

/// Subcommands of `wake asset`.
#[derive(Debug, Subcommand)]
pub(crate) enum AssetCommand {
    /// Print the paths of assets, or the values of their seek keys
    Seek {
        /// Assets to look up
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Do not check that the path exists
        #[arg(long)]
        unchecked: bool,
        /// Print the path of the data, by genome digest
        #[arg(long)]
        data: bool,
        /// Print one JSON object per asset
        #[arg(long)]
        json: bool,
    },
    /// List genomes and their assets, in the local registry or at a remote address
    List {
        /// List the assets at ADDRESS: `file:DIR`, an `https://` address that serves such a directory or is a refgenie server, or
        /// `oci://HOST/PREFIX` [default ADDRESS: the configured servers]
        #[arg(long, value_name = "ADDRESS", num_args = 0..=1)]
        #[allow(clippy::option_option, reason = "the flag may stand without an address")]
        from: Option<Option<String>>,
        /// Only these genomes, with every tag
        #[arg(short, long = "genome", value_name = "GENOME")]
        genomes: Vec<String>,
        /// Print a single JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the digests that identify assets in refgenie
    Id {
        /// Assets to identify
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Print the digests of whole trees instead
        #[arg(long)]
        tree: bool,
    },
    /// Retag an asset, or make its tag the default
    Tag {
        /// Asset to tag
        #[arg(value_name = "ASSET")]
        asset: String,
        /// New tag
        #[arg(long = "to", value_name = "TAG", required_unless_present = "default")]
        to: Option<String>,
        /// Make this tag the default of the asset
        #[arg(long)]
        default: bool,
        /// Replace an existing asset with the new tag
        #[arg(long, requires = "to")]
        force: bool,
    },
    /// Register a copy of a file or directory that was made elsewhere
    Add(AddAssetArgs),
    /// Remove assets and their files
    Remove {
        /// Assets to remove
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Also remove assets that others were made from
        #[arg(long)]
        force: bool,
    },
    /// Fetch pushed assets and register them
    Pull {
        /// Assets to pull
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Source: `file:DIR`, an `https://` address that serves such a directory or is a refgenie server, or
        /// `oci://HOST/PREFIX` [default: the configured servers]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
        /// Replace existing assets that differ
        #[arg(long)]
        force: bool,
    },
    /// Pack assets and upload them for others to pull
    Push {
        /// Assets to push
        #[arg(required = true, value_name = "ASSET")]
        assets: Vec<String>,
        /// Destination: `file:DIR`, which any file server can serve, or `oci://HOST/PREFIX`
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// Replace existing assets that differ
        #[arg(long)]
        force: bool,
    },
    /// Replace `refgenie://GENOME/ASSET` in a text with the paths of assets
    Populate {
        /// File to read [default: standard input]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// `wake asset add`.
#[derive(Debug, Args)]
pub(crate) struct AddAssetArgs {
    /// Name of the asset
    #[arg(value_name = "ASSET")]
    pub(crate) asset: String,
    /// File or directory to register
    #[arg(long, value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Seek keys as JSON: `{"fasta": "genome.fa", "cores": {"value": "4", "type": "number"}}`
    #[arg(long, value_name = "JSON")]
    pub(crate) seek_keys: Option<String>,
    /// Asset class
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// Description of the asset
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Description of this tag
    #[arg(long, value_name = "TEXT")]
    pub(crate) tag_description: Option<String>,
    /// Asset that this one was made from
    #[arg(long = "parent", value_name = "ASSET")]
    pub(crate) parents: Vec<String>,
    /// Replace an existing asset
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

/// Subcommands of `wake genome`.
#[derive(Debug, Subcommand)]
pub(crate) enum GenomeCommand {
    /// Add the genome of a FASTA file, gzipped or not, creating the registry if missing
    Init {
        /// FASTA file; if omitted, only the registry is created
        #[arg(value_name = "FASTA")]
        fasta: Option<PathBuf>,
        /// Alias of the genome
        #[arg(short, long = "alias", value_name = "ALIAS", requires = "fasta")]
        aliases: Vec<String>,
        /// Description of the genome
        #[arg(long, value_name = "TEXT", requires = "fasta")]
        description: Option<String>,
        /// Data directory of a new registry [default: the directory of its configuration]
        #[arg(long, value_name = "DIR")]
        genome_folder: Option<PathBuf>,
        /// Server for refgenie to use, in a new registry
        #[arg(long = "genome-server", value_name = "URL")]
        servers: Vec<String>,
    },
    /// Show, set and remove genome aliases
    #[command(subcommand)]
    Alias(AliasCommand),
    /// Print a sequence or part of it
    Getseq {
        /// Genome, which must have a `fasta` asset
        #[arg(value_name = "GENOME")]
        genome: String,
        /// Sequence, as `NAME` or `NAME:START-END`, zero-based and excluding END
        #[arg(value_name = "LOCUS")]
        locus: String,
    },
    /// Compare the sequences of two genomes
    Compare {
        /// First genome
        #[arg(value_name = "A")]
        a: String,
        /// Second genome
        #[arg(value_name = "B")]
        b: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `wake genome alias`.
#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Print the digests of genomes and all their aliases
    Get {
        /// Genomes, by alias or digest [default: all]
        #[arg(value_name = "GENOME")]
        genomes: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add aliases to a genome
    Set {
        /// Genome to name
        #[arg(value_name = "GENOME")]
        genome: String,
        /// Aliases to add
        #[arg(required = true, value_name = "ALIAS")]
        aliases: Vec<String>,
        /// Move aliases that belong to other genomes
        #[arg(long)]
        force: bool,
    },
    /// Remove aliases
    Remove {
        /// Aliases to remove
        #[arg(required = true, value_name = "ALIAS")]
        aliases: Vec<String>,
    },
}
