//! Progress while fetching, which is only shown on a terminal.

use std::fs;

use regex::Regex;
use wake_tests::Project;

use crate::scene::{Scene, get};
use crate::server::{Manner, Server};

/// A user of two packages, each with incompressible bytes.
fn user(scene: &Scene, server: &Server) -> Project {
    for name in ["text", "tone"] {
        scene.write(name, "1.0.0", "", "wc -c < data > out.txt");
        let mut state = 1u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        scene
            .publisher
            .write(&format!("{name}/data"), (0..300_000).map(|_| byte()).collect::<Vec<u8>>());
    }
    scene.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
    let pkgs = format!("text: {}, tone: {}", get("text", "^1"), get("tone", "^1"));
    let user = scene.user_of(&server.address, &pkgs);
    user.wake(["lock"]).run().success();
    server.is(Manner::Slow);
    user
}

/// The states of the progress line, in order.
fn lines(text: &str) -> Vec<String> {
    let line = |part: &str| Some(part.trim_end().strip_prefix("    Fetching ")?.to_owned());
    text.split(['\r', '\n']).filter_map(|part| line(part.trim_start_matches("\u{1b}[J"))).collect()
}

#[test]
fn fetching_shows_progress() {
    let scene = Scene::new();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    let built = user.wake(["build", "//app"]).at_terminal(90, 24);
    assert_eq!(built.code, 0, "{}", built.shown);
    let text = built.text();
    let lines = lines(&text);
    assert!(lines.len() > 1, "{text:?}");
    let shape =
        Regex::new(r"^\[=*>?\.*\] [01]/2 packages  [0-9.]+ k?B( of [0-9.]+ kB)?  [0-9.]+ k?B/s$")
            .unwrap();
    for line in &lines {
        assert!(shape.is_match(line), "{line:?}");
    }
    // At most ten times a second, and the line is erased at the end.
    let end = text.rsplit("Fetching").next().unwrap();
    assert!(end.contains("\r\u{1b}[J"), "{text:?}");
    assert!(text.contains("Fetched 2 packages"), "{text:?}");
    // Nothing is shown if nothing must be fetched.
    let again = user.wake(["build", "//app", "--rebuild"]).at_terminal(90, 24);
    assert!(!again.text().contains("Fetch"), "{}", again.shown);
}

#[test]
fn vendoring_shows_progress() {
    let scene = Scene::new();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    let vendored = user.wake(["vendor", "vendored"]).at_terminal(90, 24);
    assert_eq!(vendored.code, 0, "{}", vendored.shown);
    assert!(lines(&vendored.text()).len() > 1, "{}", vendored.shown);
}

#[test]
fn pipes_and_events_show_no_progress() {
    let scene = Scene::new();
    let server = Server::of(scene.registry());
    let user = user(&scene, &server);
    let store = |name: &str| user.base().join(name);
    let piped = user.wake(["build", "//app"]).store(store("piped")).run().success();
    assert!(!piped.stderr.contains("Fetching") && !piped.stderr.contains('\r'), "{piped}");
    assert!(piped.stderr.contains("fetched 2 packages"), "{piped}");
    let _ = fs::remove_dir_all(user.path(".wake"));
    let build = user.json_build(&["//app"]).store(store("events")).run().success().events();
    let fetched: Vec<_> = build.of_kind("fetched").collect();
    assert_eq!((fetched.len(), &fetched[0]["pkgs"]), (1, &serde_json::json!(2)));
    assert!(fetched[0]["bytes"].as_u64().unwrap() > 600_000);
}
