//! Orders: of versions, of names, and of builds.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::catalog::{Catalog, Generation};
use crate::version::{Release, Tag};

use super::graph::{Graph, Number};
use super::target::Target;

/// The images of each name, highest version first.
pub(super) fn by_name(catalog: &Catalog) -> BTreeMap<&str, Vec<Number>> {
    let mut names: BTreeMap<&str, Vec<Number>> = BTreeMap::new();
    for (number, image) in catalog.images.iter().enumerate() {
        names.entry(&image.name).or_default().push(number);
    }
    for numbers in names.values_mut() {
        numbers.sort_by_key(|&number| std::cmp::Reverse(&catalog.images[number].version));
        insertion_sort(numbers, |one, two| versions(catalog, two, one));
    }
    names
}

/// Sorts without requiring a total order, which tags of different shapes do not have. The result then depends on the
/// initial order, which is always that of the texts.
fn insertion_sort(numbers: &mut [Number], order: impl Fn(Number, Number) -> Ordering) {
    for end in 1..numbers.len() {
        let mut at = end;
        while at > 0 && order(numbers[at - 1], numbers[at]).is_gt() {
            numbers.swap(at - 1, at);
            at -= 1;
        }
    }
}

fn versions(catalog: &Catalog, one: Number, two: Number) -> Ordering {
    let [one, two] = [one, two].map(|number| catalog.images[number].version.as_str());
    match catalog.generation {
        Generation::First => Tag::new(one).compare(&Tag::new(two)),
        Generation::Second => Release::new(one).preference(&Release::new(two)),
    }
}

/// The names by rank, each with its images, highest version first.
pub(super) fn ranked(catalog: &Catalog, graph: &Graph, targets: &[Target]) -> Vec<Vec<Number>> {
    let names = by_name(catalog);
    let mut ranked: Vec<&str> = Vec::new();
    let mut found: Vec<Number> = Vec::new();
    for target in targets {
        if !ranked.contains(&target.name.as_str()) {
            ranked.push(&target.name);
            found.extend(names.get(target.name.as_str()).into_iter().flatten());
        }
    }
    // Round by round: what one round finds is examined in the next.
    let mut seen = 0;
    while seen < found.len() {
        let round = seen..found.len();
        seen = found.len();
        for at in round {
            for (name, images) in graph.groups(catalog, found[at]) {
                if let Some((name, _)) = names.get_key_value(name.as_str())
                    && !ranked.contains(name)
                {
                    ranked.push(name);
                }
                let highest_first = names[name.as_str()].iter().filter(|one| images.contains(one));
                for image in highest_first {
                    if !found.contains(image) {
                        found.push(*image);
                    }
                }
            }
        }
    }
    let images = |name: &&str| {
        let images = names[name].iter().copied();
        images.filter(|image| found.contains(image)).collect()
    };
    ranked.iter().map(images).collect()
}

/// The build order, round by round: each round has the images whose dependencies are done, by name and version; in
/// the second generation by version and name.
pub(super) fn build(catalog: &Catalog, graph: &Graph, chosen: &[Number]) -> Vec<Number> {
    let mut order: Vec<Number> = Vec::new();
    while order.len() < chosen.len() {
        let is_ready = |number: &Number| {
            let needs = graph.needs[*number].iter().flat_map(|need| &need.found);
            let mut needs = needs.filter(|found| chosen.contains(found));
            !order.contains(number) && needs.all(|found| order.contains(found))
        };
        let mut round: Vec<Number> = chosen.iter().copied().filter(is_ready).collect();
        round.sort_by_key(|&number| &catalog.images[number].name);
        if catalog.generation == Generation::Second {
            round.sort_by(|&one, &two| versions(catalog, one, two));
        }
        // The choice has no cycle, so each round is non-empty.
        debug_assert!(!round.is_empty());
        order.append(&mut round);
    }
    order
}
