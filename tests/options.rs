//! Build-wide options.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, Project, expect, project};

/// The root sets `color`; `//lib` reads `color` and `size`; `//other` reads neither.
fn workspace() -> Project {
    project()
        .pkg("options={ color: 'red' }, profiles={ night: { color: 'black', size: 3 } },")
        .pkg_at(
            "lib",
            "lib",
            "modules={ show: function(wake, pkg) wake.module('show', outputs=function(wake, pkg) { text: './out.txt' },\n      \
             files=function(wake, module) [wake.file('./out.txt', text=wake.option('color', 'white') + wake.option('size', 1))]) },",
        )
        .pkg_at("other", "other", "modules={ m: function(wake, pkg) wake.module('m') },")
        .build()
}

fn shown(project: &Project, args: &[&str]) -> String {
    project.wake(["build", "//lib"]).args(args).run().success();
    project.result_text("//lib:show", "out.txt")
}

#[test]
fn the_user_overrides_a_profile_which_overrides_a_package() {
    let project = workspace();
    assert_eq!(shown(&project, &[]), "red1");
    assert_eq!(shown(&project, &["--set", "color=blue"]), "blue1");
    assert_eq!(shown(&project, &["--set", "@night"]), "black3");
    assert_eq!(shown(&project, &["--set", "@night", "--set", "size=7"]), "black7");
    assert_eq!(shown(&project, &[]), "red1", "options do not persist");
    project.edit("PKG.libsonnet", "'red'", "'green'");
    assert_eq!(shown(&project, &[]), "green1");
    std::fs::remove_file(project.path("PKG.libsonnet")).unwrap();
    project.write("wake.toml", "");
    assert_eq!(shown(&project, &[]), "white1");
}

#[test]
fn packages_that_read_no_option_are_not_reevaluated() {
    let project = workspace();
    project.build(&["//lib", "//other"]);
    let build =
        project.json_build(&["//lib", "//other", "--set", "size=2"]).run().success().events();
    let evaluated = build.of_kind("evaluated").next().unwrap();
    let number = |name: &str| evaluated[name].as_u64().unwrap();
    assert_eq!(number("evaluations") - number("cached"), 1, "{evaluated}");
}

#[test]
fn invalid_options_are_errors() {
    let project = workspace();
    let says = |args: &[&str], code: i32, expected: Expect| {
        let run = project.wake(["build", "//lib"]).args(args).run().code(code).redacted_stderr();
        let lines = run.lines().filter(|line| !line.starts_with('['));
        expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
    };
    says(
        &["--set", "colour=x"],
        2,
        expect![[r#"
        error: `--set colour`: nothing in this build reads an option `colour`
         help: did you mean `color`?
    "#]],
    );
    says(
        &["--set", "@day"],
        2,
        expect![[r#"
        error: `--set @day`: the root package has no profile `day`
         help: define profiles with `profiles={ release: { … } }` in wake.pkg()
    "#]],
    );
    says(
        &["--set", "@nigth"],
        2,
        expect![[r#"
        error: `--set @nigth`: the root package has no profile `nigth`
         help: did you mean `@night`?
    "#]],
    );
    says(
        &["--set", "x"],
        2,
        expect![[r#"
        error: `--set x` is not a setting
         help: write `--set NAME=VALUE`, or `--set @PROFILE`
    "#]],
    );
    says(
        &["--set", "=x"],
        2,
        expect![[r#"
        error: `--set =x` is not a setting
         help: write `--set NAME=VALUE`, or `--set @PROFILE`
    "#]],
    );
    // Where it is set is shown, then where it is read.
    says(
        &["--set", "size=big"],
        2,
        expect![[r#"
        error: `--set size=big`: the option `size` must be a number, like its default
         = note: the option is read at lib/PKG.libsonnet:5:117
         = note: evaluated for `//lib:show`
    "#]],
    );
    says(
        &["--set", "size=\"3\""],
        2,
        expect![[r#"
        error: `--set size="3"`: the option `size` must be a number, like its default, not a string
         = note: the option is read at lib/PKG.libsonnet:5:117
         = note: evaluated for `//lib:show`
    "#]],
    );
    project.edit("PKG.libsonnet", "size: 3", "size: 'three'");
    says(
        &["--set", "@night"],
        5,
        expect![[r#"
        error: the profile `night` of the root package: the option `size` must be a number, like its default, not a string
         --> PKG.libsonnet:4:73
          |
        4 |     options={ color: 'red' }, profiles={ night: { color: 'black', size: 'three' } },
          |                                                                         ^^^^^^^
          = note: the option is read at lib/PKG.libsonnet:5:117
          = note: evaluated for `//lib:show`
    "#]],
    );
    project.edit("PKG.libsonnet", "color: 'red'", "color: 3");
    says(
        &[],
        5,
        expect![[r#"
        error: `options` of the root package: the option `color` must be a string, like its default, not a number
         --> PKG.libsonnet:4:22
          |
        4 |     options={ color: 3 }, profiles={ night: { color: 'black', size: 'three' } },
          |                      ^
          = note: the option is read at lib/PKG.libsonnet:5:86
          = note: evaluated for `//lib:show`
    "#]],
    );
    project.edit("PKG.libsonnet", "{ color: 3 }", "{ [x]: 3 for x in ['color'] }");
    says(
        &[],
        5,
        expect![[r#"
        error: `options` of the root package: the option `color` must be a string, like its default, not a number
         --> PKG.libsonnet:4:32
          |
        4 |     options={ [x]: 3 for x in ['color'] }, profiles={ night: { color: 'black', size: 'three' } },
          |                                ^^^^^^^
          = note: the option is read at lib/PKG.libsonnet:5:86
          = note: evaluated for `//lib:show`
    "#]],
    );
    project.edit("PKG.libsonnet", "options={ [x]: 3 for x in ['color'] }", "options=[3]");
    says(
        &[],
        5,
        expect![[r#"
        error: `options` of pkg() must be an object, not a list
         --> PKG.libsonnet:4:13
          |
        4 |     options=[3], profiles={ night: { color: 'black', size: 'three' } },
          |             ^^^
          = note: pkg() is called at PKG.libsonnet:2:3
    "#]],
    );
}

#[test]
fn an_indirectly_used_rule_reads_options_of_the_root() {
    let project = project()
        .pkg(
            "options={ 'cc.opt': 2 },\n    pkgs={ cc: wake.getPkg(wake.pkgInfo('cc', '*'), from='./cc') },\n    \
             modules={ m: function(wake, pkg) (import '@cc/rules.libsonnet').module(wake, 'm') },",
        )
        .pkg_at("cc", "cc", "files=['./rules.libsonnet'],")
        .file(
            "cc/rules.libsonnet",
            "{\n  module(wake, name): wake.module(name, metadata={ opt: wake.option('cc.opt', '2') }),\n}\n",
        )
        .build();
    project.wake(["build"]).run().code(5).says(expect![[r#"
        error: `options` of the root package: the option `cc.opt` must be a string, like its default, not a number
         --> PKG.libsonnet:4:25
          |
        4 |     options={ 'cc.opt': 2 },
          |                         ^
          = note: the option is read at cc/rules.libsonnet:2:79
          = note: module() is called at PKG.libsonnet:6:68
          = note: evaluated for `//:m`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn the_names_of_modules_may_depend_on_options() {
    let project = project()
        .pkg("modules=(if wake.option('extra', false) then { extra: function(wake, pkg) wake.module('extra') } else {}) + { m: function(wake, pkg) wake.module('m') },")
        .build();
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    let build = project.json_build(&["--set", "extra=true"]).run().success().events();
    assert_eq!(build.hit(), ["//:extra", "//:m"], "both are empty");
}
