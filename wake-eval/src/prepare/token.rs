//! The tokens of a source text, as specified by the language.

use super::edits::Edits;
use super::eight::{self, eight};
use super::{Refusal, Stretch};

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Kind {
    /// The end of the text.
    End,
    Name, Number, Quoted, Verbatim, Block,
    Assert, Else, Error, False, For, Function, If, Import, ImportBin, ImportStr, In, Local, Null,
    SelfWord, Super, Tailstrict, Then, True,
    LeftBrace, RightBrace, LeftBracket, RightBracket, LeftParen, RightParen, Comma, Dot, Semicolon,
    Dollar,
    Assign, Colon, Colons2, Colons3, PlusColon, PlusColons2, PlusColons3,
    Plus, Minus, Star, Slash, Percent, Not, Tilde, And, Or, BitAnd, BitOr, Caret, Equal, NotEqual,
    Less, Greater, LessEqual, GreaterEqual, ShiftLeft, ShiftRight,
    /// A sequence of operator characters that is not an operator.
    NoOperator,
}

impl Kind {
    /// Whether it is a string literal of any form.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Kind::Quoted | Kind::Verbatim | Kind::Block)
    }
}

/// A token and its range in bytes.
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

/// Returns the tokens of `text`, followed by two of kind [`Kind::End`], so that there is always a next one. Fixes for
/// what the engine's own scanner misreads in comments and strings are added to `edits`.
///
/// An invalid token is an error with its place. A text is at most 4 GiB long.
pub(super) fn tokens(text: &str, edits: &mut Edits) -> Result<Vec<Token>, Box<Refusal>> {
    let bytes = text.as_bytes();
    let mut scanner = Scanner { bytes, at: 0, prefixes_end: 0, edits };
    // Most texts have at most one token per four bytes.
    let mut tokens = Vec::with_capacity(bytes.len() / 3 + 2);
    let mut at = 0;
    // Most bytes are handled here, without a call.
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let common = match FIRST[byte as usize] {
            First::Space => {
                at += 1;
                if bytes.get(at) == Some(&b' ') {
                    at = skip_eights(bytes, at, eight::spaces);
                }
                continue;
            }
            First::Symbol => {
                at += 1;
                Some(ALONE[byte as usize])
            }
            First::Operator if !bytes.get(at + 1).is_some_and(|next| is_operator(*next)) => {
                at += 1;
                Some(ALONE[byte as usize])
            }
            First::Letter => {
                let first = eight(bytes, at);
                let length = eight::word(first);
                at += length;
                short_word(first, length)
            }
            First::Quote => {
                at = skip_until(bytes, at + 1, byte, b'\\');
                let closes = bytes.get(at) == Some(&byte);
                at += 1;
                closes.then_some(Kind::Quoted)
            }
            _ => None,
        };
        let kind = match common {
            Some(kind) => kind,
            None => {
                scanner.at = start;
                let rare = scanner.rare()?;
                at = scanner.at;
                let Some(kind) = rare else { continue };
                kind
            }
        };
        tokens.push(Token { kind, start: start as u32, end: at as u32 });
    }
    let end = Token { kind: Kind::End, start: at as u32, end: at as u32 };
    tokens.extend([end, end]);
    Ok(tokens)
}

/// Returns the kind and the end of the token at `at`; `None` if it is invalid, or must be rewritten for the engine.
pub(super) fn one(text: &str, at: usize) -> Option<(Kind, usize)> {
    let mut edits = Edits::default();
    let mut scanner = Scanner { bytes: text.as_bytes(), at, prefixes_end: 0, edits: &mut edits };
    let kind = scanner.rare().ok()??;
    let end = scanner.at;
    edits.is_empty().then_some((kind, end))
}

/// Returns the end of a string that starts with a quote at `at`; zero if it contains escapes or does not end.
#[inline(never)]
pub(super) fn quote_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let end = skip_until(bytes, at + 1, quote, b'\\');
    if bytes.get(end) == Some(&quote) { end + 1 } else { 0 }
}

/// Returns the kind and the end of a word of at least eight letters; `None` if it is reserved.
pub(super) fn long_word(bytes: &[u8], at: usize) -> Option<(Kind, usize)> {
    let end = skip_eights(bytes, at, eight::word);
    let word = &bytes[at..end];
    (!word.starts_with(super::RESERVED.as_bytes())).then(|| (long_kind(word), end))
}

fn long_kind(word: &[u8]) -> Kind {
    match (word.len(), word.first()) {
        (8, Some(b'f')) if word == b"function" => Kind::Function,
        (9, Some(b'i')) if word == b"importbin" => Kind::ImportBin,
        (9, Some(b'i')) if word == b"importstr" => Kind::ImportStr,
        (10, Some(b't')) if word == b"tailstrict" => Kind::Tailstrict,
        _ => Kind::Name,
    }
}

/// Returns the end of the line.
pub(super) fn line_end(bytes: &[u8], at: usize) -> usize {
    skip_until(bytes, at, b'\n', b'\n')
}

/// Skips the bytes that `count` counts in each group of eight.
#[inline]
pub(super) fn skip_eights(bytes: &[u8], mut at: usize, count: impl Fn(u64) -> usize) -> usize {
    loop {
        let counted = count(eight(bytes, at));
        at += counted;
        if counted < 8 {
            return at;
        }
    }
}

/// Skips everything before the first of two bytes, or to the end.
#[inline]
pub(super) fn skip_until(bytes: &[u8], mut at: usize, one: u8, other: u8) -> usize {
    while at < bytes.len() {
        let counted = eight::until(eight(bytes, at), one, other);
        at += counted;
        if counted < 8 {
            return at;
        }
    }
    bytes.len()
}

/// Returns the kind of a word of this length, which `first` starts with; `None` if it is longer, or reserved.
#[inline]
pub(super) fn short_word(first: u64, length: usize) -> Option<Kind> {
    if length >= 8 || first as u32 == RESERVED {
        return None;
    }
    let word = first & ((1 << (8 * length)) - 1);
    let (keyword, kind) = KEYWORDS[slot(word)];
    Some(if word == keyword { kind } else { Kind::Name })
}

struct Scanner<'t, 'e> {
    bytes: &'t [u8],
    at: usize,
    /// The offset up to which each operator character is known to be a separate prefix operator.
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

    /// Scans a token, or white space and comments.
    #[inline(never)]
    fn rare(&mut self) -> Result<Option<Kind>, Box<Refusal>> {
        let byte = self.peek(0);
        let kind = match FIRST[byte as usize] {
            First::Letter => self.word(),
            First::Quote => self.quoted(),
            First::Digit => self.number(),
            First::At => self.verbatim(),
            First::Hash => return Ok(self.skip_line()),
            First::Operator => match (byte, self.peek(1)) {
                (b'/', b'/') => return Ok(self.skip_line()),
                (b'/', b'*') => return self.skip_comment(),
                (b'|', b'|') if self.peek(2) == b'|' => self.block(),
                _ => Ok(self.operator()),
            },
            First::Symbol => {
                self.at += 1;
                Ok(ALONE[byte as usize])
            }
            First::Space | First::Other => self.no_token(),
        };
        kind.map(Some)
    }

    #[cold]
    fn no_token<T>(&mut self) -> Result<T, Box<Refusal>> {
        let start = self.at;
        self.at += 1;
        while self.at < self.bytes.len() && self.bytes[self.at] & 0xC0 == 0x80 {
            self.at += 1;
        }
        self.refuse(start, "unexpected character")
    }

    fn skip_line<T>(&mut self) -> Option<T> {
        self.at = skip_until(self.bytes, self.at, b'\n', b'\n');
        None
    }

    /// Skips a comment. The engine does not recognise two stars before a slash as its end; for the engine, they
    /// become spaces.
    fn skip_comment(&mut self) -> Result<Option<Kind>, Box<Refusal>> {
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
                self.edits.replace(at as u32, at as u32 + 1, " ");
            }
        }
        self.at = end + 2;
        Ok(None)
    }

    /// Scans a word of any length, or a reserved one.
    fn word(&mut self) -> Result<Kind, Box<Refusal>> {
        let start = self.at;
        self.at = skip_eights(self.bytes, start, eight::word);
        let word = &self.bytes[start..self.at];
        if word.starts_with(super::RESERVED.as_bytes()) {
            return self.refuse(start, "names that start with `__w_` are reserved for wake");
        }
        if let Some(kind) = short_word(eight(self.bytes, start), word.len()) {
            return Ok(kind);
        }
        Ok(long_kind(word))
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
            self.at = skip_until(self.bytes, self.at, quote, b'\\');
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

    /// Skips an escape. The engine does not support `\/`, and accepts `\x`, which the language does not have.
    fn escape(&mut self) -> Result<(), Box<Refusal>> {
        let start = self.at;
        self.at += 2;
        match self.bytes.get(start + 1) {
            Some(b'\'' | b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'/') => {
                self.edits.replace(start as u32, start as u32 + 2, "/");
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

    /// Scans a text block: the first line determines the indentation of all, and a line with less ends it.
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
            self.at = skip_until(self.bytes, self.at, b'\n', b'\n');
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

    /// Scans the longest sequence of operator characters, up to a comment or a text block, without trailing prefix
    /// operators.
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
            1 => ALONE[operator[0] as usize],
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

/// Whether a word can start with this byte.
#[inline]
pub(super) fn begins_word(byte: u8) -> bool {
    FIRST[byte as usize] == First::Letter
}

/// Whether operators can contain this byte.
#[inline]
pub(super) fn is_operator(byte: u8) -> bool {
    FIRST[byte as usize] == First::Operator
}

/// The prefix of reserved names, as the number that [`eight`] returns for it.
const RESERVED: u32 = u32::from_le_bytes(*super::RESERVED.as_bytes().first_chunk().unwrap());

/// Keywords of two to seven bytes, each as the number that [`eight`] returns for it, in its [`slot`].
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

/// Returns the slot of a word among the keywords. The factor is one of those that give each keyword a slot of its
/// own.
const fn slot(word: u64) -> usize {
    (word.wrapping_mul(0xd50e_0097_8b71_99cd) >> 59) as usize
}

/// The class of a token, or of what is between tokens, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Other,
    Space,
    Hash,
    Letter,
    Digit,
    Quote,
    At,
    /// A token of one byte.
    Symbol,
    /// A byte that operators can contain.
    Operator,
}

static FIRST: [First; 256] = first();

const fn first() -> [First; 256] {
    let mut first = [First::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        first[byte] = match byte as u8 {
            b' ' | b'\n' | b'\t' | b'\r' => First::Space,
            b'#' => First::Hash,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => First::Letter,
            b'0'..=b'9' => First::Digit,
            b'\'' | b'"' => First::Quote,
            b'@' => First::At,
            b'{' | b'}' | b'[' | b']' | b'(' | b')' | b',' | b'.' | b';' | b'$' => First::Symbol,
            b'!' | b':' | b'~' | b'+' | b'-' | b'&' | b'|' | b'^' | b'=' | b'<' | b'>' | b'*'
            | b'/' | b'%' => First::Operator,
            _ => First::Other,
        };
        byte += 1;
    }
    first
}

/// The kind of each byte that is a token of its own.
static ALONE: [Kind; 256] = alone();

const fn alone() -> [Kind; 256] {
    let mut alone = [Kind::NoOperator; 256];
    alone[b'{' as usize] = Kind::LeftBrace;
    alone[b'}' as usize] = Kind::RightBrace;
    alone[b'[' as usize] = Kind::LeftBracket;
    alone[b']' as usize] = Kind::RightBracket;
    alone[b'(' as usize] = Kind::LeftParen;
    alone[b')' as usize] = Kind::RightParen;
    alone[b',' as usize] = Kind::Comma;
    alone[b'.' as usize] = Kind::Dot;
    alone[b';' as usize] = Kind::Semicolon;
    alone[b'$' as usize] = Kind::Dollar;
    alone[b'=' as usize] = Kind::Assign;
    alone[b':' as usize] = Kind::Colon;
    alone[b'+' as usize] = Kind::Plus;
    alone[b'-' as usize] = Kind::Minus;
    alone[b'*' as usize] = Kind::Star;
    alone[b'/' as usize] = Kind::Slash;
    alone[b'%' as usize] = Kind::Percent;
    alone[b'!' as usize] = Kind::Not;
    alone[b'~' as usize] = Kind::Tilde;
    alone[b'&' as usize] = Kind::BitAnd;
    alone[b'|' as usize] = Kind::BitOr;
    alone[b'^' as usize] = Kind::Caret;
    alone[b'<' as usize] = Kind::Less;
    alone[b'>' as usize] = Kind::Greater;
    alone
}
