//! Mistakes with rules, each with the complete message.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, Project, PublishedRules, expect, project};

/// The errors, without the final line of a failed build.
fn said(project: &Project, args: &[&str], code: i32, expected: Expect) {
    let run = project.wake(args.iter().copied()).run().code(code).redacted_stderr();
    let lines = run.lines().filter(|line| !line.starts_with('['));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// A root package with these modules.
fn modules(modules: &str) -> Project {
    project().pkg(&format!("modules={{ {modules} }},")).build()
}

/// A root package of one module that runs a program of the directory `root`.
fn in_root(program: &str) -> Project {
    project()
        .pkg(&format!(
            "files=wake.dir(['root/**']),\n    modules={{ m: function(wake, pkg) wake.module('m',\n      \
             exec=wake.exec(wake.program('{program}'), rootfs=wake.ref('./root/'))) }},"
        ))
        .file("root/bin/plain", "#!/bin/sh\n")
        .file("root/bin/dir/x", "")
        .build()
}

#[test]
fn a_wrong_call_of_a_published_rule() {
    let rules = PublishedRules::publish();
    let project = project()
        .file("wake.toml", &rules.toml())
        .file(
            "PKG.libsonnet",
            "local cc = import '@cc/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('app', '1.0.0'),\n  \
             pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake')) },\n  modules=cc.binary('app', 'main.c'),\n)\n",
        )
        .build();
    project.wake(["lock"]).run().success();
    // The line of the caller, then that of the rule.
    let run = project.wake(["build"]).run().code(5).redacted_stderr();
    let lines = run.lines().filter(|line| !line.starts_with('['));
    let line = |line: &str| match line.split_once(".libsonnet:") {
        Some((file, _)) if line.contains("refused at") => format!("{file}.libsonnet\n"),
        _ => format!("{line}\n"),
    };
    expect![[r#"
        error: cc.binary('app'): `srcs` must be a list of strings, not a string
         --> PKG.libsonnet:5:11
          |
        5 |   modules=cc.binary('app', 'main.c'),
          |           ^^^^^^^^^
          = note: refused at wake/rule@1.0.0/rule.libsonnet
          = note: pkg() is called at PKG.libsonnet:2:16
    "#]]
    .assert_eq(&lines.map(line).collect::<String>());
}

#[test]
fn invalid_names_of_modules() {
    let of = |name: &str| modules(&format!("'{name}': function(wake, pkg) wake.module('{name}')"));
    said(
        &of(".hidden"),
        &["build"],
        5,
        expect![[r#"
        error: `.hidden` is not a valid module name
         --> PKG.libsonnet:4:15
          |
        4 |     modules={ '.hidden': function(wake, pkg) wake.module('.hidden') },
          |               ^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`
    "#]],
    );
    said(
        &of("a..b"),
        &["build"],
        5,
        expect![[r#"
        error: `a..b` is not a valid module name
         --> PKG.libsonnet:4:15
          |
        4 |     modules={ 'a..b': function(wake, pkg) wake.module('a..b') },
          |               ^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`
    "#]],
    );
    said(
        &of("a."),
        &["build"],
        5,
        expect![[r#"
        error: `a.` is not a valid module name
         --> PKG.libsonnet:4:15
          |
        4 |     modules={ 'a.': function(wake, pkg) wake.module('a.') },
          |               ^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`
    "#]],
    );
    said(
        &of(""),
        &["build"],
        5,
        expect![[r#"
        error: `` is not a valid module name
         --> PKG.libsonnet:4:15
          |
        4 |     modules={ '': function(wake, pkg) wake.module('') },
          |               ^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`
    "#]],
    );
}

/// Two configurations with the same label are distinguished in all output.
#[test]
fn a_label_used_twice() {
    let project = modules(
        "unit: function(wake, pkg, config={ n: 0 }) wake.module('unit', label='same',\n        \
         exec=wake.exec(wake.program('true'), env={ N: '%d' % config.n })),\n      \
         all: function(wake, pkg) wake.module('all', modules={ [n]: pkg.modules.unit({ n: n }) for n in [1, 2] })",
    );
    // A name must be a string.
    said(
        &project,
        &["build"],
        5,
        expect![[r#"
        error: type error: expected string, got number
         --> PKG.libsonnet:6:59
          |
        6 |       all: function(wake, pkg) wake.module('all', modules={ [n]: pkg.modules.unit({ n: n }) for n in [1, 2] }) },
          |                                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = note: evaluated for `//:all`
    "#]],
    );
    project.edit("PKG.libsonnet", "[n]: pkg", "['n%d' % n]: pkg");
    let built = project.build(&[":all"]);
    let labels: Vec<&str> = built.ran().into_iter().filter(|label| *label != "//:all").collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
    assert!(labels.iter().all(|label| label.starts_with("//:unit same @")), "{labels:?}");
    assert_ne!(labels[0], labels[1]);
    for label in labels {
        project.build_runs_nothing(&[label]);
    }
}

#[test]
fn invalid_programs() {
    said(
        &in_root("absent"),
        &["build"],
        1,
        expect![[r#"
        error: //:m: program `absent` not found in `/usr/bin`, `/bin`, `/usr/sbin`, `/sbin`
         help: add it to `rootfs` (wake.HOST has the machine's `/usr`, but no home directory), or set the search path with `env={ PATH: ... }`
        failed: //:m
    "#]],
    );
    said(
        &in_root("plain"),
        &["build"],
        1,
        expect![[r#"
        error: //:m: `plain` could not be started: Permission denied (os error 13)
         help: the program must be a file with its executable bit set: set it in the step that creates it
        failed: //:m
    "#]],
    );
    said(
        &in_root("dir"),
        &["build"],
        1,
        expect![[r#"
        error: //:m: `dir` could not be started: Permission denied (os error 13)
         help: the program must be a file with its executable bit set: set it in the step that creates it
        failed: //:m
    "#]],
    );
}

/// A step whose depfile, if any, contains `rule`.
fn with_depfile(script: &str) -> Project {
    project()
        .pkg(&format!(
            "files=['./a.h'],\n    modules={{ m: function(wake, pkg) wake.module('m', outputs=function(wake, pkg) {{ o: './o' }},\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', 'touch o; {script}'], depfile='./m.d')) }},"
        ))
        .file("a.h", "")
        .build()
}

#[test]
fn invalid_depfiles() {
    said(
        &with_depfile("true"),
        &["build"],
        1,
        expect![[r#"
          | `m.d` is the depfile but does not exist
          log: wake log -o //:m
        failed: //:m
    "#]],
    );
    said(
        &with_depfile("truncate -s 100M m.d"),
        &["build"],
        1,
        expect![[r#"
          | `m.d` is the depfile and is larger than 16777216 bytes
          log: wake log -o //:m
        failed: //:m
    "#]],
    );
    // Files outside the working directory belong to the root, which is part of the key; files that are not inputs are reported.
    said(&with_depfile("echo o: /usr/include/stdio.h >m.d"), &["build"], 0, expect![[r#""#]]);
    said(
        &with_depfile("echo o: a.h ../../etc/x no.h >m.d"),
        &["build"],
        0,
        expect![[r#"
        warning: //:m: its depfile names `no.h`, which is not one of its inputs
         help: the step runs again whenever one of its inputs changes
    "#]],
    );
    let outside = with_depfile("true");
    outside.edit("PKG.libsonnet", "'./m.d'", "'../m.d'");
    said(
        &outside,
        &["build"],
        5,
        expect![[r#"
        error: `../m.d` leaves the package through `..`
         --> PKG.libsonnet:6:80
          |
        6 |       exec=wake.exec(wake.program('sh'), args=['-c', 'touch o; true'], depfile='../m.d')) },
          |                                                                                ^^^^^^^^
          = note: module() is called at PKG.libsonnet:5:38
          = note: evaluated for `//:m`
    "#]],
    );
    outside.edit("PKG.libsonnet", "'../m.d'", "'/tmp/m.d'");
    said(
        &outside,
        &["build"],
        5,
        expect![[r#"
        error: `/tmp/m.d` is absolute: paths are relative to the package
         --> PKG.libsonnet:6:80
          |
        6 |       exec=wake.exec(wake.program('sh'), args=['-c', 'touch o; true'], depfile='/tmp/m.d')) },
          |                                                                                ^^^^^^^^^^
          = note: module() is called at PKG.libsonnet:5:38
          = note: evaluated for `//:m`
    "#]],
    );
}

#[test]
fn options_that_depend_on_each_other() {
    let circle = project()
        .pkg("options={ a: wake.option('b', 'x'), b: wake.option('a', 'x') },\n    modules={ m: function(wake, pkg) wake.module('m', metadata={ a: wake.option('a', 'x') }) },")
        .build();
    said(
        &circle,
        &["build"],
        5,
        expect![[r#"
        error: `options` and `profiles` set options, and cannot depend on one
         --> PKG.libsonnet:4:18
          |
        4 |     options={ a: wake.option('b', 'x'), b: wake.option('a', 'x') },
          |                  ^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
    "#]],
    );
    // A hundred thousand reads of an option count as one.
    let often = modules(
        "m: function(wake, pkg) wake.module('m', metadata={ n: std.foldl(function(n, i) n + std.length(wake.option('a', 'x')), std.range(1, 100000), 0) })",
    );
    said(&often, &["build", "--set", "a=four"], 0, expect![[r#""#]]);
    said(
        &often,
        &["build", "--set", "b=four"],
        2,
        expect![[r#"
        error: `--set b`: nothing in this build reads an option `b`
         help: this build reads `a`
    "#]],
    );
    let of_type = modules(
        "m: function(wake, pkg) wake.module('m', metadata={ n: wake.option('a', function(x) x) })",
    );
    said(
        &of_type,
        &["build"],
        5,
        expect![[r#"
        error: `default` contains a function: only plain values are allowed
         --> PKG.libsonnet:4:86
          |
        4 |     modules={ m: function(wake, pkg) wake.module('m', metadata={ n: wake.option('a', function(x) x) }) },
          |                                                                                      ^^^^^^^^^^^^^
          = note: evaluated for `//:m`
    "#]],
    );
}
