//! `wake affected`: which targets a change since a revision affects, by their keys.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use wake_tests::{Project, expect, project};

/// `a` writes a file, `b` reads it, `c` is independent, `t` tests `b`; each command sees only its own script.
fn four() -> Project {
    let project = project()
        .file("wake.toml", "[workspace]\n")
        .pkg("files=['./a.sh', './b.sh', './c.sh', './t.sh'], modules={ a: './a.libsonnet', b: './b.libsonnet', c: './c.libsonnet', t: './t.libsonnet' }")
        .module("a.libsonnet", "a", "pkgFiles=['./a.sh'], outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./a.sh')")
        .module("b.libsonnet", "b", "pkgFiles=['./b.sh'], modules={ a: pkg.modules.a({}) }, inputs=function(wake, module) { a: module.modules.a.outputs.o }, outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./b.sh')")
        .module("c.libsonnet", "c", "pkgFiles=['./c.sh'], outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./c.sh')")
        .module("t.libsonnet", "t", "pkgFiles=['./t.sh'], modules={ b: pkg.modules.b({}) }, inputs=function(wake, module) { b: module.modules.b.outputs.o }, test=true, exec=wake.exec('./t.sh')")
        .script("a.sh", "#!/bin/sh\necho a > o\n")
        .script("b.sh", "#!/bin/sh\necho b > o\n")
        .script("c.sh", "#!/bin/sh\necho c > o\n")
        .script("t.sh", "#!/bin/sh\n")
        .build();
    git(&project, &["init", "-q"]);
    commit(&project, "first");
    project
}

fn git(project: &Project, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=n", "-c", "user.email=e@example.org"]).args(args);
    git.current_dir(project.root());
    let output = git.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(project: &Project, message: &str) {
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "-m", message]);
}

#[track_caller]
fn affects(project: &Project, args: &[&str], expected: &str) {
    let run = project.wake(["affected"]).args(args).run().success();
    let labels: Vec<&str> =
        run.stdout.lines().map(|label| label.trim_start_matches("//:")).collect();
    assert_eq!(labels.join(" "), expected, "{run}");
}

#[test]
fn affected_targets_are_found_by_their_keys() {
    let project = four();
    affects(&project, &[], "");
    project.edit("a.sh", "echo a", "echo A");
    affects(&project, &[], "a b t");
    affects(&project, &[":a", ":c"], "a");
    affects(&project, &["--since", "HEAD", ":t"], "t");
    commit(&project, "second");
    affects(&project, &[], "");
    affects(&project, &["--since", "HEAD~1"], "a b t");
    // A comment, a file that no step sees and a limit of a command are not part of any key.
    project.edit("c.libsonnet", "function", "// Says c.\nfunction");
    project.write("notes.txt", "x");
    project.edit("b.libsonnet", "wake.exec('./b.sh'", "wake.exec('./b.sh', timeout=9");
    affects(&project, &[], "");
    project.edit("t.libsonnet", "wake.exec('./t.sh'", "wake.exec('./t.sh', env={ A: '1' }");
    affects(&project, &[], "t");
}

#[test]
fn the_checkout_and_its_repository_are_not_modified() {
    let project = four();
    project.edit("a.sh", "echo a", "echo A");
    project.write("staged", "x");
    git(&project, &["add", "staged"]);
    let state = || {
        let output = Command::new("git")
            .args(["status", "--porcelain", "-z"])
            .env("GIT_OPTIONAL_LOCKS", "0")
            .current_dir(project.root())
            .output();
        (output.unwrap().stdout, std::fs::read(project.path(".git/index")).unwrap())
    };
    let before = state();
    affects(&project, &[], "a b t");
    assert!(before == state());
}

#[test]
fn the_answer_does_not_depend_on_earlier_builds() {
    let project = four();
    project.build(&["//..."]);
    project.edit("a.sh", "echo a", "echo A");
    affects(&project, &[], "a b t");
    project.build(&["//..."]);
    affects(&project, &[], "a b t");
}

#[test]
fn a_revision_is_read_from_git_only_once() {
    let project = four();
    project.edit("a.sh", "echo a", "echo A");
    affects(&project, &[], "a b t");
    // Remove the objects that git would have to read.
    let objects = project.path(".git/objects");
    let blobs = Command::new("git")
        .args(["ls-tree", "-r", "HEAD"])
        .current_dir(project.root())
        .output()
        .unwrap();
    for line in String::from_utf8(blobs.stdout).unwrap().lines() {
        let id = line.split_whitespace().nth(2).unwrap();
        std::fs::remove_file(objects.join(&id[..2]).join(&id[2..])).unwrap();
    }
    affects(&project, &[], "a b t");
}

#[test]
fn a_moved_package_is_added_and_its_dependents_are_unaffected() {
    let project = project()
        .pkg("pkgs={ l: wake.getPkg(wake.pkgInfo('l', '^1'), from='./l') }, modules={ m: './m.libsonnet' }")
        .module("m.libsonnet", "m", "modules={ l: pkg.pkgs.l.modules.x({}) }, inputs=function(wake, module) { o: module.modules.l.outputs.o }")
        .pkg_at("l", "l", "files=['./x'], modules={ x: './x.libsonnet' }")
        .module("l/x.libsonnet", "x", "outputs=function(wake, pkg) { o: './x' }")
        .file("l/x", "x")
        .build();
    git(&project, &["init", "-q"]);
    commit(&project, "first");
    git(&project, &["mv", "l", "r"]);
    project.edit("PKG.libsonnet", "from='./l'", "from='./r'");
    let run = project.wake(["affected", "--json"]).run().success();
    let found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found["affected"], serde_json::json!([{ "label": "//r:x", "state": "added" }]));
    assert_eq!(found["removed"], serde_json::json!(["//l:x"]));
    assert_eq!(found["since"].as_str().unwrap().len(), 40);
}

#[test]
fn a_workspace_may_be_a_subdirectory_of_the_repository() {
    let project = four();
    let sub = project.path("sub");
    std::fs::create_dir(&sub).unwrap();
    for name in [
        "PKG.libsonnet",
        "a.libsonnet",
        "b.libsonnet",
        "c.libsonnet",
        "t.libsonnet",
        "a.sh",
        "b.sh",
        "c.sh",
        "t.sh",
        "wake.toml",
    ] {
        std::fs::copy(project.path(name), sub.join(name)).unwrap();
    }
    let run = project.wake(["affected"]).cwd(&sub).run().success();
    assert_eq!(
        run.stdout, "//:a\n//:b\n//:c\n//:t\n",
        "the workspace did not exist in that revision"
    );
    commit(&project, "second");
    let none = project.wake(["affected"]).cwd(&sub).run().success();
    assert_eq!(none.stdout, "");
    std::fs::write(sub.join("c.sh"), "#!/bin/sh\necho other > o\n").unwrap();
    let one = project.wake(["affected"]).cwd(&sub).run().success();
    assert_eq!(one.stdout, "//:c\n");
}

#[test]
fn errors_name_a_remedy() {
    let project = four();
    project.wake(["affected", "--since", "v9"]).run().code(2).says(expect![[r#"
        error: no revision `v9` in this repository
         help: use a commit, branch or tag: `--since origin/main`
    "#]]);
    project.wake(["affected", "--since", "--help"]).run().code(2);
    let text = project.read("PKG.libsonnet");
    project.write("PKG.libsonnet", "function(wake) wake.pgk()\n");
    commit(&project, "broken");
    project.write("PKG.libsonnet", text);
    let run = project.wake(["affected"]).run().code(5);
    let commit = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(project.root())
        .output()
        .unwrap();
    let commit = String::from_utf8(commit.stdout).unwrap();
    let said = run.redacted_stderr().replace(&commit[..12], "COMMIT");
    expect![[r#"
        error: there is no field `pgk`
         --> COMMIT:PKG.libsonnet:1:21
          |
        1 | function(wake) wake.pgk()
          |                     ^^^ did you mean `pkg`?
          = note: in revision COMMIT, which the checkout is compared with
          help: compare with another revision with `--since REV`
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_shallow_clone_is_reported() {
    let project = four();
    project.edit("a.sh", "echo a", "echo A");
    commit(&project, "second");
    let clone = project.base().join("clone");
    let from = format!("file://{}", project.root().display());
    let to = clone.display().to_string();
    git(&project, &["clone", "-q", "--depth", "1", &from, &to]);
    let run = project.wake(["affected", "--since", "HEAD~1"]).cwd(&clone).run().code(2);
    run.says(expect![[r#"
        error: no revision `HEAD~1` in this repository
         help: this clone is shallow; run `git fetch --unshallow`, or fetch the revision
    "#]]);
    project.wake(["affected"]).cwd(&clone).run().success();
}

#[test]
fn a_workspace_outside_a_repository_is_an_error() {
    let project = project().step("m", "true").build();
    let run =
        project.wake(["affected"]).env("GIT_CEILING_DIRECTORIES", project.base()).run().code(2);
    run.says(expect![[r#"
        error: `[ROOT]` is not in a git repository: not a git repository (or any of the parent directories): .git
         help: run this command in a workspace that is a git checkout
    "#]]);
}

#[test]
fn hooks_of_the_repository_do_not_run() {
    let project = four();
    let marks = project.base().join("marks");
    let hook = format!("#!/bin/sh\necho $0 >> {}\n", marks.display());
    for name in ["post-index-change", "post-checkout", "reference-transaction", "monitor"] {
        project.write_script(&format!(".git/hooks/{name}"), &hook);
    }
    let monitor = project.path(".git/hooks/monitor");
    git(&project, &["config", "core.fsmonitor", monitor.to_str().unwrap()]);
    project.edit("a.sh", "echo a", "echo A");
    // The setup may have run them.
    let _ = std::fs::remove_file(&marks);
    affects(&project, &["--since", "HEAD"], "a b t");
    assert!(!marks.exists(), "{}", std::fs::read_to_string(&marks).unwrap());
}

#[test]
fn a_file_missing_from_a_known_depfile_affects_nothing() {
    let project = project()
        .pkg("files=['./unit.sh', './used', './unused'], modules={ u: './u.libsonnet', v: './v.libsonnet' }")
        .module("u.libsonnet", "u", "outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./unit.sh', depfile='./d')")
        .module("v.libsonnet", "v", "pkgFiles=[], modules={ u: pkg.modules.u({}) }, inputs=function(wake, module) { u: module.modules.u.outputs.o }, outputs=function(wake, pkg) { o: './p' }, exec=wake.exec(wake.program('sh'), args=['-c', 'echo > p'])")
        .script("unit.sh", "#!/bin/sh\ncat used > o\necho 'o: unit.sh used' > d\n")
        .file("used", "1\n")
        .file("unused", "1\n")
        .build();
    git(&project, &["init", "-q"]);
    commit(&project, "first");
    project.edit("unused", "1", "2");
    affects(&project, &[], "u v");
    project.edit("unused", "2", "1");
    project.build(&["//..."]);
    // The first revision was cached before the depfile was known; a new revision uses what is known now.
    project.write("notes", "x");
    commit(&project, "second");
    project.edit("unused", "1", "2");
    affects(&project, &[], "");
    project.edit("used", "1", "2");
    affects(&project, &[], "u v");
    project.edit("used", "2", "1");
    project.write("unit.sh", "#!/bin/sh\necho other > o\necho 'o: unit.sh' > d\n");
    affects(&project, &[], "u v");
}

/// Where a checkout keeps its forecasts.
const FORESIGHT: &str = ".wake/state/forecasts";

/// Whether the query plans again, in which case the forecasts are written to a new file.
#[track_caller]
fn plans(project: &Project, expected: &str) -> bool {
    let file = || std::fs::metadata(project.path(FORESIGHT)).map(|file| file.ino()).ok();
    let before = file();
    affects(project, &[], expected);
    file() != before
}

#[test]
fn only_changed_contents_need_no_planning() {
    let project = four();
    assert!(plans(&project, ""));
    project.edit("a.sh", "echo a", "echo A");
    assert!(!plans(&project, "a b t"));
    project.edit("c.sh", "echo c", "echo C");
    assert!(!plans(&project, "a b c t"));
    project.edit("a.sh", "echo A", "echo a");
    assert!(!plans(&project, "c"));
    commit(&project, "second");
    assert!(!plans(&project, ""));
    project.build(&["//..."]);
    assert!(!plans(&project, ""));
    // A file that a function reads has changed.
    project.edit("c.libsonnet", "function", "// Says c.\nfunction");
    assert!(plans(&project, ""));
    project.edit("t.libsonnet", "wake.exec('./t.sh'", "wake.exec('./t.sh', env={ A: '1' }");
    assert!(plans(&project, "t"));
    project.edit("b.sh", "echo b", "echo B");
    assert!(!plans(&project, "b t"));
}

#[test]
fn cached_forecasts_apply_only_to_the_same_query() {
    let project = four();
    assert!(plans(&project, ""));
    affects(&project, &[":a"], "");
    assert!(plans(&project, ""), "only one query is kept");
    let kept = project.path(FORESIGHT);
    let bytes = std::fs::read(&kept).unwrap();
    project.edit("a.sh", "echo a", "echo A");
    for damaged in [&bytes[..bytes.len() / 2], &[bytes.as_slice(), b"x"].concat()[1..], b""] {
        std::fs::write(&kept, damaged).unwrap();
        assert!(plans(&project, "a b t"));
    }
    let mut altered = std::fs::read(&kept).unwrap();
    let last = altered.len() - 8;
    altered[last] ^= 1;
    std::fs::write(&kept, altered).unwrap();
    assert!(plans(&project, "a b t"));
}

/// Two units with depfiles, a directory that is listed, a file that a function reads, and a module that depends on both units.
fn many() -> Project {
    let unit = |name: &str| {
        format!(
            "outputs=function(wake, pkg) {{ o: './o' }}, exec=wake.exec('./unit.sh', args=['{name}'], depfile='./d')"
        )
    };
    let project = project()
        .file("wake.toml", "[workspace]\n")
        .pkg("files=['./unit.sh', './sum.sh'] + wake.dir('src') + wake.dir('h'), modules={ u: './u.libsonnet', v: './v.libsonnet', sum: './sum.libsonnet', list: './list.libsonnet', said: './said.libsonnet' }")
        .module("u.libsonnet", "u", &unit("src/u"))
        .module("v.libsonnet", "v", &unit("src/v"))
        .module("sum.libsonnet", "sum", "pkgFiles=['./sum.sh'], modules={ u: pkg.modules.u({}), v: pkg.modules.v({}) }, inputs=function(wake, module) { u: module.modules.u.outputs.o, v: module.modules.v.outputs.o }, outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./sum.sh')")
        .module("list.libsonnet", "list", "pkgFiles=wake.dir('src'), outputs=function(wake, pkg) { all: './src' }")
        .module("said.libsonnet", "said", "pkgFiles=[], outputs=function(wake, pkg) { o: './o' }, exec=wake.exec(wake.program('sh'), args=['-c', 'echo > o'], env={ SAID: importstr './said.txt' })")
        .script("unit.sh", "#!/bin/sh\ncat $1 h/$(cat $1) > o\necho \"o: unit.sh $1 h/$(cat $1)\" > d\n")
        .script("sum.sh", "#!/bin/sh\necho sum > o\n")
        .file("src/u", "one\n")
        .file("src/v", "two\n")
        .file("h/one", "1\n")
        .file("h/two", "1\n")
        .file("said.txt", "word\n")
        .build();
    git(&project, &["init", "-q"]);
    commit(&project, "first");
    project
}

/// Moves the cached forecasts aside; returns them.
fn put_aside(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let state = std::fs::read_dir(project.path(".wake/state"));
    let paths = state.into_iter().flatten().map(|entry| entry.unwrap().path());
    let kept = paths.filter(|path| path.display().to_string().contains("/state/forecasts"));
    let files: Vec<_> = kept.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    files.iter().for_each(|(path, _)| std::fs::remove_file(path).unwrap());
    files
}

#[test]
fn cached_forecasts_do_not_change_answers() {
    let project = many();
    let mut state = 7_u64;
    let mut below = |count: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % count as u64) as usize
    };
    let ask = || project.wake(["affected", "--json"]).run().success().stdout;
    let (mut seen, mut renewed) = (std::collections::BTreeSet::new(), 0);
    for round in 0..30 {
        let text = format!("{}\n", below(3));
        let names = ["h/one", "h/two", "h/one", "h/two", "said.txt", "h/three", "src/w"];
        match below(12) {
            0 => drop(project.build(&["//..."])),
            1 => commit(&project, &format!("round {round}")),
            2 => project.write("src/u", ["one\n", "two\n"][below(2)]),
            3 => project.write("sum.sh", format!("#!/bin/sh\necho sum > o\n# {text}")),
            4 => {
                let _ = std::fs::remove_file(project.path(["h/three", "src/w"][below(2)]));
            }
            _ => project.write(names[below(names.len())], text),
        }
        let file = || std::fs::metadata(project.path(FORESIGHT)).map(|file| file.ino()).ok();
        let before = file();
        let answer = ask();
        renewed += usize::from(before.is_some() && file() == before);
        let aside = put_aside(&project);
        assert_eq!(ask(), answer, "round {round}");
        put_aside(&project);
        aside.into_iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        seen.insert(answer);
    }
    assert!(seen.len() > 5 && renewed > 8, "{} answers, {renewed} without a plan", seen.len());
}
