//! Lists and comprehensions.
//!
//! A comprehension becomes a call whose arguments are the value, the sources and the conditions, each a function of
//! the variables before it. They stay in their written order, so that nothing has to be moved.

use super::object::Field;
use super::{Expression, Form, Parsed, Parser};
use crate::prepare::Call;
use crate::prepare::shape::Shape;
use crate::prepare::token::{Kind, Token};

/// The name of the variable that holds the variables of each element of an object comprehension.
const ELEMENT: &str = "__w_v";

/// `for variable in source` or `if condition`.
struct Clause {
    /// From `for` to `in`, or `if`.
    head: (Token, Token),
    variable: Option<Token>,
    /// The end of the source or the condition.
    end: u32,
}

impl Parser<'_> {
    /// `[elements]` or `[value for ...]`.
    pub(super) fn list(&mut self) -> Parsed<Expression> {
        let bracket = self.take();
        let mut shape = Shape::EmptyList;
        while self.kind() != Kind::RightBracket {
            self.expression()?;
            let comma = self.token();
            let follows = if comma.kind == Kind::Comma { self.next_kind() } else { comma.kind };
            if shape == Shape::EmptyList && follows == Kind::For {
                if self.takes(Kind::Comma) {
                    self.replace(comma, " ");
                }
                return self.list_comprehension(bracket);
            }
            shape = Shape::List;
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        let end = self.expect(Kind::RightBracket, "',' or ']'")?.end;
        Ok(Expression { shape, start: bracket.start, end, form: Form::Other })
    }

    fn list_comprehension(&mut self, open: Token) -> Parsed<Expression> {
        let clauses = self.clauses()?;
        let close = self.expect(Kind::RightBracket, "']'")?;
        let end = match clauses.as_slice() {
            [_] => {
                self.begin(open, Call::Map, &clauses);
                ")"
            }
            [_, condition] if condition.variable.is_none() => {
                self.begin(open, Call::Select, &clauses);
                ")"
            }
            _ => {
                self.begin(open, Call::Comprehend, &clauses);
                "])"
            }
        };
        self.replace(close, end);
        let shape = Shape::List;
        let (start, end) = (open.start, close.end);
        Ok(self.locate(Expression { shape, start, end, form: Form::Other }))
    }

    /// Inserts the start of a call for `open`, and replaces the keywords between its arguments with separators.
    fn begin(&mut self, open: Token, call: Call, clauses: &[Clause]) {
        self.calls.insert(call);
        self.replace(open, call.opening());
        let first = match call {
            Call::Comprehend => {
                self.edits.and(&kinds(clauses));
                ", ["
            }
            _ => ", ",
        };
        self.edits.and("function(");
        self.add_names(clauses, usize::MAX);
        self.edits.and(") ");
        self.separate(clauses, first);
    }

    /// Makes each source and condition a function of the variables before it.
    fn separate(&mut self, clauses: &[Clause], first: &str) {
        let mut known = 0;
        for (index, clause) in clauses.iter().enumerate() {
            let (from, to) = clause.head;
            if index == 0 {
                self.edits.replace(from.start, to.end, first);
            } else {
                self.edits.replace(from.start, to.end, ", function(");
                self.add_names(clauses, known);
                self.edits.and(") ");
            }
            known += usize::from(clause.variable.is_some());
        }
    }

    /// Appends the first `count` variables to the last inserted text.
    fn add_names(&mut self, clauses: &[Clause], count: usize) {
        // Usually there is one.
        if let [Clause { variable: Some(variable), .. }] = clauses {
            self.edits.and(self.written(*variable));
            return;
        }
        let names = self.names(clauses, count).join(", ");
        self.edits.and(&names);
    }

    /// Returns the first `count` variables; those shadowed by a later one get unique names.
    fn names(&self, clauses: &[Clause], count: usize) -> Vec<String> {
        let variables: Vec<&str> = clauses
            .iter()
            .filter_map(|clause| clause.variable.map(|variable| self.written(variable)))
            .take(count)
            .collect();
        let name = |(index, name): (usize, &&str)| {
            if variables[index + 1..].contains(name) {
                format!("{ELEMENT}{index}")
            } else {
                (*name).to_owned()
            }
        };
        variables.iter().enumerate().map(name).collect()
    }

    fn clauses(&mut self) -> Parsed<Vec<Clause>> {
        let mut clauses = Vec::new();
        loop {
            let word = self.token();
            match word.kind {
                Kind::For => {
                    self.take();
                    let variable = Some(self.expect(Kind::Name, "identifier")?);
                    let in_word = self.expect(Kind::In, "'in'")?;
                    let end = self.expression()?.end;
                    clauses.push(Clause { head: (word, in_word), variable, end });
                }
                Kind::If => {
                    self.take();
                    let end = self.expression()?.end;
                    clauses.push(Clause { head: (word, word), variable: None, end });
                }
                _ => return Ok(clauses),
            }
        }
    }

    /// Parses the rest of `{ [name]: value for ... }`. The engine is correct if there is only one source, and the
    /// name depends on each element anyway.
    pub(super) fn object_comprehension(
        &mut self,
        start: u32,
        field: &Field,
        locals: &[Token],
    ) -> Parsed<Expression> {
        let comma = self.tokens[self.at - 1];
        let clauses = self.clauses()?;
        let close = self.expect(Kind::RightBrace, "'}'")?;
        let sources = clauses.iter().filter(|clause| clause.variable.is_some()).count();
        let key = field.computed.clone().unwrap_or_default();
        if sources > 1 || !self.names_variable(&clauses, key.clone()) {
            if comma.kind == Kind::Comma {
                self.replace(comma, " ");
            }
            self.box_elements(field.name, &clauses, locals);
        }
        let (end, shape) = (close.end, Shape::Object);
        Ok(Expression { shape, start, end, form: Form::Other })
    }

    fn names_variable(&self, clauses: &[Clause], key: std::ops::Range<usize>) -> bool {
        let variable = clauses.first().and_then(|clause| clause.variable);
        let name = variable.map(|variable| self.written(variable));
        let mut tokens = self.tokens[key].iter();
        tokens.any(|token| token.kind == Kind::Name && Some(self.written(*token)) == name)
    }

    /// Lets the engine iterate over one list, whose elements contain the lazy values of all variables.
    fn box_elements(&mut self, bracket: Token, clauses: &[Clause], locals: &[Token]) {
        self.calls.insert(Call::Comprehend);
        let names = self.names(clauses, usize::MAX);
        let own: Vec<&str> = locals.iter().map(|local| self.written(*local)).collect();
        let bind = |(index, name): (usize, &String)| format!("{name} = {ELEMENT}[{index}]");
        let all: Vec<String> = names.iter().enumerate().map(bind).collect();
        let members: Vec<String> = names
            .iter()
            .enumerate()
            .filter(|(_, name)| !own.contains(&name.as_str()))
            .map(|bound| format!(", local {}", bind(bound)))
            .collect();
        let first = format!(
            "{} for {ELEMENT} in {}({}function({names}) [{names}], [",
            members.concat(),
            Call::Comprehend.name(),
            kinds(clauses),
            names = names.join(", "),
        );
        self.edits.open(bracket.end, &format!("local {}; ", all.join(", ")));
        self.separate(clauses, &first);
        let end = clauses.last().map_or(bracket.end, |clause| clause.end);
        self.edits.close(end, "])");
    }
}

/// Returns the kinds of the clauses, sources or conditions, as the first argument of a call.
fn kinds(clauses: &[Clause]) -> String {
    let kind = |clause: &Clause| if clause.variable.is_some() { 'f' } else { 'i' };
    format!("'{}', ", clauses.iter().map(kind).collect::<String>())
}
