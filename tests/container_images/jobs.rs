//! Images as roots of codespec jobs.

use std::fs;

use serde_json::Value;
use wake_tests::{Finished, Project, copy_tree, has_busybox, is_root, skip};

use crate::busybox_image;
use crate::containers::Registry;

/// How the image is run: by a named user, in a directory of its own, with a program that prints all of this.
const HOW: &str = "entrypoint=['/bin/sh', '-ec', 'echo $WHO $(id -u):$(id -g) $PWD $0 $* > $OUTPUT_PIPE', 'tool'],
      cmd=['again'], env={ PATH: '/bin', WHO: 'you' }, user='bo', workdir='/srv/here',";

/// The layout of an image with run settings.
fn layout(project: &Project) {
    project.write("passwd", "root:x:0:0::/:/bin/sh\nbo:x:1234:1235::/:/bin/sh\n");
    project.edit("PKG.libsonnet", "files=[", "files=['./passwd', ");
    project.edit("base.libsonnet", "pkgFiles=[", "pkgFiles=['./passwd', ");
    project.edit("base.libsonnet", "files={", "files={ '/etc/passwd': './passwd' } + {");
    project.edit("base.libsonnet", "cmd=['/bin/sh'],\n      env={ PATH: '/bin' },", HOW);
    project.build(&["//:base"]);
    copy_tree(&project.result("base", "image"), &project.path("layout"));
}

/// A run with these lines in its codespec.
fn write_run(project: &Project, image: &str, more: &str) {
    let codespec = format!("image: {image}, buffers: {{outputs: [output]}}{more}");
    project.write("run.yml", format!("job: {{codespec: {{{codespec}}}}}\n"));
}

fn exec(project: &Project, args: &[&str]) -> Finished {
    project.wake(["job", "exec", "-f", "run.yml"].iter().chain(args)).run()
}

fn can_run(test: &str) -> bool {
    if !is_root() {
        skip(test, "needs root to run as another user");
    }
    has_busybox(test) && is_root()
}

#[test]
fn a_job_uses_the_run_settings_of_its_image() {
    if !can_run("a_job_uses_the_run_settings_of_its_image") {
        return;
    }
    let project = busybox_image();
    layout(&project);
    let all = ", command: [sh, -ec, 'echo $WHO $(id -u) $(pwd) $0 > $OUTPUT_PIPE']";
    for (more, expected) in [
        ("", "you 1234:1235 /srv/here tool again\n"),
        (", args: [once, $(WHO)], env: {WHO: me}", "me 1234:1235 /srv/here tool once me\n"),
        (", workingDir: /tmp", "you 1234:1235 /tmp tool again\n"),
        // A command replaces the entry point and its arguments.
        (all, "you 1234 /srv/here sh\n"),
    ] {
        write_run(&project, "'oci:layout'", more);
        assert_eq!(exec(&project, &[]).code(0).stdout, expected, "{more}");
    }
    write_run(&project, "'oci:layout'", ", command: [nowhere]");
    exec(&project, &[]).code(10).mentions("program `nowhere` not found");
    write_run(&project, "'oci:none'", "");
    exec(&project, &[]).code(5).mentions("is not an image layout");
}

#[test]
fn a_job_is_cached_by_the_content_of_its_image() {
    if !can_run("a_job_is_cached_by_the_content_of_its_image") {
        return;
    }
    let project = busybox_image();
    layout(&project);
    let dir = project.base().join("registry");
    let Some(registry) = Registry::start("a_job_is_cached_by_the_content_of_its_image", &dir, "")
    else {
        return;
    };
    let name = format!("{}/wake/os/bo:1", registry.host);
    let push = |image: &str| {
        let pushed = project.wake(["image", "push", image, &name]).run().success().stdout;
        pushed.trim().split_once('@').unwrap().1.to_owned()
    };
    let digest = push("layout");
    let random = ", command: [sh, -ec, 'head -c 16 /dev/urandom > $OUTPUT_PIPE']";
    let run = |image: &str| {
        write_run(&project, image, random);
        let told = project.wake(["job", "run", "-f", "run.yml"]).run().code(0).stdout;
        let shown: Value = serde_json::from_str(&told).unwrap();
        let output = shown["job"]["buffers"]["output"].as_str().unwrap();
        let content = project.wake(["buffer", "show", output]).run().code(0).stdout;
        let content: Value = serde_json::from_str(&content).unwrap();
        (shown["remembered"] == true, content["contentId"].as_str().unwrap().to_owned())
    };
    project.edit("base.libsonnet", "'ls', ", "'ls', 'head', ");
    project.build(&["//:base"]);
    let digest_with_head = push(".wake/out/base/image");
    assert_ne!(digest, digest_with_head);
    let first = run(&name);
    assert!(!first.0);
    let again = (true, first.1.clone());
    assert_eq!(run(&name), again);
    // By digest, and from another location, it is the same image.
    let pinned = format!("{name}@{digest_with_head}");
    assert_eq!(run(&pinned), again);
    assert_eq!(run("'oci:.wake/out/base/image'"), again);
    // Another image with the same tag makes another job.
    project.edit("base.libsonnet", "'head', ", "'head', 'tail', ");
    project.build(&["//:base"]);
    push(".wake/out/base/image");
    let other = run(&name);
    assert!(!other.0 && other.1 != first.1);
    // An image that is named by digest and in the store needs no registry.
    drop(registry);
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(run(&pinned), again);
    write_run(&project, &name, random);
    project.wake(["job", "exec", "-f", "run.yml", "--offline"]).run().code(9);
}
