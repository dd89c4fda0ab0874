//! The commit of a workspace's sources, from git.
#![expect(
    clippy::disallowed_methods,
    reason = "git knows its revisions, and the person has set it up"
)]

use std::path::Path;
use std::process::{Command, Stdio};

use wake_build::Source;

/// Returns the commit checked out around `root`, and whether files below it differ; `None` if git knows of none.
pub(crate) fn source(root: &Path) -> Option<Source> {
    let commit = git(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let differs = git(root, &["status", "--porcelain", "--untracked-files=normal", "--", "."])?;
    Some(Source { commit: commit.trim().to_owned(), dirty: !differs.trim().is_empty() })
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir(root)
        // Never run a file monitor that the checkout configures.
        .args(["-c", "core.fsmonitor=false"])
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
