//! `wake add`: what it proposes, and what it reports about the result.

use std::fs;

use wake_tests::{Finished, Project, expect};

use crate::scene::{Scene, get, says, toml};
use crate::signing::generate;

/// Adds a package to `//app`.
fn add(user: &Project, args: &[&str]) -> Finished {
    user.wake(["add"]).args(args).cwd(user.path("app")).run()
}

/// Sets a version's publication date to the first day of 1970.
fn age(scene: &Scene, name: &str, version: &str) {
    let path = scene.registry().join(format!("index/acme/{name}.jsonl"));
    let mut log = String::new();
    for line in fs::read_to_string(&path).unwrap().lines() {
        let is_it = line.contains("\"publish\"")
            && line.contains(&format!("\"version\":\"{version}\",\"wake\""));
        let (lead, rest) = line.split_once("\"at\":").unwrap();
        let rest = rest.split_once(',').unwrap().1;
        log += &match is_it {
            true => format!("{lead}\"at\":1,{rest}\n"),
            false => format!("{line}\n"),
        };
    }
    fs::write(path, log).unwrap();
}

#[test]
fn the_signer_of_an_added_package_is_reported() {
    let scene = Scene::new();
    scene.publish("tone", "1.0.0", "");
    scene.publish("text", "2.0.1", &format!("tone: {}", get("tone", "^1")));
    let user = scene.user("// none yet\n");
    says(
        &add(&user, &["acme/text"]).success(),
        &[
            "Added acme/text ^2.0 to app/PKG.libsonnet",
            "Found 2.0.1 in main, published [AGO], unsigned, needs acme/tone ^1",
            "Locked + acme/text 2.0.1",
            "Locked + acme/tone 1.0.0",
        ],
    );
    let (key, id) = generate(&scene.publisher, "mine");
    scene.publisher.wake(["publish", "text", "--no-verify"]).run().success();
    let other = scene.user("// none yet\n");
    add(&other, &["acme/text@^2"])
        .success()
        .mentions(&format!(", said to be signed by {id}, not verified, needs acme/tone ^1"));
    // The signature is verified for a trusted key.
    let trusting = scene.user("// none yet\n");
    scene.publisher.wake(["publish", "tone", "--no-verify"]).run().success();
    let trust = format!("\n[trust]\nacme = {{ keys = [\"{key}\"], require = \"provenance\" }}\n");
    trusting.write("wake.toml", trusting.read("wake.toml") + &trust);
    age(&scene, "text", "2.0.1");
    let added = add(&trusting, &["acme/text"]).success();
    let days =
        (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - 1)
            / 86_400;
    added.mentions(&format!(
        "Found 2.0.1 in main, published {days} days ago, signed by {id}, which is trusted, needs acme/tone ^1"
    ));
}

/// Versions that are too young, yanked, unsigned or for a later wake are not proposed.
#[test]
fn only_eligible_versions_are_proposed() {
    let scene = Scene::new();
    for version in ["1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1"] {
        scene.publish("text", version, "");
    }
    age(&scene, "text", "1.0.0");
    age(&scene, "text", "1.1.0");
    let yank = ["yank", "acme/text@1.1.0", "--reason", "it lies"];
    scene.publisher.wake(yank).run().success();
    let with = |more: &str| {
        let user = scene.user("// none yet\n");
        user.write("wake.toml", toml(&format!("file:{}", scene.registry().display())) + more);
        user
    };
    let young = "\n[resolve]\nmin-age = \"3d\"\n";
    add(&with(""), &["acme/text"]).success().mentions("Added acme/text ^1.2 to");
    let user = with(young);
    let added = add(&user, &["acme/text"]).success();
    added.mentions("Added acme/text ^1.0 to").mentions("Locked + acme/text 1.0.0");
    // They can be requested explicitly; what is locked then stays.
    let user = with(young);
    let before = user.read("app/PKG.libsonnet");
    let failed = add(&user, &["acme/text@^1.2", "--quiet"]).code(6);
    // The file is unchanged.
    crate::refusals::says(
        &failed,
        &[],
        &expect![[r#"
        error: no version of acme/text that matches ^1.2 may be used
         --> app/PKG.libsonnet:6:10
          |
        6 |    text: wake.getPkg(wake.pkgInfo('text', '^1.2', namespace='acme')),
          |          ^^^^^^^^^^^
          = note: 1.2.0 is too young for `min-age` of `wake.toml`; use `wake add --now acme/text` to allow it
          = note: available versions: 1.0.0
          help: require an existing version, or remove the requirement
    "#]],
    );
    assert_eq!(user.read("app/PKG.libsonnet"), before);
    let added = add(&user, &["--now", "acme/text"]).success();
    added.mentions("Added acme/text ^1.2 to").mentions("Locked + acme/text 1.2.0");
    user.wake(["lock", "--check"]).run().success();
    user.wake(["build", "//app", "--locked"]).run().success();
    let user = with(young);
    let log = scene.registry().join("index/acme/text.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let yank = ["yank", "acme/text@1.0.0", "--reason", "it lies as well"];
    scene.publisher.wake(yank).run().success();
    add(&user, &["acme/text", "--quiet"]).code(6).says(expect![[r#"
        error: no version of acme/text can be chosen now
         = note: 2.0.0-rc.1 is too young for `min-age` of `wake.toml`; use `wake add --now acme/text` to allow it
         = note: 1.2.0 is too young for `min-age` of `wake.toml`; use `wake add --now acme/text` to allow it
         = note: 1.1.0 is yanked: it lies
         = note: 1.0.0 is yanked: it lies as well
    "#]]);
    fs::write(&log, text).unwrap();
    let (key, _) = generate(&scene.publisher, "mine");
    let trust = format!("\n[trust]\nacme = {{ keys = [\"{key}\"] }}\n");
    add(&with(&trust), &["acme/text", "--quiet"]).code(6).says(expect![[r#"
        error: no version of acme/text can be chosen now
         = note: 2.0.0-rc.1 is unsigned
         = note: 1.2.0 is unsigned
         = note: 1.1.0 is unsigned
         = note: 1.0.0 is unsigned
         help: `[trust]` in `wake.toml` requires signatures for `acme`
    "#]]);
}

/// A required version that is too young has no line yet, but is accepted.
#[test]
fn an_update_accepts_a_required_version_that_is_too_young() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    user.write("wake.toml", user.read("wake.toml") + "\n[resolve]\nmin-age = \"3d\"\n");
    user.wake(["build", "//app"]).run().code(6).mentions("`wake update --now acme/text`");
    let updated = user.wake(["update", "--now", "acme/text"]).run().success();
    says(&updated, &["Locked + acme/text 1.0.0"]);
    user.build(&["//app"]);
    user.wake(["update", "--now", "acme/txet"]).run().code(4).mentions("did you mean `acme/text`?");
}
