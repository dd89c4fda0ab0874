//! ripgrep: a Rust program with sixty vendored crates, some with macros and build scripts, and its own build script.

use std::process::Command;

use wake_tests::{has_program, skip};

use crate::scene::{Port, fetches, lines, ported};

/// Builds the crates without optimisation, because their speed does not matter here.
const QUICKLY: [&str; 2] = ["--set", "rust.opt=0"];

#[test]
fn ripgrep() {
    assert!(lines("rust-ripgrep") <= 20);
    if !has_program("cargo") || !has_program("rustc") {
        return skip("ripgrep", "needs Rust");
    }
    let Some(Port { project, .. }) = &ported("ripgrep", "rust-ripgrep") else { return };
    if !fetches(project, "vendor.sh", &[]) {
        return skip("ripgrep", "its crates cannot be fetched");
    }
    let built = project.json_build(&[":rg"]).args(QUICKLY).run().success().events();
    // Crates for other systems are planned, but not compiled.
    for label in ["//:vendored", "//:rg.script", "//:rg.built", "//:rg", "//:serde_json"] {
        assert!(built.ran().contains(&label), "{label}: {:?}", built.ran());
    }
    let rg = project.result("//:rg", "rg");
    let mut count = Command::new(&rg);
    count.args(["-c", "^rgtest!", "tests/json.rs"]).current_dir(project.root());
    let found = String::from_utf8(count.output().unwrap().stdout).unwrap();
    let expected = project.read("tests/json.rs").matches("\nrgtest!").count();
    assert_eq!(found, format!("{expected}\n"));

    let tests = || project.wake(["test", "--message-format", "json"]).args(QUICKLY);
    let tested = tests().run().success().events();
    assert!(tested.ran().contains(&"//:integration"), "{:?}", tested.ran());
    let log = project.wake(["log", "-o", ":integration"]).run().success().stdout;
    assert!(log.contains("test result: ok. 271 passed; 0 failed"), "{log}");
    assert_eq!(tests().run().success().events().ran(), [] as [&str; 0]);

    // A source that the build script does not see: the program and its tests are built, and no vendored crate.
    let line = "if !self.config.preprocessor.is_some() {";
    project.edit("crates/core/search.rs", line, &format!("{line} // nothing to run"));
    let ran = tests().run().success().events();
    // A comment, so both come out equal, and no test runs again.
    assert_eq!(ran.ran(), ["//:rg", "//:unit.bin"]);
}
