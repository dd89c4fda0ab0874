//! The workspace as of a git revision, read without touching the checkout.
#![expect(
    clippy::disallowed_methods,
    reason = "git knows its revisions, and the person has set it up"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use wake_steps::diagnostic::{Class, Diagnostic};

/// A revision of the repository around a workspace.
pub(super) struct Revision {
    /// The revision as typed.
    typed: String,
    /// The root of the workspace.
    root: PathBuf,
    /// The id of the commit.
    pub(super) commit: String,
    /// The path of the workspace in the repository: empty, or ending in a slash.
    prefix: String,
    /// The id of the workspace's tree; `None` if it did not exist.
    pub(super) tree: Option<String>,
}

impl Revision {
    /// Finds the revision named by `typed`.
    pub(super) fn find(typed: &str, root: &Path) -> Result<Revision, Diagnostic> {
        let prefix = run(root, &["rev-parse", "--show-prefix"])?.map_err(|said| {
            let message = format!("`{}` is not in a git repository: {said}", root.display());
            Diagnostic::error(Class::Usage, message)
                .help("run this command in a workspace that is a git checkout")
        })?;
        let meant = format!("{typed}^{{commit}}");
        let commit = run(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &meant])?;
        let Ok(commit) = commit else { return Err(unknown(typed, root)) };
        let place = format!("{commit}:{}", prefix.trim_end_matches('/'));
        let tree = run(root, &["rev-parse", "--verify", "--quiet", &place])?.ok();
        let (typed, root) = (typed.to_owned(), root.to_owned());
        Ok(Revision { typed, root, commit, prefix, tree })
    }

    /// Writes the workspace into the empty directory `dir`, as a checkout would; returns its root.
    pub(super) fn check_out(&self, dir: &Path) -> Result<PathBuf, Diagnostic> {
        let failed = |what: &str| {
            let message = format!("cannot read revision `{}`: {what}", self.typed);
            let diagnostic = Diagnostic::error(Class::Environment, message);
            match is_shallow(&self.root) {
                true => diagnostic.help("this clone is shallow; run `git fetch --unshallow`"),
                false => diagnostic,
            }
        };
        let (index, tree) = (dir.join("index"), dir.join("tree"));
        fs::create_dir_all(&tree).map_err(|error| failed(&error.to_string()))?;
        let git = |args: &[&str]| {
            let mut command = git(&self.root);
            command.env("GIT_INDEX_FILE", &index).args(args);
            command
        };
        let said = |output: Output| match output.status.success() {
            true => Ok(output.stdout),
            false => Err(failed(&first_line(&output.stderr))),
        };
        let io = |error: io::Error| failed(&error.to_string());
        said(git(&["read-tree", &self.commit]).output().map_err(io)?)?;
        let below = if self.prefix.is_empty() { "." } else { &self.prefix };
        let mut list = git(&["ls-files", "-z", "--full-name", "--", ":/"]);
        if !self.prefix.is_empty() {
            list = git(&["ls-files", "-z", "--full-name", "--", &format!(":/{below}")]);
        }
        let files = said(list.output().map_err(io)?)?;
        let to = format!("--prefix={}/", tree.display());
        // Relative to the top of the repository, like its file names.
        let top =
            run(&self.root, &["rev-parse", "--show-toplevel"])?.map_err(|said| failed(&said))?;
        let mut write = git(&["checkout-index", "-q", "-z", "--stdin", &to]);
        write.current_dir(&top).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = write.spawn().map_err(io)?;
        let fed = child.stdin.take().map(|mut stdin| stdin.write_all(&files));
        let output = child.wait_with_output().map_err(io)?;
        said(output)?;
        fed.transpose().map_err(io)?;
        Ok(tree.join(&self.prefix))
    }
}

fn unknown(typed: &str, root: &Path) -> Diagnostic {
    let message = format!("no revision `{typed}` in this repository");
    let diagnostic = Diagnostic::error(Class::Usage, message);
    match is_shallow(root) {
        true => diagnostic
            .help("this clone is shallow; run `git fetch --unshallow`, or fetch the revision"),
        false => diagnostic.help("use a commit, branch or tag: `--since origin/main`"),
    }
}

fn is_shallow(root: &Path) -> bool {
    run(root, &["rev-parse", "--is-shallow-repository"])
        .is_ok_and(|said| said.is_ok_and(|said| said == "true"))
}

/// Runs git; returns its output, or its error message.
fn run(root: &Path, args: &[&str]) -> Result<Result<String, String>, Diagnostic> {
    let output = git(root).args(args).output().map_err(|error| {
        let message = format!("cannot run `git`: {error}");
        Diagnostic::error(Class::Environment, message)
    })?;
    Ok(match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()),
        false => Err(first_line(&output.stderr)),
    })
}

/// Returns the user's own git with the user's settings, so that it reads files as a checkout would. It runs neither hooks nor a
/// file monitor, which an untrusted repository may configure.
fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(root)
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

fn first_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("git failed");
    line.trim_start_matches("fatal: ").to_owned()
}
