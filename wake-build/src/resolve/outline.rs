//! Partial resolution, while some packages still have to be retrieved.

use std::collections::{BTreeMap, BTreeSet};

use wake_model::{GetPkg, Permission, PkgKey};
use wake_steps::diagnostic::{Diagnostic, Failure, Place};

use super::{DepsByPlace, Resolution, ResolvedPkg, Resolver, look_ahead};
use crate::evaluate::Evaluator;
use crate::load::{Loaded, LoadedPkg};
use crate::order::Link;
use crate::order::{graph_of, sort};
use crate::pkg_place::PkgPlace;

/// Packages with the dependencies that are met so far.
pub(crate) struct Outline<'a> {
    resolver: Resolver<'a>,
    deps: DepsByPlace,
    held: BTreeMap<PkgPlace, Vec<Permission>>,
    /// Errors that may disappear when everything has been retrieved.
    doubts: Vec<Diagnostic>,
}

impl<'a> Outline<'a> {
    /// Outlines `loaded`; `roots` are the packages that are not dependencies. An error that cannot disappear is returned.
    pub(crate) fn of(
        loaded: &'a Loaded,
        roots: &[PkgPlace],
        evaluator: &'a Evaluator<'a>,
    ) -> Result<Outline<'a>, Failure> {
        let resolver = Resolver { loaded, evaluator };
        let mut errors = Vec::new();
        resolver.check_requests(&mut errors);
        resolver.check_retrievers(&mut errors);
        match errors.is_empty() {
            true => Ok(Outline::as_far_as_known(loaded, roots, evaluator)),
            false => Err(Failure { diagnostics: errors }),
        }
    }

    /// The same for explanations: errors are ignored.
    pub(crate) fn as_far_as_known(
        loaded: &'a Loaded,
        roots: &[PkgPlace],
        evaluator: &'a Evaluator<'a>,
    ) -> Outline<'a> {
        let resolver = Resolver { loaded, evaluator };
        let mut doubts = Vec::new();
        let held = resolver.permissions(roots, &mut doubts);
        let globals = resolver.globals(&held, &mut doubts);
        let deps = resolver.deps(&globals, &mut doubts);
        Outline { resolver, deps, held, doubts }
    }

    /// Returns errors that may disappear when everything has been retrieved.
    pub(crate) fn into_doubts(self) -> Vec<Diagnostic> {
        self.doubts
    }

    /// Returns the dependency `key` of `of`, if known.
    pub(crate) fn dep(&self, of: &PkgPlace, key: &str) -> Option<&PkgPlace> {
        self.deps.get(of)?.get(key)
    }

    /// Returns a package.
    pub(crate) fn pkg(&self, place: &PkgPlace) -> Option<&'a LoadedPkg> {
        self.resolver.loaded.get(place)
    }

    /// Returns the declaration of `by` under `key`.
    pub(crate) fn get(&self, by: &PkgPlace, key: &str) -> Option<&'a GetPkg> {
        self.pkg(by)?.decl.pkgs.get(key)
    }

    /// Returns the place of the declaration of `by` under `key`.
    pub(crate) fn written_at(&self, by: &PkgPlace, key: &str) -> Option<Place> {
        self.resolver.place_of(self.pkg(by)?, key)
    }

    /// Returns one link of a cycle.
    pub(crate) fn link(&self, by: &PkgPlace, key: &str, label: String) -> Link {
        Link { label, key: key.to_owned(), place: self.written_at(by, key) }
    }

    /// Returns a package and all its dependencies, as far as known.
    pub(crate) fn reach<'p>(&'p self, from: &'p PkgPlace) -> BTreeSet<&'p PkgPlace> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(place) = open.pop() {
            if seen.insert(place) {
                open.extend(self.deps.get(place).into_iter().flat_map(BTreeMap::values));
            }
        }
        seen
    }

    /// Returns whether commands of a package may use the network.
    pub(crate) fn may_reach_network(&self, place: &PkgPlace) -> bool {
        self.holds(place, Permission::Network)
    }

    fn holds(&self, place: &PkgPlace, permission: Permission) -> bool {
        self.held.get(place).is_some_and(|held| held.contains(&permission))
    }

    /// Returns where the network has to be granted so that a package may use it, from the package upwards: each dependent that gets a
    /// package without that permission, and the place.
    pub(crate) fn missing_grants(&self, place: &PkgPlace) -> Vec<(String, Option<Place>)> {
        let (mut missing, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open = vec![place.clone()];
        while let Some(place) = open.pop() {
            if !seen.insert(place.clone()) {
                continue;
            }
            let gets = self.resolver.gets();
            for (pkg, key, _) in gets.filter(|(pkg, key, _)| self.got(pkg, key) == Some(&place)) {
                missing.push((pkg.place.label(), self.resolver.place_of(pkg, key)));
                if !self.holds(&pkg.place, Permission::Network) {
                    open.push(pkg.place.clone());
                }
            }
        }
        missing
    }

    /// Returns what a package gets under a key itself, not from the global namespace.
    fn got<'p>(&'p self, pkg: &'p LoadedPkg, key: &str) -> Option<&'p PkgPlace> {
        pkg.found.get(key)
    }

    /// Resolves the packages at `places`, which include all their dependencies.
    pub(crate) fn resolved(&self, places: &BTreeSet<&PkgPlace>) -> Result<Resolution, Failure> {
        let part: Loaded = places
            .iter()
            .filter_map(|place| Some(((*place).clone(), self.pkg(place)?.clone())))
            .collect();
        let (mut owners, mut errors) = (BTreeMap::new(), Vec::new());
        for (place, pkg) in &part {
            if let Some(other) = owners.insert(pkg.decl.info.key(), place) {
                errors.push(self.resolver.same_key(other, pkg));
            }
        }
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
        let key_of = |place: &PkgPlace| part.get(place).map(|pkg| pkg.decl.info.key());
        let graph = graph_of(
            part.keys()
                .map(|place| (place, self.deps.get(place).into_iter().flat_map(BTreeMap::values))),
        );
        let order = sort(&graph).0.into_iter().filter_map(|node| key_of(graph[node])).collect();
        let by_place =
            part.keys().filter_map(|place| Some((place.clone(), key_of(place)?))).collect();
        let sound = look_ahead(&part, self.resolver.evaluator.files);
        let resolved = |((place, pkg), sound): ((&PkgPlace, &LoadedPkg), bool)| {
            let deps = self.deps.get(place).into_iter().flatten();
            let deps = deps.filter_map(|(key, to)| Some((key.clone(), key_of(to)?))).collect();
            let may_reach_network = self.may_reach_network(place);
            (pkg.decl.info.key(), ResolvedPkg { pkg: pkg.clone(), deps, sound, may_reach_network })
        };
        let pkgs: BTreeMap<PkgKey, ResolvedPkg> = part.iter().zip(sound).map(resolved).collect();
        Ok(Resolution { pkgs, order, by_place })
    }
}
