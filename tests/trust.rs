//! Attacks and faults that involve more than one crate: E3, F7, S17, X12.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use wake_tests::{Marker, Project, project, skip};

/// An evaluation does not depend on the machine, the user or the time.
#[test]
fn e03_an_evaluation_does_not_depend_on_the_machine() {
    let project = project().pkg("modules={}").file("vendor/x.libsonnet", "1").build();
    let unavailable = [
        "std.native('getenv')('HOME')",
        "std.extVar('HOME')",
        "std.getenv('HOME')",
        "std.time()",
        "std.now()",
        "std.random()",
        "std.system('id')",
        "std.readFile('/etc/hostname')",
        "importstr '/etc/hostname'",
        "importstr '../../../../../../../../etc/hostname'",
        "importbin '/proc/self/environ'",
        "importstr '/dev/stdin'",
        "import 'http://localhost/x.libsonnet'",
    ];
    for expression in unavailable {
        project.wake(["eval", expression]).env("HOME", "/canary").run().code(5);
    }
    // Its description of itself is the same for every user, time and directory.
    let said = |home: &str| {
        let run = project.wake(["eval", "[std.thisFile, std.objectFieldsAll(std)]"]);
        run.env("HOME", home).env("TZ", home).run().success().stdout
    };
    assert_eq!(said("/one"), said("/another"));
}

/// Selects a process, given that of a command.
type OfCommand = fn(Pid) -> Pid;

/// A build whose command sleeps, once it has started.
struct Sleeping {
    child: std::process::Child,
    command: Pid,
}

impl Sleeping {
    fn start(project: &Project, marker: &Marker) -> Sleeping {
        let (child, mut stdout) = project.begin_build();
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Sleeping { child, command: begun(marker) }
    }

    /// The exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the build does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// The process with the marker, once it has started.
fn begun(marker: &Marker) -> Pid {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(pid) = marker.process().and_then(Pid::from_raw) {
            return pid;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the command does not start");
}

fn parent(pid: Pid) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let words = stat.rsplit(')').next().unwrap().split_whitespace();
    Pid::from_raw(words.into_iter().nth(1).unwrap().parse().unwrap()).unwrap()
}

/// A system without memory kills a process of the command, or one of wake's own.
#[test]
fn f07_a_killed_process_fails_only_the_current_build() {
    let killed: [(&str, OfCommand); 3] = [
        ("the command", |command| command),
        ("its shell", parent),
        ("the worker", |command| parent(parent(command))),
    ];
    for (whom, which) in killed {
        let marker = Marker::default();
        let script = format!("[ -e quick ] || sleep {}; echo done > out.txt", marker.seconds);
        let project = project().step("m", &script).build();
        let sleeping = Sleeping::start(&project, &marker);
        let _ = kill_process(which(sleeping.command), Signal::KILL);
        let (code, said) = sleeping.end();
        assert!(code.is_some_and(|code| code != 0), "{whom}: {code:?} {said}");
        assert!(!project.path(".wake/out/m").exists(), "{whom}");
        // The next build is unaffected.
        project.write("step.sh", "#!/bin/sh\necho done > out.txt\n");
        assert_eq!(project.build(&[]).ran(), ["//:m"], "{whom}");
        assert_eq!(project.result_text("//:m", "out.txt"), "done\n");
        project.wake(["store", "verify"]).run().success();
    }
}

/// Every way to run a command uses the same sandbox.
#[test]
fn s17_every_way_to_run_a_command_uses_the_sandbox() {
    let new = || {
        let project = project().step("m", "").build();
        let canary = project.base().join("canary");
        std::fs::write(&canary, "canary").unwrap();
        let script = format!(
            "#!/bin/sh
{{ cat {0} && echo READ; touch {0}.written && echo WROTE; cat /etc/shadow && echo READ
ls /proc | grep -c '^[0-9]' | grep -qx '[1-6]' || echo PROCESSES
env | grep -q CANARY && echo ENVIRONMENT
python3 -c 'import socket; socket.create_connection((\"192.0.2.1\", 9), timeout=1)' && echo NETWORK
echo tried; }} 2> /dev/null > out.txt; chmod +x out.txt; true\n",
            canary.display()
        );
        project.write_script("step.sh", &script);
        project
    };
    let tried = |project: &Project| {
        assert_eq!(project.result_text("//:m", "out.txt"), "tried\n");
        assert!(!project.base().join("canary.written").exists());
    };
    for words in [
        vec!["build"],
        vec!["build", "--rebuild"],
        vec!["build", "-k", "//..."],
        vec!["-q", "--message-format", "json", "build"],
        vec!["-C", ".", "build", "--profile", "profile"],
    ] {
        let project = new();
        project.wake(words).env("CANARY", "1").run().success();
        tried(&project);
    }
    // `run` starts the program itself as the user asks; the steps it builds first are sandboxed.
    let project = new();
    project.wake(["run"]).env("CANARY", "1").run();
    tried(&project);
    // No file of a workspace disables the sandbox.
    let project = new();
    for setting in
        ["[build]\nsandbox = 'weak'\n", "sandbox = 'weak'\n", "[workspace]\nsandbox = 'weak'\n"]
    {
        project.write("wake.toml", setting);
        let built = project.wake(["build"]).env("CANARY", "1").run();
        assert!(
            built.code != 0 || project.result_text("//:m", "out.txt") == "tried\n",
            "{setting}"
        );
    }
}

/// X12: an archive that the one extractor refuses is not passed to another program.
#[test]
fn x12_only_the_extractor_reads_archives() {
    let project = project().file("tree/a", "a").build();
    let tools = project.path("tools");
    for tool in ["tar", "bsdtar", "gtar", "unzip", "7z", "gzip", "bzip2", "xz", "zstd", "cpio"] {
        let script = format!("#!/bin/sh\necho {tool} >>{}/called\n", project.root().display());
        project.write_script(&format!("tools/{tool}"), &script);
    }
    let wake = |line: &str| project.wake(line.split(' ')).env("PATH", &tools).run();
    let packed = wake("ware pack tar tree --target file://./good.tgz").success();
    let ware = packed.stdout.trim();
    wake(&format!("ware unpack {ware} out --source file://./good.tgz")).success();
    let bytes = fs::read(project.path("good.tgz")).unwrap();
    project.write("cut.tgz", &bytes[..bytes.len() - 9]);
    project.write("text.tgz", "no archive at all");
    project.write("zip.tgz", b"PK\x03\x04 no zip");
    project.write("xz.tgz", b"\xfd7zXZ\0 no xz");
    for name in ["cut", "text", "zip", "xz"] {
        let run = wake(&format!("ware unpack {ware} bad --source file://./{name}.tgz"));
        assert_ne!(run.code, 0, "{name}");
        assert!(!project.path("bad").exists(), "{name}");
    }
    assert!(!project.path("called").exists(), "called: {}", project.read("called"));
}

/// F7: wake and its commands run out of memory, in a control group with limited memory.
#[test]
fn f07_running_out_of_memory_fails_the_build() {
    let Some(group) = bounded_group("24M") else {
        return skip(
            "f07_running_out_of_memory_fails_the_build",
            "cannot create a control group (as root)",
        );
    };
    let project =
        project().step("m", "head -c 50000000 /dev/zero | tail -c 40000000 >out.txt").build();
    let bounded = format!("echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"", group.display());
    let run = project.wake(["build"]).wrapper(["sh", "-c", &bounded]).run();
    // Killed processes may not be gone yet.
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        fs::remove_dir(&group).is_ok()
    });
    assert!(gone, "processes are left over");
    assert_ne!(run.code, 0, "the limit had no effect");
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
}

/// A control group, of either version, with this memory limit.
fn bounded_group(memory: &str) -> Option<PathBuf> {
    let all = Path::new("/sys/fs/cgroup");
    let (above, bounds) = match all.join("cgroup.controllers").is_file() {
        true => (all.to_owned(), ["memory.max", "memory.swap.max"]),
        false => (all.join("memory"), ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
    };
    let group = above.join(format!("wake-test-{}", std::process::id()));
    let is_known = |name: &str| group.join(name).is_file();
    if !above.is_dir() || fs::create_dir(&group).is_err() {
        return None;
    }
    if !is_known(bounds[0]) || fs::write(group.join(bounds[0]), memory).is_err() {
        let _ = fs::remove_dir(&group);
        return None;
    }
    if is_known(bounds[1]) {
        let swap = if bounds[1].contains("memsw") { memory } else { "0" };
        let _ = fs::write(group.join(bounds[1]), swap);
    }
    Some(group)
}

/// N3: a password in an address appears on no terminal, in no event and in no log, even if the line of a package that contains it
/// is shown.
#[test]
fn n3_a_password_in_a_shown_line_is_masked() {
    for rest in [
        "pkgs={ a: wake.getPkg(wake.pkgInfo('a', '^1.0.0'), from='https://me:secret@host/x') }",
        "files=['./absent'], resources='https://me:secret@host/x'",
    ] {
        let project = project().pkg(rest).build();
        let run = project.wake(["--message-format", "json", "build"]).run().code(5);
        assert!(run.stdout.contains("https://*********@host/x"), "{run}");
        let plain = project.wake(["build"]).run().code(5);
        let mut said = [run.stdout, run.stderr, plain.stdout, plain.stderr].concat();
        for log in std::fs::read_dir(project.path(".wake/runs")).unwrap() {
            said += &std::fs::read_to_string(log.unwrap().path()).unwrap();
        }
        assert!(!said.contains("secret"), "{said}");
    }
}
