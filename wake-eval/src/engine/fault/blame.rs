//! Errors in a rule are reported where the rule is called; the rule's own line follows as a note.

use super::EvalFault;
use super::frames::SourceFrame;
use crate::Way;
use crate::engine::text::{Kind, Lexeme, Stretch, closes, opens, place, stretch, string, tokens};
use crate::error::{Frame, Place};

/// Whether a file belongs to another package than the one being evaluated.
fn is_foreign(file: &str) -> bool {
    Way::parse(file).is_some()
}

impl SourceFrame {
    /// Returns the place, in the call in the evaluated package, of what `message` names. Otherwise, for an `error` or
    /// assertion of the program, the place of the called function.
    pub(super) fn caller(&self, message: &str, is_said: bool) -> Option<Place> {
        if self.is_ours() || is_foreign(self.file()) {
            return None;
        }
        let tokens = tokens(&self.text);
        let inside = |token: &&Lexeme<'_>| {
            let Stretch { start, end } = stretch(token);
            self.stretch.start <= start && end <= self.stretch.end
        };
        let inside: Vec<Lexeme<'_>> = tokens.iter().filter(inside).copied().collect();
        let named = named(&inside, message).map(|stretch| self.at(stretch));
        named.or_else(|| is_said.then(|| self.place()))
    }
}

impl EvalFault {
    /// Records that the string `name` in a source is part of the call that made the failing module.
    pub(crate) fn learn_maker(&mut self, name: &str, file: &str, text: &str) {
        if self.caller.is_some() {
            return;
        }
        let tokens = tokens(text);
        let beside = |at: usize| {
            let start = tokens[..at].iter().rposition(opens)?;
            named(group(&tokens[start..]), &self.error.message)
        };
        self.caller = makers(&tokens, name).find_map(beside).map(|found| place(file, text, found));
    }

    /// Reports the call first if a rule in another package refused it.
    pub(crate) fn show_caller(&mut self) {
        let error = &mut self.error;
        let own = |frame: &&Frame| !is_foreign(&frame.place.file);
        let around = || error.frames.iter().find(own).filter(|_| self.is_said);
        let caller = self.caller.take().or_else(|| Some(around()?.place.clone()));
        let of_rule = |place: &Place| is_foreign(&place.file);
        let Some(caller) = caller.filter(|_| error.place.as_ref().is_some_and(of_rule)) else {
            return;
        };
        let same = |place: &Place| (&place.file, place.line) == (&caller.file, caller.line);
        // The path inside the rule is of no interest.
        error.frames.retain(|frame| own(&frame) && !same(&frame.place));
        let refused = error.place.replace(caller);
        let frame = refused.map(|place| Frame { place, desc: "refused".to_owned() });
        error.frames.splice(0..0, frame);
    }
}

/// Returns the first place of the string `name` in a source that does not name a package.
pub(crate) fn maker(name: &str, file: &str, text: &str) -> Option<Place> {
    let tokens = tokens(text);
    let at = makers(&tokens, name).next()?;
    Some(place(file, text, stretch(&tokens[at])))
}

fn makers<'t>(tokens: &'t [Lexeme<'_>], name: &'t str) -> impl Iterator<Item = usize> {
    let names_pkg =
        |at: usize| at >= 2 && opens(&tokens[at - 1]) && tokens[at - 2].text == "pkgInfo";
    (0..tokens.len()).filter(move |&at| string(&tokens[at]) == Some(name) && !names_pkg(at))
}

/// Returns the tokens from an opening bracket to the matching closing one.
fn group<'t, 's>(tokens: &'t [Lexeme<'s>]) -> &'t [Lexeme<'s>] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        depth += usize::from(opens(token));
        depth -= usize::from(closes(token)).min(depth);
        depth == 0
    });
    &tokens[..end.map_or(tokens.len(), |end| end + 1)]
}

/// Returns what a word in backticks in `message` refers to: a string, with or without the `./` of a path, or the
/// value of an argument of this name.
fn named(tokens: &[Lexeme<'_>], message: &str) -> Option<Stretch> {
    let words = message.split('`').skip(1).step_by(2);
    words.filter_map(|word| text_of(tokens, word).or_else(|| argument(tokens, word))).next()
}

fn text_of(tokens: &[Lexeme<'_>], word: &str) -> Option<Stretch> {
    let exactly = tokens.iter().find(|token| string(token) == Some(word));
    let bare = |text| str::strip_prefix(text, "./").unwrap_or(text);
    let as_path = || tokens.iter().find(|token| string(token).map(bare) == Some(bare(word)));
    exactly.or_else(as_path).map(stretch)
}

fn argument(tokens: &[Lexeme<'_>], name: &str) -> Option<Stretch> {
    let is_named = |pair: &[Lexeme<'_>]| pair[0].text == name && pair[1].kind == Kind::Assign;
    let at = tokens.windows(2).position(is_named)?;
    let value = tokens.get(at + 2..)?;
    let first = value.first()?;
    let last = if opens(first) { group(value).last()? } else { first };
    Some(Stretch { start: stretch(first).start, end: stretch(last).end })
}
