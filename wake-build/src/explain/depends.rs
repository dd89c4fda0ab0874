//! Why a package is in the lock: who depends on it, and where.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use wake_eval::{NoAnswers, Op};
use wake_model::PkgName;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::pkg_place::PkgPlace;
use crate::session::Session;
use crate::snapshot::Snapshot;

/// A package, with the shortest dependency path from the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PkgReason {
    /// Its key, `acme/zlib@1.3.1`, or its place.
    pub label: String,
    /// The dependencies on the path, starting at a package of the workspace.
    pub way: Vec<NeedLine>,
}

/// A dependency of one package on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeedLine {
    /// The dependent package.
    pub by: String,
    /// The dependency, as `NAME REQUIREMENT`.
    pub needs: String,
    /// Its key.
    pub key: String,
    /// Its place, `FILE:LINE:COLUMN`; none in published packages.
    pub at: Option<String>,
}

impl Session {
    /// Returns, for each version of a package that the workspace uses, the shortest dependency path to it.
    pub fn why_depends(&self, name: &PkgName) -> Result<Vec<PkgReason>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let (dirs, loaded) = checkout.load_named(&evaluator, &["//...".into()])?;
        let mut came: BTreeMap<PkgPlace, Option<(PkgPlace, String)>> = BTreeMap::new();
        let mut open: VecDeque<PkgPlace> = dirs.into_iter().map(PkgPlace::Checkout).collect();
        came.extend(open.iter().cloned().map(|place| (place, None)));
        while let Some(place) = open.pop_front() {
            let Some(pkg) = loaded.get(&place) else { continue };
            for (key, found) in pkg.found.iter() {
                if !came.contains_key(found) {
                    came.insert(found.clone(), Some((place.clone(), key.clone())));
                    open.push_back(found.clone());
                }
            }
        }
        let is_meant = |place: &&PkgPlace| {
            let needed = came.get(*place).is_some_and(Option::is_some);
            needed && loaded.get(*place).is_some_and(|pkg| pkg.decl.info.pkg_name() == *name)
        };
        let mut reasons = Vec::new();
        for meant in came.keys().filter(is_meant) {
            let mut way = Vec::new();
            let mut at = meant;
            while let Some(Some((by, key))) = came.get(at) {
                if let Some(pkg) = loaded.get(by)
                    && let Some(get) = pkg.decl.pkgs.get(key)
                {
                    let needs = format!("{} {}", get.request.pkg_name(), get.request.version);
                    let place = match by {
                        PkgPlace::Checkout(_) => {
                            evaluator.locate(by, &Op::Pkg, &pkg.declared_pkg(key), &NoAnswers)
                        }
                        PkgPlace::Store(_) => None,
                    };
                    let at = place.map(|place| place.to_string());
                    way.push(NeedLine { by: by.label(), needs, key: key.clone(), at });
                }
                at = by;
            }
            way.reverse();
            reasons.push(PkgReason { label: meant.label(), way });
        }
        if reasons.is_empty() {
            let known: BTreeSet<String> =
                loaded.values().map(|pkg| pkg.decl.info.pkg_name().to_string()).collect();
            let near =
                wake_model::nearest::nearest(&name.to_string(), known.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("nothing depends on {name}");
            let diagnostic = Diagnostic::error(Class::Nothing, message);
            return Err(help.into_iter().fold(diagnostic, Diagnostic::help).into());
        }
        Ok(reasons)
    }
}
