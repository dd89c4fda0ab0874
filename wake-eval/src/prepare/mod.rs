//! Source texts as the engine is to see them.
//!
//! The engine's release reads some of the language otherwise than it is specified: comments that end in several
//! stars, operators before products, the values and sources of comprehensions, numbers that are nearly equal. A text
//! is therefore parsed here first, by the language's own grammar, and changed where the engine would go wrong: an
//! operator becomes a call of a function that computes it rightly, a comprehension a call that walks its sources. What
//! the language does not allow is refused here, with its place. The way back to the places of the text as it was
//! written is kept ([`Origins`]); lines and columns of errors are always those.
//!
//! | rooms | what they are |
//! |---|---|
//! | `edits` | changes to a text, and the way back |
//! | `token` | tokens, and what the engine misreads inside of them |
//! | `shape` | what is known of a value by how it is written |
//! | `grammar` | expressions, objects, comprehensions: what is changed, what is refused |
//!
//! Nothing here evaluates, and nothing knows the engine.

mod edits;
pub(crate) mod token;
mod shape;
mod grammar;

pub(crate) use edits::Origins;
use grammar::Checked;

/// What the names of functions start with that only a prepared text calls.
pub(crate) const RESERVED: &str = "__w_";

/// What the name of a function starts with that fills in a pattern; its number follows.
pub(crate) const FORMAT: &str = "__w_f";

/// What the path of a file starts with that is imported as it is, without being parsed.
pub(crate) const RAW: char = '\u{1}';

/// A stretch of a source text in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// How much is done to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What makes values right.
    Values,
    /// Besides, every expression that can fail is made to say where it stands. Slower: for finding an error again.
    Places,
}

/// A text as the engine is to see it.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// The changed text and the way back; none if the text stays as it is.
    pub(crate) changed: Option<(String, Origins)>,
    /// The functions that it calls beside the user's.
    pub(crate) calls: Calls,
    /// The patterns of formats that are written out: a function for each is called [`FORMAT`] and its number here.
    pub(crate) patterns: Vec<Box<str>>,
}

/// A set of [`Call`]s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls(u16);

impl Calls {
    fn insert(&mut self, call: Call) {
        self.0 |= 1 << call as u16;
    }

    pub(crate) fn has(self, call: Call) -> bool {
        self.0 & (1 << call as u16) != 0
    }
}

/// The functions that a prepared text may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `a + b`.
    Add,
    /// `a + b + c ...`, of a list.
    Sum,
    /// `a == b`.
    Equal,
    /// `a != b`.
    Differ,
    /// `a * b`.
    Multiply,
    /// `a % b`, where `a` may be a number.
    Modulo,
    /// `a << b`.
    ShiftLeft,
    /// `a >> b`.
    ShiftRight,
    /// `a+: b`, of whether there is an `a` above, what it is, and `b`.
    Extend,
    /// `[value for x in source]`.
    Map,
    /// `[value for x in source if condition]`.
    Select,
    /// `[value for ... for ... if ...]`.
    Comprehend,
    /// Any expression, whose place is to be known.
    At,
}

impl Call {
    pub(crate) const ALL: [Call; 13] = [
        Call::Add,
        Call::Sum,
        Call::Equal,
        Call::Differ,
        Call::Multiply,
        Call::Modulo,
        Call::ShiftLeft,
        Call::ShiftRight,
        Call::Extend,
        Call::Map,
        Call::Select,
        Call::Comprehend,
        Call::At,
    ];

    /// What the function is called in a prepared text.
    pub(crate) fn name(self) -> &'static str {
        self.opening().trim_end_matches('(')
    }

    /// The name with the parenthesis that begins its arguments: short, because the engine reads it for each call.
    fn opening(self) -> &'static str {
        match self {
            Call::Add => "__w_a(",
            Call::Sum => "__w_s(",
            Call::Equal => "__w_e(",
            Call::Differ => "__w_d(",
            Call::Multiply => "__w_m(",
            Call::Modulo => "__w_o(",
            Call::ShiftLeft => "__w_l(",
            Call::ShiftRight => "__w_r(",
            Call::Extend => "__w_x(",
            Call::Map => "__w_c(",
            Call::Select => "__w_i(",
            Call::Comprehend => "__w_n(",
            Call::At => "__w_p(",
        }
    }
}

/// Why a text is no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) message: String,
    pub(crate) at: Stretch,
}

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// It is not in the language.
    Syntax,
    /// It nests too deeply.
    Nesting,
}

impl Refusal {
    fn syntax(message: impl Into<String>, at: Stretch) -> Box<Refusal> {
        Box::new(Refusal { kind: RefusalKind::Syntax, message: message.into(), at })
    }
}

/// Makes of a text what the engine is to see; expressions may nest `nesting` deep.
///
/// Takes time in proportion to the text.
pub(crate) fn prepare(text: &str, mode: Mode, nesting: usize) -> Result<Prepared, Box<Refusal>> {
    let mut edits = edits::Edits::default();
    let tokens = token::tokens(text, &mut edits)?;
    let Checked { edits, calls, patterns } = grammar::check(text, tokens, edits, mode, nesting)?;
    Ok(Prepared { changed: edits.apply(text), calls, patterns })
}

/// The tokens of a text, as far as it has any.
pub(crate) fn tokens(text: &str) -> Vec<token::Token> {
    token::tokens(text, &mut edits::Edits::default()).unwrap_or_default()
}
