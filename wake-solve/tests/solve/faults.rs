//! Messages for requirements that nothing meets.

use expect_test::expect;

use crate::world::{World, workspace, world};

fn small() -> World {
    world(
        "acme/http 1.9.3
         acme/http 2.0.0
         acme/http 2.1.0
         acme/http 2.2.0 (yanked) (it writes to the wrong file)
         acme/http 3.0.0 (no) (too young: it is 3 hours old)
         acme/text 1.0.0
         lua 5.4.0",
    )
}

#[test]
fn a_package_that_does_not_exist() {
    let workspace = workspace(
        &small(),
        "//app acme/htpp ^1
         //app acme/text ^1
         //lib other/thing *",
    );
    expect![[r#"
        error: no package is called `acme/htpp`
         --> app/PKG.libsonnet:4:11
          = help: did you mean `acme/http`?
        error: no package is called `other/thing`
         --> lib/PKG.libsonnet:6:11
          = help: publish it first, or set its location with `from='./path'`
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_version_that_does_not_exist() {
    expect![[r#"
        error: no version of acme/http matches ^9
         --> app/PKG.libsonnet:4:11
          = available versions: 2.1.0, 2.0.0, 1.9.3
          = help: require an existing version, or remove the requirement
    "#]]
    .assert_eq(&workspace(&small(), "//app acme/http ^9").says());
}

#[test]
fn only_versions_that_may_not_be_used() {
    expect![[r#"
        error: no version of acme/http that matches >=2.2 may be used
         --> app/PKG.libsonnet:4:11
          = 3.0.0 is too young: it is 3 hours old
          = 2.2.0 is yanked, because it writes to the wrong file
          = available versions: 2.1.0, 2.0.0, 1.9.3
          = help: allow it in `wake.toml`
    "#]]
    .assert_eq(&workspace(&small(), "//app acme/http >=2.2").says());
}

#[test]
fn an_exact_version_that_is_missing_unusable_or_unneeded() {
    let exactly = |version: &str| {
        workspace(&small(), "//app acme/http ^2").exact("acme/http", version).says()
    };
    expect![[r#"
        error: acme/http has no version 2.0.1
          = available versions: 2.1.0, 2.0.0, 1.9.3
          = help: the newest is 2.1.0
    "#]]
    .assert_eq(&exactly("2.0.1"));
    expect![[r#"
        error: acme/http 2.2.0 may not be used
          = 2.2.0 is yanked, because it writes to the wrong file
          = available versions: 2.1.0, 2.0.0, 1.9.3
          = help: the newest is 2.1.0
    "#]]
    .assert_eq(&exactly("2.2.0"));
    expect![[r#"
        error: nothing needs acme/http 1.9.3
          = //app needs acme/http ^2 (app/PKG.libsonnet:4:11)
          = acme/http 2.1.0 is used
          = help: require `^1.9` where it is used
    "#]]
    .assert_eq(&exactly("1.9.3"));
}
