//! The `git` program, prevented from running anything else.
#![expect(clippy::disallowed_methods, reason = "the one program that wares need")]

use super::GitError;
use crate::ware::route::Route;
use crate::ware::secrets::without_secrets;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The usual directories of programs.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Returns git with everything disabled that a repository, a user's settings or the environment could make it run.
pub(super) fn git(route: &Route) -> Command {
    let mut command = Command::new("git");
    // SAFETY: what runs between fork and execution is one system call, which allocates nothing and takes no lock.
    unsafe {
        // The process that waits for it may be gone, and a silent server would keep it alive forever.
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
    // Without a home directory, it would look one up in the user database.
    command
        .env_clear()
        .env("PATH", route.search_path.as_deref().unwrap_or(OsStr::new(SEARCH_PATH)))
        .env("HOME", route.home.as_deref().unwrap_or(OsStr::new("/dev/null")))
        .envs(route.ssh_agent.iter().map(|socket| ("SSH_AUTH_SOCK", socket)))
        .envs(route.http_proxy.iter().map(|proxy| ("http_proxy", proxy)))
        .envs(route.https_proxy.iter().map(|proxy| ("https_proxy", proxy)))
        .envs(route.all_proxy.iter().map(|proxy| ("all_proxy", proxy)))
        .envs(route.no_proxy.iter().map(|hosts| ("no_proxy", hosts)))
        .envs(route.authorities.iter().map(|file| ("GIT_SSL_CAINFO", file)))
        .env("GIT_ATTR_NOSYSTEM", "1")
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

/// The maximum output of a command on each of its streams: an untrusted repository determines how much there is.
const MOST: u64 = 16 << 20;

/// Runs a command; the inner error is its message on failure.
pub(super) fn run(command: &mut Command) -> Result<Result<Vec<u8>, String>, GitError> {
    let failed = |source| GitError::Run { source };
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (said, complaint) = (child.stdout.take(), child.stderr.take());
    let complaint = std::thread::spawn(move || beginning(complaint));
    let said = beginning(said);
    let status = child.wait().map_err(failed)?;
    let complaint = complaint.join().unwrap_or_default();
    if status.success() {
        return Ok(match said.len() as u64 {
            MOST => Err("its output is too long".to_owned()),
            _ => Ok(said),
        });
    }
    let said = String::from_utf8_lossy(&complaint);
    // The lines after the first `fatal:` line are advice about it.
    let fatal = said.lines().find_map(|line| line.strip_prefix("fatal: "));
    let last = || said.lines().rfind(|line| !line.trim().is_empty());
    let problem = fatal.or_else(last).unwrap_or("git failed");
    let problem = without_secrets(problem);
    Ok(Err(problem.escape_debug().to_string().replace("\\'", "'")))
}

/// Returns the first [`MOST`] bytes of a stream, which is still read to its end so that the writer does not block.
fn beginning(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut stream) = stream else { return bytes };
    // If reading fails, what was read so far counts.
    let _ = stream.by_ref().take(MOST).read_to_end(&mut bytes);
    let _ = io::copy(&mut stream, &mut io::sink());
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn git_gets_only_the_variables_listed_here() {
        let temp = tempfile::tempdir().unwrap();
        let program = temp.path().join("git");
        std::fs::write(&program, "#!/bin/sh\n/bin/cat /proc/$$/environ\nexit 0\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search_path = temp.path().to_str().unwrap();
        let own = [
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("HOME", "/dev/null"),
            ("LC_ALL", "C"),
            ("PATH", search_path),
        ];
        let bare = Route { search_path: Some(search_path.into()), ..Route::default() };
        assert_eq!(seen(&bare), owned(&own));
        let full = Route {
            offline: false,
            http_proxy: Some("h".into()),
            https_proxy: Some("s".into()),
            all_proxy: Some("a".into()),
            no_proxy: Some("n".into()),
            home: Some("/home".into()),
            authorities: Some("/ca.pem".into()),
            ssh_agent: Some("/agent".into()),
            ..bare
        };
        let more = [
            ("http_proxy", "h"),
            ("https_proxy", "s"),
            ("all_proxy", "a"),
            ("no_proxy", "n"),
            ("HOME", "/home"),
            ("GIT_SSL_CAINFO", "/ca.pem"),
            ("SSH_AUTH_SOCK", "/agent"),
        ];
        assert_eq!(seen(&full), owned(&[own.as_slice(), &more].concat()));
    }

    fn seen(route: &Route) -> BTreeMap<String, String> {
        let environ = String::from_utf8(run(&mut git(route)).unwrap().unwrap()).unwrap();
        let pairs: Vec<_> =
            environ.split_terminator('\0').filter_map(|line| line.split_once('=')).collect();
        owned(&pairs)
    }

    /// Returns the last pair of each name.
    fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
