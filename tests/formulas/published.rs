//! The document in the Timeless Stack's own description.
//!
//! Its ids are compared if there are fixtures: in `WAKE_FIXTURES`, else in `../shared/fixtures` beside the checkout.

use std::fs;

use serde_json::Value;
use wake_tests::{fixtures, project};

use crate::bed::record;

/// The document in the Timeless Stack's own description, with its published id and result.
#[test]
fn the_published_example_has_its_published_id_and_result() {
    let Some(dir) = fixtures("the_published_example_has_its_published_id_and_result", "timeless")
    else {
        return;
    };
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
