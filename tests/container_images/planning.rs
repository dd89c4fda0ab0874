//! What is requested of images when nothing is built.

use std::fs;

use wake_tests::{Project, expect, has_busybox};

use crate::containers::Registry;
use crate::{add_module, add_user, busybox_image};

fn forget(project: &Project) {
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
}

#[test]
fn no_layer_is_fetched_when_nothing_is_built() {
    let test = "no_layer_is_fetched_when_nothing_is_built";
    if !has_busybox(test) {
        return;
    }
    let made = busybox_image();
    made.build(&["//:base"]);
    let Some(registry) = Registry::start(test, &made.base().join("r"), "") else { return };
    let host = registry.host.clone();
    let name = format!("{host}/wake/os/busybox:1");
    made.wake(["image", "push", ".wake/out/base/image", &name]).run().success();

    let project = busybox_image();
    add_user(&project, &format!("'{name}'"));
    let on_it = format!(
        "    pkgFiles=[],\n    outputs=function(wake, pkg) {{ image: './image/' }},\n    exec=wake.image(base='{name}', user='1:1'),\n"
    );
    add_module(&project, "over", &on_it);
    let ask = || {
        let plan = project.wake(["plan", "//:user", "//:over"]).run().success();
        let said = plan.redacted_stdout().replace(&host, "[HOST]");
        expect![[r#"
            unknown //:over  waits for the image `[HOST]/wake/os/busybox:1@sha256:[DIGEST]`
            unknown //:user  waits for the image `[HOST]/wake/os/busybox:1@sha256:[DIGEST]`
            2 steps: 0 cached, 0 to run, 2 unknown
        "#]]
        .assert_eq(&said);
        project.wake(["why", "//:user"]).run().success();
        for command in ["graph", "ls"] {
            project.wake([command, "//..."]).run().success();
        }
    };
    // The tag is requested, and nothing else.
    ask();
    assert!(fs::metadata(project.path("wake.lock")).is_err());
    project.wake(["build", "//:user", "//:over"]).run().success();
    project.wake(["plan", "//:user"]).run().success().prints(expect![[r#"
        hit     //:user  remembered
        1 step: 1 cached, 0 to run, 0 unknown
    "#]]);

    // A locked image is not requested at all, and an imported one is known by its digest.
    forget(&project);
    drop(registry);
    ask();
}

#[test]
fn modules_affected_by_an_image_are_found_without_it() {
    let test = "modules_affected_by_an_image_are_found_without_it";
    if !has_busybox(test) {
        return;
    }
    let project = busybox_image();
    add_user(&project, "'module.base.output.image'");
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(project.root()).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]);
        crate::output(git.args(args))
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "one"]);
    project.edit("base.libsonnet", "'ls', ", "");
    let affected = project.wake(["affected", "--since", "HEAD"]).run().success();
    assert_eq!(affected.stdout, "//:base\n//:user\n");
}
