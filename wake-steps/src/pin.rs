//! Pinning: a step whose dependencies are all done becomes an action with every input a digest.
//!
//! This is the only way to create an [`Action`], for every front.

use std::path::PathBuf;

use wake_model::action::{Command, Invocation};
use wake_model::{
    Action, HostDigest, InputNode, Node, OutputDecl, Outputs, RelPath, RootFs, SandboxLevel,
    TreeDigest, WareDecl,
};

use crate::diagnostic::Diagnostic;
use crate::error::StepError;
use crate::results::Results;
use crate::step::{Fetch, Input, Inputs, Root, SourceFile, Step, StepId, Terms, is_own};
use crate::wares::{LocalWare, WareNews, Wares};

/// What a step is made and pinned from.
pub struct StepContext<'a> {
    /// The outputs of other steps.
    pub results: &'a Results,
    /// Provides wares.
    pub wares: &'a Wares<'a>,
    /// Receives news of wares that are being provided.
    pub tell: &'a (dyn Fn(WareNews<'_>) + Sync),
}

/// An action, and where to find what it names.
#[derive(Clone, Debug)]
pub struct PinnedAction {
    /// The action.
    pub action: Action,
    /// The inputs, as the step names them.
    pub inputs: Inputs,
    /// The place of each of the action's inputs, in order.
    pub located: Vec<InputPlace>,
    /// The root file system, as the step names it.
    pub root: Root,
    /// The place of the root file system.
    pub root_located: InputPlace,
    /// How to run the command.
    pub terms: Terms,
}

/// Where an input of a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPlace {
    /// Where the step says.
    AsNamed,
    /// In this tree of the store, at the path that the step gives.
    In(TreeDigest),
    /// At this path of the machine.
    At(PathBuf),
}

/// An input: its path from the action's `work`, the step's and the action's name for it, and its place.
pub type InputPart<'p> = (&'p RelPath, &'p Input, InputNode, &'p InputPlace);

/// Returns a source file as an input, which is used in place.
fn own_part<'p>(path: &'p RelPath, input: &'p Input) -> Option<InputPart<'p>> {
    let Input::File(file) = input else { return None };
    Some((path, input, file_node(file), &InputPlace::AsNamed))
}

fn file_node(file: &SourceFile) -> InputNode {
    InputNode::File { blob: file.blob, executable: file.executable }
}

impl PinnedAction {
    /// Returns all inputs, with the names that the action has for them, or would have if they were few; paths from the action's `work`.
    pub fn parts(&self) -> impl Iterator<Item = InputPart<'_>> {
        self.own_parts().chain(self.single_parts())
    }

    /// The same for the large set of own files.
    pub(crate) fn own_parts(&self) -> impl Iterator<Item = InputPart<'_>> {
        let many = self.inputs.own_files().into_iter().flat_map(|own| own.iter());
        many.filter_map(|(path, input)| own_part(path, input))
    }

    /// The same for inputs outside the large set.
    pub(crate) fn single_parts(&self) -> impl Iterator<Item = InputPart<'_>> {
        let mut named = self.action.inputs.values().zip(&self.located);
        self.inputs.single().filter_map(move |(path, input)| {
            if self.action.own_files.is_some() && is_own(path, input) {
                return own_part(path, input);
            }
            named.next().map(|(node, located)| (path, input, node.clone(), located))
        })
    }

    /// Returns whether the result can be cached: the action's key covers all that its command sees.
    pub fn is_hermetic(&self) -> bool {
        let is_mount = |node: &InputNode| matches!(node, InputNode::Mount { .. });
        !self.terms.forgotten
            && !matches!(self.action.root, RootFs::Mount { .. })
            && !self.action.inputs.values().any(is_mount)
    }

    /// Returns the program, if it is an input.
    pub(crate) fn program(&self) -> Option<&Input> {
        let path = self.program_path()?.strip(&self.action.work)?;
        self.inputs.get(path.as_str())
    }

    /// Returns the path of the program below the root directory, if it is given.
    pub(crate) fn program_path(&self) -> Option<RelPath> {
        let Command::Run(run) = &self.action.command else { return None };
        program_path(run)
    }

    /// Returns the declared paths of the outputs, from the action's `work`.
    pub fn declared(&self) -> Vec<OutputDecl> {
        let Outputs::Tree(outputs) = &self.action.outputs else { return Vec::new() };
        let below = |path: &RelPath| path.strip(&self.action.work).unwrap_or_default();
        let decl = |decl: &OutputDecl| OutputDecl { path: below(&decl.path), kind: decl.kind };
        outputs.iter().map(decl).collect()
    }
}

/// Pins a step whose dependencies are all done, for this sandbox level; `host` reads the identity of this machine when the
/// first step needs it.
pub fn pin(
    step: Step,
    ground: &StepContext<'_>,
    host: &dyn Fn() -> Result<HostDigest, Diagnostic>,
    sandbox: SandboxLevel,
) -> Result<PinnedAction, StepError> {
    let Step { command, root, work, mut inputs, own_dirs, outputs, user, network, terms } = step;
    let (root_fs, root_located) = ground.root(&root, host)?;
    let own_files = inputs.own_tree();
    let mut located = Vec::with_capacity(inputs.single().len());
    let mut nodes = Vec::with_capacity(inputs.single().len());
    for (path, input) in inputs.single() {
        if own_files.is_some() && is_own(path, input) {
            continue;
        }
        let (node, lies) = ground.input(path, input)?;
        nodes.push((work.join(path), node));
        located.push(lies);
    }
    let action = Action {
        command,
        root: root_fs,
        own_files,
        // They are sorted, and stay sorted below one directory.
        inputs: nodes.into_iter().collect(),
        own_dirs: own_dirs.iter().map(|dir| work.join(dir)).collect(),
        outputs: from_root(outputs, &work),
        work,
        user,
        network,
        sandbox,
        platform: platform(),
    };
    let pinned = PinnedAction { action, inputs, located, root, root_located, terms };
    match unexecutable_program(&pinned) {
        Some(program) => Err(StepError::NotExecutable { program }),
        None => Ok(pinned),
    }
}

/// Returns the platform of this machine, such as `x86_64-linux`.
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

fn from_root(outputs: Outputs, work: &RelPath) -> Outputs {
    match outputs {
        Outputs::Tree(outputs) => {
            let decl = |decl: OutputDecl| OutputDecl { path: work.join(&decl.path), ..decl };
            Outputs::Tree(outputs.into_iter().map(decl).collect())
        }
        Outputs::Wares(outputs) => {
            let decl = |decl: WareDecl| WareDecl { path: work.join(&decl.path), ..decl };
            Outputs::Wares(outputs.into_iter().map(decl).collect())
        }
        // The path names the stored file, not a place that the command writes to.
        Outputs::Layer(path) => Outputs::Layer(path),
    }
}

/// Returns the program, if it is an input file that is not executable.
fn unexecutable_program(pinned: &PinnedAction) -> Option<String> {
    let Command::Run(run) = &pinned.action.command else { return None };
    let path = program_path(run)?;
    let node = match pinned.action.inputs.get(&path) {
        Some(node) => node,
        None => match pinned.inputs.get(path.strip(&pinned.action.work)?.as_str())? {
            Input::File(file) => &file_node(file),
            _ => return None,
        },
    };
    match node {
        InputNode::File { executable: false, .. } => Some(run.program.clone()),
        _ => None,
    }
}

/// Returns the path of the program below the root directory; none if it is looked up in `PATH`.
fn program_path(run: &Invocation) -> Option<RelPath> {
    if !run.program.contains('/') {
        return None;
    }
    Some(match run.program.strip_prefix('/') {
        Some(path) => RelPath::parse(path).ok()?,
        None => RelPath::parse(run.cwd.trim_start_matches('/'))
            .unwrap_or_default()
            .join(&RelPath::parse(&run.program).ok()?),
    })
}

/// Returns the input for a node of a tree.
pub(crate) fn input_node(node: &Node) -> InputNode {
    match node {
        Node::File { blob, executable, .. } => {
            InputNode::File { blob: *blob, executable: *executable }
        }
        Node::Link { target } => InputNode::Link { target: target.clone() },
        Node::Dir => InputNode::Dir,
    }
}

impl StepContext<'_> {
    fn root(
        &self,
        root: &Root,
        host: &dyn Fn() -> Result<HostDigest, Diagnostic>,
    ) -> Result<(RootFs, InputPlace), StepError> {
        Ok(match root {
            Root::Host => {
                let host = host().map_err(|error| StepError::Refused(Box::new(error)))?;
                (RootFs::Host(host), InputPlace::AsNamed)
            }
            Root::Empty => (RootFs::Empty, InputPlace::AsNamed),
            Root::Tree { tree, .. } => (RootFs::Tree(*tree), InputPlace::In(*tree)),
            Root::Output { step, below } => {
                let done = self.results.get(*step);
                let part = done.and_then(|done| Some((done.dir(below)?, done.tree)));
                let (part, tree) = part.ok_or(StepError::RootNoDirectory)?;
                (RootFs::Tree(part), InputPlace::In(tree))
            }
            Root::Ware { fetch, origin: _ } => {
                let LocalWare { path, received } = self.unpacked("/", fetch)?;
                if !path.is_dir() {
                    return Err(StepError::RootNoDirectory);
                }
                (RootFs::Ware(received), InputPlace::At(path))
            }
            Root::Mount { host, access } => {
                if !host.is_dir() {
                    return Err(StepError::RootNoDirectory);
                }
                let name = host.to_string_lossy().into_owned();
                (RootFs::Mount { host: name, access: *access }, InputPlace::At(host.clone()))
            }
            Root::Absent { of } => return Err(StepError::Absent { of: of.clone() }),
        })
    }

    fn input(&self, path: &RelPath, input: &Input) -> Result<(InputNode, InputPlace), StepError> {
        let as_named = |node| (node, InputPlace::AsNamed);
        Ok(match input {
            Input::File(file) => as_named(file_node(file)),
            Input::Bytes { bytes, executable } => {
                let blob = wake_model::BlobDigest::of(bytes);
                as_named(InputNode::File { blob, executable: *executable })
            }
            Input::Output { step, below } => return self.output(path, *step, below),
            Input::Tree { tree, .. } => as_named(InputNode::Tree(*tree)),
            Input::Ware(fetch) => {
                let place = format!("/{path}");
                let LocalWare { path, received } = self.unpacked(&place, fetch)?;
                (InputNode::Ware(received), InputPlace::At(path))
            }
            Input::Mount { host, access } => {
                let host = host.to_string_lossy().into_owned();
                as_named(InputNode::Mount { host, access: *access })
            }
            Input::Link { target } => as_named(InputNode::Link { target: target.clone() }),
            Input::Dir => as_named(InputNode::Dir),
        })
    }

    /// Returns the output of a step at a path.
    fn output(
        &self,
        path: &RelPath,
        step: StepId,
        below: &RelPath,
    ) -> Result<(InputNode, InputPlace), StepError> {
        let missing = || StepError::NoOutput { path: path.dotted() };
        let done = self.results.get(step).ok_or_else(missing)?;
        let node = match done.manifest.get(below) {
            Some(node) => input_node(node),
            None => InputNode::Tree(done.dir(below).ok_or_else(missing)?),
        };
        Ok((node, InputPlace::In(done.tree)))
    }

    fn unpacked(&self, path: &str, fetch: &Fetch) -> Result<LocalWare, StepError> {
        let failed = |source| StepError::Ware { path: path.to_owned(), source };
        self.wares.get(fetch, self.tell).map_err(failed)
    }
}
