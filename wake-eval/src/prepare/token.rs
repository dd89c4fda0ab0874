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
pub(super) fn tokens(text: &str, edits: &mut Edits) -> Result<Vec<Token>, Box<Refusal>> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, prefixes_end: 0, edits };
    let mut tokens = Vec::with_capacity(text.len() / 2 + 1);
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

    #[cold]
    fn refuse<T>(&self, start: usize, message: &str) -> Result<T, Box<Refusal>> {
        let end = self.at.clamp(start, self.bytes.len());
        Err(Refusal::syntax(message, Stretch { start, end }))
    }

    /// Skips what means nothing: white space and comments.
    fn skip_space(&mut self) -> Result<(), Box<Refusal>> {
        loop {
            match self.peek(0) {
                b' ' | b'\n' | b'\t' | b'\r' => self.skip(SPACE),
                b'#' => self.skip_line(),
                b'/' if self.peek(1) == b'/' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// Skips all bytes of one class.
    #[inline]
    fn skip(&mut self, class: u8) {
        let rest = &self.bytes[self.at..];
        let other = rest.iter().position(|byte| CLASSES[*byte as usize] != class);
        self.at += other.unwrap_or(rest.len());
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// Skips a comment. The engine takes two stars before a slash for no end; for it, they become spaces.
    fn skip_comment(&mut self) -> Result<(), Box<Refusal>> {
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

    fn token(&mut self) -> Result<Kind, Box<Refusal>> {
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

    fn word(&mut self) -> Result<Kind, Box<Refusal>> {
        let start = self.at;
        self.skip(WORD);
        let word = &self.bytes[start..self.at];
        if word[0] == b'_' && word.starts_with(super::RESERVED.as_bytes()) {
            return self.refuse(start, "names that start with `__w_` are kept for wake itself");
        }
        Ok(keyword(word))
    }

    fn digits(&mut self, start: usize, after: &str) -> Result<(), Box<Refusal>> {
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

    fn number(&mut self) -> Result<Kind, Box<Refusal>> {
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

    fn quoted(&mut self) -> Result<Kind, Box<Refusal>> {
        let (start, quote) = (self.at, self.peek(0));
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at..];
            let stop = rest.iter().position(|byte| *byte == quote || *byte == b'\\');
            self.at += stop.unwrap_or(rest.len());
            match self.bytes.get(self.at) {
                Some(b'\\') => self.escape()?,
                Some(_) => break,
                None => {
                    let kind = if quote == b'"' { "double" } else { "single" };
                    return self.refuse(start, &format!("unterminated {kind}-quoted string"));
                }
            }
        }
        self.at += 1;
        Ok(Kind::Quoted)
    }

    /// Skips an escape. The engine does not know `\/`, and takes `\x`, which the language does not know.
    fn escape(&mut self) -> Result<(), Box<Refusal>> {
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

    fn verbatim(&mut self) -> Result<Kind, Box<Refusal>> {
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
    fn block(&mut self) -> Result<Kind, Box<Refusal>> {
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
        let operator = &self.bytes[start..self.at];
        match operator.len() {
            1 => match operator[0] {
                b'=' => Kind::Assign,
                b':' => Kind::Colon,
                b'+' => Kind::Plus,
                b'-' => Kind::Minus,
                b'*' => Kind::Star,
                b'/' => Kind::Slash,
                b'%' => Kind::Percent,
                b'!' => Kind::Not,
                b'~' => Kind::Tilde,
                b'&' => Kind::BitAnd,
                b'|' => Kind::BitOr,
                b'^' => Kind::Caret,
                b'<' => Kind::Less,
                b'>' => Kind::Greater,
                _ => Kind::NoOperator,
            },
            2 => match [operator[0], operator[1]] {
                [b':', b':'] => Kind::Colons2,
                [b'+', b':'] => Kind::PlusColon,
                [b'&', b'&'] => Kind::And,
                [b'|', b'|'] => Kind::Or,
                [b'=', b'='] => Kind::Equal,
                [b'!', b'='] => Kind::NotEqual,
                [b'<', b'='] => Kind::LessEqual,
                [b'>', b'='] => Kind::GreaterEqual,
                [b'<', b'<'] => Kind::ShiftLeft,
                [b'>', b'>'] => Kind::ShiftRight,
                _ => Kind::NoOperator,
            },
            3 if operator == b":::" => Kind::Colons3,
            3 if operator == b"+::" => Kind::PlusColons2,
            4 if operator == b"+:::" => Kind::PlusColons3,
            _ => Kind::NoOperator,
        }
    }
}

fn is_operator(byte: u8) -> bool {
    CLASSES[byte as usize] == OPERATOR
}

fn keyword(word: &[u8]) -> Kind {
    if word.len() > 8 || !matches!(word[0], b'a' | b'e' | b'f' | b'i' | b'l' | b'n' | b's' | b't') {
        return match word {
            b"importbin" => Kind::ImportBin,
            b"importstr" => Kind::ImportStr,
            b"tailstrict" => Kind::Tailstrict,
            _ => Kind::Name,
        };
    }
    match packed(word) {
        ASSERT => Kind::Assert,
        ELSE => Kind::Else,
        ERROR => Kind::Error,
        FALSE => Kind::False,
        FOR => Kind::For,
        FUNCTION => Kind::Function,
        IF => Kind::If,
        IMPORT => Kind::Import,
        IN => Kind::In,
        LOCAL => Kind::Local,
        NULL => Kind::Null,
        SELF => Kind::SelfWord,
        SUPER => Kind::Super,
        THEN => Kind::Then,
        TRUE => Kind::True,
        _ => Kind::Name,
    }
}

/// At most eight bytes as a number: comparing those is quicker than comparing stretches of bytes.
const fn packed(bytes: &[u8]) -> u64 {
    let mut packed = 0;
    let mut at = 0;
    while at < bytes.len() {
        packed = packed << 8 | bytes[at] as u64;
        at += 1;
    }
    packed
}

const ASSERT: u64 = packed(b"assert");
const ELSE: u64 = packed(b"else");
const ERROR: u64 = packed(b"error");
const FALSE: u64 = packed(b"false");
const FOR: u64 = packed(b"for");
const FUNCTION: u64 = packed(b"function");
const IF: u64 = packed(b"if");
const IMPORT: u64 = packed(b"import");
const IN: u64 = packed(b"in");
const LOCAL: u64 = packed(b"local");
const NULL: u64 = packed(b"null");
const SELF: u64 = packed(b"self");
const SUPER: u64 = packed(b"super");
const THEN: u64 = packed(b"then");
const TRUE: u64 = packed(b"true");

/// What a byte can be part of.
const WORD: u8 = 1;
const OPERATOR: u8 = 2;
const SPACE: u8 = 4;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => WORD,
            b'!' | b':' | b'~' | b'+' | b'-' | b'&' | b'|' | b'^' | b'=' | b'<' | b'>' | b'*'
            | b'/' | b'%' => OPERATOR,
            b' ' | b'\n' | b'\t' | b'\r' => SPACE,
            _ => 0,
        };
        byte += 1;
    }
    classes
}
