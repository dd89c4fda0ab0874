//! Requirements that cannot be met, and invalid locks.

use std::fs;

use wake_tests::{Project, expect};

use super::says;
use crate::scene::{Scene, get, toml};
use crate::signing::generate;

/// A user of `text` with this requirement.
fn user(scene: &Scene, requirement: &str) -> Project {
    scene.user(&format!("text: {}", get("text", requirement)))
}

/// Checks that a build ends like this.
#[track_caller]
fn fails(user: &Project, code: i32, expected: expect_test::Expect) {
    user.wake(["build", "//app", "--quiet"]).run().code(code).says(expected);
}

fn with_settings(scene: &Scene, user: &Project, more: &str) {
    user.write("wake.toml", toml(&format!("file:{}", scene.registry().display())) + more);
}

#[test]
fn unknown_packages_and_versions() {
    let scene = Scene::new();
    for version in ["1.0.0", "1.1.0", "1.2.0-rc.1"] {
        scene.publish("text", version, "");
    }
    let unknown = scene.user(&format!("text: {}", get("txet", "^1")));
    fails(
        &unknown,
        6,
        expect![[r#"
            error: no package is called `acme/txet`
             --> app/PKG.libsonnet:5:18
              |
            5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('txet', '^1', namespace='acme')) },
              |                  ^^^^^^^^^^^
              = note: `[namespaces]` assigns `acme` to `main`; no other registry was asked
              help: did you mean `acme/text`?
                   Error 1 error in [TIME]
        "#]],
    );
    fails(
        &user(&scene, "^2"),
        6,
        expect![[r#"
        error: no version of acme/text matches ^2
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: available versions: 1.2.0-rc.1, 1.1.0, 1.0.0
          help: require an existing version, or remove the requirement
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn versions_that_do_not_fit_together() {
    let scene = Scene::new();
    for version in ["1.2.0", "1.2.7", "1.4.0"] {
        scene.publish("tls", version, "");
    }
    scene.publish("http", "1.9.3", &format!("tls: {}", get("tls", "^1.2")));
    for version in ["2.0.0", "2.1.0"] {
        scene.publish("http", version, &format!("tls: {}", get("tls", "^1.4")));
    }
    let user = scene.user(&format!("tls: {}", get("tls", "~1.2")));
    user.write(
        "net/PKG.libsonnet",
        format!(
            "function(wake) wake.pkg(wake.pkgInfo('net', '1.0.0'), pkgs={{ http: {} }})\n",
            get("http", "^2")
        ),
    );
    fails(
        &user,
        6,
        expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:5:17
          |
        5 |     pkgs={ tls: wake.getPkg(wake.pkgInfo('tls', '~1.2', namespace='acme')) },
          |                 ^^^^^^^^^^^ acme/tls: 1.2.0 to 1.2.7
          = note: because acme/http 2.0.0 to 2.1.0 needs acme/tls ^1.4
          = note: and //net needs acme/http ^2 (net/PKG.libsonnet:1:68), of which these are all,
          = note: `^2` and `~1.2` cannot both be met
          help: acme/http 1.9.3 fits with everything else: require `^1.9` at net/PKG.libsonnet:1:68
          help: acme/tls 1.4.0 fits with everything else: require `^1.4` here
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn only_ineligible_versions() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let settings = |more: &str| {
        let user = user(&scene, "^1");
        with_settings(&scene, &user, more);
        user
    };
    fails(
        &settings("\n[resolve]\nmin-age = \"3d\"\n"),
        6,
        expect![[r#"
        error: no version of acme/text that matches ^1 may be used
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: 1.0.0 is too young for `min-age` of `wake.toml`; use `wake update --now acme/text` to allow it
          help: require an existing version, or remove the requirement
               Error 1 error in [TIME]
    "#]],
    );
    let (key, _) = generate(&scene.publisher, "mine");
    let trust = format!("\n[trust]\nacme = {{ keys = [\"{key}\"], require = \"provenance\" }}\n");
    fails(
        &settings(&trust),
        6,
        expect![[r#"
        error: no version of acme/text that matches ^1 may be used
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: 1.0.0 is unsigned
          help: `[trust]` in `wake.toml` requires signatures for `acme`
               Error 1 error in [TIME]
    "#]],
    );
    let yank = ["yank", "acme/text@1.0.0", "--reason", "prints to the wrong file"];
    scene.publisher.wake(yank).run().success();
    fails(
        &settings(""),
        6,
        expect![[r#"
        error: no version of acme/text that matches ^1 may be used
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: 1.0.0 is yanked: prints to the wrong file
          help: require an existing version, or remove the requirement
               Error 1 error in [TIME]
    "#]],
    );
}

/// N10: another registry has the name as well, and is not contacted.
#[test]
fn n10_a_namespace_without_a_registry() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene, "^1");
    let address = format!("file:{}", scene.registry().display());
    user.write("wake.toml", toml(&address).replace("acme = ", "other = "));
    fails(
        &user,
        6,
        expect![[r#"
        error: no registry is configured for namespace `acme`
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          help: add one to `wake.toml`: `[namespaces]` `acme = "main"`
               Error 1 error in [TIME]
    "#]],
    );
    // Perhaps the namespace was forgotten.
    user.edit("app/PKG.libsonnet", ", namespace='acme'", "");
    fails(
        &user,
        6,
        expect![[r#"
            error: no registry is configured for packages without a namespace, such as `text`
             --> app/PKG.libsonnet:5:18
              |
            5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1')) },
              |                  ^^^^^^^^^^^
              help: add one to `wake.toml`: `[namespaces]` `"" = "main"`
              help: or give its namespace, as in `other/text`: `wake.pkgInfo('text', …, 'other')`
                   Error 1 error in [TIME]
        "#]],
    );
    user.edit("app/PKG.libsonnet", "'^1')", "'^1', namespace='acme')");
    // An attacker publishes a package with the name of ours in another registry: only ours is used.
    let ours = Scene::new();
    ours.publish("tone", "1.0.0", "");
    user.write(
        "wake.toml",
        format!(
            "[registries]\nours = \"file:{}\"\nothers = \"{address}\"\n\n[namespaces]\nacme = \"ours\"\n\"*\" = \"others\"\n",
            ours.registry().display()
        ),
    );
    fails(
        &user,
        6,
        expect![[r#"
            error: no package is called `acme/text`
             --> app/PKG.libsonnet:5:18
              |
            5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
              |                  ^^^^^^^^^^^
              = note: `[namespaces]` assigns `acme` to `ours`; no other registry was asked
              help: publish it first, or set its location with `from='./path'`
                   Error 1 error in [TIME]
        "#]],
    );
}

#[test]
fn a_version_for_a_later_wake() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    scene.publish("text", "1.1.0", "");
    let log = scene.registry().join("index/acme/text.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let [first, second] = &text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let (lead, rest) = second.split_once("\"api\":").unwrap();
    let rest = &rest[rest.find(',').unwrap()..];
    fs::write(&log, format!("{first}\n{lead}\"api\":999{rest}\n")).unwrap();
    fails(
        &user(&scene, "^1.1"),
        6,
        expect![[r#"
        error: no version of acme/text that matches ^1.1 may be used
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^1.1', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: 1.1.0 is written for a newer wake (version 999 of the `wake` object)
          = note: available versions: 1.0.0
          help: use a newer wake for 1.1.0
               Error 1 error in [TIME]
    "#]],
    );
    // It is not a candidate if there is another one.
    let other = user(&scene, "^1");
    other.build(&["//app"]);
    assert_eq!(other.result_text("//app:app", "out.txt"), "text 1.0.0\n");
}

#[test]
fn an_edited_lock() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = user(&scene, "^1");
    user.build(&["//app"]);
    let lock = user.read("wake.lock");
    let line = lock.lines().nth(1).unwrap();
    let (rest, content) = line.rsplit_once(' ').unwrap();
    let other = format!("{rest} {}", "1".repeat(64));
    let cases = [
        (
            format!("wake-lock 1\nacme/text 1.0.0 main {}\n", &content[1..]),
            expect![[r#"
            error: `86f7a8b9274c09b59c511658dc3a71f07de4f64e889d3a170fd59bfa73ee593` is not a digest: expected 64 lower-case hexadecimal digits
             --> wake.lock:2:22
              |
            2 | acme/text 1.0.0 main 86f7a8b9274c09b59c511658dc3a71f07de4f64e889d3a170fd59bfa73ee593
              |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            format!("wake-lock 1\nacme/text 1.0 main {content}\n"),
            expect![[r#"
            error: `1.0` is not a semantic version: unexpected end of input while parsing minor version number
             --> wake.lock:2:11
              |
            2 | acme/text 1.0 main [DIGEST]
              |           ^^^
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            format!("wake-lock 1\nacme/text 1.0.0  main {content}\n"),
            expect![[r#"
            error: expected a package, its version, its source and its content, separated by single spaces
             --> wake.lock:2:1
              |
            2 | acme/text 1.0.0  main [DIGEST]
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            format!("wake-lock 2\n{line}\n"),
            expect![[r#"
            error: the lock file has version `2`, but this wake reads version 1
             --> wake.lock:1:1
              |
            1 | wake-lock 2
              | ^^^^^^^^^^^
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            format!("{line}\n"),
            expect![[r#"
            error: a lock file starts with `wake-lock 1`
             --> wake.lock:1:1
              |
            1 | acme/text 1.0.0 main [DIGEST]
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   Error 1 error in [TIME]
        "#]],
        ),
        (
            format!("wake-lock 1\n{line}\n{other}\n"),
            expect![[r#"
            error: `acme/text 1.0.0` has different content on line 2
             --> wake.lock:3:1
              |
            3 | acme/text 1.0.0 main [DIGEST]
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                   Error 1 error in [TIME]
        "#]],
        ),
    ];
    for (text, expected) in cases {
        user.write("wake.lock", &text);
        fails(&user, 6, expected);
        assert_eq!(user.read("wake.lock"), text);
    }
}

/// If two lines of one range are needed, versions are resolved again, unless the lock may not change.
#[test]
fn a_badly_merged_lock() {
    let scene = Scene::new();
    for version in ["1.0.0", "1.1.0"] {
        scene.publish("text", version, "");
    }
    let one = user(&scene, "=1.0.0");
    one.wake(["lock"]).run().success();
    let two = user(&scene, "=1.1.0");
    two.wake(["lock"]).run().success();
    let union = one.read("wake.lock") + two.read("wake.lock").split_once('\n').unwrap().1;
    let both = scene.user(&format!("old: {}, new: {}", get("text", "~1.0"), get("text", "^1.1")));
    both.write("wake.lock", &union);
    let locked = both.wake(["build", "//app", "--locked", "--quiet"]).run().code(6);
    says(
        &locked,
        &[],
        &expect![[r#"
        error: acme/text 1.0.0 and 1.1.0 are both needed, but both match ^1
         = note: //app needs ^1.1 at app/PKG.libsonnet:5:83
         = note: //app needs ~1.0 at app/PKG.libsonnet:5:17
         help: lock one version that matches ^1 and all requirements
               Error 1 error in [TIME]
    "#]],
    );
    fails(
        &both,
        6,
        expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:5:83
          |
        5 |     pkgs={ old: wake.getPkg(wake.pkgInfo('text', '~1.0', namespace='acme')), new: wake.getPkg(wake.pkgInfo('text', '^1.1', namespace='acme')) },
          |                                                                                   ^^^^^^^^^^^ acme/text: 1.1.0
          = note: because //app needs acme/text ~1.0 (app/PKG.libsonnet:5:17),
          = note: `~1.0` and `^1.1` cannot both be met
          help: acme/text 1.1.0 fits with everything else: require `^1.1` at app/PKG.libsonnet:5:17
          help: acme/text 1.0.0 fits with everything else: require `^1.0` here
               Error 1 error in [TIME]
    "#]],
    );
    let apart = scene.user(&format!("old: {}, new: {}", get("text", "^1"), get("text", ">=1.0")));
    apart.write("wake.lock", &union);
    apart.build(&["//app"]);
    assert_eq!(apart.result_text("//app:app", "out.txt"), "text 1.1.0\ntext 1.1.0\n");
}
