//! Workspaces that belong to another user.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use wake_tests::{Project, Wake, copy_of_binary, is_root, skip};

use crate::scene::{give, victim};

/// The user who builds, and another user.
const ME: u32 = 61_102;
const STRANGER: u32 = 61_101;

/// A call as another user.
fn as_user(project: &Project, user: u32, args: &[&str]) -> Wake {
    let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
    let program = project.base().join("wake");
    if !program.exists() {
        copy_of_binary(project.base());
    }
    let words = ["setpriv", &user, &group, "--clear-groups", "--"];
    project.wake(args).program(program).wrapper(words)
}

/// Both may write everywhere, so that only ownership decides.
fn open_to_all(project: &Project) {
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    [project.root(), project.base(), &project.base().join("home")]
        .iter()
        .for_each(|dir| mode(dir, 0o777));
}

#[test]
fn only_the_user_or_root_may_own_workspace_settings() {
    if !is_root() {
        return skip(
            "only_the_user_or_root_may_own_workspace_settings",
            "needs root to run as two users",
        );
    }
    for place in ["", "wake.toml", ".wake", ".wake/state", ".wake/pkgs"] {
        let project = victim();
        for dir in [".wake", ".wake/state", ".wake/pkgs"] {
            fs::create_dir(project.path(dir)).unwrap();
        }
        give(project.root(), ME);
        open_to_all(&project);
        give(&project.path(place), STRANGER);
        if place.is_empty() {
            give(&project.path("wake.toml"), ME);
            give(&project.path(".wake"), ME);
        }
        let build = |args: &[&str]| as_user(&project, ME, args);
        let at_fault = project.path(place);
        let at_fault = at_fault.to_str().unwrap().trim_end_matches('/');
        let refused = build(&["build", "//..."]).run().code(10);
        let text = format!("error: `{at_fault}` belongs to another user (uid {STRANGER})");
        assert!(refused.stderr.contains(&text), "{refused}");
        assert!(refused.stderr.contains("WAKE_SAFE_DIRECTORY="), "{refused}");
        assert!(!project.path(".wake/out").exists(), "{place}");
        // The other commands that read a workspace refuse it, too.
        for args in [&["plan"][..], &["ls"], &["log"], &["why"], &["eval", "1"], &["graph"]] {
            let refused = build(args).run().code(10);
            assert!(refused.stderr.contains(&text), "{refused}");
        }
        let vouched = build(&["build", "//..."]).env("WAKE_SAFE_DIRECTORY", project.root()).run();
        assert!(!vouched.stderr.contains("belongs to"), "{vouched}");
        let elsewhere = build(&["build"]).env("WAKE_SAFE_DIRECTORY", "/elsewhere:/there").run();
        elsewhere.code(10);
    }
    let project = victim();
    open_to_all(&project);
    as_user(&project, ME, &["build", "//..."]).run().success();
    assert_eq!(project.result_text("//lib:n", "o"), "made\n", "files owned by root are trusted");
}

#[test]
fn a_workspace_file_of_another_user_above_is_not_used() {
    if !is_root() {
        return skip(
            "a_workspace_file_of_another_user_above_is_not_used",
            "needs root to run as two users",
        );
    }
    for marker in ["wake.toml", "PKG.libsonnet"] {
        let project = victim();
        open_to_all(&project);
        give(&project.path("lib"), ME);
        fs::set_permissions(project.path("lib"), fs::Permissions::from_mode(0o755)).unwrap();
        if marker == "PKG.libsonnet" {
            fs::remove_file(project.path("wake.toml")).unwrap();
            // The nearest package belongs to the user.
            as_user(&project, ME, &["build"]).cwd(project.path("lib")).run().success();
            continue;
        }
        give(&project.path(marker), STRANGER);
        let run = as_user(&project, ME, &["build"]).cwd(project.path("lib")).run().code(10);
        run.mentions("help: create a `wake.toml` of your own to make its directory the workspace");
        assert!(!project.path(".wake").exists());
        project.write("lib/wake.toml", "");
        as_user(&project, ME, &["build"]).cwd(project.path("lib")).run().success();
    }
}

#[test]
fn root_trusts_the_user_who_called_sudo() {
    if !is_root() {
        return skip("root_trusts_the_user_who_called_sudo", "needs root");
    }
    let project = victim();
    give(project.root(), ME);
    project.wake(["build", "//..."]).run().code(10).mentions("belongs to another user");
    let other = STRANGER.to_string();
    project.wake(["build", "//..."]).env("SUDO_UID", other).run().code(10);
    project.wake(["build", "//..."]).env("SUDO_UID", ME.to_string()).run().success();
    // An ordinary user cannot vouch for others.
    give(project.root(), STRANGER);
    let stranger = STRANGER.to_string();
    as_user(&project, ME, &["build"]).env("SUDO_UID", stranger).run().code(10);
}

#[test]
fn a_program_of_a_read_only_checkout_runs() {
    if !is_root() {
        return skip(
            "a_program_of_a_read_only_checkout_runs",
            "needs root to create a checkout of another user",
        );
    }
    let project = victim();
    project.edit("m.libsonnet", "o: './o'", "bin: './o'");
    project
        .write_script("t.sh", "#!/bin/sh\nprintf '#!/bin/sh\\necho it ran\\n' > o; chmod +x o\n");
    let store = project.base().join("mine/store");
    fs::create_dir_all(&store).unwrap();
    give(&project.base().join("mine"), ME);
    // The second build uses what the first one left in the store.
    for _ in 0..2 {
        let run = as_user(&project, ME, &["run", "//:m"]).store(&store).run().success();
        assert_eq!(run.stdout, "it ran\n", "{run}");
        let warning = "warning: cannot create links below `.wake/out`: Permission denied";
        assert!(run.stderr.contains(warning), "{run}");
    }
    // The builder requests result links.
    as_user(&project, ME, &["build", "//:m"]).store(&store).run().code(10);
    as_user(&project, ME, &["build", "--no-link", "//:m"]).store(&store).run().success();
}
