//! Expressions without operators between them.

use super::{Expression, Form, Parsed, Parser};
use crate::prepare::shape::Shape;
use crate::prepare::token::{Kind, Token};
use crate::prepare::{CONFIG, Call, OWN, RAW};

impl Parser<'_> {
    /// Parses an expression with the indexes, calls and extensions that follow it.
    pub(super) fn suffixed(&mut self) -> Parsed<Expression> {
        let mut expression =
            if self.kind() == Kind::Super { self.field_of_super()? } else { self.primary()? };
        let mut count = 0;
        loop {
            let shape = match self.kind() {
                Kind::Dot => {
                    let dot = self.take();
                    let name = self.expect(Kind::Name, "identifier")?;
                    if self.is_called(name, OWN) {
                        self.calls.insert(Call::Own);
                        self.edits.open(expression.start, Call::Own.opening());
                        self.edits.replace(dot.start, name.end, ")");
                    }
                    Shape::Unknown
                }
                Kind::LeftBracket => {
                    self.index(expression.start)?;
                    Shape::Unknown
                }
                Kind::LeftParen => {
                    self.arguments()?;
                    Shape::Unknown
                }
                Kind::LeftBrace => self.extension(expression)?,
                _ => return Ok(expression),
            };
            count += 1;
            self.check_depth(count)?;
            let end = self.end();
            expression = Expression { shape, end, form: Form::Other, ..expression };
            expression = self.locate(expression);
        }
    }

    /// Takes `super`, if it is allowed here.
    pub(super) fn super_word(&mut self) -> Parsed<Token> {
        let token = self.take();
        if self.objects == 0 {
            return self.refuse(token, "`super` can be used only inside an object");
        }
        Ok(token)
    }

    fn field_of_super(&mut self) -> Parsed<Expression> {
        let start = self.super_word()?.start;
        match self.kind() {
            Kind::Dot => {
                self.take();
                self.expect(Kind::Name, "identifier")?;
            }
            Kind::LeftBracket => {
                self.take();
                self.expression()?;
                self.expect(Kind::RightBracket, "']'")?;
            }
            _ => return self.expected("'.' or '[' after `super`"),
        }
        let end = self.end();
        Ok(self.locate(Expression { shape: Shape::Unknown, start, end, form: Form::Other }))
    }

    /// Parses an object that extends an expression; the engine cannot extend values that are not objects.
    fn extension(&mut self, of: Expression) -> Parsed<Shape> {
        let brace = self.token().start;
        let end = self.object()?.end;
        if of.shape.is_object() {
            return Ok(Shape::Object);
        }
        self.call(Call::Brace, of.start, end);
        self.edits.replace(brace, brace, ", ");
        Ok(if of.shape == Shape::Text { Shape::Text } else { Shape::Unknown })
    }

    /// Parses `[index]`, or `[from:to:step]` after what starts at `start`. A slice becomes a call, with null for
    /// missing parts.
    fn index(&mut self, start: u32) -> Parsed<()> {
        let bracket = self.take();
        let mut separators = [bracket; 3];
        let mut colons = 0;
        let mut parts = [false; 3];
        loop {
            let token = self.token();
            match token.kind {
                Kind::RightBracket if parts[0] || colons > 0 => break,
                Kind::Colon if colons < 2 => {
                    colons += 1;
                    separators[colons] = self.take();
                }
                Kind::Colons2 if colons == 0 => {
                    self.take();
                    let middle = token.start + 1;
                    separators[1] = Token { end: middle, ..token };
                    separators[2] = Token { start: middle, ..token };
                    colons = 2;
                }
                _ if parts[colons] => return self.expected("']'"),
                _ => {
                    self.expression()?;
                    parts[colons] = true;
                }
            }
        }
        let close = self.take();
        if colons == 0 {
            return Ok(());
        }
        self.calls.insert(Call::Slice);
        self.edits.open(start, Call::Slice.opening());
        for (separator, part) in separators.into_iter().zip(parts).take(colons + 1) {
            self.replace(separator, if part { ", " } else { ", null" });
        }
        self.replace(close, if colons == 1 { ", null)" } else { ")" });
        Ok(())
    }

    /// Parses `(argument, name=argument)` and `tailstrict`. With the latter, arguments that are only a variable are
    /// rewritten so that the engine evaluates them before the call, too.
    fn arguments(&mut self) -> Parsed<()> {
        self.take();
        let outer = self.variables.len();
        let mut named = false;
        while self.kind() != Kind::RightParen {
            let token = self.token();
            if token.kind == Kind::Name && self.next_kind() == Kind::Assign {
                self.take();
                self.take();
                named = true;
            } else if named {
                return self.refuse(token, "positional argument after named argument");
            }
            let argument = self.expression()?;
            if argument.form == Form::Variable {
                self.variables.push(argument.start);
            }
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        self.expect(Kind::RightParen, "')'")?;
        if self.takes(Kind::Tailstrict) {
            for start in &self.variables[outer..] {
                self.edits.open(*start, "if true then ");
            }
        }
        self.variables.truncate(outer);
        Ok(())
    }

    /// Returns the shape of the current token, if it is an expression by itself: a variable or a literal.
    #[inline]
    pub(super) fn atom(&self) -> Option<(Shape, Form)> {
        let token = self.token();
        Some(match token.kind {
            Kind::Name => (Shape::Unknown, Form::Variable),
            Kind::Quoted | Kind::Verbatim | Kind::Block => (Shape::Text, Form::Other),
            Kind::Number => (Shape::of_number(self.written(token)), Form::Other),
            Kind::Null | Kind::True | Kind::False => (Shape::Plain, Form::Other),
            _ => return None,
        })
    }

    fn primary(&mut self) -> Parsed<Expression> {
        if let Some((shape, form)) = self.atom() {
            let Token { start, end, .. } = self.take();
            let atom = Expression { shape, start, end, form };
            return Ok(if form == Form::Variable { self.locate(atom) } else { atom });
        }
        let token = self.token();
        let shape = match token.kind {
            Kind::SelfWord | Kind::Dollar => {
                self.take();
                if self.objects == 0 {
                    let message =
                        format!("`{}` can be used only inside an object", self.written(token));
                    return self.refuse(token, message);
                }
                Shape::Object
            }
            Kind::LeftParen => return self.parenthesised(),
            Kind::LeftBracket => return self.list(),
            Kind::LeftBrace => {
                let object = self.object()?;
                return Ok(self.locate(object));
            }
            Kind::Local => self.local()?,
            Kind::If => return self.conditional(),
            Kind::Function => {
                self.take();
                let takes_config = self.parameters()?;
                self.body(takes_config)?;
                Shape::Unknown
            }
            Kind::Assert => {
                self.assertion()?;
                self.expect(Kind::Semicolon, "';'")?;
                self.expression()?.shape
            }
            Kind::Error => {
                self.take();
                self.expression()?;
                Shape::Unknown
            }
            Kind::Import | Kind::ImportStr | Kind::ImportBin => {
                let shape = self.import()?;
                let (start, end) = (token.start, self.end());
                return Ok(self.locate(Expression { shape, start, end, form: Form::Other }));
            }
            _ => return self.expected("an expression"),
        };
        Ok(Expression { shape, start: token.start, end: self.end(), form: Form::Other })
    }

    fn parenthesised(&mut self) -> Parsed<Expression> {
        let start = self.take().start;
        let inside = self.expression()?;
        let end = self.expect(Kind::RightParen, "')'")?.end;
        let form = if inside.form == Form::Variable { Form::Variable } else { Form::Other };
        Ok(Expression { shape: inside.shape, start, end, form })
    }

    fn local(&mut self) -> Parsed<Shape> {
        self.take();
        loop {
            self.bind()?;
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        self.expect(Kind::Semicolon, "';'")?;
        Ok(self.expression()?.shape)
    }

    /// Parses `name = value` or `name(parameters) = value`, and returns the name.
    pub(super) fn bind(&mut self) -> Parsed<Token> {
        let name = self.expect(Kind::Name, "identifier")?;
        let takes_config = self.kind() == Kind::LeftParen && self.parameters()?;
        self.expect(Kind::Assign, "'='")?;
        self.body(takes_config)?;
        Ok(name)
    }

    /// Parses the parameters of a function; returns whether the third one is a `config` with a default.
    pub(super) fn parameters(&mut self) -> Parsed<bool> {
        self.expect(Kind::LeftParen, "'('")?;
        let mut takes_config = false;
        let mut count = 0;
        while self.kind() != Kind::RightParen {
            let name = self.expect(Kind::Name, "identifier")?;
            count += 1;
            if self.takes(Kind::Assign) {
                self.expression()?;
                takes_config |= count == 3 && self.is_called(name, CONFIG);
            }
            if !self.takes(Kind::Comma) {
                break;
            }
        }
        self.expect(Kind::RightParen, "')'")?;
        Ok(takes_config)
    }

    /// Parses the body of a function. A module function can be asked for its default config.
    pub(super) fn body(&mut self, takes_config: bool) -> Parsed<Expression> {
        let body = self.expression()?;
        if takes_config {
            self.calls.insert(Call::Config);
            self.edits.open(body.start, Call::Config.opening());
            self.edits.and(CONFIG).and(", ");
            self.edits.close(body.end, ")");
        }
        Ok(body)
    }

    fn conditional(&mut self) -> Parsed<Expression> {
        let start = self.take().start;
        self.expression()?;
        self.expect(Kind::Then, "'then'")?;
        let mut shape = self.expression()?.shape;
        if self.takes(Kind::Else) {
            shape = shape.or(self.expression()?.shape);
        } else {
            shape = Shape::Unknown;
        }
        let end = self.end();
        Ok(self.locate(Expression { shape, start, end, form: Form::Other }))
    }

    /// Parses `assert condition : message`.
    pub(super) fn assertion(&mut self) -> Parsed<()> {
        self.take();
        self.expression()?;
        if self.takes(Kind::Colon) {
            self.expression()?;
        }
        Ok(())
    }

    /// Parses an import, whose path must be a literal. The engine does not tell the import resolver whether a file is
    /// to be parsed, so the path is marked.
    fn import(&mut self) -> Parsed<Shape> {
        let word = self.take();
        let path = self.token();
        match path.kind {
            Kind::Quoted | Kind::Verbatim => {}
            Kind::Block => {
                return self.refuse(path, "the path of an import cannot be a text block");
            }
            _ => {
                return self.refuse(path, "the path of an import must be a string literal");
            }
        }
        if word.kind != Kind::Import {
            let quote = if path.kind == Kind::Quoted { 1 } else { 2 };
            let inside = path.start + quote;
            self.edits.replace(inside, inside, RAW.encode_utf8(&mut [0; 4]));
        }
        self.expression()?;
        if self.end() != path.end {
            let message = "the path of an import cannot be computed: put the import in parentheses";
            return self.refuse(path, message);
        }
        Ok(if word.kind == Kind::ImportStr { Shape::Text } else { Shape::Unknown })
    }
}
