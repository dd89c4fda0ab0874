//! Texts gone through in one walk, without tokens and without the grammar: most package files only call, list, name, add and go through
//! lists.
//!
//! What is taken here is a part of the language, and what becomes of it is what the grammar would make of it. Everything else is left to
//! the grammar: whatever is wrong is found there. A test asks both.
//!
//! Of what may come next, which a [`State`] and what is [`Around`] say, the first byte tells most apart. What is rare is left to the scanner
//! of tokens. Where the walk stands is handed from step to step and kept nowhere: there are many steps, and little is done in each.
//!
//! | rooms | what they are |
//! |---|---|
//! | `state` | what may come next, what is around, what is known of operands |
//! | `bytes` | words, texts in quotes, what lies between tokens |
//! | `operand` | sums and comprehensions: what is changed |
//! | `expression` | what expressions begin with, how they go on, where they end |
//! | `member` | objects, locals, parameters |

mod state;
mod bytes;
mod operand;
mod expression;
mod member;
#[cfg(test)]
mod tests;

use self::bytes::Bytes;
use self::state::{Around, Clause, DEEPEST, FRAME, Few, Frame, LEVEL, Left, Level, State};
use super::Calls;
use super::edits::Edits;
use super::shape::Shape;

/// What is to be changed about `text`, and what it calls then, as far as that can be seen here; expressions may nest `nesting` deep.
pub(super) fn check(text: &str, nesting: usize) -> Option<(Edits, Calls)> {
    // No text nests deeper than it is long.
    if text.len() > nesting {
        return None;
    }
    let mut walk = Walk {
        bytes: Bytes(text),
        end: 0,
        level: LEVEL,
        frames: [FRAME; DEEPEST],
        depth: 0,
        lefts: Few::default(),
        clauses: Few::default(),
        edits: Edits::default(),
        calls: Calls::default(),
    };
    walk.whole()?;
    Some((walk.edits, walk.calls))
}

/// A walk through a text.
struct Walk<'t> {
    bytes: Bytes<'t>,
    /// Where the last token of an expression ends.
    end: usize,
    level: Level,
    frames: [Frame; DEEPEST],
    depth: usize,
    /// What the operands at hand are to be added to, from the outermost expression on.
    lefts: Few<Left>,
    /// The comprehensions of lists around this place.
    clauses: Few<Clause>,
    edits: Edits,
    calls: Calls,
}

/// What comes next and where; nothing is what the grammar has to look at.
type Next = Option<(State, usize)>;

impl Walk<'_> {
    fn whole(&mut self) -> Option<()> {
        let (mut state, mut at) = (State::Begin, 0);
        loop {
            if state != State::Follow {
                (state, at) = self.step(state, self.bytes.next(at))?;
                if state != State::Follow {
                    continue;
                }
            }
            self.end = at;
            (state, at) = self.follow(self.bytes.next(at))?;
            if state == State::Whole {
                return Some(());
            }
        }
    }

    /// What comes after the token that begins with `byte`.
    #[inline(always)]
    fn step(&mut self, state: State, (byte, at): (u8, usize)) -> Next {
        match state {
            State::Element if byte == b']' => self.leave(at, Shape::List),
            State::Argument | State::NamedArgument if byte == b')' => {
                self.leave(at, Shape::Unknown)
            }
            State::Argument if byte.is_ascii_alphabetic() => self.argument(at),
            State::Begin | State::Element | State::Argument => self.begin(byte, at),
            State::NamedArgument => self.bytes.assign(self.bytes.name(at)?.1),
            State::Member => self.member(byte, at, Around::Key),
            State::Colon => self.colon(at),
            State::Bind => {
                let (_, end) = self.bytes.name(at)?;
                self.parameters_or(end, Around::BindParameters, State::Assign)
            }
            State::Assign => self.bytes.assign(at),
            State::Parameter => self.parameter(byte, at),
            State::Follow | State::Whole => None,
        }
    }

    #[inline(always)]
    fn push(&mut self, at: usize, around: Around) -> Option<()> {
        let frame = self.frames.get_mut(self.depth)?;
        let outer = self.level;
        *frame = Frame { around, takes_config: false, count: 0, at: at as u32, outer };
        self.level = LEVEL;
        self.depth += 1;
        Some(())
    }

    /// Takes a bracket, inside of which `next` comes.
    #[inline(always)]
    fn enter(&mut self, at: usize, around: Around, next: State) -> Next {
        self.push(at, around)?;
        Some((next, at + 1))
    }

    /// Goes on inside of what is around, which becomes something else, with another expression.
    #[inline(always)]
    fn becomes(&mut self, around: Around) -> Option<()> {
        self.top()?.around = around;
        self.level = LEVEL;
        Some(())
    }

    /// What is around.
    #[inline(always)]
    fn top(&mut self) -> Option<&mut Frame> {
        self.frames.get_mut(self.depth.checked_sub(1)?)
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth -= 1;
        self.level = self.frames[self.depth].outer;
    }

    /// Takes the bracket that closes what is around, which makes of the operand so far what `shape` says.
    #[inline(always)]
    fn leave(&mut self, at: usize, shape: Shape) -> Next {
        self.pop();
        self.level.shape = Some(shape);
        Some((State::Follow, at + 1))
    }

    /// What is around, without that which ends here.
    #[inline(always)]
    fn inner(&mut self) -> Option<Around> {
        loop {
            self.finish()?;
            match self.top()?.around {
                Around::Last | Around::Then | Around::Module => self.end_body(),
                around => return Some(around),
            }
        }
    }

    /// Ends what ends with that in which it stands.
    fn end_body(&mut self) {
        let Frame { around, at, .. } = self.frames[self.depth - 1];
        if around == Around::Module {
            self.wrap_body(at);
        }
        self.pop();
        self.level.shape = None;
    }
}
