//! Images that are not what they claim to be, or try something forbidden: each is rejected, with the problem and who
//! can fix it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use wake_tests::{Expect, Project, Wake, expect, project};

use crate::containers::{Registry, ask};
use crate::{add_user, output};

/// A handmade layout with one layer.
struct Layout {
    project: Project,
    layer: Vec<u8>,
    config: Value,
    manifest: Value,
}

impl Layout {
    /// With these entries in its layer: path, kind and link target.
    fn of(entries: &[(&str, u8, &str)]) -> Layout {
        let project = project()
            .pkg("files=[wake.dir('layout')], modules={ x: './x.libsonnet' }")
            .file("x.libsonnet", "function(wake, pkg) wake.module('x')\n")
            .build();
        let layer = tar(entries);
        let machine = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let config = json!({
            "architecture": machine, "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [sha256(&project, &layer)] },
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json" },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": sha256(&project, &layer), "size": layer.len(),
            }],
        });
        Layout { project, layer, config, manifest }
    }

    /// Writes it with a correct configuration.
    fn write(&mut self) {
        let digest = self.manifest["layers"][0]["digest"].clone();
        self.blob(&digest, &self.layer.clone());
        let config = self.config.to_string().into_bytes();
        let digest = json!(sha256(&self.project, &config));
        self.blob(&digest, &config);
        self.manifest["config"]["digest"] = digest;
        self.manifest["config"]["size"] = json!(config.len());
        let manifest = self.manifest.to_string().into_bytes();
        let digest = json!(sha256(&self.project, &manifest));
        self.blob(&digest, &manifest);
        let index = json!({ "schemaVersion": 2, "manifests": [{
            "mediaType": self.manifest["mediaType"], "digest": digest, "size": manifest.len(),
        }] });
        self.project.write("layout/index.json", index.to_string());
        self.project.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    }

    fn blob(&self, digest: &Value, bytes: &[u8]) {
        let name = digest.as_str().unwrap().replace(':', "/");
        self.project.write(&format!("layout/blobs/{name}"), bytes);
    }

    /// The output of a build that uses it as a root.
    #[track_caller]
    fn refused(mut self, code: i32, expected: Expect) {
        self.write();
        add_user(&self.project, "'./layout'");
        self.project.edit("user.libsonnet", "pkgFiles=[]", "pkgFiles=[wake.dir('layout')]");
        self.project.wake(["build", "//:user"]).run().code(code).says(expected);
        assert!(!self.project.base().join("evil").exists());
        assert!(!self.project.path("evil").exists());
    }
}

fn sha256(project: &Project, bytes: &[u8]) -> String {
    let file = project.base().join("sum");
    fs::write(&file, bytes).unwrap();
    let sum = output(Command::new("sha256sum").arg(file));
    format!("sha256:{}", &sum[..64])
}

/// A tar archive; files contain their own path. Source: POSIX, `pax`, "ustar Interchange Format".
fn tar(entries: &[(&str, u8, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, kind, link) in entries {
        let text: &[u8] = if *kind == b'0' { path.as_bytes() } else { b"" };
        let mut header = [0_u8; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, path.as_bytes());
        put(100, b"0000755\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", text.len()).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[*kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(text);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

#[test]
fn a_layer_cannot_write_outside_the_root() {
    Layout::of(&[("../../evil", b'0', "")]).refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: layer sha256:[DIGEST]: path `../../evil` in the archive contains `..`
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
    Layout::of(&[("/../evil", b'0', "")]).refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: layer sha256:[DIGEST]: path `/../evil` in the archive is absolute
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
    Layout::of(&[("a", b'1', "../../../etc/passwd")]).refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: layer sha256:[DIGEST]: hard link `a` names `../../../etc/passwd`, which is not an earlier file in the archive
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
}

/// A link is followed inside the root, as in every engine.
#[test]
fn a_link_in_a_layer_is_followed_inside_the_root() {
    let entries: &[(&str, u8, &str)] =
        &[("out", b'2', "/../../../../tmp"), ("out/evil-image", b'0', ""), ("x", b'2', "/etc")];
    let mut layout = Layout::of(entries);
    layout.write();
    let inspected = layout.project.wake(["image", "inspect", "layout", "--sbom"]).run();
    inspected.success();
    assert!(!std::path::Path::new("/tmp/evil-image").exists());
}

#[test]
fn a_layer_that_does_not_match_the_configuration_is_refused() {
    let file: &[(&str, u8, &str)] = &[("a", b'0', "")];
    let mut smaller = Layout::of(file);
    smaller.manifest["layers"][0]["size"] = json!(100);
    smaller.refused(
        7,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: sha256:[DIGEST] has 2048 bytes, but its manifest says 100
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]],
    );
    let mut larger = Layout::of(file);
    larger.manifest["layers"][0]["size"] = json!(1_000_000);
    larger.refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: sha256:[DIGEST] has 2048 bytes, but its manifest says 1000000
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
    let mut other = Layout::of(file);
    other.layer[600] ^= 1;
    other.refused(
        7,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: expected sha256:[DIGEST], got sha256:[DIGEST]
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]],
    );
    // Its digest is right, but the configuration says something else.
    let mut unpacked = Layout::of(file);
    unpacked.config["rootfs"]["diff_ids"][0] = json!(format!("sha256:{}", "0".repeat(64)));
    unpacked.refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: layer sha256:[DIGEST] contains sha256:[DIGEST], but its configuration says sha256:[DIGEST]
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
    let mut short = Layout::of(file);
    short.config["rootfs"]["diff_ids"] = json!([]);
    short.refused(
        7,
        expect![[r#"
            [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
            error: //:user: image `./layout/`: its manifest has 1 layer, but its configuration has 0
             help: nothing was stored: ask whoever built the image
            [TIME] FAIL //:user (no result)
            [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
            failed: //:user
        "#]],
    );
    let mut none = Layout::of(file);
    none.layer = b"<html>".to_vec();
    let digest = sha256(&none.project, &none.layer);
    none.manifest["layers"][0]["digest"] = json!(digest);
    none.manifest["layers"][0]["size"] = json!(6);
    none.refused(7, expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/`: layer sha256:[DIGEST]: the archive is truncated after 6 bytes
         help: nothing was stored: ask whoever built the image
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]]);
}

#[test]
fn an_image_for_another_platform_is_refused_with_its_platform() {
    let mut other = Layout::of(&[("a", b'0', "")]);
    other.config["architecture"] = json!("s390x");
    other.refused(
        5,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:user: image `./layout/` is for linux/s390x, not for linux/amd64
         help: choose another platform with `platform: 'OS/ARCHITECTURE'` or `--platform`
        [TIME] FAIL //:user (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:user, log .wake/runs/[RUN].jsonl
        failed: //:user
    "#]],
    );
}

fn image(project: &Project, name: &str) -> Wake {
    project.wake(["image", "pull", name])
}

#[test]
fn content_from_a_registry_is_verified_and_refusals_are_reported() {
    let test = "content_from_a_registry_is_verified_and_refusals_are_reported";
    let mut layout = Layout::of(&[("a", b'0', "")]);
    layout.write();
    let project = &layout.project;
    let dir = project.base().join("r");
    let Some(registry) = Registry::start(test, &dir, "") else { return };
    let name = format!("{}/wake/a:1", registry.host);
    project.wake(["image", "push", "layout", &name, "--no-sbom"]).run().success();
    let says = |finished: wake_tests::Finished, expected: Expect| {
        expected.assert_eq(&finished.redacted_stderr().replace(&registry.host, "[HOST]"));
    };
    fs::remove_dir_all(project.store()).unwrap();
    let absent = format!("{}/wake/a:2", registry.host);
    says(
        image(project, &absent).run().code(6),
        expect![[r#"
        error: there is no image `[HOST]/wake/a:2`
    "#]],
    );
    // Its disk returns other bytes than were stored.
    let digest = layout.manifest["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    let blob = dir.join("data/docker/registry/v2/blobs/sha256").join(&digest[..2]).join(&digest);
    fs::write(blob.join("data"), vec![b'x'; layout.layer.len()]).unwrap();
    says(
        image(project, &name).run().code(7),
        expect![[r#"
             Pulling [HOST]/wake/a:1
        error: image `[HOST]/wake/a:1`: expected sha256:[DIGEST], got sha256:[DIGEST]
         help: nothing was stored: ask whoever built the image
    "#]],
    );
    // And then none at all.
    let path = format!("/v2/wake/a/blobs/sha256:{digest}");
    assert_eq!(ask(&registry.host, "DELETE", &path, "").0, 202);
    says(
        image(project, &name).run().code(7),
        expect![[r#"
             Pulling [HOST]/wake/a:1
        error: image `[HOST]/wake/a:1`: its manifest refers to sha256:[DIGEST], which is missing
         help: nothing was stored: ask whoever built the image
    "#]],
    );
    let host = registry.host.clone();
    drop(registry);
    let down = image(project, &format!("{host}/wake/other:1")).run().code(9);
    let said = down.redacted_stderr().replace(&host, "[HOST]");
    expect![[r#"
        error: oci://[HOST]/wake/other: Connection refused (os error 111)
         help: use `--offline` to build with what is in the store
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_full_store_is_reported() {
    if !wake_tests::is_root() {
        return wake_tests::skip("a_full_store_is_reported", "needs root");
    }
    let mut layout = Layout::of(&[("a", b'0', "")]);
    // More than will fit.
    layout.layer.splice(0..0, tar(&[("b", b'5', "")]).into_iter().take(512));
    layout.layer.resize(12 << 20, 0);
    let digest = json!(sha256(&layout.project, &layout.layer));
    layout.manifest["layers"][0]["digest"] = digest.clone();
    layout.manifest["layers"][0]["size"] = json!(layout.layer.len());
    layout.config["rootfs"]["diff_ids"][0] = digest;
    layout.write();
    in_small_store(&layout.project, "4m", "image pull layout").code(10).says(expect![[r#"
             Pulling layout
        error: image `layout`: there is not enough space in the store to keep sha256:[DIGEST]
         help: run `wake gc --max-size SIZE` to free space
    "#]]);
}

/// The output of wake with a store of this size.
fn in_small_store(project: &Project, size: &str, args: &str) -> wake_tests::Finished {
    let store = project.base().join("small");
    fs::create_dir(&store).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={size},mode=755 tmpfs \"$1\"; export WAKE_STORE=\"$1\"; \"$0\" {args}"
    );
    let mut call = project.wake([] as [&str; 0]);
    // The word after the script is `$0`, followed by the program under test.
    call = call.wrapper(["unshare", "--mount", "--", "sh", "-euc", &script]);
    call.program(wake_tests::binary()).arg(&store).run()
}

#[test]
fn a_store_too_full_to_unpack_an_image_is_reported() {
    if !wake_tests::is_root() {
        return wake_tests::skip("a_store_too_full_to_unpack_an_image_is_reported", "needs root");
    }
    let mut layout = Layout::of(&[("a", b'0', "")]);
    let dir = layout.project.base().join("files");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("large"), vec![7; 6 << 20]).unwrap();
    let packed = dir.join("layer.tar");
    output(Command::new("tar").arg("-C").arg(&dir).arg("-cf").arg(&packed).arg("large"));
    layout.layer = fs::read(&packed).unwrap();
    let digest = json!(sha256(&layout.project, &layout.layer));
    layout.manifest["layers"][0]["digest"] = digest.clone();
    layout.manifest["layers"][0]["size"] = json!(layout.layer.len());
    layout.config["rootfs"]["diff_ids"][0] = digest;
    layout.write();
    let said = in_small_store(&layout.project, "9m", "image inspect --sbom layout");
    said.code(10).says(expect![[r#"
        error: image `layout`: there is not enough space in the store to unpack sha256:[DIGEST]
         help: run `wake gc --max-size SIZE` to free space
    "#]]);
}
