//! Credential helpers: programs named `docker-credential-NAME`, which give access to the keyrings of desktops and
//! clouds.
//! Source: docker-credential-helpers, "Development"; docker-login(1), "Credential helper protocol".
#![expect(clippy::disallowed_methods, reason = "the person has set this program up for it")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use wake_store::ware::Route;

use super::{Login, fault};
use crate::error::RegistryError;

/// How often at most to check whether a helper has finished, and the pause between checks: ten seconds in total.
const LOOKS: u32 = 500;
const WAIT: Duration = Duration::from_millis(20);
/// How long to wait for the remaining output of a helper that has exited.
const LINGERS: Duration = Duration::from_secs(1);
/// Maximum size of an answer, in bytes.
const LARGEST: u64 = 1 << 20;
/// Printed by a helper that has no login. Source: docker-credential-helpers, `errCredentialsNotFoundMessage`.
const NONE: &[u8] = b"credentials not found";
/// The user name that marks an identity token, which can only be exchanged for other tokens.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Returns the login that `docker-credential-NAME` has for a host. `file` is the configuration that names the helper.
/// The helper's output is never shown.
pub(super) fn login(
    route: &Route,
    file: &Path,
    name: &str,
    host: &str,
) -> Result<Option<Login>, RegistryError> {
    let program = format!("docker-credential-{name}");
    let failed =
        |problem: &str| fault(file.to_owned(), format!("credential helper `{program}` {problem}"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(fault(file.to_owned(), "the name of its credential helper is invalid"));
    }
    let place = find(route.search_path.as_deref(), &program);
    let place = place.ok_or_else(|| failed("is not in `PATH`"))?;
    let mut command = Command::new(place);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    for variable in route.tokens.keys() {
        command.env_remove(variable);
    }
    // In a process group of its own, so that it can be killed with everything it starts.
    let child = command.process_group(0).spawn();
    let mut child = child.map_err(|error| failed(&format!("cannot be run: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input reports that in its answer.
        let _ = stdin.write_all(host.as_bytes());
    }
    let (heard, answer) = mpsc::channel();
    if let Some(said) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = said.take(LARGEST).read_to_end(&mut bytes);
            // Nobody is listening any more if the helper was too slow.
            let _ = heard.send(bytes);
        });
    }
    let Some(is_well) = end_of(&mut child) else {
        return Err(failed("did not answer within 10 seconds"));
    };
    // Processes that it started may keep its output open.
    let answer = answer.recv_timeout(LINGERS).unwrap_or_default();
    if !is_well {
        let has_none = answer.windows(NONE.len()).any(|part| part == NONE);
        return if has_none { Ok(None) } else { Err(failed("failed")) };
    }
    let answer = serde_json::from_slice::<Answer>(&answer);
    let Answer { username, secret } = answer.map_err(|_| failed("returned no valid login"))?;
    let from = format!("credential helper `{program}` of `{}`", file.display());
    match username.as_str() {
        TOKEN => Err(failed("returned an identity token, which wake does not support")),
        "" if secret.is_empty() => Ok(None),
        _ => Ok(Some(Login::basic(&username, &secret, from))),
    }
}

/// Returns whether the helper succeeded, or `None` if it had to be killed.
fn end_of(child: &mut Child) -> Option<bool> {
    for _ in 0..LOOKS {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) => thread::sleep(WAIT),
            Err(_) => break,
        }
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    group.map(|group| kill_process_group(group, Signal::KILL));
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Finds a program in the directories of a `PATH`.
fn find(search_path: Option<&OsStr>, program: &str) -> Option<PathBuf> {
    let dirs = std::env::split_paths(search_path?).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(program)).find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn asked(dir: &Path, script: &str) -> Result<Option<String>, String> {
        let place = dir.join("docker-credential-stub");
        // A file that is open for writing anywhere cannot be executed.
        let temporary = dir.join("new");
        fs::write(&temporary, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755)).unwrap();
        let copied = Command::new("cp").arg(&temporary).arg(&place).status().unwrap();
        assert!(copied.success());
        let route = Route { search_path: Some(dir.into()), ..Route::default() };
        let login = login(&route, Path::new("/c.json"), "stub", "h:5000");
        login
            .map(|login| login.map(|login| login.header().reveal().to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn n3_credentials_of_a_helper_are_used_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let asked = |script: &str| asked(dir.path(), script);
        let header = asked(
            r#"read host; [ "$1" = get ] && echo "{\"ServerURL\":\"$host\",\"Username\":\"me\",\"Secret\":\"$host\"}""#,
        );
        // `me:h:5000` in base64.
        assert_eq!(header, Ok(Some("Basic bWU6aDo1MDAw".to_owned())));
        let none = asked("echo 'credentials not found in native keychain'; exit 1");
        assert_eq!(none, Ok(None));
        let said = |problem: &str| {
            Err(format!("`/c.json`: credential helper `docker-credential-stub` {problem}"))
        };
        assert_eq!(asked("echo canary; echo canary >&2; exit 3"), said("failed"));
        assert_eq!(asked("echo '{\"Username\":\"canary\"'"), said("returned no valid login"));
        assert_eq!(
            asked(r#"echo '{"Username":"<token>","Secret":"canary"}'"#),
            said("returned an identity token, which wake does not support")
        );
        // Neither the helper nor what it started is waited for indefinitely.
        assert_eq!(asked("sleep 600 & sleep 600"), said("did not answer within 10 seconds"));
        let route = Route { search_path: Some(dir.path().into()), ..Route::default() };
        for name in ["", "../x", "a b"] {
            assert!(login(&route, Path::new("/c.json"), name, "h").is_err(), "{name}");
        }
        assert!(
            login(&route, Path::new("/c.json"), "absent", "h")
                .is_err_and(|error| error.to_string().ends_with("is not in `PATH`"))
        );
    }
}
