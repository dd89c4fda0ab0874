//! A repository that publishes, and one that uses what was published.

use std::fs;
use std::path::{Path, PathBuf};

use wake_tests::{Finished, Project, ProjectBuilder, project};

/// The registry shared by all of a test, next to the publisher's workspace.
pub(crate) struct Scene {
    /// The publisher.
    pub(crate) publisher: Project,
}

impl Scene {
    /// A publisher without packages.
    pub(crate) fn new() -> Scene {
        let publisher = project().file("wake.toml", &toml("file:../registry")).build();
        Scene { publisher }
    }

    /// The directory of the registry.
    pub(crate) fn registry(&self) -> PathBuf {
        self.publisher.base().join("registry")
    }

    /// The text of a file in the registry.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.registry().join(path)).unwrap()
    }

    /// Writes a package of the publisher: a module `made` that runs `script`, which writes `out.txt`.
    pub(crate) fn write(&self, name: &str, version: &str, pkgs: &str, script: &str) {
        write(&self.publisher, name, name, version, pkgs, script);
    }

    /// Writes a package and publishes it.
    pub(crate) fn publish(&self, name: &str, version: &str, pkgs: &str) {
        self.write(name, version, pkgs, "cat data \"$@\" > out.txt");
        self.publisher.wake(["publish", name]).run().success();
    }

    /// A workspace with a package `//app` that shows the results of the modules `made` of its dependencies.
    pub(crate) fn user(&self, pkgs: &str) -> Project {
        self.user_of(&format!("file:{}", self.registry().display()), pkgs)
    }

    /// The same, with the registry at another address.
    pub(crate) fn user_of(&self, address: &str, pkgs: &str) -> Project {
        app(pkgs).file("wake.toml", &toml(address)).build()
    }
}

/// Settings with one registry for the packages of `acme`.
pub(crate) fn toml(address: &str) -> String {
    format!("[registries]\nmain = \"{address}\"\n\n[namespaces]\nacme = \"main\"\n")
}

/// A requirement on a published package.
pub(crate) fn get(name: &str, version: &str) -> String {
    format!("wake.getPkg(wake.pkgInfo('{name}', '{version}', namespace='acme'))")
}

/// A package in a directory of a workspace.
pub(crate) fn write(
    project: &Project,
    dir: &str,
    name: &str,
    version: &str,
    pkgs: &str,
    script: &str,
) {
    project.write(
        &format!("{dir}/PKG.libsonnet"),
        format!(
            "function(wake)\n  wake.pkg(\n    wake.pkgInfo('{name}', '{version}', namespace='acme'),\n    \
             files=['./made.sh', './data'],\n    pkgs={{ {pkgs} }},\n    modules={{ made: './made.libsonnet' }},\n    \
             metadata={{ license: 'MIT' }},\n  )\n"
        ),
    );
    project.write(
        &format!("{dir}/made.libsonnet"),
        "function(wake, pkg, config={})\n  wake.module(\n    'made',\n    \
         modules={ [key]: pkg.pkgs[key].modules.made({}) for key in std.objectFields(pkg.pkgs) },\n    \
         outputs=function(wake, pkg) { text: './out.txt' },\n    \
         exec=wake.exec('./made.sh', args=[\n      \
         wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)\n    ])\n  )\n",
    );
    project.write(&format!("{dir}/data"), format!("{name} {version}\n"));
    project.write_script(&format!("{dir}/made.sh"), &format!("#!/bin/sh\nset -eu\n{script}\n"));
}

fn app(pkgs: &str) -> ProjectBuilder {
    let rest = format!(
        "files=['./app.sh'],\n    pkgs={{ {pkgs} }},\n    modules={{ app: './app.libsonnet' }}"
    );
    project()
        .pkg_at("app", "app", &rest)
        .script("app/app.sh", "#!/bin/sh\nset -eu\ncat \"$@\" > out.txt\n")
        .module(
            "app/app.libsonnet",
            "app",
            "modules={ [key]: pkg.pkgs[key].modules.made({}) for key in std.objectFields(pkg.pkgs) },\n    \
             outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./app.sh', args=['/dev/null'] + [wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)])",
        )
}

/// Checks that exactly this was printed, ignoring white space at both ends of lines.
#[track_caller]
pub(crate) fn says(finished: &Finished, lines: &[&str]) {
    // How long ago something was published differs from run to run.
    let ago = regex::Regex::new(r"published (just now|\d+ (min|h) ago)").unwrap();
    let said = finished.redacted_stderr();
    let said = ago.replace_all(&said, "published [AGO]");
    let said: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(said, lines);
}

/// All files below a directory, with their bytes.
pub(crate) fn all_of(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
