//! The standard library, which a file sees as `std`, and the functions that stand for operators and comprehensions.
//!
//! Where the engine's own functions differ from those of the language, they are replaced here.

mod number;
mod function;
mod equal;
mod json_text;
mod format;
mod operators;
mod comprehension;
mod place;

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use jrsonnet_evaluator::function::CallLocation;
use jrsonnet_evaluator::trace::PathResolver;
use jrsonnet_evaluator::val::ThunkValue;
use jrsonnet_evaluator::{
    ContextInitializer, IStr, InitialContextBuilder, ObjValue, ObjValueBuilder, Result, Source,
    Thunk, Val,
};
use jrsonnet_gcmodule::{Acyclic, Cc, trace_acyclic};
use jrsonnet_stdlib::{Settings, TracePrinter, stdlib_uncached};

use crate::prepare::Call;

thread_local! {
    static CALLS: [(IStr, Val); Call::ALL.len()] = Call::ALL.map(|call| {
        let function = operators::operator(call)
            .or_else(|| comprehension::comprehension(call))
            .unwrap_or_else(place::at);
        (call.name().into(), Val::Func(function))
    });
    static LIBRARY: ObjValue = library();
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Binds `std` in every file.
#[derive(Acyclic)]
pub(crate) struct Standard;

impl ContextInitializer for Standard {
    fn populate(&self, source: Source, builder: &mut InitialContextBuilder) {
        builder.bind("std", Thunk::new(Std { source, made: OnceCell::new() }));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Binds a function that prepared texts call.
pub(crate) fn bind(call: Call, builder: &mut InitialContextBuilder) {
    CALLS.with(|calls| {
        let (name, function) = &calls[call as usize];
        builder.bind(name.clone(), Thunk::evaluated(function.clone()));
    });
}

/// What `std.trace` has said since the last call.
pub(crate) fn take_trace() -> Vec<String> {
    TRACE.take()
}

/// The library as one file sees it, made when it looks there: most package files never do.
struct Std {
    source: Source,
    made: OnceCell<Val>,
}

// What it makes refers to nothing that refers back to it.
trace_acyclic!(Std);

impl ThunkValue for Std {
    type Output = Val;

    fn get(&self) -> Result<Val> {
        Ok(self.made.get_or_init(|| seen_from(&self.source)).clone())
    }
}

fn seen_from(source: &Source) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(1);
    builder.with_super(LIBRARY.with(Clone::clone));
    builder.field("thisFile").hide().value(source.source_path().to_string());
    Val::Obj(builder.build())
}

fn library() -> ObjValue {
    let settings = Settings {
        ext_vars: Default::default(),
        ext_natives: Default::default(),
        trace_printer: Rc::new(Recorder),
        path_resolver: PathResolver::FileName,
    };
    stdlib_uncached(Cc::new(RefCell::new(settings)))
}

/// Keeps what `std.trace` says for the caller: a worker has no terminal.
#[derive(Acyclic)]
struct Recorder;

impl TracePrinter for Recorder {
    fn print_trace(&self, _call: CallLocation<'_>, text: IStr) {
        TRACE.with_borrow_mut(|lines| lines.push(text.as_str().to_owned()));
    }
}
