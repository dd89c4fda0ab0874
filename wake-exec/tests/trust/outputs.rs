//! What a command can pass off as an output: S9, S12.

use libtest_mimic::Trial;
use wake_exec::{Access, Source};

use crate::bed::{Bed, declaring, listing, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("s09_only_files_directories_and_inner_links_are_taken", kinds_of_outputs),
        trial("s09_links_out_of_the_outputs_are_refused", links_that_leave),
        trial("s09_modes_and_attributes_are_normalised", attributes_are_normalised),
        trial("s09_a_hard_link_becomes_a_copy", hard_links_are_copies),
        trial("s12_no_link_is_followed_to_an_output", no_link_to_an_output),
    ]
}

/// Returns the faults reported about the outputs of a script.
fn faults(bed: &Bed, script: &str, declared: &[&str]) -> Vec<String> {
    let job = declaring(bed.sh(script), declared);
    let finished = bed.run(&job).unwrap();
    assert!(finished.outcome.is_success(), "{script}");
    let faults = finished.outputs.err().unwrap_or_default();
    assert_eq!(job.outputs.into.exists(), faults.is_empty(), "{script}");
    faults.iter().map(ToString::to_string).collect()
}

fn kinds_of_outputs(bed: &Bed) {
    let script = "mkdir -p out/sub; mkfifo out/pipe; cp /bin/sh out/sh; chmod 4755 out/sh; \
        cp /bin/sh out/group; chmod 2755 out/group; echo x > out/sub/fine; touch \"$(printf 'out/\\377')\"; \
        ln -s fine out/sub/link; true";
    let said = faults(bed, script, &["out/"]);
    let expected = [
        "`out/\u{fffd}` has a name that is not UTF-8",
        "`out/group` has the setuid or setgid bit, which an output may not have",
        "`out/pipe` is a named pipe, which cannot be an output",
        "`out/sh` has the setuid or setgid bit, which an output may not have",
    ];
    assert_eq!(said, expected);
    if std::path::Path::new("/usr/bin/python3").exists() {
        let script = "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('out')\"";
        assert_eq!(faults(bed, script, &["out"]), ["`out` is a socket, which cannot be an output"]);
    }
    let said = faults(bed, "touch b; touch c", &["a", "b/", "c", "d/e"]);
    let expected = [
        "`a` was declared as an output but does not exist",
        "`b` was declared as a directory but is something else",
        "`d/e` was declared as an output but does not exist",
    ];
    assert_eq!(said, expected);
}

fn links_that_leave(bed: &Bed) {
    let leaving = [
        "/etc/shadow",
        "/work/out/a",
        "../secret",
        "../../etc",
        "/proc/self/root",
        "sub/../../../x",
        // Stays inside textually; but `self` is a link to `.`, so it does not.
        "sub/self/../../../x",
        "",
    ];
    for target in leaving.into_iter().filter(|target| !target.is_empty()) {
        let script = format!("mkdir -p out/sub; ln -s . out/sub/self; ln -s '{target}' out/link");
        let expected =
            format!("`out/link` is a link to `{target}`, which is not part of the outputs");
        assert_eq!(faults(bed, &script, &["out/"]), [expected]);
    }
    let staying = ["a", "./sub/a", "sub/self/a", "../other/file", "dangling"];
    for target in staying {
        let script = format!(
            "mkdir -p out/sub other; touch other/file; ln -s . out/sub/self; ln -s '{target}' out/link"
        );
        assert_eq!(faults(bed, &script, &["out/", "other/file"]), [""; 0], "{target}");
    }
}

fn attributes_are_normalised(bed: &Bed) {
    use std::os::unix::fs::MetadataExt as _;
    let script = "mkdir out; cd out; echo a > plain; echo b > secret; echo c > run; mkdir dir; \
        chmod 0666 plain; chmod 0000 secret; chmod 0711 run; touch -d 2001-02-03 plain; chmod 1777 dir; \
        setfattr -n user.x -v y plain 2>/dev/null; setfacl -m u:5:rwx plain 2>/dev/null; chmod 0000 .; true";
    let job = declaring(bed.sh(script), &["out/"]);
    let finished = bed.run(&job).unwrap();
    finished.outputs.unwrap();
    let mode = |name: &str| {
        let metadata = std::fs::metadata(job.outputs.into.join(name)).unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (315_619_200, 0), "{name}");
        // SAFETY: asks the kernel for a number.
        assert_eq!(metadata.uid(), unsafe { libc::geteuid() }, "{name}");
        metadata.mode() & 0o7777
    };
    assert_eq!([mode("out/plain"), mode("out/secret"), mode("out/run")], [0o444, 0o444, 0o555]);
    assert_eq!([mode("out"), mode("out/dir")], [0o755, 0o755]);
}

fn hard_links_are_copies(bed: &Bed) {
    use std::os::unix::fs::MetadataExt as _;
    let source = Source::Bytes { bytes: b"input".to_vec(), executable: false };
    let job = with(bed.sh("ln input a && ln a b && ls"), "input", source);
    let job = declaring(job, &["a", "b"]);
    bed.run(&job).unwrap().outputs.unwrap();
    for name in ["a", "b"] {
        let metadata = std::fs::metadata(job.outputs.into.join(name)).unwrap();
        assert_eq!((metadata.nlink(), metadata.len()), (1, 5), "{name}");
    }
}

fn no_link_to_an_output(bed: &Bed) {
    bed.file("host/secret", "secret");
    let host = bed.path("host").display().to_string();
    let behind = ["`dir/file` is behind a symbolic link, which is not followed"];
    assert_eq!(faults(bed, &format!("ln -s {host} dir"), &["dir/file"]), behind);
    assert_eq!(faults(bed, "ln -s /usr/bin dir", &["dir/file"]), behind);
    assert_eq!(faults(bed, "ln -s / root; ln -s root/usr dir", &["dir/file"]), behind);
    // Each path that is opened afterwards, replaced by a link: the command's own directories.
    let script = format!(
        "rm -rf /tmp/home; ln -s {host} /tmp/home; ln -s {host} /dev/shm/x; mkdir out; echo ok > out/file"
    );
    let job = declaring(bed.sh(&script), &["out/file"]);
    bed.run(&job).unwrap().outputs.unwrap();
    assert_eq!(listing(&job.outputs.into), ["out", "out/file"]);
    // A link in place of a mounted input can only be beside it.
    bed.file("tree/x", "x");
    let tree = Source::Mount { host: bed.path("tree"), access: Access::ReadOnly };
    let job =
        with(bed.sh("rmdir dep 2>/dev/null; ln -s /usr dep 2>/dev/null; cat dep/x"), "dep", tree);
    assert_eq!(bed.output_of(&job), "x");
    assert_eq!(listing(&bed.path("host")), ["secret"]);
}
