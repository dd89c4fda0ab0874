//! Images as root file systems.

use std::fs;
use std::process::Command;

use serde_json::json;
use wake_tests::{Project, copy_tree, has_busybox, has_program, is_root, skip};

use crate::containers::Registry;
use crate::{add_user, busybox_image, output};

const TOOLS: &str = "/bin/busybox /bin/cat /bin/id /bin/ls /bin/sh\n";

fn shows(project: &Project) {
    assert_eq!(project.result_text("user", "out.txt"), TOOLS);
}

#[test]
fn an_image_module_is_a_root_without_host_files() {
    if !has_busybox("an_image_module_is_a_root_without_host_files") {
        return;
    }
    let project = busybox_image();
    add_user(&project, "'module.base.output.image'");
    assert_eq!(project.build(&["//..."]).ran(), ["//:base", "//:user"]);
    shows(&project);
    project.build_runs_nothing(&["//..."]);
    let plan = project.wake(["plan", "//:user", "--format", "json"]).run().success();
    assert!(!plan.stdout.contains("\"host\""));
}

#[test]
fn layouts_and_archives_in_a_package_are_roots() {
    if !has_busybox("layouts_and_archives_in_a_package_are_roots") {
        return;
    }
    let made = busybox_image();
    made.build(&["//:base"]);
    for (target, name, files) in [
        ("oci:layout", "./layout", "wake.dir('layout')"),
        ("oci-archive:image.tar", "./image.tar", "'./image.tar'"),
        ("docker-archive:image.tar", "./image.tar", "'./image.tar'"),
    ] {
        let project = busybox_image();
        copy_tree(&made.result("base", "image"), &project.path("made"));
        project.wake(["image", "save", "made", target]).run().success();
        project.edit("PKG.libsonnet", "files=[", &format!("files=[{files}, "));
        add_user(&project, &format!("'{name}'"));
        project.edit("user.libsonnet", "pkgFiles=[]", &format!("pkgFiles=[{files}]"));
        assert_eq!(project.build(&["//:user"]).ran(), ["//:user"], "{target}");
        shows(&project);
        project.build_runs_nothing(&["//:user"]);
    }
}

#[test]
fn an_image_built_by_another_tool_is_a_root() {
    if !has_busybox("an_image_built_by_another_tool_is_a_root") {
        return;
    }
    if !(has_program("buildah") && is_root()) {
        skip("an_image_built_by_another_tool_is_a_root", "needs root and buildah");
        return;
    }
    let project = busybox_image();
    let buildah = || {
        let mut buildah = Command::new("buildah");
        buildah.arg("--root").arg(project.base().join("b")).arg("--runroot");
        buildah.arg(project.base().join("r")).args(["--storage-driver", "vfs"]);
        buildah
    };
    let container = output(buildah().args(["from", "scratch"]));
    let container = container.trim();
    for name in ["busybox", "sh", "cat", "ls", "id", "gone"] {
        let to = format!("/bin/{name}");
        output(buildah().args(["copy", "--quiet", container, "/bin/busybox", &to]));
    }
    output(buildah().args(["commit", "--quiet", container, "localhost/one"]));
    // A second layer, which removes a file with a whiteout.
    let second = output(buildah().args(["from", "--pull-never", "localhost/one"]));
    let second = second.trim();
    let mounted = output(buildah().args(["mount", second]));
    fs::remove_file(std::path::Path::new(mounted.trim()).join("bin/gone")).unwrap();
    output(buildah().args(["umount", second]));
    let to = format!("oci-archive:{}", project.path("image.tar").display());
    output(buildah().args(["commit", "--quiet", second, &to]));
    project.edit("PKG.libsonnet", "files=[", "files=['./image.tar', ");
    add_user(&project, "'./image.tar'");
    project.edit("user.libsonnet", "pkgFiles=[]", "pkgFiles=['./image.tar']");
    project.build(&["//:user"]);
    shows(&project);
}

#[test]
fn an_image_from_a_registry_is_locked_and_not_requested_again() {
    if !has_busybox("an_image_from_a_registry_is_locked_and_not_requested_again") {
        return;
    }
    let made = busybox_image();
    made.build(&["//:base"]);
    let Some(registry) = Registry::start(
        "an_image_from_a_registry_is_locked_and_not_requested_again",
        &made.base().join("r"),
        "",
    ) else {
        return;
    };
    let name = format!("{}/wake/os/busybox:1", registry.host);
    let push = |image: &str| made.wake(["image", "push", image, &name]).run().success();
    let pushed = push(".wake/out/base/image").stdout;
    let digest = pushed.trim().split_once('@').unwrap().1.to_owned();
    // Other tools read what was pushed.
    if has_program("skopeo") {
        let from = format!("docker://{name}");
        let seen = output(Command::new("skopeo").args(["inspect", "--tls-verify=false", &from]));
        assert!(seen.contains(&digest), "{seen}");
    }

    let project = busybox_image();
    add_user(&project, &format!("'{name}'"));
    project.wake(["build", "--locked", "//:user"]).run().code(6).mentions("is not locked");
    assert_eq!(project.build(&["//:user"]).ran(), ["//:user"]);
    shows(&project);
    assert_eq!(project.read("wake.lock"), format!("wake-lock 1\nimage:{name} {digest}\n"));

    // Another image with the same tag is not used: the lock decides.
    made.edit("base.libsonnet", "'ls', ", "");
    made.build(&["//:base"]);
    push(".wake/out/base/image");
    project.wake(["build", "--locked", "//:user"]).run().success();
    shows(&project);

    // A new store fetches what is locked; without a registry, the contents of the store are enough.
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project
        .wake(["build", "--frozen", "//:user"])
        .run()
        .code(9)
        .mentions("the network may not be used");
    project.wake(["build", "--locked", "//:user"]).run().success();
    drop(registry);
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project.edit("user.libsonnet", "echo /bin/*", "echo  /bin/*");
    project.wake(["build", "--offline", "//:user"]).run().success();
    shows(&project);
}

#[test]
fn the_platform_of_the_machine_is_chosen_unless_one_is_named() {
    if !has_busybox("the_platform_of_the_machine_is_chosen_unless_one_is_named") {
        return;
    }
    let project = busybox_image();
    project.build(&["//:base"]);
    let layout = project.path("layout");
    copy_tree(&project.result("base", "image"), &layout);
    let index = fs::read_to_string(layout.join("index.json")).unwrap();
    let mut index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let mut here = index["manifests"][0].clone();
    here.as_object_mut().unwrap().remove("annotations");
    let mut there = here.clone();
    there["platform"] = json!({"os": "linux", "architecture": "s390x"});
    // An index nested in the index of the layout.
    let list = json!({"schemaVersion": 2, "manifests": [there, here]}).to_string();
    let digest = output(Command::new("sha256sum").arg({
        let file = project.base().join("list");
        fs::write(&file, &list).unwrap();
        file
    }));
    let hex = digest.split(' ').next().unwrap();
    fs::write(layout.join("blobs/sha256").join(hex), &list).unwrap();
    index["manifests"] = json!([{
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": format!("sha256:{hex}"),
        "size": list.len(),
    }]);
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    let inspected = project.wake(["image", "inspect", "layout"]).run().success();
    assert!(inspected.stdout.contains("platform    linux/"), "{}", inspected.stdout);
    let other = ["image", "inspect", "layout", "--platform", "linux/riscv64"];
    project.wake(other).run().code(5).mentions("is for linux/s390x, linux/");
}
