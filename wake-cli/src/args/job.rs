//! Arguments of the commands for jobs.

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
    /// Run a job, connecting standard input and output to the one input and output without a buffer
    Exec(JobArgs),
    /// Run a job on buffers, creating those of outputs without one, and print its status
    Run(JobArgs),
    /// Start a job on buffers in the background, and print its id
    Create(JobArgs),
    /// Print the Kubernetes objects for a run and its worker
    Manifest {
        #[command(flatten)]
        job: JobArgs,
        /// Name of the objects [default: derived from the codespec]
        #[arg(long = "name", value_name = "NAME", id = "run_name")]
        name: Option<RunName>,
    },
    /// Run a job that was created
    #[command(hide = true)]
    Perform {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
        /// Run only this replica
        #[arg(long, value_name = "NUMBER")]
        replica: Option<u32>,
        /// Name of this machine
        #[arg(long, value_name = "NAME", requires = "replica")]
        node: Option<String>,
        /// GPUs that the job may use, such as 0,2 [default: any]
        #[arg(long, value_name = "NUMBERS")]
        graphics: Option<GivenGraphics>,
    },
    /// Track a job that was submitted to a cluster
    #[command(hide = true)]
    Attend {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Move data between buffers and the pipes of a command run by another program
    #[command(subcommand, hide = true)]
    Pipes(PipesCommand),
    /// Print the status of a job
    Show {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// List jobs, newest first
    List {
        /// Only jobs with this tag
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
        tags: Vec<(String, String)>,
        /// Maximum number of jobs to list
        #[arg(short, long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Print the log of a job
    Logs {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
        /// Follow the log until the job ends
        #[arg(short, long)]
        follow: bool,
    },
    /// Print a line for every status change of a job, until it ends
    Watch {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
    },
    /// Cancel a job and kill all of its processes
    Cancel {
        /// Id of the job
        #[arg(value_name = "ID")]
        id: u64,
    },
}

/// `wake job pipes`
#[derive(Debug, Subcommand)]
pub(crate) enum PipesCommand {
    /// Create pipes
    Make {
        /// Directory of the pipes
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Names of the pipes
        #[arg(value_name = "NAME")]
        names: Vec<BufferName>,
    },
    /// Connect the pipes to buffers until the command has ended
    Serve {
        /// Directory of the pipes
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Buffer that the command reads
        #[arg(long = "input", value_name = "NAME=ID", value_parser = named_buffer)]
        inputs: Vec<(BufferName, BufferId)>,
        /// Buffer that the command writes
        #[arg(long = "output", value_name = "NAME=ID", value_parser = named_buffer)]
        outputs: Vec<(BufferName, BufferId)>,
    },
    /// Report that the command succeeded, and wait until all of its output is stored
    End {
        /// Directory of the pipes
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

fn named_buffer(text: &str) -> Result<(BufferName, BufferId), String> {
    let (name, id) = text.split_once('=').ok_or("expected `NAME=ID`")?;
    let name = name.parse::<BufferName>().map_err(|error| error.to_string())?;
    Ok((name, id.parse::<BufferId>().map_err(|error| error.to_string())?))
}

/// The engines a job can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// On this machine
    Here,
    /// On a Slurm node that shares the store with this machine
    Slurm,
    /// In the Kubernetes cluster that `kubectl` reaches
    Kubernetes,
}

impl EngineChoice {
    /// Returns the engine, unless the job runs on this machine.
    pub(crate) fn elsewhere(self) -> Option<EngineName> {
        match self {
            EngineChoice::Here => None,
            EngineChoice::Slurm => Some(EngineName::Slurm),
            EngineChoice::Kubernetes => Some(EngineName::Kubernetes),
        }
    }
}

/// What to run, and how.
#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    /// Codespec to run, as `NAME` or `NAME/versions/N`
    #[arg(value_name = "CODESPEC", required_unless_present_any = ["file", "codespec"])]
    pub(crate) name: Option<String>,
    /// Codespec to run, like CODESPEC
    #[arg(short, long, value_name = "NAME", conflicts_with = "name")]
    pub(crate) codespec: Option<String>,
    /// Version of the codespec
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<u32>,
    /// Run document: YAML, JSON or Jsonnet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Use the buffer ID for the input or output NAME; `_` for one that is not kept
    #[arg(short, long = "buffer", value_name = "NAME=ID")]
    pub(crate) buffers: Vec<String>,
    /// Tag for created buffers
    #[arg(long = "buffer-tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) buffer_tags: Vec<(String, String)>,
    /// Lifetime of created buffers
    #[arg(long, value_name = "D[.HH[:MM[:SS]]]")]
    pub(crate) buffer_ttl: Option<Lifetime>,
    /// Tag for the job
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Timeout of the job, such as `30m` [default: 12h]
    #[arg(long, value_name = "TIME", value_parser = super::quantity::age)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Root file system to use instead of the image: a directory, or `host` for this machine's system directories
    #[arg(long, value_name = "DIR|host")]
    pub(crate) rootfs: Option<PathBuf>,
    /// Engine to run the job on
    #[arg(long, value_enum, default_value_t = EngineChoice::Here)]
    pub(crate) engine: EngineChoice,
    /// Allow network access; the result is then not cached
    #[arg(long)]
    pub(crate) allow_network: bool,
    /// Run the job even if its result is cached
    #[arg(long)]
    pub(crate) rerun: bool,
    /// Print the job's log to standard error
    #[arg(long)]
    pub(crate) logs: bool,
}
