//! Root file systems for the commands of recipes: this machine, a directory or a container image.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use wake_image::{ImageReference, Images, Platform};
use wake_model::RelPath;
use wake_recipe::content::read_file;
use wake_recipe::plan::{RootOf, Roots};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_steps::image_failure::image_failure;
use wake_steps::step::{Root, TreeOrigin};
use wake_store::ware::Web;
use wake_store::{Store, TreeBuilder};

use crate::settings::Settings;

/// Finds root file systems, each once.
pub(crate) struct RootFinder<'a> {
    /// The root given on the command line, which overrides recipes.
    pub(crate) typed: Option<String>,
    pub(crate) store: &'a Store,
    pub(crate) settings: &'a Settings,
    pub(crate) cancel: &'a Cancel,
    found: Mutex<BTreeMap<String, RootOf>>,
}

impl<'a> RootFinder<'a> {
    /// Makes a finder that has found nothing yet.
    pub(crate) fn new(
        typed: Option<String>,
        store: &'a Store,
        settings: &'a Settings,
        cancel: &'a Cancel,
    ) -> RootFinder<'a> {
        RootFinder { typed, store, settings, cancel, found: Mutex::default() }
    }

    fn find(&self, name: &str, is_typed: bool) -> Result<RootOf, Diagnostic> {
        let path = self.settings.cwd.join(name);
        let has_layout = path.join("oci-layout").is_file() || path.join("index.json").is_file();
        if is_typed && path.is_dir() && !has_layout {
            return self.directory(&path);
        }
        let reference = match is_typed && path.exists() {
            true => ImageReference::of_file(&path, name),
            false => {
                ImageReference::parse(name, &self.settings.cwd).map_err(|error| match is_typed {
                    true => Diagnostic::error(Class::Usage, error.to_string()),
                    false => said_by_recipe(
                        name,
                        Diagnostic::error(Class::Evaluation, error.to_string()),
                    ),
                })?
            }
        };
        let web = Web::new(self.settings.route.clone());
        let images = Images::new(self.store, web, self.cancel.meter());
        let image = images
            .resolve(&reference)
            .and_then(|digest| images.get(&reference, &digest, &Platform::here()));
        let tree = image.and_then(|image| Ok((images.tree(&image)?, image)));
        let (tree, image) = tree.map_err(|error| {
            let told = image_failure(&error);
            match is_typed {
                true => told,
                false => said_by_recipe(name, told),
            }
        })?;
        // If this fails, fetched files are fetched again.
        let _ = self.store.flush_memo();
        let env = image.config.config.variables();
        Ok(RootOf { root: Root::Tree { tree, origin: TreeOrigin::Named }, env })
    }

    /// Reads the current content of a directory.
    fn directory(&self, dir: &Path) -> Result<RootOf, Diagnostic> {
        let mut builder = self.store.build_tree().map_err(store_failure)?;
        take(&mut builder, dir, &RelPath::root())?;
        let tree = builder.finish().map_err(|error| {
            Diagnostic::error(Class::Environment, format!("`{}`: {error}", dir.display()))
        })?;
        Ok(RootOf { root: Root::Tree { tree, origin: TreeOrigin::Named }, env: BTreeMap::new() })
    }
}

/// Adds to a diagnostic that the container comes from the recipe.
fn said_by_recipe(name: &str, told: Diagnostic) -> Diagnostic {
    told.note(format!("`{name}` is the container of the recipe"))
        .help("use `--rootfs host` to run its commands on this machine's system directories")
}

fn take(builder: &mut TreeBuilder<'_>, dir: &Path, at: &RelPath) -> Result<(), Diagnostic> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Diagnostic::error(Class::Environment, format!("`{}`: {error}", path.display()))
    };
    let entries = fs::read_dir(dir).map_err(|error| failed(dir, &error))?;
    let mut is_empty = true;
    for entry in entries {
        let entry = entry.map_err(|error| failed(dir, &error))?;
        is_empty = false;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| failed(&path, &"its name is not UTF-8"))?;
        let below = at.child(name).map_err(|error| failed(&path, &error))?;
        let kind = entry.file_type().map_err(|error| failed(&path, &error))?;
        if kind.is_dir() {
            take(builder, &path, &below)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(|error| failed(&path, &error))?;
            let added = builder.add_link(&below, &target.to_string_lossy());
            added.map_err(|error| failed(&path, &error))?;
        } else if kind.is_file() {
            let file = read_file(&path).map_err(|error| failed(&path, &error))?.source;
            let mode = fs::metadata(&path).map_err(|error| failed(&path, &error))?.permissions();
            let added = builder.add_file(&below, &path, &file.blob, mode.mode() & 0o111 != 0);
            added.map_err(|error| failed(&path, &error))?;
        }
    }
    if is_empty && !at.is_root() {
        builder.add_dir(at).map_err(|error| failed(dir, &error))?;
    }
    Ok(())
}

impl Roots for RootFinder<'_> {
    fn root(&self, container: Option<&str>) -> Result<RootOf, Diagnostic> {
        let (name, is_typed) = match (&self.typed, container) {
            (Some(typed), _) => (typed.as_str(), true),
            (None, Some(container)) => (container, false),
            (None, None) => ("host", true),
        };
        if is_typed && name.eq_ignore_ascii_case("host") {
            return Ok(RootOf { root: Root::Host, env: BTreeMap::new() });
        }
        let key = format!("{is_typed} {name}");
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = found.get(&key) {
            return Ok(root.clone());
        }
        let root = self.find(name, is_typed)?;
        found.insert(key, root.clone());
        Ok(root)
    }
}
