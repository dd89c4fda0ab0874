//! What a command can see and change: S1, S2, S6, S8, S12, S14.

use libtest_mimic::Trial;
use wake_exec::{Access, SandboxError, Source, WorkPlace};
use wake_model::Outcome;

use crate::bed::{Bed, listing, text, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s01_undeclared_files_do_not_exist", nothing_else_exists),
        trial("s02_only_work_and_tmp_are_writable", nothing_else_is_writable),
        trial("s02_mounted_inputs_are_read_only", mounted_inputs_are_read_only),
        trial("s06_the_environment_is_exactly_as_given", environment_is_exact),
        trial("s06_the_identity_of_the_machine_is_hidden", machine_does_not_show),
        trial("s06_no_descriptor_is_inherited", no_descriptor_is_inherited),
        trial("s06_two_runs_look_alike", two_runs_look_alike),
        trial("s08_cleaning_up_follows_no_link", cleaning_follows_no_link),
        trial("s10_scratch_on_disk_is_private_and_removed", scratch_is_private_and_removed),
        trial("s14_no_path_leads_through_the_worker", no_path_through_the_worker),
        trial("s14_nothing_is_beside_the_root_directory", nothing_beside_the_root),
    ]
}

fn nothing_else_exists(bed: &Bed) {
    let secret = bed.file("checkout/.git/config", "secret");
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    let absent = [
        "/etc/hostname".to_owned(),
        "/etc/shadow".to_owned(),
        home,
        secret.display().to_string(),
        bed.dir.path().display().to_string(),
        "/home".to_owned(),
        "/var".to_owned(),
        "/root".to_owned(),
        "/sys".to_owned(),
        "/usr/local/bin".to_owned(),
        "/run".to_owned(),
    ];
    for path in absent {
        let script = format!("LC_ALL=C cat '{path}' 2>&1; true");
        let said = bed.output(&script);
        assert_eq!(said, format!("cat: {path}: No such file or directory\n"));
    }
    // The machine's users are not visible to the command, and neither are its keys.
    let users = bed.output("cut -d: -f1,3,4 /etc/passwd; cut -d: -f1,3 /etc/group; cat /etc/hosts");
    let expected = "root:0:0\nwake:1000:1000\nnobody:65534:65534\nroot:0\nwake:1000\nnogroup:65534\n\
                    127.0.0.1 localhost wake\n::1 localhost wake\n";
    assert_eq!(users, expected);
    assert_eq!(bed.output("find /etc ! -perm -4; find /etc -name '*private*'"), "");
}

fn nothing_else_is_writable(bed: &Bed) {
    let places =
        ["/", "/usr", "/usr/bin", "/etc", "/dev", "/usr/local", "/proc", "/proc/sys/kernel"];
    for place in places {
        let said = bed.output(&format!("echo x > {place}/attack && echo WRITTEN; true"));
        assert_eq!(said, "", "{place}");
    }
    let settings =
        ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"];
    for setting in settings {
        let said = bed.output(&format!("echo x > {setting} && echo WRITTEN; true"));
        assert_eq!(said, "", "{setting}");
    }
    let moved = "mv /usr/bin/true /work/ && echo MOVED; chmod 0777 /usr && echo CHANGED; \
                 chmod 0777 / && echo CHANGED; mv /work /work2 && echo MOVED; \
                 rmdir /tmp && echo REMOVED; true";
    assert_eq!(bed.output(moved), "");
    assert_eq!(bed.output("echo a > /work/a; echo b > /tmp/b; cat /work/a /tmp/b"), "a\nb\n");
}

fn mounted_inputs_are_read_only(bed: &Bed) {
    bed.file("store/tree/lib.a", "library");
    bed.file("store/tree/sub/x", "x");
    let source = Source::Mount { host: bed.path("store/tree"), access: Access::ReadOnly };
    let script = "LC_ALL=C; export LC_ALL; cd .wake/modules/dep; \
        touch new 2>&1; rm lib.a 2>&1; chmod 777 lib.a 2>&1; ln lib.a ../../../linked 2>&1; \
        (echo x > lib.a) 2>&1; mv sub sub2 2>&1; true";
    let job = with(bed.sh(script), ".wake/modules/dep", source);
    let said = bed.output_of(&job);
    let refused = said.lines().filter(|line| line.contains("Read-only file system")).count();
    // A link to another mount is refused before the mount's permissions are checked.
    let crossing = said.lines().filter(|line| line.contains("Invalid cross-device link")).count();
    assert_eq!((refused, crossing), (5, 1), "{said}");
    assert_eq!(listing(&bed.path("store/tree")), ["lib.a", "sub", "sub/x"]);
    assert_eq!(std::fs::read(bed.path("store/tree/lib.a")).unwrap(), b"library");
}

fn environment_is_exact(bed: &Bed) {
    // SAFETY: the tests' own threads do not read the environment meanwhile.
    unsafe { std::env::set_var("WAKE_TEST_LEAK", "leaked") };
    let mut job = bed.sh("");
    job.command.program = "/usr/bin/env".to_owned();
    job.command.args = Vec::new();
    job.command.env = vec![("B".to_owned(), "2 =x".to_owned()), ("A".to_owned(), String::new())];
    assert_eq!(bed.output_of(&job), "B=2 =x\nA=\n");
}

fn machine_does_not_show(bed: &Bed) {
    let said = bed.output(
        "hostname; id -u; id -g; id -G; pwd; umask; date +%Z; \
         cat /proc/sys/kernel/hostname; ls -A /tmp; ls -A /tmp/home; ls -A; \
         tty; (: < /dev/tty) 2>/dev/null || echo no terminal; ls /dev; \
         ulimit -c; cat /proc/$$/stat | cut -d' ' -f1,4,5,6,7",
    );
    let expected = "wake\n1000\n1000\n1000\n/work\n0022\nUTC\nwake\nhome\nnot a tty\nno terminal\n\
        fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n\
        0\n2 1 2 1 0\n";
    assert_eq!(said, expected);
}

fn no_descriptor_is_inherited(bed: &Bed) {
    let file = std::fs::File::open("/dev/zero").unwrap();
    let leaked: Vec<i32> = (0..40)
        .map(|_| {
            use std::os::fd::AsRawFd as _;
            // SAFETY: `dup` creates a descriptor that, unlike all others, stays open when a program is executed.
            unsafe { libc::dup(file.as_raw_fd()) }
        })
        .collect();
    let said = bed.output("echo /proc/self/fd/*");
    for fd in leaked {
        // SAFETY: closes what was opened above.
        unsafe { libc::close(fd) };
    }
    // The shell itself uses one more to read the directory.
    assert_eq!(said, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
}

fn two_runs_look_alike(bed: &Bed) {
    // Except `/proc`, whose link count is that of the machine's processes.
    let script = "echo $$; sh -c 'echo $$'; stat -c '%n %a %u %Y %h' input; \
        touch new /tmp/new /dev/shm/new; stat -c '%n %i %s' . * /tmp/* /dev/shm/*; \
        rm /tmp/new /dev/shm/new; stat -c '%n %A %h %u %g %s' /[!p]* /dev/*; cut -d' ' -f4- /proc/self/mountinfo";
    let job = || {
        let source = Source::Bytes { bytes: b"x".to_vec(), executable: false };
        with(bed.sh(script), "input", source)
    };
    let first = bed.output_of(&job());
    assert!(first.starts_with("2\n3\ninput 444 1000 315619200 1\n"), "{first}");
    // The others run in the first one's worker, so many that it does not keep all of their leftovers.
    for _ in 0..70 {
        assert_eq!(bed.output_of(&job()), first);
    }
}

fn nothing_beside_the_root(bed: &Bed) {
    let mark = bed.output("echo x > /work/mark; echo x > /tmp/mark; pwd; ls /");
    let look = "echo left; cd /..; pwd -P; ls; cd /work/../../tmp/../..; pwd -P; ls /dev/../.. ; \
        ls /past /shown /../past /../shown /proc/self/root/../past 2>/dev/null; \
        grep -c -e ' /past' -e ' /shown' -e mark /proc/self/mountinfo /proc/self/mounts";
    let names = mark.strip_prefix("/work\n").unwrap();
    let mounts = "/proc/self/mountinfo:0\n/proc/self/mounts:0\n";
    let expected = format!("left\n/\n{names}/\n{names}{mounts}");
    for cwd in ["/work", "/", ".", "..", ""] {
        let mut job = bed.sh(&format!("{look}; true"));
        cwd.clone_into(&mut job.command.cwd);
        match bed.run(&job) {
            Ok(finished) => {
                assert_eq!(
                    String::from_utf8(finished.stdout.to_bytes()).unwrap(),
                    expected,
                    "{cwd}"
                );
            }
            // There is no such directory.
            Err(error) => assert_eq!(cwd, "", "{error}"),
        }
    }
}

fn cleaning_follows_no_link(bed: &Bed) {
    let victim = bed.path("victim");
    bed.file("victim/precious", "precious");
    let scratch = bed.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    open_to_all(&scratch);
    for round in 0..20 {
        let script = format!(
            "mkdir -p a/b/c; ln -s {v} a/link; ln -s {v}/precious a/b/file; rm -rf a/b/c; \
             ln -s {v} a/b/c; chmod 000 a/b; mkdir deep; cd deep; \
             for i in 1 2 3 4 5 6 7 8 9; do mkdir d; cd d; done; rm -rf /tmp/home; ln -s {v} /tmp/home; \
             exit {round}",
            v = victim.display()
        );
        let mut job = bed.sh(&script);
        job.scratch = WorkPlace::Disk(scratch.clone());
        assert_eq!(bed.run(&job).unwrap().outcome, Outcome::Exited(round));
        assert_eq!(listing(&scratch), Vec::<String>::new());
    }
    assert_eq!(std::fs::read(victim.join("precious")).unwrap(), b"precious");
}

fn scratch_is_private_and_removed(bed: &Bed) {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = bed.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    open_to_all(&scratch);
    let endings = [
        "exit 1",
        "kill -9 $$",
        "sleep 60",
        "mkdir x; cp /bin/sh x; chmod 4755 x/sh; chmod 0 x; sleep 60",
    ];
    for ending in endings {
        let mut job = bed.sh(&format!("echo data > file; chmod 777 .; {ending}"));
        job.scratch = WorkPlace::Disk(scratch.clone());
        job.limits.wall = Some(std::time::Duration::from_millis(400));
        std::thread::scope(|scope| {
            let running = scope.spawn(|| bed.run(&job).unwrap());
            while !running.is_finished() {
                for name in listing_of_one(&scratch) {
                    if let Ok(metadata) = std::fs::metadata(scratch.join(name)) {
                        assert_eq!(metadata.permissions().mode() & 0o7777, 0o700, "{ending}");
                    }
                }
            }
            assert!(!running.join().unwrap().outcome.is_success());
        });
        assert_eq!(listing(&scratch), Vec::<String>::new(), "{ending}");
    }
}

fn listing_of_one(dir: &std::path::Path) -> Vec<std::ffi::OsString> {
    std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name()).collect()
}

fn open_to_all(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn no_path_through_the_worker(bed: &Bed) {
    for fd in 0..24 {
        let mut job = bed.sh("pwd");
        job.command.cwd = format!("/proc/self/fd/{fd}");
        let error = bed.run(&job).unwrap_err();
        assert!(matches!(error, SandboxError::Step { .. }), "{fd}: {error}");
        let mut job = bed.sh("");
        job.command.program = format!("/proc/self/fd/{fd}");
        let error = bed.run(&job).unwrap_err();
        assert!(matches!(error, SandboxError::NotStarted { .. }), "{fd}: {error}");
    }
    for program in ["/proc/self/exe", "/proc/self/root/bin/sh", "./link"] {
        let link = Source::Link { target: "/proc/self/exe".to_owned() };
        let mut job = with(bed.sh(""), "link", link);
        job.command.program = program.to_owned();
        let error = bed.run(&job).unwrap_err();
        assert!(matches!(error, SandboxError::NotStarted { .. }), "{program}: {error}");
    }
    let job = bed.sh("cat /proc/1/environ /proc/1/cmdline; ls /proc/1/fd /proc/1/root; true");
    let finished = bed.run(&job).unwrap();
    assert!(finished.stdout.is_empty(), "{}", text(&finished));
}
