//! Choosing versions: what the packages of a workspace require, among what registries have.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wake_eval::{API_VERSION, NoAnswers, Op};
use wake_model::lock::LockSource;
use wake_model::release::NeedSource;
use wake_model::{
    GetPkg, LOCK_FILE, Lock, LockedPkg, Name, PkgName, PkgSource, RelPath, Requirement, Version,
};
use wake_registry::{Listed, PkgLog, Registry};
use wake_solve::{
    Demand, Exact, Fault, MOST_STEPS, Need, Release, Standing, Task, Universe, Unsolved, Update,
};
use wake_steps::clock;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Place};
use wake_store::Store;

use crate::evaluate::Evaluator;
use crate::load::{Loaded, LoadedPkg, load};
use crate::locked::LockedPkgs;
use crate::pkg_place::PkgPlace;
use crate::registries::{Reach, Registries, registry_failure};
use crate::settings::Overrides;
use crate::workspace::{WORKSPACE_FILE, Workspace};

/// What is chosen anew.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Which lines of the lock are let go.
    pub update: Update,
    /// Which packages are to have a certain version.
    pub exact: Vec<Exact>,
    /// Of which packages a version may be as young as it is.
    pub now: Vec<PkgName>,
    /// The command that takes versions however young they are: `wake update` with `--now`.
    pub command: &'static str,
}

impl Choice {
    /// What has to be, and no more.
    pub(crate) const NECESSARY: Choice =
        Choice { update: Update::Nothing, exact: Vec::new(), now: Vec::new(), command: "update" };
}

/// What was chosen.
pub(crate) struct Chosen {
    /// The lines of what registries give.
    pub lines: Vec<LockedPkg>,
    /// Whether something among it, or of the workspace, has others retrieved.
    pub retrieves: bool,
}

/// What registries are to give the workspace, of which `before` is the lock that it has.
///
/// It is what all members require, whatever is built, and `more`. Nothing is written.
pub(crate) fn choose(
    workspace: &Workspace,
    evaluator: &Evaluator,
    registries: &Registries,
    before: &Lock,
    choice: &Choice,
    more: &[Demand],
) -> Result<Chosen, Failure> {
    let dirs = workspace.locked_for()?;
    let open = LockedPkgs::left_open(registries);
    let mut result = load(workspace, evaluator, &open, &dirs);
    let errors = result.errors();
    if !errors.is_empty() {
        return Err(Failure { diagnostics: errors });
    }
    let mut gets = result.loaded.values().flat_map(|pkg| pkg.decl.pkgs.values());
    let mut retrieves = gets.any(|get| matches!(get.from, PkgSource::Retriever(_)));
    let overriding = Overriding::of(workspace, &result.loaded);
    let required = Required::of(&result.loaded, &overriding);
    let is_asked = |demand: &&Demand| overriding.of_name(&demand.name).is_none();
    let more: Vec<Demand> = more.iter().filter(is_asked).cloned().collect();
    if required.0.is_empty() && more.is_empty() {
        return Ok(Chosen { lines: Vec::new(), retrieves });
    }
    required.check_namespaces(registries, evaluator)?;
    if registries.reach() == Reach::Nothing {
        let message = "versions have to be chosen, and `--offline` asks no registry";
        return Err(Diagnostic::error(Class::Network, message).into());
    }
    let answers = Mutex::default();
    let age = Age::of(workspace, &choice.now, choice.command);
    let kept = overriding.without(before);
    let before = &kept;
    let published =
        Published { registries, store: evaluator.store, before, age, answers, overriding };
    let all = |places| [required.demands(places), more.clone()].concat();
    let demands = all(None);
    let solve = |demands: &[Demand]| {
        let Choice { update, exact, .. } = choice.clone();
        let (exact, steps) = (&exact, MOST_STEPS);
        wake_solve::solve(&Task { demands, lock: before, update, exact, steps }, &published)
    };
    let chosen = match solve(&demands) {
        Ok(chosen) => chosen,
        Err(Unsolved::Unanswered(error)) => return Err((*error).into()),
        // To say where each requirement stands costs an evaluation, which only a person needs.
        Err(Unsolved::Faults(_)) => {
            let places = required.places(evaluator);
            return Err(match solve(&all(Some(&places))) {
                Err(Unsolved::Faults(faults)) => {
                    let told = |fault: Fault| {
                        let unknown = fault.demand.and_then(|number| demands.get(number));
                        let asked =
                            unknown.and_then(|demand| published.asked_in_vain(&demand.name));
                        let diagnostic = published.overriding.named_in(told(fault, &places));
                        asked.into_iter().fold(diagnostic, Diagnostic::note)
                    };
                    Failure { diagnostics: faults.into_iter().map(told).collect() }
                }
                Err(Unsolved::Unanswered(error)) => (*error).into(),
                Ok(_) => Diagnostic::error(Class::Internal, "two answers to one question").into(),
            });
        }
    };
    let mut lines = Vec::new();
    for chosen in chosen {
        if published.overriding.of_name(&chosen.name).is_some() {
            continue;
        }
        let (registry, log) = published.log(&chosen.name).map_err(|error| Failure::from(*error))?;
        let Some(listed) = log.get(&chosen.version) else { continue };
        let mut needs = listed.release.pkgs.values();
        retrieves |= needs.any(|need| need.from == NeedSource::Retriever);
        lines.push(LockedPkg {
            name: chosen.name,
            version: chosen.version,
            source: LockSource::Registry(registry.name().clone()),
            content: listed.release.content,
        });
    }
    Ok(Chosen { lines, retrieves })
}

/// The highest version of a published package that is `wanted` and may be chosen now, a pre-release only where there is nothing else;
/// none where there is no such package. Those in `free` may be as young as they are.
pub(crate) fn newest_usable(
    workspace: &Workspace,
    registries: &Registries,
    store: &Store,
    (name, wanted): (&PkgName, Option<&Requirement>),
    free: &[PkgName],
) -> Result<Option<Version>, Failure> {
    let (before, answers) = (Lock::default(), Mutex::default());
    let overrides = &workspace.settings.overrides;
    let overriding = Overriding { overrides, versions: BTreeMap::new() };
    let age = Age::of(workspace, free, "add");
    let published = Published { registries, store, before: &before, age, answers, overriding };
    let releases = published.releases(name).map_err(|error| Failure::from(*error))?;
    let Some(mut releases) = releases else { return Ok(None) };
    releases.sort_by(|one, other| other.version.cmp(&one.version));
    let versions: Vec<String> =
        releases.iter().map(|release| release.version.to_string()).collect();
    releases.retain(|release| wanted.is_none_or(|wanted| wanted.matches(&release.version)));
    if let (Some(wanted), true) = (wanted, releases.is_empty()) {
        let message = format!("no version of {name} matches {wanted}");
        let note = format!("available versions: {}", versions.join(", "));
        return Err(Diagnostic::error(Class::Resolution, message).note(note).into());
    }
    let usable = || releases.iter().filter(|release| release.standing == Standing::Usable);
    let plain = usable().find(|release| !release.version.to_string().contains('-'));
    match plain.or_else(|| usable().next()) {
        Some(release) => Ok(Some(release.version.clone())),
        None => Err(none_usable(name, &releases).into()),
    }
}

/// Says why no version of a package may be chosen: of the newest ones.
fn none_usable(name: &PkgName, releases: &[Release]) -> Diagnostic {
    /// Whoever wants to know of more asks `wake info`.
    const SHOWN: usize = 5;
    let message = format!("no version of {name} may be chosen now");
    let mut diagnostic = Diagnostic::error(Class::Resolution, message);
    let mut helps = Vec::new();
    for Release { version, standing, .. } in releases.iter().take(SHOWN) {
        let because = match standing {
            Standing::Usable => continue,
            Standing::OnlyLocked { because } => because,
            Standing::Unusable { because, help } => {
                helps.extend(help.clone());
                because
            }
        };
        diagnostic = diagnostic.note(format!("{version} is {because}"));
    }
    helps.dedup();
    let more = releases.len().saturating_sub(SHOWN);
    if more > 0 {
        diagnostic = diagnostic.note(format!("{more} more"));
    }
    helps.into_iter().fold(diagnostic, Diagnostic::help)
}

/// What is wrong, where it is written.
fn told(fault: Fault, places: &[Option<Place>]) -> Diagnostic {
    let Fault { message, demand, label, notes, help } = fault;
    let place = demand.and_then(|number| places.get(number)?.clone());
    let place = place.map(|place| Place { label: label.or(place.label.clone()), ..place });
    let diagnostic = Diagnostic::error(Class::Resolution, message).at(place);
    let diagnostic = notes.into_iter().fold(diagnostic, Diagnostic::note);
    help.into_iter().fold(diagnostic, Diagnostic::help)
}

/// The packages of the workspace that stand in for published ones: as if registries had these alone.
struct Overriding<'a> {
    overrides: &'a Overrides,
    versions: BTreeMap<&'a PkgName, Version>,
}

impl<'a> Overriding<'a> {
    fn of(workspace: &'a Workspace, loaded: &'a Loaded) -> Overriding<'a> {
        let overrides = &workspace.settings.overrides;
        let version = |(name, dir): (&'a PkgName, &RelPath)| {
            let pkg = loaded.get(&PkgPlace::Checkout(dir.clone()))?;
            Some((name, pkg.decl.info.version.clone()))
        };
        Overriding { overrides, versions: overrides.iter().filter_map(version).collect() }
    }

    /// The version of what stands in for the package of this name.
    fn of_name(&self, name: &PkgName) -> Option<&Version> {
        self.versions.get(name)
    }

    /// The lock without lines of what nobody asks a registry for.
    fn without(&self, lock: &Lock) -> Lock {
        lock.iter().filter(|pkg| self.of_name(&pkg.name).is_none()).cloned().collect()
    }

    /// Says where the packages that a message names come from, if not from a registry.
    fn named_in(&self, diagnostic: Diagnostic) -> Diagnostic {
        let texts = diagnostic.notes.iter().chain([&diagnostic.message]);
        let texts: Vec<String> = texts.cloned().collect();
        let is_named = |name: &PkgName| {
            let name = name.to_string();
            texts.iter().any(|text| text.split([' ', ',']).any(|word| word == name))
        };
        let named = self.versions.iter().filter(|(name, _)| is_named(name));
        named.fold(diagnostic, |diagnostic, (name, version)| {
            let Some(instead) = self.overrides.of(name) else { return diagnostic };
            diagnostic.note(format!(
                "//{} {version} stands in for {name}: {}",
                instead.dir.as_str(),
                instead.name_at
            ))
        })
    }
}

/// Every requirement for a registry in packages of the workspace, with the package and its key there.
struct Required<'a>(Vec<(&'a LoadedPkg, &'a str)>);

impl<'a> Required<'a> {
    fn of(loaded: &'a Loaded, overriding: &Overriding<'_>) -> Required<'a> {
        let is_asked = |get: &GetPkg| {
            get.from == PkgSource::Registry && overriding.of_name(&get.request.pkg_name()).is_none()
        };
        let of_pkg = |pkg: &'a LoadedPkg| {
            let gets = pkg.decl.pkgs.iter();
            let gets = gets.filter(|(_, get)| is_asked(get));
            gets.map(move |(key, _)| (pkg, key.as_str()))
        };
        Required(loaded.values().flat_map(of_pkg).collect())
    }

    fn demands(&self, places: Option<&[Option<Place>]>) -> Vec<Demand> {
        let demand = |(number, (pkg, key)): (usize, &(&LoadedPkg, &str))| {
            let request = &pkg.decl.pkgs.get(*key)?.request;
            let place = places.and_then(|places| places.get(number)?.as_ref());
            Some(Demand {
                by: pkg.place.label(),
                at: place.map(Place::to_string),
                name: request.pkg_name(),
                requirement: request.version.clone(),
            })
        };
        self.0.iter().enumerate().filter_map(demand).collect()
    }

    fn places(&self, evaluator: &Evaluator) -> Vec<Option<Place>> {
        self.0.iter().map(|(pkg, key)| place_of(pkg, key, evaluator)).collect()
    }

    /// Whether each has a registry that may have it.
    fn check_namespaces(
        &self,
        registries: &Registries,
        evaluator: &Evaluator,
    ) -> Result<(), Diagnostic> {
        for (pkg, key) in &self.0 {
            let Some(get) = pkg.decl.pkgs.get(*key) else { continue };
            if registries.of(get.request.namespace.as_ref()).is_none() {
                let none = registries.none_for(&get.request.pkg_name());
                return Err(none.at(place_of(pkg, key, evaluator)));
            }
        }
        Ok(())
    }
}

fn place_of(pkg: &LoadedPkg, key: &str, evaluator: &Evaluator) -> Option<Place> {
    evaluator.locate(&pkg.place, &Op::Pkg, &pkg.declared_pkg(key), &NoAnswers)
}

/// What registries have, as far as the lock lets one believe it.
struct Published<'a> {
    registries: &'a Registries,
    store: &'a Store,
    before: &'a Lock,
    /// How old versions have to be.
    age: Option<Age<'a>>,
    /// What was asked for before, and what came: also that nothing came is not asked again.
    answers: Mutex<HashMap<PkgName, Answer>>,
    /// What stands in for some of it.
    overriding: Overriding<'a>,
}

/// How old versions have to be to be chosen anew.
struct Age<'a> {
    /// Seconds.
    least: u64,
    /// Seconds since 1970.
    now: u64,
    /// Of which packages it does not matter.
    free: &'a [PkgName],
    /// The command after which that is said.
    command: &'static str,
}

impl<'a> Age<'a> {
    /// What the settings demand, but of the packages in `free`; none where they do not.
    fn of(workspace: &Workspace, free: &'a [PkgName], command: &'static str) -> Option<Age<'a>> {
        let least = workspace.settings.min_age?.as_secs();
        Some(Age { least, now: clock::unix_ms() / 1000, free, command })
    }
}

/// The log of a package, with the registry that has it.
type Answer = Result<(Arc<Registry>, Arc<PkgLog>), Box<Diagnostic>>;

impl Published<'_> {
    /// A version that is too young is not chosen anew. When it was published not every registry says.
    fn of_age(&self, name: &PkgName, listed: &Listed, release: Release) -> Release {
        let Some(age) = self.age.as_ref().filter(|age| !age.free.contains(name)) else {
            return release;
        };
        let is_young = listed.at > 0 && listed.at.saturating_add(age.least) > age.now;
        let is_locked =
            || self.before.of_registries(name).any(|locked| locked.version == release.version);
        if !is_young || release.standing != Standing::Usable || is_locked() {
            return release;
        }
        let command = age.command;
        let because = format!(
            "too young for `min-age` of `{WORKSPACE_FILE}`; `wake {command} --now {name}` takes it all the same"
        );
        Release { standing: Standing::OnlyLocked { because }, ..release }
    }

    fn log(&self, name: &PkgName) -> Answer {
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers().get(name) {
            return answer.clone();
        }
        let answer = self.ask(name);
        answers().insert(name.clone(), answer.clone());
        answer
    }

    /// Says which registry was asked for a package that it does not have.
    fn asked_in_vain(&self, name: &PkgName) -> Option<String> {
        let (registry, log) = self.log(name).ok()?;
        let namespace = name.namespace.as_ref().map_or("", Name::as_str);
        log.is_empty().then(|| {
            let called = registry.name();
            format!("`[namespaces]` has packages of `{namespace}` from `{called}`, and no other registry is asked")
        })
    }

    fn ask(&self, name: &PkgName) -> Answer {
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        let log = registry.log(name, self.store, self.registries.meter());
        let log = log.map_err(registry_failure)?;
        self.check(name, &registry, &log)?;
        Ok((registry, log))
    }

    /// The lock is the second witness of what a registry had.
    fn check(
        &self,
        name: &PkgName,
        registry: &Registry,
        log: &PkgLog,
    ) -> Result<(), Box<Diagnostic>> {
        let of_it = |pkg: &&LockedPkg| pkg.source == LockSource::Registry(registry.name().clone());
        for locked in self.before.of_registries(name).filter(of_it) {
            let (version, called) = (&locked.version, registry.name());
            let message = match log.get(version) {
                Some(listed) if listed.release.content == locked.content => continue,
                Some(listed) => format!(
                    "registry `{called}` has {name} {version} with the content {}, and `{LOCK_FILE}` with {}",
                    listed.release.content, locked.content
                ),
                None => format!(
                    "registry `{called}` does not have {name} {version}, which `{LOCK_FILE}` has from there"
                ),
            };
            let diagnostic = Diagnostic::error(Class::Integrity, message)
                .help("ask who runs the registry what became of it")
                .help(format!("without its line in `{LOCK_FILE}` another version is chosen"));
            return Err(Box::new(diagnostic));
        }
        Ok(())
    }
}

impl Universe for Published<'_> {
    type Error = Box<Diagnostic>;

    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, Box<Diagnostic>> {
        if let Some(version) = self.overriding.of_name(name) {
            // What it needs itself is required as what members need is.
            let (needs, standing) = (Vec::new(), Standing::Usable);
            return Ok(Some(vec![Release { version: version.clone(), needs, standing }]));
        }
        let (registry, log) = self.log(name)?;
        let trust = self.registries.trust(name.namespace.as_ref());
        let mut releases = Vec::new();
        for listed in log.versions() {
            let mut release = self.of_age(name, listed, release(listed));
            let is_usable = !matches!(release.standing, Standing::Unusable { .. });
            if trust.is_some() && is_usable {
                let is_signed = registry.is_signed(name, listed, self.registries.meter());
                if !is_signed.map_err(registry_failure)? {
                    release.standing = unsigned(name);
                }
            }
            releases.push(release);
        }
        Ok((!log.is_empty()).then_some(releases))
    }

    fn names(&self, namespace: Option<&Name>) -> Result<Vec<Name>, Box<Diagnostic>> {
        let Some(registry) = self.registries.of(namespace) else { return Ok(Vec::new()) };
        let names = registry.names(namespace, self.registries.meter()).map_err(registry_failure)?;
        Ok(names.into_iter().map(|pkg| pkg.name).collect())
    }

    fn expect(&self, names: &[&PkgName]) {
        let is_asked = |name: &&&PkgName| self.overriding.of_name(name).is_none();
        let names: Vec<&PkgName> = names.iter().filter(is_asked).copied().collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                // What went wrong is found again, and told, by whoever needs it.
                let _ = self.log(name);
            }
        };
        std::thread::scope(|scope| {
            (0..names.len().min(self.registries.at_once())).for_each(|_| drop(scope.spawn(work)));
        });
    }
}

/// A version that nobody signed, where that is demanded.
fn unsigned(name: &PkgName) -> Standing {
    let namespace = name.namespace.as_ref().map_or("\"\"", Name::as_str);
    Standing::Unusable {
        because: "unsigned".to_owned(),
        help: Some(format!("`[trust]` in `{WORKSPACE_FILE}` demands signatures of `{namespace}`")),
    }
}

fn release(listed: &Listed) -> Release {
    let release = &listed.release;
    let needs = release.pkgs.values().filter(|need| need.from == NeedSource::Registry);
    let standing = match listed {
        Listed { gone: Some(reason), .. } => {
            Standing::Unusable { because: format!("gone: {reason}"), help: None }
        }
        _ if release.api > API_VERSION => Standing::Unusable {
            because: format!("written for a later wake (version {} of its library)", release.api),
            help: Some(format!("a newer wake can use {}", release.version)),
        },
        Listed { yanked: Some(yank), .. } => {
            Standing::OnlyLocked { because: format!("yanked: {}", yank.reason) }
        }
        _ => Standing::Usable,
    };
    Release {
        version: release.version.clone(),
        needs: needs
            .map(|need| {
                let request = need.request();
                Need { name: request.pkg_name(), requirement: request.version }
            })
            .collect(),
        standing,
    }
}

/// What became of each line between two locks, sorted by package.
pub(crate) fn changes(before: &Lock, after: &Lock) -> Vec<LockChange> {
    let moved = moved(before, after);
    let by_range = |lock: &Lock| -> BTreeMap<(PkgName, String), Vec<String>> {
        let mut versions = BTreeMap::<_, Vec<String>>::new();
        for pkg in lock.iter() {
            let versions = versions.entry((pkg.name.clone(), pkg.version.range())).or_default();
            versions.push(pkg.version.to_string());
        }
        versions
    };
    let (before, after) = (by_range(before), by_range(after));
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut changes = Vec::new();
    for key in keys {
        let versions = |of: &BTreeMap<_, Vec<String>>| of.get(key).cloned().unwrap_or_default();
        let (old, new) = (versions(&before), versions(&after));
        let gone: Vec<String> =
            old.iter().filter(|version| !new.contains(version)).cloned().collect();
        let come: Vec<String> =
            new.iter().filter(|version| !old.contains(version)).cloned().collect();
        let pkg = key.0.clone();
        match (gone.as_slice(), come.as_slice()) {
            ([from], [to]) => {
                let (from, to) = (Some(from.clone()), Some(to.clone()));
                changes.push(LockChange { pkg, from, to });
            }
            (gone, come) => {
                changes.extend(gone.iter().map(|from| LockChange {
                    pkg: pkg.clone(),
                    from: Some(from.clone()),
                    to: None,
                }));
                changes.extend(come.iter().map(|to| LockChange {
                    pkg: pkg.clone(),
                    from: None,
                    to: Some(to.clone()),
                }));
            }
        }
    }
    changes.extend(moved);
    changes
}

/// Lines of versions that both locks have, from another source now.
fn moved(before: &Lock, after: &Lock) -> Vec<LockChange> {
    let now = |old: &LockedPkg| after.iter().find(|new| new.key() == old.key()).cloned();
    let pairs = before.iter().filter_map(|old| Some((old, now(old)?)));
    let moved = pairs.filter(|(old, new)| *old != new);
    moved
        .map(|(old, new)| LockChange {
            pkg: old.name.clone(),
            from: Some(format!("{} {}", old.version, old.source)),
            to: Some(format!("{} {}", new.version, new.source)),
        })
        .collect()
}

/// What became of a line of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockChange {
    /// The package.
    pub pkg: PkgName,
    /// The version that was there, if one was.
    pub from: Option<String>,
    /// The version that is there now, if one is.
    pub to: Option<String>,
}

/// As a person reads it: `+ acme/greet 1.2.0`, `~ acme/text 2.0.1 -> 2.1.0`.
impl std::fmt::Display for LockChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LockChange { pkg, from, to } = self;
        match (from, to) {
            (Some(from), Some(to)) => write!(f, "~ {pkg} {from} -> {to}"),
            (Some(from), None) => write!(f, "- {pkg} {from}"),
            (None, Some(to)) => write!(f, "+ {pkg} {to}"),
            (None, None) => write!(f, "  {pkg}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_became_of_lines_is_said_by_range() {
        let lock = |versions: &[&str]| {
            let line = |version: &&str| format!("{version} acme {}\n", "0".repeat(64));
            let lines: String = versions.iter().map(line).collect();
            Lock::parse(&format!("wake-lock 1\n{lines}")).unwrap()
        };
        let before = lock(&["acme/a 1.0.0", "acme/b 1.0.0", "acme/c 0.1.0", "acme/d 1.0.0"]);
        let after = lock(&["acme/a 1.1.0", "acme/b 1.0.0", "acme/c 0.2.0", "acme/e 1.0.0"]);
        let said: Vec<String> =
            changes(&before, &after).iter().map(LockChange::to_string).collect();
        let expected = [
            "~ acme/a 1.0.0 -> 1.1.0",
            "- acme/c 0.1.0",
            "+ acme/c 0.2.0",
            "- acme/d 1.0.0",
            "+ acme/e 1.0.0",
        ];
        assert_eq!(said, expected);
        assert!(changes(&after, &after).is_empty());
        let elsewhere = Lock::parse(&before.to_string().replace(" acme ", " main ")).unwrap();
        let said = changes(&before, &elsewhere);
        assert_eq!(
            (said.len(), said[0].to_string()),
            (4, "~ acme/a 1.0.0 acme -> 1.0.0 main".to_owned())
        );
    }
}
