//! The document of the Timeless Stack's own description.
//!
//! Its ids are compared where the fixtures are: `WAKE_FIXTURES`, else `../shared/fixtures` beside the checkout.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_tests::project;

use crate::bed::record;

/// The document of the Timeless Stack's own description, with its published id and result.
#[test]
fn the_published_example() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let dir = std::env::var_os("WAKE_FIXTURES").map_or(beside, PathBuf::from).join("timeless");
    if !dir.is_dir() {
        // These fixtures are no part of the project, so their absence is no failure anywhere.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the_published_example: no fixtures at `{}`",
            dir.display()
        );
        return;
    }
    let project = project().build();
    let text = fs::read_to_string(dir.join("example1.formula")).unwrap();
    let published = "ca+https://repeatr.s3.amazonaws.com/warehouse/";
    assert!(text.contains(published));
    let here = format!("file://{}", dir.join("busybash.tgz").display());
    project.write("example1.formula", text.replace(published, &here));
    let finished = project.wake(["formula", "run", "example1.formula"]).run().success();
    let found = record(&finished);
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("example1.runrecord")).unwrap()).unwrap();
    for key in ["formulaID", "exitCode", "results"] {
        assert_eq!(found[key], expected[key], "{key}");
    }
}
