//! Choosing versions: what is locked stays as long as it can.

use std::collections::HashSet;

use wake_model::PkgName;

use crate::conflict::explain;
use crate::known::{Known, PkgId};
use crate::reading::read;
use crate::search::{Ended, Keep, Premise, search};
use crate::task::{Chosen, Exact, Fault, Task, Unsolved};
use crate::universe::Universe;
use crate::unmet;
use crate::wishes::{Wish, aims};

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
    let mut free = HashSet::new();
    for _ in 0..PATIENCE {
        let premises = match search(known, &aims, Keep::AllBut(&free)) {
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
    search(known, &aims, Keep::Nothing)
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
