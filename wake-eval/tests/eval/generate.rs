//! Random programs: what people write, in unusual combinations.
//!
//! All engines write the generated numbers alike, and known differences between engines are avoided.

/// Generates programs from a seed, always the same.
pub(crate) struct Generator {
    state: u64,
}

const VARIABLES: [&str; 5] = ["v", "w", "x", "y", "z"];

const NUMBERS: [&str; 16] = [
    "0", "1", "2", "3", "4", "-1", "10", "7", "0.5", "-3", "0.75", "255", "1e3", "1e15", "-0",
    "100",
];

const STRINGS: [&str; 12] = [
    "'a'", "'b'", "''", "'abc'", "'é'", "\"x y\"", "'k'", "'ü'", "@'a\\b'", "'1'", "'a,b,c'",
    "'%s'",
];

const OPERATORS: [&str; 20] = [
    "+", "+", "+", "-", "*", "/", "%", "==", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "&",
    "|", "^", "<<",
];

/// Functions of `std` and their parameters: a `v`alue, `s`tring, `n`umber, `l`ist, `o`bject.
const FUNCTIONS: [(&str, &str); 58] = [
    ("length", "v"),
    ("toString", "v"),
    ("type", "v"),
    ("reverse", "v"),
    ("sort", "v"),
    ("uniq", "l"),
    ("set", "l"),
    ("setInter", "ll"),
    ("setDiff", "ll"),
    ("setMember", "vl"),
    ("join", "sv"),
    ("split", "ss"),
    ("splitLimit", "ssn"),
    ("strReplace", "sss"),
    ("substr", "snn"),
    ("startsWith", "ss"),
    ("endsWith", "ss"),
    ("findSubstr", "ss"),
    ("codepoint", "s"),
    ("abs", "n"),
    ("max", "nn"),
    ("min", "nn"),
    ("floor", "n"),
    ("ceil", "n"),
    ("clamp", "nnn"),
    ("mod", "nn"),
    ("member", "vv"),
    ("count", "vv"),
    ("find", "vv"),
    ("range", "nn"),
    ("repeat", "sn"),
    ("flattenArrays", "v"),
    ("prune", "v"),
    ("mergePatch", "oo"),
    ("objectFields", "o"),
    ("objectValues", "o"),
    ("objectHas", "os"),
    ("objectFieldsAll", "o"),
    ("objectKeysValues", "o"),
    ("get", "osv"),
    ("manifestJsonEx", "vs"),
    ("manifestJsonMinified", "v"),
    ("manifestYamlDoc", "v"),
    ("manifestPython", "v"),
    ("escapeStringJson", "v"),
    ("escapeStringBash", "s"),
    ("escapeStringXML", "s"),
    ("asciiUpper", "s"),
    ("stringChars", "s"),
    ("isEmpty", "s"),
    ("equals", "vv"),
    ("all", "v"),
    ("any", "v"),
    ("sum", "v"),
    ("mantissa", "n"),
    ("exponent", "n"),
    ("sign", "n"),
    ("xor", "vv"),
];

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { state: seed }
    }

    /// Returns the next program.
    pub(crate) fn program(&mut self) -> String {
        let depth = 1 + self.below(3);
        match self.below(2) {
            0 => self.expression(depth, &[]),
            _ => {
                let (v, w) = (self.literal(), self.literal());
                let body = self.expression(depth, &["v", "w"]);
                format!("local v = {v}, w = {w}; {body}")
            }
        }
    }

    /// The generator of Steele, Lea and Flood (SplitMix64).
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn literal(&mut self) -> String {
        match self.below(8) {
            0..3 => self.one(&NUMBERS),
            3..5 => self.one(&STRINGS),
            5 => self.one(&["true", "false"]),
            6 => "null",
            _ => self.one(&["[]", "{}"]),
        }
        .to_owned()
    }

    fn atom(&mut self, scope: &[&str]) -> String {
        if !scope.is_empty() && self.below(5) < 3 {
            self.one(scope).to_owned()
        } else {
            self.literal()
        }
    }

    fn expression(&mut self, depth: usize, scope: &[&str]) -> String {
        let Some(below) = depth.checked_sub(1) else { return self.atom(scope) };
        match self.below(16) {
            0..5 => {
                let (left, right) = (self.expression(below, scope), self.expression(below, scope));
                let operator = self.one(&OPERATORS);
                match self.below(4) {
                    0 => format!("({left} {operator} {right})"),
                    _ => format!("{left} {operator} {right}"),
                }
            }
            5 => format!("{}{}", self.one(&["-", "!", "~", "+"]), self.expression(below, scope)),
            6 => {
                let items: Vec<String> =
                    (0..self.below(4)).map(|_| self.expression(below, scope)).collect();
                format!("[{}]", items.join(", "))
            }
            7 => self.object(below, scope),
            8 | 9 => self.list_comprehension(below, scope),
            10 => self.object_comprehension(below, scope),
            11 => {
                let name = self.one(&VARIABLES);
                let value = self.expression(below, scope);
                format!("(local {name} = {value}; {})", self.expression(below, &with(scope, name)))
            }
            12 => {
                let parts = [(); 3].map(|()| self.expression(below, scope));
                format!("(if {} then {} else {})", parts[0], parts[1], parts[2])
            }
            13 => self.format(scope),
            14 => {
                let whole = self.expression(below, scope);
                let look = self.one(&["[0]", "[1:]", "[:2]", ".a", ".k", "[::2]", "['k']"]);
                format!("({whole}){look}")
            }
            _ => self.call(below, scope),
        }
    }

    fn object(&mut self, depth: usize, scope: &[&str]) -> String {
        let mut fields = Vec::new();
        for name in ["a", "b", "k"] {
            if self.below(2) == 0 {
                continue;
            }
            let colon = self.one(&[":", ":", ":", "::", "+:"]);
            let value = match self.below(4) {
                0 => self.one(&["self.a", "$.k"]).to_owned(),
                _ => self.expression(depth, scope),
            };
            fields.push(format!("{name}{colon} {value}"));
        }
        if self.below(6) == 0 {
            fields.push(format!("['k' + {}]: {}", self.atom(scope), self.expression(depth, scope)));
        }
        let object = format!("{{ {} }}", fields.join(", "));
        match self.below(4) {
            0 if depth > 0 => format!("({object} + {})", self.object(depth - 1, scope)),
            _ => object,
        }
    }

    fn clauses<'s>(&mut self, depth: usize, scope: &[&'s str]) -> (String, Vec<&'s str>) {
        let mut text = String::new();
        let mut scope = scope.to_vec();
        for _ in 0..1 + self.below(3) {
            let name = self.one(&VARIABLES);
            let source = match self.below(8) {
                0 => "std.range(1, 3)".to_owned(),
                1 => "['a', 'b']".to_owned(),
                2 => "[[1, 2], [3]]".to_owned(),
                3 => self.one(&["[error 'x', 1]", "error 'x'"]).to_owned(),
                4 => self.expression(depth, &scope),
                _ => format!("[{}, {}]", self.atom(&scope), self.atom(&scope)),
            };
            text.push_str(&format!(" for {name} in {source}"));
            scope = with(&scope, name);
            if self.below(3) == 0 {
                let (left, right) = (self.one(&scope), self.atom(&scope));
                let operator = self.one(&["==", "!="]);
                text.push_str(&format!(" if {left} {operator} {right}"));
            }
        }
        (text, scope)
    }

    fn list_comprehension(&mut self, depth: usize, scope: &[&str]) -> String {
        let (clauses, scope) = self.clauses(depth, scope);
        let value = match self.below(2) {
            0 => self.one(&scope).to_owned(),
            _ => self.expression(depth, &scope),
        };
        format!("[{value}{clauses}]")
    }

    fn object_comprehension(&mut self, depth: usize, scope: &[&str]) -> String {
        let (clauses, scope) = self.clauses(depth, scope);
        let name = self.one(&scope);
        let key = match self.below(4) {
            0 => format!("std.toString({name})"),
            1 => "'x'".to_owned(),
            _ => format!("'k' + {name}"),
        };
        format!("{{ [{key}]: {}{clauses} }}", self.expression(depth, &scope))
    }

    fn format(&mut self, scope: &[&str]) -> String {
        let mut pattern = String::new();
        let mut values = Vec::new();
        for _ in 0..1 + self.below(3) {
            pattern.push_str(self.one(&["", "a", "%%", "é"]));
            let (directive, is_text) = self.one(&[
                ("%d", false),
                ("%s", true),
                ("%5.1f", false),
                ("%x", false),
                ("%-4s|", true),
                ("%05d", false),
                ("%+d", false),
                ("%.2f", false),
                ("%3s", true),
                ("% d", false),
            ]);
            pattern.push_str(directive);
            values.push(match self.below(5) {
                0 => self.atom(scope),
                _ if is_text => self.one(&STRINGS).to_owned(),
                _ => self.one(&NUMBERS).to_owned(),
            });
        }
        format!("'{pattern}' % [{}]", values.join(", "))
    }

    fn call(&mut self, depth: usize, scope: &[&str]) -> String {
        if self.below(4) == 0 {
            let name = self.one(&VARIABLES);
            let inner = with(scope, name);
            let body = self.expression(depth, &inner);
            let list = match self.below(3) {
                0 => self.expression(depth, scope),
                _ => self.one(&["[1, 2, 3]", "['a', 'b']", "[]"]).to_owned(),
            };
            return match self.below(4) {
                0 => format!("std.map(function({name}) {body}, {list})"),
                1 => format!("std.filter(function({name}) {body}, {list})"),
                2 => format!("std.flatMap(function({name}) [{body}], {list})"),
                _ => format!("std.makeArray(3, function({name}) {body})"),
            };
        }
        let (name, takes) = self.one(&FUNCTIONS);
        let args: Vec<String> = takes
            .chars()
            .map(|kind| match kind {
                _ if kind != 'l' && self.below(5) == 0 => self.atom(scope),
                'n' => self.one(&NUMBERS).to_owned(),
                's' => self.one(&STRINGS).to_owned(),
                'o' => self.object(depth.min(1), scope),
                'l' => self.one(&["[1, 2, 2, 3]", "['a', 'b', 'c']", "[0.5, 1]", "[]"]).to_owned(),
                _ if self.below(3) == 0 => {
                    self.one(&["[1, 2, 2, 3]", "['a', 'b', 'c']", "[0.5, 1]", "'abc'"]).to_owned()
                }
                _ => self.expression(depth, scope),
            })
            .collect();
        format!("std.{name}({})", args.join(", "))
    }
}

fn with<'s>(scope: &[&'s str], name: &'s str) -> Vec<&'s str> {
    let mut scope = scope.to_vec();
    scope.push(name);
    scope
}
