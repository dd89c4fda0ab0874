//! Container registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use wake_tests::{Project, example, has_program, skip};

use crate::containers::{Registry, ask};
use crate::scene::{Scene, get, says, toml};

/// The password of the registry, and its hash (`htpasswd -B`).
pub(crate) const PASSWORD: &str = "canary7d21";
pub(crate) const KEPT: &str = "wake:$2y$05$ON/pAv/vNXGILB0dfgQab.nYqHjzi.eDulyjHKTO7PYcYkDNK/exq";
/// `wake:canary7d21` in base64.
pub(crate) const AUTH: &str = "d2FrZTpjYW5hcnk3ZDIx";

/// A publisher with a container registry.
fn scene(test: &str) -> Option<(Scene, Registry)> {
    let scene = Scene::new();
    let registry = Registry::start(test, &scene.publisher.base().join("containers"), "")?;
    scene.publisher.write("wake.toml", toml(&registry.address()));
    Some((scene, registry))
}

fn user(scene: &Scene, registry: &Registry) -> Project {
    scene.user_of(&registry.address(), &format!("text: {}", get("text", "^2")))
}

#[test]
fn a_published_library_is_linked_through_a_container_registry() {
    let test = "a_published_library_is_linked_through_a_container_registry";
    if !has_program("cc") {
        return skip(test, "needs a C compiler");
    }
    let library = example("c-app");
    let base = library.base().join("containers");
    let Some(registry) = Registry::start(test, &base, "") else { return };
    let toml = |address: &str| {
        format!("[registries]\nmain = \"{address}\"\n\n[namespaces]\n\"\" = \"main\"\n")
    };
    let mut locks = Vec::new();
    let addresses = [format!("file:{}", library.base().join("dir").display()), registry.address()];
    for address in &addresses {
        library.write("wake.toml", toml(address));
        library.wake(["publish", "stats"]).run().success().mentions("Published stats 1.0.0");
        let application = example("c-app");
        fs::remove_dir_all(application.path("stats")).unwrap();
        application.write("wake.toml", toml(address));
        application.edit("app/PKG.libsonnet", ", from='../stats'", "");
        let build = application.build(&["//app"]);
        assert_eq!(build.of_kind("fetched").count(), 1);
        locks.push((application.read("wake.lock"), application));
    }
    assert_eq!(locks[0].0, locks[1].0);
    // Wiped, and built again from the store alone.
    drop(registry);
    let application = &locks[1].1;
    let program = application.result("//app:app", "bin/app");
    let before = fs::read(&program).unwrap();
    fs::remove_dir_all(application.path(".wake")).unwrap();
    application.wake(["build", "//app", "--offline"]).run().success();
    assert_eq!(fs::read(&program).unwrap(), before);
}

#[test]
fn a_version_is_published_once_and_listed_in_order() {
    let Some((scene, registry)) = scene("a_version_is_published_once_and_listed_in_order") else {
        return;
    };
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text')";
    scene.write("greet", "1.2.0", text, "cat data \"$1\" > out.txt");
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let trial = scene.publisher.wake(["publish", "//...", "--dry-run"]).run().success();
    trial.mentions("Would publish");
    assert_eq!(ask(&registry.host, "GET", "/v2/_catalog", "").1, b"{\"repositories\":[]}\n");
    scene.publisher.wake(["publish", "//..."]).run().success().mentions(&registry.address());
    let again = scene.publisher.wake(["publish", "//..."]).run().success();
    again.mentions("acme/text 2.0.1").mentions("already");
    assert_eq!(registry.tags("acme/text"), ["2.0.1"]);
    let user = scene.user_of(&registry.address(), &format!("greet: {}", get("greet", "^1")));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "greet 1.2.0\ntext 2.0.1\n");
    // The same version with different content, and one that differs only in build metadata.
    scene.publisher.write("text/data", "other\n");
    let other = scene.publisher.wake(["publish", "text"]).run().code(7);
    other.mentions("acme/text 2.0.1 is already published with different content");
    scene.publisher.edit("text/PKG.libsonnet", "2.0.1", "2.0.1+b");
    scene.publisher.wake(["publish", "text"]).run().code(7);
    scene.publisher.edit("text/PKG.libsonnet", "2.0.1+b", "2.1.0+b");
    scene.publisher.wake(["publish", "text"]).run().success();
    assert_eq!(registry.tags("acme/text"), ["2.0.1", "2.1.0_b"]);
    user.wake(["update"]).run().success().mentions("acme/text 2.0.1 -> 2.1.0+b");
    user.build(&["//app"]);
    // Names that differ only in `-` and `_` would share a repository.
    for name in ["a-b", "a_b"] {
        scene.write(name, "1.0.0", "", "cat data > out.txt");
    }
    scene.publisher.wake(["publish", "a-b"]).run().success();
    let resembling = scene.publisher.wake(["publish", "a_b"]).run().code(5);
    resembling.mentions("`acme/a_b` differs from the published `acme/a-b` only in `-` and `_`");
    let absent = scene.user_of(&registry.address(), &format!("x: {}", get("a_b", "^1")));
    absent.wake(["build", "//app"]).run().code(6).mentions("acme/a_b");
}

/// An independent tool can read it.
#[test]
fn other_tools_read_and_copy_published_packages() {
    let test = "other_tools_read_and_copy_published_packages";
    if !has_program("skopeo") || !has_program("zstd") {
        return skip(test, "needs skopeo and zstd");
    }
    let Some((scene, registry)) = scene(test) else { return };
    scene.publish("text", "2.0.1", "");
    let image = format!("docker://{}/wake/acme/text:2.0.1", registry.host);
    let inspected = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &image])
        .output()
        .unwrap();
    assert!(inspected.status.success(), "{}", String::from_utf8_lossy(&inspected.stderr));
    let manifest: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(manifest["artifactType"], "application/vnd.wake.package.v1");
    assert_eq!(manifest["annotations"]["org.opencontainers.image.title"], "acme/text");
    let copy = scene.publisher.base().join("copy");
    let copied = Command::new("skopeo")
        .args(["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", &image])
        .arg(format!("dir:{}", copy.display()))
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let file = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        copy.join(digest.strip_prefix("sha256:").unwrap())
    };
    let metadata = fs::read_to_string(file(&manifest["config"])).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["version"], "2.0.1");
    assert_eq!(metadata["content"], manifest["annotations"]["vnd.wake.content"]);
    let listed = Command::new("tar")
        .args(["--zstd", "-tf"])
        .arg(file(&manifest["layers"][0]))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout),
        "PKG.libsonnet\ndata\nmade.libsonnet\nmade.sh\n"
    );
    // A copy in another registry, made by other tools, works equally well.
    let dir = scene.publisher.base().join("another");
    let Some(another) = Registry::start(test, &dir, "") else { return };
    let to = format!("docker://{}/wake/acme/text:2.0.1", another.host);
    let copied = Command::new("skopeo")
        .args(["copy", "--quiet", "--insecure-policy", "--src-tls-verify=false"])
        .args(["--dest-tls-verify=false", &image, &to])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let (near, far) = (user(&scene, &registry), user(&scene, &another));
    near.build(&["//app"]);
    far.build(&["//app"]);
    assert_eq!(near.read("wake.lock"), far.read("wake.lock"));
}

#[test]
fn a_yanked_version_is_chosen_only_if_locked() {
    let Some((scene, registry)) = scene("a_yanked_version_is_chosen_only_if_locked") else {
        return;
    };
    scene.publish("text", "2.0.1", "");
    scene.publish("text", "2.1.0", "");
    let yank = |more: &[&str]| {
        scene.publisher.wake(["yank", "acme/text@2.1.0"]).args(more).run().success()
    };
    yank(&["--reason", "prints to the wrong file"]);
    yank(&["--reason", "prints to the wrong file"]);
    assert_eq!(registry.tags("acme/text"), ["2.0.1", "2.1.0", "s1_2.1.0"]);
    let user = user(&scene, &registry);
    says(&user.wake(["lock"]).run().success(), &["Locked + acme/text 2.0.1"]);
    yank(&["--undo"]);
    assert_eq!(registry.tags("acme/text"), ["2.0.1", "2.1.0", "s1_2.1.0", "s2_2.1.0"]);
    user.wake(["update"]).run().success().mentions("acme/text 2.0.1 -> 2.1.0");
    scene.publisher.wake(["yank", "acme/text@9.0.0", "--reason", "x"]).run().code(4);
}

#[test]
fn changes_in_a_registry_are_noticed() {
    let Some((scene, registry)) = scene("changes_in_a_registry_are_noticed") else { return };
    scene.publish("text", "2.0.1", "");
    scene.publish("text", "2.0.2", "");
    let first = registry.manifest("acme/text", "2.0.1");
    let second = registry.manifest("acme/text", "2.0.2");
    // Foreign tags are ignored.
    registry.put_manifest("acme/text", "latest", &first);
    let mut image = first.clone();
    image["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    image["config"].as_object_mut().unwrap().remove("data");
    registry.put_manifest("acme/text", "2.9.0", &image);
    let lock = |user: &Project| user.wake(["lock"]).run();
    let before = user(&scene, &registry);
    says(&lock(&before).success(), &["Locked + acme/text 2.0.2"]);
    // A version under the tag of another one.
    registry.put_manifest("acme/text", "2.3.0", &first);
    lock(&user(&scene, &registry))
        .code(7)
        .mentions("the document under its tag is about something else");
    registry.put_manifest("acme/text", "2.3.0", &image);
    // The archive of another version.
    let mut lying = second.clone();
    lying["layers"] = first["layers"].clone();
    registry.put_manifest("acme/text", "2.0.2", &lying);
    let lied_to = user(&scene, &registry);
    let failed = lied_to.wake(["build", "//app"]).run().code(7);
    failed.mentions("its archive contains").mentions("nothing was stored");
    // Metadata that does not match the files.
    let mut lying = second.clone();
    // `{}`.
    lying["config"]["data"] = json!("e30=");
    registry.put_manifest("acme/text", "2.0.2", &lying);
    lock(&user(&scene, &registry)).code(7).mentions("its metadata does not match its manifest");
    // A version has disappeared.
    registry.put_manifest("acme/text", "2.0.2", &second);
    let tag = scene.publisher.base().join(
        "containers/data/docker/registry/v2/repositories/wake/acme/text/_manifests/tags/2.0.2",
    );
    fs::remove_dir_all(tag).unwrap();
    let gone = before.wake(["update"]).run().code(7);
    gone.mentions("tag `2.0.2` has disappeared").mentions("`wake registry forget main`");
    before.wake(["registry", "forget", "main"]).run().success();
    says(&lock(&user(&scene, &registry)).success(), &["Locked + acme/text 2.0.1"]);
}

#[test]
fn a_login_is_sent_only_to_its_registry_and_never_shown() {
    let test = "a_login_is_sent_only_to_its_registry_and_never_shown";
    if !has_program("openssl") {
        return skip(test, "needs openssl");
    }
    let scene = Scene::new();
    let dir = scene.publisher.base().join("containers");
    fs::create_dir_all(&dir).unwrap();
    certificates(&dir);
    fs::write(dir.join("htpasswd"), format!("{KEPT}\n")).unwrap();
    let shown = dir.display();
    let more = format!(
        "auth:\n  htpasswd: {{realm: wake, path: {shown}/htpasswd}}\nhttp:\n  addr: '127.0.0.1:0'\n  \
         tls: {{certificate: {shown}/cert.pem, key: {shown}/key.pem}}\n"
    );
    let Some(registry) = Registry::start(test, &dir, &more) else { return };
    let login = |host: &str, auth: &str| {
        let file = dir.join("auth.json");
        fs::write(&file, json!({ "auths": { host: { "auth": auth } } }).to_string()).unwrap();
        file
    };
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    scene.publisher.write("wake.toml", toml(&registry.address()));
    let publish = |file: &PathBuf| {
        let publish = scene.publisher.wake(["publish", "text"]).env("REGISTRY_AUTH_FILE", file);
        let finished = publish.env("SSL_CERT_FILE", dir.join("ca.pem")).run();
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains(PASSWORD) && !said.contains(AUTH), "{said}");
        finished
    };
    let host = &*registry.host;
    publish(&dir.join("absent")).code(10).mentions("401").mentions("no login was found");
    publish(&login("example.org", AUTH)).code(10).mentions("no login was found");
    // `wake:wrong`.
    let wrong = publish(&login(host, "d2FrZTp3cm9uZw==")).code(10);
    wrong.mentions("401").mentions("auth.json").mentions("skopeo login");
    publish(&login(&format!("{host}/other"), AUTH)).code(10);
    publish(&login(host, "d2FrZTpjYW5hcnk")).code(10).mentions("`auth` of");
    publish(&login(&format!("{host}/wake"), AUTH)).success();
    // An untrusted certificate.
    let user = user(&scene, &registry);
    let file = login(host, AUTH);
    let build = || user.wake(["build", "//app"]).env("REGISTRY_AUTH_FILE", &file);
    build().run().code(9).mentions("certificate");
    build().env("SSL_CERT_FILE", dir.join("ca.pem")).run().success();
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
}

/// A certificate authority, and its certificate for this machine.
pub(crate) fn certificates(dir: &Path) {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
        -subj '/CN=test authority' -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=localhost
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem";
    let made = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Wherever `publish` was interrupted, the next run completes the rest.
#[test]
fn f1_a_killed_publish_is_completed_by_the_next() {
    let test = "f1_a_killed_publish_is_completed_by_the_next";
    let Some((scene, registry)) = scene(test) else { return };
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text')";
    scene.write("greet", "1.0.0", text, "cat data \"$1\" > out.txt");
    scene.write("text", "2.0.0", "", "cat data > out.txt");
    for attempt in 0..6_u64 {
        for name in ["greet", "text"] {
            let path = format!("{name}/PKG.libsonnet");
            let major = if name == "greet" { 1 } else { 2 };
            let (before, now) = (attempt.saturating_sub(1), attempt);
            scene.publisher.edit(
                &path,
                &format!("'{name}', '{major}.{before}.0'"),
                &format!("'{name}', '{major}.{now}.0'"),
            );
        }
        let mut child = scene.publisher.wake(["publish", "//...", "--no-verify"]).spawn();
        thread::sleep(std::time::Duration::from_millis(60 * attempt));
        let _ = child.kill();
        child.wait().unwrap();
        scene.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
        assert_eq!(registry.tags("acme/greet").len() as u64, attempt + 1);
    }
    let user = scene.user_of(&registry.address(), &format!("greet: {}", get("greet", "^1")));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "greet 1.0.0\ntext 2.0.0\n");
}
