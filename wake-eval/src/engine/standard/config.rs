//! The default of a parameter `config`, which the engine computes only inside a call and does not show.

use std::cell::RefCell;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::function::{Arguments, Native};
use crate::prepare::Call;

thread_local! {
    static ASKED: RefCell<Asked> = const { RefCell::new(Asked::Nothing) };
}

/// What the next function that takes a `config` is asked for.
enum Asked {
    /// What it is for.
    Nothing,
    /// Its config instead.
    Config,
    /// It has answered.
    Answer(Thunk<Val>),
}

/// What prepared texts call around the body of a function that takes a `config`.
pub(super) fn body(call: Call) -> Option<FuncVal> {
    (call == Call::Config).then(|| Native::function(call.name(), &["config", "body"], evaluate))
}

fn evaluate(args: &Arguments<'_>) -> Result<Val> {
    let is_asked = ASKED.with_borrow(|asked| matches!(asked, Asked::Config));
    match args.lazy(0).filter(|_| is_asked) {
        Some(config) => {
            ASKED.set(Asked::Answer(config.clone()));
            Ok(Val::Null)
        }
        None => args.value(1),
    }
}

/// The config that a function has without one being given: `call` calls it so, which does not go into its body. None
/// if the function is none that can be asked.
pub(crate) fn default_config(call: impl FnOnce() -> Result<Val>) -> Result<Option<Val>> {
    ASKED.set(Asked::Config);
    let called = call();
    match ASKED.replace(Asked::Nothing) {
        Asked::Answer(config) => config.evaluate().map(Some),
        Asked::Nothing | Asked::Config => called.map(|_| None),
    }
}
