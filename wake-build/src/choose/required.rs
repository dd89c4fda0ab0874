//! What the packages of the workspace require from registries.

use wake_eval::{NoAnswers, Op};
use wake_model::{GetPkg, PkgSource};
use wake_solve::Demand;
use wake_steps::diagnostic::{Diagnostic, Place};

use super::overriding::Overriding;
use crate::evaluate::Evaluator;
use crate::load::{Loaded, LoadedPkg};
use crate::registries::Registries;

/// Every requirement on registries in the workspace, with the package and its key there.
pub(super) struct Required<'a>(pub(super) Vec<(&'a LoadedPkg, &'a str)>);

impl<'a> Required<'a> {
    pub(super) fn of(loaded: &'a Loaded, overriding: &Overriding<'_>) -> Required<'a> {
        let is_asked = |get: &GetPkg| {
            get.from == PkgSource::Registry && overriding.of_name(&get.request.pkg_name()).is_none()
        };
        let of_pkg = |pkg: &'a LoadedPkg| {
            let gets = pkg.decl.pkgs.iter();
            let gets = gets.filter(|(_, get)| is_asked(get));
            gets.map(move |(key, _)| (pkg, key.as_str()))
        };
        Required(loaded.values().flat_map(of_pkg).collect())
    }

    pub(super) fn demands(&self, places: Option<&[Option<Place>]>) -> Vec<Demand> {
        let demand = |(number, (pkg, key)): (usize, &(&LoadedPkg, &str))| {
            let request = &pkg.decl.pkgs.get(*key)?.request;
            let place = places.and_then(|places| places.get(number)?.as_ref());
            Some(Demand {
                by: pkg.place.label(),
                at: place.map(Place::to_string),
                name: request.pkg_name(),
                requirement: request.version.clone(),
            })
        };
        self.0.iter().enumerate().filter_map(demand).collect()
    }

    pub(super) fn places(&self, evaluator: &Evaluator) -> Vec<Option<Place>> {
        self.0.iter().map(|(pkg, key)| place_of(pkg, key, evaluator)).collect()
    }

    /// Checks that each has a registry for its namespace.
    pub(super) fn check_namespaces(
        &self,
        registries: &Registries,
        evaluator: &Evaluator,
    ) -> Result<(), Diagnostic> {
        for (pkg, key) in &self.0 {
            let Some(get) = pkg.decl.pkgs.get(*key) else { continue };
            if registries.of(get.request.namespace.as_ref()).is_none() {
                let none = registries.none_for(&get.request.pkg_name());
                return Err(none.at(place_of(pkg, key, evaluator)));
            }
        }
        Ok(())
    }
}

fn place_of(pkg: &LoadedPkg, key: &str, evaluator: &Evaluator) -> Option<Place> {
    evaluator.locate(&pkg.place, &Op::Pkg, &pkg.declared_pkg(key), &NoAnswers)
}
