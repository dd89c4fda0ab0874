//! The standard library, visible to files as `std`, and the functions that replace operators and comprehensions.
//!
//! Functions of the engine that differ from those of the language are replaced here.

mod number;
mod json_text;
mod function;
mod equal;
mod format;
mod slice;
mod operators;
mod comprehension;
mod config;
mod place;
mod numbers;
mod lists;
mod sets;
mod objects;
mod strings;
mod ini;
mod python;
mod toml;
mod xml;
mod yaml;
mod yaml_read;
mod encoding;

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use jrsonnet_evaluator::function::{CallLocation, FuncVal, NativeFn};
use jrsonnet_evaluator::trace::PathResolver;
use jrsonnet_evaluator::val::ThunkValue;
use jrsonnet_evaluator::{
    ContextInitializer, IStr, InitialContextBuilder, ObjValue, ObjValueBuilder, Result, Source,
    Thunk, Val,
};
use jrsonnet_gcmodule::{Acyclic, Cc, trace_acyclic};
use jrsonnet_stdlib::{Settings, TracePrinter, stdlib_uncached};

pub(crate) use self::config::default_config;
use self::format::Filling;
use self::function::{Arguments, Native};
use super::note::Note;
use crate::prepare::{Call, FORMAT};

thread_local! {
    static CALLS: [(IStr, Val); Call::ALL.len()] = Call::ALL.map(|call| {
        let function = operators::operator(call)
            .or_else(|| comprehension::comprehension(call))
            .or_else(|| config::body(call))
            .unwrap_or_else(place::at);
        (call.name().into(), Val::Func(function))
    });
    static LIBRARY: ObjValue = library();
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Binds `std` in every file.
pub(crate) struct Standard {
    this_file: ThisFile,
}

/// Returns `std.thisFile` of a file, given the engine's name for it.
pub(crate) type ThisFile = Rc<dyn Fn(&str) -> String>;

trace_acyclic!(Standard);

impl Standard {
    pub(crate) fn new(this_file: ThisFile) -> Standard {
        Standard { this_file }
    }
}

impl ContextInitializer for Standard {
    fn populate(&self, source: Source, builder: &mut InitialContextBuilder) {
        let this_file = self.this_file.clone();
        builder.bind("std", Thunk::new(Std { this_file, source, made: OnceCell::new() }));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Binds a function that rewritten texts call.
pub(crate) fn bind(call: Call, builder: &mut InitialContextBuilder) {
    CALLS.with(|calls| {
        let (name, function) = &calls[call as usize];
        builder.bind(name.clone(), Thunk::evaluated(function.clone()));
    });
}

/// Binds the functions for format patterns, which rewritten texts call by number.
pub(crate) fn bind_patterns(patterns: &[Box<str>], builder: &mut InitialContextBuilder) {
    thread_local! {
        static NAMES: RefCell<Vec<IStr>> = const { RefCell::new(Vec::new()) };
    }
    NAMES.with_borrow_mut(|names| {
        for (index, pattern) in patterns.iter().enumerate() {
            if names.len() == index {
                names.push(format!("{FORMAT}{index}").into());
            }
            let function = FuncVal::builtin(Filling::of(pattern));
            builder.bind(names[index].clone(), Thunk::evaluated(Val::Func(function)));
        }
    });
}

/// Returns the output of `std.trace` since the last call.
pub(crate) fn take_trace() -> Vec<String> {
    TRACE.take()
}

/// The library as one file sees it, created on first access: most package files never use it.
struct Std {
    this_file: ThisFile,
    source: Source,
    made: OnceCell<Val>,
}

// Nothing it creates refers back to it.
trace_acyclic!(Std);

impl ThunkValue for Std {
    type Output = Val;

    fn get(&self) -> Result<Val> {
        Ok(self.made.get_or_init(|| self.make()).clone())
    }
}

impl Std {
    fn make(&self) -> Val {
        let mut builder = ObjValueBuilder::with_capacity(1);
        builder.with_super(LIBRARY.with(Clone::clone));
        let name = self.source.source_path().to_string();
        builder.field("thisFile").hide().value((self.this_file)(&name));
        Val::Obj(builder.build())
    }
}

/// A function of the library: its name, its parameters (those that end in `?` are optional), its implementation.
type Function = (&'static str, &'static [&'static str], fn(&Arguments<'_>) -> Result<Val>);

/// The functions that replace those of the engine's library.
const REPLACED: [&[Function]; 8] = [
    slice::FUNCTIONS,
    numbers::FUNCTIONS,
    lists::FUNCTIONS,
    sets::FUNCTIONS,
    objects::FUNCTIONS,
    strings::FUNCTIONS,
    encoding::FUNCTIONS,
    FUNCTIONS,
];

const FUNCTIONS: &[Function] =
    &[("builtin_base64", &["input"], base64), ("builtin_trace", &["str", "rest"], trace)];

fn library() -> ObjValue {
    let engines = engines_library();
    let mut builder = ObjValueBuilder::new();
    builder.with_super(engines);
    for (name, params, run) in REPLACED.into_iter().flatten() {
        let function = Native::function(name, params, *run);
        let field = builder.field(name.trim_start_matches("builtin_"));
        field.hide().value(Val::Func(function));
    }
    builder.build()
}

fn engines_library() -> ObjValue {
    let settings = Settings {
        ext_vars: Default::default(),
        ext_natives: Default::default(),
        trace_printer: Rc::new(Silent),
        path_resolver: PathResolver::FileName,
    };
    stdlib_uncached(Cc::new(RefCell::new(settings)))
}

thread_local! {
    static BASE64: Option<Val> = engines_library().get("base64".into()).ok().flatten();
}

/// Wraps the engine's own function, which encodes characters above U+00FF as UTF-8.
fn base64(args: &Arguments<'_>) -> Result<Val> {
    let input = args.value(0)?;
    if let Val::Str(text) = &input
        && let Some(wide) = text.clone().into_flat().chars().find(|c| u32::from(*c) > 255)
    {
        let message = format!("std.base64() takes characters up to U+00FF, not `{wide}`");
        return Err(Note::new(message).hint("std.encodeUTF8() makes bytes of a string").into());
    }
    match BASE64.with(Clone::clone) {
        Some(Val::Func(function)) => NativeFn::<(Val, Val)>::try_from(function)?.call(input),
        _ => Err(Note::new("std.base64() is missing").into()),
    }
}

/// Collects the output for the caller: a worker has no terminal.
fn trace(args: &Arguments<'_>) -> Result<Val> {
    let text = args.text(0)?;
    TRACE.with_borrow_mut(|lines| lines.push(text.as_str().to_owned()));
    args.value(1)
}

/// Discards what the engine's own `std.trace` would print.
#[derive(Acyclic)]
struct Silent;

impl TracePrinter for Silent {
    fn print_trace(&self, _call: CallLocation<'_>, _text: IStr) {}
}
