//! One step as a later build needs it: enough to pin it anew without evaluating anything.

use serde::{Deserialize, Serialize};
use wake_model::action::Command;
use wake_model::{
    ActionDigest, BlobDigest, InputNode, Invocation, Manifest, OutputDecl, RelPath, RootFs,
    TreeDigest,
};

use crate::pin::{Done, ExecLimits, MadeRoot, Origin, Placed, PlacedSource, RootOrigin};
use crate::schedule::Kept;

/// A step and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    /// How it is called.
    pub(crate) label: String,
    /// Its link below `.wake/out`, if a target names it.
    pub(crate) link: Option<String>,
    /// What its outputs function gave, as JSON text.
    pub(crate) outputs: String,
    /// The steps it needs.
    pub(crate) needs: Vec<usize>,
    /// What is different once an input has changed.
    pub(crate) result: StepResult,
}

/// The pinned part of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepResult {
    pub(crate) key: ActionDigest,
    pub(crate) tree: TreeDigest,
    pub(crate) manifest: Manifest,
    pub(crate) dur_ms: u64,
    pub(crate) command: CommandRecord,
    pub(crate) root: RootRecord,
    pub(crate) network: bool,
    pub(crate) inputs: Vec<(RelPath, InputRecord)>,
    pub(crate) declared: Vec<OutputDecl>,
    pub(crate) limits: ExecLimits,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum CommandRecord {
    Run {
        program: String,
        args: Vec<String>,
        env: Vec<(String, String)>,
        stdin: String,
        cwd: String,
    },
    Collect {
        cwd: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum RootRecord {
    Host,
    Empty,
    Made(MadeRoot),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum InputRecord {
    /// A file of the checkout.
    Checkout { path: RelPath, blob: BlobDigest, size: u64, executable: bool },
    /// A file that wake made.
    Bytes { bytes: Vec<u8>, executable: bool },
    /// Something of the outputs of a step.
    Output { step: usize, below: RelPath },
    /// A directory of a package that lies in the store as a whole.
    PkgTree { tree: TreeDigest, files: Vec<RelPath> },
    /// A symbolic link.
    Link { target: String },
    /// An empty directory.
    Dir,
}

impl StepRecord {
    /// The bytes of the record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Only types that cannot be written as a sequence of bytes fail, and these can.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Reads a record; none if the bytes are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<StepRecord> {
        postcard::from_bytes(bytes).ok()
    }
}

impl StepResult {
    /// What came of a step.
    pub(crate) fn of(kept: &Kept<'_>) -> StepResult {
        let Kept { pinned, key, done: Done { tree, manifest }, dur_ms } = kept;
        StepResult {
            key: *key,
            tree: *tree,
            manifest: manifest.clone(),
            dur_ms: *dur_ms,
            command: CommandRecord::of(&pinned.action.command),
            root: match (&pinned.action.root, &pinned.root) {
                (RootFs::Host(_), _) => RootRecord::Host,
                (RootFs::Tree(_), Some(made)) => RootRecord::Made(made.clone()),
                (RootFs::Tree(_) | RootFs::Empty, _) => RootRecord::Empty,
            },
            network: pinned.action.network,
            inputs: pinned
                .layout
                .iter()
                .map(|(path, placed)| (path.clone(), input(placed)))
                .collect(),
            declared: pinned.declared.clone(),
            limits: pinned.limits,
        }
    }
}

fn input(placed: &Placed) -> InputRecord {
    match (&placed.node, &placed.source) {
        (InputNode::File { blob, executable }, PlacedSource::Checkout(path, size)) => {
            InputRecord::Checkout {
                path: path.clone(),
                blob: *blob,
                size: *size,
                executable: *executable,
            }
        }
        (_, PlacedSource::Store(_, below, Origin::Step(step))) => {
            InputRecord::Output { step: *step, below: below.clone() }
        }
        (_, PlacedSource::Store(tree, _, Origin::Files(files))) => {
            InputRecord::PkgTree { tree: *tree, files: files.clone() }
        }
        (InputNode::File { executable, .. }, PlacedSource::Bytes(bytes)) => {
            InputRecord::Bytes { bytes: bytes.clone(), executable: *executable }
        }
        (InputNode::Link { target }, _) => InputRecord::Link { target: target.clone() },
        _ => InputRecord::Dir,
    }
}

impl RootRecord {
    /// Whether it is a tree that no step made.
    pub(crate) fn is_of_no_step(&self) -> bool {
        match self {
            RootRecord::Made(made) => !matches!(made.origin, RootOrigin::Step(_)),
            RootRecord::Host | RootRecord::Empty => false,
        }
    }

    /// The files of the checkout that the root file system was made of.
    pub(crate) fn files(&self) -> &[RelPath] {
        match self {
            RootRecord::Made(MadeRoot { origin: RootOrigin::Files(files), .. }) => files,
            RootRecord::Made(_) | RootRecord::Host | RootRecord::Empty => &[],
        }
    }
}

impl CommandRecord {
    fn of(command: &Command) -> CommandRecord {
        match command {
            Command::Run(Invocation { program, args, env, stdin, cwd }) => CommandRecord::Run {
                program: program.clone(),
                args: args.clone(),
                env: env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                stdin: stdin.clone(),
                cwd: cwd.clone(),
            },
            Command::Collect { cwd } => CommandRecord::Collect { cwd: cwd.clone() },
        }
    }

    /// The command as an action has it.
    pub(crate) fn to_command(&self) -> Command {
        match self {
            CommandRecord::Run { program, args, env, stdin, cwd } => Command::Run(Invocation {
                program: program.clone(),
                args: args.clone(),
                env: env.iter().cloned().collect(),
                stdin: stdin.clone(),
                cwd: cwd.clone(),
            }),
            CommandRecord::Collect { cwd } => Command::Collect { cwd: cwd.clone() },
        }
    }
}
