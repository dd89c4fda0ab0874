//! Expressions that say where they stand when they fail.

use std::panic::AssertUnwindSafe;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Result, Val};

use super::function::{Arguments, Native};
use crate::engine::note::Note;
use crate::prepare::Call;

/// What a text that is prepared for places calls around each expression: its value. The engine notes where a call
/// stands, so an error in it has that place.
pub(super) fn at() -> FuncVal {
    Native::function(Call::At.name(), &["value"], evaluate)
}

fn evaluate(args: &Arguments<'_>) -> Result<Val> {
    let run = || args.value(0);
    std::panic::catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| Err(Note::new(crate::engine::said(payload.as_ref())).into()))
}
