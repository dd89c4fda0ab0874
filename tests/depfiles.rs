//! Programs of the root file system, and depfiles.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, project};

/// A unit that reads `a.c` and `x.h` of the package with `cat`, and whose depfile contains `rule`.
fn unit(rule: &str) -> Project {
    project()
        .pkg(&format!(
            "files=wake.dir('src/*'),\n    modules={{ unit: function(wake, pkg) wake.module(\n      'unit',\n      \
             outputs=function(wake, pkg) {{ text: './unit.txt' }},\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', |||\n        cat src/a.c src/x.h > unit.txt\n        {rule}\n      |||], depfile='./unit.d'),\n    ) }},"
        ))
        .file("src/a.c", "a\n")
        .file("src/x.h", "x\n")
        .file("src/y.h", "y\n")
        .build()
}

const TELLS: &str =
    "printf 'unit.o: src/a.c \\\\\\n  src/x.h /usr/include/none.h\\n\\nsrc/x.h:\\n' > unit.d";

#[test]
fn a_changed_file_missing_from_the_depfile_reruns_nothing() {
    let project = unit(TELLS);
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
    project.write("src/y.h", "another\n");
    let build = project.build(&[]);
    assert_eq!(build.ran(), [] as [&str; 0]);
    project.wake(["why", ":unit"]).run().success().prints(expect![[r#"
        //:unit did not run: its depfile does not list what changed
          changed inputs.src/y.h  file cddce439b8c5 -> file 8c3b8a3327ab  at src/y.h
          unchanged: [N] other fields
    "#]]);
    project.write("src/x.h", "new\n");
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
    assert_eq!(project.result_text("//:unit", "unit.txt"), "a\nnew\n");
    // From the cache, with the depfile of that run.
    project.write("src/x.h", "x\n");
    assert_eq!(project.build(&[]).ran(), [] as [&str; 0]);
    assert_eq!(project.result_text("//:unit", "unit.txt"), "a\nx\n");
}

#[test]
fn the_depfile_is_used_with_and_without_a_snapshot() {
    let project = unit(TELLS);
    project.build(&[]);
    // From the snapshot.
    project.write("src/x.h", "2\n");
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
    project.write("src/y.h", "2\n");
    assert_eq!(project.build(&[]).ran(), [] as [&str; 0]);
    // Without one.
    std::fs::remove_dir_all(project.path(".wake")).unwrap();
    project.write("src/y.h", "3\n");
    let plan = project.wake(["plan"]).run().success();
    assert!(plan.stdout.contains("1 cached"), "{plan}");
    assert_eq!(project.build(&[]).ran(), [] as [&str; 0]);
    let build = project.json_build(&["--rebuild", ":unit"]).run().success().events();
    assert_eq!(build.ran(), ["//:unit"], "`--rebuild` runs it");
}

#[test]
fn an_added_or_removed_file_reruns_the_command() {
    let project = unit(TELLS);
    project.build(&[]);
    project.write("src/0.h", "first in some order\n");
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
    std::fs::remove_file(project.path("src/y.h")).unwrap();
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
}

#[test]
fn a_depfile_name_that_is_not_an_input_is_reported() {
    let project = unit("touch own.h; echo 'unit.o: src/a.c own.h' > unit.d");
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        warning: //:unit: its depfile names `own.h`, which is not one of its inputs
         help: the step runs again whenever one of its inputs changes
        [TIME] Finished 1 action in [TIME]
    "#]]);
    project.write("src/y.h", "2\n");
    assert_eq!(project.build(&[]).ran(), ["//:unit"]);
}

#[test]
fn an_invalid_depfile_fails_the_step_or_is_reported() {
    let project = unit("true");
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:unit (exit 0, [TIME])  sh -c 'cat src/a.c src/x.h > unit.txt\x0atrue\x0a'
          | `unit.d` is the depfile but does not exist
          log: wake log -o //:unit
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:unit, log .wake/runs/[RUN].jsonl
        failed: //:unit
    "#]]);
    let project = unit("mkdir unit.d");
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:unit (exit 0, [TIME])  sh -c 'cat src/a.c src/x.h > unit.txt\x0amkdir unit.d\x0a'
          | `unit.d` is the depfile but not a regular file
          log: wake log -o //:unit
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:unit, log .wake/runs/[RUN].jsonl
        failed: //:unit
    "#]]);
    let project = unit("mkfifo unit.d");
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:unit (exit 0, [TIME])  sh -c 'cat src/a.c src/x.h > unit.txt\x0amkfifo unit.d\x0a'
          | `unit.d` is the depfile but not a regular file
          log: wake log -o //:unit
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:unit, log .wake/runs/[RUN].jsonl
        failed: //:unit
    "#]]);
    let project = unit("ln -s /etc/passwd unit.d");
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:unit (exit 0, [TIME])  sh -c 'cat src/a.c src/x.h > unit.txt\x0aln -s /etc/passwd unit.d\x0a'
          | `unit.d` is the depfile but not a regular file
          log: wake log -o //:unit
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:unit, log .wake/runs/[RUN].jsonl
        failed: //:unit
    "#]]);
    let project = unit("dd if=/dev/zero of=unit.d bs=1M count=17 2>/dev/null");
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:unit (exit 0, [TIME])  sh -c 'cat src/a.c src/x.h > unit.txt\x0add if=/dev/zero of=unit.d bs=1M count=17 2>/dev/null\x0a'
          | `unit.d` is the depfile and is larger than 16777216 bytes
          log: wake log -o //:unit
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:unit, log .wake/runs/[RUN].jsonl
        failed: //:unit
    "#]]);
    let project = unit("echo a b c > unit.d");
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        warning: //:unit: its depfile is not a list of Make rules
         help: the step runs again whenever one of its inputs changes
        [TIME] Finished 1 action in [TIME]
    "#]]);
}

#[test]
fn depfiles_cover_single_files_of_other_outputs() {
    let project = project()
        .pkg(
            "files=['./a.txt', './b.txt'],\n    modules={\n      \
             made: function(wake, pkg) wake.module('made', outputs=function(wake, pkg) { dir: './inc/' },\n        \
             exec=wake.exec(wake.program('sh'), args=['-c', 'mkdir inc; cp a.txt inc/a.h; cp b.txt inc/b.h'])),\n      \
             user: function(wake, pkg) wake.module('user', pkgFiles=[], modules={ made: pkg.modules.made() },\n        \
             outputs=function(wake, pkg) { text: './out.txt' },\n        \
             exec=function(wake, module) wake.exec(wake.program('sh'), args=['-c', 'cat $0a.h > out.txt; echo \"x: $0a.h\" > x.d', module.modules.made.outputs.dir.path], depfile='./x.d',\n          env={ DIR: wake.ref('modules.made.output.dir') })),\n    },",
        )
        .file("a.txt", "a\n")
        .file("b.txt", "b\n")
        .build();
    assert_eq!(project.build(&[]).ran(), ["//:made", "//:user"]);
    project.write("b.txt", "2\n");
    assert_eq!(project.build(&[]).ran(), ["//:made"], "the command did not read b.h");
    project.write("a.txt", "2\n");
    assert_eq!(project.build(&[]).ran(), ["//:made", "//:user"]);
    assert_eq!(project.result_text("//:user", "out.txt"), "2\n");
}

#[test]
fn a_program_is_found_through_the_path_of_the_command() {
    let step = |program: &str, env: &str| {
        project()
            .pkg(&format!(
                "modules={{ t: function(wake, pkg) wake.module('t', exec=wake.exec(wake.program('{program}'), env={env})) }},"
            ))
            .build()
    };
    step("true", "{}").build(&[]);
    step("no-such-tool", "{}").wake(["build"]).run().code(1).mentions(
        "error: //:t: program `no-such-tool` not found in `/usr/bin`, `/bin`, `/usr/sbin`, `/sbin`",
    );
    step("true", "{ PATH: '/nowhere' }")
        .wake(["build"])
        .run()
        .code(1)
        .mentions("program `true` not found in `/nowhere`");
    // A directory of that name is not a program.
    step("share", "{ PATH: '/usr' }").wake(["build"]).run().code(1).mentions("//:t");
    project()
        .pkg("modules={ t: function(wake, pkg) wake.module('t', exec=wake.exec(wake.program('./x'))) },")
        .build()
        .wake(["build"])
        .run()
        .code(5)
        .mentions("`name` of program() is looked up in the directories of `PATH`");
}
