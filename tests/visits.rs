//! `wake shell` and `wake exec`: a user's command in the sandbox of a step.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::Stdio;

use wake_tests::{Project, expect, has_busybox, project};

/// A module with a dependency, a file, a variable and a config.
fn two() -> Project {
    project()
        .pkg("files=['./step.sh', './words'], modules={ m: './m.libsonnet', n: './n.libsonnet' }")
        .module("n.libsonnet", "n", "outputs=function(wake, pkg) { o: './made' }, exec=wake.exec('./step.sh', args=['made'])")
        .module(
            "m.libsonnet",
            "m",
            "modules={ n: pkg.modules.n({}) }, inputs=function(wake, module) { o: module.modules.n.outputs.o }, outputs=function(wake, pkg) { o: './out' },
            exec=wake.exec('./step.sh', args=['out'], env={ COLOUR: 'red' })",
        )
        .file("words", "hello\n")
        .script("step.sh", "#!/bin/sh\nset -eu\ncat words > \"$1\"\n")
        .build()
}

/// Runs a call with this standard input.
fn fed(project: &Project, args: &[&str], input: &str) -> wake_tests::Finished {
    let call = project.wake(args);
    let mut child = call.command().stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    call.finished(child.wait_with_output().unwrap())
}

#[test]
fn a_command_sees_what_the_step_sees_and_leaves_nothing() {
    let project = two();
    let seen = "pwd; echo $COLOUR; cat words; find .wake -name made; echo changed > words; touch left; cat words";
    let run = project.wake(["exec", ":m", "--", "sh", "-c", seen]).run().success();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[..3], ["/work", "red", "hello"], "{run}");
    assert!(lines[3].ends_with("/made"), "{run}");
    assert_eq!(project.read("words"), "hello\n");
    assert!(!project.path("left").exists());
    // Its dependencies have been built, but the step itself has not.
    assert_eq!(project.build(&[":m"]).ran(), ["//:m"]);
}

#[test]
fn exec_exits_with_the_code_of_the_command() {
    let project = two();
    let code = |args: &[&str]| project.wake(["exec", ":m", "--"]).args(args).run().code;
    assert_eq!(code(&["sh", "-c", "exit 7"]), 7);
    assert_eq!(code(&["sh", "-c", "kill -9 $$"]), 137);
    assert_eq!(code(&["./words"]), 126);
    assert_eq!(code(&["./none"]), 127);
    project.wake(["exec", ":m", "--", "no-such-program"]).run().code(127).says(expect![[r#"
        [TIME] Finished 1 action, all cached, in [TIME]
        error: //:m: `no-such-program` not found in the `PATH` of its command
         help: give its path; the sandbox contains the step's inputs and its root file system
    "#]]);
    project.edit("step.sh", "cat", "exit 3; cat");
    assert_eq!(code(&["true"]), 125);
}

#[test]
fn standard_streams_are_passed_through() {
    let project = two();
    let run = fed(&project, &["exec", ":m", "--", "sh", "-c", "cat; echo error >&2"], "given\n");
    assert_eq!((run.code, run.stdout.as_str()), (0, "given\n"), "{run}");
    assert!(run.stderr.ends_with("error\n"), "{run}");
    let by_name = "echo out >/dev/stdout; echo error >/dev/stderr";
    let run = project.wake(["exec", ":m", "--", "sh", "-c", by_name]).run().success();
    assert!(run.stdout == "out\n" && run.stderr.ends_with("error\n"), "{run}");
}

#[test]
fn unused_input_is_not_consumed() {
    let project = two();
    project.build(&[":m"]);
    let call = project.wake(["exec", ":m", "--", "true"]);
    let program = call.command().get_program().to_owned();
    let script = "\"$0\" -q exec :m -- head -c 0; \"$0\" -q exec :m -- true; cat";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).arg(program).env("WAKE_STORE", project.store());
    shell.current_dir(project.root()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"rest\n").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"rest\n");
}

#[test]
fn output_to_one_file_keeps_its_order() {
    let project = two();
    let both = "i=0; while [ $i -lt 50 ]; do echo out $i; echo error $i >&2; i=$((i + 1)); done";
    let call = project.wake(["-q", "exec", ":m", "--", "sh", "-c", both]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = call.command();
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let expected: String = (0..50).map(|i| format!("out {i}\nerror {i}\n")).collect();
    assert_eq!(text, expected);
}

#[test]
fn only_one_module_can_be_entered() {
    let project = two();
    project.wake(["exec", "--", "true"]).run().code(2).mentions(
        "error: only one module can be entered at a time, and the target names 2\n help: name one of //:m, //:n\n",
    );
    project.wake(["exec", ":o", "--", "true"]).run().code(2).mentions("has no module `o`");
}

#[test]
fn a_module_without_a_command_cannot_be_entered() {
    let project = project()
        .pkg("files=['./words'], modules={ m: './m.libsonnet' }")
        .module("m.libsonnet", "m", "outputs=function(wake, pkg) { o: './words' }")
        .file("words", "")
        .build();
    let run = project.wake(["shell", ":m"]).run().code(2);
    run.mentions("error: //:m does not run a command: it only collects files");
}

#[test]
fn shell_reads_commands_from_standard_input() {
    let project = two();
    let run = fed(&project, &["shell", ":m"], "echo $COLOUR\nexit 5\n").code(5);
    assert_eq!(run.stdout, "red\n");
    run.mentions(
        "Entering //:m, whose command is `./step.sh out`; changes made here are discarded",
    );
}

#[test]
fn a_root_without_a_shell_is_an_error() {
    if !has_busybox("a_root_without_a_shell_is_an_error") {
        return;
    }
    let project = project()
        .pkg("files=['./step.sh', wake.dir('root')], modules={ m: './m.libsonnet' }")
        .module(
            "m.libsonnet",
            "m",
            "pkgFiles=['./step.sh'], outputs=function(wake, pkg) { o: './out' }, exec=wake.exec('./step.sh', rootfs='./root')",
        )
        .script("step.sh", "#!/bin/ls\n")
        .build();
    project.busybox_root("root", &["ls"]);
    project.wake(["shell", ":m"]).run().code(127).says(expect![[r#"
            Entering //:m, whose command is `./step.sh`; changes made here are discarded
        error: //:m: its root file system has neither `bash` nor `sh`
         help: run a program that it has: `wake exec TARGET -- PROGRAM`
    "#]]);
    let run = project.wake(["exec", ":m", "--", "/bin/ls", "/bin"]).run().success();
    assert_eq!(run.stdout, "busybox\nls\n");
}

#[test]
fn after_runs_among_the_files_left_by_the_command() {
    let project = two();
    let run = project.wake(["exec", "--after", ":m", "--", "cat", "out"]).run().success();
    assert_eq!(run.stdout, "hello\n");
    run.mentions("Running //:m  ./step.sh out\n").mentions("Ended //:m  exit 0\n");
}

#[test]
fn failed_enters_the_step_that_failed_last() {
    let project = project().step("m", "echo half > out.txt; echo why >&2; exit 4").build();
    project.wake(["shell", "--failed"]).run().code(4).mentions("no step has failed");
    project.wake(["build"]).run().code(1);
    let run = fed(&project, &["shell", "--failed"], "cat out.txt\n").success();
    assert_eq!(run.stdout, "half\n");
    run.mentions("why\n").mentions("Ended //:m  exit 4\n");
}

#[test]
fn a_step_with_an_unusable_program_can_be_entered() {
    let project = project().step("m", "true").build();
    project.write_script("step.sh", "#!/no/such/shell\n");
    project.wake(["build"]).run().code(1);
    let run = fed(&project, &["shell", "--after", ":m"], "head -n 1 step.sh\n").success();
    assert_eq!(run.stdout, "#!/no/such/shell\n");
    run.mentions("Ended //:m  `./step.sh` could not be started: No such file or directory");
}

#[test]
fn a_shell_on_a_terminal_has_job_control() {
    let project = two();
    let mut typing = project.wake(["shell", ":m"]).typing(90, 33);
    typing.wait_for("$ ").types("stty size; echo $TERM\n").wait_for("33 90").wait_for("xterm");
    typing.wait_for("$ ").types("echo on $((6 * 7)) >/dev/tty\n").wait_for("on 42");
    // Ctrl-C goes to the command in the shell.
    let long = "sh -c 'echo in $((6 * 7)); exec sleep 1000' && echo never\n";
    typing.wait_for("$ ").types(long).wait_for("in 42").types("\x03");
    typing.wait_for("$ ").types("echo still $((6 * 7))\n").wait_for("still 42");
    typing.types("exit 6\n");
    assert_eq!(typing.code(), 6);
}

#[test]
fn background_processes_are_killed_at_the_end() {
    let project = two();
    let run = project.wake(["exec", ":m", "--", "sh", "-c", "sleep 1000 & echo started"]).run();
    assert_eq!(run.success().stdout, "started\n");
}
