//! Thousands of random universes, each compared with an exhaustive search.

use std::collections::BTreeSet;

use wake_model::{PkgName, Requirement, Version};
use wake_solve::{Chosen, Need, Release, Standing, Unsolved, Update};

use crate::world::{Workspace, World, lines, lock};

/// SplitMix64: the same numbers everywhere for one seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const VERSIONS: [&str; 7] = ["0.1.0", "0.1.1", "1.0.0", "1.1.0", "1.2.0-rc.1", "2.0.0", "2.1.0"];
const REQUIREMENTS: [&str; 12] = [
    "^1",
    "^1.1",
    "=1.0.0",
    "^0.1",
    "~0.1.1",
    ">=1",
    "<2",
    "*",
    "^2",
    "=2.0.0",
    ">=1.2.0-rc.1, <2.1",
    "^3",
];

pub(crate) fn need(chance: &mut Chance) -> Need {
    Need {
        name: chance.one(&NAMES).parse().unwrap(),
        requirement: chance.one(&REQUIREMENTS).parse().unwrap(),
    }
}

pub(crate) fn random_world(chance: &mut Chance) -> World {
    let mut world = World::default();
    for name in &NAMES[..3 + chance.below(3)] {
        let mut releases = Vec::new();
        for version in VERSIONS {
            if chance.below(7) == 0 {
                continue;
            }
            let needs = (0..chance.below(4).saturating_sub(1)).map(|_| need(chance)).collect();
            let standing = match chance.below(16) {
                0 => Standing::OnlyLocked { because: "yanked".to_owned() },
                1 => Standing::Unusable { because: "too young".to_owned(), help: None },
                _ => Standing::Usable,
            };
            releases.push(Release { version: version.parse().unwrap(), needs, standing });
        }
        world.pkgs.insert(name.parse().unwrap(), releases);
    }
    world
}

pub(crate) fn random_demands(chance: &mut Chance) -> String {
    let count = 1 + chance.below(3);
    let demand = |_| {
        let Need { name, requirement } = need(chance);
        format!("//app {name} {requirement}\n")
    };
    (0..count).map(demand).collect()
}

type Lines = BTreeSet<(PkgName, Version)>;

pub(crate) fn as_lines(chosen: &[Chosen]) -> Lines {
    chosen.iter().map(|one| (one.name.clone(), one.version.clone())).collect()
}

/// Returns what a requirement selects among lines: the highest version that it matches.
fn meant<'a>(
    lines: &'a Lines,
    name: &PkgName,
    requirement: &Requirement,
) -> Option<&'a (PkgName, Version)> {
    lines.iter().filter(|(other, version)| other == name && requirement.matches(version)).max()
}

/// Returns the lines that the requirements of a workspace select, and what these need; `None` if one selects nothing.
pub(crate) fn reached(workspace: &Workspace, lines: &Lines) -> Option<Lines> {
    let mut reached = Lines::new();
    let demands = workspace.demands.iter();
    let mut open: Vec<(&PkgName, &Requirement)> =
        demands.map(|demand| (&demand.name, &demand.requirement)).collect();
    while let Some((name, requirement)) = open.pop() {
        let line = meant(lines, name, requirement)?;
        if reached.insert(line.clone()) {
            let releases = &workspace.world.pkgs[name];
            let release = releases.iter().find(|release| release.version == line.1)?;
            open.extend(release.needs.iter().map(|need| (&need.name, &need.requirement)));
        }
    }
    Some(reached)
}

pub(crate) fn one_in_each_range(lines: &Lines) -> bool {
    let ranges: BTreeSet<_> = lines.iter().map(|(name, version)| (name, version.range())).collect();
    ranges.len() == lines.len()
}

/// Whether some usable versions, one per range, meet everything: tries every version that each requirement could
/// select.
pub(crate) fn can_be_met(workspace: &Workspace) -> bool {
    let open = workspace.demands.iter();
    let open = open.map(|demand| (&demand.name, &demand.requirement)).collect();
    can_meet(workspace, open, &Lines::new())
}

fn can_meet(
    workspace: &Workspace,
    mut open: Vec<(&PkgName, &Requirement)>,
    chosen: &Lines,
) -> bool {
    let Some((name, requirement)) = open.pop() else { return true };
    let releases = workspace.world.pkgs.get(name).into_iter().flatten();
    releases.filter(|release| requirement.matches(&release.version)).any(|release| {
        let line = (name.clone(), release.version.clone());
        if chosen.contains(&line) {
            return can_meet(workspace, open.clone(), chosen);
        }
        let mut more = chosen.clone();
        more.insert(line);
        let needs = release.needs.iter().map(|need| (&need.name, &need.requirement));
        is_usable(workspace, name, release)
            && one_in_each_range(&more)
            && can_meet(workspace, open.iter().copied().chain(needs).collect(), &more)
    })
}

fn is_usable(workspace: &Workspace, name: &PkgName, release: &Release) -> bool {
    let mut locked = workspace.lock.iter();
    match release.standing {
        Standing::Usable => true,
        Standing::Unusable { .. } => false,
        Standing::OnlyLocked { .. } => {
            workspace.update == Update::Nothing
                && locked.any(|pkg| pkg.name == *name && pkg.version == release.version)
        }
    }
}

/// Solves the workspace, and checks the result in every respect.
pub(crate) fn check(workspace: &Workspace) -> Option<Vec<Chosen>> {
    let can_be_met = can_be_met(workspace);
    match workspace.solve() {
        Ok(chosen) => {
            assert!(can_be_met, "{chosen:?}");
            let lines_chosen = as_lines(&chosen);
            assert_eq!(reached(workspace, &lines_chosen).as_ref(), Some(&lines_chosen));
            assert!(one_in_each_range(&lines_chosen));
            for (name, version) in &lines_chosen {
                let mut releases = workspace.world.pkgs[name].iter();
                let release = releases.find(|release| release.version == *version).unwrap();
                assert!(is_usable(workspace, name, release), "{name} {version}");
            }
            assert_eq!(workspace.reversed().solve().as_ref(), Ok(&chosen), "in another order");
            let mut again = workspace.clone();
            (again.lock, again.update) = (lock(&lines(&chosen)), Update::Nothing);
            assert_eq!(again.solve().as_ref(), Ok(&chosen), "with the solution as the lock");
            Some(chosen)
        }
        Err(Unsolved::Faults(faults)) => {
            assert!(!can_be_met, "{faults:#?}");
            for fault in &faults {
                assert!(!fault.help.is_empty() && fault.demand.is_some(), "{fault:#?}");
                offers_hold(workspace, faults.len(), &fault.help);
            }
            None
        }
        Err(Unsolved::Unanswered(error)) => panic!("{error}"),
    }
}

/// Checks that a line of help is true: with the other requirement in that place, everything can be met.
fn offers_hold(workspace: &Workspace, faults: usize, help: &[String]) {
    for line in help.iter().filter(|line| line.contains("fits with everything else")) {
        let requirement = line.split('`').nth(1).unwrap();
        let name = line.split(' ').next().unwrap();
        let with = |number: usize| {
            let mut other = workspace.clone();
            other.demands[number].requirement = requirement.parse().unwrap();
            let is_met = |other: &Workspace| can_be_met(other);
            // If several demands cannot be met, a line is about one of them.
            other.demands[number].name.to_string() == name && (faults > 1 || is_met(&other))
        };
        assert!((0..workspace.demands.len()).any(with), "{line}");
    }
}

#[test]
fn a_solution_is_found_exactly_if_there_is_one() {
    let mut chance = Chance(1);
    let (mut solved, mut unsolved) = (0, 0);
    for _ in 0..4000 {
        let world = random_world(&mut chance);
        let demands = random_demands(&mut chance);
        let workspace = crate::world::workspace(&world, &demands);
        match check(&workspace) {
            Some(_) => solved += 1,
            None => unsolved += 1,
        }
    }
    assert!(solved > 500 && unsolved > 500, "{solved} {unsolved}");
}

/// Returns a version of most ranges, occasionally two.
fn random_lock(world: &World, chance: &mut Chance) -> String {
    let mut lines = String::new();
    for (name, releases) in &world.pkgs {
        for range in releases.chunk_by(|one, other| one.version.range() == other.version.range()) {
            for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][chance.below(8)] {
                lines += &format!("{name} {}\n", range[chance.below(range.len())].version);
            }
        }
    }
    lines
}

#[test]
fn a_lock_never_makes_a_solvable_problem_unsolvable() {
    let mut chance = Chance(2);
    let mut kept = 0;
    for _ in 0..2000 {
        let world = random_world(&mut chance);
        let mut workspace = crate::world::workspace(&world, &random_demands(&mut chance));
        let locked = random_lock(&world, &mut chance);
        workspace.lock = lock(&locked);
        if chance.below(4) == 0 {
            workspace.update = Update::Everything;
        }
        check(&workspace);
        // A lock that meets everything by itself, with only usable versions, is kept line by line.
        let lines: Lines =
            workspace.lock.iter().map(|pkg| (pkg.name.clone(), pkg.version.clone())).collect();
        let is_refused = |(name, version): &(PkgName, Version)| {
            let mut releases = world.pkgs[name].iter();
            releases.any(|one| {
                one.version == *version && matches!(one.standing, Standing::Unusable { .. })
            })
        };
        let whole = one_in_each_range(&lines) && !lines.iter().any(is_refused);
        if let Some(reached) = reached(&workspace, &lines).filter(|_| whole)
            && workspace.update == Update::Nothing
        {
            kept += 1;
            assert_eq!(as_lines(&workspace.solve().unwrap()), reached);
        }
    }
    assert!(kept > 50, "{kept}");
}
