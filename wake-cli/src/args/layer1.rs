//! Arguments of the commands for wares and formulas.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `wake formula`
#[derive(Debug, Subcommand)]
pub(crate) enum FormulaCommand {
    /// Run formulas and print their run records; their commands' output goes to standard error
    #[command(after_help = FORMULA_CODES)]
    Run {
        /// Formula files; several run in parallel
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Run the formulas even if their results are cached
        #[arg(long)]
        rerun: bool,
        /// Give network access to repeatr formulas and to warpforge formulas that request it. Their results may not be
        /// reproducible and are not cached
        #[arg(long)]
        allow_network: bool,
        /// Allow mounting paths outside the formulas' directories, and saving outputs there. Without it formulas may
        /// only read system directories such as /usr
        #[arg(long)]
        allow_host: bool,
        /// Output format
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: FormulaFormat,
    },
    /// Print the id of a formula
    Id(DocumentArgs),
    /// Check a formula and report errors
    Check(DocumentArgs),
    /// Print a formula in canonical form
    Fmt(DocumentArgs),
}

/// Arguments of the commands that only read a formula.
#[derive(Args, Debug)]
pub(crate) struct DocumentArgs {
    /// Formula file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

const FORMULA_CODES: &str = "\
Exit codes, as published by the Timeless Stack: 0 the command succeeded, 32 it failed, 3 to 13 a ware
could not be fetched or packed (see `wake ware --help`), 40 invalid formula, 41 store failure,
42 sandbox failure.";

/// `wake formula run --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormulaFormat {
    /// Run records on standard output, everything else on standard error
    Text,
    /// Events, including run records, on standard output, one JSON object per line
    Json,
}

/// `wake ware`
#[derive(Debug, Subcommand)]
#[command(after_help = WARE_HELP)]
pub(crate) enum WareCommand {
    /// Pack a file tree and print its ware id
    Pack {
        /// Pack type: `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Path of the tree
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Warehouse to store the ware in; without one it is only hashed
        #[arg(long, value_name = "URL")]
        target: Option<String>,
        /// Filters for owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// Fetch a ware, verify it against its id and unpack it to PATH, replacing what is there
    Unpack {
        /// Id of the ware
        #[arg(value_name = "WAREID")]
        ware: String,
        /// Path to unpack to
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Warehouse to fetch from; if repeated, tried in order
        #[arg(long = "source", value_name = "URL")]
        sources: Vec<String>,
        /// Filters for owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
        /// How to place the unpacked tree
        #[arg(long, value_name = "HOW", default_value = "copy")]
        placer: Placer,
    },
    /// Compute the id of a packed ware
    Scan {
        /// Pack type: `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Location of the packed ware
        #[arg(long, value_name = "URL")]
        source: String,
        /// Filters that reject contents, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// Copy a packed ware to another warehouse, after verifying its id
    Mirror {
        /// Id of the ware
        #[arg(value_name = "WAREID")]
        ware: String,
        /// Warehouse to copy to
        #[arg(long, value_name = "URL")]
        target: String,
        /// Warehouse to fetch from; if repeated, tried in order
        #[arg(long = "source", value_name = "URL", required = true)]
        sources: Vec<String>,
    },
    /// Print the id of a file tree without packing it
    Id {
        /// Pack type: `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Path of the tree
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Filters for owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// List the contents of a packed ware
    Ls {
        /// Pack type: `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Location of the packed ware
        #[arg(long, value_name = "URL")]
        source: String,
    },
}

/// `wake ware unpack --placer`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placer {
    /// Unpack into the store, then copy to PATH
    Copy,
    /// Unpack directly to PATH, bypassing the store
    Direct,
    /// Unpack into the store only
    None,
}

const WARE_HELP: &str = "\
A ware id is TYPE:HASH. The hash of a `tar` or `zip` ware covers files and directories, but not
symbolic links, hard links, pipes and devices: published ids depend on that. The hash of a `tree`
ware covers everything.

Warehouses: file://PATH, ca+file://DIR (by hash); read-only: http(s)://URL, ca+http(s)://URL.

Filters: uid, gid, mtime, sticky, setid, dev; see `spec/wares.md` for their values and defaults.

Exit codes, as published by the Timeless Stack: 3 no warehouse available, 4 warehouse not writable,
5 ware not found, 6 ware corrupt, 7 hash mismatch, 9 store failure, 10 conflicting inputs, 11 tree
cannot be packed, 12 invalid path, 13 rejected by a filter.";
