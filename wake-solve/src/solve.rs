//! Choosing versions: what is locked stays as long as it can.

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

/// So many searches let go of what a proof names and of nothing else.
const PATIENT: usize = 8;

/// So many more let go of what that needs as well, as it is locked. Then it is as if nothing were.
const IMPATIENT: usize = 4;

/// Chooses a version for everything that `task` asks for and that this needs, sorted by name and version.
///
/// First nothing that is locked may change. If that cannot be, what the proof names is let go, and it is tried again. The result
/// is closed, has one version in each range, and holds nothing that no requirement means by the rule of `spec/lock.md`; with it
/// as the lock the same is chosen again.
pub fn solve<U: Universe>(
    task: &Task<'_>,
    universe: &U,
) -> Result<Vec<Chosen>, Unsolved<U::Error>> {
    let names: Vec<&PkgName> = task.demands.iter().map(|demand| &demand.name).collect();
    universe.expect(&names);
    let mut known = Known::new(universe, task.lock, |name| task.update.keeps(name));
    let wishes = unmet::wishes(&mut known, task).map_err(Unsolved::Unanswered)?;
    let wishes = wishes.map_err(Unsolved::Faults)?;
    let chosen = match settle(&mut known, &wishes) {
        Ok(chosen) => chosen,
        Err(Ended::Unanswered(error)) => return Err(Unsolved::Unanswered(error)),
        Err(Ended::Impossible(premises)) => {
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

/// Searches, and lets go of what is locked where it must.
fn settle<U: Universe>(
    known: &mut Known<'_, U>,
    wishes: &[Wish],
) -> Result<Vec<(PkgId, usize)>, Ended<U::Error>> {
    let aims = aims(wishes);
    // A requirement that nothing locked in its range meets would be named by a proof of its own.
    let is_raised = |aim: &&Aim| {
        let locked = known.options(aim.node).locked;
        !locked.is_empty() && locked.is_disjoint(&aim.picks)
    };
    let mut free: HashSet<NodeId> = aims.iter().filter(is_raised).map(|aim| aim.node).collect();
    for round in 0..PATIENT + IMPATIENT {
        // Where much changes, looking for what is locked first would be looking where nothing fits.
        let keep = match round < PATIENT {
            true => Keep::Preferring(&free),
            false => Keep::AllBut(&free),
        };
        let premises = match search(known, &aims, keep) {
            Err(Ended::Impossible(premises)) => premises,
            other => return other,
        };
        let before = free.len();
        free.extend(premises.iter().filter_map(|premise| match premise {
            Premise::Kept(node) => Some(*node),
            Premise::Leads { .. } => None,
        }));
        if free.len() == before {
            return Err(Ended::Impossible(premises));
        }
        if round >= PATIENT {
            let needed = needed(known, &free);
            free.extend(needed);
        }
    }
    search(known, &aims, Keep::Nothing)
}

/// The nodes of what the lock has at these nodes and that needs, as it is locked.
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

    /// Everything fits, but nothing means the version that was asked for.
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
            help: vec![format!("ask for `{caret}` where it is to be used")],
        }
    }
}
