//! A job as a step: its command, root and pipes.

use std::ops::Range;

use wake_buffer::Content;
use wake_codespec::Codespec;
use wake_codespec::codespec::{Role, Socket};
use wake_codespec::name::BufferName;
use wake_model::action::Command;
use wake_model::{BufferId, Network, OutputDecl, OutputKind, Outputs, RelPath, SandboxLevel};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::Terms;
use wake_steps::{Input, Inputs, Step};

use crate::container::{Container, TaskRoot};
use crate::graphics::GivenGraphics;

/// A job with everything that it needs.
#[derive(Debug)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// Its name for people.
    pub label: String,
    /// Its codespec.
    pub codespec: Codespec,
    /// Its root.
    pub root: TaskRoot,
    /// The number of replicas, on all machines.
    pub replicas: u32,
    /// The replicas that run here.
    pub own: Range<u32>,
    /// The worker that serves it.
    pub worker: Option<WorkerTask>,
    /// Its inputs, in the order of the codespec.
    pub inputs: Vec<(BufferName, InputEnd)>,
    /// Its outputs.
    pub outputs: Vec<(BufferName, OutputEnd)>,
    /// Its time limit in seconds.
    pub timeout: u64,
    /// The network that it can reach.
    pub network: Network,
    /// The level of the sandbox.
    pub sandbox: SandboxLevel,
    /// The GPUs of this machine that it may use; none for any.
    pub given_graphics: Option<GivenGraphics>,
    /// Whether its result is not cached.
    pub forgotten: bool,
}

/// The worker that serves a job.
#[derive(Debug)]
pub struct WorkerTask {
    /// Its codespec.
    pub codespec: Codespec,
    /// Its root.
    pub root: TaskRoot,
    /// The number of replicas.
    pub replicas: u32,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum InputEnd {
    /// A buffer, with its content if it is complete.
    Buffer(BufferId, Option<Content>),
    /// The standard input of this process.
    Standard,
}

/// Where an output goes.
#[derive(Clone, Debug)]
pub struct OutputEnd {
    /// The buffer that it is written to.
    pub buffer: Option<BufferId>,
    /// Whether it goes to the standard output of this process.
    pub standard: bool,
}

/// The directory of pipes in an image, relative to its root.
const IN_IMAGE: &str = "etc/buffer-fifos";
/// The directory of pipes elsewhere, relative to the work directory.
const IN_WORK: &str = "buffer-fifos";
/// The file beside the pipes that names the sockets in the action.
const SOCKETS: &str = ".sockets";
/// The file beside the pipes that has the number of replicas in the action.
const REPLICAS: &str = ".replicas";

impl Task {
    /// Its container.
    pub(crate) fn container(&self) -> Container<'_> {
        Container { codespec: &self.codespec, root: &self.root }
    }

    /// The directory of pipes, relative to the step's work directory.
    pub(crate) fn pipe_dir(&self) -> RelPath {
        let path = match self.root {
            TaskRoot::Host => IN_WORK,
            TaskRoot::Dir(_) | TaskRoot::Image { .. } => IN_IMAGE,
        };
        RelPath::parse(path).unwrap_or_default()
    }

    pub(crate) fn work(&self) -> RelPath {
        self.root.work()
    }

    /// Returns the socket of a buffer, if it has one.
    pub(crate) fn socket(&self, name: &BufferName) -> Option<&Socket> {
        let is = |one: &Option<BufferName>| one.as_ref() == Some(name);
        self.codespec.sockets().iter().find(|socket| is(&socket.input) || is(&socket.output))
    }

    /// Whether a buffer has a pipe rather than a socket.
    pub(crate) fn is_piped(&self, name: &BufferName) -> bool {
        self.socket(name).is_none()
    }

    /// The endpoints of its workers.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&str, u16)> {
        let role = self.worker.as_ref().map(|worker| &worker.codespec.role);
        let endpoints = match role {
            Some(Role::Worker { endpoints }) => Some(endpoints),
            _ => None,
        };
        endpoints.into_iter().flatten().map(|(name, port)| (name.as_str(), *port))
    }

    /// The number of processes here: replicas of the job, and workers.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let workers = self.worker.as_ref().map_or(0, |worker| worker.replicas as usize);
        (self.own.len(), workers)
    }

    /// Whether some of its replicas run elsewhere.
    pub(crate) fn is_part(&self) -> bool {
        self.own.len() < self.replicas as usize
    }

    /// The number of GPUs that all processes here request together.
    pub(crate) fn graphics(&self) -> usize {
        let (replicas, workers) = self.sizes();
        let worker = self.worker.as_ref();
        let of_worker = worker.map_or(0, |worker| {
            Container { codespec: &worker.codespec, root: &worker.root }.graphics()
        });
        let of_job = self.container().graphics().saturating_mul(replicas);
        of_job.saturating_add(of_worker.saturating_mul(workers))
    }

    /// Returns the task as a step.
    pub(crate) fn step(&self) -> Result<Step, Diagnostic> {
        let (work, pipes, container) = (self.work(), self.pipe_dir(), self.container());
        let mut inputs = Inputs::default();
        let mut place = |name: &str, text: String| {
            let input = Input::Bytes { bytes: text.into_bytes(), executable: false };
            let placed = inputs.place(at(&pipes, name)?, input);
            placed.map_err(|error| Diagnostic::error(Class::Internal, error.to_string()))
        };
        for (name, input) in &self.inputs {
            place(name.as_str(), marker(input))?;
        }
        let sockets = self.codespec.sockets();
        if !sockets.is_empty() {
            place(SOCKETS, listed(sockets))?;
        }
        if self.replicas > 1 {
            // Replicas have different names, and may depend on them.
            place(REPLICAS, format!("wake replicas 1\n{}\n", self.replicas))?;
        }
        let output = |(name, _): &(BufferName, OutputEnd)| {
            Ok(OutputDecl { path: at(&pipes, name.as_str())?, kind: OutputKind::Any })
        };
        let outputs = self.outputs.iter().map(output).collect::<Result<_, Diagnostic>>()?;
        Ok(Step {
            command: Command::Run(container.invocation(&self.given(&self.shown_pipes()))?),
            root: self.root.of_step(),
            work,
            inputs,
            own_dirs: container.own_dirs()?,
            outputs: Outputs::Tree(outputs),
            user: container.user(wake_exec::HOSTNAME),
            network: self.network,
            terms: Terms {
                timeout: Some(self.timeout as f64),
                // One replica's result is not the result of all.
                forgotten: self.forgotten || self.is_part(),
                ..container.limits()
            },
        })
    }

    /// The directory of pipes as the action names it.
    fn shown_pipes(&self) -> String {
        format!("/{}", self.work().join(&self.pipe_dir()))
    }

    /// Whether all processes share the machine's network.
    pub(crate) fn shares_network(&self) -> bool {
        self.network == Network::Host || self.sandbox == SandboxLevel::Weak
    }

    /// Returns the variables that wake sets, for pipes in this directory.
    pub(crate) fn given(&self, pipes: &str) -> Vec<(String, String)> {
        let path = |name: &BufferName| (name.variable(), format!("{pipes}/{name}"));
        let mut given: Vec<(String, String)> = self.codespec.piped().map(path).collect();
        given.extend(self.run_id());
        if self.worker.is_some() {
            let (_, workers) = self.sizes();
            let addresses: Vec<String> = (0..workers).map(|one| self.address(one)).collect();
            for (name, port) in self.endpoints() {
                let port = self.shown_port(port);
                let all: Vec<String> =
                    addresses.iter().map(|address| format!("{address}:{port}")).collect();
                let name = format!("TYGER_{}_WORKER_ENDPOINT_ADDRESSES", name.to_uppercase());
                given.push((name, json(&all)));
            }
            given.push(("TYGER_WORKER_NODES".to_owned(), json(&addresses)));
        }
        given
    }

    /// Returns the variable that wake sets for workers too.
    pub(crate) fn run_id(&self) -> Option<(String, String)> {
        // A remembered job cannot have it, because it differs each time.
        self.forgotten.then(|| ("TYGER_RUN_ID".to_owned(), self.id.to_string()))
    }

    /// The address at which the job reaches a worker.
    pub(crate) fn address(&self, worker: usize) -> String {
        match self.shares_network() {
            true => "127.0.0.1".to_owned(),
            false => format!("127.1.{}.{}", worker / 250, worker % 250 + 1),
        }
    }

    /// Returns the port at which the job reaches a worker's `port`: the same, unless the job listens on it itself.
    pub(crate) fn shown_port(&self, port: u16) -> u16 {
        let sockets = self.codespec.sockets();
        let is_own = |port: u16| sockets.iter().any(|socket| socket.port == port);
        if self.shares_network() || !is_own(port) {
            return port;
        }
        let is_taken = |shown: &u16| {
            is_own(*shown) || self.endpoints().any(|(_, endpoint)| endpoint == *shown)
        };
        // The replaced ports are numbered in order, so that each gets a port of its own.
        let before = self.endpoints().filter(|(_, other)| is_own(*other) && *other < port).count();
        let mut free = (20_000..).filter(|shown| !is_taken(shown));
        free.nth(before).unwrap_or(port)
    }
}

fn json(all: &[String]) -> String {
    serde_json::to_string(all).unwrap_or_default()
}

fn at(dir: &RelPath, name: &str) -> Result<RelPath, Diagnostic> {
    dir.child(name).map_err(|error| Diagnostic::error(Class::Internal, error.to_string()))
}

/// Returns the file that stands for an input in the action, and names the bytes that come out of its pipe. Source: `spec/jobs.md`.
fn marker(input: &InputEnd) -> String {
    match input {
        InputEnd::Buffer(_, Some(Content { digest, size })) => {
            format!("wake pipe 1\n{digest} {size}\n")
        }
        InputEnd::Buffer(_, None) | InputEnd::Standard => "wake pipe 1\nlive\n".to_owned(),
    }
}

/// Returns the file that names the sockets in the action. Source: `spec/jobs.md`.
fn listed(sockets: &[Socket]) -> String {
    let mut lines: Vec<String> = sockets
        .iter()
        .map(|Socket { port, input, output }| {
            let name = |name: &Option<BufferName>| {
                name.as_ref().map_or_else(|| "-".to_owned(), BufferName::to_string)
            };
            format!("{port} {} {}\n", name(input), name(output))
        })
        .collect();
    lines.sort_unstable();
    format!("wake sockets 1\n{}", lines.concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_codespec::named::Source;
    use wake_codespec::run::{RunCodespec, RunDocument};

    /// A job with sockets at 9002 and 9004, and a worker with endpoints at both and at 9003.
    fn task(sandbox: SandboxLevel) -> Task {
        let text = "job: {codespec: {image: i, command: [a, $(TYGER_WORKER_NODES)], buffers: {inputs: [x, y]}, sockets: [{port: 9004, inputBuffer: y}, {port: 9002, inputBuffer: x}]}}\n\
                    worker: {codespec: {image: w, endpoints: {One: 9002, two: 9003, three: 9004}}}\n";
        let source = Source::Written { file: "run.yml", bytes: text.as_bytes() };
        let run = RunDocument::read(source).unwrap();
        let inline = |codespec: RunCodespec| match codespec {
            RunCodespec::Inline(codespec) => *codespec,
            RunCodespec::Named(name) => panic!("{name}"),
        };
        let codespec = inline(run.worker.unwrap().codespec);
        Task {
            id: 7,
            label: "i".to_owned(),
            codespec: inline(run.job.codespec),
            root: TaskRoot::Host,
            replicas: 1,
            own: 0..1,
            worker: Some(WorkerTask { codespec, root: TaskRoot::Host, replicas: 2 }),
            inputs: Vec::new(),
            outputs: Vec::new(),
            timeout: 1,
            network: Network::None,
            sandbox,
            given_graphics: None,
            forgotten: true,
        }
    }

    #[test]
    fn workers_are_at_ports_that_the_job_does_not_use() {
        let own = task(SandboxLevel::Strict);
        assert_eq!([9002, 9003, 9004].map(|port| own.shown_port(port)), [20_000, 9003, 20_001]);
        let addresses = [0, 249, 250].map(|worker| own.address(worker));
        assert_eq!(addresses, ["127.1.0.1", "127.1.0.250", "127.1.1.1"]);
        let shared = task(SandboxLevel::Weak);
        assert_eq!((shared.shown_port(9002), &*shared.address(5)), (9002, "127.0.0.1"));
    }

    #[test]
    fn the_step_names_workers_and_sockets() {
        let step = task(SandboxLevel::Strict).step().unwrap();
        let Command::Run(run) = step.command else { panic!("no command") };
        let nodes = "[\"127.1.0.1\",\"127.1.0.2\"]";
        assert_eq!(run.args, [nodes]);
        let of = |name: &str| run.env.get(name).map(String::as_str);
        assert_eq!(of("TYGER_WORKER_NODES"), Some(nodes));
        let one = of("TYGER_ONE_WORKER_ENDPOINT_ADDRESSES");
        assert_eq!(one, Some("[\"127.1.0.1:20000\",\"127.1.0.2:20000\"]"));
        assert_eq!((of("TYGER_RUN_ID"), of("X_PIPE")), (Some("7"), None));
        let Some(Input::Bytes { bytes, .. }) = step.inputs.get("buffer-fifos/.sockets") else {
            panic!("no sockets")
        };
        assert_eq!(bytes, b"wake sockets 1\n9002 x -\n9004 y -\n");
    }

    #[test]
    fn one_of_several_replicas_is_the_same_step_and_is_not_remembered() {
        let alone = task(SandboxLevel::Strict);
        let all = Task { replicas: 3, own: 0..3, forgotten: false, ..task(SandboxLevel::Strict) };
        let one = Task { replicas: 3, own: 1..2, forgotten: false, ..task(SandboxLevel::Strict) };
        assert!(alone.step().unwrap().inputs.get("buffer-fifos/.replicas").is_none());
        let (all, one) = (all.step().unwrap(), one.step().unwrap());
        assert!(!all.terms.forgotten && one.terms.forgotten);
        assert_eq!(all.command, one.command);
        for step in [all, one] {
            let Some(Input::Bytes { bytes, .. }) = step.inputs.get("buffer-fifos/.replicas") else {
                panic!("no replicas")
            };
            assert_eq!(bytes, b"wake replicas 1\n3\n");
        }
    }
}
