//! What is not published.

use wake_tests::expect;

use super::says;
use crate::scene::{Scene, get};

#[test]
fn other_content_for_a_published_version() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publisher.write("text/data", "other\n");
    let publish = || scene.publisher.wake(["publish", "text", "--quiet"]).run().code(7);
    says(
        &publish(),
        &[],
        &expect![[r#"
        error: acme/text 2.0.1 is already published with different content
         = note: its content is [DIGEST] in the registry and [DIGEST] here
         help: give this version another number: a version can be published only once
    "#]],
    );
    // Also if the version was yanked.
    let yank = ["yank", "acme/text@2.0.1", "--reason", "x"];
    scene.publisher.wake(yank).run().success();
    publish();
    // Also with a version that differs only in build metadata.
    scene.publisher.edit("text/PKG.libsonnet", "2.0.1", "2.0.1+again");
    says(
        &publish(),
        &[],
        &expect![[r#"
        error: acme/text 2.0.1 is already published with different content
         = note: its content is [DIGEST] in the registry and [DIGEST] here
         help: give this version another number: a version can be published only once
    "#]],
    );
}

/// N11.
#[test]
fn n11_a_name_that_resembles_another() {
    let scene = Scene::new();
    scene.publish("a-b", "1.0.0", "");
    scene.write("a_b", "1.0.0", "", "cat data > out.txt");
    let resembling = scene.publisher.wake(["publish", "a_b", "--quiet"]).run().code(5);
    says(
        &resembling,
        &[],
        &expect![[r#"
        error: `acme/a_b` differs from the published `acme/a-b` only in `-` and `_`
         help: call it `acme/a-b`, or choose a name that cannot be mistaken for that
    "#]],
    );
    scene.write("a___b", "1.0.0", "", "cat data > out.txt");
    let refused = scene.publisher.wake(["publish", "a___b", "--quiet"]).run().code(5);
    refused.says(expect![[r#"
        error: `a___b` cannot be published: a published name starts and ends with a letter or digit, and has one or two `_` or any number of `-` between two of them
         --> a___b/PKG.libsonnet:3:18
          |
        3 |     wake.pkgInfo('a___b', '1.0.0', namespace='acme'),
          |                  ^^^^^^^
    "#]]);
}

/// Only files in `files` can be imported by others.
#[test]
fn an_import_of_a_file_missing_from_files() {
    let scene = Scene::new();
    scene.write("text", "1.0.0", "", "cat data > out.txt");
    scene.publisher.write("text/own.libsonnet", "{ a: 1 }\n");
    scene.publisher.write("text/flags.libsonnet", "{ a: 1 }\n");
    scene.publisher.edit("text/PKG.libsonnet", "'./data'", "'./data', './flags.libsonnet'");
    scene.publisher.wake(["publish", "text"]).run().success();
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    let app = user.read("app/app.libsonnet");
    let with =
        |import: &str| user.write("app/app.libsonnet", format!("assert ({import}).a == 1;\n{app}"));
    with("import '@text/flags.libsonnet'");
    user.build(&["//app"]);
    let failed = || user.wake(["build", "//app", "--quiet"]).run().code(5);
    // It was not fetched at all.
    with("import '@text/own.libsonnet'");
    failed().says(expect![[r#"
        error: package `text` exports no file `./own.libsonnet`
         --> app/app.libsonnet:1:16
          |
        1 | assert (import '@text/own.libsonnet').a == 1;
          |                ^^^^^^^^^^^^^^^^^^^^^ did you mean `flags.libsonnet`?
          help: a package exports the files listed in its `files`
               Error 1 error in [TIME]
    "#]]);
    with("import '@text/flag.libsonnet'");
    failed().says(expect![[r#"
        error: package `text` exports no file `./flag.libsonnet`
         --> app/app.libsonnet:1:16
          |
        1 | assert (import '@text/flag.libsonnet').a == 1;
          |                ^^^^^^^^^^^^^^^^^^^^^^ did you mean `flags.libsonnet`?
          help: a package exports the files listed in its `files`
               Error 1 error in [TIME]
    "#]]);
    with("import '@texts/flags.libsonnet'");
    failed().says(expect![[r#"
        error: cannot import `@texts/flags.libsonnet`: there is no package `texts` in `pkgs`
         --> app/app.libsonnet:1:16
          |
        1 | assert (import '@texts/flags.libsonnet').a == 1;
          |                ^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `text`?
               Error 1 error in [TIME]
    "#]]);
}

/// What a package needs cannot depend on what it gets.
#[test]
fn an_import_that_pkgs_or_files_depend_on() {
    let scene = Scene::new();
    scene.write("text", "1.0.0", "", "cat data > out.txt");
    scene.publisher.write("text/flags.libsonnet", "{ files: ['./app.sh'] }\n");
    scene.publisher.edit("text/PKG.libsonnet", "'./data'", "'./data', './flags.libsonnet'");
    scene.publisher.wake(["publish", "text"]).run().success();
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    let failed = || user.wake(["build", "//app", "--quiet"]).run().code(5);
    let app = user.read("app/PKG.libsonnet");
    user.edit(
        "app/PKG.libsonnet",
        "files=['./app.sh']",
        "files=(import '@text/flags.libsonnet').files",
    );
    failed().says(expect![[r#"
        error: cannot import `@text/flags.libsonnet`: packages are loaded from `pkgInfo`, `files` and `pkgs`, which cannot depend on one of them
         --> app/PKG.libsonnet:4:19
          |
        4 |     files=(import '@text/flags.libsonnet').files,
          |                   ^^^^^^^^^^^^^^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:3
               Error 1 error in [TIME]
    "#]]);
    user.write("app/PKG.libsonnet", app);
    user.edit("app/PKG.libsonnet", "pkgs={", "pkgs=(import '@text/flags.libsonnet') + {");
    failed().says(expect![[r#"
        error: cannot import `@text/flags.libsonnet`: packages are loaded from `pkgInfo`, `files` and `pkgs`, which cannot depend on one of them
         --> app/PKG.libsonnet:5:18
          |
        5 |     pkgs=(import '@text/flags.libsonnet') + { text: wake.getPkg(wake.pkgInfo('text', '^1', namespace='acme')) },
          |                  ^^^^^^^^^^^^^^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:3
               Error 1 error in [TIME]
    "#]]);
}

#[test]
fn a_secret_an_undeclared_path_and_a_local_need() {
    let scene = Scene::new();
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    scene.publisher.write("text/.env", ["AWS_SECRET_ACC", "ESS_KEY=canary\n"].concat());
    scene.publisher.edit("text/PKG.libsonnet", "'./data'", "'./data', './.env'");
    let publish = |code| {
        let finished = scene.publisher.wake(["publish", "//...", "--quiet"]).run().code(code);
        assert!(!scene.registry().exists());
        finished
    };
    publish(5).says(expect![[r#"
        error: `text/.env` seems to contain passwords or keys, judging by its name
         = note: nothing was sent: publishing cannot be undone
         help: remove it from `files`
         help: if it is not a secret, use `--allow-secret .env`
    "#]]);
    // A module that reads a file that is not published.
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    scene.publisher.edit("text/made.libsonnet", "'./made.sh',", "'./gone.sh',");
    publish(5).says(expect![[r#"
        error: acme/text 2.0.1, as dependents get it: cannot resolve `./gone.sh`: `./gone.sh` is not in the package's `files`
         = note: nothing was published
    "#]]);
    scene.write("text", "2.0.1", "", "cat data > out.txt");
    let text = "text: wake.getPkg(wake.pkgInfo('text', '*', namespace='acme'), from='../text')";
    scene.write("greet", "1.2.0", text, "cat data > out.txt");
    publish(6).says(expect![[r#"
        error: package `text` is required without a version
         --> greet/PKG.libsonnet:5:18
          |
        5 |     pkgs={ text: wake.getPkg(wake.pkgInfo('text', '*', namespace='acme'), from='../text') },
          |                  ^^^^^^^^^^^
          help: require the current version:  `'^2.0.1'`
    "#]]);
}
