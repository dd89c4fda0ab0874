//! The origin of a container image that a module of the workspace produced, for whoever publishes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use petgraph::graph::NodeIndex;
use petgraph::visit::Dfs;
use wake_image::{Composition, ImageDigest, LayerSource, PlacedFiles, PlacedPackage};
use wake_model::action::Command;
use wake_model::place::LocalPath;
use wake_model::{Manifest, PkgKey, RelPath};
use wake_registry::{ImageProvenance, NamedKey, Source, StepRun};
use wake_steps::Input;
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::pin::PinnedAction;
use wake_steps::step::{Root, TreeOrigin};

use super::view::View;
use crate::links::OUT_DIR;
use crate::lower::step_id;
use crate::pkg_place::PkgPlace;
use crate::publish::Signing;
use crate::session::Session;
use crate::target::TargetPattern;
use crate::written::JsonValue;

/// What is known of an image produced by a module of the workspace.
#[derive(Clone, Debug)]
pub struct MadeImage {
    /// The packages that contributed files, with those files.
    pub placed: Vec<PlacedPackage>,
    provenance: ImageProvenance,
}

impl Session {
    /// Returns what is known of the image at `path`, if it is the result of a module in the current workspace. `source` is the
    /// state of the sources, if known.
    pub fn made_image(
        &self,
        path: &Path,
        source: Option<Source>,
    ) -> Result<Option<MadeImage>, Failure> {
        let Some((name, tree)) = self.linked(path) else { return Ok(None) };
        let (dir, module) = name.rsplit_once('/').unwrap_or(("", &name));
        let narrow = format!("//{dir}:{}", module.split('@').next().unwrap_or(module));
        for pattern in [narrow.as_str(), "//..."] {
            let made = self.with_plan(&[TargetPattern::from(pattern)], None, |view| {
                self.made_of(view, &tree, source.clone())
            });
            match made {
                Ok(found) if found.answer.is_some() => return Ok(found.answer),
                // The other pattern may match, and reports its own error.
                Ok(_) | Err(_) if pattern == narrow => {}
                other => return other.map(|found| found.answer),
            }
        }
        Ok(None)
    }

    /// Signs the provenance of the image with this manifest digest, called `name`; returns a line, or none if there is no signer.
    pub fn sign_image(
        &self,
        made: &MadeImage,
        name: &str,
        digest: &ImageDigest,
        signing: &Signing,
    ) -> Result<Option<(String, NamedKey)>, Diagnostic> {
        let key = self.key_of_person(signing)?;
        Ok(key.map(|key| (made.provenance.sign(name, &digest.hex(), &key.key), key)))
    }

    /// Returns the name of the result link on the way to `path`, and its target.
    fn linked(&self, path: &Path) -> Option<(String, PathBuf)> {
        let out = self.workspace.root.join(OUT_DIR);
        let is_link = |path: &&Path| path.starts_with(&out) && path.is_symlink();
        let link = path.ancestors().find(is_link)?;
        let name = link.strip_prefix(&out).ok()?.to_str()?.to_owned();
        Some((name, fs::canonicalize(link).ok()?))
    }

    fn made_of(
        &self,
        view: &View<'_>,
        tree: &Path,
        source: Option<Source>,
    ) -> Result<Option<MadeImage>, Failure> {
        let known = view.known()?;
        let place = |node: NodeIndex| {
            let done = view.results.get(step_id(node))?;
            fs::canonicalize(self.store().tree_place(&done.tree)).ok()
        };
        let Some(&node) = known.iter().find(|&&node| place(node).as_deref() == Some(tree)) else {
            return Ok(None);
        };
        let pinned = view.pin(node)?;
        let Command::Image { composition, .. } = &pinned.action.command else { return Ok(None) };
        let composition = Composition::parse(composition).ok();
        let base = composition.and_then(|composition| composition.base);
        let base = base.map(|base| (base_name(view, node), base.hex()));
        let mut materials = BTreeSet::new();
        let mut steps = Vec::new();
        let mut reached = Dfs::new(&view.plan.graph, node);
        while let Some(node) = reached.next(&view.plan.graph) {
            if let PkgPlace::Store(pkg) = &view.plan.graph[node].place {
                materials.insert((pkg.key.label(), pkg.tree));
            }
            if known.contains(&node) {
                let outputs = view.results.get(step_id(node)).map(|done| done.tree.to_string());
                let action = view.pin(node)?.action.digest().to_string();
                steps.push(StepRun { label: view.label(node).to_owned(), action, outputs });
            }
        }
        let provenance = ImageProvenance {
            wake: env!("CARGO_PKG_VERSION").to_owned(),
            sandbox: self.machine.sandbox().as_ref().to_owned(),
            module: view.label(node).to_owned(),
            base,
            source,
            materials: materials.into_iter().collect(),
            steps,
        };
        Ok(Some(MadeImage { placed: self.placed(view, node)?, provenance }))
    }

    /// Returns the packages that contributed files to the image of `node`, including its base images.
    fn placed(&self, view: &View<'_>, node: NodeIndex) -> Result<Vec<PlacedPackage>, Failure> {
        let mut owners: BTreeMap<RelPath, PkgKey> = BTreeMap::new();
        let mut images = vec![view.pin(node)?];
        let mut nodes = vec![node];
        while let Some(&Root::Tree { origin: TreeOrigin::Archive(step), .. }) =
            images.last().map(|image| &image.root)
        {
            let node = NodeIndex::new(step.0);
            images.push(view.pin(node)?);
            nodes.push(node);
        }
        // Lowest first: upper layers win.
        for (pinned, node) in images.iter().zip(&nodes).rev() {
            let Command::Image { composition, .. } = &pinned.action.command else { continue };
            let Ok(composition) = Composition::parse(composition) else { continue };
            for files in composition.layers.iter().flat_map(LayerSource::files) {
                self.place(view, (pinned, *node), files, &mut owners);
            }
        }
        let mut packages: BTreeMap<PkgKey, PlacedPackage> = BTreeMap::new();
        for (path, key) in owners {
            let package = packages.entry(key.clone()).or_insert_with(|| placed_package(view, &key));
            package.files.push(path);
        }
        Ok(packages.into_values().collect())
    }

    /// Records the owners of the files that one entry of a composition adds to an image.
    fn place(
        &self,
        view: &View<'_>,
        (pinned, node): (&PinnedAction, NodeIndex),
        files: &PlacedFiles,
        owners: &mut BTreeMap<RelPath, PkgKey>,
    ) {
        let from = RelPath::parse(files.from.trim_end_matches('/')).unwrap_or_default();
        let to = RelPath::parse(files.to.trim_start_matches('/')).unwrap_or_default();
        let module = |id: &str| view.plan.by_id.get(id).map(|node| &view.plan.graph[*node].pkg);
        let own = &view.plan.graph[node].pkg;
        let key = match LocalPath::parse(&files.from) {
            Some(LocalPath::Module(id, _)) => module(&id).cloned(),
            Some(LocalPath::Pkg(key, _)) => Some(key),
            Some(LocalPath::Own(_)) | None => None,
        };
        let key = key.unwrap_or_else(|| own.clone());
        let mut add = |path: RelPath| drop(owners.insert(path, key.clone()));
        let mut add_tree = |manifest: &Manifest, below: &RelPath| {
            if manifest.get(below).is_some() {
                return add(to.clone());
            }
            let tree = manifest.subtree(below);
            let tree = tree.iter().flat_map(|tree| tree.iter());
            tree.for_each(|(path, _)| add(to.join(path)));
        };
        match pinned.inputs.covering(&from) {
            Some((Input::Output { step, below: base }, below)) => {
                if let Some(done) = view.results.get(*step) {
                    add_tree(&done.manifest, &base.join(&below));
                }
            }
            Some((Input::Tree { tree, .. }, below)) => {
                if let Ok(Some(manifest)) = self.store().manifest(tree) {
                    add_tree(&manifest, &below);
                }
            }
            Some(_) => add(to.clone()),
            // A directory assembled from single files.
            None => {
                let paths = pinned.inputs.iter().map(|(path, _)| path);
                let below = paths.filter_map(|path| path.strip(&from));
                below.for_each(|below| add(to.join(&below)));
            }
        }
    }
}

fn placed_package(view: &View<'_>, key: &PkgKey) -> PlacedPackage {
    let instance = view.instances.get(key);
    let content = instance.and_then(|instance| match &instance.place {
        PkgPlace::Store(pkg) => Some(pkg.tree.to_string()),
        PkgPlace::Checkout(_) => None,
    });
    let label = key.label();
    let (name, version) = label.rsplit_once('@').unwrap_or((&label, ""));
    PlacedPackage {
        id: key.as_str().to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        content,
        files: Vec::new(),
    }
}

/// Returns the name of the base image of `node`: as written, or the module that produces it.
fn base_name(view: &View<'_>, node: NodeIndex) -> String {
    let module = &view.plan.graph[node];
    let text = module.instance.text().ok();
    let parts = text.as_ref().and_then(|text| text.parts().ok());
    let base = parts.as_ref().and_then(|parts| parts.exec.as_ref()?.config.get("base"));
    match base {
        Some(JsonValue::Text(name)) => name.to_string(),
        Some(reference) => {
            let path = reference.get("path").and_then(JsonValue::as_str).unwrap_or_default();
            match LocalPath::parse(path) {
                Some(LocalPath::Module(id, _)) => {
                    let base = view.plan.by_id.get(&*id);
                    base.map_or(id.to_string(), |base| view.label(*base).to_owned())
                }
                _ => path.to_owned(),
            }
        }
        None => String::new(),
    }
}
