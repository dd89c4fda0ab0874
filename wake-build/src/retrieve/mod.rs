//! Packages that retrievers give: an exec of another package fetches them, and the lock keeps what came.
//!
//! | file | does |
//! |---|---|
//! | `protocol` | what a retriever is asked, and what it answers |
//! | `references` | what its exec refers to |
//! | `call` | all that one exec is asked for at once |
//! | `perform` | calls as steps |
//! | `take` | what was left becomes a package of the store |
//! | `waiting` | why nobody can be asked |
//!
//! Here are the rounds: what comes may need more, and what needs something new of registries has versions chosen once more.

mod protocol;
mod references;
mod call;
mod perform;
mod take;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use wake_model::{Lock, LockedPkg, PkgName, RelPath, Requirement};
use wake_solve::{Demand, Exact, Update};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::{Event, Reporter};
use wake_steps::history::History;
use wake_steps::{Batch, Cancel, Results, SchedulePolicy, clock};

use self::call::{Call, ReadyNeed, calls};
use self::perform::{CallSteps, OUT};
use self::protocol::PkgWanted;
use self::take::take;
use self::waiting::not_to_be_met;
use crate::choose::{Choice, Chosen, choose};
use crate::evaluate::Evaluator;
use crate::instance::{Instances, instantiate};
use crate::load::{LoadResult, Loaded, OpenNeed, load};
use crate::locked::LockedPkgs;
use crate::lower::Lowering;
use crate::pkg_place::PkgPlace;
use crate::plan::{PkgCommand, plan_of_commands};
use crate::registries::Reach;
use crate::resolve::{Outline, Resolution};
use crate::retriever::Retriever;
use crate::session::{Checkout, Session};

/// So often retrievers are asked for what came before needs, and versions chosen for it.
const MOST_ROUNDS: usize = 64;

/// What may become of the lock.
#[derive(Clone, Copy)]
pub(crate) enum Freedom<'a> {
    /// Versions are chosen, and retrievers asked for what is not locked.
    Choose(&'a Choice),
    /// It stays as it is: retrievers are asked for what the store does not have.
    Keep,
}

/// What somebody waits for, and hears of.
pub(crate) struct Audience<'a> {
    /// Stops it.
    pub(crate) cancel: &'a Cancel,
    /// Hears which retrievers are asked.
    pub(crate) tell: &'a mut dyn FnMut(&Event),
}

impl Session {
    /// The lock that the workspace is to have, of which `before` is the one that it has. What it names that was retrieved is in the
    /// store then. Nothing is written.
    pub(crate) fn settle(
        &self,
        checkout: &Checkout<'_>,
        before: &Lock,
        freedom: Freedom<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Lock, Failure> {
        let mut settling = Settling::new(self, checkout, before, freedom)?;
        if !settling.choose()? {
            return Ok(settling.chosen.into_iter().collect());
        }
        let (mut rounds, mut choices) = (0, 0);
        loop {
            let evaluator = checkout.evaluator();
            let result = settling.load(&evaluator)?;
            if settling.has_new_demands(&result.loaded) {
                choices += 1;
                if choices > MOST_ROUNDS {
                    return Err(unsettled(&settling.demands).into());
                }
                settling.choose()?;
                continue;
            }
            let outline = Outline::of(&result.loaded, &settling.roots(&result.loaded), &evaluator)?;
            let open: Vec<&OpenNeed> =
                result.open.iter().filter(|need| settling.may_ask(need, &outline)).collect();
            if open.is_empty() {
                settling.check_retrievers(&outline)?;
                return Ok(settling.lock_of(&result.loaded));
            }
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(endless(open[0], &outline).into());
            }
            let ready = settling.ready(&open, &outline);
            if ready.is_empty() {
                return Err(not_to_be_met(&open, &result.open, outline));
            }
            let came = settling.ask(ready, &outline, &evaluator, audience)?;
            settling.take_over(came, &result, &outline);
        }
    }
}

/// A lock that is being put together.
struct Settling<'a> {
    session: &'a Session,
    checkout: &'a Checkout<'a>,
    before: &'a Lock,
    /// What may be chosen of registries; none where the lock stays as it is.
    choice: Option<Choice>,
    /// The versions that retrieved packages are to have exactly.
    exact: BTreeMap<PkgName, Exact>,
    dirs: Vec<RelPath>,
    /// What registries give.
    chosen: Vec<LockedPkg>,
    /// What retrievers gave.
    retrieved: Vec<LockedPkg>,
    /// What retrieved packages require of registries.
    demands: Vec<Demand>,
    /// Requirements for one package that are asked for together, because apart they led to two versions of one range.
    joint: Vec<(PkgName, Vec<Requirement>)>,
    /// Who was asked, as which package's key.
    asked: BTreeSet<(PkgPlace, String, PkgPlace)>,
}

impl<'a> Settling<'a> {
    fn new(
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
                let Choice { update, exact: versions } = asked.clone();
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
                choice = Some(Choice { update, exact: theirs });
            }
        }
        Ok(Settling {
            session,
            checkout,
            before,
            choice,
            exact,
            dirs: session.workspace.members(&RelPath::root())?,
            chosen: before.iter().filter(|pkg| pkg.is_of_registry()).cloned().collect(),
            retrieved,
            demands: Vec::new(),
            joint: Vec::new(),
            asked: BTreeSet::new(),
        })
    }

    /// Chooses what registries are to give, where that is allowed; says whether there is something to be retrieved.
    fn choose(&mut self) -> Result<bool, Failure> {
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

    /// Whether what is locked is all that is required of registries.
    fn is_met_by_registries(&self, evaluator: &Evaluator<'_>) -> Result<bool, Failure> {
        let locked = LockedPkgs::settling(&self.session.registries, self.lock());
        self.load_with(&locked, evaluator)?;
        Ok(!locked.is_to_be_chosen())
    }

    fn lock(&self) -> Lock {
        let pkgs: Lock = self.chosen.iter().chain(&self.retrieved).cloned().collect();
        pkgs.with_images(self.before.images())
    }

    /// The same without what nothing in `loaded` is.
    fn lock_of(&self, loaded: &Loaded) -> Lock {
        if self.choice.is_none() {
            return self.before.clone();
        }
        let there: BTreeSet<_> = loaded.keys().filter(|place| place.dir().is_none()).collect();
        let is_used = |pkg: &&LockedPkg| {
            there.iter().any(|place| match place {
                PkgPlace::Store(stored) => stored.key == pkg.key() && stored.tree == pkg.content,
                PkgPlace::Checkout(_) => false,
            })
        };
        self.chosen.iter().chain(self.retrieved.iter().filter(is_used)).cloned().collect()
    }

    /// Loads all members with what is locked so far.
    fn load(&self, evaluator: &Evaluator<'_>) -> Result<LoadResult, Failure> {
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

    /// Takes note of what retrieved packages require of registries; says whether versions have to be chosen for that.
    fn has_new_demands(&mut self, loaded: &Loaded) -> bool {
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
        let is_new = self.choice.is_some() && demands != self.demands;
        self.demands = demands;
        is_new
    }

    /// The packages that nobody had to get: the root package, or where there is none, the members that no other one gets.
    fn roots(&self, loaded: &Loaded) -> Vec<PkgPlace> {
        let root = PkgPlace::Checkout(RelPath::root());
        if loaded.contains_key(&root) {
            return vec![root];
        }
        let got: BTreeSet<&PkgPlace> = loaded.values().flat_map(|pkg| pkg.found.values()).collect();
        let members = self.dirs.iter().cloned().map(PkgPlace::Checkout);
        members.filter(|member| !got.contains(member)).collect()
    }

    /// Whether a retriever may be asked for what is needed there: where the lock stays as it is, only for what it names.
    fn may_ask(&self, need: &OpenNeed, outline: &Outline<'_>) -> bool {
        if self.choice.is_some() {
            return true;
        }
        let Some(get) = outline.get(&need.by, &need.key) else { return false };
        let by = retriever(need, outline);
        by.is_some_and(|by| self.before.find_retrieved(&get.request, &by.name).is_some())
    }

    /// Those of `open` whose retrievers have all that they need themselves.
    fn ready(&self, open: &[&OpenNeed], outline: &Outline<'_>) -> Vec<ReadyNeed> {
        let waiting: BTreeSet<&PkgPlace> = open.iter().map(|need| &need.by).collect();
        let lock = self.lock();
        let ready = |need: &&OpenNeed| {
            let get = outline.get(&need.by, &need.key)?;
            let by = retriever(need, outline)?;
            let place = outline.dep(&need.by, &by.key)?.clone();
            if !outline.reach(&place).is_disjoint(&waiting) {
                return None;
            }
            let name = get.request.pkg_name();
            let requirement = self.asked_for(&name, &get.request.version);
            let locked = lock.find_retrieved(&get.request, &by.name);
            let locked = locked.map(|pkg| (pkg.version.clone(), pkg.content));
            let wanted = PkgWanted { name, requirement, locked };
            Some(ReadyNeed { need: (*need).clone(), by, place, wanted })
        };
        open.iter().filter_map(ready).collect()
    }

    /// What a retriever is asked for where `requirement` is required.
    fn asked_for(&self, name: &PkgName, requirement: &Requirement) -> Requirement {
        let of_it = self.joint.iter().filter(|(other, _)| other == name);
        let joint = of_it.map(|(_, all)| all).find(|all| all.contains(requirement));
        let all = joint.map_or_else(|| vec![requirement.clone()], Clone::clone);
        let exact = self.exact.get(name).map(|exact| exact.version.exactly());
        // Once it is there, it meets them like any other.
        Requirement::all(all.iter().chain(&exact))
    }

    /// Asks retrievers for what is ready, and takes what they give.
    fn ask(
        &mut self,
        ready: Vec<ReadyNeed>,
        outline: &Outline<'_>,
        evaluator: &Evaluator<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockedPkg>, Failure> {
        let Session { machine, .. } = self.session;
        let reached = ready.iter().flat_map(|need| outline.reach(&need.place)).collect();
        let Resolution { pkgs, order, .. } = outline.resolved(&reached);
        let instances = machine.threads().install(|| instantiate(&order, pkgs, evaluator))?;
        for ReadyNeed { need, by, place, .. } in &ready {
            self.asked.insert((need.by.clone(), by.key.clone(), place.clone()));
        }
        let calls = calls(ready, outline, &instances)?;
        for call in &calls {
            self.check_network(call, outline)?;
        }
        self.perform(&calls, &instances, outline, evaluator, audience)
    }

    /// Whether a call may do what it says that it does.
    fn check_network(&self, call: &Call, outline: &Outline<'_>) -> Result<(), Diagnostic> {
        if !call.uses_network() {
            return Ok(());
        }
        let label = call.label();
        if !outline.may_reach_network(&call.retriever) {
            let message = format!("{label} asks for the network without permission");
            let mut diagnostic =
                Diagnostic::error(Class::Resolution, message).at(call.written_at(outline));
            for (who, at) in outline.missing_grants(&call.retriever) {
                let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
                let help = format!("grant it where {who} gets it{at}: `permissions=['network']`");
                diagnostic = diagnostic.help(help);
            }
            return Err(diagnostic);
        }
        if self.session.registries.reach() == Reach::Nothing {
            let message =
                format!("{label} asks for the network, and `--offline` asks no other machine");
            let asked = call.asked.iter().map(|asked| &asked.wanted);
            let diagnostic =
                Diagnostic::error(Class::Network, message).at(call.written_at(outline));
            return Err(asked.fold(diagnostic, |all, wanted| {
                all.note(format!("the store does not have {} {}", wanted.name, wanted.requirement))
            }));
        }
        Ok(())
    }

    fn perform(
        &self,
        calls: &[Call],
        instances: &Instances,
        outline: &Outline<'_>,
        evaluator: &Evaluator<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockedPkg>, Failure> {
        let machine = &self.session.machine;
        let _span = machine.profile().stage("retrieve packages");
        let started = clock::now();
        let command = |call: &Call| PkgCommand {
            pkg: call.key.clone(),
            label: call.label(),
            name: "retrieve",
            exec: call.with_requests(),
            outputs: serde_json::json!({
                "pkgs": { "type": "file", "path": format!("./{OUT}/"), "from": null, "dump": false },
            }),
        };
        let commands = calls.iter().map(command).collect();
        let plan = plan_of_commands(commands, instances, evaluator)
            .map_err(|error| Diagnostic::error(Class::Internal, format!("a retriever: {error}")))?;
        let places: Vec<_> = calls.iter().map(|call| call.written_at(outline)).collect();
        // An image that a retriever runs in is locked beforehand, or named with its digest.
        let locked = LockedPkgs::settling(&self.session.registries, self.lock()).unchanging();
        let lowering = Lowering::new(&plan, instances, evaluator, machine.store(), &locked);
        let steps = CallSteps::new(&lowering, calls, &places, machine.store());
        for call in calls {
            let (by, pkgs) = (call.retriever.label(), call.asked.len());
            (audience.tell)(&Event::Retrieving { by, pkgs });
        }
        let results = Results::new(calls.len());
        let work = Batch {
            steps: &steps,
            results: &results,
            sources: &self.checkout.files,
            history: &History::default(),
            rules: SchedulePolicy::default(),
            cancel: audience.cancel,
            started,
        };
        machine.perform(&work, &mut Unheard);
        let (mut taken, mut errors) = (Vec::new(), Vec::new());
        for (call, ended) in calls.iter().zip(steps.into_ended()) {
            match ended {
                Some(Ok(left)) => match take(call, &left, outline, evaluator) {
                    Ok(locked) => taken.extend(locked),
                    Err(failure) => errors.extend(failure.diagnostics),
                },
                Some(Err(error)) => errors.push(*error),
                // Another one has failed.
                None => {}
            }
        }
        if audience.cancel.is_cancelled() {
            let message = "stopped while packages were retrieved";
            return Err(Diagnostic::error(Class::Interrupted, message).into());
        }
        match errors.is_empty() {
            true => Ok(taken),
            false => Err(Failure { diagnostics: errors }),
        }
    }

    /// Adds what came to the lock. Where that has two versions of one range now, both are let go, and what is required of them is
    /// asked for together.
    fn take_over(&mut self, came: Vec<LockedPkg>, result: &LoadResult, outline: &Outline<'_>) {
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
                // Nothing else can be asked for: that both are needed is told as for any other package.
                continue;
            }
            self.joint.retain(|(other, all)| {
                *other != name || !all.iter().any(|one| joint.1.contains(one))
            });
            self.joint.push(joint);
            self.retrieved.retain(|line| !lines.contains(line));
        }
    }

    /// Whether those that were asked are those that would be asked now.
    fn check_retrievers(&self, outline: &Outline<'_>) -> Result<(), Diagnostic> {
        for (by, key, place) in &self.asked {
            let now = outline.dep(by, key);
            if let Some(other) = now.filter(|now| *now != place) {
                let (one, other) = (place.label(), other.label());
                let message = format!(
                    "{one} has retrieved packages as the global package `{key}`, and {other} overrides it since"
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

/// Whose exec meets a need.
fn retriever(need: &OpenNeed, outline: &Outline<'_>) -> Option<Retriever> {
    let pkg = outline.pkg(&need.by)?;
    match &outline.get(&need.by, &need.key)?.from {
        wake_model::PkgSource::Retriever(exec) => Retriever::of(exec, &pkg.decl.pkgs).ok(),
        _ => None,
    }
}

/// Says that what retrieved packages require has versions chosen that need other retrieved packages, and so on.
fn unsettled(demands: &[Demand]) -> Diagnostic {
    let message = format!(
        "after {MOST_ROUNDS} times no versions are found that retrieved packages and published ones agree on"
    );
    let wanted = demands.iter().map(|it| format!("{} needs {} {}", it.by, it.name, it.requirement));
    wanted
        .fold(Diagnostic::error(Class::Resolution, message), Diagnostic::note)
        .help("a published version has something retrieved that rules that version out: ask for another one")
}

fn endless(need: &OpenNeed, outline: &Outline<'_>) -> Diagnostic {
    let wanted = outline.get(&need.by, &need.key).map(|get| get.request.pkg_name().to_string());
    let message = format!(
        "after {MOST_ROUNDS} rounds of retrievers there is still something to retrieve: {}",
        wanted.unwrap_or_default()
    );
    Diagnostic::error(Class::Resolution, message)
        .at(outline.written_at(&need.by, &need.key))
        .help("each round asks for what the packages of the one before need: does one of them need ever new ones?")
}

/// Calls are no steps of a build: whoever waits is told of them otherwise.
struct Unheard;

impl Reporter for Unheard {
    fn event(&mut self, _event: &Event) {}
}
