//! The lock under construction, from what registries and retrievers provide.

use std::collections::{BTreeMap, BTreeSet};

use wake_model::{Lock, LockedPkg, PkgName, RelPath, Requirement};
use wake_solve::{Demand, Exact, Update};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use super::Freedom;
use super::call::retriever;
use crate::choose::{Choice, Chosen, choose};
use crate::evaluate::Evaluator;
use crate::load::{LoadResult, Loaded, OpenNeed, load};
use crate::locked::LockedPkgs;
use crate::pkg_place::PkgPlace;
use crate::registries::Reach;
use crate::resolve::Outline;
use crate::session::{Checkout, Session};

/// A lock under construction.
pub(super) struct Settling<'a> {
    pub(super) session: &'a Session,
    pub(super) checkout: &'a Checkout<'a>,
    pub(super) before: &'a Lock,
    /// What may be chosen from registries; none if the lock stays as it is.
    pub(super) choice: Option<Choice>,
    /// Exact versions for retrieved packages.
    pub(super) exact: BTreeMap<PkgName, Exact>,
    pub(super) dirs: Vec<RelPath>,
    /// Packages from registries.
    pub(super) chosen: Vec<LockedPkg>,
    /// Packages from retrievers.
    pub(super) retrieved: Vec<LockedPkg>,
    /// Requirements of retrieved packages on registries.
    pub(super) demands: Vec<Demand>,
    /// Requirements on a package that are requested together, because separately they gave two versions in one range.
    pub(super) joint: Vec<(PkgName, Vec<Requirement>)>,
    /// The retrievers that were asked, each with the key and package that named it.
    pub(super) asked: BTreeSet<(PkgPlace, String, PkgPlace)>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(
        session: &'a Session,
        checkout: &'a Checkout<'a>,
        before: &'a Lock,
        freedom: Freedom<'_>,
    ) -> Result<Settling<'a>, Failure> {
        let of_retrievers = || before.iter().filter(|pkg| !pkg.is_of_registry());
        let is_retrieved = |name: &PkgName| {
            of_retrievers().any(|pkg| pkg.name == *name)
                && before.of_registries(name).next().is_none()
        };
        let (mut choice, mut exact, mut retrieved) = (None, BTreeMap::new(), Vec::new());
        match freedom {
            Freedom::Keep => retrieved.extend(of_retrievers().cloned()),
            Freedom::Choose(asked) => {
                let Choice { update, exact: versions, now, command } = asked.clone();
                let (ours, theirs): (Vec<Exact>, Vec<Exact>) =
                    versions.into_iter().partition(|exact| is_retrieved(&exact.name));
                exact = ours.into_iter().map(|exact| (exact.name.clone(), exact)).collect();
                let stays = |pkg: &&LockedPkg| {
                    let is_let_go = match &update {
                        Update::Nothing => false,
                        Update::Only(names) => names.contains(&pkg.name),
                        Update::Everything => true,
                    };
                    !is_let_go && !exact.contains_key(&pkg.name)
                };
                retrieved.extend(of_retrievers().filter(stays).cloned());
                choice = Some(Choice { update, exact: theirs, now, command });
            }
        }
        Ok(Settling {
            session,
            checkout,
            before,
            choice,
            exact,
            dirs: session.workspace.locked_for()?,
            chosen: before.iter().filter(|pkg| pkg.is_of_registry()).cloned().collect(),
            retrieved,
            demands: Vec::new(),
            joint: Vec::new(),
            asked: BTreeSet::new(),
        })
    }

    /// Chooses packages from registries, if that is allowed; returns whether something has to be retrieved.
    pub(super) fn choose(&mut self) -> Result<bool, Failure> {
        let Some(choice) = &self.choice else { return Ok(true) };
        let Session { workspace, registries, machine, .. } = self.session;
        let evaluator = self.checkout.evaluator();
        if registries.reach() == Reach::Nothing && self.is_met_by_registries(&evaluator)? {
            return Ok(true);
        }
        let Chosen { lines, retrieves } = machine.threads().install(|| {
            choose(workspace, &evaluator, registries, self.before, choice, &self.demands)
        })?;
        self.chosen = lines;
        Ok(retrieves)
    }

    /// Returns whether the lock meets all requirements on registries.
    fn is_met_by_registries(&self, evaluator: &Evaluator<'_>) -> Result<bool, Failure> {
        let locked = LockedPkgs::settling(&self.session.registries, self.lock());
        self.load_with(&locked, evaluator)?;
        Ok(!locked.is_to_be_chosen())
    }

    pub(super) fn lock(&self) -> Lock {
        let pkgs: Lock = self.chosen.iter().chain(&self.retrieved).cloned().collect();
        pkgs.with_images(self.before.images())
    }

    /// Returns the lock, without packages that are not in `loaded`.
    pub(super) fn lock_of(&self, loaded: &Loaded) -> Lock {
        if self.choice.is_none() {
            return self.before.clone();
        }
        let stored = |place: &PkgPlace| match place {
            PkgPlace::Store(stored) => Some((stored.key.clone(), stored.tree)),
            PkgPlace::Checkout(_) => None,
        };
        let there: BTreeSet<_> = loaded.keys().filter_map(stored).collect();
        let is_used = |pkg: &&LockedPkg| there.contains(&(pkg.key(), pkg.content));
        self.chosen.iter().chain(&self.retrieved).filter(is_used).cloned().collect()
    }

    /// Loads all members with what is locked so far.
    pub(super) fn load(&self, evaluator: &Evaluator<'_>) -> Result<LoadResult, Failure> {
        let locked = LockedPkgs::settling(&self.session.registries, self.lock());
        self.load_with(&locked, evaluator)
    }

    fn load_with(
        &self,
        locked: &LockedPkgs<'_>,
        evaluator: &Evaluator<'_>,
    ) -> Result<LoadResult, Failure> {
        let Session { workspace, machine, .. } = self.session;
        let mut result =
            machine.threads().install(|| load(workspace, evaluator, locked, &self.dirs));
        let errors = result.errors();
        match errors.is_empty() {
            true => Ok(result),
            false => Err(Failure { diagnostics: errors }),
        }
    }

    /// Records the requirements of retrieved packages on registries; returns whether versions have to be chosen for them.
    pub(super) fn has_new_demands(&mut self, loaded: &Loaded) -> bool {
        let of_retrieved = loaded.values().filter(|pkg| match &pkg.place {
            PkgPlace::Store(stored) => self.retrieved.iter().any(|line| line.key() == stored.key),
            PkgPlace::Checkout(_) => false,
        });
        let demands: Vec<Demand> = of_retrieved
            .flat_map(|pkg| {
                pkg.registry_needs().map(|(_, get)| Demand {
                    by: pkg.place.label(),
                    at: None,
                    name: get.request.pkg_name(),
                    requirement: get.request.version.clone(),
                })
            })
            .collect();
        // A requirement stays once it is recorded: otherwise a version with retrieved dependencies could come and go forever.
        let known = self.demands.len();
        for demand in demands {
            if !self.demands.contains(&demand) {
                self.demands.push(demand);
            }
        }
        self.choice.is_some() && self.demands.len() > known
    }

    /// Returns the packages that are not dependencies: the root package, or without one, the members that no other member gets.
    pub(super) fn roots(&self, loaded: &Loaded) -> Vec<PkgPlace> {
        let root = PkgPlace::Checkout(RelPath::root());
        if loaded.contains_key(&root) {
            return vec![root];
        }
        let got: BTreeSet<&PkgPlace> = loaded.values().flat_map(|pkg| pkg.found.values()).collect();
        let members = self.dirs.iter().cloned().map(PkgPlace::Checkout);
        members.filter(|member| !got.contains(member)).collect()
    }

    /// Returns whether a retriever may be asked for a need: if the lock stays as it is, only for what it names.
    pub(super) fn may_ask(&self, need: &OpenNeed, outline: &Outline<'_>) -> bool {
        if self.choice.is_some() {
            return true;
        }
        let Some(get) = outline.get(&need.by, &need.key) else { return false };
        let by = retriever(need, outline);
        by.is_some_and(|by| self.before.find_retrieved(&get.request, &by.name).is_some())
    }

    /// Returns what a retriever is asked for, given `requirement`.
    pub(super) fn asked_for(&self, name: &PkgName, requirement: &Requirement) -> Requirement {
        let of_it = self.joint.iter().filter(|(other, _)| other == name);
        let joint = of_it.map(|(_, all)| all).find(|all| all.contains(requirement));
        let all = joint.map_or_else(|| vec![requirement.clone()], Clone::clone);
        let exact = self.exact.get(name).map(|exact| exact.version.exactly());
        // The exact version must meet it like any other.
        Requirement::all(all.iter().chain(&exact))
    }

    /// Adds retrieved packages to the lock. If there are now two versions in one range, both are dropped and their requirements
    /// are requested together.
    pub(super) fn take_over(
        &mut self,
        came: Vec<LockedPkg>,
        result: &LoadResult,
        outline: &Outline<'_>,
    ) {
        for line in came {
            if !self.retrieved.contains(&line) {
                self.retrieved.push(line);
            }
        }
        let mut ranges: BTreeMap<(PkgName, String), Vec<LockedPkg>> = BTreeMap::new();
        for line in &self.retrieved {
            let range = (line.name.clone(), line.version.range());
            ranges.entry(range).or_default().push(line.clone());
        }
        for ((name, _), lines) in ranges.into_iter().filter(|(_, lines)| lines.len() > 1) {
            let gets = result.loaded.values().flat_map(|pkg| {
                pkg.decl.pkgs.iter().map(|(key, _)| (pkg.place.clone(), key.clone()))
            });
            let required = gets.filter_map(|(by, key)| {
                let get = outline.get(&by, &key)?;
                retriever(&OpenNeed { by, key }, outline)?;
                let is_of_it = get.request.pkg_name() == name
                    && lines.iter().any(|line| get.request.version.matches(&line.version));
                is_of_it.then(|| get.request.version.clone())
            });
            let mut required: Vec<Requirement> = required.collect();
            required.sort_by_key(Requirement::to_string);
            required.dedup();
            let joint = (name.clone(), required);
            if joint.1.len() < 2 || self.joint.contains(&joint) {
                // Nothing else can be requested: that both are needed is reported as for any other package.
                continue;
            }
            self.joint.retain(|(other, all)| {
                *other != name || !all.iter().any(|one| joint.1.contains(one))
            });
            self.joint.push(joint);
            self.retrieved.retain(|line| !lines.contains(line));
        }
    }

    /// Checks that the same retrievers would be asked now.
    pub(super) fn check_retrievers(&self, outline: &Outline<'_>) -> Result<(), Diagnostic> {
        for (by, key, place) in &self.asked {
            let now = outline.dep(by, key);
            if let Some(other) = now.filter(|now| *now != place) {
                let (one, other) = (place.label(), other.label());
                let message = format!(
                    "{one} has retrieved packages as the global package `{key}`, but {other} now overrides it"
                );
                let diagnostic = Diagnostic::error(Class::Resolution, message)
                    .at(outline.written_at(by, key))
                    .help(format!(
                        "lower the override of {other}, or get one of them from a local path"
                    ));
                return Err(diagnostic);
            }
        }
        Ok(())
    }
}
