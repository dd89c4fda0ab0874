//! Loading: every package that the targets reach by local path, each evaluated once.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use wake_eval::{NoAnswers, Op, Read};
use wake_model::declared::PackageDecl;
use wake_model::place::PKG_FILE;
use wake_model::{NameMap, PkgSource, RelPath};

use crate::evaluate::{CachedEvaluation, Evaluator, Lanes, Question, Work};
use crate::pkg_place::PkgPlace;
use crate::shelf::{Shelf, ShelfEntry};
use crate::workspace::{WORKSPACE_FILE, Workspace};
use wake_steps::diagnostic::{Class, Diagnostic};

/// A package whose file has been evaluated.
#[derive(Debug)]
pub(crate) struct LoadedPkg {
    /// Where it lies.
    pub place: PkgPlace,
    /// What it declares.
    pub decl: PackageDecl,
    /// The declaration as it came from the evaluation, for finding places in the source of what is wrong.
    raw: ShelfEntry,
    /// What the evaluation read.
    pub reads: Vec<Read>,
    /// What `std.trace` said.
    pub trace: Vec<String>,
    /// Where its local packages lie, by its own key for them.
    pub local: NameMap<PkgPlace>,
}

impl LoadedPkg {
    /// What it declares under `key` of `pkgs`, as it came from the evaluation.
    pub(crate) fn declared_pkg(&self, key: &str) -> Value {
        declared_pkg(&self.raw.text().unwrap_or_default(), key)
    }

    /// How it calls itself, as it came from the evaluation.
    pub(crate) fn declared_info(&self) -> Value {
        let raw = self.raw.text().unwrap_or_default();
        let mut decl: Value = serde_json::from_str(&raw).unwrap_or_default();
        decl["pkgInfo"].take()
    }
}

fn declared_pkg(raw: &str, key: &str) -> Value {
    let mut decl: Value = serde_json::from_str(raw).unwrap_or_default();
    decl["pkgs"][key].take()
}

/// Every loaded package by its place.
pub(crate) type Loaded = BTreeMap<PkgPlace, LoadedPkg>;

/// Why a local path is no package.
struct LocalPathError {
    message: String,
    help: Option<String>,
}

struct Loader<'a> {
    workspace: &'a Workspace,
    evaluator: &'a Evaluator<'a>,
    /// Where declarations are put aside.
    shelf: Arc<Shelf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: HashSet<PkgPlace>,
    result: LoadResult,
}

/// What could be loaded, and what was wrong with the rest, by place.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    /// The packages.
    pub loaded: Loaded,
    /// Errors of packages that are not among them.
    pub failed: BTreeMap<PkgPlace, Vec<Diagnostic>>,
}

impl LoadResult {
    /// Whether everything that the package at `place` reaches by local path was loaded.
    pub(crate) fn is_whole(&self, place: &PkgPlace) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut open = vec![place];
        while let Some(place) = open.pop() {
            match self.loaded.get(place) {
                Some(pkg) if seen.insert(place) => open.extend(pkg.local.values()),
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Every error, by place.
    pub(crate) fn errors(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.failed).into_values().flatten().collect()
    }
}

/// Loads the packages at `dirs` and everything that they reach by local path, in parallel.
///
/// One package's error does not keep the others from being loaded.
pub(crate) fn load(workspace: &Workspace, evaluator: &Evaluator, dirs: &[RelPath]) -> LoadResult {
    let find = |_: &mut dyn FnMut(&RelPath)| Ok::<_, Infallible>(((), dirs.to_vec()));
    let Ok(((), result)) = load_as_found(workspace, evaluator, find);
    result
}

/// The same for packages that are still to be found: each is loaded as soon as `find` tells of it.
///
/// What `find` gives in the end counts: something of its own, and all packages to load. If it fails, what has been
/// loaded until then is dropped.
pub(crate) fn load_as_found<T: Send, E: Send>(
    workspace: &Workspace,
    evaluator: &Evaluator,
    find: impl FnOnce(&mut dyn FnMut(&RelPath)) -> Result<(T, Vec<RelPath>), E> + Send,
) -> Result<(T, LoadResult), E> {
    let shelf = Shelf::of(evaluator.files);
    let loader = Loader { workspace, evaluator, shelf, state: Mutex::default() };
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
        result: Result<(Op, CachedEvaluation), Box<Diagnostic>>,
    ) -> Vec<PkgPlace> {
        let loaded = match result {
            Ok((_, remembered)) => self.take(&place, remembered),
            Err(diagnostic) => Err(vec![*diagnostic]),
        };
        match loaded {
            Ok(pkg) => {
                let mut state = self.state();
                let State { asked, result } = &mut *state;
                let new: Vec<PkgPlace> = pkg
                    .local
                    .values()
                    .filter(|place| !asked.contains(*place) && asked.insert((*place).clone()))
                    .cloned()
                    .collect();
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
    /// The package in a directory of the checkout, unless it was asked for before.
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
                format!("{}: the declaration has an unexpected form: {error}", place.label());
            vec![Diagnostic::error(Class::Internal, message)]
        })?;
        let mut local = Vec::with_capacity(decl.pkgs.len());
        let mut wrong = Vec::new();
        for (key, get) in decl.pkgs.iter() {
            let PkgSource::Local(path) = &get.from else { continue };
            match self.local_place(place, path) {
                Ok(found) => local.push((key.clone(), found)),
                Err(LocalPathError { message, help }) => {
                    let get = declared_pkg(value.get(), key);
                    let place = self.evaluator.locate(place, &Op::Pkg, &get, &NoAnswers);
                    let message = format!("package `{key}`: {message}");
                    let diagnostic = Diagnostic::error(Class::Resolution, message).at(place);
                    wrong.push(help.into_iter().fold(diagnostic, Diagnostic::help));
                }
            }
        }
        if wrong.is_empty() {
            let local = local.into_iter().collect();
            let raw = self.shelf.put(value.get().as_bytes());
            Ok(LoadedPkg { place: place.clone(), decl, raw, reads, trace, local })
        } else {
            Err(wrong)
        }
    }

    fn local_place(&self, from: &PkgPlace, path: &str) -> Result<PkgPlace, LocalPathError> {
        let error = |message: String| LocalPathError { message, help: None };
        if path.starts_with('/') {
            let message = format!("`{path}` is absolute: a local path is relative to the package");
            return Err(error(message));
        }
        let dir = from.dir().and_then(|dir| dir.resolve(path).ok());
        let dir = dir.ok_or_else(|| LocalPathError {
            message: format!("`{path}` leaves the workspace"),
            help: (!self.workspace.is_marked()).then(|| {
                let root = self.workspace.root.display();
                format!("the workspace is `{root}`; a `{WORKSPACE_FILE}` in a directory above makes that its root")
            }),
        })?;
        let place = PkgPlace::Checkout(dir.clone());
        // What has been asked for was found to be a package before.
        if self.state().asked.contains(&place) || self.workspace.is_pkg(&dir) {
            Ok(place)
        } else if self.workspace.absolute(&dir).is_dir() {
            Err(error(format!("`{path}` holds no `{PKG_FILE}`")))
        } else {
            Err(error(format!("there is no directory `{path}`")))
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
