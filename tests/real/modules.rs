//! zlib and Lua, with modules of their own.

use crate::scene::{count, ran, unpacked};

#[test]
fn zlib() {
    let Some(project) = unpacked("zlib", "zlib") else { return };
    let cold = project.build(&[":tests"]);
    // Fifteen units of the library and one per program; then the archive, two links, one test run.
    assert_eq!(count(&cold, "//:unit"), 17);
    assert_eq!(cold.ran().len(), 17 + 1 + 2 + 1);
    let report = project.result_text("//:tests", "report.txt");
    assert!(report.contains("uncompress(): hello, hello!"), "{report}");
    assert!(report.contains("\nhello world\n"), "{report}");
    assert!(report.contains("numbers: 588895 bytes packed into "), "{report}");

    project.build_runs_nothing(&[":tests"]);

    // A comment in the header that every unit includes: all are compiled, and nothing else runs.
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
    // Thirty-two units of the library and one per program; the archive, two links, one script.
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
