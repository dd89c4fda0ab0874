//! The same library in every kind of registry, in realistic setups: a directory, nginx with TLS, Debian's OCI
//! registry with TLS and passwords.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use wake_tests::{Project, Wake, copy_of_binary, example, has_program, is_root, skip};

use crate::containers::Registry;
use crate::mirrors::settings;
use crate::nginx::Nginx;
use crate::oci::{AUTH, KEPT, PASSWORD, certificates};
use crate::scene::{Scene, all_of, get};

fn toml(address: &str) -> String {
    format!("[registries]\nmain = \"{address}\"\n\n[namespaces]\n\"\" = \"main\"\n")
}

/// A second repository: the application without the library.
fn application(address: &str) -> Project {
    let application = example("c-app");
    fs::remove_dir_all(application.path("stats")).unwrap();
    application.write("wake.toml", toml(address));
    let text = application.read("app/PKG.libsonnet");
    let start = text.find("stats: ").unwrap();
    let end = start + text[start..].find("from='../stats')").unwrap() + "from='../stats')".len();
    // The dependency is removed, and added by name.
    let comma = usize::from(text[end..].starts_with(','));
    application.write("app/PKG.libsonnet", [&text[..start], &text[end + comma..]].concat());
    application
}

#[test]
fn every_registry_gives_the_same_line_of_the_lock() {
    let test = "every_registry_gives_the_same_line_of_the_lock";
    if !Nginx::is_here(test) {
        return;
    }
    if !has_program("cc") {
        return skip(test, "needs a C compiler");
    }
    let library = example("c-app");
    let server = library.base().join("server");
    let containers = library.base().join("containers");
    for dir in [&server, &containers] {
        fs::create_dir(dir).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        certificates(dir);
    }
    fs::write(containers.join("htpasswd"), format!("{KEPT}\n")).unwrap();
    let shown = containers.display();
    let more = format!(
        "auth:\n  htpasswd: {{realm: wake, path: {shown}/htpasswd}}\nhttp:\n  addr: '127.0.0.1:0'\n  \
         tls: {{certificate: {shown}/cert.pem, key: {shown}/key.pem}}\n"
    );
    let Some(registry) = Registry::start(test, &containers, &more) else { return };
    let directory = library.base().join("registry");
    let nginx = Nginx::start(&server, &directory);
    let login = library.base().join("auth.json");
    let auths = serde_json::json!({ "auths": { &*registry.host: { "auth": AUTH } } });
    fs::write(&login, auths.to_string()).unwrap();
    let config = |dir: &Path| format!("[http]\nca = \"{}/ca.pem\"\n", dir.display());
    let call = |call: Wake| call.env("REGISTRY_AUTH_FILE", &login);
    let directory_address = format!("file:{}", directory.display());
    let mut locks = Vec::new();
    for (address, published_to, ca) in [
        (&directory_address, &directory_address, None),
        (&nginx.address, &directory_address, Some(&server)),
        (&registry.address(), &registry.address(), Some(&containers)),
    ] {
        // From empty stores.
        let _ = fs::remove_dir_all(library.store());
        library.write("wake.toml", toml(published_to));
        ca.into_iter().for_each(|dir| settings(&library, &config(dir)));
        call(library.wake(["publish", "stats"])).run().success();
        let application = application(address);
        ca.into_iter().for_each(|dir| settings(&application, &config(dir)));
        let added = call(application.wake(["add", "stats"])).cwd(application.path("app")).run();
        added
            .success()
            .mentions("Added stats ^1.0 to app/PKG.libsonnet")
            .mentions("Locked + stats 1.0.0");
        let built = call(application.json_build(&["//app"])).run().success().events();
        assert!(!built.ran().is_empty());
        let program = application.result("//app:app", "bin/app");
        let before = fs::read(&program).unwrap();
        // The workspace is wiped, and the registry is not contacted.
        fs::remove_dir_all(application.path(".wake")).unwrap();
        let again = application.json_build(&["//app", "--offline"]).run().success().events();
        assert_eq!(again.ran(), [] as [&str; 0]);
        assert_eq!(fs::read(&program).unwrap(), before);
        for project in [&library, &application] {
            for place in [project.store(), project.path(".wake")] {
                for (path, bytes) in all_of(&place) {
                    let has = |secret: &str| {
                        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
                    };
                    assert!(!has(PASSWORD) && !has(AUTH), "{}", path.display());
                }
            }
        }
        locks.push(application.read("wake.lock"));
    }
    assert_eq!(locks[0].lines().count(), 2, "{}", locks[0]);
    assert!(locks.iter().all(|lock| *lock == locks[0]), "{locks:?}");
}

/// R4: another user publishes the same bytes elsewhere, with another umask; another compressor yields the same
/// package.
#[test]
fn r4_another_user_publishes_equal_bytes() {
    let test = "r4_another_user_publishes_equal_bytes";
    if !is_root() || !has_program("setpriv") || !has_program("zstd") {
        return skip(test, "needs root, `setpriv` and `zstd`");
    }
    let write = |scene: &Scene| {
        scene.write("text", "2.0.1", "", "cat data > out.txt");
        scene.publisher.write("text/sub/deep/file", "deep\n");
        std::os::unix::fs::symlink("deep/file", scene.publisher.path("text/sub/link")).unwrap();
        scene.publisher.edit("text/PKG.libsonnet", "'./data'", "'./data', wake.dir('sub')");
    };
    let (one, two) = (Scene::new(), Scene::new());
    write(&one);
    one.publisher.wake(["publish", "text"]).run().success();
    // Another machine: a directory of another depth, another owner, nothing that others may read.
    write(&two);
    let base = two.publisher.base();
    let elsewhere = base.join("a/longer/way/to/it");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::rename(two.publisher.root(), elsewhere.join("ws")).unwrap();
    let program = copy_of_binary(base);
    for path in ["ws", "ws/text", "ws/text/sub/deep"] {
        fs::set_permissions(elsewhere.join(path), fs::Permissions::from_mode(0o700)).unwrap();
    }
    for file in ["data", "sub/deep/file", "PKG.libsonnet"] {
        fs::set_permissions(
            elsewhere.join("ws/text").join(file),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
    }
    let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(base).status();
    assert!(owned.unwrap().success());
    let publish =
        two.publisher.wake(["publish", "text"]).cwd(elsewhere.join("ws")).program(program);
    let umask = "umask 0077; exec \"$@\"";
    let words = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--",
        "sh",
        "-c",
        umask,
        "sh",
    ];
    publish.wrapper(words).run().success();
    let registry = elsewhere.join("registry");
    for path in ["pkgs/acme/text/2.0.1.json", "pkgs/acme/text/2.0.1.tar.zst"] {
        assert_eq!(
            fs::read(one.registry().join(path)).unwrap(),
            fs::read(registry.join(path)).unwrap(),
            "{path}"
        );
    }
    // Another compressor, and none at all: the same package, already published, and the same line of the lock.
    let archive = one.registry().join("pkgs/acme/text/2.0.1.tar.zst");
    let pkgs = format!("text: {}", get("text", "^2"));
    let first = one.user(&pkgs);
    first.build(&["//app"]);
    let whole = fs::read(&archive).unwrap();
    for (compress, magic) in [
        ("zstd -q -d -c \"$0\" | zstd -q -1 -c", &[0x28, 0xb5, 0x2f, 0xfd][..]),
        ("zstd -q -d -c \"$0\" | gzip -c", &[0x1f, 0x8b]),
        ("zstd -q -d -c \"$0\"", b"PKG.libsonnet"),
    ] {
        fs::write(&archive, &whole).unwrap();
        let made = std::process::Command::new("sh")
            .args(["-euc", compress])
            .arg(&archive)
            .output()
            .unwrap();
        assert!(made.status.success() && made.stdout.starts_with(magic) && made.stdout != whole);
        fs::write(&archive, &made.stdout).unwrap();
        let again = one.publisher.wake(["publish", "text"]).run().success();
        again.mentions("acme/text 2.0.1 is already published");
        let user = one.user(&pkgs);
        user.build(&["//app"]);
        assert_eq!(user.read("wake.lock"), first.read("wake.lock"));
    }
}

/// A team publishes to one directory, whatever their umask, and others read it.
#[test]
fn a_team_shares_a_directory() {
    let test = "a_team_shares_a_directory";
    if !is_root() || !has_program("setpriv") {
        return skip(test, "needs root and `setpriv`");
    }
    let scene = Scene::new();
    let share = scene.registry();
    let made = std::process::Command::new("install")
        .args(["-d", "-g", "12345", "-m", "2775"])
        .arg(&share)
        .status();
    assert!(made.unwrap().success());
    // As one of these users, with a umask that denies others everything.
    let by = |user: &str, group: &str, project: &Project, args: &[&str]| {
        let program = copy_of_binary(project.base());
        let mut owned = std::process::Command::new("chown");
        owned.arg("-R").arg(format!("{user}:{group}"));
        let places = ["ws", "home", "wake"].map(|name| project.base().join(name));
        let _ = fs::create_dir_all(project.store());
        owned.args(places).arg(project.store());
        assert!(owned.status().unwrap().success());
        let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
        let words = [
            "setpriv",
            &user,
            &group,
            "--clear-groups",
            "--",
            "sh",
            "-c",
            "umask 077; exec \"$@\"",
            "sh",
        ];
        project.wake(args).program(program).wrapper(words).run()
    };
    let one = Scene::new();
    let address = format!("file:{}", share.display());
    one.publisher.write("wake.toml", crate::scene::toml(&address));
    one.write("text", "1.0.0", "", "cat data > out.txt");
    by("23001", "12345", &one.publisher, &["publish", "text"]).success();
    let two = Scene::new();
    two.publisher.write("wake.toml", crate::scene::toml(&address));
    two.write("tone", "1.0.0", "", "cat data > out.txt");
    by("23002", "12345", &two.publisher, &["publish", "tone"]).success();
    two.write("text", "1.1.0", "", "cat data > out.txt");
    by("23002", "12345", &two.publisher, &["publish", "text"]).success();
    // A user outside the group can read, but not write.
    let user = scene
        .user_of(&address, &format!("text: {}, tone: {}", get("text", "^1"), get("tone", "^1")));
    by("23003", "23003", &user, &["build", "//app"]).success();
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 1.1.0\ntone 1.0.0\n");
    let three = Scene::new();
    three.publisher.write("wake.toml", crate::scene::toml(&address));
    three.write("text", "1.2.0", "", "cat data > out.txt");
    by("23003", "23003", &three.publisher, &["publish", "text"])
        .code(10)
        .mentions("Permission denied");
}
