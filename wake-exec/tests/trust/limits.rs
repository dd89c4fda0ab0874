//! How much a command can use, and what it can write to the user's terminal: S13, S18, S19.

use std::time::Duration;

use libtest_mimic::Trial;
use wake_exec::{OutputDefect, SandboxError, Source, WorkPlace};
use wake_model::{Outcome, SandboxLevel};

use crate::bed::{Bed, declaring, listing, text, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s13_long_arguments_environments_and_names_are_handled", long_things),
        trial("s13_directories_nested_beyond_path_limits_are_handled", deep_directories),
        trial("s18_command_output_is_recorded_but_not_shown", output_is_kept),
        trial("s19_processes_are_limited", processes_are_limited),
        trial("s19_memory_is_limited", memory_is_limited),
        trial("s19_memory_in_files_counts", memory_in_files_counts),
        trial("s19_anonymous_memory_counts", memory_without_a_name_counts),
        trial("s19_mapped_memory_counts_once", mapped_memory_counts_once),
        trial("s19_memory_in_transit_counts", memory_on_its_way_counts),
        trial("s19_memory_of_a_child_ends_the_command", memory_of_a_child_ends_the_command),
        trial("s19_input_files_count", files_that_were_there_count),
        trial("s19_leftover_control_groups_are_removed", left_groups_are_removed),
        trial("s19_disk_and_inodes_are_limited", disk_is_limited),
        trial("s19_disk_outside_memory_is_limited", disk_outside_memory_is_limited),
        trial("s19_disk_at_full_speed_is_limited", disk_at_full_speed_is_limited),
        trial("s19_some_disk_space_is_left_free", a_little_of_a_disk_is_left),
        trial("s19_a_sparse_output_is_refused_by_its_size", sparse_outputs_are_refused),
        trial("s19_cpu_time_is_limited", processors_are_limited),
        trial("s19_shared_memory_has_its_own_limit", shared_memory_has_a_size),
        trial("s19_logs_keep_both_ends", logs_keep_both_ends),
        trial("s19_time_is_limited", time_is_limited),
    ]
}

fn processors_are_limited(bed: &Bed) {
    // Two that would each use a whole processor.
    let mut job = bed
        .sh("burn() { i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; }; burn & burn; wait");
    for level in [SandboxLevel::Strict, SandboxLevel::Weak] {
        job.level = level;
        let findings = wake_exec::probe(&bed.executor);
        let is_bounded = |text: &String| text.contains(" and CPU time");
        if findings.iter().any(|finding| finding.result.as_ref().is_ok_and(is_bounded)) {
            job.limits.processors = Some(200);
            let usage = bed.run(&job).unwrap().usage;
            // With a margin of one half: the first turn of a period is not cut short. It may always use more wall-clock
            // time.
            let most = usage.wall_us * 3 / 10;
            assert!(usage.user_us + usage.sys_us <= most + 50_000, "{level:?}: {usage:?}");
        }
        let mut few = bed.sh("grep Cpus_allowed_list: /proc/self/status");
        few.level = level;
        let all = bed.output_of(&few);
        few.limits.processors = Some(4_000_000);
        assert_eq!(bed.output_of(&few), all, "{level:?}");
    }
}

fn shared_memory_has_a_size(bed: &Bed) {
    let mut job = bed.sh(
        "stat -f -c '%b %S' /dev/shm; head -c 2M /dev/zero > /dev/shm/x; stat -c %s /dev/shm/x",
    );
    job.limits.shared_memory = Some(1 << 20);
    assert_eq!(bed.output_of(&job), "256 4096\n1048576\n");
    job.limits.shared_memory = None;
    assert_eq!(bed.output_of(&job), format!("{} 4096\n{}\n", job.limits.disk >> 12, 2 << 20));
}

fn long_things(bed: &Bed) {
    // The kernel's limit on one argument is 32 pages, including its terminating zero.
    for (length, starts) in [(4096, true), (131_071, true), (131_072, false)] {
        let mut job = bed.sh("echo ${#0} ${#LONG}");
        job.command.args.push("a".repeat(length));
        if starts {
            assert_eq!(bed.output_of(&job), format!("{length} 0\n"));
        } else {
            let error = bed.run(&job).unwrap_err();
            let expected = "`/bin/sh` could not be started: Argument list too long (os error 7)";
            assert_eq!(error.to_string(), expected);
        }
    }
    let mut job = bed.sh("echo ${#LONG}");
    job.command.env.push(("LONG".to_owned(), "v".repeat(100_000)));
    assert_eq!(bed.output_of(&job), "100000\n");
    let name = "n".repeat(255);
    let source = Source::Bytes { bytes: b"long".to_vec(), executable: false };
    let job = with(bed.sh(&format!("cat {name} > out{}", "o".repeat(252))), &name, source.clone());
    let out = format!("out{}", "o".repeat(252));
    let job = declaring(job, &[&out]);
    assert!(bed.run(&job).unwrap().outputs.is_ok());
    assert_eq!(std::fs::read(job.outputs.into.join(out)).unwrap(), b"long");
    let too_long = with(bed.sh(""), &"n".repeat(256), source);
    assert!(matches!(bed.run(&too_long).unwrap_err(), SandboxError::Step { .. }));
}

fn deep_directories(bed: &Bed) {
    let script = "mkdir out; cd -P out; i=0; while [ $i -lt 3000 ]; do mkdir d; cd -P d 2>/dev/null || break; i=$((i+1)); done; exit 0";
    let job = declaring(bed.sh(script), &["out"]);
    let faults = bed.run(&job).unwrap().outputs.unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(matches!(faults[0].fault, OutputDefect::TooDeep { .. }), "{faults:?}");
    assert!(!job.outputs.into.exists());
    assert_eq!(bed.output("echo next"), "next\n");
}

fn output_is_kept(bed: &Bed) {
    let attack = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[1A\r\u{9b}31m";
    let finished = bed.run(&bed.sh(&format!("printf '{attack}'; printf '{attack}' >&2"))).unwrap();
    assert_eq!(finished.stdout.head, attack.as_bytes());
    assert_eq!(finished.stderr.head, attack.as_bytes());
}

fn processes_are_limited(bed: &Bed) {
    let mut job = bed
        .sh("i=0; while [ $i -lt 100 ]; do (sleep 30 &) 2>/dev/null || break; i=$((i+1)); done; \
         [ $i -lt 100 ] && echo limited; true");
    job.limits.processes = 40;
    job.limits.wall = Some(Duration::from_secs(20));
    let finished = bed.run(&job).unwrap();
    // A shell that cannot fork may also give up itself.
    let limited = finished.stdout.head == b"limited\n" || text(&finished).contains("fork");
    assert!(limited, "{:?} {}", finished.outcome, text(&finished));
}

fn memory_is_limited(bed: &Bed) {
    // Doubles a text until something stops it; the last lines are never reached.
    let mut job = bed.sh("x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done");
    job.limits.memory = Some(64 << 20);
    job.limits.wall = Some(Duration::from_secs(60));
    assert_eq!(bed.run(&job).unwrap().outcome, Outcome::OutOfMemory);
}

fn memory_in_files_counts(bed: &Bed) {
    for place in ["/work/x", "/tmp/x", "/dev/shm/x"] {
        let mut job = bed.sh(&format!("cat /dev/zero > {place}"));
        job.limits.memory = Some(64 << 20);
        job.limits.wall = Some(Duration::from_secs(60));
        assert_eq!(bed.run(&job).unwrap().outcome, Outcome::OutOfMemory, "{place}");
    }
}

/// Ways to hold memory that is resident in no process, 256 MiB and more if nothing stops them.
const NAMELESS: &[&str] = &[
    "f = os.memfd_create('x')\nfor _ in range(256): os.write(f, bytes(1 << 20))",
    "for _ in range(32):\n    i = c.shmget(0, 8 << 20, 0o1600)\n    p = ctypes.c_void_p(c.shmat(i, None, 0))\n    \
     ctypes.memset(p, 1, 8 << 20)\n    c.shmdt(p)",
    "import fcntl\nkept = []\nfor _ in range(1500):\n    r, w = os.pipe()\n    kept += [r, w]\n    \
     os.set_blocking(w, False)\n    os.write(w, bytes(1 << 16))",
    "import socket\nkept = []\nfor _ in range(1500):\n    a, b = socket.socketpair()\n    kept += [a, b]\n    \
     a.setblocking(False)\n    a.send(bytes(1 << 17))",
];

fn memory_without_a_name_counts(bed: &Bed) {
    if !std::path::Path::new(crate::kernel::PYTHON).exists() {
        return eprintln!("SKIPPED: no {}", crate::kernel::PYTHON);
    }
    for program in NAMELESS {
        let mut job = bed.sh("");
        crate::kernel::python_in(
            &mut job,
            &format!(
                "import ctypes, os, time\nc = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p\n\
                 {program}\ntime.sleep(9)"
            ),
        );
        job.limits.memory = Some(48 << 20);
        job.limits.wall = Some(Duration::from_secs(60));
        let finished = bed.run(&job).unwrap();
        assert_eq!(finished.outcome, Outcome::OutOfMemory, "{program} {}", text(&finished));
    }
}

fn mapped_memory_counts_once(bed: &Bed) {
    if !std::path::Path::new(crate::kernel::PYTHON).exists() {
        return eprintln!("SKIPPED: no {}", crate::kernel::PYTHON);
    }
    let mut job = bed.sh("");
    crate::kernel::python_in(
        &mut job,
        "import mmap, os, time\nf = os.memfd_create('x')\nos.truncate(f, 64 << 20)\n\
         m = mmap.mmap(f, 64 << 20)\nfor at in range(0, 64 << 20, 4096): m[at] = 1\ntime.sleep(0.2)",
    );
    job.limits.memory = Some(112 << 20);
    bed.output_of(&job);
}

/// Returns whether control groups bound memory here; reports it if not.
fn has_groups(bed: &Bed) -> bool {
    let findings = wake_exec::probe(&bed.executor);
    let limits = findings.into_iter().find(|finding| finding.name == "limits").unwrap();
    let said = limits.result.unwrap();
    let has = said.starts_with("control groups v");
    if !has {
        eprintln!("SKIPPED: {said}");
    }
    has
}

fn memory_on_its_way_counts(bed: &Bed) {
    if !has_groups(bed) || !std::path::Path::new(crate::kernel::PYTHON).exists() {
        return;
    }
    let mut job = bed.sh("");
    // Only a message that nobody has read refers to each file.
    crate::kernel::python_in(
        &mut job,
        "import os, socket, time\nkept = []\nfor _ in range(64):\n    a, b = socket.socketpair()\n    kept += [a, b]\n    \
         f = os.memfd_create('x')\n    os.write(f, bytes(4 << 20))\n    socket.send_fds(a, [b'x'], [f])\n    \
         os.close(f)\ntime.sleep(9)",
    );
    job.limits.memory = Some(64 << 20);
    job.limits.wall = Some(Duration::from_secs(60));
    let finished = bed.run(&job).unwrap();
    assert_eq!(finished.outcome, Outcome::OutOfMemory, "{}", text(&finished));
}

fn memory_of_a_child_ends_the_command(bed: &Bed) {
    if has_groups(bed) {
        let mut job = bed.sh("true");
        job.limits.memory = Some(1);
        assert_eq!(bed.run(&job).unwrap().outcome, Outcome::OutOfMemory);
    }
    for (level, script) in [
        (SandboxLevel::Strict, "cat /dev/zero > /work/x; echo went on; exit 0"),
        (SandboxLevel::Strict, "(x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done); exit 0"),
        (SandboxLevel::Weak, "(x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done); exit 0"),
    ] {
        if level == SandboxLevel::Weak && !has_groups(bed) {
            continue;
        }
        let mut job = bed.sh(script);
        job.level = level;
        job.limits.memory = Some(48 << 20);
        job.limits.wall = Some(Duration::from_secs(60));
        let finished = bed.run(&job).unwrap();
        assert_eq!(finished.outcome, Outcome::OutOfMemory, "{script}");
        assert!(finished.usage.peak_bytes < 80 << 20, "{:?}", finished.usage);
    }
}

fn files_that_were_there_count(bed: &Bed) {
    let large = bed.file("large", vec![7; 40 << 20]);
    let blob = wake_model::BlobDigest::of(&std::fs::read(&large).unwrap());
    let with_large = |script: &str| {
        let source = Source::File {
            host: large.clone(),
            blob,
            executable: false,
            seal: wake_exec::Seal::Digest,
        };
        let mut job = with(bed.sh(script), "large", source);
        job.limits.memory = Some(64 << 20);
        job.limits.wall = Some(Duration::from_secs(60));
        bed.run(&job).unwrap().outcome
    };
    assert_eq!(with_large("cat large > /dev/null"), Outcome::Exited(0));
    // Without groups it is checked periodically, and copying may take less time than that.
    assert_eq!(with_large("cat large > copy; sleep 3600"), Outcome::OutOfMemory);
}

fn left_groups_are_removed(bed: &Bed) {
    if !has_groups(bed) {
        return;
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let memory = own.lines().find_map(|line| line.split_once(":memory:"));
    let Some((_, own)) = memory else { return eprintln!("SKIPPED: not the first version") };
    let place = std::path::PathBuf::from(format!("/sys/fs/cgroup/memory{own}"));
    let left = place.join("wake-00000000000000aa");
    std::fs::create_dir(&left).unwrap();
    std::fs::create_dir(left.join("3")).unwrap();
    // Another one creates its own, and looks for leftovers.
    let other = Bed::new();
    let mut job = other.sh("true");
    job.limits.memory = Some(64 << 20);
    other.output_of(&job);
    assert!(!left.exists(), "leftovers of a killed process");
}

fn disk_is_limited(bed: &Bed) {
    let mut job = bed.sh(
        "LC_ALL=C; export LC_ALL; head -c 600000 /dev/zero > a; (head -c 600000 /dev/zero > b) 2>&1; rm -f a b; \
         i=0; while [ $i -lt 400 ]; do touch f$i || break; i=$((i+1)); done 2>/dev/null; \
         [ $i -lt 200 ] && echo few files; true",
    );
    job.limits.disk = 1 << 20;
    job.limits.inodes = 100;
    let said = bed.output_of(&job);
    let full = said.contains("No space left on device");
    assert!(full && said.ends_with("few files\n"), "{said}");
}

fn disk_outside_memory_is_limited(bed: &Bed) {
    let scratch = bed.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let on_disk = |script: &str| {
        let mut job = bed.sh(script);
        job.scratch = WorkPlace::Disk(scratch.clone());
        job.limits.disk = 4 << 20;
        job.limits.inodes = 200;
        job.limits.wall = Some(Duration::from_secs(60));
        job
    };
    for script in [
        "mkdir -p a/b; for f in a/1 a/b/2 3; do head -c 2M /dev/zero > $f; done; sleep 60",
        "mkdir -m 0 d; mkdir e; chmod 0 e; mkdir f; cd f; seq 300 | xargs touch; sleep 60",
    ] {
        let error = bed.run(&on_disk(script)).unwrap_err();
        assert!(matches!(error, SandboxError::OutOfDisk { .. }), "{script}: {error}");
    }
    if std::path::Path::new(crate::kernel::PYTHON).exists() {
        // Open files without a name.
        let named = "os.open(name, os.O_CREAT | os.O_RDWR); os.unlink(name)";
        for opened in [named, "os.open('.', os.O_TMPFILE | os.O_RDWR)"] {
            let mut job = on_disk("");
            let program = format!(
                "import os, time\nfor name in 'ab':\n    f = {opened}\n    for _ in range(3): os.write(f, bytes(1 << 20))\n\
                 time.sleep(60)"
            );
            crate::kernel::python_in(&mut job, &program);
            let error = bed.run(&job).unwrap_err();
            assert!(matches!(error, SandboxError::OutOfDisk { .. }), "{opened}: {error}");
        }
    }
    let fits =
        "head -c 3M /dev/zero > a; for i in $(seq 1000); do ln a a$i; done; rm a?*; sleep 1.5";
    bed.output_of(&on_disk(fits));
    assert_eq!(listing(&scratch), [] as [&str; 0]);
}

/// How many bytes a command may write beyond its bound on disk before it is killed: what it writes between two checks,
/// which are 2 ms apart on an idle machine, and on a busy one also until the worker is scheduled.
const SLACK: u64 = 2 << 30;

fn disk_at_full_speed_is_limited(bed: &Bed) {
    let scratch = bed.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    for script in [
        "i=0; while :; do head -c 8M /dev/zero > f$i; i=$((i+1)); done",
        "for f in a b c d; do cat /dev/zero > $f & done; wait",
    ] {
        let mut job = bed.sh(script);
        job.scratch = WorkPlace::Disk(scratch.clone());
        job.limits.disk = 512 << 20;
        job.limits.wall = Some(Duration::from_secs(120));
        let error = bed.run(&job).unwrap_err();
        let SandboxError::OutOfDisk { bytes, held, .. } = error else { panic!("{error}") };
        assert!(held > bytes && held < bytes + SLACK, "{script}: {error}");
    }
    assert_eq!(listing(&scratch), [] as [&str; 0]);
}

fn a_little_of_a_disk_is_left(bed: &Bed) {
    let disk = bed.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=200m", "none"])
        .arg(&disk)
        .output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        return eprintln!("SKIPPED: a file system cannot be mounted");
    }
    let on_disk = |script: &str| {
        let mut job = bed.sh(script);
        job.scratch = WorkPlace::Disk(disk.clone());
        job.limits.wall = Some(Duration::from_secs(60));
        bed.run(&job)
    };
    let full = on_disk("head -c 150M /dev/zero > a; sleep 60");
    let fits = on_disk("head -c 80M /dev/zero > a; sleep 1.5");
    let unmounted = std::process::Command::new("umount").arg("-l").arg(&disk).status();
    assert!(unmounted.unwrap().success());
    let expected = "its directories on disk held more than the space left there, which was less than 134217728 bytes";
    assert_eq!(full.unwrap_err().to_string(), expected);
    assert_eq!(fits.unwrap().outcome, Outcome::Exited(0));
}

fn sparse_outputs_are_refused(bed: &Bed) {
    let mut job = declaring(bed.sh("truncate -s 900000 a; truncate -s 900000 b"), &["a", "b"]);
    job.limits.disk = 1 << 20;
    let faults = bed.run(&job).unwrap().outputs.unwrap_err();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["`b` exceeds the limit of 1048576 bytes for all outputs"]);
    assert!(!job.outputs.into.exists());
}

fn logs_keep_both_ends(bed: &Bed) {
    let mut job = bed.sh(
        "echo first; i=0; while [ $i -lt 300 ]; do echo 0123456789012345678901234567890123456789; \
         i=$((i+1)); done; echo last",
    );
    job.limits.log = 200;
    let finished = bed.run(&job).unwrap();
    let log = &finished.stdout;
    assert!(log.head.starts_with(b"first\n012345") && log.tail.ends_with(b"89\nlast\n"));
    assert_eq!((log.head.len(), log.tail.len()), (100, 100));
    assert_eq!(log.dropped, 6 + 300 * 41 + 5 - 200);
    let shown = String::from_utf8(log.to_bytes()).unwrap();
    assert!(shown.contains("\n[12111 bytes dropped]\n"), "{shown}");
}

fn time_is_limited(bed: &Bed) {
    let mut job = bed.sh("echo before; trap '' TERM; sleep 1000 & sleep 1000; echo after");
    job.limits.wall = Some(Duration::from_millis(300));
    let finished = bed.run(&job).unwrap();
    assert_eq!(finished.outcome, Outcome::TimedOut);
    assert_eq!(finished.stdout.head, b"before\n");
}
