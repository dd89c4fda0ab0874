//! Pinning: a step whose promises are all kept becomes one action with every input a digest.

mod layout;
mod own_files;
mod program;
mod referred;
mod root;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};
use wake_exec::{DEFAULT_ENV, HOSTNAME, WORK_DIR, WORK_PATH};
use wake_model::action::{Command, Invocation, User};
use wake_model::json::{push_object, push_text};
use wake_model::{
    Action, Digest, HostDigest, Manifest, OutputDecl, RelPath, RootFs, SandboxLevel, TreeDigest,
};
use wake_store::Store;

use crate::diagnostic::{Class, Diagnostic};
use crate::evaluate::Evaluator;
use crate::instance::{Instances, PkgInstance};
use crate::module::{Exec, ModuleError, Seen};
use crate::plan::{Plan, Step};
use crate::schedule::{Kept, Steps};
use crate::snapshot::{Records, Spool, StepRecord};
use crate::written::Written;
pub(crate) use layout::{CheckoutFile, Layout, Origin, Placed, PlacedSource};
pub(crate) use referred::placed_output;
pub(crate) use root::{MadeRoot, Root, RootOrigin, root_in};

/// What a step that is done left behind.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The tree of its outputs.
    pub tree: TreeDigest,
    /// What is in it.
    pub manifest: Manifest,
}

/// What pinning needs to know of the build.
pub(crate) struct Pinner<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// The packages.
    pub instances: &'a Instances,
    /// For places in messages.
    pub evaluator: &'a Evaluator<'a>,
    /// Where trees lie.
    pub store: &'a Store,
    /// What became of the steps, by their index.
    pub done: &'a [OnceLock<Done>],
    /// The identity of this machine, read when the first step asks for it.
    pub host: &'a (dyn Fn() -> Result<HostDigest, Diagnostic> + Sync),
    /// How strictly commands are kept.
    pub sandbox: SandboxLevel,
    /// Directories of packages that have been put into the store for this build.
    pub pkg_trees: Mutex<BTreeMap<(String, RelPath), TreeDigest>>,
    /// Trees of wares and archives that were looked up for this build, by their keys in the memo.
    pub roots: Mutex<BTreeMap<Digest, TreeDigest>>,
}

/// An action with where its inputs lie on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    /// The action.
    pub action: Action,
    /// Its inputs, below the working directory.
    pub layout: Layout,
    /// The declared outputs, relative to the working directory.
    pub declared: Vec<OutputDecl>,
    /// The tree that the root file system is, where it is one.
    pub root: Option<MadeRoot>,
    /// Limits and hints.
    pub limits: ExecLimits,
}

/// What an exec says about how much it may take: never part of a key, because it can only turn a
/// success into a failure, and failures are not remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExecLimits {
    /// Seconds from start to end.
    pub timeout: Option<f64>,
    /// Places among the commands that run at once; none: one.
    pub cpus: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Whether its files lie on disk instead of in memory.
    pub on_disk: bool,
}

impl Pinner<'_> {
    /// Pins the step `node`, all of whose needs are done.
    pub(crate) fn pin(&self, node: NodeIndex) -> Result<Pinned, Box<Diagnostic>> {
        let step = &self.plan.graph[node];
        let pkg = self.pkg(step)?;
        let unexpected = |error: ModuleError| {
            Diagnostic::error(Class::Internal, format!("{}: {error}", step.label))
        };
        let text = step.instance.text().map_err(unexpected)?;
        let parts = text.parts().map_err(unexpected)?;
        let mut layout = Layout::default();
        let site = Site { pinner: self, node, step, pkg };
        site.place_own_files(&mut layout)?;
        site.place_module_files(&parts.files, &mut layout)?;
        site.bring_referred(&parts.inputs, &mut layout)?;
        let declared = parts.declared();
        site.check_declared(&declared)?;
        let (command, root, network, limits) = match &parts.exec {
            Some(exec) => site.command(exec, &mut layout)?,
            None => {
                let command = Command::Collect { cwd: WORK_DIR.to_owned() };
                let root = Root { fs: RootFs::Empty, made: None };
                (command, root, false, ExecLimits::default())
            }
        };
        if parts.exec.is_some() {
            let text = site.module_json(&parts.inputs);
            layout.place_bytes(&module_json_path(), text.into_bytes(), false);
        }
        let action = action(command, root.fs, network, self.sandbox, &layout, &declared);
        Ok(Pinned { action, layout, declared, root: root.made, limits })
    }

    fn pkg(&self, step: &Step) -> Result<&PkgInstance, Box<Diagnostic>> {
        let key = step.decl.pkg_files_owner(&step.pkg);
        self.instances.get(key).map(|pkg| &**pkg).ok_or_else(|| {
            let message = format!("{}: no package `{key}` in this build", step.label);
            Box::new(Diagnostic::error(Class::Evaluation, message))
        })
    }
}

/// The action of a module: fixed user, fixed place, everything below the working directory.
pub(crate) fn action(
    command: Command,
    root: RootFs,
    network: bool,
    sandbox: SandboxLevel,
    layout: &Layout,
    declared: &[OutputDecl],
) -> Action {
    let work = RelPath::parse(WORK_PATH).unwrap_or_default();
    let inputs =
        layout.iter().map(|(path, placed)| (work.join(path), placed.node.clone())).collect();
    let outputs =
        declared.iter().map(|decl| OutputDecl { path: work.join(&decl.path), kind: decl.kind });
    Action {
        command,
        root,
        inputs,
        outputs: outputs.collect(),
        user: User {
            uid: wake_exec::BUILDER_UID,
            gid: wake_exec::BUILDER_GID,
            hostname: HOSTNAME.to_owned(),
        },
        network,
        sandbox,
        platform: platform(),
    }
}

/// The machine's kind, such as `x86_64-linux`.
pub(crate) fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The steps of a plan, pinned one by one.
pub(crate) struct PlannedSteps<'a> {
    pinner: &'a Pinner<'a>,
    order: Vec<usize>,
    /// What a later build needs to know of each step, once it is done.
    records: Spool,
}

impl<'a> PlannedSteps<'a> {
    /// All steps of the pinner's plan; records of them are kept in the directory `state` meanwhile.
    pub(crate) fn new(pinner: &'a Pinner<'a>, state: &Path) -> Self {
        let order: Vec<usize> = pinner.plan.order.iter().map(|node| node.index()).collect();
        let records = Spool::new(state, order.len());
        PlannedSteps { pinner, order, records }
    }

    /// What was kept of the steps, if all are done.
    pub(crate) fn into_records(self) -> Option<Records> {
        self.records.finish()
    }
}

impl Steps for PlannedSteps<'_> {
    fn order(&self) -> &[usize] {
        &self.order
    }

    fn bound(&self) -> usize {
        self.order.len()
    }

    fn needs(&self, step: usize) -> Vec<usize> {
        self.pinner.plan.needs(NodeIndex::new(step))
    }

    fn label(&self, step: usize) -> &str {
        &self.pinner.plan.graph[NodeIndex::new(step)].label
    }

    fn is_requested(&self, step: usize) -> bool {
        self.pinner.plan.graph[NodeIndex::new(step)].requested
    }

    fn pin(&self, step: usize) -> Result<Pinned, Box<Diagnostic>> {
        self.pinner.pin(NodeIndex::new(step))
    }

    fn done(&self, step: usize, kept: Kept<'_>) {
        let node = &self.pinner.plan.graph[NodeIndex::new(step)];
        let link = crate::links::link_name(&node.dir, node.module());
        let link = node.requested.then(|| link.to_string_lossy());
        let record = StepRecord {
            label: &node.label,
            link: link.as_deref(),
            outputs: &node.instance.outputs,
            needs: self.needs(step).into(),
            result: crate::snapshot::StepResult::of(&kept),
        };
        self.records.put(step, &record);
        node.instance.forget();
        // The scheduler performs a step once.
        let _ = self.pinner.done[step].set(kept.done);
    }
}

fn module_json_path() -> RelPath {
    RelPath::parse(".wake/module.json").unwrap_or_default()
}

/// One step where it is being pinned.
struct Site<'a> {
    pinner: &'a Pinner<'a>,
    node: NodeIndex,
    step: &'a Step,
    pkg: &'a PkgInstance,
}

type CommandParts = (Command, Root, bool, ExecLimits);

impl Site<'_> {
    /// An error about `value`, at the place where it was written.
    fn error(&self, message: impl Into<String>, value: &Written<'_>) -> Box<Diagnostic> {
        let Pinner { plan, instances, evaluator, .. } = self.pinner;
        let place = plan.locate(self.node, &value.to_value(), instances, evaluator);
        let message = format!("{}: {}", self.step.label, message.into());
        Box::new(Diagnostic::error(Class::Evaluation, message).at(place))
    }

    /// Outputs may not lie where inputs of others are put.
    fn check_declared(&self, declared: &[OutputDecl]) -> Result<(), Box<Diagnostic>> {
        let reserved = |decl: &&OutputDecl| decl.path.components().next() == Some(".wake");
        match declared.iter().find(reserved) {
            Some(decl) => Err(self.error(
                format!("output `{}` lies in `.wake`, which belongs to wake", decl.path.dotted()),
                &Written::Null,
            )),
            None => Ok(()),
        }
    }

    fn command(
        &self,
        exec: &Exec<'_>,
        layout: &mut Layout,
    ) -> Result<CommandParts, Box<Diagnostic>> {
        let program = self.program(&exec.program, layout)?;
        self.bring_referred(&exec.config, layout)?;
        let mut args = Vec::with_capacity(exec.args.len());
        for arg in &exec.args {
            self.bring_referred(arg, layout)?;
            args.push(text::argument(arg).map_err(|problem| self.error(problem, arg))?);
        }
        let mut env: BTreeMap<String, String> = DEFAULT_ENV
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in &exec.env {
            self.bring_referred(value, layout)?;
            let text = text::variable(name, value).map_err(|problem| self.error(problem, value))?;
            env.insert(name.to_string(), text);
        }
        let stdin = text::stdin(&exec.config);
        let root = self.root(&exec.rootfs)?;
        let limits = text::limits(exec).map_err(|problem| self.error(problem, &exec.program))?;
        let invocation = Invocation { program, args, env, stdin, cwd: WORK_DIR.to_owned() };
        Ok((Command::Run(invocation), root, exec.network, limits))
    }

    /// `./.wake/module.json`: the module as canonical JSON, values and paths, no digests of content.
    fn module_json(&self, inputs: &Written<'_>) -> String {
        let Step { decl, instance, .. } = self.step;
        let graph = &self.pinner.plan.graph;
        let mut modules: Vec<(&str, &Seen)> = graph
            .edges(self.node)
            .map(|edge| (edge.weight().as_str(), &graph[edge.target()].instance.seen))
            .collect();
        modules.sort_unstable_by_key(|(key, _)| *key);
        let size: usize = modules.iter().map(|(key, seen)| key.len() + seen.text.len() + 8).sum();
        let fixed = 128 + decl.config.len() + instance.outputs.len() + self.pkg.info.len();
        let mut out = String::with_capacity(size + fixed);
        out.push_str("{\"config\":");
        out.push_str(&decl.config);
        out.push_str(",\"inputs\":");
        inputs.push_canonical(&mut out);
        out.push_str(",\"modules\":");
        push_object(modules, &mut out, |_, seen, out| seen.push_for_commands(out));
        out.push_str(",\"name\":");
        push_text(&decl.name, &mut out);
        out.push_str(",\"outputs\":");
        out.push_str(&instance.outputs);
        out.push_str(",\"pkg\":{\"pkgInfo\":");
        out.push_str(&self.pkg.info);
        out.push_str("}}\n");
        out
    }
}
