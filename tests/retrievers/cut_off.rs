//! Runs that are interrupted while packages are retrieved: the next one needs no repair.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use wake_tests::Project;

use crate::scene::{get, scene, shown};

/// A slow retriever.
const SLOW: &str = "import time\nones = []\nfor request in asked['requests']:\n    ones.append(package(request))\n    time.sleep(0.3)\nanswer(*ones)";

fn ends_well(project: &Project) {
    project.build(&["//app"]);
    assert_eq!(shown(project), "a 1.2.3\nb 1.2.3\n");
    project.wake(["lock", "--check"]).run().success();
    project.wake(["store", "verify"]).run().success();
}

#[test]
fn a_killed_build_is_completed_by_the_next() {
    for after in [50, 200, 400, 600, 800, 1000] {
        let project = scene(&[get("a", "^1"), get("b", "*")], SLOW);
        let mut command = project.wake(["build", "//app"]).command();
        let mut child = command.process_group(0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        child.wait().unwrap();
        ends_well(&project);
    }
}

#[test]
fn interrupting_a_build_stops_the_retriever() {
    let slow = "import time\nprint('waiting', file=sys.stderr, flush=True)\ntime.sleep(500)";
    let project = scene(&[get("a", "^1"), get("b", "*")], slow);
    let mut child = project.wake(["lock"]).spawn();
    // Its log is not shown before it ends, so the test can only wait; interrupting too early is fine as well.
    std::thread::sleep(Duration::from_millis(1500));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::INT,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!project.path("wake.lock").exists());
    project.write_script("tool/retrieve", &crate::scene::retriever(SLOW));
    ends_well(&project);
}
