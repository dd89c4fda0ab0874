//! What stays locked, and what changes.

use crate::world::{World, workspace, world};

fn three() -> World {
    world(
        "a 1.0.0: c ^1
         a 1.1.0: c ^1.1
         b 1.0.0: c ^1
         b 1.1.0: c ^1
         c 1.0.0
         c 1.1.0
         c 1.2.0",
    )
}

const DEMANDS: &str = "//app a ^1
                       //lib b ^1";
const LOCK: &str = "a 1.0.0
                    b 1.0.0
                    c 1.0.0";

#[test]
fn what_is_locked_stays() {
    workspace(&three(), DEMANDS).gives("a 1.1.0  b 1.1.0  c 1.2.0");
    workspace(&three(), DEMANDS).locked(LOCK).gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn what_nothing_needs_any_more_goes() {
    workspace(&three(), "//lib b ^1").locked(LOCK).gives("b 1.0.0  c 1.0.0");
    workspace(&three(), "").locked(LOCK).gives("");
}

#[test]
fn what_is_new_fits_what_is_locked() {
    // `a` 1.1.0 would need a newer `c`, but the locked one suffices for `a` 1.0.0.
    workspace(&three(), DEMANDS).locked("b 1.0.0\nc 1.0.0").gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn only_what_stands_in_the_way_is_let_go() {
    // The requirement was raised to one that the locked `c` does not meet.
    let raised = "//app a ^1.1
                  //lib b ^1";
    workspace(&three(), raised).locked(LOCK).gives("a 1.1.0  b 1.0.0  c 1.2.0");
}

#[test]
fn an_update_of_one_package_moves_that_one_alone() {
    workspace(&three(), DEMANDS).locked(LOCK).update(&["b"]).gives("a 1.0.0  b 1.1.0  c 1.0.0");
    workspace(&three(), DEMANDS).locked(LOCK).update(&["c"]).gives("a 1.0.0  b 1.0.0  c 1.2.0");
    // Its newest version needs a newer `c`, which was not to be updated.
    workspace(&three(), DEMANDS).locked(LOCK).update(&["a"]).gives("a 1.0.0  b 1.0.0  c 1.0.0");
    let both = workspace(&three(), DEMANDS).locked(LOCK).update(&["a", "c"]);
    both.gives("a 1.1.0  b 1.0.0  c 1.2.0");
    workspace(&three(), DEMANDS).locked(LOCK).update_all().gives("a 1.1.0  b 1.1.0  c 1.2.0");
}

#[test]
fn an_exact_version_goes_up_and_down() {
    let workspace = || workspace(&three(), DEMANDS).locked("a 1.0.0\nb 1.0.0\nc 1.1.0");
    workspace().exact("c", "1.0.0").gives("a 1.0.0  b 1.0.0  c 1.0.0");
    workspace().exact("c", "1.2.0").gives("a 1.0.0  b 1.0.0  c 1.2.0");
    workspace().exact("b", "1.1.0").gives("a 1.0.0  b 1.1.0  c 1.1.0");
}

#[test]
fn an_exact_version_brings_down_what_needs_more() {
    let workspace = workspace(&three(), DEMANDS).locked("a 1.1.0\nb 1.1.0\nc 1.2.0");
    workspace.exact("c", "1.0.0").gives("a 1.0.0  b 1.1.0  c 1.0.0");
}

#[test]
fn an_exact_version_chooses_the_range_of_a_requirement_over_ranges() {
    let world = world("c 1.0.0\nc 1.1.0\nc 2.0.0\nc 2.1.0");
    let workspace = || workspace(&world, "//app c >=1, <3").locked("c 1.0.0");
    workspace().gives("c 1.0.0");
    workspace().exact("c", "2.0.0").gives("c 2.0.0");
    workspace().update(&["c"]).gives("c 2.1.0");
}

#[test]
fn a_locked_range_is_kept_where_several_would_do() {
    let world = world(
        "a 1.0.0: c >=1, <4
         c 1.0.0
         c 1.1.0
         c 2.0.0
         c 3.0.0",
    );
    workspace(&world, "//app a ^1").locked("c 1.0.0").gives("a 1.0.0  c 1.0.0");
    workspace(&world, "//app a ^1").locked("c 1.0.0\nc 2.0.0").gives("a 1.0.0  c 2.0.0");
    // In a locked range that does not fit, a newer version is preferred over another range.
    let raised = "//app c >=1.1, <4";
    workspace(&world, raised).locked("c 1.0.0").gives("c 1.1.0");
    let both = "//app a ^1
                //lib c ^1.1";
    workspace(&world, both).locked("a 1.0.0\nc 1.0.0").gives("a 1.0.0  c 1.1.0");
}

#[test]
fn what_is_locked_and_does_not_exist_any_more_is_chosen_anew() {
    workspace(&three(), DEMANDS)
        .locked("a 1.0.5\nb 1.0.0\nc 1.0.0")
        .gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn of_two_locked_versions_of_a_range_the_higher_that_fits_is_kept() {
    let merged = "a 1.0.0
                  b 1.0.0
                  c 1.0.0
                  c 1.1.0";
    workspace(&three(), DEMANDS).locked(merged).gives("a 1.0.0  b 1.0.0  c 1.1.0");
    let narrow = "//app a ^1
                  //lib c ~1.0";
    workspace(&three(), narrow).locked(merged).gives("a 1.0.0  c 1.0.0");
}

#[test]
fn what_a_retriever_gave_says_nothing_of_registries() {
    let mut workspace = workspace(&three(), "//app c ^1");
    let line = "wake-lock 1\nc 1.0.0 via:tool 0000000000000000000000000000000000000000000000000000000000000000\n";
    workspace.lock = wake_model::Lock::parse(line).unwrap();
    workspace.gives("c 1.2.0");
}

#[test]
fn with_what_was_chosen_as_the_lock_the_same_is_chosen() {
    let world = world(
        "a 1.0.0: c >=1, <3; d ^1
         b 1.0.0: c ^2
         c 1.0.0
         c 2.0.0
         c 2.1.0
         d 1.0.0
         d 1.1.0",
    );
    let workspace = workspace(&world, "//app a ^1\n//app b ^1");
    let chosen = workspace.chooses();
    assert_eq!(workspace.clone().locked(&chosen).chooses(), chosen);
}
