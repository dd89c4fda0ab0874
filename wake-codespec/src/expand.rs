//! References to environment variables: `$(NAME)`.
//!
//! One pass from left to right: `$$` becomes `$`, `$(NAME)` becomes the value of a known variable and is otherwise left as it is, and
//! inserted values are not expanded again. Source: Kubernetes, `third_party/forked/golang/expansion`, with its cases in
//! `spec/vectors/expansion.json`.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// Literal text.
    Plain(&'t str),
    /// `$(NAME)`, with its name.
    Reference(&'t str),
}

/// Replaces each reference to a variable that `lookup` knows.
pub fn expand<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Reference(name) => match lookup(name) {
                Some(value) => out.push_str(value),
                None => out.extend(["$(", name, ")"]),
            },
        }
    }
    out
}

/// Returns the names that a text refers to, in order.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Reference(name) => Some(name),
        Piece::Plain(_) => None,
    })
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, length) = piece(rest)?;
        rest = &rest[length..];
        Some(piece)
    })
}

/// Returns the first piece of a text, and its length in bytes.
fn piece(text: &str) -> Option<(Piece<'_>, usize)> {
    let Some(dollar) = text.find('$') else {
        return (!text.is_empty()).then_some((Piece::Plain(text), text.len()));
    };
    if dollar > 0 {
        return Some((Piece::Plain(&text[..dollar]), dollar));
    }
    let behind = &text[1..];
    if behind.starts_with('$') {
        return Some((Piece::Plain("$"), 2));
    }
    let name = behind.strip_prefix('(').and_then(|name| Some(&name[..name.find(')')?]));
    match name {
        Some(name) => Some((Piece::Reference(name), name.len() + 3)),
        // Without a closing parenthesis it is not a reference.
        None if behind.starts_with('(') => Some((Piece::Plain("$("), 2)),
        None => Some((Piece::Plain("$"), 1)),
    }
}

/// Expands variables in order; each may refer to those before it.
///
/// `given` comes first and is not expanded; the first definition of a name wins.
pub fn environment<'a>(
    given: &[(String, String)],
    declared: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = given.to_vec();
    for (name, value) in declared {
        if find(&all, name).is_some() {
            continue;
        }
        let value = expand(value, |name| find(&all, name));
        all.push((name.to_owned(), value));
    }
    all
}

/// Returns the value of a variable.
pub fn find<'v>(variables: &'v [(String, String)], name: &str) -> Option<&'v str> {
    variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../spec/vectors/expansion.json")).unwrap()
    }

    fn pairs(value: &Value) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        value.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    }

    #[test]
    fn the_vectors_hold() {
        let vectors = vectors();
        let environment = pairs(&vectors["environment"]);
        let cases = pairs(&vectors["cases"]);
        assert!(cases.len() > 30);
        for (text, expected) in cases {
            assert_eq!(expand(&text, |name| find(&environment, name)), expected, "{text}");
        }
        for chain in vectors["chains"].as_array().unwrap() {
            let (given, declared) = (pairs(&chain["given"]), pairs(&chain["declared"]));
            let declared = declared.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(super::environment(&given, declared), pairs(&chain["expected"]));
        }
    }

    #[test]
    fn an_escaped_reference_is_not_found() {
        let names = |text| references(text).collect::<Vec<_>>();
        assert_eq!(names("$(A) $$(B) $$$(C) $(D"), ["A", "C"]);
        assert_eq!(names("$()$($(E))"), ["", "$(E"]);
    }

    proptest! {
        #[test]
        fn without_a_dollar_nothing_changes(text in "[^$]*") {
            prop_assert_eq!(expand(&text, |_| Some("x")), text);
        }

        #[test]
        fn a_text_with_each_dollar_doubled_comes_out_as_it_was(text in "[$()A-C]*") {
            prop_assert_eq!(expand(&text.replace('$', "$$"), |_| Some("x")), text);
        }
    }
}
