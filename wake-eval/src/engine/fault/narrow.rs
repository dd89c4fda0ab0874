//! Narrows the place of a call to the argument, key or element at fault, by the tokens of the source.

use crate::engine::api::Param;
use crate::engine::note::Spot;
use crate::engine::text::{
    Kind, Lexeme, Stretch, closes, is_colon, opens, stretch, string, tokens,
};

/// Returns the stretch of `text` that `spot` names, inside the parenthesised arguments at `args`.
///
/// If it is not written there (a default, a value from a variable), returns the smallest enclosing thing that is;
/// `None` if not even the argument is written there.
pub(crate) fn narrow(text: &str, args: Stretch, params: &[Param], spot: &Spot) -> Option<Stretch> {
    let argument = spot.argument.as_deref()?;
    let inside = text.get(args.start..args.end)?;
    let tokens = tokens(inside);
    let arguments = parts(&tokens);
    let value = arguments.iter().enumerate().find_map(|(index, range)| {
        let part = &tokens[range.clone()];
        match part {
            [name, equals, ..] if name.kind == Kind::Name && equals.kind == Kind::Assign => {
                (name.text == argument).then(|| &part[2..])
            }
            _ => params.get(index).filter(|param| param.name == argument).map(|_| part),
        }
    })?;
    let inner = inside_value(value, &spot.keys, spot.at_key);
    Some(Stretch { start: args.start + inner.start, end: args.start + inner.end })
}

/// Returns the name of the named argument `name`, inside the parenthesised arguments at `args`.
pub(super) fn argument_name(text: &str, args: Stretch, name: &str) -> Option<Stretch> {
    let found = named_arguments(text, args).into_iter().find(|named| named.text == name)?;
    let Stretch { start, end } = stretch(&found);
    Some(Stretch { start: args.start + start, end: args.start + end })
}

/// The names of the named arguments inside the parenthesised arguments that `args` spans, with stretches relative to it.
pub(super) fn named_arguments(text: &str, args: Stretch) -> Vec<Lexeme<'_>> {
    let tokens = text.get(args.start..args.end).map(tokens).unwrap_or_default();
    let named = parts(&tokens).into_iter().filter_map(|range| match &tokens[range] {
        [first, equals, ..] if equals.kind == Kind::Assign => Some(*first),
        _ => None,
    });
    named.collect()
}

/// Returns the name before the parenthesis of a call: `wake.pkg`; the call's own stretch if there is none.
pub(super) fn callee(text: &str, args: Stretch) -> Stretch {
    let before = &text[..args.start.min(text.len())];
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let start = before.trim_end_matches(named).len();
    if start < before.len() { Stretch { start, end: before.len() } } else { args }
}

/// Returns the comma-separated parts of tokens that start and end with a bracket.
pub(super) fn parts(tokens: &[Lexeme<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 1;
    for (index, token) in tokens.iter().enumerate() {
        if opens(token) {
            depth += 1;
        } else if closes(token) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                parts.push(start..index);
                break;
            }
        } else if depth == 1 && token.kind == Kind::Comma {
            parts.push(start..index);
            start = index + 1;
        }
    }
    parts.retain(|part| part.start < part.end);
    parts
}

fn inside_value(value: &[Lexeme<'_>], keys: &[String], at_key: bool) -> Stretch {
    let mut here = value;
    for (index, key) in keys.iter().enumerate() {
        let last = index + 1 == keys.len();
        match find(here, key) {
            Some(KeyMatch::Field { name, value }) => {
                if last && at_key {
                    return stretch(&here[name]);
                }
                here = &here[value];
            }
            Some(KeyMatch::Text(at)) => return stretch(&here[at]),
            None => break,
        }
    }
    whole(here)
}

fn whole(tokens: &[Lexeme<'_>]) -> Stretch {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => {
            Stretch { start: stretch(first).start, end: stretch(last).end }
        }
        _ => Stretch { start: 0, end: 0 },
    }
}

/// A match for a key in a source: a field of that name, or a string.
enum KeyMatch {
    Field { name: usize, value: std::ops::Range<usize> },
    Text(usize),
}

/// Finds the field `key`, the string `key`, or the element with index `key` of a list literal.
fn find(tokens: &[Lexeme<'_>], key: &str) -> Option<KeyMatch> {
    for (at, token) in tokens.iter().enumerate() {
        let named = (token.kind == Kind::Name && token.text == key) || string(token) == Some(key);
        if !named {
            continue;
        }
        let mut after = at + 1;
        // `key: value`, `[key]: value`.
        while tokens.get(after).is_some_and(|token| token.kind == Kind::RightBracket) {
            after += 1;
        }
        if tokens.get(after).is_some_and(is_colon) {
            after += 1;
            return Some(KeyMatch::Field { name: at, value: after..value_end(tokens, after) });
        }
        if token.kind != Kind::Name {
            return Some(KeyMatch::Text(at));
        }
    }
    let index: usize = key.parse().ok()?;
    if tokens.first()?.kind != Kind::LeftBracket {
        return None;
    }
    let range = parts(tokens).into_iter().nth(index)?;
    Some(KeyMatch::Field { name: range.start, value: range })
}

fn value_end(tokens: &[Lexeme<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        if opens(token) {
            depth += 1;
        } else if closes(token) {
            if depth == 0 {
                return at;
            }
            depth -= 1;
        } else if depth == 0 && token.kind == Kind::Comma {
            return at;
        }
    }
    tokens.len()
}
