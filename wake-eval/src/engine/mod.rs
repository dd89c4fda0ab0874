//! The language engine: the only part that knows jrsonnet.

mod api;
mod convert;
mod default;
mod env;
mod fault;
mod globs;
mod import;
mod instance;
mod lazy;
mod module_id;
mod narrow;
mod note;
mod ops;
mod promise;
mod resolve;
mod standard;
mod text;
mod told;
mod view;
mod write;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use jrsonnet_evaluator::State;
use serde_json::Value;

use crate::outcome::EvaluatedText;
use crate::wire::request::{Parts, Task};
use crate::{Answer, EvalError, Limits, Place, Sources};
use env::{Env, Hunt};
pub(crate) use told::Told;

/// What an evaluation asks about others; the parent's [`crate::Answers`] at the other end of a pipe.
pub(crate) trait Ask {
    /// The JSON texts of the instances of packages, in the order of their keys.
    fn pkgs(&self, keys: &[&str]) -> Vec<Option<Arc<str>>>;
    /// What is known about modules, in the order of their ids.
    fn modules(&self, ids: &[&str]) -> Vec<Answer>;
}

/// Evaluations between two collections of cyclic garbage: each costs some 60 µs, each cycle some 18 KiB.
const COLLECT_EVERY: u32 = 64;

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

/// Evaluates one request on this thread.
///
/// Must not be called again from within `sources` or `ask`: the engine's state belongs to the thread.
pub(crate) fn evaluate(
    request: &Parts<'_>,
    sources: Rc<dyn Sources>,
    ask: Rc<dyn Ask>,
    told: &Rc<Told>,
    limits: &Limits,
) -> Result<EvaluatedText, EvalError> {
    api::hold_words();
    let world = World { sources, ask, told: told.clone(), limits: limits.clone() };
    let result = match &request.task {
        Task::Locate { task, value } => locate(task, value, &world),
        task => evaluate_task(request.pkg, task, &world),
    };
    RUNS.with(|runs| {
        runs.set(runs.get() + 1);
        if runs.get() % COLLECT_EVERY == 0 {
            jrsonnet_gcmodule::collect_thread_cycles();
        }
    });
    result
}

/// What lies around an evaluation.
#[derive(Clone)]
pub(crate) struct World {
    /// The files of the package.
    pub(crate) sources: Rc<dyn Sources>,
    /// Who knows about others.
    pub(crate) ask: Rc<dyn Ask>,
    /// What has been said about others.
    pub(crate) told: Rc<Told>,
    /// How much may be used.
    pub(crate) limits: Limits,
}

fn evaluate_task(pkg: &str, task: &Task<'_>, world: &World) -> Result<EvaluatedText, EvalError> {
    let env = Env::new(world.clone(), None);
    let outcome = run(&env, task);

    let trace = text::locate_traces(&env, standard::take_trace());
    let result = match outcome {
        Ok(text) => Ok(EvaluatedText { text, reads: env.take_reads(), trace }),
        Err(error) => {
            let mut fault = fault::explain(&env, &error);
            if let Some(hunt) = fault.hunt.take() {
                fault.place = hunt_for(task, hunt, world).or(fault.place);
            }
            Err(fault.into_error(pkg, env.take_reads(), trace))
        }
    };
    env.clear();
    result
}

fn locate(task: &Task<'_>, value: &str, world: &World) -> Result<EvaluatedText, EvalError> {
    // What is no JSON is built nowhere.
    let value = serde_json::from_str::<Value>(value).ok();
    let place = value.and_then(|value| hunt_for(task, Hunt::Value(value), world));
    let text = serde_json::to_string(&place).unwrap_or_else(|_| "null".to_owned());
    Ok(EvaluatedText { text, reads: Vec::new(), trace: Vec::new() })
}

/// Evaluates `task` once more and stops where it builds what is hunted: the engine does not tell builtins where they
/// are called from, but the frames of an error do.
fn hunt_for(task: &Task<'_>, hunt: Hunt, world: &World) -> Option<Place> {
    let env = Env::new(world.clone(), Some(hunt));
    let outcome = run(&env, task);
    standard::take_trace();
    let place = outcome.err().and_then(|error| {
        let fault = fault::explain(&env, &error);
        fault.found.then_some(fault.place).flatten()
    });
    env.clear();
    place
}

fn run(env: &Env, task: &Task<'_>) -> jrsonnet_evaluator::Result<String> {
    let mut builder = State::builder();
    builder
        .import_resolver(import::PkgImports::new(env.clone()))
        .context_initializer(standard::Standard);
    let state = builder.build();
    let _entered = state.enter();
    let _depth = jrsonnet_evaluator::stack::limit_stack_depth(env.limits().depth);
    ops::apply(env, &state, task)
}
