//! An image of a Debian tree, in which C is compiled without using anything from the machine.

use std::fs;
use std::process::Command;

use serde_json::json;
use wake_tests::{Project, Wake, has_program, is_root, project, skip};

use crate::output;

const MODULE: &str = "function(wake, pkg)
  wake.module('NAME',
    outputs=function(wake, pkg) { object: './main.o' },
    exec=wake.exec(wake.program('gcc'), args=['-c', 'main.c', '-o', 'main.o'], rootfs=ROOT))
";

/// Writes a layout with the archive as its only layer; returns its digest.
fn layout_of(project: &Project, archive: &str) -> String {
    let blobs = project.path("debian/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let sum = |path: &std::path::Path| output(Command::new("sha256sum").arg(path))[..64].to_owned();
    let layer = sum(archive.as_ref());
    let size = fs::metadata(archive).unwrap().len();
    fs::rename(archive, blobs.join(&layer)).unwrap();
    let put = |value: serde_json::Value| {
        let file = project.base().join("blob");
        fs::write(&file, value.to_string()).unwrap();
        let digest = sum(&file);
        fs::rename(file, blobs.join(&digest)).unwrap();
        (format!("sha256:{digest}"), value.to_string().len())
    };
    let machine = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let (config, config_size) = put(json!({
        "architecture": machine, "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    }));
    let kind = "application/vnd.oci.image";
    let (digest, size) = put(json!({
        "schemaVersion": 2,
        "mediaType": format!("{kind}.manifest.v1+json"),
        "config": { "mediaType": format!("{kind}.config.v1+json"), "digest": config, "size": config_size },
        "layers": [{ "mediaType": format!("{kind}.layer.v1.tar"), "digest": format!("sha256:{layer}"), "size": size }],
    }));
    project.write(
        "debian/index.json",
        json!({ "schemaVersion": 2, "manifests": [
            { "mediaType": format!("{kind}.manifest.v1+json"), "digest": digest, "size": size },
        ] })
        .to_string(),
    );
    project.write("debian/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    digest
}

/// The same call on a machine with other packages: another file is mounted over the package list.
fn elsewhere(project: &Project, call: Wake) -> Wake {
    let other = project.base().join("status");
    let text = fs::read_to_string("/var/lib/dpkg/status").unwrap();
    let more = "Package: another\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n";
    fs::write(&other, format!("{text}\n{more}")).unwrap();
    let script =
        format!("mount --bind {} /var/lib/dpkg/status; exec \"$0\" \"$@\"", other.display());
    call.wrapper(["unshare", "--mount", "--", "sh", "-euc", &script]).program(wake_tests::binary())
}

#[test]
fn compiling_in_a_debian_image_is_cached_across_machines() {
    let test = "compiling_in_a_debian_image_is_cached_across_machines";
    let has_all = ["mmdebstrap", "unshare", "gcc"].into_iter().all(has_program);
    if !(has_all && is_root() && fs::metadata("/var/lib/dpkg/status").is_ok()) {
        return skip(test, "needs root, mmdebstrap, unshare, gcc and dpkg");
    }
    let project = project()
        .pkg("files=['./main.c'], modules={ inside: './inside.libsonnet', host: './host.libsonnet' }")
        .file("main.c", "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n")
        .build();
    let archive = project.base().join("debian.tar").display().to_string();
    let mut mmdebstrap = Command::new("mmdebstrap");
    // Unpacking is enough: nothing is configured, and a mirror may be outdated.
    mmdebstrap.args(["--variant=extract", "--aptopt=Acquire::Check-Valid-Until \"false\""]);
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let made = mmdebstrap.args(["--include=gcc,libc6-dev", suite.unwrap_or("stable"), &archive]);
    if !made.output().unwrap().status.success() {
        return skip(test, "mmdebstrap cannot reach a mirror");
    }
    let digest = layout_of(&project, &archive);
    let root = format!("{{ image: 'oci:debian@{digest}' }}");
    for (name, root) in [("inside", &*root), ("host", "wake.HOST")] {
        let text = MODULE.replace("NAME", name).replace("ROOT", root);
        project.write(&format!("{name}.libsonnet"), text);
    }
    assert_eq!(project.build(&["//..."]).ran(), ["//:host", "//:inside"]);
    let object = output(Command::new("file").arg("-b").arg(project.result("inside", "main.o")));
    assert!(object.contains("ELF 64-bit LSB relocatable"), "{object}");

    // Another machine: with other packages, and only the sources of the checkout.
    fs::remove_dir_all(project.path(".wake")).unwrap();
    let call = project.wake(["--message-format", "json", "build", "//..."]);
    let there = elsewhere(&project, call).run().success();
    assert_eq!(there.events().ran(), ["//:host"]);
}
