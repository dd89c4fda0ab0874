//! Which steps rerun, according to the counters of the JSON events.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, project};

/// `first` sorts a file, `second` numbers the lines of its output.
fn chain() -> Project {
    project()
        .pkg(
            "files=['./words.txt', './sort.sh', './number.sh'],\n    \
             modules={ first: './first.libsonnet', second: './second.libsonnet' }",
        )
        .file("words.txt", "b\na\n")
        .script("sort.sh", "#!/bin/sh\nsort -u words.txt > sorted.txt\n")
        .script("number.sh", "#!/bin/sh\nnl -ba \"$1\" > out.txt\n")
        .module(
            "first.libsonnet",
            "first",
            "pkgFiles=['./words.txt', './sort.sh'],\n    \
             outputs=function(wake, pkg) { sorted: './sorted.txt' }, exec=wake.exec('./sort.sh')",
        )
        .module(
            "second.libsonnet",
            "second",
            "modules={ first: pkg.modules.first() }, pkgFiles=['./number.sh'],\n    \
             outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./number.sh', args=[wake.ref('modules.first.output.sorted')])",
        )
        .build()
}

#[test]
fn a_rebuilt_step_with_equal_outputs_does_not_rerun_its_dependents() {
    let project = chain();
    assert_eq!(project.build(&[":second"]).ran(), ["//:first", "//:second"]);

    project.write("words.txt", "a\nb\na\n");
    let build = project.build(&[":second"]);
    assert_eq!(build.ran(), ["//:first"]);
    assert_eq!(build.hit(), ["//:second"]);

    project.write("words.txt", "a\nb\nc\n");
    assert_eq!(project.build(&[":second"]).ran(), ["//:first", "//:second"]);
}

#[test]
fn reverting_a_change_runs_nothing() {
    let project = chain();
    project.build(&[":second"]);
    project.write("words.txt", "x\n");
    project.build(&[":second"]);
    project.write("words.txt", "b\na\n");
    project.build_runs_nothing(&[":second"]);
    assert_eq!(project.result_text("//:second", "out.txt"), "     1\ta\n     2\tb\n");
}

#[test]
fn a_changed_comment_is_evaluated_again_but_runs_nothing() {
    let project = chain();
    project.build(&[":second"]);
    project.edit("first.libsonnet", "function", "// why\nfunction");
    project.edit("PKG.libsonnet", "files=", "metadata={ author: 'me' }, files=");
    project.build_runs_nothing(&[":second"]);
}

#[test]
fn a_new_file_that_matches_a_glob_is_noticed() {
    let project = project()
        .pkg("files=wake.dir('./in/*') + ['./list.sh'], modules={ list: './list.libsonnet' }")
        .file("in/a", "")
        .script("list.sh", "#!/bin/sh\nls in > out.txt\n")
        .module(
            "list.libsonnet",
            "list",
            "outputs=function(wake, pkg) { text: './out.txt' }, exec=wake.exec('./list.sh')",
        )
        .build();
    project.build(&[]);
    project.write("in/b", "");
    assert_eq!(project.build(&[]).ran(), ["//:list"]);
    assert_eq!(project.result_text("//:list", "out.txt"), "a\nb\n");
    std::fs::remove_file(project.path("in/a")).unwrap();
    assert_eq!(project.build(&[]).ran(), ["//:list"]);
    assert_eq!(project.result_text("//:list", "out.txt"), "b\n");
}

#[test]
fn the_appearance_of_an_imported_file_is_noticed() {
    let project = project()
        .pkg("files=['./keep.sh'], modules={ m: './m.libsonnet' }")
        .file("value.libsonnet", "1")
        .script("keep.sh", "#!/bin/sh\ncat > out.txt\n")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./keep.sh', config=import 'value.libsonnet')",
        )
        .build();
    project.build(&[]);
    std::fs::remove_file(project.path("value.libsonnet")).unwrap();
    project.wake(["build"]).run().code(5);
    project.write("value.libsonnet", "2");
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    assert_eq!(project.result_text("//:m", "out.txt"), "2\n");
}

#[test]
fn of_the_mode_only_the_executable_bit_counts() {
    use std::os::unix::fs::PermissionsExt;
    let project = project()
        .step("mode", "test -x data && echo yes > out.txt || echo no > out.txt")
        .file("data", "")
        .build();
    project.edit("PKG.libsonnet", "['./step.sh']", "['./step.sh', './data']");
    let mode = |bits| {
        let permissions = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(project.path("data"), permissions).unwrap();
    };
    mode(0o644);
    project.build(&[]);
    mode(0o600);
    project.build_runs_nothing(&[]);
    mode(0o755);
    assert_eq!(project.build(&[]).ran(), ["//:mode"]);
    assert_eq!(project.result_text("//:mode", "out.txt"), "yes\n");
}

#[test]
fn results_do_not_depend_on_the_path_of_the_checkout() {
    let (here, there) = (chain(), chain());
    here.build(&[":second"]);
    let build = there.json_build(&[":second"]).store(here.store()).run().success().events();
    assert_eq!(build.ran(), [] as [&str; 0]);
    assert_eq!(there.result_text("//:second", "out.txt"), "     1\ta\n     2\tb\n");
}

#[test]
fn results_do_not_depend_on_the_environment_of_the_caller() {
    let project = project().step("env", "env | sort > out.txt").build();
    project.build(&[]);
    let build = project
        .json_build(&[])
        .env("CFLAGS", "-O9")
        .env("LANG", "tr_TR.UTF-8")
        .env("TZ", "Asia/Tokyo")
        .run()
        .success()
        .events();
    assert_eq!(build.ran(), [] as [&str; 0]);
    assert!(!project.result_text("//:env", "out.txt").contains("CFLAGS"));
}

/// `last` uses an output of `deep` through `middle`, and only `side` is rebuilt.
#[test]
fn a_rerun_step_has_the_indirect_outputs_of_its_dependencies() {
    let project = project()
        .pkg(
            "files=wake.dir(['*.txt']),\n    modules={\n      \
             [name]: function(wake, pkg) step(wake, pkg, name, needs[name]) for name in std.objectFields(needs)\n    }",
        )
        .build();
    let pkg = project.read("PKG.libsonnet");
    project.write(
        "PKG.libsonnet",
        format!(
            "local needs = {{ deep: [], middle: ['deep'], side: [], last: ['middle', 'side'] }};\n\
             local handed(module, deps) = [\n  file for dep in deps\n  \
             for file in [module.modules[dep].outputs.own] + module.modules[dep].outputs.handed\n];\n\
             local step(wake, pkg, name, deps) = wake.module(\n  name,\n  \
             modules={{ [dep]: pkg.modules[dep]() for dep in deps }},\n  pkgFiles=['./%s.txt' % name],\n  \
             outputs=function(wake, module) {{ own: './%s.out' % name, handed: handed(module, deps) }},\n  \
             exec=function(wake, module) wake.exec(\n    wake.program('sh'),\n    \
             args=['-euc', 'cat \"$@\" >\"$0.out\"', name, './%s.txt' % name] + handed(module, deps),\n  ),\n);\n{pkg}"
        ),
    );
    for name in ["deep", "middle", "side", "last"] {
        project.write(&format!("{name}.txt"), format!("{name}\n"));
    }
    project.build(&[":last"]);
    project.write("side.txt", "other\n");
    assert_eq!(project.build(&[":last"]).ran(), ["//:last", "//:side"]);
    assert_eq!(project.result_text("//:last", "last.out"), "last\nmiddle\ndeep\ndeep\nother\n");
    // Once more, from the snapshot of that build.
    project.write("side.txt", "third\n");
    assert_eq!(project.build(&[":last"]).ran(), ["//:last", "//:side"]);
    assert_eq!(project.result_text("//:last", "last.out"), "last\nmiddle\ndeep\ndeep\nthird\n");
}
