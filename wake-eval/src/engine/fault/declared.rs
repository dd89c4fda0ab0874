//! The parameters of a function by its declaration, which the engine's errors do not name.

use super::narrow::parts;
use crate::engine::env::Env;
use crate::engine::text::{Kind, Lexeme, closes, is_colon, opens, string, tokens};

/// The parameters of every function called `name` that a loaded file declares and that takes all of `given`.
///
/// Functions are told apart by their names alone, so there may be several lists; equal ones are returned once.
pub(super) fn parameters(env: &Env, name: &str, given: &[&str]) -> Vec<Vec<String>> {
    let mut lists: Vec<Vec<String>> = Vec::new();
    for text in env.texts.borrow().values().filter(|text| text.contains(name)) {
        let tokens = tokens(text);
        let declared = (0..tokens.len()).filter_map(|at| declaration(&tokens, at, name));
        for list in declared {
            let takes = |given: &&str| list.iter().any(|parameter| parameter == given);
            if given.iter().all(takes) && !lists.contains(&list) {
                lists.push(list);
            }
        }
    }
    lists
}

/// The parameters where `name(…) =`, `name(…):` or `name: function(…)` begins at `at`.
fn declaration(tokens: &[Lexeme<'_>], at: usize, name: &str) -> Option<Vec<String>> {
    let token = &tokens[at];
    let is_named = (token.kind == Kind::Name && token.text == name) || string(token) == Some(name);
    let is_member = at.checked_sub(1).is_some_and(|before| tokens[before].kind == Kind::Dot);
    if !is_named || is_member {
        return None;
    }
    let binds = |token: &Lexeme<'_>| token.kind == Kind::Assign || is_colon(token);
    let next = tokens.get(at + 1)?;
    let (open, is_function) = match next.kind {
        Kind::LeftParen => (at + 1, false),
        _ if binds(next) && tokens.get(at + 2)?.kind == Kind::Function => (at + 3, true),
        _ => return None,
    };
    let close = open + closing(tokens.get(open..)?)?;
    if !is_function && !tokens.get(close + 1).is_some_and(binds) {
        return None;
    }
    let list = &tokens[open..=close];
    let parameters = parts(list).into_iter().map(|part| &list[part.start]);
    parameters.map(|first| (first.kind == Kind::Name).then(|| first.text.to_owned())).collect()
}

/// The index of the bracket that closes the first token.
fn closing(tokens: &[Lexeme<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        if opens(token) {
            depth += 1;
        } else if closes(token) {
            depth = depth.saturating_sub(1);
        }
        depth == 0
    })
}
