//! Operators and their precedence.

use super::{Expression, Form, Parsed, Parser};
use crate::prepare::edits::EditId;
use crate::prepare::shape::{self, Shape};
use crate::prepare::token::{Kind, Token};
use crate::prepare::{Call, FORMAT, Mode};

/// Prefix operators bind tighter than all others.
const PRODUCT: u8 = 10;

/// The precedence of each operator; 0 for tokens that are not binary operators.
static POWERS: [u8; 64] = {
    let mut powers = [0; 64];
    powers[Kind::Or as usize] = 1;
    powers[Kind::And as usize] = 2;
    powers[Kind::BitOr as usize] = 3;
    powers[Kind::Caret as usize] = 4;
    powers[Kind::BitAnd as usize] = 5;
    powers[Kind::Equal as usize] = 6;
    powers[Kind::NotEqual as usize] = 6;
    powers[Kind::Less as usize] = 7;
    powers[Kind::Greater as usize] = 7;
    powers[Kind::LessEqual as usize] = 7;
    powers[Kind::GreaterEqual as usize] = 7;
    powers[Kind::In as usize] = 7;
    powers[Kind::ShiftLeft as usize] = 8;
    powers[Kind::ShiftRight as usize] = 8;
    powers[Kind::Plus as usize] = 9;
    powers[Kind::Minus as usize] = 9;
    powers[Kind::Star as usize] = PRODUCT;
    powers[Kind::Slash as usize] = PRODUCT;
    powers[Kind::Percent as usize] = PRODUCT;
    powers
};

fn power(kind: Kind) -> u8 {
    POWERS[kind as usize % POWERS.len()]
}

/// Whether an expression never continues with such a token.
fn ends_expression(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Comma
            | Kind::RightParen
            | Kind::RightBracket
            | Kind::RightBrace
            | Kind::Semicolon
            | Kind::Then
            | Kind::Else
            | Kind::For
            | Kind::End
    )
}

/// A call that adds the operands before the next `+`.
struct Sum {
    open: EditId,
    close: EditId,
}

impl Parser<'_> {
    /// Parses an expression.
    #[inline]
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        // Most expressions are a single name or literal.
        if self.mode == Mode::Values
            && ends_expression(self.next_kind())
            && let Some((shape, form)) = self.atom()
        {
            let Token { start, end, .. } = self.take();
            return Ok(Expression { shape, start, end, form });
        }
        self.compound()
    }

    /// Parses an expression of several tokens.
    #[inline(never)]
    fn compound(&mut self) -> Parsed<Expression> {
        self.depth += 1;
        self.check_depth(0)?;
        let mut expression = self.operand()?;
        if !ends_expression(self.kind()) {
            expression = self.operators(expression, 1)?;
        }
        self.depth -= 1;
        Ok(expression)
    }

    /// Parses the operators after an operand that bind at least as tightly as `least`, and their operands.
    fn operators(&mut self, mut left: Expression, least: u8) -> Parsed<Expression> {
        let mut sum = None;
        let mut count = 0;
        loop {
            let operator = self.token();
            let power = power(operator.kind);
            if power < least {
                if operator.kind == Kind::NoOperator {
                    let message = format!("`{}` is not an operator", self.written(operator));
                    return self.refuse(operator, message);
                }
                return Ok(left);
            }
            count += 1;
            self.check_depth(count)?;
            self.take();
            if operator.kind == Kind::In && self.is_bare_super() {
                let end = self.super_word()?.end;
                let is_in = Expression { shape: Shape::Plain, end, form: Form::Other, ..left };
                left = self.locate(is_in);
                sum = None;
                continue;
            }
            let right = self.operand()?;
            let right = self.operators(right, power + 1)?;
            (left, sum) = self.binary(operator, left, right, sum);
        }
    }

    /// Whether there is a `super` that nothing indexes.
    fn is_bare_super(&self) -> bool {
        self.kind() == Kind::Super && !matches!(self.next_kind(), Kind::Dot | Kind::LeftBracket)
    }

    fn operand(&mut self) -> Parsed<Expression> {
        let operator = self.token();
        if !matches!(operator.kind, Kind::Plus | Kind::Minus | Kind::Not | Kind::Tilde) {
            return self.suffixed();
        }
        self.take();
        self.depth += 1;
        self.check_depth(0)?;
        let operand = self.operand()?;
        self.depth -= 1;
        if operator.kind == Kind::Tilde {
            self.calls.insert(Call::Complement);
            self.replace(operator, Call::Complement.opening());
            self.edits.close(operand.end, ")");
            let (shape, start, end) = (Shape::Number, operator.start, operand.end);
            return Ok(self.locate(Expression { shape, start, end, form: Form::Other }));
        }
        let shape = if operator.kind == Kind::Not { Shape::Plain } else { Shape::Number };
        let form = Form::Prefixed;
        Ok(self.locate(Expression { shape, start: operator.start, end: operand.end, form }))
    }

    fn binary(
        &mut self,
        operator: Token,
        left: Expression,
        right: Expression,
        sum: Option<Sum>,
    ) -> (Expression, Option<Sum>) {
        let (start, end) = (left.start, right.end);
        let rewritten = match operator.kind {
            Kind::Plus if !shape::adds_rightly(left.shape, right.shape) => Some(Call::Add),
            Kind::Star if !shape::multiplies_rightly(left.shape, right.shape) => {
                Some(Call::Multiply)
            }
            Kind::Percent if !shape::divides(left.shape) => Some(Call::Modulo),
            Kind::Equal if !shape::compares_rightly(left.shape, right.shape) => Some(Call::Equal),
            Kind::NotEqual if !shape::compares_rightly(left.shape, right.shape) => {
                Some(Call::Differ)
            }
            Kind::ShiftLeft => Some(Call::ShiftLeft),
            Kind::ShiftRight => Some(Call::ShiftRight),
            _ => None,
        };
        let shape = match operator.kind {
            Kind::Plus => shape::sum(left.shape, right.shape),
            Kind::Percent if left.shape == Shape::Text => Shape::Text,
            Kind::Percent if left.shape == Shape::Unknown => Shape::Unknown,
            Kind::Star | Kind::Slash | Kind::Percent | Kind::Minus => Shape::Number,
            Kind::ShiftLeft | Kind::ShiftRight => Shape::Number,
            Kind::BitAnd | Kind::BitOr | Kind::Caret => Shape::Number,
            _ => Shape::Plain,
        };
        let whole = Expression { shape, start, end, form: Form::Other };
        let mut longer = None;
        match (rewritten, sum) {
            (Some(Call::Modulo), _) if self.is_pattern(left) => self.fill(left, operator, end),
            (Some(Call::Add), Some(sum)) => longer = Some(self.lengthen(sum, operator, end)),
            (Some(call), _) => {
                self.calls.insert(call);
                let open = self.edits.open(start, call.opening());
                self.replace(operator, ",");
                let close = self.edits.close(end, ")");
                longer =
                    (call == Call::Add && self.mode == Mode::Values).then_some(Sum { open, close });
            }
            (None, _) if power(operator.kind) == PRODUCT => {
                for operand in [left, right] {
                    if operand.form == Form::Prefixed {
                        self.edits.open(operand.start, "(");
                        self.edits.close(operand.end, ")");
                    }
                }
            }
            (None, _) => {}
        }
        (self.locate(whole), longer)
    }

    /// Whether an operand is a string literal without escapes.
    fn is_pattern(&self, operand: Expression) -> bool {
        let written = &self.text.as_bytes()[operand.start as usize..operand.end as usize];
        let quoted = matches!(written[0], b'\'' | b'"') && written.last() == written.first();
        quoted && self.mode == Mode::Values && !written.contains(&b'\\') && {
            let inside = &written[1..written.len() - 1];
            !inside.contains(&written[0])
        }
    }

    /// Replaces a pattern and the operator after it with a call of a function for this pattern, which is then parsed
    /// only once.
    fn fill(&mut self, pattern: Expression, operator: Token, end: u32) {
        let text = &self.text[pattern.start as usize + 1..pattern.end as usize - 1];
        self.edits.replace(pattern.start, operator.end, FORMAT);
        self.edits.and(&self.patterns.len().to_string()).and("(");
        self.edits.close(end, ")");
        self.patterns.push(text.into());
    }

    /// Extends a call that adds operands by one more.
    fn lengthen(&mut self, sum: Sum, operator: Token, end: u32) -> Sum {
        self.calls.insert(Call::Sum);
        self.edits.amend(sum.open, "__w_s([");
        self.edits.amend(sum.close, "");
        self.replace(operator, ",");
        Sum { open: sum.open, close: self.edits.close(end, "])") }
    }
}
