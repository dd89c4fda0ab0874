//! Locked retrieved packages, and the commands that change or show them.

use wake_tests::expect;

use crate::scene::{GIVE, asked, get, get_by, local, locked, says, scene, shown, tool};

/// A retriever with several versions, which returns the highest one that starts with the requirement.
const VERSIONS: &str = "have = ['1.0.0', '1.1.0', '1.2.0', '2.0.0']\n\
    def fits(version, wanted):\n    \
        if wanted[0] == '=': return any(version == part.strip(' =') for part in wanted.split(',') if part.strip()[0] == '=')\n    \
        return all(part.strip() == '*' or version[0] == part.strip()[1] for part in wanted.split(',') if part.strip()[0] != '=') and all(version == part.strip()[1:] for part in wanted.split(',') if part.strip()[0] == '=')\n\
    def best(request):\n    \
        fit = [version for version in have if fits(version, request['version'])]\n    \
        return package(request, version=max(fit)) if fit else {'error': 'there are ' + ', '.join(have)}\n\
    answer(*[best(request) for request in asked['requests']])";

#[test]
fn the_lock_decides_which_packages_are_retrieved() {
    let project = scene(&[get("a", "^1")], VERSIONS);
    let run = project.wake(["build", "//app", "--quiet", "--locked"]).run();
    run.code(6).says(expect![[r#"
        error: package `a`: nothing that `tool` retrieves is locked, because there is no `wake.lock`
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          help: run `wake lock` to retrieve it
               Error 1 error in [TIME]
    "#]]);
    says(
        &project.wake(["lock", "--check"]).run().code(11),
        &["Retrieving 1 package by //tool", "Would lock + x/a 1.2.0"],
    );
    assert!(!project.path("wake.lock").exists());
    says(
        &project.wake(["lock"]).run().success(),
        &["Retrieving 1 package by //tool", "Locked + x/a 1.2.0"],
    );
    assert_eq!(locked(&project, "a")[1..3], ["1.2.0", "via:tool"]);
    project.edit("app/PKG.libsonnet", "^1", "^2");
    let run = project.wake(["build", "//app", "--quiet", "--locked"]).run();
    run.code(6).says(expect![[r#"
        error: package `a`: `wake.lock` has no `x/a` retrieved by `tool` that matches ^2
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '^2', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: locked versions: 1.2.0 from the retriever `tool`
          help: run `wake lock` to retrieve it
               Error 1 error in [TIME]
    "#]]);
    project.build(&["//app"]);
    assert_eq!((locked(&project, "a")[1].as_str(), shown(&project)), ("2.0.0", "a 2.0.0\n".into()));
}

#[test]
fn update_unlocks_the_packages_it_names() {
    let project = scene(&[get("a", "^1"), get("b", "^1")], VERSIONS);
    project.edit("tool/retrieve", "'1.2.0', ", "");
    project.wake(["lock"]).run().success();
    assert_eq!([&locked(&project, "a")[1], &locked(&project, "b")[1]], ["1.1.0", "1.1.0"]);
    project.edit("tool/retrieve", "'1.1.0', ", "'1.1.0', '1.2.0', ");
    project.wake(["lock"]).run().success();
    assert_eq!(locked(&project, "a")[1], "1.1.0", "only necessary changes are made");
    says(
        &project.wake(["update", "x/a"]).run().success(),
        &["Retrieving 1 package by //tool", "Locked ~ x/a 1.1.0 -> 1.2.0"],
    );
    says(
        &project.wake(["update", "x/b", "--precise", "1.0.0"]).run().success(),
        &["Retrieving 1 package by //tool", "Locked ~ x/b 1.1.0 -> 1.0.0"],
    );
    says(
        &project.wake(["update", "x/b", "--precise", "1.0.9"]).run().code(6),
        &[
            "Retrieving 1 package by //tool",
            "error: retriever //tool has no x/b ^1, =1.0.9: there are 1.0.0, 1.1.0, 1.2.0, 2.0.0",
            "--> app/PKG.libsonnet:8:10",
            "|",
            "8 |       b: wake.getPkg(wake.pkgInfo('b', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),",
            "|          ^^^^^^^^^^^",
        ],
    );
    project.wake(["update", "x/c"]).run().code(4).says(expect![[r#"
        error: `wake.lock` has no `x/c`
         help: did you mean `x/a`?
    "#]]);
    project.wake(["update", "b"]).run().code(4).says(expect![[r#"
        error: `wake.lock` has no `b`
         help: did you mean `x/b`?
    "#]]);
    says(
        &project.wake(["update"]).run().success(),
        &["Retrieving 2 packages by //tool", "Locked ~ x/b 1.0.0 -> 1.2.0"],
    );
}

#[test]
fn unneeded_packages_are_removed_from_the_lock() {
    let project = scene(&[get("a", "^1"), get("b", "^1")], VERSIONS);
    project.build(&["//app"]);
    says(
        &project.wake(["remove", "b"]).cwd(project.path("app")).run().success(),
        &["Removed b from app/PKG.libsonnet", "Locked - x/b 1.2.0"],
    );
    assert_eq!(project.read("wake.lock").lines().count(), 2);
    project.wake(["remove", "a"]).cwd(project.path("app")).run().success();
    assert_eq!(project.read("wake.lock").lines().count(), 1);
}

#[test]
fn a_retrieved_package_may_need_published_ones() {
    let body = "more = \"    pkgs={ words: wake.getPkg(wake.pkgInfo('words', '^1', namespace='acme')) },\\n\"\n\
        answer(*[package(request, more=more) for request in asked['requests']])";
    let project = scene(&[get("a", "^1")], body);
    let toml = "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\nacme = \"main\"\n";
    let publisher = wake_tests::project().file("wake.toml", toml).build();
    publisher.write(
        "words/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('words', '1.0.0', namespace='acme'), metadata={ license: 'MIT' })\n",
    );
    publisher.wake(["publish", "words"]).run().success();
    wake_tests::copy_tree(&publisher.base().join("registry"), &project.base().join("registry"));
    project
        .wake(["build", "//app", "--quiet"])
        .run()
        .code(6)
        .mentions("no registry is configured for namespace `acme`");
    project.write("wake.toml", toml);
    project.build(&["//app"]);
    assert!(project.read("wake.lock").contains("acme/words 1.0.0 main "));
    // Locked packages from registries are enough to retrieve something else.
    let without = project.read("wake.lock");
    let without: String = without
        .lines()
        .filter(|line| !line.starts_with("x/"))
        .flat_map(|line| [line, "\n"])
        .collect();
    project.write("wake.lock", without);
    project.wake(["build", "//app", "--offline"]).run().success();
    project.wake(["tree", "//app"]).run().success().prints(expect![[r#"
        //app 1.0.0
          x/a@1.2.3  a: ^1
            acme/words@1.0.0  words: ^1
          //tool 1.0.0  tool: *
    "#]]);
    project.wake(["lock", "--check"]).run().success();
}

#[test]
fn a_package_that_needs_retrieved_ones_is_published_and_used() {
    let toml = "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\nacme = \"main\"\n";
    let publisher = scene(&[get("a", "^1")], VERSIONS);
    publisher.write("wake.toml", toml);
    for (name, file) in [("app", "app/PKG.libsonnet"), ("tool", "tool/PKG.libsonnet")] {
        publisher.edit(
            file,
            &format!("wake.pkgInfo('{name}', '1.0.0')"),
            &format!("wake.pkgInfo('{name}', '1.0.0', namespace='acme')"),
        );
        publisher.edit(file, "files=[", "metadata={ license: 'MIT' }, files=[");
    }
    publisher.edit(
        "app/PKG.libsonnet",
        "wake.pkgInfo('tool', '*')",
        "wake.pkgInfo('tool', '^1', namespace='acme')",
    );
    let said = publisher.wake(["publish", "app", "tool"]).run().success().redacted_stderr();
    let said: Vec<&str> = said.lines().map(str::trim).collect();
    // What each resolves to is another matter.
    let said: Vec<&str> = said
        .into_iter()
        .filter(|line| !line.starts_with("Content") && !line.starts_with("Packed"))
        .collect();
    assert_eq!(
        said,
        [
            "Retrieving 1 package by //tool",
            "Checking acme/tool 1.0.0 (//tool)",
            "Checking acme/app 1.0.0 (//app)",
            "Trying acme/tool 1.0.0",
            "Verified 0 modules from the archive alone, strict, in [TIME]",
            "Trying acme/app 1.0.0",
            "Needs x/a ^1: 1.2.0 from via:acme/tool",
            "Needs acme/tool ^1: 1.0.0 from main",
            "Verified 1 module from the archive alone, strict, in [TIME]",
            "Published acme/tool 1.0.0 to file://[BASE]/registry",
            "Published acme/app 1.0.0 to file://[BASE]/registry",
        ]
    );
    let meta = std::fs::read_to_string(publisher.base().join("registry/pkgs/acme/app/1.0.0.json"))
        .unwrap();
    assert!(
        meta.contains(
            "\"a\":{\"from\":\"retriever\",\"name\":\"a\",\"namespace\":\"x\",\"version\":\"^1\"}"
        ),
        "{meta}"
    );

    let user = crate::scene::app(&[
        "app: wake.getPkg(wake.pkgInfo('app', '^1', namespace='acme'))".to_owned(),
    ])
    .build();
    user.write(
        "wake.toml",
        toml.replace("file:../registry", &format!("file:{}/registry", publisher.base().display())),
    );
    user.edit("app/PKG.libsonnet", "pkgInfo('app', '1.0.0')", "pkgInfo('user', '1.0.0')");
    user.edit(
        "app/app.libsonnet",
        "'app',",
        "'app', modules={ it: pkg.pkgs.app.modules.app({}) },",
    );
    user.edit(
        "app/app.libsonnet",
        "['/dev/null']",
        "['/dev/null', wake.ref('modules.it.output.text')]",
    );
    let build = user.build(&["//app"]);
    assert_eq!(asked(&build), [("acme/tool@1.0.0".to_owned(), 1)]);
    assert_eq!(shown(&user), "a 1.2.0\n");
    let lines: Vec<String> = user
        .read("wake.lock")
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(lines, ["acme/app 1.0.0 main", "acme/tool 1.0.0 main", "x/a 1.2.0 via:acme/tool"]);
    // Its retriever is not called any more.
    std::fs::remove_dir_all(publisher.base().join("registry")).unwrap();
    std::fs::remove_dir_all(user.path(".wake")).unwrap();
    user.wake(["build", "//app", "--frozen"]).run().success();
}

#[test]
fn gc_keeps_retrieved_packages_in_use() {
    let project = scene(&[get("a", "^1")], GIVE);
    project.build(&["//app"]);
    assert!(project.path(".wake/pkgs/x@a@1.2.3").is_symlink());
    project.wake(["gc", "--max-size", "0"]).run().success();
    tool(&project, "tool", "", "sys.exit('nobody asks me')");
    project.build(&["//app"]);
    assert_eq!(shown(&project), "a 1.2.3\n");
}

#[test]
fn why_names_changes_of_a_retrieved_package() {
    let project = scene(&[get("a", "^1")], VERSIONS);
    project.edit("tool/retrieve", "'1.2.0', ", "");
    project.build(&["//app"]);
    project.edit("tool/retrieve", "'1.1.0', ", "'1.1.0', '1.2.0', ");
    project.wake(["update", "x/a"]).run().success();
    project.build(&["//app"]);
    project.wake(["why", "//app:app"]).run().success().prints(expect![[r#"
        //app:app ran last because of: changed args 1
          changed args.1  "./.wake/pkgs/x@a@1.1.0/data" -> "./.wake/pkgs/x@a@1.2.0/data"
          added inputs..wake/pkgs/x@a@1.2.0/data  file 3679fbe84336
          removed inputs..wake/pkgs/x@a@1.1.0/data  file f1bae6568f22
          unchanged: [N] other fields
    "#]]);
}

#[test]
fn read_only_commands_name_the_remedy() {
    let project = scene(&[local("other", ""), get("a", "^1"), get_by("other", "b", "*", "")], GIVE);
    tool(&project, "other", "", GIVE);
    let run = project.wake(["plan", "//app"]).run();
    run.code(6).says(expect![[r#"
        error: package `a`: nothing that `tool` retrieves is locked, because there is no `wake.lock`
         --> app/PKG.libsonnet:8:10
          |
        8 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          help: run `wake lock` to retrieve it
        error: package `b`: nothing that `other` retrieves is locked, because there is no `wake.lock`
         --> app/PKG.libsonnet:9:10
          |
        9 |       b: wake.getPkg(wake.pkgInfo('b', '*', namespace='x'), from=wake.exec('pkg.other./retrieve')),
          |          ^^^^^^^^^^^
          help: run `wake lock` to retrieve it
    "#]]);
    project.wake(["lock"]).run().success();
    let other = project.base().join("other-store");
    let run = project.wake(["tree", "//app"]).store(&other).run();
    run.code(9).says(expect![[r#"
        error: package `a`: x/a 1.2.3 is locked, but it is not in the store
         --> app/PKG.libsonnet:8:10
          |
        8 |       a: wake.getPkg(wake.pkgInfo('a', '^1', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: its locked content is [DIGEST], from the retriever `tool`
          help: run `wake lock` to retrieve it again
        error: package `b`: x/b 1.2.3 is locked, but it is not in the store
         --> app/PKG.libsonnet:9:10
          |
        9 |       b: wake.getPkg(wake.pkgInfo('b', '*', namespace='x'), from=wake.exec('pkg.other./retrieve')),
          |          ^^^^^^^^^^^
          = note: its locked content is [DIGEST], from the retriever `other`
          help: run `wake lock` to retrieve it again
    "#]]);
}

#[test]
fn a_version_ruled_out_by_its_retrieved_packages_is_not_chosen() {
    let toml = "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\nacme = \"main\"\n";
    let publisher = wake_tests::project().file("wake.toml", toml).build();
    let tool = |version: &str, body: &str| {
        tool(&publisher, "tool", "metadata={ license: 'MIT' },", body);
        let this = format!("'{version}', namespace='acme')");
        publisher.edit("tool/PKG.libsonnet", "'1.0.0')", &this);
        publisher.wake(["publish", "tool", "--no-verify"]).run().success();
    };
    let words = |version: &str, pkgs: &str| {
        publisher.write(
            "words/PKG.libsonnet",
            format!("function(wake)\n  wake.pkg(\n    wake.pkgInfo('words', '{version}', namespace='acme'),\n    pkgs={{ {pkgs} }},\n    metadata={{ license: 'MIT' }},\n  )\n"),
        );
        publisher.wake(["publish", "words", "--no-verify"]).run().success();
    };
    tool("1.0.0", GIVE);
    words("1.0.0", "");
    // Published while the workspace has a retriever as well.
    let by_tool = "tool: wake.getPkg(wake.pkgInfo('tool', '^1', namespace='acme'))";
    words("1.1.0", &format!("{by_tool}, {}", get("a", "^1")));
    // The package requires a version older than the one that retrieves it.
    let body = "more = \"    pkgs={ words: wake.getPkg(wake.pkgInfo('words', '=1.0.0', namespace='acme')) },\\n\"\n\
        answer(*[package(request, more=more) for request in asked['requests']])";
    tool("1.1.0", body);
    let wanted = "words: wake.getPkg(wake.pkgInfo('words', '^1', namespace='acme'))".to_owned();
    let project = crate::scene::app(&[wanted]).file("wake.toml", toml).build();
    wake_tests::copy_tree(&publisher.base().join("registry"), &project.base().join("registry"));
    project.wake(["lock"]).run().success();
    let lock = project.read("wake.lock");
    let lines: Vec<&str> =
        lock.lines().skip(1).map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(lines, ["acme/words 1.0.0 main"]);
    project.wake(["lock", "--check"]).run().success();
    project.build(&["//app"]);
}
