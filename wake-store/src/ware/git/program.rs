//! The `git` program, kept from running anything.
#![expect(clippy::disallowed_methods, reason = "the one program that wares need")]

use super::GitError;
use std::process::{Command, Stdio};

/// Git with everything shut off that a repository or a user's settings could make it run.
pub(super) fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_OBJECT_DIRECTORY")
        .env_remove("GIT_ALTERNATE_OBJECT_DIRECTORIES")
        .env_remove("GIT_CONFIG_PARAMETERS")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("LC_ALL", "C")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(["-c", "transfer.fsckObjects=true", "-c", "gc.auto=0", "-c", "safe.directory=*"])
        .args(["-c", "protocol.ext.allow=never"])
        .stdin(Stdio::null());
    command
}

/// Runs a command; the inner error is what it said when it failed.
pub(super) fn run(command: &mut Command) -> Result<Result<Vec<u8>, String>, GitError> {
    let output = command.output().map_err(|source| GitError::Run { source })?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // What follows the first line that is fatal is advice about it.
    let fatal = said.lines().find_map(|line| line.strip_prefix("fatal: "));
    let last = || said.lines().rfind(|line| !line.trim().is_empty());
    let problem = fatal.or_else(last).unwrap_or("git failed");
    Ok(Err(problem.escape_debug().to_string().replace("\\'", "'")))
}
