//! Modules without a command: the contents of their results.

#![allow(clippy::unwrap_used)]

use std::fs;

use wake_tests::{Project, expect, project};

/// A module `m` of a package with these files, with `files` as its inputs and `outputs` as its outputs.
fn collected(pkg_files: &str, files: &str, outputs: &str) -> Project {
    let project = project()
        .pkg(&format!("files={pkg_files},\n    modules={{ m: './m.libsonnet' }}"))
        .file("a.h", "a\n")
        .file("src/b.h", "b\n")
        .file("src/deep/c.h", "c\n")
        .link("alias.h", "src/b.h")
        .link("src/deep/up.h", "../b.h")
        .link("src/deep/beside.h", "c.h")
        .build();
    project.write(
        "m.libsonnet",
        format!(
            "function(wake, pkg)\n  wake.module('m', files=function(wake, module) [{files}], outputs=function(wake, pkg) {outputs})\n"
        ),
    );
    project
}

const ALL: &str = "wake.dir(['*.h', 'src/**'])";

/// The contents of the result of `m`: paths with the texts of files and the targets of links.
fn result(project: &Project) -> Vec<String> {
    project.build(&[]);
    let root = project.result("//:m", "").canonicalize().unwrap();
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", fs::read_link(path).unwrap().display()));
            } else {
                found.push(format!("{name}: {}", fs::read_to_string(path).unwrap().trim()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn links_to_own_files_are_replaced_by_the_files() {
    let link = "wake.file('./include/a.h', from='./a.h')";
    for outputs in ["{ h: './include/a.h' }", "{ dir: './include/' }"] {
        assert_eq!(result(&collected(ALL, link, outputs)), ["include/a.h: a"]);
    }
}

#[test]
fn a_link_to_a_sibling_stays_a_link() {
    let link = "wake.file('./include/a.h', from='./a.h')";
    let both = collected(ALL, link, "{ h: './include/a.h', a: './a.h' }");
    assert_eq!(result(&both), ["a.h: a", "include/a.h -> ../a.h"]);
}

#[test]
fn links_of_the_package_are_followed() {
    assert_eq!(result(&collected(ALL, "", "{ h: './alias.h' }")), ["alias.h: b"]);
    let link = "wake.file('./include/x.h', from='./alias.h')";
    assert_eq!(result(&collected(ALL, link, "{ h: './include/x.h' }")), ["include/x.h: b"]);
}

#[test]
fn a_directory_of_own_files_keeps_links_that_resolve() {
    let link = "wake.file('./include', from='./src/deep/')";
    let found = result(&collected(ALL, link, "{ dir: './include/' }"));
    assert_eq!(found, ["include/beside.h -> c.h", "include/c.h: c", "include/up.h: b"]);
}

#[test]
fn a_subtree_keeps_no_link_that_leads_out_of_it() {
    let project = project()
        .pkg("files=['./make.sh'],\n    modules={ t: './t.libsonnet', m: './m.libsonnet' }")
        .script(
            "make.sh",
            "#!/bin/sh\nmkdir -p out/lib out/real\necho so >out/real/z\nln -s ../real/z out/lib/z.1\nln -s z.1 out/lib/z\nln -s ../real out/lib/dir\n",
        )
        .module(
            "t.libsonnet",
            "t",
            "outputs=function(wake, pkg) { out: './out/', lib: './out/lib/' }, exec=wake.exec('./make.sh')",
        )
        .module(
            "m.libsonnet",
            "m",
            "modules={ t: pkg.modules.t() },\n    files=function(wake, module) [wake.file('./lib', from=wake.ref('modules.t.outputs.lib'))],\n    outputs=function(wake, pkg) { lib: './lib/' }",
        )
        .build();
    assert_eq!(result(&project), ["lib/dir/z: so", "lib/z -> z.1", "lib/z.1: so"]);
}

#[test]
fn a_link_to_itself_is_an_error() {
    let project = project()
        .pkg("files=['./a', './b'],\n    modules={ m: './m.libsonnet' }")
        .link("a", "b")
        .link("b", "a")
        .module("m.libsonnet", "m", "outputs=function(wake, pkg) { a: './a' }")
        .build();
    project.wake(["build"]).run().code(5).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: the symbolic link `./a` is part of a loop
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]]);
}

/// As for an output of a command.
#[test]
fn an_output_behind_a_symbolic_link_is_an_error() {
    let project = project()
        .pkg(
            "files=wake.dir(['real/**', 'link']), modules={\n      \
             own: function(wake, pkg) wake.module('own', outputs=function(wake, pkg) { o: './link/file' }),\n      \
             made: function(wake, pkg) wake.module('made', outputs=function(wake, pkg) { o: './out/' },\n        \
             exec=wake.exec(wake.program('sh'), args=['-c', 'mkdir -p out/v1; touch out/v1/file; ln -s v1 out/cur'])),\n      \
             of: function(wake, pkg) wake.module('of', modules={ made: pkg.modules.made() }, outputs=function(wake, pkg) { o: './x/cur/file' },\n        \
             files=function(wake, module) [wake.file('./x', from=module.modules.made.outputs.o)]),\n    }",
        )
        .file("real/file", "")
        .link("link", "real")
        .build();
    let says = |target: &str, path: &str| {
        let said = project.wake(["build", target]).run().code(1);
        said.mentions(&format!("  | `{path}` is behind a symbolic link, which is not followed\n"));
    };
    says(":own", "./link/file");
    says(":of", "./x/cur/file");
}

#[test]
fn a_path_inside_another_output_is_included_once() {
    let outputs = "{ all: './src/', deep: './src/deep/', one: './src/deep/c.h', again: './src/' }";
    let project = collected(ALL, "", outputs);
    let expected =
        ["src/b.h: b", "src/deep/beside.h -> c.h", "src/deep/c.h: c", "src/deep/up.h -> ../b.h"];
    assert_eq!(result(&project), expected);
    let none = collected(ALL, "", "{ all: './src/', none: './src/none.h' }");
    let said = none.wake(["build"]).run().code(1);
    said.mentions("`./src/none.h` was declared as an output but does not exist");
    // A part of a directory that is taken whole from elsewhere.
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(\n  wake.pkgInfo('root', '1.0.0'),\n  files=wake.dir(['*.h', 'src/**']),\n  modules={\n    \
         of: './m.libsonnet',\n    \
         m: function(wake, pkg) wake.module('m', pkgFiles=[], modules={ of: pkg.modules.of({}) },\n      \
         files=function(wake, module) [module.modules.of.outputs.all, module.modules.of.outputs.one],\n      \
         outputs=function(wake, module) { all: module.modules.of.outputs.all, one: module.modules.of.outputs.one }) },\n)\n",
    );
    project.edit("m.libsonnet", "'m'", "'of'");
    project.build(&[]);
}
