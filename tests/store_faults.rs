//! Unusable stores, each with the complete message.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wake_tests::{Wake, expect, has_program, is_root, project, skip};

/// Runs as a user to whom permissions apply: another user if the tests run as root.
fn as_ordinary_user(wake: Wake) -> Wake {
    if !is_root() {
        return wake;
    }
    wake.wrapper(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"])
}

#[test]
fn a_store_directory_that_is_not_writable() {
    let project = project().step("m", "touch out.txt").build();
    fs::create_dir(project.store()).unwrap();
    fs::set_permissions(project.store(), fs::Permissions::from_mode(0o555)).unwrap();
    if is_root() {
        // The workspace itself must be writable.
        for path in ["", "step.sh"] {
            let mode = if path.is_empty() { 0o777 } else { 0o755 };
            fs::set_permissions(project.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    as_ordinary_user(project.wake(["build"])).run().code(10).says(expect![[r#"
        error: `[STORE]` is not writable
         help: make it writable, or use another one: `--store DIR` or `WAKE_STORE`
        [TIME] FAILED 1 error in [TIME]
    "#]]);
}

#[test]
fn a_store_that_is_a_file() {
    let project = project().step("m", "touch out.txt").build();
    fs::write(project.store(), "").unwrap();
    project.wake(["build"]).run().code(10).says(expect![[r#"
        error: `[STORE]` is not a directory
         help: name another directory: `--store DIR`
        [TIME] FAILED 1 error in [TIME]
    "#]]);
}

#[test]
fn a_store_from_a_newer_version() {
    let project = project().step("m", "touch out.txt").build();
    project.build(&[]);
    let format = project.store().join("format");
    let text = fs::read_to_string(&format).unwrap();
    fs::write(&format, text.replace('3', "4")).unwrap();
    project.wake(["build"]).run().code(10).says(expect![[r#"
        error: `[STORE]` has store format 4; this version of wake supports format 3
         help: use that newer wake, or another store: `--store DIR`
        [TIME] FAILED 1 error in [TIME]
    "#]]);
    // It is left unchanged: the newer version continues to use it.
    fs::write(&format, text).unwrap();
    project.build_runs_nothing(&[]);
}

#[test]
fn a_store_from_an_earlier_version() {
    let project = project().step("m", "touch out.txt").build();
    project.build(&[]);
    fs::write(project.store().join("format"), "wake-store 2\n").unwrap();
    let build = project.wake(["build", "--rebuild"]).run().success();
    build.mentions("warning: `").mentions("was written by an earlier wake");
    let again = project.wake(["build"]).run().success();
    assert!(!again.stderr.contains("earlier wake"), "{again}");
}

#[test]
fn a_directory_with_other_contents() {
    let project = project().step("m", "touch out.txt").build();
    fs::create_dir(project.store()).unwrap();
    fs::write(project.store().join("thesis.txt"), "mine").unwrap();
    project.wake(["build"]).run().code(10).says(expect![[r#"
        error: `[STORE]` is neither empty nor a wake store
         help: name another directory: `--store DIR`
        [TIME] FAILED 1 error in [TIME]
    "#]]);
    assert_eq!(fs::read_to_string(project.store().join("thesis.txt")).unwrap(), "mine");
}

/// Runs a shell script in a mount namespace of its own, with `wake` as `$1` and the store as `$2`.
fn with_mounts(wake: Wake, script: &str, store: &std::path::Path) -> Wake {
    let program = wake_tests::binary();
    wake.wrapper(["unshare", "--mount", "--", "sh", "-euc", script])
        // The word after the script is `$0`; the program under test comes after it.
        .program(program)
        .arg(store)
}

#[test]
fn a_full_disk() {
    if !is_root() || !has_program("unshare") {
        return skip("a_full_disk", "needs root and `unshare` for a small file system");
    }
    let project = project().step("m", "head -c 16000000 /dev/urandom > out.txt").build();
    fs::create_dir(project.store()).unwrap();
    let script = "mount -t tmpfs -o size=4m,mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"
        code=0; \"$0\" build || code=$?
        \"$0\" store verify >/dev/null
        mount -o remount,size=256m \"$1\"
        \"$0\" build >/dev/null 2>&1
        exit $code";
    let run = with_mounts(project.wake([] as [&str; 0]), script, &project.store()).run();
    run.code(10).says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: no space left in the store `[STORE]`
         help: run `wake gc --max-size SIZE` to free space
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
            Verified 0 trees, 0 action records, 0 blobs, 2 memo segments
    "#]]);
}

#[test]
fn gc_works_on_a_full_disk() {
    if !is_root() || !has_program("unshare") {
        return skip("gc_works_on_a_full_disk", "needs root and `unshare` for a small file system");
    }
    let project = project().step("m", "head -c 3000000 /dev/urandom > out.txt").build();
    fs::create_dir(project.store()).unwrap();
    let script = "mount -t tmpfs -o size=8m,mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"
        \"$0\" build >/dev/null 2>&1
        rm -r .wake
        head -c 100000000 /dev/zero > \"$1/tmp/filler\" 2>/dev/null || true
        test \"$(stat -f -c %a \"$1\")\" = 0
        \"$0\" gc --max-size 0
        rm -f \"$1/tmp/filler\"
        \"$0\" build >/dev/null 2>&1";
    with_mounts(project.wake([] as [&str; 0]), script, &project.store()).run().success();
}
