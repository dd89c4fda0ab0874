//! What lies below a job: its image, brought here, or what stands for that.

use std::path::Path;

use wake_image::{ImageError, ImageReference, Images, ParseReferenceError, Platform, RunUser};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use crate::container::TaskRoot;
use crate::options::JobOptions;

/// Why an image cannot lie below a job.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It could not be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It is none, or not one that can be run so.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for RootError {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        RootError::Refused(diagnostic)
    }
}

/// What lies below a container of `image`, which is brought here unless `options` have something else stand for it.
pub fn root(
    image: &str,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
) -> Result<TaskRoot, RootError> {
    match &options.root {
        Some(choice) => Ok(choice.as_root()),
        None => brought(image, options, store, images),
    }
}

/// The name of an image with its digest, which means the same image everywhere and always.
pub fn pinned(image: &str, dir: &Path, images: &Images<'_>) -> Result<String, RootError> {
    let reference = ImageReference::parse(image, dir).map_err(|error| unnamed(&error))?;
    let digest = images.resolve(&reference)?;
    Ok(reference.pinned(digest).to_string())
}

fn unnamed(error: &ParseReferenceError) -> RootError {
    let message = format!("the image {error}");
    let diagnostic = Diagnostic::error(Class::Evaluation, message)
        .help("to run without the image, use `--rootfs DIR` or `--rootfs host`");
    RootError::Refused(Box::new(diagnostic))
}

fn brought(
    name: &str,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
) -> Result<TaskRoot, RootError> {
    let refused = |message: String| {
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .help("to run without the image, use `--rootfs DIR` or `--rootfs host`");
        RootError::Refused(Box::new(diagnostic))
    };
    let reference = ImageReference::parse(name, &options.dir).map_err(|error| unnamed(&error))?;
    let digest = images.resolve(&reference)?;
    let image = images.get(&reference, &digest, &Platform::here())?;
    let tree = images.tree(&image)?;
    let runtime = Box::new(image.config.config.clone());
    let files = store.tree_place(&tree);
    let user = RunUser::of(&runtime.user, &files).map_err(|error| refused(error.to_string()))?;
    Ok(TaskRoot::Image { tree, runtime, user: (user.uid, user.gid) })
}
