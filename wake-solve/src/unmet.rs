//! What no version meets, whatever else is chosen.

use wake_model::PkgName;
use wake_model::nearest::nearest;

use crate::index::{Index, Pkg};
use crate::prose::{existing, refused};
use crate::roots::{Root, other_requirement};
use crate::task::{Fault, Pin, Task, Wanted};
use crate::universe::{Demand, Universe};

/// Everything that is asked for, in an order that does not depend on that of `task`; else what of it cannot be had.
pub(crate) fn roots<U: Universe>(
    index: &mut Index<'_, U>,
    task: &Task<'_>,
) -> Result<Result<Vec<Root>, Vec<Fault>>, U::Error> {
    let mut demands: Vec<usize> = (0..task.demands.len()).collect();
    demands.sort_by_cached_key(|&number| {
        let Demand { by, at, name, requirement } = &task.demands[number];
        (name.clone(), requirement.to_string(), by.clone(), at.clone())
    });
    let mut pins: Vec<usize> = (0..task.pins.len()).collect();
    pins.sort_by_key(|&number| (&task.pins[number].name, &task.pins[number].version));
    let (mut roots, mut unmet, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for number in pins {
        match pin(index, &task.pins[number])? {
            Ok(root) => roots.push(Root { wanted: Wanted::Pin(number), ..root }),
            Err(fault) => faults.push(fault),
        }
    }
    for number in demands {
        let demand = &task.demands[number];
        let pkg = index.ask(&demand.name)?;
        let target = index.target(pkg, &demand.requirement);
        match target.picks.is_empty() {
            true => unmet.push(number),
            false => roots.push(Root { wanted: Wanted::Demand(number), pkg, target }),
        }
    }
    unmet.sort_unstable();
    for number in unmet {
        faults.push(fault(index, task, number, &roots)?);
    }
    Ok(if faults.is_empty() { Ok(roots) } else { Err(faults) })
}

fn pin<U: Universe>(index: &mut Index<'_, U>, pin: &Pin) -> Result<Result<Root, Fault>, U::Error> {
    let id = index.ask(&pin.name)?;
    let Pin { name, version } = pin;
    let pkg = index.pkg(id);
    let release =
        pkg.releases.iter().position(|release| release.version.precedence(version).is_eq());
    if let Some(target) = release.and_then(|release| pkg.decision(release)) {
        return Ok(Ok(Root { wanted: Wanted::Pin(0), pkg: id, target }));
    }
    if !pkg.exists {
        return unknown(index, name).map(Err);
    }
    let mut fault = match release {
        None => Fault::of(format!("{name} has no version {version}"), None),
        Some(_) => Fault::of(format!("{name} {version} may not be used"), None),
    };
    fault.why_not(pkg, |other| Some(other) == release);
    fault.what_exists(pkg);
    let newest = pkg.usable().next_back().map(|release| &pkg.releases[release].version);
    fault.help.extend(newest.map(|newest| format!("the newest is {newest}")));
    Ok(Err(fault))
}

/// Why no version will do for the demand `number`.
fn fault<U: Universe>(
    index: &mut Index<'_, U>,
    task: &Task<'_>,
    number: usize,
    others: &[Root],
) -> Result<Fault, U::Error> {
    let Demand { name, requirement, .. } = &task.demands[number];
    let id = index.ask(name)?;
    if !index.pkg(id).exists {
        let fault = unknown(index, name)?;
        return Ok(Fault { demand: Some(number), ..fault });
    }
    let help = other_requirement(index, task, number, others, true)?;
    let pkg = index.pkg(id);
    let is_meant = |release: usize| requirement.matches(&pkg.releases[release].version);
    let message = match refused(pkg, is_meant).next() {
        None if pkg.releases.is_empty() => format!("{name} has no versions"),
        None => format!("no version of {name} is {requirement}"),
        Some(_) => format!("no version of {name} that is {requirement} may be used"),
    };
    let mut fault = Fault::of(message, Some(number));
    fault.why_not(pkg, is_meant);
    fault.what_exists(pkg);
    fault.help.extend(help);
    if fault.help.is_empty() {
        fault.help.push("ask for a version that exists, or do without it".to_owned());
    }
    Ok(fault)
}

/// A package that nobody published.
fn unknown<U: Universe>(index: &Index<'_, U>, name: &PkgName) -> Result<Fault, U::Error> {
    let mut names = index.universe().names(name.namespace.as_ref())?;
    names.sort();
    let near = nearest(name.name.as_str(), names.iter().map(|name| name.as_str()));
    let mut fault = Fault::of(format!("no package is called `{name}`"), None);
    fault.help.push(match (near, &name.namespace) {
        (Some(near), Some(namespace)) => format!("did you mean `{namespace}/{near}`?"),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, _) => "publish it first, or name where it lies: `from='./path'`".to_owned(),
    });
    Ok(fault)
}

impl Fault {
    fn of(message: String, demand: Option<usize>) -> Fault {
        Fault { message, demand, label: None, notes: Vec::new(), help: Vec::new() }
    }

    /// Notes why those releases may not be used of which `is_meant` speaks.
    fn why_not(&mut self, pkg: &Pkg, is_meant: impl Fn(usize) -> bool) {
        const SHOWN: usize = 8;
        for (release, because, help) in refused(pkg, is_meant).take(SHOWN) {
            self.notes.push(format!("{} is {because}", pkg.releases[release].version));
            let new = help.filter(|help| !self.help.iter().any(|other| other == help));
            self.help.extend(new.map(str::to_owned));
        }
    }

    fn what_exists(&mut self, pkg: &Pkg) {
        let existing = existing(pkg).map(|versions| format!("versions that exist: {versions}"));
        self.notes.extend(existing);
    }
}
