//! The root of a job: its image, fetched to this machine, or another root in its place.

use std::path::Path;

use wake_image::{ImageError, ImageReference, Images, ParseReferenceError, Platform, RunUser};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use crate::container::TaskRoot;
use crate::options::JobOptions;

/// Why an image cannot be the root of a job.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It could not be fetched.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its name or its configuration is not usable.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for RootError {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        RootError::Refused(diagnostic)
    }
}

/// Returns the root of a container of `image`, which is fetched unless `options` name another root.
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

/// Returns the name of an image with its digest, which always names the same image.
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
