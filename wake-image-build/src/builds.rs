//! All steps of a plan, and their results.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wake_image::{ImageDigest, ImageReference, Images, file_digest};
use wake_model::{LogRef, RunRecord, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::image_failure::image_failure;
use wake_steps::{Step, StepContext, StepFailure, StepId, StepSuccess, Steps};
use wake_store::ware::{Meter, Web};
use wake_velocity::Place;
use wake_velocity::plan::{Base, Build};

use crate::engine::{Engine, Product};
use crate::lower::{BuildSteps, LAYOUT, Lowering, Stage, arguments};
use crate::marks::{StoppedAt, place_of, stopped_at};
use crate::shell;
use crate::site::{Beginning, Lowered, Site};

/// Images to be built.
pub struct ImageBuilds<'a> {
    site: &'a Site<'a>,
    engine: Option<&'a Engine>,
    stages: Vec<StageOfBuild>,
    order: Vec<StepId>,
    /// Likely mistakes.
    pub warnings: Vec<Diagnostic>,
    built: Mutex<Vec<BuiltImage>>,
    failed: Mutex<Vec<FailedImage>>,
}

/// One step of one build.
struct StageOfBuild {
    number: usize,
    stage: Stage,
    steps: BuildSteps,
    needs: Vec<StepId>,
    label: String,
    past_name: String,
    is_requested: bool,
}

/// An image that was built, now or earlier.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The number of its build in the plan.
    pub number: usize,
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// The tree with its layout.
    pub tree: TreeDigest,
    /// The path of its layout in the store.
    pub layout: PathBuf,
}

/// A failed command of an image build.
#[derive(Clone, Debug)]
pub struct FailedImage {
    /// The error: the failing line, where the image is declared, and where to look.
    pub diagnostic: Diagnostic,
}

impl<'a> ImageBuilds<'a> {
    /// Plans the steps with which `engine`, or wake itself, builds the images of a site.
    pub fn new(site: &'a Site<'a>, engine: Option<&'a Engine>) -> Lowered<ImageBuilds<'a>> {
        let mut builds = ImageBuilds {
            site,
            engine,
            stages: Vec::new(),
            order: Vec::new(),
            warnings: Vec::new(),
            built: Mutex::default(),
            failed: Mutex::default(),
        };
        let mut images: Vec<StepId> = Vec::new();
        let mut begun = BTreeSet::new();
        for number in 0..site.plan.builds.len() {
            let image = match engine {
                None => builds.by_wake(number, &images, &mut begun)?,
                Some(engine) => builds.by_engine(engine, number, &images, &mut begun)?,
            };
            images.push(image);
        }
        // Images that are not the base of another one are the requested ones.
        for (number, image) in images.iter().enumerate() {
            builds.stages[image.0].is_requested = !begun.contains(&number);
        }
        builds.order = (0..builds.stages.len()).map(StepId).collect();
        Ok(builds)
    }

    /// Adds the steps of a build that wake performs itself; returns the step of the image.
    fn by_wake(
        &mut self,
        number: usize,
        images: &[StepId],
        begun: &mut BTreeSet<usize>,
    ) -> Lowered<StepId> {
        let build = self.site.build(number);
        let mut steps = BuildSteps::default();
        if let Beginning::Build(before) = self.site.beginning(number)? {
            begun.insert(before);
            steps.base = images.get(before).copied();
        }
        self.warnings.extend(arguments(self.site, build).1);
        if build.prolog.is_some() {
            steps.prolog = Some(self.add(number, Stage::Prolog, steps, &[]));
        }
        let files: Vec<StepId> = steps.base.into_iter().chain(steps.prolog).collect();
        let has_commands = !build.template.run.is_empty();
        if has_commands && !build.template.copy.is_empty() {
            steps.files = Some(self.add(number, Stage::Files, steps, &files));
        }
        let ground: Vec<StepId> = match steps.files {
            Some(files) => vec![files],
            // The prolog may have effects elsewhere.
            None => files.clone(),
        };
        if has_commands {
            let steps_with_run = BuildSteps { run: Some(StepId(self.stages.len())), ..steps };
            steps.run = Some(self.add(number, Stage::Run, steps_with_run, &ground));
        }
        let mut needs = ground;
        needs.extend(steps.run);
        Ok(self.add(number, Stage::Image, steps, &needs))
    }

    /// Adds the steps of a build that another tool performs; returns the step of the image.
    fn by_engine(
        &mut self,
        engine: &Engine,
        number: usize,
        images: &[StepId],
        begun: &mut BTreeSet<usize>,
    ) -> Lowered<StepId> {
        let build = self.site.build(number);
        let mut steps = BuildSteps::default();
        let beginning = match build.identity.base {
            Base::Image { .. } if engine.fetches() => None,
            _ => Some(self.site.beginning(number)?),
        };
        match beginning {
            Some(Beginning::Build(before)) => {
                begun.insert(before);
                steps.base = images.get(before).copied();
            }
            Some(Beginning::Image(..)) => {
                steps.base = Some(self.add(number, Stage::Base, steps, &[]));
            }
            Some(Beginning::Scratch) | None => {}
        }
        if build.prolog.is_some() {
            steps.prolog = Some(self.add(number, Stage::Prolog, steps, &[]));
        }
        let needs: Vec<StepId> = steps.base.into_iter().chain(steps.prolog).collect();
        Ok(self.add(number, Stage::Engine, steps, &needs))
    }

    fn add(&mut self, number: usize, stage: Stage, steps: BuildSteps, needs: &[StepId]) -> StepId {
        let build = self.site.build(number);
        let name = build.image.label(self.site.plan.generation);
        let label = match stage {
            Stage::Prolog => format!("{name}:prolog"),
            Stage::Files => format!("{name}:copy"),
            Stage::Run => format!("{name}:run"),
            Stage::Base => format!("{name} @from"),
            Stage::Image | Stage::Engine => name,
        };
        let dir = self.site.cwd.join(&build.image.dir);
        let dir = fs::canonicalize(&dir).unwrap_or(dir);
        let past_name = format!("image:{}:{label}", dir.display());
        let (needs, is_requested) = (needs.to_vec(), false);
        let step = StepId(self.stages.len());
        self.stages.push(StageOfBuild {
            number,
            stage,
            steps,
            needs,
            label,
            past_name,
            is_requested,
        });
        step
    }

    fn stage(&self, step: StepId) -> &StageOfBuild {
        &self.stages[step.0]
    }

    /// The step of the last image's commands, if it has any.
    pub fn commands(&self) -> Option<StepId> {
        let last = self.site.plan.builds.len().checked_sub(1)?;
        let is_it = |stage: &StageOfBuild| stage.number == last && stage.stage == Stage::Run;
        self.stages.iter().position(is_it).map(StepId)
    }

    /// Reduces the steps to those that `step` needs.
    pub fn only_needs_of(self, step: StepId) -> ImageBuilds<'a> {
        let mut needed = BTreeSet::new();
        let mut left = self.stage(step).needs.clone();
        while let Some(need) = left.pop() {
            if needed.insert(need) {
                left.extend(self.stage(need).needs.iter().copied());
            }
        }
        ImageBuilds { order: needed.into_iter().collect(), ..self }
    }

    /// Returns the requested images that were built, in the order of the plan, and the failures.
    pub fn into_results(self) -> (Vec<BuiltImage>, Vec<FailedImage>) {
        let mut built = self.built.into_inner().unwrap_or_else(PoisonError::into_inner);
        built.sort_by_key(|image| image.number);
        (built, self.failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn tool(&self) -> &'static str {
        self.engine.map_or("wake", |engine| engine.backend.program())
    }

    /// Records the error for a failed command.
    fn command_failed(&self, stage: &StageOfBuild, record: &RunRecord) {
        let build = self.site.build(stage.number);
        let name = build.image.label(self.site.plan.generation);
        let failure = match stage.stage {
            Stage::Run => self.run_failed(build, record, &name),
            Stage::Engine => self.engine_failed(build, record, &name),
            _ => {
                let what = format!("the prolog of `{name}` failed");
                CommandFailure { what, place: None, look: None }
            }
        };
        let message = match record.outcome.is_success() {
            true => failure.what,
            false => format!("{}: {}", failure.what, record.outcome),
        };
        let mut diagnostic = Diagnostic::error(Class::Action, message)
            .at(failure.place.and_then(|place| self.site.place(place)))
            .note(format!("`{name}` is declared at {}", build.image.at));
        let logs = [("standard error", &record.stderr), ("standard output", &record.stdout)];
        for (stream, log) in logs {
            if let Some(log) = log {
                let place = self.site.store.blob_place(&log.blob);
                diagnostic =
                    diagnostic.help(format!("read its complete {stream} in `{}`", place.display()));
            }
        }
        if let Some(look) = failure.look {
            diagnostic = diagnostic.help(look);
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push(FailedImage { diagnostic });
    }

    /// Describes a failure of commands that wake ran.
    fn run_failed<'t>(
        &self,
        build: &'t Build,
        record: &RunRecord,
        name: &str,
    ) -> CommandFailure<'t> {
        let stopped = shell::stopped(&self.log(&record.stderr));
        let (line, what) = match stopped.and_then(|number| build.template.run.get(number)) {
            _ if record.outcome.is_success() => {
                (None, format!("the changes made by `@run` of `{name}` cannot be kept"))
            }
            Some(line) => (Some(line), "this line of `@run` failed".to_owned()),
            None => (None, "one of the `@run` lines from here on failed".to_owned()),
        };
        let place = line.or(build.template.run.first()).map(place_of);
        let look =
            format!("run `wake image shell {name}` to inspect its root as the command left it");
        CommandFailure { what, place, look: Some(look) }
    }

    /// Describes a failure of another tool.
    fn engine_failed<'t>(
        &self,
        build: &'t Build,
        record: &RunRecord,
        name: &str,
    ) -> CommandFailure<'t> {
        let logs = [self.log(&record.stderr), self.log(&record.stdout)];
        let stopped = stopped_at(&build.template, &[&logs[0], &logs[1]]);
        let what = format!("{} failed to build `{name}`", self.tool());
        let what = match &stopped {
            Some(StoppedAt { section, is_exact: true, .. }) => {
                format!("{what}: this line of `{section}` failed")
            }
            Some(StoppedAt { section, is_exact: false, .. }) => {
                format!("{what}: one of the `{section}` lines from here on failed")
            }
            None => what,
        };
        let is_of_images = self
            .engine
            .is_some_and(|engine| matches!(engine.product(), Product::Layout | Product::Archive));
        // The tool has removed its root, but the same lines can be tried on the same base.
        let is_run = stopped.as_ref().is_some_and(|stopped| stopped.section == "@run");
        let look = (is_run && is_of_images).then(|| {
            format!(
                "run `wake image shell --before {name}` to inspect the root that they started with"
            )
        });
        let place = stopped.map_or(&build.template.from.line.at, |stopped| stopped.place);
        CommandFailure { what, place: Some(place), look }
    }

    fn log(&self, log: &Option<LogRef>) -> Vec<u8> {
        let read = || self.site.store.blob(&log.as_ref()?.blob).ok().flatten();
        read().unwrap_or_default()
    }
}

/// The description of a failed command.
struct CommandFailure<'t> {
    what: String,
    /// The line of the template, if known.
    place: Option<&'t Place>,
    /// How to inspect its root.
    look: Option<String>,
}

impl StageOfBuild {
    /// Whether its result is the built image.
    fn is_image(&self) -> bool {
        matches!(self.stage, Stage::Image | Stage::Engine)
    }
}

impl Steps for ImageBuilds<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        self.stage(step).needs.clone()
    }

    fn label(&self, step: StepId) -> &str {
        &self.stage(step).label
    }

    fn is_requested(&self, step: StepId) -> bool {
        self.stage(step).is_requested
    }

    fn step(&self, step: StepId, ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let &StageOfBuild { number, stage, steps, .. } = self.stage(step);
        Lowering { site: self.site, number, steps, ground, engine: self.engine }.step(stage)
    }

    fn past_name(&self, step: StepId) -> &str {
        &self.stage(step).past_name
    }

    fn identity(&self, step: StepId) -> Option<String> {
        let stage = self.stage(step);
        stage.is_image().then(|| self.site.build(stage.number).id.to_string())
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let stage = self.stage(step);
        if !stage.is_image() || !stage.is_requested {
            return Ok(());
        }
        let (number, tree) = (stage.number, kept.done.tree);
        let layout = self.site.store.tree_place(&tree).join(LAYOUT);
        let meter = Meter::default();
        let images =
            Images::new(self.site.store, Web::new(self.site.store.route().clone()), &meter);
        let digest = match self.engine.map(Engine::product) {
            Some(Product::File | Product::Reference) => file_digest(&layout),
            _ => images.resolve(&ImageReference::of_file(&layout, &stage.label)),
        };
        let digest = digest.map_err(|error| Box::new(image_failure(&error)))?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.push(BuiltImage { number, digest, tree, layout });
        Ok(())
    }

    fn failed(&self, step: StepId, failure: StepFailure<'_>) {
        if let StepFailure::Command { record, .. } = failure {
            let stage = self.stage(step);
            if matches!(stage.stage, Stage::Prolog | Stage::Run | Stage::Engine) {
                self.command_failed(stage, record);
            }
        }
    }
}
