//! Published packages, used elsewhere by name and version.

use std::fs;

use wake_tests::{example, has_program, project, skip};

use crate::scene::{Scene, get, says};
use crate::server::Server;

/// The library of the C example is published, and a program in another repository is linked with it.
#[test]
fn a_published_library_is_linked_in_another_repository() {
    if !has_program("cc") {
        return skip("a_published_library_is_linked_in_another_repository", "needs a C compiler");
    }
    let library = example("c-app");
    let registry = library.base().join("registry");
    let toml = |address: &str| {
        format!("[registries]\nmain = \"{address}\"\n\n[namespaces]\n\"\" = \"main\"\n")
    };
    library.write("wake.toml", toml("file:../registry"));
    library.wake(["publish", "stats"]).run().success();
    let application = example("c-app");
    fs::remove_dir_all(application.path("stats")).unwrap();
    application.write("wake.toml", toml(&format!("file://{}", registry.display())));
    application.edit("app/PKG.libsonnet", ", from='../stats'", "");
    let build = application.build(&["//app"]);
    assert_eq!(build.of_kind("locked").count(), 1);
    assert_eq!(build.of_kind("fetched").count(), 1);
    let lock = application.read("wake.lock");
    assert!(lock.starts_with("wake-lock 1\nstats 1.0.0 main "), "{lock}");
    let program = application.result("//app:app", "bin/app");
    let before = fs::read(&program).unwrap();
    // Wiped, and built again from the store alone.
    fs::remove_dir_all(application.path(".wake")).unwrap();
    fs::rename(&registry, registry.with_extension("gone")).unwrap();
    let again = application.json_build(&["//app"]).arg("--offline").run().success().events();
    assert_eq!(again.ran(), [] as [&str; 0]);
    assert_eq!(fs::read(&program).unwrap(), before);
    assert_eq!(application.read("wake.lock"), lock);
}

#[test]
fn locked_packages_missing_from_the_store_are_fetched() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    let lock = user.read("wake.lock");
    // A newer version changes nothing if there is a lock.
    scene.publish("text", "2.1.0", "");
    fs::remove_dir_all(user.path(".wake")).unwrap();
    let empty = user.base().join("another-store");
    let build = user.json_build(&["//app"]).store(&empty).run().success().events();
    assert_eq!(build.of_kind("fetched").count(), 1);
    assert_eq!(build.of_kind("locked").count(), 0);
    assert_eq!(user.read("wake.lock"), lock);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
}

#[test]
fn offline_builds_send_no_requests() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    user.wake(["build", "//app", "--offline"]).run().code(6);
    says(&user.wake(["lock"]).run().success(), &["Locked + acme/text 2.0.1"]);
    let missing = user.wake(["build", "//app", "--offline"]).run().code(9);
    missing
        .mentions("acme/text 2.0.1 is locked, but it is not in the store")
        .mentions("run without `--offline` to fetch it");
    user.build(&["//app"]);
    user.wake(["build", "//app", "--frozen"]).run().success();
}

/// N13: no connection is even attempted, whatever there is to do, as traced in the kernel.
#[test]
fn n13_offline_builds_attempt_no_connections() {
    if !has_program("strace") {
        return skip("n13_offline_builds_attempt_no_connections", "needs strace");
    }
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let server = Server::of(scene.registry());
    let user = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    let log = user.base().join("connections");
    let traced = |args: &[&str]| {
        let log = log.display().to_string();
        let words = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", &log, "--"];
        let run = user.wake(args).wrapper(words).run();
        let calls = fs::read_to_string(&log).unwrap();
        (run, calls.matches("connect(").count())
    };
    // The trace would show them.
    let (run, connections) = traced(&["build", "//app"]);
    run.success();
    assert!(connections > 0);
    for (args, code) in [
        (&["build", "//app", "--rebuild", "--offline"][..], 0),
        (&["lock", "--check", "--offline"], 0),
        (&["tree", "--offline"], 0),
        (&["update", "--offline"], 9),
        (&["info", "acme/text", "--offline"], 9),
        (&["vendor", "vendored", "--offline"], 9),
        (&["publish", "//app", "--offline"], 2),
    ] {
        let (run, connections) = traced(args);
        run.code(code);
        assert_eq!(connections, 0, "{args:?}");
    }
    // Missing content is not requested.
    let fresh = scene.user_of(&server.address, &format!("text: {}", get("text", "^2")));
    fresh.write("wake.lock", user.read("wake.lock"));
    fresh.wake(["build", "//app", "--offline"]).run().code(9);
}

#[test]
fn an_up_to_date_build_does_not_read_registries() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    user.build(&["//app"]);
    fs::remove_dir_all(scene.registry()).unwrap();
    user.build_runs_nothing(&["//app"]);
    // Not even if everything is planned again.
    user.edit("app/PKG.libsonnet", "function(wake)", "// anew\nfunction(wake)");
    user.build_runs_nothing(&["//app"]);
}

#[test]
fn a_namespace_without_a_registry_is_requested_nowhere() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user("text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='other'))");
    let failed = user.wake(["build", "//app"]).run().code(6);
    failed
        .mentions("no registry is configured for namespace `other`")
        .mentions("`[namespaces]` `other = \"main\"`");
}

#[test]
fn packages_are_fetched_concurrently() {
    let scene = Scene::new();
    let names: Vec<String> = (0..12).map(|number| format!("part{number}")).collect();
    for name in &names {
        scene.write(name, "1.0.0", "", "cat data > out.txt");
    }
    scene.publisher.wake(["publish", "//...", "--no-verify"]).run().success();
    let pkgs: Vec<String> =
        names.iter().map(|name| format!("{name}: {}", get(name, "^1"))).collect();
    let user = scene.user(&pkgs.join(", "));
    let build = user.build(&["//app"]);
    let fetched: Vec<_> = build.of_kind("fetched").collect();
    assert_eq!(fetched.len(), 1);
    assert_eq!(fetched[0]["pkgs"], 12);
    assert_eq!(user.result_text("//app:app", "out.txt").lines().count(), 12);
}

#[test]
fn invalid_registry_settings_are_reported_with_their_positions() {
    let of = |text: &str| {
        let project = project().pkg("").file("wake.toml", text).build();
        project.wake(["ls"]).run().code(2).redacted_stderr()
    };
    let unknown = of("[registries]\nmain = \"file:r\"\n[namespaces]\nacme = \"mian\"\n");
    assert!(unknown.contains("there is no registry `mian`"), "{unknown}");
    assert!(
        unknown.contains("wake.toml:4:8") && unknown.contains("did you mean `main`?"),
        "{unknown}"
    );
    let address = of("[registries]\nmain = \"ftp://r\"\n");
    assert!(
        address.contains("wake.toml:2:8")
            && address.contains("`ftp://r` is not a registry address"),
        "{address}"
    );
    let name = of("[registries]\nMain = \"file:r\"\n");
    assert!(name.contains("wake.toml:2:1"), "{name}");
}
