//! `wake info`, `search`, `vendor` and `why --depends`.

use std::fs;

use wake_tests::expect;

use crate::mirrors::settings;
use crate::scene::{Scene, get, says, toml};

#[test]
fn info_shows_the_metadata_of_a_registry() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("greet", "1.1.0", "");
    scene.publish("greet", "1.2.0", &format!("text: {}", get("text", "^2.0")));
    scene.publisher.wake(["yank", "acme/greet@1.1.0", "--reason", "it lies"]).run().success();
    let user = scene.user(&format!("greet: {}", get("greet", "^1")));
    user.wake(["lock"]).run().success();
    let shown = user.wake(["info", "acme/greet"]).run().success().stdout;
    let registry = format!("file://{}", scene.registry().display());
    let shown: Vec<String> = shown
        .lines()
        .map(|line| line.replace(&registry, "REGISTRY"))
        .map(|line| match line.split_once("content     ") {
            Some((lead, digits)) => {
                assert_eq!(digits.len(), 64);
                format!("{lead}content     DIGEST")
            }
            None => line,
        })
        .collect();
    expect![[r#"
        acme/greet 1.2.0
          license     MIT
          registry    main, REGISTRY
          content     DIGEST
          files       4 files, 675 B
          modules     made
          needs       acme/text ^2.0
          versions    1.2.0, 1.1.0 (yanked: it lies)
          locked      1.2.0
    "#]]
    .assert_eq(&(shown.join("\n") + "\n"));
    let yanked = user.wake(["info", "acme/greet@1.1.0"]).run().success();
    assert!(yanked.stdout.contains("  yanked      it lies\n"), "{}", yanked.stdout);
    let json = user.wake(["info", "acme/greet", "--json"]).run().success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["needs"], serde_json::json!(["acme/text ^2.0"]));
    assert_eq!(json["locked"], serde_json::json!(["1.2.0"]));
    says(
        &user.wake(["info", "acme/gret"]).run().code(6),
        &["error: registry `main` has no acme/gret", "help: did you mean `acme/greet`?"],
    );
    says(
        &user.wake(["info", "acme/greet@9.0.0"]).run().code(6),
        &[
            "error: registry `main` has no acme/greet 9.0.0",
            "= note: available versions: 1.2.0, 1.1.0 (yanked: it lies)",
        ],
    );
    user.wake(["info", "acme/greet", "--offline"]).run().code(9);
    user.wake(["info", "Acme/greet"]).run().code(2);
    user.wake(["info", "other/greet"]).run().code(6).mentions("`[namespaces]`");
}

#[test]
fn search_finds_by_name_and_description() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("tone", "1.0.0", "");
    let path = "tone/PKG.libsonnet";
    scene.publisher.edit(path, "license: 'MIT'", "license: 'MIT', description: 'Texts that sound'");
    scene.publisher.edit(path, "1.0.0", "1.1.0");
    scene.publisher.wake(["publish", "tone"]).run().success();
    let user = scene.user("// none\n");
    user.wake(["search", "text"]).run().success().prints(expect![[r#"
        acme/text 2.0.1
        acme/tone 1.1.0  Texts that sound
    "#]]);
    user.wake(["search", "SOUND", "acme/tone"]).run().success().prints(expect![[r#"
        acme/tone 1.1.0  Texts that sound
    "#]]);
    let json = user.wake(["search", "tone", "--json"]).run().success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["name"], "acme/tone");
    says(
        &user.wake(["search", "nothing"]).run().code(4),
        &[
            "error: no package matches nothing",
            "help: name the namespace if only `*` of `[namespaces]` covers it: `wake search NAMESPACE/WORD`",
        ],
    );
    let registry = format!("file:{}", scene.registry().display());
    user.write(
        "wake.toml",
        format!("[registries]\nmain = \"{registry}\"\n[namespaces]\n\"*\" = \"main\"\n"),
    );
    user.wake(["search", "tone"]).run().code(4);
    user.wake(["search", "acme/tone"]).run().success();
}

#[test]
fn search_reports_what_a_container_registry_cannot_list() {
    let test = "search_reports_what_a_container_registry_cannot_list";
    let scene = Scene::new();
    let base = scene.publisher.base().join("containers");
    let Some(registry) = crate::containers::Registry::start(test, &base, "") else { return };
    let user = scene.user_of(&registry.address(), "// none\n");
    let searched = user.wake(["search", "text"]).run().code(4);
    searched
        .mentions("warning: registry `main` does not list its packages of `acme`")
        .mentions("a container registry has no list of packages")
        .mentions("`wake info NAMESPACE/NAME`");
}

/// The locked packages as a registry of their own: a workspace builds from it with an empty store, and with it as a
/// mirror.
#[test]
fn vendored_packages_are_enough_to_build() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("text", "2.1.0", "");
    scene.publish("greet", "1.2.0", &format!("text: {}", get("text", "^2.0")));
    let pkgs = format!("greet: {}", get("greet", "^1"));
    let user = scene.user(&pkgs);
    user.build(&["//app"]);
    let lock = user.read("wake.lock");
    says(
        &user.wake(["vendor", "vendored"]).run().success(),
        &[
            "Vendored acme/greet 1.2.0",
            "Vendored acme/text 2.1.0",
            "Finished 2 packages in vendored",
        ],
    );
    let vendored = user.path("vendored");
    assert!(!vendored.join("pkgs/acme/text/2.0.1.tar.zst").exists());
    let before = crate::scene::all_of(&vendored);
    // Repeating it changes nothing.
    user.wake(["vendor", "vendored"]).run().success();
    assert_eq!(crate::scene::all_of(&vendored), before);
    let gone = scene.registry().with_extension("gone");
    fs::rename(scene.registry(), &gone).unwrap();
    let other = scene.user(&pkgs);
    other.write("wake.lock", &lock);
    other.wake(["build", "//app"]).run().code(9);
    settings(&other, &format!("[mirrors]\nmain = \"file:{}\"\n", vendored.display()));
    other.wake(["build", "//app", "--locked"]).run().success();
    assert_eq!(other.result_text("//app:app", "out.txt"), "greet 1.2.0\ntext 2.1.0\n");
    // As the registry itself.
    let third = scene.user(&pkgs);
    third.write("wake.toml", toml(&format!("file:{}", vendored.display())));
    third.write("wake.lock", &lock);
    third.wake(["build", "//app", "--locked"]).run().success();
    // With the registry back, the mirror is behind, and nothing is reverted.
    fs::rename(&gone, scene.registry()).unwrap();
    other.wake(["lock"]).run().success();
    assert_eq!(other.read("wake.lock"), lock);
}

#[test]
fn why_depends_lists_requirements_with_their_positions() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("greet", "1.2.0", &format!("text: {}", get("text", "^2.0")));
    let user = scene.user(&format!("greet: {}", get("greet", "^1")));
    user.wake(["lock"]).run().success();
    user.wake(["why", "--depends", "acme/text"]).run().success().prints(expect![[r#"
        acme/text@2.0.1
          //app needs acme/greet ^1  at app/PKG.libsonnet:5:19
          acme/greet@1.2.0 needs acme/text ^2.0
    "#]]);
    let json = user.wake(["why", "--depends", "acme/text", "--json"]).run().success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["way"][0]["at"], "app/PKG.libsonnet:5:19");
    says(
        &user.wake(["why", "--depends", "acme/txet"]).run().code(4),
        &["error: nothing depends on acme/txet", "help: did you mean `acme/text`?"],
    );
}
