//! Visiting a step: its dependencies are built, and a command of the user's runs in place of its own.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;
use wake_exec::{Visit, VisitOrder, Visitor};
use wake_model::Outcome;
use wake_model::action::{Command, Invocation};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::engine::VisitRequest;
use wake_steps::event::Reporter;
use wake_steps::explain::Outlook;
use wake_steps::pin::PinnedAction;
use wake_steps::reason::Change;
use wake_steps::run::{Run, announce};
use wake_steps::shell_line::shell_line;
use wake_steps::{
    Batch, BatchResult, Cancel, Machine, Results, SchedulePolicy, SourceFiles, Step, StepContext,
    StepId, StepSuccess, Steps, clock,
};

use super::ignore_state_dir;
use super::module_steps::ModuleSteps;
use crate::lower::{Lowering, step_id};
use crate::plan::{Plan, Wish};
use crate::purpose::{Purpose, TagSelection};
use crate::session::{Checkout, Session};
use crate::snapshot::Snapshot;
use crate::target::{TargetConfig, TargetPattern};

/// Which step to visit, and how.
#[derive(Clone, Debug)]
pub struct StepVisit {
    /// The step.
    pub place: VisitPlace,
    /// The configuration for the module that a target names.
    pub config: Option<TargetConfig>,
    /// How to visit it.
    pub manner: GuestManner,
}

/// How a step is visited, for any kind of document.
#[derive(Clone, Debug)]
pub struct GuestManner {
    /// What to run there.
    pub guest: Guest,
    /// Whether it runs before or after the step's own command.
    pub order: VisitOrder,
    /// The terminal type, `TERM`, if the streams are a terminal.
    pub terminal: Option<String>,
}

/// A step whose dependencies are done, ready to be entered.
#[derive(Clone, Copy)]
pub struct Entering<'a> {
    /// Its label.
    pub label: &'a str,
    /// Its action.
    pub pinned: &'a PinnedAction,
    /// Finds the files that it names.
    pub sources: &'a dyn SourceFiles,
}

impl Entering<'_> {
    /// Runs `visitor` in the step.
    pub fn enter(
        &self,
        manner: &GuestManner,
        machine: &Machine,
        cancel: &Cancel,
        visitor: &mut dyn Visitor,
    ) -> Result<VisitEnd, Failure> {
        let &Entering { label, pinned, sources } = self;
        let (commands, terminal) = (commands(pinned, manner), manner.terminal.is_some());
        let visit = &Visit { commands, order: manner.order, terminal };
        match machine.engine().visit(VisitRequest { pinned, sources, cancel, visit, visitor }) {
            Ok(outcome) => Ok(VisitEnd::Ended(outcome)),
            Err(wake_steps::error::StepError::Sandbox(wake_exec::SandboxError::NotStarted {
                program,
                source,
            })) => {
                let why = not_started(label, &manner.guest, &program, &source);
                Ok(VisitEnd::NotStarted(Box::new(why), source.kind()))
            }
            Err(error) => Err(error.diagnostic(label, machine.store()).into()),
        }
    }
}

/// Which step to visit.
#[derive(Clone, Debug)]
pub enum VisitPlace {
    /// The one module that this target names.
    Target(TargetPattern),
    /// The step with this label, anywhere in the workspace.
    Labelled(String),
}

/// What to run in place of a step.
#[derive(Clone, Debug)]
pub enum Guest {
    /// A shell: `bash`, or else `sh`.
    Shell,
    /// A program, looked up in the `PATH` of the step unless it is a path.
    Program {
        /// Its name or path.
        name: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

/// The shells to try, in order; the last one is for a step without `PATH`.
const SHELLS: [&str; 3] = ["bash", "sh", "/bin/sh"];

/// What the user is told about the step before entering it.
#[derive(Clone, Debug)]
pub struct VisitedStep {
    /// Its label.
    pub label: String,
    /// Its own command, as a user would type it.
    pub command: String,
}

/// How a visit ended.
#[derive(Clone, Debug)]
pub enum VisitEnd {
    /// The dependencies could not be built, which has been reported; with the exit code of that build.
    NotBuilt(u8),
    /// The guest ended like this.
    Ended(Outcome),
    /// The guest could not be started; with the kernel's reason.
    NotStarted(Box<Diagnostic>, std::io::ErrorKind),
}

impl Session {
    /// Builds a step's dependencies, reporting that to `reporter`, then runs the visitor that `enter` returns.
    pub fn visit<V: Visitor>(
        &self,
        visit: &StepVisit,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
        enter: impl FnOnce(&VisitedStep) -> V,
    ) -> Result<VisitEnd, Failure> {
        ignore_state_dir(&self.state_dir());
        self.registries.count_with(cancel.meter());
        let snapshot = Snapshot::newest(&self.state_dir());
        let mut checkout = self.look(snapshot.as_ref());
        let state_dir = self.state_dir();
        let overrides: Vec<String> = self.workspace.settings.overrides.lines().collect();
        let run = self.new_run(&state_dir, cancel, clock::now(), &overrides);
        let mut keys = Vec::new();
        let (end, prepared) = self.machine.run(&run, reporter, |reporter, ending| {
            let (prepared, built) = self.prepare(visit, &checkout, &run, reporter, ending)?;
            keys = built;
            Ok(prepared)
        });
        for (label, key, dur_ms) in keys {
            checkout.history.note(&label, key, dur_ms);
        }
        self.save(&checkout, false, reporter);
        let Some((step, pinned)) = prepared.flatten().filter(|_| end.exit == 0) else {
            return Ok(VisitEnd::NotBuilt(end.exit));
        };
        let mut visitor = enter(&step);
        let entering = Entering { label: &step.label, pinned: &pinned, sources: &checkout.files };
        entering.enter(&visit.manner, &self.machine, cancel, &mut visitor)
    }

    /// Builds the dependencies; returns the step, unless that failed, and the key and duration of each step that is done.
    fn prepare(
        &self,
        visit: &StepVisit,
        checkout: &Checkout,
        run: &Run<'_>,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> Result<(Option<(VisitedStep, PinnedAction)>, Keys), Failure> {
        let evaluator = checkout.evaluator();
        let (targets, purpose) = match &visit.place {
            VisitPlace::Target(target) => (target.clone(), Purpose::Results),
            VisitPlace::Labelled(_) => ("//...".into(), Purpose::Everything),
        };
        let wish = Wish { purpose: &purpose, tags: &TagSelection::default() };
        let planned = checkout.plan(&evaluator, &[targets], visit.config.as_ref(), wish, false)?;
        let node = visited(&planned.plan, &visit.place)?;
        let results = Results::new(planned.plan.graph.node_count());
        let lowering = Lowering::new(
            &planned.plan,
            &planned.instances,
            &evaluator,
            self.store(),
            &checkout.locked,
        );
        let all = ModuleSteps::new(&lowering, None);
        let steps = Needed::of(&all, step_id(node));
        announce(&steps, &checkout.history, reporter);
        let work = Batch {
            steps: &steps,
            results: &results,
            sources: &checkout.files,
            history: &checkout.history,
            rules: SchedulePolicy::default(),
            cancel: run.cancel,
            started: run.started,
        };
        let outcome =
            self.machine.threads().in_place_scope(|_| self.machine.perform(&work, reporter));
        let label = |step: StepId| planned.plan.graph[NodeIndex::new(step.0)].label.clone();
        let keys = outcome.keys.iter().map(|(step, key, ms)| (label(*step), *key, *ms)).collect();
        let is_built = outcome.classes.is_empty() && !run.cancel.is_cancelled();
        *ending = outcome;
        if !is_built {
            return Ok((None, keys));
        }
        let outlook = Outlook::new(&self.machine, &all, &results, &checkout.history, run.cancel);
        let pinned = outlook.pin(step_id(node))?;
        let label = planned.plan.graph[node].label.clone();
        check_runs(&label, &pinned.action.command)?;
        let command = shell_line(&pinned);
        Ok((Some((VisitedStep { label, command }, pinned)), keys))
    }
}

/// Checks that a step runs a command, so that it can be entered or run outside wake.
pub(crate) fn check_runs(label: &str, command: &Command) -> Result<(), Diagnostic> {
    let instead = match command {
        Command::Run(_) => return Ok(()),
        Command::Collect { .. } => "it only collects files",
        Command::Image { .. } => "wake itself assembles its image",
    };
    let message = format!("{label} does not run a command: {instead}");
    Err(Diagnostic::error(Class::Usage, message))
}

/// The label, the key and the duration of each step that is done.
type Keys = Vec<(String, wake_model::ActionDigest, u64)>;

/// Finds the one step that is meant.
fn visited(plan: &Plan, place: &VisitPlace) -> Result<NodeIndex, Diagnostic> {
    let mut found = plan.graph.node_indices().filter(|&node| match place {
        VisitPlace::Target(_) => plan.graph[node].requested,
        VisitPlace::Labelled(label) => plan.graph[node].label == *label,
    });
    match (found.next(), found.next(), place) {
        (Some(node), None, _) => Ok(node),
        (None, _, VisitPlace::Target(target)) => {
            let message = format!("no module matches `{}`", target.as_str());
            Err(Diagnostic::error(Class::Usage, message))
        }
        (None, _, VisitPlace::Labelled(label)) => {
            let message = format!("the workspace no longer has a module `{label}`");
            Err(Diagnostic::error(Class::Usage, message).help("name one: `wake shell TARGET`"))
        }
        (Some(_), Some(_), _) => {
            let labels: Vec<&str> = plan
                .graph
                .node_weights()
                .filter(|step| step.requested)
                .map(|step| step.label.as_str())
                .collect();
            let message = format!(
                "only one module can be entered at a time, and the target names {}",
                labels.len()
            );
            Err(Diagnostic::error(Class::Usage, message)
                .help(format!("name one of {}", labels.join(", "))))
        }
    }
}

/// Returns the commands to try in place of the action's own, in order.
fn commands(pinned: &PinnedAction, visit: &GuestManner) -> Vec<wake_exec::Command> {
    let Command::Run(Invocation { env, cwd, .. }) = &pinned.action.command else {
        return Vec::new();
    };
    let mut env: Vec<(String, String)> =
        env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(kind) = &visit.terminal
        && !env.iter().any(|(name, _)| name == "TERM")
    {
        env.push(("TERM".to_owned(), kind.clone()));
    }
    let (programs, args) = match &visit.guest {
        Guest::Shell => (SHELLS.map(str::to_owned).to_vec(), Vec::new()),
        Guest::Program { name, args } => (vec![name.clone()], args.clone()),
    };
    let command = |program| wake_exec::Command {
        program,
        args: args.clone(),
        env: env.clone(),
        stdin: Vec::new(),
        cwd: cwd.clone(),
    };
    programs.into_iter().map(command).collect()
}

fn not_started(label: &str, guest: &Guest, program: &str, source: &std::io::Error) -> Diagnostic {
    let is_absent = source.kind() == std::io::ErrorKind::NotFound;
    match guest {
        Guest::Shell if is_absent => {
            let message = format!("{label}: its root file system has neither `bash` nor `sh`");
            Diagnostic::error(Class::Environment, message)
                .help("run a program that it has: `wake exec TARGET -- PROGRAM`")
        }
        Guest::Program { name, .. } if is_absent && !name.contains('/') => {
            let message = format!("{label}: `{name}` not found in the `PATH` of its command");
            Diagnostic::error(Class::Environment, message).help(
                "give its path; the sandbox contains the step's inputs and its root file system",
            )
        }
        _ => {
            let message = format!("{label}: `{program}` could not be started: {source}");
            Diagnostic::error(Class::Environment, message)
        }
    }
}

/// The dependencies of a step, and no other steps.
struct Needed<'a> {
    all: &'a ModuleSteps<'a>,
    order: Vec<StepId>,
}

impl<'a> Needed<'a> {
    fn of(all: &'a ModuleSteps<'a>, step: StepId) -> Needed<'a> {
        let mut found = BTreeSet::new();
        let mut open = all.needs(step);
        while let Some(need) = open.pop() {
            if found.insert(need) {
                open.extend(all.needs(need));
            }
        }
        let order = all.order().iter().copied().filter(|step| found.contains(step)).collect();
        Needed { all, order }
    }
}

impl Steps for Needed<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        self.all.needs(step)
    }

    fn label(&self, step: StepId) -> &str {
        self.all.label(step)
    }

    fn is_requested(&self, _step: StepId) -> bool {
        false
    }

    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        self.all.step(step, ground)
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        self.all.done(step, kept)
    }

    fn place_of(&self, step: StepId, change: &Change) -> Option<String> {
        self.all.place_of(step, change)
    }
}
