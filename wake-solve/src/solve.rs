//! Choosing versions: what is locked stays as long as it can.

use std::collections::HashSet;

use wake_model::PkgName;

use crate::conflict::explain;
use crate::index::{Index, PkgId};
use crate::reading::read;
use crate::roots::{Root, targets};
use crate::search::{Ended, Keep, Premise, search};
use crate::task::{Chosen, Fault, Pin, Task, Unsolved};
use crate::universe::Universe;
use crate::unmet;

/// After so many searches that could not keep what is locked, the lock is but preferred.
const PATIENCE: usize = 64;

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
    let mut index = Index::new(universe, task.lock, |name| task.update.keeps(name));
    let roots = unmet::roots(&mut index, task).map_err(Unsolved::Unanswered)?;
    let roots = roots.map_err(Unsolved::Faults)?;
    let chosen = match settle(&mut index, &roots) {
        Ok(chosen) => chosen,
        Err(Ended::Unanswered(error)) => return Err(Unsolved::Unanswered(error)),
        Err(Ended::Impossible(premises)) => {
            let fault = explain(&mut index, task, &roots, premises);
            return Err(Unsolved::Faults(vec![fault.map_err(Unsolved::Unanswered)?]));
        }
    };
    let demands = task.demands.iter().map(|demand| (&demand.name, &demand.requirement));
    let reached = read(&index, demands, &chosen);
    let release = |(pkg, release): (PkgId, usize)| {
        let pkg = index.pkg(pkg);
        let version = pkg.releases[release].version.clone();
        Chosen { name: PkgName::clone(&pkg.name), version }
    };
    let mut chosen: Vec<Chosen> = reached.into_iter().map(release).collect();
    chosen.sort();
    let unneeded = task.pins.iter().filter(|pin| !chosen.iter().any(|one| pin.is(one)));
    let faults: Vec<Fault> = unneeded.map(|pin| pin.unneeded(task, &chosen)).collect();
    if faults.is_empty() { Ok(chosen) } else { Err(Unsolved::Faults(faults)) }
}

/// Searches, and lets go of what is locked where it must.
fn settle<U: Universe>(
    index: &mut Index<'_, U>,
    roots: &[Root],
) -> Result<Vec<(PkgId, usize)>, Ended<U::Error>> {
    let roots = targets(roots);
    let mut free = HashSet::new();
    for _ in 0..PATIENCE {
        let premises = match search(index, &roots, Keep::AllBut(&free)) {
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
    }
    search(index, &roots, Keep::Nothing)
}

impl Pin {
    fn is(&self, chosen: &Chosen) -> bool {
        self.name == chosen.name && self.version.precedence(&chosen.version).is_eq()
    }

    /// Everything fits, but nothing means the version that was asked for.
    fn unneeded(&self, task: &Task<'_>, chosen: &[Chosen]) -> Fault {
        let Pin { name, version } = self;
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
