//! Searches for tokens in the loaded source texts.

use super::env::Env;
use super::reference::WrittenReference;
use super::text::{Kind, Lexeme, Stretch, is_colon, place, stretch, string, tokens};
use crate::error::Place;

/// Returns the place of the first token of a file.
pub(crate) fn start_of(env: &Env, file: &str) -> Option<Place> {
    let texts = env.texts.borrow();
    let text = texts.get(file)?;
    let first = tokens(text).first().map_or(Stretch { start: 0, end: 0 }, stretch);
    Some(place(file, text, first))
}

/// Returns where a reference is written, if it is a literal at exactly one place.
pub(crate) fn written(env: &Env, written: &WrittenReference) -> Option<Place> {
    match written {
        WrittenReference::Text(text) => only(env, |tokens, at| {
            (string(&tokens[at]) == Some(text)).then(|| stretch(&tokens[at]))
        }),
        WrittenReference::List(parts) => only(env, |tokens, at| {
            let mut last = at;
            for (index, part) in parts.iter().enumerate() {
                let token = tokens.get(at + 2 * index)?;
                (string(token) == Some(part)).then_some(())?;
                last = at + 2 * index;
            }
            Some(Stretch { start: stretch(&tokens[at]).start, end: stretch(&tokens[last]).end })
        }),
    }
}

/// Returns where the field `name` is looked up, if that is written at exactly one place.
pub(crate) fn lookup(env: &Env, name: &str) -> Option<Place> {
    only(env, |tokens, at| {
        let token = &tokens[at];
        let before = at.checked_sub(1).map(|before| tokens[before].kind);
        let dotted = token.kind == Kind::Name && token.text == name && before == Some(Kind::Dot);
        let bracketed = string(token) == Some(name) && before == Some(Kind::LeftBracket);
        (dotted || bracketed).then(|| stretch(token))
    })
}

/// Returns where a field is written for the second time, if it is written exactly twice in a file.
pub(crate) fn second_field(env: &Env, name: &str) -> Option<Place> {
    let texts = env.texts.borrow();
    texts.iter().find_map(|(file, text)| {
        let tokens = tokens(text);
        let named = |token: &Lexeme<'_>| {
            (token.kind == Kind::Name && token.text == name) || string(token) == Some(name)
        };
        let fields = tokens.windows(2).filter(|pair| named(&pair[0]) && is_colon(&pair[1]));
        let fields: Vec<Stretch> = fields.map(|pair| stretch(&pair[0])).collect();
        match fields.as_slice() {
            [_, second] => Some(place(file, text, *second)),
            _ => None,
        }
    })
}

/// Returns the place where `matches` succeeds, if it is the only one in all loaded texts.
fn only(env: &Env, matches: impl Fn(&[Lexeme<'_>], usize) -> Option<Stretch>) -> Option<Place> {
    let texts = env.texts.borrow();
    let mut found = None;
    for (file, text) in texts.iter() {
        let tokens = tokens(text);
        for at in 0..tokens.len() {
            if let Some(stretch) = matches(&tokens, at)
                && found.replace(place(file, text, stretch)).is_some()
            {
                return None;
            }
        }
    }
    found
}

/// Prefixes each line with the place of the `std.trace` call, if only one call can have written it.
pub(crate) fn locate_traces(env: &Env, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let any = only(env, traces(None));
    let locate = |line: &String| {
        let place = any.clone().or_else(|| only(env, traces(Some(line))));
        match place {
            Some(place) => format!("TRACE: {}:{} {line}", place.file, place.line),
            None => format!("TRACE: {line}"),
        }
    };
    lines.iter().map(locate).collect()
}

/// Matches `std.trace(`, followed by the text of the trace if one is given.
fn traces<'a>(text: Option<&'a str>) -> impl Fn(&[Lexeme<'_>], usize) -> Option<Stretch> + 'a {
    move |tokens, at| {
        let is = |offset: usize, expect: &str| {
            tokens.get(at + offset).is_some_and(|token| token.text == expect)
        };
        let call = is(0, "std") && is(1, ".") && is(2, "trace") && is(3, "(");
        let says = text.is_none_or(|text| tokens.get(at + 4).and_then(string) == Some(text));
        (call && says).then(|| stretch(&tokens[at]))
    }
}
