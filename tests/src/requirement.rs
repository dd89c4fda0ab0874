//! What a test requires from the machine.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Reports that a test was skipped because the machine lacks something.
///
/// If `CI` is set, the machine is expected to have everything, so this is a failure.
pub fn skip(test: &str, missing: &str) {
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        panic!("{test}: {missing}, and skipped tests count as failed with CI=true");
    }
    skipped(test, missing);
}

/// Reports that a test was skipped, on the real standard error, past the capture of the test harness, and in the file that
/// `WAKE_SKIPPED` names: the harness counts it as passed, `scripts/test` does not.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
    let Some(path) = std::env::var_os("WAKE_SKIPPED") else { return };
    let program = std::env::current_exe().unwrap_or_default();
    let thread = std::thread::current();
    // The harness names a thread after its test, so a test that reports twice is counted once.
    let name = thread.name().filter(|name| *name != "main").unwrap_or(test);
    let line = format!("{} {name}\n", program.display());
    let file = std::fs::OpenOptions::new().append(true).open(path);
    // Another user may not be able to write there; its tests belong to one that is counted.
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// Returns the folder `name` of the fixtures: in `WAKE_FIXTURES`, else in `../shared/fixtures` beside the checkout.
///
/// They are not part of the project, so their absence is never a failure.
pub fn fixtures(test: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let dir = std::env::var_os("WAKE_FIXTURES").map_or(beside, PathBuf::from).join(name);
    if !dir.is_dir() {
        skipped(test, &format!("no fixtures at `{}`", dir.display()));
        return None;
    }
    Some(dir)
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program of that name is on the search path.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}
