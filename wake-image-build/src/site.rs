//! What all steps of a plan have in common.

use std::collections::BTreeMap;
use std::fs;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use wake_image::{Image, ImageDigest, ImageError, ImageReference, Images, Platform};
use wake_model::WareId;
use wake_steps::StepContext;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::image_failure::image_failure;
use wake_store::Store;
use wake_store::ware::Web;
use wake_velocity::plan::{Base, Build, Plan};
use wake_velocity::script::Limits;
use wake_velocity::template::{Line, Source};

/// What builds may access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether prologs and commands have network access.
    pub network: bool,
}

/// Images to be built, and what is needed for that.
pub struct Site<'a> {
    /// The images.
    pub plan: &'a Plan,
    /// The store.
    pub store: &'a Store,
    /// The digests of base images, by name.
    pub bases: BTreeMap<String, String>,
    /// Where relative paths in image names start.
    pub dir: PathBuf,
    /// Where paths in documents start.
    pub cwd: PathBuf,
    /// What builds may access.
    pub grants: Grants,
    /// The resource limits of builds on a cluster.
    pub limits: Limits,
    /// The unpacked root file systems for commands.
    pub roots: Roots,
}

/// The unpacked files of images as wares; each image is unpacked once.
#[derive(Debug, Default)]
pub struct Roots(Mutex<BTreeMap<ImageDigest, Arc<Mutex<Option<WareId>>>>>);

/// The base of an image.
#[derive(Clone, Debug)]
pub(crate) enum Beginning {
    /// Nothing.
    Scratch,
    /// Another build of the plan, by number.
    Build(usize),
    /// An external image.
    Image(ImageReference, ImageDigest),
}

pub(crate) type Lowered<T> = Result<T, Box<Diagnostic>>;

impl Site<'_> {
    pub(crate) fn build(&self, number: usize) -> &Build {
        &self.plan.builds[number]
    }

    /// The base of a build.
    pub(crate) fn beginning(&self, number: usize) -> Lowered<Beginning> {
        let build = self.build(number);
        let from = &build.template.from;
        let refused =
            |message: String, help: &str| Box::new(self.error(message, &from.line.at).help(help));
        if let Base::Build(id) = build.identity.base {
            let before = self.plan.builds[..number].iter().rposition(|other| other.id == id);
            return before
                .map(Beginning::Build)
                .ok_or_else(|| refused("this base image is not part of the build".to_owned(), ""));
        }
        let (kind, name) = match &from.source {
            Some((kind, name)) => (Some(*kind), name),
            None => (None, &from.line),
        };
        let Some(name) = name.plain() else {
            let message = "`@from` contains a build argument, so its base image is unknown";
            return Err(refused(message.to_owned(), "use the name of an image, or a variable"));
        };
        match kind {
            _ if name == "scratch" => return Ok(Beginning::Scratch),
            Some(Source::Local) => {
                let message =
                    format!("`{name}` is an Apptainer file, which only Apptainer can build on");
                return Err(refused(
                    message,
                    "use a container image, or build with `--engine apptainer`",
                ));
            }
            Some(Source::Oras) => {
                let message = format!("`oras://{name}` is a file in a registry, not an image");
                return Err(refused(
                    message,
                    "use a container image, or build with `--engine apptainer`",
                ));
            }
            Some(Source::Docker) | None => {}
        }
        let reference = ImageReference::parse(name, &self.dir)
            .map_err(|error| Box::new(self.error(error.to_string(), &from.line.at)))?;
        let known = self.bases.get(name).and_then(|digest| digest.parse().ok());
        let digest = reference.digest().copied().or(known);
        let digest = digest.ok_or_else(|| {
            let message = format!("the digest of image `{name}` is unknown");
            refused(message, "run `wake image lock` to look it up")
        })?;
        Ok(Beginning::Image(reference, digest))
    }

    /// Images, as kept in the store.
    pub(crate) fn images<'s>(&'s self, ground: &StepContext<'s>) -> Images<'s> {
        Images::new(self.store, Web::new(self.store.route().clone()), ground.wares.meter())
    }

    /// An image with its layers in the store.
    pub(crate) fn brought(
        &self,
        images: &Images<'_>,
        reference: &ImageReference,
        digest: &ImageDigest,
    ) -> Result<Image, ImageError> {
        let image = images.get(reference, digest, &Platform::here())?;
        images.bring(&image)?;
        Ok(image)
    }

    /// The files of an image for commands that may write to them. Concurrent requests for the same image wait.
    pub(crate) fn root(&self, images: &Images<'_>, image: &Image) -> Result<WareId, ImageError> {
        let slot = {
            let mut all = self.roots.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(image.digest).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ware) = &*slot {
            return Ok(ware.clone());
        }
        // In a separate thread: a pool thread that waits for parts of this could start another step, which would then
        // wait for the lock held here.
        let ware = thread::scope(|scope| {
            let unpacking = scope.spawn(|| images.ware(image));
            unpacking.join().unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        *slot = Some(ware.clone());
        Ok(ware)
    }

    /// The error for an image, at the line that names it.
    pub(crate) fn no_image(&self, error: &ImageError, line: &Line) -> Box<Diagnostic> {
        let said = image_failure(error);
        let place = self.place(&line.at);
        Box::new(said.at(place))
    }

    /// An error at a position in a document.
    pub(crate) fn error(
        &self,
        message: impl Into<String>,
        at: &wake_velocity::Place,
    ) -> Diagnostic {
        Diagnostic::error(Class::Evaluation, message).at(self.place(at))
    }

    /// A position in a document, with its source line.
    pub(crate) fn place(&self, at: &wake_velocity::Place) -> Option<Place> {
        let text = fs::read_to_string(self.cwd.join(&*at.file)).unwrap_or_default();
        let line = at.line.checked_sub(1)?;
        Some(Place {
            file: at.file.to_string(),
            line: at.line,
            column: at.column,
            end_column: at.column + 1,
            source_line: text.lines().nth(line).unwrap_or_default().to_owned(),
            label: None,
        })
    }
}
