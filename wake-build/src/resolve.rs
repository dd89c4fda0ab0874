//! Resolving: which package each key of each package refers to.

mod outline;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use wake_eval::{NoAnswers, Op};
use wake_model::{GetPkg, Name, NameMap, Permission, PkgInfo, PkgKey, PkgName, PkgSource, RelPath};

pub(crate) use self::outline::Outline;
use crate::evaluate::Evaluator;
use crate::files::{Files, can_be_named};
use crate::load::{Loaded, LoadedPkg};
use crate::order::{Link, cycle_error, graph_of, sort, way_around};
use crate::pkg_place::PkgPlace;
use crate::retriever::Retriever;
use crate::workspace::WORKSPACE_FILE;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Place};

/// The packages of a build with every requirement met: no cycle, one package under each key.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// Every package by its key.
    pub pkgs: BTreeMap<PkgKey, ResolvedPkg>,
    /// The keys, dependencies first.
    pub order: Vec<PkgKey>,
    /// The key of the package at each place.
    pub by_place: BTreeMap<PkgPlace, PkgKey>,
}

/// A package with its dependencies.
#[derive(Debug)]
pub(crate) struct ResolvedPkg {
    /// The package.
    pub pkg: LoadedPkg,
    /// Its dependencies, by its own keys for them.
    pub deps: NameMap<PkgKey>,
    /// Whether all its files are known to exist and to be of allowed kinds.
    pub sound: bool,
    /// Whether its commands may use the network.
    pub may_reach_network: bool,
}

/// Meets every requirement of `loaded`; `roots` are the packages that are not dependencies.
pub(crate) fn resolve(
    loaded: Loaded,
    roots: &[PkgPlace],
    evaluator: &Evaluator,
) -> Result<Resolution, Failure> {
    let resolver = Resolver { loaded: &loaded, evaluator };
    let (met, sound) =
        rayon::join(|| resolver.meet(roots), || look_ahead(&loaded, evaluator.files));
    Ok(assemble(loaded, sound, met?))
}

/// A package with more files than this counts as large.
const MANY: usize = 256;

/// Examines the files of all packages, which are needed next; returns for each package whether they are all valid.
///
/// Small files are read later, by the steps that use their content. For a large package, they are read here,
/// in parallel, because a single step may need them all.
fn look_ahead(loaded: &Loaded, files: &Files) -> Vec<bool> {
    let pkgs: Vec<&LoadedPkg> = loaded.values().collect();
    files.expect(pkgs.iter().map(|pkg| pkg.decl.files.len()).sum());
    let is_sound = |pkg: &&LoadedPkg| {
        let (place, many) = (&pkg.place, pkg.decl.files.len() > MANY);
        let can_be_named = |path: &RelPath| {
            let seen = match many {
                true => files.look_in(place, path).map(Some),
                false => files.glance_in(place, path),
            };
            seen.is_ok_and(|seen| can_be_named(path, seen.as_ref()))
        };
        pkg.decl.files.iter().all(can_be_named)
    };
    // Small pieces, so that threads are not idle while one of them finishes the last.
    pkgs.par_iter().with_max_len(16).map(is_sound).collect()
}

/// What is known once every requirement is met.
struct Bindings {
    by_place: BTreeMap<PkgPlace, PkgKey>,
    deps: DepsByPlace,
    order: Vec<PkgKey>,
    /// Packages whose commands may use the network.
    networked: BTreeSet<PkgPlace>,
}

type DepsByPlace = BTreeMap<PkgPlace, BTreeMap<String, PkgPlace>>;

/// An entry in the global namespace: who defined it, and the package.
struct Global {
    rank: u8,
    place: PkgPlace,
    by: (PkgPlace, String),
}

/// The provider of a published package.
#[derive(PartialEq, Eq)]
enum Giver {
    Registry,
    Retriever(PkgName),
}

impl Giver {
    /// Returns the provider of what `pkg` gets; none for local and global packages.
    fn of(pkg: &LoadedPkg, get: &GetPkg) -> Option<Giver> {
        match &get.from {
            PkgSource::Registry => Some(Giver::Registry),
            PkgSource::Local(_) => pkg.place.dir().is_none().then_some(Giver::Registry),
            PkgSource::Retriever(exec) => {
                Retriever::of(exec, &pkg.decl.pkgs).ok().map(|by| Giver::Retriever(by.name))
            }
            PkgSource::Global => None,
        }
    }
}

impl std::fmt::Display for Giver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Giver::Registry => f.write_str("from a registry"),
            Giver::Retriever(name) => write!(f, "from the retriever `{name}`"),
        }
    }
}

struct Resolver<'a> {
    loaded: &'a Loaded,
    evaluator: &'a Evaluator<'a>,
}

impl Resolver<'_> {
    fn meet(&self, roots: &[PkgPlace]) -> Result<Bindings, Failure> {
        let mut errors = Vec::new();
        let mut order = Vec::new();
        self.check_requests(&mut errors);
        self.check_retrievers(&mut errors);
        self.check_ranges(&mut errors);
        let by_place = self.keys(&mut errors);
        let held = self.permissions(roots, &mut errors);
        let globals = self.globals(&held, &mut errors);
        let deps = self.deps(&globals, &mut errors);
        if errors.is_empty() {
            order = self.order(&deps, &mut errors);
        }
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
        let order = order.into_iter().filter_map(|place| by_place.get(place).cloned()).collect();
        let networked = held.into_iter().filter(|(_, held)| held.contains(&Permission::Network));
        let networked = networked.map(|(place, _)| place).collect();
        Ok(Bindings { by_place, deps, order, networked })
    }

    fn gets(&self) -> impl Iterator<Item = (&LoadedPkg, &String, &GetPkg)> {
        self.loaded
            .values()
            .flat_map(|pkg| pkg.decl.pkgs.iter().map(move |(key, get)| (pkg, key, get)))
    }

    /// Returns an error about the requirement `key` of `pkg`, at its place.
    fn error(&self, pkg: &LoadedPkg, key: &str, message: String) -> Diagnostic {
        Diagnostic::error(Class::Resolution, message).at(self.place_of(pkg, key))
    }

    /// Returns the place of the requirement `key` of `pkg`.
    fn place_of(&self, pkg: &LoadedPkg, key: &str) -> Option<Place> {
        self.evaluator.locate(&pkg.place, &Op::Pkg, &pkg.declared_pkg(key), &NoAnswers)
    }

    /// Checks that packages at local paths are those that were requested.
    fn check_requests(&self, errors: &mut Vec<Diagnostic>) {
        for (pkg, key, get) in self.gets() {
            match &get.from {
                // A locked package was found by its version.
                PkgSource::Local(path) => {
                    let Some(found) = pkg.found.get(key).and_then(|at| self.loaded.get(at)) else {
                        continue;
                    };
                    if !get.request.matches(&found.decl.info) {
                        errors.push(self.error(pkg, key, mismatch(key, path, get, found)).help(format!(
                            "require the current version, `version: '^{}'`, or point `from` elsewhere",
                            found.decl.info.version
                        )));
                    }
                }
                // Retrieved packages were compared when they were retrieved.
                PkgSource::Global | PkgSource::Registry | PkgSource::Retriever(_) => {}
            }
        }
    }

    /// Checks that each package comes from a single provider.
    fn check_retrievers(&self, errors: &mut Vec<Diagnostic>) {
        let mut givers: BTreeMap<PkgName, (Giver, &LoadedPkg, &str)> = BTreeMap::new();
        for (pkg, key, get) in self.gets() {
            let Some(giver) = Giver::of(pkg, get) else { continue };
            let name = get.request.pkg_name();
            match givers.get(&name) {
                Some((other, ..)) if *other == giver => {}
                Some((other, other_pkg, other_key)) => {
                    let message = format!(
                        "{name} comes {giver}, but elsewhere {other}: these may be different packages"
                    );
                    let written = self.place_of(other_pkg, other_key);
                    let at = written.map_or_else(|| other_pkg.place.label(), |at| at.to_string());
                    errors.push(
                        self.error(pkg, key, message)
                            .note(format!("{} gets it {other}: {at}", other_pkg.place.label()))
                            .help("get it the same way everywhere, or give one of the two another namespace"),
                    );
                }
                None => {
                    givers.insert(name, (giver, pkg, key));
                }
            }
        }
    }

    /// Checks that there is one version of a published package in each range.
    fn check_ranges(&self, errors: &mut Vec<Diagnostic>) {
        let mut chosen: BTreeMap<(PkgName, String), &PkgInfo> = BTreeMap::new();
        for pkg in self.loaded.values().filter(|pkg| pkg.place.dir().is_none()) {
            let info = &pkg.decl.info;
            let (name, range) = (info.pkg_name(), info.version.range());
            let Some(other) = chosen.insert((name.clone(), range.clone()), info) else { continue };
            let (one, two) = (&other.version, &info.version);
            let message = format!("{name} {one} and {two} are both needed, but both match {range}");
            let mut error = Diagnostic::error(Class::Resolution, message);
            for (pkg, key, get) in self.gets() {
                let found = pkg.found.get(key).and_then(|at| self.loaded.get(at));
                if found.is_some_and(|found| [other, info].contains(&&found.decl.info)) {
                    let version = &get.request.version;
                    let place = self.place_of(pkg, key).map(|place| format!(" at {place}"));
                    let place = place.unwrap_or_default();
                    error = error.note(format!("{} needs {version}{place}", pkg.place.label()));
                }
            }
            errors.push(
                error.help(format!("lock one version that matches {range} and all requirements")),
            );
        }
    }

    /// Returns the key of each package; two packages under one key are an error.
    fn keys(&self, errors: &mut Vec<Diagnostic>) -> BTreeMap<PkgPlace, PkgKey> {
        let mut owners: BTreeMap<PkgKey, &PkgPlace> = BTreeMap::new();
        let mut by_place = BTreeMap::new();
        for (place, pkg) in self.loaded {
            let key = pkg.decl.info.key();
            if let Some(other) = owners.insert(key.clone(), place) {
                errors.push(self.same_key(other, pkg));
            }
            by_place.insert(place.clone(), key);
        }
        by_place
    }

    /// Returns the error that the package at `other` and `pkg` have the same key.
    fn same_key(&self, other: &PkgPlace, pkg: &LoadedPkg) -> Diagnostic {
        let info = &pkg.decl.info;
        let (one, two) = (other.label(), pkg.place.label());
        let (name, version) = (&info.name, &info.version);
        let message = format!("two packages are named `{name}` {version}: {one} and {two}");
        let called = |pkg: &LoadedPkg| {
            self.evaluator.locate(&pkg.place, &Op::Pkg, &pkg.declared_info(), &NoAnswers)
        };
        let mut diagnostic = Diagnostic::error(Class::Resolution, message).at(called(pkg));
        if let Some(place) = self.loaded.get(other).and_then(called) {
            diagnostic = diagnostic.note(format!("{one} is named at {place}"));
        }
        let in_checkout = [other, &pkg.place].into_iter().find_map(PkgPlace::dir);
        let is_published = [other, &pkg.place].into_iter().any(|place| place.dir().is_none());
        if let Some(dir) = in_checkout.filter(|_| is_published) {
            let line = format!("\"{}\" = \"{}\"", info.pkg_name(), dir_text(dir));
            diagnostic = diagnostic.help(format!(
                "add `{line}` to `[overrides]` in `{WORKSPACE_FILE}` to use the one in the workspace everywhere"
            ));
        }
        diagnostic.help("give one of them another name, namespace or version")
    }

    /// Returns the global namespace: the highest rank wins, and equal ranks are an error.
    fn globals(
        &self,
        held: &BTreeMap<PkgPlace, Vec<Permission>>,
        errors: &mut Vec<Diagnostic>,
    ) -> BTreeMap<PkgName, Global> {
        let mut globals: BTreeMap<PkgName, Global> = BTreeMap::new();
        for (pkg, key, get) in self.gets() {
            let Some(rule) = get.global else { continue };
            let Some(place) = pkg.found.get(key) else { continue };
            if !held.get(&pkg.place).is_some_and(|held| held.contains(&Permission::DefineGlobal)) {
                let message = format!(
                    "{} defines the global package `{key}` without permission",
                    pkg.place.label()
                );
                errors.push(self.error(pkg, key, message).help(
                    "grant it where that package is required: `permissions=['defineGlobal']`",
                ));
                continue;
            }
            let name = get.request.pkg_name();
            let by = (pkg.place.clone(), key.clone());
            let new = Global { rank: rule.rank, place: place.clone(), by };
            match globals.get(&name) {
                Some(old) if old.rank == new.rank && old.place != new.place => {
                    errors.push(self.conflict(pkg, key, &name.name, old));
                }
                Some(old) if old.rank >= new.rank => {}
                _ => {
                    globals.insert(name, new);
                }
            }
        }
        globals
    }

    fn conflict(&self, pkg: &LoadedPkg, key: &str, name: &Name, old: &Global) -> Diagnostic {
        let (place, old_key) = &old.by;
        let written = self.loaded.get(place).and_then(|pkg| self.place_of(pkg, old_key));
        let other = written.map_or_else(|| place.label(), |place| place.to_string());
        let message =
            format!("the global package `{name}` is defined twice with override {}", old.rank);
        self.error(pkg, key, message)
            .note(format!("also defined at {other}"))
            .help("raise one of them: `global={override: N}` with N from 1 to 100")
    }

    /// Computes permissions: roots have all, other packages those granted by a dependent that has them. A package that the user named
    /// and that is no dependency may use the network: nobody else could grant it.
    fn permissions(
        &self,
        roots: &[PkgPlace],
        errors: &mut Vec<Diagnostic>,
    ) -> BTreeMap<PkgPlace, Vec<Permission>> {
        let mut held: BTreeMap<PkgPlace, Vec<Permission>> =
            roots.iter().map(|root| (root.clone(), Permission::ALL.to_vec())).collect();
        let got: BTreeSet<&PkgPlace> =
            self.loaded.values().flat_map(|pkg| pkg.found.values()).collect();
        for place in self.loaded.keys().filter(|place| !got.contains(place)) {
            held.entry(place.clone()).or_insert_with(|| vec![Permission::Network]);
        }
        let mut changed = true;
        while changed {
            changed = false;
            for (pkg, key, get) in self.gets().filter(|(_, _, get)| !get.permissions.is_empty()) {
                let Some(place) = pkg.found.get(key) else { continue };
                for permission in &get.permissions {
                    let grants = held.get(&pkg.place).is_some_and(|held| held.contains(permission));
                    let receiver = held.entry(place.clone()).or_default();
                    if grants && !receiver.contains(permission) {
                        receiver.push(*permission);
                        changed = true;
                    }
                }
            }
        }
        for (pkg, key, get) in self.gets() {
            for permission in &get.permissions {
                if !held.get(&pkg.place).is_some_and(|held| held.contains(permission)) {
                    let name = permission.as_ref();
                    let message = format!(
                        "{} grants `{name}`, which it was not granted itself",
                        pkg.place.label()
                    );
                    let help = format!("grant it where {} is required", pkg.place.label());
                    errors.push(self.error(pkg, key, message).help(help));
                }
            }
        }
        held
    }

    fn deps(
        &self,
        globals: &BTreeMap<PkgName, Global>,
        errors: &mut Vec<Diagnostic>,
    ) -> DepsByPlace {
        let mut deps_of = |pkg: &LoadedPkg| {
            let mut deps = BTreeMap::new();
            for (key, get) in pkg.decl.pkgs.iter() {
                let found = match &get.from {
                    PkgSource::Local(_) | PkgSource::Registry | PkgSource::Retriever(_) => {
                        pkg.found.get(key).cloned()
                    }
                    PkgSource::Global => match self.global(pkg, key, get, globals) {
                        Ok(place) => Some(place),
                        Err(error) => {
                            errors.push(*error);
                            None
                        }
                    },
                };
                deps.extend(found.map(|found| (key.clone(), found)));
            }
            deps
        };
        self.loaded.iter().map(|(place, pkg)| (place.clone(), deps_of(pkg))).collect()
    }

    fn global(
        &self,
        pkg: &LoadedPkg,
        key: &str,
        get: &GetPkg,
        globals: &BTreeMap<PkgName, Global>,
    ) -> Result<PkgPlace, Box<Diagnostic>> {
        let name = get.request.pkg_name();
        let Some(global) = globals.get(&name) else {
            let message = format!("there is no global package `{}`", name.name);
            let names = globals.keys().map(|name| name.name.as_str());
            let near = wake_model::nearest::nearest(name.name.as_str(), names);
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "define one in the root package with `getPkg(..., global=true)`".to_owned(),
            };
            return Err(Box::new(self.error(pkg, key, message).help(help)));
        };
        match self.loaded.get(&global.place) {
            Some(found) if !get.request.matches(&found.decl.info) => {
                Err(Box::new(self.error(pkg, key, mismatch(key, "wake.GLOBAL", get, found))))
            }
            _ => Ok(global.place.clone()),
        }
    }

    /// Returns the packages, dependencies first; each cycle is an error.
    fn order<'d>(&self, deps: &'d DepsByPlace, errors: &mut Vec<Diagnostic>) -> Vec<&'d PkgPlace> {
        let graph = graph_of(deps.iter().map(|(place, wanted)| (place, wanted.values())));
        let (order, cycles) = sort(&graph);
        for members in cycles {
            let members: Vec<&PkgPlace> = members.into_iter().map(|node| graph[node]).collect();
            errors.push(self.cycle_error(&members, deps));
        }
        order.into_iter().map(|node| graph[node]).collect()
    }

    fn cycle_error<'a>(&self, members: &[&'a PkgPlace], deps: &'a DepsByPlace) -> Diagnostic {
        let onward = |at: &&'a PkgPlace| {
            let (key, to) = deps.get(*at)?.iter().find(|(_, to)| members.contains(to))?;
            Some((key.clone(), to))
        };
        let link = |(at, key): (&PkgPlace, String)| {
            let place = self.loaded.get(at).and_then(|pkg| self.place_of(pkg, &key));
            Link { label: at.label(), key, place }
        };
        let links = way_around(members, onward).into_iter().map(link).collect();
        cycle_error(Class::Resolution, "packages", links)
            .help("move what both need into a separate package")
    }
}

/// Returns a directory as written in `wake.toml`.
fn dir_text(dir: &RelPath) -> &str {
    if dir.is_root() { "." } else { dir.as_str() }
}

fn mismatch(key: &str, from: &str, get: &GetPkg, found: &LoadedPkg) -> String {
    let wanted = &get.request;
    let info = &found.decl.info;
    format!(
        "package `{key}` requires `{}` {}, but `{from}` is `{}` {}",
        wanted.pkg_name(),
        wanted.version,
        info.pkg_name(),
        info.version
    )
}

/// Assembles the resolution; `sound` tells for each package of `loaded` whether all its files are valid.
fn assemble(loaded: Loaded, sound: Vec<bool>, met: Bindings) -> Resolution {
    let Bindings { by_place, deps, order, networked } = met;
    let key_of = |place: &PkgPlace| by_place.get(place).cloned();
    let keyed = |place: &PkgPlace| {
        let wanted = deps.get(place).into_iter().flatten();
        wanted.filter_map(|(key, to)| Some((key.clone(), key_of(to)?))).collect()
    };
    let resolved = |((place, pkg), sound)| {
        let deps = keyed(&place);
        let may_reach_network = networked.contains(&place);
        Some((key_of(&place)?, ResolvedPkg { pkg, deps, sound, may_reach_network }))
    };
    let pkgs = loaded.into_iter().zip(sound).filter_map(resolved).collect();
    Resolution { pkgs, order, by_place }
}
