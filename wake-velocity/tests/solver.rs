//! The solver's choice, compared with an enumeration of all choices by the rules.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;
use wake_velocity::catalog::{Catalog, Generation};
use wake_velocity::solve::{SolveError, solve};
use wake_velocity::spec::Setting;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// An image by name and version, both small numbers.
type Id = (usize, u32);

/// A range of versions of a name.
#[derive(Clone, Debug)]
struct Spec {
    name: usize,
    low: Option<u32>,
    high: Option<u32>,
}

/// An item in a document of the second generation.
#[derive(Clone, Debug)]
struct Line {
    spec: Spec,
    when: When,
    /// Whether its condition is evaluated for everything that is built.
    along: bool,
}

#[derive(Clone, Debug)]
enum When {
    Always,
    Is(Spec, bool),
    Needs(usize, bool),
}

impl Spec {
    fn takes(&self, (name, version): Id) -> bool {
        name == self.name
            && self.low.is_none_or(|low| version >= low)
            && self.high.is_none_or(|high| version <= high)
    }

    fn written(&self, generation: Generation) -> String {
        let name = NAMES[self.name];
        match (generation, self.low, self.high) {
            (_, None, None) => name.to_owned(),
            (Generation::First, Some(low), Some(high)) if low == high => format!("{name}@={low}"),
            (Generation::First, Some(low), Some(high)) => format!("{name}@{low}%{high}"),
            (Generation::First, Some(low), None) => format!("{name}@^{low}"),
            (Generation::First, None, Some(high)) => format!("{name}@_{high}"),
            (Generation::Second, Some(low), Some(high)) if low == high => format!("{name}@{low}"),
            (Generation::Second, Some(low), Some(high)) => format!("{name}@{low}:{high}"),
            (Generation::Second, Some(low), None) => format!("{name}@{low}:"),
            (Generation::Second, None, Some(high)) => format!("{name}@:{high}"),
        }
    }
}

/// All images with the specs of their dependencies.
type Images = BTreeMap<Id, Vec<Spec>>;

fn below(images: &Images, top: Id) -> Vec<Id> {
    let mut below = vec![top];
    let mut at = 0;
    while at < below.len() {
        for spec in &images[&below[at]] {
            for &id in images.keys().filter(|id| spec.takes(**id)) {
                if !below.contains(&id) {
                    below.push(id);
                }
            }
        }
        at += 1;
    }
    below
}

/// The names by rank: targets, then dependencies, round by round.
fn ranked(images: &Images, targets: &[Spec]) -> Vec<usize> {
    let mut names = Vec::new();
    let mut seen: Vec<Id> = Vec::new();
    for target in targets {
        if !names.contains(&target.name) {
            names.push(target.name);
            seen.extend(images.keys().rev().filter(|id| id.0 == target.name));
        }
    }
    let mut start = 0;
    while start < seen.len() {
        let round = seen[start..].to_vec();
        start = seen.len();
        for id in round {
            // Names in the order of their first mention.
            let mut of: Vec<usize> = Vec::new();
            images[&id].iter().for_each(|spec| {
                if !of.contains(&spec.name) {
                    of.push(spec.name)
                }
            });
            for name in of {
                let found: Vec<Id> = images
                    .keys()
                    .rev()
                    .copied()
                    .filter(|found| found.0 == name && images[&id].iter().any(|s| s.takes(*found)))
                    .collect();
                if !found.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
                found.into_iter().for_each(|id| {
                    if !seen.contains(&id) {
                        seen.push(id)
                    }
                });
            }
        }
    }
    names
}

/// Enumerates all choices; the name of lowest rank changes fastest.
fn first_valid(images: &Images, targets: &[Spec]) -> Option<Vec<Id>> {
    let names = ranked(images, targets);
    let seen: Vec<Id> = targets
        .iter()
        .flat_map(|target| images.keys().copied().filter(|id| id.0 == target.name))
        .flat_map(|top| below(images, top))
        .collect();
    let candidates = |name: &usize| -> Vec<Id> {
        let of = images.keys().rev().copied().filter(|id| id.0 == *name && seen.contains(id));
        of.filter(|id| targets.iter().all(|target| target.name != *name || target.takes(*id)))
            .collect()
    };
    let candidates: Vec<Vec<Id>> = names.iter().map(candidates).collect();
    fn go(
        candidates: &[Vec<Id>],
        choice: &mut Vec<Id>,
        valid: &dyn Fn(&[Id]) -> Option<Vec<Id>>,
    ) -> Option<Vec<Id>> {
        let Some(next) = candidates.get(choice.len()) else { return valid(choice) };
        for &id in next {
            choice.push(id);
            let found = go(candidates, choice, valid);
            choice.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }
    let valid = |choice: &[Id]| {
        let tops = choice.iter().filter(|id| targets.iter().any(|target| target.name == id.0));
        let reached: Vec<Id> = tops.flat_map(|&top| below(images, top)).collect();
        let built: Vec<Id> = choice.iter().copied().filter(|id| reached.contains(id)).collect();
        let met = built.iter().all(|id| {
            NAMES.iter().enumerate().all(|(name, _)| {
                let linked = |other: &Id| {
                    other.0 == name && images[id].iter().any(|spec| spec.takes(*other))
                };
                !images.keys().any(linked) || built.iter().any(linked)
            })
        });
        met.then_some(built)
    };
    go(&candidates, &mut Vec::new(), &valid)
}

fn setting() -> Setting {
    Setting { system: "s".to_owned(), backend: "podman".to_owned(), distro: "d".to_owned() }
}

fn solved(
    files: &BTreeMap<String, Vec<u8>>,
    targets: &[Spec],
    generation: Generation,
) -> Result<Vec<Id>, SolveError> {
    let catalog = Catalog::read(files, &["images".to_owned()], &setting()).unwrap();
    let targets: Vec<String> = targets.iter().map(|target| target.written(generation)).collect();
    let solution = solve(&catalog, &targets)?;
    for (at, needs) in solution.needs.iter().enumerate() {
        assert!(needs.iter().all(|&need| need < at), "dependencies are built first");
    }
    let id = |image: &wake_velocity::catalog::Image| {
        let name = NAMES.iter().position(|name| *name == image.name).unwrap();
        (name, image.version.parse().unwrap())
    };
    let mut built: Vec<Id> = solution.images.iter().map(id).collect();
    built.sort_unstable();
    Ok(built)
}

fn spec(names: std::ops::Range<usize>) -> impl Strategy<Value = Spec> {
    (names, 0u32..5, 0u32..5).prop_map(|(name, low, high)| Spec {
        name,
        low: (low > 0).then_some(low),
        high: (high > 0).then_some(high.max(low)),
    })
}

fn targets() -> impl Strategy<Value = Vec<Spec>> {
    prop::collection::vec(spec(0..3), 1..3)
}

/// The number of versions of each name, and their dependencies on later names.
fn universe() -> impl Strategy<Value = Vec<Vec<Vec<Spec>>>> {
    let needs = |name: usize| {
        let needs = prop::collection::vec(spec(name + 1..NAMES.len().max(name + 2)), 0..4);
        prop::collection::vec(needs, 1..4)
    };
    (needs(0), needs(1), needs(2), needs(3), prop::collection::vec(Just(Vec::new()), 1..4))
        .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
}

fn ids(universe: &[Vec<Vec<Spec>>]) -> Vec<Id> {
    let versions = |(name, versions): (usize, &Vec<_>)| {
        (1..=u32::try_from(versions.len()).unwrap()).map(move |version| (name, version))
    };
    universe.iter().enumerate().flat_map(versions).collect()
}

fn agree(expected: Option<Vec<Id>>, solved: Result<Vec<Id>, SolveError>) {
    match (expected, solved) {
        (Some(mut expected), Ok(built)) => {
            expected.sort_unstable();
            assert_eq!(built, expected);
        }
        (None, Err(SolveError::Conflict(_) | SolveError::NoVersion { .. })) => {}
        (expected, solved) => panic!("{expected:?} by going through all, {solved:?} by solving"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_first_generation_agrees_with_exhaustive_enumeration(universe in universe(), targets in targets()) {
        let ids = ids(&universe);
        let mut images = Images::new();
        let mut files = BTreeMap::new();
        for &(name, version) in &ids {
            // Unsatisfied dependencies are errors of the document, tested elsewhere.
            let needs = &universe[name][version as usize - 1];
            let needs: Vec<Spec> = needs.iter().filter(|spec| ids.iter().any(|id| spec.takes(*id))).cloned().collect();
            let mut text = "build_specifications: {s: {podman: {d: {dependencies: [".to_owned();
            for spec in &needs {
                write!(text, "'{}', ", spec.written(Generation::First)).unwrap();
            }
            text.push_str("]}}}}");
            files.insert(format!("images/{}/{version}/specifications.yaml", NAMES[name]), text.into_bytes());
            images.insert((name, version), needs);
        }
        agree(first_valid(&images, &targets), solved(&files, &targets, Generation::First));
    }
}

fn when(name: usize) -> impl Strategy<Value = When> {
    prop_oneof![
        Just(When::Always),
        (spec(name..name + 1), any::<bool>()).prop_map(|(spec, not)| When::Is(spec, not)),
        (0..NAMES.len(), any::<bool>()).prop_map(|(name, not)| When::Needs(name, not)),
    ]
}

fn line(name: usize) -> impl Strategy<Value = Line> {
    let along = (spec(0..NAMES.len()), any::<bool>()).prop_map(|(spec, not)| When::Is(spec, not));
    let when = prop_oneof![
        3 => when(name).prop_map(|when| (when, false)),
        1 => along.prop_map(|when| (when, true)),
    ];
    (spec(name + 1..NAMES.len()), when).prop_map(|(spec, (when, along))| Line { spec, when, along })
}

fn lines() -> impl Strategy<Value = Vec<Vec<Line>>> {
    let of = |name| prop::collection::vec(line(name), 0..5);
    (of(0), of(1), of(2), of(3)).prop_map(|(a, b, c, d)| vec![a, b, c, d, Vec::new()])
}

impl When {
    fn holds(&self, id: Id, needs: &[Spec]) -> bool {
        match self {
            When::Always => true,
            When::Is(spec, not) => spec.name == id.0 && spec.takes(id) != *not,
            When::Needs(name, not) => {
                let exactly = |spec: &Spec| (spec.name, spec.low, spec.high) == (*name, None, None);
                needs.iter().any(exactly) != *not
            }
        }
    }

    fn written(&self) -> String {
        match self {
            When::Always => String::new(),
            When::Is(spec, not) => {
                format!("{}{}", if *not { "!" } else { "" }, spec.written(Generation::Second))
            }
            When::Needs(name, not) => format!("{}^{}", if *not { "!" } else { "" }, NAMES[*name]),
        }
    }
}

fn add(needs: &mut Vec<Spec>, spec: &Spec) -> bool {
    let text = |spec: &Spec| spec.written(Generation::Second);
    let is_new = needs.iter().all(|known| text(known) != text(spec));
    if is_new {
        needs.push(spec.clone());
    }
    is_new
}

/// The rules of the second generation, step by step.
fn second_by_hand(ids: &[Id], lines: &[Vec<Line>], targets: &[Spec]) -> Option<Vec<Id>> {
    let mut images: Images = ids.iter().map(|&id| (id, Vec::new())).collect();
    for (name, line) in
        lines.iter().enumerate().flat_map(|(name, l)| l.iter().map(move |l| (name, l)))
    {
        for &id in ids.iter().filter(|id| id.0 == name) {
            if line.when.holds(id, &images[&id]) {
                add(images.get_mut(&id).unwrap(), &line.spec);
            }
        }
    }
    let build = first_valid(&images, targets)?;
    loop {
        let mut changed = false;
        for (name, line) in
            lines.iter().enumerate().flat_map(|(name, l)| l.iter().map(move |l| (name, l)))
        {
            for &id in ids.iter().filter(|id| id.0 == name) {
                let holds = match line.along {
                    false => line.when.holds(id, &images[&id]),
                    true => build.iter().any(|&along| line.when.holds(along, &images[&along])),
                };
                changed |= holds && add(images.get_mut(&id).unwrap(), &line.spec);
            }
        }
        if !changed {
            return first_valid(&images, targets);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_second_generation_agrees_with_exhaustive_enumeration(
        versions in prop::collection::vec(1u32..4, 5),
        lines in lines(),
        targets in targets(),
    ) {
        let ids: Vec<Id> = versions.iter().enumerate().flat_map(|(name, &most)| (1..=most).map(move |v| (name, v))).collect();
        let met = |line: &Line| ids.iter().any(|id| line.spec.takes(*id));
        let lines: Vec<Vec<Line>> = lines.into_iter().map(|l| l.into_iter().filter(met).collect()).collect();
        let mut files = BTreeMap::new();
        for (name, lines) in lines.iter().enumerate() {
            let mut text = "versions:\n".to_owned();
            (1..=versions[name]).for_each(|version| writeln!(text, "- spec: {version}").unwrap());
            text.push_str("dependencies:\n");
            for line in lines {
                writeln!(text, "- spec: '{}'", line.spec.written(Generation::Second)).unwrap();
                writeln!(text, "  when: '{}'", line.when.written()).unwrap();
                writeln!(text, "  scope: {}", if line.along { "build" } else { "image" }).unwrap();
            }
            files.insert(format!("images/{}/specs.yaml", NAMES[name]), text.into_bytes());
        }
        agree(second_by_hand(&ids, &lines, &targets), solved(&files, &targets, Generation::Second));
    }
}

/// A chain of images in which each version needs the same version of the next, which the last one does not have.
fn chain(names: usize, versions: usize, is_met: bool) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in 0..names {
        for version in 0..versions {
            let next = name + 1;
            let needs = match next == names {
                true => String::new(),
                // Each version needs something that only the lowest version of the last name provides.
                false if next == names - 1 && !is_met => {
                    format!("x{next}@={}", version % (versions / 2))
                }
                false => format!("x{next}@_{version}"),
            };
            let text = format!(
                "build_specifications: {{s: {{podman: {{d: {{dependencies: [{}]}}}}}}}}",
                if needs.is_empty() { String::new() } else { format!("'{needs}'") }
            );
            files
                .insert(format!("images/x{name}/{version}/specifications.yaml"), text.into_bytes());
        }
    }
    files
}

#[test]
fn a_long_chain_of_many_versions_is_solved() {
    let files = chain(40, 20, true);
    let catalog = Catalog::read(&files, &["images".to_owned()], &setting()).unwrap();
    let targets = ["x0".to_owned(), "x39@_3".to_owned()];
    let solution = solve(&catalog, &targets).unwrap();
    // The target of the second rank is as high as possible, and everything above can stay high.
    assert_eq!(solution.images.len(), 40);
    assert_eq!(solution.images.last().unwrap().label(Generation::First), "x0@=19");
    assert_eq!(solution.images.first().unwrap().label(Generation::First), "x39@=3");
}

#[test]
fn a_chain_without_an_answer_is_refused_with_a_proof() {
    let files = chain(6, 8, false);
    let catalog = Catalog::read(&files, &["images".to_owned()], &setting()).unwrap();
    let error = solve(&catalog, &["x0".to_owned(), "x5@=7".to_owned()]).unwrap_err();
    let at = |name: usize| format!("(images/x{name}/7/specifications.yaml:1:56 and 7 more)");
    let between = |name: usize| {
        let next = name + 1;
        let needed = format!("`x{next}@_7`, `x{next}@_6`, `x{next}@_5`, `x{next}@_4` and 4 more");
        format!("\n  `x{name}` 7, 6, 5, 4 and 4 more each need one of {needed} {}", at(name))
    };
    let last = "`x5@=3`, `x5@=2`, `x5@=1`, `x5@=0` and 4 more";
    let last = format!("\n  `x4` 7, 6, 5, 4 and 4 more each need one of {last} {}", at(4));
    let between: String = (0..4).map(between).collect();
    assert_eq!(
        error.to_string(),
        format!("no versions fit together:\n  `x5@=7` is requested{between}{last}")
    );
}

#[test]
fn a_proof_contains_only_relevant_facts() {
    let mut files = BTreeMap::new();
    let mut image = |name: &str, version: &str, needs: &str| {
        let text = format!(
            "build_specifications:\n  s:\n    podman:\n      d:\n        dependencies:\n{needs}"
        );
        files.insert(format!("images/{name}/{version}/specifications.yaml"), text.into_bytes());
    };
    let line = |need: &str| format!("          - {need}\n");
    image("base", "1", "          []\n");
    image("base", "2", "          []\n");
    for version in ["10", "11", "12"] {
        image("cc", version, &line("base"));
    }
    image("lib", "5", &(line("cc@10%11") + &line("base@_1")));
    image("lib", "6", &(line("cc@10%11") + &line("base@_1")));
    image("app", "1", &(line("cc@^10") + &line("lib@=5") + &line("base")));
    let catalog = Catalog::read(&files, &["images".to_owned()], &setting()).unwrap();
    let error = solve(&catalog, &["app".to_owned(), "cc@=12".to_owned()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no versions fit together:
  `cc@=12` is requested
  `app@=1` needs `lib@=5` (images/app/1/specifications.yaml:7:13)
  `lib@=5` needs `cc@10%11` (images/lib/5/specifications.yaml:6:13)"
    );
}
