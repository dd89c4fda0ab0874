//! The search for modules: from those of the targets to all their dependencies.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::{Op, Read};
use wake_model::PkgKey;

use super::ModuleRequest;
use super::answers::{ModuleViews, NothingYet, PlanAnswers};
use super::turns::Turns;
use crate::evaluate::{CachedEvaluation, Evaluator, FailedEvaluation, Lanes, Question, Work};
use crate::instance::{Instances, PkgInstance, lasting};
use crate::module::{ModuleAnswer, ModuleDecl, ModuleInstance, ModuleText, parse};
use crate::shelf::{Shelf, ShelfEntry};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// More configured modules than this count as infinite recursion.
const MOST_STEPS: usize = 1_000_000;
/// A longer chain of modules than this counts as infinite recursion.
const LONGEST_CHAIN: usize = 10_000;

/// Identity that stands for all modules of an infinite recursion.
const ENDLESS: &str = "~";

/// Applies the functions of all modules that `targets` reach once, as far as possible.
pub(super) fn search(
    instances: &Instances,
    targets: Vec<ModuleRequest>,
    evaluator: &Evaluator,
) -> Result<Search, Failure> {
    let shelf = Shelf::new(evaluator.spare.clone());
    let (turns, first) = Turns::new(instances, targets);
    let state = Mutex::new(State { turns, ..State::default() });
    let planner = Planner { instances, evaluator, shelf, state, seen: RwLock::default() };
    let first = planner.state().targets(first);
    let lanes = Lanes::new(&planner, evaluator);
    rayon::scope(|scope| lanes.put(first, scope));
    let State { found, mut failed, mut left_out, .. } =
        planner.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A module that others need is not left out.
    for (_, needed) in found.values().flat_map(|module| &module.needs) {
        if let Some(LeftOut { diagnostic, .. }) = left_out.remove(needed) {
            failed.insert(needed.clone(), diagnostic);
        }
    }
    if !failed.is_empty() {
        return Err(Failure { diagnostics: failed.into_values().collect() });
    }
    Ok(Search { found, left_out })
}

/// The result of a search, by identity.
pub(super) struct Search {
    /// The modules.
    pub(super) found: BTreeMap<Arc<str>, Box<FoundModule>>,
    /// Modules that are left out.
    pub(super) left_out: BTreeMap<Arc<str>, LeftOut>,
}

/// A module that was not requested by name and needs a configuration.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    /// Its package.
    pub(crate) pkg: PkgKey,
    /// Its name there.
    module: String,
    /// Why it cannot be evaluated.
    pub(crate) diagnostic: Diagnostic,
    /// The files and directories that its evaluation read.
    pub(crate) reads: Vec<Read>,
}

struct Planner<'a> {
    instances: &'a Instances,
    evaluator: &'a Evaluator<'a>,
    /// Where the values of functions are spooled.
    shelf: Arc<Shelf>,
    state: Mutex<State>,
    /// The views of complete modules.
    seen: RwLock<ModuleViews>,
}

#[derive(Default)]
struct State {
    asked: HashSet<Arc<str>>,
    turns: Turns,
    found: BTreeMap<Arc<str>, Box<FoundModule>>,
    failed: BTreeMap<Arc<str>, Diagnostic>,
    left_out: BTreeMap<Arc<str>, LeftOut>,
}

/// A module whose functions have been applied once.
pub(super) struct FoundModule {
    pub(super) wanted: ModuleRequest,
    pub(super) decl: ModuleDecl,
    /// The values of its functions when they were first applied.
    text: ShelfEntry,
    /// Its dependencies: identities, by its own keys for them.
    pub(super) needs: Box<[(Box<str>, Arc<str>)]>,
    /// The same with every promise kept.
    pub(super) finished: Option<ModuleInstance>,
    pub(super) reads: Vec<Read>,
    pub(super) trace: Vec<String>,
}

impl FoundModule {
    /// Returns the id of its dependency with this key.
    pub(super) fn needed(&self, key: &str) -> Option<Value> {
        ModuleText::of(&self.text).ok()?.needed(key)
    }
}

/// A module whose functions are to be applied.
struct Piece {
    wanted: ModuleRequest,
    identity: Arc<str>,
    /// The length of the chain that led to it.
    depth: usize,
    /// Whether others wait for it because it is a target.
    is_target: bool,
}

impl LeftOut {
    /// Returns it for a module whose evaluation failed, if that module can be left out.
    pub(super) fn of(
        wanted: &ModuleRequest,
        is_target: bool,
    ) -> impl FnOnce(FailedEvaluation) -> Result<LeftOut, Box<Diagnostic>> + use<> {
        let can_go = is_target && wanted.is_one_of_all;
        let named = can_go.then(|| (wanted.pkg.clone(), wanted.module.clone()));
        move |failed| match named {
            Some((pkg, module)) if failed.needs_config => {
                let FailedEvaluation { diagnostic, reads, .. } = failed;
                Ok(LeftOut { pkg, module, diagnostic: *diagnostic, reads: lasting(reads) })
            }
            _ => Err(failed.diagnostic),
        }
    }

    /// Returns the warning about it.
    pub(crate) fn message(&self, instances: &Instances) -> Diagnostic {
        let LeftOut { pkg, module, diagnostic: Diagnostic { message, place, help, .. }, .. } = self;
        let label = instances.get(pkg).map(|pkg| pkg.place.module_label(module));
        let label = label.unwrap_or_else(|| module.clone());
        let mut told = Diagnostic::error(
            Class::Evaluation,
            format!("{label} is left out, because it needs a config"),
        );
        let at = place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        told.notes.push(format!("{message}{at}"));
        told.help.clone_from(help);
        told
    }
}

impl State {
    /// Splits off targets that were already requested; returns those whose turn has come.
    fn targets(&mut self, targets: Vec<ModuleRequest>) -> Vec<Piece> {
        let mut open = targets;
        let mut pieces = Vec::with_capacity(open.len());
        while let Some(wanted) = open.pop() {
            let identity = wanted.identity();
            if self.asked.insert(identity.clone()) {
                pieces.push(Piece { wanted, identity, depth: 0, is_target: true });
            } else {
                open.extend(self.turns.done(&wanted.pkg));
            }
        }
        pieces.reverse();
        pieces
    }

    /// Makes equal identities share one text: most modules are needed by several others.
    fn share(&self, needs: &mut [Need]) {
        for (_, _, identity) in needs {
            if let Some(same) = self.asked.get(identity) {
                identity.clone_from(same);
            }
        }
    }
}

impl<'w> Work<'w> for Planner<'w> {
    type Piece = Piece;
    type Answers = PlanAnswers<'w, RwLock<ModuleViews>>;

    fn question(&'w self, piece: &Piece) -> Result<Question<Self::Answers>, Box<Diagnostic>> {
        let Piece { wanted, .. } = piece;
        let (pkg, op) = find_module(self.instances, wanted)?;
        let answers = self.evaluator.answers(self.instances, &self.seen, pkg);
        Ok(Question { pkg: pkg.place.clone(), op, answers })
    }

    fn answered(
        &'w self,
        piece: Piece,
        result: Result<(Op, CachedEvaluation), FailedEvaluation>,
    ) -> Vec<Piece> {
        let Piece { wanted, identity, depth, is_target } = piece;
        let pkg = is_target.then(|| wanted.pkg.clone());
        let left_out = LeftOut::of(&wanted, is_target);
        let found = result.and_then(|(_, remembered)| Ok(self.found(wanted, remembered)?));
        let mut pieces = match found {
            Ok((found, needs)) => {
                if let Some(finished) = &found.finished {
                    let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
                    seen.insert(&identity, &found.wanted, &finished.seen.text);
                }
                self.state().found.insert(identity.clone(), Box::new(found));
                self.needed(&identity, needs, depth + 1)
            }
            Err(failed) => {
                match left_out(failed) {
                    Ok(left_out) => drop(self.state().left_out.insert(identity, left_out)),
                    Err(diagnostic) => drop(self.state().failed.insert(identity, *diagnostic)),
                }
                Vec::new()
            }
        };
        self.evaluator.put_away();
        if let Some(pkg) = pkg {
            let mut state = self.state();
            let next = state.turns.done(&pkg);
            if !next.is_empty() {
                pieces.extend(state.targets(next));
            }
        }
        pieces
    }
}

/// A dependency: its key, the module, and its identity.
type Need = (Box<str>, ModuleRequest, Arc<str>);

impl Planner<'_> {
    /// Reads the value of a module's functions, and its dependencies.
    fn found(
        &self,
        wanted: ModuleRequest,
        remembered: CachedEvaluation,
    ) -> Result<(FoundModule, Vec<Need>), Box<Diagnostic>> {
        let CachedEvaluation { value, reads, trace } = remembered;
        let text = self.shelf.put(value.get().as_bytes());
        let parsed = parse(&value, &text, &wanted.pkg, &wanted.module, self.instances);
        let ModuleAnswer { decl, needed, instance } = parsed.map_err(|e| {
            let ModuleRequest { pkg, module, .. } = &wanted;
            Diagnostic::error(Class::Internal, format!("module `{module}` of `{pkg}`: {e}"))
        })?;
        let reads = lasting(reads);
        let need = |(key, id): (Cow<'_, str>, &RawValue)| {
            let wanted = ModuleRequest::of_text(id)?;
            let identity = wanted.identity();
            Some((Box::from(&*key), wanted, identity))
        };
        let mut all: Vec<Need> = needed.into_iter().filter_map(need).collect();
        self.state().share(&mut all);
        let needs = all.iter().map(|(key, _, identity)| (key.clone(), identity.clone())).collect();
        Ok((FoundModule { wanted, decl, text, needs, finished: instance, reads, trace }, all))
    }

    /// Returns the dependencies of the module `identity` that are not requested yet, unless there are too many.
    fn needed(&self, identity: &Arc<str>, needs: Vec<Need>, depth: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut endless = Vec::new();
        let mut state = self.state();
        for (key, wanted, identity) in needs {
            if state.asked.contains(&identity) || state.failed.contains_key(ENDLESS) {
                continue;
            }
            state.asked.insert(identity.clone());
            if depth > LONGEST_CHAIN || state.asked.len() > MOST_STEPS {
                endless.push(key);
            } else {
                pieces.push(Piece { wanted, identity, depth, is_target: false });
            }
        }
        drop(state);
        for key in endless {
            self.stop_endless(identity, &key);
        }
        pieces
    }

    /// Ends the search at the module whose dependency `key` would be one too many.
    fn stop_endless(&self, identity: &Arc<str>, key: &str) {
        let Some(found) = self.state().found.remove(identity) else { return };
        let (label, place) = match self.instances.get(&found.wanted.pkg) {
            Some(pkg) => {
                let answers = self.evaluator.answers(self.instances, &NothingYet, pkg);
                let place = found.needed(key).and_then(|id| {
                    let op = found.wanted.op(pkg)?;
                    self.evaluator.locate(&pkg.place, &op, &id, &answers)
                });
                (pkg.place.module_label(&found.wanted.module), place)
            }
            None => (found.wanted.module, None),
        };
        let message = format!("infinite recursion: module {label} leads to ever more modules");
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .at(place)
            .help("make sure that a module does not need itself with a different config each time");
        self.state().failed.insert(ENDLESS.into(), diagnostic);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the package of a module, and the operation that evaluates it.
pub(super) fn find_module<'a>(
    instances: &'a Instances,
    wanted: &ModuleRequest,
) -> Result<(&'a PkgInstance, Op), Box<Diagnostic>> {
    let Some(pkg) = instances.get(&wanted.pkg) else {
        let message = format!("there is no package `{}` in this build", wanted.pkg);
        return Err(Box::new(Diagnostic::error(Class::Evaluation, message)));
    };
    match wanted.op(pkg) {
        Some(op) => Ok((pkg, op)),
        None => {
            let label = pkg.place.label();
            let message = format!("{label} has no module `{}`", wanted.module);
            let names = || pkg.modules.keys().map(String::as_str);
            let help = match wake_model::nearest::nearest(&wanted.module, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if pkg.modules.is_empty() => "it has no modules".to_owned(),
                None => format!("its modules are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Box::new(Diagnostic::error(Class::Usage, message).help(help)))
        }
    }
}
