//! redis: libraries, programs and generated files in C, and test suites in Tcl.

use std::process::Command;

use wake_tests::{Build, Project, has_program, is_root, skip};

use crate::scene::{Port, lines, ported};

#[test]
fn redis() {
    assert!(lines("redis") <= 35);
    let Some(Port { project, .. }) = &ported("redis", "redis") else { return };
    project.build(&[":server", ":cli"]);
    let server =
        Command::new(project.result("//:server", "server")).arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&server.stdout).into_owned();
    assert!(said.starts_with("Redis server v=7.0.15 "), "{said}");
    project.build_runs_nothing(&[":server", ":cli"]);

    // Included by one unit; for a comment, nothing else runs.
    project.edit("src/rax_malloc.h", "#define rax_malloc", "/* by */\n#define rax_malloc");
    assert_eq!(project.build(&[":server", ":cli"]).ran(), ["//:server src/rax.c"]);
    // Included by no unit on this system.
    project.edit("deps/hiredis/adapters/ae.h", "#ifndef", "/* of an event loop */\n#ifndef");
    project.build_runs_nothing(&[":server", ":cli"]);

    if !has_program("tclsh") {
        return skip("redis", "needs tclsh");
    }
    project.wake(["test"]).run().success().mentions("tested 10 tests: 10 passed");
    project.wake(["test"]).run().success().mentions("tested 10 tests: 10 passed, all cached");
}

/// Builds a C library and the output of a Python script, with commands that see only distribution packages, on a machine
/// with the package database `status`.
fn on_a_machine(project: &Project, status: &str) -> Build {
    project.write("../status", status);
    let mount = "mount --bind \"$0\" /var/lib/dpkg/status; exec \"$@\"";
    let path = project.base().join("status");
    let build = project.json_build(&[":hiredis", ":commands"]);
    let build = build.args(["--set", "cc.packages=gcc libc6-dev binutils"]);
    let build = build.args(["--set", "sh.packages=python3 coreutils"]);
    // Another machine does not have the state that this one keeps for a checkout.
    let _ = std::fs::remove_dir_all(project.path(".wake"));
    let wrapper = ["unshare", "--mount", "sh", "-euc", mount].map(Into::into);
    let wrapper = wrapper.into_iter().chain([path.into_os_string()]);
    build.wrapper(wrapper.collect::<Vec<std::ffi::OsString>>()).run().success().events()
}

#[test]
fn results_independent_of_host_packages_are_shared_across_machines() {
    let test = "results_independent_of_host_packages_are_shared_across_machines";
    let Ok(status) = std::fs::read_to_string("/var/lib/dpkg/status") else {
        return skip(test, "needs a dpkg database");
    };
    if !is_root() || !has_program("unshare") {
        return skip(test, "needs a private mount to show another dpkg database");
    }
    let Some(Port { project, .. }) = &ported(test, "redis") else { return };
    let cold = on_a_machine(project, &status);
    assert!(cold.ran().contains(&"//:commands"), "{:?}", cold.ran());

    let web = "\nPackage: web\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n";
    let warm = on_a_machine(project, &format!("{status}{web}"));
    assert_eq!(warm.ran(), [] as [&str; 0]);

    // Another compiler: only its outputs are built again.
    let gcc = status.find("Package: gcc\n").unwrap();
    let version = gcc + status[gcc..].find("Version: ").unwrap() + "Version: ".len();
    let other = format!("{}9:{}", &status[..version], &status[version..]);
    let ran = on_a_machine(project, &other);
    assert!(ran.ran().contains(&"//:hiredis deps/hiredis/net.c"), "{:?}", ran.ran());
    assert!(ran.ran().iter().all(|label| label.starts_with("//:hiredis")), "{:?}", ran.ran());
}
