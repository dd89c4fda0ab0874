//! A validated codespec, with the properties of each kind separated.

use std::collections::BTreeMap;

use crate::name::BufferName;
use crate::quantity::Quantity;

/// A description of what to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Codespec {
    /// The name of the container image.
    pub image: String,
    /// Replaces the image's entry point, unless empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments, unless empty.
    pub args: Vec<String>,
    /// The working directory; none for the image's.
    pub working_dir: Option<String>,
    /// Environment variables in order of declaration, without duplicates.
    pub env: Vec<(String, String)>,
    /// Whose rights it runs with, where a site supports identities.
    pub identity: Option<String>,
    /// Resource requests and limits.
    pub resources: Resources,
    /// The maximum number of replicas.
    pub max_replicas: Option<u32>,
    /// The properties of its kind.
    pub role: Role,
}

/// The role of a codespec, with the properties that only this role has.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// It reads buffers and writes buffers.
    Job {
        /// The buffers that it reads.
        inputs: Vec<BufferName>,
        /// The buffers that it writes.
        outputs: Vec<BufferName>,
        /// Ports that it uses for some of them instead of pipes.
        sockets: Vec<Socket>,
    },
    /// It serves jobs.
    Worker {
        /// The ports it listens on, by name.
        endpoints: BTreeMap<String, u16>,
    },
}

/// The kinds of codespecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Role::Job`].
    Job,
    /// [`Role::Worker`].
    Worker,
}

/// A port through which a job reads or writes buffers instead of pipes; at least one of `input` and `output` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The port.
    pub port: u16,
    /// The buffer that is sent to the port.
    pub input: Option<BufferName>,
    /// The buffer that is received from it.
    pub output: Option<BufferName>,
}

/// Resource requests and limits of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// The minimum.
    pub requests: Amounts,
    /// The maximum.
    pub limits: Amounts,
    /// The number of GPUs.
    pub gpu: Option<Quantity>,
    /// The size of `/dev/shm`.
    pub shm: Option<Quantity>,
}

/// Amounts of CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// CPUs.
    pub cpu: Option<Quantity>,
    /// Bytes.
    pub memory: Option<Quantity>,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 2] = [Kind::Job, Kind::Worker];

    /// The word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Job => "job",
            Kind::Worker => "worker",
        }
    }
}

impl Codespec {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.role {
            Role::Job { .. } => Kind::Job,
            Role::Worker { .. } => Kind::Worker,
        }
    }

    /// The buffers that it reads; none for a worker.
    pub fn inputs(&self) -> &[BufferName] {
        match &self.role {
            Role::Job { inputs, .. } => inputs,
            Role::Worker { .. } => &[],
        }
    }

    /// The buffers that it writes; none for a worker.
    pub fn outputs(&self) -> &[BufferName] {
        match &self.role {
            Role::Job { outputs, .. } => outputs,
            Role::Worker { .. } => &[],
        }
    }

    /// Its sockets; none for a worker.
    pub fn sockets(&self) -> &[Socket] {
        match &self.role {
            Role::Job { sockets, .. } => sockets,
            Role::Worker { .. } => &[],
        }
    }

    /// The buffers that have pipes, which are all those without a socket.
    pub fn piped(&self) -> impl Iterator<Item = &BufferName> {
        let has_socket = |name: &BufferName| {
            let is = |one: &Option<BufferName>| one.as_ref() == Some(name);
            self.sockets().iter().any(|socket| is(&socket.input) || is(&socket.output))
        };
        self.inputs().iter().chain(self.outputs()).filter(move |name| !has_socket(name))
    }
}
