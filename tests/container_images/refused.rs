//! Invalid images, and invalid names of images.

use std::fs;

use wake_tests::{Expect, Project, copy_tree, expect, has_busybox, project};

use crate::{add_user, busybox_image};

#[track_caller]
fn refused(rootfs: &str, code: i32, expected: Expect) {
    let project = project()
        .pkg("files=['./text'], modules={ m: './m.libsonnet' }")
        .file("text", "no image\n")
        .file(
            "m.libsonnet",
            &format!(
                "function(wake, pkg)
  wake.module(
    'm',
    outputs=function(wake, pkg) {{ text: './out.txt' }},
    exec=wake.exec(wake.program('sh'), rootfs={rootfs}),
  )
"
            ),
        )
        .build();
    project.wake(["build", "//:m"]).run().code(code).says(expected);
}

#[test]
fn invalid_names_of_images_are_errors() {
    refused(
        "{ image: 'debian:12' }",
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `debian:12` has no registry host: write `HOST/debian:12`
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 'debian:12' }),
          |                                                        ^^^^^^^^^^^
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    refused(
        "{ image: 'https://r.example.org/a' }",
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `https://r.example.org/a` is a URL: images are named without a scheme, as in `HOST/REPOSITORY:TAG`
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 'https://r.example.org/a' }),
          |                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    refused(
        "{ image: 'r.example.org/a', platform: 'linux' }",
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: `linux` is not a platform: expected `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`, such as `linux/amd64`
         --> m.libsonnet:5:85
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 'r.example.org/a', platform: 'linux' }),
          |                                                                                     ^^^^^^^
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    refused(
        "{ image: 7 }",
        5,
        expect![[r#"
        error: `rootfs` of exec() must be the name of an image, such as 'registry.example.org/os/debian:12', or a reference to one, not a number
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 7 }),
          |                                                        ^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "{ image: 'r.example.org/a', tag: '1' }",
        5,
        expect![[r#"
        error: unknown key `tag` in `rootfs` of exec()
         --> m.libsonnet:5:75
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 'r.example.org/a', tag: '1' }),
          |                                                                           ^^^
          = note: module() is called at m.libsonnet:2:3
          help: the keys are image, platform, env, writable
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "{ image: './text' }",
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `[ROOT]/text` is not an image archive: the archive is truncated after 9 bytes
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: './text' }),
          |                                                        ^^^^^^^^
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    refused(
        "{ image: 'oci:nowhere' }",
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `oci:nowhere` does not give the digest of the image
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: 'oci:nowhere' }),
          |                                                        ^^^^^^^^^^^^^
          help: `[ROOT]/nowhere` is not an image layout: it has no `index.json`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    refused(
        "{ image: '127.0.0.1:1/a:1' }",
        9,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: oci://127.0.0.1:1/a: Connection refused (os error 111)
         --> m.libsonnet:5:56
          |
        5 |     exec=wake.exec(wake.program('sh'), rootfs={ image: '127.0.0.1:1/a:1' }),
          |                                                        ^^^^^^^^^^^^^^^^^
          help: use `--offline` to build with what is in the store
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}

#[test]
fn a_missing_path_is_reported_as_a_path() {
    let project = project().build();
    for path in ["./nothing", ".wake/out/app/image", "/nowhere/image.tar"] {
        let message = format!("no image layout or archive at `{path}`");
        project.wake(["image", "inspect", path]).run().code(4).mentions(&message);
    }
}

#[track_caller]
fn not_put_together(image: &str, code: i32, expected: Expect) {
    let project = project()
        .pkg("files=['./text', wake.dir('d')], modules={ m: './m.libsonnet' }")
        .file("text", "text\n")
        .file("d/x", "x\n")
        .file(
            "m.libsonnet",
            &format!(
                "function(wake, pkg)
  wake.module('m',
    outputs=function(wake, pkg) {{ image: './image/' }},
    exec=wake.image({image}))
"
            ),
        )
        .build();
    project.wake(["build", "//:m"]).run().code(code).says(expected);
}

#[test]
fn invalid_arguments_of_image_are_errors() {
    not_put_together(
        "files={ 'bin/x': './text' }",
        5,
        expect![[r#"
        error: `files` of image() has `bin/x` as a path in the image, which must start with `/` and contain no `.` or `..`
         --> m.libsonnet:4:38
          |
        4 |     exec=wake.image(files={ 'bin/x': './text' }))
          |                                      ^^^^^^^^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    not_put_together(
        "files={ '/x': { from: './text', mode: '999' } }",
        5,
        expect![[r#"
        error: `files` of image() must have a string of octal digits as `mode`, such as '0755'
         --> m.libsonnet:4:35
          |
        4 |     exec=wake.image(files={ '/x': { from: './text', mode: '999' } }))
          |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    not_put_together(
        "files={ '/x': { from: './text', owner: 'root' } }",
        5,
        expect![[r#"
        error: `files` of image() must have the numbers of a user and a group as `owner`, such as '1000:1000'
         --> m.libsonnet:4:35
          |
        4 |     exec=wake.image(files={ '/x': { from: './text', owner: 'root' } }))
          |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    not_put_together(
        "files={ '/x': './none' }",
        5,
        expect![[r#"
        error: cannot resolve `./none`: `./none` is not in the package's `files`
         --> m.libsonnet:4:35
          |
        4 |     exec=wake.image(files={ '/x': './none' }))
          |                                   ^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    not_put_together(
        "files={ '/x': { from: './d', mode: '0755' } }",
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])
          | `/x` cannot be placed in the image: a mode is allowed only for a single file, not for a directory
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    not_put_together(
        "files={ '/x': './text', '/x/y': './text' }",
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:m (exit 0, [TIME])
          | `/x/y` cannot be placed in the image: `/x` is not a directory
          log: wake log -o //:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    not_put_together(
        "files={}, env={ A: 1 }",
        5,
        expect![[r#"
        error: `env` of image() must contain strings, not a number
         --> m.libsonnet:4:40
          |
        4 |     exec=wake.image(files={}, env={ A: 1 }))
          |                                        ^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    not_put_together(
        "files={}, workdir='srv'",
        5,
        expect![[r#"
        error: `workdir` of image() must be an absolute path, such as '/srv'
         --> m.libsonnet:4:39
          |
        4 |     exec=wake.image(files={}, workdir='srv'))
          |                                       ^^^^^
          = note: module() is called at m.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

fn altered(change: impl Fn(&Project, &str)) -> wake_tests::Finished {
    let project = busybox_image();
    project.build(&["//:base"]);
    let layout = project.path("layout");
    copy_tree(&project.result("base", "image"), &layout);
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifest = index["manifests"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    change(&project, &manifest);
    // In an empty store.
    fs::remove_dir_all(project.store()).unwrap();
    project.edit("PKG.libsonnet", "files=[", "files=[wake.dir('layout'), ");
    add_user(&project, "'./layout'");
    project.edit("user.libsonnet", "pkgFiles=[]", "pkgFiles=[wake.dir('layout')]");
    project.wake(["build", "//:user"]).run()
}

fn layer(project: &Project, manifest: &str) -> String {
    let text = project.read(&format!("layout/blobs/sha256/{manifest}"));
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "layout/blobs/sha256/")
}

#[test]
fn an_image_that_does_not_match_its_digests_is_refused() {
    if !has_busybox("an_image_that_does_not_match_its_digests_is_refused") {
        return;
    }
    altered(|project, manifest| {
        let layer = layer(project, manifest);
        let mut bytes = fs::read(project.path(&layer)).unwrap();
        bytes[600] ^= 1;
        project.write(&layer, bytes);
    })
    .code(7)
    .mentions(", got sha256:");
    altered(|project, manifest| {
        let layer = layer(project, manifest);
        let mut bytes = fs::read(project.path(&layer)).unwrap();
        bytes.push(0);
        project.write(&layer, bytes);
    })
    .code(7)
    .mentions("but its manifest says");
    altered(|project, manifest| {
        fs::remove_file(project.path(&layer(project, manifest))).unwrap();
    })
    .code(7)
    .mentions("which is missing");
    altered(|project, manifest| {
        project.write(&format!("layout/blobs/sha256/{manifest}"), "<html>");
    })
    .code(7)
    .mentions(", got sha256:");
    altered(|project, _| project.write("layout/index.json", "{}"))
        .code(5)
        .mentions("is not an image layout");
}
