//! `wake add` of retrieved packages.

use wake_tests::{Finished, Project, expect};

use crate::scene::{GIVE, get, get_by, local, locked, says, scene, shown, tool};

fn add(project: &Project, args: &[&str]) -> Finished {
    project.wake(["add"]).args(args).cwd(project.path("app")).run()
}

/// The retriever of a namespace's other packages is used for one more.
#[test]
fn add_uses_the_retriever_of_the_namespace() {
    let project = scene(&[get_by("tool", "a", "^1", ", config={ suite: 'stable' }")], GIVE);
    project.build(&["//app"]);
    let added = add(&project, &["x/b"]).success();
    says(
        &added,
        &[
            "Retrieving 1 package by //tool",
            "Added x/b ^1.2 to app/PKG.libsonnet",
            "Found 1.2.3, retrieved by tool",
            "Locked + x/b 1.2.3",
        ],
    );
    let text = project.read("app/PKG.libsonnet");
    let line = "b: wake.getPkg(wake.pkgInfo('b', '^1.2', namespace='x'), from=wake.exec('pkg.tool./retrieve', config={ suite: 'stable' })),";
    assert!(text.contains(line), "{text}");
    assert_eq!(locked(&project, "b")[..3], ["x/b", "1.2.3", "via:tool"]);
    project.wake(["lock", "--check"]).run().success();
    project.build(&["//app"]);
    assert_eq!(shown(&project), "a 1.2.3\nb 1.2.3\n");
    // With a requirement, that is used.
    add(&project, &["x/c@>=1, <2"]).success().mentions("Added x/c >=1, <2 to app/PKG.libsonnet");
    // When it is removed, its line goes as well.
    project
        .wake(["remove", "x/b"])
        .cwd(project.path("app"))
        .run()
        .success()
        .mentions("Locked - x/b 1.2.3");
}

/// For the first package of a namespace, the retriever must be given.
#[test]
fn the_retriever_can_be_given() {
    let project = scene(&[], GIVE);
    let added = add(&project, &["x/b@^1", "--by", "pkg.tool./retrieve"]).success();
    added.mentions("Added x/b ^1 to app/PKG.libsonnet").mentions("Locked + x/b 1.2.3");
    let text = project.read("app/PKG.libsonnet");
    assert!(text.contains("namespace='x'), from=wake.exec('pkg.tool./retrieve'))"), "{text}");
    project.build(&["//app"]);
    assert_eq!(shown(&project), "b 1.2.3\n");
}

/// A missing package is reported, and the package file is unchanged.
#[test]
fn a_failed_add_changes_nothing() {
    let body = "answer(*[{'error': 'no such thing'} if r['name'] == 'b' else package(r) for r in asked['requests']])";
    let project = scene(&[get("a", "^1")], body);
    project.build(&["//app"]);
    let (file, lock) = (project.read("app/PKG.libsonnet"), project.read("wake.lock"));
    let failed = add(&project, &["x/b", "--quiet"]).code(6);
    assert_eq!((project.read("app/PKG.libsonnet"), project.read("wake.lock")), (file, lock));
    expect![[r#"
        error: retriever //tool has no x/b *: no such thing
         --> app/PKG.libsonnet:8:10
          |
        8 |       b: wake.getPkg(wake.pkgInfo('b', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
    "#]].assert_eq(&failed.redacted_stderr());
    add(&project, &["x/b", "--by", "pkg.tol./retrieve", "--quiet"]).code(5);
    add(&project, &["x/b", "--by", "it's", "--quiet"]).code(2);
    // If there are two retrievers for the namespace, one must be selected.
    let project =
        scene(&[local("other", ""), get("a", "^1"), get_by("other", "c", "^1", "")], GIVE);
    tool(&project, "other", "", GIVE);
    let failed = add(&project, &["x/b", "--quiet"]).code(2);
    failed.says(expect![[r#"
        error: the provider of x/b is ambiguous
         = note: a, c come from retrievers
         help: give the exec with `--by REFERENCE`: `--by pkg.wheels./retrieve`
    "#]]);
    add(&project, &["x/b", "--by", "pkg.other./retrieve"]).success();
    assert_eq!(locked(&project, "b")[2], "via:other");
}
