//! What the workspace asks for, as the search begins with it.

use wake_model::Requirement;

use crate::index::{Index, PkgId, Target};
use crate::search::{Ended, Keep, search};
use crate::task::{Task, Wanted};
use crate::universe::Universe;

/// Something that the workspace asks for and that some version meets.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub wanted: Wanted,
    pub pkg: PkgId,
    pub target: Target,
}

/// The targets of some roots.
pub(crate) fn targets(roots: &[Root]) -> Vec<Target> {
    roots.iter().map(|root| root.target.clone()).collect()
}

/// A line of help: another requirement in place of the demand `number`, with which it and all of `others` can be met.
///
/// It is what a person would write for the newest version with which everything fits, and it has been tried.
pub(crate) fn other_requirement<U: Universe>(
    index: &mut Index<'_, U>,
    task: &Task<'_>,
    number: usize,
    others: &[Root],
    here: bool,
) -> Result<Option<String>, U::Error> {
    let demand = &task.demands[number];
    let Some(pkg) = index.known(&demand.name) else { return Ok(None) };
    let mut meant = |requirement: &Requirement| {
        let target = index.target(pkg, requirement);
        let mut all = targets(others);
        all.push(target);
        match search(index, &all, Keep::Nothing) {
            Ok(chosen) => {
                let of_pkg = chosen.into_iter().filter(|(other, _)| *other == pkg);
                let of_pkg: Vec<usize> = of_pkg.map(|(_, release)| release).collect();
                let known = index.pkg(pkg);
                let highest = known.highest(&of_pkg, requirement);
                Ok(highest.map(|release| known.releases[release].version.clone()))
            }
            Err(Ended::Impossible(_)) => Ok(None),
            Err(Ended::Unanswered(error)) => Err(error),
        }
    };
    let Some(any) = meant(&Requirement::ANY)? else { return Ok(None) };
    let requirement = any.caret();
    let Some(version) = meant(&requirement)? else { return Ok(None) };
    let place = match (&demand.at, here) {
        (_, true) => "here".to_owned(),
        (Some(at), false) => format!("at {at}"),
        (None, false) => format!("in {}", demand.by),
    };
    let name = &demand.name;
    Ok(Some(format!("{name} {version} fits with everything else: ask for `{requirement}` {place}")))
}
