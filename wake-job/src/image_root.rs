//! What lies below a job: its image, brought here, or what stands for that.

use std::fs;
use std::path::Path;

use wake_image::{ImageError, ImageReference, Images, Platform};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use crate::container::TaskRoot;
use crate::options::{JobOptions, RootChoice};

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

/// What lies below a container of `image`, which is brought here unless `options` have something else stand for it.
pub fn root(
    image: &str,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
) -> Result<TaskRoot, RootError> {
    match &options.root {
        Some(RootChoice::Host) => Ok(TaskRoot::Host),
        Some(RootChoice::Dir(dir)) => Ok(TaskRoot::Dir(dir.clone())),
        None => brought(image, options, store, images),
    }
}

fn brought(
    name: &str,
    options: &JobOptions,
    store: &Store,
    images: &Images<'_>,
) -> Result<TaskRoot, RootError> {
    let refused = |message: String| {
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .help("or run it on something else: `--rootfs DIR`, `--rootfs host`");
        RootError::Refused(Box::new(diagnostic))
    };
    let reference = ImageReference::parse(name, &options.dir)
        .map_err(|error| refused(format!("the image {error}")))?;
    let digest = images.resolve(&reference)?;
    let image = images.get(&reference, &digest, &Platform::here())?;
    let tree = images.tree(&image)?;
    let runtime = Box::new(image.config.config.clone());
    let files = store.tree_place(&tree);
    let user = user(&runtime.user, &files).map_err(refused)?;
    Ok(TaskRoot::Image { tree, runtime, user })
}

/// The numbers of `USER[:GROUP]`, each a name or a number, as the image's own files have them.
fn user(text: &str, files: &Path) -> Result<(u32, u32), String> {
    if text.is_empty() {
        return Ok((0, 0));
    }
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let table = |name: &str| fs::read_to_string(files.join("etc").join(name)).unwrap_or_default();
    let passwd = table("passwd");
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user) || fields.get(2) == Some(&user));
    let number = |at: usize| entry.as_ref().and_then(|fields| fields.get(at)?.parse::<u32>().ok());
    let uid = user.parse::<u32>().ok().or_else(|| number(2));
    let uid = uid.ok_or_else(|| format!("the image has no user `{user}`, as whom it is to run"))?;
    let gid = match group {
        None => number(3).unwrap_or(0),
        Some(group) => {
            let groups = table("group");
            let entry = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let named = entry.into_iter().find(|fields| fields.first() == Some(&group));
            let named = named.and_then(|fields| fields.get(2)?.parse().ok());
            let gid = group.parse().ok().or(named);
            gid.ok_or_else(|| format!("the image has no group `{group}`, as which it is to run"))?
        }
    };
    Ok((uid, gid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::user;

    #[test]
    fn users_are_names_or_numbers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:\nbo:x:7:8::/:\n").unwrap();
        std::fs::write(dir.path().join("etc/group"), "wheel:x:10:\n").unwrap();
        for (text, expected) in [
            ("", Ok((0, 0))),
            ("bo", Ok((7, 8))),
            ("7", Ok((7, 8))),
            ("9", Ok((9, 0))),
            ("bo:wheel", Ok((7, 10))),
            ("5:6", Ok((5, 6))),
            ("eve", Err("the image has no user `eve`, as whom it is to run".to_owned())),
            ("bo:eve", Err("the image has no group `eve`, as which it is to run".to_owned())),
        ] {
            assert_eq!(user(text, dir.path()), expected, "{text}");
        }
    }
}
