//! Loading: every package that the targets reach by local path or through the lock, each evaluated once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use wake_eval::{NoAnswers, Op, Read};
use wake_model::declared::PackageDecl;
use wake_model::place::PKG_FILE;
use wake_model::{GetPkg, NameMap, PkgInfo, PkgSource, RelPath, Release};
use wake_registry::RegistryError;

use crate::evaluate::{CachedEvaluation, Evaluator, FailedEvaluation, Lanes, Question, Work};
use crate::locked::LockedPkgs;
use crate::pkg_place::{PkgPlace, StoredPkg};
use crate::published::{file_sum, release};
use crate::registries::registry_failure;
use crate::retriever::Retriever;
use crate::settings::Override;
use crate::shelf::{Shelf, ShelfEntry};
use crate::workspace::{WORKSPACE_FILE, Workspace};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;

/// A package whose file has been evaluated.
#[derive(Clone, Debug)]
pub(crate) struct LoadedPkg {
    /// Where it is.
    pub place: PkgPlace,
    /// What it declares.
    pub decl: PackageDecl,
    /// The declaration as the evaluation returned it, for locating errors in the source.
    raw: ShelfEntry,
    /// What the evaluation read.
    pub reads: Vec<Read>,
    /// The output of `std.trace`.
    pub trace: Vec<String>,
    /// Where its packages are that it has by path, from a registry or by a retriever, by its own keys for them.
    pub found: NameMap<PkgPlace>,
}

impl LoadedPkg {
    /// Returns its declaration under `key` of `pkgs`, as the evaluation returned it.
    pub(crate) fn declared_pkg(&self, key: &str) -> Value {
        declared_pkg(&self.raw.text().unwrap_or_default(), key)
    }

    /// Returns its needs that still have to be retrieved.
    fn open_needs(&self) -> impl Iterator<Item = OpenNeed> {
        let is_open = |(key, get): &(&String, &GetPkg)| {
            matches!(get.from, PkgSource::Retriever(_)) && self.found.get(key.as_str()).is_none()
        };
        let open = self.decl.pkgs.iter().filter(is_open);
        open.map(|(key, _)| OpenNeed { by: self.place.clone(), key: key.clone() })
    }

    /// Returns its requirements on registries, by its keys for them.
    pub(crate) fn registry_needs(&self) -> impl Iterator<Item = (&String, &GetPkg)> {
        self.decl.pkgs.iter().filter(|(_, get)| is_of_registry(&self.place, get))
    }

    /// Returns its declared identity, as the evaluation returned it.
    pub(crate) fn declared_info(&self) -> Value {
        let raw = self.raw.text().unwrap_or_default();
        let mut decl: Value = serde_json::from_str(&raw).unwrap_or_default();
        decl["pkgInfo"].take()
    }
}

/// Returns whether the package at `place` gets this from a registry.
pub(crate) fn is_of_registry(place: &PkgPlace, get: &GetPkg) -> bool {
    match get.from {
        PkgSource::Registry => true,
        // A package published next to another one is not next to it in the store.
        PkgSource::Local(_) => place.dir().is_none(),
        PkgSource::Global | PkgSource::Retriever(_) => false,
    }
}

fn declared_pkg(raw: &str, key: &str) -> Value {
    let mut decl: Value = serde_json::from_str(raw).unwrap_or_default();
    decl["pkgs"][key].take()
}

/// A need that only a retriever can meet and that it has not been asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpenNeed {
    /// The dependent package.
    pub(crate) by: PkgPlace,
    /// Its key for the need.
    pub(crate) key: String,
}

/// Every loaded package by its place.
pub(crate) type Loaded = BTreeMap<PkgPlace, LoadedPkg>;

struct Loader<'a> {
    workspace: &'a Workspace,
    evaluator: &'a Evaluator<'a>,
    locked: &'a LockedPkgs<'a>,
    /// Where declarations are spooled.
    shelf: Arc<Shelf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: HashSet<PkgPlace>,
    result: LoadResult,
}

/// The packages that could be loaded, and the errors of the others, by place.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    /// The packages.
    pub loaded: Loaded,
    /// Needs that still have to be retrieved, where they may stay open.
    pub open: BTreeSet<OpenNeed>,
    /// Errors of packages that were not loaded.
    pub failed: BTreeMap<PkgPlace, Vec<Diagnostic>>,
}

impl LoadResult {
    /// Returns whether everything that the package at `place` reaches was loaded.
    pub(crate) fn is_whole(&self, place: &PkgPlace) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            match self.loaded.get(place) {
                Some(pkg) if seen.insert(place) => open.extend(pkg.found.values()),
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Returns every error, by place; errors of the lock are reported once.
    pub(crate) fn errors(&mut self) -> Vec<Diagnostic> {
        let mut errors: Vec<Diagnostic> = Vec::new();
        for error in std::mem::take(&mut self.failed).into_values().flatten() {
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        errors
    }
}

/// Loads the packages at `dirs` and everything that they reach, in parallel.
///
/// An error in one package does not stop the others from being loaded.
pub(crate) fn load(
    workspace: &Workspace,
    evaluator: &Evaluator,
    locked: &LockedPkgs<'_>,
    dirs: &[RelPath],
) -> LoadResult {
    let find = |_: &mut dyn FnMut(&RelPath)| Ok::<_, Infallible>(((), dirs.to_vec()));
    let Ok(((), result)) = load_as_found(workspace, evaluator, locked, find);
    result
}

/// The same while packages are still being found: each is loaded as soon as `find` reports it.
///
/// The final result of `find` counts: a value of its own, and all packages to load. If it fails, everything loaded until
/// then is dropped.
pub(crate) fn load_as_found<T: Send, E: Send>(
    workspace: &Workspace,
    evaluator: &Evaluator,
    locked: &LockedPkgs<'_>,
    find: impl FnOnce(&mut dyn FnMut(&RelPath)) -> Result<(T, Vec<RelPath>), E> + Send,
) -> Result<(T, LoadResult), E> {
    let shelf = Shelf::new(evaluator.spare.clone());
    let loader = Loader { workspace, evaluator, locked, shelf, state: Mutex::default() };
    let lanes = Lanes::new(&loader, evaluator);
    let found = rayon::scope(|scope| {
        let found = find(&mut |dir| lanes.put(loader.new_one(dir), scope));
        match found {
            Ok((found, dirs)) => {
                dirs.iter().for_each(|dir| lanes.put(loader.new_one(dir), scope));
                Ok(found)
            }
            Err(error) => {
                lanes.close();
                Err(error)
            }
        }
    })?;
    loader.check_overrides();
    let State { result, .. } =
        loader.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((found, result))
}

impl<'w> Work<'w> for Loader<'w> {
    type Piece = PkgPlace;
    type Answers = NoAnswers;

    fn question(&'w self, place: &PkgPlace) -> Result<Question<NoAnswers>, Box<Diagnostic>> {
        Ok(Question { pkg: place.clone(), op: Op::Pkg, answers: NoAnswers })
    }

    fn answered(
        &'w self,
        place: PkgPlace,
        result: Result<(Op, CachedEvaluation), FailedEvaluation>,
    ) -> Vec<PkgPlace> {
        let loaded = match result {
            Ok((_, remembered)) => self.take(&place, remembered),
            Err(failed) => Err(vec![failed.into()]),
        };
        match loaded {
            Ok(pkg) => {
                let mut state = self.state();
                let State { asked, result } = &mut *state;
                let new: Vec<PkgPlace> = pkg
                    .found
                    .values()
                    .filter(|place| !asked.contains(*place) && asked.insert((*place).clone()))
                    .cloned()
                    .collect();
                if self.locked.is_settling() {
                    result.open.extend(pkg.open_needs());
                }
                result.loaded.insert(place, pkg);
                new
            }
            Err(diagnostics) => {
                self.state().result.failed.insert(place, diagnostics);
                Vec::new()
            }
        }
    }
}

impl Loader<'_> {
    /// Returns the package in a directory of the checkout, unless it was requested before.
    fn new_one(&self, dir: &RelPath) -> Option<PkgPlace> {
        let place = PkgPlace::Checkout(dir.clone());
        self.state().asked.insert(place.clone()).then_some(place)
    }

    fn take(
        &self,
        place: &PkgPlace,
        remembered: CachedEvaluation,
    ) -> Result<LoadedPkg, Vec<Diagnostic>> {
        let CachedEvaluation { value, reads, trace } = remembered;
        let decl: PackageDecl = serde_json::from_str(value.get()).map_err(|error| {
            let message =
                format!("{}: unexpected value in the declaration: {error}", place.label());
            vec![Diagnostic::error(Class::Internal, message)]
        })?;
        if let PkgPlace::Store(pkg) = place
            && pkg.key != decl.info.key()
        {
            return Err(vec![self.mislabelled(place, &decl.info)]);
        }
        if let PkgPlace::Store(pkg) = place {
            self.compare(pkg, &decl)?;
        }
        let Evaluator { files, store, .. } = self.evaluator;
        let from_registry = decl
            .pkgs
            .values()
            .filter(|get| is_of_registry(place, get) && self.override_of(place, get).is_none());
        self.locked.prepare(from_registry.map(|get| &get.request), files, store);
        let mut found = Vec::with_capacity(decl.pkgs.len());
        let mut wrong = Vec::new();
        for (key, get) in decl.pkgs.iter() {
            match self.find(place, &decl, get) {
                Ok(None) => {}
                Ok(Some(place)) => found.push((key.clone(), place)),
                // An error of the lock is reported at its place in the lock.
                Err(error) if error.place.is_some() => wrong.push(*error),
                Err(mut error) => {
                    let get = declared_pkg(value.get(), key);
                    error.message = format!("package `{key}`: {}", error.message);
                    wrong.push(error.at(self.evaluator.locate(place, &Op::Pkg, &get, &NoAnswers)));
                }
            }
        }
        if wrong.is_empty() {
            let found = found.into_iter().collect();
            let raw = self.shelf.put(value.get().as_bytes());
            Ok(LoadedPkg { place: place.clone(), decl, raw, reads, trace, found })
        } else {
            Err(wrong)
        }
    }

    /// Returns the place of a dependency of the package at `from`, which declares `decl`; none if that is found out later.
    fn find(
        &self,
        from: &PkgPlace,
        decl: &PackageDecl,
        get: &GetPkg,
    ) -> Result<Option<PkgPlace>, Box<Diagnostic>> {
        let Evaluator { files, store, .. } = self.evaluator;
        if let Some(instead) = self.override_of(from, get) {
            return Ok(Some(PkgPlace::Checkout(instead.dir.clone())));
        }
        match (&get.from, from) {
            (PkgSource::Local(path), PkgPlace::Checkout(dir)) => {
                self.local_place(dir, path).map(Some)
            }
            // A package published next to another one is not next to it in the store.
            (PkgSource::Local(_), PkgPlace::Store(_)) | (PkgSource::Registry, _) => {
                self.locked.find(&get.request, files, store)
            }
            (PkgSource::Retriever(exec), _) => {
                let retriever = Retriever::of(exec, &decl.pkgs).map_err(|error| {
                    let diagnostic = Diagnostic::error(Class::Evaluation, error.to_string());
                    Box::new(diagnostic.help(error.help()))
                })?;
                self.locked.find_retrieved(&get.request, &retriever.name, files, store)
            }
            (PkgSource::Global, _) => Ok(None),
        }
    }

    /// Returns the override for the published package that the one at `from` gets.
    fn override_of(&self, from: &PkgPlace, get: &GetPkg) -> Option<&Override> {
        let overrides = &self.workspace.settings.overrides;
        let is_asked = !overrides.is_empty() && is_of_registry(from, get);
        is_asked.then(|| overrides.of(&get.request.pkg_name())).flatten()
    }

    /// Checks that each override has the right name and satisfies every dependent.
    fn check_overrides(&self) {
        if self.workspace.settings.overrides.is_empty() {
            return;
        }
        let state = &mut *self.state();
        let LoadResult { loaded, failed, .. } = &mut state.result;
        let mut wrong = Vec::new();
        for dir in self.workspace.settings.overrides.dirs() {
            let place = PkgPlace::Checkout(dir.clone());
            let Some(pkg) = loaded.get(&place) else { continue };
            let named = self.workspace.settings.overrides.by(dir);
            let other = named.filter(|(name, _)| **name != pkg.decl.info.pkg_name());
            wrong.extend(other.map(|(_, other)| (place.clone(), self.misnamed(other, pkg))));
        }
        for (place, pkg) in loaded.iter().filter(|_| wrong.is_empty()) {
            for (key, get) in pkg.decl.pkgs.iter() {
                let Some(instead) = self.override_of(place, get) else { continue };
                let found = loaded.get(&PkgPlace::Checkout(instead.dir.clone()));
                if let Some(found) = found
                    && !get.request.matches(&found.decl.info)
                {
                    let unmet = self.will_not_do(pkg, key, get, instead, found);
                    failed.entry(place.clone()).or_default().push(unmet);
                }
            }
        }
        for (place, wrong) in wrong {
            failed.entry(place).or_default().push(wrong);
        }
        loaded.retain(|place, _| !failed.contains_key(place));
    }

    fn misnamed(&self, wrong: &Override, pkg: &LoadedPkg) -> Diagnostic {
        let (label, name) = (pkg.place.label(), pkg.decl.info.pkg_name());
        let message = format!("{label} is `{name}`, and can stand in only for that package");
        let written = self.evaluator.locate(&pkg.place, &Op::Pkg, &pkg.declared_info(), &NoAnswers);
        let diagnostic =
            Diagnostic::error(Class::Resolution, message).at(Some(wrong.name_at.clone()));
        let called = |at| format!("it is named at {at}");
        let diagnostic = written.map(called).into_iter().fold(diagnostic, Diagnostic::note);
        diagnostic
            .help(format!("write `\"{name}\"` here, or give the directory of the right package"))
    }

    fn will_not_do(
        &self,
        pkg: &LoadedPkg,
        key: &str,
        get: &GetPkg,
        instead: &Override,
        found: &LoadedPkg,
    ) -> Diagnostic {
        let (name, wanted) = (get.request.pkg_name(), &get.request.version);
        let (label, version) = (found.place.label(), &found.decl.info.version);
        let message = format!(
            "package `{key}`: {} needs {name} {wanted}, but {label}, which stands in for it, is {version}",
            pkg.place.label()
        );
        let declared = pkg.declared_pkg(key);
        let at = self.evaluator.locate(&pkg.place, &Op::Pkg, &declared, &NoAnswers);
        let help = match pkg.place {
            PkgPlace::Checkout(_) => format!("require the current version: `'^{version}'`"),
            PkgPlace::Store(_) => {
                let by = pkg.decl.info.pkg_name();
                format!(
                    "run `wake lock` to choose a version of {by} that accepts it, or give {label} a version that matches {wanted}"
                )
            }
        };
        Diagnostic::error(Class::Resolution, message)
            .at(at)
            .note(format!("it stands in because of `[overrides]`: {}", instead.name_at))
            .help(help)
    }

    /// Checks that the registry's metadata of a package that was just fetched agrees with its files; if not, it is not kept.
    ///
    /// If other packages decide what its modules are, these are not known yet and taken to be right.
    fn compare(&self, pkg: &StoredPkg, decl: &PackageDecl) -> Result<(), Vec<Diagnostic>> {
        let registry = self.locked.registry(decl.info.namespace.as_ref());
        let Some(registry) = registry.filter(|_| pkg.is_new) else { return Ok(()) };
        let name = decl.info.pkg_name();
        let ours = |theirs: &Release| {
            let sum = file_sum(pkg.tree, &pkg.stored.manifest);
            let (modules, metadata) = match &decl.modules {
                Some(modules) => (modules.keys().cloned().collect(), decl.metadata.clone()),
                None => (theirs.modules.clone(), theirs.about()),
            };
            release(decl, modules, &metadata, sum, theirs.api).map_err(|error| {
                RegistryError::Altered {
                    registry: registry.name().clone(),
                    pkg: name.clone(),
                    version: theirs.version.clone(),
                    problem: format!("unexpected value in its files: {error}"),
                }
            })
        };
        let compared = registry.compare(&name, &decl.info.version, ours, self.locked.meter());
        compared.map_err(|error| {
            let mut diagnostics = vec![registry_failure(error)];
            let put_aside = self.evaluator.store.put_aside(&pkg.tree);
            diagnostics.extend(put_aside.err().map(store_failure));
            diagnostics
        })
    }

    /// Returns the error that content is not of the package that it is locked as.
    fn mislabelled(&self, place: &PkgPlace, info: &PkgInfo) -> Diagnostic {
        let (locked, told) = (place.label(), info.key().label());
        let message = format!("the content locked as {locked} declares itself as {told}");
        Diagnostic::error(Class::Resolution, message)
            .at(self.locked.written_at(place))
            .help(format!("correct the line: it is for {told}, or its digest is wrong"))
    }

    fn local_place(&self, from: &RelPath, path: &str) -> Result<PkgPlace, Box<Diagnostic>> {
        let wrong = |message: String| Diagnostic::error(Class::Resolution, message);
        if path.starts_with('/') {
            let message = format!("`{path}` is absolute: a local path is relative to the package");
            return Err(wrong(message).into());
        }
        let dir = from.resolve(path).map_err(|_| {
            let leaves = wrong(format!("`{path}` leaves the workspace"));
            if self.workspace.is_marked() {
                return leaves;
            }
            let root = self.workspace.root.display();
            leaves.help(format!(
                "the workspace is `{root}`; to make a directory above its root, put a `{WORKSPACE_FILE}` there"
            ))
        })?;
        let place = PkgPlace::Checkout(dir.clone());
        // A place that was requested before is known to be a package.
        if self.state().asked.contains(&place) || self.workspace.is_pkg(&dir) {
            Ok(place)
        } else if self.workspace.absolute(&dir).is_dir() {
            Err(wrong(format!("`{path}` has no `{PKG_FILE}`")).into())
        } else {
            Err(wrong(format!("there is no directory `{path}`")).into())
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
