//! Interrupted builds: by the user, by a signal, by `SIGKILL` in place of a power failure.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Read};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use wake_tests::{Marker, Project, example, project, read_tree};

/// A build of a step that sleeps, once its command has started.
struct Sleeping {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Sleeping {
    fn start(project: &Project) -> Sleeping {
        let (child, stdout) = project.begin_build();
        Sleeping { child, stdout }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end, for at most half a minute; returns the exit code and the remaining events.
    fn end(mut self) -> (Output, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the build does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait_with_output().unwrap(), rest)
    }
}

fn sleeper(marker: &Marker) -> Project {
    project().step("sleep", &format!("sleep {} & wait", marker.seconds)).build()
}

/// Checks that the command's processes are gone, after the moment that the kernel needs.
fn assert_dead(marker: &Marker) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while marker.is_alive() {
        assert!(Instant::now() < deadline, "a process of the step outlived the build");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn stops_cleanly(signal: Signal, code: i32) {
    let marker = Marker::default();
    let project = sleeper(&marker);
    let build = Sleeping::start(&project);
    build.signal(signal);
    let (output, rest) = build.end();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(rest.contains("\"finished\""), "the event stream has no end:\n{rest}");
    assert!(!marker.is_alive(), "a process of the step outlived the build");

    project.edit("step.sh", &format!("sleep {}", marker.seconds), "touch out.txt");
    project.build(&[]);
    project.wake(["store", "verify"]).run().success();
}

#[test]
fn ctrl_c_stops_the_build_and_is_reported() {
    stops_cleanly(Signal::INT, 130);
}

#[test]
fn sigterm_stops_the_build_and_is_reported() {
    stops_cleanly(Signal::TERM, 143);
}

#[test]
fn killing_wake_kills_its_commands() {
    let marker = Marker::default();
    let project = sleeper(&marker);
    let build = Sleeping::start(&project);
    build.signal(Signal::KILL);
    build.end();
    assert_dead(&marker);
}

/// Whether a process has a file of this name open.
fn has_open(pid: u32, name: &str) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.any(|target| target.ends_with(name))
}

#[test]
fn ctrl_c_stops_reading_a_large_sparse_source() {
    let project = project().step("m", "touch out.txt").file("huge", "").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', './huge'");
    let huge = std::fs::OpenOptions::new().write(true).open(project.path("huge")).unwrap();
    huge.set_len(1 << 42).unwrap();
    drop(huge);
    let mut child = project.wake(["build"]).spawn();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !has_open(child.id(), "huge") {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "not read");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the build does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// The two numbers after the name in `/proc/PID/stat`: parent and process group.
fn parent_and_group(pid: &str) -> Option<(u32, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = stat.rsplit_once(") ")?.1.split(' ').skip(1);
    Some((rest.next()?.parse().ok()?, rest.next()?.parse().ok()?))
}

/// A terminal sends Ctrl-C to the process group of wake, which decides what to do with its workers.
#[test]
fn workers_have_their_own_process_groups() {
    let marker = Marker::default();
    let project = sleeper(&marker);
    let build = Sleeping::start(&project);
    let mut workers = 0;
    for entry in std::fs::read_dir("/proc").unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_worker =
            || parent_and_group(&name).filter(|(parent, _)| *parent == build.child.id());
        let Some(_) = is_worker() else { continue };
        workers += 1;
        // A worker that is just starting has its own group before it executes its program.
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_worker().is_some_and(|(_, group)| group.to_string() != name) {
            assert!(Instant::now() < deadline, "worker {name} is in the group of another process");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    assert!(workers > 0, "there is no worker while a command runs");
    build.signal(Signal::TERM);
    build.end();
}

#[test]
fn a_suspended_wake_continues() {
    let project = project().step("m", "sleep 1; touch out.txt").build();
    let build = Sleeping::start(&project);
    build.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(200));
    build.signal(Signal::CONT);
    let (output, _) = build.end();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Pseudo-random numbers that are the same in every run.
struct Moments(u64);

impl Moments {
    fn within(&mut self, whole: Duration) -> Duration {
        // Knuth's MMIX generator, whose high bits are the best.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        whole.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[test]
fn a_build_after_a_kill_succeeds_with_equal_results() {
    let kills: u32 = std::env::var("WAKE_TEST_KILLS").map_or(50, |n| n.parse().unwrap());
    let project = example("monorepo");
    // A macro that no source uses changes the command of every C step, but not its output.
    let flags = |round: u32| {
        let path = "toolchain-hardened/PKG.libsonnet";
        let text = std::fs::read_to_string(project.path(path)).unwrap();
        let end = text.find("'-O2'").unwrap();
        let begin = text.find("cflags+: [").unwrap() + "cflags+: [".len();
        let text = format!("{}'-DROUND={round}', {}", &text[..begin], &text[end..]);
        project.write(path, text);
    };

    flags(0);
    let start = Instant::now();
    let undisturbed = project.build(&[]);
    let usual = start.elapsed();
    let trees = ["//:release", "//:tests"].map(|label| project.result(label, ""));
    let expected = trees.each_ref().map(|tree| read_tree(tree));

    let mut moments = Moments(1);
    for round in 1..=kills {
        flags(round);
        let moment = moments.within(usual);
        let mut child = project.json_build(&[]).spawn();
        // The pipes must not fill; their content does not matter.
        for pipe in [
            child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
            child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        ] {
            let mut pipe = pipe.unwrap();
            std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
        }
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();

        let next = project.build(&[]);
        let place = format!("round {round}, killed after {moment:?}");
        // A build killed after its last action leaves nothing to do: the next one shows that only in
        // its counts, and its results are compared below.
        if next.outputs().is_empty() {
            assert_eq!(next.count("hit"), next.count("total"), "{place}");
        } else {
            assert_eq!(next.outputs(), undisturbed.outputs(), "{place}");
        }
        for (tree, expected) in trees.iter().zip(&expected) {
            assert!(read_tree(tree) == *expected, "{place}: {} differs", tree.display());
        }
        let verified = project.wake(["store", "verify"]).run();
        assert_eq!(verified.code, 0, "{place}\n{verified}");
    }
}
