//! What a command can leave running or behind: S5, S7, S11.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use wake_exec::{Logs, Stream};
use wake_model::Outcome;

use crate::bed::{Bed, compiled, declaring, listing, trial};
use crate::kernel::python;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s05_no_process_outlives_its_command", no_process_outlives),
        trial("s05_a_fork_bomb_ends_with_its_command", fork_bomb_ends),
        trial("s07_an_open_output_cannot_be_changed_afterwards", open_outputs_are_dead),
        trial("s11_concurrent_commands_share_nothing", commands_at_once_share_nothing),
        trial("s11_commands_in_one_worker_share_nothing", commands_in_turn_share_nothing),
        trial("s11_increasing_numbers_start_again", rising_numbers_begin_anew),
        trial(
            "s11_increasing_numbers_start_again_without_kernel_notification",
            rising_numbers_without_being_told,
        ),
        trial("s11_directories_kept_for_the_next_command_are_untouched", kept_is_untouched),
        trial("s11_only_untouched_directories_are_kept", untouched_is_kept),
        trial("s05_cancelling_kills_everything_at_once", cancelling_kills),
        trial("s05_a_command_may_use_its_grace_period", a_moment_to_end),
        trial("s05_everything_dies_with_the_executor", everything_dies_with_the_executor),
    ]
}

/// Returns a process on this machine that has `marker` in its command line.
fn running(marker: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.find(|pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).split('\0').any(|word| word == marker))
    })
}

fn is_running(marker: &str) -> bool {
    running(marker).is_some()
}

/// Returns a number of seconds that no other test sleeps for.
fn marker(bed: &Bed) -> String {
    let path = bed.dir.path().display().to_string();
    let sum: u64 = path.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 9_999_991);
    format!("1{sum:07}")
}

fn no_process_outlives(bed: &Bed) {
    let sleep = marker(bed);
    let script = format!(
        "mkdir out; (setsid sh -c 'trap \"\" TERM HUP; sleep {sleep}; echo late > out/late' \
         </dev/null >/dev/null 2>&1 &) ; (sh -c '(sleep {sleep} &) &'); echo early > out/early; exit 0"
    );
    let job = declaring(bed.sh(&script), &["out/"]);
    let finished = bed.run(&job).unwrap();
    assert!(!is_running(&sleep));
    assert_eq!(finished.outcome, Outcome::Exited(0));
    assert_eq!(listing(&job.outputs.into), ["out", "out/early"]);
}

fn fork_bomb_ends(bed: &Bed) {
    let sleep = marker(bed);
    let mut job = bed.sh(&format!(
        "bomb() {{ sleep {sleep} & bomb & bomb & }}; bomb 2>/dev/null; sleep 0.3; exit 3"
    ));
    job.limits.processes = 200;
    job.limits.wall = Some(Duration::from_secs(20));
    let finished = bed.run(&job).unwrap();
    assert!(matches!(finished.outcome, Outcome::Exited(_)), "{:?}", finished.outcome);
    assert!(!is_running(&sleep));
    assert_eq!(bed.output("echo next"), "next\n");
}

fn open_outputs_are_dead(bed: &Bed) {
    let sleep = marker(bed);
    let script = format!(
        "echo first > out; (exec 3>>out; exec sh -c 'while :; do echo more >&3; done; : {sleep}') & \
         while ! grep -q more out; do :; done; exit 0"
    );
    let job = declaring(bed.sh(&script), &["out"]);
    let finished = bed.run(&job).unwrap();
    let manifest = finished.outputs.unwrap();
    let out = job.outputs.into.join("out");
    let bytes = std::fs::read(&out).unwrap();
    let node = manifest.iter().next().unwrap().1;
    let wake_model::Node::File { blob, size, .. } = node else { panic!("{node:?}") };
    assert_eq!((*blob, *size), (wake_model::BlobDigest::of(&bytes), bytes.len() as u64));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(std::fs::read(&out).unwrap().len(), bytes.len());
}

/// Leaves a mark in every place that processes can share.
const LEAVE: &str = "echo x > /tmp/mark; echo x > /dev/shm/mark; echo x > /tmp/home/mark; \
    ipcmk -M 4096 -p 0777 >/dev/null; ipcmk -Q >/dev/null; ipcmk -S 1 >/dev/null; \
    ipcs | grep -c 0x > /work/count";

/// Reports which marks exist.
const LOOK: &str = "ls -A /tmp /tmp/home /dev/shm; ipcs | grep 0x; ls /work; true";

/// The output of [`LOOK`] if there are none.
const NOTHING: &str = "/dev/shm:\n\n/tmp:\nhome\n\n/tmp/home:\n";

fn commands_at_once_share_nothing(bed: &Bed) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut job = bed.sh(&format!("{LEAVE}; cat count; sleep 1"));
            job.limits.wall = Some(Duration::from_secs(30));
            let said = bed.output_of(&job);
            // The marks were there, whichever command looked.
            assert_eq!(said, "3\n", "the first command could not leave its marks");
            done.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(Duration::from_millis(300));
        while !done.load(Ordering::SeqCst) {
            assert_eq!(bed.output(LOOK), NOTHING);
        }
    });
}

fn commands_in_turn_share_nothing(bed: &Bed) {
    // The second time with more than a worker keeps.
    for more in ["true", "head -c 9M /dev/zero > /work/large"] {
        assert_eq!(bed.output(&format!("{LEAVE}; {more}; cat count")), "3\n");
        assert_eq!(bed.output(LOOK), NOTHING);
    }
}

/// Reports the IDs of the next System V objects, and the network's counters, except those of the whole machine, since
/// the kernel counts orphaned connections and the memory of protocols.
const COUNTERS: &str = r"
import ctypes, re
c = ctypes.CDLL(None)
for kind, get, remove in [
    ('segment', lambda: c.shmget(0, 4096, 0o1600), lambda i: c.shmctl(i, 0, 0)),
    ('set', lambda: c.semget(0, 1, 0o1600), lambda i: c.semctl(i, 0, 0)),
    ('queue', lambda: c.msgget(0, 0o1600), lambda i: c.msgctl(i, 0, 0))]:
    number = get()
    remove(number)
    print(kind, number)
for path in ['dev', 'snmp', 'snmp6', 'netstat', 'sockstat']:
    lines = [line for line in open('/proc/self/net/' + path) if 'used' not in line]
    print([re.split(' orphan| mem', line)[0] for line in lines])
";

/// Ways to increase IDs and counters and leave nothing behind.
const RISES: &[&str] = &[
    "[c.shmctl(c.shmget(0, 4096, 0o1600), 0, 0) for _ in range(41)]",
    "[c.semctl(c.semget(0, 1, 0o1600), 0, 0) for _ in range(41)]",
    "[c.msgctl(c.msgget(0, 0o1600), 0, 0) for _ in range(41)]",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('::1', 9))",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    "socket.socket(socket.AF_INET).connect(('127.0.0.1', 9))",
    "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())",
    "os.fork() or (c.shmctl(c.shmget(0, 4096, 0o1600), 0, 0), os._exit(0)); os.wait()",
];

fn rising_numbers_begin_anew(bed: &Bed) {
    let Some(first) = python(bed, COUNTERS) else { return };
    assert_eq!(python(bed, COUNTERS).as_ref(), Some(&first));
    for rise in RISES {
        let program = format!(
            "import ctypes, os, socket\nc = ctypes.CDLL(None)\ntry:\n    {rise}\nexcept OSError:\n    pass"
        );
        python(bed, &program);
        assert_eq!(python(bed, COUNTERS).as_ref(), Some(&first), "{rise}");
    }
}

/// Runs a program under another seccomp listener, so that the kernel cannot ask a further one.
const ASKED_ELSEWHERE: &str = r#"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words)
{
    struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
    struct sock_fprog filter = { 1, allow };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    // Stays open when the program is executed.
    if (listener < 0 || dup(listener) < 0)
        return 1;
    execv(words[1], words + 1);
    return 2;
}
"#;

fn rising_numbers_without_being_told(bed: &Bed) {
    let Some(program) = compiled(bed, "asked", ASKED_ELSEWHERE) else { return };
    rising_numbers_begin_anew(&Bed::by_way_of(&program));
}

/// Ways to leave a mark in `/tmp` and `/dev/shm` that is hardly or not visible afterwards.
const MARKS: &[&str] = &[
    "os.chmod('/tmp', 0o700)",
    "os.chmod('/proc/self/fd/%d' % os.open('/dev/shm', os.O_PATH), 0o711)",
    "os.setxattr('/tmp/home', 'user.mark', b'x')",
    "os.utime('/tmp/home', (1, 1))",
    "[os.close(os.open('/dev/shm', os.O_TMPFILE | os.O_WRONLY)) for _ in range(9)]",
    "[os.close(os.open('/tmp/home', os.O_TMPFILE | os.O_WRONLY)) for _ in range(9)]",
    "os.mkdir('/tmp/d'); os.rmdir('/tmp/d')",
    "os.symlink('x', '/tmp/home/l'); os.unlink('/tmp/home/l')",
    "os.mkfifo('/dev/shm/f'); os.unlink('/dev/shm/f')",
    "socket.socket(socket.AF_UNIX).bind('/tmp/s'); os.unlink('/tmp/s')",
    "os.rename('/tmp/home', '/tmp/h'); os.rename('/tmp/h', '/tmp/home')",
    "os.rmdir('/tmp/home'); os.mkdir('/tmp/home', 0o755)",
    "shm = mmap.mmap(os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR), 0)",
];

/// Reports everything visible of them, and the inode numbers of their next files.
const INSPECT: &str = r"
import os
for path in ['/tmp', '/tmp/home', '/dev/shm']:
    s = os.stat(path)
    print(path, s.st_ino, oct(s.st_mode), s.st_uid, s.st_nlink, s.st_size, s.st_mtime > 1e9,
          os.listdir(path), os.listxattr(path), os.statvfs(path))
    print(os.fstat(os.open(path, os.O_TMPFILE | os.O_WRONLY)).st_ino)
";

/// Runs commands that do not use these directories, often enough for a worker to determine whether they can be kept.
fn leave_alone(bed: &Bed, commands: usize) {
    for _ in 0..commands {
        bed.output("true");
    }
}

fn kept_is_untouched(bed: &Bed) {
    let Some(new) = python(bed, INSPECT) else { return };
    leave_alone(bed, 20);
    for mark in MARKS {
        // What these commands do not use is marked by the next one; they are so many that it continues to be kept.
        leave_alone(bed, 4);
        let program = format!(
            "import mmap, os, socket\ntry:\n    {mark}\nexcept (OSError, ValueError):\n    pass"
        );
        python(bed, &program);
        assert_eq!(python(bed, INSPECT).as_ref(), Some(&new), "{mark}");
    }
    // Jobs with other limits have other directories.
    leave_alone(bed, 4);
    let mut job = bed.sh("stat -f -c %b /tmp /dev/shm");
    job.limits.disk = 1 << 20;
    assert_eq!(bed.output_of(&job), "256\n256\n");
}

fn untouched_is_kept(bed: &Bed) {
    let devices = "stat -c %d /tmp /dev/shm";
    leave_alone(bed, 20);
    let first = bed.output(devices);
    assert_eq!(bed.output(devices), first, "new ones are made although nobody has touched them");
    assert_eq!(bed.output(&format!("{devices}; echo x > /tmp/mark")), first);
    let (old, new) = (first, bed.output(devices));
    assert!(new.lines().all(|device| !old.contains(device)), "{old} {new}");
}

fn cancelling_kills(bed: &Bed) {
    let sleep = marker(bed);
    let job = bed.sh(&format!("trap '' TERM INT; sleep {sleep} & sleep {sleep}"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bed.run(&job));
        while !is_running(&sleep) {
            assert!(!running.is_finished());
        }
        bed.cancel.cancel();
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "cancelled");
        assert!(!is_running(&sleep));
    });
}

/// A command told to exit exits by itself, with everything that it started, or is killed after its grace period.
fn a_moment_to_end(bed: &Bed) {
    let sleep = marker(bed);
    for (trap, grace, is_said) in [
        ("echo said; exit", Duration::from_secs(600), true),
        ("", Duration::from_millis(300), false),
    ] {
        let own = Bed::new();
        let mut job = own.sh(&format!("trap '{trap}' TERM; sleep {sleep} & wait; wait"));
        job.limits.grace = Some(grace);
        job.logs = Logs::AtOnce;
        let (mut said, mut wrote) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let mut hear = |_: Stream, bytes: &[u8]| wrote.extend_from_slice(bytes);
                own.executor.run_in_turn(&job, &own.cancel, || Some(|_| ()), &mut hear)
            });
            while !is_running(&sleep) {
                assert!(!running.is_finished());
            }
            own.cancel.cancel();
            let error = running.join().unwrap().unwrap_err();
            assert_eq!(error.to_string(), "cancelled");
            assert!(!is_running(&sleep));
        });
        said.append(&mut wrote);
        assert_eq!(said == b"said\n", is_said, "{}", String::from_utf8_lossy(&said));
    }
}

fn everything_dies_with_the_executor(bed: &Bed) {
    let sleep = marker(bed);
    let own = Bed::new();
    let job = own.sh(&format!("setsid sleep {sleep} & sleep {sleep}"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| own.run(&job));
        let pid = loop {
            // Not looked up twice: while it executes another program it has no command line.
            if let Some(pid) = self::running(&sleep) {
                break pid;
            }
            assert!(!running.is_finished());
        };
        // As if the whole program were killed: the worker's parent disappears without notice.
        kill_child_above(pid);
        assert!(running.join().unwrap().is_err());
    });
    while is_running(&sleep) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills the child of this process that is an ancestor of `pid`.
fn kill_child_above(mut pid: u32) {
    let me = std::process::id();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let parent: u32 = after_name.split_whitespace().nth(1).unwrap().parse().unwrap();
        if parent == me {
            // SAFETY: sends a signal to a worker of this test.
            unsafe { libc::kill(i32::try_from(pid).unwrap(), libc::SIGKILL) };
            return;
        }
        pid = parent;
    }
}
