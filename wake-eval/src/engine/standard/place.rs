//! Expressions that report their place when they fail.

use std::panic::AssertUnwindSafe;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Result, Val};

use super::function::{Arguments, Native};
use crate::engine::note::Note;
use crate::prepare::Call;

/// Called around each expression of a text that is rewritten for places; returns its argument. The engine records the
/// place of the call, so an error in the argument has that place.
pub(super) fn at() -> FuncVal {
    Native::function(Call::At.name(), &["value"], evaluate)
}

fn evaluate(args: &Arguments<'_>) -> Result<Val> {
    let run = || args.value(0);
    std::panic::catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| Err(Note::new(crate::engine::said(payload.as_ref())).into()))
}
