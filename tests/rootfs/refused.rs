//! Root file systems that cannot be used.

use std::fs;
use std::process::Command;

use wake_tests::{Expect, expect, has_busybox};

use crate::{listing, module, pack, tar};

#[track_caller]
fn refused(rootfs: &str, code: i32, expected: Expect) {
    let project = listing("null");
    tar(&project, "packed/root.tgz");
    project.write("packed/single", "one file\n");
    project.write("single", "one file\n");
    pack(&project, "tar", "single");
    module(&project, rootfs);
    let finished = project.wake(["build", "//:m"]).run().code(code);
    finished.says(expected);
}

const ABSENT: &str = "tar:6ZQwr3JLPNsLPxEkBt66PadXcX8GkJ35juzyrHMkvoqxnqXR5oR1U2c71vatgXv3zH";

#[test]
fn invalid_ware_ids_and_addresses_are_errors() {
    if !has_busybox("invalid_ware_ids_and_addresses_are_errors") {
        return;
    }
    refused(
        "'rar:6ZQwr3JLPNsLPxEkBt66'",
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: pack type `rar` is unknown: expected `tar`, `tree`, `zip` or `git`
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs='rar:6ZQwr3JLPNsLPxEkBt66'),
              |                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: `wake ware pack` and `wake ware scan` print ids
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        "'tar:0OIl'",
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: `0OIl` is not the hash of a `tar` ware
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs='tar:0OIl'),
              |                                        ^^^^^^^^^^
              help: `wake ware pack` and `wake ware scan` print ids
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        "{ ware: 'tar:-' }",
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: `tar:-` stands for a path that did not exist: there is nothing to unpack
             --> m.libsonnet:6:48
              |
            6 |     exec=wake.exec('./list.sh', rootfs={ ware: 'tar:-' }),
              |                                                ^^^^^^^
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        &format!("{{ ware: '{ABSENT}', warehouses: ['ftp://x'] }}"),
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: warehouse `ftp://x` has the unknown scheme `ftp`: expected `file`, `ca+file`, `http(s)` or `ca+http(s)`
             --> m.libsonnet:7:20
              |
            7 |       warehouses: ['ftp://x'] }),
              |                    ^^^^^^^^^
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        &format!("{{ ware: '{ABSENT}', warehouse: [] }}"),
        5,
        expect![[r#"
            error: unknown key `warehouse` in `rootfs` of exec()
             --> m.libsonnet:7:7
              |
            7 |       warehouse: [] }),
              |       ^^^^^^^^^ did you mean `warehouses`?
              = note: exec() is called at m.libsonnet:6:10
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "{ ware: 3 }",
        5,
        expect![[r#"
            error: `rootfs` of exec() must have the id of a ware as `ware`, such as 'tar:6q7G…'
             --> m.libsonnet:6:48
              |
            6 |     exec=wake.exec('./list.sh', rootfs={ ware: 3 }),
              |                                                ^
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "3",
        5,
        expect![[r#"
            error: `rootfs` of exec() must be wake.HOST, wake.EMPTY, a reference to a file or directory, a ware or an image, not a number
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs=3),
              |                                        ^
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_missing_warehouse_and_a_missing_ware_are_distinguished() {
    if !has_busybox("a_missing_warehouse_and_a_missing_ware_are_distinguished") {
        return;
    }
    let ware = |warehouse: &str| format!("{{ ware: '{ABSENT}', warehouses: ['{warehouse}'] }}");
    refused(
        &format!("'{ABSENT}'"),
        10,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: no warehouse is available for `[WARE]`: none was named
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs='[WARE]'),
              |                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: give a warehouse that can be reached: `rootfs={ ware: …, warehouses: ['ca+file:///…'] }`
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        &ware("ca+file://./gone"),
        10,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: no warehouse is available for `[WARE]`
             --> m.libsonnet:6:48
              |
            6 |     exec=wake.exec('./list.sh', rootfs={ ware: '[WARE]',
              |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = note: warehouse `ca+file://[ROOT]/gone` is unavailable: No such file or directory (os error 2)
              help: give a warehouse that can be reached: `rootfs={ ware: …, warehouses: ['ca+file:///…'] }`
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        &ware("ca+file://./warehouse"),
        10,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs`: no warehouse has `[WARE]`
             --> m.libsonnet:6:48
              |
            6 |     exec=wake.exec('./list.sh', rootfs={ ware: '[WARE]',
              |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = note: warehouse `ca+file://[ROOT]/warehouse` does not have `[WARE]`
              help: run `wake ware mirror` to copy a ware into a warehouse
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
}

#[test]
fn a_fetched_ware_must_match_its_id() {
    if !has_busybox("a_fetched_ware_must_match_its_id") {
        return;
    }
    let project = listing("null");
    fs::create_dir(project.path("empty")).unwrap();
    let id = pack(&project, "tar", "empty");
    let hash = id.strip_prefix("tar:").unwrap();
    let place = format!("warehouse/{}/{}/{hash}", &hash[..3], &hash[3..6]);
    project.write("single", "one file\n");
    let mut tar = Command::new("tar");
    let fixed = ["--owner=0", "--group=0", "--mtime=@0", "--mode=0644", "-cf", &place, "single"];
    assert!(tar.args(fixed).current_dir(project.root()).status().unwrap().success());
    module(&project, &format!("{{ ware: '{id}', warehouses: ['ca+file://./warehouse'] }}"));
    let finished = project.wake(["build", "//:m"]).run().code(7);
    finished.says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: hash mismatch: expected `[WARE]`, got `[WARE]`
         --> m.libsonnet:6:48
          |
        6 |     exec=wake.exec('./list.sh', rootfs={ ware: '[WARE]',
          |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: correct the id, or the content of the warehouse: they do not match
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]]);
}

#[test]
fn invalid_root_file_systems_are_errors() {
    if !has_busybox("invalid_root_file_systems_are_errors") {
        return;
    }
    refused(
        "'./packed/single'",
        5,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:m: `rootfs` is `./packed/single`: the archive is truncated after 9 bytes
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs='./packed/single'),
              |                                        ^^^^^^^^^^^^^^^^^
              help: use a tar archive, plain or compressed with gzip, bzip2, xz or zstd, or a zip archive whose name ends in `.zip`
            [TIME] FAIL //:m (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
            failed: //:m
        "#]],
    );
    refused(
        "'./packed/absent'",
        5,
        expect![[r#"
            error: cannot resolve `./packed/absent`: `./packed/absent` is not in the package's `files`
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs='./packed/absent'),
              |                                        ^^^^^^^^^^^^^^^^^ did you mean `./packed/keep`?
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "['./packed']",
        5,
        expect![[r#"
            error: `rootfs` of exec() must be wake.HOST, wake.EMPTY, a reference to a file or directory, a ware or an image, not a list
             --> m.libsonnet:6:40
              |
            6 |     exec=wake.exec('./list.sh', rootfs=['./packed']),
              |                                        ^^^^^^^^^^^^
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    let project = listing("null");
    project.write("single", "one file\n");
    let mut touch = Command::new("touch");
    assert!(
        touch.args(["-d", "@0", "single"]).current_dir(project.root()).status().unwrap().success()
    );
    let id = pack(&project, "tar", "single");
    module(&project, &format!("{{ ware: '{id}', warehouses: ['ca+file://./warehouse'] }}"));
    let finished = project.wake(["build", "//:m"]).run().code(5);
    finished.says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the packed content is a single file, but a root file system is a directory
         --> m.libsonnet:6:48
          |
        6 |     exec=wake.exec('./list.sh', rootfs={ ware: '[WARE]',
          |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: pack the directory that should become `/`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]]);
}

#[test]
fn the_weak_sandbox_does_not_support_roots() {
    if !has_busybox("the_weak_sandbox_does_not_support_roots") {
        return;
    }
    let project = listing("'./root'");
    project.edit("PKG.libsonnet", "wake.dir('packed')", "wake.dir('root')");
    let finished = project.wake(["build", "--sandbox", "weak", "//:m"]).run();
    assert_ne!(finished.code, 0);
    finished.says(expect![[r#"
        [TIME] warning: the sandbox is weak: commands can see more than they declare
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `/` must be the host's in the weak sandbox
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]]);
}
