//! Slices of lists and strings.

use std::num::NonZeroU32;

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::function::Arguments;
use super::number;
use crate::engine::json::kind;
use crate::engine::note::{Note, refuse};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] =
    &[("builtin_slice", &["indexable", "index", "end", "step"], slice)];

/// `of[from:to:step]`: null means the beginning, the end, one. Negative values count from the end.
pub(super) fn slice(args: &Arguments<'_>) -> Result<Val> {
    match args.value(0)? {
        Val::Arr(list) => {
            let places = Places::of(args, list.len())?;
            Ok(Val::Arr(part(list, places)))
        }
        Val::Str(text) => {
            let characters: Vec<char> = text.into_flat().chars().collect();
            let places = Places::of(args, characters.len() as u32)?;
            let part: String = places.map(|at| characters[at as usize]).collect();
            Ok(Val::string(part))
        }
        other => {
            let found = kind(&other);
            refuse!(Note::new(format!("only a list or a string can be sliced, not {found}")))
        }
    }
}

/// Returns the elements at some positions, not computed; a fractional position is an error when the element is
/// accessed.
fn part(list: ArrValue, places: Places) -> ArrValue {
    if places.at >= places.end {
        return ArrValue::empty();
    }
    if let Some((from, to, step)) = places.whole() {
        return list.slice(Some(from), Some(to), Some(step));
    }
    let element = |at: f64| match list.get_lazy(at as u32) {
        Some(element) if at.fract() == 0.0 => element,
        _ => {
            let message = format!("the list has no element {}", number::text(at));
            Thunk::errored(Note::new(message).into())
        }
    };
    ArrValue::new(places.map(element).collect::<Vec<_>>())
}

/// The positions of the elements of a slice, all below the length of the whole.
struct Places {
    at: f64,
    end: f64,
    step: f64,
}

impl Places {
    /// Reads the arguments after the first one, for something of this length.
    fn of(args: &Arguments<'_>, length: u32) -> Result<Places> {
        let length = f64::from(length);
        let from_end = |place: f64| if place < 0.0 { length + place } else { place };
        let at = from_end(given(args, 1)?.unwrap_or(0.0)).max(0.0);
        let end = from_end(given(args, 2)?.unwrap_or(length)).min(length);
        let step = given(args, 3)?.unwrap_or(1.0);
        if step <= 0.0 {
            let written = number::text(step);
            refuse!(Note::new(format!(
                "the step of a slice must be greater than 0, not {written}"
            )));
        }
        if (end - at) / step > f64::from(i32::MAX) {
            refuse!(Note::new("the slice would be too long"));
        }
        Ok(Places { at, end, step })
    }

    /// Returns the positions as integers, if they are.
    fn whole(&self) -> Option<(i32, i32, NonZeroU32)> {
        let is_whole = |number: f64| number.fract() == 0.0;
        // The end is exclusive.
        let (at, end) = (self.at as i32, self.end.ceil() as i32);
        let step = NonZeroU32::new(self.step as u32)?;
        (is_whole(self.at) && is_whole(self.step)).then_some((at, end, step))
    }
}

impl Iterator for Places {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let at = self.at;
        self.at += self.step;
        (at < self.end).then_some(at)
    }
}

/// Returns a number; `None` if it is absent or null.
fn given(args: &Arguments<'_>, index: usize) -> Result<Option<f64>> {
    match args.value(index)? {
        Val::Null => Ok(None),
        Val::Num(number) => Ok(Some(number.get())),
        other => args.expected(index, "a number or null", &other),
    }
}
