//! `wake completions`

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::{Exit, Outcome};

/// Prints a completion script for a shell.
pub(crate) fn run(args: &CompletionsArgs, out: &mut impl Write) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wake", &mut script);
    out.write_all(&script)?;
    Ok(Exit::SUCCESS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn completions_include_build_but_no_worker_command() {
        for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
            let mut out = Vec::new();
            run(&CompletionsArgs { shell: *shell }, &mut out).unwrap();
            let script = String::from_utf8(out).unwrap();
            assert!(script.contains("build"), "{shell}");
        }
    }
}
