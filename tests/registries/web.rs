//! A registry behind a file server.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread;

use crate::scene::{Scene, get};
use crate::server::{Manner, Server};

#[test]
fn a_registry_behind_a_server_gives_the_same_lock() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let pkgs = format!("text: {}", get("text", "^2"));
    let (near, far) = (scene.user(&pkgs), scene.user_of(&server.address, &pkgs));
    near.build(&["//app"]);
    far.build(&["//app"]);
    assert_eq!(near.read("wake.lock"), far.read("wake.lock"));
    assert_eq!(far.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    // Requested again, it says that nothing changed.
    far.wake(["update"]).run().success();
    assert_eq!(server.unchanged.load(Ordering::Relaxed), 1);
    scene.publish("text", "2.1.0", "");
    far.wake(["update"]).run().success().mentions("~ acme/text 2.0.1 -> 2.1.0");
    // With nothing to do, and offline, no request is sent.
    far.build(&["//app"]);
    let before = server.asked.load(Ordering::Relaxed);
    far.build_runs_nothing(&["//app"]);
    far.wake(["build", "//app", "--offline", "--rebuild"]).run().success();
    assert_eq!(server.asked.load(Ordering::Relaxed), before);
}

#[test]
fn n4_invalid_responses_are_reported() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    for (manner, code, said) in [
        (Manner::Page, 9, "the server returned an HTML page instead of the file"),
        (Manner::Encoded, 9, "the response has a content encoding"),
        (Manner::Half, 9, "the transfer was interrupted"),
        (Manner::Endless, 9, "the file is larger than 16 MiB"),
        (Manner::Status(500), 9, "500"),
        (Manner::Status(401), 10, "401"),
        (Manner::Status(403), 10, "403"),
    ] {
        server.is(manner);
        let failed = user.wake(["build", "//app"]).run().code(code);
        failed.mentions("registry `main`: http://127.0.0.1:").mentions(said);
        assert!(!user.path("wake.lock").exists(), "{manner:?}");
    }
    server.is(Manner::Well);
    user.build(&["//app"]);
}

#[test]
fn temporary_failures_are_retried() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    server.is(Manner::Status(503));
    let child = user.json_build(&["//app"]).spawn();
    while server.asked.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
    server.is(Manner::Well);
    assert!(child.wait_with_output().unwrap().status.success());
    let denied = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    server.is(Manner::Status(404));
    let before = server.asked.load(Ordering::Relaxed);
    denied.wake(["build", "//app"]).run().code(9).mentions("there is no registry at");
    // A missing file is not requested again.
    assert_eq!(server.asked.load(Ordering::Relaxed) - before, 2);
}

#[test]
fn an_unreachable_server_is_named() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let user = scene.user_of(&address, &format!("text: {}", get("text", "^2")));
    user.wake(["build", "//app"]).run().code(9).mentions(&format!("registry `main`: {address}/"));
}

/// An independent server.
#[test]
fn an_independent_file_server_works() {
    if !wake_tests::has_program("python3") {
        return wake_tests::skip("an_independent_file_server_works", "needs python3");
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let serve = "import functools, http.server as h, sys\n\
                 handler = functools.partial(h.SimpleHTTPRequestHandler, directory=sys.argv[1])\n\
                 server = h.ThreadingHTTPServer(('127.0.0.1', 0), handler)\n\
                 print(server.server_port, flush=True)\n\
                 server.serve_forever()\n";
    let mut child = std::process::Command::new("python3")
        .args(["-c", serve])
        .arg(scene.registry())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let address = format!("http://127.0.0.1:{}/", port.trim());
    let user = scene.user_of(&address, &format!("text: {}", get("text", "^2")));
    let built = user.json_build(&["//app"]).run();
    let absent = scene.user_of(&address, &format!("text: {}", get("tone", "^2")));
    let failed = absent.wake(["build", "//app"]).run();
    child.kill().unwrap();
    child.wait().unwrap();
    built.success();
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    failed.code(6).mentions("acme/tone");
}
