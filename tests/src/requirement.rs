//! What a test needs of the machine.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Says on the real standard error, past the capture of the test harness, that a test did not run.
///
/// Where `CI` is set the machine is expected to have everything, so there it is a failure.
pub fn skip(test: &str, missing: &str) {
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        panic!("{test}: {missing}, and a skipped test counts as failed where CI=true");
    }
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {missing}");
}

/// The folder `name` of the fixtures: of `WAKE_FIXTURES`, else of `../shared/fixtures` beside the checkout.
///
/// They are no part of the project, so their absence is said like that of anything else, and is a failure nowhere.
pub fn fixtures(test: &str, name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let dir = std::env::var_os("WAKE_FIXTURES").map_or(beside, PathBuf::from).join(name);
    if dir.is_dir() {
        return Some(dir);
    }
    let _ = writeln!(std::io::stderr(), "skipped: {test}: no fixtures at `{}`", dir.display());
    None
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
