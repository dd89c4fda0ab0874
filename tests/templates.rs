//! `wake init --template`: each package is built and tested as it was written.

#![allow(clippy::unwrap_used)]

use wake_tests::{
    Project, PublishedRules, has_program, has_system_rust, project, rust_toolchain_into, skip,
};

/// A workspace that takes the rule library from a registry.
fn workspace() -> (Project, PublishedRules) {
    let rules = PublishedRules::publish();
    (project().file("wake.toml", &rules.toml()).build(), rules)
}

/// A package of the template at `//app` says what it should, and its tests pass and fail as they should.
fn works(project: &Project, source: &str, tests: &str) {
    let ran = project.wake(["run", "//app:hello"]).run().success();
    assert_eq!(ran.stdout, "Hello from app.\n");
    project.wake(["test", "//app"]).run().success().mentions(tests);
    project.wake(["test", "//app"]).run().success().mentions("all cached");
    project.edit(source, "Hello from", "Bye from");
    project.wake(["test", "//app"]).run().code(3).mentions("FAIL //app:check");
}

fn created(project: &Project, template: &str) {
    let written = project.wake(["init", "app", "--template", template]).run().success();
    let expected = "     Created package `app` in app\n        \
                    Next run it with `wake -C app run :hello`, test it with `wake -C app test`\n";
    assert_eq!(written.redacted_stderr(), expected);
    assert!(!project.path("app/wake.toml").exists(), "the workspace has one");
}

#[test]
fn plain() {
    let project = project().file("wake.toml", "").build();
    created(&project, "plain");
    project.wake(["test", "//app"]).run().success().mentions("tested 1 test: 1 passed");
}

#[test]
fn sh() {
    let (project, _rules) = workspace();
    created(&project, "sh");
    works(&project, "app/words.txt", "tested 1 test: 1 passed");
}

#[test]
fn cc() {
    if !has_program("cc") {
        return skip("cc", "there is no C compiler");
    }
    let (project, _rules) = workspace();
    created(&project, "cc");
    works(&project, "app/src/greeting.c", "tested 1 test: 1 passed");
}

#[test]
fn python() {
    let (project, _rules) = workspace();
    created(&project, "python");
    // The file of tests, and the one that stands for all files.
    works(&project, "app/src/greeting.py", "tested 2 tests: 2 passed");
}

#[test]
fn rust() {
    let (project, _rules) = workspace();
    created(&project, "rust");
    if !has_system_rust() {
        if !rust_toolchain_into(&project, "tools", "") {
            return skip("rust", "there is no rustc");
        }
        // As the page of the rules says.
        let tools = ", tools: wake.getPkg(wake.pkgInfo('tools', '^1'), from='../tools') },";
        project.edit("app/PKG.libsonnet", " },\n  modules", &format!("{tools}\n  modules"));
        let text = project.read("app/PKG.libsonnet");
        project
            .write("app/PKG.libsonnet", text.replace("srcs=[]", "srcs=[], toolchain='tools:rust'"));
    }
    works(&project, "app/src/lib.rs", "tested 1 test: 1 passed");
}

#[test]
fn where_no_registry_is_named_it_is_said_what_to_write() {
    let project = project().build();
    let written = project.wake(["init", "app", "--template", "sh"]).run().success();
    let expected = "     Created package `app` in app\n        \
                    Next configure the rule registry in `app/wake.toml`: `[registries]` `rules = \"ADDRESS\"` and `[namespaces]` `wake = \"rules\"`\n        \
                    Then run it with `wake -C app run :hello`, test it with `wake -C app test`\n";
    assert_eq!(written.redacted_stderr(), expected);
    let attributes = project.read("app/.gitattributes");
    assert!(attributes.contains("\nwake.lock merge=union\n"), "{attributes}");
    assert!(project.read("app/.gitignore").contains("\n/.wake/\n"));
    // Until then an error says the same.
    let app = project.path("app");
    let unsaid = project.wake(["build"]).cwd(app).run().code(6);
    unsaid
        .mentions("help: say in `wake.toml` where the packages of `wake` are: `[registries]` `main = \"ADDRESS\"` and `[namespaces]` `wake = \"main\"`");

    // What stands there as a comment, with an address that is right.
    let rules = PublishedRules::publish();
    let registry = rules.registry();
    let toml = project.read("app/wake.toml");
    let toml = toml.replace("file:/srv/wake-rules", &format!("file://{}", registry.display()));
    let uncommented = |line: &str| match line {
        "# [registries]" | "# [namespaces]" => line[2..].to_owned(),
        _ => line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned(),
    };
    let lines: Vec<String> = toml.lines().map(uncommented).collect();
    project.write("app/wake.toml", lines.join("\n") + "\n");
    let ran = project.wake(["-C", "app", "run", ":hello"]).run().success();
    assert_eq!(ran.stdout, "Hello from app.\n");

    // A package of a workspace that names none.
    let within = wake_tests::project().file("wake.toml", "").build();
    let written = within.wake(["init", "libs/app", "--template", "cc"]).run().success();
    let expected = "     Created package `app` in libs/app\n        \
                    Next configure the rule registry in `wake.toml`: `[registries]` `rules = \"ADDRESS\"` and `[namespaces]` `wake = \"rules\"`\n        \
                    Then run it with `wake -C libs/app run :hello`, test it with `wake -C libs/app test`\n";
    assert_eq!(written.redacted_stderr(), expected);
}
