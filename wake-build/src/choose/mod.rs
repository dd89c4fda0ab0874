//! Choosing versions: what the packages of a workspace require, among what registries have.
//!
//! | file | does |
//! |---|---|
//! | `overriding` | the packages of the workspace that stand in for published ones |
//! | `required` | what the packages of the workspace require |
//! | `published` | what registries have, as the solver sees it |
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

/// What is wrong, where it is written.
fn told(fault: Fault, places: &[Option<Place>]) -> Diagnostic {
    let Fault { message, demand, label, notes, help } = fault;
    let place = demand.and_then(|number| places.get(number)?.clone());
    let place = place.map(|place| Place { label: label.or(place.label.clone()), ..place });
    let diagnostic = Diagnostic::error(Class::Resolution, message).at(place);
    let diagnostic = notes.into_iter().fold(diagnostic, Diagnostic::note);
    help.into_iter().fold(diagnostic, Diagnostic::help)
}
