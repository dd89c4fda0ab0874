//! A machine that cannot isolate: S20.

use std::process::ExitCode;

use libtest_mimic::Trial;
use wake_exec::SandboxError;

use crate::bed::{Bed, trial};

/// Makes this program try to run a job and report the result.
const VICTIM: &str = "__victim";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s20_without_isolation_nothing_runs", nothing_runs),
        trial("s20_root_needs_no_user_namespace", root_needs_none),
    ]
}

/// Tries to run a job where nothing can isolate it.
#[allow(clippy::print_stdout)]
pub(crate) fn as_victim() -> Option<ExitCode> {
    if std::env::args().nth(1).as_deref() != Some(VICTIM) {
        return None;
    }
    let bed = Bed::new();
    match bed.run(&bed.sh("echo $(id -u) $(id -g) $(grep CapEff /proc/self/status | cut -f2)")) {
        Ok(finished) => print!("ran: {}", crate::bed::text(&finished)),
        Err(error) => {
            println!("{error}");
            if let SandboxError::Unavailable { missing, hint, .. } = error {
                println!("missing: {missing}");
                println!("hint: {}", hint.0);
            }
        }
    }
    Some(ExitCode::SUCCESS)
}

fn nothing_runs(_: &Bed) {
    // In its own user namespace, which is then forbidden to have further ones, and without capabilities.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
        exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$1\"";
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(VICTIM)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = "this machine does not allow user namespaces: No space left on device (os error 28)\n\
        missing: user namespaces\n\
        hint: allow them with `sysctl user.max_user_namespaces=10000` (and, where it exists, \
        `kernel.unprivileged_userns_clone=1` or `kernel.apparmor_restrict_unprivileged_userns=0`), or use \
        the weak sandbox\n";
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

fn root_needs_none(_: &Bed) {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};
    if !crate::bed::is_root() {
        return;
    }
    // Root of a user namespace that has many users and may not have further namespaces. The shell gains its
    // capabilities when it executes a program, once there is a user 0.
    let confined = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$1\"";
    let script = format!("echo ready; read go; exec sh -c '{confined}' \"$0\" \"$1\"");
    let mut victim = Command::new("unshare")
        .args(["--user", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(VICTIM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = victim.stdout.take().unwrap();
    let mut ready = [0; 6];
    stdout.read_exact(&mut ready).unwrap();
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", victim.id()), "0 0 65536\n").unwrap();
    }
    victim.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert!(victim.wait().unwrap().success());
    assert_eq!(said, "ran: 1000 1000 0000000000000000\n");
}
