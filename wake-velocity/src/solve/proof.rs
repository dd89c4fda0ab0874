//! The requirements on a choice as facts, and a minimal set of those that contradict each other.

use std::collections::BTreeMap;

use wake_yaml::Place;

use crate::catalog::Catalog;

use super::error::{Fact, SolveError};
use super::graph::{Graph, Number};
use super::order;
use super::search::{Found, Literal, Variable, search};
use super::target::Target;
use super::{MOST_CONFLICTS, label};

/// A choice to be made.
pub(super) struct Problem<'a> {
    catalog: &'a Catalog,
    graph: &'a Graph,
    targets: &'a [Target],
    /// The names by rank with their images. The variable of an image is its index.
    names: Vec<Vec<Number>>,
    variables: usize,
    /// Clauses for images that are below a target only for certain versions of the targets.
    lies_below: Vec<Vec<Literal>>,
    claims: Vec<Claim>,
}

/// A requirement on a choice.
struct Claim {
    clauses: Vec<Vec<Literal>>,
    source: Source,
}

/// The origin of a requirement.
enum Source {
    Target(usize),
    /// An image needs one of several images of a name.
    Need {
        image: Number,
        name: String,
    },
}

impl<'a> Problem<'a> {
    pub(super) fn new(catalog: &'a Catalog, graph: &'a Graph, targets: &'a [Target]) -> Self {
        let names = order::ranked(catalog, graph, targets);
        let mut problem = Self {
            catalog,
            graph,
            targets,
            names,
            variables: catalog.images.len(),
            lies_below: Vec::new(),
            claims: Vec::new(),
        };
        problem.claim_targets();
        problem.claim_needs();
        problem
    }

    fn claim_targets(&mut self) {
        for (number, target) in self.targets.iter().enumerate() {
            let images = self.names.iter().flatten().copied();
            let refused = images.filter(|&image| {
                let image = &self.catalog.images[image];
                image.name == target.name && !target.takes(image)
            });
            let clauses = refused.map(|image| vec![Literal::no(image)]).collect();
            self.claims.push(Claim { clauses, source: Source::Target(number) });
        }
    }

    /// Adds the requirements of images: a chosen image below a chosen target needs one satisfying image of each name.
    fn claim_needs(&mut self) {
        let tops: Vec<Vec<(Number, Vec<bool>)>> = self
            .names
            .iter()
            .filter(|images| self.is_target(images))
            .map(|images| images.iter().map(|&top| (top, self.graph.below(top))).collect())
            .collect();
        for &image in self.names.iter().flatten() {
            let groups = self.graph.groups(self.catalog, image);
            if groups.is_empty() {
                continue;
            }
            let mut premise = vec![Literal::no(image)];
            // It is built whichever version of that target is chosen.
            let always = tops.iter().any(|tops| tops.iter().all(|(_, below)| below[image]));
            if !always {
                let built = self.variables;
                self.variables += 1;
                premise.push(Literal::no(built));
                for (top, _) in tops.iter().flatten().filter(|(_, below)| below[image]) {
                    self.lies_below.push(vec![Literal::no(*top), Literal::yes(built)]);
                }
            }
            for (name, images) in groups {
                let mut clause = premise.clone();
                clause.extend(images.into_iter().map(Literal::yes));
                let source = Source::Need { image, name };
                self.claims.push(Claim { clauses: vec![clause], source });
            }
        }
    }

    /// The images to build.
    pub(super) fn solve(&self) -> Result<Vec<Number>, SolveError> {
        let all: Vec<bool> = vec![true; self.claims.len()];
        match self.search(&all, MOST_CONFLICTS) {
            Found::Choice(chosen) => Ok(self.built(&chosen)),
            Found::GivenUp => Err(SolveError::GivenUp { conflicts: MOST_CONFLICTS }),
            Found::Nothing => Err(SolveError::Conflict(self.explained())),
        }
    }

    fn search(&self, held: &[bool], conflicts: usize) -> Found {
        let claims = self.claims.iter().zip(held).filter(|(_, held)| **held);
        let clauses = claims.flat_map(|(claim, _)| &claim.clauses).chain(&self.lies_below);
        search(&self.names, self.variables, clauses.cloned(), conflicts)
    }

    /// Whether there is no solution even if only needed images count as built. This is weaker than Velocity's rule,
    /// and easier to explain.
    fn never_fits(&self, held: &[bool]) -> bool {
        let mut variables = self.variables;
        let mut names = self.names.clone();
        for images in names.iter_mut().filter(|images| !self.is_target(images)) {
            // Stands for not building the name.
            images.push(variables);
            variables += 1;
        }
        let claims = self.claims.iter().zip(held).filter(|(_, held)| **held);
        let is_about_images = |literal: &Literal| literal.variable() < self.catalog.images.len();
        let clauses = claims.flat_map(|(claim, _)| &claim.clauses);
        let clauses =
            clauses.map(|clause| clause.iter().copied().filter(is_about_images).collect());
        // If this cannot be decided quickly, it is assumed to be satisfiable.
        search(&names, variables, clauses, MOST_CONFLICTS / 100) == Found::Nothing
    }

    fn is_target(&self, images: &[Number]) -> bool {
        let name = images.first().map(|&image| &self.catalog.images[image].name);
        self.targets.iter().any(|target| Some(&target.name) == name)
    }

    /// The part of a choice that is below one of the targets.
    fn built(&self, chosen: &[Variable]) -> Vec<Number> {
        let is_target = |image: &&Number| self.is_target(&[**image]);
        let tops = chosen.iter().filter(is_target).map(|&top| self.graph.below(top));
        let tops: Vec<Vec<bool>> = tops.collect();
        chosen.iter().copied().filter(|&image| tops.iter().any(|below| below[image])).collect()
    }

    /// A minimal set of contradictory facts: without any one of them there is a solution.
    fn explained(&self) -> Vec<Fact> {
        let mut held = vec![true; self.claims.len()];
        let simply = self.never_fits(&held);
        let conflicts = |held: &[bool]| match simply {
            true => self.never_fits(held),
            false => self.search(held, MOST_CONFLICTS / 100) == Found::Nothing,
        };
        let groups = self.groups();
        let each: Vec<Vec<usize>> = (0..self.claims.len()).map(|claim| vec![claim]).collect();
        // First tries to drop all needs of one name at once, so that few searches are made where little matters.
        for parts in [&groups, &each] {
            for claims in parts {
                if !claims.iter().any(|&claim| held[claim]) {
                    continue;
                }
                let without: Vec<bool> =
                    (0..held.len()).map(|claim| held[claim] && !claims.contains(&claim)).collect();
                if conflicts(&without) {
                    held = without;
                }
            }
        }
        let held = |claims: Vec<usize>| {
            claims.into_iter().filter(|&claim| held[claim]).collect::<Vec<usize>>()
        };
        let groups = groups.into_iter().map(held).filter(|claims| !claims.is_empty());
        groups.map(|claims| Fact { text: self.said(&claims), at: self.places(&claims) }).collect()
    }

    /// Groups requirements: each target separately, then by rank the needs of one name for another.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut needs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (number, claim) in self.claims.iter().enumerate() {
            let group = match &claim.source {
                Source::Target(_) => groups.len(),
                Source::Need { image, name } => {
                    let of = self.catalog.images[*image].name.as_str();
                    *needs.entry((of, name)).or_insert(groups.len())
                }
            };
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(number);
        }
        groups
    }

    /// The dependencies of an image on a name.
    fn needed(&self, image: Number, name: &str) -> String {
        let texts: Vec<String> =
            self.lines(image, name).map(|need| format!("`{}`", need.0)).collect();
        texts.join(" or ")
    }

    fn lines(&self, image: Number, name: &str) -> impl Iterator<Item = (&'a str, &'a Place)> {
        let (catalog, needs) = (self.catalog, &self.graph.needs[image]);
        needs
            .iter()
            .filter(move |need| need.found.iter().any(|&one| catalog.images[one].name == name))
            .map(|need| (need.written.text.as_str(), &need.written.at))
    }

    /// A fact in words, such as `gcc` 11.5.0, 11.2.0 and 2 more need `ubuntu@_22.04`.
    fn said(&self, claims: &[usize]) -> String {
        let mut needs: Vec<(Number, String)> = Vec::new();
        for &claim in claims {
            match &self.claims[claim].source {
                Source::Target(target) => {
                    return format!("`{}` is requested", self.targets[*target].written);
                }
                Source::Need { image, name } => needs.push((*image, self.needed(*image, name))),
            }
        }
        match &needs[..] {
            [] => String::new(),
            [(image, needed)] => format!("`{}` needs {needed}", label(self.catalog, *image)),
            [(first, _), ..] => {
                let image = |(image, _): &(Number, _)| self.catalog.images[*image].version.clone();
                let mut needed: Vec<String> =
                    needs.iter().map(|(_, needed)| needed.clone()).collect();
                needed.dedup();
                let versions = some(&needs.iter().map(image).collect::<Vec<_>>());
                let need = if needed.len() > 1 { "each need one of" } else { "need" };
                let name = &self.catalog.images[*first].name;
                format!("`{name}` {versions} {need} {}", some(&needed))
            }
        }
    }

    /// The positions that state a fact, without duplicates.
    fn places(&self, claims: &[usize]) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for &claim in claims {
            if let Source::Need { image, name } = &self.claims[claim].source {
                for (_, place) in self.lines(*image, name) {
                    if !places.contains(place) {
                        places.push(place.clone());
                    }
                }
            }
        }
        places
    }
}

/// The first few texts of a list, and how many more there are.
fn some(texts: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = texts[..texts.len().min(SHOWN)].join(", ");
    match texts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
