//! Packages of the distribution as a root file system. Needs a machine whose packages are dpkg's.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use wake_tests::{Expect, Project, expect, project, skip};

/// A step `m` in a root of the packages `names`, which runs the shell script `script`.
fn step(names: &str, script: &str) -> Project {
    project()
        .pkg(&format!(
            "modules={{ m: function(wake, pkg) wake.module('m', outputs=function(wake, pkg) {{ text: './out.txt' }},\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', '{script}'], rootfs=wake.host(packages={names}))) }},"
        ))
        .build()
}

fn has_dpkg(test: &str) -> bool {
    let there = Path::new("/var/lib/dpkg/status").is_file();
    if !there {
        skip(test, "needs a dpkg database");
    }
    there
}

#[test]
fn only_the_packages_and_their_dependencies_are_visible() {
    if !has_dpkg("only_the_packages_and_their_dependencies_are_visible") {
        return;
    }
    let script = "while read name rest; do echo $name; done < /etc/wake/packages > out.txt; whoami >> out.txt; test ! -e /usr/bin/python3";
    let project = step("['dash', 'coreutils']", script);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    let text = project.result_text("//:m", "out.txt");
    for there in ["dash", "coreutils", "libc6", "wake"] {
        assert!(text.lines().any(|line| line == there), "no `{there}` in {text}");
    }
    assert!(!text.contains("python"), "{text}");
    project.build_runs_nothing(&[]);
}

#[test]
fn a_compiler_works_in_a_root_of_its_packages() {
    if !has_dpkg("a_compiler_works_in_a_root_of_its_packages") {
        return;
    }
    let script = "echo \"int main(void) { return 0; }\" > a.c; cc a.c -o out.txt && ./out.txt";
    step("['gcc', 'libc6-dev', 'dash']", script).build(&[]);
}

#[test]
fn a_package_that_is_not_installed_is_named() {
    if !has_dpkg("a_package_that_is_not_installed_is_named") {
        return;
    }
    let says = |names: &str, code: i32, expected: Expect| {
        step(names, "true").wake(["build"]).run().code(code).says(expected);
    };
    says(
        "['dahs']",
        10,
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `dahs` is not installed
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['dahs']))) },
          |                                                                      ^^^^^^^^^
          help: did you mean `dash`? If `dahs` exists, install it with `apt install dahs`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "[]",
        5,
        expect![[r#"
        error: `packages` of host() contains no package
         --> PKG.libsonnet:5:89
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=[]))) },
          |                                                                                         ^^
          = note: module() is called at PKG.libsonnet:4:38
          = note: evaluated for `//:m`
          help: use `rootfs=wake.EMPTY` for an empty root, or `rootfs=wake.HOST` for the whole machine
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
    says(
        "['No Such']",
        5,
        expect![[r#"
        error: `No Such` is not a valid name of a distribution package
         --> PKG.libsonnet:5:90
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['No Such']))) },
          |                                                                                          ^^^^^^^^^
          = note: module() is called at PKG.libsonnet:4:38
          = note: evaluated for `//:m`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

/// A dpkg status with packages that are half-installed or of another architecture.
const STATUS: &str = "\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1

Package: half
Status: install ok half-installed
Architecture: amd64
Version: 1

Package: open
Status: install ok unpacked
Architecture: amd64
Version: 1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: foreign
Status: install ok installed
Architecture: i386
Version: 1

Package: broken
Status: install ok installed
Architecture: amd64
Version: 1
Depends: dpkg, half (>= 1) | other
";

#[test]
fn packages_half_installed_or_of_another_architecture_are_named() {
    let test = "packages_half_installed_or_of_another_architecture_are_named";
    if !has_dpkg(test) {
        return;
    }
    let says = |name: &str, expected: Expect| {
        let project = step(&format!("['{name}']"), "true");
        project.write("status", STATUS);
        let status = project.path("status");
        let shown = "mount --bind \"$0\" /var/lib/dpkg/status && exec \"$@\"";
        let wrapper = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shown];
        let call = project
            .wake(["build"])
            .wrapper(wrapper.map(str::to_owned).into_iter().chain([status.display().to_string()]));
        let can_mount = std::process::Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg(&status)
            .arg("true")
            .output();
        if !can_mount.is_ok_and(|output| output.status.success()) {
            return skip(test, "needs user namespaces with mounts");
        }
        call.run().code(10).says(expected);
    };
    says(
        "half",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `half` is not completely installed: its dpkg status is half-installed
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['half']))) },
          |                                                                      ^^^^^^^^^
          help: install it with `apt install half`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "open",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `open` is not completely installed: its dpkg status is unpacked
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['open']))) },
          |                                                                      ^^^^^^^^^
          help: install it with `apt install open`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "gone",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `gone` is not installed
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['gone']))) },
          |                                                                      ^^^^^^^^^
          help: install it with `apt install gone`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "foreign",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `foreign` is installed for i386, but not for amd64
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['foreign']))) },
          |                                                                      ^^^^^^^^^
          help: did you mean `foreign:i386`? If `foreign` exists, install it with `apt install foreign`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "broken",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `broken` needs `half (>= 1) | other`, which is not installed
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['broken']))) },
          |                                                                      ^^^^^^^^^
          help: run `apt --fix-broken install` to repair that
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
    says(
        "half:i386",
        expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        error: //:m: `rootfs`: the package `half:i386` is not installed
         --> PKG.libsonnet:5:70
          |
        5 |       exec=wake.exec(wake.program('sh'), args=['-c', 'true'], rootfs=wake.host(packages=['half:i386']))) },
          |                                                                      ^^^^^^^^^
          help: install it with `apt install half:i386`
        [TIME] FAIL //:m (no result)
        [TIME] FAILED 1 of 1 action failed in [TIME]: //:m, log .wake/runs/[RUN].jsonl
        failed: //:m
    "#]],
    );
}
