//! What publishers sign, and whose signatures are trusted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use serde_json::Value;
use wake_tests::{Project, has_program, skip};

use crate::attacks::trees;
use crate::containers::Registry;
use crate::scene::{Scene, all_of, get, says, toml};
use crate::server::{Manner, Server};

/// Generates a key for the user of a project; returns its form in `wake.toml`, and its id.
pub(crate) fn generate(project: &Project, name: &str) -> (String, String) {
    let made = project.wake(["key", "generate", name]).run().success();
    let id = made.stderr.split(['(', ')']).nth(1).unwrap().to_owned();
    (made.stdout.trim().to_owned(), id)
}

/// A user who trusts keys for `acme`.
fn user_who_trusts(scene: &Scene, address: &str, keys: &[&str], require: &str) -> Project {
    let user = scene.user_of(address, &format!("text: {}", get("text", "^1")));
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    let table =
        format!("\n[trust]\nacme = {{ keys = [{}], require = \"{require}\" }}\n", keys.join(", "));
    user.write("wake.toml", toml(address) + &table);
    user
}

fn attestations(scene: &Scene, version: &str) -> Vec<Value> {
    let text = scene.read(&format!("pkgs/acme/text/{version}.att.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Decodes base64, as other programs do.
fn decoded(text: &Value) -> Vec<u8> {
    let mut child = Command::new("base64")
        .arg("-d")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_str().unwrap().as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().stdout
}

fn statement(envelope: &Value) -> Value {
    serde_json::from_slice(&decoded(&envelope["payload"])).unwrap()
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Programs that know nothing about wake.
#[test]
fn signatures_are_verified_by_other_programs() {
    let test = "signatures_are_verified_by_other_programs";
    if !has_program("openssl") || !has_program("git") {
        return skip(test, "needs openssl and git");
    }
    let scene = Scene::new();
    let publisher = &scene.publisher;
    let (key, id) = generate(publisher, "release");
    let listed = publisher.wake(["key", "list"]).run().success();
    assert_eq!(listed.stdout, format!("release  {id}  {key}\n"));
    git(publisher.root(), &["init", "-q"]);
    scene.write("tone", "1.0.0", "", "cat data > out.txt");
    let tone = format!("tone: {}", get("tone", "^1"));
    scene.write("text", "1.0.0", &tone, "cat data \"$1\" > out.txt");
    git(publisher.root(), &["add", "-A"]);
    git(publisher.root(), &["commit", "-qm", "one"]);
    let commit = git(publisher.root(), &["rev-parse", "HEAD"]);
    let made = publisher.wake(["publish", "tone"]).run().success();
    made.mentions(&format!("key release ({id})"));
    publisher.write("text/data", "changed\n");
    publisher.wake(["publish", "text"]).run().success();
    let log = scene.read("index/acme/text.jsonl");
    assert!(log.contains("\"attestations\":1,\"kind\":\"publish\""), "{log}");

    let envelopes = attestations(&scene, "1.0.0");
    let (payload, signature) =
        (decoded(&envelopes[0]["payload"]), decoded(&envelopes[0]["signatures"][0]["sig"]));
    let dir = publisher.base().join("openssl");
    fs::create_dir(&dir).unwrap();
    let kind = "application/vnd.in-toto+json";
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    fs::write(dir.join("signed"), [head.as_bytes(), &payload].concat()).unwrap();
    fs::write(dir.join("signature"), signature).unwrap();
    let pem = publisher.wake(["key", "show", "release", "--pem"]).run().success().stdout;
    fs::write(dir.join("key.pem"), &pem).unwrap();
    let verify = |file: &str| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&dir).args(["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem"]);
        openssl.args(["-rawin", "-sigfile", "signature", "-in", file]).output().unwrap()
    };
    let verified = verify("signed");
    assert!(verified.status.success(), "{verified:?}");
    fs::write(dir.join("other"), [head.as_bytes(), b" ", &payload].concat()).unwrap();
    assert!(!verify("other").status.success());
    let secret = publisher.base().join("home/.config/wake/keys/release.pem");
    let public =
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&secret).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&public.stdout), pem);

    let statement = statement(&envelopes[0]);
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let metadata: Value = serde_json::from_str(&scene.read("pkgs/acme/text/1.0.0.json")).unwrap();
    assert_eq!(statement["subject"][0]["digest"]["wakeTree1"], metadata["content"]);
    let build = &statement["predicate"]["buildDefinition"];
    assert_eq!(build["externalParameters"]["verified"], true);
    let [source, material] = build["resolvedDependencies"].as_array().unwrap().as_slice() else {
        panic!("{build}")
    };
    assert_eq!(
        (&source["digest"]["gitCommit"], &source["annotations"]["dirty"]),
        (&commit.into(), &true.into())
    );
    let tone: Value = serde_json::from_str(&scene.read("pkgs/acme/tone/1.0.0.json")).unwrap();
    assert_eq!(material["uri"], "wake:acme/tone@1.0.0");
    assert_eq!(material["digest"]["wakeTree1"], tone["content"]);
    // A step of the package, and one of its dependency.
    assert_eq!(build["internalParameters"]["steps"], 2);
}

/// A key generated by openssl works like one of wake; one that others may read is rejected.
#[test]
fn a_key_may_be_generated_elsewhere_but_must_be_private() {
    let test = "a_key_may_be_generated_elsewhere_but_must_be_private";
    if !has_program("openssl") {
        return skip(test, "needs openssl");
    }
    let scene = Scene::new();
    scene.write("text", "1.0.0", "", "cat data > out.txt");
    let made = Command::new("openssl")
        .current_dir(scene.publisher.base())
        .args(["genpkey", "-algorithm", "ed25519", "-out", "key.pem"])
        .output()
        .unwrap();
    assert!(made.status.success());
    let key = scene.publisher.base().join("key.pem");
    let mode = |mode: &str| Command::new("chmod").arg(mode).arg(&key).status().unwrap();
    mode("640");
    let publish = || scene.publisher.wake(["publish", "text", "--key", "../key.pem"]).run();
    let open = publish().code(10);
    assert_eq!(
        open.redacted_stderr().lines().rev().take(2).map(str::trim).collect::<Vec<_>>(),
        [
            "help: run `chmod 600 [ROOT]/../key.pem`, and create a new key if others may have read it",
            "error: `[ROOT]/../key.pem` contains a secret key but is accessible to other users",
        ]
    );
    assert!(!scene.registry().exists());
    mode("600");
    publish().success().mentions("key ../key.pem (");
    assert_eq!(attestations(&scene, "1.0.0").len(), 1);
    let absent = scene.publisher.wake(["publish", "text", "--key", "other"]).run().code(2);
    absent.mentions("there is no key `other` in `").mentions("`wake key list`");
    let (_, one) = generate(&scene.publisher, "one");
    let again = scene.publisher.wake(["key", "generate", "one"]).run().code(2);
    again.mentions("there is already a key `one`");
    let (_, two) = generate(&scene.publisher, "two");
    assert_ne!(one, two);
    scene.write("tone", "1.0.0", "", "cat data > out.txt");
    let several = scene.publisher.wake(["publish", "tone"]).run().code(2);
    several.mentions("several keys can sign it: one, two").mentions("`--key NAME`");
    scene.publisher.wake(["publish", "tone", "--no-sign"]).run().success();
    assert!(!scene.registry().join("pkgs/acme/tone/1.0.0.att.jsonl").exists());
}

#[test]
fn n8_packages_without_a_trusted_signature_reach_no_store() {
    let scene = Scene::new();
    let publisher = &scene.publisher;
    scene.publish("text", "1.2.0", "");
    let (ours, our_id) = generate(publisher, "ours");
    scene.publish("text", "1.0.0", "");
    publisher.wake(["publish", "text", "--key", "ours"]).run().success().mentions("already");
    let address = format!("file:{}", scene.registry().display());
    // An unsigned version is not chosen, even if it is newer.
    let user = user_who_trusts(&scene, &address, &[&ours], "provenance");
    says(&user.wake(["lock"]).run().success(), &["Locked + acme/text 1.0.0"]);
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 1.0.0\n");
    user.build_runs_nothing(&["//app"]);
    // Verified attestations are not requested again.
    let hidden = scene.publisher.base().join("hidden");
    fs::rename(scene.registry(), &hidden).unwrap();
    fs::remove_dir_all(user.path(".wake")).unwrap();
    user.wake(["build", "//app", "--offline"]).run().success();
    fs::rename(&hidden, scene.registry()).unwrap();
    // Nothing else would match.
    user.edit("app/PKG.libsonnet", "'^1'", "'^1.1'");
    let unsigned = user.wake(["lock"]).run().code(6);
    unsigned
        .mentions("no version of acme/text that matches ^1.1 may be used")
        .mentions("= note: 1.2.0 is unsigned")
        .mentions("`[trust]` in `wake.toml` requires signatures for `acme`");

    // By another key: reported after it was chosen, and before its bytes are fetched.
    let (theirs, their_id) = generate(publisher, "theirs");
    publisher.wake(["publish", "text", "--key", "theirs"]).run().success();
    let stranger = user_who_trusts(&scene, &address, &[&theirs], "signature");
    stranger.build(&["//app"]);
    scene.write("text", "1.3.0", "", "cat data > out.txt");
    publisher.wake(["publish", "text", "--key", "theirs"]).run().success();
    let user = user_who_trusts(&scene, &address, &[&ours], "signature");
    let failed = user.wake(["build", "//app"]).run().code(7);
    let expected = [
        format!(
            "error: package `text`: registry `main`: acme/text 1.3.0: it is signed by {their_id}, which is not a trusted key"
        ),
        format!("= note: trusted keys: {our_id}"),
        "= note: nothing was stored".to_owned(),
        "help: ask the package's publisher, or change the trusted keys: `[trust]` in `wake.toml`"
            .to_owned(),
    ];
    let said = failed.redacted_stderr();
    for line in &expected {
        assert!(said.lines().any(|said| said.contains(line.as_str())), "{line}\n{said}");
    }
    assert_eq!(trees(&user), 0);
    // A forged signature, one of different content, and none.
    let file = scene.registry().join("pkgs/acme/text/1.3.0.att.jsonl");
    let foreign = fs::read_to_string(&file).unwrap();
    let elsewhere = scene.read("pkgs/acme/text/1.0.0.att.jsonl");
    let first = elsewhere.split_inclusive('\n').next().unwrap().to_owned();
    for (text, said) in [
        (foreign.replace(&their_id, &our_id), format!("its signature by {our_id} is invalid")),
        (first, format!("{our_id} signed different content")),
        (
            "{\"mediaType\":\"application/vnd.dev.sigstore.bundle\"}\n".to_owned(),
            "it is not signed".to_owned(),
        ),
    ] {
        fs::write(&file, text).unwrap();
        let failed = user.wake(["build", "//app"]).run().code(7);
        failed.mentions(&format!("registry `main`: acme/text 1.3.0: {said}"));
        assert_eq!(trees(&user), 0);
    }
    // Unknown lines are stored but ignored.
    fs::write(
        &file,
        format!("{{\"mediaType\":\"application/vnd.dev.sigstore.bundle\"}}\n{foreign}"),
    )
    .unwrap();
    publisher
        .wake(["publish", "text", "--key", "ours"])
        .run()
        .success()
        .mentions("Signed acme/text 1.3.0");
    assert_eq!(attestations(&scene, "1.3.0").len(), 3);
    user.build(&["//app"]);
}

/// Packages in the store are trusted no more than others.
#[test]
fn n8_stored_packages_are_checked_against_new_trust() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let (key, _) = generate(&scene.publisher, "late");
    let address = format!("file:{}", scene.registry().display());
    let user = scene.user_of(&address, &format!("text: {}", get("text", "^1")));
    user.build(&["//app"]);
    user.build_runs_nothing(&["//app"]);
    let table = format!("\n[trust]\n\"*\" = {{ keys = [\"{key}\"] }}\n");
    user.write("wake.toml", toml(&address) + &table);
    user.wake(["build", "//app", "--locked"]).run().code(7).mentions("it is not signed");
    let offline = user.wake(["build", "//app", "--offline"]).run().code(7);
    offline.mentions("with `--offline`, signatures are not looked up");
    // The same content, now signed.
    let signed = scene.publisher.wake(["publish", "text"]).run().success();
    signed.mentions("Signed acme/text 1.0.0, already published");
    scene.publisher.wake(["publish", "text"]).run().success().mentions("is already published");
    let log = scene.read("index/acme/text.jsonl");
    assert!(
        log.ends_with("\"attestations\":1,\"kind\":\"attest\",\"version\":\"1.0.0\"}\n"),
        "{log}"
    );
    assert_eq!(log.lines().count(), 2);
    user.wake(["build", "//app", "--locked"]).run().success();
    user.wake(["build", "//app", "--offline"]).run().success();
    // A namespace without requirements.
    let none = user_who_trusts(&scene, &address, &[], "none");
    none.build(&["//app"]);
}

#[test]
fn invalid_trust_tables_are_reported() {
    let scene = Scene::new();
    let user = scene.user("");
    for (table, said) in [
        ("[trust]\nacme = { keys = [\"ed25519:AAAA\"] }\n", "--> wake.toml:8:18"),
        ("[trust]\nacme = { keys = [] }\n", "no key is trusted here, so no package could be"),
        ("[trust]\nacme = { require = \"always\" }\n", "`require` is `always`"),
        ("[trust]\nacme = { key = \"x\" }\n", "unknown field `key`"),
        ("[trust]\nA = { require = \"none\" }\n", "--> wake.toml:8:1"),
    ] {
        user.write("wake.toml", format!("{}\n{table}", toml("file:../registry")));
        user.wake(["build", "//app"]).run().code(2).mentions(said);
    }
    user.write("wake.toml", "[registries]\nmain = { url = \"oci://h/x\", keys = [\"ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"] }\n");
    let containers = user.wake(["build", "//app"]).run().code(2);
    containers.mentions("a container registry has no head to sign");
}

/// Publishing without a required signature is reported to the publisher.
#[test]
fn publishing_without_a_required_signature_is_reported() {
    let scene = Scene::new();
    let stranger = Scene::new();
    let (key, id) = generate(&stranger.publisher, "theirs");
    let table = format!("\n[trust]\nacme = {{ keys = [\"{key}\"] }}\n");
    scene.publisher.write("wake.toml", toml("file:../registry") + &table);
    scene.write("text", "1.0.0", "", "cat data > out.txt");
    let unsigned = scene.publisher.wake(["publish", "text"]).run().code(2);
    unsigned
        .mentions("acme/text 1.0.0: `wake.toml` requires a signature")
        .mentions(&format!("trusted keys: {id}"))
        .mentions("run `wake key generate` to create a key");
    assert!(!scene.registry().exists());
    let (_, ours) = generate(&scene.publisher, "ours");
    let other = scene.publisher.wake(["publish", "text"]).run().success();
    other.mentions(&format!("it would be signed by {ours}, which `wake.toml` does not trust"));
}

#[test]
fn a_container_registry_keeps_signatures() {
    let test = "a_container_registry_keeps_signatures";
    let scene = Scene::new();
    let dir: PathBuf = scene.publisher.base().join("containers");
    let Some(registry) = Registry::start(test, &dir, "") else { return };
    let publisher = &scene.publisher;
    publisher.write("wake.toml", toml(&registry.address()));
    let (one, _) = generate(publisher, "one");
    scene.publish("text", "1.0.0", "");
    let manifest = registry.manifest("acme/text", "1.0.0");
    let kinds: Vec<&str> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["mediaType"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "application/vnd.wake.package.archive.v1.tar+zstd",
            "application/vnd.in-toto.provenance+dsse"
        ]
    );
    let line = decoded(&manifest["layers"][1]["data"]);
    let envelope: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(statement(&envelope)["subject"][0]["name"], "acme/text@1.0.0");
    let user = user_who_trusts(&scene, &registry.address(), &[&one], "provenance");
    user.build(&["//app"]);
    // Somebody else adds a signature: the version stays as it is.
    let (two, _) = generate(publisher, "two");
    let other = user_who_trusts(&scene, &registry.address(), &[&two], "provenance");
    other.wake(["build", "//app"]).run().code(7).mentions("which is not a trusted key");
    let signed = publisher.wake(["publish", "text", "--key", "two"]).run().success();
    signed.mentions("Signed acme/text 1.0.0");
    publisher.wake(["publish", "text", "--key", "two"]).run().success().mentions("already");
    assert_eq!(registry.manifest("acme/text", "1.0.0"), manifest);
    let tags = registry.tags("acme/text");
    assert_eq!((tags.len(), &*tags[0]), (2, "1.0.0"));
    assert!(tags[1].starts_with("sha256-"), "{tags:?}");
    other.build(&["//app"]);
    // If the publisher did not sign it, the signature is found through its referrers.
    scene.write("text", "1.1.0", "", "cat data > out.txt");
    publisher.wake(["publish", "text", "--no-sign"]).run().success();
    says(&other.wake(["update"]).run().success(), &["Finished `wake.lock` is up to date"]);
    publisher.wake(["publish", "text", "--key", "two"]).run().success().mentions("Signed");
    other.wake(["update"]).run().success().mentions("acme/text 1.0.0 -> 1.1.0");
    other.build(&["//app"]);
}

/// Attestations are fetched like other files: missing or wrong ones are not trusted.
#[test]
fn n8_signatures_are_fetched_from_servers() {
    let scene = Scene::new();
    let (key, id) = generate(&scene.publisher, "mine");
    scene.publish("text", "1.0.0", "");
    let server = Server::of(scene.registry());
    let user = || user_who_trusts(&scene, &server.address, &[&key], "provenance");
    let first = user();
    first.build(&["//app"]);
    // They were kept: they are not requested again, not even if the store has lost the package.
    let place = scene.registry().join("pkgs/acme/text/1.0.0.att.jsonl");
    let lines = fs::read_to_string(&place).unwrap();
    fs::remove_file(&place).unwrap();
    let asked = server.asked.load(Ordering::Relaxed);
    first.wake(["build", "//app", "--rebuild"]).run().success();
    assert_eq!(server.asked.load(Ordering::Relaxed), asked);
    let without = user();
    let failed = without.wake(["build", "//app"]).run().code(7);
    failed.mentions("registry `main`: acme/text 1.0.0: it is not signed");
    assert_eq!(trees(&without), 0);
    // An HTML page, half of it, another version's, an altered line.
    let payload = lines.split("\"payload\":\"").nth(1).unwrap().split('"').next().unwrap();
    let altered = lines.replace(payload, &payload.replacen('A', "B", 1));
    assert_ne!(altered, lines);
    for (text, said) in [
        ("<html>Welcome</html>".to_owned(), "it is not signed".to_owned()),
        (lines[..lines.len() / 2].to_owned(), "it is not signed".to_owned()),
        (altered, format!("its signature by {id} is invalid")),
    ] {
        fs::write(&place, text).unwrap();
        let user = user();
        user.wake(["build", "//app"]).run().code(7).mentions(&said);
        assert_eq!(trees(&user), 0);
    }
    // Lines of other forms are ignored.
    fs::write(&place, format!("{{\"mediaType\":\"x\"}}\n\n{lines}")).unwrap();
    user().build(&["//app"]);
    // A failing server is not a registry without signatures.
    let later = user();
    later.wake(["lock"]).run().success();
    server.is(Manner::Status(500));
    later.wake(["build", "//app"]).run().code(9).mentions("500");
}

/// Vendored packages include signatures, also those of others, so that the same `[trust]` applies.
#[test]
fn vendored_packages_keep_their_signatures() {
    let scene = Scene::new();
    let publisher = &scene.publisher;
    let (one, _) = generate(publisher, "one");
    scene.publish("tone", "1.0.0", "");
    scene.publish("text", "1.0.0", &format!("tone: {}", get("tone", "^1")));
    let (two, _) = generate(publisher, "two");
    let also = |name: &str| {
        publisher.wake(["publish", name, "--key", "two", "--no-verify"]).run().success()
    };
    also("text");
    let place = "pkgs/acme/text/1.0.0.att.jsonl";
    let bundle = "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}\n";
    fs::write(scene.registry().join(place), scene.read(place) + bundle).unwrap();
    let directory = format!("file:{}", scene.registry().display());
    let server = Server::of(scene.registry());
    for address in [&directory, &server.address] {
        let user = user_who_trusts(&scene, address, &[&one], "provenance");
        user.build(&["//app"]);
        user.wake(["vendor", "vendored"]).run().success();
        let vendored = user.path("vendored");
        assert_eq!(fs::read_to_string(vendored.join(place)).unwrap(), scene.read(place));
        let log = fs::read_to_string(vendored.join("index/acme/text.jsonl")).unwrap();
        assert!(log.contains("\"attestations\":3"), "{log}");
        // Repeating it changes nothing, and later signatures are added.
        let before = all_of(&vendored);
        user.wake(["vendor", "vendored"]).run().success();
        assert_eq!(all_of(&vendored), before);
        // On another machine, with the registry gone: as the registry itself, and as its mirror.
        let lock = user.read("wake.lock");
        let away = format!("file:{}", vendored.display());
        let alone = user_who_trusts(&scene, &away, &[&one], "provenance");
        alone.write("wake.lock", &lock);
        alone.wake(["build", "//app", "--locked"]).run().success();
        alone.wake(["update"]).run().success();
        let mirrored =
            user_who_trusts(&scene, "https://registry.invalid/wake", &[&one], "provenance");
        crate::mirrors::settings(&mirrored, &format!("[mirrors]\nmain = \"{away}\"\n"));
        mirrored.write("wake.lock", &lock);
        mirrored.wake(["build", "//app", "--locked"]).run().success();
        assert_eq!(mirrored.result_text("//app:app", "out.txt"), "text 1.0.0\ntone 1.0.0\n");
        // With other trusted keys, only what they signed is vendored.
        let other = user_who_trusts(&scene, &away, &[&two], "signature");
        other.write("wake.lock", &lock);
        other
            .wake(["build", "//app", "--locked"])
            .run()
            .code(7)
            .mentions("acme/tone 1.0.0: it is signed by");
        other.wake(["vendor", "again"]).run().code(7).mentions("acme/tone 1.0.0: it is signed by");
    }
    also("tone");
    let late = user_who_trusts(&scene, &directory, &[&two], "signature");
    late.wake(["lock"]).run().success();
    late.wake(["vendor", "vendored"]).run().success();
    let lines = fs::read_to_string(late.path("vendored/pkgs/acme/tone/1.0.0.att.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
}
