//! What wake itself finds wrong, carried through the engine's errors.

use jrsonnet_evaluator::Error;
use jrsonnet_evaluator::error::ErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::path::PathError;

use super::reference::WrittenReference;
use crate::error::{Limit, Place};

/// Marks a run-time error of the engine whose text is a note: no text that a user writes by accident starts so.
const MARK: &str = "\0wake ";

/// An error found by wake's own code, with what is needed to point at the right spot of the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) message: String,
    pub(crate) label: Option<String>,
    pub(crate) hints: Vec<String>,
    pub(crate) nature: Nature,
    /// Which spot inside the call that raised this.
    pub(crate) spot: Spot,
    /// The option that is set to what is of another type than its default.
    pub(crate) option: Option<String>,
    /// Where to look when no call of the user's is on the stack.
    pub(crate) origin: Origin,
}

/// What kind of end this is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) enum Nature {
    #[default]
    User,
    Limit(Limit),
    /// A dependency is not there yet: no error, but no value either.
    Pending(Value),
    /// Packages are needed that are still to be found.
    NeedsPkgs,
    /// Options are needed before it is known who sets them.
    NeedsOptions,
    /// A hunt has found what it looked for.
    Found,
}

/// A spot inside a call: an argument, and keys inside its value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) argument: Option<String>,
    pub(crate) keys: Vec<String>,
    /// Whether the last key itself is at fault, not its value.
    pub(crate) at_key: bool,
}

/// Where an error without a frame comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) enum Origin {
    #[default]
    Unknown,
    /// The first token of a file.
    File(String),
    /// The call of this builtin.
    Call(String),
    /// Just there.
    At(Place),
    /// The call that was given this reference, or the text where it is written.
    Reference(WrittenReference),
}

impl Note {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Note { message: message.into(), ..Note::default() }
    }

    /// A note that a limit was exceeded.
    pub(crate) fn too_much(limit: Limit, message: String) -> Self {
        Note::new(message).nature(Nature::Limit(limit))
    }

    /// The end of a hunt.
    pub(crate) fn found() -> Self {
        Note::new("found").nature(Nature::Found)
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Suggests `name` below the caret, if there is one.
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

    /// Points at the value under `key`, inside what is already pointed at.
    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.spot.keys.push(key.into());
        self
    }

    pub(crate) fn keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.spot.keys.extend(keys);
        self
    }

    /// Points at the value under `key`, around what is already pointed at.
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

    /// The note in `error`, if wake raised it.
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

/// Changes the note in an error that wake raised just now, without a call of the user's in between.
pub(crate) fn amend(error: Error, change: impl FnOnce(Note) -> Note) -> Error {
    match Note::of(&error) {
        Some(note) if error.trace().0.is_empty() => change(note).into(),
        _ => error,
    }
}

/// Stops with a note, as `return Err(note.into())`.
macro_rules! refuse {
    ($note:expr) => {
        return Err(jrsonnet_evaluator::Error::from($note))
    };
}
pub(crate) use refuse;
