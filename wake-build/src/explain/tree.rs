//! The dependency tree of the packages of a workspace.

use std::collections::BTreeSet;

use serde::Serialize;
use wake_model::{PkgSource, RelPath};
use wake_steps::diagnostic::Failure;

use crate::load::is_of_registry;
use crate::pkg_place::PkgPlace;
use crate::resolve::Outline;
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::target::TargetPattern;

/// A package with its dependencies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PkgNode {
    /// The dependent package's key for it; none if it was asked for.
    pub key: Option<String>,
    /// Its place, `//libs/zlib`, or its key, `acme/zlib@1.3.1`; none for a global package that nothing provides.
    pub label: Option<String>,
    /// Its name in the global namespace, if it is taken from there.
    pub global: Option<String>,
    /// The version requirement of the dependent package.
    pub requirement: Option<String>,
    /// Its version; none for a global package that nothing provides.
    pub version: Option<String>,
    /// Its dependencies; empty if they were shown before.
    pub needs: Vec<PkgNode>,
    /// Whether its dependencies were shown before.
    pub repeated: bool,
    /// Whether it overrides a published package: `[overrides]` of `wake.toml`.
    pub overrides: bool,
}

impl Session {
    /// Returns the packages that `targets` name, each with its dependencies, as locked in `wake.lock`.
    pub fn tree(&self, targets: &[TargetPattern]) -> Result<Vec<PkgNode>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let (dirs, loaded) = checkout.load_with_globals(&evaluator, targets)?;
        let places: Vec<PkgPlace> = dirs.into_iter().map(PkgPlace::Checkout).collect();
        let root = PkgPlace::Checkout(RelPath::root());
        let roots: Vec<PkgPlace> = places.iter().cloned().chain([root]).collect();
        let outline = Outline::as_far_as_known(&loaded, &roots, &evaluator);
        let mut shown = BTreeSet::new();
        let node = |place: &PkgPlace| node(place, &outline, &mut shown);
        let nodes = places.iter().filter_map(node).collect();
        // Digests that cannot be saved are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        let _ = self.store().flush_memo();
        Ok(nodes)
    }
}

fn node(
    place: &PkgPlace,
    outline: &Outline<'_>,
    shown: &mut BTreeSet<PkgPlace>,
) -> Option<PkgNode> {
    let pkg = outline.pkg(place)?;
    // A package without dependencies is shown in full each time.
    let repeated = !shown.insert(place.clone()) && !pkg.decl.pkgs.is_empty();
    let mut needs = Vec::new();
    let gets = pkg.decl.pkgs.iter().filter(|_| !repeated);
    for (key, get) in gets {
        let requirement = Some(get.request.version.to_string());
        let found = outline.dep(place, key);
        let need = found.and_then(|found| node(found, outline, shown));
        let is_global = get.from == PkgSource::Global;
        let Some(need) = need.or_else(|| is_global.then(PkgNode::default)) else { continue };
        let lies_here = found.is_some_and(|found| found.dir().is_some());
        let overrides = lies_here && is_of_registry(place, get);
        let global = is_global.then(|| get.request.pkg_name().to_string());
        needs.push(PkgNode { key: Some(key.clone()), global, requirement, overrides, ..need });
    }
    Some(PkgNode {
        label: Some(place.label()),
        version: Some(pkg.decl.info.version.to_string()),
        needs,
        repeated,
        ..PkgNode::default()
    })
}
