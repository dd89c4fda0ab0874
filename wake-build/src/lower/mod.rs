//! Lowering: a module whose functions have been evaluated becomes a step, which no longer knows packages.

mod text;
mod own_files;
mod referred;
mod program;
mod root;
mod image;
mod fetched;
mod written_at;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use wake_exec::{
    BUILDER_GID, BUILDER_UID, DEFAULT_ENV, HOSTNAME, REPORT_FILE, REPORT_VARIABLE, WORK_DIR,
    WORK_PATH,
};
use wake_model::action::{Command, Invocation, User};
use wake_model::declared::TEST_TIMEOUT;
use wake_model::json::{push_object, push_text};
use wake_model::place::{is_foreign, module_json};
use wake_model::{Digest, Network, OutputDecl, OutputKind, Outputs, RelPath, Rights, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Root, Terms};
use wake_steps::{Inputs, Step, StepContext, StepId};
use wake_store::Store;

use self::image::is_image;
use self::own_files::ManyOwnFiles;
use self::root::image::{is_entrypoint, is_writable};
use crate::evaluate::Evaluator;
use crate::host_packages::{Distribution, HostPackagesError};
use crate::instance::{Instances, PkgInstance};
use crate::locked::LockedPkgs;
use crate::module::{Exec, ModuleError, ModuleView, declared_outputs, output_texts};
use crate::plan::{ModuleStep, Plan};
use crate::written::JsonValue;

/// The context of lowering.
pub(crate) struct Lowering<'a> {
    /// The modules.
    pub plan: &'a Plan,
    /// The packages.
    pub instances: &'a Instances,
    /// For files, and for places in messages.
    pub evaluator: &'a Evaluator<'a>,
    /// The store, where trees are.
    pub store: &'a Store,
    /// The locked images.
    pub locked: &'a LockedPkgs<'a>,
    /// Directories of packages that have been put into the store for this build.
    pub pkg_trees: Mutex<BTreeMap<(String, RelPath), TreeDigest>>,
    /// Large sets of own files, shared by steps of one package.
    many: ManyOwnFiles,
    /// The packages of the distribution, read on demand.
    distribution: OnceLock<Distribution>,
    /// Trees of wares and archives looked up in this build, by their memo keys.
    pub roots: Mutex<BTreeMap<Digest, Arc<Mutex<Option<TreeDigest>>>>>,
    /// How references to modules that are not built are treated.
    pub unbuilt: Unbuilt,
    /// How images are treated whose layers are not in the store.
    pub layers: Layers,
}

/// How references to modules that are not built are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unbuilt {
    /// As errors: a module is lowered only when its dependencies are done.
    Refused,
    /// As promises.
    Promised,
}

/// How images are treated whose layers are not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layers {
    /// They are fetched.
    Fetched,
    /// They are not fetched, and steps that need them cannot be pinned.
    Left,
}

impl<'a> Lowering<'a> {
    /// Creates the context for lowering modules of `plan`.
    pub(crate) fn new(
        plan: &'a Plan,
        instances: &'a Instances,
        evaluator: &'a Evaluator<'a>,
        store: &'a Store,
        locked: &'a LockedPkgs<'a>,
    ) -> Lowering<'a> {
        let (pkg_trees, roots) = (Mutex::default(), Mutex::default());
        let (distribution, unbuilt) = (OnceLock::new(), Unbuilt::Refused);
        let many = ManyOwnFiles::default();
        let layers = Layers::Fetched;
        Lowering {
            plan,
            instances,
            evaluator,
            store,
            locked,
            pkg_trees,
            many,
            distribution,
            roots,
            unbuilt,
            layers,
        }
    }

    /// Adapts it to mere inspection: layers of images are not fetched.
    pub(crate) fn looking(self) -> Lowering<'a> {
        Lowering { layers: Layers::Left, ..self }
    }

    /// Adapts it to modules whose dependencies need not be built.
    pub(crate) fn promising(self) -> Lowering<'a> {
        Lowering { unbuilt: Unbuilt::Promised, ..self }
    }

    /// Returns the packages of this machine's distribution.
    fn distribution(&self) -> Result<&Distribution, HostPackagesError> {
        if let Some(known) = self.distribution.get() {
            return Ok(known);
        }
        let read = Distribution::read(Path::new("/"))?;
        Ok(self.distribution.get_or_init(|| read))
    }

    /// Returns whether a lowered step depends on packages of the distribution.
    pub(crate) fn has_host_packages(&self) -> bool {
        self.distribution.get().is_some()
    }

    /// Returns the step of the module `node`, whose dependencies are done.
    pub(crate) fn step(&self, node: NodeIndex, ground: &StepContext<'_>) -> Lowered<Step> {
        let module = &self.plan.graph[node];
        let pkg = self.pkg(module)?;
        let unexpected = |error: ModuleError| {
            Diagnostic::error(Class::Internal, format!("{}: {error}", module.label))
        };
        let text = module.instance.text().map_err(unexpected)?;
        let parts = text.parts().map_err(unexpected)?;
        let inputs = Inputs::default();
        let mut site = Site { lowering: self, ground, node, module, pkg, inputs };
        site.place_own_files()?;
        site.place_module_files(parts.files.as_deref().unwrap_or_default())?;
        site.bring_referred(&parts.inputs)?;
        let declared = declared_outputs(&parts.outputs);
        site.check_declared(&declared)?;
        let (mut command, root, network, mut terms) = match &parts.exec {
            Some(exec) => site.command(exec)?,
            None => {
                let command = Command::Collect { cwd: WORK_DIR.to_owned() };
                (command, Root::Empty, Network::None, Terms::default())
            }
        };
        if let (Some(test), Command::Run(command)) = (&module.decl.test, &mut command) {
            terms.report = report_of(command);
            terms.timeout = test.timeout.or(terms.timeout).or(Some(TEST_TIMEOUT.into()));
            if test.exclusive {
                // More slots than there are.
                terms.cpus = Some(u32::MAX);
            }
        }
        if parts.exec.is_some() {
            terms.texts = site.output_texts(&parts.outputs, &declared);
            let json = site.module_json(&parts.inputs).into_bytes();
            site.inputs.place_bytes(&module_json(), json);
        }
        let layer = match &parts.exec {
            Some(exec) if is_writable(&exec.rootfs) => Some(site.layer(&declared, exec)?),
            _ => None,
        };
        let step = module_step(command, root, network, terms, site.inputs, declared);
        Ok(match layer {
            None => step,
            Some(layer) => layer_step(step, layer),
        })
    }

    fn pkg(&self, module: &ModuleStep) -> Lowered<&PkgInstance> {
        let key = module.decl.pkg_files_owner(&module.pkg);
        self.instances.get(key).map(|pkg| &**pkg).ok_or_else(|| {
            let message = format!("{}: there is no package `{key}` in this build", module.label);
            Box::new(Diagnostic::error(Class::Evaluation, message))
        })
    }
}

/// Returns where the test writes its report, adding the variable that says so unless it has one; none if that is not a path of its own.
fn report_of(test: &mut Invocation) -> Option<RelPath> {
    let preset = || format!("{WORK_DIR}/{REPORT_FILE}");
    let place = test.env.entry(REPORT_VARIABLE.to_owned()).or_insert_with(preset);
    let below = place.strip_prefix(WORK_DIR).and_then(|rest| rest.strip_prefix('/'));
    below.or_else(|| place.strip_prefix("./")).and_then(|path| RelPath::parse(path).ok())
}

/// Returns the step of a module: fixed user, fixed place, everything below the working directory.
pub(crate) fn module_step(
    command: Command,
    root: Root,
    network: Network,
    terms: Terms,
    inputs: Inputs,
    declared: Vec<OutputDecl>,
) -> Step {
    Step {
        command,
        root,
        work: RelPath::parse(WORK_PATH).unwrap_or_default(),
        inputs,
        own_dirs: Vec::new(),
        outputs: Outputs::Tree(declared),
        user: User {
            uid: BUILDER_UID,
            gid: BUILDER_GID,
            hostname: HOSTNAME.to_owned(),
            rights: Rights::Ordinary,
        },
        network,
        terms,
    }
}

/// Turns it into a step whose command may write to its root; the changes become the layer at `layer`.
pub(crate) fn layer_step(step: Step, layer: RelPath) -> Step {
    let user = User { uid: 0, gid: 0, rights: Rights::Owners, ..step.user };
    Step { outputs: Outputs::Layer(layer), user, ..step }
}

/// A module that is being lowered.
struct Site<'a> {
    lowering: &'a Lowering<'a>,
    ground: &'a StepContext<'a>,
    node: NodeIndex,
    module: &'a ModuleStep,
    pkg: &'a PkgInstance,
    /// The inputs placed so far.
    inputs: Inputs,
}

/// The result of a part of lowering, or the user's error.
type Lowered<T> = Result<T, Box<Diagnostic>>;

impl Site<'_> {
    /// Returns an error about `value`, at the place where it is written.
    fn error(&self, message: impl Into<String>, value: &JsonValue<'_>) -> Box<Diagnostic> {
        let Lowering { plan, instances, evaluator, .. } = self.lowering;
        let place = plan.locate(self.node, &value.to_value(), instances, evaluator);
        let message = format!("{}: {}", self.module.label, message.into());
        Box::new(Diagnostic::error(Class::Evaluation, message).at(place))
    }

    /// Checks that outputs are not where inputs from others are placed.
    fn check_declared(&self, declared: &[OutputDecl]) -> Lowered<()> {
        let reserved = |decl: &&OutputDecl| is_foreign(&decl.path);
        match declared.iter().find(reserved) {
            Some(decl) => Err(self.error(
                format!(
                    "output `{}` is in `.wake`, which is reserved for wake",
                    decl.path.dotted()
                ),
                &JsonValue::Null,
            )),
            None => Ok(()),
        }
    }

    /// Returns the texts among outputs that would be paths with `./` before them, except those at which an input lies.
    fn output_texts(&self, outputs: &JsonValue<'_>, declared: &[OutputDecl]) -> Vec<RelPath> {
        let mut texts = output_texts(outputs);
        texts.retain(|path| {
            let is_kept =
                |decl: &OutputDecl| decl.path.starts_with(path) || path.starts_with(&decl.path);
            !declared.iter().any(is_kept) && !is_foreign(path) && !self.inputs.reaches(path)
        });
        texts
    }

    /// Returns the one output of a command that may write to its root.
    fn layer(&self, declared: &[OutputDecl], exec: &Exec<'_>) -> Lowered<RelPath> {
        match declared {
            [OutputDecl { path, kind: OutputKind::Any }] if !path.is_root() => Ok(path.clone()),
            _ => {
                let message = "a command that may write to its root has exactly one output, the layer with its changes";
                let error = self.error(message, &exec.rootfs);
                let way = "declare it: `outputs=function(wake, pkg) { layer: './layer.tar' }`";
                Err(Box::new(error.help(way)))
            }
        }
    }

    fn command(&mut self, exec: &Exec<'_>) -> Lowered<(Command, Root, Network, Terms)> {
        if is_image(&exec.program) {
            return self.image_command(exec);
        }
        let image = self.root_image(&exec.rootfs, &exec.program)?;
        let mut args = Vec::with_capacity(exec.args.len());
        for arg in &exec.args {
            self.bring_referred(arg)?;
            args.push(text::argument(arg).map_err(|problem| self.error(problem, arg))?);
        }
        let program = match &image {
            Some(image) if is_entrypoint(&exec.program) => {
                self.entrypoint(image, &mut args, &exec.rootfs)?
            }
            _ => self.program(&exec.program)?,
        };
        self.bring_referred(&exec.config)?;
        let mut env: BTreeMap<String, String> = DEFAULT_ENV
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        env.extend(image.iter().flat_map(|image| image.variables(&exec.rootfs)));
        for (name, value) in &exec.env {
            self.bring_referred(value)?;
            let text = text::variable(name, value).map_err(|problem| self.error(problem, value))?;
            env.insert(name.to_string(), text);
        }
        let stdin = text::stdin(&exec.config);
        let root = match image {
            Some(image) => image.root,
            None => self.root(&exec.rootfs)?,
        };
        let terms = text::terms(exec).map_err(|problem| self.error(problem, &exec.program))?;
        let network = self.network(exec)?;
        let invocation = Invocation { program, args, env, stdin, cwd: WORK_DIR.to_owned() };
        Ok((Command::Run(invocation), root, network, terms))
    }

    /// Returns the network of a command; an error if its package was not granted access.
    fn network(&self, exec: &Exec<'_>) -> Lowered<Network> {
        if !exec.network {
            return Ok(Network::None);
        }
        match self.lowering.instances.get(&self.module.pkg) {
            Some(pkg) if pkg.may_reach_network => Ok(Network::Host),
            _ => Err(Box::new(
                self.error("its command asks for the network without permission", &exec.program)
                    .help("grant it where its package is required: `permissions=['network']`"),
            )),
        }
    }

    /// Returns the description of its module that a command gets: canonical JSON, values and paths, no digests of content.
    fn module_json(&self, inputs: &JsonValue<'_>) -> String {
        let ModuleStep { decl, instance, .. } = self.module;
        let graph = &self.lowering.plan.graph;
        let mut modules: Vec<(&str, &ModuleView)> = graph
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

/// Returns the step of a module by its index in the plan.
pub(crate) fn step_id(node: NodeIndex) -> StepId {
    StepId(node.index())
}
