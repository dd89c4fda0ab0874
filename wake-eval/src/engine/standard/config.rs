//! The default of a parameter `config`, which the engine computes only inside a call and does not expose.

use std::cell::RefCell;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::function::{Arguments, Native};
use crate::prepare::Call;

thread_local! {
    static ASKED: RefCell<Asked> = const { RefCell::new(Asked::Nothing) };
}

/// What the next function with a `config` parameter is called for.
enum Asked {
    /// Its regular result.
    Nothing,
    /// Its config instead.
    Config,
    /// The answer.
    Answer(Thunk<Val>),
}

/// Called by rewritten texts around the body of a function with a `config` parameter.
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

/// Returns the default config of a function: `call` calls it without a config, and its body is not evaluated. `None`
/// if the function does not support this.
pub(crate) fn default_config(call: impl FnOnce() -> Result<Val>) -> Result<Option<Val>> {
    ASKED.set(Asked::Config);
    let called = call();
    match ASKED.replace(Asked::Nothing) {
        Asked::Answer(config) => config.evaluate().map(Some),
        Asked::Nothing | Asked::Config => called.map(|_| None),
    }
}
