//! The union of two locks meets the requirements of both.

use std::collections::BTreeSet;

use crate::exhaustive::{Chance, as_lines, check, random_demands, random_world, reached};
use crate::world::{Workspace, lines, lock, workspace};

/// Two branches with a common lock each add requirements, and each locks what it needs.
#[test]
fn two_branches_merge_blindly() {
    let mut chance = Chance(3);
    let (mut merged, mut solved_again) = (0, 0);
    while merged < 400 {
        let world = random_world(&mut chance);
        let began = random_demands(&mut chance);
        let Ok(base) = workspace(&world, &began).solve() else { continue };
        let base = lines(&base);
        let branch = |more: &str| {
            let workspace = workspace(&world, &format!("{began}{more}")).locked(&base);
            workspace.solve().ok().map(|chosen| (workspace, chosen))
        };
        let (more, others) = (random_demands(&mut chance), random_demands(&mut chance));
        let (Some((ours, ours_chosen)), Some((theirs, theirs_chosen))) =
            (branch(&more), branch(&others))
        else {
            continue;
        };
        merged += 1;
        let union = format!("{}{}", lines(&ours_chosen), lines(&theirs_chosen));
        let mut both = Workspace { lock: lock(&union), ..ours };
        both.demands.extend(theirs.demands);
        let all: BTreeSet<_> =
            as_lines(&ours_chosen).union(&as_lines(&theirs_chosen)).cloned().collect();
        assert!(reached(&both, &all).is_some(), "the union misses something: {union}");
        // A range with two lines is decided again, or an error says why that is impossible.
        solved_again += usize::from(check(&both).is_some());
    }
    assert!(solved_again > 200, "{solved_again}");
}
