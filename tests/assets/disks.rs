//! Registries with parts on other disks, by symbolic links.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use wake_tests::{Project, expect, skip};

use super::{DIGEST, FASTA, add, lab, printed, wake};

/// A directory on another disk than the tests; none if there is no other disk.
fn elsewhere(test: &str, lab: &Project) -> Option<tempfile::TempDir> {
    let is_other = |dir: &Path| {
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
        device(dir).is_some() && device(dir) != device(lab.root())
    };
    let shared = Path::new("/dev/shm");
    let dir = is_other(shared).then(|| tempfile::tempdir_in(shared).ok()).flatten();
    if dir.is_none() {
        skip(test, "there is no other disk at `/dev/shm`");
    }
    dir
}

/// Moves a directory of the registry to the other disk, and links it.
fn move_there(lab: &Project, below: &str, disk: &Path) {
    let (from, to) = (lab.path(below), disk.join("moved"));
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-a").args([&from, &to]).status().unwrap().success());
    std::fs::remove_dir_all(&from).unwrap();
    std::os::unix::fs::symlink(&to, &from).unwrap();
}

/// Exercises a registry with `below` on another disk.
#[track_caller]
fn works_with(test: &str, below: &str) {
    let lab = lab();
    let Some(disk) = elsewhere(test, &lab) else { return };
    add(&lab, "tiny/fasta:a", FASTA).success();
    move_there(&lab, below, disk.path());
    add(&lab, "tiny/fasta:b", FASTA).success();
    add(&lab, "tiny/other:a", "other").success();
    wake(&lab, &["asset", "tag", "tiny/fasta:b", "--to", "c"]).run().success();
    // Replace an existing asset.
    lab.write(&format!("made/new/{DIGEST}.fa"), "new");
    let keys = format!("{{\"fasta\": \"{DIGEST}.fa\"}}");
    let new = ["asset", "add", "tiny/fasta:c", "--path", "made/new", "--seek-keys", &keys];
    wake(&lab, &[&new[..], &["--force"]].concat()).run().success();
    let found = printed(&lab, &["asset", "seek", "tiny/fasta:c"]);
    assert_eq!(std::fs::read_to_string(found.trim_end()).unwrap(), "new");
    wake(&lab, &["genome", "alias", "set", "tiny", "small"]).run().success();
    assert_eq!(lab.read("g/alias/small/fasta/a/small.fa"), FASTA);
    wake(&lab, &["asset", "remove", "tiny/fasta:a", "tiny/other"]).run().success();
    wake(&lab, &["genome", "alias", "remove", "tiny"]).run().success();
    assert_eq!(printed(&lab, &["asset", "list"]), "small                fasta\n");
    assert_eq!(lab.read("g/alias/small/fasta/c/small.fa"), "new");
    // Staging took place on that disk, and nothing is left of it.
    assert!(lab.path(below).symlink_metadata().unwrap().is_symlink());
    let left =
        std::process::Command::new("find").arg(disk.path()).args(["-name", ".wake"]).output();
    assert_eq!(String::from_utf8(left.unwrap().stdout).unwrap(), "");
    assert_eq!(std::fs::read_dir(lab.path("g/.wake/staging")).unwrap().count(), 0);
}

#[test]
fn a_genome_may_lie_on_another_disk() {
    works_with("a_genome_may_lie_on_another_disk", &format!("g/data/{DIGEST}"));
}

#[test]
fn an_asset_may_lie_on_another_disk() {
    works_with("an_asset_may_lie_on_another_disk", &format!("g/data/{DIGEST}/fasta"));
}

#[test]
fn all_data_may_lie_on_another_disk() {
    works_with("all_data_may_lie_on_another_disk", "g/data");
}

#[test]
fn links_by_aliases_may_lie_on_another_disk() {
    works_with("links_by_aliases_may_lie_on_another_disk", "g/alias");
}

#[test]
fn what_a_killed_process_left_on_another_disk_is_cleared_up() {
    const TEST: &str = "what_a_killed_process_left_on_another_disk_is_cleared_up";
    let lab = lab();
    let Some(disk) = elsewhere(TEST, &lab) else { return };
    add(&lab, "tiny/fasta:a", FASTA).success();
    move_there(&lab, &format!("g/data/{DIGEST}"), disk.path());
    for file in 0..40 {
        lab.write(&format!("made/many/f{file}"), "x".repeat(200_000));
    }
    lab.write(&format!("made/many/{DIGEST}.fa"), FASTA);
    for pause in [2, 5, 10, 20, 40] {
        let mut child = super::add_call(&lab, "tiny/fasta:k", "made/many").spawn();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let _ = child.kill();
        child.wait().unwrap();
        let _ = wake(&lab, &["asset", "remove", "tiny/fasta:k"]).run();
    }
    add(&lab, "tiny/fasta:last", FASTA).success();
    let left = std::process::Command::new("find")
        .arg(disk.path())
        .args(["-name", "s*", "-path", "*.wake*"])
        .output();
    assert_eq!(String::from_utf8(left.unwrap().stdout).unwrap(), "");
}

#[test]
fn a_disk_that_is_not_there_leaves_the_registry_as_it_was() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    let genome = lab.path(&format!("g/data/{DIGEST}"));
    std::fs::rename(&genome, lab.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(lab.path("not_mounted"), &genome).unwrap();
    let before = lab.read("g/genome_config.yaml");
    add(&lab, "tiny/fasta:b", FASTA).code(10).says(expect![[r#"
        error: `[ROOT]/g/data/4e88f10ceb549493a658a41991ffa249af078781d28aa9e2`: not a directory
    "#]]);
    wake(&lab, &["asset", "remove", "tiny/fasta"]).run().code(10);
    assert_eq!(lab.read("g/genome_config.yaml"), before);
    assert!(!lab.path("g/.wake/journal").exists());
    std::fs::rename(lab.path("elsewhere"), lab.path("not_mounted")).unwrap();
    add(&lab, "tiny/fasta:b", FASTA).success();
}
