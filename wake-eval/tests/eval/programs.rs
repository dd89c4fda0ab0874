//! Programs on standard input, one JSON string per line, each answered by a line: for comparisons with other engines.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use wake_eval::{Limits, NoAnswers, Request};

use crate::generate::Generator;

/// Prints the requested number of programs for the given seed, one JSON string per line.
pub(crate) fn generate() -> ExitCode {
    let mut numbers = std::env::args().skip(2).filter_map(|argument| argument.parse().ok());
    let (seed, count) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1000));
    let mut generator = Generator::new(seed);
    let mut out = std::io::stdout().lock();
    for number in 0..count {
        let program = match number % 2 {
            0 => generator.program(),
            _ => generator.construct(),
        };
        writeln!(out, "{}", serde_json::Value::from(program)).unwrap();
    }
    ExitCode::SUCCESS
}

/// Answers each program with `{"value": ...}` or `{"error": message}`.
pub(crate) fn answer() -> ExitCode {
    let pool = crate::pool_with(Limits::default());
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let code: String = serde_json::from_str(&line).unwrap();
        let op = crate::expression(&code);
        let request = Request { pkg: "//".to_owned(), root: "nowhere".into(), op };
        let answer = match pool.evaluate(&request, &NoAnswers) {
            Ok(evaluated) => serde_json::json!({ "value": crate::value(&evaluated) }),
            Err(error) => serde_json::json!({
                "error": error.message,
                "kind": error.kind,
                "line": error.place.as_ref().map(|place| place.line),
                "column": error.place.as_ref().map(|place| place.column),
            }),
        };
        writeln!(out, "{answer}").unwrap();
    }
    ExitCode::SUCCESS
}
