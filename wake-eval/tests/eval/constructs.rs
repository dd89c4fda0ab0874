//! Random programs with constructs that [`crate::generate`] leaves out: objects that extend each other, text blocks,
//! escapes, functions with named arguments, the rest of `std`.
//!
//! Every engine rejects many of them. They are compared with the reference engines, because other engines do not
//! always agree.

use crate::generate::Generator;

/// Numbers at the limits of number formats.
const NUMBERS: [&str; 24] = [
    "0.1",
    "1e21",
    "1e-7",
    "123456789012",
    "1.5e300",
    "5e-324",
    "1.7976931348623157e308",
    "-0.0",
    "9007199254740993",
    "1e16",
    "1e17",
    "123456.789",
    "0.000123",
    "1_000",
    "1e100",
    "-1e-5",
    "3.0",
    "2.5",
    "-2.5",
    "0.30000000000000004",
    "4294967296",
    "-2147483649",
    "1e5",
    "33",
];

const STRINGS: [&str; 20] = [
    "'aXbXc'",
    "' a b '",
    "'1,2,,3'",
    "'\\u0041\\u00e9'",
    "'\\ud83d\\ude00'",
    "\"it's\"",
    "'a\"b'",
    "'\\n\\t\\\\'",
    "@'c:\\d''e'",
    "'12'",
    "'-7'",
    "'0x1f'",
    "'777'",
    "'ff'",
    "'0.5'",
    "'YWJj'",
    "'日本'",
    "'$x'",
    "'<a&b>'",
    "'a\\/b'",
];

const LISTS: [&str; 12] = [
    "[3, 1, 2]",
    "['b', 'a', 'c', 'a']",
    "[[1], [2, [3]]]",
    "[]",
    "[1, 'a', null]",
    "[true, false]",
    "[0.5, -1, 2e3]",
    "[97, 98, 255]",
    "['x']",
    "[{ a: 1 }, { a: 2 }]",
    "[null, [], {}, '']",
    "[1, 2, 3, 4, 5, 6]",
];

const OBJECTS: [&str; 12] = [
    "{ a: 1, b: 'x' }",
    "{ a: { b: { c: null } }, d: [1, { e: 2 }] }",
    "{}",
    "{ b:: 1, a: 2 }",
    "{ 'x y': 1, '1': 2, 'é': 3 }",
    "{ a: [], b: {}, c: '' }",
    "{ a: null, b: false }",
    "{ main: { k: 'v' }, sections: { s: { x: 1, y: [2, 'z'] } } }",
    "{ a: 0.1, b: 1e21, c: -0 }",
    "{ a: self.b, b: 3, assert self.b == 3 }",
    "{ f(x): x + 1, a: self.f(1) }",
    "{ x: { y: 1 }, z: [{ w: true }] }",
];

const FUNCTIONS1: [&str; 8] = [
    "function(x) x",
    "function(x) [x]",
    "function(x) x + 1",
    "function(x) x > 1",
    "function(x) std.length(x)",
    "function(x, y=2) [x, y]",
    "std.toString",
    "function(x) error 'e'",
];

const FUNCTIONS2: [&str; 6] = [
    "function(a, b) a + b",
    "function(a, b) [a, b]",
    "function(a, b) b",
    "function(a, b) a",
    "function(i, x) i",
    "function(k, v) { [k]: v }",
];

/// The functions of `std` that [`crate::generate`] leaves out, and some others, with their parameters: a `v`alue,
/// `s`tring, `n`umber, `l`ist, `o`bject, `b`oolean, `f`unction of one or `F` of two arguments, or the text after `=`.
const LIBRARY: [(&str, &str); 103] = [
    ("acos", "n"),
    ("asin", "n"),
    ("atan", "n"),
    ("atan2", "nn"),
    ("cos", "n"),
    ("sin", "n"),
    ("tan", "n"),
    ("exp", "n"),
    ("log", "n"),
    ("log10", "n"),
    ("log2", "n"),
    ("sqrt", "n"),
    ("pow", "nn"),
    ("hypot", "nn"),
    ("deg2rad", "n"),
    ("rad2deg", "n"),
    ("round", "n"),
    ("modulo", "nn"),
    ("isEven", "n"),
    ("isOdd", "n"),
    ("isInteger", "n"),
    ("isDecimal", "n"),
    ("mantissa", "n"),
    ("exponent", "n"),
    ("sign", "n"),
    ("abs", "n"),
    ("clamp", "nnn"),
    ("asciiLower", "s"),
    ("char", "n"),
    ("codepoint", "s"),
    ("contains", "lv"),
    ("avg", "l"),
    ("maxArray", "l"),
    ("minArray", "l"),
    ("assertEqual", "vv"),
    ("primitiveEquals", "vv"),
    ("base64", "s"),
    ("base64", "l"),
    ("base64Decode", "s"),
    ("base64DecodeBytes", "s"),
    ("encodeUTF8", "s"),
    ("decodeUTF8", "l"),
    ("deepJoin", "l"),
    ("lines", "l"),
    ("equalsIgnoreCase", "ss"),
    ("escapeStringDollars", "s"),
    ("escapeStringPython", "s"),
    ("escapeStringJson", "v"),
    ("escapeStringXML", "s"),
    ("filterMap", "ffl"),
    ("flatMap", "fl"),
    ("flattenDeepArray", "v"),
    ("foldl", "Flv"),
    ("foldr", "Flv"),
    ("map", "fv"),
    ("mapWithIndex", "Fv"),
    ("mapWithKey", "Fo"),
    ("filter", "fl"),
    ("format", "sv"),
    ("isArray", "v"),
    ("isBoolean", "v"),
    ("isFunction", "v"),
    ("isNull", "v"),
    ("isNumber", "v"),
    ("isObject", "v"),
    ("isString", "v"),
    ("stripChars", "ss"),
    ("lstripChars", "ss"),
    ("rstripChars", "ss"),
    ("trim", "s"),
    ("manifestIni", "o"),
    ("manifestJson", "v"),
    ("manifestPython", "v"),
    ("manifestPythonVars", "o"),
    ("manifestToml", "o"),
    ("manifestTomlEx", "os"),
    ("manifestXmlJsonml", "l"),
    ("manifestYamlStream", "l"),
    ("manifestYamlDoc", "vbb"),
    ("manifestJsonEx", "vsss"),
    ("md5", "s"),
    ("sha1", "s"),
    ("sha256", "s"),
    ("sha3", "s"),
    ("sha512", "s"),
    ("objectFieldsEx", "ob"),
    ("objectHasAll", "os"),
    ("objectHasEx", "osb"),
    ("objectKeysValuesAll", "o"),
    ("objectRemoveKey", "os"),
    ("objectValuesAll", "o"),
    ("get", "osvb"),
    ("parseHex", "s"),
    ("parseInt", "s"),
    ("parseOctal", "s"),
    ("parseJson", "s"),
    ("remove", "lv"),
    ("removeAt", "ln"),
    ("resolvePath", "ss"),
    ("setUnion", "ll"),
    ("setUnion", "llf"),
    ("sort", "lf"),
    ("uniq", "lf"),
];

const MORE_LIBRARY: [(&str, &str); 14] = [
    ("set", "lf"),
    ("setInter", "llf"),
    ("setDiff", "llf"),
    ("setMember", "vlf"),
    ("slice", "lnnn"),
    ("splitLimit", "ssn"),
    ("splitLimitR", "ssn"),
    ("xnor", "bb"),
    ("xor", "bb"),
    ("join", "sl"),
    ("join", "ll"),
    ("makeArray", "nf"),
    ("minArray", "lf"),
    ("maxArray", "lfv"),
];

/// Texts for `std.parseJson` and `std.parseYaml`.
const DOCUMENTS: [&str; 14] = [
    "'{\"a\": [1, 2.50, -0, 1e3], \"b\": null}'",
    "'[1, \"\\\\u00e9\", true]'",
    "' 1 '",
    "'\"x\"'",
    "'[1,]'",
    "'{\"a\":1,\"a\":2}'",
    "'nul'",
    "''",
    "'1e400'",
    "'[\"\\\\n\"]'",
    "'{a: 1}'",
    "'01'",
    "'- 1\\n- a: b\\n  c: [x, y]\\n'",
    "'a: true\\nb: 0.5\\nc: text here\\n'",
];

impl Generator {
    /// Returns the next program of this kind.
    pub(crate) fn construct(&mut self) -> String {
        match self.below(16) {
            0..5 => self.of_library(2),
            5..8 => self.extended(),
            8 => self.text_block(),
            9 => self.function(),
            10 => self.number_text(),
            11 => self.slice(),
            12 => self.pattern(),
            13 => self.comprehended(),
            14 => self.odd(),
            _ => format!("[{}, {}]", self.of_library(1), self.any(1)),
        }
    }

    fn any(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 8 } else { 10 }) {
            0 | 1 => self.one(&NUMBERS).to_owned(),
            2 | 3 => self.one(&STRINGS).to_owned(),
            4 | 5 => self.one(&LISTS).to_owned(),
            6 => self.one(&OBJECTS).to_owned(),
            7 => self.one(&["null", "true", "false", "0", "1", "-1", "2", "''"]).to_owned(),
            8 => self.of_library(depth - 1),
            _ => self.extended(),
        }
    }

    fn number(&mut self) -> String {
        match self.below(3) {
            0 => self.one(&NUMBERS).to_owned(),
            _ => self.one(&["0", "1", "2", "3", "-1", "-2", "0.5", "10", "7", "100"]).to_owned(),
        }
    }

    fn of_library(&mut self, depth: usize) -> String {
        if self.below(12) == 0 {
            let (name, text) = (self.one(&["parseJson", "parseYaml"]), self.one(&DOCUMENTS));
            return format!("std.{name}({text})");
        }
        let (name, takes) = match self.below(8) {
            0 => self.one(&MORE_LIBRARY),
            _ => self.one(&LIBRARY),
        };
        let arguments: Vec<String> = takes
            .chars()
            .map(|kind| match kind {
                _ if self.below(9) == 0 => self.any(depth.saturating_sub(1)),
                'n' => self.number(),
                's' => self.one(&STRINGS).to_owned(),
                'b' => self.one(&["true", "false"]).to_owned(),
                'l' if depth > 0 && self.below(4) == 0 => {
                    format!("std.{}({})", self.one(&["set", "sort", "reverse"]), self.one(&LISTS))
                }
                'l' => self.one(&LISTS).to_owned(),
                'o' => self.one(&OBJECTS).to_owned(),
                'f' => self.one(&FUNCTIONS1).to_owned(),
                'F' => self.one(&FUNCTIONS2).to_owned(),
                _ => self.any(depth.saturating_sub(1)),
            })
            .collect();
        format!("std.{name}({})", arguments.join(", "))
    }

    /// Nested extensions of objects, with `self`, `super`, `$`, assertions, and hidden and visible fields.
    fn extended(&mut self) -> String {
        let count = 1 + self.below(3);
        let layers: Vec<String> = (0..count).map(|_| self.layer(2)).collect();
        let whole = match self.below(3) {
            0 => layers.join(" "),
            _ => layers.join(" + "),
        };
        match self.below(5) {
            0 => format!("({whole}).{}", self.one(&["a", "b", "c", "f(2)", "d.a"])),
            1 => format!("std.objectFieldsAll({whole})"),
            _ => whole,
        }
    }

    fn layer(&mut self, depth: usize) -> String {
        let mut members = Vec::new();
        for name in ["a", "b", "c", "d"] {
            if self.below(3) == 0 {
                continue;
            }
            let colon = self.one(&[":", ":", ":", "::", ":::", "+:", "+::", "+:::"]);
            let value = match self.below(10) {
                0 => "super.a".to_owned(),
                1 => "super['b']".to_owned(),
                2 => self.one(&["self.a", "self.b", "$.a", "$.c", "$['d']"]).to_owned(),
                3 => self.one(&["'a' in super", "'b' in self", "'a' in $"]).to_owned(),
                4 => format!("if 'a' in super then super.a else {}", self.number()),
                5 | 6 if depth > 0 => self.layer(depth - 1),
                7 => self.one(&LISTS).to_owned(),
                8 => self.one(&STRINGS).to_owned(),
                _ => self.number(),
            };
            members.push(format!("{name}{colon} {value}"));
        }
        match self.below(8) {
            0 => members.push(format!(
                "assert {} : {}",
                self.one(&["self.a == 1", "true", "'a' in self", "self.b != super.b", "$.a > 0"]),
                self.one(&["'no'", "'b is ' + self.b"]),
            )),
            1 => members.insert(0, "local l = self.a, m = $".to_owned()),
            2 => members.push("f(x, y=self.a): [x, y]".to_owned()),
            3 => members.push("[if true then null]: 1".to_owned()),
            4 => members.push(format!("['x' + {}]+: [1]", self.number())),
            _ => {}
        }
        format!("{{ {} }}", members.join(", "))
    }

    fn text_block(&mut self) -> String {
        let indent = self.one(&["  ", "\t", " ", "    ", " \t"]);
        let mut text = self.one(&["|||", "|||-", "||| ", "|||-\t"]).to_owned() + "\n";
        text += self.one(&["", "", "\n", "\n\n"]);
        for _ in 0..1 + self.below(4) {
            let line = self.one(&[
                "one",
                "  deeper",
                "\tx",
                "é",
                "'\"\\",
                "|||",
                "trailing  ",
                "a ||| b",
                "%s",
            ]);
            // A line may be indented less than the first one, or empty.
            match self.below(8) {
                0 => text += "\n",
                1 => text += &format!("{}{line}\n", self.one(&["", " ", "   "])),
                _ => text += &format!("{indent}{line}\n"),
            }
        }
        text += self.one(&["", " ", "\t", "  "]);
        text += self.one(&["|||", "|||", "|||", "||"]);
        match self.below(3) {
            0 => format!("std.length({text})"),
            1 => format!("{{ a: {text}, b: 1 }}"),
            _ => text,
        }
    }

    fn function(&mut self) -> String {
        let parameters = self.one(&["x, y=x", "x, y=2", "x=1, y=x + 1", "x, y", "y, x=y", "x, x"]);
        let body = self.one(&["[x, y]", "x", "{ x: x, y: y }", "if x then y", "error 'e'"]);
        let arguments = self.one(&[
            "1", "1, 2", "x=1", "y=1", "y=1, x=2", "1, y=3", "1, 2, 3", "1, x=2", "", "x=1, x=2",
            "z=1",
        ]);
        let strict = self.one(&["", "", " tailstrict"]);
        match self.below(4) {
            0 => format!("(function({parameters}) {body})({arguments}){strict}"),
            1 => format!("{{ f({parameters}): {body}, r: self.f({arguments}){strict} }}.r"),
            2 => format!(
                "local f(n, a) = if n <= 0 then a else f(n - 1, a + n){strict}; f({}, 0)",
                self.one(&["3", "50", "0.5"])
            ),
            _ => format!("local f({parameters}) = {body}; f({arguments}){strict}"),
        }
    }

    fn number_text(&mut self) -> String {
        let (one, other) = (self.number(), self.number());
        let operator = self.one(&["+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^"]);
        let sum = format!("{one} {operator} {other}");
        match self.below(6) {
            0 => format!("'' + ({sum})"),
            1 => format!("std.toString([{sum}])"),
            2 => format!("std.manifestJsonMinified({{ a: {sum} }})"),
            3 => format!("{{ ['k' + ({sum})]: 1 }}"),
            4 => format!("[-({sum}), ~{one}, !({one} < {other}), {one} == {other}]"),
            _ => sum,
        }
    }

    fn slice(&mut self) -> String {
        let of = match self.below(2) {
            0 => self.one(&LISTS),
            _ => self.one(&STRINGS),
        };
        let mut part = || {
            self.one(&[
                "", "0", "1", "2", "-1", "-2", "10", "null", "0.5", "-1.5", "2.5", "1e10", "-1e10",
            ])
        };
        let (from, to, step) = (part(), part(), part());
        let or_null = |part: &'static str| if part.is_empty() { "null" } else { part };
        match self.below(5) {
            4 => format!("std.slice({of}, {}, {}, {})", or_null(from), or_null(to), or_null(step)),
            0 => format!("{of}[{from}:{to}:{step}]"),
            1 => format!("{of}[{from}::{step}]"),
            2 => format!("{of}[{from}]"),
            _ => format!("{of}[{from}:{to}]"),
        }
    }

    fn pattern(&mut self) -> String {
        let flags = self.one(&["", "-", "0", "+", " ", "#", "-0", "+0", "- "]);
        let width = self.one(&["", "1", "5", "12", "*"]);
        let precision = self.one(&["", ".0", ".3", ".", ".*"]);
        let kind = self.one(&["d", "i", "u", "o", "x", "X", "f", "F", "c", "s", "%", "q"]);
        let value = self.any(0);
        match self.below(4) {
            0 if !width.contains('*') && !precision.contains('*') => {
                format!("'%(a){flags}{width}{precision}{kind}' % {}", self.one(&OBJECTS))
            }
            0 | 1 => format!("'%{flags}{width}{precision}{kind}' % {value}"),
            2 => format!("std.format('<%{flags}{width}{precision}{kind}>', [{value}])"),
            _ => format!(
                "'%{flags}{width}{precision}{kind}' % [{}, {}, {value}]",
                self.number(),
                self.number()
            ),
        }
    }

    fn comprehended(&mut self) -> String {
        let source =
            self.one(&["['a', 'b']", "['a', 'a']", "std.range(1, 3)", "[]", "['x', null]"]);
        let key = self.one(&["k", "'k' + k", "if k != 'b' then k", "l", "std.toString(k)"]);
        let local = self.one(&["", "local l = 'l' + k, ", "local l = self, "]);
        let value =
            self.one(&["k", "self.a", "$", "super.a", "[k]", "std.length(std.toString(k))"]);
        let after =
            self.one(&["", " if k != 'a'", " for m in [k, 'z']", " if true for m in ['q']"]);
        let colon = self.one(&[":", ":", ":", "+:", "::"]);
        let object = format!("{{ {local}[{key}]{colon} {value} for k in {source}{after} }}");
        match self.below(3) {
            0 => format!("{} + {object}", self.layer(1)),
            1 => format!("{object} + {}", self.layer(1)),
            _ => object,
        }
    }

    /// Invalid Jsonnet, and nearly invalid Jsonnet.
    fn odd(&mut self) -> String {
        let value = self.any(0);
        let odd = self.one(&[
            "local é = 1; é",
            "local [a, b] = [1, 2]; a",
            "local { a } = { a: 1 }; a",
            "[1 2]",
            "{ a: 1 b: 2 }",
            "{ a: 1, a: 2 }",
            "{ ['a']: 1, a: 2 }",
            "{ assert true, ['a']: 1 for x in [] }",
            "'\\x41'",
            "'\\ud83d'",
            "0x10",
            "1.",
            ".5",
            "1e",
            "01",
            "1__0",
            "/* a",
            "/***/ 1",
            "# only\n1",
            "1 // end",
            "{ a: 1 }.a.b",
            "[1][0][0]",
            "local x = x; x",
            "local x = y, y = 1; x",
            "self",
            "{ a: { b: super.c } }",
            "null.a",
            "(1)(2)",
            "function(x) x",
            "[function(x) x]",
            "error 'a' + 1",
            "error { a: 1 }",
            "assert false; 1",
            "assert 1 == 1 : error 'x'; 2",
            "if 1 then 2",
            "if false then 1",
            "!null",
            "-'a'",
            "+1",
            "'a' < 'B'",
            "[1] < [1, 0]",
            "{} < {}",
            "null == false",
            "[] == {}",
            "'a' in {}",
            "1 in {}",
            "{ a:: 1 } == {}",
            "std.length(function(x, y=1) x)",
            "std.type(std)",
            "std.thisFile == ''",
            "std['len' + 'gth']('ab')",
            "std.nope",
            "std.length(x='ab')",
            "std.trace('t', 1)",
            "std.pi",
            "std.mod(7, -2)",
            "7 % -2",
            "-7 % 2",
            "5.5 % 2",
            "1 / 0",
            "0 / 0",
            "1 << 31",
            "1 << 62",
            "-1 >> 1",
            "~0",
            "~1e18",
            "~-1e30",
            "-~1.5 * 2",
            "~'a'",
            "'a' { b: 0.1 }",
            "local a = { b: 1 }; a { b+: 1 } { c: super.b }",
            "[1] {}",
            "null {}",
            "local k = 'a'; { a: 'x' } + { [k]+: 0.1 }",
            "{ a: 'x' } + { ['a' + '']+: 0.1, local b = 'c' }",
            "{ 'x\\ty': 'x' } + { 'x\\ty'+: 0.1 }",
            "std.uniq([1], keyF=1)",
            "std.setUnion([], [error 'x'], keyF=1)",
            "std.setInter([error 'x'], [], 1)",
            "std.setDiff([error 'x'], [], keyF=error 'y')",
            "std.setMember(error 'x', [])",
            "[[a, g] for a in [1] for b in [2] for c in [3] for d in [4] for e in [5] for f in [6] for g in [f, b]]",
            "1.5 & 3",
            "true && null",
            "false && null",
            "true || error 'x'",
        ]);
        match self.below(4) {
            0 => format!("[{odd}, {value}]"),
            1 => format!("local v = {value}; {odd}"),
            _ => odd.to_owned(),
        }
    }
}
