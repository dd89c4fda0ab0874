//! Retrievers that come from elsewhere themselves.

use wake_tests::expect;

use crate::scene::{GIVE, app, asked, get, get_by, local, locked, scene, shown, tool};

#[test]
fn a_retriever_may_depend_on_packages_of_another_retriever() {
    let project = app(&[local("second", ""), get_by("second", "a", "*", "")]).build();
    tool(&project, "first", "", GIVE);
    let needs =
        format!("pkgs={{ {}, {} }},", local("first", ""), get_by("first", "words", "*", ""));
    let body = "words = open('./.wake/pkgs/x@words@1.2.3/data').read()\nanswer(package(asked['requests'][0], data='with ' + words))";
    tool(&project, "second", &needs, body);
    project.edit(
        "app/PKG.libsonnet",
        "'pkg.second./retrieve'",
        "'pkg.second./retrieve', args=[wake.ref('pkg.second.pkg.words./data')]",
    );
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//first".to_owned(), 1), ("//second".to_owned(), 1)]);
    assert_eq!(shown(&project), "with words 1.2.3\n");
    assert_eq!(locked(&project, "words")[2], "via:first");
    assert_eq!(locked(&project, "a")[2], "via:second");
}

#[test]
fn a_retriever_may_be_retrieved() {
    let project = scene(&[get("maker", "*"), get_by("maker", "a", "*", "")], "");
    let made = crate::scene::retriever(GIVE);
    project.write("tool/made", &made);
    project.edit("tool/PKG.libsonnet", "files=['./retrieve']", "files=['./retrieve', './made']");
    let body = "import shutil\n\
        one = package(asked['requests'][0], more='')\n\
        shutil.copy('made', 'out/maker/retrieve')\nos.chmod('out/maker/retrieve', 0o755)\n\
        text = open('out/maker/PKG.libsonnet').read().replace(\"['./data']\", \"['./data', './retrieve']\")\n\
        open('out/maker/PKG.libsonnet', 'w').write(text)\nanswer(one)";
    project.write_script("tool/retrieve", &crate::scene::retriever(body));
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//tool".to_owned(), 1), ("x/maker@1.2.3".to_owned(), 1)]);
    assert_eq!(locked(&project, "a")[2], "via:x/maker");
    assert_eq!(shown(&project), "a 1.2.3\nmaker 1.2.3\n");
}

#[test]
fn retrievers_that_depend_on_each_other_are_an_error() {
    let project = app(&[local("one", ""), get_by("one", "a", "*", "")]).build();
    let needs_two = format!(
        "pkgs={{\n      two: wake.getPkg(wake.pkgInfo('two', '*'), from=wake.GLOBAL),\n      {},\n    }},",
        get_by("two", "b", "*", "")
    );
    let needs_one = format!(
        "pkgs={{\n      one: wake.getPkg(wake.pkgInfo('one', '*'), from=wake.GLOBAL),\n      {},\n    }},",
        get_by("one", "c", "*", "")
    );
    tool(&project, "one", &needs_two, GIVE);
    tool(&project, "two", &needs_one, GIVE);
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ [name]: wake.getPkg(wake.pkgInfo(name, '*'), from='./' + name, global=true) for name in ['one', 'two'] })\n",
    );
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: dependency cycle among retrievers: //two -> //one -> //two
         --> two/PKG.libsonnet:7:10
          |
        7 |       c: wake.getPkg(wake.pkgInfo('c', '*', namespace='x'), from=wake.exec('pkg.one./retrieve')),
          |          ^^^^^^^^^^^
          = note: //two needs //one as `c` at two/PKG.libsonnet:7:10
          = note: //one needs //two as `b` at one/PKG.libsonnet:7:10
          help: get a retriever's dependencies from a local path, a registry, or a retriever that does not need it
               Error 1 error in [TIME]
    "#]]);
}

#[test]
fn a_retriever_that_needs_its_own_package_is_an_error() {
    let project = app(&[get("a", "*"), local("tool", "")]).build();
    let needs = format!(
        "pkgs={{\n      tool: wake.getPkg(wake.pkgInfo('tool', '*'), from=wake.GLOBAL),\n      {},\n    }},",
        get("b", "*")
    );
    tool(&project, "tool", &needs, GIVE);
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true) })\n",
    );
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: dependency cycle among retrievers: //tool -> //tool
         --> tool/PKG.libsonnet:7:10
          |
        7 |       b: wake.getPkg(wake.pkgInfo('b', '*', namespace='x'), from=wake.exec('pkg.tool./retrieve')),
          |          ^^^^^^^^^^^
          = note: //tool needs //tool as `b` at tool/PKG.libsonnet:7:10
          help: get a retriever's dependencies from a local path, a registry, or a retriever that does not need it
               Error 1 error in [TIME]
    "#]]);
}
