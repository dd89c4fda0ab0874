//! Container images as root file systems.

use std::collections::BTreeMap;

use wake_image::{ImageDigest, ImageError, ImageReference, Images, Platform, Runtime};
use wake_model::encode::{Domain, digest_bytes};
use wake_model::place::LocalPath;
use wake_model::{RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::image_failure::image_failure;
use wake_steps::step::{Fetch, Root, TreeOrigin};
use wake_store::ware::Web;

use crate::locked::ImageLock;
use crate::lower::referred::origin_of;
use crate::lower::{Layers, Lowered, Site, Unbuilt};
use crate::view::special;
use crate::written::JsonValue;

/// An image as named by the user: where it is, which one it is, and what else it depends on.
type NamedImage = (ImageReference, ImageDigest, TreeOrigin);

/// What is needed of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lower) enum Wanted {
    /// Its files.
    Files,
    /// Also its configuration.
    Configuration,
    /// Also its packed layers.
    Layers,
    /// Its configuration and the declared owners and modes of its files, for a command that may write to them.
    Whole,
}

/// The image below a step.
pub(in crate::lower) struct RootImage {
    /// The digest of its manifest, or of what was named if no more was needed.
    pub(in crate::lower) digest: ImageDigest,
    /// Its platform.
    pub(in crate::lower) platform: Platform,
    /// Its files.
    pub(in crate::lower) root: Root,
    /// Its configuration, if that was needed.
    runtime: Runtime,
}

impl RootImage {
    /// Returns the variables that `rootfs` takes from its image.
    pub(in crate::lower) fn variables(&self, rootfs: &JsonValue<'_>) -> BTreeMap<String, String> {
        match takes_variables(rootfs) {
            true => self.runtime.variables(),
            false => BTreeMap::new(),
        }
    }
}

fn takes_variables(rootfs: &JsonValue<'_>) -> bool {
    matches!(rootfs.get("env"), Some(JsonValue::Bool(true)))
}

/// Returns whether a command may write to its root, so that its changes are its output.
pub(in crate::lower) fn is_writable(rootfs: &JsonValue<'_>) -> bool {
    matches!(rootfs.get("writable"), Some(JsonValue::Bool(true)))
}

/// Returns whether the program of an exec is the entrypoint of its root file system's image.
pub(in crate::lower) fn is_entrypoint(program: &JsonValue<'_>) -> bool {
    program.get("type").and_then(JsonValue::as_str) == Some("entrypoint")
}

impl Site<'_> {
    /// Returns the image that `rootfs` names; none if it names something else.
    pub(in crate::lower) fn root_image(
        &self,
        rootfs: &JsonValue<'_>,
        program: &JsonValue<'_>,
    ) -> Lowered<Option<RootImage>> {
        if rootfs.get("type").and_then(JsonValue::as_str) != Some("image") {
            return Ok(None);
        }
        let platform = match rootfs.get("platform") {
            Some(text @ JsonValue::Text(platform)) => platform
                .parse()
                .map_err(|error| self.root_error(format!("`rootfs`: {error}"), text))?,
            _ => Platform::here(),
        };
        let wanted = match is_entrypoint(program) || takes_variables(rootfs) {
            _ if is_writable(rootfs) => Wanted::Whole,
            true => Wanted::Configuration,
            false => Wanted::Files,
        };
        self.image(rootfs.get("image").unwrap_or(&JsonValue::Null), &platform, wanted).map(Some)
    }

    /// Returns the image that `value` names, for `platform`; what is needed of it is in the store afterwards, unless nothing is fetched.
    pub(in crate::lower) fn image(
        &self,
        value: &JsonValue<'_>,
        platform: &Platform,
        wanted: Wanted,
    ) -> Lowered<RootImage> {
        if let Some(root) = self.promised_image(value) {
            return Ok(unknown(ImageDigest::of(b""), platform, root));
        }
        let images = self.images();
        let (reference, digest, origin) = self.named_image(value, &images)?;
        let name = format!("{digest} {platform}");
        if reference.is_remote() && self.lowering.unbuilt == Unbuilt::Promised {
            let bytes = [b"image ", name.as_bytes()].concat();
            let tree = TreeDigest(digest_bytes(Domain::Evaluation, &bytes));
            return Ok(unknown(digest, platform, Root::Tree { tree, origin }));
        }
        let is_left = reference.is_remote() && self.lowering.layers == Layers::Left;
        if is_left && !self.is_imported("image", &name) {
            let of = format!("the image `{}`", reference.pinned(digest));
            return Ok(unknown(digest, platform, Root::Absent { of }));
        }
        let get = || images.get(&reference, &digest, platform);
        let of_image = |error: &ImageError| self.no_image(error, value);
        if wanted == Wanted::Whole {
            let image = get().map_err(|error| of_image(&error))?;
            let ware = || images.bring(&image).and_then(|()| images.ware(&image));
            // In a separate thread, like everything that is imported.
            let ware = std::thread::scope(|scope| {
                let ware = scope.spawn(ware).join();
                ware.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            let ware = ware.map_err(|error| of_image(&error))?;
            let root = Root::Ware { fetch: Fetch { ware, from: Vec::new() }, origin };
            let (platform, runtime) = (image.config.platform, image.config.config);
            return Ok(RootImage { digest: image.digest, platform, root, runtime });
        }
        let tree = self.imported("image", &name, || images.tree(&get()?));
        let root = Root::Tree { tree: tree.map_err(|error| of_image(&error))?, origin };
        if wanted == Wanted::Files {
            return Ok(unknown(digest, platform, root));
        }
        let image = get().map_err(|error| of_image(&error))?;
        if wanted == Wanted::Layers && !is_left {
            images.bring(&image).map_err(|error| of_image(&error))?;
        }
        let (platform, runtime) = (image.config.platform, image.config.config);
        Ok(RootImage { digest: image.digest, platform, root, runtime })
    }

    /// Returns the entrypoint of an image: its program, and adds the arguments that come before those of the exec.
    pub(in crate::lower) fn entrypoint(
        &self,
        image: &RootImage,
        args: &mut Vec<String>,
        rootfs: &JsonValue<'_>,
    ) -> Lowered<String> {
        if !matches!(image.root, Root::Tree { .. } | Root::Ware { .. }) {
            // No step with this is run.
            return Ok(String::new());
        }
        let mut command = image.runtime.command(args).into_iter();
        let Some(program) = command.next() else {
            let message = "the image of `rootfs` has no entrypoint".to_owned();
            let error = self.root_error(message, rootfs.get("image").unwrap_or(rootfs));
            return Err(Box::new(
                error.help("give a program: `wake.exec(wake.program('sh'), args=[…], …)`"),
            ));
        };
        *args = command.collect();
        Ok(program)
    }

    /// Returns the files of an image that a module will produce, if it need not be built.
    fn promised_image(&self, value: &JsonValue<'_>) -> Option<Root> {
        let path = special(value)?.path()?;
        let Some(LocalPath::Module(id, below)) = LocalPath::parse(path) else { return None };
        match self.module_done(&id) {
            Some(_) => None,
            None => Some(Root::Output { step: self.promised(&id)?, below }),
        }
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
            .noting(self.lowering.locked.image_mirrors())
    }

    /// Resolves an image name: by its digest, from the lock, or, for the first time, to what it refers to now.
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
            let mut diagnostic = self
                .root_error(format!("`{written}` does not give the digest of the image"), value);
            diagnostic.help.push(match resolve() {
                Ok(digest) => format!("pin the current one: `{written}@{digest}`"),
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
                diagnostic.help.push("build without `--locked` to lock it".to_owned());
                Err(diagnostic)
            }
            Err(ImageLock::Unresolved(error)) => Err(self.no_image(&error, value)),
        }
    }

    /// Returns a layout or an archive among the files of a package, or produced by a module.
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
                let message = format!("`{path}` is not a path inside the package");
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

/// Returns an image of which only its name and its files are known.
fn unknown(digest: ImageDigest, platform: &Platform, root: Root) -> RootImage {
    RootImage { digest, platform: platform.clone(), root, runtime: Runtime::default() }
}
