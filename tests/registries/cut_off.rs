//! Publishing and fetching that is killed, or done by two processes at once: the next run needs no repair.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::scene::{Scene, all_of, get};

/// How many times a test kills; set by `WAKE_TEST_KILLS`.
fn kills() -> u64 {
    std::env::var("WAKE_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

/// F1: at any point of `publish`.
#[test]
fn f1_a_killed_publish_is_completed_by_the_next() {
    let whole = Scene::new();
    let scene = Scene::new();
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text')";
    for scene in [&whole, &scene] {
        scene.write("greet", "1.2.0", text, "cat data \"$1\" > out.txt");
        scene.write("text", "2.0.1", "", "cat data > out.txt");
    }
    let started = std::time::Instant::now();
    whole.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
    let took = started.elapsed();
    for attempt in 0..kills() {
        let _ = fs::remove_dir_all(scene.registry());
        let mut child = scene.publisher.wake(["publish", "//...", "--no-verify"]).spawn();
        thread::sleep(took.mul_f64(attempt as f64 / kills() as f64));
        child.kill().unwrap();
        child.wait().unwrap();
        // A reader sees a package with all its dependencies, or not at all.
        if scene.registry().join("index/acme/greet.jsonl").exists() {
            assert!(scene.registry().join("index/acme/text.jsonl").exists());
            assert!(scene.registry().join("pkgs/acme/greet/1.2.0.tar.zst").exists());
        }
        scene.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
        let names = |scene: &Scene| {
            let all = all_of(&scene.registry()).into_iter();
            let named =
                all.map(|(path, _)| path.strip_prefix(scene.registry()).unwrap().to_owned());
            named.filter(|path| !path.to_string_lossy().ends_with(".new")).collect::<Vec<_>>()
        };
        assert_eq!(names(&scene), names(&whole));
        let user = scene.user(&format!("greet: {}", get("greet", "^1")));
        user.build(&["//app"]);
    }
}

/// F1: at any point of a build that fetches.
#[test]
fn f1_a_killed_fetch_is_completed_by_the_next() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    for attempt in 0..kills() {
        for gone in [user.store(), user.path(".wake"), user.path("wake.lock")] {
            if gone.is_dir() {
                let removed =
                    std::process::Command::new("rm").arg("-rf").arg(&gone).status().unwrap();
                assert!(removed.success());
            } else {
                let _ = fs::remove_file(&gone);
            }
        }
        let mut child = user.json_build(&["//app"]).spawn();
        thread::sleep(Duration::from_millis(8 * attempt));
        child.kill().unwrap();
        child.wait().unwrap();
        user.build(&["//app"]);
        assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
        user.wake(["lock", "--check"]).run().success();
    }
}

/// F1: at any point while a lock is written, it is the old one or the new one.
#[test]
fn f1_a_lock_is_replaced_atomically() {
    let scene = Scene::new();
    let names: Vec<String> = (0..6).map(|number| format!("part{number}")).collect();
    let write = |version: &str| {
        names.iter().for_each(|name| scene.write(name, version, "", "cat data > out.txt"));
        scene.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
    };
    write("1.0.0");
    let pkgs: Vec<String> =
        names.iter().map(|name| format!("{name}: {}", get(name, "^1"))).collect();
    let user = scene.user(&pkgs.join(", "));
    user.wake(["lock"]).run().success();
    let old = user.read("wake.lock");
    write("1.1.0");
    let started = std::time::Instant::now();
    user.wake(["update"]).run().success();
    let took = started.elapsed();
    let new = user.read("wake.lock");
    assert_ne!(old, new);
    for attempt in 0..kills() {
        user.write("wake.lock", &old);
        let mut child = user.wake(["update"]).spawn();
        thread::sleep(took.mul_f64(attempt as f64 / kills() as f64));
        child.kill().unwrap();
        child.wait().unwrap();
        let lock = user.read("wake.lock");
        assert!(lock == old || lock == new, "{lock}");
        user.wake(["update"]).run().success();
        assert_eq!(user.read("wake.lock"), new);
    }
    // No temporary file is left next to it.
    let left = fs::read_dir(user.root()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("lock")).collect();
    assert_eq!(left, ["wake.lock"]);
}

/// N9: of two concurrent publishers of one version, one succeeds.
#[test]
fn n9_one_of_two_concurrent_publishers_succeeds() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let publish = || scene.publisher.wake(["publish", "text", "--no-verify"]).spawn();
    let children: Vec<_> = (0..3).map(|_| publish()).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(scene.read("index/acme/text.jsonl").lines().count(), 1);
    assert_eq!(scene.read("index/acme.jsonl").lines().count(), 1);
}

/// Two processes fetch one package into one store.
#[test]
fn concurrent_fetches_of_one_package_share_it() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let pkgs = format!("text: {}", get("text", "^2"));
    let (one, two) = (scene.user(&pkgs), scene.user(&pkgs));
    let children = [&one, &two].map(|user| user.json_build(&["//app"]).store(one.store()).spawn());
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    for user in [&one, &two] {
        assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    }
}
