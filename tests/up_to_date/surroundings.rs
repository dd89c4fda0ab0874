//! What changes around a checkout: the host, the environment, the request.

use std::collections::BTreeSet;
use std::fs;

use wake_tests::{Build, Project, has_program, is_root, skip};

use crate::scene::{LABELS, TARGETS, assert_at_once, holds, settled, workspace};

/// A build in its own mount namespace with another `/etc/os-release`.
fn build_on_another_host(project: &Project) -> Build {
    let release = project.base().join("os-release");
    fs::write(&release, "NAME=another\n").unwrap();
    let script =
        "mount --bind \"$1\" \"$(readlink -f /etc/os-release)\"; shift; exec \"$0\" \"$@\"";
    let words = ["unshare", "--mount", "--", "sh", "-euc", script];
    // The word after the script is `$0`: the program under test.
    let run = project.wake([release.as_os_str()]).args(["--message-format", "json", "build"]);
    run.args(TARGETS).wrapper(words).run().success().events()
}

#[test]
fn another_host() {
    if !is_root() || !has_program("unshare") {
        return skip("another_host", "needs root and `unshare` to show another `/etc/os-release`");
    }
    let project = settled();
    assert_eq!(build_on_another_host(&project).ran(), LABELS);
    assert_at_once(&build_on_another_host(&project));
    // Back again: everything is cached, but not in the last snapshot.
    holds(&project, &[]);
}

/// The files that a build hashes if the boot id is `boot`.
///
/// A strict sandbox would not start, because part of `/proc` is hidden.
fn hashed_in_boot(project: &Project, boot: &str) -> BTreeSet<String> {
    let (id, profile) = (project.base().join("boot"), project.base().join("profile"));
    fs::write(&id, format!("{boot}\n")).unwrap();
    let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id; shift; exec \"$0\" \"$@\"";
    let words = ["unshare", "--mount", "--", "sh", "-euc", script];
    let run = project.wake([id.as_os_str()]).args(["build", "--sandbox=weak", "--profile"]);
    run.arg(&profile).args(TARGETS).wrapper(words).run().success();
    let trace: serde_json::Value = serde_json::from_slice(&fs::read(profile).unwrap()).unwrap();
    let names = trace["traceEvents"].as_array().unwrap().iter().filter_map(|e| e["name"].as_str());
    names.filter_map(|name| name.strip_prefix("hash ")).map(str::to_owned).collect()
}

#[test]
fn another_boot_after_which_source_bytes_may_be_lost() {
    if !is_root() || !has_program("unshare") {
        let missing = "needs root and `unshare` to show another boot";
        return skip("another_boot_after_which_source_bytes_may_be_lost", missing);
    }
    let project = workspace();
    let [first, second] =
        ["7a6b1c1e-0d2f-4a8e-9b53-3c2d1e0f4a5b", "0f4a5b7a-6b1c-4e0d-8f4a-8e9b533c2d1e"];
    let all = hashed_in_boot(&project, first);
    assert!(all.contains("data") && all.contains("lib/base"), "{all:?}");
    // From now on, no change can go unnoticed.
    std::thread::sleep(std::time::Duration::from_millis(50));
    hashed_in_boot(&project, first);
    assert_eq!(hashed_in_boot(&project, first), BTreeSet::new());
    assert_eq!(hashed_in_boot(&project, second), all);
    assert_eq!(hashed_in_boot(&project, second), BTreeSet::new());
}

#[test]
fn another_environment_of_the_caller() {
    let project = settled();
    for (name, value) in [
        ("CFLAGS", "-O9"),
        ("LANG", "tr_TR.UTF-8"),
        ("TZ", "Asia/Tokyo"),
        ("PATH", "/nowhere"),
        ("TMPDIR", "/nowhere"),
        ("HOME", "/nowhere"),
        ("USER", "someone"),
        ("SOURCE_DATE_EPOCH", "1"),
    ] {
        let run = project.json_build(TARGETS).env(name, value).run().success();
        assert_at_once(&run.events());
        // Steps do not see these variables either.
        project.write("data", format!("{name}\n"));
        let run = project.json_build(TARGETS).env(name, value).run().success();
        assert_eq!(run.events().ran(), ["//:copy"], "{name}");
    }
    holds(&project, &[]);
}

#[test]
fn another_working_directory() {
    let project = settled();
    let run = project.json_build(TARGETS).cwd(project.path("lib")).run().success();
    assert_eq!(run.events().ran(), [] as [&str; 0]);
    holds(&project, &[]);
}

#[test]
fn another_store() {
    let project = settled();
    let other = project.base().join("other");
    let run = project.json_build(TARGETS).store(&other).run().success();
    assert_eq!(run.events().ran(), LABELS);
    let target = fs::read_link(project.path(".wake/out/copy")).unwrap();
    assert!(target.starts_with(&other), "{}", target.display());
    // Back in the first store, the links lead there again.
    holds(&project, &[]);
    let target = fs::read_link(project.path(".wake/out/copy")).unwrap();
    assert!(target.starts_with(project.store()), "{}", target.display());
}

#[test]
fn another_sandbox() {
    let project = settled();
    let weak = || project.wake(["--sandbox", "weak", "--message-format", "json", "build"]);
    assert_eq!(weak().args(TARGETS).run().success().events().ran(), LABELS);
    assert_at_once(&weak().args(TARGETS).run().success().events());
    holds(&project, &[]);
}

#[test]
fn another_configuration() {
    let project = settled();
    let with = |value: &str| {
        let run = project.json_build(&["//:copy"]).args(["--config", value]).run();
        run.success().events().digests().len()
    };
    with("opt=1");
    with("opt=2");
    holds(&project, &[]);
}

#[test]
fn a_moved_checkout_and_another_in_its_place() {
    let (project, other) = (settled(), settled());
    other.write("data", "two\n");
    let away = project.base().join("away");
    fs::rename(project.root(), &away).unwrap();
    fs::rename(other.root(), project.root()).unwrap();
    // The state there now belongs to another root, so it is ignored.
    holds(&project, &["//:copy"]);
    fs::rename(project.root(), other.root()).unwrap();
    fs::rename(&away, project.root()).unwrap();
    holds(&project, &[]);
}

#[test]
fn a_checkout_with_sources_replaced_by_equal_ones() {
    let project = settled();
    let copy = project.base().join("copy");
    wake_tests::copy_tree(project.root(), &copy);
    for name in ["data", "text", "in", "lib", "copy.sh", "PKG.libsonnet"] {
        let path = project.path(name);
        match path.is_dir() {
            true => fs::remove_dir_all(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        fs::rename(copy.join(name), &path).unwrap();
    }
    assert_at_once(&project.build(TARGETS));
    holds(&project, &[]);
}
