//! One store shared by many checkouts and processes.

#![allow(clippy::unwrap_used)]

use std::fs;

use wake_tests::{Project, example, project, read_tree};

fn stamp() -> Project {
    // A result that no second run would give: a checkout with the same result took it from the store.
    project().step("stamp", "head -c 16 /dev/urandom | od -An -tx1 > out.txt").build()
}

#[test]
fn two_checkouts_share_results() {
    let (one, two) = (stamp(), stamp());
    one.build(&[]);
    let build = two.json_build(&[]).store(one.store()).run().success().events();
    assert_eq!(build.ran(), [] as [&str; 0]);
    assert_eq!(two.result_text("//:stamp", "out.txt"), one.result_text("//:stamp", "out.txt"));
}

#[test]
fn two_concurrent_builds_in_one_checkout_succeed() {
    let project = example("c-app");
    let children: Vec<_> = (0..2).map(|_| project.json_build(&["app:both"]).spawn()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    project.build_runs_nothing(&["app:both"]);
    project.wake(["store", "verify"]).run().success();
}

#[test]
fn eight_concurrent_builds_share_one_store() {
    let projects: Vec<Project> = (0..8).map(|_| example("c-app")).collect();
    let store = projects[0].store();
    let children: Vec<_> = projects
        .iter()
        .map(|project| project.json_build(&["app:both"]).store(&store).spawn())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let results: Vec<_> =
        projects.iter().map(|project| read_tree(&project.result("//app:both", "bin"))).collect();
    assert!(results.iter().all(|result| *result == results[0]));
    projects[0].build_runs_nothing(&["app:both"]);
    projects[0].wake(["store", "verify"]).run().success();
}

#[test]
fn a_deleted_state_directory_costs_nothing() {
    let project = stamp();
    project.build(&[]);
    let before = project.result_text("//:stamp", "out.txt");
    fs::remove_dir_all(project.path(".wake")).unwrap();
    project.build_runs_nothing(&[]);
    assert_eq!(project.result_text("//:stamp", "out.txt"), before);
}

#[test]
fn deleted_result_links_are_restored() {
    let project = stamp();
    project.build(&[]);
    fs::remove_dir_all(project.path(".wake/out")).unwrap();
    project.build_runs_nothing(&[]);
    assert!(project.result("//:stamp", "out.txt").is_file());
}

#[test]
fn a_deleted_store_is_rebuilt() {
    let project = example("c-app");
    let cold = project.build(&["app:both"]);
    wake_rm(&project.store());
    let again = project.build(&["app:both"]);
    assert_eq!(again.ran(), cold.ran());
    assert_eq!(again.outputs(), cold.outputs());
}

#[test]
fn gc_keeps_results_of_existing_checkouts() {
    let (living, gone) = (stamp(), stamp());
    living.build(&[]);
    gone.edit("step.sh", "16", "17");
    gone.json_build(&[]).store(living.store()).run().success();
    fs::remove_dir_all(gone.root()).unwrap();

    let before = living.result_text("//:stamp", "out.txt");
    living.wake(["gc", "--max-size", "0"]).run().success();
    assert_eq!(living.result_text("//:stamp", "out.txt"), before);
    living.build_runs_nothing(&[]);
    living.wake(["store", "verify"]).run().success();
}

#[test]
fn a_dry_run_of_gc_deletes_nothing() {
    let project = stamp();
    project.build(&[]);
    fs::remove_dir_all(project.path(".wake")).unwrap();
    let before = read_tree(&project.store().join("tree"));
    project.wake(["gc", "--dry-run", "--max-size", "0"]).run().success();
    assert_eq!(read_tree(&project.store().join("tree")), before);
}

#[test]
fn writing_through_a_result_link_does_not_affect_others() {
    use std::os::unix::fs::PermissionsExt;
    let project = stamp();
    project.build(&[]);
    let result = project.result("//:stamp", "out.txt");
    let before = fs::read(&result).unwrap();

    // Results are read-only, and forced changes are detected.
    assert_eq!(fs::metadata(&result).unwrap().permissions().mode() & 0o222, 0);
    fs::set_permissions(&result, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&result, "forged").unwrap();
    let build = project.build(&[]);
    assert_eq!(build.ran(), ["//:stamp"]);
    let after = fs::read(project.result("//:stamp", "out.txt")).unwrap();
    assert!(after != b"forged" && after.len() == before.len());
}

/// Removes a directory whose contents are read-only.
fn wake_rm(dir: &std::path::Path) {
    let script = "chmod -R u+w \"$0\" && rm -rf \"$0\"";
    let status = std::process::Command::new("sh").args(["-c", script]).arg(dir).status().unwrap();
    assert!(status.success());
}
