//! The promises to a job: inputs as declared, outputs as created, every ending distinguished.
//!
//! As root, every test also runs as an ordinary user.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr)]

#[path = "../bed/mod.rs"]
mod bed;

mod endings;
mod inputs;
mod networks;
mod roots;
mod scheduling;
mod weak;

fn main() -> std::process::ExitCode {
    bed::main(|| {
        let mut trials = Vec::new();
        trials.extend(endings::trials());
        trials.extend(inputs::trials());
        trials.extend(networks::trials());
        trials.extend(roots::trials());
        trials.extend(scheduling::trials());
        trials.extend(weak::trials());
        trials.extend(bed::all_as_ordinary_user());
        trials
    })
}
