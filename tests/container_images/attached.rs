//! What is attached to images: SBOMs and signed provenance.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use wake_tests::{Project, copy_tree, has_busybox, has_program, project, skip};

use crate::containers::{Registry, ask};
use crate::lister::Lister;
use crate::{add_module, busybox_image, output};

/// A Debian image as far as its package database is concerned, with a package of the checkout on top.
fn app() -> Project {
    let project = busybox_image();
    project.edit("PKG.libsonnet", "files=[", "files=['./status', './os-release', ");
    project.write("os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    project.write(
        "status",
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u9\n\n\
         Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
    );
    project.edit(
        "base.libsonnet",
        "pkgFiles=['./busybox']",
        "pkgFiles=['./busybox', './status', './os-release']",
    );
    project.edit(
        "base.libsonnet",
        "files={",
        "files={ '/var/lib/dpkg/status': './status', '/usr/lib/os-release': './os-release' } + {",
    );
    let text = "    pkgFiles=['./hello.sh'],
    modules={ base: pkg.modules.base({}) },
    outputs=function(wake, pkg) { image: './image/' },
    exec=function(wake, module) wake.image(
      base='module.base.output.image', files={ '/opt/hello': './hello.sh' }),
";
    add_module(&project, "app", text);
    project.build(&["//..."]);
    project
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn decoded(text: &Value) -> Vec<u8> {
    let mut base64 = Command::new("base64");
    let mut child = base64.arg("-d").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = text.as_str().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

const IMAGE: &str = ".wake/out/app/image";

#[test]
fn sbom_and_provenance_are_pushed_with_an_image() {
    let test = "sbom_and_provenance_are_pushed_with_an_image";
    if !has_busybox(test) {
        return;
    }
    if !has_program("openssl") || !has_program("skopeo") {
        return skip(test, "needs openssl and skopeo");
    }
    let project = app();
    let key = project.wake(["key", "generate", "release"]).run().success();
    let id = key.stderr.split(['(', ')']).nth(1).unwrap().to_owned();
    let Some(registry) = Registry::start(test, &project.base().join("r"), "") else { return };
    let name = format!("{}/wake/app:1", registry.host);
    let pushed = project.wake(["image", "push", IMAGE, &name]).run().success();
    pushed_mentions(&pushed, &id);
    let digest = pushed.stdout.trim().split_once('@').unwrap().1.to_owned();

    // As any client finds it in a registry without a referrers API.
    let raw = |repository: &str| {
        let at = format!("docker://{}/wake/{repository}", registry.host);
        parsed(&output(Command::new("skopeo").args([
            "inspect",
            "--raw",
            "--tls-verify=false",
            &at,
        ])))
    };
    let list = raw(&format!("app:{}", digest.replace(':', "-")));
    let kinds: Vec<&str> = list["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["artifactType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["application/spdx+json", "application/vnd.in-toto.provenance+dsse"]);
    let referrer = |number: usize| {
        let digest = list["manifests"][number]["digest"].as_str().unwrap();
        raw(&format!("app@{digest}"))
    };
    let blob = |manifest: &Value| {
        let path =
            format!("/v2/wake/app/blobs/{}", manifest["layers"][0]["digest"].as_str().unwrap());
        String::from_utf8(ask(&registry.host, "GET", &path, "").1).unwrap()
    };
    let sbom = referrer(0);
    assert_eq!(sbom["subject"]["digest"], digest.as_str());
    assert_eq!(blob(&sbom), inspect(&project, &name, "--sbom").trim_end());

    // Verified by a program that knows nothing about wake.
    let envelope = parsed(&blob(&referrer(1)));
    let payload = decoded(&envelope["payload"]);
    let dir = project.base().join("openssl");
    fs::create_dir(&dir).unwrap();
    let kind = envelope["payloadType"].as_str().unwrap();
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    fs::write(dir.join("signed"), [head.as_bytes(), &payload].concat()).unwrap();
    fs::write(dir.join("signature"), decoded(&envelope["signatures"][0]["sig"])).unwrap();
    let pem = project.wake(["key", "show", "release", "--pem"]).run().success().stdout;
    fs::write(dir.join("key.pem"), pem).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.current_dir(&dir).args(["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]);
    output(openssl.args(["-sigfile", "signature", "-in", "signed"]));
    let statement = parsed(&String::from_utf8(payload).unwrap());
    assert_eq!(inspect(&project, &name, "--provenance").trim_end(), statement.to_string());
    let subject = &statement["subject"][0];
    assert_eq!(subject["digest"]["sha256"], digest.strip_prefix("sha256:").unwrap());
    let build = &statement["predicate"]["buildDefinition"];
    assert_eq!(build["externalParameters"]["module"], "//:app");
    assert_eq!(build["resolvedDependencies"][0]["name"], "//:base");
    let steps = &statement["predicate"]["runDetails"]["byproducts"];
    let plan = project.wake(["plan", "//:app", "--format", "json"]).run().success();
    for step in steps.as_array().unwrap() {
        assert!(plan.stdout.contains(step["digest"]["wakeAction3"].as_str().unwrap()), "{step}");
    }
    assert_eq!(steps.as_array().unwrap().len(), 2);

    // Pushing twice changes nothing, and an unsigned push does not say who built it.
    project.wake(["image", "push", IMAGE, &name]).run().success();
    let list = raw(&format!("app:{}", digest.replace(':', "-")));
    assert_eq!(list["manifests"].as_array().unwrap().len(), 2);
    let other = format!("{}/wake/other:1", registry.host);
    project.wake(["image", "push", IMAGE, &other, "--no-sign", "--no-sbom"]).run().success();
    assert_eq!(registry.tags("other"), ["1"]);
}

fn pushed_mentions(pushed: &wake_tests::Finished, id: &str) {
    let said = pushed.redacted_stderr();
    assert!(said.contains(&format!("SBOM, provenance by release ({id})")), "{said}");
}

fn inspect(project: &Project, image: &str, what: &str) -> String {
    project.wake(["image", "inspect", image, what]).run().success().stdout
}

#[test]
fn the_sbom_of_an_image_is_reproducible() {
    if !has_busybox("the_sbom_of_an_image_is_reproducible") {
        return;
    }
    let one = app();
    let text = inspect(&one, IMAGE, "--sbom");
    let sbom = parsed(&text);
    let names: Vec<(&str, &str)> = sbom["packages"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|package| {
            let name = package["name"].as_str().unwrap();
            (name, package["externalRefs"][0]["referenceLocator"].as_str().unwrap())
        })
        .collect();
    let purl = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12";
    assert_eq!(names[0], ("libc6", purl));
    assert_eq!(names.len(), 2, "{names:?}");
    let files = sbom["files"].as_array().unwrap();
    let hello = files.iter().find(|file| file["fileName"] == "./opt/hello").unwrap();
    let sums = output(
        Command::new("sh")
            .current_dir(one.root())
            .args(["-c", "sha1sum hello.sh; sha256sum hello.sh"]),
    );
    for (number, sum) in sums.lines().enumerate() {
        let sum = sum.split(' ').next().unwrap();
        assert_eq!(hello["checksums"][number]["checksumValue"], sum);
    }
    // Including those of the base image.
    assert!(files.iter().any(|file| file["fileName"] == "./bin/busybox"));

    let other = project().build();
    copy_tree(one.root(), other.root());
    let _ = fs::remove_dir_all(other.path(".wake"));
    other.touch("hello.sh");
    other.build(&["//..."]);
    assert_eq!(inspect(&other, IMAGE, "--sbom"), text);
}

#[test]
fn a_layout_keeps_the_attachments_of_an_image() {
    let test = "a_layout_keeps_the_attachments_of_an_image";
    if !has_busybox(test) {
        return;
    }
    let project = app();
    project.wake(["key", "generate", "release"]).run().success();
    let Some(registry) = Registry::start(test, &project.base().join("r"), "") else { return };
    let name = format!("{}/wake/app:1", registry.host);
    project.wake(["image", "push", IMAGE, &name]).run().success();
    let (sbom, provenance) =
        (inspect(&project, &name, "--sbom"), inspect(&project, &name, "--provenance"));

    // An image that was built elsewhere, outside the workspace.
    let elsewhere = project_of_nothing();
    for target in ["oci:layout:app", "oci-archive:app.tar:app"] {
        elsewhere.wake(["image", "save", &name, target]).run().success();
        let place = target.split(':').nth(1).unwrap();
        assert_eq!(inspect(&elsewhere, place, "--sbom"), sbom);
        assert_eq!(inspect(&elsewhere, place, "--provenance"), provenance);
        let again = format!("{}/wake/{place}:1", registry.host);
        elsewhere.wake(["image", "push", place, &again]).run().success();
        assert_eq!(inspect(&elsewhere, &again, "--provenance"), provenance);
    }
    let index = parsed(&elsewhere.read("layout/index.json"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    // Other tools read the image as before.
    if has_program("skopeo") {
        let layout = format!("oci:{}:app", elsewhere.path("layout").display());
        output(Command::new("skopeo").args(["inspect", &layout]));
    }
    // Altered attachments are ignored, and the image is unchanged.
    let manifest = index["manifests"][2]["digest"].as_str().unwrap().replace("sha256:", "");
    let altered =
        elsewhere.read(&format!("layout/blobs/sha256/{manifest}")).replace("dsse", "dssf");
    elsewhere.write(&format!("layout/blobs/sha256/{manifest}"), altered);
    fs::remove_dir_all(elsewhere.store()).unwrap();
    assert_eq!(inspect(&elsewhere, "layout", "--provenance"), "");
    assert_eq!(inspect(&elsewhere, "layout", "--sbom"), sbom);
}

fn project_of_nothing() -> Project {
    project().build()
}

#[test]
fn a_registry_with_a_referrers_api_gets_no_fallback_tag() {
    let test = "a_registry_with_a_referrers_api_gets_no_fallback_tag";
    if !has_busybox(test) {
        return;
    }
    let project = app();
    let Some(registry) = Registry::start(test, &project.base().join("r"), "") else { return };
    let lister = Lister::before(&registry.host);
    let name = format!("{}/wake/app:1", lister.host);
    let pushed = project.wake(["image", "push", IMAGE, &name, "--no-sign"]).run().success();
    let digest = pushed.stdout.trim().split_once('@').unwrap().1;
    assert_eq!(lister.kinds(digest), ["application/spdx+json"]);
    // There is no fallback tag for the list.
    assert_eq!(registry.tags("app"), ["1"]);
    let elsewhere = project_of_nothing();
    let text = inspect(&elsewhere, &name, "--sbom");
    assert_eq!(parsed(&text)["packages"][1]["name"], "libc6");
    assert_eq!(text, inspect(&project, IMAGE, "--sbom").replace("//:app", ""));
    // What is already there is not uploaded again.
    let again = project.wake(["image", "push", IMAGE, &name, "--no-sign"]).run().success();
    assert_eq!(again.stdout, pushed.stdout);
    assert_eq!(lister.kinds(digest).iter().filter(|kind| kind.contains("spdx")).count(), 1);
}

#[test]
fn an_unsupported_package_database_is_reported() {
    if !has_busybox("an_unsupported_package_database_is_reported") {
        return;
    }
    let project = busybox_image();
    project.edit("PKG.libsonnet", "files=[", "files=['./rpmdb', ");
    project.write("rpmdb", "SQLite format 3");
    project.edit("base.libsonnet", "pkgFiles=['./busybox']", "pkgFiles=['./busybox', './rpmdb']");
    let path = "/usr/lib/sysimage/rpm/rpmdb.sqlite";
    project.edit("base.libsonnet", "files={", &format!("files={{ '{path}': './rpmdb' }} + {{"));
    project.build(&["//..."]);
    let said = project.wake(["image", "inspect", ".wake/out/base/image", "--sbom"]).run().success();
    let said = said.mentions(&format!("warning: the SBOM omits the packages in `{path}` of"));
    let comment = &parsed(&said.stdout)["packages"][0]["comment"];
    assert_eq!(
        *comment,
        format!(
            "the packages listed in `{path}` are not included, because its format is not supported"
        )
    );
}
