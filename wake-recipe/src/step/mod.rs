//! Lowers builds to steps: one for each custom property, and one for the commands, on which the command steps of
//! children depend.
//!
//! | file | contains |
//! |---|---|
//! | `facts` | values known once the steps a build needs are done |
//! | `content` | the content of an asset that was just built |
//! | `lower` | the steps themselves |
//! | `check` | the step that compares the result of a test |
//! | `record` | the build record of an asset |
//! | `register` | registers an asset |

mod facts;
mod content;
mod lower;
mod check;
mod record;
mod register;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wake_asset::{Registered, Registry};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::{Results, Step, StepContext, StepFailure, StepId, StepSuccess, Steps, TestPolicy};
use wake_store::Store;

use crate::plan::{Build, Plan};

/// The builds of a plan, as steps.
pub struct Builds<'a> {
    plan: Plan,
    store: &'a Store,
    results: &'a Results,
    purpose: Purpose<'a>,
    /// Where the output of failed commands is kept.
    left_behind: PathBuf,
    steps: Vec<BuildStep>,
    order: Vec<StepId>,
    ends: Vec<Mutex<Option<BuildEnd>>>,
}

/// What to do with built assets.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// Register them.
    Register(&'a Registry),
    /// Compare them with the expected outputs of their recipe, without registering them.
    Test,
}

/// The result of one build.
#[derive(Clone, Debug)]
pub enum BuildEnd {
    /// It was registered.
    Registered(Registered),
    /// The registry already has the same asset.
    There(wake_asset::AssetId),
    /// It failed; the path of its output.
    Failed(PathBuf),
}

/// One step of a build.
#[derive(Clone, Debug)]
struct BuildStep {
    build: usize,
    part: Part,
    label: String,
    past_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Records the custom property with this index.
    Property(usize),
    /// Runs the commands.
    Commands,
    /// Tests their result.
    Check,
}

/// Returns an upper bound on the number of steps in a plan, the capacity that [`Results`] needs.
pub fn step_count(plan: &Plan) -> usize {
    let of = |build: &Build| build.recipe.custom_properties.len() + 2;
    plan.builds.iter().map(of).sum()
}

impl<'a> Builds<'a> {
    /// Makes the steps of `plan`. `results` is the one they are performed with; the output of failed commands is kept in
    /// `left_behind`.
    pub fn new(
        plan: Plan,
        store: &'a Store,
        results: &'a Results,
        purpose: Purpose<'a>,
        left_behind: PathBuf,
    ) -> Builds<'a> {
        let mut steps = Vec::new();
        for (number, build) in plan.builds.iter().enumerate() {
            let label = build.label();
            let past = format!("{}/{}", build.genome.digest, build.asset);
            let mut add = |part: Part, name: &str| {
                let (label, past_name) = match name {
                    "" => (label.clone(), format!("recipe {past} {}", tag_text(build))),
                    name => (format!("{label} ({name})"), format!("recipe {past} ({name})")),
                };
                steps.push(BuildStep { build: number, part, label, past_name });
            };
            for (property, decl) in build.recipe.custom_properties.iter().enumerate() {
                add(Part::Property(property), decl.name.as_str());
            }
            add(Part::Commands, "");
            if matches!(purpose, Purpose::Test) && build.is_requested {
                add(Part::Check, "test");
            }
        }
        let order = (0..steps.len()).map(StepId).collect();
        let ends = plan.builds.iter().map(|_| Mutex::default()).collect();
        Builds { plan, store, results, purpose, left_behind, steps, order, ends }
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the result of each build, in order; none if the build was not reached.
    pub fn ends(&self) -> Vec<Option<BuildEnd>> {
        let end = |slot: &Mutex<Option<BuildEnd>>| {
            slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        self.ends.iter().map(end).collect()
    }

    fn ended(&self, build: usize, end: BuildEnd) {
        *self.ends[build].lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    fn build(&self, number: usize) -> &Build {
        &self.plan.builds[number]
    }

    /// Returns the step of a part of a build.
    fn step_of(&self, build: usize, part: Part) -> Option<StepId> {
        let is_it = |step: &BuildStep| step.build == build && step.part == part;
        self.steps.iter().position(is_it).map(StepId)
    }

    fn left_behind(&self, build: &Build) -> PathBuf {
        self.left_behind.join(build.genome.digest.as_str()).join(build.asset.as_str())
    }
}

fn tag_text(build: &Build) -> String {
    build.tag.as_ref().map_or_else(String::new, ToString::to_string)
}

impl Steps for Builds<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        let BuildStep { build: number, part, .. } = &self.steps[step.0];
        let build = self.build(*number);
        match part {
            Part::Property(_) => Vec::new(),
            Part::Check => self.step_of(*number, Part::Commands).into_iter().collect(),
            Part::Commands => {
                let properties = (0..build.recipe.custom_properties.len()).map(Part::Property);
                let own = properties.filter_map(|part| self.step_of(*number, part));
                let parents = build.assets.iter().filter_map(|given| match given.origin {
                    crate::plan::Origin::Built(parent) => self.step_of(parent, Part::Commands),
                    crate::plan::Origin::Registered { .. } => None,
                });
                let mut needs: Vec<StepId> = own.chain(parents).collect();
                needs.sort();
                needs.dedup();
                needs
            }
        }
    }

    fn label(&self, step: StepId) -> &str {
        &self.steps[step.0].label
    }

    fn is_requested(&self, step: StepId) -> bool {
        let BuildStep { build, part, .. } = &self.steps[step.0];
        let wanted = match self.purpose {
            Purpose::Register(_) => Part::Commands,
            Purpose::Test => Part::Check,
        };
        *part == wanted && self.build(*build).is_requested
    }

    fn test(&self, step: StepId) -> Option<TestPolicy> {
        (self.steps[step.0].part == Part::Check).then(TestPolicy::default)
    }

    fn step(&self, step: StepId, _ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let BuildStep { build, part, .. } = &self.steps[step.0];
        match part {
            Part::Property(property) => Ok(self.property_step(*build, *property)),
            Part::Commands => self.command_step(*build).map_err(Box::new),
            Part::Check => self.check_step(*build).map_err(Box::new),
        }
    }

    fn past_name(&self, step: StepId) -> &str {
        &self.steps[step.0].past_name
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let BuildStep { build, part, .. } = &self.steps[step.0];
        match (part, self.purpose) {
            (Part::Commands, Purpose::Register(registry)) => {
                let end = self.register(*build, registry, kept).map_err(Box::new)?;
                self.ended(*build, end);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, step: StepId, failure: StepFailure<'_>) {
        let BuildStep { build, part, .. } = &self.steps[step.0];
        let left = self.left_behind(self.build(*build)).join("asset");
        if let (Part::Commands, StepFailure::Command { .. }) = (part, failure)
            && left.is_dir()
        {
            self.ended(*build, BuildEnd::Failed(left));
        }
    }
}
