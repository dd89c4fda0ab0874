//! The library of rules, `rules/`: its own tests, what a change runs, and what is said of calls that are wrong.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use wake_tests::{Build, Expect, Project, expect, project, rules, rules_into};

/// A package `//app` that may use all rules, with `modules`; the rules lie in `//rules`.
fn app(files: &str, modules: &str) -> Project {
    let project = project().file("wake.toml", "").build();
    rules_into(&project, "rules");
    let keys: Vec<String> = ["cc", "sh", "python"]
        .iter()
        .map(|key| format!("{key}: wake.getPkg(wake.pkgInfo('{key}', '^1', 'wake'), from='../rules/{key}')"))
        .collect();
    let imports = ["cc", "sh", "python"].map(|key| format!("local {key} = import '@{key}/rules.libsonnet';\n"));
    project.write(
        "app/PKG.libsonnet",
        format!(
            "{}function(wake) wake.pkg(\n  wake.pkgInfo('app', '1.0.0'),\n  files={files},\n  pkgs={{ {} }},\n  modules={modules},\n)\n",
            imports.concat(),
            keys.join(", "),
        ),
    );
    project
}

/// What a build ran, without what it only collected.
fn ran(build: &Build) -> Vec<&str> {
    build.ran()
}

#[test]
fn the_tests_of_the_rules_pass() {
    let project = rules();
    project.wake(["test", "//..."]).run().success();
    project.wake(["build", "//..."]).run().success();
    project.build_runs_nothing(&["//..."]);
}

#[test]
fn a_header_runs_what_includes_it() {
    let project = rules();
    let cold = project.build(&["//example"]);
    let expected = [
        "//example:count",
        "//example:count src/main.c",
        "//example:table",
        "//example:tree",
        "//example:vowels",
        "//example:vowels :table",
        "//example:vowels lib/vowels.c",
        "//example:vowels.headers",
    ];
    assert_eq!(ran(&cold), expected);
    assert_eq!(project.result_text("//example:tree", "root/usr/share/doc/count/README.md"), project.read("example/README.md"));

    project.edit("example/lib/version.h", "1", "2");
    project.build_runs_nothing(&["//example"]);
    // A comment compiles both that include it, and there it stops.
    project.edit("example/lib/vowels.h", "/* How many", "/* Tells how many");
    let build = project.build(&["//example"]);
    assert_eq!(ran(&build), ["//example:count src/main.c", "//example:vowels lib/vowels.c"]);
    // A header that appears before the one that was found would be found now.
    project.write("example/src/vowels.h", "#define count_vowels(text) 7\n");
    let build = project.build(&["//example"]);
    assert!(ran(&build).contains(&"//example:count src/main.c"), "{:?}", ran(&build));
    let said = project.wake(["run", "//example:count", "--", "x"]).run().success();
    assert_eq!(said.stdout, "x 7\n");
}

#[test]
fn a_step_is_called_by_its_source() {
    let project = rules();
    let build = project.build(&["//example:count src/main.c"]);
    assert_eq!(ran(&build), ["//example:count src/main.c", "//example:vowels.headers"]);
    let object = std::fs::read_dir(project.path(".wake/out/example")).unwrap().count();
    assert_eq!(object, 1);
}

#[test]
fn headers_of_other_packages_are_collected_and_narrow() {
    let project = app("wake.dir(['*.c'])", "cc.binary('app', ['*.c'], deps=['lib:two'])");
    project.edit("app/PKG.libsonnet", "pkgs={", "pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '^1'), from='../lib'),");
    project.write(
        "lib/PKG.libsonnet",
        "local cc = import '@cc/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('lib', '1.0.0'),\n  \
         files=wake.dir(['one/*', 'two/*']),\n  \
         pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake'), from='../rules/cc') },\n  \
         modules=cc.headers('one', hdrs=['one/*.h'], includes=['one'], defines=['ONE=1'])\n  \
         + cc.library('two', ['two/*.c'], hdrs=['two/*.h'], includes=['two'], deps=[':one'], shared=true),\n)\n",
    );
    project.write("lib/one/one.h", "static int one(void) { return ONE; }\n");
    project.write("lib/two/two.h", "#include \"one.h\"\nint two(void);\n");
    project.write("lib/two/other.h", "int other;\n");
    project.write("lib/two/two.c", "#include \"two.h\"\nint two(void) { return one() + 1; }\n");
    project.write("app/main.c", "#include <stdio.h>\n#include \"two.h\"\nint main(void) { printf(\"%d%d\\n\", one(), two()); }\n");
    let said = project.wake(["run", "//app:app"]).run().success();
    assert_eq!(said.stdout, "12\n");
    // What was collected is other, and nobody read that.
    project.write("lib/two/other.h", "int other2;\n");
    assert_eq!(ran(&project.build(&["//app"])), ["//lib:two.offered"]);
    project.write("lib/one/one.h", "static int one(void) { return ONE + 4; }\n");
    let said = project.wake(["run", "//app:app"]).run().success();
    assert_eq!(said.stdout, "56\n");
}

#[test]
fn options_reach_the_compiler() {
    let project = rules();
    project.build(&["//example:count"]);
    let debug = |set: &[&str]| {
        project.wake(["build", "//example:count"]).args(set).run().success();
        let readelf = Command::new("readelf")
            .args(["--debug-dump=info", "--wide"])
            .arg(project.result("//example:count", "count"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&readelf.stdout).into_owned()
    };
    assert!(!debug(&[]).contains("src/main.c"));
    let info = debug(&["--set", "cc.debug=true"]);
    // From the directory of the package a debugger finds the source, wherever that lies.
    assert!(info.contains("./src/main.c") || info.contains("src/main.c"), "{info}");
    assert!(!info.contains("/work"), "{info}");
    let build = project.json_build(&["//example:count", "--set", "cc.copts=-DNDEBUG -Wall"]).run().success().events();
    assert_eq!(ran(&build).iter().filter(|label| label.contains(' ')).count(), 3);
    project
        .wake(["build", "//example:count", "--set", "cc.compiler=no-such-cc"])
        .run()
        .code(5)
        .mentions("no-such-cc");
}

#[test]
fn archives_are_the_same_bytes_everywhere() {
    let (one, two) = (rules(), rules());
    let packed = |project: &Project| {
        project.build(&["//sh/tests:tar", "//sh/tests:tar-xz", "//sh/tests:zip"]);
        ["tar/tar.tar.gz", "tar-xz/tree.tar.xz", "zip/tree.zip"]
            .map(|path| std::fs::read(project.path(".wake/out/sh/tests").join(path)).unwrap())
    };
    two.touch("sh/tests/texts/one");
    assert!(packed(&one) == packed(&two));
}

#[test]
fn a_test_in_python_is_a_step_for_each_file() {
    let project = rules();
    project.wake(["test", "//python/tests"]).run().success();
    project.edit("python/tests/tests/test_sums.py", "12", "13");
    let failed = project.wake(["test", "//python/tests"]).run().code(3);
    let says = failed.redacted_stderr();
    assert!(says.contains("FAIL //python/tests:tests tests/test_sums.py"), "{says}");
    assert!(!says.contains("tests/test_wheels.py"), "what passed and has not changed is remembered: {says}");
}

#[test]
fn wheels_are_what_the_lock_says() {
    let project = rules();
    let lock = "python/tests/wheels/requirements.txt";
    let text = project.read(lock);
    let digest = text.trim_end().rsplit(':').next().unwrap().to_owned();
    project.edit(lock, &digest, &"0".repeat(64));
    let failed = project.wake(["build", "//python/tests:site"]).run().code(1);
    failed.mentions("wheels/requirements.txt: no file has a hash that `greeting==1.0.0` has there");
    project.write(lock, "greeting==1.0.0\n");
    let failed = project.wake(["build", "//python/tests:site"]).run().code(1);
    failed.mentions("wheels/requirements.txt:1: `greeting` has no hash");
}

/// What is said of `modules` in a package with one source, from the second line on.
fn refused(modules: &str, expected: Expect) {
    let project = app("['./main.c']", modules);
    project.write("app/main.c", "int main(void) { return 0; }\n");
    project.wake(["build", "//app"]).run().code(5).says(expected);
}

#[test]
fn arguments_of_another_kind() {
    refused("cc.binary('app', srcs='main.c')", expect![[r#""#]]);
    refused("cc.binary('app', ['main.c'], deps=[':a', 3])", expect![[r#""#]]);
    refused("cc.library(3)", expect![[r#""#]]);
    refused("sh.test('t', ['true'], test=1)", expect![[r#""#]]);
    refused("sh.archive('a', ['main.c'], out='a.rar')", expect![[r#""#]]);
    refused("sh.install('a', { 'bin/': 3 })", expect![[r#""#]]);
    refused("python.test('t', runner='nose')", expect![[r#""#]]);
    refused("python.binary('p')", expect![[r#""#]]);
}

#[test]
fn arguments_that_are_missing_or_unknown() {
    refused("sh.generate('a')", expect![[r#""#]]);
    refused("cc.binary('app', sources=['main.c'])", expect![[r#""#]]);
    refused("cc.program('app', ['main.c'])", expect![[r#""#]]);
}

#[test]
fn names_that_lead_nowhere() {
    refused("cc.binary('app', ['main.c'], deps=[':lib'])", expect![[r#""#]]);
    refused("cc.binary('app', ['main.c'], deps=['z:lib'])", expect![[r#""#]]);
    refused("cc.binary('app', ['src/*.c'])", expect![[r#""#]]);
    refused("cc.binary('app', ['main.c'], hdrs=['include/*.h'])", expect![[r#""#]]);
    refused("sh.test('t', 'tests/run.sh')", expect![[r#""#]]);
    refused("sh.test('t', ['true'], tools={ 'bin/x': 'main.c' })", expect![[r#""#]]);
}

#[test]
fn modules_that_make_too_much() {
    let project = app(
        "['./main.c']",
        "sh.run('two', 'touch a.c b.c', out=['a.c', 'b.c']) + cc.binary('app', ['main.c', ':two'])",
    );
    project.write("app/main.c", "int main(void) { return 0; }\n");
    project.wake(["build", "//app:app"]).run().code(5).says(expect![[r#""#]]);
}
