//! What steps use of the configuration of their root's image.

use wake_tests::{Project, expect, has_busybox, project};

use crate::{add_module, busybox_image};

/// A module that runs the image's entry point, with more arguments of `exec()`.
fn add_run(project: &Project, exec: &str) {
    let exec = format!(
        "    pkgFiles=[],
    modules={{ base: pkg.modules.base({{}}) }},
    outputs=function(wake, pkg) {{ text: './out.txt' }},
    exec=function(wake, module) wake.exec({exec}),
"
    );
    add_module(project, "run", &exec);
}

/// Sets how the image is run.
fn said(project: &Project, how: &str) {
    project.edit("base.libsonnet", "cmd=['/bin/sh'],\n      env={ PATH: '/bin' },", how);
}

const IMAGE: &str = "rootfs={ image: 'module.base.output.image', env: true }";

#[test]
fn an_entry_point_runs_with_the_variables_of_its_image() {
    if !has_busybox("an_entry_point_runs_with_the_variables_of_its_image") {
        return;
    }
    let project = busybox_image();
    said(
        &project,
        "entrypoint=['sh', '-c', 'echo $WHO $WHERE \"$@\" > out.txt', 'tool'], cmd=['again'], \
         env={ PATH: '/bin', WHO: 'you', WHERE: 'here' },",
    );
    add_run(&project, &format!("wake.ENTRYPOINT, env={{ WHERE: 'there' }}, {IMAGE}"));
    project.build(&["//:run"]);
    assert_eq!(project.result_text("run", "out.txt"), "you there again\n");
    project.build_runs_nothing(&["//..."]);

    // Arguments replace `cmd`.
    project.edit("run.libsonnet", "wake.ENTRYPOINT,", "wake.ENTRYPOINT, args=['once'],");
    project.build(&["//:run"]);
    assert_eq!(project.result_text("run", "out.txt"), "you there once\n");

    // Without `env`, the command has the default variables.
    project.edit("run.libsonnet", ", env: true", "");
    project.edit("run.libsonnet", "env={ WHERE", "env={ PATH: '/bin', WHERE");
    project.build(&["//:run"]);
    assert_eq!(project.result_text("run", "out.txt"), "there once\n");

    // A changed configuration of the image is a changed command, also in a build from a snapshot.
    project.edit("run.libsonnet", "image' }", "image', env: true }");
    project.build(&["//:run"]);
    project.edit("base.libsonnet", "WHO: 'you'", "WHO: 'all'");
    project.build(&["//:run"]);
    assert_eq!(project.result_text("run", "out.txt"), "all there once\n");
}

#[test]
fn an_image_without_a_command_has_no_entry_point() {
    if !has_busybox("an_image_without_a_command_has_no_entry_point") {
        return;
    }
    let project = busybox_image();
    said(&project, "");
    add_run(&project, &format!("wake.ENTRYPOINT, {IMAGE}"));
    project.build(&["//:base"]);
    project.wake(["build", "//:run"]).run().code(5).says(expect![[r#"
        [TIME] evaluated 2 modules of 1 package (1 of 4 from cache)
        error: //:run: the image of `rootfs` has no entrypoint
         help: give a program: `wake.exec(wake.program('sh'), args=[…], …)`
        [TIME] FAIL //:run (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: //:run; 1 ok, all cached, log .wake/runs/[RUN].jsonl
        failed: //:run
    "#]]);
}

#[test]
fn an_entry_point_requires_an_image() {
    let project = project()
        .pkg("modules={ m: './m.libsonnet' }")
        .file(
            "m.libsonnet",
            "function(wake, pkg) wake.module('m', outputs=function(wake, pkg) { text: './x' },\n  exec=wake.exec(wake.ENTRYPOINT))\n",
        )
        .build();
    project.wake(["build", "//:m"]).run().code(5).says(expect![[r#"
        error: `wake.ENTRYPOINT` requires an image as `rootfs` of exec()
         --> m.libsonnet:2:18
          |
        2 |   exec=wake.exec(wake.ENTRYPOINT))
          |                  ^^^^^^^^^^^^^^^
          = note: module() is called at m.libsonnet:1:21
          help: use `rootfs={ image: 'HOST/REPOSITORY:TAG' }`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}
