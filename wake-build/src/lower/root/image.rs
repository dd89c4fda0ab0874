//! A container image as a root file system.

use wake_image::{Image, ImageDigest, ImageError, ImageReference, Images, Platform};
use wake_model::place::LocalPath;
use wake_model::{RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Root, TreeOrigin};
use wake_store::ware::Web;

use crate::image_failure::image_failure;
use crate::locked::ImageLock;
use crate::lower::referred::origin_of;
use crate::lower::{Lowered, Site};
use crate::view::special;
use crate::written::JsonValue;

/// An image as somebody wrote it: where it is, which one it is, and what it hangs on beside that.
type NamedImage = (ImageReference, ImageDigest, TreeOrigin);

impl Site<'_> {
    /// The files of the image that `rootfs` names, in the store.
    pub(super) fn root_of_image(&self, rootfs: &JsonValue<'_>) -> Lowered<Root> {
        let platform = match rootfs.get("platform") {
            Some(text @ JsonValue::Text(platform)) => platform
                .parse()
                .map_err(|error| self.root_error(format!("`rootfs`: {error}"), text))?,
            _ => Platform::here(),
        };
        let value = rootfs.get("image").unwrap_or(&JsonValue::Null);
        let images = self.images();
        let (reference, digest, origin) = self.named_image(value, &images)?;
        let tree = self.image_tree(&images, &reference, &digest, &platform);
        let tree = tree.map_err(|error| self.no_image(&error, value))?;
        Ok(Root::Tree { tree, origin })
    }

    /// The image that `value` names, for `platform`, with its layers in the store; and its files as a root.
    pub(in crate::lower) fn image(
        &self,
        value: &JsonValue<'_>,
        platform: &Platform,
    ) -> Lowered<(Image, Root)> {
        let images = self.images();
        let (reference, digest, origin) = self.named_image(value, &images)?;
        let image = images.get(&reference, &digest, platform);
        let image = image.and_then(|image| images.bring(&image).map(|()| image));
        let image = image.map_err(|error| self.no_image(&error, value))?;
        let tree = self.image_tree(&images, &reference, &digest, platform);
        let tree = tree.map_err(|error| self.no_image(&error, value))?;
        Ok((image, Root::Tree { tree, origin }))
    }

    fn image_tree(
        &self,
        images: &Images<'_>,
        reference: &ImageReference,
        digest: &ImageDigest,
        platform: &Platform,
    ) -> Result<TreeDigest, ImageError> {
        self.imported("image", &format!("{digest} {platform}"), || {
            images.tree(&images.get(reference, digest, platform)?)
        })
    }

    fn named_image(&self, value: &JsonValue<'_>, images: &Images<'_>) -> Lowered<NamedImage> {
        if special(value).is_some() {
            return self.image_file(value, images);
        }
        let base = self.lowering.evaluator.files.absolute_in(&self.pkg.place, &RelPath::root());
        let written = value.as_str().unwrap_or_default();
        let reference = ImageReference::parse(written, &base)
            .map_err(|error| self.root_error(error.to_string(), value))?;
        let digest = self.digest_of(&reference, written, value, images)?;
        Ok((reference, digest, TreeOrigin::Named))
    }

    fn images(&self) -> Images<'_> {
        let store = self.lowering.store;
        Images::new(store, Web::new(store.route().clone()), self.ground.wares.meter())
    }

    /// Which image a name means: as it is written, as the lock has it, or, for the first time, as it is now.
    fn digest_of(
        &self,
        reference: &ImageReference,
        written: &str,
        value: &JsonValue<'_>,
        images: &Images<'_>,
    ) -> Lowered<ImageDigest> {
        if let Some(digest) = reference.digest() {
            return Ok(*digest);
        }
        let resolve = || images.resolve(reference);
        if !reference.is_remote() {
            let mut diagnostic = self.root_error(
                format!("`{written}` does not say by a digest which image lies there"),
                value,
            );
            diagnostic.help.push(match resolve() {
                Ok(digest) => format!("now it is `{written}@{digest}`"),
                Err(error) => error.to_string(),
            });
            return Err(diagnostic);
        }
        let locked = self.lowering.locked.image(
            &reference.to_string(),
            self.lowering.evaluator.files,
            || resolve().map(|digest| digest.to_string()),
        );
        match locked {
            Ok(digest) => digest.parse().map_err(|error: wake_image::ParseImageDigestError| {
                self.root_error(error.to_string(), value)
            }),
            Err(ImageLock::Lock(diagnostic)) => Err(diagnostic),
            Err(ImageLock::NotLocked) => {
                let message = format!("image `{reference}` is not locked");
                let mut diagnostic = self.root_error(message, value);
                diagnostic.class = Class::Resolution;
                diagnostic
                    .help
                    .push("a build without `--locked` locks it as it is then".to_owned());
                Err(diagnostic)
            }
            Err(ImageLock::Unresolved(error)) => Err(self.no_image(&error, value)),
        }
    }

    /// A layout or an archive among the files of a package, or that a module left.
    fn image_file(&self, value: &JsonValue<'_>, images: &Images<'_>) -> Lowered<NamedImage> {
        let path = special(value).and_then(|found| found.path()).unwrap_or_default();
        let (host, origin) = match LocalPath::parse(path) {
            Some(LocalPath::Own(below)) => self.image_of_files(self.pkg, &below, path, value)?,
            Some(LocalPath::Pkg(key, below)) => {
                self.image_of_files(self.owner(&key, value)?, &below, path, value)?
            }
            Some(LocalPath::Module(id, below)) => {
                let Some((step, done)) = self.module_done(&id) else {
                    let message = format!(
                        "`{path}` belongs to a module that is not among this one's `modules`"
                    );
                    return Err(self.root_error(message, value));
                };
                let place = self.lowering.store.tree_place(&done.tree);
                let place = if below.is_root() { place } else { place.join(below.as_str()) };
                (place, TreeOrigin::Archive(step))
            }
            None => {
                let message = format!("`{path}` is no path inside the package");
                return Err(self.root_error(message, value));
            }
        };
        let reference = ImageReference::of_file(&host, path);
        let digest = images.resolve(&reference).map_err(|error| self.no_image(&error, value))?;
        Ok((reference, digest, origin))
    }

    fn image_of_files(
        &self,
        owner: &crate::instance::PkgInstance,
        below: &RelPath,
        path: &str,
        image: &JsonValue<'_>,
    ) -> Lowered<(std::path::PathBuf, TreeOrigin)> {
        let chosen = owner.files_below(below);
        let origin = origin_of(owner, below, chosen);
        match chosen.first() {
            Some(file) if file == below => {
                Ok((self.lowering.evaluator.files.absolute_in(&owner.place, file), origin))
            }
            Some(_) => {
                let tree = self.pkg_tree(owner, below, chosen)?;
                Ok((self.lowering.store.tree_place(&tree), origin))
            }
            None => {
                let owner = owner.place.label();
                let message = format!("`{path}` is not among the files of {owner}");
                Err(self.root_error(message, image))
            }
        }
    }

    fn no_image(&self, error: &ImageError, value: &JsonValue<'_>) -> Box<Diagnostic> {
        let mut diagnostic = self.root_error(error.to_string(), value);
        let said = image_failure(error);
        diagnostic.class = said.class;
        diagnostic.help.extend(said.help);
        diagnostic
    }
}
