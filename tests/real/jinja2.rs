//! Jinja: a library in Python, and its tests by pytest of wheels that a lock names.

use wake_tests::skip;

use crate::scene::{Port, fetches, lines, ported};

#[test]
fn jinja2() {
    assert!(lines("jinja2") <= 10);
    let Some(Port { project, .. }) = &ported("jinja2", "jinja2") else { return };
    if !fetches(project, "wheels.sh", &["requirements.txt", "wheels"]) {
        return skip("jinja2", "its wheels cannot be fetched");
    }
    // A file of tests each, and the one that stands for all.
    project.wake(["test"]).run().success().mentions("tested 23 tests: 23 passed");
    project.wake(["test"]).run().success().mentions("23 passed, all cached");

    // A test that is edited runs alone.
    project.edit("tests/test_pickle.py", "import pickle", "import pickle  # of the library");
    let tested = project.wake(["test", "--message-format", "json"]).run().success().events();
    assert_eq!(tested.ran(), ["//:tests tests/test_pickle.py"]);

    // A fault of the library, and the case that sees it.
    project.edit(
        "src/jinja2/filters.py",
        "return soft_str(s).upper()",
        "return soft_str(s).lower()",
    );
    let filters = ":tests tests/test_filters.py";
    project.wake(["test", filters]).run().code(3).mentions("TestFilter::test_upper");
}
