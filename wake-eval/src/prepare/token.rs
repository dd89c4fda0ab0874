//! The tokens of a source text, by the rules of the language's specification.

use super::edits::Edits;
use super::eight::{self, eight};
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
                b' ' | b'\n' | b'\t' | b'\r' => {
                    self.at += 1;
                    self.skip_eights(eight::spaces);
                }
                b'#' => self.skip_line(),
                b'/' if self.peek(1) == b'/' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// Skips the bytes that `count` counts of eight.
    #[inline]
    fn skip_eights(&mut self, count: fn(u64) -> usize) {
        loop {
            let counted = count(eight(self.bytes, self.at));
            self.at += counted;
            if counted < 8 {
                return;
            }
        }
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
            byte if SYMBOLS[byte as usize] != Kind::End => SYMBOLS[byte as usize],
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => return self.word(),
            b'0'..=b'9' => return self.number(),
            b'\'' | b'"' => return self.quoted(),
            b'@' => return self.verbatim(),
            b'|' if self.bytes[start..].starts_with(b"|||") => return self.block(),
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
        let first = eight(self.bytes, start);
        self.at += eight::word(first);
        match self.at - start {
            8 => self.skip_eights(eight::word),
            1 => return Ok(Kind::Name),
            length => {
                let word = first & ((1 << (8 * length)) - 1);
                let (keyword, kind) = KEYWORDS[slot(word)];
                if word == keyword {
                    return Ok(kind);
                }
            }
        }
        let word = &self.bytes[start..self.at];
        if word.starts_with(super::RESERVED.as_bytes()) {
            return self.refuse(start, "names that start with `__w_` are kept for wake itself");
        }
        Ok(match word {
            b"function" => Kind::Function,
            b"importbin" => Kind::ImportBin,
            b"importstr" => Kind::ImportStr,
            b"tailstrict" => Kind::Tailstrict,
            _ => Kind::Name,
        })
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
    OPERATORS[byte as usize]
}

/// Keywords of two to seven bytes, each as the number that [`eight`] makes of it, in its [`slot`].
static KEYWORDS: [(u64, Kind); 32] = keywords();

const fn keywords() -> [(u64, Kind); 32] {
    const WORDS: [(&[u8], Kind); 14] = [
        (b"assert", Kind::Assert),
        (b"else", Kind::Else),
        (b"error", Kind::Error),
        (b"false", Kind::False),
        (b"for", Kind::For),
        (b"if", Kind::If),
        (b"import", Kind::Import),
        (b"in", Kind::In),
        (b"local", Kind::Local),
        (b"null", Kind::Null),
        (b"self", Kind::SelfWord),
        (b"super", Kind::Super),
        (b"then", Kind::Then),
        (b"true", Kind::True),
    ];
    let mut keywords = [(0, Kind::Name); 32];
    let mut index = 0;
    while index < WORDS.len() {
        let (word, kind) = WORDS[index];
        let (mut number, mut at) = (0, word.len());
        while at > 0 {
            at -= 1;
            number = number << 8 | word[at] as u64;
        }
        assert!(keywords[slot(number)].0 == 0, "two keywords have one slot");
        keywords[slot(number)] = (number, kind);
        index += 1;
    }
    keywords
}

/// Where a word stands among the keywords if it is one. The factor is one of those that lead each to a slot of its own.
const fn slot(word: u64) -> usize {
    (word.wrapping_mul(0xd50e_0097_8b71_99cd) >> 59) as usize
}

/// The bytes that are a token, each of them; [`Kind::End`] for all others.
static SYMBOLS: [Kind; 256] = symbols();

const fn symbols() -> [Kind; 256] {
    let mut symbols = [Kind::End; 256];
    symbols[b'{' as usize] = Kind::LeftBrace;
    symbols[b'}' as usize] = Kind::RightBrace;
    symbols[b'[' as usize] = Kind::LeftBracket;
    symbols[b']' as usize] = Kind::RightBracket;
    symbols[b'(' as usize] = Kind::LeftParen;
    symbols[b')' as usize] = Kind::RightParen;
    symbols[b',' as usize] = Kind::Comma;
    symbols[b'.' as usize] = Kind::Dot;
    symbols[b';' as usize] = Kind::Semicolon;
    symbols[b'$' as usize] = Kind::Dollar;
    symbols
}

/// Whether a byte is one that operators consist of.
static OPERATORS: [bool; 256] = operators();

const fn operators() -> [bool; 256] {
    let mut operators = [false; 256];
    let bytes = b"!:~+-&|^=<>*/%";
    let mut at = 0;
    while at < bytes.len() {
        operators[bytes[at] as usize] = true;
        at += 1;
    }
    operators
}
