//! Typical mistakes of beginners, and the help that wake gives.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, Project, expect, project};

/// A module `hello` whose script reads a file of the package.
fn greeter() -> Project {
    project()
        .pkg("files=['./greet.sh', './words.txt'],\n    modules={ hello: './hello.libsonnet' }")
        .file(
            "hello.libsonnet",
            "function(wake, pkg, config={ name: 'world' })\n  wake.module(\n    name='hello',\n    outputs=function(wake, pkg) { text: './out.txt' },\n    exec=wake.exec('./greet.sh', args=[config.name]),\n  )\n",
        )
        .script("greet.sh", "#!/bin/sh\necho \"$(cat words.txt), $1\" >out.txt\n")
        .file("words.txt", "Hello\n")
        .build()
}

#[track_caller]
fn fails(project: &Project, args: &[&str], code: i32, expected: Expect) {
    project.wake(args).run().code(code).says(expected);
}

/// The greeter with a text in a file replaced by another.
fn edited(file: &str, from: &str, to: &str) -> Project {
    let project = greeter();
    project.edit(file, from, to);
    project
}

#[test]
fn a_module_named_without_its_colon() {
    let project = greeter();
    fails(
        &project,
        &["build", "hello"],
        2,
        expect![[r#"
        error: target `hello`: there is no directory `hello`
         help: write a module of the current package as `:hello`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    fails(
        &project,
        &["log", "-o", "hello"],
        4,
        expect![[r#"
        error: no build in this workspace ran `hello`
         help: write a module of the current package as `:hello`
    "#]],
    );
}

#[test]
fn a_file_named_in_place_of_a_module() {
    let project = greeter();
    fails(
        &project,
        &["build", "./greet.sh"],
        5,
        expect![[r#"
        error: `#` does not start a value
         --> ./greet.sh:1:1
          |
        1 | #!/bin/sh
          | ^
          help: a file target is read as a JSON formula; name a package by its directory, or a module of the current package by `:NAME`
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_directory_name_that_needs_quoting_in_a_shell() {
    let project = project().build();
    let created = project.wake(["init", "My Apps/it's", "--name", "app"]).run().success();
    created.mentions(r"run it with `wake -C 'My Apps/it'\''s' run :hello`");
    project.wake(["init", "--name", "Upper", "x"]).run().code(2).says(expect![[r#"
        error: `Upper` contains `U`: names consist of lower-case letters, digits, `_` and `-`, and start with a letter or digit
    "#]]);
    project.wake(["init", "--name", "good", "_ü"]).run().success();
}

#[test]
fn an_absolute_path_is_a_target() {
    let project = greeter();
    let target = format!("{}:hello", project.root().display());
    assert_eq!(project.build(&[&target]).ran(), ["//:hello"]);
    assert_eq!(project.build(&[&project.root().display().to_string()]).hit(), ["//:hello"]);
    fails(
        &project,
        &["build", "/usr:hello"],
        2,
        expect![[r#"
        error: target `/usr:hello` is outside the workspace `[ROOT]`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_host_program_used_as_the_command() {
    let project = edited("hello.libsonnet", "exec('./greet.sh', ", "exec('sh', ");
    fails(
        &project,
        &["build"],
        5,
        expect![[r#"
            error: cannot resolve `sh`: `sh` does not start a reference: expected `./`, `input`, `output`, `pkg` or `module`
             --> hello.libsonnet:5:20
              |
            5 |     exec=wake.exec('sh', args=[config.name]),
              |                    ^^^^
              = note: module() is called at hello.libsonnet:2:3
              help: use `wake.program('sh')` for a program of the root file system, or './run.sh' for a script in `files`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_glob_among_files() {
    let project = edited("PKG.libsonnet", "'./words.txt'", "'*.txt'");
    fails(
        &project,
        &["build"],
        5,
        expect![[r#"
        error: there is no file `*.txt` in the package
         --> PKG.libsonnet:4:26
          |
        4 |     files=['./greet.sh', '*.txt'],
          |                          ^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: use wake.dir('*.txt') to list the files that match a glob
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    let project = edited("PKG.libsonnet", "'./words.txt'", "wake.glob('*.txt')");
    fails(
        &project,
        &["build"],
        5,
        expect![[r#"
        error: there is no field `glob`
         --> PKG.libsonnet:4:31
          |
        4 |     files=['./greet.sh', wake.glob('*.txt')],
          |                               ^^^^ did you mean `dir`?
          = note: pkg() is called at PKG.libsonnet:2:3
          help: use wake.dir('*.txt') to list the files that match a glob
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_module_function_that_leaves_out_the_package() {
    let project = edited("hello.libsonnet", "wake, pkg, config", "wake, config");
    fails(
        &project,
        &["build"],
        5,
        expect![[r#"
            error: `hello.libsonnet` must return function(wake, pkg, config) wake.module(...): its second argument is the package
             --> hello.libsonnet:1:1
              |
            1 | function(wake, config={ name: 'world' })
              | ^^^^^^^^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_module_name_that_differs_from_its_package() {
    let project = edited("hello.libsonnet", "name='hello'", "name='helo'");
    fails(
        &project,
        &["build"],
        5,
        expect![[r#"
            error: `name` of module() is `helo`, but the package calls this module `hello`
             --> hello.libsonnet:3:10
              |
            3 |     name='helo',
              |          ^^^^^^
              = note: module() is called at hello.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_file_that_the_command_needs_but_does_not_declare() {
    let project = edited("greet.sh", "cat words.txt", "cat words.txt ./data/more.txt");
    project.write("data/more.txt", "more");
    project.edit("greet.sh", "#!/bin/sh", "#!/bin/sh -e");
    project.edit("greet.sh", "echo ", "cat data/more.txt; echo ");
    fails(
        &project,
        &["build"],
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //:hello (exit 1, [TIME])  ./greet.sh world
          | cat: data/more.txt: No such file or directory
          help: `./data/more.txt` exists and the command does not see it: add './data/more.txt' to `files`
          log: wake log -o //:hello
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:hello, log .wake/runs/[RUN].jsonl
        failed: //:hello
    "#]],
    );
}

#[test]
fn a_dependency_beside_a_package_without_a_workspace() {
    let get = "pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '*'), from='../lib') }";
    let project = project().pkg_at("app", "app", get).pkg_at("lib", "lib", "").build();
    let run = project.wake(["-C", "app", "build"]).run().code(6);
    run.mentions("to make a directory above its root, put a `wake.toml` there");
    project.write("wake.toml", "");
    project.wake(["-C", "app", "build"]).run().success();
}

#[test]
fn warnings_of_a_command_are_shown_when_it_runs() {
    let project = edited("greet.sh", "echo ", "echo 'words.txt:1: warning: dull' >&2; echo ");
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] //:hello wrote to standard error
          | words.txt:1: warning: dull
        [TIME] Finished 1 action in [TIME]
    "#]]);
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] Finished 1 action, all cached, in [TIME]
    "#]]);
    let quiet = edited("greet.sh", "echo ", "echo 'words.txt:1: warning: dull' >&2; echo ");
    quiet.wake(["-q", "build"]).run().success().says(expect![[r#""#]]);
}

#[test]
fn positions_in_command_output_are_relative_to_the_root() {
    let project = project()
        .file("wake.toml", "")
        .pkg_at("libs/x", "x", "files=['./p.sh', './src/a.c'], modules={ m: './m.libsonnet' }")
        .module(
            "libs/x/m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { o: './a.o' }, exec=wake.exec('./p.sh')",
        )
        .script("libs/x/p.sh", "#!/bin/sh\necho 'src/a.c:3:1: error: wrong' >&2; exit 1\n")
        .file("libs/x/src/a.c", "")
        .build();
    fails(
        &project,
        &["build", "//..."],
        1,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] FAIL //libs/x:m (exit 1, [TIME])  ./p.sh
          | libs/x/src/a.c:3:1: error: wrong
          log: wake log -o //libs/x:m
        [TIME] FAILED 1 of 1 action failed in [TIME]: //libs/x:m, log .wake/runs/[RUN].jsonl
        failed: //libs/x:m
    "#]],
    );
}

#[test]
fn ls_in_a_directory_of_a_package_lists_the_package() {
    let project = greeter();
    std::fs::create_dir(project.path("data")).unwrap();
    project.wake(["-C", "data", "ls"]).run().success().prints(expect![[r#"
        //  root@1.0.0
          //:hello
    "#]]);
}
