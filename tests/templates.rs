//! `wake init --template`: each generated package is built and tested unchanged.

#![allow(clippy::unwrap_used)]

use wake_tests::{
    Project, PublishedRules, has_program, has_system_rust, project, rust_toolchain_into, skip,
};

/// A workspace that gets the rule library from a registry.
fn workspace() -> (Project, PublishedRules) {
    let rules = PublishedRules::publish();
    (project().file("wake.toml", &rules.toml()).build(), rules)
}

/// Checks that a package of the template at `//app` prints the expected text, and that its tests pass and fail as expected.
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
    assert!(!project.path("app/wake.toml").exists(), "the workspace already has one");
}

#[test]
fn the_plain_template_works() {
    let project = project().file("wake.toml", "").build();
    created(&project, "plain");
    project.wake(["test", "//app"]).run().success().mentions("tested 1 test: 1 passed");
}

#[test]
fn the_sh_template_works() {
    let (project, _rules) = workspace();
    created(&project, "sh");
    works(&project, "app/words.txt", "tested 1 test: 1 passed");
}

#[test]
fn the_cc_template_works() {
    if !has_program("cc") {
        return skip("the_cc_template_works", "needs a C compiler");
    }
    let (project, _rules) = workspace();
    created(&project, "cc");
    works(&project, "app/src/greeting.c", "tested 1 test: 1 passed");
}

#[test]
fn the_python_template_works() {
    let (project, _rules) = workspace();
    created(&project, "python");
    // The step for the test file, and the one for all files.
    works(&project, "app/src/greeting.py", "tested 2 tests: 2 passed");
}

#[test]
fn the_rust_template_works() {
    let (project, _rules) = workspace();
    created(&project, "rust");
    if !has_system_rust() {
        if !rust_toolchain_into(&project, "tools", "") {
            return skip("the_rust_template_works", "needs rustc");
        }
        // As documented on the page of the rules.
        let tools = ", tools: wake.getPkg(wake.pkgInfo('tools', '^1'), from='../tools') },";
        project.edit("app/PKG.libsonnet", " },\n  modules", &format!("{tools}\n  modules"));
        let text = project.read("app/PKG.libsonnet");
        project
            .write("app/PKG.libsonnet", text.replace("srcs=[]", "srcs=[], toolchain='tools:rust'"));
    }
    works(&project, "app/src/lib.rs", "tested 1 test: 1 passed");
}

#[test]
fn without_a_registry_init_shows_the_settings_to_add() {
    let project = project().build();
    let written = project.wake(["init", "app", "--template", "sh"]).run().success();
    let expected = "     Created package `app` in app\n        \
                    Next configure the rule registry in `app/wake.toml`: `[registries]` `rules = \"ADDRESS\"` and `[namespaces]` `wake = \"rules\"`\n        \
                    Then run it with `wake -C app run :hello`, test it with `wake -C app test`\n";
    assert_eq!(written.redacted_stderr(), expected);
    let attributes = project.read("app/.gitattributes");
    assert!(attributes.contains("\nwake.lock merge=union\n"), "{attributes}");
    assert!(project.read("app/.gitignore").contains("\n/.wake/\n"));
    // Until then, an error says the same.
    let app = project.path("app");
    let unsaid = project.wake(["build"]).cwd(app).run().code(6);
    unsaid
        .mentions("help: configure its registry in `wake.toml`: `[registries]` `main = \"ADDRESS\"` and `[namespaces]` `wake = \"main\"`");

    // The commented settings, with a valid address.
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

    // A package of a workspace without a registry.
    let within = wake_tests::project().file("wake.toml", "").build();
    let written = within.wake(["init", "libs/app", "--template", "cc"]).run().success();
    let expected = "     Created package `app` in libs/app\n        \
                    Next configure the rule registry in `wake.toml`: `[registries]` `rules = \"ADDRESS\"` and `[namespaces]` `wake = \"rules\"`\n        \
                    Then run it with `wake -C libs/app run :hello`, test it with `wake -C libs/app test`\n";
    assert_eq!(written.redacted_stderr(), expected);
}
