//! Images built by modules.

use std::fs;
use std::process::Command;

use wake_tests::{copy_tree, has_busybox, has_program, is_root, project, skip};

use crate::{add_module, busybox_image, output, podman};

const APP: &str = "    pkgFiles=['./hello.sh'],
    modules={ base: pkg.modules.base({}) },
    outputs=function(wake, pkg) { image: './image/' },
    exec=function(wake, module) wake.image(
      base='module.base.output.image',
      files={ '/opt/hello': { from: './hello.sh', owner: '7:8', mode: '4755' } },
      entrypoint=['/opt/hello'],
      env={ WHO: 'you' },
      labels={ 'org.example.team': 'tools' },
      user='1000:1000',
      workdir='/opt',
    ),
";

fn inspected(project: &wake_tests::Project, image: &str) -> serde_json::Value {
    let finished = project.wake(["image", "inspect", "--json", image]).run().success();
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn an_image_is_reproducible_and_runs_in_another_engine() {
    if !has_busybox("an_image_is_reproducible_and_runs_in_another_engine") {
        return;
    }
    let one = busybox_image();
    add_module(&one, "app", APP);
    assert_eq!(one.build(&["//..."]).ran(), ["//:app", "//:base"]);
    one.build_runs_nothing(&["//..."]);
    let image = inspected(&one, ".wake/out/app/image");
    assert_eq!(image["config"]["Entrypoint"][0], "/opt/hello");
    assert_eq!(image["config"]["Env"], serde_json::json!(["PATH=/bin", "WHO=you"]));
    assert_eq!(image["layers"].as_array().unwrap().len(), 2);

    // Another checkout, with other times and modes, and another store.
    let other = project().build();
    copy_tree(one.root(), other.root());
    let _ = fs::remove_dir_all(other.path(".wake"));
    other.touch("hello.sh");
    other.build(&["//..."]);
    assert_eq!(inspected(&other, ".wake/out/app/image")["digest"], image["digest"]);

    one.wake(["image", "save", ".wake/out/app/image", "docker-archive:app.tar:localhost/app:1"])
        .run()
        .success();
    // The output of `docker save` has another manifest, with the same configuration and layers.
    let saved = inspected(&one, "app.tar");
    assert_eq!(
        (&saved["config"], &saved["layers"][1]["digest"]),
        (&image["config"], &image["layers"][1]["digest"])
    );
    if !(has_program("podman") && has_program("runc") && is_root()) {
        skip("an_image_is_reproducible_and_runs_in_another_engine", "needs root, podman and runc");
        return;
    }
    output(podman(one.base()).args(["load", "--quiet", "--input"]).arg(one.path("app.tar")));
    let run = ["run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit"];
    let hello = output(podman(one.base()).args(run).args(["nproc=4096:4096", "localhost/app:1"]));
    assert_eq!(hello, "hello, you\n");
}

#[test]
fn another_tool_unpacks_a_built_image() {
    if !has_busybox("another_tool_unpacks_a_built_image") {
        return;
    }
    if !(has_program("umoci") && is_root()) {
        skip("another_tool_unpacks_a_built_image", "needs root and umoci");
        return;
    }
    let project = busybox_image();
    add_module(&project, "app", APP);
    project.build(&["//:app"]);
    let layout = project.path("layout");
    copy_tree(&project.result("app", "image"), &layout);
    let image = format!("{}:latest", layout.display());
    output(Command::new("umoci").args(["unpack", "--image", &image]).arg(project.path("bundle")));
    let hello = project.path("bundle/rootfs/opt/hello");
    let meta = fs::metadata(&hello).unwrap();
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o7777), (7, 8, 0o4755));
    assert!(project.path("bundle/rootfs/bin/sh").is_file());
}

#[test]
fn a_changed_base_image_changes_images_built_on_it() {
    if !has_busybox("a_changed_base_image_changes_images_built_on_it") {
        return;
    }
    let project = busybox_image();
    project.edit("PKG.libsonnet", "files=[", "files=['./motd', ");
    project.write("motd", "one\n");
    project.edit("base.libsonnet", "pkgFiles=[", "pkgFiles=['./motd', ");
    project.edit("base.libsonnet", "files={", "files={ '/etc/motd': './motd' } + {");
    add_module(&project, "app", APP);
    project.build(&["//..."]);
    let before = inspected(&project, ".wake/out/app/image")["layers"].clone();
    project.write("motd", "two\n");
    assert_eq!(project.build(&["//..."]).ran(), ["//:app", "//:base"]);
    let after = inspected(&project, ".wake/out/app/image")["layers"].clone();
    assert_ne!(before[0]["digest"], after[0]["digest"]);
    assert_eq!(before[1]["digest"], after[1]["digest"]);
    project.write("hello.sh", "#!/bin/sh\necho good day, $WHO\n");
    assert_eq!(project.build(&["//..."]).ran(), ["//:app"]);
    assert_ne!(inspected(&project, ".wake/out/app/image")["layers"][1], after[1]);
}

/// A command that may write to the image `base`.
const SETUP: &str = "    pkgFiles=[],
    modules={ base: pkg.modules.base({}) },
    outputs=function(wake, pkg) { layer: './layer.tar' },
    exec=function(wake, module) wake.exec(
      wake.program('sh'),
      args=['-c', 'echo $(id -u) > /etc/setup; echo x > /tmp/x; echo x > x; mkdir -p /srv; rm /bin/ls'],
      env={ PATH: '/bin' },
      rootfs={ image: 'module.base.output.image', writable: true },
    ),
";

const WITH_SETUP: &str = "    pkgFiles=['./hello.sh'],
    modules={ base: pkg.modules.base({}), setup: pkg.modules.setup({}) },
    outputs=function(wake, pkg) { image: './image/' },
    exec=function(wake, module) wake.image(
      base='module.base.output.image',
      files=['module.setup.output.layer', { '/srv/hello': './hello.sh', '/opt/hello': './hello.sh' }],
    ),
";

#[test]
fn changes_to_the_root_become_a_layer() {
    if !has_busybox("changes_to_the_root_become_a_layer") {
        return;
    }
    let project = busybox_image();
    let with_rm = "['busybox', 'sh', 'cat', 'ls', 'id', 'rm', 'mkdir']";
    project.edit("base.libsonnet", "['busybox', 'sh', 'cat', 'ls', 'id']", with_rm);
    add_module(&project, "setup", &SETUP.replace("echo $(id -u) >", "mkdir /etc; echo $(id -u) >"));
    add_module(&project, "app", WITH_SETUP);
    assert_eq!(project.build(&["//..."]).ran(), ["//:app", "//:base", "//:setup"]);
    project.build_runs_nothing(&["//..."]);
    let listed = |tar: &std::path::Path| output(Command::new("tar").arg("-tf").arg(tar));
    let layer = project.result("setup", "layer.tar");
    assert_eq!(listed(&layer), "bin/.wh.ls\netc/\netc/setup\nsrv/\n");
    let layout = project.result("app", "image");
    let image = inspected(&project, ".wake/out/app/image");
    let layers = image["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 3);
    let place = |layer: &serde_json::Value| {
        layout.join("blobs").join(layer["digest"].as_str().unwrap().replace(':', "/"))
    };
    assert_eq!(fs::read(place(&layers[1])).unwrap(), fs::read(&layer).unwrap());
    // Entries of lower layers are not repeated.
    assert_eq!(listed(&place(&layers[2])), "opt/\nopt/hello\nsrv/hello\n");
}

#[test]
fn a_command_with_a_writable_root_has_only_a_layer_output() {
    if !has_busybox("a_command_with_a_writable_root_has_only_a_layer_output") {
        return;
    }
    let project = busybox_image();
    add_module(&project, "setup", &SETUP.replace("layer: './layer.tar'", "a: './a', b: './b'"));
    let said = project.wake(["build", "//:setup"]).run().code(5);
    said.mentions(
        "a command that may write to its root has exactly one output, the layer with its changes",
    )
    .mentions("declare it: `outputs=function(wake, pkg) { layer: './layer.tar' }`");
}

#[test]
fn a_second_build_with_a_writable_root_does_nothing() {
    let test = "a_second_build_with_a_writable_root_does_nothing";
    if !has_busybox(test) {
        return;
    }
    let project = busybox_image();
    project.edit("base.libsonnet", "'ls', 'id']", "'ls', 'id', 'rm', 'mkdir']");
    project.edit("PKG.libsonnet", "files=[", "files=['./motd', ");
    project.write("motd", "one\n");
    add_module(&project, "setup", &SETUP.replace("echo $(id -u) >", "mkdir /etc; cat motd >"));
    project.edit("setup.libsonnet", "pkgFiles=[]", "pkgFiles=['./motd']");
    project.build(&["//..."]);
    // Nothing is planned, so nothing is evaluated or requested: the snapshot has all of it.
    let again = project.json_build(&["//..."]).run().success();
    let events = again.events();
    assert_eq!(
        (events.ran().len(), events.of_kind("evaluated").count()),
        (0, 0),
        "{}",
        again.stdout
    );
    // A changed file rebuilds what depends on it, in the same root.
    project.write("motd", "two\n");
    let build = project.json_build(&["//..."]).run().success();
    assert_eq!(build.events().ran(), ["//:setup"]);
    let layer = project.result("setup", "layer.tar");
    let read = Command::new("tar").arg("-xOf").arg(&layer).arg("etc/setup").output().unwrap();
    assert_eq!(String::from_utf8(read.stdout).unwrap(), "two\n");
    // Without the unpacked files it is planned again, with the same result.
    let _ = Command::new("chmod").args(["-R", "u+w"]).arg(project.store()).status();
    fs::remove_dir_all(project.store().join("ware")).unwrap();
    project.write("motd", "one\n");
    project.build(&["//..."]);
    let layer = project.result("setup", "layer.tar");
    let read = Command::new("tar").arg("-xOf").arg(&layer).arg("etc/setup").output().unwrap();
    assert_eq!(String::from_utf8(read.stdout).unwrap(), "one\n");
}
