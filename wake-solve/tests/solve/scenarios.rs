//! Small universes with answers written by hand.

use wake_solve::Unsolved;

use crate::world::{workspace, world};

#[test]
fn the_highest_matching_version_and_its_dependencies_are_chosen() {
    let world = world(
        "a/http 1.0.0: a/tls ^1
         a/http 1.2.0: a/tls ^1.1; text ^1
         a/http 2.0.0
         a/tls 1.0.0
         a/tls 1.1.0
         a/tls 1.10.0
         a/tls 1.9.0
         text 1.0.0
         other 1.0.0",
    );
    workspace(&world, "//app a/http ^1").gives("a/http 1.2.0  a/tls 1.10.0  text 1.0.0");
    workspace(&world, "//app a/http ~1.0").gives("a/http 1.0.0  a/tls 1.10.0");
    workspace(&world, "").gives("");
}

#[test]
fn both_arms_of_a_diamond_meet_in_one_version() {
    let world = world(
        "a 1.0.0: c ^1.1
         a 1.1.0: c ^1.3
         b 1.0.0: c >=1.0, <1.3
         b 0.9.0: c ^1
         c 1.0.0
         c 1.1.0
         c 1.2.0
         c 1.3.0",
    );
    workspace(
        &world,
        "//app a ^1
         //app b ^1",
    )
    .gives("a 1.0.0  b 1.0.0  c 1.2.0");
}

#[test]
fn a_version_with_unsatisfiable_dependencies_is_skipped() {
    let world = world(
        "a 1.2.0: gone ^1
         a 1.1.0: b ^9
         a 1.0.0: b ^1
         b 1.0.0",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0  b 1.0.0");
}

#[test]
fn majors_coexist_and_each_dependent_has_its_own() {
    let world = world(
        "old 1.0.0: c ^1
         new 1.0.0: c ^2
         mid 1.0.0: c ^0.3
         tiny 1.0.0: c =0.0.7; c =0.0.8
         c 0.0.7
         c 0.0.8
         c 0.3.0
         c 0.3.4
         c 0.4.0
         c 1.5.0
         c 2.0.0",
    );
    workspace(
        &world,
        "//app old ^1
         //app new ^1
         //app mid ^1
         //app tiny ^1",
    )
    .gives(
        "c 0.0.7  c 0.0.8  c 0.3.4  c 1.5.0  c 2.0.0  mid 1.0.0  new 1.0.0  old 1.0.0  tiny 1.0.0",
    );
}

#[test]
fn a_requirement_over_ranges_means_the_highest_that_fits() {
    let world = world(
        "a 1.0.0: c >=1, <4
         b 1.0.0: c ^1
         c 1.0.0
         c 2.0.0
         c 3.0.0: gone ^1
         c 4.0.0",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0  c 2.0.0");
    // Another package needs a lower range: both are chosen, and the lock's rule gives the higher one to those that
    // accept both.
    workspace(
        &world,
        "//app a ^1
         //app b ^1",
    )
    .gives("a 1.0.0  b 1.0.0  c 1.0.0  c 2.0.0");
}

#[test]
fn a_requirement_reread_under_the_lock_leaves_nothing_unused() {
    // `a` alone would get the locked 1.0.0. With `b` there is a 2.0.0, which the requirement of `a` then selects.
    let world = world(
        "a 1.0.0: c >=1, <3
         b 1.0.0: c ^2
         c 1.0.0: only-for-one ^1
         c 2.0.0
         only-for-one 1.0.0",
    );
    let locked = "a 1.0.0
                  c 1.0.0
                  only-for-one 1.0.0";
    workspace(&world, "//app a ^1").locked(locked).gives("a 1.0.0  c 1.0.0  only-for-one 1.0.0");
    workspace(
        &world,
        "//app a ^1
         //app b ^1",
    )
    .locked(locked)
    .gives("a 1.0.0  b 1.0.0  c 2.0.0");
}

#[test]
fn a_pre_release_is_chosen_only_on_request() {
    let world = world(
        "a 1.0.0
         a 1.1.0-rc.1
         a 1.1.0-rc.2
         a 1.2.0-rc.1
         a 2.0.0-rc.1",
    );
    workspace(&world, "//app a *").gives("a 1.0.0");
    workspace(&world, "//app a ^1.1.0-rc.1").gives("a 1.1.0-rc.2");
    workspace(&world, "//app a =1.1.0-rc.1").gives("a 1.1.0-rc.1");
    workspace(&world, "//app a ^2.0.0-rc.1").gives("a 2.0.0-rc.1");
    // A requirement `^1` does not get a pre-release because somebody else requires one: no version suits both.
    let both = "//app a ^1.1.0-rc.1
                //lib a ^1";
    assert_eq!(workspace(&world, both).faults().len(), 1);
    // Once it is released, one does.
    let mut released = world.clone();
    released.pkgs.extend(crate::world::world("a 1.1.0\na 1.0.0").pkgs);
    workspace(&released, both).gives("a 1.1.0");
}

#[test]
fn versions_that_differ_in_build_metadata_are_one() {
    let world = world(
        "a 1.0.0+b
         a 1.0.0+a
         a 1.1.0+x (yanked) (it leaks)
         a 1.1.0+w",
    );
    workspace(&world, "//app a =1.0.0").gives("a 1.0.0+b");
    workspace(&world, "//app a =1.0.0").locked("a 1.0.0+a").gives("a 1.0.0+a");
    workspace(&world, "//app a ^1").gives("a 1.1.0+w");
    workspace(&world, "//app a ^1").locked("a 1.1.0+x").gives("a 1.1.0+x");
}

#[test]
fn a_yanked_version_is_used_only_where_it_is_locked() {
    let world = world(
        "a 1.0.0
         a 1.1.0 (yanked) (it leaks)
         b 1.0.0: a =1.1.0
         b 0.9.0: a ^1",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0");
    workspace(&world, "//app a ^1").locked("a 1.1.0").gives("a 1.1.0");
    workspace(&world, "//app a ^1").locked("a 1.1.0").update(&["a"]).gives("a 1.0.0");
    workspace(&world, "//app a ^1").locked("a 1.1.0").update_all().gives("a 1.0.0");
    workspace(&world, "//app b *").gives("a 1.0.0  b 0.9.0");
}

#[test]
fn an_unusable_version_is_not_used_even_if_locked() {
    let world = world(
        "a 1.0.0
         a 1.1.0 (no) (signed by a key that does not count)",
    );
    workspace(&world, "//app a ^1").locked("a 1.1.0").gives("a 1.0.0");
}

#[test]
fn packages_can_depend_on_each_other_and_themselves() {
    let world = world(
        "a 1.0.0: b ^1
         b 1.0.0: c ^1; b ^1
         c 1.0.0: a ^1
         c 1.1.0: a ^1.1
         boot 2.0.0: boot ^1
         boot 1.0.0
         odd 1.1.0: odd =1.0.0
         odd 1.0.0",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0  b 1.0.0  c 1.0.0");
    workspace(&world, "//app boot ^2").gives("boot 1.0.0  boot 2.0.0");
    // A version that needs another one of its own range can never be used.
    workspace(&world, "//app odd ^1").gives("odd 1.0.0");
}

#[test]
fn a_version_satisfying_itself_does_not_hide_its_range() {
    let world = world(
        "a 1.0.0: b >=1
         b 1.0.0: c =1.0.0
         b 2.0.0: b >=1.5, <2.1; c ^9
         b 2.1.0: b =2.0.0
         c 1.0.0",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn the_examples_of_the_specification() {
    let ranges = world(
        "c 1.0.0
         c 2.0.0
         a 1.0.0: c >=1, <3
         b 1.0.0: c ^1",
    );
    workspace(&ranges, "//app a ^1").gives("a 1.0.0  c 2.0.0");
    workspace(&ranges, "//app a ^1\n//app b ^1").gives("a 1.0.0  b 1.0.0  c 1.0.0  c 2.0.0");
    let passed_over = world(
        "c 1.0.0
         c 1.1.0
         c 1.2.0
         a 1.0.0: c ^1.1
         a 1.1.0: c ^1.2",
    );
    workspace(&passed_over, "//app a ^1\n//app c <1.2").gives("a 1.0.0  c 1.1.0");
    let early = world("a 1.0.0\na 1.1.0-rc.1\na 1.1.0-rc.2");
    workspace(&early, "//app a *").gives("a 1.0.0");
    workspace(&early, "//app a ^1.1.0-rc.1").gives("a 1.1.0-rc.2");
}

#[test]
fn a_package_can_require_another_twice() {
    let world = world(
        "a 1.0.0: c ^1; c <1.3; c ^2
         c 1.2.0
         c 1.3.0
         c 2.0.0",
    );
    workspace(&world, "//app a ^1").gives("a 1.0.0  c 1.2.0  c 2.0.0");
}

#[test]
fn namespaces_are_different_packages() {
    let world = world(
        "text 1.0.0
         a/text 1.1.0
         b/text 1.2.0",
    );
    workspace(
        &world,
        "//app text ^1
         //app b/text ^1",
    )
    .gives("text 1.0.0  b/text 1.2.0");
}

#[test]
fn each_needed_package_is_queried_once() {
    let world = world(
        "a 1.0.0: b ^1
         a 1.1.0: c ^1
         b 1.0.0
         c 1.0.0: b ^1
         unneeded 1.0.0",
    );
    let workspace = workspace(&world, "//app a ^1\n//lib a *");
    workspace.gives("a 1.1.0  b 1.0.0  c 1.0.0");
    let mut asked = workspace.world.asked.borrow().clone();
    asked.sort();
    assert_eq!(asked, ["a", "b", "c"]);
}

#[test]
fn an_error_of_the_universe_ends_the_search() {
    let world = world(
        "a 1.0.0: down ^1
         b 1.0.0",
    );
    let down = workspace(&world, "//app a ^1").solve();
    assert_eq!(down, Err(Unsolved::Unanswered("the registry is down".to_owned())));
    let interrupted = workspace(&world, "//app b ^1");
    interrupted.world.steps.set(Some(1));
    assert_eq!(interrupted.solve(), Err(Unsolved::Unanswered("interrupted".to_owned())));
}
