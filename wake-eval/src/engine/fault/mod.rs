//! From the engine's errors to ours: whose fault, where, and what to do.

mod narrow;
mod frames;

use jrsonnet_evaluator::Error;
use jrsonnet_evaluator::error::ErrorKind;
use wake_model::nearest::nearest;

use self::frames::{SourceFrame, frames, located, shorten, shown_call};
use crate::engine::api;
use crate::engine::env::{Env, Hunt};
use crate::engine::import;
use crate::engine::note::{Nature, Note, Origin};
use crate::engine::promise;
use crate::engine::text;
use crate::error::{EvalError, Frame, Kind, Limit, Place};
use crate::outcome::Read;

/// An error in our terms, perhaps without a place yet.
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    pub(crate) label: Option<String>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) hints: Vec<String>,
    /// What to look for in a second run, where no call of the user's was on the stack.
    pub(crate) hunt: Option<Hunt>,
    /// Whether this is the end of a hunt.
    pub(crate) found: bool,
}

/// Explains an error of the engine.
pub(crate) fn explain(env: &Env, error: &Error) -> Fault {
    let located = located(error);
    let mut fault = match Note::of(error) {
        Some(note) => of_note(env, note, located.first()),
        None => of_engine(env, error, located.first()),
    };
    if fault.place.is_none() && fault.hunt.is_none() {
        fault.place = located.first().map(SourceFrame::place);
    }
    fault.frames = frames(&located, fault.place.as_ref());
    if let Some(place) = &mut fault.place {
        shorten(place);
    }
    fault
}

impl Fault {
    /// Completes the error with what the evaluation had seen.
    pub(crate) fn into_error(self, pkg: &str, reads: Vec<Read>, trace: Vec<String>) -> EvalError {
        let message = match self.kind {
            Kind::Limit(_) => format!("{}, evaluating `{pkg}`", self.message),
            Kind::User | Kind::Crash => self.message,
        };
        EvalError {
            pkg: pkg.to_owned(),
            kind: self.kind,
            message,
            place: self.place,
            label: self.label,
            frames: self.frames,
            hints: self.hints,
            reads,
            trace,
        }
    }

    fn user(message: impl Into<String>) -> Self {
        Fault {
            kind: Kind::User,
            message: message.into(),
            place: None,
            label: None,
            frames: Vec::new(),
            hints: Vec::new(),
            hunt: None,
            found: false,
        }
    }
}

fn of_note(env: &Env, note: Note, innermost: Option<&SourceFrame>) -> Fault {
    let Note { message, label, hints, nature, spot, origin } = note;
    let mut fault = Fault { label, hints, ..Fault::user(message) };
    match nature {
        Nature::User | Nature::Pending(_) => {}
        Nature::Limit(limit) => fault.kind = Kind::Limit(limit),
        Nature::Found => fault.found = true,
    }
    // What a reference or an import names is not at fault, but where it is written.
    if spot.argument.is_none()
        && let Origin::Reference(written) = &origin
    {
        fault.place = text::written(env, written);
        if fault.place.is_some() {
            return fault;
        }
    }
    let in_call = innermost.and_then(|frame| Some((frame, api::spec(frame.called()?)?)));
    if let Some((frame, spec)) = in_call {
        let spot = narrow::narrow(&frame.text, frame.stretch, spec.params, &spot);
        fault.place = Some(spot.map_or_else(|| frame.place(), |stretch| frame.at(stretch)));
        return fault;
    }
    match origin {
        Origin::File(file) => fault.place = text::start_of(env, &file),
        Origin::Reference(written) => {
            fault.place = text::written(env, &written);
            if fault.place.is_none() && env.hunt().is_none() {
                fault.hunt = Some(Hunt::Reference(written));
            }
        }
        Origin::Call(name) if env.hunt().is_none() => fault.hunt = Some(Hunt::Call(name, spot)),
        Origin::Call(_) | Origin::Unknown => {}
    }
    fault
}

fn of_engine(env: &Env, error: &Error, innermost: Option<&SourceFrame>) -> Fault {
    let mut fault = Fault::user(String::new());
    match error.error() {
        ErrorKind::ImportSyntaxError { error, .. } => {
            fault.message = format!("syntax error: {}", error.message);
            fault.place = Some(SourceFrame::of(&error.location, "").place_of_token());
        }
        ErrorKind::StaticAnalysisError(diagnostics) => {
            let first = diagnostics
                .iter()
                .find(|diagnostic| diagnostic.span.is_some())
                .or(diagnostics.first());
            if let Some(first) = first {
                let (message, label) = split_suggestion(&first.message);
                fault.message = match message.strip_prefix("undefined local: ") {
                    Some(name) => format!("undefined variable `{name}`"),
                    None => message,
                };
                fault.label = label;
                fault.place =
                    first.span.as_ref().map(|span| SourceFrame::of(span, "").place_of_token());
            }
        }
        ErrorKind::UnknownFunctionParameter(name) => unknown_argument(&mut fault, name, innermost),
        ErrorKind::BindingParameterASecondTime(name) => {
            fault.message = format!("argument `{name}` is given twice");
        }
        ErrorKind::TooManyArgsFunctionHas(count, _) => {
            let name = innermost
                .and_then(SourceFrame::called)
                .map_or("the function".to_owned(), shown_call);
            fault.message = format!("too many arguments: {name} takes {count}");
        }
        ErrorKind::FunctionParameterNotBoundInCall(param, _) => {
            let name = innermost
                .and_then(SourceFrame::called)
                .map_or("the function".to_owned(), shown_call);
            fault.message = format!("argument `{param}` of {name} is missing");
        }
        ErrorKind::NoSuchField(name, similar) => {
            no_such_field(env, &mut fault, name, similar.first().map(|n| n.as_str()))
        }
        ErrorKind::DuplicateFieldName(name) => {
            fault.message = format!("an object has two fields `{name}`");
            fault.place = text::second_field(env, name);
        }
        ErrorKind::RuntimeError(text) => fault.message = text.to_string(),
        ErrorKind::AssertionFailed(text) => fault.message = format!("assertion failed: {text}"),
        ErrorKind::StackOverflow => {
            fault.kind = Kind::Limit(Limit::Depth);
            fault.message = format!("calls nest more than {} deep", env.budget.limits.depth);
        }
        ErrorKind::InfiniteRecursionDetected => {
            fault.message =
                "infinite recursion: computing this value needs the value itself".to_owned();
        }
        other => fault.message = import::not_text(other).unwrap_or_else(|| other.to_string()),
    }
    let promises = env.promises.borrow();
    if !promises.is_empty() && computes(error.error()) {
        // The engine does not say where an operator stands; a promise that is the only one must be the operand.
        let mut written = promises.values();
        if let (Some(only), None) = (written.next(), written.next()) {
            fault.place = text::written(env, &only.written);
        }
        fault
            .hints
            .push(format!("a reference to what is not built yet is a promise: {}", promise::MOVE));
    }
    fault
}

fn unknown_argument(fault: &mut Fault, name: &str, innermost: Option<&SourceFrame>) {
    let Some(frame) = innermost else {
        fault.message = format!("unknown argument `{name}`");
        return;
    };
    fault.place =
        narrow::argument_name(&frame.text, frame.stretch, name).map(|stretch| frame.at(stretch));
    let called = frame.called().unwrap_or_default();
    fault.message = format!("unknown argument `{name}` of {}", shown_call(called));
    if let Some(spec) = api::spec(called) {
        // A spelling that is only tolerated is never suggested.
        let names = spec.params.iter().map(|param| param.name).filter(|name| *name != "permisions");
        let names: Vec<&str> = names.collect();
        fault.label =
            nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        fault.hints.push(format!("the arguments are {}", names.join(", ")));
    }
}

fn no_such_field(env: &Env, fault: &mut Fault, name: &str, similar: Option<&str>) {
    fault.message = format!("there is no field `{name}`");
    let place = text::lookup(env, name);
    let on_wake = place.as_ref().is_some_and(|place| {
        let before: String = place.source_line.chars().take(place.column as usize - 1).collect();
        before.ends_with("wake.")
    });
    let near = if on_wake { nearest(name, api::names()) } else { None };
    fault.label = near.or(similar).map(|near| format!("did you mean `{near}`?"));
    fault.place = place;
}

/// Whether the error is one that computing with a promise would give.
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

/// The engine puts similar names on a second line of some messages.
fn split_suggestion(message: &str) -> (String, Option<String>) {
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let near = rest.rsplit_once(": ").and_then(|(_, names)| names.split(", ").next());
    (first.to_owned(), near.map(|near| format!("did you mean `{near}`?")))
}
