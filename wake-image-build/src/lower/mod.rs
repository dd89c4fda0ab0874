//! One step of each kind.
//!
//! | file | lowers |
//! |---|---|
//! | `arguments` | the build arguments that wake understands |
//! | `prolog` | commands on this machine that prepare the build context |
//! | `files` | `@copy` |
//! | `run` | `@run`, in the base image |
//! | `image` | the image itself |
//! | `foreign` | an image built by another tool |

mod arguments;
mod prolog;
mod files;
mod run;
mod image;
mod foreign;

use std::path::PathBuf;

use wake_image::{Image, ImageReference, Images};
use wake_model::action::User;
use wake_model::{Network, RelPath, Rights};
use wake_steps::{Step, StepContext, StepId};

pub(crate) use self::arguments::arguments;
use crate::engine::Engine;
use crate::site::{Beginning, Lowered, Site};

/// One step of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Commands on this machine, run first.
    Prolog,
    /// Copied files on the base image.
    Files,
    /// Commands on top of that.
    Run,
    /// The image.
    Image,
    /// An external base image, for another tool.
    Base,
    /// The image, built by another tool.
    Engine,
}

/// The steps of one build, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BuildSteps {
    pub(crate) prolog: Option<StepId>,
    pub(crate) files: Option<StepId>,
    pub(crate) run: Option<StepId>,
    /// The step that builds the base image, if it is built.
    pub(crate) base: Option<StepId>,
}

/// Lowers one build to steps.
pub(crate) struct Lowering<'a, 's> {
    pub(crate) site: &'a Site<'a>,
    pub(crate) number: usize,
    pub(crate) steps: BuildSteps,
    pub(crate) ground: &'a StepContext<'s>,
    /// The build tool, if it is not wake.
    pub(crate) engine: Option<&'a Engine>,
}

/// The working directory of a step.
pub(crate) const WORK: &str = "work";
/// The directory of an image in its step's output.
pub const LAYOUT: &str = "image";

impl Lowering<'_, '_> {
    /// The step of a kind.
    pub(crate) fn step(&self, stage: Stage) -> Lowered<Step> {
        match stage {
            Stage::Prolog => self.prolog(),
            Stage::Files => self.files(),
            Stage::Run => self.run(),
            Stage::Image => self.image(),
            Stage::Base => self.base_layout(),
            Stage::Engine => match self.engine {
                Some(engine) => self.foreign(engine),
                None => self.image(),
            },
        }
    }

    /// The base image of the build; `None` for `scratch`.
    fn base(&self, images: &Images<'_>) -> Lowered<Option<Image>> {
        let from = &self.site.build(self.number).template.from.line;
        let image = match self.site.beginning(self.number)? {
            Beginning::Scratch => return Ok(None),
            Beginning::Build(_) => match self.steps.base {
                Some(step) => return self.built(images, step).map(Some),
                None => return Ok(None),
            },
            Beginning::Image(reference, digest) => self.site.brought(images, &reference, &digest),
        };
        image.map(Some).map_err(|error| self.site.no_image(&error, from))
    }

    /// The image that commands run in and that their layer is added to: the base with the copied files, if any.
    fn ground_image(&self, images: &Images<'_>) -> Lowered<Option<Image>> {
        match self.steps.files.filter(|_| self.steps.run.is_some()) {
            Some(step) => self.built(images, step).map(Some),
            None => self.base(images),
        }
    }

    /// The image that a step produced.
    fn built(&self, images: &Images<'_>, step: StepId) -> Lowered<Image> {
        let from = &self.site.build(self.number).template.from.line;
        let place = self.layout(step).unwrap_or_default();
        let reference = ImageReference::of_file(&place, &place.display().to_string());
        let image = images
            .resolve(&reference)
            .and_then(|digest| self.site.brought(images, &reference, &digest));
        image.map_err(|error| self.site.no_image(&error, from))
    }

    fn layout(&self, step: StepId) -> Option<PathBuf> {
        let done = self.ground.results.get(step)?;
        Some(self.site.store.tree_place(&done.tree).join(LAYOUT))
    }

    fn network(&self) -> Network {
        if self.site.grants.network { Network::Host } else { Network::None }
    }
}

/// The shell arguments that run `script`. The kernel limits an argument to 128 KiB, so a long script is split.
fn shell_args(script: String) -> Vec<String> {
    if script.len() <= LARGEST_ARGUMENT {
        return vec!["-c".to_owned(), script];
    }
    let mut parts = Vec::new();
    let mut rest = script.as_str();
    while !rest.is_empty() {
        let most = rest.len().min(LARGEST_ARGUMENT);
        let end = (0..=most).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(most);
        let (part, more) = rest.split_at(end);
        parts.push(part.to_owned());
        rest = more;
    }
    let whole: String = (1..=parts.len()).map(|number| format!("${{{number}}}")).collect();
    let eval = format!("wake_script=\"{whole}\"; set --; eval \"$wake_script\"");
    ["-c".to_owned(), eval, "sh".to_owned()].into_iter().chain(parts).collect()
}

/// Well below the kernel's limit, in bytes.
const LARGEST_ARGUMENT: usize = 96 << 10;

fn work() -> RelPath {
    RelPath::parse(WORK).unwrap_or_default()
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap_or_default()
}

/// The unprivileged user that composes images.
fn nobody() -> User {
    let (uid, gid) = (wake_exec::BUILDER_UID, wake_exec::BUILDER_GID);
    User { uid, gid, hostname: wake_exec::HOSTNAME.to_owned(), rights: Rights::Ordinary }
}
