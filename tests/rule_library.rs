//! The rule library, `rules/`: its own tests, the steps that a change reruns, and the messages for invalid calls.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use wake_tests::{Expect, Project, expect, project, rules, rules_into};

/// A package `//app` with `modules` that may use all rules, which are in `//rules`.
fn app(files: &str, modules: &str) -> Project {
    let project = project().file("wake.toml", "").build();
    rules_into(&project, "rules");
    let keys: Vec<String> = ["cc", "sh", "python"]
        .iter()
        .map(|key| {
            format!(
                "{key}: wake.getPkg(wake.pkgInfo('{key}', '^1', 'wake'), from='../rules/{key}')"
            )
        })
        .collect();
    let imports = ["cc", "sh", "python"]
        .map(|key| format!("local {key} = import '@{key}/rules.libsonnet';\n"));
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

#[test]
fn the_tests_of_the_rules_pass() {
    let project = rules();
    project.wake(["test", "//..."]).run().success();
    project.wake(["build", "//..."]).run().success();
    project.build_runs_nothing(&["//..."]);
}

#[test]
fn a_changed_header_recompiles_the_units_that_include_it() {
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
    assert_eq!(cold.ran(), expected);
    assert_eq!(
        project.result_text("//example:tree", "root/usr/share/doc/count/README.md"),
        project.read("example/README.md")
    );

    project.edit("example/lib/version.h", "1", "2");
    project.build_runs_nothing(&["//example"]);
    // A comment recompiles both units that include it, and nothing after them runs.
    project.edit("example/lib/vowels.h", "/* How many", "/* Tells how many");
    let build = project.build(&["//example"]);
    assert_eq!(build.ran(), ["//example:count src/main.c", "//example:vowels lib/vowels.c"]);
    // A new header that comes earlier in the search path is found instead.
    project.write("example/src/vowels.h", "#define count_vowels(text) 7\n");
    let build = project.build(&["//example"]);
    assert!(build.ran().contains(&"//example:count src/main.c"), "{:?}", build.ran());
    let said = project.wake(["run", "//example:count", "--", "x"]).run().success();
    assert_eq!(said.stdout, "x 7\n");
}

#[test]
fn a_compile_step_is_named_after_its_source() {
    let project = rules();
    let build = project.build(&["//example:count src/main.c"]);
    assert_eq!(build.ran(), ["//example:count src/main.c", "//example:vowels.headers"]);
    let mut results = std::fs::read_dir(project.path(".wake/out/example")).unwrap();
    assert!(results.any(|result| result.unwrap().path().join("src/main.c.o").is_file()));
}

#[test]
fn only_the_headers_read_from_other_packages_count() {
    let project = app("wake.dir(['*.c'])", "cc.binary('app', ['*.c'], deps=['lib:two'])");
    project.edit(
        "app/PKG.libsonnet",
        "pkgs={",
        "pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '^1'), from='../lib'),",
    );
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
    // The collected headers changed, but nothing reads the change.
    project.write("lib/two/other.h", "int other2;\n");
    assert_eq!(project.build(&["//app"]).ran(), ["//lib:two.offered"]);
    project.write("lib/one/one.h", "static int one(void) { return ONE + 4; }\n");
    let said = project.wake(["run", "//app:app"]).run().success();
    assert_eq!(said.stdout, "56\n");
}

#[test]
fn include_directories_may_be_nested() {
    let project = app("wake.dir(['*.c'])", "cc.binary('app', ['*.c'], deps=['lib:l'])");
    project.edit(
        "app/PKG.libsonnet",
        "pkgs={",
        "pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '^1'), from='../lib'),",
    );
    project.write(
        "lib/PKG.libsonnet",
        "local cc = import '@cc/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('lib', '1.0.0'),\n  \
         files=wake.dir(['*.h', '*.c', 'include/**']),\n  \
         pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake'), from='../rules/cc') },\n  \
         modules=cc.library('l', ['l.c'], includes=['include', '.', 'include/l', 'include']),\n)\n",
    );
    project.write("lib/include/l/l.h", "#define L 1\n");
    project.write("lib/top.h", "#define TOP 2\n");
    project.write("lib/l.c", "#include \"top.h\"\nint made(void) { return TOP; }\n");
    let main = "#include <l/l.h>\n#include <l.h>\n#include <top.h>\nint made(void);\nint main(void) { return made() - TOP + L - 1; }\n";
    project.write("app/main.c", main);
    project.wake(["run", "//app:app"]).run().success();
    project.build_runs_nothing(&["//app:app"]);
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
    // A debugger finds the source from the directory of the package, wherever that is.
    assert!(info.contains("./src/main.c") || info.contains("src/main.c"), "{info}");
    assert!(!info.contains("/work"), "{info}");
    let build = project
        .json_build(&["//example:count", "--set", "cc.copts=-DNDEBUG -Wall"])
        .run()
        .success()
        .events();
    assert_eq!(build.ran().iter().filter(|label| label.contains(' ')).count(), 3);
    project
        .wake(["build", "//example:count", "--set", "cc.compiler=no-such-cc"])
        .run()
        .code(1)
        .mentions("program `no-such-cc` not found");
}

#[test]
fn archives_are_reproducible() {
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
fn python_tests_are_one_step_per_file() {
    let project = rules();
    project.wake(["test", "//python/tests"]).run().success();
    project.edit("python/tests/tests/test_sums.py", "12", "13");
    let failed = project.wake(["test", "//python/tests"]).run().code(3);
    let says = failed.redacted_stderr();
    assert!(says.contains("FAIL //python/tests:tests tests/test_sums.py"), "{says}");
    assert!(!says.contains("tests/test_wheels.py"), "unchanged passes are cached: {says}");
}

#[test]
fn wheels_must_match_the_lock_file() {
    let project = rules();
    let lock = "python/tests/wheels/requirements.txt";
    let text = project.read(lock);
    let digest = text.trim_end().rsplit(':').next().unwrap().to_owned();
    project.edit(lock, &digest, &"0".repeat(64));
    let failed = project.wake(["build", "//python/tests:site"]).run().code(1);
    failed.mentions("wheels/requirements.txt: no wheel has a hash of `greeting==1.0.0`");
    project.write(lock, "greeting==1.0.0\n");
    let failed = project.wake(["build", "//python/tests:site"]).run().code(1);
    failed.mentions("wheels/requirements.txt:1: `greeting` has no hash");
}

/// Checks the errors for `modules` in a package with one source. The line of the rule is omitted because it changes with the rules.
fn refused(modules: &str, expected: Expect) {
    let project = app("['./main.c']", modules);
    project.write("app/main.c", "int main(void) { return 0; }\n");
    let said = project.wake(["build", "//app"]).run().code(5).redacted_stderr();
    let line = |line: &str| match line.split_once(".libsonnet:") {
        Some((file, _)) if line.contains("refused at") => format!("{file}.libsonnet\n"),
        _ => format!("{line}\n"),
    };
    expected.assert_eq(&said.lines().map(line).collect::<String>());
}

#[test]
fn arguments_of_the_wrong_type() {
    refused(
        "cc.binary('app', srcs='main.c')",
        expect![[r#"
        error: cc.binary('app'): `srcs` must be a list of strings, not a string
         --> app/PKG.libsonnet:8:33
          |
        8 |   modules=cc.binary('app', srcs='main.c'),
          |                                 ^^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.binary('app', ['main.c'], deps=[':a', 3])",
        expect![[r#"
        error: cc.binary('app'): `deps` must be a list of strings, not a number as element 1
         --> app/PKG.libsonnet:8:45
          |
        8 |   modules=cc.binary('app', ['main.c'], deps=[':a', 3]),
          |                                             ^^^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.library(3)",
        expect![[r#"
        error: cc.library(): `name` must be a string, not a number
         --> app/PKG.libsonnet:8:11
          |
        8 |   modules=cc.library(3),
          |           ^^^^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "sh.test('t', ['true'], test=1)",
        expect![[r#"
        error: sh.test('t'): `test` must be true or an object, not a number
         --> app/PKG.libsonnet:8:39
          |
        8 |   modules=sh.test('t', ['true'], test=1),
          |                                       ^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "sh.archive('a', ['main.c'], out='a.rar')",
        expect![[r#"
        error: sh.archive('a'): `out` must be a name that ends in one of .tar, .tar.gz, .tgz, .tar.xz, .tar.zst, .zip, not 'a.rar'
         --> app/PKG.libsonnet:8:43
          |
        8 |   modules=sh.archive('a', ['main.c'], out='a.rar'),
          |                                           ^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "sh.install('a', { 'bin/': 3 })",
        expect![[r#"
        error: sh.install('a'): `files` must be an object of paths, globs and targets, or lists of these, not a number as `bin/`
         --> app/PKG.libsonnet:8:29
          |
        8 |   modules=sh.install('a', { 'bin/': 3 }),
          |                             ^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "python.test('t', runner='nose')",
        expect![[r#"
        error: python.test('t'): `runner` must be one of unittest, pytest, not 'nose'
         --> app/PKG.libsonnet:8:35
          |
        8 |   modules=python.test('t', runner='nose'),
          |                                   ^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "python.binary('p')",
        expect![[r#"
        error: python.binary('p'): set either `main` or `module`
         --> app/PKG.libsonnet:8:11
          |
        8 |   modules=python.binary('p'),
          |           ^^^^^^^^^^^^^
          = note: refused at rules/python/rules.libsonnet
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "python.binary('p', module='main.py')",
        expect![[r#"
            error: python.binary('p'): `module` must be a dotted name such as 'shop.till', not 'main.py'; use `main` for a file
             --> app/PKG.libsonnet:8:37
              |
            8 |   modules=python.binary('p', module='main.py'),
              |                                     ^^^^^^^^^
              = note: refused at rules/python/rules.libsonnet
              = note: pkg() is called at app/PKG.libsonnet:4:16
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "python.library('p', ['main.c'], root='src')",
        expect![[r#"
            error: python.library('p'): `root` is 'src', but no file of `srcs` is below it
             --> app/PKG.libsonnet:8:48
              |
            8 |   modules=python.library('p', ['main.c'], root='src'),
              |                                                ^^^^^
              = note: refused at rules/python/modules.libsonnet
              = note: evaluated for `//app:p`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn missing_and_unknown_arguments() {
    refused(
        "sh.generate('a')",
        expect![[r#"
        error: argument `command` of generate() is missing
         --> app/PKG.libsonnet:8:11
          |
        8 |   modules=sh.generate('a'),
          |           ^^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.binary('app', sources=['main.c'])",
        expect![[r#"
        error: unknown argument `sources` of binary()
         --> app/PKG.libsonnet:8:28
          |
        8 |   modules=cc.binary('app', sources=['main.c']),
          |                            ^^^^^^^ did you mean `srcs`?
          = note: pkg() is called at app/PKG.libsonnet:4:16
          help: the arguments are name, srcs, exclude, hdrs, deps, copts, linkopts, out, toolchain, tags
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.program('app', ['main.c'])",
        expect![[r#"
        error: there is no field `program`
         --> app/PKG.libsonnet:8:14
          |
        8 |   modules=cc.program('app', ['main.c']),
          |              ^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:4:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn unknown_names() {
    refused(
        "cc.binary('app', ['main.c'], deps=[':lib'])",
        expect![[r#"
        error: cc.binary('app'): there is no module `:lib`; available: `app`
         --> app/PKG.libsonnet:8:46
          |
        8 |   modules=cc.binary('app', ['main.c'], deps=[':lib']),
          |                                              ^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: evaluated for `//app:app`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.binary('app', ['main.c'], deps=['z:lib'])",
        expect![[r#"
        error: cc.binary('app'): `z:lib` names a module of `z`, but `pkgs` has no such key; available: `cc`, `python`, `sh`
         --> app/PKG.libsonnet:8:46
          |
        8 |   modules=cc.binary('app', ['main.c'], deps=['z:lib']),
          |                                              ^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: evaluated for `//app:app`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.binary('app', ['src/*.c'])",
        expect![[r#"
        error: `src/*.c` matches no file in the package
         --> app/PKG.libsonnet:8:29
          |
        8 |   modules=cc.binary('app', ['src/*.c']),
          |                             ^^^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: evaluated for `//app:app`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "cc.binary('app', ['mian.c'])",
        expect![[r#"
            error: `./mian.c` matches none of the package's `files`
             --> app/PKG.libsonnet:8:29
              |
            8 |   modules=cc.binary('app', ['mian.c']),
              |                             ^^^^^^^^ did you mean `./main.c`?
              = note: refused at rules/cc/units.libsonnet
              = note: evaluated for `//app:app` with the config {"src":"mian.c"}
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "cc.binary('app', ['PKG.libsonnet'])",
        expect![[r#"
            error: `./PKG.libsonnet` matches none of the package's `files`
             --> app/PKG.libsonnet:8:29
              |
            8 |   modules=cc.binary('app', ['PKG.libsonnet']),
              |                             ^^^^^^^^^^^^^^^
              = note: refused at rules/cc/units.libsonnet
              = note: evaluated for `//app:app` with the config {"src":"PKG.libsonnet"}
              help: the file exists: add `./PKG.libsonnet` to `files` of the package
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "python.binary('app', main='mian.c')",
        expect![[r#"
            error: `./mian.c` matches none of the package's `files`
             --> app/PKG.libsonnet:8:37
              |
            8 |   modules=python.binary('app', main='mian.c'),
              |                                     ^^^^^^^^ did you mean `./main.c`?
              = note: refused at rules/python/modules.libsonnet
              = note: evaluated for `//app:app`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
    refused(
        "cc.binary('app', ['main.c'], hdrs=['include/*.h'])",
        expect![[r#"
        error: `include/*.h` matches none of the package's `files`
         --> app/PKG.libsonnet:8:46
          |
        8 |   modules=cc.binary('app', ['main.c'], hdrs=['include/*.h']),
          |                                              ^^^^^^^^^^^^^
          = note: refused at rules/cc/units.libsonnet
          = note: evaluated for `//app:app` with the config {"src":"main.c"}
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "sh.test('t', 'tests/run.sh')",
        expect![[r#"
        error: `tests/run.sh` matches none of the package's `files`
         --> app/PKG.libsonnet:8:24
          |
        8 |   modules=sh.test('t', 'tests/run.sh'),
          |                        ^^^^^^^^^^^^^^
          = note: refused at rules/sh/command.libsonnet
          = note: evaluated for `//app:t`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    refused(
        "sh.test('t', ['true'], tools={ 'bin/x': 'main.c' })",
        expect![[r#"
        error: sh.test('t'): `tools` names `main.c`, which is not a module; write `:name` or `key:name`
         --> app/PKG.libsonnet:8:40
          |
        8 |   modules=sh.test('t', ['true'], tools={ 'bin/x': 'main.c' }),
          |                                        ^^^^^^^^^^^^^^^^^^^^^
          = note: refused at rules/rule/rule.libsonnet
          = note: evaluated for `//app:t`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn modules_with_too_many_outputs() {
    refused(
        "sh.run('two', 'touch a.c b.c', out=['a.c', 'b.c']) + cc.binary('app', ['main.c', ':two'])",
        expect![[r#"
    error: cc.binary('app'): `:two` makes 2 sources; a unit has exactly one
     --> app/PKG.libsonnet:8:92
      |
    8 |   modules=sh.run('two', 'touch a.c b.c', out=['a.c', 'b.c']) + cc.binary('app', ['main.c', ':two']),
      |                                                                                            ^^^^^^
      = note: refused at rules/cc/units.libsonnet
      = note: evaluated for `//app:app` with the config {"src":":two"}
    [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
"#]],
    );
}

/// The commands of a compilation database, each run outside any sandbox.
fn compile_commands(project: &Project) -> Vec<serde_json::Value> {
    let run = project.wake(["graph", "--format", "compile-commands", "//..."]).run().success();
    let commands: Vec<serde_json::Value> = serde_json::from_str(&run.stdout).unwrap();
    for command in &commands {
        let directory = command["directory"].as_str().unwrap();
        let file = std::path::Path::new(command["file"].as_str().unwrap());
        assert!(file.is_absolute() && file.exists(), "{command}");
        let words: Vec<&str> = command["arguments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let output =
            Command::new(words[0]).args(&words[1..]).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    commands
}

#[test]
fn the_compilation_database_has_every_unit_with_its_headers() {
    let project = app(
        "wake.dir('**')",
        "cc.library('l', srcs=['src/l.c'], hdrs=['include/*.h', ':gen'], includes=['include'])\n    \
         + sh.run('gen', 'mkdir -p include/made; echo \"#define MADE 1\" > include/made/gen.h', out='include/made/gen.h')\n    \
         + sh.run('src2', 'echo \"int two(void) { return 2; }\" > two.c', out='two.c')\n    \
         + cc.binary('p', srcs=['src/main.c', ':src2'], deps=[':l'])",
    );
    project.write("app/include/l.h", "#include <made/gen.h>\nint l(void);\n");
    project.write("app/src/l.c", "#include <l.h>\nint l(void) { return MADE; }\n");
    project.write("app/src/main.c", "#include <l.h>\nint main(void) { return l() - MADE; }\n");
    project.write(
        "user/PKG.libsonnet",
        "local cc = import '@cc/rules.libsonnet';\n\
         function(wake) wake.pkg(\n  wake.pkgInfo('user', '1.0.0'),\n  files=['./u.c'],\n  \
         pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '^1', 'wake'), from='../rules/cc'),\n    \
         app: wake.getPkg(wake.pkgInfo('app', '^1'), from='../app') },\n  \
         modules=cc.binary('u', srcs=['u.c'], deps=['app:l']),\n)\n",
    );
    project.write("user/u.c", "#include <l.h>\nint main(void) { return l() + MADE; }\n");
    let unbuilt = project.wake(["graph", "--format", "compile-commands", "//..."]).run().success();
    unbuilt
        .mentions("left out: their dependencies are not up to date")
        .mentions("run `wake build` first");
    project.wake(["build", "//app", "//user"]).run().success();
    let commands = compile_commands(&project);
    let of = |file: &str| {
        let found: Vec<_> = commands
            .iter()
            .filter(|command| command["file"].as_str().unwrap().ends_with(file))
            .collect();
        assert_eq!(found.len(), 1, "{file}: {commands:#?}");
        found[0].to_string()
    };
    let root = project.root().display().to_string();
    assert!(of("/app/src/l.c").contains(&format!("\"directory\":\"{root}/app\"")));
    // Headers of another package are those in the checkout, where they are edited.
    let user = of("/user/u.c");
    assert!(user.contains(&format!("-I{root}/app/include")), "{user}");
    // Generated files are found through their link.
    let made = of("/two.c");
    assert!(made.contains(&format!("{root}/.wake/out/app/src2")), "{made}");
}
