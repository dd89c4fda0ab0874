//! Attacks on the sandbox, each named after its line in the list of attacks in `spec/sandbox.md`.
//!
//! As root every one is tried a second time as an ordinary user.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr)]

#[path = "../bed/mod.rs"]
mod bed;

mod files;
mod kernel;
mod leftovers;
mod limits;
mod outputs;
mod refusal;

use libtest_mimic::{Failed, Trial};

const ORDINARY: &str = "WAKE_TEST_ORDINARY_USER";

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
        if bed::is_root() && std::env::var_os(ORDINARY).is_none() {
            trials.push(Trial::test("all_of_them_as_an_ordinary_user", as_ordinary_user));
        }
        trials
    })
}

/// Runs this program again as a user who owns nothing.
fn as_ordinary_user() -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir()?;
    let program = dir.path().join("trust");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary)?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o777))?;
    let run = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .env("TMPDIR", &temporary)
        .env(ORDINARY, "1")
        .output();
    match run {
        Err(_) => {
            wake_tests::skip("all_of_them_as_an_ordinary_user", "there is no `setpriv`");
            Ok(())
        }
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stdout).into_owned().into()),
    }
}
