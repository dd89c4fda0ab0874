//! The paths in unparsed tokens: those of macros and attributes.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::module::{Mention, Path};

/// Collects every path, including those of groups such as `crate::{a, b}`.
pub(crate) fn paths(tokens: TokenStream, found: &mut Vec<Mention>) {
    let start = Path { segments: Vec::new(), external: false };
    scan(tokens, &start, found);
}

/// Collects string literals that contain a path, as in `with = "crate::times"`.
pub(crate) fn quoted_paths(tokens: TokenStream, found: &mut Vec<Mention>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => quoted_paths(group.stream(), found),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) else {
                    continue;
                };
                let Ok(path) = text.parse_with(syn::Path::parse_mod_style) else { continue };
                let segments = path.segments.iter().map(|s| s.ident.to_string()).collect();
                let path = Path { segments, external: path.leading_colon.is_some() };
                found.push(Mention { path, line });
            }
            _ => {}
        }
    }
}

/// The token before a word, which decides whether a path begins there.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Start,
    /// `::` after nothing that was followed: the path leads out of the crate, or starts at a type.
    Colons,
    /// `.`, so that a field or method follows, or `$`, so that a variable of a macro does.
    Sign,
}

fn scan(tokens: TokenStream, prefix: &Path, found: &mut Vec<Mention>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let (mut at, mut before) = (0, Before::Start);
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                scan(group.stream(), &Path { segments: Vec::new(), external: false }, found);
                (at, before) = (at + 1, Before::Start);
            }
            TokenTree::Ident(word) => {
                let mut path = prefix.clone();
                path.external |= before == Before::Colons;
                path.segments.push(word.to_string());
                // `$crate` is a path in the crate of the macro.
                let known = before != Before::Sign || word == "crate";
                let mut unknown = Vec::new();
                let sink = if known { &mut *found } else { &mut unknown };
                at = follow(&tokens, at + 1, path, word.span().start().line, sink);
                before = Before::Start;
            }
            _ if is_colons(&tokens, at) => (at, before) = (at + 2, Before::Colons),
            TokenTree::Punct(sign) => {
                // The second dot of `..` begins no field.
                let sets_off = match sign.as_char() {
                    '$' => true,
                    '.' => before != Before::Sign,
                    _ => false,
                };
                (at, before) = (at + 1, if sets_off { Before::Sign } else { Before::Start });
            }
            TokenTree::Literal(_) => (at, before) = (at + 1, Before::Start),
        }
    }
}

/// Continues after the first word of a path; returns where the path ends.
fn follow(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Path,
    line: usize,
    found: &mut Vec<Mention>,
) -> usize {
    while is_colons(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(word)) => path.segments.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                scan(group.stream(), &path, found);
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    found.push(Mention { path, line });
    at
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at| match tokens.get(at) {
        Some(TokenTree::Punct(sign)) if sign.as_char() == ':' => Some(sign.spacing()),
        _ => None,
    };
    colon(at) == Some(Spacing::Joint) && colon(at + 1).is_some()
}
