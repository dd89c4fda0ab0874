//! Source texts: tokens, and conversion of offsets to places.

use crate::error::Place;
use crate::prepare;
pub(crate) use crate::prepare::Stretch;
pub(crate) use crate::prepare::token::Kind;

/// Returns the place of a stretch; its part on further lines is left out.
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

/// A token with its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lexeme<'t> {
    pub(crate) kind: Kind,
    pub(crate) text: &'t str,
    stretch: Stretch,
}

/// Returns the tokens of `text`, without white space and comments. Empty if there are invalid tokens.
pub(crate) fn tokens(text: &str) -> Vec<Lexeme<'_>> {
    let tokens = prepare::tokens(text).into_iter().filter(|token| token.kind != Kind::End);
    let lexeme = |token: prepare::token::Token| {
        let stretch = token.stretch();
        Lexeme { kind: token.kind, text: &text[stretch.start..stretch.end], stretch }
    };
    tokens.map(lexeme).collect()
}

pub(crate) fn stretch(token: &Lexeme<'_>) -> Stretch {
    token.stretch
}

/// Whether a token separates the name of a field from its value.
pub(crate) fn is_colon(token: &Lexeme<'_>) -> bool {
    matches!(
        token.kind,
        Kind::Colon
            | Kind::Colons2
            | Kind::Colons3
            | Kind::PlusColon
            | Kind::PlusColons2
            | Kind::PlusColons3
    )
}

/// Returns the content of a string token; `None` for other tokens and for strings with escapes.
pub(crate) fn string<'t>(token: &Lexeme<'t>) -> Option<&'t str> {
    match token.kind {
        Kind::Quoted => {
            let content = token.text.get(1..token.text.len().checked_sub(1)?)?;
            (!content.contains('\\')).then_some(content)
        }
        _ => None,
    }
}

/// Whether a token is an opening bracket of any kind.
pub(crate) fn opens(token: &Lexeme<'_>) -> bool {
    matches!(token.kind, Kind::LeftParen | Kind::LeftBrace | Kind::LeftBracket)
}

/// Whether a token is a closing bracket of any kind.
pub(crate) fn closes(token: &Lexeme<'_>) -> bool {
    matches!(token.kind, Kind::RightParen | Kind::RightBrace | Kind::RightBracket)
}
