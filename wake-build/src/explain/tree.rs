//! Which packages the packages of a workspace need, and what these need.

use std::collections::BTreeSet;

use serde::Serialize;
use wake_model::PkgSource;
use wake_steps::diagnostic::Failure;

use crate::load::{Loaded, is_of_registry};
use crate::pkg_place::PkgPlace;
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::target::TargetPattern;

/// A package with those that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PkgNode {
    /// What the package that needs it calls it; none for one that was asked for.
    pub key: Option<String>,
    /// Where it lies, `//libs/zlib`, or who it is, `acme/zlib@1.3.1`; of a global one, what is required.
    pub label: String,
    /// The versions that will do, where a package needs it.
    pub requirement: Option<String>,
    /// Its version; none of a global one, which others bring.
    pub version: Option<String>,
    /// The packages that it needs, by its keys for them; none of one that was shown before.
    pub needs: Vec<PkgNode>,
    /// Whether it was shown before.
    pub repeated: bool,
    /// Whether it stands in for a published one there: `[overrides]` of `wake.toml`.
    pub overrides: bool,
}

impl Session {
    /// The packages that `targets` name, each with those that it needs, as `wake.lock` has them.
    pub fn tree(&self, targets: &[TargetPattern]) -> Result<Vec<PkgNode>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let (dirs, loaded) = checkout.load_named(&evaluator, targets)?;
        let mut shown = BTreeSet::new();
        let node = |dir| node(&PkgPlace::Checkout(dir), &loaded, &mut shown);
        let nodes = dirs.into_iter().filter_map(node).collect();
        // Digests that could not be kept are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        let _ = self.store().flush_memo();
        Ok(nodes)
    }
}

fn node(place: &PkgPlace, loaded: &Loaded, shown: &mut BTreeSet<PkgPlace>) -> Option<PkgNode> {
    let pkg = loaded.get(place)?;
    // What needs nothing is shown whole each time.
    let repeated = !shown.insert(place.clone()) && !pkg.decl.pkgs.is_empty();
    let mut needs = Vec::new();
    let gets = pkg.decl.pkgs.iter().filter(|_| !repeated);
    for (key, get) in gets {
        let requirement = Some(get.request.version.to_string());
        let found = pkg.found.get(key).and_then(|place| node(place, loaded, shown));
        let need = match (&get.from, found) {
            (_, Some(need)) => need,
            (PkgSource::Global, None) => PkgNode {
                key: None,
                label: format!("{} (global)", get.request.pkg_name()),
                requirement: None,
                version: None,
                needs: Vec::new(),
                repeated: false,
                overrides: false,
            },
            (_, None) => continue,
        };
        let lies_here = pkg.found.get(key).is_some_and(|found| found.dir().is_some());
        let overrides = lies_here && is_of_registry(place, get);
        needs.push(PkgNode { key: Some(key.clone()), requirement, overrides, ..need });
    }
    Some(PkgNode {
        key: None,
        label: place.label(),
        requirement: None,
        version: Some(pkg.decl.info.version.to_string()),
        needs,
        repeated,
        overrides: false,
    })
}
