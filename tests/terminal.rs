//! What is written to which stream, and exit codes.

#![allow(clippy::unwrap_used)]

use std::fs;

use wake_tests::{AtTerminal, Project, expect, project};

fn one() -> Project {
    project().step("m", "echo hello; touch out.txt").build()
}

#[test]
fn the_full_output_without_a_terminal() {
    let project = one();
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] Finished 1 action in [TIME]
    "#]]);
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] Finished 1 action, all cached, in [TIME]
    "#]]);
}

#[test]
fn the_full_output_of_a_failure() {
    let project = project().step("m", "echo first; echo then >&2; exit 2").build();
    project.wake(["build"]).run().code(1).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 2, [TIME])  ./step.sh
          | standard output:
          | first
          | standard error:
          | then
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]]);
}

#[test]
fn only_results_go_to_standard_output() {
    let project = one();
    assert_eq!(project.wake(["build"]).run().success().stdout, "");
    let printed = project.wake(["build", "--print"]).run().success();
    let path = printed.stdout.trim_end();
    assert!(
        !path.contains('\n') && std::path::Path::new(path).join("out.txt").is_file(),
        "{printed}"
    );
}

#[test]
fn without_a_terminal_there_are_no_escape_sequences() {
    let project = one();
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("LANG", "C")] {
        let run = project.wake(["build", "--rebuild"]).env(name, value).run().success();
        assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\r'), "{name}: {run}");
    }
}

#[test]
fn colour_can_be_forced() {
    let project = one();
    let forced = project.wake(["--color", "always", "build"]).run().success();
    assert!(forced.stderr.contains("\u{1b}["), "{forced}");
    let never =
        project.wake(["--color", "never", "build"]).env("CLICOLOR_FORCE", "1").run().success();
    assert!(!never.stderr.contains('\u{1b}'), "{never}");
}

#[test]
fn json_events_are_numbered_and_complete() {
    let project = one();
    let run = project.json_build(&[]).run().success();
    let build = run.events();
    let numbers: Vec<u64> =
        build.events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    assert_eq!(build.events.first().unwrap()["kind"], "started");
    assert_eq!(build.events.last().unwrap()["kind"], "finished");
    let announced: Vec<_> = build.of_kind("target.announced").map(|event| &event["id"]).collect();
    let finished: Vec<_> = build.of_kind("action.finished").map(|event| &event["id"]).collect();
    assert_eq!(announced, finished);
}

#[test]
fn version_prints_only_the_version() {
    let run = project().build().wake(["--version"]).run().success();
    assert!(run.stdout.starts_with("wake ") && run.stdout.lines().count() == 1, "{run}");
}

#[test]
fn exit_codes_match_the_kind_of_failure() {
    let check = |project: Project, args: &[&str], code: i32| {
        project.wake(args.iter().copied()).run().code(code);
    };
    check(one(), &["build"], 0);
    check(project().step("m", "exit 9").build(), &["build"], 1);
    check(one(), &["build", "--no-such-flag"], 2);
    check(one(), &["build", "nowhere"], 2);
    check(project().file("PKG.libsonnet", "1 +").build(), &["build"], 5);
    check(project().step_with("m", "sleep 60", "timeout=1").build(), &["build"], 12);
}

#[test]
fn run_passes_on_arguments_and_exit_code() {
    let script = "printf '#!/bin/sh\\necho \"$@\"\\nexit 7\\n' > out.txt; chmod +x out.txt";
    let project = project().step("m", script).build();
    let run = project.wake(["run", ":m", "--", "a b", "-c"]).run().code(7);
    assert_eq!(run.stdout, "a b -c\n");
}

#[test]
fn run_without_a_program_is_an_error() {
    let project = one();
    let run = project.wake(["run", ":m"]).run();
    assert_eq!(run.code, 126, "{run}");
}

#[test]
fn init_writes_a_package_that_builds() {
    let project = project().build();
    project.wake(["init", "--name", "fresh"]).run().success();
    let ran = project.wake(["run", ":hello"]).run().success();
    assert_eq!(ran.stdout, "Hello from fresh.\n");
    project.wake(["test"]).run().success();
    project.edit("hello.libsonnet", "'Hello'", "'Bye'");
    project.wake(["test"]).run().code(3).mentions("it says: Bye from fresh.");
    // It does not overwrite existing files.
    let again = project.wake(["init"]).run();
    assert_ne!(again.code, 0);
}

#[test]
fn every_command_has_help() {
    let project = project().build();
    for command in [
        "build",
        "run",
        "shell",
        "exec",
        "query",
        "affected",
        "plan",
        "why",
        "graph",
        "log",
        "ls",
        "eval",
        "init",
        "tree",
        "add",
        "remove",
        "lock",
        "update",
        "publish",
        "yank",
        "registry",
        "gc",
        "store",
        "doctor",
        "completions",
    ] {
        let help = project.wake([command, "--help"]).run().success();
        assert!(help.stdout.contains("Usage"), "{help}");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let project = one();
    let script = "\"$0\" --message-format json build | head -c 1 >/dev/null";
    project.wake([] as [&str; 0]).wrapper(["sh", "-c", script]).run().success().says(expect![[""]]);
}

#[test]
fn eval_prints_json() {
    let project = one();
    let run = project.wake(["eval", "{ b: 1 + 1, a: std.length('ü') }"]).run().success();
    let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value, serde_json::json!({ "a": 1, "b": 2 }));
}

/// Two independent steps, each of which last took this many minutes.
fn slow_once(minutes: u64) -> Project {
    let modules = "files=['./step.sh'], modules={ a: './a.libsonnet', b: './b.libsonnet' }";
    let rest =
        "outputs=function(wake, pkg) { text: './out.txt' },\n    exec=wake.exec('./step.sh')";
    let project = project()
        .pkg(modules)
        .module("a.libsonnet", "a", &format!("metadata={{ n: 1 }}, {rest}"))
        .module("b.libsonnet", "b", &rest.replace("'./step.sh'", "'./step.sh', env={ B: '1' }"))
        .script("step.sh", "#!/bin/sh\ntouch out.txt\n")
        .build();
    project.build(&[]);
    let history = project.read(".wake/state/history");
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.len() == 4 {
            words[2] = (minutes * 60_000).to_string();
        }
        words.join(" ") + "\n"
    };
    let slower: String = history.lines().map(line).collect();
    assert_eq!(slower.matches(&format!(" {} //:", minutes * 60_000)).count(), 2, "{slower}");
    project.write(".wake/state/history", slower);
    // The snapshot has the durations of its own steps; without it they come from the history.
    for entry in std::fs::read_dir(project.path(".wake/state")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("snapshot") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    std::fs::remove_dir_all(project.store().join("state")).unwrap();
    // Long enough for the bar to be drawn even on a slow machine.
    project.write_script("step.sh", "#!/bin/sh\nsleep 1; echo again > out.txt\n");
    project
}

/// The minutes in the first estimate.
#[track_caller]
fn estimate(run: &AtTerminal) -> u64 {
    let bars = run.bars();
    let first = bars.iter().find_map(|bar| bar.split_once("eta ~")).map(|(_, eta)| eta);
    let eta = first.unwrap_or_else(|| panic!("no estimate in {bars:?}"));
    eta.split('m').next().unwrap().parse().unwrap()
}

#[test]
fn the_bar_estimates_from_past_durations() {
    let run = slow_once(30).wake(["build", "-j", "2"]).at_terminal(100, 24);
    assert_eq!(run.code, 0, "{}", run.shown);
    // Both run concurrently, so not the sum.
    assert!((20..=30).contains(&estimate(&run)), "{:?}", run.bars());
    // At the end the bar is erased, and only the log remains.
    let end = run.text().rsplit("\u{1b}[J").next().unwrap().to_owned();
    assert!(end.contains("    Finished 2 actions in ") && !end.contains("Building"), "{end:?}");
}

#[test]
fn the_estimate_respects_the_jobs_setting_of_the_workspace() {
    let project = slow_once(25);
    project.write("wake.toml", "[build]\njobs = 1\n");
    let run = project.wake(["build"]).at_terminal(100, 24);
    // One after the other.
    assert!((40..=50).contains(&estimate(&run)), "{:?}", run.bars());
}

#[test]
fn a_step_with_a_changed_input_keeps_its_past_duration() {
    let project = one();
    project.build(&[]);
    project.edit("step.sh", "echo hello", "echo again");
    let build = project.build(&[]);
    let announced: Vec<_> = build.of_kind("target.announced").collect();
    assert!(announced.len() == 1 && announced[0]["usual_ms"].is_u64(), "{announced:?}");
}

#[test]
fn without_past_durations_there_is_no_estimate() {
    let project = project().step("m", "sleep 1; touch out.txt").build();
    let run = project.wake(["build"]).at_terminal(100, 24);
    assert_eq!(run.code, 0, "{}", run.shown);
    let bars = run.bars();
    assert!(!bars.is_empty() && bars.iter().all(|bar| !bar.contains("eta")), "{bars:?}");
}

/// Characters that move the cursor, retitle the window or change the reading order, except wake's own colours.
fn steering(shown: &AtTerminal) -> Vec<char> {
    let is_one = |c: &char| {
        (c.is_control() && !matches!(c, '\r' | '\n' | '\t'))
            || ('\u{202a}'..='\u{202e}').contains(c)
    };
    shown.text().chars().filter(is_one).collect()
}

#[test]
fn s18_text_of_a_package_cannot_control_the_terminal() {
    let evil = "a\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\u{202e}";
    let project = project()
        .pkg("")
        .pkg_at(evil, "q", "files=['./s'], modules={ m: './m' }")
        .module(
            &format!("{evil}/m"),
            "m",
            "outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./s')",
        )
        .script(
            &format!("{evil}/s"),
            "#!/bin/sh\nprintf '\\033]0;x\\007\\302\\233' | tee o; exec >&2; cat o\n",
        )
        .build();
    project.wake(["build", "//..."]).run().success();
    let printed = project.wake(["build", "--print", "//..."]).run().success();
    assert!(
        printed.stdout.contains(evil),
        "without a terminal, a path is printed unchanged: {printed}"
    );
    let digest = project.wake(["build", "--print", "//..."]).run().stdout;
    let file = format!("{}/o", digest.trim_end());
    let calls: [&[&str]; 16] = [
        &["build", "--print", "//..."],
        &["build", "--rebuild", "//..."],
        &["--message-format", "json", "build", "//..."],
        &["ls", "//..."],
        &["ls", "--json", "//..."],
        &["plan", "//..."],
        &["plan", "--format", "json", "//..."],
        &["why", "//..."],
        &["graph", "//..."],
        &["log"],
        &["log", "--records"],
        &["log", "--critical-path"],
        &["log", "-o", "//..."],
        &["log", "--run", "0", "--json"],
        &["eval", "['\\u009b2J', '\\u202e', '\\u001b[2J']"],
        &["eval", "--file", "nothing\u{9b}"],
    ];
    for args in calls {
        let shown = project.wake(["--progress", "plain", "--color", "always"]).args(args);
        let shown = shown.at_terminal_throughout(200, 50);
        assert_eq!(steering(&shown), [], "{args:?}: {}", shown.text().escape_debug());
        assert!(!shown.text().is_empty(), "{args:?}");
    }
    assert!(std::path::Path::new(&file).exists());
    // Errors about arguments stay on their line, too.
    fs::write(
        project.path("f\u{9b}2J.json"),
        r#"{"formula": {"inputs": {}, "action": {"exec": ["/x"]}, "outputs": {}}, "context": {}}"#,
    )
    .unwrap();
    for args in
        [&["formula", "check", "f\u{9b}2J.json"][..], &["init", "new\u{9b}2J", "--name", "new"]]
    {
        let shown = project.wake(args).at_terminal_throughout(200, 50);
        assert_eq!(steering(&shown), [], "{args:?}: {}", shown.text().escape_debug());
        assert_eq!(shown.code, 0, "{}", shown.text().escape_debug());
    }
}

#[test]
fn json_on_a_terminal_has_the_same_values() {
    let project = one();
    let text = r#"{ "a\u009b": ["\u202e", "plain", "\u001b"] }"#;
    let args = ["eval", text];
    let elsewhere: serde_json::Value =
        serde_json::from_str(&project.wake(args).run().success().stdout).unwrap();
    let shown = project.wake(args).at_terminal_throughout(200, 50);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&shown.shown).unwrap(), elsewhere);
}

#[test]
fn events_that_cannot_be_written_are_an_error() {
    let project = one();
    for _ in ["built", "all cached"] {
        let mut command = project.json_build(&[]).command();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(10));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said,
            "error: cannot write events to standard output: No space left on device (os error 28)\n"
        );
    }
    // A reader that closes the pipe has what it wanted: `wake … | head`.
    let project = one();
    let mut command = project.json_build(&[]).command();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
