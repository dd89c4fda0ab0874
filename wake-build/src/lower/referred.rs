//! Placing what a module refers to: its own files, files of other packages, outputs of other modules.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use wake_model::place::{LocalPath, pkg_prefix};
use wake_model::{Manifest, Node, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::TreeOrigin;
use wake_steps::{Input, StepId, StepOutput};

use super::own_files::PackageEntry;
use super::{Lowered, Site, Unbuilt, step_id};
use crate::instance::PkgInstance;
use crate::view::{Special, special};
use crate::written::JsonValue;

/// A directory of another package with this many files is put into the store and mounted as a whole.
const WHOLE_FROM: usize = 16;

impl<'a> Site<'a> {
    /// Places everything that a value refers to, at any depth.
    pub(super) fn bring_referred(&mut self, value: &JsonValue<'_>) -> Lowered<()> {
        if let Some(found) = special(value)
            && let Some(path) = found.path()
        {
            if let Special::Fetched { .. } = found {
                return self.bring_fetched(value);
            }
            return self.bring(path, value, !matches!(found, Special::File { .. }));
        }
        match value {
            JsonValue::List(items) => items.iter().try_for_each(|item| self.bring_referred(item)),
            JsonValue::Fields(fields) => {
                fields.iter().try_for_each(|(_, field)| self.bring_referred(field))
            }
            _ => Ok(()),
        }
    }

    /// Places what `path` refers to. `must`: it is an error if an own path does not exist.
    pub(super) fn bring(&mut self, path: &str, value: &JsonValue<'_>, must: bool) -> Lowered<()> {
        // Most references are to the module's own files, which are already placed.
        if path.strip_prefix("./").is_some_and(|own| self.is_own_file(own)) {
            return Ok(());
        }
        match LocalPath::parse(path) {
            Some(LocalPath::Own(own)) => self.bring_own(&own, path, value, must),
            Some(LocalPath::Pkg(key, below)) => {
                let Some(owner) = self.lowering.instances.get(&key) else {
                    return Err(
                        self.error(format!("there is no package `{key}` in this build"), value)
                    );
                };
                self.bring_of_pkg(owner, &below, path, value)
            }
            Some(LocalPath::Module(id, below)) => self.bring_of_module(&id, &below, path, value),
            None => Err(self.error(format!("`{path}` is not a path inside the package"), value)),
        }
    }

    /// Returns whether the file `path` of the package is at the same path among the inputs; `path` may be any text.
    pub(super) fn is_own_file(&self, path: &str) -> bool {
        matches!(self.inputs.get(path), Some(Input::File(file)) if file.below.as_str() == path)
    }

    fn bring_own(
        &mut self,
        own: &RelPath,
        path: &str,
        value: &JsonValue<'_>,
        must: bool,
    ) -> Lowered<()> {
        let mut found = self.inputs.covering(own).is_some();
        for file in self.pkg.files_below(own) {
            found = true;
            if self.is_own_file(file.as_str()) {
                continue;
            }
            self.place_file_of(self.pkg, file, file.clone())?;
        }
        if must && !found {
            let owner = self.pkg.place.label();
            let message = format!("`{path}` is not among the files of {owner}");
            return Err(self.error(message, value));
        }
        Ok(())
    }

    fn bring_of_pkg(
        &mut self,
        owner: &PkgInstance,
        below: &RelPath,
        path: &str,
        value: &JsonValue<'_>,
    ) -> Lowered<()> {
        let base = RelPath::parse(&pkg_prefix(&owner.key)).unwrap_or_default();
        let chosen = owner.files_below(below);
        if chosen.is_empty() {
            let message = format!("`{path}`: {} names no such file", owner.place.label());
            return Err(self.error(message, value));
        }
        if chosen.len() < WHOLE_FROM {
            for file in chosen {
                self.place_file_of(owner, file, base.join(file))?;
            }
            return Ok(());
        }
        let tree = self.pkg_tree(owner, below, chosen)?;
        let input = Input::Tree { tree, origin: origin_of(owner, below, chosen) };
        let placed = self.inputs.place_whole(base.join(below), input);
        placed.map_err(|conflict| self.conflict(&conflict))
    }

    /// Returns the tree of the files of `owner` below a path, adding it to the store if necessary.
    pub(super) fn pkg_tree(
        &self,
        owner: &PkgInstance,
        below: &RelPath,
        files: &[RelPath],
    ) -> Lowered<TreeDigest> {
        let slot = (owner.key.to_string(), below.clone());
        let mut trees = self.lowering.pkg_trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = trees.get(&slot) {
            return Ok(*tree);
        }
        let failed = |error: String| Box::new(Diagnostic::error(Class::Environment, error));
        let mut nodes = BTreeMap::new();
        for path in files {
            let Some(at) = path.strip(below) else { continue };
            let node = match self.named(owner, path)? {
                PackageEntry::File { blob, size, executable, bytes: _ } => {
                    Node::File { blob, size, executable }
                }
                PackageEntry::Link(target) => Node::Link { target },
            };
            nodes.insert(at, node);
        }
        let manifest = Manifest::new(nodes.clone()).map_err(|e| failed(e.to_string()))?;
        let digest = manifest.digest();
        let store = self.lowering.store;
        if store.tree(&digest).map_err(|e| failed(e.to_string()))?.hit().is_none() {
            let mut builder = store.build_tree().map_err(|e| failed(e.to_string()))?;
            for (at, node) in &nodes {
                let files = self.lowering.evaluator.files;
                let host = files.absolute_in(&owner.place, &below.join(at));
                let added = match node {
                    Node::File { blob, executable, .. } => {
                        builder.add_file(at, &host, blob, *executable)
                    }
                    Node::Link { target } => builder.add_link(at, target),
                    Node::Dir => builder.add_dir(at),
                };
                added.map_err(|e| failed(e.to_string()))?;
            }
            builder.finish().map_err(|e| failed(e.to_string()))?;
        }
        trees.insert(slot, digest);
        Ok(digest)
    }

    fn bring_of_module(
        &mut self,
        id: &str,
        below: &RelPath,
        path: &str,
        value: &JsonValue<'_>,
    ) -> Lowered<()> {
        let (step, done) = match (self.module_done(id), self.promised(id)) {
            (Some((step, done)), _) => (step, Some(done)),
            (None, Some(step)) => (step, None),
            (None, None) => {
                let message =
                    format!("`{path}` belongs to a module that is not among this one's `modules`");
                return Err(self.error(message, value));
            }
        };
        if done.is_some_and(|done| !done.has(below)) {
            return Err(
                self.error(format!("`{path}` is not among the outputs of its module"), value)
            );
        }
        // It parsed as one of these, so it is a path.
        let at = RelPath::parse(path).unwrap_or_default();
        let placed = self.inputs.place_whole(at, Input::Output { step, below: below.clone() });
        placed.map_err(|conflict| self.conflict(&conflict))
    }

    /// Returns the step of the module with this id, which need not be done.
    pub(super) fn promised(&self, id: &str) -> Option<StepId> {
        let node = self.lowering.plan.by_id.get(id)?;
        (self.lowering.unbuilt == Unbuilt::Promised).then(|| step_id(*node))
    }

    /// Returns the step of the module with this id and its output, if it is done.
    pub(super) fn module_done(&self, id: &str) -> Option<(StepId, &'a StepOutput)> {
        let step = step_id(*self.lowering.plan.by_id.get(id)?);
        Some((step, self.ground.results.get(step)?))
    }
}

/// Returns the origin of a tree of files of a package.
pub(super) fn origin_of(owner: &PkgInstance, below: &RelPath, files: &[RelPath]) -> TreeOrigin {
    let Some(dir) = owner.place.dir() else { return TreeOrigin::Named };
    let files = files.iter().map(|file| dir.join(file)).collect();
    TreeOrigin::Files { base: dir.join(below), files }
}
