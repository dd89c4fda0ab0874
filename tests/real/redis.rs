//! redis: libraries, programs and generated files in C, and suites of tests in Tcl.

use std::process::Command;

use wake_tests::{has_program, skip};

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

    // Included by one unit; a comment goes no further.
    project.edit("src/rax_malloc.h", "#define rax_malloc", "/* by */\n#define rax_malloc");
    assert_eq!(project.build(&[":server", ":cli"]).ran(), ["//:server src/rax.c"]);
    // Included by none on this system.
    project.edit("deps/hiredis/adapters/ae.h", "#ifndef", "/* of an event loop */\n#ifndef");
    project.build_runs_nothing(&[":server", ":cli"]);

    if !has_program("tclsh") {
        return skip("redis", "its tests need tclsh");
    }
    project.wake(["test", ":quit", ":auth"]).run().success();
    project
        .wake(["test", ":quit", ":auth"])
        .run()
        .success()
        .mentions("tested 2 tests: 2 passed, all cached");
}
