//! `wake buffer`: streams in and out, what is known of them, and what is said of what is wrong.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;
use wake_tests::{Project, Wake, expect, project};

fn buffer(project: &Project, args: &[&str]) -> Wake {
    project.wake(["buffer"].iter().chain(args))
}

fn text(project: &Project, args: &[&str]) -> String {
    buffer(project, args).run().code(0).stdout.trim_end().to_owned()
}

fn show(project: &Project, id: &str) -> Value {
    serde_json::from_str(&text(project, &["show", id])).unwrap()
}

/// A buffer with these bytes.
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
    // Of equal bytes in other blocks the content id is the same.
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
    // What there is can be had; that it is not all is said.
    let again = buffer(&project, &["read", &id]).run().code(1);
    assert_eq!(again.stdout, "half");
}

#[test]
fn the_disk_being_full_leaves_a_buffer_that_has_failed() {
    let project = project().build();
    let id = text(&project, &["create"]);
    project.write("source", vec![7; 4 << 20]);
    // More than so much no file of this process may have.
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
fn a_block_that_changed_on_disk_is_found() {
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
fn garbage_collection_leaves_what_buffers_hold() {
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
    assert_eq!(told, format!("error: `{place}` does not have the MD5 that is said of it\n"));
}

#[test]
fn what_is_wrong_is_told() {
    let project = project().build();
    let told = |args: &[&str], code| buffer(&project, args).run().code(code).stderr;
    let stranger = "a".repeat(26);
    assert_eq!(
        told(&["read", &stranger], 4),
        format!(
            "error: the buffer `{stranger}` was not found\n help: `wake buffer list` has those that there are\n"
        )
    );
    let id = text(&project, &["create"]);
    assert_eq!(
        told(&["read", &id, "--no-wait"], 2),
        format!(
            "error: the buffer `{id}` has not been written\n help: write it: `wake buffer write {id}`\n"
        )
    );
    assert!(told(&["show", "UPPER"], 2).contains("is no id of a buffer"));
    assert!(told(&["create", "--ttl", "soon"], 2).contains("is no lifetime"));
    assert!(told(&["create", "--tag", "a b=c"], 2).contains("is no key of a tag"));
    let many: Vec<String> = (0..101).map(|number| format!("--tag=k{number}=v")).collect();
    let args: Vec<&str> = ["create"].into_iter().chain(many.iter().map(String::as_str)).collect();
    expect![[r#"
        error: no more than 100 tags can be set on a buffer
    "#]]
    .assert_eq(&told(&args, 2));
    assert!(told(&["delete"], 2).contains("required"));
}
