//! Values for the whole build.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, project};

/// The root sets `color`, and `//lib` reads it beside `size`; `//other` reads neither.
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
fn the_person_counts_more_than_a_profile_and_that_more_than_the_package() {
    let project = workspace();
    assert_eq!(shown(&project, &[]), "red1");
    assert_eq!(shown(&project, &["--set", "color=blue"]), "blue1");
    assert_eq!(shown(&project, &["--set", "@night"]), "black3");
    assert_eq!(shown(&project, &["--set", "@night", "--set", "size=7"]), "black7");
    assert_eq!(shown(&project, &[]), "red1", "nothing stays");
    project.edit("PKG.libsonnet", "'red'", "'green'");
    assert_eq!(shown(&project, &[]), "green1");
    std::fs::remove_file(project.path("PKG.libsonnet")).unwrap();
    project.write("wake.toml", "");
    assert_eq!(shown(&project, &[]), "white1");
}

#[test]
fn what_reads_no_option_is_not_evaluated_again() {
    let project = workspace();
    project.build(&["//lib", "//other"]);
    let build =
        project.json_build(&["//lib", "//other", "--set", "size=2"]).run().success().events();
    let evaluated = build.of_kind("evaluated").next().unwrap();
    let number = |name: &str| evaluated[name].as_u64().unwrap();
    assert_eq!(number("evaluations") - number("cached"), 1, "{evaluated}");
}

#[test]
fn mistakes_are_named() {
    let project = workspace();
    let says = |args: &[&str], code: i32, text: &str| {
        project.wake(["build", "//lib"]).args(args).run().code(code).mentions(text);
    };
    says(&["--set", "colour=x"], 2, "nothing that is built here reads an option `colour`");
    says(&["--set", "colour=x"], 2, "did you mean `color`?");
    says(
        &["--set", "size=big"],
        5,
        "the option `size` is a number, as its default is, and is set to something else by `--set size=big`",
    );
    says(&["--set", "@day"], 2, "the root package has no profile `day`");
    says(&["--set", "x"], 2, "`--set x` sets nothing");
    project.edit("PKG.libsonnet", "color: 'red'", "color: 3");
    says(&[], 5, "by `options` of the root package");
    project.edit("PKG.libsonnet", "options={ color: 3 }", "options=[3]");
    says(&[], 5, "`options` of pkg() must be an object, not a list");
}

#[test]
fn the_names_of_modules_may_hang_on_options() {
    let project = project()
        .pkg("modules=(if wake.option('extra', false) then { extra: function(wake, pkg) wake.module('extra') } else {}) + { m: function(wake, pkg) wake.module('m') },")
        .build();
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    let build = project.json_build(&["--set", "extra=true"]).run().success().events();
    assert_eq!(build.hit(), ["//:extra", "//:m"], "both hold nothing");
}
