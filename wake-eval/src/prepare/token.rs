//! The tokens of a source text, by the rules of the language's specification.

use super::edits::Edits;
use super::{Refusal, Stretch};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Kind {
    /// Past the last token.
    End,
    Name, Number, Quoted, Verbatim, Block,
    Assert, Else, Error, False, For, Function, If, Import, ImportBin, ImportStr, In, Local, Null,
    SelfWord, Super, Tailstrict, Then, True,
    LeftBrace, RightBrace, LeftBracket, RightBracket, LeftParen, RightParen, Comma, Dot, Semicolon,
    Dollar,
    Assign, Colon, Colons2, Colons3, PlusColon, PlusColons2, PlusColons3,
    Plus, Minus, Star, Slash, Percent, Not, Tilde, And, Or, BitAnd, BitOr, Caret, Equal, NotEqual,
    Less, Greater, LessEqual, GreaterEqual, ShiftLeft, ShiftRight,
    /// A run of operator characters that means nothing.
    NoOperator,
}

impl Kind {
    /// Whether it is a text of any form.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Kind::Quoted | Kind::Verbatim | Kind::Block)
    }
}

/// One token: where it stands, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Token {
    pub(crate) fn stretch(self) -> Stretch {
        Stretch { start: self.start as usize, end: self.end as usize }
    }
}

/// The tokens of `text`, with one of kind [`Kind::End`] behind the last. What the engine's own scanner gets wrong in
/// comments and texts goes into `edits`.
///
/// What is no token is an error that says where. A text is at most 4 GiB long.
pub(super) fn tokens(text: &str, edits: &mut Edits) -> Result<Vec<Token>, Refusal> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, prefixes_end: 0, edits };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        scanner.skip_space()?;
        let start = scanner.at;
        let kind = scanner.token()?;
        tokens.push(Token { kind, start: start as u32, end: scanner.at as u32 });
        if kind == Kind::End {
            return Ok(tokens);
        }
    }
}

struct Scanner<'t, 'e> {
    bytes: &'t [u8],
    at: usize,
    /// Up to where each operator character is a prefix operator of its own, as far as that is known.
    prefixes_end: usize,
    edits: &'e mut Edits,
}

impl Scanner<'_, '_> {
    fn peek(&self, offset: usize) -> u8 {
        self.bytes.get(self.at + offset).copied().unwrap_or(0)
    }

    fn refuse<T>(&self, start: usize, message: &str) -> Result<T, Refusal> {
        let end = self.at.clamp(start, self.bytes.len());
        Err(Refusal::syntax(message, Stretch { start, end }))
    }

    /// Skips what means nothing: white space and comments.
    fn skip_space(&mut self) -> Result<(), Refusal> {
        loop {
            match self.peek(0) {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                b'#' => self.skip_line(),
                b'/' if self.peek(1) == b'/' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// Skips a comment. The engine takes two stars before a slash for no end; for it, they become spaces.
    fn skip_comment(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        let inside = start + 2;
        let ends = self.bytes[inside..].windows(2).position(|pair| pair == b"*/");
        let Some(length) = ends else {
            self.at = inside;
            return self.refuse(start, "unterminated multi-line comment");
        };
        let end = inside + length;
        let mut misread = inside;
        while misread < end {
            misread += if self.bytes[misread] == b'*' { 2 } else { 1 };
        }
        if misread > end {
            for at in (inside..end).filter(|at| self.bytes[*at] == b'*') {
                self.edits.replace(at, at + 1, " ");
            }
        }
        self.at = end + 2;
        Ok(())
    }

    fn token(&mut self) -> Result<Kind, Refusal> {
        let start = self.at;
        let symbol = match self.peek(0) {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => return self.word(),
            b'0'..=b'9' => return self.number(),
            b'\'' | b'"' => return self.quoted(),
            b'@' => return self.verbatim(),
            b'|' if self.bytes[start..].starts_with(b"|||") => return self.block(),
            b'{' => Kind::LeftBrace,
            b'}' => Kind::RightBrace,
            b'[' => Kind::LeftBracket,
            b']' => Kind::RightBracket,
            b'(' => Kind::LeftParen,
            b')' => Kind::RightParen,
            b',' => Kind::Comma,
            b'.' => Kind::Dot,
            b';' => Kind::Semicolon,
            b'$' => Kind::Dollar,
            byte if is_operator(byte) => return Ok(self.operator()),
            _ if start == self.bytes.len() => return Ok(Kind::End),
            _ => {
                self.at += 1;
                while self.at < self.bytes.len() && self.bytes[self.at] & 0xC0 == 0x80 {
                    self.at += 1;
                }
                return self.refuse(start, "unexpected character");
            }
        };
        self.at += 1;
        Ok(symbol)
    }

    fn word(&mut self) -> Result<Kind, Refusal> {
        let start = self.at;
        while matches!(self.peek(0), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
            self.at += 1;
        }
        let word = &self.bytes[start..self.at];
        if word.starts_with(super::RESERVED.as_bytes()) {
            return self.refuse(start, "names that start with `__wake_` are kept for wake itself");
        }
        Ok(keyword(word))
    }

    fn digits(&mut self, start: usize, after: &str) -> Result<(), Refusal> {
        if !self.peek(0).is_ascii_digit() {
            self.at += 1;
            return self.refuse(start, after);
        }
        while self.peek(0).is_ascii_digit()
            || (self.peek(0) == b'_' && self.peek(1).is_ascii_digit())
        {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Kind, Refusal> {
        let start = self.at;
        if self.peek(0) == b'0' {
            self.at += 1;
        } else {
            self.digits(start, "expected a digit")?;
        }
        if self.peek(0) == b'.' {
            self.at += 1;
            self.digits(start, "junk after decimal point in number literal")?;
        }
        if matches!(self.peek(0), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(0), b'+' | b'-') {
                self.at += 1;
            }
            self.digits(start, "junk after exponent in number literal")?;
        }
        Ok(Kind::Number)
    }

    fn quoted(&mut self) -> Result<Kind, Refusal> {
        let (start, quote) = (self.at, self.peek(0));
        self.at += 1;
        loop {
            match self.peek(0) {
                byte if byte == quote => break,
                b'\\' => self.escape()?,
                0 if self.at >= self.bytes.len() => {
                    let kind = if quote == b'"' { "double" } else { "single" };
                    return self.refuse(start, &format!("unterminated {kind}-quoted string"));
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(Kind::Quoted)
    }

    /// Skips an escape. The engine does not know `\/`, and takes `\x`, which the language does not know.
    fn escape(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        self.at += 2;
        match self.bytes.get(start + 1) {
            Some(b'\'' | b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'/') => {
                self.edits.replace(start, start + 2, "/");
                Ok(())
            }
            Some(b'u') => {
                let digits = self.bytes.get(start + 2..start + 6);
                self.at += 4;
                match digits {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(()),
                    _ => self.refuse(start, "`\\u` takes four hexadecimal digits"),
                }
            }
            _ => self.refuse(start, "unknown escape sequence in a string"),
        }
    }

    fn verbatim(&mut self) -> Result<Kind, Refusal> {
        let start = self.at;
        let quote = self.peek(1);
        if !matches!(quote, b'\'' | b'"') {
            self.at += 1;
            return self.refuse(start, "verbatim string missing opening quotes");
        }
        self.at += 2;
        loop {
            match self.peek(0) {
                byte if byte == quote && self.peek(1) == quote => self.at += 2,
                byte if byte == quote => break,
                0 if self.at >= self.bytes.len() => {
                    return self.refuse(start, "unterminated verbatim string");
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(Kind::Verbatim)
    }

    /// A text block: its first line says how far all of them are indented, and a line that is not ends it.
    fn block(&mut self) -> Result<Kind, Refusal> {
        let start = self.at;
        self.at += 3;
        if self.peek(0) == b'-' {
            self.at += 1;
        }
        while matches!(self.peek(0), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
        if self.peek(0) != b'\n' {
            return self.refuse(start, "text block requires new line after |||");
        }
        while self.peek(0) == b'\n' {
            self.at += 1;
        }
        let indent = self.at;
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        let indent = &self.bytes[indent..self.at];
        if indent.is_empty() {
            return self.refuse(start, "text block first line must be indented");
        }
        loop {
            self.skip_line();
            while self.peek(0) == b'\n' {
                self.at += 1;
            }
            if self.at >= self.bytes.len() {
                return self.refuse(start, "unterminated text block");
            }
            if !self.bytes[self.at..].starts_with(indent) {
                break;
            }
        }
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        if !self.bytes[self.at..].starts_with(b"|||") {
            return self.refuse(start, "unterminated text block");
        }
        self.at += 3;
        Ok(Kind::Block)
    }

    /// The longest run of operator characters, up to a comment or a text block, and without the prefix operators
    /// that it ends with.
    fn operator(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        while start >= self.prefixes_end && is_operator(self.peek(0)) {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"//") || rest.starts_with(b"/*") || rest.starts_with(b"|||") {
                break;
            }
            self.at += 1;
        }
        self.prefixes_end = self.prefixes_end.max(self.at);
        while self.at > start + 1 && matches!(self.bytes[self.at - 1], b'+' | b'-' | b'~' | b'!') {
            self.at -= 1;
        }
        match &self.bytes[start..self.at] {
            b"=" => Kind::Assign,
            b":" => Kind::Colon,
            b"::" => Kind::Colons2,
            b":::" => Kind::Colons3,
            b"+:" => Kind::PlusColon,
            b"+::" => Kind::PlusColons2,
            b"+:::" => Kind::PlusColons3,
            b"+" => Kind::Plus,
            b"-" => Kind::Minus,
            b"*" => Kind::Star,
            b"/" => Kind::Slash,
            b"%" => Kind::Percent,
            b"!" => Kind::Not,
            b"~" => Kind::Tilde,
            b"&&" => Kind::And,
            b"||" => Kind::Or,
            b"&" => Kind::BitAnd,
            b"|" => Kind::BitOr,
            b"^" => Kind::Caret,
            b"==" => Kind::Equal,
            b"!=" => Kind::NotEqual,
            b"<" => Kind::Less,
            b">" => Kind::Greater,
            b"<=" => Kind::LessEqual,
            b">=" => Kind::GreaterEqual,
            b"<<" => Kind::ShiftLeft,
            b">>" => Kind::ShiftRight,
            _ => Kind::NoOperator,
        }
    }
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b':'
            | b'~'
            | b'+'
            | b'-'
            | b'&'
            | b'|'
            | b'^'
            | b'='
            | b'<'
            | b'>'
            | b'*'
            | b'/'
            | b'%'
    )
}

fn keyword(word: &[u8]) -> Kind {
    match word {
        b"assert" => Kind::Assert,
        b"else" => Kind::Else,
        b"error" => Kind::Error,
        b"false" => Kind::False,
        b"for" => Kind::For,
        b"function" => Kind::Function,
        b"if" => Kind::If,
        b"import" => Kind::Import,
        b"importbin" => Kind::ImportBin,
        b"importstr" => Kind::ImportStr,
        b"in" => Kind::In,
        b"local" => Kind::Local,
        b"null" => Kind::Null,
        b"self" => Kind::SelfWord,
        b"super" => Kind::Super,
        b"tailstrict" => Kind::Tailstrict,
        b"then" => Kind::Then,
        b"true" => Kind::True,
        _ => Kind::Name,
    }
}
