//! Benchmarks of small operations that a build performs thousands of times.
//!
//! `cargo bench -p wake-benches` runs all of them, `-- hashing` those whose name contains a word. Results from one machine say
//! nothing about another; compare with a run on the same machine, as the tool does by itself.
//!
//! | file | measures |
//! |---|---|
//! | `hashing` | reading and hashing files of the checkout |
//! | `encoding` | the key of an action, canonical JSON |
//! | `store` | adopting results, writing and looking up records |
//! | `evaluation` | a package and a module through a worker process; a thousand modules of one package file |

#![allow(clippy::unwrap_used, reason = "a failed measurement ends the program")]

mod encoding;
mod evaluation;
mod hashing;
mod sample;
mod store;

use std::process::ExitCode;

use criterion::Criterion;

fn main() -> ExitCode {
    // The workers of `evaluation` are this program with another argument.
    if std::env::args().nth(1).as_deref() == Some(evaluation::WORKER) {
        return wake_build::evaluation_worker();
    }
    let mut criterion = Criterion::default().configure_from_args();
    hashing::measure(&mut criterion);
    encoding::measure(&mut criterion);
    store::measure(&mut criterion);
    evaluation::measure(&mut criterion);
    criterion.final_summary();
    ExitCode::SUCCESS
}
