//! A job as a step: what is run where, with which pipes.

use std::path::PathBuf;

use wake_buffer::Content;
use wake_codespec::Codespec;
use wake_codespec::expand::{environment, expand, find};
use wake_codespec::name::BufferName;
use wake_image::Runtime;
use wake_model::action::{Command, Invocation, User};
use wake_model::{
    BufferId, MountAccess, Network, OutputDecl, OutputKind, Outputs, RelPath, Rights, TreeDigest,
};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Root, Terms, TreeOrigin};
use wake_steps::{Input, Inputs, Step};

/// A job with everything that it needs.
#[derive(Debug)]
pub struct Task {
    /// What a person calls it.
    pub label: String,
    /// What is run.
    pub codespec: Codespec,
    /// Where.
    pub root: TaskRoot,
    /// Its inputs, in the order of the codespec.
    pub inputs: Vec<(BufferName, InputEnd)>,
    /// Its outputs.
    pub outputs: Vec<(BufferName, OutputEnd)>,
    /// Seconds that it has.
    pub timeout: u64,
    /// What it may reach.
    pub network: Network,
}

/// What lies below a job.
#[derive(Debug)]
pub enum TaskRoot {
    /// This machine's system directories.
    Host,
    /// A directory of this machine.
    Dir(PathBuf),
    /// An image.
    Image {
        /// Its files.
        tree: TreeDigest,
        /// How it is run.
        runtime: Box<Runtime>,
        /// Who runs it: user and group.
        user: (u32, u32),
    },
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

impl Task {
    /// Why what comes of it is not remembered, if it is not.
    pub fn why_forgotten(&self) -> Option<String> {
        for (name, input) in &self.inputs {
            match input {
                InputEnd::Standard => {
                    return Some(format!("`{name}` is read from standard input while it comes"));
                }
                InputEnd::Buffer(id, None) => {
                    return Some(format!("the buffer `{id}` is still being written"));
                }
                InputEnd::Buffer(_, Some(_)) => {}
            }
        }
        match (&self.root, self.network) {
            (TaskRoot::Dir(dir), _) => {
                Some(format!("nobody knows what `{}` will hold next time", dir.display()))
            }
            (_, Network::Host) => Some("it has the network".to_owned()),
            _ => None,
        }
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
        match self.root {
            TaskRoot::Host => RelPath::parse(wake_exec::WORK_DIR.trim_start_matches('/')),
            TaskRoot::Dir(_) | TaskRoot::Image { .. } => Ok(RelPath::root()),
        }
        .unwrap_or_default()
    }

    /// The step that it is.
    pub(crate) fn step(&self) -> Result<Step, Diagnostic> {
        let (work, pipes) = (self.work(), self.pipe_dir());
        let none = Runtime::default();
        let (runtime, (uid, gid)) = match &self.root {
            TaskRoot::Image { runtime, user, .. } => (&**runtime, *user),
            TaskRoot::Host => (&none, (wake_exec::BUILDER_UID, wake_exec::BUILDER_GID)),
            TaskRoot::Dir(_) => (&none, (0, 0)),
        };
        let mut inputs = Inputs::default();
        for (name, input) in &self.inputs {
            let bytes = marker(input).into_bytes();
            let place = inputs.place(at(&pipes, name)?, Input::Bytes { bytes, executable: false });
            place.map_err(|error| Diagnostic::error(Class::Internal, error.to_string()))?;
        }
        let output = |(name, _): &(BufferName, OutputEnd)| {
            Ok(OutputDecl { path: at(&pipes, name)?, kind: OutputKind::Any })
        };
        let outputs = self.outputs.iter().map(output).collect::<Result<_, Diagnostic>>()?;
        let cwd = self.working_dir(runtime)?;
        let own_dirs = RelPath::parse(cwd.trim_start_matches('/')).ok();
        let own_dirs = own_dirs.and_then(|dir| dir.strip(&work)).filter(|dir| !dir.is_root());
        let resources = &self.codespec.resources;
        let whole = |amount: Option<wake_codespec::quantity::Quantity>| {
            amount.and_then(|amount| u64::try_from(amount.rounded_up()).ok())
        };
        let cpus = resources.requests.cpu.or(resources.limits.cpu);
        Ok(Step {
            command: Command::Run(self.invocation(runtime, cwd)?),
            root: match &self.root {
                TaskRoot::Host => Root::Host,
                TaskRoot::Dir(host) => {
                    Root::Mount { host: host.clone(), access: MountAccess::Layered }
                }
                TaskRoot::Image { tree, .. } => {
                    Root::Tree { tree: *tree, origin: TreeOrigin::Named }
                }
            },
            work,
            inputs,
            own_dirs: own_dirs.into_iter().collect(),
            outputs: Outputs::Tree(outputs),
            user: User {
                uid,
                gid,
                hostname: wake_exec::HOSTNAME.to_owned(),
                rights: Rights::Ordinary,
            },
            network: self.network,
            terms: Terms {
                timeout: Some(self.timeout as f64),
                cpus: whole(cpus)
                    .and_then(|cpus| u32::try_from(cpus).ok())
                    .filter(|&cpus| cpus > 0),
                memory: whole(resources.limits.memory),
                live: true,
                forgotten: self.why_forgotten().is_some(),
                ..Terms::default()
            },
        })
    }

    fn working_dir(&self, runtime: &Runtime) -> Result<String, Diagnostic> {
        let usual = match self.root {
            TaskRoot::Host => wake_exec::WORK_DIR,
            TaskRoot::Dir(_) | TaskRoot::Image { .. } => runtime.workdir(),
        };
        let dir = self.codespec.working_dir.as_deref().unwrap_or(usual);
        match dir.starts_with('/') {
            true => Ok(dir.to_owned()),
            false => Err(Diagnostic::error(
                Class::Evaluation,
                format!("the working directory `{dir}` does not begin with `/`"),
            )),
        }
    }

    fn invocation(&self, runtime: &Runtime, cwd: String) -> Result<Invocation, Diagnostic> {
        let base = format!("/{}", self.work().join(&self.pipe_dir()));
        let path = |name: &BufferName| (name.variable(), format!("{base}/{name}"));
        let pipes: Vec<(String, String)> = self.codespec.piped().map(path).collect();
        let declared =
            self.codespec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let declared = environment(&pipes, declared);
        let words = |words: &[String]| -> Vec<String> {
            words.iter().map(|word| expand(word, |name| find(&declared, name))).collect()
        };
        let (command, args) = (words(&self.codespec.command), words(&self.codespec.args));
        let all = match command.is_empty() {
            true => runtime.command(&args),
            false => [command, args].concat(),
        };
        let mut all = all.into_iter();
        let Some(program) = all.next() else {
            let message = "there is nothing to run: the codespec has no `command`, and the image no entry point";
            return Err(Diagnostic::error(Class::Evaluation, message)
                .help("name a program: `command: [PROGRAM]`"));
        };
        let mut env = runtime.variables();
        for (name, value) in wake_exec::DEFAULT_ENV {
            env.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
        }
        env.extend(declared);
        Ok(Invocation { program, args: all.collect(), env, stdin: String::new(), cwd })
    }
}

fn at(dir: &RelPath, name: &BufferName) -> Result<RelPath, Diagnostic> {
    dir.child(name.as_str()).map_err(|error| Diagnostic::error(Class::Internal, error.to_string()))
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
