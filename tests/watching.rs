//! `--watch`: rebuilds or retests after changes.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use wake_tests::{Project, Wake, project, skip};

/// A watching build and its output.
struct Watching {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Watching {
    fn start(project: &Project, args: &[&str]) -> Watching {
        Watching::of(&project.wake(["build", "--watch"]).args(args))
    }

    fn of(call: &Wake) -> Watching {
        let mut child = call.command().stdout(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Watching { child, said }
    }

    /// Reads until a line contains this; returns the lines up to there.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let mut lines = String::new();
        loop {
            let begin = lines.len();
            assert!(
                self.said.read_line(&mut lines).unwrap() > 0,
                "watching ended before `{text}`: {lines}"
            );
            if lines[begin..].contains(text) {
                return lines;
            }
        }
    }

    /// Presses Ctrl-C.
    fn interrupt(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
    }
}

#[test]
fn only_relevant_changes_cause_a_rebuild() {
    let project = project().step("m", "cat words > out.txt").file("words", "one\n").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', './words'");
    let mut watching = Watching::start(&project, &[]);
    watching.until("Finished 1 action in");
    watching.until("Watching 1 directory; press Ctrl-C to stop");
    assert_eq!(project.result_text("//:m", "out.txt"), "one\n");
    // Nothing is printed for a file that no step sees, or for one with equal content.
    project.write("notes", "x");
    project.touch("words");
    project.write("words", "two\n");
    let said = watching.until("Finished");
    assert_eq!(said.matches("Finished").count(), 1, "{said}");
    assert!(said.contains("1 ran") || said.contains("Finished 1 action in"), "{said}");
    assert_eq!(project.result_text("//:m", "out.txt"), "two\n");
    assert_eq!(watching.interrupt(), 130);
}

#[test]
fn a_failure_is_reported_and_so_is_its_correction() {
    let project = project().step("m", "touch out.txt").build();
    let mut watching = Watching::start(&project, &[]);
    watching.until("Watching");
    project.edit("step.sh", "touch", "false; touch");
    watching.until("FAILED");
    project.edit("step.sh", "false; ", "");
    watching.until("Finished 1 action");
    let text = project.read("PKG.libsonnet");
    project.write("PKG.libsonnet", "function(wake) wake.pgk()\n");
    watching.until("did you mean `pkg`?");
    watching.until("FAILED");
    project.write("PKG.libsonnet", text);
    // After a failure, it is also reported if nothing had to be done.
    watching.until("Finished 1 action, all cached");
    project.edit("step.sh", "touch out.txt", "echo new > out.txt");
    watching.until("Finished 1 action");
    assert_eq!(project.result_text("//:m", "out.txt"), "new\n");
    watching.interrupt();
}

#[test]
fn files_in_a_new_directory_are_noticed() {
    let project = project().step("m", "cat src/* > out.txt").file("src/a", "a\n").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', wake.dir('src/**')");
    let mut watching = Watching::start(&project, &[]);
    watching.until("Watching 2 directories");
    project.write("src/b", "b\n");
    watching.until("Finished 1 action in");
    assert_eq!(project.result_text("//:m", "out.txt"), "a\nb\n");
    fs::remove_file(project.path("src/a")).unwrap();
    watching.until("Finished 1 action");
    watching.interrupt();
}

#[test]
fn a_stale_build_is_stopped_but_other_changes_stop_nothing() {
    let project = project().step("m", "cat words > out.txt").file("words", "one\n").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', './words'");
    let mut watching = Watching::start(&project, &["-v"]);
    watching.until("Watching");
    project.edit("step.sh", "cat words", "sleep 1000; cat words");
    // The start is only shown with the next event, so the test waits for the end: nothing ends unless the stale build is stopped.
    project.write("unseen", "x");
    project.edit("step.sh", "sleep 1000; cat words", "cat words words");
    watching.until("Finished 1 action");
    assert_eq!(project.result_text("//:m", "out.txt"), "one\none\n");
    watching.interrupt();
}

#[test]
fn watching_can_poll() {
    let project = project().step("m", "touch out.txt").build();
    let mut watching = Watching::start(&project, &["--poll", "1"]);
    watching.until("Watching by polling");
    project.edit("step.sh", "touch", "echo >");
    watching.until("Finished 1 action");
    assert_eq!(watching.interrupt(), 130);
}

#[test]
fn removing_the_workspace_ends_watching() {
    let project = project().file("ws/wake.toml", "[workspace]\n").build();
    let dir = project.path("ws");
    fs::write(dir.join("PKG.libsonnet"), "function(wake) wake.pkg(wake.pkgInfo('a', '1.0.0'))\n")
        .unwrap();
    let call = project.wake(["build", "--watch"]).cwd(&dir);
    let mut child = call.command().stdout(Stdio::null()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let mut watching = Watching { child, said };
    watching.until("Watching");
    fs::remove_dir_all(&dir).unwrap();
    watching.until("no longer exists");
    assert_eq!(watching.child.wait().unwrap().code(), Some(10));
}

#[test]
fn a_stale_build_is_stopped_while_polling() {
    let project = project().step("m", "echo one > out.txt").build();
    let mut watching = Watching::start(&project, &["-v", "--poll", "1"]);
    watching.until("Watching by polling");
    project.edit("step.sh", "echo one", "sleep 1000; echo one");
    // It has started when the next change comes; if it were not stopped, the test would hang.
    watching.until("//:m");
    project.edit("step.sh", "sleep 1000; echo one", "echo two");
    watching.until("Finished 1 action");
    assert_eq!(project.result_text("//:m", "out.txt"), "two\n");
    watching.interrupt();
}

#[test]
fn tests_run_again_when_something_changes() {
    let project = project()
        .pkg(
            "files=['./a.txt'], modules={ good: function(wake, pkg) wake.module('good', test=true,\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', 'echo 1..1; grep -q a a.txt && echo ok 1 - has || { echo not ok 1 - has; exit 1; }'])) }",
        )
        .file("a.txt", "a\n")
        .build();
    let call = project.wake(["test", "--watch", "--junit", "report.xml"]);
    let mut watching = Watching::of(&call);
    watching.until("tested 1 test");
    watching.until("Watching 1 directory");
    project.write("a.txt", "b\n");
    watching.until("//:good: 1 of 1 case failed: has");
    project.write("a.txt", "a b\n");
    watching.until("tested 1 test");
    assert_eq!(watching.interrupt(), 130);
    assert!(project.read("report.xml").contains("name=\"has\"></testcase>"));
}

#[test]
fn a_low_watch_limit_of_the_kernel_is_reported_with_a_remedy() {
    let project = project().step("m", "touch out.txt").build();
    for number in 0..20 {
        project.write(&format!("dirs/{number}/file"), "x");
    }
    let limited = "echo 10 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    let wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh"];
    let is_possible = std::process::Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg("true")
        .status()
        .is_ok_and(|status| status.success());
    if !is_possible {
        return skip(
            "a_low_watch_limit_of_the_kernel_is_reported_with_a_remedy",
            "needs user namespaces with their own limits",
        );
    }
    let run = project.wake(["build", "--watch"]).wrapper(wrapper).run().code(10);
    let root = project.root().display().to_string();
    let said = run.stderr.replace(&root, "ROOT");
    let expected = "error: the inotify limit of this system was reached after 9 directories below `ROOT`\n \
                     help: use `--poll 2` to poll for changes every 2 seconds\n \
                     help: or raise the limits `fs.inotify.max_user_watches` and `fs.inotify.max_user_instances` with `sysctl` as root\n";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn a_hundred_thousand_files_are_watched() {
    let project = project().step("m", "cat data/7/7 > out.txt").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', wake.dir('data/**')");
    project.edit(
        "step.libsonnet",
        "outputs=",
        "pkgFiles=['./step.sh', './data/7/7'],\n    outputs=",
    );
    for dir in 0..500 {
        fs::create_dir_all(project.path(&format!("data/{dir}"))).unwrap();
        for file in 0..200 {
            fs::write(project.path(&format!("data/{dir}/{file}")), "").unwrap();
        }
    }
    let mut watching = Watching::start(&project, &[]);
    watching.until("Watching 502 directories");
    project.write("data/7/7", "seven\n");
    watching.until("Finished 1 action");
    assert_eq!(project.result_text("//:m", "out.txt"), "seven\n");
    // One more of these files, which the command does not see, and then another edit.
    project.write("data/499/new", "x");
    project.write("data/7/7", "again\n");
    watching.until("Finished 1 action");
    assert_eq!(project.result_text("//:m", "out.txt"), "again\n");
    assert_eq!(watching.interrupt(), 130);
}

#[test]
fn a_burst_of_edits_beside_many_files_is_noticed() {
    let project = project().step("m", "ls src | wc -l > out.txt").file("src/0", "").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', wake.dir('src/**')");
    let mut watching = Watching::start(&project, &[]);
    watching.until("Watching 2 directories");
    for number in 1..3000 {
        fs::write(project.path(&format!("src/{number}")), "x").unwrap();
    }
    loop {
        watching.until("Finished");
        if project.result_text("//:m", "out.txt").trim() == "3000" {
            break;
        }
    }
    fs::remove_dir_all(project.path("src")).unwrap();
    project.write("src/one", "x");
    loop {
        watching.until("in ");
        if project.result_text("//:m", "out.txt").trim() == "1" {
            break;
        }
    }
    watching.interrupt();
}
