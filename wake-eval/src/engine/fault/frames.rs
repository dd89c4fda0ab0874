//! The calls around an error, as shown to users.

use std::rc::Rc;

use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::{Error, Span};

use super::narrow;
use crate::engine::default::OVERLAY;
use crate::engine::env::Env;
use crate::engine::text::{self, Stretch};
use crate::error::{Frame, Place};
use crate::prepare::RESERVED;

/// The maximum number of calls shown around an error.
const FRAMES: usize = 8;

/// A frame of the engine with known text.
pub(super) struct SourceFrame {
    file: String,
    pub(super) text: Rc<str>,
    pub(super) stretch: Stretch,
    desc: String,
}

impl SourceFrame {
    /// Creates a frame for `span`; `desc` is the engine's description.
    pub(super) fn of(env: &Env, span: &Span, desc: &str) -> Self {
        let name = span.0.source_path().to_string();
        let source = env.sources.borrow().get(&name).cloned();
        let origin = |offset: u32| match &source {
            Some(source) => source.origins.of(offset as usize),
            None => offset as usize,
        };
        SourceFrame {
            file: name.trim_start_matches("virtual:").trim_end_matches(OVERLAY).to_owned(),
            stretch: Stretch { start: origin(span.1), end: origin(span.2) },
            text: source
                .as_ref()
                .map_or_else(|| span.0.code().into(), |source| source.text.clone()),
            desc: desc.to_owned(),
        }
    }

    /// Returns the name of the file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Returns the place of a part of its text.
    pub(super) fn at(&self, stretch: Stretch) -> Place {
        text::place(&self.file, &self.text, stretch)
    }

    /// Returns the place of a call: the name of the called function, without the arguments.
    pub(super) fn place(&self) -> Place {
        if self.is_ours() {
            return self.at(self.stretch);
        }
        if self.text[self.stretch.start.min(self.text.len())..].starts_with('(') {
            self.at(narrow::callee(&self.text, self.stretch))
        } else {
            self.at(self.stretch)
        }
    }

    /// Returns the place of an error within the frame.
    pub(super) fn place_of(&self, error: &ErrorKind) -> Place {
        if self.is_ours()
            && let ErrorKind::NoSuchField(name, _) = error
            && let Some(covered) = self.text.get(self.stretch.start..self.stretch.end)
        {
            let before = covered.trim_end_matches([']', '\'', '"']).strip_suffix(name.as_str());
            if let Some(before) = before {
                let start = self.stretch.start + before.len();
                return self.at(Stretch { start, end: start + name.len() });
            }
        }
        self.place()
    }

    /// Whether this is not a call of the user's, but an operator or a comprehension.
    pub(super) fn is_ours(&self) -> bool {
        self.called().is_some_and(|name| name.starts_with(RESERVED))
    }

    /// Returns the name of the called function: `wake.pkg`.
    pub(super) fn called(&self) -> Option<&str> {
        self.desc.strip_prefix("function <")?.split_once('>').map(|(name, _)| name)
    }
}

/// Returns the frames of an error, innermost first.
pub(super) fn located(env: &Env, error: &Error) -> Vec<SourceFrame> {
    let frames = error.trace().0.iter();
    frames
        .filter_map(|frame| {
            frame.location.as_ref().map(|span| SourceFrame::of(env, span, &frame.desc))
        })
        .collect()
}

/// Returns the frames that add information to the place shown.
pub(super) fn frames(located: &[SourceFrame], shown: Option<&Place>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for frame in located.iter().filter(|frame| !frame.is_ours()) {
        let mut place = frame.place();
        shorten(&mut place);
        let same = |other: &Place| (&other.file, other.line) == (&place.file, place.line);
        if shown.is_some_and(same) || frames.iter().any(|frame| same(&frame.place)) {
            continue;
        }
        if frames.len() == FRAMES {
            break;
        }
        frames.push(Frame { desc: describe(frame), place });
    }
    frames
}

fn describe(frame: &SourceFrame) -> String {
    if let Some(name) = frame.called() {
        return format!("{} is called", shown_call(name));
    }
    match frame.desc.split_once(['<', '>']) {
        Some(("field ", rest)) => format!("field `{}` is read", rest.trim_end_matches("> access")),
        Some(("element ", rest)) => {
            format!("element {} is read", rest.trim_end_matches("> access"))
        }
        _ if frame.desc == "import" => "imported".to_owned(),
        _ => frame.desc.clone(),
    }
}

/// The number of characters of a source line that are kept around the place.
const LINE: usize = 160;

/// Truncates a line that would fill the terminal, so that the place stays visible.
pub(super) fn shorten(place: &mut Place) {
    let length = place.source_line.chars().count();
    if length > LINE && place.column as usize <= LINE {
        place.source_line = place.source_line.chars().take(LINE).collect::<String>() + "…";
    } else if length > LINE {
        place.source_line = String::new();
    }
    let room = place.source_line.chars().count() + 2;
    if place.end_column as usize > room && !place.source_line.is_empty() {
        place.end_column = u32::try_from(room).unwrap_or(u32::MAX).max(place.column + 1);
    }
}

/// Returns the name of a function as users write it.
pub(super) fn shown_call(name: &str) -> String {
    let name = name.strip_prefix("wake.").unwrap_or(name);
    match name.strip_prefix("builtin_") {
        Some(name) => format!("std.{name}()"),
        None if name == "anonymous" => "the function".to_owned(),
        None => format!("{name}()"),
    }
}
