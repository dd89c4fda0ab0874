//! Converts the engine's errors to ours: kind, place and hints.

mod narrow;
mod declared;
mod frames;
mod blame;

use jrsonnet_evaluator::analyze::{DiagLevel, Diagnostic};
use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::{Error, Span};
use jrsonnet_types::ValType;
use wake_model::nearest::nearest;

pub(crate) use self::blame::maker;
use self::frames::{SourceFrame, frames, located, shorten, shown_call};
pub(crate) use self::narrow::narrow;
use crate::engine::api;
use crate::engine::env::{Env, Hunt};
use crate::engine::find;
use crate::engine::note::{Nature, Note, Origin};
use crate::engine::promise;
use crate::error::{EvalError, Kind, Limit, Place};
use crate::outcome::Read;

/// An error in our terms, possibly without a place yet.
pub(crate) struct EvalFault {
    /// Without the reads and traces of the evaluation.
    pub(crate) error: EvalError,
    /// What to look for in a second run, if no call of the user's was on the stack.
    pub(crate) hunt: Option<Hunt>,
    /// Whether this is the end of a hunt.
    pub(crate) found: bool,
    /// Whether the place is only that of something around the fault.
    pub(crate) is_vague: bool,
    /// Whether the program itself reported the error.
    is_said: bool,
    /// The innermost call in the evaluated package, if it is informative.
    caller: Option<Place>,
}

/// Converts an error of the engine.
pub(crate) fn explain(env: &Env, error: &Error) -> EvalFault {
    let located = located(env, error);
    let mut fault = match Note::of(error) {
        Some(note) => of_note(env, note, located.first()),
        None => EvalFault::of(of_engine(env, error, located.first())),
    };
    let said = |kind| matches!(kind, &ErrorKind::RuntimeError(_) | &ErrorKind::AssertionFailed(_));
    fault.is_said = Note::of(error).is_none() && said(error.error());
    let (message, is_said) = (&fault.error.message, fault.is_said);
    fault.caller = located.iter().find_map(|frame| frame.caller(message, is_said));
    let shown = &mut fault.error;
    if shown.place.is_none() && fault.hunt.is_none() {
        fault.is_vague = is_vague(error.error(), located.first());
        shown.place = located.first().map(|frame| frame.place_of(error.error()));
    }
    shown.frames = frames(&located, shown.place.as_ref());
    if let Some(place) = &mut shown.place {
        shorten(place);
    }
    fault
}

impl EvalFault {
    fn of(error: EvalError) -> EvalFault {
        EvalFault { error, hunt: None, found: false, is_vague: false, is_said: false, caller: None }
    }

    /// Takes over the place of the same error from another evaluation.
    pub(crate) fn sharpen(&mut self, found: Option<EvalFault>) {
        let Some(found) = found.filter(|found| found.error.message == self.error.message) else {
            return;
        };
        if found.error.place.is_some() {
            (self.error.place, self.error.frames) = (found.error.place, found.error.frames);
        }
    }

    /// Completes the error with the reads and traces of the evaluation.
    pub(crate) fn into_error(self, pkg: &str, reads: Vec<Read>, trace: Vec<String>) -> EvalError {
        let message = match self.error.kind {
            Kind::Limit(_) => format!("{}, evaluating `{pkg}`", self.error.message),
            Kind::User | Kind::Crash => self.error.message,
        };
        EvalError { pkg: pkg.to_owned(), message, reads, trace, ..self.error }
    }
}

fn of_note(env: &Env, note: Note, innermost: Option<&SourceFrame>) -> EvalFault {
    let Note { message, label, hints, nature, spot, option, origin } = note;
    let kind = match nature {
        Nature::Limit(limit) => Kind::Limit(limit),
        Nature::User
        | Nature::Pending(_)
        | Nature::NeedsPkgs
        | Nature::NeedsOptions
        | Nature::Found => Kind::User,
    };
    let error = EvalError { label, hints, option, ..EvalError::bare("", kind, message) };
    let mut fault = EvalFault { found: matches!(nature, Nature::Found), ..EvalFault::of(error) };
    if let Origin::At(place) = origin {
        fault.error.place = Some(place);
        return fault;
    }
    // The place where a reference or an import is written is at fault, rather than what it names.
    if spot.argument.is_none()
        && let Origin::Reference(written) = &origin
    {
        fault.error.place = find::written(env, written);
        if fault.error.place.is_some() {
            return fault;
        }
    }
    let in_call = innermost.and_then(|frame| Some((frame, api::spec(frame.called()?)?)));
    if let Some((frame, spec)) = in_call {
        let spot = narrow(&frame.text, frame.stretch, spec.params, &spot);
        fault.error.place = Some(spot.map_or_else(|| frame.place(), |stretch| frame.at(stretch)));
        return fault;
    }
    match origin {
        Origin::File(file) => fault.error.place = find::start_of(env, &file),
        Origin::Reference(written) => {
            fault.error.place = find::written(env, &written);
            if fault.error.place.is_none() && env.hunt().is_none() {
                fault.hunt = Some(Hunt::Reference(written));
            }
        }
        Origin::Call(name) if env.hunt().is_none() => fault.hunt = Some(Hunt::Call(name, spot)),
        Origin::Call(_) | Origin::Unknown | Origin::At(_) => {}
    }
    fault
}

fn of_engine(env: &Env, error: &Error, innermost: Option<&SourceFrame>) -> EvalError {
    let mut fault = EvalError::bare("", Kind::User, String::new());
    let called = innermost.and_then(SourceFrame::called);
    let call = || called.map_or("the function".to_owned(), shown_call);
    fault.message = match error.error() {
        ErrorKind::ImportSyntaxError { error, .. } => {
            fault.place = Some(place_of(env, &error.location));
            format!("syntax error: {}", error.message)
        }
        ErrorKind::StaticAnalysisError(diagnostics) => of_analysis(env, &mut fault, diagnostics),
        ErrorKind::UnknownFunctionParameter(name) => {
            unknown_argument(env, &mut fault, name, innermost)
        }
        ErrorKind::BindingParameterASecondTime(name) => format!("argument `{name}` is given twice"),
        ErrorKind::TooManyArgsFunctionHas(count, _) => {
            format!("too many arguments: {} takes {count}", call())
        }
        ErrorKind::FunctionParameterNotBoundInCall(param, _) => {
            format!("argument `{param}` of {} is missing", call())
        }
        ErrorKind::NoSuchField(name, similar) => {
            no_such_field(env, &mut fault, name, similar.first().map(|name| name.as_str()))
        }
        ErrorKind::DuplicateFieldName(name) => {
            fault.place = find::second_field(env, name);
            format!("an object has two fields `{name}`")
        }
        ErrorKind::RuntimeError(text) => text.to_string(),
        // The engine's message for an assertion without a message.
        ErrorKind::AssertionFailed(text) if &**text == "null" => "an assertion failed".to_owned(),
        ErrorKind::TypeMismatch(what, expected, found) => {
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            format!("{what} must be {}, not {found}", expected.join(" or "))
        }
        ErrorKind::ValueIndexMustBeTypeGot(ValType::Obj, _, found) => {
            format!("the name of a field must be string, not {found}")
        }
        ErrorKind::ValueIndexMustBeTypeGot(value @ (ValType::Arr | ValType::Str), _, found) => {
            format!("the index of {value} must be number, not {found}")
        }
        ErrorKind::ValueIndexMustBeTypeGot(value, ..) => format!("{value} has no fields"),
        ErrorKind::AssertionFailed(text) => format!("assertion failed: {text}"),
        ErrorKind::StackOverflow => {
            fault.kind = Kind::Limit(Limit::Depth);
            format!("calls nest more than {} deep", env.budget.limits.depth)
        }
        ErrorKind::InfiniteRecursionDetected => {
            "infinite recursion: computing this value needs the value itself".to_owned()
        }
        ErrorKind::ImportBadFileUtf8(path) => format!("`{path}` is not UTF-8"),
        other => other.to_string(),
    };
    if computes(error.error()) {
        blame_promises(env, &mut fault);
    }
    fault
}

/// Whether the engine reports at most an area around the place of an error.
fn is_vague(error: &ErrorKind, innermost: Option<&SourceFrame>) -> bool {
    match error {
        ErrorKind::RuntimeError(_) | ErrorKind::AssertionFailed(_) => innermost.is_none(),
        ErrorKind::ImportSyntaxError { .. }
        | ErrorKind::StaticAnalysisError(_)
        | ErrorKind::UnknownFunctionParameter(_)
        | ErrorKind::StackOverflow => false,
        _ => !innermost.is_some_and(SourceFrame::is_ours),
    }
}

/// If there are promises, computing with one may be the cause.
fn blame_promises(env: &Env, fault: &mut EvalError) {
    let promises = env.promises.borrow();
    let mut promised = promises.values();
    let Some(first) = promised.next() else { return };
    if promised.next().is_none() {
        // The engine does not report the place of an operator; if there is only one promise, it must be the operand.
        fault.place = find::written(env, &first.written);
    }
    let hint = format!("a reference to something not yet built is a promise: {}", promise::MOVE);
    fault.hints.push(hint);
}

/// Returns the first error of the engine's static analysis of a file, preferably one with a place.
fn of_analysis(env: &Env, fault: &mut EvalError, diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.level == DiagLevel::Error);
    let first = errors.clone().find(|diagnostic| diagnostic.span.is_some()).or(errors.next());
    let Some(first) = first else { return String::new() };
    let (message, label) = split_suggestion(&first.message);
    fault.label = label;
    fault.place = first.span.as_ref().map(|span| place_of(env, span));
    match message.strip_prefix("undefined local: ") {
        Some(name) => format!("undefined variable `{name}`"),
        None => message,
    }
}

fn unknown_argument(
    env: &Env,
    fault: &mut EvalError,
    name: &str,
    innermost: Option<&SourceFrame>,
) -> String {
    let Some(frame) = innermost else { return format!("unknown argument `{name}`") };
    let place = narrow::argument_name(&frame.text, frame.stretch, name);
    fault.place = place.map(|stretch| frame.at(stretch));
    let called = frame.called().unwrap_or_default();
    let lists = match api::spec(called) {
        Some(spec) => vec![api_arguments(spec)],
        None => {
            let given = narrow::named_arguments(&frame.text, frame.stretch);
            let others = given.iter().map(|named| named.text).filter(|other| *other != name);
            declared::parameters(env, called, &others.collect::<Vec<_>>())
        }
    };
    let near = nearest(name, lists.iter().flatten().map(String::as_str));
    fault.label = near.map(|near| format!("did you mean `{near}`?"));
    if let [only] = lists.as_slice() {
        fault.hints.push(format!("the arguments are {}", only.join(", ")));
    }
    if called.starts_with("wake.") && matches!(name, "limits" | "memory" | "cpus") {
        let way = "use `resources={ cpus: 2, memory: '1GiB' }` of exec() to limit a command";
        fault.hints.push(way.to_owned());
    }
    format!("unknown argument `{name}` of {}", shown_call(called))
}

/// Returns the parameters of a function of the API.
fn api_arguments(spec: &api::Spec) -> Vec<String> {
    // A tolerated spelling is never suggested.
    let names = spec.params.iter().map(|param| param.name).filter(|name| *name != "permisions");
    names.map(str::to_owned).collect()
}

fn no_such_field(env: &Env, fault: &mut EvalError, name: &str, similar: Option<&str>) -> String {
    fault.place = find::lookup(env, name);
    let on_wake = fault.place.as_ref().is_some_and(|place| {
        let before: String = place.source_line.chars().take(place.column as usize - 1).collect();
        before.ends_with("wake.")
    });
    let near = match name {
        // Names of this function in other tools.
        "glob" | "ls" | "files" if on_wake => {
            fault
                .hints
                .push("use wake.dir('*.txt') to list the files that match a glob".to_owned());
            Some("dir")
        }
        _ if on_wake => nearest(name, api::names()),
        _ => None,
    };
    fault.label = near.or(similar).map(|near| format!("did you mean `{near}`?"));
    format!("there is no field `{name}`")
}

/// Whether computing with a promise could cause this error.
fn computes(error: &ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::BinaryOperatorDoesNotOperateOnValues(..)
            | ErrorKind::UnaryOperatorDoesNotOperateOnType(..)
            | ErrorKind::TypeMismatch(..)
            | ErrorKind::TypeError(..)
            | ErrorKind::ValueIsNotIndexable(..)
            | ErrorKind::CantIndexInto(..)
            | ErrorKind::ValueIndexMustBeTypeGot(..)
            | ErrorKind::InComprehensionCanOnlyIterateOverArray
    )
}

/// Returns the place of a span; the part past the end of the text is ignored.
fn place_of(env: &Env, span: &Span) -> Place {
    let frame = SourceFrame::of(env, span, "");
    frame.at(frame.stretch)
}

/// Splits off the similar names that the engine puts on a second line of some messages.
fn split_suggestion(message: &str) -> (String, Option<String>) {
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let near = rest.rsplit_once(": ").and_then(|(_, names)| names.split(", ").next());
    (first.to_owned(), near.map(|near| format!("did you mean `{near}`?")))
}
