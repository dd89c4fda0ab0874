//! Streams that break off, are damaged or unused, cannot be opened, or do not fit on the disk.

use super::*;

const COPY: &str = "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";

fn created(project: &Project, args: &[&str]) -> String {
    let create = project.wake(["buffer", "create"].iter().chain(args)).run().code(0);
    create.stdout.trim_end().to_owned()
}

fn state(project: &Project, buffer: &str) -> (String, String) {
    let shown = json(&project.wake(["buffer", "show", buffer]).run().code(0));
    let text = |key: &str| shown[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

#[test]
fn unusable_buffers_are_reported_before_the_job_starts() {
    let project = project()
        .file("copy.yml", &run(ONE_EACH, COPY, ""))
        .file("both.yml", &run("{outputs: [output, other]}", "true", ""))
        .build();
    let (whole, empty) = (buffer(&project, b"bytes"), created(&project, &[]));
    let expired = created(&project, &["--ttl", "0"]);
    let deleted = created(&project, &[]);
    project.wake(["buffer", "delete", &deleted]).run().code(0);
    let mut half = project.wake(["buffer", "write", &empty, "--flush-interval", "0.01"]).command();
    let mut half = half.stdin(Stdio::piped()).spawn().unwrap();
    half.stdin.as_mut().unwrap().write_all(b"half").unwrap();
    let mut reader = project.wake(["buffer", "read", &empty]).spawn();
    reader.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    let told = |file: &str, buffers: &[(&str, &str)], code: i32, expected: Expect| {
        let named = buffers.iter().map(|(name, id)| format!("--buffer={name}={id}"));
        let named: Vec<String> = named.collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let done = exec(&project, b"", &[&["-f", file], &named[..]].concat()).code(code);
        assert_eq!(done.stdout, "");
        let told = done.stderr.replace(&whole, "WHOLE").replace(&empty, "HALF");
        expected.assert_eq(&told.replace(&expired, "EXPIRED").replace(&deleted, "DELETED"));
    };
    told(
        "copy.yml",
        &[("output", &whole)],
        2,
        expect![[r#"
        error: the buffer `WHOLE` cannot be overwritten: it is written once
         help: create another one with `wake buffer create`
    "#]],
    );
    // Another process is writing it.
    told(
        "copy.yml",
        &[("output", &empty)],
        2,
        expect![[r#"
        error: the buffer `HALF` cannot be overwritten: it is written once
         help: create another one with `wake buffer create`
    "#]],
    );
    told(
        "copy.yml",
        &[("output", &expired)],
        2,
        expect![[r#"
        error: the buffer `EXPIRED` has expired
         help: run `wake buffer restore EXPIRED` to restore it
    "#]],
    );
    told(
        "copy.yml",
        &[("output", &deleted)],
        2,
        expect![[r#"
        error: the buffer `DELETED` is deleted
         help: run `wake buffer restore DELETED` to restore it
    "#]],
    );
    told(
        "copy.yml",
        &[("input", &expired)],
        2,
        expect![[r#"
        error: the buffer `EXPIRED` has expired
         help: run `wake buffer restore EXPIRED` to restore it
    "#]],
    );
    told(
        "copy.yml",
        &[("input", &deleted)],
        2,
        expect![[r#"
        error: the buffer `DELETED` is deleted
         help: run `wake buffer restore DELETED` to restore it
    "#]],
    );
    let fresh = created(&project, &[]);
    let twice = |file: &str, buffers: &[(&str, &str)], expected: Expect| {
        let named = buffers.iter().map(|(name, id)| format!("--buffer={name}={id}"));
        let named: Vec<String> = named.collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        let done = exec(&project, b"", &[&["-f", file], &named[..]].concat()).code(5);
        expected.assert_eq(&done.stderr.replace(&fresh, "FRESH"));
    };
    // The job would wait for its own end.
    twice(
        "copy.yml",
        &[("input", &fresh), ("output", &fresh)],
        expect![[r#"
        error: `--buffer`: the buffer `FRESH` is used for both `input` and `output`, which is written
         help: create another buffer: `wake buffer create`
    "#]],
    );
    twice(
        "both.yml",
        &[("other", &fresh), ("output", &fresh)],
        expect![[r#"
        error: `--buffer`: the buffer `FRESH` is used for both `other` and `output`, which is written
         help: create another buffer: `wake buffer create`
    "#]],
    );
    half.kill().unwrap();
    half.wait().unwrap();
    reader.wait().unwrap();
    told(
        "copy.yml",
        &[("input", &empty)],
        1,
        expect![[r#"
        error: the writer of the buffer `HALF` ended after 4 bytes without completing it
         help: write the data to another buffer
    "#]],
    );
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
}

#[test]
fn a_damaged_input_fails_the_job_and_its_outputs() {
    let project = project().file("copy.yml", &run(ONE_EACH, COPY, "")).build();
    let bytes: Vec<u8> = (0..3u32 << 20).flat_map(u32::to_le_bytes).collect();
    let input = buffer(&project, &bytes);
    let blobs = project.store().join("blob");
    assert_eq!(forget(&blobs, &bytes[4 << 20..8 << 20]), 1);
    let output = created(&project, &[]);
    let (input, named) = (format!("input={input}"), format!("output={output}"));
    let args = ["run", "--rootfs", "host", "-f", "copy.yml", "-b", &input, "-b", &named];
    let failed = job(&project, &args).run().code(10);
    let input = input.trim_start_matches("input=");
    expect![[r#"
        error: block 1 of the buffer `INPUT` is missing or damaged
    "#]]
    .assert_eq(&failed.redacted_stderr().replace(input, "INPUT"));
    let reason = last(&project)["statusReason"].as_str().unwrap().replace(input, "INPUT");
    expect!["block 1 of the buffer `INPUT` is missing or damaged"].assert_eq(&reason);
    let (state, of_buffer) = state(&project, &output);
    assert_eq!((state.as_str(), of_buffer.replace(input, "INPUT")), ("failed", reason));
    // The output up to there can be read.
    let read = project.wake(["buffer", "read", &output, "-o", "read"]).run().code(1);
    assert!(bytes.starts_with(&fs::read(project.path("read")).unwrap()), "{}", read.stderr);
}

#[test]
fn a_killed_job_is_no_complete_input_for_the_next_one() {
    let first = "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"; sleep 600";
    let project = project()
        .file("first.yml", &run(ONE_EACH, first, ""))
        .file("second.yml", &run(ONE_EACH, COPY, ""))
        .build();
    let between = created(&project, &[]);
    let (output, input) = (format!("output={between}"), format!("input={between}"));
    let writer = job(&project, &["exec", "--rootfs", "host", "-f", "first.yml", "-b", &output]);
    let mut writer = writer.command().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(b"some").unwrap();
    let begin = || {
        let reader = job(&project, &["exec", "--rootfs", "host", "-f", "second.yml", "-b", &input]);
        let mut child = reader.command().stdin(Stdio::null()).spawn().unwrap();
        let mut some = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        (reader, child)
    };
    let ((_, mut killed), (reader, child)) = (begin(), begin());
    killed.kill().unwrap();
    killed.wait().unwrap();
    // The writer is not affected.
    assert_eq!(state(&project, &between).0, "writing");
    writer.kill().unwrap();
    writer.wait().unwrap();
    let done = reader.finished(child.wait_with_output().unwrap()).code(10);
    let told = done.redacted_stderr().replace(&between, "BETWEEN");
    expect![[r#"
             Running job 3; its result will not be cached because the buffer `BETWEEN` is still being written
        error: the writer of the buffer `BETWEEN` ended after 4 bytes without completing it
    "#]].assert_eq(&told);
    assert_eq!(state(&project, &between).0, "broken off");
    let jobs = json(&job(&project, &["list"]).run().code(0));
    let statuses: Vec<_> = jobs.as_array().unwrap().iter().map(|job| &job["status"]).collect();
    assert_eq!(statuses, ["Failed", "Failed", "Failed"]);
}

#[test]
fn a_reader_that_ends_early_does_not_affect_the_writing_job() {
    let project = project()
        .file("first.yml", &run(ONE_EACH, COPY, ""))
        .file("second.yml", &run(ONE_EACH, "head -c 3 \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"", ""))
        .build();
    let between = created(&project, &[]);
    let (output, input) = (format!("output={between}"), format!("input={between}"));
    let second = job(&project, &["exec", "--rootfs", "host", "-f", "second.yml", "-b", &input]);
    let reader = second.command().stdin(Stdio::null()).spawn().unwrap();
    let bytes = vec![b'a'; 9 << 20];
    exec(&project, &bytes, &["-f", "first.yml", "-b", &output]).code(0);
    let done = second.finished(reader.wait_with_output().unwrap()).code(0);
    assert_eq!(done.stdout, "aaa");
    project.wake(["buffer", "read", &between, "-o", "read"]).run().code(0);
    assert!(fs::read(project.path("read")).unwrap() == bytes);
}

#[test]
fn pipes_that_are_opened_but_not_used_count_as_unused() {
    let script = ": < \"$INPUT_PIPE\"; : > \"$OUTPUT_PIPE\"; exec 3< \"$INPUT_PIPE\"; exec 3<&-";
    let project = project().file("open.yml", &run(ONE_EACH, script, "")).build();
    let id = format!("input={}", buffer(&project, &vec![7; 5 << 20]));
    let shown = job(&project, &["run", "--rootfs", "host", "-f", "open.yml", "-b", &id]).run();
    let output = json(&shown.code(0))["job"]["buffers"]["output"].as_str().unwrap().to_owned();
    let output = json(&project.wake(["buffer", "show", &output]).run().code(0));
    assert_eq!((&output["state"], &output["size"]), (&"complete".into(), &0.into()));
}

#[test]
fn a_full_disk_ends_a_job_that_writes() {
    let test = "a_full_disk_ends_a_job_that_writes";
    if !is_root() || !has_program("unshare") {
        return skip(test, "needs root and `unshare` for a small file system");
    }
    // It would never end by itself.
    let endless = run("{outputs: [output]}", "cat /dev/urandom > \"$OUTPUT_PIPE\"", "");
    let project = project().file("endless.yml", &endless).build();
    fs::create_dir(project.store()).unwrap();
    let script = "mount -t tmpfs -o size=24m,mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"
        id=$(\"$0\" buffer create)
        code=0; \"$0\" job run --rootfs host -f endless.yml -b output=$id >/dev/null || code=$?
        \"$0\" job list -l 1 | sed -n 's/\"\\(status\\|statusReason\\)\"/\\1/p' | tr -d ' \",'
        \"$0\" buffer show $id | sed -n 's/\"state\"/state/p' | tr -d ' \",'
        exit $code";
    let wake = project.wake([] as [&str; 0]);
    let wake = wake.wrapper(["unshare", "--mount", "--", "sh", "-euc", script]);
    let done = wake.program(wake_tests::binary()).arg(project.store()).run().code(10);
    expect![[r#"
        error: no space left in the store `[STORE]`
         help: run `wake gc --max-size SIZE` to free space
    "#]]
    .assert_eq(&done.redacted_stderr());
    expect![[r#"
        status:Failed
        statusReason:nospaceleftinthestore`[STORE]`
        state:failed
    "#]]
    .assert_eq(&done.redacted_stdout());
}
