//! Stores that another user may have filled.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use wake_tests::{Project, expect, is_root, skip};

use crate::scene::{give, victim};

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A project whose store is set by `wake.toml`, else the one in the user's home.
fn naming(store: &str) -> Project {
    let project = victim();
    project.write("wake.toml", format!("[build]\nstore = '{store}'\n"));
    project
}

#[test]
fn a_store_in_a_checkout_must_be_named_by_the_user() {
    for (store, checkout) in [("vendor/cache", "[ROOT]"), ("../other/cache", "[BASE]/other")] {
        let project = naming(store);
        fs::create_dir_all(project.base().join("other/.git")).unwrap();
        let run = project.wake(["build"]).store("").run().success();
        let said = run.redacted_stderr();
        assert!(
            said.starts_with("warning: the store named in `wake.toml` is in a checkout: "),
            "{said}"
        );
        assert!(said.contains(&format!("`{checkout}` may have come with its content")), "{said}");
        assert!(!project.path(store).exists());
        assert!(project.base().join("home/.cache/wake/store/format").exists());
        project.wake(["build"]).store(project.path("vendor/cache")).run().success();
        assert!(project.path("vendor/cache/format").exists());
    }
    let project = naming("../beside");
    project.wake(["build"]).store("").run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] Finished 1 action in [TIME]
    "#]]);
    assert!(project.base().join("beside/format").exists());
}

#[test]
fn a_new_store_is_private_whatever_the_umask() {
    for umask in ["0", "022", "077", "0777"] {
        let project = victim();
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let run = project.wake(["build"]).wrapper(["sh", "-c", &script]).run();
        run.success();
        assert_eq!(mode_of(&project.store()), 0o700, "{umask}");
    }
}

#[test]
fn a_readable_store_is_made_private_and_a_writable_one_refused() {
    let project = victim();
    project.build(&[]);
    set_mode(&project.store(), 0o755);
    project.build_runs_nothing(&[]);
    assert_eq!(mode_of(&project.store()), 0o700);
    let shard = fs::read_dir(project.store().join("tree")).unwrap().next().unwrap().unwrap().path();
    for dir in [project.store(), project.store().join("action"), shard] {
        let before = mode_of(&dir);
        set_mode(&project.store(), 0o755);
        set_mode(&dir, 0o777);
        let run = project.wake(["build"]).run().code(10);
        assert!(
            run.stderr.contains(&format!("error: `{}` is writable by other users", dir.display())),
            "{run}"
        );
        let vouched = project.wake(["build"]).env("WAKE_SAFE_DIRECTORY", project.store());
        vouched.run().success();
        set_mode(&dir, before);
    }
    set_mode(&project.store(), 0o700);
    set_mode(&project.store().join("action"), 0o777);
    // No other user can reach it.
    project.build_runs_nothing(&[]);
}

#[test]
fn an_empty_directory_becomes_a_private_store() {
    let project = victim();
    fs::create_dir(project.store()).unwrap();
    set_mode(&project.store(), 0o777);
    project.build(&[]);
    assert_eq!(mode_of(&project.store()), 0o700);
}

#[test]
fn a_store_of_another_user_is_refused() {
    if !is_root() {
        return skip("a_store_of_another_user_is_refused", "needs root to run as two users");
    }
    let project = victim();
    project.build(&[]);
    for dir in [project.store().join("action"), project.store()] {
        give(&dir, 61_101);
        let run = project.wake(["build"]).run().code(10);
        let text = format!("error: `{}` belongs to another user (uid 61101)", dir.display());
        assert!(run.stderr.contains(&text), "{run}");
        let vouched = project.wake(["build"]).env("WAKE_SAFE_DIRECTORY", project.store());
        vouched.run().success();
        let called = project.wake(["build"]).env("SUDO_UID", "61101");
        called.run().success();
    }
}

#[test]
fn the_remains_of_a_store_are_reported_with_a_remedy() {
    let project = victim();
    project.build(&[]);
    for name in ["format", "lock", "gate"] {
        fs::remove_file(project.store().join(name)).unwrap();
    }
    project.wake(["build"]).run().code(10).says(expect![[r#"
        error: `[STORE]` is a partly removed wake store
         help: remove what is left of it: `chmod -R u+w [STORE] && rm -r [STORE]`
        [TIME] FAILED 1 error in [TIME]
    "#]]);
}

#[test]
fn the_jobs_setting_has_the_limits_of_the_flag() {
    let project = victim();
    for jobs in ["0", "4097", "999999999", "-1", "99999999999999999999"] {
        project.write("wake.toml", format!("[build]\njobs = {jobs}\n"));
        let run = project.wake(["build"]).run().code(2);
        assert!(run.stderr.contains("--> wake.toml:2:8"), "{run}");
        let by_flag = project.wake(["build", &format!("--jobs={jobs}")]).run().code(2);
        assert!(by_flag.stderr.contains("--jobs"), "{by_flag}");
    }
    project.write("wake.toml", "[build]\njobs = 4096\n");
    project.wake(["build"]).run().success();
}

#[test]
fn a_store_in_a_package_is_not_a_source_or_package() {
    let project = victim();
    project.edit("PKG.libsonnet", "files=['./t.sh']", "files=[wake.dir('.', exclude='.wake')]");
    project.write_script("t.sh", "#!/bin/sh\nfind . -type f | sort > o\n");
    let store = project.path("cache");
    let build = |args: &[&str]| project.wake(args).store(&store).run().success();
    build(&["build", "//..."]);
    let listed = project.result_text("//:m", "o");
    assert!(!listed.contains("cache"), "{listed}");
    // A package inside a result is not a package of the workspace either.
    project.write_script("lib/t.sh", "#!/bin/sh\nmkdir o; echo 1 > o/PKG.libsonnet\n");
    project.edit("lib/m.libsonnet", "o: './o'", "o: './o/'");
    build(&["build", "//..."]);
    let packages = build(&["ls", "//..."]);
    assert!(!packages.stdout.contains("cache"), "{packages}");
    let build = build(&["--message-format", "json", "build", "//..."]).events();
    assert_eq!(build.ran(), [] as [&str; 0]);
}
