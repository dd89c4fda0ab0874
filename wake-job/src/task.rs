//! A job as a step: what is run where, with which pipes.

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
    /// What a person calls it.
    pub label: String,
    /// What is run.
    pub codespec: Codespec,
    /// Where.
    pub root: TaskRoot,
    /// How many of it at once, wherever they are.
    pub replicas: u32,
    /// Which of them run here.
    pub own: Range<u32>,
    /// What serves it.
    pub worker: Option<WorkerTask>,
    /// Its inputs, in the order of the codespec.
    pub inputs: Vec<(BufferName, InputEnd)>,
    /// Its outputs.
    pub outputs: Vec<(BufferName, OutputEnd)>,
    /// Seconds that it has.
    pub timeout: u64,
    /// What it may reach.
    pub network: Network,
    /// How strictly it is kept to what it declares.
    pub sandbox: SandboxLevel,
    /// Which graphics processors of this machine it may have; none: any.
    pub given_graphics: Option<GivenGraphics>,
    /// Whether what comes of it is forgotten.
    pub forgotten: bool,
}

/// What serves a job.
#[derive(Debug)]
pub struct WorkerTask {
    /// What is run.
    pub codespec: Codespec,
    /// Where.
    pub root: TaskRoot,
    /// How many of it at once.
    pub replicas: u32,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum InputEnd {
    /// A buffer; with what it holds, if it is whole.
    Buffer(BufferId, Option<Content>),
    /// The standard input of this process.
    Standard,
}

/// Where an output goes.
#[derive(Clone, Debug)]
pub struct OutputEnd {
    /// Into this buffer.
    pub buffer: Option<BufferId>,
    /// To the standard output of this process.
    pub standard: bool,
}

/// Where pipes lie in an image, from its root.
const IN_IMAGE: &str = "etc/buffer-fifos";
/// Where they lie elsewhere, from the work directory.
const IN_WORK: &str = "buffer-fifos";
/// Beside the pipes, what says in the action which buffers are at sockets.
const SOCKETS: &str = ".sockets";
/// Beside them, what says in it how many replicas there are.
const REPLICAS: &str = ".replicas";

impl Task {
    /// Its container.
    pub(crate) fn container(&self) -> Container<'_> {
        Container { codespec: &self.codespec, root: &self.root }
    }

    /// The directory of pipes, from the directory that the step works in.
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

    /// The socket at which a buffer is, if it is at one.
    pub(crate) fn socket(&self, name: &BufferName) -> Option<&Socket> {
        let is = |one: &Option<BufferName>| one.as_ref() == Some(name);
        self.codespec.sockets().iter().find(|socket| is(&socket.input) || is(&socket.output))
    }

    /// Whether a buffer is in a pipe, and not at a socket.
    pub(crate) fn is_piped(&self, name: &BufferName) -> bool {
        self.socket(name).is_none()
    }

    /// The ports at which its workers listen.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&str, u16)> {
        let role = self.worker.as_ref().map(|worker| &worker.codespec.role);
        let endpoints = match role {
            Some(Role::Worker { endpoints }) => Some(endpoints),
            _ => None,
        };
        endpoints.into_iter().flatten().map(|(name, port)| (name.as_str(), *port))
    }

    /// How many run here at once: replicas of the job, then workers.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let workers = self.worker.as_ref().map_or(0, |worker| worker.replicas as usize);
        (self.own.len(), workers)
    }

    /// Whether others of its replicas run elsewhere.
    pub(crate) fn is_part(&self) -> bool {
        self.own.len() < self.replicas as usize
    }

    /// How many graphics processors all of them want together.
    pub(crate) fn graphics(&self) -> usize {
        let (replicas, workers) = self.sizes();
        let worker = self.worker.as_ref();
        let of_worker = worker.map_or(0, |worker| {
            Container { codespec: &worker.codespec, root: &worker.root }.graphics()
        });
        let of_job = self.container().graphics().saturating_mul(replicas);
        of_job.saturating_add(of_worker.saturating_mul(workers))
    }

    /// The step that it is.
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
            // Each is called another thing, and so may do another.
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
                // What one of several has done is not what all of them do.
                forgotten: self.forgotten || self.is_part(),
                ..container.limits()
            },
        })
    }

    /// The directory of pipes, as its action has it.
    fn shown_pipes(&self) -> String {
        format!("/{}", self.work().join(&self.pipe_dir()))
    }

    /// Whether all that run have the network of the machine.
    pub(crate) fn shares_network(&self) -> bool {
        self.network == Network::Host || self.sandbox == SandboxLevel::Weak
    }

    /// The variables that wake gives it, whose pipes lie in this directory.
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

    /// The variables that wake gives its workers.
    pub(crate) fn run_id(&self) -> Option<(String, String)> {
        // Of one that is remembered it would be another one each time.
        self.forgotten.then(|| ("TYGER_RUN_ID".to_owned(), self.id.to_string()))
    }

    /// Where the job finds a worker.
    pub(crate) fn address(&self, worker: usize) -> String {
        match self.shares_network() {
            true => "127.0.0.1".to_owned(),
            false => format!("127.1.{}.{}", worker / 250, worker % 250 + 1),
        }
    }

    /// The port at which the job finds what a worker has at `port`: the same, unless the job listens there itself.
    pub(crate) fn shown_port(&self, port: u16) -> u16 {
        let sockets = self.codespec.sockets();
        let is_own = |port: u16| sockets.iter().any(|socket| socket.port == port);
        if self.shares_network() || !is_own(port) {
            return port;
        }
        let is_taken = |shown: &u16| {
            is_own(*shown) || self.endpoints().any(|(_, endpoint)| endpoint == *shown)
        };
        // Each of several ports that the job has gets one of its own: they are as many as come before it.
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

/// What stands for an input in the action: which bytes come out of its pipe. Source: `spec/jobs.md`.
fn marker(input: &InputEnd) -> String {
    match input {
        InputEnd::Buffer(_, Some(Content { digest, size })) => {
            format!("wake pipe 1\n{digest} {size}\n")
        }
        InputEnd::Buffer(_, None) | InputEnd::Standard => "wake pipe 1\nlive\n".to_owned(),
    }
}

/// What says in the action which buffers are at sockets. Source: `spec/jobs.md`.
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

    /// A job with a socket at 9002 and at 9004, and a worker with endpoints at both and between them.
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
    fn workers_are_at_ports_that_the_job_has_not_itself() {
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
    fn one_of_several_replicas_is_the_same_step_and_remembers_nothing() {
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
