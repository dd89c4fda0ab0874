//! Signed registries.

use std::fs;

use wake_tests::Project;

use crate::attacks::trees;
use crate::scene::{Scene, get, toml};
use crate::signing::generate;

/// A registry with a head, and its key.
fn signed() -> (Scene, String, String) {
    let scene = Scene::new();
    let (key, id) = generate(&scene.publisher, "head");
    scene.publisher.write("wake.toml", table("file:../registry", &key));
    scene.publish("text", "1.0.0", "");
    (scene, key, id)
}

/// Settings that require a head signed by that key.
fn table(address: &str, key: &str) -> String {
    let entry = format!("main = {{ url = \"{address}\", keys = [\"{key}\"] }}");
    toml(address).replace(&format!("main = \"{address}\""), &entry)
}

fn user(scene: &Scene, key: &str) -> Project {
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    user.write("wake.toml", table(&format!("file:{}", scene.registry().display()), key));
    user
}

fn head(scene: &Scene) -> Vec<u8> {
    fs::read(scene.registry().join("head.json")).unwrap()
}

#[test]
fn n5_a_rollback_of_a_signed_registry_is_noticed_by_its_serial() {
    let (scene, key, id) = signed();
    let before = head(&scene);
    let copy = |name: &str| {
        let to = scene.publisher.base().join(name);
        let copied =
            std::process::Command::new("cp").arg("-a").arg(scene.registry()).arg(&to).status();
        assert!(copied.unwrap().success());
        to
    };
    let old = copy("old");
    let user = user(&scene, &key);
    user.build(&["//app"]);
    scene.publish("text", "1.1.0", "");
    assert_ne!(head(&scene), before);
    user.wake(["update"]).run().success().mentions("acme/text 1.0.0 -> 1.1.0");
    // Everything is as before: only the serial reveals it, and only to someone who has seen a later one.
    fs::rename(scene.registry(), scene.publisher.base().join("new")).unwrap();
    fs::rename(&old, scene.registry()).unwrap();
    let failed = user.wake(["update"]).run().code(7);
    let said = failed.redacted_stderr();
    for line in [
        "error: registry `main`: head.json: its serial is 1, but serial 2 was seen before"
            .to_owned(),
        format!("= note: trusted keys: {id}"),
        "help: ask the registry's operator; run `wake registry forget main` to accept its current state"
            .to_owned(),
    ] {
        assert!(said.lines().any(|said| said.contains(&line)), "{line}\n{said}");
    }
    user.wake(["registry", "forget", "main"]).run().success();
    fs::remove_file(user.path("wake.lock")).unwrap();
    user.wake(["lock"]).run().success().mentions("+ acme/text 1.0.0");
}

#[test]
fn n8_a_missing_or_wrongly_signed_head_is_refused() {
    let (scene, key, id) = signed();
    let stranger = Scene::new();
    let (theirs, their_id) = generate(&stranger.publisher, "theirs");
    let mistrustful = user(&scene, &theirs);
    let failed = mistrustful.wake(["build", "//app"]).run().code(7);
    failed
        .mentions(&format!(
            "registry `main`: head.json: it is signed by {id}, which is not a key of this registry"
        ))
        .mentions(&format!("trusted keys: {their_id}"));
    assert_eq!(trees(&mistrustful), 0);
    let user = user(&scene, &key);
    // Altered heads, files that are not heads, a missing head.
    let whole = head(&scene);
    let place = scene.registry().join("head.json");
    let altered = String::from_utf8(whole.clone()).unwrap().replace("\"sig\":\"", "\"sig\":\"AAAA");
    for (bytes, said) in [
        (altered.as_bytes(), "head.json: its signature is invalid"),
        (b"<html></html>".as_slice(), "head.json: it is not a signed registry head"),
    ] {
        fs::write(&place, bytes).unwrap();
        user.wake(["build", "//app"]).run().code(7).mentions(said);
    }
    fs::remove_file(&place).unwrap();
    let absent = user.wake(["build", "//app"]).run().code(7);
    absent
        .mentions("head.json: it is missing, but a registry with `keys` must be signed")
        .mentions("`wake registry sign main`");
    assert_eq!(trees(&user), 0);
    fs::write(&place, &whole).unwrap();
    user.build(&["//app"]);
    // Files that the head does not name do not count, and those it names must not be altered.
    let log = scene.registry().join("index/acme/text.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("\"license\":\"MIT\"", "\"license\":\"ISC\"")).unwrap();
    let fresh = self::user(&scene, &key);
    let failed = fresh.wake(["build", "//app"]).run().code(7);
    failed.mentions("index/acme/text.jsonl does not match head.json: its content differs");
    // A longer log counts up to where it was signed.
    let more = format!(
        "{text}{}",
        "{\"kind\":\"praise\"}\n{\"at\":1,\"kind\":\"yank\",\"reason\":\"x\",\"version\":\"1.0.0\"}\n"
    );
    fs::write(&log, more).unwrap();
    fresh.wake(["lock"]).run().success().mentions("+ acme/text 1.0.0");
    // The next publisher does not sign it either.
    fs::write(&log, text.replace("\"license\":\"MIT\"", "\"license\":\"ISC\"")).unwrap();
    scene.write("tone", "1.0.0", "", "cat data > out.txt");
    let refused = scene.publisher.wake(["publish", "tone"]).run().code(7);
    refused.mentions("it has been truncated or rewritten since");
}

/// A head for the existing lists, signed by another program, valid between these seconds from now.
fn sign_by_openssl(scene: &Scene, from: i64, until: i64) {
    let script = r#"
        now=$(date +%s)
        payload=$(base64 -d < old | sed "s/\"at\":[0-9]*,\"expires\":[0-9]*/\"at\":$((now + FROM)),\"expires\":$((now + UNTIL))/")
        kind=application/vnd.wake.head.v1+json
        printf 'DSSEv1 %d %s %d %s' ${#kind} $kind ${#payload} "$payload" > signed
        openssl pkeyutl -sign -inkey ../home/.config/wake/keys/head.pem -rawin -in signed -out signature
        printf '{"payload":"%s","payloadType":"%s","signatures":[{"keyid":"","sig":"%s"}]}' \
            "$(printf %s "$payload" | base64 -w0)" $kind "$(base64 -w0 < signature)" > ../registry/head.json
    "#;
    let dir = scene.publisher.base().join("openssl");
    fs::create_dir_all(&dir).unwrap();
    let head: serde_json::Value = serde_json::from_slice(&head(scene)).unwrap();
    fs::write(dir.join("old"), head["payload"].as_str().unwrap()).unwrap();
    let made = std::process::Command::new("sh")
        .args(["-euc", script])
        .env("FROM", from.to_string())
        .env("UNTIL", until.to_string())
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn n5_an_expired_head_is_signed_again() {
    let test = "n5_an_expired_head_is_signed_again";
    if !wake_tests::has_program("openssl") {
        return wake_tests::skip(test, "needs openssl");
    }
    let (scene, key, id) = signed();
    let day = 86_400;
    sign_by_openssl(&scene, -2 * day, day);
    user(&scene, &key).build(&["//app"]);
    sign_by_openssl(&scene, day / 2, 3 * day);
    user(&scene, &key).build(&["//app"]);
    sign_by_openssl(&scene, 2 * day, 3 * day);
    let early = user(&scene, &key).wake(["lock"]).run().code(7);
    early
        .mentions("registry `main`: head.json: it was signed at ")
        .mentions(", but the local clock says ")
        .mentions("set the clock of this machine");
    sign_by_openssl(&scene, -2 * day, -day);
    let user = user(&scene, &key);
    let late = user.wake(["lock"]).run().code(7);
    late.mentions("registry `main`: head.json: it expired at ")
        .mentions("UTC and was not signed again")
        .mentions("have a holder of the key sign it: `wake registry sign main`");
    assert_eq!(trees(&user), 0);
    let signed =
        scene.publisher.wake(["registry", "sign", "main", "--days", "200"]).run().success();
    signed.mentions(&format!("registry `main`, number 2, for 200 days, by head ({id})"));
    user.build(&["//app"]);
}

/// Writing requires the key, and the next writer completes what was interrupted.
#[test]
fn writing_to_a_signed_registry_requires_its_key() {
    let (scene, key, id) = signed();
    let other = Scene::new();
    let address = format!("file:{}", scene.registry().display());
    for settings in [toml(&address), table(&address, &key)] {
        other.publisher.write("wake.toml", settings);
        other.write("tone", "1.0.0", "", "cat data > out.txt");
        let before = head(&scene);
        let refused = other.publisher.wake(["publish", "tone"]).run().code(10);
        refused
            .mentions("registry `main` is signed, but its signing key is not available")
            .mentions(&format!("it is signed by {id}"));
        assert!(!scene.registry().join("pkgs/acme/tone").exists());
        let yank = ["yank", "acme/text@1.0.0", "--reason", "x"];
        other.publisher.wake(yank).run().code(10);
        assert_eq!(head(&scene), before);
    }
    let yank = ["yank", "acme/text@1.0.0", "--reason", "it prints nothing"];
    scene.publisher.wake(yank).run().success();
    let user = user(&scene, &key);
    user.wake(["lock"]).run().code(6).mentions("yanked: it prints nothing");
    // The head was not written any more.
    let before = head(&scene);
    scene.publish("text", "1.1.0", "");
    fs::write(scene.registry().join("head.json"), &before).unwrap();
    user.wake(["lock"]).run().code(6);
    scene.publisher.wake(["publish", "text"]).run().success().mentions("already");
    user.wake(["lock"]).run().success().mentions("+ acme/text 1.1.0");
    // Lists that no head names are removed.
    let lists = fs::read_dir(scene.registry().join("index")).unwrap();
    let fixed = lists.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().matches('.').count() == 2
    });
    assert!(fixed.count() <= 2);
}

/// What was seen is forgotten together with its key; otherwise a stolen key could lock everybody out.
#[test]
fn n5_heads_of_a_dropped_key_are_forgotten() {
    let (scene, old, _) = signed();
    let user = user(&scene, &old);
    user.build(&["//app"]);
    for _ in 0..3 {
        scene.publisher.wake(["registry", "sign", "main"]).run().success();
    }
    user.wake(["update"]).run().success();
    // The owner starts again with another key and the first serial.
    let (new, _) = generate(&scene.publisher, "new");
    scene.publisher.write("wake.toml", table("file:../registry", &new));
    fs::remove_file(scene.registry().join("head.json")).unwrap();
    scene.publisher.wake(["registry", "sign", "main"]).run().success().mentions("number 1");
    user.wake(["update"]).run().code(7).mentions("which is not a key of this registry");
    user.write("wake.toml", table(&format!("file:{}", scene.registry().display()), &new));
    user.wake(["update"]).run().success();
}
