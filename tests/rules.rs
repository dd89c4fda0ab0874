//! Shared rules: build logic of one package, used by others.

#![allow(clippy::unwrap_used)]

use std::fs;

use wake_tests::{Build, Expect, Project, ProjectBuilder, expect, project};

/// A package `//rules` with a rule `text`: a module that writes its words after those of `//words`, and one that belongs
/// to it.
fn with_rules() -> ProjectBuilder {
    project()
        .file("wake.toml", "")
        .pkg_at("words", "words", "files=['./list.libsonnet', './notes']")
        .file("words/list.libsonnet", "{ first: 'one' }\n")
        .file("words/notes", "\n")
        .pkg_at(
            "rules",
            "rules",
            "files=['./rules.libsonnet', './sub/add.libsonnet'],\n    \
             pkgs={ list: wake.getPkg(wake.pkgInfo('words', '^1'), from='../words') }",
        )
        .file(
            "rules/rules.libsonnet",
            "local add = import './sub/add.libsonnet';\n\
             {\n  text(name, words):: {\n    \
             [name]: function(wake, pkg, config={ words: add.all(words) })\n      wake.module(\n        name,\n        \
             files=function(wake, module) [wake.file('./words.json', from=config.words, dump=true)],\n        \
             outputs=function(wake, module) { text: './words.json' },\n      ),\n    \
             [name + '.part']: function(wake, pkg) wake.module(name + '.part'),\n  },\n}\n",
        )
        .file(
            "rules/sub/add.libsonnet",
            "local list = import '@list/list.libsonnet';\n{ all(words): [list.first] + words }\n",
        )
}

/// `//app`, which uses that rule; `modules` are the modules that it creates with it.
fn app(modules: &str) -> Project {
    let project = with_rules().build();
    project.write("app/PKG.libsonnet", pkg_file(modules));
    project
}

fn pkg_file(modules: &str) -> String {
    format!(
        "local rules = import '@rules/rules.libsonnet';\n\
         function(wake) wake.pkg(\n  wake.pkgInfo('app', '1.0.0'),\n  \
         pkgs={{ rules: wake.getPkg(wake.pkgInfo('rules', '^1'), from='../rules') }},\n  modules={modules},\n)\n"
    )
}

const TWO: &str = "rules.text('a', ['x']) + rules.text('b', ['y'])";

fn evaluations(build: &Build) -> (u64, u64) {
    let evaluated = build.of_kind("evaluated").next().unwrap();
    let number = |name: &str| evaluated[name].as_u64().unwrap();
    (number("evaluations"), number("cached"))
}

#[test]
fn a_rule_of_another_package_creates_modules() {
    let project = app(TWO);
    let build = project.build(&["//..."]);
    assert_eq!(build.ran(), ["//app:a", "//app:b"]);
    assert_eq!(project.result_text("//app:a", "words.json"), "[\"one\",\"x\"]\n");
    assert_eq!(project.result_text("//app:b", "words.json"), "[\"one\",\"y\"]\n");
    project.build_runs_nothing(&["//..."]);
}

#[test]
fn only_changes_to_the_imported_rule_are_noticed() {
    let project = app(TWO);
    project.build(&["//..."]);
    // Neither is imported by anyone.
    project.write("words/notes", "more\n");
    project.edit("rules/PKG.libsonnet", "'1.0.0'),", "'1.0.0'), metadata={ maintained: true },");
    let build = project.build(&["//..."]);
    let (all, cached) = evaluations(&build);
    assert_eq!((all - cached, build.ran().len()), (1, 0), "only the changed package file");
    // Through two packages.
    project.write("words/list.libsonnet", "{ first: 'uno' }\n");
    let build = project.build(&["//..."]);
    assert_eq!(build.ran(), ["//app:a", "//app:b"]);
    assert_eq!(project.result_text("//app:a", "words.json"), "[\"uno\",\"x\"]\n");
    project.edit("rules/sub/add.libsonnet", "[list.first] + words", "words + [list.first]");
    project.build(&["//..."]);
    assert_eq!(project.result_text("//app:b", "words.json"), "[\"y\",\"uno\"]\n");
    // A comment is evaluated, but runs nothing.
    project.edit("rules/rules.libsonnet", "{\n  text", "# a rule\n{\n  text");
    assert_eq!(project.build(&["//..."]).ran(), [] as [&str; 0]);
}

#[test]
fn modules_that_belong_to_another_are_built_on_request() {
    let project = app(TWO);
    assert_eq!(project.build(&["//app:a.part"]).ran(), ["//app:a.part"]);
    assert!(project.result("//app:a.part", "").is_dir());
    assert_eq!(project.build(&["//..."]).ran(), ["//app:a", "//app:b"]);
    project.wake(["ls", "//app"]).run().success().prints(expect![[r#"
        //app  app@1.0.0
          //app:a
          //app:b
    "#]]);
}

#[test]
fn rules_may_come_from_a_package_in_the_store() {
    let project = app("rules.text('a', [])");
    let import = |dir: &str| {
        let dir = project.path(dir);
        project.wake(["store", "import"]).args([dir]).run().success().stdout.trim().to_owned()
    };
    let lines = [("rules", import("rules")), ("words", import("words"))];
    let lines = lines.map(|(name, digest)| format!("{name} 1.0.0 main {digest}"));
    project.write("wake.lock", format!("wake-lock 1\n{}\n{}\n", lines[0], lines[1]));
    project.edit("app/PKG.libsonnet", ", from='../rules'", "");
    for name in ["rules", "words"] {
        fs::remove_dir_all(project.path(name)).unwrap();
    }
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:a", "words.json"), "[\"one\"]\n");
    project.build_runs_nothing(&["//app"]);
    project.edit("app/PKG.libsonnet", "('a', [])", "('a', 3)");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: binary operation array + number is not implemented
         --> rules@1.0.0/sub/add.libsonnet:2:15
          |
        2 | { all(words): [list.first] + words }
          |               ^^^^^^^^^^^^^^^^^^^^
          = note: all() is called at rules@1.0.0/rules.libsonnet:4:49
          = note: module `a` is made at app/PKG.libsonnet:5:22
          = note: evaluated for `//app:a`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn loading_packages_cannot_depend_on_their_contents() {
    let project = app(TWO);
    project.edit("app/PKG.libsonnet", "  pkgs=", "  files=rules.files,\n  pkgs=");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: cannot import `@rules/rules.libsonnet`: packages are loaded from `pkgInfo`, `files` and `pkgs`, which cannot depend on one of them
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@rules/rules.libsonnet';
          |                      ^^^^^^^^^^^^^^^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn invalid_imports_are_errors() {
    let project = app(TWO);
    project.write("rules/hidden.libsonnet", "{}");
    let fails = |to: &str, expected: Expect| {
        let from = "@rules/rules.libsonnet";
        project.edit("app/PKG.libsonnet", from, to);
        project.wake(["build", "//app"]).run().code(5).says(expected);
        project.edit("app/PKG.libsonnet", to, from);
    };
    fails(
        "@ruels/rules.libsonnet",
        expect![[r#"
        error: cannot import `@ruels/rules.libsonnet`: there is no package `ruels` in `pkgs`
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@ruels/rules.libsonnet';
          |                      ^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `rules`?
          = note: pkg() is called at app/PKG.libsonnet:2:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    fails(
        "@rules/ruls.libsonnet",
        expect![[r#"
        error: package `rules` exports no file `./ruls.libsonnet`
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@rules/ruls.libsonnet';
          |                      ^^^^^^^^^^^^^^^^^^^^^^^ did you mean `rules.libsonnet`?
          = note: pkg() is called at app/PKG.libsonnet:2:16
          help: a package exports the files listed in its `files`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    fails(
        "@rules",
        expect![[r#"
        error: cannot import `@rules`: `@` must be followed by the key of a package and a path: `@key/path`
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@rules';
          |                      ^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:16
          help: for a file of this package whose name starts with `@`, write `./@rules`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    fails(
        "@rules/../rules.libsonnet",
        expect![[r#"
        error: cannot import `@rules/../rules.libsonnet`: the path leaves the package
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@rules/../rules.libsonnet';
          |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    fails(
        "@rules/hidden.libsonnet",
        expect![[r#"
        error: package `rules` exports no file `./hidden.libsonnet`
         --> app/PKG.libsonnet:1:22
          |
        1 | local rules = import '@rules/hidden.libsonnet';
          |                      ^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `rules.libsonnet`?
          = note: pkg() is called at app/PKG.libsonnet:2:16
          help: a package exports the files listed in its `files`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_rule_reads_only_declared_files_of_its_package() {
    let project = app(TWO);
    project.edit("rules/PKG.libsonnet", ", './sub/add.libsonnet'", "");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: package `rules` exports no file `./sub/add.libsonnet`
         --> rules/rules.libsonnet:1:20
          |
        1 | local add = import './sub/add.libsonnet';
          |                    ^^^^^^^^^^^^^^^^^^^^^ did you mean `rules.libsonnet`?
          = note: module `a` is made at app/PKG.libsonnet:5:22
          = note: evaluated for `//app:a`
          help: a package exports the files listed in its `files`
        error: package `rules` exports no file `./sub/add.libsonnet`
         --> rules/rules.libsonnet:1:20
          |
        1 | local add = import './sub/add.libsonnet';
          |                    ^^^^^^^^^^^^^^^^^^^^^ did you mean `rules.libsonnet`?
          = note: module `b` is made at app/PKG.libsonnet:5:47
          = note: evaluated for `//app:b`
          help: a package exports the files listed in its `files`
        [TIME] FAILED 2 errors in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_invalid_call_of_a_rule_is_an_error() {
    let project = app("rules.text('a')");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: argument `words` of text() is missing
         --> app/PKG.libsonnet:5:11
          |
        5 |   modules=rules.text('a'),
          |           ^^^^^^^^^^
          = note: pkg() is called at app/PKG.libsonnet:2:16
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    project.write("app/PKG.libsonnet", pkg_file("rules.text('a', 3)"));
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: binary operation array + number is not implemented
         --> rules/sub/add.libsonnet:2:15
          |
        2 | { all(words): [list.first] + words }
          |               ^^^^^^^^^^^^^^^^^^^^
          = note: all() is called at rules/rules.libsonnet:4:49
          = note: module `a` is made at app/PKG.libsonnet:5:22
          = note: evaluated for `//app:a`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn packages_that_import_from_each_other_are_a_cycle() {
    let project = app(TWO);
    project.write(
        "words/PKG.libsonnet",
        "function(wake) wake.pkg(\n  wake.pkgInfo('words', '1.0.0'),\n  files=['./list.libsonnet'],\n  \
         pkgs={ app: wake.getPkg(wake.pkgInfo('app', '^1'), from='../app') },\n)\n",
    );
    project.write("words/list.libsonnet", "import '@app/PKG.libsonnet'\n");
    project.wake(["build", "//app"]).run().code(6).says(expect![[r#"
        error: dependency cycle among packages: //app -> //rules -> //words -> //app
         --> app/PKG.libsonnet:4:17
          |
        4 |   pkgs={ rules: wake.getPkg(wake.pkgInfo('rules', '^1'), from='../rules') },
          |                 ^^^^^^^^^^^
          = note: //app needs //rules as `rules` at app/PKG.libsonnet:4:17
          = note: //rules needs //words as `list` at rules/PKG.libsonnet:5:18
          = note: //words needs //app as `app` at words/PKG.libsonnet:4:15
          help: move what both need into a separate package
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_file_that_imports_itself_through_its_package_is_an_error() {
    let project = app(TWO);
    project.write("words/list.libsonnet", "import './other.libsonnet'\n");
    project.write("words/other.libsonnet", "import './list.libsonnet'\n");
    project.edit("words/PKG.libsonnet", "'./notes'", "'./other.libsonnet'");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: infinite recursion: computing this value needs the value itself
         --> words/other.libsonnet:1:1
          |
        1 | import './list.libsonnet'
          | ^^^^^^
          = note: imported at words/list.libsonnet:1:1
          = note: imported at rules/sub/add.libsonnet:1:14
          = note: module `a` is made at app/PKG.libsonnet:5:22
          = note: evaluated for `//app:a`
        error: infinite recursion: computing this value needs the value itself
         --> words/other.libsonnet:1:1
          |
        1 | import './list.libsonnet'
          | ^^^^^^
          = note: imported at words/list.libsonnet:1:1
          = note: imported at rules/sub/add.libsonnet:1:14
          = note: module `b` is made at app/PKG.libsonnet:5:47
          = note: evaluated for `//app:b`
        [TIME] FAILED 2 errors in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn importstr_and_importbin_work_like_import() {
    let project = app("{}");
    project.write(
        "app/PKG.libsonnet",
        pkg_file("rules.text('a', [importstr '@rules/rules.libsonnet'] + std.slice(importbin '@rules/note', 0, 1, 1))"),
    );
    project.write("rules/note", "A");
    project.edit("rules/PKG.libsonnet", "'./rules.libsonnet'", "'./rules.libsonnet', './note'");
    project.build(&["//app"]);
    let text = project.result_text("//app:a", "words.json");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value[1].as_str(), Some(&*project.read("rules/rules.libsonnet")));
    assert_eq!(value[2], 65);
    project.write("rules/note", "B");
    assert_eq!(project.build(&["//app"]).ran(), ["//app:a"]);
}

/// A root package with these `modules`.
fn inline(modules: &str) -> Project {
    project().pkg(&format!("modules={modules}")).build()
}

#[test]
fn modules_of_one_file_are_distinguished_by_name() {
    let project = inline(
        "{ [name]: function(wake, pkg) wake.module(name, files=function(wake, module) [wake.file('./o', text=name)], \
         outputs=function(wake, pkg) { o: './o' }) for name in ['one', 'two'] }",
    );
    assert_eq!(project.build(&[":two"]).ran(), ["//:two"]);
    assert_eq!(project.result_text("//:two", "o"), "two");
    assert_eq!(project.build(&[]).ran(), ["//:one"]);
    // One module does not depend on what is evaluated for the other.
    project.edit("PKG.libsonnet", "text=name", "text=name + '!'");
    assert_eq!(project.build(&[]).ran(), ["//:one", "//:two"]);
    assert_eq!(project.result_text("//:one", "o"), "one!");
}

#[test]
fn a_module_function_that_returns_no_module_is_an_error() {
    inline("{ m: function(wake, pkg) 3 }").wake(["build"]).run().code(5).says(expect![[r#"
        error: module `m` must return wake.module(...), not a number
         --> PKG.libsonnet:4:18
          |
        4 |     modules={ m: function(wake, pkg) 3 }
          |                  ^^^^^^^^^^^^^^^^^^^^^
          = note: evaluated for `//:m`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    inline("{ m: function(wake) 3 }").wake(["build"]).run().code(5).says(expect![[r#"
        error: the function takes 1 of the 2 arguments that it is called with: (wake, pkg)
         --> PKG.libsonnet:4:18
          |
        4 |     modules={ m: function(wake) 3 }
          |                  ^^^^^^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    inline("{ m: 3 }").wake(["build"]).run().code(5).says(expect![[r#"
        error: `modules` of pkg() must have a function or the path of a file as `m`, not a number
         --> PKG.libsonnet:4:18
          |
        4 |     modules={ m: 3 }
          |                  ^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    inline("{ '.m': function(wake, pkg) 3 }").wake(["build"]).run().code(5).says(expect![[r#"
        error: `.m` is not a valid module name
         --> PKG.libsonnet:4:15
          |
        4 |     modules={ '.m': function(wake, pkg) 3 }
          |               ^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: module names consist of at most 64 letters, digits, `_` and `-`, and start with a letter or digit; `server.unit` is part of `server`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_default_config_may_be_computed() {
    let project = inline(
        "local made(level) = { m: function(wake, pkg, config={ level: level + 1, name: 'x' }) \
         wake.module('m', files=function(wake, module) [wake.file('./o', from=module.config, dump=true)], \
         outputs=function(wake, pkg) { o: './o' }) }; made(1)",
    );
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "o"), "{\"level\":2,\"name\":\"x\"}\n");
    project.wake(["build", ":m", "--config", "name=y"]).run().success();
    let names: Vec<String> = fs::read_dir(project.path(".wake/out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let other = names.iter().find(|name| name.starts_with("m@")).unwrap();
    assert_eq!(project.read(&format!(".wake/out/{other}/o")), "{\"level\":2,\"name\":\"y\"}\n");
}

#[test]
fn outputs_may_include_those_of_dependencies() {
    let project = inline(
        "{\n\
         low: function(wake, pkg) wake.module('low', files=function(wake, module) [wake.file('./inc/low.h', text='low\\n')], \
         outputs=function(wake, module) { includes: ['./inc/'], flags: ['-lm'] }),\n\
         mid: function(wake, pkg) wake.module('mid', modules={ low: pkg.modules.low() }, \
         outputs=function(wake, module) { includes: module.modules.low.outputs.includes, flags: ['-lmid'] + module.modules.low.outputs.flags }),\n\
         top: function(wake, pkg) wake.module('top', modules={ mid: pkg.modules.mid() }, \
         outputs=function(wake, pkg) { out: './out.txt' }, \
         exec=function(wake, module) wake.exec('./cat.sh', args=module.modules.mid.outputs.includes + module.modules.mid.outputs.flags)),\n\
         }, files=['./cat.sh']",
    );
    project.write_script(
        "cat.sh",
        "#!/bin/sh\ncat \"$1/low.h\" > out.txt\nshift\necho \"$@\" >> out.txt\n",
    );
    project.build(&[":top"]);
    assert_eq!(project.result_text("//:top", "out.txt"), "low\n-lmid -lm\n");
    project.edit("PKG.libsonnet", "low\\n", "lower\\n");
    assert_eq!(project.build(&[":top"]).ran(), ["//:low", "//:top"]);
    assert_eq!(project.result_text("//:top", "out.txt"), "lower\n-lmid -lm\n");
}

#[test]
fn a_rule_can_use_files_of_its_own_package() {
    let project = app(
        "rules.copy('a', './src') + { b: function(wake, pkg) wake.module('b', files=function(wake, module) [wake.own('./src')]) }",
    );
    project.edit("app/PKG.libsonnet", "  pkgs=", "  files=['./src'],\n  pkgs=");
    project.write("app/src", "src\n");
    project.write(
        "rules/rules.libsonnet",
        "{ copy(name, src):: { [name]: function(wake, pkg) wake.module(name, outputs=function(wake, pkg) { o: './o' },\n\
         exec=wake.exec(wake.own('./copy.sh'), args=[wake.ref(src), wake.own('./data')])) } }\n",
    );
    project.write_script("rules/copy.sh", "#!/bin/sh\ncat \"$1\" \"$2/x\" > o\n");
    project.write("rules/data/x", "x\n");
    project.edit("rules/PKG.libsonnet", "'./sub/add.libsonnet'", "'./copy.sh', './data/x'");
    project.build(&["//app"]);
    assert_eq!(project.result_text("//app:a", "o"), "src\nx\n");
    // A file that only a command sees is not a source of the evaluation.
    project.write("rules/data/x", "y\n");
    let build = project.build(&["//app"]);
    assert_eq!(build.ran(), ["//app:a"]);
    assert_eq!(project.result_text("//app:a", "o"), "src\ny\n");
    project.edit("rules/PKG.libsonnet", "'./data/x'", "'./data/y'");
    project.write("rules/data/y", "y\n");
    project.edit("rules/rules.libsonnet", "'./data'", "'./data/x'");
    project.wake(["build", "//app"]).run().code(5).says(expect![[r#"
        error: `./data/x` is not in the `files` of @rules@1.0.0, where this is written
         --> rules/rules.libsonnet:2:69
          |
        2 | exec=wake.exec(wake.own('./copy.sh'), args=[wake.ref(src), wake.own('./data/x')])) } }
          |                                                                     ^^^^^^^^^^ did you mean `data/y`?
          = note: module() is called at rules/rules.libsonnet:1:51
          = note: module `a` is made at app/PKG.libsonnet:6:22
          = note: evaluated for `//app:a`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_file_may_have_inline_text() {
    let project = inline(
        "{ m: function(wake, pkg) wake.module('m', files=function(wake, module) [\n\
         wake.file('./o', text='é \"1\"\\n'),\nwake.file('./empty', text=''),\n], \
         outputs=function(wake, pkg) { o: './o', empty: './empty' }) }",
    );
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "o"), "é \"1\"\n");
    assert_eq!(project.result_text("//:m", "empty"), "");
    project.edit("PKG.libsonnet", "text=''", "text='', dump=true");
    project.wake(["build"]).run().code(5).says(expect![[r#"
        error: `text` of file() is the whole content, and cannot be combined with `from` or `dump`
         --> PKG.libsonnet:6:27
          |
        6 | wake.file('./empty', text='', dump=true),
          |                           ^^
          = note: evaluated for `//:m`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_module_that_needs_a_config_fails_only_if_named() {
    let project = inline(
        "{ fine: function(wake, pkg) wake.module('fine'),\n\
         unit: function(wake, pkg, config) wake.module('unit', label=config.src),\n\
         late: function(wake, pkg, config) wake.module('late', modules={ fine: pkg.modules.fine() }, \
         inputs=function(wake, module) [module.modules.fine.outputs, config.src][1]) }",
    );
    let build = project.wake(["build", "//..."]).run().success();
    build.says(expect![[r#"
        warning: //:late is left out, because it needs a config
         = note: there is no field `src` at PKG.libsonnet:6:160
         help: give it a config: `wake build //:late --config KEY=VALUE`
        warning: //:unit is left out, because it needs a config
         = note: there is no field `src` at PKG.libsonnet:5:68
         help: give it a config: `wake build //:unit --config KEY=VALUE`
        [TIME] evaluated 1 module of 1 package (0 of 4 from cache)
        [TIME] Finished 1 action in [TIME]
    "#]]);
    // An up-to-date build reports it again.
    project.wake(["build", "//..."]).run().success().says(expect![[r#"
        warning: //:late is left out, because it needs a config
         = note: there is no field `src` at PKG.libsonnet:6:160
         help: give it a config: `wake build //:late --config KEY=VALUE`
        warning: //:unit is left out, because it needs a config
         = note: there is no field `src` at PKG.libsonnet:5:68
         help: give it a config: `wake build //:unit --config KEY=VALUE`
        [TIME] Finished 1 action, all cached, in [TIME]
    "#]]);
    project.wake(["build", "//...", ":unit"]).run().code(5).says(expect![[r#"
        error: there is no field `src`
         --> PKG.libsonnet:5:68
          |
        5 | unit: function(wake, pkg, config) wake.module('unit', label=config.src),
          |                                                                    ^^^
          = note: evaluated for `//:unit`, which has no default config
          help: give it a config: `wake build //:unit --config KEY=VALUE`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    project.wake(["build", ":unit", "--config", "src=a.c"]).run().success();
    // A module that another one needs is not left out.
    project.edit(
        "PKG.libsonnet",
        "wake.module('fine')",
        "wake.module('fine', modules={ u: pkg.modules.unit() })",
    );
    project.wake(["build", "//..."]).run().code(5).says(expect![[r#"
        error: there is no field `src`
         --> PKG.libsonnet:5:68
          |
        5 | unit: function(wake, pkg, config) wake.module('unit', label=config.src),
          |                                                                    ^^^
          = note: evaluated for `//:unit`, which has no default config
          help: give it a config: `wake build //:unit --config KEY=VALUE`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
    // It is evaluated again when its source changes.
    project.edit("PKG.libsonnet", "modules={ u: pkg.modules.unit() }", "");
    project.edit("PKG.libsonnet", "label=config.src", "label='now'");
    assert_eq!(project.build(&["//..."]).count("total"), 2);
}
