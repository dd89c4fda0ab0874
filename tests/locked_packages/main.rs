//! Packages in the store that `wake.lock` names.

#![allow(clippy::unwrap_used)]

mod refused;

use std::fs;
use std::process::Command;

use wake_tests::{Build, Project, ProjectBuilder, copy_tree, expect, has_busybox, project};

/// A package outside the workspace, to be imported and locked: a module `made` that runs `script`, which writes
/// `out.txt`.
fn published(project: &Project, name: &str, version: &str, pkgs: &str, script: &str) {
    let dir = place(name, version);
    project.write(
        &format!("{dir}/PKG.libsonnet"),
        format!(
            "function(wake)\n  wake.pkg(\n    wake.pkgInfo('{name}', '{version}', namespace='acme'),\n    \
             files=['./made.sh', './data'],\n    pkgs={{ {pkgs} }},\n    modules={{ made: './made.libsonnet' }}\n  )\n"
        ),
    );
    project.write(
        &format!("{dir}/made.libsonnet"),
        "local words = import './words.libsonnet';\n\
         function(wake, pkg, config={})\n  wake.module(\n    'made',\n    \
         modules={ [key]: pkg.pkgs[key].modules.made({}) for key in std.objectFields(pkg.pkgs) },\n    \
         outputs=function(wake, pkg) { text: './out.txt' },\n    \
         exec=wake.exec('./made.sh', args=[words.first] + [\n      \
         wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)\n    ])\n  )\n",
    );
    project.write(&format!("{dir}/words.libsonnet"), "{ first: 'word' }\n");
    project.write(&format!("{dir}/data"), format!("{name} {version}\n"));
    project.write_script(&format!("{dir}/made.sh"), &format!("#!/bin/sh\nset -eu\n{script}\n"));
}

fn place(name: &str, version: &str) -> String {
    format!("../published/{name}-{version}")
}

/// Adds the package to the store; returns its line.
fn import(project: &Project, name: &str, version: &str) -> String {
    let dir = project.path(&place(name, version));
    let digest = project.wake(["store", "import"]).args([dir]).run().success().stdout;
    format!("acme/{name} {version} acme {}", digest.trim())
}

fn lock(project: &Project, lines: &[&str]) {
    project.write("wake.lock", format!("wake-lock 1\n{}\n", lines.join("\n")));
}

/// A requirement on a published package.
fn get(name: &str, version: &str) -> String {
    format!("wake.getPkg(wake.pkgInfo('{name}', '{version}', namespace='acme'))")
}

/// A workspace with a package `//app`, whose only module shows the results of the modules `made` of its dependencies.
fn app(pkgs: &str) -> ProjectBuilder {
    project()
        .file("wake.toml", "")
        .pkg_at("app", "app", &format!("files=['./app.sh', './own'],\n    pkgs={{ {pkgs} }},\n    modules={{ app: './app.libsonnet' }}"))
        .file("app/own", "own\n")
        .script("app/app.sh", "#!/bin/sh\nset -eu\ncat own \"$@\" > out.txt\n")
        .module(
            "app/app.libsonnet",
            "app",
            "modules={ [key]: pkg.pkgs[key].modules.made({}) for key in std.objectFields(pkg.pkgs) },\n    \
             outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./app.sh', args=[wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)])",
        )
}

/// `//app`, which depends on `acme/greet`, which was published next to `acme/text`; both are locked.
fn chain() -> Project {
    let project = app(&format!("greet: {}", get("greet", "^1"))).build();
    let text = "text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'), from='../text')";
    published(
        &project,
        "text",
        "2.0.1",
        "",
        "cat data > out.txt; echo \"$1\" >> out.txt; echo said",
    );
    published(&project, "greet", "1.2.0", text, "cat data \"$2\" > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1"), &import(&project, "greet", "1.2.0")]);
    project
}

const MADE: &str = "own\ngreet 1.2.0\ntext 2.0.1\nword\n";

fn is_at_once(build: &Build) -> bool {
    build.of_kind("evaluated").count() == 0
}

#[test]
fn a_package_in_the_store_is_built_with_its_dependencies() {
    let project = chain();
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), ["//app:app", "acme/greet@1.2.0:made", "acme/text@2.0.1:made"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), MADE);
    project.build_runs_nothing(&["//app"]);
    // Only packages of the workspace have results there.
    assert_eq!(fs::read_dir(project.path(".wake/out")).unwrap().count(), 1);
}

#[test]
fn an_up_to_date_build_checks_only_the_checkout() {
    let project = chain();
    for attempt in 0.. {
        if is_at_once(&project.build(&["//app"])) {
            break;
        }
        assert!(attempt < 100, "no build comes from the snapshot alone");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The published directory is not used any more.
    fs::remove_dir_all(project.path("../published")).unwrap();
    let bytes = fs::read(project.path("wake.lock")).unwrap();
    fs::write(project.path("wake.lock"), &bytes).unwrap();
    let build = project.build(&["//app"]);
    assert!(is_at_once(&build), "a lock that was only rewritten");
    assert_eq!((build.count("total"), build.count("hit")), (3, 3));
    // A file of the checkout that only one step reads reruns that step, whose other inputs are in the store.
    project.write("app/own", "mine\n");
    let build = project.build(&["//app"]);
    assert!(is_at_once(&build));
    assert_eq!(build.ran(), ["//app:app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), MADE.replace("own", "mine"));
}

#[test]
fn a_step_with_store_files_reruns_without_planning() {
    let project = app("").build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    project.edit(
        "app/PKG.libsonnet",
        "pkgs={  }",
        &format!("pkgs={{ text: {} }}", get("text", "*")),
    );
    project.edit("app/app.libsonnet", "modules={ [key]: pkg.pkgs[key].modules.made({}) for key in std.objectFields(pkg.pkgs) },\n", "");
    project.edit(
        "app/app.libsonnet",
        "[wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)]",
        "[wake.ref('pkg.text./data')]",
    );
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "own\ntext 2.0.1\n");
    project.write("app/own", "mine\n");
    let build = project.build(&["//app"]);
    assert!(is_at_once(&build));
    assert_eq!(build.ran(), ["//app:app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "mine\ntext 2.0.1\n");
}

#[test]
fn keys_do_not_depend_on_the_place_of_a_package() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    project.build(&["//app"]);
    copy_tree(&project.path(&place("text", "2.0.1")), &project.path("text"));
    project.edit("app/PKG.libsonnet", "namespace='acme'))", "namespace='acme'), from='../text')");
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), [] as [&str; 0]);
    assert_eq!(build.hit(), ["//app:app", "//text:made"]);
}

#[test]
fn two_major_versions_of_one_package_coexist() {
    let project = app(&format!("old: {}, new: {}", get("text", "^1"), get("text", "^2"))).build();
    published(&project, "text", "1.4.0", "", "cat data > out.txt");
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    lock(&project, &[&import(&project, "text", "1.4.0"), &import(&project, "text", "2.0.1")]);
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), ["//app:app", "acme/text@1.4.0:made", "acme/text@2.0.1:made"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "own\ntext 2.0.1\ntext 1.4.0\n");
}

#[test]
fn a_requirement_selects_the_highest_matching_locked_version() {
    let project = chain();
    project.build(&["//app"]);
    published(&project, "text", "2.1.0", "", "cat data > out.txt");
    published(&project, "text", "3.0.0", "", "cat data > out.txt");
    let lines = ["text-3.0.0", "greet-1.2.0", "text-2.0.1", "text-2.1.0"].map(|pkg| {
        let (name, version) = pkg.split_once('-').unwrap();
        import(&project, name, version)
    });
    lock(&project, &lines.each_ref().map(String::as_str));
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), ["//app:app", "acme/greet@1.2.0:made", "acme/text@2.1.0:made"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "own\ngreet 1.2.0\ntext 2.1.0\n");
    // In another order, and without unneeded lines, it is the same lock.
    lock(&project, &[&lines[3], &lines[1]]);
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), [] as [&str; 0]);
    // Back again, everything is cached.
    lock(&project, &[&lines[2], &lines[1]]);
    project.build_runs_nothing(&["//app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), MADE);
}

#[test]
fn a_merge_conflict_in_the_lock_is_read_as_both_sides() {
    let project = chain();
    let lines = [import(&project, "text", "2.0.1"), import(&project, "greet", "1.2.0")];
    project.write(
        "wake.lock",
        format!("wake-lock 1\n<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> topic\n", lines[0], lines[1]),
    );
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), MADE);
}

#[test]
fn commands_see_only_the_declared_files_of_a_package() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(
        &project,
        "text",
        "2.0.1",
        "",
        "find . -type f -not -name module.json -not -name out.txt | sort > out.txt",
    );
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "own\n./data\n./made.sh\n");
}

#[test]
fn a_large_directory_of_a_package_is_mounted_as_one() {
    let project = app(&format!("text: {}", get("text", "^2"))).build();
    published(&project, "text", "2.0.1", "", "cat data > out.txt");
    let dir = place("text", "2.0.1");
    (0..20).for_each(|number| {
        project.write(&format!("{dir}/many/{number:02}"), format!("{number}\n"))
    });
    project.edit(&format!("{dir}/PKG.libsonnet"), "'./data'", "'./data', wake.dir('./many/*')");
    lock(&project, &[&import(&project, "text", "2.0.1")]);
    project.edit("app/app.libsonnet", "args=[", "args=[wake.ref('pkg.text./many')] + [");
    project.write_script("app/app.sh", "#!/bin/sh\nset -eu\nls \"$1\" | wc -l > out.txt\n");
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:app", "out.txt").trim(), "20");
    project.write("app/own", "mine\n");
    assert_eq!(project.build(&["//app"]).ran(), ["//app:app"]);
}

#[test]
fn another_checkout_starts_from_the_same_lock() {
    let (one, two) = (chain(), app("").build());
    one.build(&["//app"]);
    copy_tree(one.root(), two.root());
    let build = two.json_build(&["//app"]).store(one.store()).run().success().events();
    assert_eq!(build.ran(), [] as [&str; 0]);
    assert_eq!(two.result_text("//app:app", "out.txt"), MADE);
}

#[test]
fn steps_of_published_packages_are_explained_and_logged_by_their_labels() {
    let project = chain();
    project.build(&["//app"]);
    project.wake(["log", "-o", "acme/text@2.0.1:made"]).run().success().prints(expect![[r#"
        said
    "#]]);
    project.wake(["ls", "//..."]).run().success().prints(expect![[r#"
        //app  app@1.0.0
          //app:app
    "#]]);
    published(
        &project,
        "text",
        "2.0.2",
        "",
        "cat data > out.txt; echo \"$1\" >> out.txt; echo said",
    );
    let lines = [import(&project, "greet", "1.2.0"), import(&project, "text", "2.0.2")];
    lock(&project, &[&lines[0], &lines[1]]);
    project.wake(["plan", "//app"]).run().success().prints(expect![[r#"
        run     acme/text@2.0.2:made   never built here
        unknown acme/greet@1.2.0:made  waits for acme/text@2.0.2:made (usual [TIME])
        unknown //app:app              waits for acme/greet@1.2.0:made (usual [TIME])
        3 steps: 0 cached, 1 to run, 2 unknown
    "#]]);
    project.wake(["graph", "//app"]).run().success().prints(expect![[r#"
        digraph wake {
          rankdir=LR;
          node [shape=box];
          0 [label="//app:app", style=bold];
          1 [label="acme/greet@1.2.0:made"];
          2 [label="acme/text@2.0.2:made"];
          0 -> 1 [label="greet"];
          1 -> 2 [label="text"];
        }
    "#]]);
    project.build(&["//app"]);
    project.wake(["why", "//app:app"]).run().success().prints(expect![[r#"
        //app:app ran last because of: changed inputs .wake/modules/acme@greet@1.2.0@made@2abfec6d860d545a/out.txt
          changed inputs..wake/modules/acme@greet@1.2.0@made@2abfec6d860d545a/out.txt  file 0c3972f58ceb -> file 66691cca1f2e
            because acme/greet@1.2.0:made ran last because of: changed args 1
              changed args.1  "./.wake/modules/acme@text@2.0.1@made@2abfec6d860d545a/out.txt" -> "./.wake/modules/acme@text@2.0.2@made@2abfec6d860d545a/out.txt"
              changed inputs..wake/module.json  file ab63265bc86a -> file 33bf6812ca7a
              added inputs..wake/modules/acme@text@2.0.2@made@2abfec6d860d545a/out.txt  file 503d34bb7e99
                because acme/text@2.0.2:made has had the same key since it was first built here
              removed inputs..wake/modules/acme@text@2.0.1@made@2abfec6d860d545a/out.txt  file ad6379e47ba2
              unchanged: [N] other fields
          unchanged: [N] other fields
    "#]]);
}

#[test]
fn a_package_in_the_store_is_named_like_its_steps() {
    let project = chain();
    let text = "acme/text@2.0.1:made";
    assert_eq!(project.build(&[text]).ran(), [text]);
    assert_eq!(project.build(&["acme/greet@1.2.0"]).ran(), ["acme/greet@1.2.0:made"]);
    project.build_runs_nothing(&[text]);
    for command in ["why", "plan", "graph", "query"] {
        let run = project.wake([command, text]).run().success();
        assert!(run.stdout.contains(text), "{command}: {run}");
    }
    project.wake(["log", "-o", text]).run().success().prints(expect![[r#"
        said
    "#]]);
    project.wake(["exec", text, "--", "ls"]).run().success().prints(expect![[r#"
        data
        made.sh
    "#]]);
    // Its result is kept as long as it is locked.
    let result = || project.path(".wake/out/acme/text@2.0.1/made/out.txt");
    assert_eq!(fs::read_to_string(result()).unwrap(), "text 2.0.1\nword\n");
    project.build(&["//app"]);
    project.edit("app/own", "own", "mine");
    project.build(&["//app"]);
    assert!(result().exists());
    project.write("app/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('app', '1.0.0'))\n");
    lock(&project, &[]);
    project.wake(["build", text]).run().code(2).says(expect![[r#"
        error: no package of the workspace depends on `acme/text@2.0.1`
         help: run `wake tree` to see which packages are needed
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_unneeded_package_in_the_store_is_not_a_target() {
    let project = chain();
    project.wake(["build", "acme/text@2.0.2:made"]).run().code(2).says(expect![[r#"
        error: no package of the workspace depends on `acme/text@2.0.2`
         help: did you mean `acme/text@2.0.1`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    project.wake(["build", "acme/text@2.0.1:mad"]).run().code(2).says(expect![[r#"
        error: acme/text@2.0.1 has no module `mad`
         help: did you mean `made`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn garbage_collection_keeps_locked_packages() {
    let project = chain();
    project.build(&["//app"]);
    let links = || {
        let entries = fs::read_dir(project.path(".wake/pkgs")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(links(), ["acme@greet@1.2.0", "acme@text@2.0.1"]);
    let data = |version: &str| project.path(&format!(".wake/pkgs/acme@text@{version}/data"));
    let old = fs::canonicalize(data("2.0.1")).unwrap();
    project.wake(["gc", "--older-than", "0s"]).run().success();
    assert!(old.exists());
    published(&project, "text", "2.0.2", "", "cat data > out.txt");
    let lines = [import(&project, "greet", "1.2.0"), import(&project, "text", "2.0.2")];
    lock(&project, &[&lines[0], &lines[1]]);
    project.build(&["//app"]);
    assert_eq!(links(), ["acme@greet@1.2.0", "acme@text@2.0.2"]);
    project.wake(["gc", "--older-than", "0s"]).run().success();
    assert!(!old.exists() && data("2.0.2").exists());
}

#[test]
fn a_directory_or_an_archive_of_a_package_is_a_root() {
    if !has_busybox("a_directory_or_an_archive_of_a_package_is_a_root") {
        return;
    }
    let project = app(&format!("base: {}", get("base", "^1"))).build();
    published(&project, "base", "1.0.0", "", "cat data > out.txt");
    let dir = place("base", "1.0.0");
    project.busybox_root(&format!("{dir}/root"), &["sh", "cat"]);
    project.write(&format!("{dir}/root/etc/name"), "inside\n");
    let mut tar = Command::new("tar");
    let packed =
        tar.args(["-C", "root", "-czf", "root.tar.gz", "."]).current_dir(project.path(&dir));
    assert!(packed.status().unwrap().success());
    let names = "'./data', './root.tar.gz', wake.dir('./root')";
    project.edit(&format!("{dir}/PKG.libsonnet"), "'./data'", names);
    lock(&project, &[&import(&project, "base", "1.0.0")]);
    project.write_script("app/app.sh", "#!/bin/sh\nset -eu\ncat own /etc/name > out.txt\n");
    let args = "args=[wake.ref(['modules', key, 'outputs', 'text']) for key in std.objectFields(pkg.pkgs)]";
    project.edit("app/app.libsonnet", args, "rootfs=wake.ref('pkg.base./root')");
    assert_eq!(project.build(&["//app"]).ran(), ["//app:app", "acme/base@1.0.0:made"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "own\ninside\n");
    project.write("app/own", "mine\n");
    assert_eq!(project.build(&["//app"]).ran(), ["//app:app"]);
    assert_eq!(project.result_text("//app:app", "out.txt"), "mine\ninside\n");
    project.edit("app/app.libsonnet", "./root'", "./root.tar.gz'");
    // The archive unpacks to the contents of the directory, so it is the same root.
    project.build_runs_nothing(&["//app"]);
}
