//! Programs that use too much: each must fail with an error that names the package and the limit, and the next one
//! must work.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use wake_eval::{EvalError, Kind, Limit, Limits, NoAnswers, Pool, Request};

use crate::{pool_with, trial};

/// Name, program, and the limits that may end it, with text that the message must contain.
type Hostile = (&'static str, &'static str, &'static [(Limit, &'static str)]);

const DEPTH: (Limit, &str) = (Limit::Depth, "recurses deeper than its stack of 16 MiB");
const CALLS: (Limit, &str) = (Limit::Depth, "calls nest more than 10100 deep");
const VALUES: (Limit, &str) = (Limit::Depth, "nests values more than 100 deep");
const MEMORY: (Limit, &str) = (Limit::Memory, "more than 192 MiB of memory");
const TIME: (Limit, &str) = (Limit::Time, "takes longer than 3 s");
const TEXT: (Limit, &str) = (Limit::Text, "more than 67108864 bytes of text");
const NODES: (Limit, &str) = (Limit::Nodes, "more than 100000 values");

static PROGRAMS: &[Hostile] = &[
    ("field of itself", "local f(n) = {a: n, b: f(n+1).b}; f(0).b", &[DEPTH, MEMORY]),
    (
        "object in object",
        "local F = {n: 1, local o = self, r: (F {n: o.n}).r}; F.r",
        &[DEPTH, MEMORY],
    ),
    ("element of itself", "local f(x) = [f(x)[0]]; f(1)[0]", &[DEPTH, MEMORY]),
    (
        "comprehension of itself",
        "local f(x) = [y for y in f(x+1)]; f(1)",
        &[TIME, MEMORY, DEPTH, CALLS],
    ),
    ("map of itself", "local f(x) = std.map(f, [x])[0]; f(1)", &[TIME, MEMORY, DEPTH, CALLS]),
    ("plain recursion", "local f(x) = f(x+1); f(0)", &[CALLS]),
    ("long range", "std.range(1, 1e9)", &[NODES, MEMORY, TIME]),
    (
        "string doubling",
        "local d(s, n) = if n == 0 then s else d(s + s, n - 1); d('xxxxxxxx', 40)",
        &[TEXT],
    ),
    (
        "string doubling, looked into",
        "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(d('xxxxxxxx', 40))",
        &[MEMORY, TIME],
    ),
    (
        "exponential comprehension",
        "local l = std.range(1, 1000); std.length([1 for a in l for b in l for c in l for d in l])",
        &[TIME, MEMORY],
    ),
    (
        "endless computing",
        "local fib(n) = if n < 2 then n else fib(n-1) + fib(n-2); fib(80)",
        &[TIME],
    ),
    ("deep value", "local f(n) = if n == 0 then [] else [f(n-1)]; f(200)", &[VALUES]),
    ("wide value", "std.makeArray(200000, function(i) i)", &[NODES]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = PROGRAMS
        .iter()
        .map(|program| trial(format!("hostile/{}", program.0), || ends(program)))
        .collect();
    trials.push(trial("hostile/many parentheses", parentheses));
    trials.push(trial("hostile/large source", large_source));
    trials.push(trial("hostile/nested source", nesting));
    trials.push(trial("hostile/several that use all memory", shared_memory));
    trials
}

fn limits() -> Limits {
    Limits {
        memory: 192 << 20,
        deadline: Duration::from_secs(3),
        nodes: 100_000,
        stack: 16 << 20,
        ..Limits::default()
    }
}

fn expression(pool: &Pool, code: &str) -> Result<serde_json::Value, EvalError> {
    let op = crate::expression(code);
    let request = Request { pkg: "//libs/hostile".to_owned(), root: "nowhere".into(), op };
    pool.evaluate(&request, &NoAnswers).map(|evaluated| crate::value(&evaluated))
}

fn ends((_, code, ends): &Hostile) -> Result<(), Failed> {
    let pool = pool_with(limits());
    let Err(error) = expression(&pool, code) else { return Err("it ended well".into()) };
    let fits = |(limit, words): &(Limit, &str)| {
        error.kind == Kind::Limit(*limit) && error.message.contains(words)
    };
    if !ends.iter().any(fits) {
        return Err(format!("it ended as {:?}: {error}", error.kind).into());
    }
    goes_on(&pool, &error)
}

fn goes_on(pool: &Pool, error: &EvalError) -> Result<(), Failed> {
    if !error.message.contains("//libs/hostile") {
        return Err(format!("the message does not name the package: {error}").into());
    }
    match expression(pool, "1 + 1") {
        Ok(value) if value == 2 => Ok(()),
        other => Err(format!("the next evaluation gave {other:?}").into()),
    }
}

/// Evaluations that share a machine end at their share of the memory, although a single one could use more.
fn shared_memory() -> Result<(), Failed> {
    const WANTED: &str = "local d(s, n) = if n == 0 then s else d(s + s, n - 1); std.length(std.asciiUpper(d('xxxxxxxx', 25)))";
    let alone = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    let found = expression(&pool_with(alone.clone()), WANTED)?;
    if found != 8 << 25 {
        return Err(format!("alone it gave {found}").into());
    }
    let pool = pool_with(alone.shared_by(4, 1 << 30));
    let want = || expression(&pool, WANTED);
    let ended = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(want)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for outcome in ended {
        match outcome {
            Err(error) if error.message.contains("more than 128 MiB of memory") => {}
            other => return Err(format!("sharing it gave {other:?}").into()),
        }
    }
    Ok(())
}

fn parentheses() -> Result<(), Failed> {
    let pool = pool_with(limits());
    let code = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let Err(error) = expression(&pool, &code) else { return Err("it ended well".into()) };
    if error.kind != Kind::Limit(Limit::Depth) {
        return Err(format!("it ended as {:?}: {error}", error.kind).into());
    }
    goes_on(&pool, &error)
}

fn large_source() -> Result<(), Failed> {
    let pool = pool_with(limits());
    let text = "x".repeat(4 << 20);
    let found = expression(&pool, &format!("std.length('{text}')"))?;
    if found != (4 << 20) {
        return Err(format!("the text has {found} characters").into());
    }
    let code = format!("'{}'", text.repeat(4));
    let Err(error) = expression(&pool, &code) else { return Err("it ended well".into()) };
    if error.kind != Kind::Limit(Limit::Source) || !error.message.contains("16777216") {
        return Err(format!("it ended as {:?}: {error}", error.kind).into());
    }
    goes_on(&pool, &error)
}

/// Ways to nest: the start of a level, the innermost part, the end of a level.
const NESTED: [(&str, &str, &str); 10] = [
    ("(", "1", ")"),
    ("-", "1", ""),
    ("[", "1", "][0]"),
    ("if true then ", "1", ""),
    ("local x = 1; ", "1", ""),
    ("(function() ", "1", ")"),
    ("{ a: ", "1", " }"),
    ("[x for x in ", "[]", "]"),
    ("std.id(", "1", ")"),
    ("", "1", " + y"),
];

fn nesting() -> Result<(), Failed> {
    for (open, inside, close) in NESTED {
        let code = |count: usize| {
            let nested = format!("{}{inside}{}", open.repeat(count), close.repeat(count));
            // Only parsing must need a deep stack.
            format!("local y = 1; std.type(function() {nested})")
        };
        // A busy machine takes long for this.
        let deadline = Duration::from_secs(600);
        let pool = pool_with(Limits { deadline, ..Limits::default() });
        match expression(&pool, &code(24_000)) {
            Ok(found) if found == "function" => {}
            other => return Err(format!("`{open}{inside}{close}` gave {other:?}").into()),
        }
        let Err(error) = expression(&pool, &code(60_000)) else {
            return Err(format!("60,000 of `{open}{inside}{close}` ended well").into());
        };
        let said = "expressions nest more than 50000 deep, evaluating `//libs/hostile`";
        if error.message != said || error.place.is_none() {
            return Err(format!("`{open}{inside}{close}` gave {error:?}").into());
        }
    }
    Ok(())
}
