//! Requirements that no version meets, whatever else is chosen.

use wake_model::PkgName;
use wake_model::nearest::nearest;

use crate::known::{Aim, Known, Pkg, PkgId};
use crate::prose::{existing, refused};
use crate::task::{Exact, Fault, Task, Wanted};
use crate::universe::{Demand, Universe};
use crate::wishes::{Said, Wish, other_requirement};

/// Returns all wishes, in an order independent of that of `task`, or the errors about those that cannot be met.
pub(crate) fn wishes<U: Universe>(
    known: &mut Known<'_, U>,
    task: &Task<'_>,
) -> Result<Result<Vec<Wish>, Vec<Fault>>, U::Error> {
    let mut demands: Vec<usize> = (0..task.demands.len()).collect();
    demands.sort_by_cached_key(|&number| {
        let Demand { by, at, name, requirement } = &task.demands[number];
        (name.clone(), requirement.to_string(), by.clone(), at.clone())
    });
    let mut exact: Vec<usize> = (0..task.exact.len()).collect();
    exact.sort_by_key(|&number| (&task.exact[number].name, &task.exact[number].version));
    let (mut wishes, mut unmet, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for number in exact {
        match exactly(known, &task.exact[number])? {
            Ok((pkg, aim)) => wishes.push(Wish { wanted: Wanted::Exact(number), pkg, aim }),
            Err(fault) => faults.push(fault),
        }
    }
    for number in demands {
        let demand = &task.demands[number];
        let pkg = known.ask(&demand.name)?;
        let aim = known.aim(pkg, &demand.requirement);
        match aim.picks.is_empty() {
            true => unmet.push(number),
            false => wishes.push(Wish { wanted: Wanted::Demand(number), pkg, aim }),
        }
    }
    unmet.sort_unstable();
    for number in unmet {
        faults.push(fault(known, task, number, &wishes)?);
    }
    Ok(if faults.is_empty() { Ok(wishes) } else { Err(faults) })
}

/// Returns the range of an exact version, and its number there.
fn exactly<U: Universe>(
    known: &mut Known<'_, U>,
    exact: &Exact,
) -> Result<Result<(PkgId, Aim), Fault>, U::Error> {
    let id = known.ask(&exact.name)?;
    let Exact { name, version } = exact;
    let pkg = known.pkg(id);
    let release =
        pkg.releases.iter().position(|release| release.version.precedence(version).is_eq());
    if let Some(aim) = release.and_then(|release| pkg.decision(release)) {
        return Ok(Ok((id, aim)));
    }
    if !pkg.exists {
        return unknown(known, name).map(Err);
    }
    let mut fault = match release {
        None => Fault::of(format!("{name} has no version {version}"), None),
        Some(_) => Fault::of(format!("{name} {version} may not be used"), None),
    };
    fault.why_not(pkg, |other| Some(other) == release);
    fault.what_exists(pkg);
    let newest = pkg.usable().next_back().map(|release| &pkg.releases[release].version);
    fault.help.extend(newest.map(|newest| format!("the newest is {newest}")));
    fault.say_something_to_do();
    Ok(Err(fault))
}

/// A version is offered at the place of the demand, and fits with everything that can be met.
const EVERYTHING: Said = Said { others: "everything else", here: true };

/// Explains why no version meets the demand `number`.
fn fault<U: Universe>(
    known: &mut Known<'_, U>,
    task: &Task<'_>,
    number: usize,
    others: &[Wish],
) -> Result<Fault, U::Error> {
    let Demand { name, requirement, .. } = &task.demands[number];
    let id = known.ask(name)?;
    if !known.pkg(id).exists {
        let fault = unknown(known, name)?;
        return Ok(Fault { demand: Some(number), ..fault });
    }
    let help = other_requirement(known, task, number, others, EVERYTHING)?;
    let pkg = known.pkg(id);
    let is_meant = |release: usize| requirement.matches(&pkg.releases[release].version);
    let message = match refused(pkg, is_meant).next() {
        None if pkg.releases.is_empty() => format!("{name} has no versions"),
        None => format!("no version of {name} matches {requirement}"),
        Some(_) => format!("no version of {name} that matches {requirement} may be used"),
    };
    let mut fault = Fault::of(message, Some(number));
    fault.why_not(pkg, is_meant);
    fault.what_exists(pkg);
    fault.help.extend(help);
    fault.say_something_to_do();
    Ok(fault)
}

/// Returns the error for a package that was never published.
fn unknown<U: Universe>(known: &Known<'_, U>, name: &PkgName) -> Result<Fault, U::Error> {
    let mut names = known.universe().names(name.namespace.as_ref())?;
    names.sort();
    let near = nearest(name.name.as_str(), names.iter().map(|name| name.as_str()));
    let mut fault = Fault::of(format!("no package is called `{name}`"), None);
    fault.help.push(match (near, &name.namespace) {
        (Some(near), Some(namespace)) => format!("did you mean `{namespace}/{near}`?"),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, _) => "publish it first, or set its location with `from='./path'`".to_owned(),
    });
    Ok(fault)
}

impl Fault {
    fn of(message: String, demand: Option<usize>) -> Fault {
        Fault { message, demand, label: None, notes: Vec::new(), help: Vec::new() }
    }

    /// Adds notes on why the releases for which `is_meant` holds may not be used.
    fn why_not(&mut self, pkg: &Pkg, is_meant: impl Fn(usize) -> bool) {
        const SHOWN: usize = 8;
        for (release, because, help) in refused(pkg, is_meant).take(SHOWN) {
            self.notes.push(format!("{} is {because}", pkg.releases[release].version));
            let new = help.filter(|help| !self.help.iter().any(|other| other == help));
            self.help.extend(new.map(str::to_owned));
        }
    }

    fn say_something_to_do(&mut self) {
        if self.help.is_empty() {
            self.help.push("require an existing version, or remove the requirement".to_owned());
        }
    }

    fn what_exists(&mut self, pkg: &Pkg) {
        let existing = existing(pkg).map(|versions| format!("available versions: {versions}"));
        self.notes.extend(existing);
    }
}
