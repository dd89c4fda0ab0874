//! Evaluations through a pool of worker processes, as in the rest of wake.
//!
//! Started with `__eval`, this program is such a worker. Its package is a case file, so that tests need no
//! directories of their own.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::result_large_err, missing_docs)]

mod archive;
mod case;
mod constructs;
mod differential;
mod generate;
mod golden;
mod hostile;
mod programs;
mod render;
mod shared;
mod spec;
mod workers;

use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use wake_eval::{Limits, Op, Pool, WorkerCommand};
use wake_model::RelPath;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("__eval") {
        return wake_eval::serve(|root| Box::new(archive::Archive::open(root)));
    }
    if std::env::args().nth(1).as_deref() == Some("__busy") {
        return workers::stay_busy();
    }
    if std::env::args().nth(1).as_deref() == Some("__programs") {
        return programs::answer();
    }
    if std::env::args().nth(1).as_deref() == Some("__generate") {
        return programs::generate();
    }
    let arguments = Arguments::from_args();
    let mut trials = golden::trials();
    trials.extend(differential::trials());
    trials.extend(hostile::trials());
    trials.extend(shared::trials());
    trials.extend(spec::trials());
    trials.extend(workers::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Creates a pool whose workers run this program.
pub(crate) fn pool_with(limits: Limits) -> Pool {
    let program = std::env::current_exe().unwrap();
    // The cases, and the specification.
    let readable = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    Pool::new(WorkerCommand { program, args: vec!["__eval".into()], readable }, limits)
}

/// Returns the pool shared by all cases that need no limits of their own.
pub(crate) fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| pool_with(Limits::default()))
}

/// Returns the value of an evaluation.
pub(crate) fn value(evaluated: &wake_eval::Evaluated) -> serde_json::Value {
    serde_json::from_str(evaluated.value.get()).unwrap()
}

/// Returns the request to evaluate an expression.
pub(crate) fn expression(code: &str) -> Op {
    let (dir, library) = (RelPath::root(), Vec::new());
    Op::Expr { code: code.to_owned(), label: "expression".to_owned(), dir, library }
}

/// Creates a named test.
pub(crate) fn trial(
    name: impl Into<String>,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::test(name, test)
}
