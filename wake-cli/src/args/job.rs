//! What the commands for jobs take.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wake_model::Lifetime;

use super::buffer::tag;

/// `wake job`
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Run a job with standard input and output for the one input and the one output that nobody named
    Exec(JobArgs),
    /// Run a job with buffers alone, which are made for outputs that nobody named, and print what is known of it
    Run(JobArgs),
    /// Make a job that runs on by itself, with buffers alone, and print its number
    Create(JobArgs),
    /// Run a job that was made
    #[command(hide = true)]
    Perform {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Print what is known of a job
    Show {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// List jobs, the latest first
    List {
        /// Those that have this tag
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// At most so many
        #[arg(short, long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Print what the command of a job has written
    Logs {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
        /// Go on until it ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Print a line whenever a job is further, until it ends
    Watch {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// End a job with all of its processes
    Cancel {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
    },
}

/// What is run.
#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    /// A codespec by its name, `NAME` or `NAME/versions/N`
    #[arg(value_name = "CODESPEC", required_unless_present_any = ["file", "codespec"])]
    pub(crate) name: Option<String>,
    /// The same
    #[arg(short, long, value_name = "NAME", conflicts_with = "name")]
    pub(crate) codespec: Option<String>,
    /// Its version
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<u32>,
    /// A run as a document: YAML, JSON or Jsonnet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A buffer: the id of one, or `_` for one that is not kept
    #[arg(short, long = "buffer", value_name = "NAME=ID")]
    pub(crate) buffers: Vec<String>,
    /// A tag of the buffers that are made
    #[arg(long = "buffer-tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) buffer_tags: Vec<(String, String)>,
    /// How long the buffers live that are made
    #[arg(long, value_name = "D[.HH[:MM[:SS]]]")]
    pub(crate) buffer_ttl: Option<Lifetime>,
    /// A tag of the job
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// How long it may take, such as `30m` [default: 12h]
    #[arg(long, value_name = "TIME", value_parser = super::quantity::age)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// What it runs on instead of its image: a directory, or `host` for this machine's system directories
    #[arg(long, value_name = "DIR|host")]
    pub(crate) rootfs: Option<PathBuf>,
    /// Let it have the network; then it is not remembered
    #[arg(long)]
    pub(crate) allow_network: bool,
    /// Run it although it is remembered
    #[arg(long)]
    pub(crate) rerun: bool,
    /// Print what its command writes to standard error
    #[arg(long)]
    pub(crate) logs: bool,
}
