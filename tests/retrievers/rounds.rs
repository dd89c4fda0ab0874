//! What retrievers are called for, and when.

use wake_tests::expect;

use crate::scene::{GIVE, asked, get, get_by, locked, scene, shown, tool};

#[test]
fn all_requests_to_one_exec_are_sent_in_one_call() {
    let pkgs = [get("b", "*"), get("a", "^1"), get("c", ">=1, <3")];
    let body = "answer(*[package(request, data=text) for request in asked['requests']])";
    let project = scene(&pkgs, body);
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//tool".to_owned(), 3)]);
    let stdin = "{\"config\":null,\"requests\":[\
        {\"name\":\"a\",\"namespace\":\"x\",\"version\":\"^1\"},\
        {\"name\":\"b\",\"namespace\":\"x\",\"version\":\"*\"},\
        {\"name\":\"c\",\"namespace\":\"x\",\"version\":\">=1, <3\"}]}\n";
    assert_eq!(shown(&project), stdin.repeat(3));
    assert_eq!(locked(&project, "a")[1..3], ["1.2.3", "via:tool"]);
    assert_eq!(asked(&project.build(&["//app"])), []);
}

#[test]
fn execs_that_differ_get_separate_calls() {
    let pkgs = [
        get_by("tool", "a", "*", ""),
        get_by("tool", "b", "*", ", config={ suite: 'one' }"),
        get_by("tool", "c", "*", ", args=['x'], env={ SUITE: 'two' }"),
        get_by("tool", "d", "*", ", env={ SUITE: 'two' }, args=['x']"),
    ];
    let body = "said = [json.dumps(asked['config']), os.environ.get('SUITE', '-')] + sys.argv[1:]\n\
        answer(*[package(request, data=' '.join(said) + '\\n') for request in asked['requests']])";
    let project = scene(&pkgs, body);
    let mut calls = asked(&project.build(&["//app"]));
    calls.sort();
    assert_eq!(
        calls,
        [("//tool", 1), ("//tool", 1), ("//tool", 2)].map(|(by, n)| (by.to_owned(), n))
    );
    let expected = "null -\n{\"suite\": \"one\"} -\nnull two x\nnull two x\n";
    assert_eq!(shown(&project), expected);
}

#[test]
fn retrieved_packages_may_require_more() {
    let body = "more = {'a': 'b', 'b': 'c'}\n\
        def needs(name):\n    \
            if name not in more: return ''\n    \
            return \"    pkgs={\\n      tool: wake.getPkg(wake.pkgInfo('tool', '*'), from=wake.GLOBAL),\\n      it: wake.getPkg(wake.pkgInfo('%s', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve')),\\n    },\\n\" % more[name]\n\
        answer(*[package(request, more=needs(request['name'])) for request in asked['requests']])";
    let project = scene(&[get("a", "*")], body);
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true) })\n",
    );
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build).len(), 3, "one round for each");
    assert_eq!(shown(&project), "a 1.2.3\n");
    let names: Vec<_> = ["a", "b", "c"].map(|name| locked(&project, name)[2].clone()).into();
    assert_eq!(names, ["via:tool"; 3]);
    project.wake(["tree", "//app"]).run().success().prints(expect![[r#"
        //app 1.0.0
          x/a@1.2.3  a: *
            x/b@1.2.3  it: *
              x/c@1.2.3  it: *
              //tool 1.0.0  tool: *  (global)
            //tool 1.0.0  tool: *  (global)
          //tool 1.0.0  tool: *
    "#]]);
}

#[test]
fn endless_retrieval_is_stopped() {
    let body = "def needs(name):\n    \
            return \"    pkgs={\\n      tool: wake.getPkg(wake.pkgInfo('tool', '*'), from=wake.GLOBAL),\\n      it: wake.getPkg(wake.pkgInfo('%s', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve')),\\n    },\\n\" % ('n%d' % (int(name[1:]) + 1))\n\
        answer(*[package(request, more=needs(request['name'])) for request in asked['requests']])";
    let project = scene(&[get("n0", "*")], body);
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true) })\n",
    );
    project.wake(["lock", "--quiet"]).run().code(6).says(expect![[r#"
        error: after 64 rounds of retrieval there are still packages to retrieve: x/n64
         --> x/n63@1.2.3/PKG.libsonnet:7:11
          |
        7 |       it: wake.getPkg(wake.pkgInfo('n64', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |           ^^^^^^^^^^^
          help: each round retrieves the dependencies of the one before: check for packages whose dependencies never end
    "#]]);
}

#[test]
fn more_than_a_thousand_requests_are_split() {
    let project = scene(&[get("a", "*")], GIVE);
    project.write(
        "app/PKG.libsonnet",
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('app', '1.0.0'),\n    pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='../tool') } + {\n      \
         ['p%d' % n]: wake.getPkg(wake.pkgInfo('p%d' % n, '*', namespace='x'), from=wake.exec('pkg.tool./retrieve'))\n      \
         for n in std.range(1, 1001)\n    },\n  )\n",
    );
    let said = project.wake(["lock"]).run().success().redacted_stderr();
    let calls: Vec<&str> =
        said.lines().map(str::trim).filter(|line| line.starts_with("Retrieving")).collect();
    assert_eq!(calls, ["Retrieving 1000 packages by //tool", "Retrieving 1 package by //tool"]);
    assert_eq!(project.read("wake.lock").lines().count(), 1002);
}

#[test]
fn locked_packages_in_the_store_need_no_call() {
    let project = scene(&[get("a", "^1")], GIVE);
    project.build(&["//app"]);
    tool(&project, "tool", "", "sys.exit('nobody asks me')");
    std::fs::remove_dir_all(project.path(".wake")).unwrap();
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), []);
    project.wake(["build", "//app", "--frozen"]).run().success();
}

#[test]
fn locked_packages_missing_from_the_store_are_requested_as_locked() {
    let body = "answer(*[package(request, data='data\\n' if 'locked' in request else 'data\\n') for request in asked['requests']])\n\
        print(text, file=sys.stderr)";
    let project = scene(&[get("a", "^1")], body);
    project.build(&["//app"]);
    let before = project.read("wake.lock");
    let other = project.base().join("other-store");
    let build =
        project.json_build(&["//app"]).store(&other).arg("--locked").run().success().events();
    assert_eq!(asked(&build), [("//tool".to_owned(), 1)]);
    assert_eq!(project.read("wake.lock"), before);
    assert_eq!(shown(&project), "data\n");
    let build =
        project.json_build(&["//app"]).store(&other).arg("--locked").run().success().events();
    assert_eq!(asked(&build), []);
}

#[test]
fn a_call_is_cached_like_any_action() {
    // It returns something different each time it runs.
    let body = "import uuid\nanswer(*[package(request, data=str(uuid.uuid4())) for request in asked['requests']])";
    let project = scene(&[get("a", "^1")], body);
    project.build(&["//app"]);
    let before = project.read("wake.lock");
    project.wake(["update", "x/a"]).run().success();
    assert_eq!(project.read("wake.lock"), before, "nothing that it can see is another thing");
    project.edit("tool/retrieve", "import uuid", "import uuid  # another");
    project.wake(["update", "x/a"]).run().success();
    assert_ne!(project.read("wake.lock"), before);
}

#[test]
fn requirements_on_one_range_are_requested_together() {
    let body = "def best(request):\n    \
            return '1.1.0' if '~1.1' in request['version'] else '1.2.0'\n\
        answer(*[package(r, version=best(r), path='./out/%d' % n) for n, r in enumerate(asked['requests'])])";
    let first = get("a", "^1");
    let second = get("a", "~1.1").replacen("a:", "again:", 1);
    let project = scene(&[first, second], body);
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//tool".to_owned(), 2), ("//tool".to_owned(), 1)]);
    assert_eq!(locked(&project, "a")[1], "1.1.0");
    assert_eq!(shown(&project), "a 1.1.0\na 1.1.0\n");
    project.wake(["lock", "--check"]).run().success();
}

#[test]
fn an_exec_sees_its_package_and_its_dependencies() {
    let project = scene(
        &[get_by(
            "tool",
            "a",
            "*",
            ", config={ own: wake.ref('pkg.tool./own'), of_dep: wake.ref('pkg.tool.pkg.dep./words'), value: wake.ref('pkg.tool.input.value') }",
        )],
        "",
    );
    let body = "config = asked['config']\n\
        data = open(config['own']).read() + open(config['of_dep']).read() + str(config['value']) + ' ' + str(sorted(os.listdir('.'))) + '\\n'\n\
        answer(package(asked['requests'][0], data=data))";
    tool(&project, "tool", "", body);
    project.write(
        "tool/PKG.libsonnet",
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('tool', '1.0.0'),\n    files=['./retrieve', './own'],\n    \
         pkgs={ dep: wake.getPkg(wake.pkgInfo('dep', '*'), from='../dep') },\n    inputs=function(wake, pkg) { value: 7 },\n  )\n",
    );
    project.write("tool/own", "own\n");
    project.write(
        "dep/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('dep', '1.0.0'), files=['./words'])\n",
    );
    project.write("dep/words", "words\n");
    project.build(&["//app"]);
    assert_eq!(shown(&project), "own\nwords\n7 ['.wake', 'out', 'own', 'retrieve']\n");
}

#[test]
fn an_invalid_exec_is_reported_at_its_position() {
    let cases = [
        ("'./app.sh'", ""),
        ("'pkg.tol./retrieve'", ""),
        ("'pkg.tool./retrieve'", ", args=[wake.ref('./app.sh')]"),
        ("'pkg.tool./absent'", ""),
        ("'pkg.tool./retrieve'", ", config={ x: wake.ref('pkg.tool.input.absent') }"),
    ];
    let mut said = String::new();
    for (exec, more) in cases {
        let get = get_by("tool", "a", "*", more).replace("'pkg.tool./retrieve'", exec);
        let project = scene(&[get], GIVE);
        let run = project.wake(["build", "//app", "--quiet"]).run().code(5);
        said += &run.redacted_stderr();
    }
    expect![[r#"
        error: package `a`: the retriever is not a file of another package
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('./app.sh')),
          |          ^^^^^^^^^^^
          help: add the package to `pkgs`, and give its file: `from=wake.exec('pkg.KEY./retrieve')`
               Error 1 error in [TIME]
        error: package `a`: there is no package `tol` here
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tol./retrieve')),
          |          ^^^^^^^^^^^
          help: did you mean `tool`?
               Error 1 error in [TIME]
        error: the exec refers to `./app.sh`, but a retriever can use only its own package and that package's dependencies
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', args=[wake.ref('./app.sh')])),
          |          ^^^^^^^^^^^
               Error 1 error in [TIME]
        error: retriever //tool: `./absent` is not among the files of //tool
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./absent')),
          |          ^^^^^^^^^^^
               Error 1 error in [TIME]
        error: the exec refers to `pkg.tool.inputs.absent`, which does not exist
         --> app/PKG.libsonnet:7:10
          |
        7 |       a: wake.getPkg(wake.pkgInfo('a', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve', config={ x: wake.ref('pkg.tool.input.absent') })),
          |          ^^^^^^^^^^^
               Error 1 error in [TIME]
    "#]].assert_eq(&said);
}
