//! What a command can request from the kernel: S3, S4.

use libtest_mimic::Trial;
use wake_exec::{Access, Job, Source};

use crate::bed::{Bed, compiled, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s03_no_network_leads_out", no_network),
        trial("s03_loopback_is_private", loopback_is_its_own),
        trial("s04_other_processes_are_not_visible", other_processes_do_not_exist),
        trial("s04_dangerous_system_calls_are_refused", dangerous_calls_are_refused),
    ]
}

pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Runs a Python program inside; reports and returns none if the machine has no Python.
pub(crate) fn python(bed: &Bed, program: &str) -> Option<String> {
    if !std::path::Path::new(PYTHON).exists() {
        eprintln!("SKIPPED a part of a test: no {PYTHON}");
        return None;
    }
    let mut job = bed.sh("");
    python_in(&mut job, program);
    Some(bed.output_of(&job))
}

/// Makes a job run a Python program.
pub(crate) fn python_in(job: &mut Job, program: &str) {
    job.command.program = PYTHON.to_owned();
    job.command.args = vec!["-I".to_owned(), "-c".to_owned(), program.to_owned()];
}

fn no_network(bed: &Bed) {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let name = format!("wake-test-{}-{port}", std::process::id());
    let _abstract =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let program = format!(
        r#"
import socket, errno
def attempt(name, call):
    try:
        call()
        print(name, "SUCCEEDED")
    except socket.gaierror:
        print(name, "no such name")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
def connect(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(2)
        s.connect(address)
        s.send(b"x")
attempt("tcp", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)))
attempt("udp", lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53)))
attempt("tcp6", lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80)))
attempt("dns", lambda: socket.getaddrinfo("example.org", 80))
attempt("host", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {port})))
attempt("abstract", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0{name}"))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM, 0))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("alg", lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0))
"#
    );
    let Some(said) = python(bed, &program) else { return };
    let expected = "tcp ENETUNREACH\nudp ENETUNREACH\ntcp6 ENETUNREACH\ndns no such name\n\
        host ECONNREFUSED\nabstract ECONNREFUSED\nnetlink EAFNOSUPPORT\nvsock EAFNOSUPPORT\n\
        packet EAFNOSUPPORT\nraw EPERM\nalg EAFNOSUPPORT\n";
    // A machine without IPv6 does not have the address family.
    let said = said.replace("tcp6 EAFNOSUPPORT", "tcp6 ENETUNREACH");
    let said = said.replace("tcp6 EADDRNOTAVAIL", "tcp6 ENETUNREACH");
    assert_eq!(said, expected);
}

fn loopback_is_its_own(bed: &Bed) {
    let program = r#"
import socket
server = socket.create_server(("127.0.0.1", 4711))
client = socket.create_connection(("127.0.0.1", 4711))
other, _ = server.accept()
client.close()
print("served", other.recv(1))
"#;
    // Twice in one worker: closed connections of the first run would keep the port busy for a minute.
    for _ in 0..2 {
        let Some(said) = python(bed, program) else { return };
        assert_eq!(said, "served b''\n");
    }
}

fn other_processes_do_not_exist(bed: &Bed) {
    let host = std::process::id();
    let said = bed.output(&format!(
        "ls /proc | grep '^[0-9]' | tr '\\n' ' '; test -e /proc/{host} && echo SEEN; true"
    ));
    let pids: Vec<u32> = said.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    // The shell and the three parts of its pipeline, but not the worker with process ID 1.
    assert!(pids.iter().all(|pid| (2..=6).contains(pid)), "{said}");
    assert_eq!(
        bed.output("kill -9 1; kill -STOP 1; kill -9 -1 2>/dev/null; echo alive; true"),
        "alive\n"
    );
    assert_eq!(bed.output("echo next"), "next\n");
}

const CALLS: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>
static void say(const char *name, long result) {
    printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "SUCCEEDED");
}
#define TRY(name, ...) say(#name, syscall(SYS_##name, __VA_ARGS__))
int main(void) {
    struct rlimit limit = {0, 0};
    char set[8] = {1};
    unsigned long attributes[4] = {1};
    TRY(mount, "none", "/tmp", "tmpfs", 0, 0);
    TRY(umount2, "/proc", MNT_DETACH);
    TRY(pivot_root, ".", ".");
    TRY(chroot, "/tmp");
    TRY(fsopen, "tmpfs", 0);
    TRY(open_tree, AT_FDCWD, "/usr", 1);
    TRY(move_mount, AT_FDCWD, "/usr", AT_FDCWD, "/tmp", 0);
    TRY(mount_setattr, AT_FDCWD, "/usr", 0, attributes, sizeof attributes);
    say("unshare user", unshare(CLONE_NEWUSER));
    say("unshare mount", unshare(CLONE_NEWNS));
    say("unshare net", unshare(CLONE_NEWNET));
    say("clone user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
    TRY(clone3, 0, 0);
    TRY(setns, open("/proc/self/ns/mnt", O_RDONLY), 0);
    TRY(ptrace, PTRACE_ATTACH, 1, 0, 0);
    TRY(process_vm_readv, 1, 0, 0, 0, 0, 0);
    TRY(prlimit64, 1, RLIMIT_NOFILE, &limit, 0);
    TRY(sched_setaffinity, 1, 8, set);
    TRY(setpriority, PRIO_PROCESS, 1, 10);
    TRY(setpriority, PRIO_USER, 0, 10);
    TRY(keyctl, 0, -3, 1);
    TRY(add_key, "user", "x", "y", 1, -3);
    TRY(bpf, 0, 0, 0);
    TRY(io_uring_setup, 8, 0);
    TRY(perf_event_open, 0, 0, -1, -1, 0);
    TRY(userfaultfd, 0);
    TRY(open_by_handle_at, AT_FDCWD, 0, 0);
    TRY(fanotify_init, 0, 0);
    TRY(init_module, 0, 0, "");
    TRY(kexec_load, 0, 0, 0, 0);
    TRY(mq_open, "/x", O_CREAT | O_RDWR, 0600, 0);
    TRY(sethostname, "x", 1);
    TRY(setuid, 0);
    TRY(mknod, "/work/disk", 0060644, 0x800);
    TRY(chown, "/work", 0, 0);
    return 0;
}
"#;

fn dangerous_calls_are_refused(bed: &Bed) {
    let Some(program) = compiled(bed, "calls", CALLS) else { return };
    let source = Source::Mount { host: program, access: Access::ReadOnly };
    let mut job = with(bed.sh(""), "calls", source);
    job.command.program = "./calls".to_owned();
    let said = bed.output_of(&job);
    let lines: Vec<(&str, &str)> = said.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    assert_eq!(lines.len(), 35, "{said}");
    for (name, result) in lines {
        match name {
            "clone3" | "io_uring_setup" | "mq_open" => assert_eq!(result, "ENOSYS", "{name}"),
            // For an ordinary user's command there is no user 0.
            "setuid" | "chown" => assert!(["EPERM", "EINVAL"].contains(&result), "{name}"),
            _ => assert_eq!(result, "EPERM", "{name}"),
        }
    }
}
