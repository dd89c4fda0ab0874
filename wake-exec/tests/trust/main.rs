//! Attacks on the sandbox, each named after its entry in the list of attacks in `spec/sandbox.md`.
//!
//! As root, every attack is also tried as an ordinary user.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr)]

#[path = "../bed/mod.rs"]
mod bed;

mod files;
mod kernel;
mod leftovers;
mod limits;
mod outputs;
mod refusal;

fn main() -> std::process::ExitCode {
    if let Some(code) = refusal::as_victim() {
        return code;
    }
    bed::main(|| {
        let mut trials = Vec::new();
        trials.extend(files::trials());
        trials.extend(kernel::trials());
        trials.extend(leftovers::trials());
        trials.extend(limits::trials());
        trials.extend(outputs::trials());
        trials.extend(refusal::trials());
        trials.extend(bed::all_as_ordinary_user());
        trials
    })
}
