//! Mirrors of image registries, and what is requested from them.

use std::fs;

use wake_tests::{Project, expect, has_busybox, project};

use crate::containers::Registry;
use crate::{add_user, busybox_image};

/// A registry that cannot be reached.
const NOBODY: &str = "127.0.0.1:1";

fn settings(project: &Project, text: &str) {
    let dir = project.base().join("home/.config/wake");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}

#[test]
fn a_mirror_is_used_first_and_the_lock_names_the_registry() {
    let test = "a_mirror_is_used_first_and_the_lock_names_the_registry";
    if !has_busybox(test) {
        return;
    }
    let made = busybox_image();
    made.build(&["//:base"]);
    let Some(registry) = Registry::start(test, &made.base().join("r"), "") else { return };
    let there = format!("{}/copies/os/busybox:1", registry.host);
    made.wake(["image", "push", ".wake/out/base/image", &there]).run().success();

    let project = busybox_image();
    let name = format!("{NOBODY}/os/busybox:1");
    add_user(&project, &format!("'{name}'"));
    let mirror = format!("oci://{}/copies", registry.host);
    let table = format!("[mirrors]\n\"oci://{NOBODY}/\" = [\"oci://{NOBODY}/x\", \"{mirror}\"]\n");
    settings(&project, &table);
    let built = project.wake(["build", "//:user"]).run().success();
    built.mentions(&format!("image mirror `oci://{NOBODY}/x/os/busybox` was skipped"));
    assert!(project.read("wake.lock").contains(&format!("image:{name} sha256:")));
    assert!(!project.read("wake.lock").contains(&registry.host));

    // An image named by digest can come from anywhere; without the mirror it cannot be fetched.
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    let built = project.wake(["build", "--locked", "//:user"]).run().success();
    // A mirror that is down is tried once.
    assert_eq!(built.redacted_stderr().matches("` was skipped").count(), 1);
    let pulled = project.wake(["image", "pull", &name]).run().success();
    assert!(pulled.stdout.starts_with(&format!("{name}@sha256:")), "{}", pulled.stdout);
    settings(&project, "");
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project.wake(["build", "--locked", "//:user"]).run().code(9).mentions("Connection refused");
}

#[test]
fn a_directory_of_layouts_is_a_mirror_even_offline() {
    let test = "a_directory_of_layouts_is_a_mirror_even_offline";
    if !has_busybox(test) {
        return;
    }
    let made = busybox_image();
    made.build(&["//:base"]);
    let usb = made.base().join("usb");
    fs::create_dir_all(usb.join("os")).unwrap();
    let target = format!("oci:{}:1", usb.join("os/busybox").display());
    made.wake(["image", "save", ".wake/out/base/image", &target]).run().success();

    let project = busybox_image();
    add_user(&project, &format!("'{NOBODY}/os/busybox:1'"));
    settings(&project, &format!("[mirrors]\n\"oci://{NOBODY}/\" = \"file://{}\"\n", usb.display()));
    project.wake(["build", "//:user"]).run().success();
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project.wake(["build", "--frozen", "//:user"]).run().success();

    // A blob with the wrong digest: the mirror is skipped, and the registry itself is used.
    let blobs = usb.join("os/busybox/blobs/sha256");
    for blob in fs::read_dir(blobs).unwrap() {
        fs::write(blob.unwrap().path(), "x").unwrap();
    }
    fs::remove_dir_all(project.store()).unwrap();
    fs::remove_dir_all(project.path(".wake")).unwrap();
    let built = project.wake(["build", "--locked", "//:user"]).run().code(9);
    built.mentions("` was skipped").mentions(", got sha256:");
}

#[test]
fn an_invalid_mirror_of_images_is_an_error() {
    let project = project().pkg("").build();
    settings(&project, "[mirrors]\n\"oci://registry.example.org\" = \"oci://m.example.org\"\n");
    project.wake(["ls"]).run().code(2).says(expect![[r#"
        error: `oci://registry.example.org` is not a prefix of image names
         --> [BASE]/home/.config/wake/config.toml:2:1
          |
        2 | "oci://registry.example.org" = "oci://m.example.org"
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: use a prefix with `oci://` that ends with `/`: `"oci://registry.example.org/"`
    "#]]);
    settings(&project, "[mirrors]\n\"oci://registry.example.org/\" = \"https://m.example.org/\"\n");
    project.wake(["ls"]).run().code(2).says(expect![[r#"
        error: `https://m.example.org/` is not a place of images: `oci:` or `file:`
         --> [BASE]/home/.config/wake/config.toml:2:33
          |
        2 | "oci://registry.example.org/" = "https://m.example.org/"
          |                                 ^^^^^^^^^^^^^^^^^^^^^^^^
    "#]]);
}
