//! Registries that give wrong content, are rolled back or lose content. Names such as `n5` refer to the trust checklist.

use std::fs;
use std::io::Write;

use wake_tests::Project;

use crate::scene::{Scene, get};

fn user(scene: &Scene) -> Project {
    scene.user(&format!("text: {}", get("text", "^1")))
}

/// The trees in a project's store.
pub(crate) fn trees(project: &Project) -> usize {
    let Ok(dirs) = fs::read_dir(project.store().join("tree")) else { return 0 };
    dirs.map(|dir| fs::read_dir(dir.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn n4_bytes_that_differ_from_the_lock_never_reach_the_store() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    scene.publish("text", "1.1.0", "");
    let user = user(&scene);
    user.wake(["lock"]).run().success();
    let pkgs = scene.registry().join("pkgs/acme/text");
    fs::copy(pkgs.join("1.0.0.tar.zst"), pkgs.join("1.1.0.tar.zst")).unwrap();
    let failed = user.wake(["build", "//app"]).run().code(7);
    failed
        .mentions("registry `main`: acme/text 1.1.0: its archive contains")
        .mentions("nothing was stored");
    assert_eq!(trees(&user), 0);
}

#[test]
fn n4_truncated_and_invalid_archives_are_refused() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    user.wake(["lock"]).run().success();
    let archive = scene.registry().join("pkgs/acme/text/1.0.0.tar.zst");
    let whole = fs::read(&archive).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"<html>no</html>", b""] {
        fs::write(&archive, bytes).unwrap();
        user.wake(["build", "//app"]).run().code(7).mentions("pkgs/acme/text/1.0.0.tar.zst");
        assert_eq!(trees(&user), 0);
    }
    fs::write(&archive, &whole).unwrap();
    user.build(&["//app"]);
}

/// X1, X13: paths that leave the package, and entries that are not files.
#[test]
fn x1_a_hostile_archive_is_reported_with_its_entry() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    user.wake(["lock"]).run().success();
    let dir = user.base().join("hostile");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("x"), "x").unwrap();
    let archive = scene.registry().join("pkgs/acme/text/1.0.0.tar.zst");
    let tar = |options: &[&str]| {
        let made = std::process::Command::new("tar")
            .current_dir(&dir)
            .args(["-cf"])
            .arg(&archive)
            .args(options)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    tar(&["--transform=s,^x,../x,", "-P", "x"]);
    user.wake(["build", "//app"])
        .run()
        .code(7)
        .mentions("path `../x` in the archive contains `..`");
    std::process::Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap();
    tar(&["pipe"]);
    user.wake(["build", "//app"]).run().code(7).mentions("`pipe` is a pipe");
    std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).unwrap();
    tar(&["link"]);
    user.wake(["build", "//app"]).run().code(7).mentions("link `link` points outside the tree");
    assert_eq!(trees(&user), 0);
}

/// Versions are resolved from the contents of files, and from nothing else.
#[test]
fn metadata_that_differs_from_the_files_is_refused() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    for path in ["index/acme/text.jsonl", "pkgs/acme/text/1.0.0.json"] {
        let text = scene.read(path);
        assert!(text.contains("\"license\":\"MIT\""));
        fs::write(
            scene.registry().join(path),
            text.replace("\"license\":\"MIT\"", "\"license\":\"ISC\""),
        )
        .unwrap();
    }
    let user = user(&scene);
    let failed = user.wake(["build", "//app"]).run().code(7);
    failed.mentions(
        "registry `main`: acme/text 1.0.0: `license` in its metadata does not match its files",
    );
    // The next time as well.
    user.wake(["build", "//app"]).run().code(7);
    assert_eq!(trees(&user), 0);
}

#[test]
fn n5_a_rollback_of_a_registry_is_noticed() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let before = scene.read("index/acme/text.jsonl");
    scene.publish("text", "1.1.0", "");
    let user = user(&scene);
    user.build(&["//app"]);
    let log = scene.registry().join("index/acme/text.jsonl");
    let now = fs::read(&log).unwrap();
    for (bytes, line) in [(before.as_bytes(), 2), (b"", 1)] {
        fs::write(&log, bytes).unwrap();
        let failed = user.wake(["update"]).run().code(7);
        failed.mentions(&format!("registry `main`: index/acme/text.jsonl was truncated or rewritten: line {line} has changed"))
            .mentions("`wake registry forget main`");
    }
    fs::write(&log, &now).unwrap();
    user.wake(["update"]).run().success();
    fs::write(&log, &before).unwrap();
    user.wake(["registry", "forget", "main"]).run().success();
    // The lock still records it.
    user.wake(["update"]).run().code(7).mentions("which `wake.lock` takes from it");
    fs::remove_file(user.path("wake.lock")).unwrap();
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 1.0.0\n");
}

#[test]
fn an_invalid_log_is_reported_with_its_line() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let log = scene.registry().join("index/acme/text.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"kind\":\"yank\"}\n").unwrap();
    let failed = user(&scene).wake(["build", "//app"]).run().code(9);
    failed.mentions("registry `main`: index/acme/text.jsonl:2: ");
}

#[test]
fn a_missing_registry_is_not_an_empty_registry() {
    let scene = Scene::new();
    let user = user(&scene);
    user.wake(["build", "//app"]).run().code(9).mentions("there is no registry at `file://");
    scene.publish("tone", "1.0.0", "");
    user.wake(["build", "//app"]).run().code(6).mentions("acme/text");
}

/// A locked version that is gone from its registry.
#[test]
fn a_missing_archive_is_named() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene);
    user.wake(["lock"]).run().success();
    fs::remove_file(scene.registry().join("pkgs/acme/text/1.0.0.tar.zst")).unwrap();
    user.wake(["build", "//app"]).run().code(9).mentions("registry `main` has no acme/text 1.0.0");
}
