//! Jinja: a Python library, and its tests, run by pytest from wheels of a lock file.

use wake_tests::skip;

use crate::scene::{Port, fetches, lines, ported};

#[test]
fn jinja2() {
    assert!(lines("jinja2") <= 10);
    let Some(Port { project, .. }) = &ported("jinja2", "jinja2") else { return };
    if !fetches(project, "wheels.sh", &["requirements.txt", "wheels"]) {
        return skip("jinja2", "its wheels cannot be fetched");
    }
    // One test per file, and one for all of them.
    project.wake(["test"]).run().success().mentions("tested 23 tests: 23 passed");
    project.wake(["test"]).run().success().mentions("23 passed, all cached");

    // Only an edited test runs.
    project.edit("tests/test_pickle.py", "import pickle", "import pickle  # of the library");
    let tested = project.wake(["test", "--message-format", "json"]).run().success().events();
    assert_eq!(tested.ran(), ["//:tests tests/test_pickle.py"]);

    // A fault in the library, and the test case that detects it.
    project.edit(
        "src/jinja2/filters.py",
        "return soft_str(s).upper()",
        "return soft_str(s).lower()",
    );
    let filters = ":tests tests/test_filters.py";
    project.wake(["test", filters]).run().code(3).mentions("TestFilter::test_upper");
}
