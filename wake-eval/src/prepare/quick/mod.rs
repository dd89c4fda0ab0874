//! Rewrites a text in one pass, without tokens and without the grammar. This suffices for most package files, which
//! only contain calls, lists, names, additions and list comprehensions.
//!
//! This supports a part of the language, and gives the same result as the grammar. Everything else, including every
//! error, is left to the grammar. A test compares the two.
//!
//! The first byte usually decides what comes next, given the [`State`] and what is [`Around`]; rare cases are left to
//! the tokenizer. The current state is passed from step to step and not stored, because there are many small steps.
//!
//! | rooms | content |
//! |---|---|
//! | `state` | what may come next, the surroundings, the operands so far |
//! | `bytes` | words, quoted strings, white space and comments |
//! | `operand` | sums and comprehensions: the rewriting |
//! | `expression` | how expressions start, continue and end |
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

/// Returns the edits of `text` and the functions it then calls, or `None` if the grammar is needed; expressions may
/// nest `nesting` deep.
pub(super) fn check(text: &str, nesting: usize) -> Option<(Edits, Calls)> {
    // A text cannot nest deeper than its length.
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

/// A pass over a text.
struct Walk<'t> {
    bytes: Bytes<'t>,
    /// The end of the last token of an expression.
    end: usize,
    level: Level,
    frames: [Frame; DEEPEST],
    depth: usize,
    /// The left operands of pending sums, outermost expression first.
    lefts: Few<Left>,
    /// The enclosing list comprehensions.
    clauses: Few<Clause>,
    edits: Edits,
    calls: Calls,
}

/// The next state and offset; `None` if the grammar is needed.
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

    /// Processes the token that starts with `byte`.
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

    /// Enters a bracket, inside which `next` comes.
    #[inline(always)]
    fn enter(&mut self, at: usize, around: Around, next: State) -> Next {
        self.push(at, around)?;
        Some((next, at + 1))
    }

    /// Replaces the surroundings, and continues with another expression inside them.
    #[inline(always)]
    fn becomes(&mut self, around: Around) -> Option<()> {
        self.top()?.around = around;
        self.level = LEVEL;
        Some(())
    }

    /// Returns the surroundings.
    #[inline(always)]
    fn top(&mut self) -> Option<&mut Frame> {
        self.frames.get_mut(self.depth.checked_sub(1)?)
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth -= 1;
        self.level = self.frames[self.depth].outer;
    }

    /// Takes the closing bracket of the surroundings, which gives the operand so far the shape `shape`.
    #[inline(always)]
    fn leave(&mut self, at: usize, shape: Shape) -> Next {
        self.pop();
        self.level.shape = Some(shape);
        Some((State::Follow, at + 1))
    }

    /// Returns the surroundings, without those that end here.
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

    /// Ends the surroundings that end together with their parent.
    fn end_body(&mut self) {
        let Frame { around, at, .. } = self.frames[self.depth - 1];
        if around == Around::Module {
            self.wrap_body(at);
        }
        self.pop();
        self.level.shape = None;
    }
}
