//! Rewrites source texts for the engine.
//!
//! The engine's release deviates from the specification of the language: in comments that end in several stars,
//! operators before products, the values and sources of comprehensions, numbers that are nearly equal. A text is
//! therefore parsed here first, with the language's own grammar, and rewritten where the engine would be wrong: an
//! operator becomes a call of a function that computes it correctly, a comprehension becomes a call that iterates
//! over its sources. Invalid programs are rejected here, with the place of the error. Offsets can be mapped back to
//! the original text ([`Origins`]), so errors always have original lines and columns.
//!
//! | rooms | content |
//! |---|---|
//! | `edits` | edits of a text, and the mapping back |
//! | `eight` | scanning of eight bytes at a time |
//! | `token` | tokens, and fixes for what the engine misreads in them |
//! | `shape` | what the syntax says about a value |
//! | `quick` | one pass without the grammar, which suffices for most texts |
//! | `grammar` | expressions, objects, comprehensions: rewriting and errors |
//!
//! This module evaluates nothing, and does not depend on the engine.

mod edits;
mod eight;
pub(crate) mod token;
mod shape;
mod quick;
mod grammar;

pub(crate) use edits::Origins;
use grammar::Checked;

/// The prefix of the names of functions that only rewritten texts call.
pub(crate) const RESERVED: &str = "__w_";

/// The prefix of the names of functions for format patterns; the pattern's number follows.
pub(crate) const FORMAT: &str = "__w_f";

/// The prefix of the path of a file that is imported as raw content.
pub(crate) const RAW: char = '\u{1}';

/// The name of the third parameter of a module function.
pub(crate) const CONFIG: &str = "config";

/// The member of `wake` that depends on the file in which it is written.
pub(crate) const OWN: &str = "own";

/// A range of a source text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The extent of the rewriting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Only what correct values require.
    Values,
    /// In addition, every expression that can fail reports its place. Slower: for finding the place of an error.
    Places,
}

/// A text prepared for the engine.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// The rewritten text, and the mapping back; `None` if the text is unchanged.
    pub(crate) changed: Option<(String, Origins)>,
    /// The additional functions that it calls.
    pub(crate) calls: Calls,
    /// The literal format patterns: each has a function named [`FORMAT`] and its number here.
    pub(crate) patterns: Vec<Box<str>>,
}

/// A set of [`Call`]s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls(u32);

impl Calls {
    fn insert(&mut self, call: Call) {
        self.0 |= 1 << call as u16;
    }

    pub(crate) fn has(self, call: Call) -> bool {
        self.0 & (1 << call as u16) != 0
    }
}

/// The functions that a rewritten text may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// `a + b`.
    Add,
    /// `a + b + c ...`, for a list.
    Sum,
    /// `a == b`.
    Equal,
    /// `a != b`.
    Differ,
    /// `a * b`.
    Multiply,
    /// `a % b`, if `a` may be a number.
    Modulo,
    /// `a << b`.
    ShiftLeft,
    /// `a >> b`.
    ShiftRight,
    /// `~a`.
    Complement,
    /// `a[from:to:step]`, with null for missing parts.
    Slice,
    /// `a { ... }`.
    Brace,
    /// `a+: b`, given whether there is an inherited `a`, its value, and `b`.
    Extend,
    /// `[value for x in source]`.
    Map,
    /// `[value for x in source if condition]`.
    Select,
    /// `[value for ... for ... if ...]`.
    Comprehend,
    /// The body of a function whose third parameter, `config`, has a default; called after the default is known.
    Config,
    /// `a.own`, which may be the member of `wake` that depends on the file in which it is written.
    Own,
    /// Any expression whose place must be reported.
    At,
}

impl Call {
    pub(crate) const ALL: [Call; 18] = [
        Call::Add,
        Call::Sum,
        Call::Equal,
        Call::Differ,
        Call::Multiply,
        Call::Modulo,
        Call::ShiftLeft,
        Call::ShiftRight,
        Call::Complement,
        Call::Slice,
        Call::Brace,
        Call::Extend,
        Call::Map,
        Call::Select,
        Call::Comprehend,
        Call::Config,
        Call::Own,
        Call::At,
    ];

    /// Returns the name of the function in a rewritten text.
    pub(crate) fn name(self) -> &'static str {
        self.opening().trim_end_matches('(')
    }

    /// Returns the name and the opening parenthesis; it is short, because the engine parses it for each call.
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
            Call::Complement => "__w_t(",
            Call::Slice => "__w_z(",
            Call::Brace => "__w_b(",
            Call::Extend => "__w_x(",
            Call::Map => "__w_c(",
            Call::Select => "__w_i(",
            Call::Comprehend => "__w_n(",
            Call::Config => "__w_k(",
            Call::Own => "__w_w(",
            Call::At => "__w_p(",
        }
    }
}

/// Why a text is not a valid program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: RefusalKind,
    pub(crate) message: String,
    pub(crate) at: Stretch,
}

/// The kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// A syntax error.
    Syntax,
    /// Expressions nest too deeply.
    Nesting,
}

impl Refusal {
    fn syntax(message: impl Into<String>, at: Stretch) -> Box<Refusal> {
        Box::new(Refusal { kind: RefusalKind::Syntax, message: message.into(), at })
    }
}

/// Rewrites a text for the engine; expressions may nest `nesting` deep.
///
/// Takes linear time.
pub(crate) fn prepare(text: &str, mode: Mode, nesting: usize) -> Result<Prepared, Box<Refusal>> {
    if mode == Mode::Values
        && let Some((edits, calls)) = quick::check(text, nesting)
    {
        return Ok(Prepared { changed: edits.apply(text), calls, patterns: Vec::new() });
    }
    let mut edits = edits::Edits::default();
    let tokens = token::tokens(text, &mut edits)?;
    by_grammar(text, tokens, edits, mode, nesting)
}

fn by_grammar(
    text: &str,
    tokens: Vec<token::Token>,
    edits: edits::Edits,
    mode: Mode,
    nesting: usize,
) -> Result<Prepared, Box<Refusal>> {
    let Checked { edits, calls, patterns } = grammar::check(text, tokens, edits, mode, nesting)?;
    Ok(Prepared { changed: edits.apply(text), calls, patterns })
}

/// Returns the tokens of a text; empty if there are invalid ones.
pub(crate) fn tokens(text: &str) -> Vec<token::Token> {
    token::tokens(text, &mut edits::Edits::default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NESTING: usize = 100;

    #[track_caller]
    fn becomes(text: &str, expected: &str) {
        let prepared = prepare(text, Mode::Values, NESTING).unwrap();
        let changed = prepared.changed.map_or(text.to_owned(), |(changed, _)| changed);
        assert_eq!(changed, expected);
    }

    #[track_caller]
    fn stays(text: &str) {
        becomes(text, text);
    }

    #[track_caller]
    fn is_refused(text: &str, at: &str, message: &str) {
        let refusal = prepare(text, Mode::Values, NESTING).unwrap_err();
        let found = (&text[refusal.at.start..refusal.at.end], refusal.message.as_str());
        assert_eq!(found, (at, message), "{text}");
    }

    #[test]
    fn code_that_the_engine_reads_correctly_is_unchanged() {
        stays(
            "local f(x, y=1) = x - y / 2; { a: f(1), b:: self.a, c+: { d: [1, 'x'] }, ['e']: null }",
        );
        stays(
            "{ assert true : 'x', local a = 1, b(c): c, 'd': @'e', |||\n  f\n|||: a[1], g: $.b(1) tailstrict }",
        );
        stays("if 'a' == b && [] != c || !d then 1 + 2 else 'x' + 'y' + 1 // +\n");
        stays("{ [k]: k for k in ['a'] if k < 'b' } /* * / ** */");
        stays("{ a: {} { b+: {} } }.b");
    }

    #[test]
    fn operators_become_calls_where_the_engine_is_wrong() {
        becomes("a + b", "__w_a(a , b)");
        becomes("a + 'b' + c + d", "__w_s([a , 'b' , c , d])");
        becomes("'a' + 1 + b", "__w_a('a' + 1 , b)");
        becomes("a == b != c.d", "__w_e(a , b) != c.d");
        becomes("a + b == c.d", "__w_e(__w_a(a , b) , c.d)");
        becomes("a != 0", "__w_d(a , 0)");
        becomes("a == 4", "a == 4");
        becomes("a * 2 % b", "__w_m(a , 2) % b");
        becomes("a % b << 1", "__w_l(__w_o(a , b) , 1)");
        becomes("'%d' % a", "__w_f0( a)");
        becomes("1 / -2 * -3", "1 / (-2) * (-3)");
        becomes(
            "{ a+: b, 'c'+:: 1, [d]+: b }",
            "{ a: __w_x('a' in super, super['a'], b), 'c':: __w_x('c' in super, super['c'], 1), [d]: __w_x((d) in super, super[(d)], b) }",
        );
        becomes(
            "{ [a + b]+: 1, ['\\/']+: 1, 'x\\n'+: 1 }",
            "{ [__w_a(a , b)]: __w_x((__w_a(a , b)) in super, super[(__w_a(a , b))], 1), \
             ['/']: __w_x(('/') in super, super[('/')], 1), 'x\\n': __w_x('x\\n' in super, super['x\\n'], 1) }",
        );
        stays("{ [a]+: 1, local a = 2 }");
        stays("{ b: { [self.a]+: 1 } }");
        becomes(
            "a[1:2] + b[:c][::d]",
            "__w_a(__w_z(a, 1, 2, null) , __w_z(__w_z(b, null, c, null), null, null, d))",
        );
        becomes("[a[ : : 1 ], a[1]]", "[__w_z(a, null , null ,  1 ), a[1]]");
        becomes("-~a * b", "__w_m(-__w_t(a) , b)");
        becomes("a { b: 1 } { c: 2 }", "__w_b(__w_b(a , { b: 1 }) , { c: 2 })");
        becomes("f(x, (y), x.z) tailstrict", "f(if true then x, if true then (y), x.z) tailstrict");
    }

    #[test]
    fn comprehensions_become_calls() {
        becomes("[x for x in y]", "__w_c(function(x) x ,  y)");
        becomes("[x, for x in y if z]", "__w_i(function(x) x  ,  y , function(x)  z)");
        becomes(
            "[1 for x in a for x in x if x]",
            "__w_n('ffi', function(__w_v0, x) 1 , [ a , function(x)  x , function(__w_v0, x)  x])",
        );
        becomes(
            "{ [x]: y for x in a for y in b }",
            "{ [local x = __w_v[0], y = __w_v[1]; x]: y , local x = __w_v[0], local y = __w_v[1] for __w_v in \
             __w_n('ff', function(x, y) [x, y], [ a , function(x)  b]) }",
        );
    }

    #[test]
    fn comments_and_strings_are_read_as_specified() {
        becomes("[1, /***/ 2, /* x */ 3]", "[1, /* */ 2, /* x */ 3]");
        becomes("'a\\/b\\\\/'", "'a/b\\\\/'");
        becomes("importstr 'a'", "importstr '\u{1}a'");
        is_refused("1 /* x", "/*", "unterminated multi-line comment");
        is_refused("'\\x41'", "\\x", "unknown escape sequence in a string");
        is_refused("'\\u12'", "\\u12'", "`\\u` takes four hexadecimal digits");
        is_refused("'a", "'a", "unterminated single-quoted string");
        is_refused("1.x", "1.x", "junk after decimal point in number literal");
        is_refused("é", "é", "unexpected character");
        is_refused("__w_a(1)", "__w_a", "names that start with `__w_` are reserved for wake");
    }

    #[test]
    fn invalid_jsonnet_is_refused() {
        is_refused("local ; 1", ";", "expected identifier, got ';'");
        is_refused("local a = 1, ; a", ";", "expected identifier, got ';'");
        is_refused("{ a: : 1 }", ":", "expected an expression, got ':'");
        is_refused("{ a + : 1 }", "+", "expected ':', got '+'");
        is_refused("1 <=> 2", "<=>", "`<=>` is not an operator");
        is_refused("f(a=1, 2)", "2", "positional argument after named argument");
        is_refused("self.a", "self", "`self` can be used only inside an object");
        is_refused("{ [self.a]: 1 }", "self", "`self` can be used only inside an object");
        is_refused("{ a: super }", "}", "expected '.' or '[' after `super`, got '}'");
        is_refused("import a", "a", "the path of an import must be a string literal");
        is_refused(
            "import 'a' + 'b'",
            "'a'",
            "the path of an import cannot be computed: put the import in parentheses",
        );
        is_refused(
            "{ a: 1 for k in [] }",
            "a",
            "the name of a comprehension's field must be computed: `[name]`",
        );
        is_refused("{ [k]:: 1 for k in [] }", "::", "a comprehension's field cannot be hidden");
        is_refused("[1, 2 for x in []]", "for", "expected ',' or ']', got 'for'");
        let deep = "(".repeat(NESTING + 1);
        is_refused(&deep, "(", "expressions nest more than 100 deep");
    }

    #[test]
    fn positions_map_back_to_the_original_source() {
        let text = "local z = 'é'; [z + x == y for x in [1]] + 'ü'";
        for mode in [Mode::Values, Mode::Places] {
            let (changed, origins) = prepare(text, mode, NESTING).unwrap().changed.unwrap();
            for word in ["é", "z", "x", "ü"] {
                for (at, _) in changed.match_indices(word) {
                    assert!(text.is_char_boundary(origins.of(at)));
                }
            }
            let at = changed.find("y").unwrap();
            assert_eq!(&text[origins.of(at)..origins.of(at + 1)], "y");
            let (start, end) = (changed.find("[1]").unwrap(), changed.find("[1]").unwrap() + 3);
            assert_eq!(&text[origins.of(start)..origins.of(end)], "[1]");
            assert_eq!(origins.of(changed.len()), text.len());
        }
    }
}
