//! Resuming archives, and logs of which only new lines are requested.

use std::fs;
use std::sync::atomic::Ordering;

use wake_tests::Project;

use crate::scene::{Scene, all_of, get};
use crate::server::{Manner, Server};

/// The size of a file with incompressible bytes.
const LARGE: usize = 1 << 20;

/// Publishes a package with a large file.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "wc -c < data > out.txt");
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let bytes: Vec<u8> = (0..LARGE).map(|_| byte()).collect();
    scene.publisher.write("text/data", bytes);
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    scene
}

fn user(scene: &Scene, server: &Server) -> Project {
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    user.wake(["lock"]).run().success();
    server.sent.store(0, Ordering::Relaxed);
    user
}

/// The partial archives kept in a store.
fn kept(user: &Project) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let all = all_of(&user.store().join("registry"));
    let is_part = |path: &std::path::Path| path.parent().unwrap().ends_with("part");
    all.into_iter().filter(|(path, _)| is_part(path)).collect()
}

#[test]
fn an_interrupted_archive_is_resumed() {
    let scene = scene();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    // Three quarters of the rest each time.
    server.is(Manner::CutArchives(300_000));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
    let sent = server.sent.load(Ordering::Relaxed);
    assert!(sent < LARGE + LARGE / 20, "{sent} bytes were sent for one archive of {LARGE}");
    assert_eq!(kept(&user).len(), 0);
}

#[test]
fn an_archive_is_resumed_in_a_later_run() {
    let scene = scene();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    // In this run it is never resumed.
    server.is(Manner::CutArchives(120_000));
    let failed = user.wake(["build", "//app"]).run().code(9);
    failed.mentions("the transfer was interrupted");
    let [(_, bytes)] = &kept(&user)[..] else { panic!("nothing is kept") };
    assert!(bytes.len() > 600_000, "{}", bytes.len());
    let before = server.sent.swap(0, Ordering::Relaxed);
    server.is(Manner::Well);
    user.build(&["//app"]);
    let sent = server.sent.load(Ordering::Relaxed);
    assert!(before + sent < LARGE + LARGE / 20 && sent < LARGE / 2, "{before} and {sent}");
    assert_eq!(kept(&user).len(), 0);
    assert_eq!(user.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
}

/// Kept bytes are trusted no more than new ones.
#[test]
fn altered_partial_archives_are_fetched_again() {
    let scene = scene();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    server.is(Manner::CutArchives(120_000));
    user.wake(["build", "//app"]).run().code(9);
    let [(path, bytes)] = &kept(&user)[..] else { panic!("nothing is kept") };
    let mut altered = bytes.clone();
    altered[90_000] ^= 1;
    fs::write(path, altered).unwrap();
    server.is(Manner::Well);
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
    assert_eq!(kept(&user).len(), 0);
}

#[test]
fn a_server_without_ranges_sends_whole_files() {
    let scene = scene();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    server.is(Manner::CutArchives(120_000));
    user.wake(["build", "//app"]).run().code(9);
    server.is(Manner::Whole);
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt").trim(), LARGE.to_string());
    assert_eq!(kept(&user).len(), 0);
}

/// Garbage collection removes partial archives that nobody resumed.
#[test]
fn gc_removes_partial_archives() {
    let scene = scene();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    server.is(Manner::CutArchives(120_000));
    user.wake(["build", "//app"]).run().code(9);
    assert_eq!(kept(&user).len(), 1);
    user.wake(["gc"]).run().success();
    assert_eq!(kept(&user).len(), 0);
}

/// Of a long log that grew, only the new lines are requested; a rewritten one is still detected.
#[test]
fn n5_only_new_lines_of_a_long_log_are_requested() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let path = scene.registry().join("index/acme/text.jsonl");
    let reason = "x".repeat(2000);
    let log = fs::read_to_string(&path).unwrap();
    let yank =
        format!("{{\"at\":2,\"kind\":\"yank\",\"reason\":\"{reason}\",\"version\":\"2.0.1\"}}\n");
    let unyank = "{\"at\":3,\"kind\":\"unyank\",\"version\":\"2.0.1\"}\n";
    let long = format!("{log}{}{unyank}", yank.repeat(40));
    fs::write(&path, &long).unwrap();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    assert!(user.read("wake.lock").contains("acme/text 2.0.1"));
    scene.publish("text", "2.1.0", "");
    user.wake(["update"]).run().success().mentions("~ acme/text 2.0.1 -> 2.1.0");
    let sent = server.sent.load(Ordering::Relaxed);
    assert!(sent < 2000, "{sent}");
    for (rewritten, line) in [(log.clone(), 2), (format!("{log}{}{unyank}", yank.repeat(60)), 42)] {
        fs::write(&path, rewritten).unwrap();
        let failed = user.wake(["update"]).run().code(7);
        failed.mentions(&format!("was truncated or rewritten: line {line} has changed"));
    }
}
