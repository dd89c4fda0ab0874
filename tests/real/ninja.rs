//! ninja: a C++ library, program and unit tests.

use std::process::Command;

use crate::scene::{Port, lines, ported};

#[test]
fn ninja() {
    assert!(lines("ninja-build") <= 35);
    let Some(Port { project, .. }) = &ported("ninja", "ninja-build") else { return };
    let cold = project.build(&[":ninja"]);
    // Twenty-seven units of the library, as in its CMakeLists.txt, and two of the program.
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
