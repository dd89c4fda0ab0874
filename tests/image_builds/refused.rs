//! Images that cannot be built, and the errors.

use std::fs;

use wake_tests::{Expect, expect, is_root, skip};

use crate::{NEEDS_OS, commands, image, site, wake};

#[track_caller]
fn refused(template: &str, code: i32, expected: Expect) {
    let Some(project) = site("refused") else { return };
    image(&project, "app", "1", NEEDS_OS, template);
    wake(&project, &["build", "app"]).run().code(code).says(expected);
}

#[test]
fn a_failed_build_names_the_line() {
    refused(
        &commands(&["echo one", "echo two >&2", "cat /nothing", "echo four"]),
        1,
        expect![[r#"
            [TIME] FAIL app@=1:run (exit 1, [TIME])  /bin/sh -c 'set -e\x0awake_at() { wake_status=$?; [ "$wake_status" -eq 0 ] || exit "$wake_status"; wake_line=$1; }\x0atrap '\''wake_status=$?; [ "$wake_status" -eq 0 ] || echo "wake: stopped in line $wake_line of @run" >&2'\'' EXIT\x0awake_at 1\x0aecho one\x0awake_at 2\x0aecho two >&2\x0awake_at 3\x0acat /nothing\x0awake_at 4\x0aecho four\x0awake_at end\x0a'
              | standard output:
              | one
              | standard error:
              | two
              | cat: can't open '/nothing': No such file or directory
              | wake: stopped in line 3 of @run
              log: wake log -o app@=1:run
            [TIME] FAILED 1 of 3 actions failed in [TIME]: app@=1:run; 1 ok, 1 skipped
            failed: app@=1:run
            error: this line of `@run` failed: exit 1
             --> images/app/1/templates/ubuntu.vtmp:6:5
              |
            6 |     cat /nothing
              |     ^
              = note: `app@=1` is declared at images/app/1/specifications.yaml:4:7
              help: read its complete standard error in `[STORE]/blob/87/[DIGEST]`
              help: read its complete standard output in `[STORE]/blob/e0/[DIGEST]`
              help: run `wake image shell app@=1` to inspect its root as the command left it
        "#]],
    );
}

#[test]
fn a_source_that_is_not_an_image_is_reported() {
    refused(
        "@from\n    base.sif\n@run\n    true\n",
        5,
        expect![[r#"
        error: `base.sif` is an Apptainer file, which only Apptainer can build on
         --> images/app/1/templates/ubuntu.vtmp:2:5
          |
        2 |     base.sif
          |     ^
          help: use a container image, or build with `--engine apptainer`
    "#]],
    );
    refused(
        "@from\n    ubuntu\n@run\n    true\n",
        5,
        expect![[r#"
        error: `ubuntu` has no registry host: write `HOST/ubuntu`
         --> images/app/1/templates/ubuntu.vtmp:2:5
          |
        2 |     ubuntu
          |     ^
    "#]],
    );
    refused(
        "@from\n    127.0.0.1:9/team/os:1\n",
        9,
        expect![[r#"
        error: oci://127.0.0.1:9/team/os: Connection refused (os error 111)
         help: use `--offline` to build with what is in the store
    "#]],
    );
}

#[test]
fn a_missing_file_is_reported() {
    refused(
        "@from\n    %(__base__)\n@copy\n    text /opt/text\n",
        5,
        expect![[r#"
        error: `text` is not in the build context
         --> images/app/1/templates/ubuntu.vtmp:4:5
          |
        4 |     text /opt/text
          |     ^
          help: add it to `images/app/1/frontier`
        [TIME] FAIL app@=1 (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: app@=1; 1 ok
        failed: app@=1
    "#]],
    );
}

#[test]
fn an_unknown_engine_is_refused() {
    let Some(project) = site("an_unknown_engine_is_refused") else { return };
    wake(&project, &["build", "--engine", "wok", "os"]).run().code(2).says(expect![[r#"
        error: `wok` is not an image engine
         help: omit `--engine` to build the images with wake
    "#]]);
}

#[test]
fn arguments_for_another_tool_are_reported() {
    let Some(project) = site("arguments_for_another_tool_are_reported") else { return };
    let template = "@from\n    %(__base__)\n@arg\n    WHO\n@run\n    echo @(WHO) > /who\n    test \"$(cat /who)\" = you\n";
    let leaf = "{dependencies: [os], arguments: ['--build-arg WHO=you', '--squash']}";
    image(&project, "app", "1", leaf, template);
    wake(&project, &["build", "app"]).run().success().mentions("`--squash` is for another tool");
}

#[test]
fn an_image_too_large_for_the_disk_is_reported() {
    let test = "an_image_too_large_for_the_disk_is_reported";
    let Some(project) = site(test) else { return };
    if !is_root() {
        return skip(test, "needs root");
    }
    wake(&project, &["build", "-o", "oci:base", "-n", "os", "os"]).run().success();
    let digest = crate::inspected(&project, "os")["digest"].as_str().unwrap().to_owned();
    let template = |line: &str| format!("@from\n    oci:../base@{digest}\n@run\n    {line}\n");
    image(
        &project,
        "app",
        "1",
        "{}",
        &template("busybox dd if=/dev/zero of=/large bs=1M count=99"),
    );
    let store = project.base().join("small");
    fs::create_dir(&store).unwrap();
    let built = |size: &str| {
        let script = format!(
            "mount -t tmpfs -o size={size},mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"; shift; exec \"$0\" \"$@\""
        );
        let args = ["image", "-s", "frontier", "-b", "podman", "-d", "ubuntu", "-i", "images"];
        let mut call = project.wake([] as [&str; 0]);
        call = call.wrapper(["unshare", "--mount", "--", "sh", "-euc", &script]);
        call.program(wake_tests::binary()).arg(&store).args(args).args(["build", "app"]).run()
    };
    // When storing it, when unpacking it, and when its commands write.
    built("1m").code(10).says(expect![[r#"
        error: image `oci:[ROOT]/images/../base@sha256:[DIGEST]`: there is not enough space in the store to keep sha256:[DIGEST]
         --> images/app/1/templates/ubuntu.vtmp:2:5
          |
        2 |     oci:../base@sha256:[DIGEST]
          |     ^
          help: run `wake gc --max-size SIZE` to free space
        [TIME] FAIL app@=1:run (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: app@=1:run; 1 skipped
        failed: app@=1:run
    "#]]);
    built("6m").code(10).says(expect![[r#"
        error: image `oci:[ROOT]/images/../base@sha256:[DIGEST]`: there is not enough space in the store to unpack sha256:[DIGEST]
         --> images/app/1/templates/ubuntu.vtmp:2:5
          |
        2 |     oci:../base@sha256:[DIGEST]
          |     ^
          help: run `wake gc --max-size SIZE` to free space
        [TIME] FAIL app@=1:run (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: app@=1:run; 1 skipped
        failed: app@=1:run
    "#]]);
    built("40m")
        .code(1)
        .mentions("this line of `@run` failed: exit 1")
        .mentions("No space left on device");
}
