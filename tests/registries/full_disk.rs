//! Fetching with a full disk: partial data is never used, and once there is space again the next run needs no repair.

use std::fs;

use wake_tests::{Project, Wake, expect, has_program, is_root, skip};

use crate::scene::{Scene, get};
use crate::server::Server;

/// The size of a package's file with random bytes: more than fits into the small store.
const LARGE: usize = 6 << 20;

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "wc -c < data > out.txt");
    let mut state = 1u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    scene.publisher.write("text/data", (0..LARGE).map(|_| byte()).collect::<Vec<u8>>());
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    scene
}

/// Runs a script with `wake` as `$0` and the store as `$1`, with the store on a file system of its own.
fn with_small_store(user: &Project, script: &str) -> Wake {
    let program = wake_tests::binary();
    user.wake([] as [&str; 0])
        .wrapper(["unshare", "--mount", "--", "sh", "-euc", script])
        .program(program)
        .arg(user.store())
}

#[test]
fn f3_a_full_disk_while_a_package_is_fetched() {
    let test = "f3_a_full_disk_while_a_package_is_fetched";
    if !is_root() || !has_program("unshare") {
        return skip(test, "needs root and `unshare` for a small file system");
    }
    let scene = scene();
    let server = Server::of(scene.registry());
    let directory = format!("file:{}", scene.registry().display());
    let mut said = String::new();
    for address in [&directory, &server.address] {
        let user = scene.user_of(address, &format!("text: {}", get("text", "^2")));
        user.wake(["lock"]).run().success();
        let locked = user.read("wake.lock");
        fs::remove_dir_all(user.store()).unwrap();
        fs::create_dir(user.store()).unwrap();
        let script = "mount -t tmpfs -o size=4m,mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"
            code=0; \"$0\" build //app --quiet || code=$?
            test ! -d \"$1/tree\" || test -z \"$(find \"$1/tree\" -type f)\"
            test -z \"$(ls -A \"$1/tmp\")\"
            mount -o remount,size=256m \"$1\"
            \"$0\" build //app --quiet
            \"$0\" store verify --quiet
            exit $code";
        let run = with_small_store(&user, script).run().code(10);
        said += &run.redacted_stderr();
        assert_eq!(user.read("wake.lock"), locked);
        assert_eq!(fs::read_dir(user.path(".wake/out/app")).unwrap().count(), 1);
    }
    expect![[r#"
        error: package `text`: `[STORE]`: no space left
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: its content in wake.lock is [DIGEST]
          help: run `wake gc --max-size SIZE` to free space
               Error 1 error in [TIME]
        error: package `text`: `[STORE]`: no space left
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: its content in wake.lock is [DIGEST]
          help: run `wake gc --max-size SIZE` to free space
               Error 1 error in [TIME]
    "#]]
    .assert_eq(&said);
}
