//! Choosing versions: what the packages of a workspace require, among what registries offer.
//!
//! | file | does |
//! |---|---|
//! | `overriding` | the packages of the workspace that override published ones |
//! | `required` | what the packages of the workspace require |
//! | `published` | what registries offer, as the solver sees it |
//! | `newest` | the newest version of one package that may be chosen |
//! | `changes` | the differences between two locks |

mod overriding;
mod required;
mod published;
mod newest;
mod changes;

use std::sync::Mutex;

use wake_model::lock::LockSource;
use wake_model::release::NeedSource;
use wake_model::{Lock, LockedPkg, PkgName, PkgSource};
use wake_solve::{Demand, Exact, Fault, MOST_STEPS, Task, Unsolved, Update};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Place};

pub use self::changes::LockChange;
pub(crate) use self::changes::changes;
pub(crate) use self::newest::newest_usable;
use self::overriding::Overriding;
use self::published::{Age, Published};
use self::required::Required;
use crate::evaluate::Evaluator;
use crate::load::load;
use crate::locked::LockedPkgs;
use crate::registries::{Reach, Registries};
use crate::workspace::Workspace;

/// What to choose anew.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Which lines of the lock may change.
    pub update: Update,
    /// Packages that must have an exact version.
    pub exact: Vec<Exact>,
    /// Packages exempt from `min-age`.
    pub now: Vec<PkgName>,
    /// The command that offers `--now` in hints: `wake update` with `--now`.
    pub command: &'static str,
}

impl Choice {
    /// Chooses only what is necessary.
    pub(crate) const NECESSARY: Choice =
        Choice { update: Update::Nothing, exact: Vec::new(), now: Vec::new(), command: "update" };
}

/// The result of choosing versions.
pub(crate) struct Chosen {
    /// The lock lines for packages from registries.
    pub lines: Vec<LockedPkg>,
    /// Whether one of them, or a package of the workspace, uses a retriever.
    pub retrieves: bool,
}

/// Chooses the packages that the workspace gets from registries; `before` is its current lock.
///
/// The packages meet the requirements of all members, whatever is built, and `more`. Nothing is written.
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
        let message = "choosing versions queries registries, but `--offline` does not allow it";
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
        // Locating each requirement costs an evaluation, which only an error message is worth.
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

/// Converts a fault into a diagnostic at its place.
fn told(fault: Fault, places: &[Option<Place>]) -> Diagnostic {
    let Fault { message, demand, label, notes, help } = fault;
    let place = demand.and_then(|number| places.get(number)?.clone());
    let place = place.map(|place| Place { label: label.or(place.label.clone()), ..place });
    let diagnostic = Diagnostic::error(Class::Resolution, message).at(place);
    let diagnostic = notes.into_iter().fold(diagnostic, Diagnostic::note);
    help.into_iter().fold(diagnostic, Diagnostic::help)
}
