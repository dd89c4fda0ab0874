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
fn locked_versions_are_kept() {
    workspace(&three(), DEMANDS).gives("a 1.1.0  b 1.1.0  c 1.2.0");
    workspace(&three(), DEMANDS).locked(LOCK).gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn unneeded_locked_packages_are_dropped() {
    workspace(&three(), "//lib b ^1").locked(LOCK).gives("b 1.0.0  c 1.0.0");
    workspace(&three(), "").locked(LOCK).gives("");
}

#[test]
fn new_packages_fit_locked_versions() {
    // `a` 1.1.0 would need a newer `c`, but the locked one suffices for `a` 1.0.0.
    workspace(&three(), DEMANDS).locked("b 1.0.0\nc 1.0.0").gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn only_conflicting_locked_versions_are_changed() {
    // The requirement was raised to one that the locked `c` does not meet.
    let raised = "//app a ^1.1
                  //lib b ^1";
    workspace(&three(), raised).locked(LOCK).gives("a 1.1.0  b 1.0.0  c 1.2.0");
}

#[test]
fn an_update_of_one_package_changes_only_that_one() {
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
fn an_exact_version_downgrades_incompatible_dependents() {
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
fn a_locked_range_is_kept_if_several_match() {
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
fn a_locked_version_that_disappeared_is_replaced() {
    workspace(&three(), DEMANDS)
        .locked("a 1.0.5\nb 1.0.0\nc 1.0.0")
        .gives("a 1.0.0  b 1.0.0  c 1.0.0");
}

#[test]
fn the_higher_matching_locked_version_is_kept() {
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
fn retrieved_packages_do_not_affect_registry_packages() {
    let mut workspace = workspace(&three(), "//app c ^1");
    let line = "wake-lock 1\nc 1.0.0 via:tool 0000000000000000000000000000000000000000000000000000000000000000\n";
    workspace.lock = wake_model::Lock::parse(line).unwrap();
    workspace.gives("c 1.2.0");
}

#[test]
fn solving_with_the_solution_as_lock_is_idempotent() {
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
