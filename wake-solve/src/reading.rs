//! What each requirement selects among the chosen versions.

use std::collections::{BTreeSet, HashMap};

use wake_model::{PkgName, Requirement};

use crate::known::{Known, PkgId};
use crate::universe::Universe;

/// Returns the releases of `chosen` that `demands` need, directly or indirectly, if each requirement selects the
/// highest version that it matches.
///
/// This is how a lock is read. It meets every requirement, because `chosen` contains everything that its releases
/// need, and drops releases that were only needed by requirements which a higher version now meets.
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
