//! A container image as a root file system.

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

/// An image as somebody wrote it: where it is, which one it is, and what it hangs on beside that.
type NamedImage = (ImageReference, ImageDigest, TreeOrigin);

/// What is wanted of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lower) enum Wanted {
    /// Its files.
    Files,
    /// How it is run, too.
    Configuration,
    /// Its layers as they are packed, too.
    Layers,
    /// How it is run, and all that is said of its files, for a command that may write to them.
    Whole,
}

/// An image that a step stands on.
pub(in crate::lower) struct RootImage {
    /// The digest of its manifest, or of what was named where no more was wanted.
    pub(in crate::lower) digest: ImageDigest,
    /// For which machines it is.
    pub(in crate::lower) platform: Platform,
    /// Its files.
    pub(in crate::lower) root: Root,
    /// How it is run, where that was wanted.
    runtime: Runtime,
}

impl RootImage {
    /// The variables that `rootfs` takes from its image.
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

/// Whether a command may write to its root, and what it changed there is what it leaves.
pub(in crate::lower) fn is_writable(rootfs: &JsonValue<'_>) -> bool {
    matches!(rootfs.get("writable"), Some(JsonValue::Bool(true)))
}

/// Whether the program of an exec is what the image of its root file system runs.
pub(in crate::lower) fn is_entrypoint(program: &JsonValue<'_>) -> bool {
    program.get("type").and_then(JsonValue::as_str) == Some("entrypoint")
}

impl Site<'_> {
    /// The image that `rootfs` names; none if it names something else.
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

    /// The image that `value` names, for `platform`, with what is wanted of it in the store, where that is fetched.
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
            // In a thread of its own, as whatever is imported.
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

    /// What an image begins with when it is run: its program, before whose arguments stand those that it always has.
    pub(in crate::lower) fn entrypoint(
        &self,
        image: &RootImage,
        args: &mut Vec<String>,
        rootfs: &JsonValue<'_>,
    ) -> Lowered<String> {
        if !matches!(image.root, Root::Tree { .. } | Root::Ware { .. }) {
            // No step with it is run.
            return Ok(String::new());
        }
        let mut command = image.runtime.command(args).into_iter();
        let Some(program) = command.next() else {
            let message = "the image of `rootfs` does not say what it runs".to_owned();
            let error = self.root_error(message, rootfs.get("image").unwrap_or(rootfs));
            return Err(Box::new(
                error.help("name a program: `wake.exec(wake.program('sh'), args=[…], …)`"),
            ));
        };
        *args = command.collect();
        Ok(program)
    }

    /// The files of an image that a module will leave, where it need not be built.
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

/// An image of which nothing is known but what it is called, and its files.
fn unknown(digest: ImageDigest, platform: &Platform, root: Root) -> RootImage {
    RootImage { digest, platform: platform.clone(), root, runtime: Runtime::default() }
}
