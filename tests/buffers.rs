//! `wake buffer`: writing and reading streams, their metadata, and errors.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;
use wake_tests::{Expect, Project, Wake, expect, has_program, is_root, project, skip};

fn buffer(project: &Project, args: &[&str]) -> Wake {
    project.wake(["buffer"].iter().chain(args))
}

fn text(project: &Project, args: &[&str]) -> String {
    buffer(project, args).run().code(0).stdout.trim_end().to_owned()
}

fn show(project: &Project, id: &str) -> Value {
    serde_json::from_str(&text(project, &["show", id])).unwrap()
}

/// Creates a buffer with these bytes.
fn written(project: &Project, bytes: &[u8], args: &[&str]) -> String {
    let id = text(project, &["create"]);
    project.write("source", bytes);
    text(project, &[&["write", &id, "-i", "source"], args].concat());
    id
}

#[test]
fn bytes_come_out_as_they_went_in() {
    let project = project().build();
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let id = written(&project, &bytes, &["--block-size", "64K"]);
    text(&project, &["read", &id, "-o", "copy"]);
    assert!(fs::read(project.path("copy")).unwrap() == bytes);
    let shown = show(&project, &id);
    assert_eq!(shown["state"], "complete");
    assert_eq!((&shown["size"], &shown["blocks"]), (&1_200_000.into(), &19.into()));
    // Equal bytes in other blocks have the same content id.
    let other = written(&project, &bytes, &["--block-size", "1M"]);
    assert_eq!(show(&project, &other)["contentId"], shown["contentId"]);
    let again = buffer(&project, &["write", &id, "-i", "source"]).run().code(2).stderr;
    assert!(again.contains("cannot be overwritten"), "{again}");
}

#[test]
fn a_reader_gets_what_a_writer_has_given_so_far() {
    let project = project().build();
    let id = text(&project, &["create"]);
    let mut reader = buffer(&project, &["read", &id]).spawn();
    let mut writer = buffer(&project, &["write", &id, "--flush-interval", "0.01"])
        .command()
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    input.write_all(b"first").unwrap();
    let mut first = [0; 5];
    reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first");
    assert_eq!(show(&project, &id)["state"], "writing");
    input.write_all(b" and last").unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
    assert_eq!(reader.wait_with_output().unwrap().stdout, b" and last");
}

#[test]
fn a_writer_that_is_killed_leaves_a_buffer_that_is_broken_off() {
    let project = project().build();
    let id = text(&project, &["create"]);
    let mut writer = buffer(&project, &["write", &id, "--flush-interval", "0.01"])
        .command()
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.as_mut().unwrap().write_all(b"half").unwrap();
    let mut reader = buffer(&project, &["read", &id]).spawn();
    let mut half = [0; 4];
    reader.stdout.as_mut().unwrap().read_exact(&mut half).unwrap();
    writer.kill().unwrap();
    writer.wait().unwrap();
    let read = buffer(&project, &["read", &id]);
    let told = read.finished(reader.wait_with_output().unwrap()).code(1).stderr;
    assert!(told.contains("ended after 4 bytes"), "{told}");
    assert_eq!(show(&project, &id)["state"], "broken off");
    // The bytes that were written can be read, with an error at the end.
    let again = buffer(&project, &["read", &id]).run().code(1);
    assert_eq!(again.stdout, "half");
}

#[test]
fn a_failed_write_leaves_a_failed_buffer() {
    let project = project().build();
    let id = text(&project, &["create"]);
    project.write("source", vec![7; 4 << 20]);
    // Limits the size of files that this process writes.
    let limited = buffer(&project, &["write", &id, "-i", "source"]);
    let limited = limited.wrapper(["sh", "-c", "ulimit -f 1024; trap '' XFSZ; exec \"$@\"", "sh"]);
    let told = limited.run();
    assert_ne!(told.stderr, "");
    let state = show(&project, &id)["state"].clone();
    assert_eq!(state, "failed", "{}", told.stderr);
    let read = buffer(&project, &["read", &id]).run().code(1).stderr;
    assert!(read.contains("permanently failed state"), "{read}");
}

#[test]
fn a_changed_block_is_detected() {
    let project = project().build();
    let id = written(&project, &[b'a'; 3000].map(|b| b), &["--block-size", "1K"]);
    let blobs = project.store().join("blob");
    let find = |size: u64| {
        let shards = fs::read_dir(&blobs).unwrap().map(|shard| shard.unwrap().path());
        let files = shards.flat_map(|shard| fs::read_dir(shard).unwrap());
        let mut files = files.map(|file| file.unwrap().path());
        files.find(|file| file.metadata().unwrap().len() == size).unwrap()
    };
    fs::write(find(3000 - 2048), vec![b'b'; 952]).unwrap();
    let told = buffer(&project, &["read", &id]).run().code(7);
    assert_eq!(told.stdout.len(), 2048);
    assert!(told.stderr.contains("block 2 of the buffer"), "{}", told.stderr);
}

#[test]
fn tags_lifetimes_and_deletion() {
    let project = project().build();
    let (a, b) =
        (text(&project, &["create", "--tag", "k=v", "--ttl", "7"]), text(&project, &["create"]));
    let list = |args: &[&str]| -> Vec<String> {
        let listed = text(&project, &[&["list"], args].concat());
        let all: Vec<Value> = serde_json::from_str(&listed).unwrap();
        all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(&["--tag", "k=v"]), std::slice::from_ref(&a));
    assert_eq!(list(&["--exclude-tag", "k=v"]), std::slice::from_ref(&b));
    assert!(show(&project, &a)["expiresAt"].is_string());
    text(&project, &["tag", &b, "--tag", "k=v", "--tag", "x=y"]);
    text(&project, &["set", &b, "--remove", "x"]);
    assert_eq!(show(&project, &b)["tags"], serde_json::json!({"k": "v"}));
    let mut deleted = text(&project, &["delete", "--tag", "k=v"]);
    assert_eq!(deleted.lines().count(), 2);
    assert_eq!(list(&[]), [""; 0]);
    text(&project, &["restore", &a]);
    assert_eq!((list(&[]), list(&["--soft-deleted"])), (vec![a.clone()], vec![b.clone()]));
    project.wake(["gc"]).run().code(0);
    deleted = buffer(&project, &["show", &b]).run().code(4).stderr;
    assert!(deleted.contains("was not found"), "{deleted}");
    assert_eq!(list(&[]), std::slice::from_ref(&a));
    text(&project, &["tag", &a, "--ttl", "0"]);
    let told = buffer(&project, &["read", &a]).run().code(2).stderr;
    assert!(told.contains("has expired"), "{told}");
}

#[test]
fn garbage_collection_keeps_the_blocks_of_buffers() {
    let project = project().build();
    let id = written(&project, b"kept", &[]);
    project.wake(["gc", "--max-size", "0"]).run().code(0);
    assert_eq!(text(&project, &["read", &id]), "kept");
}

#[test]
fn a_directory_in_tygers_layout_goes_out_and_comes_in() {
    let project = project().build();
    let generated = buffer(&project, &["gen", "100K"]).run().code(0).stdout;
    assert_eq!((generated.len(), &generated[..3]), (102_400, ":;<"));
    let id = written(&project, generated.as_bytes(), &["-b", "16K"]);
    text(&project, &["export", &id, "out"]);
    assert_eq!(fs::read(project.path("out/data/00/006")).unwrap().len(), 4096);
    let back = text(&project, &["import", "out"]);
    assert_eq!(show(&project, &back)["contentId"], show(&project, &id)["contentId"]);
    project.write("out/data/00/001", "changed");
    let told = buffer(&project, &["import", "out"]).run().code(7).stderr;
    let place = project.path("out/data/00/001").display().to_string();
    assert_eq!(told, format!("error: `{place}` does not match its recorded MD5\n"));
}

#[test]
fn what_is_wrong_is_told() {
    let project = project().build();
    let told = |args: &[&str], code| buffer(&project, args).run().code(code).stderr;
    let stranger = "a".repeat(26);
    assert_eq!(
        told(&["read", &stranger], 4),
        format!(
            "error: the buffer `{stranger}` was not found\n help: run `wake buffer list` to list the buffers\n"
        )
    );
    let id = text(&project, &["create"]);
    assert_eq!(
        told(&["read", &id, "--no-wait"], 2),
        format!(
            "error: the buffer `{id}` has not been written\n help: run `wake buffer write {id}`\n"
        )
    );
    assert!(told(&["show", "UPPER"], 2).contains("is not a buffer id"));
    assert!(told(&["create", "--ttl", "soon"], 2).contains("is not a valid lifetime"));
    assert!(told(&["create", "--tag", "a b=c"], 2).contains("is not a valid tag key"));
    let many: Vec<String> = (0..101).map(|number| format!("--tag=k{number}=v")).collect();
    let args: Vec<&str> = ["create"].into_iter().chain(many.iter().map(String::as_str)).collect();
    expect![[r#"
        error: no more than 100 tags can be set on a buffer
    "#]]
    .assert_eq(&told(&args, 2));
    assert!(told(&["delete"], 2).contains("required"));
}

/// Checks the error and the exit code of a command, with the buffer's id replaced by `BUFFER`.
fn tells(project: &Project, id: &str, args: &[&str], code: i32, expected: Expect) {
    let told = buffer(project, args).run().code(code).redacted_stderr();
    expected.assert_eq(&told.replace(id, "BUFFER"));
}

#[test]
fn a_buffer_is_written_once_whoever_tries() {
    let project = project().file("other", "other").build();
    let id = text(&project, &["create"]);
    let begun = buffer(&project, &["write", &id, "--flush-interval", "0.01"]);
    let mut writer = begun.command().stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.as_mut().unwrap().write_all(b"first").unwrap();
    let mut reader = buffer(&project, &["read", &id]).spawn();
    let mut first = [0; 5];
    reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let write = ["write", &id, "-i", "other"];
    let twice = || {
        expect![[r#"
            error: the buffer `BUFFER` cannot be overwritten: it is written once
             help: create another one with `wake buffer create`
        "#]]
    };
    tells(&project, &id, &write, 2, twice());
    tells(
        &project,
        &id,
        &["purge", &id],
        2,
        expect![[r#"
        error: the buffer `BUFFER` is being written
         help: stop the writer, or wait until `wake buffer read` returns
    "#]],
    );
    // A buffer that is deleted meanwhile is written to its end, and can be restored.
    text(&project, &["delete", &id]);
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    assert!(reader.wait().unwrap().success());
    tells(
        &project,
        &id,
        &["read", &id],
        2,
        expect![[r#"
        error: the buffer `BUFFER` is deleted
         help: run `wake buffer restore BUFFER` to restore it
    "#]],
    );
    text(&project, &["restore", &id]);
    assert_eq!(text(&project, &["read", &id]), "first");
    tells(&project, &id, &write, 2, twice());
    text(&project, &["purge", &id]);
    tells(
        &project,
        &id,
        &write,
        4,
        expect![[r#"
        error: the buffer `BUFFER` was not found
         help: run `wake buffer list` to list the buffers
    "#]],
    );
}

#[test]
fn an_expired_buffer_can_be_neither_read_nor_written() {
    let project = project().file("source", "bytes").build();
    let id = text(&project, &["create", "--ttl", "0"]);
    let told = || {
        expect![[r#"
            error: the buffer `BUFFER` has expired
             help: run `wake buffer restore BUFFER` to restore it
        "#]]
    };
    for args in [
        &["write", &id, "-i", "source"][..],
        &["read", &id],
        &["tag", &id, "--tag", "a=b"],
        &["export", &id, "out"],
    ] {
        tells(&project, &id, args, 2, told());
    }
    assert!(!project.path("out").exists());
    text(&project, &["restore", &id]);
    text(&project, &["write", &id, "-i", "source"]);
    assert_eq!(text(&project, &["read", &id]), "bytes");
}

#[test]
fn a_reader_that_is_killed_or_leaves_does_not_affect_the_writer() {
    let project = project().build();
    let id = text(&project, &["create"]);
    let writer = buffer(&project, &["write", &id, "--flush-interval", "0.01"]);
    let mut writer = writer.command().stdin(Stdio::piped()).spawn().unwrap();
    let mut input = writer.stdin.take().unwrap();
    input.write_all(b"first").unwrap();
    let begin = || {
        let mut reader = buffer(&project, &["read", &id]).spawn();
        let mut first = [0; 5];
        reader.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        reader
    };
    let (mut killed, mut left, whole) = (begin(), begin(), begin());
    killed.kill().unwrap();
    killed.wait().unwrap();
    drop(left.stdout.take());
    input.write_all(b" and last").unwrap();
    assert_eq!(left.wait().unwrap().code(), Some(141));
    drop(input);
    assert!(writer.wait().unwrap().success());
    assert_eq!(whole.wait_with_output().unwrap().stdout, b" and last");
    assert_eq!(show(&project, &id)["state"], "complete");
}

#[test]
fn a_full_disk_is_reported_and_leaves_no_complete_buffer() {
    let test = "a_full_disk_is_reported_and_leaves_no_complete_buffer";
    if !is_root() || !has_program("unshare") {
        return skip(test, "needs root and `unshare` for a small file system");
    }
    let project = project().build();
    fs::create_dir(project.store()).unwrap();
    let script = "mount -t tmpfs -o size=12m,mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"
        id=$(\"$0\" buffer create)
        \"$0\" buffer read $id > followed & reader=$!
        head -c 32000000 /dev/urandom > source
        code=0; \"$0\" buffer write $id -i source || code=$?
        code_of_reader=0; wait $reader || code_of_reader=$?
        cmp -n \"$(stat -c %s followed)\" followed source
        test \"$(stat -c %s followed)\" -ge 4194304
        test $code_of_reader = 1
        \"$0\" buffer show $id | sed -n 's/\"\\(state\\|reason\\)\"/\\1/p' | tr -d '\",'
        ls \"$1\"/tmp/*/* 2>/dev/null | wc -l
        \"$0\" buffer purge $id >/dev/null; \"$0\" gc --max-size 0 >/dev/null 2>&1
        id=$(\"$0\" buffer create); head -c 8000000 source | \"$0\" buffer write $id
        \"$0\" buffer read $id | cmp - source -n 8000000
        exit $code";
    let program = wake_tests::binary();
    let wake = project.wake([] as [&str; 0]);
    let wake = wake.wrapper(["unshare", "--mount", "--", "sh", "-euc", script]);
    let done = wake.program(program).arg(project.store()).run().code(10);
    expect![[r#"
        error: `[STORE]/TMP`: no space left
         help: run `wake gc --max-size SIZE` to free space
        error: the buffer `BUFFER` is in a permanently failed state: `[STORE]/TMP`: no space left
         help: write the data to another buffer
    "#]]
    .assert_eq(&with_a_buffer(&done.redacted_stderr()));
    expect![[r#"
          reason: `[STORE]/TMP`: no space left
          state: failed
        0
    "#]]
    .assert_eq(&with_a_buffer(&done.redacted_stdout()));
}

/// Replaces each buffer id by `BUFFER`, and each path of a temporary file by `TMP`.
fn with_a_buffer(text: &str) -> String {
    let ids = regex::Regex::new("[a-z2-7]{26}").unwrap();
    let places = regex::Regex::new(r"tmp/[0-9]+-[0-9a-f]+/[0-9]+").unwrap();
    let text = ids.replace_all(text, "BUFFER");
    places.replace_all(&text, "TMP").into_owned()
}

#[test]
fn tags_sizes_and_lifetimes_at_their_limits() {
    let project = project().file("source", "bytes").build();
    let told = |args: &[&str], expected: Expect| {
        expected.assert_eq(&buffer(&project, args).run().code(2).stderr);
    };
    let tag = |key: usize, value: usize| format!("{}={}", "k".repeat(key), "v".repeat(value));
    let fits = text(&project, &["create", "--tag", &tag(128, 256)]);
    assert_eq!(show(&project, &fits)["tags"]["k".repeat(128)], "v".repeat(256));
    told(
        &["create", "--tag", &tag(129, 1)],
        expect![[r#"
        error: invalid value 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk=v' for '--tag <KEY=VALUE>': `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk` is not a valid tag key: up to 128 letters, digits, `-`, `_` and `.`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["create", "--tag", &tag(1, 257)],
        expect![[r#"
        error: invalid value 'k=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv' for '--tag <KEY=VALUE>': `vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv` is not a valid tag value: up to 256 letters, digits, `-`, `_` and `.`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["create", "--tag", "=v"],
        expect![[r#"
        error: invalid value '=v' for '--tag <KEY=VALUE>': `` is not a valid tag key: up to 128 letters, digits, `-`, `_` and `.`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["create", "--tag", "k"],
        expect![[r#"
        error: invalid value 'k' for '--tag <KEY=VALUE>': expected `KEY=VALUE`

        For more information, try '--help'.
    "#]],
    );
    let many: Vec<String> = (0..100).map(|number| format!("--tag=k{number}=v")).collect();
    let id = text(
        &project,
        &[&["create"], &many.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
    );
    text(&project, &["tag", &id, "--tag", "k0=w"]);
    told(
        &["tag", &id, "--tag", "more=v"],
        expect![[r#"
        error: no more than 100 tags can be set
    "#]],
    );
    told(
        &["create", "--ttl", "1.24"],
        expect![[r#"
        error: invalid value '1.24' for '--ttl <D[.HH[:MM[:SS]]]>': `1.24` is not a valid lifetime: expected `D[.HH[:MM[:SS]]]`, such as `7` or `0.12:30`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["create", "--ttl", "99999999999999999999"],
        expect![[r#"
        error: invalid value '99999999999999999999' for '--ttl <D[.HH[:MM[:SS]]]>': `99999999999999999999` is not a valid lifetime: expected `D[.HH[:MM[:SS]]]`, such as `7` or `0.12:30`

        For more information, try '--help'.
    "#]],
    );
    text(&project, &["create", "--ttl", "0.23:59:59"]);
    told(
        &["write", &id, "-i", "source", "--block-size", "0"],
        expect![[r#"
        error: invalid value '0' for '--block-size <SIZE>': expected a block size of at least 1

        For more information, try '--help'.
    "#]],
    );
    told(
        &["write", &id, "-i", "source", "--block-size", "17179869184G"],
        expect![[r#"
        error: invalid value '17179869184G' for '--block-size <SIZE>': expected a size such as `16M` or `1G`, found `17179869184G`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["write", &id, "-i", "source", "--flush-interval", "soon"],
        expect![[r#"
        error: invalid value 'soon' for '--flush-interval <SECONDS>': expected a number of seconds, found `soon`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["write", &id, "-i", "none"],
        expect![[r#"
        error: cannot read `none`: No such file or directory (os error 2)
    "#]],
    );
    // A block may be larger than memory.
    text(&project, &["write", &id, "-i", "source", "--block-size", "8G"]);
    assert_eq!(show(&project, &id)["blocks"], 1);
    told(
        &["read", &"a".repeat(27)],
        expect![[r#"
        error: invalid value 'aaaaaaaaaaaaaaaaaaaaaaaaaaa' for '<ID>': `aaaaaaaaaaaaaaaaaaaaaaaaaaa` is not a buffer id: expected 26 characters of `a` to `z` and `2` to `7`

        For more information, try '--help'.
    "#]],
    );
    told(
        &["gen", "1Q"],
        expect![[r#"
        error: invalid value '1Q' for '<SIZE>': expected a size such as `16M` or `1G`, found `1Q`

        For more information, try '--help'.
    "#]],
    );
    assert_eq!(text(&project, &["gen", "0"]), "");
}
