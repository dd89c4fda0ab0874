//! The digests of external base images.

use std::fs;

use crate::containers::{Registry, ask};
use crate::{NEEDS_OS, commands, image, inspected, ran, site, wake};

#[test]
fn a_tag_is_resolved_only_once() {
    let test = "a_tag_is_resolved_only_once";
    let Some(project) = site(test) else { return };
    let Some(registry) = Registry::start(test, &project.base().join("registry"), "") else {
        return;
    };
    let name = format!("{}/team/os:1", registry.host);
    wake(&project, &["build", "-o", &name, "-n", "os", "os"]).run().success();
    let first = inspected(&project, "os")["digest"].as_str().unwrap().to_owned();
    let app = format!("@from\n    {name}\n@run\n    cat /etc/motd > /read\n");
    image(&project, "app", "1", "{}", &app);

    wake(&project, &["--locked", "build", "app"])
        .run()
        .code(6)
        .mentions(&format!("error: image `{name}` is not locked\n"))
        .mentions("run without `--locked` to lock it");
    let unlocked = wake(&project, &["plan", "app"]).run().success().stdout;
    let locked = wake(&project, &["lock", "app"]).run().success();
    assert!(locked.stderr.contains(&format!("Locked {name} {first}\n")), "{locked}");
    let lock = project.read("images/.wake.lock");
    assert_eq!(lock, format!("wake-lock 1\nimage:{name} {first}\n"));
    // The digest is part of the identity.
    assert_ne!(wake(&project, &["plan", "app"]).run().success().stdout, unlocked);

    // The tag moves, but the lock does not.
    project.write("images/os/1/frontier/etc/motd", "good day\n");
    wake(&project, &["build", "-o", &name, "-n", "os", "os"]).run().success();
    assert_ne!(inspected(&project, "os")["digest"], first.as_str());
    wake(&project, &["--locked", "build", "-n", "app", "app"]).run().success();
    let before = inspected(&project, "app")["digest"].clone();
    wake(&project, &["lock", "--update"]).run().success();
    assert_eq!(ran(&project, &["app"]), ["app@=1", "app@=1:run"]);
    wake(&project, &["build", "-n", "app", "app"]).run().success();
    assert_ne!(inspected(&project, "app")["digest"], before);

    // A locked image in the store needs no registry.
    drop(registry);
    assert!(
        wake(&project, &["--offline", "build", "app"])
            .run()
            .success()
            .stderr
            .contains("all cached")
    );
    fs::remove_file(project.path("images/.wake.lock")).unwrap();
    wake(&project, &["--offline", "build", "app"]).run().code(9);
}

#[test]
fn planning_does_not_fetch_images() {
    let test = "planning_does_not_fetch_images";
    let Some(project) = site(test) else { return };
    let Some(registry) = Registry::start(test, &project.base().join("registry"), "") else {
        return;
    };
    let name = format!("{}/team/os:1", registry.host);
    wake(&project, &["build", "-o", &name, "os"]).run().success();
    image(&project, "app", "1", "{}", &format!("@from\n    {name}\n"));
    let fresh = project.base().join("fresh");
    wake(&project, &["lock", "app"]).store(&fresh).run().success();
    // Without its layers it can be planned, but not built.
    let manifest = registry_manifest(&registry);
    for layer in manifest["layers"].as_array().unwrap() {
        let path = format!("/v2/team/os/blobs/{}", layer["digest"].as_str().unwrap());
        assert_eq!(ask(&registry.host, "DELETE", &path, "").0, 202);
    }
    wake(&project, &["plan", "app"]).store(&fresh).run().success();
    wake(&project, &["build", "--dry-run", "app"]).store(&fresh).run().success();
    wake(&project, &["build", "app"]).store(&fresh).run().code(7);
}

fn registry_manifest(registry: &Registry) -> serde_json::Value {
    let (status, bytes) = ask(&registry.host, "GET", "/v2/team/os/manifests/1", "");
    assert_eq!(status, 200);
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn an_invalid_lock_is_reported() {
    let Some(project) = site("an_invalid_lock_is_reported") else { return };
    image(&project, "app", "1", NEEDS_OS, &commands(&["echo x"]));
    project.write("images/.wake.lock", "wake-lock 1\nimage:r.example/os:1 sha256:12\n");
    wake(&project, &["build", "app"]).run().code(6).mentions("images/.wake.lock:2:");
}
