//! The dependency graph of images.

use wake_yaml::DocumentError;

use crate::catalog::{Catalog, Generation, Written};
use crate::spec::{Condition, FirstSpec, Subject};
use crate::version::{Release, Tag};

/// The index of an image in the catalog.
pub(super) type Number = usize;

/// All images with their dependencies.
#[derive(Debug)]
pub(super) struct Graph {
    /// The dependencies of each image, in document order.
    pub(super) needs: Vec<Vec<Need>>,
}

/// A dependency, and the images that satisfy it.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) written: Written,
    pub(super) found: Vec<Number>,
}

impl Graph {
    /// Resolves the dependencies of all images, given in `needs`.
    pub(super) fn new(catalog: &Catalog, needs: &[Vec<Written>]) -> Result<Self, DocumentError> {
        let find = |written: &Written| match catalog.generation {
            Generation::First => first(catalog, written),
            Generation::Second => second(catalog, written, needs),
        };
        let find = |written: &Written| Need { written: written.clone(), found: find(written) };
        let graph =
            Self { needs: needs.iter().map(|needs| needs.iter().map(find).collect()).collect() };
        if catalog.generation == Generation::First {
            graph.check_all_found(catalog)?;
        }
        graph.check_no_cycle(catalog)?;
        Ok(graph)
    }

    /// The names that an image needs, each with the images that satisfy it. Several dependencies on one name are
    /// combined.
    pub(super) fn groups(&self, catalog: &Catalog, image: Number) -> Vec<(String, Vec<Number>)> {
        let mut groups: Vec<(String, Vec<Number>)> = Vec::new();
        for &found in self.needs[image].iter().flat_map(|need| &need.found) {
            let name = &catalog.images[found].name;
            match groups.iter_mut().find(|(known, _)| known == name) {
                Some((_, images)) if images.contains(&found) => {}
                Some((_, images)) => images.push(found),
                None => groups.push((name.clone(), vec![found])),
            }
        }
        groups
    }

    /// The image itself and everything it may need, transitively.
    pub(super) fn below(&self, image: Number) -> Vec<bool> {
        let mut below = vec![false; self.needs.len()];
        let mut open = vec![image];
        while let Some(image) = open.pop() {
            if !std::mem::replace(&mut below[image], true) {
                open.extend(self.needs[image].iter().flat_map(|need| &need.found));
            }
        }
        below
    }

    fn check_all_found(&self, catalog: &Catalog) -> Result<(), DocumentError> {
        for (image, needs) in self.needs.iter().enumerate() {
            if let Some(need) = needs.iter().find(|need| need.found.is_empty()) {
                return Err(unmet(catalog, image, &need.written));
            }
        }
        Ok(())
    }

    fn check_no_cycle(&self, catalog: &Catalog) -> Result<(), DocumentError> {
        #[derive(Clone, Copy, PartialEq)]
        enum Visit {
            Not,
            Inside,
            Done,
        }
        let mut visits = vec![Visit::Not; self.needs.len()];
        for start in 0..self.needs.len() {
            if visits[start] == Visit::Done {
                continue;
            }
            visits[start] = Visit::Inside;
            // The current path; each image with the index of its next dependency.
            let mut way = vec![(start, 0)];
            while let Some((image, next)) = way.last_mut() {
                let found = self.needs[*image].iter().flat_map(|need| &need.found).nth(*next);
                *next += 1;
                match found.map(|&found| (found, visits[found])) {
                    None => {
                        visits[*image] = Visit::Done;
                        way.pop();
                    }
                    Some((found, Visit::Not)) => {
                        visits[found] = Visit::Inside;
                        way.push((found, 0));
                    }
                    Some((found, Visit::Inside)) => {
                        let from = way.iter().position(|(on, _)| *on == found).unwrap_or(0);
                        let cycle: Vec<Number> = way[from..].iter().map(|(on, _)| *on).collect();
                        return Err(self.cycle(catalog, &cycle));
                    }
                    Some((_, Visit::Done)) => {}
                }
            }
        }
        Ok(())
    }

    fn cycle(&self, catalog: &Catalog, cycle: &[Number]) -> DocumentError {
        let label = |&image: &Number| format!("`{}`", super::label(catalog, image));
        let mut images: Vec<String> = cycle.iter().map(label).collect();
        images.extend(cycle.first().map(label));
        let (first, next) = (cycle[0], cycle[1 % cycle.len()]);
        let need = self.needs[first].iter().find(|need| need.found.contains(&next));
        let place = need.map_or(&catalog.images[first].at, |need| &need.written.at);
        let error = catalog.error(place, format!("dependency cycle: {}", images.join(" needs ")));
        error.with_hint("remove one of these dependencies")
    }
}

/// The error for a dependency that no image satisfies.
pub(super) fn unmet(catalog: &Catalog, image: Number, need: &Written) -> DocumentError {
    let message = format!(
        "`{}` needs `{}`, but there is no such image",
        super::label(catalog, image),
        need.text
    );
    let error = catalog.error(&need.at, message);
    match super::existing(catalog, &need.text) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn first(catalog: &Catalog, need: &Written) -> Vec<Number> {
    let spec = FirstSpec::parse(&need.text);
    let images = catalog.images.iter().enumerate();
    images
        .filter(|(_, image)| {
            image.name == spec.name && spec.range.contains(&Tag::new(&image.version))
        })
        .map(|(number, _)| number)
        .collect()
}

fn second(catalog: &Catalog, need: &Written, needs: &[Vec<Written>]) -> Vec<Number> {
    // It was parsed before; an unparsable text matches nothing.
    let Ok(condition) = Condition::parse(&need.text) else { return Vec::new() };
    let images = catalog.images.iter().zip(needs).enumerate();
    images
        .filter(|(_, (image, needs))| {
            let needs: Vec<&str> = needs.iter().map(|need| need.text.as_str()).collect();
            let version = Release::new(&image.version);
            let setting = &catalog.setting;
            condition.holds(&Subject {
                name: &image.name,
                version: &version,
                needs: &needs,
                setting,
            })
        })
        .map(|(number, _)| number)
        .collect()
}
