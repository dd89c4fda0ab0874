//! Lines of the checklist of attacks that concern more than one part of wake, by their numbers.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wake_tests::{project, skip};

/// E3: an evaluation cannot reach anything but its arguments and the package's files.
#[test]
fn e3_jsonnet_reaches_neither_the_host_nor_the_clock() {
    let project = project().pkg("").build();
    for code in [
        "std.extVar('HOME')",
        "std.native('getenv')('HOME')",
        "std.native('system')('true')",
        "importstr '/etc/passwd'",
        "importstr '/proc/self/environ'",
        "importbin '/dev/zero'",
        "importstr '../../../../../../etc/passwd'",
        "import '/etc/passwd'",
    ] {
        let run = project.wake(["eval", code]).env("HOME", "/canary5f1c").run();
        assert_eq!(run.code, 5, "{code}: {} {}", run.stdout, run.stderr);
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains("canary5f1c") && !text.contains("root:"), "{code}: {text}");
        }
    }
    let known = project.wake(["eval", "std.objectFieldsAll(std)"]).run().success();
    for name in ["time", "now", "env", "getenv", "random", "exec", "read"] {
        assert!(!known.stdout.contains(&format!("\"{name}\"")), "std.{name}");
    }
}

/// X12: what the one extractor refuses is given to no other program.
#[test]
fn x12_an_archive_has_one_reader() {
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

/// F7: a command that the kernel kills fails as such, and leaves nothing that a later build believes.
#[test]
fn f7_a_command_is_killed_as_for_want_of_memory() {
    let project = project().step("m", "echo half >out.txt; kill -9 $$").build();
    let failed = project.wake(["build"]).run().code(1);
    failed.mentions("signal 9");
    project.edit("step.sh", "kill -9 $$", "true");
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    assert_eq!(project.result_text("//:m", "out.txt"), "half\n");
}

/// F7: the same of wake itself, in a group of processes whose memory is bounded.
#[test]
fn f7_wake_is_killed_for_want_of_memory() {
    let Some(group) = bounded_group("24M") else {
        return skip("f7_wake_is_killed", "no control group can be made (as root)");
    };
    let project =
        project().step("m", "head -c 50000000 /dev/zero | tail -c 40000000 >out.txt").build();
    let bounded = format!("echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"", group.display());
    let run = project.wake(["build"]).wrapper(["sh", "-c", &bounded]).run();
    // What was killed may not be gone yet.
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        fs::remove_dir(&group).is_ok()
    });
    assert!(gone, "processes are left");
    assert_ne!(run.code, 0, "the bound did nothing");
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
}

/// A control group whose processes may hold so much memory together, of either version.
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
