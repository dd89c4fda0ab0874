//! Container images: as root file systems, as results, and as seen by other tools.

#![allow(clippy::unwrap_used)]

#[path = "../registries/containers.rs"]
#[expect(dead_code, reason = "these tests ask the registry less than those of packages do")]
mod containers;
#[path = "../registries/lister.rs"]
mod lister;
mod results;
mod roots;
mod configuration;
mod attached;
mod mirrors;
mod planning;
mod refused;
mod hostile;
mod debian;
mod jobs;
mod recipes;

use std::path::Path;
use std::process::Command;

use wake_tests::{Project, project};

/// A package whose module `base` is an image of busybox.
pub(crate) fn busybox_image() -> Project {
    let project = project()
        .pkg("files=['./busybox', './hello.sh'], modules={ base: './base.libsonnet' }")
        .script("hello.sh", "#!/bin/sh\necho hello, $WHO\n")
        .file("base.libsonnet", BASE)
        .build();
    std::fs::copy("/bin/busybox", project.path("busybox")).unwrap();
    project
}

const BASE: &str = "function(wake, pkg)
  wake.module(
    'base',
    pkgFiles=['./busybox'],
    outputs=function(wake, pkg) { image: './image/' },
    exec=wake.image(
      files={ ['/bin/' + name]: './busybox' for name in ['busybox', 'sh', 'cat', 'ls', 'id'] },
      cmd=['/bin/sh'],
      env={ PATH: '/bin' },
    ),
  )
";

/// Adds a module to the package.
pub(crate) fn add_module(project: &Project, name: &str, rest: &str) {
    let text = format!("function(wake, pkg)\n  wake.module('{name}',\n{rest})\n");
    project.write(&format!("{name}.libsonnet"), text);
    let modules = format!("modules={{ {name}: './{name}.libsonnet',");
    project.edit("PKG.libsonnet", "modules={", &modules);
}

/// Adds a module whose command lists `/bin` of the image named by `image`.
pub(crate) fn add_user(project: &Project, image: &str) {
    let modules = match image.starts_with("'module.") {
        true => "{ base: pkg.modules.base({}) }",
        false => "{}",
    };
    add_module(
        project,
        "user",
        &format!(
            "    pkgFiles=[],
    modules={modules},
    outputs=function(wake, pkg) {{ text: './out.txt' }},
    exec=function(wake, module) wake.exec(
      wake.program('sh'), args=['-c', 'echo /bin/* > out.txt'], env={{ PATH: '/bin' }},
      rootfs={{ image: {image} }}),
"
        ),
    );
}

/// The output of another program, which must succeed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Podman with its data below a directory, configured for machines with restricted control groups and mounts.
pub(crate) fn podman(dir: &Path) -> Command {
    let mut podman = Command::new("podman");
    podman.arg("--root").arg(dir.join("podman")).arg("--runroot").arg(dir.join("podman-run"));
    podman.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"]);
    podman
}
