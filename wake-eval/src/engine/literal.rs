//! Searches for literals in a source text, for messages about plain values.

use super::text::{Kind, Lexeme, Stretch, is_colon, place, stretch, string, tokens};
use crate::error::Place;

/// A literal in a source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string without escapes, in single or double quotes.
    Text(String),
    /// A field whose value is this number or boolean.
    Field {
        /// The name of the field.
        name: String,
        /// The value, as it is written.
        value: String,
    },
}

impl Literal {
    /// Returns the first place of the literal in `text`, the content of `file`; comments are ignored.
    pub fn find(&self, file: &str, text: &str) -> Option<Place> {
        let tokens = tokens(text);
        let found = match self {
            Literal::Text(wanted) => {
                stretch(tokens.iter().find(|token| string(token) == Some(wanted))?)
            }
            Literal::Field { name, value } => tokens.windows(3).find_map(|window| {
                let [key, colon, literal] = window else { return None };
                let is_field = is_colon(colon) && key_name(key) == Some(name);
                let (start, end) = (stretch(key).start, stretch(literal).end);
                (is_field && literal.text == value).then_some(Stretch { start, end })
            })?,
        };
        Some(place(file, text, found))
    }
}

/// Returns the name of a field, if a token can be one.
fn key_name<'t>(token: &Lexeme<'t>) -> Option<&'t str> {
    match token.kind {
        Kind::Name => Some(token.text),
        _ => string(token),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_in_a_comment_is_not_a_literal() {
        let text = "# 'x' or jobs: 4\n{ a: /* \"x\" */ 'é', b: \"x\", // jobs: 4\n  'jobs': 4 }\n";
        let place = Literal::Text("x".to_owned()).find("f", text).unwrap();
        assert_eq!((place.line, place.column, place.end_column), (2, 24, 27));
        let jobs = Literal::Field { name: "jobs".to_owned(), value: "4".to_owned() };
        let place = jobs.find("f", text).unwrap();
        assert_eq!((place.line, place.column, place.end_column), (3, 3, 12));
        assert!(Literal::Text("y".to_owned()).find("f", text).is_none());
    }
}
