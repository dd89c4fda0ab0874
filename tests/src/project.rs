//! A workspace in its own directory, with its own store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};

use tempfile::TempDir;

use crate::events::Build;
use crate::program::Wake;
use crate::redact::Redactions;

/// Starts an empty project.
pub fn project() -> ProjectBuilder {
    let dir = TempDir::with_prefix("wake-test-").unwrap();
    // Other users read projects, too.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let base = dir.path().canonicalize().unwrap();
    for name in ["ws", "home"] {
        fs::create_dir(base.join(name)).unwrap();
    }
    ProjectBuilder { project: Project { root: base.join("ws"), base, _dir: dir } }
}

/// A project being built.
pub struct ProjectBuilder {
    project: Project,
}

impl ProjectBuilder {
    /// Adds a file.
    pub fn file(self, path: &str, text: &str) -> Self {
        self.project.write(path, text);
        self
    }

    /// Adds an executable file.
    pub fn script(self, path: &str, text: &str) -> Self {
        self.project.write_script(path, text);
        self
    }

    /// Adds a symbolic link.
    pub fn link(self, path: &str, target: &str) -> Self {
        let path = self.project.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// Adds a root package with the given arguments of `wake.pkg(…)` after its name and version.
    pub fn pkg(self, rest: &str) -> Self {
        self.pkg_at("", "root", rest)
    }

    /// Adds a package of version 1.0.0 in a directory.
    pub fn pkg_at(self, dir: &str, name: &str, rest: &str) -> Self {
        let path =
            if dir.is_empty() { "PKG.libsonnet".into() } else { format!("{dir}/PKG.libsonnet") };
        let text = format!(
            "function(wake)\n  wake.pkg(\n    wake.pkgInfo('{name}', '1.0.0'),\n    {rest}\n  )\n"
        );
        self.file(&path, &text)
    }

    /// Adds a module file with the given arguments of `wake.module(…)` after its name.
    pub fn module(self, path: &str, name: &str, rest: &str) -> Self {
        let text = format!(
            "function(wake, pkg, config={{}})\n  wake.module(\n    '{name}',\n    {rest}\n  )\n"
        );
        self.file(path, &text)
    }

    /// Adds a root package with one module that runs a shell script, which must create `out.txt`.
    pub fn step(self, name: &str, script: &str) -> Self {
        self.step_with(name, script, "")
    }

    /// Adds the same with more arguments of `wake.exec(…)`.
    pub fn step_with(self, name: &str, script: &str, exec: &str) -> Self {
        self.pkg(&format!("files=['./step.sh'], modules={{ '{name}': './step.libsonnet' }}"))
            .module(
                "step.libsonnet",
                name,
                &format!(
                    "outputs=function(wake, pkg) {{ text: './out.txt' }},\n    exec=wake.exec('./step.sh', {exec})"
                ),
            )
            .script("step.sh", &format!("#!/bin/sh\nset -eu\n{script}\n"))
    }

    /// Returns the project.
    pub fn build(self) -> Project {
        self.project
    }
}

/// A workspace; it is deleted on drop.
pub struct Project {
    /// Below `base`, so that home and store are not part of it.
    root: PathBuf,
    base: PathBuf,
    _dir: TempDir,
}

impl Project {
    /// Returns the workspace root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the store that its calls use.
    pub fn store(&self) -> PathBuf {
        self.base.join("store")
    }

    /// Returns the directory that contains workspace, home and store.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Returns a path in the workspace.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Writes an executable file.
    pub fn write_script(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Replaces a text in a file, which must contain it.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "no `{from}` in {path}");
        self.write(path, text.replacen(from, to, 1));
    }

    /// Changes the modification time of a file but not its content.
    pub fn touch(&self, path: &str) {
        let file = fs::File::options().append(true).open(self.path(path)).unwrap();
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
        file.set_modified(time).unwrap();
    }

    /// Returns the text of a file, following links.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the path of a result, by label and path in its outputs: `//app:app` and `bin/app`.
    pub fn result(&self, label: &str, output: &str) -> PathBuf {
        let below = label.trim_start_matches("//").replace(':', "/");
        self.path(".wake/out").join(below.trim_start_matches('/')).join(output)
    }

    /// Returns the text of a result.
    #[track_caller]
    pub fn result_text(&self, label: &str, output: &str) -> String {
        let path = self.result(label, output);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Makes a call of the program.
    pub fn wake<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Wake {
        let redactions = Redactions::new(&[
            ("ROOT", self.root()),
            ("STORE", &self.store()),
            ("BASE", self.base()),
        ]);
        Wake::new(self.root(), &self.base.join("home"), &self.store(), redactions).args(args)
    }

    /// Makes a call of `wake build` with JSON events.
    pub fn json_build(&self, targets: &[&str]) -> Wake {
        self.wake(["--message-format", "json", "build"]).args(targets)
    }

    /// Runs a build, which must succeed.
    #[track_caller]
    pub fn build(&self, targets: &[&str]) -> Build {
        self.json_build(targets).run().success().events()
    }

    /// Starts a build; returns it once its first command has started, with the rest of its events.
    pub fn begin_build(&self) -> (Child, BufReader<ChildStdout>) {
        let mut child = self.json_build(&[]).spawn();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("action.started") {
            line.clear();
            assert!(
                stdout.read_line(&mut line).unwrap() > 0,
                "the build ended before its first command started"
            );
        }
        (child, stdout)
    }

    /// Runs a build, which must run nothing.
    #[track_caller]
    pub fn build_runs_nothing(&self, targets: &[&str]) {
        let build = self.build(targets);
        assert_eq!(build.ran(), [] as [&str; 0], "something ran");
        assert!(build.count("total") > 0, "the build had no steps at all");
    }
}
