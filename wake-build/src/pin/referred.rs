//! Placing what a module refers to: files of its own, of other packages, outputs of other modules.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use wake_model::{InputNode, Manifest, Node, RelPath, TreeDigest};

use super::own_files::Named;
use super::{Done, Layout, Origin, Placed, PlacedSource, Site};
use crate::diagnostic::{Class, Diagnostic};
use crate::instance::PkgInstance;
use crate::view::{Place, Special, special};
use crate::written::Written;

/// From so many files on, a directory of another package is put into the store and mounted whole.
const WHOLE_FROM: usize = 16;

impl Site<'_> {
    /// Everything that a value refers to anywhere inside.
    pub(super) fn bring_referred(
        &self,
        value: &Written<'_>,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        match special(value) {
            Some(Special::File { path, .. }) => return self.bring(path, value, false, layout),
            Some(Special::Pkg { path }) => return self.bring(path, value, true, layout),
            Some(Special::Module) => {
                if let Some(path) = value.get("path").and_then(Written::as_str) {
                    return self.bring(path, value, true, layout);
                }
            }
            None => {}
        }
        match value {
            Written::List(items) => {
                items.iter().try_for_each(|item| self.bring_referred(item, layout))
            }
            Written::Fields(fields) => {
                fields.iter().try_for_each(|(_, field)| self.bring_referred(field, layout))
            }
            _ => Ok(()),
        }
    }

    /// What lies at `path`, put there. `must`: it is an error if nothing of one's own lies there.
    pub(super) fn bring(
        &self,
        path: &str,
        value: &Written<'_>,
        must: bool,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        // Most of what is referred to are files of the module's own, which lie there already.
        if path.strip_prefix("./").is_some_and(|own| layout.has_file_of(&self.pkg.dir, own)) {
            return Ok(());
        }
        match Place::parse(path) {
            Some(Place::Own(own)) => self.bring_own(&own, path, value, must, layout),
            Some(Place::Pkg(key, below)) => {
                let Some(owner) = self.pinner.instances.get(&key) else {
                    return Err(self.error(format!("no package `{key}` in this build"), value));
                };
                self.bring_of_pkg(owner, &below, path, value, layout)
            }
            Some(Place::Module(id, below)) => {
                self.bring_of_module(&id, &below, path, value, layout)
            }
            None => Err(self.error(format!("`{path}` is not a path inside the package"), value)),
        }
    }

    fn bring_own(
        &self,
        own: &RelPath,
        path: &str,
        value: &Written<'_>,
        must: bool,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let mut found = layout.covering(own).is_some();
        for file in self.pkg.files_below(own) {
            found = true;
            self.place_file_of(self.pkg, file, file.clone(), layout)?;
        }
        if must && !found {
            let message = format!(
                "`{path}` is not among the files of {}",
                crate::target::label(&self.pkg.dir)
            );
            return Err(self.error(message, value));
        }
        Ok(())
    }

    fn bring_of_pkg(
        &self,
        owner: &PkgInstance,
        below: &RelPath,
        path: &str,
        value: &Written<'_>,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let base = RelPath::parse(&format!(".wake/pkgs/{}", owner.key)).unwrap_or_default();
        let chosen = owner.files_below(below);
        if chosen.is_empty() {
            let message =
                format!("`{path}`: {} names no such file", crate::target::label(&owner.dir));
            return Err(self.error(message, value));
        }
        if chosen.len() < WHOLE_FROM {
            for file in chosen {
                self.place_file_of(owner, file, base.join(file), layout)?;
            }
            return Ok(());
        }
        let tree = self.pkg_tree(owner, below, chosen)?;
        let of = chosen.iter().map(|file| owner.dir.join(file)).collect();
        let placed = Placed {
            node: InputNode::Tree(tree),
            source: PlacedSource::Store(tree, RelPath::root(), Origin::Files(of)),
        };
        self.put(base.join(below), placed, layout)
    }

    /// The tree of the files of `owner` below a path, put into the store where it is not there yet.
    pub(super) fn pkg_tree(
        &self,
        owner: &PkgInstance,
        below: &RelPath,
        files: &[RelPath],
    ) -> Result<TreeDigest, Box<Diagnostic>> {
        let slot = (owner.key.to_string(), below.clone());
        let mut trees = self.pinner.pkg_trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = trees.get(&slot) {
            return Ok(*tree);
        }
        let failed = |error: String| Box::new(Diagnostic::error(Class::Environment, error));
        let mut nodes = BTreeMap::new();
        for path in files {
            let Some(at) = path.strip(below) else { continue };
            let node = match self.named(owner, path)? {
                Named::File { blob, size, executable, bytes: _ } => {
                    Node::File { blob, size, executable }
                }
                Named::Link(target) => Node::Link { target },
            };
            nodes.insert(at, node);
        }
        let manifest = Manifest::new(nodes.clone()).map_err(|e| failed(e.to_string()))?;
        let digest = manifest.digest();
        let store = self.pinner.store;
        if store.tree(&digest).map_err(|e| failed(e.to_string()))?.hit().is_none() {
            let mut builder = store.build_tree().map_err(|e| failed(e.to_string()))?;
            for (at, node) in &nodes {
                let host = self.pinner.evaluator.files.absolute(&owner.dir.join(below).join(at));
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
        &self,
        id: &str,
        below: &RelPath,
        path: &str,
        value: &Written<'_>,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let node = self.pinner.plan.by_id.get(id).copied();
        let done = node.and_then(|node| Some((node, self.pinner.done.get(node.index())?.get()?)));
        let Some((node, done)) = done else {
            let message =
                format!("`{path}` belongs to a module that is not among this one's `modules`");
            return Err(self.error(message, value));
        };
        let Some(placed) = placed_output(done, node.index(), below) else {
            return Err(
                self.error(format!("`{path}` is not among the outputs of its module"), value)
            );
        };
        // It was read as one of these, so it is a path.
        self.put(RelPath::parse(path).unwrap_or_default(), placed, layout)
    }
}

/// What the step of number `step` left at a path of its outputs; none if it left nothing there.
pub(crate) fn placed_output(done: &Done, step: usize, below: &RelPath) -> Option<Placed> {
    let source = || PlacedSource::Store(done.tree, below.clone(), Origin::Step(step));
    Some(match done.manifest.get(below) {
        Some(Node::File { blob, executable, .. }) => Placed {
            node: InputNode::File { blob: *blob, executable: *executable },
            source: source(),
        },
        Some(Node::Link { target }) => {
            Placed { node: InputNode::Link { target: target.clone() }, source: source() }
        }
        Some(Node::Dir) => Placed { node: InputNode::Dir, source: source() },
        None => {
            let part = done.manifest.subtree(below)?;
            Placed { node: InputNode::Tree(part.digest()), source: source() }
        }
    })
}
