//! Packages that nobody here wrote, from the Debian source archive: zlib and Lua by modules of their own, redis and ninja by
//! the library of rules.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use wake_tests::{Build, Project, copy_tree, has_program, project, rules_into, skip};

/// The sources, fetched once for all tests; none where they cannot be had.
fn sources() -> Option<&'static Path> {
    static SOURCES: OnceLock<Option<TempDir>> = OnceLock::new();
    let fetched = SOURCES.get_or_init(|| {
        if !has_program("apt-get") || !has_program("dpkg-source") {
            return None;
        }
        let dir = TempDir::with_prefix("wake-real-").unwrap();
        let status = Command::new(here("fetch.sh"))
            .arg(dir.path())
            .args(["zlib", "lua5.4", "redis", "ninja-build"])
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        status.success().then_some(dir)
    });
    fetched.as_ref().map(TempDir::path)
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real").join(path)
}

/// A workspace with the source of a package and our files beside it; none where it cannot be had.
fn unpacked(test: &str, name: &str) -> Option<Project> {
    let Some(sources) = sources() else {
        skip(test, "the Debian source archive cannot be reached");
        return None;
    };
    let project = project().build();
    copy_tree(&sources.join(name), project.root());
    copy_tree(&here(name), project.root());
    Some(project)
}

/// The modules that ran, once for each configuration.
fn ran(build: &Build) -> Vec<&str> {
    build.ran().into_iter().map(|label| label.split(' ').next().unwrap_or(label)).collect()
}

fn count(build: &Build, label: &str) -> usize {
    ran(build).iter().filter(|ran| **ran == label).count()
}

#[test]
fn zlib() {
    let Some(project) = unpacked("zlib", "zlib") else { return };
    let cold = project.build(&[":tests"]);
    // Fifteen units of the library and one of each program; then the archive, two links, one test run.
    assert_eq!(count(&cold, "//:unit"), 17);
    assert_eq!(cold.ran().len(), 17 + 1 + 2 + 1);
    let report = project.result_text("//:tests", "report.txt");
    assert!(report.contains("uncompress(): hello, hello!"), "{report}");
    assert!(report.contains("\nhello world\n"), "{report}");
    assert!(report.contains("numbers: 588895 bytes packed into "), "{report}");

    project.build_runs_nothing(&[":tests"]);

    // A comment in the header that every unit includes: all are compiled, and there it stops.
    project.edit("zlib.h", "#define ZLIB_H", "#define ZLIB_H /* the guard */");
    let build = project.build(&[":tests"]);
    assert_eq!((count(&build, "//:unit"), build.ran().len()), (17, 17));

    // A real change in one unit: one compile, the archive, both programs, and the tests again.
    project.edit(
        "adler32.c",
        "#include \"zutil.h\"",
        "#include \"zutil.h\"\nconst char wake_was_here[] = \"here\";",
    );
    let build = project.build(&[":tests"]);
    let expected = ["//:lib", "//:program", "//:program", "//:tests", "//:unit"];
    assert_eq!(ran(&build), expected);
}

#[test]
fn lua() {
    let Some(project) = unpacked("lua", "lua5.4") else { return };
    let cold = project.build(&[":script"]);
    // Thirty-two units of the library and one of each program; the archive, two links, one script.
    assert_eq!(count(&cold, "//:unit"), 34);
    assert_eq!(cold.ran().len(), 34 + 1 + 2 + 1);
    // The prime-counting function at powers of ten (OEIS A006880).
    let counts = [4, 25, 168, 1229, 9592];
    let mut expected = "Lua 5.4\n".to_owned();
    for (power, count) in (1..).zip(counts) {
        expected += &format!("{count} primes below 10^{power}\n");
    }
    assert_eq!(project.result_text("//:script", "report.txt"), expected);

    project.build_runs_nothing(&[":script"]);

    project.edit("src/lua.h", "#define lua_h", "#define lua_h /* the guard */");
    let build = project.build(&[":script"]);
    assert_eq!((count(&build, "//:unit"), build.ran().len()), (34, 34));

    project.edit("steps/sieve.lua", "-- The number", "-- How many: the number");
    assert_eq!(project.build(&[":script"]).ran(), ["//:script"]);

    // `luac` prints in its own unit; the interpreter is not linked again.
    project.edit("src/luac.c", "\"luac\"", "\"Luac\"");
    let build = project.build(&[":script"]);
    assert_eq!(build.ran(), ["//:luac", "//:script", "//:unit unit=luac"]);
}

/// The lines that a port has, whatever they say.
fn lines(port: &str) -> usize {
    std::fs::read_to_string(here(port).join("PKG.libsonnet")).unwrap().lines().count()
}

/// The same as [`unpacked`], with the library of rules at `rules/`.
fn unpacked_with_rules(test: &str, name: &str) -> Option<Project> {
    let project = unpacked(test, name)?;
    rules_into(&project, "rules");
    // The root of the workspace is the project.
    project.write("wake.toml", "");
    Some(project)
}

#[test]
fn redis() {
    assert!(lines("redis") <= 35);
    let Some(project) = unpacked_with_rules("redis", "redis") else { return };
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

#[test]
fn ninja() {
    assert!(lines("ninja-build") <= 35);
    let Some(project) = unpacked_with_rules("ninja", "ninja-build") else { return };
    let cold = project.build(&[":ninja"]);
    // Twenty-seven units of the library, as its CMakeLists.txt has them, and two of the program.
    assert_eq!(cold.ran().iter().filter(|label| label.ends_with(".cc")).count(), 29);
    project.write("hello.ninja", "rule touch\n command = touch $out\nbuild hello: touch\n");
    let ninja = Command::new(project.result("//:ninja", "ninja"))
        .args(["-f", "hello.ninja"])
        .current_dir(project.root())
        .output()
        .unwrap();
    assert!(ninja.status.success() && project.path("hello").is_file(), "{ninja:?}");
    project.wake(["test"]).run().success();
    project.wake(["test"]).run().success().mentions("tested 1 test: 1 passed, all cached");
    project.edit(
        "src/graphviz.h",
        "#define NINJA_GRAPHVIZ_H_",
        "#define NINJA_GRAPHVIZ_H_ /* drawn */",
    );
    assert_eq!(
        project.build(&[":ninja"]).ran(),
        ["//:lib src/graphviz.cc", "//:ninja src/ninja.cc"]
    );
}
