//! Source texts: offsets to places, and finding a spot by its tokens.

use jrsonnet_lexer::{Lexeme, Lexer, SyntaxKind};

use super::env::Env;
use super::reference::WrittenReference;
use crate::error::Place;

/// A stretch of a source text in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The place of a stretch; what goes on on further lines is left out.
pub(crate) fn place(file: &str, text: &str, stretch: Stretch) -> Place {
    let start = floor(text, stretch.start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = floor(text, stretch.end).clamp(start, line_end);
    let column = text[line_start..start].chars().count() + 1;
    Place {
        file: file.to_owned(),
        line: to_u32(text[..start].matches('\n').count() + 1),
        column: to_u32(column),
        end_column: to_u32(column + text[start..end].chars().count().max(1)),
        source_line: text[line_start..line_end].trim_end_matches('\r').to_owned(),
    }
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The tokens of `text` that mean something: no white space, no comments.
pub(crate) fn tokens(text: &str) -> Vec<Lexeme<'_>> {
    Lexer::new(text)
        .filter(|token| {
            !matches!(
                token.kind,
                SyntaxKind::WHITESPACE
                    | SyntaxKind::SINGLE_LINE_SLASH_COMMENT
                    | SyntaxKind::SINGLE_LINE_HASH_COMMENT
                    | SyntaxKind::MULTI_LINE_COMMENT
            )
        })
        .collect()
}

pub(crate) fn stretch(token: &Lexeme<'_>) -> Stretch {
    Stretch { start: token.range.0 as usize, end: token.range.1 as usize }
}

/// The content of a plain string token; none for other tokens and for strings with escapes.
pub(crate) fn string<'t>(token: &Lexeme<'t>) -> Option<&'t str> {
    match token.kind {
        SyntaxKind::STRING_DOUBLE | SyntaxKind::STRING_SINGLE => {
            let content = token.text.get(1..token.text.len().checked_sub(1)?)?;
            (!content.contains('\\')).then_some(content)
        }
        _ => None,
    }
}

/// Whether a token is an opening bracket of any kind.
pub(crate) fn opens(token: &Lexeme<'_>) -> bool {
    matches!(token.kind, SyntaxKind::L_PAREN | SyntaxKind::L_BRACE | SyntaxKind::L_BRACK)
}

/// Whether a token is a closing bracket of any kind.
pub(crate) fn closes(token: &Lexeme<'_>) -> bool {
    matches!(token.kind, SyntaxKind::R_PAREN | SyntaxKind::R_BRACE | SyntaxKind::R_BRACK)
}

/// The first token of a file.
pub(crate) fn start_of(env: &Env, file: &str) -> Option<Place> {
    let texts = env.texts.borrow();
    let text = texts.get(file)?;
    let first = tokens(text).first().map_or(Stretch { start: 0, end: 0 }, stretch);
    Some(place(file, text, first))
}

/// Where a reference is written, if it is written out at exactly one place.
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

/// Where the field `name` is looked up, if that is written at exactly one place.
pub(crate) fn lookup(env: &Env, name: &str) -> Option<Place> {
    only(env, |tokens, at| {
        let token = &tokens[at];
        let before = at.checked_sub(1).map(|before| tokens[before].kind);
        let dotted = token.kind == SyntaxKind::IDENT
            && token.text == name
            && before == Some(SyntaxKind::DOT);
        let bracketed = string(token) == Some(name) && before == Some(SyntaxKind::L_BRACK);
        (dotted || bracketed).then(|| stretch(token))
    })
}

/// Where a field is written for the second time, if it is written just twice in a file.
pub(crate) fn second_field(env: &Env, name: &str) -> Option<Place> {
    let texts = env.texts.borrow();
    texts.iter().find_map(|(file, text)| {
        let tokens = tokens(text);
        let named = |token: &Lexeme<'_>| {
            (token.kind == SyntaxKind::IDENT && token.text == name) || string(token) == Some(name)
        };
        let fields =
            tokens.windows(2).filter(|pair| named(&pair[0]) && pair[1].kind == SyntaxKind::COLON);
        let fields: Vec<Stretch> = fields.map(|pair| stretch(&pair[0])).collect();
        match fields.as_slice() {
            [_, second] => Some(place(file, text, *second)),
            _ => None,
        }
    })
}

/// The one place, in all texts that were loaded, where `matches` finds something.
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

/// Puts the place of `std.trace` before each line, where there is only one that can have said it.
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
