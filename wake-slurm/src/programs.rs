//! The programs of Slurm, as they are found on the search path.
#![expect(clippy::disallowed_methods, reason = "Slurm is reached by its programs")]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::error::SlurmError;

/// What Slurm says where its controller is away; it has one code for every error.
const AWAY: [&str; 3] =
    ["Unable to contact slurm controller", "Connection refused", "Zero Bytes were transmitted"];
/// What it says of a job that it does not know.
const UNKNOWN: &str = "Invalid job id specified";

/// Runs one with this standard input to its end; says what it wrote.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: &'static str,
    args: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Result<String, SlurmError> {
    let failed = |source| SlurmError::Program { program, source };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Lists of tasks would be cut short.
    command.env("SLURM_BITSTR_LEN", "0");
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SlurmError::NoProgram(program),
        _ => failed(source),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input) {
            // It says itself why it did not read on.
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

/// What a program said, without its own name, the lines one after the other.
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
    fn what_a_program_says_is_told_without_its_name() {
        let text = "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n";
        assert_eq!(
            said(text),
            "invalid partition specified: nope; Batch job submission failed: Invalid partition name specified"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let error = run("wake-no-such-program", [""; 0], b"").unwrap_err();
        assert_eq!(error.to_string(), "`wake-no-such-program` was not found");
    }

    #[test]
    fn errors_are_told_apart_by_what_is_said() {
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
