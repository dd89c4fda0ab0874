//! Recipes as steps: a step for each property that is noted, and one for the commands, which others need whose recipes are
//! given what comes of it.
//!
//! | file | has |
//! |---|---|
//! | `facts` | what is known of a build once what it needs is done |
//! | `content` | what an asset consists of that was just built |
//! | `lower` | the steps themselves |
//! | `check` | the step that tests what came of a recipe |
//! | `record` | what is kept beside an asset of how it was built |
//! | `register` | putting an asset into its registry |

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

/// Builds as steps.
pub struct Builds<'a> {
    plan: Plan,
    store: &'a Store,
    results: &'a Results,
    purpose: Purpose<'a>,
    /// Where what a failed command left is put.
    left_behind: PathBuf,
    steps: Vec<BuildStep>,
    order: Vec<StepId>,
    ends: Vec<Mutex<Option<BuildEnd>>>,
}

/// What becomes of what is built.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// It is put into a registry.
    Register(&'a Registry),
    /// It is compared with what a recipe says must come of it, and kept nowhere.
    Test,
}

/// What became of one build.
#[derive(Clone, Debug)]
pub enum BuildEnd {
    /// It is in the registry.
    Registered(Registered),
    /// It was there already, as it would be now.
    There(wake_asset::AssetId),
    /// It failed, and this is what it left.
    Failed(PathBuf),
}

/// What one step does.
#[derive(Clone, Debug)]
struct BuildStep {
    build: usize,
    part: Part,
    label: String,
    past_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Notes the property of this number.
    Property(usize),
    /// Runs the commands.
    Commands,
    /// Tests what came of them.
    Check,
}

/// How many steps a plan comes to: [`Results`] for it have this bound.
pub fn step_count(plan: &Plan) -> usize {
    let of = |build: &Build| build.recipe.custom_properties.len() + 2;
    plan.builds.iter().map(of).sum()
}

impl<'a> Builds<'a> {
    /// The steps of `plan`; `results` are those that they are performed with, and what a failed command left is put into
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

    /// What is built.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What became of each build, in their order; none of one that nobody came to.
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

    /// The step of a part of a build.
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
