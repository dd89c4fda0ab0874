//! Searches that take too long are given up with an error.

use expect_test::expect;
use wake_solve::{Task, Unsolved, solve};

use crate::world::{Workspace, workspace, world};

/// One more pigeon than there are holes: the proof that this is impossible takes longer than anybody waits.
fn pigeons(holes: usize) -> Workspace {
    let mut lines = String::new();
    for hole in 0..holes {
        for pigeon in 0..=holes {
            lines += &format!("acme/hole{hole} 1.{pigeon}.0\n");
        }
    }
    let mut demands = String::new();
    for pigeon in 0..=holes {
        for hole in 0..holes {
            lines += &format!("acme/pigeon{pigeon} 1.{hole}.0: acme/hole{hole} =1.{pigeon}.0\n");
        }
        demands += &format!("//app acme/pigeon{pigeon} ^1\n");
    }
    workspace(&world(&lines), &demands)
}

fn solved(workspace: &Workspace, steps: u64) -> String {
    let Workspace { world, demands, lock, update, exact } = workspace;
    match solve(&Task { demands, lock, update: update.clone(), exact, steps }, world) {
        Ok(_) => "solved".to_owned(),
        Err(Unsolved::Unanswered(error)) => error,
        Err(Unsolved::Faults(faults)) => {
            let [fault] = &faults[..] else { panic!("{faults:?}") };
            let lines = [&fault.message].into_iter().chain(&fault.notes).chain(&fault.help);
            lines.map(|line| format!("{line}\n")).collect()
        }
    }
}

#[test]
fn an_abandoned_search_reports_the_conflicts() {
    let few = solved(&pigeons(3), 1_000);
    assert!(few.starts_with("no versions fit together\n"), "{few}");
    let many = pigeons(7);
    let said = solved(&many, 1_000);
    expect![[r#"
        no versions that fit together were found
        some may exist: the search gave up after 1000 steps
        most conflicts involved acme/pigeon4, acme/pigeon5, acme/pigeon1
        narrow the requirements, of these packages first: `wake add acme/pigeon4@=VERSION` pins one
        change less at once: run `wake update PACKAGE`, or change one requirement at a time
    "#]]
    .assert_eq(&said);
    // Independent of the order of requirements.
    assert_eq!(solved(&many.reversed(), 1_000), said);
}

/// A solution is found even if what was in the way must be decided first.
#[test]
fn a_restarted_search_finds_the_same_solution() {
    let mut free = pigeons(8);
    // One pigeon fewer.
    free.demands.pop();
    assert_eq!(solved(&free, 20_000_000), "solved");
}
