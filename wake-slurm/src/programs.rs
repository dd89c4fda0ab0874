//! Runs Slurm's programs, which are found on the search path.
#![expect(clippy::disallowed_methods, reason = "Slurm is reached through its programs")]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::error::SlurmError;

/// Messages Slurm prints when its controller cannot be reached; all errors have the same exit code.
const AWAY: [&str; 3] =
    ["Unable to contact slurm controller", "Connection refused", "Zero Bytes were transmitted"];
/// The message for an unknown job.
const UNKNOWN: &str = "Invalid job id specified";

/// Runs a program with `input` as its standard input, and returns its standard output.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &'static str,
    args: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Result<String, SlurmError> {
    let failed = |source| SlurmError::Program { program, source };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Otherwise long task lists are truncated.
    command.env("SLURM_BITSTR_LEN", "0");
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SlurmError::NoProgram(program),
        _ => failed(source),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input) {
            // Its own message says why it stopped reading.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.map_err(failed)?,
        }
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = said(&String::from_utf8_lossy(&output.stderr));
    Err(match said.is_empty() {
        true => failed(io::Error::other(format!("{}", output.status))),
        false if AWAY.iter().any(|away| said.contains(away)) => SlurmError::Away { said },
        false if said.contains(UNKNOWN) => SlurmError::Unknown(String::new()),
        false => SlurmError::Refused { said },
    })
}

/// The messages of a program on one line, without its name.
fn said(text: &str) -> String {
    let line = |line: &str| {
        let mut line = line.trim();
        for prefix in
            ["sbatch: ", "scancel: ", "scontrol: ", "slurm_load_jobs ", "error: ", "fatal: "]
        {
            line = line.strip_prefix(prefix).unwrap_or(line);
        }
        line.to_owned()
    };
    let lines: Vec<String> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn messages_lose_the_name_of_the_program() {
        let text = "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n";
        assert_eq!(
            said(text),
            "invalid partition specified: nope; Batch job submission failed: Invalid partition name specified"
        );
    }

    #[test]
    fn a_missing_program_is_reported() {
        let error = run("wake-no-such-program", [""; 0], b"").unwrap_err();
        assert_eq!(error.to_string(), "`wake-no-such-program` was not found");
    }

    #[test]
    fn errors_are_classified_by_their_message() {
        let told = |text: &str| {
            let script = format!("echo '{text}' >&2; exit 1");
            run("sh", ["-c", &script], b"x").unwrap_err()
        };
        let away = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)";
        assert!(matches!(told(away), SlurmError::Away { .. }));
        let unknown = "slurm_load_jobs error: Invalid job id specified";
        assert!(matches!(told(unknown), SlurmError::Unknown(_)));
        assert!(matches!(told("sbatch: error: no"), SlurmError::Refused { said } if said == "no"));
        assert!(matches!(told(""), SlurmError::Program { .. }));
    }
}
