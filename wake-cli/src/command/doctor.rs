//! `wake doctor`: checks whether this machine can run builds.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wake_exec::{Finding, SandboxError};
use wake_steps::diagnostic::{Class, Failure};

use crate::args::DoctorArgs;
use crate::clock;
use crate::environment::{self, Environment};
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Checks everything that builds need; the exit code says whether builds can work.
pub(crate) fn run(
    args: &DoctorArgs,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
) -> Outcome {
    let mut checks = vec![version()];
    checks.extend(sandboxes(settings));
    checks.extend(store(settings));
    checks.extend(other_wakes(environment));
    let healthy = checks.iter().all(|check| check.state != State::Failed);
    let exit = if healthy { Exit::SUCCESS } else { Exit(Class::Environment.exit_code()) };
    if args.json {
        print::json(&serde_json::json!({ "ok": healthy, "checks": checks }), out)?;
        return Ok(exit);
    }
    for check in &checks {
        write(check, settings, out)?;
    }
    Ok(exit)
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// The severity of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

impl Check {
    fn new(name: &'static str, state: State, detail: impl Into<String>) -> Self {
        Check { name, state, detail: detail.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn write(check: &Check, settings: &Settings, out: &mut impl Write) -> std::io::Result<()> {
    let style = settings.manner.style;
    let (role, word) = match check.state {
        State::Ok => (Role::Good, "ok"),
        State::Warning => (Role::Caution, "warning"),
        State::Failed => (Role::Bad, "failed"),
    };
    let word = style.paint(role, format_args!("{word:<7}"));
    writeln!(out, "{word}  {:<15}  {}", check.name, escape::line(&check.detail))?;
    if let Some(help) = &check.help {
        let lead = style.paint(Role::Guide, "help:");
        writeln!(out, "{:26}{lead} {}", "", escape::line(help))?;
    }
    Ok(())
}

fn version() -> Check {
    let program = environment::program().unwrap_or_default();
    Check::new(
        "program",
        State::Ok,
        format!("wake {} at {}", env!("CARGO_PKG_VERSION"), program.display()),
    )
}

/// Runs an empty command in each kind of sandbox. Only the strict one is required.
fn sandboxes(settings: &Settings) -> Vec<Check> {
    let findings = match session::probe() {
        Ok(findings) => findings,
        Err(failure) => return vec![failed("strict sandbox", &failure)],
    };
    let check = |finding: Finding| match finding.result {
        Ok(detail) => Check::new(finding.name, State::Ok, detail),
        Err(error) => {
            let needed = finding.name.starts_with(settings.sandbox.as_ref());
            let state = if needed { State::Failed } else { State::Warning };
            let help = match &error {
                SandboxError::Unavailable { hint, .. } => Some(hint.0.clone()),
                _ => None,
            };
            Check { help, ..Check::new(finding.name, state, error.to_string()) }
        }
    };
    findings.into_iter().map(check).collect()
}

fn store(settings: &Settings) -> Vec<Check> {
    let store = match session::store(settings) {
        Ok(store) => store,
        Err(failure) => return vec![failed("store", &failure)],
    };
    let mut checks = vec![Check::new("store", State::Ok, store.root().display().to_string())];
    checks.push(space(store.root()));
    checks.push(match store.scratch() {
        Ok(scratch) => disk_clock(scratch.path()),
        Err(error) => Check::new("store", State::Failed, error.to_string()),
    });
    checks
}

/// Less free space than this gives a warning, in bytes.
const SCARCE: u64 = 1_000_000_000;

fn space(root: &Path) -> Check {
    let (Ok(space), Ok(kind)) = (rustix::fs::statvfs(root), rustix::fs::statfs(root)) else {
        return Check::new("disk", State::Warning, format!("cannot query `{}`", root.display()));
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let kind = file_system(kind.f_type);
    let detail = format!("{} free on {kind}", words::bytes(free));
    match kind {
        "nfs" | "smb" | "cifs" => Check::new("disk", State::Warning, detail)
            .help("move the store to a local disk, which is faster and has reliable locks"),
        _ if free < SCARCE => Check::new("disk", State::Warning, detail)
            .help("run `wake gc --max-size SIZE` to free space"),
        _ => Check::new("disk", State::Ok, detail),
    }
}

/// Names a file system by its magic number. Source: statfs(2).
fn file_system(kind: i64) -> &'static str {
    match kind & 0xffff_ffff {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlayfs",
        0x2fc1_2fc1 => "zfs",
        0xca45_1a4e => "bcachefs",
        0xf2f5_2010 => "f2fs",
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 | 0xfe53_4d42 => "cifs",
        0x6573_5546 => "fuse",
        _ => "an unknown file system",
    }
}

/// Compares this machine's clock with the disk's: a network disk may have its own.
fn disk_clock(scratch: &Path) -> Check {
    let path = scratch.join("clock");
    let stamped = std::fs::write(&path, "").and_then(|()| path.metadata()?.modified());
    let now = clock::now();
    let Ok(stamped) = stamped else {
        return Check::new("clock", State::Warning, format!("cannot write `{}`", path.display()));
    };
    let apart = now.duration_since(stamped).unwrap_or_else(|early| early.duration());
    if apart.as_secs() > 2 {
        let detail = format!("the disk's clock differs by {}", words::span(apart));
        return Check::new("clock", State::Warning, detail)
            .help("synchronise the clocks: builds are correct but hash more files than needed");
    }
    Check::new("clock", State::Ok, "matches the disk's clock")
}

/// Looks for other `wake` programs on `PATH`, which shells may run instead.
fn other_wakes(environment: &Environment) -> Option<Check> {
    let own = environment::program().ok().and_then(|path| path.canonicalize().ok());
    let found = named_wake(environment.route.search_path.as_deref()?);
    let foreign: Vec<String> = found
        .iter()
        .filter(|path| path.canonicalize().ok() != own)
        .map(|path| path.display().to_string())
        .collect();
    if foreign.is_empty() {
        return None;
    }
    let check = Check::new("PATH", State::Warning, format!("another wake: {}", foreign.join(", ")));
    let shadowed = found.first().is_some_and(|first| first.canonicalize().ok() != own);
    Some(if shadowed {
        check.help("that one comes first on PATH, so shells run it as `wake`")
    } else {
        check
    })
}

fn named_wake(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join("wake"))
        .filter(|path| path.is_file())
        .collect()
}

fn failed(name: &'static str, failure: &Failure) -> Check {
    let first = failure.diagnostics.first();
    let detail = first.map_or_else(String::new, |diagnostic| diagnostic.message.clone());
    let help = first.and_then(|diagnostic| diagnostic.help.first().cloned());
    Check { help, ..Check::new(name, State::Failed, detail) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_wake_in_the_path_is_found_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two, three] = ["one", "two", "three"].map(|name| dir.path().join(name));
        for dir in [&one, &two, &three] {
            std::fs::create_dir(dir).unwrap();
        }
        std::fs::write(two.join("wake"), "").unwrap();
        std::fs::create_dir(one.join("wake")).unwrap();
        let path = std::env::join_paths([&one, &two, &three, &PathBuf::from("rel")]).unwrap();
        assert_eq!(named_wake(&path), [two.join("wake")]);
    }

    #[test]
    fn a_fresh_file_agrees_with_the_clock() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(disk_clock(dir.path()).state, State::Ok);
        assert_eq!(disk_clock(&dir.path().join("gone")).state, State::Warning);
    }

    #[test]
    fn answers_line_up() {
        let settings = crate::settings::tests::quiet(Path::new("/"));
        let mut out = Vec::new();
        let check = Check::new("disk", State::Warning, "3 B free on ext4")
            .help("run `wake gc --max-size SIZE` to free space");
        write(&check, &settings, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "warning  disk             3 B free on ext4\n                          help: run `wake gc --max-size SIZE` to free space\n"
        );
    }
}
