//! Why the root file system of a step is another one than before.

use petgraph::graph::NodeIndex;
use wake_model::action::FieldValue;
use wake_model::{Digest, RelPath, TreeDigest};

use super::{View, Why};
use crate::diagnostic::Failure;
use crate::reason::Change;
use crate::view::{self, MODULES_DIR};
use crate::written::Written;

/// What a root file system that differs comes from.
#[derive(Default)]
pub(super) struct RootCause {
    /// The file of the checkout that makes the difference.
    pub(super) place: Option<String>,
    /// Why the module that made it ran.
    pub(super) because: Option<Box<Why>>,
}

impl View<'_> {
    /// What made the root file system of `node` another one.
    pub(super) fn root_cause(
        &self,
        node: NodeIndex,
        change: &Change,
    ) -> Result<RootCause, Failure> {
        let step = self.step(node);
        // What cannot be read cannot be explained; a build says what is wrong with it.
        let text = step.instance.text().ok();
        let exec = text.as_ref().and_then(|text| text.parts().ok()?.exec);
        let named = exec.as_ref().and_then(|exec| exec.rootfs.get("path"));
        let path = named.and_then(Written::as_str).unwrap_or_default();
        // A module as a whole is a directory as well.
        let whole = format!("{}/", path.trim_end_matches('/'));
        let path = if path.starts_with(MODULES_DIR) { whole.as_str() } else { path };
        let instances = &self.planned.instances;
        let owner = step.decl.pkg_files_owner(&step.pkg);
        let (pkg, below) = match view::Place::parse(path) {
            Some(view::Place::Own(below)) => (instances.get(owner), below),
            Some(view::Place::Pkg(key, below)) => (instances.get(&key), below),
            Some(view::Place::Module(id, _)) => {
                let made = self.planned.plan.by_id.get(id.as_str()).filter(|&&made| made != node);
                let because = made.map(|&made| self.why(made)).transpose()?.map(Box::new);
                return Ok(RootCause { place: None, because });
            }
            None => return Ok(RootCause::default()),
        };
        let place = pkg.map(|pkg| {
            let here = pkg.dir.join(&below);
            let is_archive = self.files().absolute(&here).is_file();
            match self.first_difference(change).filter(|_| !is_archive) {
                Some(differing) => here.join(&differing),
                None => here,
            }
        });
        Ok(RootCause { place: place.map(|place| place.to_string()), because: None })
    }

    /// The first path at which the two trees differ, if the store has both.
    fn first_difference(&self, change: &Change) -> Option<RelPath> {
        let manifest = |value: &Option<FieldValue>| {
            let tree = TreeDigest(tree_of(value.as_ref()?)?);
            self.checkout.session.store().manifest(&tree).ok()?
        };
        let (old, new) = (manifest(&change.old)?, manifest(&change.new)?);
        let changed = new.iter().find(|(path, node)| old.get(path) != Some(*node));
        let gone = || old.iter().find(|(path, _)| new.get(path).is_none());
        changed.or_else(gone).map(|(path, _)| path.clone())
    }
}

fn tree_of(value: &FieldValue) -> Option<Digest> {
    match value {
        FieldValue::Digest(kind, digest) if kind == "tree" => Some(*digest),
        FieldValue::Digest(..) | FieldValue::Text(_) | FieldValue::Uint(_) => None,
    }
}
