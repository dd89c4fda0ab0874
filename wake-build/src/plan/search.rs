//! The search for modules: from those of the targets to all that they need.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rayon::Scope;
use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::{Op, Read};

use super::Wanted;
use super::answers::{NothingYet, Seen, SoFar};
use super::shelf::{Shelf, Shelved};
use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::evaluate::{Evaluator, Remembered};
use crate::instance::{Instances, PkgInstance, of_checkout};
use crate::module::{ModuleDecl, ModuleInstance, ModuleText, Parsed, parse};
use crate::target::module_label;

/// More configured modules than this are taken for a recursion without end.
const MOST_STEPS: usize = 1_000_000;
/// A chain of modules longer than this is taken for a recursion without end.
const LONGEST_CHAIN: usize = 10_000;

/// Stands for all modules that are too many, where the others have their identities.
const ENDLESS: &str = "~";

/// Applies the functions of all modules that `targets` reach once, as far as they get.
pub(super) fn search(
    instances: &Instances,
    targets: Vec<Wanted>,
    evaluator: &Evaluator,
) -> Result<BTreeMap<String, Box<Found>>, Failure> {
    let shelf = Shelf::of(evaluator.files);
    let planner =
        Planner { instances, evaluator, shelf, state: Mutex::default(), seen: RwLock::default() };
    // Modules mostly need modules of the packages below: from the bottom up, these are already there.
    for targets in by_depth(instances, targets) {
        rayon::scope(|scope| {
            for wanted in targets {
                // The first module of a chain is not yet too many.
                let _ = planner.ask(wanted, 0, scope);
            }
        });
        evaluator.put_away();
    }
    let State { found, failed, .. } =
        planner.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        return Err(Failure { diagnostics: failed.into_values().collect() });
    }
    Ok(found)
}

fn by_depth(instances: &Instances, targets: Vec<Wanted>) -> Vec<Vec<Wanted>> {
    let mut levels: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
    for wanted in targets {
        let depth = instances.get(&wanted.pkg).map_or(0, |pkg| pkg.depth);
        levels.entry(depth).or_default().push(wanted);
    }
    levels.into_values().collect()
}

struct Planner<'a> {
    instances: &'a Instances,
    evaluator: &'a Evaluator<'a>,
    /// Where what functions gave is put aside.
    shelf: Arc<Shelf>,
    state: Mutex<State>,
    /// What others see of the modules that are complete.
    seen: RwLock<Seen>,
}

#[derive(Default)]
struct State {
    asked: HashSet<String>,
    found: BTreeMap<String, Box<Found>>,
    failed: BTreeMap<String, Diagnostic>,
}

/// A module whose functions have been applied once.
pub(super) struct Found {
    pub(super) wanted: Wanted,
    pub(super) decl: ModuleDecl,
    /// What the functions gave when they were applied first.
    text: Shelved,
    /// The modules that it needs: identities, by its own key for them.
    pub(super) needs: Vec<(String, String)>,
    /// The same with every promise kept.
    pub(super) finished: Option<ModuleInstance>,
    pub(super) reads: Vec<Read>,
    pub(super) trace: Vec<String>,
}

impl Found {
    /// The id of the module that it needs under a key.
    pub(super) fn needed(&self, key: &str) -> Option<Value> {
        ModuleText::of(&self.text).ok()?.needed().ok()?.id(key)
    }
}

impl Planner<'_> {
    /// Asks for a module, unless that has been done; false if there are too many of them by now.
    fn ask<'s>(&'s self, wanted: Wanted, depth: usize, scope: &Scope<'s>) -> bool {
        let identity = wanted.identity();
        {
            let mut state = self.state();
            if state.failed.contains_key(ENDLESS) || !state.asked.insert(identity.clone()) {
                return true;
            }
            if depth > LONGEST_CHAIN || state.asked.len() > MOST_STEPS {
                return false;
            }
        }
        scope.spawn(move |scope| match self.apply(wanted) {
            Ok((mut found, needs)) => {
                let named = |(key, wanted): &(String, Wanted)| (key.clone(), wanted.identity());
                found.needs = needs.iter().map(named).collect();
                if let Some(finished) = &found.finished {
                    let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
                    seen.insert(&found.wanted, &finished.seen.text);
                }
                self.state().found.insert(identity.clone(), Box::new(found));
                for (key, wanted) in needs {
                    if !self.ask(wanted, depth + 1, scope) {
                        self.stop_endless(&identity, &key);
                    }
                }
            }
            Err(diagnostic) => {
                self.state().failed.insert(identity, *diagnostic);
            }
        });
        true
    }

    /// Ends the search at the module that would need one too many under `key`.
    fn stop_endless(&self, identity: &str, key: &str) {
        let Some(found) = self.state().found.remove(identity) else { return };
        let (label, place) = match self.instances.get(&found.wanted.pkg) {
            Some(pkg) => {
                let answers = self.evaluator.answers(self.instances, &NothingYet, pkg);
                let place = found.needed(key).and_then(|id| {
                    let op = found.wanted.op(pkg)?;
                    self.evaluator.locate(&pkg.dir, &op, &id, &answers)
                });
                (module_label(&pkg.dir, &found.wanted.module), place)
            }
            None => (found.wanted.module, None),
        };
        let message = format!("module {label} leads to modules without end");
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .at(place)
            .help("a module must not need itself with an ever different config");
        self.state().failed.insert(ENDLESS.to_owned(), diagnostic);
    }

    /// Applies the functions of a module; tells what they gave, and the modules that it needs by its own key for them.
    fn apply(&self, wanted: Wanted) -> Result<(Found, Vec<(String, Wanted)>), Box<Diagnostic>> {
        let (pkg, op) = find_module(self.instances, &wanted)?;
        let so_far = SoFar { seen: &self.seen };
        let answers = self.evaluator.answers(self.instances, &so_far, pkg);
        let Remembered { value, reads, trace } = self.evaluator.evaluate(&pkg.dir, op, &answers)?;
        let text = self.shelf.put(value.get());
        let parsed = parse(&value, &text, &wanted.pkg, &wanted.module, self.instances);
        let Parsed { decl, needed, instance } = parsed.map_err(|e| {
            let label = module_label(&pkg.dir, &wanted.module);
            Diagnostic::error(Class::Internal, format!("{label}: {e}"))
        })?;
        let reads = of_checkout(&reads).cloned().collect();
        let named =
            |(key, id): (Cow<'_, str>, &RawValue)| Some((key.into_owned(), Wanted::of_text(id)?));
        let needed = needed.modules.into_iter().filter_map(named).collect();
        let (finished, needs) = (instance, Vec::new());
        Ok((Found { wanted, decl, text, needs, finished, reads, trace }, needed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The package of a module and the application that makes it.
pub(super) fn find_module<'a>(
    instances: &'a Instances,
    wanted: &Wanted,
) -> Result<(&'a PkgInstance, Op), Box<Diagnostic>> {
    let Some(pkg) = instances.get(&wanted.pkg) else {
        let message = format!("no package `{}` in this build", wanted.pkg);
        return Err(Box::new(Diagnostic::error(Class::Evaluation, message)));
    };
    match wanted.op(pkg) {
        Some(op) => Ok((pkg, op)),
        None => {
            let label = crate::target::label(&pkg.dir);
            let message = format!("{label} has no module `{}`", wanted.module);
            let names = || pkg.modules.keys().map(String::as_str);
            let help = match wake_model::nearest::nearest(&wanted.module, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if pkg.modules.is_empty() => "it has no modules at all".to_owned(),
                None => format!("its modules are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Box::new(Diagnostic::error(Class::Usage, message).help(help)))
        }
    }
}
