//! What all steps of a plan are made with.

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

/// What builds may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether prologs and commands reach the network.
    pub network: bool,
}

/// Images that are to be built, and what they are built with.
pub struct Site<'a> {
    /// The images.
    pub plan: &'a Plan,
    /// Where bytes lie.
    pub store: &'a Store,
    /// The digests of images of others, by name.
    pub bases: BTreeMap<String, String>,
    /// Where paths in names of images begin.
    pub dir: PathBuf,
    /// Where the paths of documents begin.
    pub cwd: PathBuf,
    /// What builds may reach.
    pub grants: Grants,
    /// How much a build of a cluster may take.
    pub limits: Limits,
    /// The roots that are there for commands to write to.
    pub roots: Roots,
}

/// The whole files of images as wares, each unpacked once, whoever wants them.
#[derive(Debug, Default)]
pub struct Roots(Mutex<BTreeMap<ImageDigest, Arc<Mutex<Option<WareId>>>>>);

/// What an image begins from.
#[derive(Clone, Debug)]
pub(crate) enum Beginning {
    /// Nothing.
    Scratch,
    /// The build of this number.
    Build(usize),
    /// An image of somebody else.
    Image(ImageReference, ImageDigest),
}

pub(crate) type Lowered<T> = Result<T, Box<Diagnostic>>;

impl Site<'_> {
    pub(crate) fn build(&self, number: usize) -> &Build {
        &self.plan.builds[number]
    }

    /// What a build begins from.
    pub(crate) fn beginning(&self, number: usize) -> Lowered<Beginning> {
        let build = self.build(number);
        let from = &build.template.from;
        let refused =
            |message: String, help: &str| Box::new(self.error(message, &from.line.at).help(help));
        if let Base::Build(id) = build.identity.base {
            let before = self.plan.builds[..number].iter().rposition(|other| other.id == id);
            return before.map(Beginning::Build).ok_or_else(|| {
                refused("this image is not among those that are built".to_owned(), "")
            });
        }
        let (kind, name) = match &from.source {
            Some((kind, name)) => (Some(*kind), name),
            None => (None, &from.line),
        };
        let Some(name) = name.plain() else {
            let message = "an argument of the build in `@from` leaves open what is begun from";
            return Err(refused(message.to_owned(), "write the name of the image, or a variable"));
        };
        match kind {
            _ if name == "scratch" => return Ok(Beginning::Scratch),
            Some(Source::Local) => {
                let message =
                    format!("`{name}` is a file of Apptainer, from which only that can begin");
                return Err(refused(message, "name an image, or build with `--engine apptainer`"));
            }
            Some(Source::Oras) => {
                let message = format!("`oras://{name}` is a file of a registry, and no image");
                return Err(refused(message, "name an image, or build with `--engine apptainer`"));
            }
            Some(Source::Docker) | None => {}
        }
        let reference = ImageReference::parse(name, &self.dir)
            .map_err(|error| Box::new(self.error(error.to_string(), &from.line.at)))?;
        let known = self.bases.get(name).and_then(|digest| digest.parse().ok());
        let digest = reference.digest().copied().or(known);
        let digest = digest.ok_or_else(|| {
            let message = format!("it is not known which image `{name}` is");
            refused(message, "`wake image lock` finds out")
        })?;
        Ok(Beginning::Image(reference, digest))
    }

    /// Images as the store keeps them.
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

    /// The files of an image for commands that may write to them. Whoever else wants the same waits.
    pub(crate) fn root(&self, images: &Images<'_>, image: &Image) -> Result<WareId, ImageError> {
        let slot = {
            let mut all = self.roots.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(image.digest).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ware) = &*slot {
            return Ok(ware.clone());
        }
        // In a thread of its own: one of a pool that waits for parts of this could meanwhile begin another step, which would wait
        // for what is held here.
        let ware = thread::scope(|scope| {
            let unpacking = scope.spawn(|| images.ware(image));
            unpacking.join().unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        *slot = Some(ware.clone());
        Ok(ware)
    }

    /// What is wrong with an image, said at the line that names it.
    pub(crate) fn no_image(&self, error: &ImageError, line: &Line) -> Box<Diagnostic> {
        let said = image_failure(error);
        let place = self.place(&line.at);
        Box::new(said.at(place))
    }

    /// An error at a place of a document.
    pub(crate) fn error(
        &self,
        message: impl Into<String>,
        at: &wake_velocity::Place,
    ) -> Diagnostic {
        Diagnostic::error(Class::Evaluation, message).at(self.place(at))
    }

    /// A place of a document with its line.
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
