//! One step as a later build needs it: enough to pin it anew without evaluating anything.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wake_model::action::Command;
use wake_model::{
    ActionDigest, BlobDigest, Invocation, Manifest, Network, OutputDecl, Outputs, RelPath,
    TreeDigest, WareId,
};
use wake_steps::step::{Fetch, Root, Terms, TreeOrigin};
use wake_steps::{
    Input, Inputs, OwnFiles, SourceBase, SourceFile, Step, StepId, StepOutput, StepSuccess,
};

use crate::lower::{layer_step, module_step};

/// A step and what came of it; its texts are those of who writes it, or of the bytes that it was read from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StepRecord<'a> {
    /// How it is called.
    pub(crate) label: &'a str,
    /// Its link below `.wake/out`, if a target names it.
    pub(crate) link: Option<&'a str>,
    /// What its outputs function gave, as JSON text.
    pub(crate) outputs: &'a str,
    /// How often it is tried again after a failure, if it is a test.
    pub(crate) test: Option<u32>,
    /// The steps it needs.
    pub(crate) needs: Cow<'a, [StepId]>,
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
    #[serde(borrow)]
    pub(crate) root: RootRecord<'a>,
    pub(crate) network: Network,
    /// Files that are many, as `inputs` would have them; many steps have the same ones.
    #[serde(borrow)]
    pub(crate) own: OwnRecord<'a>,
    #[serde(borrow)]
    pub(crate) inputs: Vec<(&'a str, InputRecord<'a>)>,
    pub(crate) declared: Cow<'a, [OutputDecl]>,
    /// The file that has what the command changed in its root, where that is what it leaves.
    pub(crate) layer: Option<&'a str>,
    pub(crate) terms: Terms,
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
    Image {
        cwd: &'a str,
        composition: &'a str,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum RootRecord<'a> {
    Host,
    Empty,
    /// A tree of the store.
    Tree {
        tree: TreeDigest,
        origin: Cow<'a, TreeOrigin>,
    },
    /// A directory that a step left.
    Output {
        step: StepId,
        below: &'a str,
    },
    /// The files of an image, unpacked for a command that may write to them.
    Ware {
        ware: WareId,
        origin: Cow<'a, TreeOrigin>,
    },
}

/// Files that are many, in bytes of their own; none if these are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnRecord<'a>(#[serde(serialize_with = "as_bytes")] pub(crate) &'a [u8]);

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
    Output { step: StepId, below: &'a str },
    /// A directory of a package that lies in the store as a whole.
    Tree { tree: TreeDigest, origin: Cow<'a, TreeOrigin> },
    /// A symbolic link.
    Link { target: &'a str },
    /// An empty directory.
    Dir,
    /// A file of a package that lies in the store.
    Stored { tree: TreeDigest, path: &'a str, blob: BlobDigest, size: u64, executable: bool },
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
        let bytes =
            Vec::with_capacity(1024 + self.result.own.0.len() + 128 * self.result.inputs.len());
        // Only types that cannot be written as a sequence of bytes fail, and these can. What is only extended would
        // take them byte by byte.
        postcard::to_io(self, bytes).unwrap_or_default()
    }

    /// Reads a record; none if the bytes are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<StepRecord<'_>> {
        postcard::from_bytes(bytes).ok()
    }
}

impl StepResult<'_> {
    /// The steps that it takes something from, once for each thing.
    pub(crate) fn givers(&self) -> impl Iterator<Item = StepId> {
        let of_inputs = self.inputs.iter().filter_map(|(_, input)| match input {
            InputRecord::Output { step, .. } => Some(*step),
            _ => None,
        });
        let of_root = match &self.root {
            RootRecord::Output { step, .. } => Some(*step),
            _ => None,
        };
        of_inputs.chain(of_root)
    }
}

impl<'a> StepResult<'a> {
    /// What came of a step; none if it is none that a module becomes.
    pub(crate) fn of(kept: &'a StepSuccess<'_>) -> Option<StepResult<'a>> {
        let StepSuccess { pinned, key, done: StepOutput { tree, manifest }, .. } = kept;
        let inputs = pinned.inputs.single();
        let inputs = inputs.map(|(path, input)| Some((path.as_str(), InputRecord::of(input)?)));
        Some(StepResult {
            key: *key,
            tree: *tree,
            manifest: Cow::Borrowed(manifest),
            dur_ms: kept.dur_ms(),
            command: CommandRecord::of(&pinned.action.command),
            root: RootRecord::of(&pinned.root)?,
            network: pinned.action.network,
            own: OwnRecord::of(&pinned.inputs),
            inputs: inputs.collect::<Option<_>>()?,
            declared: Cow::Owned(pinned.declared()),
            layer: layer_of(&pinned.action.outputs),
            terms: pinned.terms.clone(),
        })
    }

    /// What a step is of which nothing was built; none if it is none that a module becomes. What stands for its key and for what it
    /// leaves is given.
    pub(crate) fn unbuilt(
        step: &'a Step,
        key: ActionDigest,
        tree: TreeDigest,
    ) -> Option<StepResult<'a>> {
        let declared: &[OutputDecl] = match &step.outputs {
            Outputs::Tree(declared) => declared,
            Outputs::Layer(_) => &[],
            Outputs::Wares(_) => return None,
        };
        let inputs = step.inputs.single();
        let inputs = inputs.map(|(path, input)| Some((path.as_str(), InputRecord::of(input)?)));
        Some(StepResult {
            key,
            tree,
            manifest: Cow::Owned(Manifest::default()),
            dur_ms: 0,
            command: CommandRecord::of(&step.command),
            root: RootRecord::of(&step.root)?,
            network: step.network,
            own: OwnRecord::of(&step.inputs),
            inputs: inputs.collect::<Option<_>>()?,
            declared: Cow::Borrowed(declared),
            layer: layer_of(&step.outputs),
            terms: step.terms.clone(),
        })
    }

    /// The step itself, files as `now` says that they are; none if the record is not one of a step. What is many is made once for
    /// all steps that are given the same `shared` and `now`.
    pub(crate) fn to_step(
        &self,
        shared: &SharedFiles,
        now: impl Fn(&str) -> Option<Option<(BlobDigest, u64, bool)>>,
    ) -> Option<Step> {
        let mut inputs = Inputs::default();
        if !self.own.0.is_empty() {
            inputs.place_own(shared.of(self.own, &now)?).ok()?;
        }
        for (path, input) in &self.inputs {
            inputs.place(RelPath::parse(path).ok()?, input.to_input(&now)?).ok()?;
        }
        let root = match &self.root {
            RootRecord::Host => Root::Host,
            RootRecord::Empty => Root::Empty,
            RootRecord::Tree { tree, origin } => {
                Root::Tree { tree: *tree, origin: origin.clone().into_owned() }
            }
            RootRecord::Output { step, below } => {
                Root::Output { step: *step, below: path_of(below)? }
            }
            RootRecord::Ware { ware, origin } => Root::Ware {
                fetch: Fetch { ware: ware.clone(), from: Vec::new() },
                origin: origin.clone().into_owned(),
            },
        };
        let (command, declared) = (self.command.to_command(), self.declared.to_vec());
        let step = module_step(command, root, self.network, self.terms.clone(), inputs, declared);
        Some(match self.layer {
            Some(layer) => layer_step(step, path_of(layer)?),
            None => step,
        })
    }
}

impl<'a> OwnRecord<'a> {
    fn of(inputs: &'a Inputs) -> OwnRecord<'a> {
        let Some(own) = inputs.own_files() else { return OwnRecord(&[]) };
        let record = |(path, input): (&'a RelPath, &'a Input)| {
            Some((path.as_str(), InputRecord::of(input)?))
        };
        OwnRecord(own.written(|| {
            let records: Vec<_> = own.iter().filter_map(record).collect();
            // As a record is, which cannot fail either.
            postcard::to_io(&records, Vec::with_capacity(128 * records.len())).unwrap_or_default()
        }))
    }

    /// What they are; none if the bytes are not that.
    pub(crate) fn inputs(self) -> Option<Vec<(&'a str, InputRecord<'a>)>> {
        match self.0 {
            [] => Some(Vec::new()),
            bytes => postcard::from_bytes(bytes).ok(),
        }
    }
}

/// The files that are many of the step that was made last.
#[derive(Default)]
pub(crate) struct SharedFiles(Mutex<Option<WrittenFiles>>);

/// Files with the bytes that they were read from.
type WrittenFiles = (Box<[u8]>, Arc<OwnFiles>);

impl SharedFiles {
    fn of(
        &self,
        own: OwnRecord<'_>,
        now: &impl Fn(&str) -> Option<Option<(BlobDigest, u64, bool)>>,
    ) -> Option<Arc<OwnFiles>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((written, files)) = &*last
            && **written == *own.0
        {
            return Some(Arc::clone(files));
        }
        let file = |(path, input): &(&str, InputRecord<'_>)| match input.to_input(now)? {
            Input::File(file) => Some((RelPath::parse(path).ok()?, file)),
            _ => None,
        };
        let files = own.inputs()?.iter().map(file).collect::<Option<Vec<_>>>()?;
        let files = Arc::new(OwnFiles::new(files)?);
        *last = Some((own.0.into(), Arc::clone(&files)));
        Some(files)
    }
}

impl InputRecord<'_> {
    fn of(input: &Input) -> Option<InputRecord<'_>> {
        Some(match input {
            Input::File(SourceFile { base, below, blob, size, executable, bytes: _ }) => {
                let (below, blob, size, executable) = (below.as_str(), *blob, *size, *executable);
                match base {
                    SourceBase::Dir(dir) => {
                        let path = CheckoutPath { dir: dir.as_str(), below };
                        InputRecord::Checkout { path, blob, size, executable }
                    }
                    SourceBase::Tree(tree) => {
                        InputRecord::Stored { tree: *tree, path: below, blob, size, executable }
                    }
                }
            }
            Input::Bytes { bytes, executable } => {
                InputRecord::Bytes { bytes, executable: *executable }
            }
            Input::Output { step, below } => {
                InputRecord::Output { step: *step, below: below.as_str() }
            }
            Input::Tree { tree, origin } => {
                InputRecord::Tree { tree: *tree, origin: Cow::Borrowed(origin) }
            }
            Input::Link { target } => InputRecord::Link { target },
            Input::Dir => InputRecord::Dir,
            Input::Ware(_) | Input::Mount { .. } => return None,
        })
    }

    fn to_input(
        &self,
        now: &impl Fn(&str) -> Option<Option<(BlobDigest, u64, bool)>>,
    ) -> Option<Input> {
        Some(match self {
            InputRecord::Checkout { path, blob, size, executable } => {
                let path = path.whole()?;
                let (blob, size, executable) = match now(path) {
                    Some(file) => file?,
                    None => (*blob, *size, *executable),
                };
                let (base, below) = (SourceBase::Dir(RelPath::root()), RelPath::parse(path).ok()?);
                Input::File(SourceFile { base, below, blob, size, executable, bytes: None })
            }
            &InputRecord::Stored { tree, path, blob, size, executable } => {
                let (base, below) = (SourceBase::Tree(tree), RelPath::parse(path).ok()?);
                Input::File(SourceFile { base, below, blob, size, executable, bytes: None })
            }
            InputRecord::Bytes { bytes, executable } => {
                Input::Bytes { bytes: bytes.to_vec(), executable: *executable }
            }
            InputRecord::Output { step, below } => {
                Input::Output { step: *step, below: path_of(below)? }
            }
            InputRecord::Tree { tree, origin } => {
                Input::Tree { tree: *tree, origin: origin.clone().into_owned() }
            }
            InputRecord::Link { target } => Input::Link { target: (*target).to_owned() },
            InputRecord::Dir => Input::Dir,
        })
    }
}

fn layer_of(outputs: &Outputs) -> Option<&str> {
    match outputs {
        Outputs::Layer(path) => Some(path.as_str()),
        Outputs::Tree(_) | Outputs::Wares(_) => None,
    }
}

/// A path as a record has it, where the root is an empty text.
fn path_of(text: &str) -> Option<RelPath> {
    if text.is_empty() { Some(RelPath::root()) } else { RelPath::parse(text).ok() }
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
    fn of(root: &Root) -> Option<RootRecord<'_>> {
        Some(match root {
            Root::Host => RootRecord::Host,
            Root::Empty => RootRecord::Empty,
            Root::Tree { tree, origin } => {
                RootRecord::Tree { tree: *tree, origin: Cow::Borrowed(origin) }
            }
            Root::Output { step, below } => {
                RootRecord::Output { step: *step, below: below.as_str() }
            }
            // Who sent a ware of others is no part of a record; nobody did those of images.
            Root::Ware { fetch, origin } if fetch.from.is_empty() => {
                RootRecord::Ware { ware: fetch.ware.clone(), origin: Cow::Borrowed(origin) }
            }
            Root::Ware { .. } | Root::Mount { .. } | Root::Absent { .. } => return None,
        })
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
            Command::Image { cwd, composition } => CommandRecord::Image { cwd, composition },
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
            CommandRecord::Image { cwd, composition } => {
                Command::Image { cwd: (*cwd).to_owned(), composition: (*composition).to_owned() }
            }
        }
    }
}
