//! Workspaces with the source of a package, our files beside it, and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;
use wake_tests::{Build, Project, PublishedRules, copy_tree, has_program, project, skip};

/// The sources, fetched once for all tests, or `None` if they cannot be fetched.
pub(crate) fn sources() -> Option<&'static Path> {
    static SOURCES: OnceLock<Option<SharedDir>> = OnceLock::new();
    let fetched = SOURCES.get_or_init(|| {
        if !has_program("apt-get") || !has_program("dpkg-source") {
            return None;
        }
        let dir = SharedDir::new();
        let status = Command::new(here("fetch.sh"))
            .arg(&dir.path)
            .args(["zlib", "lua5.4", "redis", "ninja-build", "jinja2", "rust-ripgrep"])
            .args(["prometheus", "etcd"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        status.success().then_some(dir)
    });
    fetched.as_ref().map(|dir| dir.path.as_path())
}

/// A directory for all tests of this process. Statics are never dropped, so another process removes it when this one ends,
/// however it ends.
struct SharedDir {
    path: PathBuf,
    /// Removes the directory when its standard input is closed, which happens when this process ends.
    _remover: Child,
}

impl SharedDir {
    fn new() -> SharedDir {
        let path = TempDir::with_prefix("wake-real-").unwrap().keep();
        let remover = Command::new("sh")
            // Waits for a line that never comes, even if the process group is interrupted.
            .args(["-c", "trap '' INT TERM HUP; read line; rm -rf \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        SharedDir { path, _remover: remover }
    }
}

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real").join(path)
}

/// A workspace with the source of a package and our files beside it, or `None` if the source cannot be fetched.
pub(crate) fn unpacked(test: &str, name: &str) -> Option<Project> {
    let Some(sources) = sources() else {
        skip(test, "the Debian source archive cannot be reached");
        return None;
    };
    let project = project().build();
    copy_tree(&sources.join(name), project.root());
    copy_tree(&here(name), project.root());
    Some(project)
}

/// A port that uses the rule library from a registry, by name and version.
pub(crate) struct Port {
    pub(crate) project: Project,
    _rules: PublishedRules,
}

/// The same as [`unpacked`], with a registry that has the rules.
pub(crate) fn ported(test: &str, name: &str) -> Option<Port> {
    let project = unpacked(test, name)?;
    let rules = PublishedRules::publish();
    project.write("wake.toml", rules.toml());
    Some(Port { project, _rules: rules })
}

/// The number of lines of a port's package file.
pub(crate) fn lines(port: &str) -> usize {
    std::fs::read_to_string(here(port).join("PKG.libsonnet")).unwrap().lines().count()
}

/// Runs a script of a port in its workspace; returns false if it cannot fetch its files.
pub(crate) fn fetches(project: &Project, script: &str, args: &[&str]) -> bool {
    let call = Command::new(project.path(script)).args(args).current_dir(project.root()).status();
    call.unwrap().success()
}

/// The modules that ran, once per configuration.
pub(crate) fn ran(build: &Build) -> Vec<&str> {
    build.ran().into_iter().map(|label| label.split(' ').next().unwrap_or(label)).collect()
}

pub(crate) fn count(build: &Build, label: &str) -> usize {
    ran(build).iter().filter(|ran| **ran == label).count()
}
