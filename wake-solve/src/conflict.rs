//! Explains requirements that cannot be met together, and offers help.

use std::collections::{BTreeSet, VecDeque};
use std::slice;

use wake_model::Requirement;

use crate::known::{Known, Pkg, PkgId};
use crate::proof::{Fact, Subject, core, facts};
use crate::prose::{asked, list, refused, versions, wanted};
use crate::search::Premise;
use crate::task::{Fault, Task, Wanted};
use crate::universe::Universe;
use crate::wishes::{Said, Wish, other_requirement};

/// The maximum number of lines in a proof; further ones are only counted.
const MOST_LINES: usize = 24;

/// The maximum number of alternative requirements to look for and offer.
const MOST_OFFERS: usize = 3;

/// Explains why `wishes` cannot all be met, as follows from `premises`.
pub(crate) fn explain<U: Universe>(
    known: &mut Known<'_, U>,
    task: &Task<'_>,
    wishes: &[Wish],
    premises: Vec<Premise>,
) -> Result<Fault, U::Error> {
    let (core, premises) = core(known, wishes, premises)?;
    let facts = facts(known, &premises)?;
    let shown = shown(&core, &facts);
    let help = offers(known, task, wishes, &core, shown)?;
    let proof = Proof { known, task, core: &core, facts, shown };
    let mut fault = Fault {
        message: "no versions fit together".to_owned(),
        demand: shown.and_then(|wish| core[wish].wanted.demand()),
        label: shown.map(|wish| proof.label(wish)),
        notes: proof.lines(),
        help,
    };
    proof.passed_over(&mut fault);
    if fault.help.is_empty() {
        let help = "change or remove one of these requirements";
        fault.help.push(help.to_owned());
    }
    Ok(fault)
}

/// Returns the wish at whose place the error is shown: if possible, a demand for a package that no fact is about.
fn shown(core: &[Wish], facts: &[Fact]) -> Option<usize> {
    let is_demand = |wish: &Wish| wish.wanted.demand().is_some();
    let is_last = |wish: &Wish| facts.iter().all(|fact| fact.about() != Some(wish.pkg));
    let last = core.iter().position(|wish| is_demand(wish) && is_last(wish));
    last.or_else(|| core.iter().position(is_demand))
}

/// Returns the requirements that could be used instead; the one for the shown place comes last.
fn offers<U: Universe>(
    known: &mut Known<'_, U>,
    task: &Task<'_>,
    wishes: &[Wish],
    core: &[Wish],
    shown: Option<usize>,
) -> Result<Vec<String>, U::Error> {
    let last = |number: &usize| Some(*number) == shown;
    let mut order: Vec<usize> = (0..core.len()).filter(|number| !last(number)).collect();
    order.truncate(MOST_OFFERS);
    order.extend(shown);
    let mut offers = Vec::new();
    for number in order {
        let Wanted::Demand(demand) = core[number].wanted else { continue };
        let is_other = |wish: &&Wish| wish.wanted != core[number].wanted;
        let here = Some(number) == shown;
        // There may be another, unrelated conflict.
        for (wishes, others) in [(wishes, "everything else"), (core, "the requirements above")] {
            let rest: Vec<Wish> = wishes.iter().filter(is_other).cloned().collect();
            let said = Said { others, here };
            let offer = other_requirement(known, task, demand, &rest, said)?;
            if offer.is_some() {
                offers.extend(offer);
                break;
            }
        }
    }
    Ok(offers)
}

struct Proof<'a, 'u, U> {
    known: &'a Known<'u, U>,
    task: &'a Task<'a>,
    core: &'a [Wish],
    facts: Vec<Fact>,
    shown: Option<usize>,
}

impl<U: Universe> Proof<'_, '_, U> {
    /// Returns the label below the caret.
    fn label(&self, wish: usize) -> String {
        let wish = &self.core[wish];
        let pkg = self.known.pkg(wish.pkg);
        format!("{}: {}", pkg.name, versions(pkg, &self.meant(wish)))
    }

    /// Returns the releases that a wish selects.
    fn meant(&self, wish: &Wish) -> Vec<usize> {
        match wish.wanted {
            Wanted::Demand(number) => {
                let requirement = &self.task.demands[number].requirement;
                let pkg = self.known.pkg(wish.pkg);
                pkg.matching(requirement).collect()
            }
            Wanted::Exact(_) => {
                let meant = self.known.releases_of(wish.aim.node, &wish.aim.picks);
                meant.map(|(_, releases)| releases).unwrap_or_default()
            }
        }
    }

    /// Returns the lines of the proof: every fact except the shown one, from the conflict back to the wishes of the
    /// workspace, and the conclusion.
    fn lines(&self) -> Vec<String> {
        let ordered = self.ordered();
        let said = ordered.len().min(MOST_LINES);
        let mut lines = Vec::new();
        let mut explained: BTreeSet<(PkgId, usize)> = BTreeSet::new();
        for fact in &ordered[..said] {
            let begin = if lines.is_empty() { "because" } else { "and" };
            lines.push(format!("{begin} {}", self.sentence(fact, &explained)));
            if let Subject::Releases(pkg, releases) = &fact.subject {
                explained.extend(releases.iter().map(|&release| (*pkg, release)));
            }
        }
        if ordered.len() > said {
            lines.push(format!("and {} more such requirements", ordered.len() - said));
        }
        if let Some(last) = lines.last_mut() {
            last.push(',');
        }
        lines.push(self.conclusion());
        lines
    }

    /// Returns the facts in the order in which they are stated.
    fn ordered(&self) -> Vec<Fact> {
        let wish = |number: usize| Fact {
            subject: Subject::Workspace(number),
            object: self.core[number].pkg,
            requirements: Vec::new(),
        };
        let wishes = (0..self.core.len()).filter(|number| Some(*number) != self.shown).map(wish);
        let mut left: Vec<Fact> = self.facts.iter().cloned().chain(wishes).collect();
        let is_subject = |pkg: PkgId| self.facts.iter().any(|fact| fact.about() == Some(pkg));
        let shown = self.shown.map(|number| self.core[number].pkg);
        let objects = shown.into_iter().chain(left.iter().map(|fact| fact.object));
        let mut open: VecDeque<PkgId> = objects.filter(|pkg| !is_subject(*pkg)).collect();
        let mut ordered: Vec<Fact> = Vec::new();
        while !left.is_empty() {
            let object = open.pop_front().unwrap_or(left[0].object);
            let (next, rest) = left.into_iter().partition(|fact| fact.object == object);
            left = rest;
            let next: Vec<Fact> = next;
            open.extend(next.iter().filter_map(Fact::about));
            ordered.extend(next);
        }
        ordered
    }

    /// States a fact; `explained` contains the releases that earlier sentences were about.
    fn sentence(&self, fact: &Fact, explained: &BTreeSet<(PkgId, usize)>) -> String {
        let object = self.known.pkg(fact.object);
        let (said, meant) = match &fact.subject {
            Subject::Workspace(number) => {
                let wish = &self.core[*number];
                (asked(self.task, wish.wanted), self.meant(wish))
            }
            Subject::Releases(id, releases) => {
                let pkg = self.known.pkg(*id);
                let subject = format!("{} {}", pkg.name, versions(pkg, releases));
                let meant: BTreeSet<usize> =
                    fact.requirements.iter().flat_map(|one| object.matching(one)).collect();
                let needed = self.needed(fact, object);
                (format!("{subject} {needed}"), meant.into_iter().collect())
            }
        };
        match self.no_more(fact, object, &meant) {
            Some(why) => format!("{said}, {why}"),
            None => match self.covered(fact, object, &meant, explained) {
                Some(which) => format!("{said}, {which}"),
                None => said,
            },
        }
    }

    /// Says why nothing meets the requirement of a fact, if so.
    fn no_more(&self, fact: &Fact, object: &Pkg, meant: &[usize]) -> Option<&'static str> {
        let is_meant = |release: usize| {
            let version = &object.releases[release].version;
            fact.requirements.iter().any(|one| one.matches(version))
        };
        if meant.is_empty() {
            return Some(match object.exists {
                false => "which does not exist",
                true if refused(object, is_meant).next().is_some() => {
                    "of which no version may be used"
                }
                true => "of which there is no version",
            });
        }
        let Subject::Releases(pkg, releases) = &fact.subject else { return None };
        let range = |release: &usize| object.releases[*release].version.range();
        let ranges = || releases.iter().chain(meant).map(range).collect::<BTreeSet<_>>();
        (*pkg == fact.object && ranges().len() == 1).then_some("another version of the same range")
    }

    /// Relates the versions that a fact requires to those in `explained`, if other facts are about that package.
    fn covered(
        &self,
        fact: &Fact,
        object: &Pkg,
        meant: &[usize],
        explained: &BTreeSet<(PkgId, usize)>,
    ) -> Option<String> {
        let is_subject = self.facts.iter().any(|other| other.about() == Some(fact.object));
        // The version of an exact wish has already been stated.
        let is_exact = matches!(fact.subject, Subject::Workspace(number) if self.is_exact(number));
        if !is_subject || is_exact {
            return None;
        }
        let is_explained = |release: &usize| explained.contains(&(fact.object, *release));
        Some(match meant.iter().all(is_explained) {
            false => format!("which is {}", versions(object, meant)),
            true if meant.len() == 1 => "of which this is the only one".to_owned(),
            true => "of which these are all".to_owned(),
        })
    }

    fn is_exact(&self, wish: usize) -> bool {
        self.core[wish].wanted.demand().is_none()
    }

    /// States what releases need: `needs acme/tls ^1.4`, or `each needs one of acme/tls ^1.4, ^1.5`.
    fn needed(&self, fact: &Fact, object: &Pkg) -> String {
        const SHOWN: usize = 3;
        let name = &object.name;
        if let [only] = fact.requirements.as_slice() {
            return format!("needs {name} {only}");
        }
        let mut texts: Vec<String> =
            fact.requirements.iter().take(SHOWN).map(|one| one.to_string()).collect();
        let more = fact.requirements.len().saturating_sub(SHOWN);
        texts.extend((more > 0).then(|| format!("{more} more")));
        format!("each needs one of {name} {}", texts.join(", "))
    }

    /// States which of the workspace's requirements cannot be met.
    fn conclusion(&self) -> String {
        let others = (0..self.core.len()).filter(|number| Some(*number) != self.shown);
        let order: Vec<usize> = others.chain(self.shown).collect();
        let all = order.iter().map(|&number| wanted(self.task, self.core[number].wanted));
        let all: Vec<_> = all.collect();
        let texts: BTreeSet<&String> = all.iter().map(|(_, text)| text).collect();
        let said = all.iter().map(|(name, text)| match texts.len() == all.len() {
            true => format!("`{text}`"),
            false => format!("`{name} {text}`"),
        });
        let said: Vec<String> = said.collect();
        match said.len() {
            0 | 1 => format!("{} cannot be met", list(&said)),
            2 => format!("{} cannot both be met", list(&said)),
            _ => format!("{} cannot all be met", list(&said)),
        }
    }

    /// Adds releases that would have met every fact about their package if they were allowed.
    fn passed_over(&self, fault: &mut Fault) {
        const SHOWN: usize = 4;
        let of_wish = |wish: &'_ Wish| match wish.wanted {
            Wanted::Demand(number) => {
                Some((wish.pkg, slice::from_ref(&self.task.demands[number].requirement)))
            }
            Wanted::Exact(_) => None,
        };
        let of_facts = self.facts.iter().map(|fact| (fact.object, fact.requirements.as_slice()));
        let all: Vec<(PkgId, &[Requirement])> =
            self.core.iter().filter_map(of_wish).chain(of_facts).collect();
        let pkgs: BTreeSet<PkgId> = all.iter().map(|(pkg, _)| *pkg).collect();
        for id in pkgs {
            let pkg = self.known.pkg(id);
            let would_do = |release: usize| {
                let matches = |one: &Requirement| one.matches(&pkg.releases[release].version);
                let mut about = all.iter().filter(|(other, _)| *other == id);
                about.all(|(_, requirements)| requirements.iter().any(matches))
            };
            for (release, because, help) in refused(pkg, would_do).take(SHOWN) {
                let version = &pkg.releases[release].version;
                fault.notes.push(format!("{} {version} is {because}", pkg.name));
                let new = help.filter(|help| !fault.help.iter().any(|other| other == help));
                fault.help.extend(new.map(str::to_owned));
            }
        }
    }
}
