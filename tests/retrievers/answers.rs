//! Invalid answers, and wrong packages.

use wake_tests::{Expect, expect};

use crate::scene::{GIVE, get, get_by, locked, scene, shown, tool};

/// Builds an app with one package that a retriever answers like this: nothing is locked, and this is reported.
#[track_caller]
fn answered(body: &str, code: i32, said: Expect) {
    let project = scene(&[get("a", "^1")], body);
    project.wake(["build", "//app", "--quiet"]).run().code(code).says(said);
    assert!(!project.path("wake.lock").exists());
}

/// The same for several answers, one after the other.
#[track_caller]
fn each_answered(bodies: &[&str], code: i32, said: Expect) {
    let mut all = String::new();
    for body in bodies {
        let project = scene(&[get("a", "^1")], body);
        let run = project.wake(["build", "//app", "--quiet"]).run();
        let run = run.code(code).redacted_stderr();
        // All are reported at the same position.
        let told = run.lines().filter(|line| !line.contains('|') && !line.contains("-->"));
        told.for_each(|line| all += &format!("{line}\n"));
    }
    said.assert_eq(&all);
}

#[test]
fn an_invalid_answer_is_shown() {
    answered(
        "print('all done')",
        1,
        expect![[r#"
        error: retriever //tool wrote an invalid answer to standard output: expected value at line 1 column 1
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: it begins: all done
          help: it must write `{"pkgs": [{"path": "./out/NAME"}]}` to standard output, and messages to standard error
               Error 1 error in [TIME]
    "#]],
    );
    answered(
        "",
        1,
        expect![[r#"
        error: retriever //tool wrote nothing to standard output
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          help: it must write `{"pkgs": [{"path": "./out/NAME"}]}` to standard output, and messages to standard error
               Error 1 error in [TIME]
    "#]],
    );
    answered(
        "answer(package(asked['requests'][0]))\nprint('bye')",
        1,
        expect![[r#"
        error: retriever //tool wrote an invalid answer to standard output: trailing characters at line 1 column 32
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: it begins: {"pkgs": [{"path": "./out/a"}]}bye
          help: it must write `{"pkgs": [{"path": "./out/NAME"}]}` to standard output, and messages to standard error
               Error 1 error in [TIME]
    "#]],
    );
    answered(
        "answer({'path': './out/a', 'error': 'both'})",
        1,
        expect![[r#"
        error: retriever //tool has neither one `path` nor one `error` in element 0 of `pkgs`
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          help: it must write `{"pkgs": [{"path": "./out/NAME"}]}` to standard output, and messages to standard error
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn output_over_the_limit_is_reported() {
    let body = "sys.stdout.write(' ' * (9 << 20))\nanswer(package(asked['requests'][0]))";
    answered(
        body,
        1,
        expect![[r#"
        error: retriever //tool wrote more than 8 MiB to standard output
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          help: it must write `{"pkgs": [{"path": "./out/NAME"}]}` to standard output, and messages to standard error
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_missing_package_is_reported_where_it_is_required() {
    answered(
        "answer({'error': 'only 2.0.0 is there'})",
        6,
        expect![[r#"
        error: retriever //tool has no x/a ^1: only 2.0.0 is there
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn the_number_of_answers_must_match_the_requests() {
    answered(
        "answer()",
        6,
        expect![[r#"
        error: retriever //tool was asked for 1 package and gave answers for 0
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: asked for: x/a ^1
               Error 1 error in [TIME]
    "#]],
    );
    let surplus = "one = package(asked['requests'][0])\nanswer(one, one)";
    answered(
        surplus,
        6,
        expect![[r#"
        error: retriever //tool was asked for 1 package and gave answers for 2
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: asked for: x/a ^1
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn another_package_than_requested_is_refused() {
    answered(
        "answer(package(asked['requests'][0], name='b'))",
        6,
        expect![[r#"
        error: retriever //tool was asked for x/a ^1 but gave x/b 1.2.3
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: according to `PKG.libsonnet` in `./out/b`
               Error 1 error in [TIME]
    "#]],
    );
    answered(
        "answer(package(asked['requests'][0], version='2.0.0'))",
        6,
        expect![[r#"
        error: retriever //tool was asked for x/a ^1 but gave x/a 2.0.0
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: according to `PKG.libsonnet` in `./out/a`
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn paths_outside_the_output_are_refused() {
    let paths = ["../out/a", "./elsewhere", "/etc", "./out", "out/../../a"];
    let bodies =
        paths.map(|path| format!("package(asked['requests'][0])\nanswer({{'path': '{path}'}})"));
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    each_answered(
        &bodies,
        7,
        expect![[r#"
        error: retriever //tool gave `../out/a` as the path of x/a ^1, which is not a path: `../out/a` leaves the package through `..`
               Error 1 error in [TIME]
        error: retriever //tool gave `./elsewhere` as the path of x/a ^1, which is not in `./out/`
          help: put each package in a directory of its own in `./out/`
               Error 1 error in [TIME]
        error: retriever //tool gave `/etc` as the path of x/a ^1, which is not a path: `/etc` is absolute: paths are relative to the package
               Error 1 error in [TIME]
        error: retriever //tool gave `./out` as the path of x/a ^1, which is not in `./out/`
          help: put each package in a directory of its own in `./out/`
               Error 1 error in [TIME]
        error: retriever //tool gave `out/../../a` as the path of x/a ^1, which is not a path: `out/../../a` leaves the package through `..`
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn links_that_lead_out_are_refused() {
    let inside = "package(asked['requests'][0])\nos.symlink('../b/x', 'out/a/link')\nanswer({'path': 'out/a'})";
    answered(
        inside,
        7,
        expect![[r#"
        error: retriever //tool created something at `out/a` that no package may contain: the link `link` points outside it: `../b/x`
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: nothing was stored
               Error 1 error in [TIME]
    "#]],
    );
    let outside = "package(asked['requests'][0])\nos.symlink('/etc/passwd', 'out/a/link')\nanswer({'path': 'out/a'})";
    answered(
        outside,
        7,
        expect![[r#"
            error: retriever //tool produced output that cannot be kept
             --> app/PKG.libsonnet:7:10
              |
            7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
              |          ^^^^^^^^^^^
              = note: `out/a/link` is a link to `/etc/passwd`, which is not part of the outputs
                   Error 1 error in [TIME]
        "#]],
    );
    let alike =
        "package(asked['requests'][0])\nopen('out/a/DATA', 'w').close()\nanswer({'path': 'out/a'})";
    answered(
        alike,
        7,
        expect![[r#"
        error: retriever //tool created something at `out/a` that no package may contain: `data` and `DATA` are one file on some file systems
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: nothing was stored
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_directory_without_a_package_is_reported() {
    let bodies = [
        "answer({'path': './out/a'})",
        "open('out/a', 'w').close()\nanswer({'path': './out/a'})",
        "os.makedirs('out/a')\nopen('out/a/x', 'w').close()\nanswer({'path': './out/a'})",
    ];
    each_answered(
        &bodies,
        1,
        expect![[r#"
        error: retriever //tool gave `./out/a` as the path of x/a ^1, but it does not exist
               Error 1 error in [TIME]
        error: retriever //tool gave `./out/a` as the path of x/a ^1, which is not a directory
               Error 1 error in [TIME]
        error: retriever //tool gave `./out/a` as the path of x/a ^1, which has no `PKG.libsonnet`
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn an_invalid_package_file_is_shown() {
    let body = "answer(package(asked['requests'][0], more='    fils=[],\\n'))";
    answered(
        body,
        5,
        expect![[r#"
        error: retriever //tool: unknown argument `fils` of pkg()
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: at ./out/a/PKG.libsonnet:5:5: fils=[],
          = note: pkg() is called at ./out/a/PKG.libsonnet:2:3
          help: the arguments are pkgInfo, files, inputs, pkgs, modules, metadata, imports, options, profiles
               Error 1 error in [TIME]
    "#]],
    );
    let absent = "one = package(asked['requests'][0])\nos.remove('out/a/data')\nanswer(one)";
    answered(
        absent,
        5,
        expect![[r#"
        error: retriever //tool: there is no file `./data` in the package
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: at ./out/a/PKG.libsonnet:4:12: files=['./data'],
          = note: pkg() is called at ./out/a/PKG.libsonnet:2:3
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_failed_retriever_is_reported_with_its_log() {
    let body = "for n in range(30): print('line', n, file=sys.stderr)\nsys.exit(3)";
    answered(
        body,
        1,
        expect![[r#"
        error: retriever //tool failed: exit 3
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: line 10
          = note: line 11
          = note: line 12
          = note: line 13
          = note: line 14
          = note: line 15
          = note: line 16
          = note: line 17
          = note: line 18
          = note: line 19
          = note: line 20
          = note: line 21
          = note: line 22
          = note: line 23
          = note: line 24
          = note: line 25
          = note: line 26
          = note: line 27
          = note: line 28
          = note: line 29
          help: run `wake store cat [DIGEST]` to see all 30 lines
               Error 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_hanging_retriever_is_stopped() {
    let body = "import time\nprint('waiting', file=sys.stderr, flush=True)\ntime.sleep(600)";
    let project = scene(&[get_by("tool", "a", "^1", ", timeout=0.5")], body);
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(12).says(expect![[r#"
        error: retriever //tool took more than 0.5 seconds and was stopped
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve', timeout=0.5)),
          |          ^^^^^^^^^^^
          = note: waiting
               Error 1 error in [TIME]
    "#]]);
}

#[test]
fn content_that_differs_from_the_lock_is_refused() {
    let project = scene(&[get("a", "^1")], GIVE);
    project.build(&["//app"]);
    let before = project.read("wake.lock");
    tool(&project, "tool", "", "answer(package(asked['requests'][0], data='other\\n'))");
    let other = project.base().join("other-store");
    let run = project.wake(["build", "//app", "--quiet"]).store(&other).run();
    run.code(7).says(expect![[r#"
        error: retriever //tool gave x/a 1.2.3 with different content than is locked
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: locked: [DIGEST]
          = note: given: [DIGEST], not stored
          help: ask the retriever's maintainer what happened; run `wake update x/a` to lock what it gives now
               Error 1 error in [TIME]
    "#]]);
    tool(&project, "tool", "", "answer(package(asked['requests'][0], version='1.3.0'))");
    let run = project.wake(["build", "//app", "--quiet"]).store(&other).run();
    run.code(7).says(expect![[r#"
        error: retriever //tool was asked for x/a 1.2.3, which is locked, but gave 1.3.0
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: the locked content is [DIGEST]
          help: run `wake update x/a` to lock what it gives now
               Error 1 error in [TIME]
    "#]]);
    assert_eq!(project.read("wake.lock"), before);
    project.wake(["update", "x/a"]).store(&other).run().success();
    assert_eq!(locked(&project, "a")[1], "1.3.0");
}

#[test]
fn undeclared_files_are_omitted() {
    let body = "one = package(asked['requests'][0])\nopen('out/a/junk', 'w').close()\nanswer(one)";
    let project = scene(&[get("a", "^1")], body);
    project.build(&["//app"]);
    assert_eq!(shown(&project), "a 1.2.3\n");
    let content = locked(&project, "a")[3].clone();
    let files = project.wake(["store", "ls", &content]).run().success().stdout;
    assert_eq!(files, "PKG.libsonnet\ndata\n");
}

#[test]
fn a_package_must_have_a_single_retriever() {
    let by_other = get_by("other", "a", "*", "").replacen("a:", "again:", 1);
    let project = scene(&[crate::scene::local("other", ""), get("a", "^1"), by_other], GIVE);
    tool(&project, "other", "", GIVE);
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: x/a comes from the retriever `other`, but elsewhere from the retriever `tool`: these may be different packages
         --> app/PKG.libsonnet:9:14
          |
        9 |       again: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.other./retrieve')),
          |              ^^^^^^^^^^^
          = note: //app gets it from the retriever `tool`: app/PKG.libsonnet:8:10
          help: get it the same way everywhere, or give one of the two another namespace
               Error 1 error in [TIME]
    "#]]);
}
