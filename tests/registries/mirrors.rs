//! Mirrors of registries, and user settings.

use std::fs;
use std::sync::atomic::Ordering;

use wake_tests::{Finished, Project, expect, project};

use crate::scene::{Scene, get, toml};
use crate::server::{Manner, Server};

/// Writes the settings of the user of `project`.
pub(crate) fn settings(project: &Project, text: &str) {
    let dir = project.base().join("home/.config/wake");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

fn passed_over(finished: &Finished, times: usize) {
    let said = finished.redacted_stderr();
    assert_eq!(said.matches("` was skipped").count(), times, "{said}");
}

#[test]
fn a_mirror_is_tried_first_and_the_registry_supplies_the_rest() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let mirror = scene.publisher.base().join("mirror");
    copy(&scene.registry(), &mirror);
    let server = Server::of(scene.registry());
    let pkgs = format!("text: {}", get("text", "^2"));
    let user = scene.user_of(&server.address, &pkgs);
    settings(&user, &format!("[mirrors]\nmain = \"file:{}\"\n", mirror.display()));
    user.build(&["//app"]);
    assert_eq!(server.asked.load(Ordering::Relaxed), 0);
    // The lock names the registry, and is the same as without a mirror.
    let plain = scene.user_of(&server.address, &pkgs);
    plain.build(&["//app"]);
    assert_eq!(user.read("wake.lock"), plain.read("wake.lock"));
    scene.publish("tone", "1.0.0", "");
    user.edit("app/PKG.libsonnet", "pkgs={", &format!("pkgs={{ tone: {},", get("tone", "^1")));
    let built = user.wake(["build", "//app"]).run().success();
    passed_over(&built, 0);
    assert_eq!(user.result_text("//app:app", "out.txt").lines().count(), 2);
}

#[test]
fn a_failing_mirror_is_reported_and_skipped() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    server.is(Manner::Status(500));
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    let second = scene.publisher.base().join("nothing");
    let list = format!("[\"{}\", \"file:{}\"]", server.address, second.display());
    settings(&user, &format!("[mirrors]\nmain = {list}\n"));
    let built = user.wake(["build", "//app"]).run().success();
    // A mirror without the file is not at fault; one that fails is tried once.
    passed_over(&built, 1);
    built.mentions("warning: mirror `http://127.0.0.1:").mentions("500 Internal Server Error");
    assert_eq!(server.asked.load(Ordering::Relaxed), 1);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
}

#[test]
fn different_content_from_a_mirror_is_not_used() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let other = Scene::new();
    other.write("text", "2.0.1", "", "echo evil > out.txt");
    other.publisher.wake(["publish", "text"]).run().success();
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    user.wake(["lock"]).run().success();
    let lock = user.read("wake.lock");
    settings(&user, &format!("[mirrors]\nmain = \"file:{}\"\n", other.registry().display()));
    let built = user.wake(["build", "//app"]).run().success();
    passed_over(&built, 1);
    built.mentions("its archive contains ");
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    // Nor its log.
    let updated = user.wake(["update"]).run().success();
    passed_over(&updated, 1);
    updated.mentions("acme/text has different content there than in the registry");
    assert_eq!(user.read("wake.lock"), lock);
}

/// A mirror that is behind does not revert anything.
#[test]
fn n5_a_mirror_that_is_behind_is_skipped() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let mirror = scene.publisher.base().join("mirror");
    copy(&scene.registry(), &mirror);
    scene.publish("text", "2.1.0", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    user.wake(["lock"]).run().success();
    settings(&user, &format!("[mirrors]\nmain = \"file:{}\"\n", mirror.display()));
    let updated = user.wake(["update"]).run().success();
    passed_over(&updated, 0);
    assert!(user.read("wake.lock").contains("acme/text 2.1.0"));
}

/// Invalid user settings are reported with their position, whatever the command.
#[test]
fn invalid_user_settings_are_reported_with_their_positions() {
    let user = project().pkg("").build();
    let said = |text: &str, code: i32| {
        settings(&user, text);
        user.wake(["ls"]).run().code(code).redacted_stderr()
    };
    expect![[r#"
        error: unknown field `parralel`, expected one of `proxy`, `ca`, `parallel`, `timeout`
         --> [BASE]/home/.config/wake/config.toml:2:1
          |
        2 | parralel = 4
          | ^^^^^^^^
          help: did you mean `parallel`?
    "#]]
    .assert_eq(&said("[http]\nparralel = 4\n", 2));
    expect![[r#"
        error: `timeout` is `1x`: expected a time from `[TIME]` to `1h`
         --> [BASE]/home/.config/wake/config.toml:2:11
          |
        2 | timeout = "1x"
          |           ^^^^
    "#]]
    .assert_eq(&said("[http]\ntimeout = \"1x\"\n", 2));
    expect![[r#"
        error: `parallel` is 65: expected a number from 1 to 64
         --> [BASE]/home/.config/wake/config.toml:2:12
          |
        2 | parallel = 65
          |            ^^
    "#]]
    .assert_eq(&said("[http]\nparallel = 65\n", 2));
    expect![[r#"
        error: `ftp://x` is not a registry address: expected one that begins with `file:`, `https://`, `http://` or `oci://`
         --> [BASE]/home/.config/wake/config.toml:2:8
          |
        2 | main = ["file:a", "ftp://x"]
          |        ^^^^^^^^^^^^^^^^^^^^^
    "#]]
    .assert_eq(&said("[mirrors]\nmain = [\"file:a\", \"ftp://x\"]\n", 2));
    expect![[r#"
        error: invalid type: integer `3`, expected an address or a list of them
         --> [BASE]/home/.config/wake/config.toml:2:8
          |
        2 | main = 3
          |        ^
    "#]]
    .assert_eq(&said("[mirrors]\nmain = 3\n", 2));
    settings(&user, "[http]\nproxy = \"http://127.0.0.1:9\"\nparallel = 2\ntimeout = \"90s\"\n");
    user.wake(["ls"]).run().success();
    // Another location, set by the environment.
    settings(&user, "nonsense");
    let empty = user.base().join("other");
    user.wake(["ls"]).env("XDG_CONFIG_HOME", &empty).run().success();
    user.wake(["ls"]).run().code(2);
}

/// N4: the user sets how long to wait for a silent server.
#[test]
fn n4_a_stalled_server_is_named_after_the_configured_time() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    server.is(Manner::Silent);
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    settings(&user, "[http]\ntimeout = \"1s\"\n");
    let started = std::time::Instant::now();
    let failed = user.wake(["lock"]).run().code(9);
    failed.mentions("registry `main`: http://127.0.0.1:").mentions("it did not respond in time");
    // Six waits of a second, and the pauses between them.
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
    user.write("wake.toml", toml(&format!("file:{}", scene.registry().display())));
    user.build(&["//app"]);
}
