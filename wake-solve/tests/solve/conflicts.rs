//! Messages for requirements that cannot be met together.

use expect_test::expect;

use crate::world::{workspace, world};

#[test]
fn what_another_package_needs() {
    let world = world(
        "acme/http 1.9.3: acme/tls ^1.2
         acme/http 2.0.0: acme/tls ^1.4
         acme/http 2.0.5: acme/tls ^1.4
         acme/http 2.1.0: acme/tls ^1.4
         acme/tls 1.2.0
         acme/tls 1.2.5
         acme/tls 1.2.7
         acme/tls 1.4.0
         acme/tls 1.4.2",
    );
    let workspace = workspace(
        &world,
        "//libs/net acme/http ^2
         //apps/web acme/tls ~1.2
         //apps/web acme/http >=1",
    );
    expect![[r#"
        error: no versions fit together
         --> apps/web/PKG.libsonnet:5:11
          | ^ acme/tls: 1.2.0 to 1.2.7
          = because acme/http 2.0.0 to 2.1.0 needs acme/tls ^1.4
          = and //libs/net needs acme/http ^2 (libs/net/PKG.libsonnet:4:11), of which these are all,
          = `^2` and `~1.2` cannot both be met
          = help: acme/http 1.9.3 fits with everything else: require `^1.9` at libs/net/PKG.libsonnet:4:11
          = help: acme/tls 1.4.2 fits with everything else: require `^1.4` here
    "#]].assert_eq(&workspace.says());
}

#[test]
fn two_packages_of_the_workspace() {
    let world = world("a 1.0.0\na 1.1.0\na 1.2.0");
    let workspace = workspace(
        &world,
        "//one a =1.0.0
         //two a ^1.1",
    );
    expect![[r#"
        error: no versions fit together
         --> one/PKG.libsonnet:4:11
          | ^ a: 1.0.0
          = because //two needs a ^1.1 (two/PKG.libsonnet:5:11),
          = `^1.1` and `=1.0.0` cannot both be met
          = help: a 1.0.0 fits with everything else: require `^1.0` at two/PKG.libsonnet:5:11
          = help: a 1.2.0 fits with everything else: require `^1.2` here
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_chain_that_ends_in_nothing() {
    let world = world(
        "a 1.0.0: b ^1
         a 1.1.0: b ^1
         b 1.0.0: c ^2
         b 1.1.0: gone ^1
         c 1.0.0
         c 2.0.0 (no) (not signed by a key that counts)",
    );
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ a: 1.0.0 to 1.1.0
          = because b 1.1.0 needs gone ^1, which does not exist
          = and b 1.0.0 needs c ^2, of which no version may be used
          = and a 1.0.0 to 1.1.0 needs b ^1, of which these are all,
          = `^1` cannot be met
          = c 2.0.0 is not signed by a key that counts
          = help: allow it in `wake.toml`
    "#]]
    .assert_eq(&workspace(&world, "//app a ^1").says());
}

#[test]
fn versions_that_each_need_something_else() {
    let world = world(
        "a 1.0.0: c =1.0.0
         a 1.1.0: c =1.1.0
         a 1.2.0: c =1.2.0
         a 1.3.0: c =1.3.0
         a 1.4.0: c =1.4.0
         b 1.0.0: c ^1.5
         c 1.0.0
         c 1.1.0
         c 1.2.0
         c 1.3.0
         c 1.4.0
         c 1.5.0
         c 2.0.0",
    );
    let workspace = workspace(
        &world,
        "//app a ^1
         //app b ^1",
    );
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ a: 1.0.0 to 1.4.0
          = because a 1.0.0 to 1.4.0 each needs one of c =1.0.0, =1.1.0, =1.2.0, 2 more
          = and b 1.0.0 needs c ^1.5
          = and //app needs b ^1 (app/PKG.libsonnet:5:11), of which this is the only one,
          = `b ^1` and `a ^1` cannot both be met
          = help: change or remove one of these requirements
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn an_exact_version_that_something_else_forbids() {
    let world = world(
        "a 1.0.0: c ^1.1
         c 1.0.0
         c 1.1.0",
    );
    let workspace = workspace(&world, "//app a ^1\n//app c ^1").exact("c", "1.0.0");
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ a: 1.0.0
          = because a 1.0.0 needs c ^1.1
          = and c must be 1.0.0,
          = `=1.0.0` and `^1` cannot both be met
          = help: change or remove one of these requirements
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn unrelated_packages_are_not_reported() {
    let mut lines = String::new();
    for number in 0..20 {
        lines +=
            &format!("noise{number} 1.0.0: noise{} ^1\nnoise{number} 1.1.0\n", (number + 1) % 20);
    }
    let world = world(&format!(
        "{lines}
         a 1.0.0: c ^1.1; noise3 ^1
         b 1.0.0: c =1.0.0; noise4 ^1
         c 1.0.0
         c 1.1.0"
    ));
    let workspace = workspace(
        &world,
        "//noise noise0 ^1
         //app a ^1
         //noise noise7 =1.0.0
         //app b ^1",
    );
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:5:11
          | ^ a: 1.0.0
          = because b 1.0.0 needs c =1.0.0
          = and a 1.0.0 needs c ^1.1
          = and //app needs b ^1 (app/PKG.libsonnet:7:11), of which this is the only one,
          = `b ^1` and `a ^1` cannot both be met
          = help: change or remove one of these requirements
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_requirement_over_ranges() {
    let world = world(
        "a 1.0.0: c >=1, <3
         c 1.0.0: d ^1
         c 2.0.0: d ^1
         d 1.0.0
         d 2.0.0: x ^1
         e 1.0.0: d =1.1.0
         d 1.1.0
         e 1.1.0: d =1.1.0",
    );
    let workspace = workspace(
        &world,
        "//app a ^1
         //app e ^1
         //lib d =1.0.0",
    );
    expect![[r#"
        error: no versions fit together
         --> lib/PKG.libsonnet:6:11
          | ^ d: 1.0.0
          = because e 1.0.0 to 1.1.0 needs d =1.1.0
          = and //app needs e ^1 (app/PKG.libsonnet:5:11), of which these are all,
          = `^1` and `=1.0.0` cannot both be met
          = help: d 1.1.0 fits with everything else: require `^1.1` here
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_version_that_needs_another_of_its_own_range() {
    let world = world("a 1.1.0: a =1.0.0\na 1.0.0");
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ a: 1.1.0
          = because a 1.1.0 needs a =1.0.0, another version of the same range,
          = `^1.1` cannot be met
          = help: a 1.0.0 fits with everything else: require `^1.0` here
    "#]]
    .assert_eq(&workspace(&world, "//app a ^1.1").says());
}

#[test]
fn three_that_cannot_all_be_met() {
    // Any two of them can be met.
    let world = world(
        "a 1.0.0: x ^1
         a 1.1.0: y ^1
         b 1.0.0: x ^1.1
         b 1.1.0: y ^1.1
         x 1.0.0
         x 1.1.0: z ^1
         y 1.0.0
         y 1.1.0: z ^1
         z 1.0.0
         z 2.0.0",
    );
    let workspace = workspace(
        &world,
        "//one b ^1
         //two x =1.0.0
         //three y =1.0.0",
    );
    expect![[r#"
        error: no versions fit together
         --> two/PKG.libsonnet:5:11
          | ^ x: 1.0.0
          = because b 1.0.0 needs x ^1.1
          = and b 1.1.0 needs y ^1.1
          = and //three needs y =1.0.0 (three/PKG.libsonnet:6:11)
          = and //one needs b ^1 (one/PKG.libsonnet:4:11), of which these are all,
          = `b ^1`, `y =1.0.0` and `x =1.0.0` cannot all be met
          = help: y 1.1.0 fits with everything else: require `^1.1` at three/PKG.libsonnet:6:11
          = help: x 1.1.0 fits with everything else: require `^1.1` here
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_yanked_version_that_would_have_done() {
    let world = world(
        "a 1.0.0: c ^1.1
         c 1.0.0
         c 1.1.0: d ^9
         c 1.1.1 (yanked) (it leaks)
         d 1.0.0",
    );
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ a: 1.0.0
          = because c 1.1.0 needs d ^9, of which there is no version
          = and a 1.0.0 needs c ^1.1, of which this is the only one,
          = `^1` cannot be met
          = c 1.1.1 is yanked, because it leaks
          = help: change or remove one of these requirements
    "#]]
    .assert_eq(&workspace(&world, "//app a ^1").says());
    // If it would not have helped either, it is not mentioned.
    let other = crate::world::world(
        "a 1.0.0: c ^1.1
         c 1.0.0
         c 1.1.0
         c 1.1.1 (yanked) (it leaks)",
    );
    let workspace = workspace(
        &other,
        "//app a ^1
         //old c ~1.0",
    );
    expect![[r#"
        error: no versions fit together
         --> old/PKG.libsonnet:5:11
          | ^ c: 1.0.0
          = because a 1.0.0 needs c ^1.1
          = and //app needs a ^1 (app/PKG.libsonnet:4:11), of which this is the only one,
          = `^1` and `~1.0` cannot both be met
          = help: c 1.1.0 fits with everything else: require `^1.1` here
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn a_pre_release_that_only_one_asks_for() {
    let world = world(
        "a 1.0.0
         a 1.1.0-rc.1
         a 1.1.0-rc.2
         a 1.2.0",
    );
    let workspace = workspace(
        &world,
        "//one a ~1.1.0-rc.1
         //two a ^1",
    );
    expect![[r#"
        error: no versions fit together
         --> two/PKG.libsonnet:5:11
          | ^ a: 1.0.0 to 1.2.0
          = because //one needs a ~1.1.0-rc.1 (one/PKG.libsonnet:4:11),
          = `~1.1.0-rc.1` and `^1` cannot both be met
          = help: a 1.2.0 fits with everything else: require `^1.2` at one/PKG.libsonnet:4:11
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn an_exact_version_that_a_requirement_excludes() {
    let world = world("c 1.0.0\nc 1.1.0\nc 1.2.0\nd 1.0.0: c ^1.1");
    let workspace = workspace(&world, "//app c ^1.1\n//lib d ^1").exact("c", "1.0.0");
    expect![[r#"
        error: no versions fit together
         --> app/PKG.libsonnet:4:11
          | ^ c: 1.1.0 to 1.2.0
          = because c must be 1.0.0,
          = `=1.0.0` and `^1.1` cannot both be met
          = help: c 1.0.0 fits with the requirements above: require `^1.0` here
    "#]]
    .assert_eq(&workspace.says());
}

#[test]
fn locked_versions_are_not_given_as_reasons() {
    // The lock is dropped before a conflict is reported, so that the proof holds with every lock.
    let world = world(
        "a 1.0.0: c ^1
         a 1.1.0: c ^1.1
         c 1.0.0
         c 1.1.0",
    );
    let demands = "//app a ^1.1
                   //lib c =1.0.0";
    let locked = workspace(&world, demands).locked("a 1.0.0\nc 1.0.0");
    assert_eq!(locked.says(), workspace(&world, demands).says());
}

#[test]
fn two_unrelated_conflicts() {
    // One conflict is reported; the help applies to that one.
    let world = world("a 1.0.0\na 1.1.0\nb 1.0.0\nb 1.1.0");
    let workspace = workspace(
        &world,
        "//one a =1.0.0
         //two a =1.1.0
         //one b =1.0.0
         //two b =1.1.0",
    );
    expect![[r#"
        error: no versions fit together
         --> one/PKG.libsonnet:6:11
          | ^ b: 1.0.0
          = because //two needs b =1.1.0 (two/PKG.libsonnet:7:11),
          = `=1.1.0` and `=1.0.0` cannot both be met
          = help: b 1.0.0 fits with the requirements above: require `^1.0` at two/PKG.libsonnet:7:11
          = help: b 1.1.0 fits with the requirements above: require `^1.1` here
    "#]]
    .assert_eq(&workspace.says());
}
