//! Commands that cannot run or that fail, each with the complete message.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, Project, expect, project};

#[track_caller]
fn check(project: Project, code: i32, expected: Expect) {
    project.wake(["build"]).run().code(code).says(expected);
}

/// A step with this script.
fn script(text: &str) -> Project {
    project().step("m", text).build()
}

/// A step with these additional arguments of its exec.
fn exec(rest: &str) -> Project {
    project().step_with("m", "touch out.txt", rest).build()
}

#[test]
fn an_environment_value_over_4096_bytes_is_an_error() {
    check(
        exec("env={ FLAGS: std.repeat('x', 4097) }"),
        5,
        expect![[r#"
        error: environment variable `FLAGS` has 4097 bytes: the limit is 4096
         --> step.libsonnet:5:46
          |
        5 |     exec=wake.exec('./step.sh', env={ FLAGS: std.repeat('x', 4097) })
          |                                              ^^^^^^^^^^^^^^^^^^^^^
          = note: module() is called at step.libsonnet:2:3
          help: put large values in `config`, or in a file with wake.file(path, from=value, dump=true)
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn an_environment_value_of_4096_bytes_is_accepted() {
    exec("env={ FLAGS: std.repeat('x', 4096) }").build(&[]);
}

#[test]
fn an_environment_value_that_is_not_text_is_an_error() {
    check(
        exec("env={ FLAGS: { a: 1 } }"),
        5,
        expect![[r#"
        error: environment variable `FLAGS` must be a string, an integer, a file or a list of strings, not an object
         --> step.libsonnet:5:46
          |
        5 |     exec=wake.exec('./step.sh', env={ FLAGS: { a: 1 } })
          |                                              ^^^^^^^^
          = note: module() is called at step.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_program_that_is_not_executable_is_an_error() {
    let project = project()
        .pkg("files=['./step.sh'], modules={ m: './m.libsonnet' }")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { x: './x' }, exec=wake.exec('./step.sh')",
        )
        .file("step.sh", "#!/bin/sh\ntouch x\n")
        .build();
    check(
        project,
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `./step.sh` is not executable
             help: `chmod +x ./step.sh`
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
}

#[test]
fn a_script_with_windows_line_endings_is_an_error() {
    let project = script("");
    project.write("step.sh", "#!/bin/sh\r\ntouch out.txt\r\n");
    check(
        project,
        1,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `./step.sh` could not be started: its `#!` line names `/bin/sh\r`, which does not exist
             help: the script has Windows line endings: save it with line feeds only
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
}

#[test]
fn arguments_too_long_for_the_system_are_an_error() {
    for args in
        ["args=[std.repeat('x', 200000)]", "args=['%050d' % i for i in std.range(1, 60000)]"]
    {
        check(
            exec(args),
            1,
            expect![[r#"
                [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
                error: //:m: `./step.sh` could not be started: Argument list too long (os error 7)
                 help: one argument or variable can have up to 128 KiB, all together 2 MiB: write longer data to a file and pass its name
                [TIME] FAIL //:m (no result)
                [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
                failed: //:m
            "#]],
        );
    }
}

#[test]
fn a_program_that_is_not_a_file_is_an_error() {
    let project = project()
        .pkg("inputs=function(wake, pkg) { tool: 'cc' }, modules={ m: './m.libsonnet' }")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { x: './x' }, exec=wake.exec('input.tool')",
        )
        .build();
    check(
        project,
        5,
        expect![[r#"
        error: `ref` of exec() must name a file, not a string
         --> m.libsonnet:4:62
          |
        4 |     outputs=function(wake, pkg) { x: './x' }, exec=wake.exec('input.tool')
          |                                                              ^^^^^^^^^^^^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_missing_interpreter_is_an_error() {
    let project = script("");
    project.write_script("step.sh", "#!/usr/bin/no-such-shell\n");
    check(
        project,
        1,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `./step.sh` could not be started: its `#!` line names `/usr/bin/no-such-shell`, which does not exist
             help: name an interpreter that exists in the sandbox, such as `/bin/sh`
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
}

#[test]
fn a_missing_output_is_an_error() {
    let project = script("touch out.text");
    project.edit(
        "step.libsonnet",
        "'./out.txt'",
        "'./out.txt', doc: './doc/', list: ['./a', './b']",
    );
    check(
        project,
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `a` was declared as an output but does not exist
          | `b` was declared as an output but does not exist
          | `doc` was declared as an output but does not exist
          | `out.txt` was declared as an output but does not exist
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn a_file_in_place_of_a_declared_directory_is_an_error() {
    let project = script("touch out");
    project.edit("step.libsonnet", "'./out.txt'", "'./out/'");
    check(
        project,
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `out` was declared as a directory but is something else
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn an_output_that_is_a_pipe_is_an_error() {
    check(
        script("mkfifo out.txt"),
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `out.txt` is a named pipe, which cannot be an output
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn an_absolute_output_link_is_an_error() {
    check(
        script("ln -s /etc/passwd out.txt"),
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `out.txt` is a link to `/etc/passwd`, which is not part of the outputs
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn a_relative_output_link_out_of_the_tree_is_an_error() {
    let project = script("mkdir out; ln -s ../../x out/link");
    project.edit("step.libsonnet", "'./out.txt'", "'./out/'");
    check(
        project,
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `out/link` is a link to `../../x`, which is not part of the outputs
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn an_output_outside_the_working_directory_is_an_error() {
    let project = script("touch ../out.txt");
    project.edit("step.libsonnet", "'./out.txt'", "'./../out.txt'");
    check(
        project,
        5,
        expect![[r#"
        error: `./../out.txt` leaves the package through `..`
         --> step.libsonnet:4:41
          |
        4 |     outputs=function(wake, pkg) { text: './../out.txt' },
          |                                         ^^^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn an_output_inside_another_output_is_accepted() {
    let project = script("mkdir out; echo x > out/x");
    project.edit("step.libsonnet", "'./out.txt'", "'./out/', x: './out/x'");
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "out/x"), "x\n");
}

#[test]
fn a_nonzero_exit_code_fails_the_step() {
    check(
        script("echo working; echo 'cannot go on' >&2; exit 3"),
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 3, [TIME])  ./step.sh
          | standard output:
          | working
          | standard error:
          | cannot go on
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn a_signal_fails_the_step() {
    check(
        script("kill -SEGV $$"),
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (signal 11, [TIME])  ./step.sh
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn exceeding_the_time_limit_fails_the_step() {
    let project = project().step_with("m", "sleep 600", "timeout=1").build();
    check(
        project,
        12,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (time limit, [TIME])  ./step.sh
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn exceeding_the_memory_limit_fails_the_step() {
    let python = "exec python3 -c 'b = bytearray(1 << 30); b[::4096] = b\"x\" * (1 << 18)'";
    let project = project().step_with("m", python, "resources={ memory: 67108864 }").build();
    check(
        project,
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (memory limit, [TIME])  ./step.sh
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn invalid_resources_are_an_error() {
    for (resources, expected) in [
        (
            "{ cpu: 2 }",
            expect![[r#"
                error: unknown key `cpu` in `resources` of exec()
                 --> step.libsonnet:5:45
                  |
                5 |     exec=wake.exec('./step.sh', resources={ cpu: 2 })
                  |                                             ^^^ did you mean `cpus`?
                  = note: module() is called at step.libsonnet:2:3
                [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
            "#]],
        ),
        (
            "{ cpus: 0.5 }",
            expect![[r#"
                error: `resources` of exec() must have a whole number from 1 as `cpus`
                 --> step.libsonnet:5:51
                  |
                5 |     exec=wake.exec('./step.sh', resources={ cpus: 0.5 })
                  |                                                   ^^^
                  = note: module() is called at step.libsonnet:2:3
                [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
            "#]],
        ),
        (
            "{ memory: 'lots' }",
            expect![[r#"
                error: `resources` of exec() must have bytes or a string such as '512MiB' as `memory`
                 --> step.libsonnet:5:53
                  |
                5 |     exec=wake.exec('./step.sh', resources={ memory: 'lots' })
                  |                                                     ^^^^^^
                  = note: module() is called at step.libsonnet:2:3
                [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
            "#]],
        ),
        (
            "{ scratch: 'tape' }",
            expect![[r#"
                error: `resources` of exec() must have 'memory' or 'disk' as `scratch`
                 --> step.libsonnet:5:54
                  |
                5 |     exec=wake.exec('./step.sh', resources={ scratch: 'tape' })
                  |                                                      ^^^^^^
                  = note: module() is called at step.libsonnet:2:3
                [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
            "#]],
        ),
    ] {
        let exec = format!("resources={resources}");
        let project = project().step_with("m", "touch out.txt", &exec).build();
        check(project, 5, expected);
    }
}

#[test]
fn every_kind_of_resource_is_accepted() {
    let resources = "resources={ cpus: 1000, memory: '512 MiB', scratch: 'disk' }";
    let script = "stat -c %d . > out.txt";
    let is_on_disk = |exec: &str| {
        let project = project().step_with("m", script, exec).build();
        project.build(&[]);
        let store = std::fs::metadata(project.store()).unwrap();
        let device = std::os::unix::fs::MetadataExt::dev(&store).to_string();
        project.result_text("//:m", "out.txt").trim() == device
    };
    assert!(is_on_disk(resources));
    assert!(!is_on_disk(""));
}

/// Each step takes both slots, so the second starts after the first has slept.
#[test]
fn steps_that_take_all_slots_run_one_at_a_time() {
    let step = |name: &str| {
        format!(
            "function(wake, pkg) wake.module('{name}', pkgFiles=['./step.sh'],\n  \
             outputs=function(wake, pkg) {{ text: './out.txt' }},\n  \
             exec=wake.exec('./step.sh', args=['{name}'], resources={{ cpus: 2 }}))"
        )
    };
    let project = project()
        .pkg("files=['./step.sh'], modules={ a: './a.libsonnet', b: './b.libsonnet' }")
        .script("step.sh", "#!/bin/sh\nsleep 0.5; touch out.txt\n")
        .file("a.libsonnet", &step("a"))
        .file("b.libsonnet", &step("b"))
        .build();
    let run = project.wake(["--message-format", "json", "-j2", "build"]).run().success();
    let build = run.events();
    let times: Vec<u64> =
        build.of_kind("action.started").map(|event| event["t_ms"].as_u64().unwrap()).collect();
    assert!(times.len() == 2 && times[1] >= times[0] + 500, "{times:?}");
}

#[test]
fn the_output_of_a_command_cannot_control_the_terminal() {
    let run = script("printf 'a\\033[2Jb\\007c\\rd\\n' >&2; exit 1").wake(["build"]).run().code(1);
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\u{7}'), "{run}");
    run.mentions("a").mentions("b");
}

#[test]
fn the_whole_log_is_kept_but_only_its_end_is_shown() {
    let project = script("seq 1 5000; exit 1");
    let run = project.wake(["build"]).run().code(1);
    assert!(run.stderr.contains("5000") && !run.stderr.contains("\n1\n"), "{run}");
    let log = project.wake(["log", "-o", "//:m"]).run().success();
    let expected: String = (1..=5000).map(|n| format!("{n}\n")).collect();
    assert_eq!(log.stdout, expected);
}

#[test]
fn a_failed_step_publishes_nothing_and_is_rerun() {
    let project = script("echo half > out.txt; exit 1");
    project.wake(["build"]).run().code(1);
    assert!(!project.result("//:m", "out.txt").exists());
    let again = project.json_build(&[]).run().code(1).events();
    assert_eq!(again.failed(), ["//:m"]);
}

#[test]
fn keep_going_runs_independent_steps_after_a_failure() {
    let module = |name: &str, rest: &str| {
        format!("{rest} outputs=function(wake, pkg) {{ x: './x' }}, exec=wake.exec('./{name}.sh')")
    };
    let project = project()
        .pkg(
            "files=wake.dir('./*.sh'),\n    modules={ [m]: './%s.libsonnet' % m for m in ['bad', 'after', 'good'] }",
        )
        .script("bad.sh", "#!/bin/sh\nexit 1\n")
        .script("after.sh", "#!/bin/sh\ntouch x\n")
        .script("good.sh", "#!/bin/sh\nsleep 1; touch x\n")
        .module("bad.libsonnet", "bad", &module("bad", ""))
        .module("after.libsonnet", "after", &module("after", "modules={ bad: pkg.modules.bad() },"))
        .module("good.libsonnet", "good", &module("good", ""))
        .build();
    let run = project.json_build(&["-k"]).run().code(1).events();
    assert_eq!(run.failed(), ["//:bad"]);
    assert_eq!(run.skipped(), ["//:after"]);
    assert_eq!(run.ran(), ["//:good"]);
}

#[test]
fn no_step_is_started_after_a_failure() {
    let exec = "outputs=function(wake, pkg) { x: './x' }, exec=wake.exec('./%.sh')";
    let files = "files=wake.dir('./*.sh'),\n    modules={ [m]: './%s.libsonnet' % m for m in ['a', 'b', 'c', 'd'] }";
    let mut project = project().pkg(files).script("a.sh", "#!/bin/sh\nsleep 0.2\nexit 1\n");
    for name in ["a", "b", "c", "d"] {
        project =
            project.module(&format!("{name}.libsonnet"), name, &exec.replace('%', name)).script(
                &format!("{name}.sh"),
                if name == "a" { "#!/bin/sh\nexit 1\n" } else { "#!/bin/sh\ntouch x\n" },
            );
    }
    let project = project.build();
    let run = project.json_build(&["-j1"]).run().code(1).events();
    // Any of them may be first; those that were prepared meanwhile are not started.
    let times = |label: &str| {
        let of = |kind: &'static str| run.of_kind(kind).find(|event| event["label"] == label);
        let begun = of("action.started").map(|event| event["t_ms"].as_u64().unwrap());
        (begun, of("action.finished").unwrap()["status"].as_str().unwrap().to_owned())
    };
    let (failed_at, status) = times("//:a");
    assert_eq!(status, "failed");
    for other in ["//:b", "//:c", "//:d"] {
        let (begun, status) = times(other);
        match status.as_str() {
            "ran" => assert!(begun <= failed_at, "{other} started after the failure"),
            other => assert_eq!(other, "aborted"),
        }
    }
}

/// A module with these outputs, whose script writes `out.txt`.
fn with_outputs(outputs: &str) -> Project {
    let project = script("mkdir -p d; echo made >out.txt; cp out.txt d/one");
    project.edit("step.libsonnet", "{ text: './out.txt' }", outputs);
    project
}

#[test]
fn an_output_path_without_dot_slash_is_an_error() {
    check(
        with_outputs("{ text: 'out.txt', list: ['d/one'] }"),
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])  ./step.sh
          | `d/one` was created by the command, but the output that names it is plain text: write `./d/one`
          | `out.txt` was created by the command, but the output that names it is plain text: write `./out.txt`
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn output_texts_that_name_existing_paths_are_accepted() {
    for outputs in [
        "{ text: './out.txt', name: 'out.txt' }",
        "{ dir: './d/', main: 'd/one' }",
        "{ file: './d/one', dir: 'd' }",
        "{ script: 'step.sh', flags: ['-lm', '', '.', '/out.txt', '../out.txt'] }",
    ] {
        with_outputs(outputs).build(&[]);
    }
}
