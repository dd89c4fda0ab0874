//! What each requirement means among the versions that were chosen.

use std::collections::{BTreeSet, HashMap};

use wake_model::{PkgName, Requirement};

use crate::known::{Known, PkgId};
use crate::universe::Universe;

/// The releases of `chosen` that `demands` and what they mean need, when each requirement means the highest that it matches.
///
/// That is how a lock is read. It meets every requirement, since all that each of `chosen` needs is among them, and leaves
/// out what only a requirement needed that is met by a higher version now.
pub(crate) fn read<'a, U: Universe>(
    known: &'a Known<'_, U>,
    demands: impl IntoIterator<Item = (&'a PkgName, &'a Requirement)>,
    chosen: &[(PkgId, usize)],
) -> BTreeSet<(PkgId, usize)> {
    let mut by_pkg: HashMap<PkgId, Vec<usize>> = HashMap::new();
    for &(pkg, release) in chosen {
        by_pkg.entry(pkg).or_default().push(release);
    }
    let mut reached = BTreeSet::new();
    let mut open: Vec<(&PkgName, &Requirement)> = demands.into_iter().collect();
    while let Some((name, requirement)) = open.pop() {
        let meant = known.find(name).and_then(|pkg| {
            let releases = by_pkg.get(&pkg)?;
            Some((pkg, known.pkg(pkg).highest(releases, requirement)?))
        });
        if let Some((pkg, release)) = meant.filter(|meant| reached.insert(*meant)) {
            let needs = &known.pkg(pkg).releases[release].needs;
            open.extend(needs.iter().map(|need| (&need.name, &need.requirement)));
        }
    }
    reached
}
