//! A workspace whose `//app` has packages retrieved by an exec of `//tool`.

use wake_tests::{Build, Finished, Project, ProjectBuilder, project};

/// The common start of all test retrievers: reads requests, and writes packages.
const PRELUDE: &str = r#"#!/usr/bin/env python3
import json, os, sys

text = sys.stdin.read()
asked = json.loads(text)


def package(request, version='1.2.3', data=None, more='', name=None, path=None):
    name = name or request['name']
    path = path or './out/' + name
    os.makedirs(path)
    with open(path + '/data', 'w') as file:
        file.write(data if data is not None else name + ' ' + version + '\n')
    with open(path + '/PKG.libsonnet', 'w') as file:
        file.write("function(wake)\n  wake.pkg(\n    wake.pkgInfo('%s', '%s', namespace='x'),\n" % (name, version))
        file.write("    files=['./data'],\n%s  )\n" % more)
    return {'path': path}


def answer(*pkgs):
    json.dump({'pkgs': list(pkgs)}, sys.stdout)


"#;

/// A retriever that has every package, in version 1.2.3.
pub(crate) const GIVE: &str = "answer(*[package(request) for request in asked['requests']])";

/// The text of a retriever.
pub(crate) fn retriever(body: &str) -> String {
    format!("{PRELUDE}{body}\n")
}

/// A requirement satisfied by an exec of `//tool`.
pub(crate) fn get(name: &str, version: &str) -> String {
    get_by("tool", name, version, "")
}

/// The same with an exec of the package `by`, and more arguments.
pub(crate) fn get_by(by: &str, name: &str, version: &str, more: &str) -> String {
    format!(
        "{name}: wake.getPkg(wake.pkgInfo('{name}', '{version}', namespace='x'), \
         from=wake.exec('pkg.{by}./retrieve'{more}))"
    )
}

/// A package in a directory next to the requesting one.
pub(crate) fn local(name: &str, more: &str) -> String {
    format!("{name}: wake.getPkg(wake.pkgInfo('{name}', '*'), from='../{name}'{more})")
}

/// A package `//app` with `pkgs`, and a module that shows the data of those in the namespace `x`.
pub(crate) fn app(pkgs: &[String]) -> ProjectBuilder {
    let pkgs: String = pkgs.iter().map(|pkg| format!("      {pkg},\n")).collect();
    project()
        .file("wake.toml", "")
        .script("app/app.sh", "#!/bin/sh\nset -eu\ncat \"$@\" > out.txt\n")
        .pkg_at(
            "app",
            "app",
            &format!(
                "files=['./app.sh'],\n    pkgs={{\n{pkgs}    }},\n    modules={{ app: './app.libsonnet' }}"
            ),
        )
        .module(
            "app/app.libsonnet",
            "app",
            "outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./app.sh', args=['/dev/null'] + [\n      \
             wake.ref(['pkg', key, './data']) for key in std.objectFields(pkg.pkgs) if pkg.pkgs[key].pkgInfo.namespace == 'x'\n    ])",
        )
}

/// `//app` with `pkgs`, and `//tool`, whose exec runs `body`.
pub(crate) fn scene(pkgs: &[String], body: &str) -> Project {
    let pkgs = [&[local("tool", "")], pkgs].concat();
    let project = app(&pkgs).build();
    tool(&project, "tool", "", body);
    project
}

/// Writes a package whose exec retrieves.
pub(crate) fn tool(project: &Project, name: &str, more: &str, body: &str) {
    project.write(
        &format!("{name}/PKG.libsonnet"),
        format!(
            "function(wake)\n  wake.pkg(\n    wake.pkgInfo('{name}', '1.0.0'),\n    files=['./retrieve'],\n    {more}\n  )\n"
        ),
    );
    project.write_script(&format!("{name}/retrieve"), &retriever(body));
}

/// The output of `//app`.
pub(crate) fn shown(project: &Project) -> String {
    project.result_text("//app:app", "out.txt")
}

/// Which retrievers were called, and for how many packages.
pub(crate) fn asked(build: &Build) -> Vec<(String, u64)> {
    let one = |event: &serde_json::Value| {
        (event["by"].as_str().unwrap().to_owned(), event["pkgs"].as_u64().unwrap())
    };
    build.of_kind("retrieving").map(one).collect()
}

/// The line of the lock for a package, in four words.
pub(crate) fn locked(project: &Project, name: &str) -> Vec<String> {
    let lock = project.read("wake.lock");
    let line = lock.lines().find(|line| line.starts_with(&format!("x/{name} "))).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

/// Checks that exactly this was printed, ignoring white space at both ends of lines.
#[track_caller]
pub(crate) fn says(finished: &Finished, lines: &[&str]) {
    let said = finished.redacted_stderr();
    let said: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(said, lines);
}
