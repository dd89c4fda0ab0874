//! What the commands for buffers take.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use wake_model::{BufferId, Lifetime};

use super::quantity::binary_size;

/// `wake buffer`
#[derive(Debug, Subcommand)]
pub(crate) enum BufferCommand {
    /// Make a buffer that is to be written, and print its id
    Create {
        /// A tag
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// How long it lives
        #[arg(long, value_name = "D[.HH[:MM[:SS]]]")]
        ttl: Option<Lifetime>,
    },
    /// Write a stream into a buffer, once
    Write {
        /// The buffer
        #[arg(value_name = "ID")]
        id: BufferId,
        /// The file; without it standard input
        #[arg(short, long, value_name = "FILE")]
        input: Option<PathBuf>,
        /// Bytes of a block: K, M and G are powers of 1024
        #[arg(short, long, value_name = "SIZE", default_value = "4M", value_parser = block_size)]
        block_size: u64,
        /// After how long a block is put down that is not full; 0: never
        #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
        flush_interval: Duration,
    },
    /// Print what a buffer holds, also while it is being written
    Read {
        /// The buffer
        #[arg(value_name = "ID")]
        id: BufferId,
        /// The file; without it standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Do not wait for somebody to write it
        #[arg(long)]
        no_wait: bool,
    },
    /// Print what is known of a buffer
    Show {
        /// The buffer
        #[arg(value_name = "ID")]
        id: BufferId,
    },
    /// List buffers, those made last first
    List {
        #[command(flatten)]
        choice: ChoiceArgs,
        /// Those that are deleted or have expired
        #[arg(long)]
        soft_deleted: bool,
        /// At most so many
        #[arg(short, long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Change tags and lifetime of a buffer
    #[command(visible_alias = "set")]
    Tag {
        /// The buffer
        #[arg(value_name = "ID")]
        id: BufferId,
        /// A tag to set
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// A tag to take away
        #[arg(long = "remove", value_name = "KEY")]
        without: Vec<String>,
        /// Take all tags away first
        #[arg(long)]
        clear_tags: bool,
        /// How long it lives from now
        #[arg(long, value_name = "D[.HH[:MM[:SS]]]")]
        ttl: Option<Lifetime>,
    },
    /// Delete buffers; until the next `wake gc` they can be restored
    Delete(SeveralArgs),
    /// Have deleted buffers be there again
    Restore(SeveralArgs),
    /// Remove buffers for good
    Purge(SeveralArgs),
    /// Write a buffer into a new directory, in Tyger's layout
    Export {
        /// The buffer
        #[arg(value_name = "ID")]
        id: BufferId,
        /// The directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Make a buffer of a directory in Tyger's layout, and print its id
    Import {
        /// The directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// A tag
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// How long it lives
        #[arg(long, value_name = "D[.HH[:MM[:SS]]]")]
        ttl: Option<Lifetime>,
    },
    /// Print bytes to try things out with
    Gen {
        /// How many: K, M, G and T are powers of 1024
        #[arg(value_name = "SIZE", value_parser = binary_size)]
        size: u64,
    },
}

/// Which buffers are meant.
#[derive(Args, Debug)]
pub(crate) struct ChoiceArgs {
    /// Those that have this tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Those that do not have this tag
    #[arg(long = "exclude-tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) without: Vec<(String, String)>,
}

/// Several buffers.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["ids", "tags", "without", "all"]))]
pub(crate) struct SeveralArgs {
    /// The buffers
    #[arg(value_name = "ID", conflicts_with_all = ["tags", "without", "all"])]
    pub(crate) ids: Vec<BufferId>,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    /// All of them
    #[arg(long, conflicts_with_all = ["tags", "without"])]
    pub(crate) all: bool,
}

pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected `KEY=VALUE`")?;
    // What a tag can be is said where all of them are known.
    wake_model::Tags::default().set(key, value).map_err(|error| error.to_string())?;
    Ok((key.to_owned(), value.to_owned()))
}

fn block_size(text: &str) -> Result<u64, String> {
    match binary_size(text)? {
        0 => Err("expected a size of a block from 1 on".to_owned()),
        size => Ok(size),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    duration.ok_or_else(|| format!("expected seconds, found `{text}`"))
}
