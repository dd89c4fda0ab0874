//! Workspace packages that override published ones.

use std::fs;

use wake_tests::{Expect, Project, expect};

use crate::scene::{Scene, get, write};

const SHOWS: &str = "cat data \"$@\" > out.txt";

/// A registry with `tls` 1.4.0, and `http` 1.0.0, which depends on it.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.publish("tls", "1.4.0", "");
    scene.publish("http", "1.0.0", &format!("tls: {}", get("tls", "^1.4")));
    scene
}

/// Replaces the published package by `libs/tls` with that version.
fn overridden(user: &Project, version: &str, pkgs: &str) {
    write(user, "libs/tls", "tls", version, pkgs, SHOWS);
    instead(user, "\"acme/tls\" = \"libs/tls\"");
}

fn instead(user: &Project, line: &str) {
    let toml = user.read("wake.toml");
    user.write("wake.toml", format!("{toml}\n[overrides]\n{line}\n"));
}

/// The packages in the lock with their versions.
fn locked(user: &Project) -> Vec<String> {
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    user.read("wake.lock").lines().skip(1).map(words).collect()
}

#[test]
fn an_override_satisfies_members_and_fetched_packages() {
    let scene = scene();
    scene.publish("text", "2.0.1", "");
    // A request for it would fail.
    fs::remove_file(scene.registry().join("index/acme/tls.jsonl")).unwrap();
    let user = scene.user(&format!("http: {}, tls: {}", get("http", "^1"), get("tls", "^1")));
    overridden(&user, "1.5.0", &format!("text: {}", get("text", "^2")));
    let build = user.wake(["build", "//app"]).run().success();
    build.mentions("; overridden: acme/tls by //libs/tls\n");
    assert_eq!(locked(&user), ["acme/http 1.0.0", "acme/text 2.0.1"]);
    let text = "http 1.0.0\ntls 1.5.0\ntext 2.0.1\ntls 1.5.0\ntext 2.0.1\n";
    assert_eq!(user.result_text("//app:app", "out.txt"), text);
    user.wake(["build", "//app"]).run().success().says(expect![[r#"
        [TIME] Finished 4 actions, all cached, in [TIME]; overridden: acme/tls by //libs/tls
    "#]]);
    let tree = user.wake(["tree", "//app"]).run().success().stdout;
    expect![[r#"
        //app 1.0.0
          acme/http@1.0.0  http: ^1
            //libs/tls 1.5.0  tls: ^1.4  (overrides a published package)
              acme/text@2.0.1  text: ^2
          //libs/tls 1.5.0  tls: ^1  (overrides a published package)  (above)
    "#]]
    .assert_eq(&tree);
    user.wake(["lock", "--check"]).run().success();

    user.write("libs/tls/data", "another\n");
    let build = user.build(&["//app", "--locked", "--offline"]);
    assert_eq!(build.of_kind("finished").next().unwrap()["overrides"][0], "acme/tls by //libs/tls");
    let text = user.result_text("//app:app", "out.txt");
    assert_eq!(text, "http 1.0.0\nanother\ntext 2.0.1\nanother\ntext 2.0.1\n");
}

/// What a fetched package imports from it is evaluated again when it changes.
#[test]
fn a_fetched_package_imports_from_the_override() {
    let scene = Scene::new();
    let words = |project: &Project, dir: &str, words: &str| {
        project.edit(
            &format!("{dir}/PKG.libsonnet"),
            "'./data']",
            "'./data', './words.libsonnet']",
        );
        project.write(&format!("{dir}/words.libsonnet"), format!("{{ say: '{words}' }}\n"));
    };
    scene.write("tls", "1.4.0", "", SHOWS);
    words(&scene.publisher, "tls", "published");
    scene.publisher.wake(["publish", "tls"]).run().success();
    scene.write("http", "1.0.0", &format!("tls: {}", get("tls", "^1")), "echo \"$1\" > out.txt");
    scene.publisher.edit(
        "http/made.libsonnet",
        "args=[\n",
        "args=[(import '@tls/words.libsonnet').say] + [\n",
    );
    scene.publisher.wake(["publish", "http"]).run().success();
    let user = scene.user(&format!("http: {}", get("http", "^1")));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "published\n");
    overridden(&user, "1.5.0", "");
    words(&user, "libs/tls", "here");
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "here\n");
    user.write("libs/tls/words.libsonnet", "{ say: 'now' }\n");
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "now\n");
}

/// Adding it uses the replacement, and requests no versions from a registry.
#[test]
fn add_uses_the_version_of_the_override() {
    let scene = scene();
    fs::remove_file(scene.registry().join("index/acme/tls.jsonl")).unwrap();
    let user = scene.user("");
    overridden(&user, "1.5.0", "");
    user.wake(["add", "acme/tls"]).cwd(user.path("app")).run().success();
    let written = "tls: wake.getPkg(wake.pkgInfo('tls', '^1.5', namespace='acme'))";
    let file = user.read("app/PKG.libsonnet");
    assert!(file.contains(written), "{file}");
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "tls 1.5.0\n");
}

#[test]
fn a_changed_overrides_table_changes_the_build() {
    let scene = scene();
    let user = scene.user(&format!("tls: {}", get("tls", "^1")));
    let toml = user.read("wake.toml");
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "tls 1.4.0\n");
    overridden(&user, "1.5.0", "");
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "tls 1.5.0\n");
    user.wake(["lock"]).run().success();
    assert!(locked(&user).is_empty());
    user.write("wake.toml", toml);
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "tls 1.4.0\n");
    assert_eq!(locked(&user), ["acme/tls 1.4.0"]);
}

#[test]
fn an_unsuitable_override_is_reported_with_both_positions() {
    let scene = scene();
    let user = scene.user(&format!("tls: {}", get("tls", "^1.4")));
    overridden(&user, "1.3.0", "");
    user.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: package `tls`: //app needs acme/tls ^1.4, but //libs/tls, which stands in for it, is 1.3.0
         --> app/PKG.libsonnet:5:17
          |
        5 |     pkgs={ tls: wake.getPkg(wake.pkgInfo('tls', '^1.4', namespace='acme')) },
          |                 ^^^^^^^^^^^
          = note: it stands in because of `[overrides]`: wake.toml:8:1
          help: require the current version: `'^1.3.0'`
        [TIME] FAILED 1 error in [TIME]; overridden: acme/tls by //libs/tls, log .wake/runs/[RUN].jsonl
    "#]]);
    user.wake(["lock"]).run().code(6).mentions("//app needs acme/tls ^1.4");
    // A fetched package needs it, and it was locked before.
    let user = scene.user(&format!("http: {}", get("http", "^1")));
    user.build(&["//app"]);
    overridden(&user, "1.3.0", "");
    user.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: package `tls`: acme/http@1.0.0 needs acme/tls ^1.4, but //libs/tls, which stands in for it, is 1.3.0
         --> acme/http@1.0.0/PKG.libsonnet:5:17
          |
        5 |     pkgs={ tls: wake.getPkg(wake.pkgInfo('tls', '^1.4', namespace='acme')) },
          |                 ^^^^^^^^^^^
          = note: it stands in because of `[overrides]`: wake.toml:8:1
          help: run `wake lock` to choose a version of acme/http that accepts it, or give //libs/tls a version that matches ^1.4
        [TIME] FAILED 1 error in [TIME]; overridden: acme/tls by //libs/tls, log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn versions_that_accept_the_override_are_chosen() {
    let scene = scene();
    scene.publish("tls", "2.0.0", "");
    scene.publish("http", "1.1.0", &format!("tls: {}", get("tls", "^2")));
    let user = scene.user(&format!("http: {}", get("http", "^1")));
    user.build(&["//app"]);
    assert_eq!(locked(&user), ["acme/http 1.1.0", "acme/tls 2.0.0"]);
    overridden(&user, "1.5.0", "");
    user.wake(["build", "//app"])
        .run()
        .code(6)
        .mentions("run `wake lock` to choose a version of acme/http");
    user.wake(["lock"]).run().success();
    assert_eq!(locked(&user), ["acme/http 1.0.0"]);
    user.build(&["//app"]);
    let user = scene.user(&format!("http: {}", get("http", "^1.1")));
    overridden(&user, "1.5.0", "");
    user.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ http: wake.getPkg(wake.pkgInfo('http', '^1.1', namespace='acme')) },
          |                  ^^^^^^^^^^^ acme/http: 1.1.0
          = note: because acme/http 1.1.0 needs acme/tls ^2, of which there is no version,
          = note: `^1.1` cannot be met
          = note: //libs/tls 1.5.0 stands in for acme/tls: wake.toml:8:1
          help: acme/http 1.0.0 fits with everything else: require `^1.0` here
        [TIME] FAILED 1 error in [TIME]; overridden: acme/tls by //libs/tls, log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_invalid_overrides_table_is_reported_at_its_line() {
    let scene = scene();
    let told = |line: &str, code: i32, text: Expect| {
        let user = scene.user(&format!("tls: {}", get("tls", "^1")));
        user.build(&["//app"]);
        write(&user, "libs/tls", "tls", "1.5.0", "", SHOWS);
        user.write("docs/README", "");
        instead(&user, line);
        user.wake(["build", "//app"]).run().code(code).says(text);
    };
    told(
        "\"acme/tsl\" = \"libs/tls\"",
        6,
        expect![[r#"
        error: //libs/tls is `acme/tls`, and can stand in only for that package
         --> wake.toml:8:1
          |
        8 | "acme/tsl" = "libs/tls"
          | ^^^^^^^^^^
          = note: it is named at libs/tls/PKG.libsonnet:3:5
          help: write `"acme/tls"` here, or give the directory of the right package
        [TIME] FAILED 1 error in [TIME]; overridden: acme/tsl by //libs/tls, log .wake/runs/[RUN].jsonl
    "#]],
    );
    told(
        "\"acme/tls\" = \"libs/tsl\"",
        6,
        expect![[r#"
        error: there is no directory `./libs/tsl`
         --> wake.toml:8:14
          |
        8 | "acme/tls" = "libs/tsl"
          |              ^^^^^^^^^^
          help: did you mean `libs/tls`?
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
    told(
        "\"acme/tls\" = \"docs\"",
        6,
        expect![[r#"
        error: `./docs` has no `PKG.libsonnet`
         --> wake.toml:8:14
          |
        8 | "acme/tls" = "docs"
          |              ^^^^^^
          help: give the directory of a package of the workspace, relative to its root
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
    told(
        "\"acme/tls\" = \"../tls\"",
        2,
        expect![[r#"
        error: `../tls` leaves the workspace
         --> wake.toml:8:14
          |
        8 | "acme/tls" = "../tls"
          |              ^^^^^^^^
          help: give a directory of the workspace, relative to its root
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
    told(
        "\"acme/tls\" = \"/tls\"",
        2,
        expect![[r#"
        error: `/tls` is absolute
         --> wake.toml:8:14
          |
        8 | "acme/tls" = "/tls"
          |              ^^^^^^
          help: give a directory of the workspace, relative to its root
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
    told(
        "\"acme//tls\" = \"libs/tls\"",
        2,
        expect![[r#"
        error: `/tls` contains `/`: names consist of lower-case letters, digits, `_` and `-`, and start with a letter or digit
         --> wake.toml:8:1
          |
        8 | "acme//tls" = "libs/tls"
          | ^^^^^^^^^^^
          help: write `name` or `namespace/name`
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
}

#[test]
fn publish_verifies_against_registries_without_overrides() {
    let scene = scene();
    let user = scene.user("");
    overridden(&user, "1.9.0", "");
    write(&user, "web", "web", "1.0.0", &format!("tls: {}", get("tls", "^1.4")), SHOWS);
    user.build(&["//web"]);
    assert_eq!(user.result_text("//web:made", "out.txt"), "web 1.0.0\ntls 1.9.0\n");
    user.wake(["publish", "web", "--dry-run"])
        .run()
        .success()
        .mentions("acme/tls ^1.4: 1.4.0 from main");
    user.edit("web/PKG.libsonnet", "'^1.4'", "'^1.9'");
    user.build(&["//web"]);
    user.wake(["publish", "web"]).run().code(6).says(expect![[r#"
            Checking acme/web 1.0.0 (//web)
              Packed 4 files, 669 B: PKG.libsonnet  data  made.libsonnet  made.sh*
        error: acme/web 1.0.0, as dependents get it: no versions fit together
         = note: because acme/web 1.0.0 needs acme/tls ^1.9, of which there is no version,
         = note: `=1.0.0` cannot be met
         = note: nothing was published
         help: change or remove one of these requirements
    "#]]);
}

#[test]
fn two_packages_with_one_key_suggest_an_override() {
    let scene = scene();
    let user = scene.user(&format!("tls: {}", get("tls", "^1")));
    write(&user, "libs/tls", "tls", "1.4.0", "", SHOWS);
    user.wake(["build", "//..."]).run().code(6).says(expect![[r#"
        [TIME] locked + acme/tls 1.4.0
        error: two packages are named `tls` 1.4.0: //libs/tls and acme/tls@1.4.0
         --> acme/tls@1.4.0/PKG.libsonnet:3:5
          |
        3 |     wake.pkgInfo('tls', '1.4.0', namespace='acme'),
          |     ^^^^^^^^^^^^
          = note: //libs/tls is named at libs/tls/PKG.libsonnet:3:5
          help: add `"acme/tls" = "libs/tls"` to `[overrides]` in `wake.toml` to use the one in the workspace everywhere
          help: give one of them another name, namespace or version
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    instead(&user, "\"acme/tls\" = \"libs/tls\"");
    user.build(&["//..."]);
}
