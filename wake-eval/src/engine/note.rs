//! Errors found by wake itself, carried through the engine's error type.

use jrsonnet_evaluator::Error;
use jrsonnet_evaluator::error::ErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::path::PathError;

use super::reference::WrittenReference;
use crate::error::{Limit, Place};

/// Marks a run-time error of the engine whose text is a note: no text of a user starts like this by accident.
const MARK: &str = "\0wake ";

/// An error found by wake's own code, with what is needed to point at the right place in the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) message: String,
    pub(crate) label: Option<String>,
    pub(crate) hints: Vec<String>,
    pub(crate) nature: Nature,
    /// The spot inside the call that raised this.
    pub(crate) spot: Spot,
    /// The option that was set to a value of the wrong type.
    pub(crate) option: Option<String>,
    /// Where to look if there is no call of the user's on the stack.
    pub(crate) origin: Origin,
}

/// The kind of a note.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) enum Nature {
    #[default]
    User,
    Limit(Limit),
    /// A dependency is not available yet: neither an error nor a value.
    Pending(Value),
    /// Dependencies are needed before packages have been loaded.
    NeedsPkgs,
    /// Options are needed before it is known who sets them.
    NeedsOptions,
    /// A hunt has reached its goal.
    Found,
}

/// A spot inside a call: an argument, and keys inside its value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) argument: Option<String>,
    pub(crate) keys: Vec<String>,
    /// Whether the last key itself is at fault rather than its value.
    pub(crate) at_key: bool,
}

/// The origin of an error without a frame.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) enum Origin {
    #[default]
    Unknown,
    /// The first token of a file.
    File(String),
    /// The call of this builtin.
    Call(String),
    /// This place.
    At(Place),
    /// The call that was given this reference, or the text in which it is written.
    Reference(WrittenReference),
}

impl Note {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Note { message: message.into(), ..Note::default() }
    }

    /// Creates a note for an exceeded limit.
    pub(crate) fn too_much(limit: Limit, message: String) -> Self {
        Note::new(message).nature(Nature::Limit(limit))
    }

    /// Creates the note that ends a hunt.
    pub(crate) fn found() -> Self {
        Note::new("found").nature(Nature::Found)
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Suggests `name`, if there is one, below the caret.
    pub(crate) fn suggest(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.label(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Blames whoever set the option `name`.
    pub(crate) fn option(mut self, name: &str) -> Self {
        self.option = Some(name.to_owned());
        self
    }

    pub(crate) fn argument(mut self, name: impl Into<String>) -> Self {
        self.spot.argument = Some(name.into());
        self
    }

    /// Points at the value under `key`, inside the current spot.
    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.spot.keys.push(key.into());
        self
    }

    pub(crate) fn keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.spot.keys.extend(keys);
        self
    }

    /// Points at the value under `key`, around the current spot.
    pub(crate) fn outer_key(mut self, key: String) -> Self {
        self.spot.keys.insert(0, key);
        self
    }

    pub(crate) fn at_key(mut self) -> Self {
        self.spot.at_key = true;
        self
    }

    pub(crate) fn nature(mut self, nature: Nature) -> Self {
        self.nature = nature;
        self
    }

    pub(crate) fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Returns the note in `error`, if wake raised it.
    pub(crate) fn of(error: &Error) -> Option<Note> {
        let text: &str = match error.error() {
            ErrorKind::RuntimeError(text) | ErrorKind::AssertionFailed(text) => text,
            ErrorKind::ImportCallbackError(text) => text,
            _ => return None,
        };
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }
}

impl From<PathError> for Note {
    fn from(error: PathError) -> Self {
        Note::new(error.to_string())
    }
}

impl From<Note> for Error {
    fn from(note: Note) -> Self {
        let text = serde_json::to_string(&note).unwrap_or_default();
        Error::new(ErrorKind::RuntimeError(format!("{MARK}{text}").into()))
    }
}

/// Changes the note in an error that wake has just raised, without a call of the user's in between.
pub(crate) fn amend(error: Error, change: impl FnOnce(Note) -> Note) -> Error {
    match Note::of(&error) {
        Some(note) if error.trace().0.is_empty() => change(note).into(),
        _ => error,
    }
}

/// Fails with a note; short for `return Err(note.into())`.
macro_rules! refuse {
    ($note:expr) => {
        return Err(jrsonnet_evaluator::Error::from($note))
    };
}
pub(crate) use refuse;
