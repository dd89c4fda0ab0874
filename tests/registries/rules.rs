//! The rule library, published, and used by name and version.

use std::fs;

use wake_tests::{Build, Project, PublishedRules, has_program, project, skip};

/// A C program and a test of its library, by rules from the location that `toml` sets.
fn program(toml: &str) -> Project {
    project()
        .file("wake.toml", toml)
        .file(
            "app/PKG.libsonnet",
            "local cc = import '@cc/rules.libsonnet';\n\nfunction(wake) wake.pkg(\n  \
             wake.pkgInfo('app', '1.0.0'),\n  files=wake.dir(['*.c', '*.h']),\n  \
             pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake')) },\n  \
             modules=cc.library('twice', ['twice.c'])\n          \
             + cc.binary('app', ['main.c'], deps=[':twice'])\n          \
             + cc.test('check', ['check.c'], deps=[':twice']),\n)\n",
        )
        .file("app/twice.h", "int twice(int n);\n")
        .file("app/twice.c", "#include \"twice.h\"\nint twice(int n) { return 2 * n; }\n")
        .file(
            "app/main.c",
            "#include <stdio.h>\n#include \"twice.h\"\nint main(void) { printf(\"%d\\n\", twice(21)); return 0; }\n",
        )
        .file("app/check.c", "#include \"twice.h\"\nint main(void) { return twice(2) != 4; }\n")
        .build()
}

/// How many packages a build fetched.
fn fetched(build: &Build) -> u64 {
    build.of_kind("fetched").map(|event| event["pkgs"].as_u64().unwrap()).sum()
}

#[test]
fn the_rule_library_is_published_without_warnings() {
    let rules = PublishedRules::unpublished();
    let library = rules.library();
    let published = library.wake(["publish"]).args(PublishedRules::NAMES).run().success();
    let said = published.redacted_stderr();
    assert!(!said.contains("warning"), "{said}");
    for name in PublishedRules::NAMES {
        assert!(said.contains(&format!("Published wake/{name} 1.0.0")), "{said}");
        let listed = library.wake(["publish", name, "--list"]).run().success().stdout;
        assert!(listed.lines().any(|line| line == "README.md"), "{listed}");
        assert!(!listed.contains("tests/"), "{listed}");
    }
}

#[test]
fn rules_from_a_registry_build_and_test_a_program() {
    if !has_program("cc") {
        return skip("rules_from_a_registry_build_and_test_a_program", "needs a C compiler");
    }
    let rules = PublishedRules::publish();
    let user = program(&rules.toml());
    let build = user.build(&["//app"]);
    assert_eq!(fetched(&build), 2, "cc and its dependency rule");
    let lock = user.read("wake.lock");
    assert!(
        lock.contains("\nwake/cc 1.0.0 rules ") && lock.contains("\nwake/rule 1.0.0 rules "),
        "{lock}"
    );
    assert_eq!(user.wake(["run", "//app:app"]).run().success().stdout, "42\n");
    user.wake(["test", "//app"]).run().success().mentions("1 passed");

    // Only the store is left, and a source has changed.
    fs::remove_dir_all(rules.registry()).unwrap();
    fs::remove_dir_all(user.path(".wake")).unwrap();
    user.edit("app/twice.c", "2 * n", "n + n + 0");
    let again = user.json_build(&["//app", "--offline"]).run().success().events();
    assert!(again.ran().contains(&"//app:twice twice.c"), "{:?}", again.ran());
    user.wake(["test", "//app", "--offline"]).run().success().mentions("1 passed");
    user.edit("app/twice.c", "n + n + 0", "3 * n");
    user.wake(["test", "//app", "--offline"]).run().code(3).mentions("FAIL //app:check");
    assert_eq!(user.read("wake.lock"), lock);
}

/// Several packages of the library share their dependencies.
#[test]
fn shared_dependencies_of_rules_are_fetched_once() {
    let rules = PublishedRules::publish();
    let user = project()
        .file("wake.toml", &rules.toml())
        .file(
            "app/PKG.libsonnet",
            "local sh = import '@sh/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('app', '1.0.0'),\n  \
             pkgs={ [key]: wake.getPkg(wake.pkgInfo(key, '^1', 'wake')) for key in ['sh', 'cc', 'python'] },\n  \
             modules=sh.run('words', 'echo words >words', out='words') + sh.install('tree', { 'share/': ':words' }),\n)\n",
        )
        .build();
    let build = user.build(&["//app"]);
    assert_eq!(fetched(&build), 4);
    assert_eq!(user.result_text("//app:tree", "root/share/words"), "words\n");
}
