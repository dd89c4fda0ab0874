//! Edits of the checkout.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use wake_tests::Project;

use crate::scene::{assert_at_once, holds, settle, settled, workspace};

const NOTHING: &[&str] = &[];

fn modified(project: &Project, path: &str) -> SystemTime {
    fs::metadata(project.path(path)).unwrap().modified().unwrap()
}

fn set_modified(project: &Project, path: &str, time: SystemTime) {
    let file = File::options().append(true).open(project.path(path)).unwrap();
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
}

#[test]
fn nothing_at_all() {
    holds(&settled(), NOTHING);
}

#[test]
fn a_data_file() {
    let project = settled();
    project.write("data", "longer than before\n");
    holds(&project, &["//:copy"]);
}

#[test]
fn a_data_file_of_the_same_size_and_time() {
    let project = settled();
    let time = modified(&project, "data");
    project.write("data", "two\n");
    set_modified(&project, "data", time);
    holds(&project, &["//:copy"]);
}

#[test]
fn a_data_file_of_the_same_size_and_time_by_rename() {
    let project = settled();
    let time = modified(&project, "data");
    project.write("beside", "two\n");
    set_modified(&project, "beside", time);
    fs::rename(project.path("beside"), project.path("data")).unwrap();
    holds(&project, &["//:copy"]);
}

#[test]
fn a_data_file_repeatedly_within_one_tick_of_the_clock() {
    let project = settled();
    let time = modified(&project, "data");
    for round in 0..10 {
        let text = format!("{round:03}\n");
        project.write("data", &text);
        set_modified(&project, "data", time);
        assert_eq!(project.build(&["//..."]).ran(), ["//:copy"]);
        assert_eq!(project.result_text("//:copy", "out.txt"), format!("{text}base\n"));
    }
}

#[test]
fn a_source_of_the_same_size_and_time() {
    let project = settled();
    let time = modified(&project, "text");
    project.write("text", "other");
    set_modified(&project, "text", time);
    holds(&project, &["//:list"]);
}

/// A clock that was set back leaves times in the future: a later edit need not have a later time.
#[test]
fn a_clock_that_was_set_back() {
    let project = workspace();
    let future = SystemTime::now() + Duration::from_secs(1_000_000);
    for path in ["data", "text", "in/a.txt"] {
        set_modified(&project, path, future);
    }
    let project = settle(project);
    project.write("data", "two\n");
    project.write("in/a.txt", "A\n");
    for path in ["data", "in/a.txt"] {
        set_modified(&project, path, future);
    }
    holds(&project, &["//:copy", "//:list"]);
    project.write("text", "other");
    set_modified(&project, "text", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    holds(&project, &["//:list"]);
}

#[test]
fn touched_without_change() {
    let project = settled();
    for path in ["data", "text", "in/a.txt", "PKG.libsonnet", "copy.libsonnet", "lib/base"] {
        project.touch(path);
    }
    assert_at_once(&project.build(&["//..."]));
    holds(&project, NOTHING);
}

#[test]
fn a_change_and_its_reversal() {
    let project = settled();
    project.write("data", "two\n");
    holds(&project, &["//:copy"]);
    project.write("data", "one\n");
    holds(&project, NOTHING);
}

#[test]
fn what_a_dependency_reads() {
    let project = settled();
    project.write("lib/base", "z\na\n");
    holds(&project, &["//:copy", "//lib:made"]);
    // Its output is equal, so its dependents do not rerun.
    project.write("lib/base", "a\nz\n");
    holds(&project, &["//lib:made"]);
}

#[test]
fn a_new_file_that_a_glob_matches() {
    let project = settled();
    project.write("in/c.txt", "c\n");
    holds(&project, &["//:list"]);
}

#[test]
fn a_new_file_below_a_directory_input() {
    let project = settled();
    project.write("in/deep/c", "c\n");
    holds(&project, &["//:list"]);
    project.write("in/new/d", "d\n");
    holds(&project, &["//:list"]);
}

#[test]
fn a_new_directory_without_files() {
    let project = settled();
    fs::create_dir(project.path("in/empty")).unwrap();
    holds(&project, NOTHING);
    // The directory was noticed although nothing changed: a file added to it later is noticed, too.
    project.write("in/empty/e", "e\n");
    holds(&project, &["//:list"]);
}

#[test]
fn a_new_file_that_nothing_names() {
    let project = settled();
    project.write("beside", "x\n");
    holds(&project, NOTHING);
}

#[test]
fn a_removed_file() {
    let project = settled();
    fs::remove_file(project.path("in/deep/b.txt")).unwrap();
    holds(&project, &["//:list"]);
}

#[test]
fn a_removed_file_that_is_named() {
    let project = settled();
    fs::remove_file(project.path("data")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_renamed_file() {
    let project = settled();
    fs::rename(project.path("in/a.txt"), project.path("in/z.txt")).unwrap();
    holds(&project, &["//:list"]);
}

#[test]
fn two_files_that_are_swapped() {
    let project = settled();
    fs::rename(project.path("in/a.txt"), project.path("in/x")).unwrap();
    fs::rename(project.path("in/deep/b.txt"), project.path("in/a.txt")).unwrap();
    fs::rename(project.path("in/x"), project.path("in/deep/b.txt")).unwrap();
    holds(&project, &["//:list"]);
}

#[test]
fn a_file_that_becomes_a_link() {
    let project = settled();
    fs::remove_file(project.path("in/a.txt")).unwrap();
    symlink("deep/b.txt", project.path("in/a.txt")).unwrap();
    holds(&project, &["//:list"]);
}

#[test]
fn a_file_that_becomes_a_directory() {
    let project = settled();
    fs::remove_file(project.path("data")).unwrap();
    project.write("data/inside", "");
    holds(&project, NOTHING);
}

#[test]
fn a_directory_that_becomes_a_link() {
    let project = settled();
    fs::rename(project.path("in/deep"), project.path("elsewhere")).unwrap();
    symlink("../elsewhere", project.path("in/deep")).unwrap();
    holds(&project, &["//:list"]);
}

#[test]
fn a_link_with_another_target() {
    let project = settled();
    fs::remove_file(project.path("link")).unwrap();
    symlink("copy.sh", project.path("link")).unwrap();
    holds(&project, &["//:copy"]);
}

#[test]
fn the_target_of_a_link() {
    let project = settled();
    project.write("data", "two\n");
    holds(&project, &["//:copy"]);
}

#[test]
fn a_link_that_leaves_the_package() {
    let project = settled();
    fs::remove_file(project.path("link")).unwrap();
    symlink("../secret", project.path("link")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_program_that_is_not_executable() {
    let project = settled();
    fs::set_permissions(project.path("copy.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_program_with_another_interpreter() {
    let project = settled();
    project.edit("copy.sh", "#!/bin/sh", "#!/bin/no-such-shell");
    holds(&project, NOTHING);
}

#[test]
fn an_executable_bit() {
    let project = settled();
    fs::set_permissions(project.path("in/a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    holds(&project, &["//:list"]);
    fs::set_permissions(project.path("in/a.txt"), fs::Permissions::from_mode(0o711)).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_comment_in_a_function() {
    let project = settled();
    project.edit("copy.libsonnet", "function", "// why\nfunction");
    holds(&project, NOTHING);
}

#[test]
fn a_mistake_in_a_function_and_its_correction() {
    let project = settled();
    project.edit("copy.libsonnet", "pkgFiles", "pkgfiles");
    holds(&project, NOTHING);
    project.edit("copy.libsonnet", "pkgfiles", "pkgFiles");
    holds(&project, NOTHING);
}

#[test]
fn a_step_that_fails_and_then_succeeds() {
    let project = settled();
    project.edit("copy.sh", "cat", "exit 3; cat");
    holds(&project, NOTHING);
    project.edit("copy.sh", "exit 3; cat", "echo more; cat");
    holds(&project, &["//:copy"]);
}

#[test]
fn a_new_package_below_the_target() {
    let project = settled();
    project.write(
        "new/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('new', '1.0.0'), modules={ m: './m.libsonnet' })",
    );
    project.write(
        "new/m.libsonnet",
        "function(wake, pkg, config={}) wake.module('m', files=function(wake, module) [wake.file('./f', from=1, dump=true)],\n  \
         outputs=function(wake, pkg) { f: './f' })",
    );
    holds(&project, &["//new:m"]);
}

/// Only the search for packages has read its directory.
#[test]
fn a_new_package_in_a_directory_with_only_packages() {
    let pkg = |name: &str| {
        format!(
            "function(wake) wake.pkg(wake.pkgInfo('{name}', '1.0.0'), modules={{ m: './m.libsonnet' }})"
        )
    };
    let module = "function(wake, pkg, config={}) wake.module('m', files=function(wake, module) \
                  [wake.file('./f', from=1, dump=true)], outputs=function(wake, pkg) { f: './f' })";
    let project = workspace();
    project.write("apps/one/PKG.libsonnet", pkg("one"));
    project.write("apps/one/m.libsonnet", module);
    let project = settle(project);
    project.write("apps/two/PKG.libsonnet", pkg("two"));
    project.write("apps/two/m.libsonnet", module);
    // Its result equals that of the other package.
    holds(&project, NOTHING);
    assert!(project.result("//apps/two:m", "f").is_file());
}

#[test]
fn a_directory_that_becomes_a_package() {
    let project = settled();
    project
        .write("in/deep/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('deep', '1.0.0'))");
    holds(&project, &["//:list"]);
}

/// The text of its target is the same, but the file is no longer the package's own.
#[test]
fn a_source_that_becomes_a_link_out_of_the_package() {
    let project = workspace();
    project.write("lib/text", "words");
    project.edit(
        "lib/PKG.libsonnet",
        "modules=",
        "inputs=function(wake, pkg) { text: importstr './text' }, modules=",
    );
    let project = settle(project);
    fs::remove_file(project.path("lib/text")).unwrap();
    symlink("../text", project.path("lib/text")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn a_program_of_another_step_that_is_not_executable() {
    let project = workspace();
    project.write_script(
        "lib/made.sh",
        "#!/bin/sh\nset -eu\ntail -n +2 base > out.txt\nchmod \"$(head -1 base)\" out.txt\n",
    );
    project.write("lib/base", "755\n#!/bin/sh\ncat link > out.txt\n");
    project.edit(
        "copy.libsonnet",
        "wake.exec('./copy.sh', args=[wake.ref('modules.made.output.text')])",
        "wake.exec('modules.made.output.text')",
    );
    let project = settle(project);
    project.write("lib/base", "644\n#!/bin/sh\ncat link > out.txt\n");
    holds(&project, &["//lib:made"]);
}

/// None of its files is named; it is only a parent directory of named files.
#[test]
fn a_parent_directory_that_becomes_a_package() {
    let project = workspace();
    project.write("way/to/data", "far\n");
    project.edit("PKG.libsonnet", "'./data', ", "'./data', './way/to/data', ");
    let project = settle(project);
    project.write("way/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('way', '1.0.0'))");
    holds(&project, NOTHING);
}

#[test]
fn a_new_package_in_a_parent_directory_of_a_source() {
    let project = workspace();
    project.write("way/to/text", "words");
    project.edit("PKG.libsonnet", "'./text'", "'./way/to/text'");
    let project = settle(project);
    project.write("way/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('way', '1.0.0'))");
    holds(&project, NOTHING);
}

#[test]
fn a_removed_package() {
    let project = settled();
    fs::remove_file(project.path("lib/PKG.libsonnet")).unwrap();
    holds(&project, NOTHING);
}

#[test]
fn settings_that_exclude_a_package() {
    let project = workspace();
    project.write("wake.toml", "[workspace]\nmembers = [\"lib\", \"\"]\n");
    let project = settle(project);
    project.write("other/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('o', '1.0.0'))");
    project.write("wake.toml", "[workspace]\nmembers = [\"lib\", \"\", \"other\"]\n");
    holds(&project, NOTHING);
}

/// A dangling link is a link, whatever appears at its target later.
#[test]
fn a_file_that_was_absent() {
    let project = workspace();
    project.edit("copy.sh", "cat link", "cat maybe 2>/dev/null || true; cat link");
    project.edit("PKG.libsonnet", "'./link', ", "'./link', './maybe', ");
    project.edit("copy.libsonnet", "'./link', ", "'./link', './maybe', './late', ");
    project.edit("PKG.libsonnet", "wake.dir('./in')", "wake.dir('./in') + wake.dir('./lat*')");
    symlink("late", project.path("maybe")).unwrap();
    project.write("later", "");
    project.edit("copy.libsonnet", "'./late', ", "'./lat*', ");
    let project = settle(project);
    project.write("late", "here\n");
    holds(&project, &["//:copy"]);
    fs::remove_file(project.path("late")).unwrap();
    holds(&project, NOTHING);
}
