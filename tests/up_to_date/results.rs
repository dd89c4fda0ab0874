//! Results that were changed since the last build.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use wake_tests::{Project, copy_tree, read_tree};

use crate::scene::{LABELS, TARGETS, holds, settled};

const NOTHING: &[&str] = &[];

fn link(project: &Project, label: &str) -> PathBuf {
    project
        .path(".wake/out")
        .join(label.trim_start_matches("//").replace(':', "/").trim_start_matches('/'))
}

fn tree(project: &Project, label: &str) -> PathBuf {
    fs::read_link(link(project, label)).unwrap()
}

/// Makes a directory of the store writable, as for a deliberate change.
fn unlock(path: &Path) {
    for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            unlock(&entry.path());
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Changes the data of `//:copy`, so that the next build has something else to do as well.
fn with_an_edit(project: Project) -> Project {
    project.write("data", "two\n");
    project
}

#[test]
fn a_link_is_removed() {
    let project = settled();
    fs::remove_file(link(&project, "//:list")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_link_is_removed_and_another_step_must_run() {
    let project = with_an_edit(settled());
    fs::remove_file(link(&project, "//:list")).unwrap();
    holds(&project, &["//:copy"]);
}

#[test]
fn a_link_is_removed_and_an_unused_file_changed() {
    let project = settled();
    project.write("unseen", "1\n");
    project.edit("PKG.libsonnet", "'./data', ", "'./data', './unseen', ");
    project.build(TARGETS);
    project.build(TARGETS);
    project.write("unseen", "2\n");
    fs::remove_file(link(&project, "//:list")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn all_links_are_removed() {
    let project = settled();
    fs::remove_dir_all(project.path(".wake/out")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_link_is_replaced_by_a_file_of_the_user() {
    let project = settled();
    fs::remove_file(link(&project, "//:list")).unwrap();
    fs::write(link(&project, "//:list"), "mine").unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_link_is_replaced_by_a_directory() {
    let project = settled();
    fs::remove_file(link(&project, "//:list")).unwrap();
    fs::create_dir(link(&project, "//:list")).unwrap();
    fs::write(link(&project, "//:list").join("out.txt"), "mine").unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_link_leads_to_the_result_of_another_step() {
    let project = settled();
    fs::remove_file(link(&project, "//:list")).unwrap();
    symlink(tree(&project, "//:copy"), link(&project, "//:list")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_tree_is_removed_from_the_store() {
    for label in LABELS {
        let project = settled();
        let tree = tree(&project, label);
        unlock(&tree);
        fs::remove_dir_all(tree).unwrap();
        holds(&project, &[label]);
    }
}

#[test]
fn a_tree_is_removed_and_another_step_must_run() {
    let project = with_an_edit(settled());
    let tree = tree(&project, "//:list");
    unlock(&tree);
    fs::remove_dir_all(tree).unwrap();
    holds(&project, &["//:copy", "//:list"]);
}

/// `//:copy` needs it and must rerun.
#[test]
fn the_tree_of_a_dependency_is_removed() {
    let project = with_an_edit(settled());
    let tree = tree(&project, "//lib:made");
    unlock(&tree);
    fs::remove_dir_all(tree).unwrap();
    holds(&project, &["//:copy", "//lib:made"]);
}

#[test]
fn the_store_is_removed() {
    let project = settled();
    unlock(&project.store());
    fs::remove_dir_all(project.store()).unwrap();
    holds(&project, &LABELS);
}

/// A name, and something done to the result `out.txt` in the store.
type Damage = (&'static str, fn(&Path));

const DAMAGE: [Damage; 7] = [
    ("other bytes of the same length and time", |file| {
        let time = fs::metadata(file).unwrap().modified().unwrap();
        let length = fs::metadata(file).unwrap().len();
        fs::write(file, vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
        fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    }),
    ("no bytes", |file| fs::write(file, "").unwrap()),
    ("gone", |file| fs::remove_file(file).unwrap()),
    ("another mode", |file| {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }),
    ("another file in its place", |file| {
        fs::remove_file(file).unwrap();
        fs::write(file, "mine").unwrap();
    }),
    ("a link in its place", |file| {
        fs::remove_file(file).unwrap();
        symlink("/etc/passwd", file).unwrap();
    }),
    ("a file beside it", |file| fs::write(file.with_file_name("more"), "").unwrap()),
];

/// Damages the result of `//:list` in the store.
fn damaged(damage: fn(&Path)) -> Project {
    let project = settled();
    let tree = tree(&project, "//:list");
    unlock(&tree);
    fs::set_permissions(tree.join("out.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    damage(&tree.join("out.txt"));
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o555)).unwrap();
    project
}

/// The other checkout starts from the stored state of the first one's build.
#[test]
fn a_result_changed_in_the_store_is_needed_by_another_checkout() {
    for (what, damage) in DAMAGE {
        let expected = read_tree(&settled().result("//:list", ""));
        let project = damaged(damage);
        let other = wake_tests::project().build();
        copy_tree(project.root(), other.root());
        other.json_build(TARGETS).store(project.store()).run().success();
        assert_eq!(read_tree(&other.result("//:list", "")), expected, "{what}");
    }
}

#[test]
fn a_result_is_changed_in_the_store() {
    for (what, damage) in DAMAGE {
        let project = damaged(damage);
        let run = project.json_build(TARGETS).run().success();
        // Another mode is corrected, and any other change causes a rebuild.
        let expected: &[&str] = if what == "another mode" { NOTHING } else { &["//:list"] };
        assert_eq!(run.events().ran(), expected, "{what}\n{run}");
        holds(&project, NOTHING);
    }
}
