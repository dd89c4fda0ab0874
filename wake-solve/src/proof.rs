//! Why no versions fit together, as facts that can be verified.

use std::collections::BTreeMap;

use wake_model::Requirement;

use crate::known::{Known, NodeId, PkgId};
use crate::search::{Ended, Keep, Premise, search};
use crate::universe::Universe;
use crate::wishes::{Wish, aims};

/// States that something needs certain versions of a package.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    /// What needs it.
    pub subject: Subject,
    /// What it needs.
    pub object: PkgId,
    /// The requirements; each release of the subject has one of them.
    pub requirements: Vec<Requirement>,
}

/// What needs something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The workspace, by the number of the wish.
    Workspace(usize),
    /// These releases of a package, ascending.
    Releases(PkgId, Vec<usize>),
}

/// Returns a minimal set of `wishes` that cannot be met together, and why: without any one of them, the others can be
/// met.
///
/// `premises` is why not all of them can be met. Each wish named in it is tried, unless there are more than sixteen,
/// or it takes too long.
pub(crate) fn core<U: Universe>(
    known: &mut Known<'_, U>,
    wishes: &[Wish],
    premises: Vec<Premise>,
) -> Result<(Vec<Wish>, Vec<Premise>), U::Error> {
    const MOST: usize = 16;
    let mut core = named(wishes, &premises);
    let mut premises = premises;
    let mut at = core.len();
    while at > 0 && core.len() <= MOST {
        at -= 1;
        let mut less = core.clone();
        less.remove(at);
        match search(known, &aims(&less), Keep::Preferred) {
            // If the test takes too long, the wish may be needed for the proof.
            Ok(_) | Err(Ended::GivenUp) => {}
            Err(Ended::Unanswered(error)) => return Err(error),
            Err(Ended::Impossible(why)) => {
                core = named(&less, &why);
                premises = why;
                at = at.min(core.len());
            }
        }
    }
    Ok((core, premises))
}

/// Returns those of `wishes` that `premises` name; of equal ones the first.
fn named(wishes: &[Wish], premises: &[Premise]) -> Vec<Wish> {
    let is_named = |wish: &&Wish| {
        premises.iter().any(|premise| match premise {
            Premise::Leads { node: NodeId::WORKSPACE, aim, .. } => *aim == wish.aim,
            Premise::Leads { .. } | Premise::Kept(_) => false,
        })
    };
    let mut named: Vec<Wish> = Vec::new();
    for wish in wishes.iter().filter(is_named) {
        if !named.iter().any(|other| other.aim == wish.aim) {
            named.push(wish.clone());
        }
    }
    named
}

/// Returns the facts in `premises` about published packages: for each range, one fact per package that it needs.
pub(crate) fn facts<U: Universe>(
    known: &mut Known<'_, U>,
    premises: &[Premise],
) -> Result<Vec<Fact>, U::Error> {
    // By range and needed package, in the order of the proof: each release with its requirements.
    let mut found: Vec<((NodeId, PkgId, bool), Needing)> = Vec::new();
    for premise in premises {
        let Premise::Leads { node, picks, aim } = premise else { continue };
        let Some((pkg, releases)) = known.releases_of(*node, picks) else { continue };
        let Some(object) = known.pkg_of(aim.node) else { continue };
        // What nothing meets is stated separately.
        let about = (*node, object, aim.picks.is_empty());
        let at = found.iter().position(|(other, _)| *other == about);
        let at = at.unwrap_or_else(|| {
            found.push((about, Needing { pkg, releases: BTreeMap::new() }));
            found.len() - 1
        });
        for release in releases {
            let needs = known.needs(pkg, release)?;
            let meant = needs.into_iter().filter(|(_, led)| led == aim);
            let of_release = found[at].1.releases.entry(release).or_default();
            of_release.extend(meant.map(|(need, _)| need.requirement));
        }
    }
    Ok(found.into_iter().map(|((_, object, _), needing)| needing.fact(object)).collect())
}

/// Releases of a package, each with its requirements for one other package.
struct Needing {
    pkg: PkgId,
    releases: BTreeMap<usize, Vec<Requirement>>,
}

impl Needing {
    fn fact(self, object: PkgId) -> Fact {
        let releases = self.releases.keys().copied().collect();
        let mut requirements = Vec::new();
        for requirement in self.releases.into_values().flatten() {
            if !requirements.contains(&requirement) {
                requirements.push(requirement);
            }
        }
        Fact { subject: Subject::Releases(self.pkg, releases), object, requirements }
    }
}

impl Fact {
    /// Returns the package whose releases it is about, if any.
    pub(crate) fn about(&self) -> Option<PkgId> {
        match self.subject {
            Subject::Workspace(_) => None,
            Subject::Releases(pkg, _) => Some(pkg),
        }
    }
}
