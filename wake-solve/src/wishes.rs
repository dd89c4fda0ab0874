//! The wishes of the workspace, with which a search starts.

use wake_model::Requirement;

use crate::known::{Aim, Known, PkgId};
use crate::search::{Ended, Keep, search};
use crate::task::{Task, Wanted};
use crate::universe::Universe;

/// A wish of the workspace that some version meets.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub wanted: Wanted,
    pub pkg: PkgId,
    pub aim: Aim,
}

/// Returns the aims of some wishes.
pub(crate) fn aims(wishes: &[Wish]) -> Vec<Aim> {
    wishes.iter().map(|wish| wish.aim.clone()).collect()
}

/// The wording of a line of help.
#[derive(Clone, Copy)]
pub(crate) struct Said {
    /// The name for the other requirements.
    pub others: &'static str,
    /// Whether the help is shown at the place of the demand.
    pub here: bool,
}

/// Returns a line of help: another requirement for the demand `number` that can be met together with all of `others`.
///
/// It is what a person would write for the newest version with which everything fits, and it has been tried.
pub(crate) fn other_requirement<U: Universe>(
    known: &mut Known<'_, U>,
    task: &Task<'_>,
    number: usize,
    others: &[Wish],
    said: Said,
) -> Result<Option<String>, U::Error> {
    let demand = &task.demands[number];
    let Some(pkg) = known.find(&demand.name) else { return Ok(None) };
    let mut meant = |requirement: &Requirement| {
        let aim = known.aim(pkg, requirement);
        let mut all = aims(others);
        all.push(aim);
        match search(known, &all, Keep::Preferred) {
            Ok(chosen) => {
                let of_pkg = chosen.into_iter().filter(|(other, _)| *other == pkg);
                let of_pkg: Vec<usize> = of_pkg.map(|(_, release)| release).collect();
                let found = known.pkg(pkg);
                let highest = found.highest(&of_pkg, requirement);
                Ok(highest.map(|release| found.releases[release].version.clone()))
            }
            Err(Ended::Impossible(_) | Ended::GivenUp) => Ok(None),
            Err(Ended::Unanswered(error)) => Err(error),
        }
    };
    let Some(any) = meant(&Requirement::ANY)? else { return Ok(None) };
    let requirement = any.caret();
    let Some(version) = meant(&requirement)? else { return Ok(None) };
    let place = match (&demand.at, said.here) {
        (_, true) => "here".to_owned(),
        (Some(at), false) => format!("at {at}"),
        (None, false) => format!("in {}", demand.by),
    };
    let others = said.others;
    let name = &demand.name;
    Ok(Some(format!("{name} {version} fits with {others}: require `{requirement}` {place}")))
}
