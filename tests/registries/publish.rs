//! What is published, and what is not.

use std::fs;

use wake_tests::{expect, skip};

use crate::scene::{Scene, all_of};

#[test]
fn a_published_package_has_its_declared_and_imported_files() {
    let scene = Scene::new();
    let publisher = &scene.publisher;
    scene.write("greet", "1.2.0", "", "cat data > out.txt");
    publisher.edit(
        "greet/made.libsonnet",
        "function(wake, pkg",
        "local a = import 'lib/a.libsonnet';\nfunction(wake, pkg",
    );
    publisher.write(
        "greet/lib/a.libsonnet",
        "{ b:: import '../b.jsonnet', t:: importstr './t.txt', gone:: import 'gone.libsonnet' }\n",
    );
    publisher.write("greet/b.jsonnet", "1");
    publisher.write("greet/lib/t.txt", "t");
    publisher.write("greet/notes.txt", "nobody's business");
    publisher.wake(["publish", "greet", "--list"]).run().success().prints(expect![[r#"
        PKG.libsonnet
        b.jsonnet
        data
        lib/a.libsonnet
        lib/t.txt
        made.libsonnet
        made.sh*
    "#]]);
    assert!(!scene.registry().exists());
}

#[test]
fn a_dry_run_does_everything_but_writing() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let finished = scene.publisher.wake(["publish", "text", "--dry-run"]).run().success();
    for said in [
        "Checking acme/text 2.0.1 (//text)",
        "Packed 4 files",
        "Verified 1 module from the archive alone, strict",
        "Would publish acme/text 2.0.1 to",
        "nothing was published",
    ] {
        let stderr = finished.redacted_stderr();
        assert!(stderr.contains(said), "no `{said}` in {stderr}");
    }
    assert!(!scene.registry().exists());
}

#[test]
fn a_version_is_published_once() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let before = all_of(&scene.registry());
    let again = scene.publisher.wake(["publish", "text"]).run().success();
    again.mentions("acme/text 2.0.1 is already published");
    assert_eq!(all_of(&scene.registry()), before);
    scene.publisher.write("text/data", "other\n");
    let other = scene.publisher.wake(["publish", "text"]).run().code(7);
    other.mentions("acme/text 2.0.1 is already published with different content");
    assert_eq!(all_of(&scene.registry()), before);
}

#[test]
fn packages_are_published_in_dependency_order() {
    let scene = Scene::new();
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text')";
    scene.write("greet", "1.2.0", text, "cat data \"$1\" > out.txt");
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    // Nobody could build it: its dependency is not available anywhere.
    let alone = scene.publisher.wake(["publish", "greet"]).run().code(6);
    alone.mentions("acme/greet 1.2.0, as dependents get it").mentions("acme/text");
    assert!(!scene.registry().exists());
    let both = scene.publisher.wake(["publish", "//..."]).run().success();
    // Reports about each package are below its name.
    let told = both.stderr.lines().map(str::trim_start);
    let told: Vec<&str> = told.filter(|line| line.starts_with(['T', 'N'])).collect();
    let need = "Needs acme/text ^2.0: 2.0.1 from main";
    assert_eq!(told, ["Trying acme/text 2.0.1", "Trying acme/greet 1.2.0", need]);
    let user = scene.user(&format!("greet: {}", crate::scene::get("greet", "^1")));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "greet 1.2.0\ntext 2.0.1\n");
}

#[test]
fn a_package_that_others_cannot_build_is_not_published() {
    let scene = Scene::new();
    // `own` is in the directory, but not published.
    scene.write("text", "2.0.1", "", "cat data > out.txt; echo no >&2; exit 3");
    let failed = scene.publisher.wake(["publish", "text"]).run().code(1);
    failed.mentions("acme/text 2.0.1, as dependents get it: acme/text@2.0.1:made failed: exit 3");
    assert!(!scene.registry().exists());
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    assert!(scene.registry().join("pkgs/acme/text/2.0.1.tar.zst").exists());
}

#[test]
fn a_file_that_looks_like_a_secret_is_not_published() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let key = ["-----BEGIN RSA PRIV", "ATE KEY-----\ncanary\n"].concat();
    scene.publisher.write("text/data", &key);
    let finished = scene.publisher.wake(["publish", "text"]).run().code(5);
    finished.says(expect![[r#"
            Checking acme/text 2.0.1 (//text)
        error: `text/data` seems to contain a private key
         = note: nothing was sent: publishing cannot be undone
         help: remove it from `files`
         help: if it is not a secret, use `--allow-secret data`
    "#]]);
    assert!(!scene.registry().exists());
    scene.publisher.wake(["publish", "text", "--allow-secret", "data"]).run().success();
}

#[test]
fn a_local_dependency_must_have_a_version_requirement() {
    let scene = Scene::new();
    let text = "text: wake.getPkg(wake.pkgInfo('text', '*', namespace='acme'), from='../text')";
    scene.write("greet", "1.2.0", text, "cat data > out.txt");
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let finished = scene.publisher.wake(["publish", "//..."]).run().code(6);
    finished
        .mentions("package `text` is required without a version")
        .mentions("greet/PKG.libsonnet:5:18");
}

#[test]
fn names_that_other_registries_reject_are_refused() {
    let scene = Scene::new();
    scene.write("a_-b", "1.0.0", "", "cat data > out.txt");
    scene.publisher.wake(["publish", "a_-b"]).run().code(5).mentions("`a_-b` cannot be published");
    scene.publish("a-b", "1.0.0", "");
    scene.write("ab", "1.0.0", "", "cat data > out.txt");
    let resembling = scene.publisher.wake(["publish", "ab"]).run().code(5);
    resembling.mentions("`acme/ab` differs from the published `acme/a-b` only in `-` and `_`");
}

#[test]
fn a_registry_behind_a_file_server_is_read_only() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    scene.publisher.write("wake.toml", crate::scene::toml("https://example.org/wake"));
    let finished = scene.publisher.wake(["publish", "text"]).run().code(2);
    finished.mentions("`https://example.org/wake` is read-only").mentions("`file:DIR`");
}

#[test]
fn a_directory_with_other_files_is_not_a_registry() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    fs::create_dir(scene.registry()).unwrap();
    fs::write(scene.registry().join("photos"), "").unwrap();
    scene.publisher.wake(["publish", "text"]).run().code(9).mentions("there is no registry at");
    assert_eq!(fs::read_dir(scene.registry()).unwrap().count(), 1);
}

/// R4: the same tree yields the same bytes, except for compression.
#[test]
fn packed_content_does_not_depend_on_user_or_directory() {
    let (one, two) = (Scene::new(), Scene::new());
    for scene in [&one, &two] {
        scene.write("text", "2.0.1", "", "cat data > out.txt");
    }
    fs::set_permissions(
        two.publisher.path("text/data"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    two.publisher.touch("text/data");
    for scene in [&one, &two] {
        scene.publisher.wake(["publish", "text"]).run().success();
    }
    for path in ["pkgs/acme/text/2.0.1.json", "pkgs/acme/text/2.0.1.tar.zst"] {
        let read = |scene: &Scene| fs::read(scene.registry().join(path)).unwrap();
        assert_eq!(read(&one), read(&two), "{path}");
    }
}

/// GNU tar can read the archive, which contains nothing about its publisher.
#[test]
fn the_archive_is_a_plain_tar() {
    if !wake_tests::has_program("zstd") {
        return skip("the_archive_is_a_plain_tar", "needs zstd");
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let archive = scene.registry().join("pkgs/acme/text/2.0.1.tar.zst");
    let listed = std::process::Command::new("tar")
        .args(["--zstd", "--utc", "--full-time", "-tvf"])
        .arg(&archive)
        .output()
        .unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<String> =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let names: Vec<&str> = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(names, ["PKG.libsonnet", "data", "made.libsonnet", "made.sh"]);
    for line in &lines {
        assert!(line.contains(" 0/0 ") && line.contains("1980-01-02 00:00:00"), "{line}");
    }
    assert!(lines[3].starts_with("-rwxr-xr-x") && lines[1].starts_with("-rw-r--r--"), "{lines:?}");
}
