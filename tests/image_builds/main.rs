//! `wake image build` and `wake image lock`: images of Velocity's specifications, built by wake itself.

#![allow(clippy::unwrap_used)]

#[path = "../registries/containers.rs"]
#[expect(dead_code, reason = "these tests ask the registry less than those of packages do")]
mod containers;
mod built;
mod engines;
mod layers;
mod locked;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wake_tests::{Project, Wake, has_busybox, project};

/// An image directory for podman on frontier, in which `os@=1` is busybox; `None` if busybox is not installed.
pub(crate) fn site(test: &str) -> Option<Project> {
    if !has_busybox(test) {
        return None;
    }
    let project = project().file("images/os/1/frontier/etc/motd", "welcome\n").build();
    image(&project, "os", "1", "{}", OS);
    fs::copy("/bin/busybox", project.path("images/os/1/frontier/busybox")).unwrap();
    Some(project)
}

const OS: &str = "@from
    scratch
@copy
    busybox /bin/busybox
    busybox /bin/sh
    etc /etc
@env
    PATH /bin
";

/// Writes the documents of an image; `leaf` is the value of the distribution.
pub(crate) fn image(project: &Project, name: &str, version: &str, leaf: &str, template: &str) {
    let dir = format!("images/{name}/{version}");
    let document =
        format!("build_specifications:\n  frontier:\n    podman:\n      ubuntu:\n        {leaf}\n");
    project.write(&format!("{dir}/specifications.yaml"), document);
    project.write(&format!("{dir}/templates/ubuntu.vtmp"), template);
}

pub(crate) const NEEDS_OS: &str = "dependencies: [os]";

/// A template of commands on the previously built image.
pub(crate) fn commands(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("@from\n    %(__base__)\n@run\n{lines}")
}

/// `wake image` of this site, on a machine without other programs.
pub(crate) fn wake(project: &Project, args: &[&str]) -> Wake {
    let lead = ["image", "-s", "frontier", "-b", "podman", "-d", "ubuntu", "-i", "images"];
    project.wake(lead.into_iter().chain(args.iter().copied())).env("PATH", "/nonexistent")
}

/// The steps that a build of these targets runs, sorted.
#[track_caller]
pub(crate) fn ran(project: &Project, targets: &[&str]) -> Vec<String> {
    let args = [&["--message-format", "json", "build"], targets].concat();
    let finished = wake(project, &args).run().success();
    finished.events().ran().into_iter().map(str::to_owned).collect()
}

/// The description of an image, from `inspect`.
#[track_caller]
pub(crate) fn inspected(project: &Project, name: &str) -> serde_json::Value {
    let finished = wake(project, &["inspect", "--json", name]).run().success();
    serde_json::from_str(&finished.stdout).unwrap()
}

/// The layout of an image that is kept under a name.
#[track_caller]
pub(crate) fn layout(project: &Project, name: &str) -> PathBuf {
    let dir = project.path("layout");
    let _ = fs::remove_dir_all(&dir);
    wake(project, &["save", name, "oci:layout:latest"]).run().success();
    dir
}

/// The contents of a layout's last layer, as listed by `tar`.
#[track_caller]
pub(crate) fn last_layer(layout: &Path) -> Vec<String> {
    let read = |digest: &serde_json::Value| {
        layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/"))
    };
    let json = |path: PathBuf| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let index = json(layout.join("index.json"));
    let manifest = json(read(&index["manifests"][0]["digest"]));
    let layer = manifest["layers"].as_array().unwrap().last().unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "-tvf"]).arg(read(&layer["digest"])).env("TZ", "UTC");
    let output = tar.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
