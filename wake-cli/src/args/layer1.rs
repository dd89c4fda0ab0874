//! What the commands for wares and formulas take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `wake formula`
#[derive(Debug, Subcommand)]
pub(crate) enum FormulaCommand {
    /// Run formulas and print their run records; what their commands write goes to standard error
    #[command(after_help = FORMULA_CODES)]
    Run {
        /// Files of formulas; several run at once
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Run them again even if their results are cached
        #[arg(long)]
        rerun: bool,
        /// Give them the network: those of repeatr, and those of warpforge that ask for it. Nothing guarantees then that
        /// they do the same again, and their results are not remembered
        #[arg(long)]
        allow_network: bool,
        /// Let them mount what lies outside their directories, and save outputs there. Without it they may read the
        /// system's directories, such as /usr
        #[arg(long)]
        allow_host: bool,
        /// Run records, or events with run records, one JSON object a line
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: FormulaFormat,
    },
    /// Print the id of a formula
    Id(DocumentArgs),
    /// Check a formula and say what is wrong with it
    Check(DocumentArgs),
    /// Print a formula in its canonical form
    Fmt(DocumentArgs),
}

/// What the commands take that only look at a formula.
#[derive(Args, Debug)]
pub(crate) struct DocumentArgs {
    /// The document
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

const FORMULA_CODES: &str = "\
Exit codes, as the Timeless Stack publishes them: 0 the command succeeded, 32 it failed, 3 to 13 a ware
could not be had or made (`wake ware --help`), 40 the formula is wrong, 41 the store failed, 42 the
sandbox failed.";

/// `wake formula run --format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormulaFormat {
    /// Run records on standard output, everything else on standard error
    Text,
    /// Events on standard output
    Json,
}

/// `wake ware`
#[derive(Debug, Subcommand)]
#[command(after_help = WARE_HELP)]
pub(crate) enum WareCommand {
    /// Pack a tree and print its id
    Pack {
        /// `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// The tree
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// The warehouse to keep it in; without one it is only hashed
        #[arg(long, value_name = "URL")]
        target: Option<String>,
        /// What happens to owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// Fetch a ware, verify it against its id and put it at PATH, replacing what is there
    Unpack {
        /// The ware
        #[arg(value_name = "WAREID")]
        ware: String,
        /// Where to
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Warehouses, tried in this order
        #[arg(long = "source", value_name = "URL")]
        sources: Vec<String>,
        /// What happens to owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
        /// Through the store, past it, or into the store only
        #[arg(long, value_name = "HOW", default_value = "copy")]
        placer: Placer,
    },
    /// Print the id of a packed ware
    Scan {
        /// `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Where the packed ware is
        #[arg(long, value_name = "URL")]
        source: String,
        /// What to refuse, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// Copy a packed ware to another warehouse, if it matches its id
    Mirror {
        /// The ware
        #[arg(value_name = "WAREID")]
        ware: String,
        /// Where to
        #[arg(long, value_name = "URL")]
        target: String,
        /// Warehouses, tried in this order
        #[arg(long = "source", value_name = "URL", required = true)]
        sources: Vec<String>,
    },
    /// Print the id of a tree without packing it
    Id {
        /// `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// The tree
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// What happens to owners, times and special files, as KEY=VALUE,KEY=VALUE
        #[arg(long, value_name = "FILTERS")]
        filters: Option<String>,
    },
    /// List the contents of a packed ware
    Ls {
        /// `tar`, `tree` or `zip`
        #[arg(value_name = "TYPE")]
        packtype: String,
        /// Where the packed ware is
        #[arg(long, value_name = "URL")]
        source: String,
    },
}

/// `wake ware unpack --placer`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placer {
    /// Unpack into the store, then copy
    Copy,
    /// Unpack to the path, past the store
    Direct,
    /// Unpack into the store and leave it there
    None,
}

const WARE_HELP: &str = "\
A ware is TYPE:HASH. The hash of a `tar` or `zip` ware covers files and directories, but no symbolic
links, hard links, pipes and devices: published ids depend on that. A `tree` ware's covers everything.

Warehouses: file://PATH, ca+file://DIR (by hash), and for reading http(s)://URL and ca+http(s)://URL.

Filters: uid, gid, mtime, sticky, setid, dev; `spec/wares.md` has their values and defaults.

Exit codes, as the Timeless Stack publishes them: 3 no warehouse available, 4 a warehouse cannot be
written, 5 no warehouse has the ware, 6 the ware is damaged, 7 it has another hash, 9 the store failed,
10 inputs do not fit together, 11 the tree cannot be packed, 12 a path cannot be used, 13 a filter
refuses something.";
