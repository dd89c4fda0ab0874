//! Objects.

use std::ops::Range;

use super::{Expression, Form, Parsed, Parser};
use crate::prepare::Call;
use crate::prepare::shape::Shape;
use crate::prepare::token::{Kind, Token};

/// A field of an object.
#[derive(Clone)]
pub(super) struct Field {
    /// The token at which the name starts.
    pub(super) name: Token,
    /// For a computed name, the tokens between the brackets.
    pub(super) computed: Option<Range<usize>>,
    /// The token between name and value.
    colon: Token,
    is_method: bool,
    value: Expression,
}

impl Field {
    /// Whether it is added to an inherited field, which the engine may get wrong.
    fn extends(&self) -> bool {
        let Expression { shape, .. } = self.value;
        is_extension(self.colon.kind) && !shape.is_object() && shape != Shape::List
    }
}

impl Parser<'_> {
    /// Parses `{ members }` or `{ [name]: value for ... }`.
    pub(super) fn object(&mut self) -> Parsed<Expression> {
        let start = self.take().start;
        let mut fields = 0;
        let mut first = None;
        let mut locals = Vec::new();
        let mut computed: Vec<Field> = Vec::new();
        let mut asserts = None;
        while self.kind() != Kind::RightBrace {
            match self.kind() {
                Kind::For => break,
                Kind::Local => {
                    self.take();
                    self.objects += 1;
                    locals.push(self.bind()?);
                    self.objects -= 1;
                }
                Kind::Assert => {
                    asserts = Some(self.token());
                    self.objects += 1;
                    self.assertion()?;
                    self.objects -= 1;
                }
                _ => {
                    let field = self.field()?;
                    fields += 1;
                    if field.extends() {
                        match field.computed {
                            // Whether the name means the same inside the object is known only after all locals.
                            Some(_) => computed.push(field.clone()),
                            None => self.extend(&field, &locals),
                        }
                    }
                    first.get_or_insert(field);
                }
            }
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        for field in &computed {
            self.extend(field, &locals);
        }
        if self.kind() == Kind::For {
            return match (first, asserts) {
                (Some(field), None) if fields == 1 => {
                    self.check_comprehension_field(&field)?;
                    self.object_comprehension(start, &field, &locals)
                }
                (_, Some(assert)) => {
                    self.refuse(assert, "an object comprehension cannot have assertions")
                }
                _ => {
                    let message = "an object comprehension has exactly one field";
                    self.refuse(self.token(), message)
                }
            };
        }
        let end = self.expect(Kind::RightBrace, "',' or '}'")?.end;
        let empty = fields == 0 && asserts.is_none();
        let shape = if empty { Shape::EmptyObject } else { Shape::Object };
        Ok(Expression { shape, start, end, form: Form::Other })
    }

    fn field(&mut self) -> Parsed<Field> {
        let name = self.token();
        let mut computed = None;
        match name.kind {
            Kind::Name => {
                self.take();
            }
            kind if kind.is_text() => {
                self.take();
            }
            Kind::LeftBracket => {
                self.take();
                let from = self.at;
                self.expression()?;
                computed = Some(from..self.at);
                self.expect(Kind::RightBracket, "']'")?;
            }
            _ => return self.expected("a field"),
        }
        self.objects += 1;
        let is_method = self.kind() == Kind::LeftParen;
        let takes_config = is_method && self.parameters()?;
        let colon = self.colon(is_method)?;
        let value = self.body(takes_config)?;
        self.objects -= 1;
        Ok(Field { name, computed, colon, is_method, value })
    }

    fn colon(&mut self, is_method: bool) -> Parsed<Token> {
        let token = self.token();
        match token.kind {
            Kind::Colon | Kind::Colons2 | Kind::Colons3 => Ok(self.take()),
            kind if is_extension(kind) && !is_method => Ok(self.take()),
            kind if is_extension(kind) => self.refuse(token, "a method cannot extend a field"),
            _ => self.expected("':'"),
        }
    }

    /// Rewrites a field so that it is added as `+` does.
    fn extend(&mut self, field: &Field, locals: &[Token]) {
        let Field { name, computed, colon, value, .. } = field.clone();
        let key = match (name.kind, computed) {
            (Kind::Name, _) => format!("'{}'", self.written(name)),
            (_, None) => self.edits.changed(self.text, name.start, name.end),
            (_, Some(computed)) if self.is_same_inside(computed.clone(), locals) => {
                format!("({})", self.changed(computed))
            }
            // The object may differ where the value is evaluated, so this is left to the engine.
            (_, Some(_)) => return,
        };
        let plain = match colon.kind {
            Kind::PlusColon => ":",
            Kind::PlusColons2 => "::",
            _ => ":::",
        };
        self.replace(colon, plain);
        self.calls.insert(Call::Extend);
        self.edits.open(value.start, Call::Extend.opening());
        self.edits.and(&key).and(" in super, super[").and(&key).and("], ");
        self.edits.close(value.end, ")");
    }

    /// Whether some tokens mean the same in the value of a field as in its name.
    fn is_same_inside(&self, tokens: Range<usize>, locals: &[Token]) -> bool {
        self.tokens[tokens].iter().all(|token| match token.kind {
            Kind::SelfWord | Kind::Super | Kind::Dollar => false,
            Kind::Name => !locals.iter().any(|own| self.written(*own) == self.written(*token)),
            _ => true,
        })
    }

    /// Returns the rewritten text of some tokens.
    fn changed(&self, tokens: Range<usize>) -> String {
        let tokens = &self.tokens[tokens];
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => self.edits.changed(self.text, first.start, last.end),
            _ => String::new(),
        }
    }

    fn check_comprehension_field(&self, field: &Field) -> Parsed<()> {
        if field.computed.is_none() {
            return self.refuse(
                field.name,
                "the name of a comprehension's field must be computed: `[name]`",
            );
        }
        match field.colon.kind {
            Kind::Colon | Kind::PlusColon if !field.is_method => Ok(()),
            Kind::Colon | Kind::PlusColon => {
                self.refuse(field.name, "a comprehension's field cannot be a method")
            }
            _ => self.refuse(field.colon, "a comprehension's field cannot be hidden"),
        }
    }
}

fn is_extension(kind: Kind) -> bool {
    matches!(kind, Kind::PlusColon | Kind::PlusColons2 | Kind::PlusColons3)
}
