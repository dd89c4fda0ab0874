//! Locks and packages that do not fit together.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wake_tests::{copy_tree, expect};

use crate::{app, chain, get, import, lock, place, published};

#[test]
fn a_locked_package_missing_from_the_store_is_an_error() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    lock(&project, &[&format!("acme/text 2.0.1 acme {}", "0".repeat(64))]);
    project.wake(["build", "//app"]).run().code(9).says(expect![[r#"
        error: package `text`: acme/text 2.0.1 is locked, but it is not in the store
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme')) },
          |                  ^^^^^^^^^^^
          = note: its locked content is [DIGEST], from the registry `acme`
          help: run `wake store import DIR` to add a directory with its files to the store
          help: configure its registry in `wake.toml`: `[registries]` `main = "ADDRESS"` and `[namespaces]` `acme = "main"`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    project.build(&["//app"]);
}

#[test]
fn a_package_that_does_not_match_its_digest_is_an_error() {
    let project = chain();
    let tree = project.path(".wake/pkgs/acme@text@2.0.1");
    project.build(&["//app"]);
    let tree = fs::canonicalize(tree).unwrap();
    fs::set_permissions(tree.join("data"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(tree.join("data"), "other\n").unwrap();
    project.edit("app/PKG.libsonnet", "function(wake)", "// anew\nfunction(wake)");
    project.wake(["build", "//app"]).run().code(7).mentions("acme/text 2.0.1 has been altered");
    project.wake(["build", "//app"]).run().code(9);
    import(&project, "text", "2.0.1");
    project.build_runs_nothing(&["//app"]);
}

#[test]
fn a_requirement_without_a_lock() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: package `text`: it is not locked, because there is no `wake.lock`, and no registry is configured for it
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme')) },
          |                  ^^^^^^^^^^^
          help: configure its registry in `wake.toml`: `[registries]` `main = "ADDRESS"` and `[namespaces]` `acme = "main"`
          help: or set its location: `from='./path'` or `from=wake.GLOBAL`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_requirement_that_no_locked_version_meets() {
    let project = chain();
    lock(&project, &[&import(&project, "greet", "1.2.0")]);
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: package `text`: `wake.lock` has no `acme/text` that matches ^2.0
         --> acme/greet@1.2.0/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text') },
          |                  ^^^^^^^^^^^
          help: lock a version: add a line `acme/text VERSION REGISTRY CONTENT`
          help: configure its registry in `wake.toml`: `[registries]` `main = "ADDRESS"` and `[namespaces]` `acme = "main"`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    published(&project, "text", "1.4.0", "", "cat data > out.txt");
    let lines = [import(&project, "greet", "1.2.0"), import(&project, "text", "1.4.0")];
    // Retrieved packages do not come from a registry.
    let retrieved = import(&project, "text", "2.0.1").replace(" acme ", " via:acme/tool ");
    lock(&project, &[&lines[0], &lines[1], &retrieved]);
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: package `text`: `wake.lock` has no `acme/text` that matches ^2.0
         --> acme/greet@1.2.0/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text') },
          |                  ^^^^^^^^^^^
          = note: locked versions: 1.4.0
          help: lock a version: add a line `acme/text VERSION REGISTRY CONTENT`
          help: configure its registry in `wake.toml`: `[registries]` `main = "ADDRESS"` and `[namespaces]` `acme = "main"`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_invalid_lock() {
    let project = chain();
    project.write("wake.lock", "wake-lock 1\nacme/text 2.0 acme 12\n");
    // Both packages request it, and it is reported once.
    copy_tree(&project.path("app"), &project.path("lib"));
    project.write("lib/PKG.libsonnet", project.read("app/PKG.libsonnet").replace("'app'", "'lib'"));
    project.wake(["build", "//..."]).run().code(6).says(expect![[r#"
        error: `2.0` is not a semantic version: unexpected end of input while parsing minor version number
         --> wake.lock:2:11
          |
        2 | acme/text 2.0 acme 12
          |           ^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn content_with_another_name_than_locked() {
    let project = chain();
    let line = import(&project, "text", "2.0.1").replace("2.0.1", "2.0.7");
    lock(&project, &[&import(&project, "greet", "1.2.0"), &line]);
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: the content locked as acme/text@2.0.7 declares itself as acme/text@2.0.1
         --> wake.lock:3:1
          |
        3 | acme/text 2.0.7 acme [DIGEST]
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: correct the line: it is for acme/text@2.0.1, or its digest is wrong
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn two_locked_versions_of_one_range() {
    let project =
        app(&format!("old: {}, new: {}", get("text", "=2.0.1"), get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    published(&project, "text", "2.1.0", "", "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1"), &import(&project, "text", "2.1.0")]);
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: acme/text 2.0.1 and 2.1.0 are both needed, but both match ^2
         = note: //app needs ^2 at app/PKG.libsonnet:5:85
         = note: //app needs =2.0.1 at app/PKG.libsonnet:5:17
         help: lock one version that matches ^2 and all requirements
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_workspace_package_and_a_locked_one_with_one_key() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    copy_tree(&project.path(&place("text", "2.0.1")), &project.path("text"));
    project.wake(["build", "//..."]).run().code(6).says(expect![[r#"
        error: two packages are named `text` 2.0.1: //text and acme/text@2.0.1
         --> acme/text@2.0.1/PKG.libsonnet:3:5
          |
        3 |     wake.pkgInfo('text', '2.0.1', namespace='acme'),
          |     ^^^^^^^^^^^^
          = note: //text is named at text/PKG.libsonnet:3:5
          help: add `"acme/text" = "text"` to `[overrides]` in `wake.toml` to use the one in the workspace everywhere
          help: give one of them another name, namespace or version
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_error_in_a_package_in_the_store_names_its_file() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    project
        .write(&format!("{}/words.libsonnet", place("text", "2.0.1")), "{ first: error 'none' }\n");
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    let failed = project.wake(["build", "//app"]).run().code(5);
    failed.mentions("acme/text@2.0.1/words.libsonnet:1:10");
}

#[test]
fn a_fetched_package_defines_globals_only_with_permission() {
    let project = app(&format!("greet: {}", get("greet", "^1"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme'), global=true)";
    published(&project, "greet", "1.2.0", text, "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1"), &import(&project, "greet", "1.2.0")]);
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: acme/greet@1.2.0 defines the global package `text` without permission
         --> acme/greet@1.2.0/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '^2', namespace='acme'), global=true) },
          |                  ^^^^^^^^^^^
          help: grant it where that package is required: `permissions=['defineGlobal']`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    project.edit(
        "app/PKG.libsonnet",
        "namespace='acme')",
        "namespace='acme'), permissions=['defineGlobal']",
    );
    project.build(&["//app"]);
}

#[test]
fn a_file_that_no_tree_can_hold_is_not_imported() {
    let project = app("").build();
    project.write("../published/odd/file", "x");
    let odd = project.path("../published/odd");
    let socket = std::os::unix::net::UnixListener::bind(odd.join("socket")).unwrap();
    let import = || project.wake(["store", "import"]).args([&odd]).run();
    import().code(2).mentions("is a device, a pipe or a socket");
    drop(socket);
    fs::remove_file(odd.join("socket")).unwrap();
    let first = import().success().stdout;
    assert_eq!(import().success().stdout, first, "a tree that already exists");
    fs::set_permissions(odd.join("file"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(import().success().stdout, first);
}
