//! Arguments of the commands for codespecs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use wake_codespec::Kind;

/// `wake codespec`
#[derive(Debug, Subcommand)]
pub(crate) enum CodespecCommand {
    /// Store a codespec under a name and print its version
    Create(Box<CreateCodespecArgs>),
    /// Print a codespec
    #[command(visible_alias = "get")]
    Show {
        /// Name of the codespec
        #[arg(value_name = "NAME")]
        name: String,
        /// Version [default: the latest]
        #[arg(long = "version", value_name = "VERSION")]
        version: Option<u32>,
        /// Version, like --version; makes `-v VERSION` work as well
        #[arg(value_name = "VERSION", conflicts_with = "version")]
        bare_version: Option<u32>,
    },
    /// List the latest version of each codespec
    List {
        /// Only names with this prefix
        #[arg(short, long, value_name = "STRING", default_value = "")]
        prefix: String,
        /// Maximum number of codespecs to list [default: 1000]
        #[arg(short, long, value_name = "COUNT")]
        limit: Option<usize>,
    },
    /// Create a package from a codespec, for `wake publish`
    Package {
        /// Codespec, as `NAME` or `NAME/versions/N`
        #[arg(value_name = "CODESPEC")]
        codespec: String,
        /// Package to create, as `NAMESPACE/NAME@VERSION`
        #[arg(value_name = "PACKAGE@VERSION")]
        package: String,
        /// Directory to create for the package
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// License of the package
        #[arg(long, value_name = "LICENSE")]
        license: Option<String>,
    },
    /// Store a codespec from a published package and print its name and version
    Pull {
        /// Package, as `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`
        #[arg(value_name = "PACKAGE")]
        package: String,
        /// YAML or JSON file in the package [default: its only codespec]
        #[arg(value_name = "FILE")]
        file: Option<String>,
        /// Name to store the codespec under [default: that of the file]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

/// `wake codespec create`
#[derive(Args, Debug)]
#[command(
    after_help = "Flags override the file; each of `--input`, `--output`, `--env` and `--endpoint` replaces the whole \
                  list or mapping."
)]
pub(crate) struct CreateCodespecArgs {
    /// Name of the codespec [default: that of the file]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Codespec document: YAML, JSON or Jsonnet; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Container image to run
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Kind of the codespec [default: job]
    #[arg(short, long, value_name = "KIND")]
    pub(crate) kind: Option<CodespecKind>,
    /// Maximum number of replicas
    #[arg(short = 'r', long, value_name = "REPLICAS")]
    pub(crate) max_replicas: Option<u32>,
    /// Buffer that runs read from
    #[arg(short, long = "input", value_name = "BUFFER_NAME", value_delimiter = ',')]
    pub(crate) inputs: Vec<String>,
    /// Buffer that runs write to
    #[arg(short, long = "output", value_name = "BUFFER_NAME", value_delimiter = ',')]
    pub(crate) outputs: Vec<String>,
    /// Environment variable; separate several with `,`
    #[arg(short, long = "env", value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// Port that a worker listens on
    #[arg(long = "endpoint", value_name = "SERVICE=PORT", value_delimiter = ',')]
    pub(crate) endpoints: Vec<String>,
    /// Identity to run as, at sites that define identities
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) identity: Option<String>,
    /// Working directory
    #[arg(long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Number of GPUs
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) gpu: Option<String>,
    /// CPU request
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) cpu_request: Option<String>,
    /// Memory request
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) memory_request: Option<String>,
    /// CPU limit
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) cpu_limit: Option<String>,
    /// Memory limit
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) memory_limit: Option<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) shm: Option<String>,
    /// Treat ARGS as the command instead of as its arguments
    #[arg(long)]
    pub(crate) command: bool,
    /// Arguments of the command
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) words: Vec<String>,
}

/// `--kind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodespecKind {
    /// Reads and writes buffers
    Job,
    /// Serves jobs
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
