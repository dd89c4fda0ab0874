//! One step as a later build needs it: enough to pin it anew without evaluating anything.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wake_model::action::Command;
use wake_model::{
    ActionDigest, BlobDigest, InputNode, Invocation, Manifest, OutputDecl, RelPath, RootFs,
    TreeDigest,
};

use crate::pin::{
    CheckoutFile, Done, ExecLimits, MadeRoot, Origin, Placed, PlacedSource, RootOrigin,
};
use crate::schedule::Kept;

/// A step and what came of it; its texts are those of who writes it, or of the bytes that it was read from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StepRecord<'a> {
    /// How it is called.
    pub(crate) label: &'a str,
    /// Its link below `.wake/out`, if a target names it.
    pub(crate) link: Option<&'a str>,
    /// What its outputs function gave, as JSON text.
    pub(crate) outputs: &'a str,
    /// The steps it needs.
    pub(crate) needs: Cow<'a, [usize]>,
    /// What is different once an input has changed.
    #[serde(borrow)]
    pub(crate) result: StepResult<'a>,
}

/// The pinned part of a step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StepResult<'a> {
    pub(crate) key: ActionDigest,
    pub(crate) tree: TreeDigest,
    pub(crate) manifest: Cow<'a, Manifest>,
    pub(crate) dur_ms: u64,
    #[serde(borrow)]
    pub(crate) command: CommandRecord<'a>,
    pub(crate) root: RootRecord<'a>,
    pub(crate) network: bool,
    #[serde(borrow)]
    pub(crate) inputs: Vec<(&'a str, InputRecord<'a>)>,
    pub(crate) declared: Cow<'a, [OutputDecl]>,
    pub(crate) limits: ExecLimits,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CommandRecord<'a> {
    Run {
        program: &'a str,
        #[serde(borrow)]
        args: Vec<&'a str>,
        #[serde(borrow)]
        env: Vec<(&'a str, &'a str)>,
        stdin: &'a str,
        cwd: &'a str,
    },
    Collect {
        cwd: &'a str,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum RootRecord<'a> {
    Host,
    Empty,
    Made(Cow<'a, MadeRoot>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum InputRecord<'a> {
    /// A file of the checkout.
    Checkout {
        #[serde(borrow)]
        path: CheckoutPath<'a>,
        blob: BlobDigest,
        size: u64,
        executable: bool,
    },
    /// A file that wake made.
    Bytes {
        #[serde(serialize_with = "as_bytes")]
        bytes: &'a [u8],
        executable: bool,
    },
    /// Something of the outputs of a step.
    Output { step: usize, below: &'a str },
    /// A directory of a package that lies in the store as a whole.
    PkgTree { tree: TreeDigest, files: Cow<'a, [RelPath]> },
    /// A symbolic link.
    Link { target: &'a str },
    /// An empty directory.
    Dir,
}

/// The path of a file of the checkout, written as one text: from the workspace's root to a directory, and on from there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckoutPath<'a> {
    dir: &'a str,
    below: &'a str,
}

impl StepRecord<'_> {
    /// The bytes of the record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let bytes = Vec::with_capacity(1024 + 128 * self.result.inputs.len());
        // Only types that cannot be written as a sequence of bytes fail, and these can. What is only extended would
        // take them byte by byte.
        postcard::to_io(self, bytes).unwrap_or_default()
    }

    /// Reads a record; none if the bytes are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<StepRecord<'_>> {
        postcard::from_bytes(bytes).ok()
    }
}

impl<'a> StepResult<'a> {
    /// What came of a step.
    pub(crate) fn of(kept: &'a Kept<'_>) -> StepResult<'a> {
        let Kept { pinned, key, done: Done { tree, manifest }, dur_ms } = kept;
        let inputs = pinned.layout.iter().map(|(path, placed)| (path.as_str(), input(placed)));
        StepResult {
            key: *key,
            tree: *tree,
            manifest: Cow::Borrowed(manifest),
            dur_ms: *dur_ms,
            command: CommandRecord::of(&pinned.action.command),
            root: match (&pinned.action.root, &pinned.root) {
                (RootFs::Host(_), _) => RootRecord::Host,
                (RootFs::Tree(_), Some(made)) => RootRecord::Made(Cow::Borrowed(made)),
                (RootFs::Tree(_) | RootFs::Empty, _) => RootRecord::Empty,
            },
            network: pinned.action.network,
            inputs: inputs.collect(),
            declared: Cow::Borrowed(&pinned.declared),
            limits: pinned.limits,
        }
    }
}

fn input(placed: &Placed) -> InputRecord<'_> {
    match (&placed.node, &placed.source) {
        (InputNode::File { blob, executable }, PlacedSource::Checkout(file)) => {
            let CheckoutFile { dir, below, size, bytes: _ } = file;
            InputRecord::Checkout {
                path: CheckoutPath { dir: dir.as_str(), below: below.as_str() },
                blob: *blob,
                size: *size,
                executable: *executable,
            }
        }
        (_, PlacedSource::Store(_, below, Origin::Step(step))) => {
            InputRecord::Output { step: *step, below: below.as_str() }
        }
        (_, PlacedSource::Store(tree, _, Origin::Files(files))) => {
            InputRecord::PkgTree { tree: *tree, files: Cow::Borrowed(files) }
        }
        (InputNode::File { executable, .. }, PlacedSource::Bytes(bytes)) => {
            InputRecord::Bytes { bytes, executable: *executable }
        }
        (InputNode::Link { target }, _) => InputRecord::Link { target },
        _ => InputRecord::Dir,
    }
}

/// As one piece; by default they would be written one by one, to the same effect.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

impl<'a> CheckoutPath<'a> {
    /// The whole text, where it was read as such.
    pub(crate) fn whole(&self) -> Option<&'a str> {
        self.dir.is_empty().then_some(self.below)
    }
}

impl Serialize for CheckoutPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_str(&[self.dir, "/", self.below].concat()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CheckoutPath<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(CheckoutPath { dir: "", below: <&'a str>::deserialize(deserializer)? })
    }
}

impl RootRecord<'_> {
    /// Whether it is a tree that no step made.
    pub(crate) fn is_of_no_step(&self) -> bool {
        match self {
            RootRecord::Made(made) => !matches!(made.origin, RootOrigin::Step(_)),
            RootRecord::Host | RootRecord::Empty => false,
        }
    }
}

impl CommandRecord<'_> {
    fn of(command: &Command) -> CommandRecord<'_> {
        match command {
            Command::Run(Invocation { program, args, env, stdin, cwd }) => CommandRecord::Run {
                program,
                args: args.iter().map(String::as_str).collect(),
                env: env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
                stdin,
                cwd,
            },
            Command::Collect { cwd } => CommandRecord::Collect { cwd },
        }
    }

    /// The command as an action has it.
    pub(crate) fn to_command(&self) -> Command {
        match self {
            CommandRecord::Run { program, args, env, stdin, cwd } => Command::Run(Invocation {
                program: (*program).to_owned(),
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
                env: env.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
                stdin: (*stdin).to_owned(),
                cwd: (*cwd).to_owned(),
            }),
            CommandRecord::Collect { cwd } => Command::Collect { cwd: (*cwd).to_owned() },
        }
    }
}
