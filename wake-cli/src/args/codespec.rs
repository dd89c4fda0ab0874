//! What the commands for codespecs take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use wake_codespec::Kind;

/// `wake codespec`
#[derive(Debug, Subcommand)]
pub(crate) enum CodespecCommand {
    /// Keep a codespec under a name, and print its version
    Create(Box<CreateCodespecArgs>),
    /// Print a codespec
    #[command(visible_alias = "get")]
    Show {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// The version; without it the latest one
        #[arg(long = "version", value_name = "VERSION")]
        version: Option<u32>,
        /// The same; so `-v VERSION` says it as well
        #[arg(value_name = "VERSION", conflicts_with = "version")]
        bare_version: Option<u32>,
    },
    /// List the latest version of each codespec
    List {
        /// Only those whose names begin so
        #[arg(short, long, value_name = "STRING", default_value = "")]
        prefix: String,
        /// At most so many [default: 1000]
        #[arg(short, long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Make a package of a codespec, which `wake publish` publishes
    Package {
        /// The codespec, `NAME` or `NAME/versions/N`
        #[arg(value_name = "CODESPEC")]
        codespec: String,
        /// What the package is to be, as `NAMESPACE/NAME@VERSION`
        #[arg(value_name = "PACKAGE@VERSION")]
        package: String,
        /// Its directory, which is made
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Under which licence others may use it
        #[arg(long, value_name = "LICENSE")]
        license: Option<String>,
    },
    /// Keep a codespec of a published package, and print its name and version
    Pull {
        /// The package, as `NAMESPACE/NAME`, or with the versions that will do: `NAMESPACE/NAME@REQUIREMENT`
        #[arg(value_name = "PACKAGE")]
        package: String,
        /// Its file, YAML or JSON; without it the only codespec that it has
        #[arg(value_name = "FILE")]
        file: Option<String>,
        /// The name that it is kept under; without it that of the file
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

/// `wake codespec create`
#[derive(Args, Debug)]
#[command(
    after_help = "What is typed stands for what the file says; each of `--input`, `--output`, `--env` and `--endpoint` \
                  for the whole list or mapping."
)]
pub(crate) struct CreateCodespecArgs {
    /// The name; without it that of the file
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The document: YAML, JSON or Jsonnet; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The container image to run
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// What the codespec is for [default: job]
    #[arg(short, long, value_name = "KIND")]
    pub(crate) kind: Option<CodespecKind>,
    /// How many of it there may be at most
    #[arg(short = 'r', long, value_name = "REPLICAS")]
    pub(crate) max_replicas: Option<u32>,
    /// A buffer that runs read from
    #[arg(short, long = "input", value_name = "BUFFER_NAME", value_delimiter = ',')]
    pub(crate) inputs: Vec<String>,
    /// A buffer that runs write to
    #[arg(short, long = "output", value_name = "BUFFER_NAME", value_delimiter = ',')]
    pub(crate) outputs: Vec<String>,
    /// An environment variable; several with `,` between them
    #[arg(short, long = "env", value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// A port that a worker listens on
    #[arg(long = "endpoint", value_name = "SERVICE=PORT", value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// Whose rights it has where a site gives some
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) identity: Option<String>,
    /// Where it begins
    #[arg(long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Graphics processors
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) gpu: Option<String>,
    /// Processors that it needs
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) cpu_request: Option<String>,
    /// Memory that it needs
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) memory_request: Option<String>,
    /// Processors that it may use
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) cpu_limit: Option<String>,
    /// Memory that it may use
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) memory_limit: Option<String>,
    /// The size of /dev/shm
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) shm: Option<String>,
    /// What stands behind `--` is the command, instead of its arguments
    #[arg(long)]
    pub(crate) command: bool,
    /// Arguments of the command
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) words: Vec<String>,
}

/// `--kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodespecKind {
    /// It reads buffers and writes buffers
    Job,
    /// It serves jobs
    Worker,
}

impl From<CodespecKind> for Kind {
    fn from(kind: CodespecKind) -> Self {
        match kind {
            CodespecKind::Job => Kind::Job,
            CodespecKind::Worker => Kind::Worker,
        }
    }
}
