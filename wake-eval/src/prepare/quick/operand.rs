//! The rewriting: sums, list comprehensions, bodies of module functions.

use super::state::{Around, Clause, Frame, Left, Level, State};
use super::{Next, Walk};
use crate::prepare::edits::EditId;
use crate::prepare::shape::{self, Shape};
use crate::prepare::token::Kind;
use crate::prepare::{CONFIG, Call};

impl Walk<'_> {
    /// Processes a `+`.
    pub(super) fn plus(&mut self, at: usize) -> Next {
        if self.level.is_mixed {
            return None;
        }
        let sum = if self.level.has_left { self.add()? } else { None };
        let Level { start, shape, .. } = self.level;
        self.lefts.push(Left { start, shape: shape?, plus: at as u32, sum })?;
        self.level.has_left = true;
        Some((State::Begin, at + 1))
    }

    /// Ends an operand: adds it to the operand before it.
    #[inline(always)]
    pub(super) fn finish(&mut self) -> Option<()> {
        if self.level.has_left {
            self.add()?;
        }
        Some(())
    }

    /// Adds the current operand to the one before it; returns the call that adds them, if one is needed.
    fn add(&mut self) -> Option<Option<(EditId, EditId)>> {
        let left = self.lefts.pop()?;
        let right = self.level.shape?;
        self.level.start = left.start;
        self.level.shape = Some(shape::sum(left.shape, right));
        self.level.has_left = false;
        if shape::adds_rightly(left.shape, right) {
            return Some(None);
        }
        let (call, open, close) = match left.sum {
            Some((open, close)) => {
                self.edits.amend(open, "__w_s([");
                self.edits.amend(close, "");
                (Call::Sum, open, "])")
            }
            None => (Call::Add, self.edits.open(left.start, Call::Add.opening()), ")"),
        };
        self.calls.insert(call);
        self.edits.replace(left.plus, left.plus + 1, ",");
        Some(Some((open, self.edits.close(self.end as u32, close))))
    }

    /// Parses `variable in` after a `for` that starts at `start`.
    pub(super) fn source(&mut self, start: usize, at: usize) -> Next {
        let around = match self.inner()? {
            Around::First => Around::Source,
            Around::FirstValue => Around::Fields,
            _ => return None,
        };
        let (from, to) = self.bytes.name(at)?;
        let name = (from as u32, to as u32);
        let (byte, at) = self.bytes.next(to);
        let (kind, end) = if byte == b'i' { self.bytes.word(at)? } else { return None };
        (kind == Kind::In).then_some(())?;
        if around == Around::Source {
            let (start, end) = (start as u32, end as u32);
            self.clauses.push(Clause { start, end, name, condition: 0 })?;
        } else {
            // If the name does not depend on the element, the engine would be wrong.
            let key = self.bytes.0.get(self.top()?.at as usize..)?;
            key.strip_prefix(self.bytes.written(name)?)?.starts_with(']').then_some(())?;
        }
        self.becomes(around)?;
        Some((State::Begin, end))
    }

    /// Parses an `if` that starts at `start`, in a comprehension.
    pub(super) fn condition(&mut self, start: usize, at: usize) -> Next {
        match self.inner()? {
            Around::Source => {
                self.clauses.last_mut()?.condition = start as u32;
                self.becomes(Around::Condition)?;
            }
            Around::Fields => self.becomes(Around::Fields)?,
            _ => return None,
        }
        Some((State::Begin, at))
    }

    /// Parses the end of a list comprehension, which becomes a call.
    pub(super) fn comprehension(&mut self, at: usize) -> Next {
        let &mut Frame { around, at: open, .. } = self.top()?;
        let clause = self.clauses.pop()?;
        let name = self.bytes.written(clause.name)?;
        let is_all = around == Around::Source;
        let call = if is_all { Call::Map } else { Call::Select };
        self.calls.insert(call);
        self.edits.replace(open, open + 1, call.opening());
        self.edits.and("function(").and(name).and(") ");
        self.edits.replace(clause.start, clause.end, ", ");
        if !is_all {
            self.edits.replace(clause.condition, clause.condition + 2, ", function(");
            self.edits.and(name).and(") ");
        }
        self.edits.replace(at as u32, at as u32 + 1, ")");
        self.leave(at, Shape::List)
    }

    /// Wraps the body that starts at `start`, so that it can be asked for its default config.
    pub(super) fn wrap_body(&mut self, start: u32) {
        self.calls.insert(Call::Config);
        self.edits.open(start, Call::Config.opening());
        self.edits.and(CONFIG).and(", ");
        self.edits.close(self.end as u32, ")");
    }
}
