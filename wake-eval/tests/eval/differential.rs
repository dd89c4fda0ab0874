//! Random programs evaluated by another engine, too: if both return a value, it must be the same.
//!
//! That engine is not a reference, but an independent implementation of the specification. `scripts/agreement`
//! compares the same programs with the reference engines.

use libtest_mimic::{Failed, Trial};
use rsjsonnet_lang::arena::Arena;
use rsjsonnet_lang::interner::InternedStr;
use rsjsonnet_lang::program::{
    Callbacks, EvalStackTraceItem, ImportError, NativeError, Program, Thunk, Value,
};
use rsjsonnet_lang::span::SpanId;
use wake_eval::{NoAnswers, Request};

use crate::generate::Generator;
use crate::{pool, trial};

/// This many take a few seconds.
const PROGRAMS: usize = 3_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("differential/random programs", random_programs)]
}

fn random_programs() -> Result<(), Failed> {
    let mut generator = Generator::new(1);
    let (mut values, mut refused, mut differences) = (0, 0, Vec::new());
    for _ in 0..PROGRAMS {
        let program = generator.program();
        match (ours(&program), theirs(&program)) {
            (Some(ours), Some(theirs)) if ours == theirs => values += 1,
            (Some(ours), Some(theirs)) => {
                differences.push(format!("{program}\n  is {ours}\n  and not {theirs}"));
            }
            (Some(ours), None) => differences.push(format!("{program}\n  is {ours}, and no error")),
            (None, Some(_)) => refused += 1,
            (None, None) => {}
        }
    }
    if !differences.is_empty() {
        let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        return Err(format!("{} programs differ\n{shown}", differences.len()).into());
    }
    // An engine that rejects everything would never differ.
    if values < PROGRAMS / 5 || refused > PROGRAMS / 100 {
        return Err(format!("{values} have a value, {refused} are refused by us alone").into());
    }
    Ok(())
}

fn ours(program: &str) -> Option<serde_json::Value> {
    let op = crate::expression(program);
    let request = Request { pkg: "//".to_owned(), root: "nowhere".into(), op };
    pool().evaluate(&request, &NoAnswers).ok().map(|evaluated| plain(crate::value(&evaluated)))
}

/// Returns the other engine's result as JSON; `None` if it is an error.
fn theirs(program: &str) -> Option<serde_json::Value> {
    let arena = Arena::new();
    let mut engine = Program::new(&arena);
    let span = engine.span_manager_mut().insert_source_context(program.len()).0;
    let thunk = engine.load_source(span, program.as_bytes(), true, "program").ok()?;
    let value = engine.eval_value(&thunk, &mut Nothing).ok()?;
    let json = engine.manifest_json(&value, false).ok()?;
    serde_json::from_str(&json).ok().map(plain)
}

/// Returns a value in a form that does not depend on how numbers are written.
fn plain(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap_or_default() + 0.0),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
        other => other,
    }
}

/// No answers to any question.
struct Nothing;

impl<'p> Callbacks<'p> for Nothing {
    fn import(
        &mut self,
        _: &mut Program<'p>,
        _: SpanId,
        _: &str,
    ) -> Result<Thunk<'p>, ImportError> {
        Err(ImportError)
    }

    fn import_str(
        &mut self,
        _: &mut Program<'p>,
        _: SpanId,
        _: &str,
    ) -> Result<String, ImportError> {
        Err(ImportError)
    }

    fn import_bin(
        &mut self,
        _: &mut Program<'p>,
        _: SpanId,
        _: &str,
    ) -> Result<Vec<u8>, ImportError> {
        Err(ImportError)
    }

    fn trace(&mut self, _: &mut Program<'p>, _: &str, _: &[EvalStackTraceItem]) {}

    fn native_call(
        &mut self,
        _: &mut Program<'p>,
        _: InternedStr<'p>,
        _: &[Value<'p>],
    ) -> Result<Value<'p>, NativeError> {
        Err(NativeError)
    }
}
