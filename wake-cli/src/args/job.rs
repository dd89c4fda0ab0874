//! What the commands for jobs take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use wake_codespec::name::BufferName;
use wake_job::graphics::GivenGraphics;
use wake_job::record::EngineName;
use wake_kubernetes::RunName;
use wake_model::{BufferId, Lifetime};

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
    /// Print the objects of Kubernetes that a run with its worker is
    Manifest {
        #[command(flatten)]
        job: JobArgs,
        /// What they are called [default: made of the codespec]
        #[arg(long = "name", value_name = "NAME", id = "run_name")]
        name: Option<RunName>,
    },
    /// Run a job that was made
    #[command(hide = true)]
    Perform {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
        /// One replica of it alone
        #[arg(long, value_name = "NUMBER")]
        replica: Option<u32>,
        /// What the machine is called that this is
        #[arg(long, value_name = "NAME", requires = "replica")]
        node: Option<String>,
        /// The graphics processors that it may have, such as 0,2; otherwise any
        #[arg(long, value_name = "NUMBERS")]
        graphics: Option<GivenGraphics>,
    },
    /// Say what becomes of a job that a cluster was asked to run
    #[command(hide = true)]
    Attend {
        /// The job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Move what goes through the pipes of a command that somebody else runs
    #[command(subcommand, hide = true)]
    Pipes(PipesCommand),
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

/// `wake job pipes`
#[derive(Debug, Subcommand)]
pub(crate) enum PipesCommand {
    /// Make pipes
    Make {
        /// Where
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// What they are called
        #[arg(value_name = "NAME")]
        names: Vec<BufferName>,
    },
    /// Have them be buffers, until the command has ended
    Serve {
        /// Where they are
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// What the command reads
        #[arg(long = "input", value_name = "NAME=ID", value_parser = named_buffer)]
        inputs: Vec<(BufferName, BufferId)>,
        /// What it writes
        #[arg(long = "output", value_name = "NAME=ID", value_parser = named_buffer)]
        outputs: Vec<(BufferName, BufferId)>,
    },
    /// Say that the command has succeeded, and wait until all that it wrote is kept
    End {
        /// Where they are
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

fn named_buffer(text: &str) -> Result<(BufferName, BufferId), String> {
    let (name, id) = text.split_once('=').ok_or("expected `NAME=ID`")?;
    let name = name.parse::<BufferName>().map_err(|error| error.to_string())?;
    Ok((name, id.parse::<BufferId>().map_err(|error| error.to_string())?))
}

/// Where a job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// On this machine
    Here,
    /// On a node of Slurm, which shares the store with this machine
    Slurm,
    /// In a cluster of Kubernetes, which `kubectl` reaches
    Kubernetes,
}

impl EngineChoice {
    /// The engine, if it is not this machine.
    pub(crate) fn elsewhere(self) -> Option<EngineName> {
        match self {
            EngineChoice::Here => None,
            EngineChoice::Slurm => Some(EngineName::Slurm),
            EngineChoice::Kubernetes => Some(EngineName::Kubernetes),
        }
    }
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
    /// Where it runs
    #[arg(long, value_enum, default_value_t = EngineChoice::Here)]
    pub(crate) engine: EngineChoice,
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
