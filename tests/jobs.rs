//! `wake job`: codespecs run on this machine, with streams through named pipes.

#![allow(clippy::unwrap_used)]

#[path = "jobs/broken_streams.rs"]
mod broken_streams;
#[path = "jobs/made.rs"]
mod made;
#[path = "jobs/weak_sandbox.rs"]
mod weak_sandbox;
#[path = "jobs/workers.rs"]
mod workers;

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;
use wake_tests::{Expect, Finished, Project, Wake, expect, has_program, is_root, project, skip};

/// A run of a shell script; `rest` is appended to the document.
fn run(buffers: &str, script: &str, rest: &str) -> String {
    let script: String = script.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "job:\n  codespec:\n    image: registry.example.org/none\n    buffers: {buffers}\n    command:\n      - sh\n      - -ec\n      - |\n{script}{rest}"
    )
}

const ONE_EACH: &str = "{inputs: [input], outputs: [output]}";

fn job(project: &Project, args: &[&str]) -> Wake {
    project.wake(["job"].iter().chain(args))
}

/// `wake job exec` on this machine's system directories, with this standard input.
fn exec(project: &Project, input: &[u8], args: &[&str]) -> Finished {
    let wake = job(project, &[&["exec", "--rootfs", "host"], args].concat());
    let mut child = wake.command().stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A job may leave its input unread.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    wake.finished(output)
}

fn buffer(project: &Project, bytes: &[u8]) -> String {
    let id = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    project.write("source", bytes);
    project.wake(["buffer", "write", &id, "-i", "source"]).run().code(0);
    id
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.stderr))
}

fn last(project: &Project) -> Value {
    json(&job(project, &["list", "-l", "1"]).run().code(0))[0].clone()
}

#[test]
fn standard_input_and_output_are_the_buffers_without_an_id() {
    let script = "tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\necho done >&2";
    let project = project().file("upper.yml", &run(ONE_EACH, script, "")).build();
    let done = exec(&project, b"hello", &["-f", "upper.yml", "--logs"]).code(0);
    assert_eq!(done.stdout, "HELLO");
    assert!(
        done.stderr
            .contains("its result will not be cached because `input` is read from standard input"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.ends_with("done\n"), "{}", done.stderr);
    let shown = last(&project);
    assert_eq!((&shown["status"], &shown["remembered"]), (&"Succeeded".into(), &false.into()));
    let id = shown["id"].to_string();
    assert_eq!(job(&project, &["logs", &id]).run().code(0).stdout, "done\n");
    assert_eq!(job(&project, &["watch", &id]).run().code(0).stdout.lines().count(), 1);
}

#[test]
fn a_job_with_complete_inputs_is_remembered() {
    // Its output differs each time it runs.
    let script =
        "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\nhead -c 16 /dev/urandom > \"$OUTPUT_PIPE\"";
    let project = project().file("random.yml", &run(ONE_EACH, script, "")).build();
    let (one, equal, other) =
        (buffer(&project, b"x"), buffer(&project, b"x"), buffer(&project, b"y"));
    let made = |args: &[&str]| {
        let all = [&["run", "--rootfs", "host", "-f", "random.yml"], args].concat();
        let shown = json(&job(&project, &all).run().code(0));
        let output = shown["job"]["buffers"]["output"].as_str().unwrap().to_owned();
        let content = json(&project.wake(["buffer", "show", &output]).run().code(0));
        (shown["remembered"].as_bool().unwrap(), content["contentId"].as_str().unwrap().to_owned())
    };
    let by = |id: &str| format!("input={id}");
    let first = made(&["-b", &by(&one)]);
    assert!(!first.0);
    // With another buffer of equal bytes it is the same job.
    assert_eq!(made(&["-b", &by(&equal)]), (true, first.1.clone()));
    assert!(!made(&["-b", &by(&other)]).0);
    let again = made(&["-b", &by(&one), "--rerun"]);
    assert!(!again.0 && again.1 != first.1);
    let exec = exec(&project, b"", &["-f", "random.yml", "-b", &by(&one)]).code(0);
    assert!(exec.stderr.contains("Cached"), "{}", exec.stderr);
}

#[test]
fn a_job_whose_input_is_gone_fails() {
    let script = "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let project = project().file("copy.yml", &run(ONE_EACH, script, "")).build();
    let id = format!("input={}", buffer(&project, b"bytes"));
    let exec = || exec(&project, b"", &["-f", "copy.yml", "-b", &id]).code(0);
    assert_eq!(exec().stdout, "bytes");
    fs::remove_dir_all(project.store().join("blob")).unwrap();
    let input = job(&project, &["exec", "--rootfs", "host", "-f", "copy.yml", "-b", &id]).run();
    // Its input is gone as well, which is an error rather than an empty input.
    assert!(input.stderr.contains("is missing or damaged"), "{}", input.stderr);
    assert_eq!(input.stdout, "");
    assert_eq!(last(&project)["status"], "Failed");
}

#[test]
fn a_remembered_job_whose_output_is_gone_runs_again() {
    let script = "tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\necho more > \"$OTHER_PIPE\"";
    let both = "{inputs: [input], outputs: [output, other]}";
    let project = project().file("upper.yml", &run(both, script, "")).build();
    let id = format!("input={}", buffer(&project, b"bytes"));
    let made = || {
        let all = ["run", "--rootfs", "host", "-f", "upper.yml", "-b", &id];
        let shown = json(&job(&project, &all).run().code(0));
        for (name, bytes) in [("output", "BYTES"), ("other", "more\n")] {
            let buffer = shown["job"]["buffers"][name].as_str().unwrap();
            assert_eq!(project.wake(["buffer", "read", buffer]).run().code(0).stdout, bytes);
            let kept = json(&project.wake(["buffer", "show", buffer]).run().code(0));
            assert_eq!(kept["tags"]["bufferName"], name);
        }
        shown["remembered"].as_bool().unwrap()
    };
    assert!(!made() && made());
    for bytes in ["BYTES", "more\n"] {
        assert_eq!(forget(&project.store().join("blob"), bytes), 1);
        // If one is missing, both are written again.
        assert!(!made() && made());
    }
}

/// Removes the files below a directory that hold these bytes, and returns their number.
fn forget(dir: &std::path::Path, bytes: impl AsRef<[u8]>) -> usize {
    let bytes = bytes.as_ref();
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let removed = |path: std::path::PathBuf| match path.is_dir() {
        true => forget(&path, bytes),
        false if fs::read(&path).unwrap() == bytes => {
            fs::remove_file(path).unwrap();
            1
        }
        false => 0,
    };
    paths.map(removed).sum()
}

#[test]
fn a_job_that_exceeds_its_memory_limit_is_ended() {
    // `tail` keeps an unfinished line in memory.
    let script = "head -c \"$SIZE\" /dev/zero | tail -n 1 | wc -c > \"$OUTPUT_PIPE\"";
    let limited = |limit: &str, size: &str| {
        let rest =
            format!("    env: {{SIZE: {size}}}\n    resources: {{limits: {{memory: {limit}}}}}\n");
        run("{outputs: [output]}", script, &rest)
    };
    let project = project()
        .file("much.yml", &limited("64Mi", "400M"))
        .file("little.yml", &limited("64Mi", "8M"))
        .file("more.yml", &limited("1Gi", "400M"))
        .build();
    exec(&project, b"", &["-f", "much.yml"]).code(1);
    let told = &last(&project)["statusReason"];
    assert_eq!(told, "the job exceeded its memory limit");
    for (file, bytes) in [("little.yml", 8u64 << 20), ("more.yml", 400 << 20)] {
        assert_eq!(exec(&project, b"", &["-f", file]).code(0).stdout, format!("{bytes}\n"));
    }
}

#[test]
fn unopened_pipes_are_empty() {
    let project = project().file("alone.yml", &run(ONE_EACH, "echo hello world", "")).build();
    let done = exec(&project, b"unwanted", &["-f", "alone.yml"]).code(0);
    assert_eq!(done.stdout, "");
    let id = format!("input={}", buffer(&project, &vec![7; 3 << 20]));
    let shown = json(
        &job(&project, &["run", "--rootfs", "host", "-f", "alone.yml", "-b", &id]).run().code(0),
    );
    let output = shown["job"]["buffers"]["output"].as_str().unwrap();
    let output = json(&project.wake(["buffer", "show", output]).run().code(0));
    assert_eq!((&output["state"], &output["size"]), (&"complete".into(), &0.into()));
    assert_eq!(output["tags"]["bufferName"], "output");
}

#[test]
fn pipes_can_be_reopened_and_closed_early() {
    let script = "\
head -c 3 \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"
for n in 1 2 3 4 5 6 7 8 9; do echo $n > \"$OUTPUT_PIPE\"; done
cat \"$INPUT_PIPE\" | wc -c > \"$OUTPUT_PIPE\"";
    let project = project().file("again.yml", &run(ONE_EACH, script, "")).build();
    let input = vec![b'a'; 3 << 20];
    let done = exec(&project, &input, &["-f", "again.yml"]).code(0);
    assert_eq!(done.stdout, "aaa1\n2\n3\n4\n5\n6\n7\n8\n9\n3145725\n");
}

#[test]
fn bytes_stream_through_while_both_ends_are_open() {
    let script =
        "while read line; do echo \"got $line\"; done < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let project = project().file("line.yml", &run(ONE_EACH, script, "")).build();
    let wake = job(&project, &["exec", "--rootfs", "host", "-f", "line.yml"]);
    let mut child = wake.command().stdin(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for number in 0..5 {
        writeln!(input, "{number}").unwrap();
        let mut answer = [0; 6];
        output.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("got {number}\n"));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn jobs_stream_through_a_shared_buffer() {
    let first = "while read line; do echo \"$line\"; done < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let second = "tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let project = project()
        .file("first.yml", &run(ONE_EACH, first, ""))
        .file("second.yml", &run(ONE_EACH, second, ""))
        .build();
    let between = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    let (output, input) = (format!("output={between}"), format!("input={between}"));
    let one = job(&project, &["exec", "--rootfs", "host", "-f", "first.yml", "-b", &output]);
    let two = job(&project, &["exec", "--rootfs", "host", "-f", "second.yml", "-b", &input]);
    // The second one starts before anything is written.
    let reader = two.command().stdin(Stdio::null()).spawn().unwrap();
    let mut writer = one.command().stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    assert!(writer.wait().unwrap().success());
    let done = two.finished(reader.wait_with_output().unwrap()).code(0);
    assert_eq!(done.stdout, "ONE\nTWO\n");
    assert!(done.stderr.contains("is still being written"), "{}", done.stderr);
}

#[test]
fn a_failed_job_has_a_reason_and_failed_outputs() {
    let project = project()
        .file("fails.yml", &run(ONE_EACH, "echo half > \"$OUTPUT_PIPE\"; exit 3", ""))
        .file("killed.yml", &run(ONE_EACH, "kill -9 $$$$", ""))
        .file("slow.yml", &run(ONE_EACH, "sleep 600 & sleep 600", "timeoutSeconds: 1\n"))
        .build();
    let id = buffer(&project, b"x");
    let run = |file: &str, code| {
        let input = format!("input={id}");
        job(&project, &["run", "--rootfs", "host", "-f", file, "-b", &input]).run().code(code)
    };
    let failed = json(&run("fails.yml", 1));
    assert_eq!(
        (&failed["status"], &failed["statusReason"]),
        (&"Failed".into(), &"Main exited with code 3".into())
    );
    let output = failed["job"]["buffers"]["output"].as_str().unwrap();
    assert_eq!(json(&project.wake(["buffer", "show", output]).run().code(0))["state"], "failed");
    // A failure is not remembered.
    assert_eq!(json(&run("fails.yml", 1))["remembered"], false);
    assert_eq!(json(&run("killed.yml", 1))["statusReason"], "Main was killed by signal 9");
    let slow = json(&run("slow.yml", 1));
    assert_eq!(
        (&slow["status"], &slow["statusReason"]),
        (&"Canceled".into(), &"the job exceeded its timeout".into())
    );
}

#[test]
fn cancelling_ends_all_processes_and_a_killed_process_fails_the_job() {
    let script = "echo ready > \"$OUTPUT_PIPE\"; sleep 600 & sleep 600";
    let project = project().file("long.yml", &run(ONE_EACH, script, "")).build();
    let begin = || {
        let wake = job(&project, &["exec", "--rootfs", "host", "-f", "long.yml"]);
        let mut child = wake.command().stdin(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        (child, last(&project)["id"].to_string())
    };
    let (child, id) = begin();
    assert_eq!(last(&project)["status"], "Running");
    let cancelled = json(&job(&project, &["cancel", &id]).run().code(0));
    assert_eq!(
        (&cancelled["status"], &cancelled["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
    assert!(!child.wait_with_output().unwrap().status.success());
    let again = job(&project, &["cancel", &id]).run().code(2).stderr;
    assert!(again.contains("has already ended"), "{again}");
    let (mut child, id) = begin();
    child.kill().unwrap();
    child.wait().unwrap();
    let shown = json(&job(&project, &["show", &id]).run().code(0));
    assert_eq!(
        (&shown["status"], &shown["statusReason"]),
        (&"Failed".into(), &"the process running the job ended without reporting a result".into())
    );
}

#[test]
fn ctrl_c_cancels_the_job_and_exits_with_130() {
    let project = project()
        .file("run.yml", &run("{outputs: [output]}", "echo ready > $OUTPUT_PIPE\nsleep 600", ""))
        .build();
    let wake = job(&project, &["exec", "--rootfs", "host", "-f", "run.yml"]);
    let mut child = wake.spawn();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    let process = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    wake.finished(child.wait_with_output().unwrap()).code(130);
    let ended = last(&project);
    assert_eq!(
        (&ended["status"], &ended["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
}

#[test]
fn a_named_codespec_has_its_variables_in_order() {
    let project = project()
        .file(
            "env.yml",
            "name: env\nimage: i\nbuffers: {outputs: [my-out]}\nenv: {B: '$(MY-OUT_PIPE)', A: '$(B).log', C: $$(A)}\ncommand: [sh, -c, 'echo $(A) \"$B\" \"$C\" $0 > $(B)', $(A)]\n",
        )
        .build();
    project.wake(["codespec", "create", "-f", "env.yml"]).run().code(0);
    let done = exec(&project, b"", &["env"]).code(0);
    let pipe = "/work/buffer-fifos/my-out";
    assert_eq!(done.stdout, format!("{pipe}.log {pipe} $(A) {pipe}.log\n"));
    assert_eq!(last(&project)["job"]["codespec"], "env/versions/1");
    let told = exec(&project, b"", &["env", "--version", "2"]).code(4).stderr;
    assert!(told.contains("the latest version is `1`"), "{told}");
}

#[test]
fn a_reader_that_leaves_ends_the_job() {
    let project = project()
        .file("yes.yml", &run("{outputs: [output]}", "yes > \"$OUTPUT_PIPE\"", ""))
        .build();
    let wake = job(&project, &["exec", "--rootfs", "host", "--allow-network", "-f", "yes.yml"]);
    let mut child = wake.command().spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let ended = last(&project);
    assert_eq!(
        (&ended["status"], &ended["statusReason"]),
        (&"Canceled".into(), &"standard output was closed".into())
    );
}

#[test]
fn a_job_on_a_directory_is_not_remembered() {
    let project = project()
        .file(
            "hello.yml",
            &run("{outputs: [output]}", "echo hi > \"$OUTPUT_PIPE\"; touch /mark", ""),
        )
        .build();
    if !wake_tests::has_busybox("a_job_on_a_directory_is_not_remembered") {
        return;
    }
    project.busybox_root("root", &["sh", "touch", "echo"]);
    let wake = job(&project, &["exec", "--rootfs", "root", "-f", "hello.yml"]);
    let done = wake.run().code(0);
    assert_eq!(done.stdout, "hi\n");
    assert!(done.stderr.contains("may hold other files next time"), "{}", done.stderr);
    // It was the job's own copy.
    assert!(!project.path("root/mark").exists());
}

#[test]
fn memory_use_does_not_grow_with_the_stream() {
    let script = "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let project = project().file("copy.yml", &run(ONE_EACH, script, "")).build();
    // `WAKE_TEST_STREAM_MIB` streams more.
    let mib = std::env::var("WAKE_TEST_STREAM_MIB").map_or(64, |text| text.parse().unwrap());
    let script = format!(
        "\"$0\" buffer gen {mib}M | /usr/bin/env \"$0\" job exec --rootfs host -f copy.yml & \
         job=$!; wait $job"
    );
    let program = wake_tests::binary();
    let wake = job(&project, &[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).arg(&program).env_clear().current_dir(project.root());
    command.env("WAKE_STORE", project.store()).env("HOME", project.base().join("home"));
    command.env("PATH", std::env::var_os("PATH").unwrap()).stderr(Stdio::null());
    drop(wake);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut bytes, mut total, mut most) = (vec![0; 1 << 20], 0u64, 0u64);
    loop {
        match output.read(&mut bytes).unwrap() {
            0 => break,
            many => total += many as u64,
        }
        most = most.max(resident_of_children(child.id()));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(total, mib << 20);
    assert!(most > 0 && most < 48 << 20, "{most} bytes");
}

/// The largest anonymous resident memory, in bytes, of any descendant of a process.
fn resident_of_children(parent: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    let all = children.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
    let own = |child: u32| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) << 10
    };
    all.map(|child| own(child).max(resident_of_children(child))).max().unwrap_or(0)
}

#[test]
fn unsupported_runs_are_refused_before_anything_runs() {
    let refused = |rest: &str, buffers: &str| {
        run(buffers, "echo", "").replace("    command:", &format!("{rest}    command:"))
    };
    let project = project()
        .file("identity.yml", &refused("    identity: x\n", "{}"))
        .file("two.yml", &refused("", "{inputs: [a, b], outputs: [c, d]}"))
        .file("two-out.yml", &refused("", "{outputs: [c, d]}"))
        .file("image.yml", &refused("", "{}"))
        .build();
    let told = |file: &str, args: &[&str], code| {
        exec(&project, b"", &[&["-f", file], args].concat()).code(code).stderr
    };
    assert!(told("identity.yml", &[], 10).contains("identity `x` is not supported"));
    assert!(told("two.yml", &[], 2).contains(
        "exec cannot be called if the job has multiple unmapped input buffers: it has `a`, `b`"
    ));
    assert!(told("two-out.yml", &[], 2).contains("multiple unmapped output buffers"));
    let stranger = "a".repeat(26);
    assert!(told("two.yml", &["-b", &format!("a={stranger}")], 4).contains("was not found"));
    assert!(
        told("two.yml", &["-b", "x=_"], 5).contains("does not correspond to a buffer parameter")
    );
    let image = job(&project, &["exec", "-f", "image.yml", "--offline"]).run();
    assert!(image.stderr.contains("--rootfs"), "{}", image.stderr);
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
    let missing = job(&project, &["show", "7"]).run().code(4).stderr;
    assert!(missing.contains("the job `7` was not found"), "{missing}");
}

#[test]
fn arguments_without_an_entry_point_are_refused() {
    let project = project()
        .file(
            "args.yml",
            "job:\n  codespec:\n    image: registry.example.org/none\n    args: [-i, x]\n",
        )
        .build();
    expect![[r#"
        error: there is nothing to run: the codespec has no `command`, and `--rootfs host` has no entry point
         help: add `command: [PROGRAM]` to the codespec
    "#]]
    .assert_eq(&exec(&project, b"", &["-f", "args.yml"]).code(5).stderr);
    job(&project, &["create", "--rootfs", "host", "-f", "args.yml"]).run().code(5);
    // It is reported before a job is created.
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
}

#[test]
fn a_video_is_negated_as_by_ffmpeg_alone_in_constant_memory() {
    let test = "a_video_is_negated_as_by_ffmpeg_alone_in_constant_memory";
    if !has_program("ffmpeg") {
        return skip(test, "needs `ffmpeg`");
    }
    let codespec = "image: registry.example.org/ffmpeg\nbuffers: {inputs: [input], outputs: [output]}\n\
                    command: [ffmpeg]\nargs: [-loglevel, error, -i, $(INPUT_PIPE), -vf, negate, -f, nut, -y, $(OUTPUT_PIPE)]\n";
    let project = project().file("negating.yml", codespec).build();
    project.wake(["codespec", "create", "negating", "-f", "negating.yml"]).run().code(0);
    // `WAKE_TEST_STREAM_MIB` streams more.
    let mib = std::env::var("WAKE_TEST_STREAM_MIB").map_or(32, |text| text.parse::<u64>().unwrap());
    let frame = 1280 * 720 * 3 / 2;
    let frames = ((mib << 20) / frame).to_string();
    let source = || {
        let mut source = std::process::Command::new("ffmpeg");
        source.args(["-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=1280x720:rate=25"]);
        source.args(["-frames:v", &frames, "-pix_fmt", "yuv420p", "-c:v", "rawvideo"]);
        source.args(["-f", "nut", "pipe:1"]).stdin(Stdio::null()).stdout(Stdio::piped());
        source.spawn().unwrap()
    };
    let (mut clip, wake) = (source(), job(&project, &["exec", "negating", "--rootfs", "host"]));
    let mut command = wake.command();
    let mut negating = command
        .stdin(clip.stdout.take().unwrap())
        .stdout(fs::File::create(project.path("negated.nut")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The peak of a process never decreases.
    let mut most = 0;
    let ended = loop {
        most = most.max(peak(negating.id()));
        match negating.try_wait().unwrap() {
            Some(ended) => break ended,
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    };
    assert!(ended.success() && clip.wait().unwrap().success());
    assert!(most > 0 && most < 96 << 20, "{most} bytes");
    let mut clip = source();
    let by_hand = std::process::Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i", "pipe:0", "-vf", "negate", "-f", "nut", "pipe:1"])
        .stdin(clip.stdout.take().unwrap())
        .stdout(fs::File::create(project.path("by-hand.nut")).unwrap())
        .status()
        .unwrap();
    assert!(by_hand.success() && clip.wait().unwrap().success());
    let bytes = |path: &str| fs::read(project.path(path)).unwrap();
    assert!(!bytes("negated.nut").is_empty());
    assert!(bytes("negated.nut") == bytes("by-hand.nut"));
}

/// The peak resident memory of a process, in bytes.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
