//! Chooses versions, and keeps what is locked as long as possible.

use std::collections::HashSet;

use pubgrub::VersionSet;
use wake_model::PkgName;

use crate::conflict::explain;
use crate::known::{Aim, Known, NodeId, PkgId};
use crate::reading::read;
use crate::search::{Ended, Keep, Premise, search};
use crate::task::{Chosen, Exact, Fault, Task, Unsolved};
use crate::universe::Universe;
use crate::unmet;
use crate::wishes::{Wish, aims};

/// The number of searches that let go only of what a proof names.
const PATIENT: usize = 8;

/// The number of further searches, which also let go of what that needs according to the lock. After that, the lock
/// is ignored.
const IMPATIENT: usize = 4;

/// How many contested nodes are let go when a search was given up; doubled each time.
const FIRST_GROUP: usize = 8;

/// The maximum number of contested packages to name.
const MOST_NAMED: usize = 3;

/// Chooses a version for everything that `task` asks for and needs, sorted by name and version.
///
/// At first no locked version may change. If that fails, those named in the proof are let go, and the search is
/// repeated. The result is closed, has one version per range, and contains only versions that a requirement selects
/// by the rule of `spec/lock.md`. If it is used as the lock, the same versions are chosen again.
pub fn solve<U: Universe>(
    task: &Task<'_>,
    universe: &U,
) -> Result<Vec<Chosen>, Unsolved<U::Error>> {
    let names: Vec<&PkgName> = task.demands.iter().map(|demand| &demand.name).collect();
    universe.expect(&names);
    let mut known = Known::new(universe, task.lock, |name| task.update.keeps(name));
    let wishes = unmet::wishes(&mut known, task).map_err(Unsolved::Unanswered)?;
    let wishes = wishes.map_err(Unsolved::Faults)?;
    known.allow(task.steps);
    let settled = settle(&mut known, &wishes, task.steps);
    let chosen = match settled {
        Ok(chosen) => chosen,
        Err(Ended::Unanswered(error)) => return Err(Unsolved::Unanswered(error)),
        Err(Ended::GivenUp) => return Err(Unsolved::Faults(vec![given_up(&known, task.steps)])),
        Err(Ended::Impossible(premises)) => {
            known.allow(task.steps);
            let fault = explain(&mut known, task, &wishes, premises);
            return Err(Unsolved::Faults(vec![fault.map_err(Unsolved::Unanswered)?]));
        }
    };
    let demands = task.demands.iter().map(|demand| (&demand.name, &demand.requirement));
    let reached = read(&known, demands, &chosen);
    let release = |(pkg, release): (PkgId, usize)| {
        let pkg = known.pkg(pkg);
        let version = pkg.releases[release].version.clone();
        Chosen { name: PkgName::clone(&pkg.name), version }
    };
    let mut chosen: Vec<Chosen> = reached.into_iter().map(release).collect();
    chosen.sort();
    let unneeded = task.exact.iter().filter(|exact| !chosen.iter().any(|one| exact.is(one)));
    let faults: Vec<Fault> = unneeded.map(|exact| exact.unneeded(task, &chosen)).collect();
    if faults.is_empty() { Ok(chosen) } else { Err(Unsolved::Faults(faults)) }
}

/// Searches, letting go of locked versions if necessary.
fn settle<U: Universe>(
    known: &mut Known<'_, U>,
    wishes: &[Wish],
    steps: u64,
) -> Result<Vec<(PkgId, usize)>, Ended<U::Error>> {
    let aims = aims(wishes);
    // Each requirement that no locked version in its range meets would otherwise need a proof of its own.
    let is_raised = |aim: &&Aim| {
        let locked = known.options(aim.node).locked;
        !locked.is_empty() && locked.is_disjoint(&aim.picks)
    };
    let mut free: HashSet<NodeId> = aims.iter().filter(is_raised).map(|aim| aim.node).collect();
    for round in 0..PATIENT + IMPATIENT {
        // If much changes, trying the locked versions first would search where nothing fits.
        let keep = match round < PATIENT {
            true => Keep::Preferring(&free),
            false => Keep::AllBut(&free),
        };
        let before = free.len();
        match search(known, &aims, keep) {
            Err(Ended::Impossible(premises)) => {
                free.extend(premises.iter().filter_map(|premise| match premise {
                    Premise::Kept(node) => Some(*node),
                    Premise::Leads { .. } => None,
                }));
                if free.len() == before {
                    return Err(Ended::Impossible(premises));
                }
            }
            // Without a proof, the most contested nodes are let go, twice as many each time.
            Err(Ended::GivenUp) if known.steps() > steps / 2 => {
                let group = FIRST_GROUP << round;
                free.extend(known.most_contested().into_iter().take(group));
                if free.len() == before {
                    break;
                }
            }
            Err(Ended::GivenUp) => break,
            other => return other,
        }
        if round >= PATIENT {
            let needed = needed(known, &free);
            free.extend(needed);
        }
    }
    search(known, &aims, Keep::Nothing)
}

/// Returns the error that the search was given up, although a solution may exist.
fn given_up<U: Universe>(known: &Known<'_, U>, steps: u64) -> Fault {
    let pkgs = known.most_contested().into_iter().filter_map(|node| known.pkg_of(node));
    let mut named: Vec<String> = Vec::new();
    for pkg in pkgs.map(|pkg| known.pkg(pkg).name.to_string()) {
        if named.len() < MOST_NAMED && !named.contains(&pkg) {
            named.push(pkg);
        }
    }
    let mut notes = vec![format!("some may exist: the search gave up after {steps} steps")];
    let mut help = Vec::new();
    if let Some(first) = named.first() {
        notes.push(format!("most conflicts involved {}", named.join(", ")));
        help.push(format!(
            "narrow the requirements, of these packages first: `wake add {first}@=VERSION` pins one"
        ));
    }
    help.push(
        "change less at once: run `wake update PACKAGE`, or change one requirement at a time"
            .to_owned(),
    );
    let message = "no versions that fit together were found".to_owned();
    Fault { message, demand: None, label: None, notes, help }
}

/// Returns the nodes of what the locked versions at these nodes need, according to the lock.
fn needed<U: Universe>(known: &Known<'_, U>, free: &HashSet<NodeId>) -> Vec<NodeId> {
    let locked: Vec<(PkgId, usize)> = known.locked().collect();
    let node = |&(pkg, release): &(PkgId, usize)| Some(known.pkg(pkg).decision(release)?.node);
    let is_free = |line: &&(PkgId, usize)| node(line).is_some_and(|node| free.contains(&node));
    let needs = locked.iter().filter(is_free);
    let needs = needs.flat_map(|&(pkg, release)| &known.pkg(pkg).releases[release].needs);
    let needs = needs.map(|need| (&need.name, &need.requirement));
    read(known, needs, &locked).iter().filter_map(node).collect()
}

impl Exact {
    fn is(&self, chosen: &Chosen) -> bool {
        self.name == chosen.name && self.version.precedence(&chosen.version).is_eq()
    }

    /// Returns the error that everything fits, but no requirement selects the requested version.
    fn unneeded(&self, task: &Task<'_>, chosen: &[Chosen]) -> Fault {
        let Exact { name, version } = self;
        let demands = task.demands.iter().filter(|demand| demand.name == *name);
        let demand = |demand: &crate::universe::Demand| {
            let at = demand.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
            format!("{} needs {name} {}{at}", demand.by, demand.requirement)
        };
        let used = chosen.iter().filter(|one| one.name == *name);
        let used = used.map(|one| format!("{name} {} is used", one.version));
        let caret = version.caret();
        Fault {
            message: format!("nothing needs {name} {version}"),
            demand: None,
            label: None,
            notes: demands.map(demand).chain(used).collect(),
            help: vec![format!("require `{caret}` where it is used")],
        }
    }
}
