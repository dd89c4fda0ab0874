//! Codespecs that are published as files of packages, and pulled.

use std::fs;

use serde_json::Value;
use wake_tests::{Expect, Project, expect, project};

use crate::containers::Registry;
use crate::scene::{Scene, toml};
use crate::signing::generate;

const NEGATING: &str = "name: negating\nbuffers: {inputs: [input], outputs: [output]}\nimage: registry.example.org/ffmpeg\n\
                        env: {B: '1', A: $(B)}\nargs: ['4', $(INPUT_PIPE), \"it's\"]\nresources: {limits: {memory: 1.5Gi}}\n";

/// Creates a package from a codespec of the publisher, and publishes it.
fn publish(publisher: &Project, document: &str, version: &str) {
    publisher.write("negating.yml", document);
    publisher.wake(["codespec", "create", "-f", "negating.yml"]).run().success();
    let (package, dir) = (format!("acme/negate@{version}"), format!("v{version}"));
    let made = ["codespec", "package", "negating", &package, &dir, "--license", "MIT"];
    assert_eq!(publisher.wake(made).run().success().stdout, format!("{dir}\n"));
    let published = publisher.wake(["publish", &dir]).run().success();
    published.mentions(&format!("Published acme/negate {version} to"));
}

fn user(address: &str, more: &str) -> Project {
    project().file("wake.toml", &(toml(address) + more)).build()
}

fn pull(user: &Project, args: &[&str]) -> String {
    let pulled = user.wake(["codespec", "pull"].iter().chain(args)).run().success();
    assert_eq!(pulled.stderr, "");
    pulled.stdout
}

fn show(project: &Project, name: &str) -> Value {
    let shown = project.wake(["codespec", "show", name]).run().success().stdout;
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn a_codespec_is_published_and_pulled_through_any_registry() {
    let test = "a_codespec_is_published_and_pulled_through_any_registry";
    let scene = Scene::new();
    let base = scene.publisher.base().join("containers");
    let Some(registry) = Registry::start(test, &base, "") else { return };
    let dir = format!("file:{}", scene.registry().display());
    for address in [dir, registry.address()] {
        let publisher = project().file("wake.toml", &toml(&address)).build();
        publish(&publisher, NEGATING, "1.0.0");
        let user = user(&address, "");
        assert_eq!(pull(&user, &["acme/negate"]), "negating/versions/1\n");
        let (ours, theirs) = (show(&publisher, "negating"), show(&user, "negating"));
        for key in ["contentId", "args", "env", "resources", "buffers", "kind"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        // Pulling it again yields the same version.
        assert_eq!(pull(&user, &["acme/negate@1", "negating.json"]), "negating/versions/1\n");
        publish(&publisher, &NEGATING.replace("'4'", "'5'"), "1.1.0");
        publish(&publisher, &NEGATING.replace("'4'", "'6'"), "2.0.0");
        assert_eq!(pull(&user, &["acme/negate@^1"]), "negating/versions/2\n");
        assert_eq!(show(&user, "negating")["args"][0], "5");
        assert_eq!(pull(&user, &["acme/negate", "--name", "other"]), "other/versions/1\n");
        assert_eq!(show(&user, "other")["args"][0], "6");
        let yank = ["yank", "acme/negate@2.0.0", "--reason", "wrong"];
        publisher.wake(yank).run().success();
        assert_eq!(pull(&user, &["acme/negate"]), "negating/versions/2\n");
    }
}

#[test]
fn pulled_codespecs_are_verified_against_signatures_and_digests() {
    let scene = Scene::new();
    let address = format!("file:{}", scene.registry().display());
    let (key, _) = generate(&scene.publisher, "mine");
    publish(&scene.publisher, NEGATING, "1.0.0");
    let (other, _) = generate(&project().build(), "other");
    let trusting =
        |key: &str| user(&address, &format!("\n[trust]\nacme = {{ keys = [\"{key}\"] }}\n"));
    assert_eq!(pull(&trusting(&key), &["acme/negate"]), "negating/versions/1\n");
    let strange = trusting(&other);
    strange
        .wake(["codespec", "pull", "acme/negate"])
        .run()
        .code(7)
        .mentions("which is not a trusted key");
    let list = strange.wake(["codespec", "list"]).run().success().stdout;
    assert_eq!(list, "[]\n");
    // An unsigned version is not chosen.
    scene.publisher.write("negating.yml", NEGATING.replace("'4'", "'5'"));
    scene.publisher.wake(["codespec", "create", "-f", "negating.yml"]).run().success();
    let made = ["codespec", "package", "negating", "acme/negate@1.1.0", "v1.1.0"];
    scene.publisher.wake(made).run().success();
    scene.publisher.wake(["publish", "v1.1.0", "--no-sign"]).run().success();
    assert_eq!(pull(&trusting(&key), &["acme/negate"]), "negating/versions/1\n");
    assert_eq!(show(&trusting_with(&trusting, &key), "negating")["args"][0], "4");
    // Bytes that were altered in transit.
    let archive = scene.registry().join("pkgs/acme/negate/1.0.0.tar.zst");
    let later = scene.registry().join("pkgs/acme/negate/1.1.0.tar.zst");
    fs::copy(later, archive).unwrap();
    let user = trusting(&key);
    let told = user.wake(["codespec", "pull", "acme/negate@=1.0.0"]).run().code(7);
    told.mentions("its archive contains").mentions(", expected ");
    assert_eq!(user.wake(["codespec", "list"]).run().success().stdout, "[]\n");
}

/// A user who trusts a key and has pulled.
fn trusting_with(trusting: &dyn Fn(&str) -> Project, key: &str) -> Project {
    let user = trusting(key);
    pull(&user, &["acme/negate"]);
    user
}

#[test]
fn a_package_may_have_several_codespecs_and_other_documents() {
    let scene = Scene::new();
    let publisher = &scene.publisher;
    publisher.write(
        "many/PKG.libsonnet",
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('many', '1.0.0', namespace='acme'),\n    \
         files=['./a.yml', './b/c.yaml', './run.yml', './broken.json', './note.txt'],\n    metadata={ license: 'MIT' },\n  )\n",
    );
    publisher.write("many/a.yml", "name: a\nimage: i\n");
    publisher.write("many/b/c.yaml", "name: c\nimage: i\nargz: [x]\n");
    publisher.write("many/run.yml", "job: {codespec: a}\n");
    publisher.write("many/broken.json", "{");
    publisher.write("many/note.txt", "not\n");
    publisher.wake(["publish", "many"]).run().success();
    let user = user(&format!("file:{}", scene.registry().display()), "");
    let told = |args: &[&str], code: i32, expected: Expect| {
        let told = user.wake(["codespec", "pull"].iter().chain(args)).run().code(code);
        expected.assert_eq(&told.redacted_stderr());
    };
    assert_eq!(pull(&user, &["acme/many"]), "a/versions/1\n");
    told(
        &["acme/many", "b/c.yaml"],
        5,
        expect![[r#"
        error: unknown key `argz` in the codespec
         --> acme/many@1.0.0/b/c.yaml:3:1
          |
        3 | argz: [x]
          | ^
          help: did you mean `args`?
    "#]],
    );
    told(
        &["acme/many", "broken.json"],
        5,
        expect![[r#"
        error: invalid YAML: unclosed bracket '{'
         --> acme/many@1.0.0/broken.json:1:1
          |
        1 | {
          | ^
    "#]],
    );
    told(
        &["acme/many", "a.yaml"],
        4,
        expect![[r#"
        error: acme/many 1.0.0 has no file `a.yaml`
         help: did you mean `a.yml`?
    "#]],
    );
    told(
        &["acme/many", "../a.yml"],
        4,
        expect![[r#"
        error: acme/many 1.0.0 has no file `../a.yml`
         help: did you mean `a.yml`?
    "#]],
    );
    told(
        &["acme/many@^2"],
        6,
        expect![[r#"
        error: no version of acme/many matches ^2
         = note: available versions: 1.0.0
    "#]],
    );
    told(
        &["acme/none"],
        6,
        expect![[r#"
        error: registry `main` has no acme/none
         help: did you mean `acme/many`?
    "#]],
    );
    told(
        &["other/many"],
        6,
        expect![[r#"
        error: no registry is configured for namespace `other`
         help: add one to `wake.toml`: `[namespaces]` `other = "main"`
    "#]],
    );
    told(
        &["acme/many@one"],
        2,
        expect![[r#"
        error: `one` is not a version requirement: unexpected character 'o' while parsing major version number
         help: write the package as `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`
    "#]],
    );
    told(
        &["acme/many", "a.yml", "--name", "A"],
        5,
        expect![[r#"
        error: `NAME`: `A` is not a valid codespec name: codespec names must contain only lower case letters (a-z), numbers (0-9), dashes (-), underscores (_), and dots (.)
    "#]],
    );
    told(
        &["acme/many", "--offline"],
        9,
        expect![[r#"
        error: this command queries registries, but `--offline` does not allow it
    "#]],
    );
    publisher.edit("many/PKG.libsonnet", "'1.0.0'", "'1.1.0'");
    publisher.write("many/b/c.yaml", "name: c\nimage: i\n");
    publisher.wake(["publish", "many"]).run().success();
    told(
        &["acme/many"],
        2,
        expect![[r#"
        error: acme/many 1.1.0 has more than one codespec: `a.yml`, `b/c.yaml`
         help: select one: `wake codespec pull acme/many a.yml`
    "#]],
    );
    assert_eq!(pull(&user, &["acme/many", "./b/c.yaml"]), "c/versions/1\n");
    publisher.edit("many/PKG.libsonnet", "'1.1.0'", "'1.2.0'");
    for file in ["many/a.yml", "many/b/c.yaml"] {
        publisher.write(file, "image: [i]\n");
    }
    publisher.wake(["publish", "many"]).run().success();
    told(
        &["acme/many"],
        4,
        expect![[r#"
        error: acme/many 1.2.0 has no codespec
         = note: it contains `a.yml`, `b/c.yaml`, `broken.json`, `run.yml`
         help: run `wake codespec pull acme/many a.yml` to see why it is not a codespec
    "#]],
    );
    let package = |args: &[&str], code: i32, expected: Expect| {
        let told = user.wake(["codespec", "package"].iter().chain(args)).run().code(code);
        expected.assert_eq(&told.redacted_stderr());
    };
    package(
        &["none", "acme/x@1.0.0", "x"],
        4,
        expect![[r#"
        error: the codespec `none` was not found
         help: run `wake codespec list` to list the codespecs
    "#]],
    );
    package(
        &["a", "acme/x", "x"],
        2,
        expect![[r#"
        error: no version in `acme/x`
         help: write the version as `NAMESPACE/NAME@VERSION`, such as `acme/greet@1.2.0`
    "#]],
    );
    user.write("taken/file", "");
    package(
        &["a", "acme/x@1.0.0", "taken"],
        2,
        expect![[r#"
        error: cannot write `taken`: File exists (os error 17)
         help: choose a directory that does not exist
    "#]],
    );
    package(
        &["a", "acme/x@1.0.0", "no/where"],
        10,
        expect![[r#"
        error: cannot write `no/where`: No such file or directory (os error 2)
    "#]],
    );
}
