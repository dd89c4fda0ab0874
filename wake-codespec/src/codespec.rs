//! A codespec as it counts: everything in it is valid, and what only one kind has is where that kind is.

use std::collections::BTreeMap;

use crate::name::BufferName;
use crate::quantity::Quantity;

/// What is run, and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Codespec {
    /// The container image, as it is named.
    pub image: String,
    /// What stands for the entry point of the image; empty: the image's.
    pub command: Vec<String>,
    /// What stands for the arguments of the image; empty: the image's.
    pub args: Vec<String>,
    /// Where it begins; none: where the image says.
    pub working_dir: Option<String>,
    /// Environment variables in the order in which they are declared, each once.
    pub env: Vec<(String, String)>,
    /// Whose rights it has where a site gives some.
    pub identity: Option<String>,
    /// What it needs and may take.
    pub resources: Resources,
    /// How many of it there may be at most.
    pub max_replicas: Option<u32>,
    /// What belongs to its kind.
    pub role: Role,
}

/// What a codespec is for, with what only that has.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// It reads buffers and writes buffers.
    Job {
        /// What it reads.
        inputs: Vec<BufferName>,
        /// What it writes.
        outputs: Vec<BufferName>,
        /// Ports through which it does so.
        sockets: Vec<Socket>,
    },
    /// It serves jobs.
    Worker {
        /// Ports by the names of what listens there.
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

/// A port at which a job has buffers instead of pipes; at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The port.
    pub port: u16,
    /// What is sent there.
    pub input: Option<BufferName>,
    /// What is taken from there.
    pub output: Option<BufferName>,
}

/// What a container needs and may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// At least.
    pub requests: Amounts,
    /// At most.
    pub limits: Amounts,
    /// Graphics processors.
    pub gpu: Option<Quantity>,
    /// The size of `/dev/shm`.
    pub shm: Option<Quantity>,
}

/// Processors and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Processors.
    pub cpu: Option<Quantity>,
    /// Bytes.
    pub memory: Option<Quantity>,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Job, Kind::Worker];

    /// As it is written.
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

    /// What it reads; nothing of a worker.
    pub fn inputs(&self) -> &[BufferName] {
        match &self.role {
            Role::Job { inputs, .. } => inputs,
            Role::Worker { .. } => &[],
        }
    }

    /// What it writes; nothing of a worker.
    pub fn outputs(&self) -> &[BufferName] {
        match &self.role {
            Role::Job { outputs, .. } => outputs,
            Role::Worker { .. } => &[],
        }
    }

    /// The sockets; none of a worker.
    pub fn sockets(&self) -> &[Socket] {
        match &self.role {
            Role::Job { sockets, .. } => sockets,
            Role::Worker { .. } => &[],
        }
    }

    /// The buffers that it has as pipes: those of sockets have none.
    pub fn piped(&self) -> impl Iterator<Item = &BufferName> {
        let has_socket = |name: &BufferName| {
            let is = |one: &Option<BufferName>| one.as_ref() == Some(name);
            self.sockets().iter().any(|socket| is(&socket.input) || is(&socket.output))
        };
        self.inputs().iter().chain(self.outputs()).filter(move |name| !has_socket(name))
    }
}
