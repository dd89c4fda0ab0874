//! Placing what a command finds: its package's files, the module's files, what it refers to.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use globset::GlobBuilder;
use serde_json::Value;
use wake_model::{InputNode, Manifest, Node, RelPath, TreeDigest};

use super::layout::LayoutConflict;
use super::{Done, Layout, Origin, Placed, PlacedSource, Site, text};
use crate::diagnostic::{Class, Diagnostic};
use crate::files::Seen;
use crate::instance::PkgInstance;
use crate::view::{Place, Special, special};

/// From so many files on, a directory of another package is put into the store and mounted whole.
const WHOLE_FROM: usize = 16;

impl Site<'_> {
    /// The package's files, or those that `pkgFiles` names.
    pub(super) fn place_own_files(&self, layout: &mut Layout) -> Result<(), Box<Diagnostic>> {
        let Some(patterns) = &self.step.decl.pkg_files else {
            for (path, seen) in &self.pkg.files {
                self.place_seen(self.pkg, path, path.clone(), seen, layout)?;
            }
            return Ok(());
        };
        for pattern in patterns {
            let chosen = self.matching(pattern)?;
            if chosen.is_empty() {
                let message =
                    format!("`{pattern}` in `pkgFiles` matches none of the package's files");
                return Err(self.error(message, &pattern.as_str().into()));
            }
            for (path, seen) in chosen {
                self.place_seen(self.pkg, path, path.clone(), seen, layout)?;
            }
        }
        Ok(())
    }

    /// A path, a directory or a glob.
    fn matching(&self, pattern: &str) -> Result<Vec<(&RelPath, &Seen)>, Box<Diagnostic>> {
        let all = || self.pkg.files.iter().map(|(path, seen)| (path, seen));
        if let Ok(path) = RelPath::parse(pattern) {
            let below: Vec<_> = all().filter(|(file, _)| file.starts_with(&path)).collect();
            if !below.is_empty() {
                return Ok(below);
            }
        }
        let glob =
            GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build();
        let glob = glob.map_err(|e| {
            self.error(
                format!("`{pattern}` in `pkgFiles` is not a glob: {}", e.kind()),
                &Value::Null,
            )
        })?;
        let matcher = glob.compile_matcher();
        Ok(all().filter(|(file, _)| matcher.is_match(file.as_str())).collect())
    }

    /// Puts one file of `owner` at `at`.
    fn place_seen(
        &self,
        owner: &PkgInstance,
        path: &RelPath,
        at: RelPath,
        seen: &Seen,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let placed = match seen {
            Seen::File { blob, size, executable } => Placed {
                node: InputNode::File { blob: *blob, executable: *executable },
                source: PlacedSource::Checkout(owner.dir.join(path), *size),
            },
            Seen::Link(target) => Placed {
                node: InputNode::Link { target: target.clone() },
                source: PlacedSource::Nothing,
            },
            Seen::Absent | Seen::Dir | Seen::Other => return Ok(()),
        };
        self.put(at, placed, layout)
    }

    fn put(&self, at: RelPath, placed: Placed, layout: &mut Layout) -> Result<(), Box<Diagnostic>> {
        layout
            .place(at, placed)
            .map_err(|conflict @ LayoutConflict(_)| self.error(conflict.to_string(), &Value::Null))
    }

    /// The file objects of the module's `files`: links, dumped values, things of others.
    pub(super) fn place_module_files(&self, layout: &mut Layout) -> Result<(), Box<Diagnostic>> {
        for file in &self.step.instance.files {
            match special(file) {
                Some(Special::File { path, from, dump }) => {
                    self.place_file(file, path, from, dump, layout)?
                }
                _ => self.bring_referred(file, layout)?,
            }
        }
        Ok(())
    }

    fn place_file(
        &self,
        file: &Value,
        path: &str,
        from: &Value,
        dump: bool,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        if !dump && from.is_null() {
            return self.bring(path, file, true, layout);
        }
        let Some(Place::Own(at)) = Place::parse(path) else {
            return Err(self.error(format!("`{path}` is not a path of this module's own"), file));
        };
        if at.components().next() == Some(".wake") {
            return Err(
                self.error(format!("`{path}` lies in `.wake`, which belongs to wake"), file)
            );
        }
        if dump {
            self.bring_referred(from, layout)?;
            let mut text = wake_model::json::canonical(&text::with_paths(from));
            text.push('\n');
            layout.place_bytes(&at, text.into_bytes(), false);
            return Ok(());
        }
        let target = match special(from) {
            Some(Special::File { path, .. } | Special::Pkg { path }) => path,
            Some(Special::Module) | None => {
                let help = "a link needs a file: add `dump=true` to write the value itself as JSON";
                let error =
                    self.error(format!("`{path}` is made from a value that is no file"), file);
                return Err(Box::new(error.help(help)));
            }
        };
        self.bring(target, from, true, layout)?;
        let target = link_text(&at, target);
        let placed = Placed { node: InputNode::Link { target }, source: PlacedSource::Nothing };
        self.put(at, placed, layout)
    }

    /// Everything that a value refers to anywhere inside.
    pub(super) fn bring_referred(
        &self,
        value: &Value,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        match special(value) {
            Some(Special::File { path, .. }) => return self.bring(path, value, false, layout),
            Some(Special::Pkg { path }) => return self.bring(path, value, true, layout),
            Some(Special::Module) => {
                if let Some(path) = value.get("path").and_then(Value::as_str) {
                    return self.bring(path, value, true, layout);
                }
            }
            None => {}
        }
        match value {
            Value::Array(items) => {
                items.iter().try_for_each(|item| self.bring_referred(item, layout))
            }
            Value::Object(fields) => {
                fields.values().try_for_each(|field| self.bring_referred(field, layout))
            }
            _ => Ok(()),
        }
    }

    /// What lies at `path`, put there. `must`: it is an error if nothing of one's own lies there.
    pub(super) fn bring(
        &self,
        path: &str,
        value: &Value,
        must: bool,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
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
        value: &Value,
        must: bool,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let mut found = layout.covering(own).is_some();
        let named: Vec<_> =
            self.pkg.files.iter().filter(|(file, _)| file.starts_with(own)).collect();
        for (file, seen) in named {
            found = true;
            self.place_seen(self.pkg, file, file.clone(), seen, layout)?;
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
        value: &Value,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let base = RelPath::parse(&format!(".wake/pkgs/{}", owner.key)).unwrap_or_default();
        let chosen: Vec<_> =
            owner.files.iter().filter(|(file, _)| file.starts_with(below)).collect();
        if chosen.is_empty() {
            let message =
                format!("`{path}`: {} names no such file", crate::target::label(&owner.dir));
            return Err(self.error(message, value));
        }
        if chosen.len() < WHOLE_FROM {
            for (file, seen) in chosen {
                self.place_seen(owner, file, base.join(file), seen, layout)?;
            }
            return Ok(());
        }
        let tree = self.pkg_tree(owner, below, &chosen)?;
        let of = chosen.iter().map(|(file, _)| owner.dir.join(file)).collect();
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
        files: &[&(RelPath, Seen)],
    ) -> Result<TreeDigest, Box<Diagnostic>> {
        let slot = (owner.key.to_string(), below.clone());
        let mut trees =
            self.pinner.pkg_trees.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(tree) = trees.get(&slot) {
            return Ok(*tree);
        }
        let failed = |error: String| Box::new(Diagnostic::error(Class::Environment, error));
        let mut nodes = BTreeMap::new();
        for (path, seen) in files {
            let Some(at) = path.strip(below) else { continue };
            let node = match seen {
                Seen::File { blob, size, executable } => {
                    Node::File { blob: *blob, size: *size, executable: *executable }
                }
                Seen::Link(target) => Node::Link { target: target.clone() },
                Seen::Absent | Seen::Dir | Seen::Other => continue,
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
        value: &Value,
        layout: &mut Layout,
    ) -> Result<(), Box<Diagnostic>> {
        let node = self.pinner.plan.by_id.get(id).copied().unwrap_or_default();
        let known = self.pinner.plan.by_id.contains_key(id);
        let Some(done) =
            self.pinner.done.get(node.index()).filter(|_| known).and_then(OnceLock::get)
        else {
            let message =
                format!("`{path}` belongs to a module that is not among this one's `modules`");
            return Err(self.error(message, value));
        };
        let base = RelPath::parse(&format!(".wake/modules/{id}")).unwrap_or_default();
        let Some(placed) = placed_output(done, node.index(), below) else {
            return Err(
                self.error(format!("`{path}` is not among the outputs of its module"), value)
            );
        };
        self.put(base.join(below), placed, layout)
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

/// The text of a link at `at` that leads to `target`, both as seen from the working directory.
fn link_text(at: &RelPath, target: &str) -> String {
    let up = "../".repeat(at.components().count().saturating_sub(1));
    let target = target.trim_start_matches("./").trim_end_matches('/');
    format!("{up}{target}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn links_climb_to_the_working_directory() {
        assert_eq!(link_text(&"a".parse().unwrap(), "./b/c"), "b/c");
        assert_eq!(
            link_text(&"x/y/a".parse().unwrap(), "./.wake/pkgs/@z@1.0.0/"),
            "../../.wake/pkgs/@z@1.0.0"
        );
    }
}
