//! What a rule refuses is wrong where the rule is called: that stands first, and the rule's own line behind it.

use super::EvalFault;
use super::frames::SourceFrame;
use crate::Way;
use crate::engine::text::{Kind, Lexeme, Stretch, closes, opens, place, stretch, string, tokens};
use crate::error::{Frame, Place};

/// Whether a place is in a file of another package than the one that is evaluated.
fn is_foreign(file: &str) -> bool {
    Way::parse(file).is_some()
}

impl SourceFrame {
    /// In a call in the package that is evaluated, the place of what `message` names; else, for what a program says
    /// itself, of what is called.
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
    /// Learns that in a source a text `name` stands in the call that made what failed.
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

    /// Puts the call before the line of another package in which a rule refuses it.
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
        // How the rule came to its line is the rule's own affair.
        error.frames.retain(|frame| own(&frame) && !same(&frame.place));
        let refused = error.place.replace(caller);
        let frame = refused.map(|place| Frame { place, desc: "refused".to_owned() });
        error.frames.splice(0..0, frame);
    }
}

/// Where in a source the first text `name` stands that names no package.
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

/// The tokens from an opening bracket to the one that closes it.
fn group<'t, 's>(tokens: &'t [Lexeme<'s>]) -> &'t [Lexeme<'s>] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        depth += usize::from(opens(token));
        depth -= usize::from(closes(token)).min(depth);
        depth == 0
    });
    &tokens[..end.map_or(tokens.len(), |end| end + 1)]
}

/// What a word in backticks in `message` stands for: a text, which may have or lack the `./` of a path, or the value of an
/// argument of this name.
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
