//! The language engine, the only part that uses jrsonnet.
//!
//! | rooms, in order | content |
//! |---|---|
//! | `reference`, `note` | references; errors found by wake |
//! | `lazy`, `json`, `standard` | objects with lazy fields; plain values as JSON; the standard library |
//! | `module_id`, `declarations` | what API calls declare |
//! | `budget`, `world`, `text`, `env` | the budget of an evaluation, what it can query, its texts, its state |
//! | `find`, `literal`, `imported`, `pkgs_edit`, `default`, `import` | searches in texts; source files |
//! | `promise`, `resolve`, `to_json`, `globs` | what references and globs name; conversion to JSON, with promises |
//! | `api`, `prepared`, `view` | what functions receive and call: `wake`, packages and modules; rewritten operators |
//! | `ops`, `fault` | execution of requests; explanation of errors |
//! | `shared` | one evaluation of a package file for several modules |

mod reference;
mod note;
mod lazy;
mod json;
mod standard;
mod module_id;
mod declarations;
mod budget;
mod world;
mod text;
mod env;
mod find;
mod literal;
mod imported;
mod pkgs_edit;
mod default;
mod import;
mod promise;
mod resolve;
mod to_json;
mod globs;
mod api;
mod prepared;
mod view;
mod ops;
mod fault;
mod setting;
mod shared;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use jrsonnet_evaluator::State;
use serde_json::Value;
use wake_model::place::PKG_FILE;

use crate::outcome::EvaluatedText;
use crate::prepare::Mode;
use crate::wire::request::{RequestParts, Task};
use crate::{EvalError, Frame, Kind, Limits, Place};
use env::{Env, Hunt};
pub use imported::imports;
pub use literal::Literal;
pub use pkgs_edit::{EditError, argument_of, with_pkg, without_pkg};
pub use setting::argument_place;
pub(crate) use shared::LastPkg;
use world::World;
pub(crate) use world::{Ask, KnownAnswers, Open, Surroundings};

/// Evaluations between two collections of cyclic garbage: a collection takes some 60 µs, a cycle some 18 KiB.
const COLLECT_EVERY: u32 = 64;

thread_local! {
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

/// Evaluates one request on this thread.
///
/// A failed evaluation is repeated to find the place of the error, if `has_time` then allows it.
///
/// Must not be called from within `sources` or `ask`: the engine's state is per thread.
pub(crate) fn evaluate(
    request: &RequestParts<'_>,
    around: &Surroundings,
    last: &LastPkg,
    limits: &Limits,
    has_time: &dyn Fn() -> bool,
) -> Result<EvaluatedText, EvalError> {
    api::hold_words();
    let world = World::new(around.clone());
    let result = match &request.task {
        Task::Locate { task, value } => locate(task, value, world, limits),
        task => match last.evaluate(request, around, limits) {
            Some(text) => Ok(text),
            None => evaluate_task(request.pkg, task, world, limits, has_time),
        },
    };
    RUNS.with(|runs| {
        runs.set(runs.get() + 1);
        if runs.get() % COLLECT_EVERY == 0 {
            jrsonnet_gcmodule::collect_thread_cycles();
        }
    });
    result
}

fn evaluate_task(
    pkg: &str,
    task: &Task<'_>,
    world: World,
    limits: &Limits,
    has_time: &dyn Fn() -> bool,
) -> Result<EvaluatedText, EvalError> {
    let env = Env::new(world, limits, None, Mode::Values);
    let outcome = run(&env, task);

    let trace = find::locate_traces(&env, standard::take_trace());
    let result = match outcome {
        Ok(text) => Ok(EvaluatedText { text, reads: env.world.take_reads(), trace }),
        Err(error) => {
            let mut fault = fault::explain(&env, &error);
            if let Some(hunt) = fault.hunt.take() {
                let place = hunt_for(task, hunt, env.world.afresh(), limits);
                fault.error.place = place.or(fault.error.place);
            } else if fault.is_vague && has_time() {
                fault.sharpen(find_again(task, env.world.afresh(), limits));
            }
            name_maker(&env, task, &mut fault);
            fault.show_caller();
            fault.error.needs_config = env.lacks_config.get();
            Err(fault.into_error(pkg, env.world.take_reads(), trace))
        }
    };
    env.clear();
    result
}

/// Adds a frame for where a module is made, if the error is in a rule in another file.
fn name_maker(env: &Env, task: &Task<'_>, fault: &mut fault::EvalFault) {
    let Task::Module { file: None, name, .. } = task else { return };
    let Some(place) = &fault.error.place else { return };
    let is_shown = |file: &str| {
        let mut files = fault.error.frames.iter().map(|frame| &frame.place.file);
        place.file == file || files.any(|other| other == file)
    };
    if is_shown(PKG_FILE) {
        return;
    }
    let texts = env.texts.borrow();
    let Some(text) = texts.get(PKG_FILE) else { return };
    let owner = name.split_once('.').map_or(*name, |(owner, _)| owner);
    let find = |name: &str| fault::maker(name, PKG_FILE, text);
    let found = [*name, owner].into_iter().find_map(|name| Some((name, find(name)?)));
    if let Some((called, place)) = found {
        fault.learn_maker(called, PKG_FILE, text);
        let desc = format!("module `{name}` is made");
        fault.error.frames.push(Frame { place, desc });
    }
}

/// Repeats a failed evaluation with every expression reporting its place.
fn find_again(task: &Task<'_>, world: World, limits: &Limits) -> Option<fault::EvalFault> {
    let env = Env::new(world, limits, None, Mode::Places);
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(&env, task)));
    standard::take_trace();
    let fault = outcome.ok().and_then(|outcome| Some(fault::explain(&env, &outcome.err()?)));
    env.clear();
    fault
}

/// Returns the error of a request in which [`evaluate`] panicked, with its place and reads.
pub(crate) fn panicked(
    request: &RequestParts<'_>,
    around: &Surroundings,
    limits: &Limits,
    said: &str,
) -> EvalError {
    const SHOWN: usize = 200;
    let world = World::new(around.clone());
    let mut said: String = said.lines().next().unwrap_or_default().to_owned();
    if let Some((cut, _)) = said.char_indices().nth(SHOWN) {
        said.truncate(cut);
        said.push('…');
    }
    let message = format!("internal error of the evaluator: {said}");
    let bare = EvalError::bare(request.pkg, Kind::User, message);
    let mut error = bare.with_hint("this is a bug in wake; a different expression may avoid it");
    if let Some(found) = find_again(&request.task, world, limits) {
        (error.place, error.frames) = (found.error.place, found.error.frames);
    }
    error
}

fn locate(
    task: &Task<'_>,
    value: &str,
    world: World,
    limits: &Limits,
) -> Result<EvaluatedText, EvalError> {
    // Something that is not JSON was not built anywhere.
    let value = serde_json::from_str::<Value>(value).ok();
    let place = value.and_then(|value| hunt_for(task, Hunt::Value(value), world, limits));
    let text = serde_json::to_string(&place).unwrap_or_else(|_| "null".to_owned());
    Ok(EvaluatedText { text, reads: Vec::new(), trace: Vec::new() })
}

/// Evaluates `task` again and stops where the hunt ends: the engine does not tell builtins where they are called, but
/// the frames of an error do.
fn hunt_for(task: &Task<'_>, hunt: Hunt, world: World, limits: &Limits) -> Option<Place> {
    let env = Env::new(world, limits, Some(hunt), Mode::Values);
    let outcome = run(&env, task);
    standard::take_trace();
    let place = outcome.err().and_then(|error| {
        let fault = fault::explain(&env, &error);
        fault.error.place.filter(|_| fault.found)
    });
    env.clear();
    place
}

fn run(env: &Env, task: &Task<'_>) -> jrsonnet_evaluator::Result<String> {
    let state = state_of(env);
    within(env, &state, || ops::apply(env, &state, task))
}

/// Creates an engine for an environment.
fn state_of(env: &Env) -> State {
    let mut builder = State::builder();
    let names = env.clone();
    let this_file = move |name: &str| names.this_file(name.trim_end_matches(default::OVERLAY));
    let standard = standard::Standard::new(Rc::new(this_file));
    builder
        .import_resolver(import::PkgImports::new(env.clone()))
        .context_initializer((standard, prepared::Functions::new(env.clone())));
    builder.build()
}

/// Runs something inside the engine.
fn within<T>(env: &Env, state: &State, run: impl FnOnce() -> T) -> T {
    let _entered = state.enter();
    let _depth = jrsonnet_evaluator::stack::limit_stack_depth(env.depth());
    run()
}

/// Returns the message of a panic.
pub(crate) fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
        .to_owned()
}
