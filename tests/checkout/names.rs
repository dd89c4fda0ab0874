//! Names and listings: a package can name what it lists, and unnamed files cause no errors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use wake_tests::{Project, copy_of_binary, has_program, is_root, project, skip};

use crate::scene::give;

/// A package that lists its files.
fn listing(files: &str, module: &str) -> Project {
    let rest = format!("files=['./list.sh', {files}], modules={{ m: './m.libsonnet' }}");
    project()
        .pkg(&rest)
        .module(
            "m.libsonnet",
            "m",
            &format!(
                "outputs=function(wake, pkg) {{ o: './o' }},\n    {module}\n    exec=wake.exec('./list.sh')"
            ),
        )
        .script("list.sh", "#!/bin/sh\nfind . -type f ! -path './.wake/*' ! -name list.sh | sort > /tmp/o\nmv /tmp/o o\n")
        .build()
}

#[test]
fn a_file_name_with_glob_characters_is_a_name() {
    let choose = "pkgFiles=['./list.sh'] + [f for f in pkg.files if std.length(std.findSubstr('id', f)) > 0],";
    let project = listing("wake.dir('pages')", choose);
    for name in ["[id].js", "i.js", "d.js", "[id]/x", "i/x"] {
        project.write(&format!("pages/{name}"), "");
    }
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "o"), "./pages/[id].js\n./pages/[id]/x\n");
    // If there is no file of that name, it is a glob.
    fs::remove_file(project.path("pages/[id].js")).unwrap();
    project.edit(
        "m.libsonnet",
        "[f for f in pkg.files if std.length(std.findSubstr('id', f)) > 0]",
        "['./pages/[id].js']",
    );
    project.build(&[]);
    assert_eq!(project.result_text("//:m", "o"), "./pages/d.js\n./pages/i.js\n");
}

#[test]
fn directories_of_version_control_are_never_listed() {
    if !has_program("git") {
        return skip("directories_of_version_control_are_never_listed", "needs `git`");
    }
    let project = listing("wake.dir('.', exclude='m.libsonnet')", "");
    project.write(".gitignore", ".wake\n");
    let git = |dir: &std::path::Path, args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(dir).args(["-c", "user.name=t", "-c", "user.email=t@t"]).args(args);
        let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(project.root(), &["init", "--quiet"]);
    git(project.root(), &["add", "."]);
    git(project.root(), &["commit", "--quiet", "--message=x"]);
    let worktree = project.base().join("worktree");
    git(project.root(), &["worktree", "add", "--quiet", worktree.to_str().unwrap()]);
    project.build(&[]);
    let listed = "./.gitignore\n./PKG.libsonnet\n";
    assert_eq!(project.result_text("//:m", "o"), listed);
    assert!(worktree.join(".git").is_file());
    let there = project.json_build(&[]).cwd(&worktree).run().success().events();
    assert_eq!(there.ran(), [] as [&str; 0]);
    assert_eq!(fs::read_to_string(worktree.join(".wake/out/m/o")).unwrap(), listed);
    // Naming such a directory does not list it either.
    let project = listing("wake.dir('.git')", "");
    project.write(".git/HEAD", "");
    project.wake(["build"]).run().code(5);
}

#[test]
fn excluded_files_need_not_be_readable() {
    const ME: u32 = 61_102;
    let excludes =
        ["'d/locked'", "'d/locked/**'", "['**/locked/**']", "'d/lock*/**'", "'./d/locked'"];
    for exclude in excludes {
        let project = listing(&format!("wake.dir('d/**', exclude={exclude})"), "");
        project.write("d/ok/f", "");
        project.write("d/locked/f", "");
        project.write("elsewhere/f", "");
        for dir in ["d/locked", "elsewhere"] {
            fs::set_permissions(project.path(dir), fs::Permissions::from_mode(0o000)).unwrap();
        }
        // Root can read everything.
        let (mut wake, user) = (project.wake(["build", "//..."]), ME.to_string());
        if is_root() {
            give(project.base(), ME);
            let words = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"];
            wake = wake.program(copy_of_binary(project.base())).wrapper(words);
        }
        wake.run().success();
        assert_eq!(project.result_text("//:m", "o"), "./d/ok/f\n", "{exclude}");
        // An unreadable file that is not excluded is named.
        project.edit("PKG.libsonnet", &format!("exclude={exclude}"), "exclude='d/other'");
        let refused = wake.run().code(5);
        assert!(refused.stderr.contains("d/locked"), "{refused}");
        for dir in ["d/locked", "elsewhere"] {
            fs::set_permissions(project.path(dir), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}
