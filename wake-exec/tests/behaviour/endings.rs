//! How commands start, end and are measured.

use libtest_mimic::Trial;
use wake_exec::{Logs, SandboxError, Stream};
use wake_model::{BlobDigest, Node, Outcome};

use crate::bed::{Bed, declaring, listing, path, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("endings_are_distinguished", endings_are_told_apart),
        trial("a_failed_command_leaves_no_outputs", failures_leave_nothing),
        trial("outputs_are_copied_and_named_by_content", outputs_are_taken),
        trial("nested_outputs_are_taken_once", nested_outputs),
        trial("streams_are_separate", streams_are_kept_apart),
        trial("standard_input_is_passed_completely", stdin_is_given),
        trial("a_command_that_cannot_start_is_reported_with_the_reason", what_cannot_start),
        trial("usage_is_measured", usage_is_measured),
        trial("one_worker_serves_many_jobs", one_worker_serves_many),
        trial("output_is_reported_at_once", what_is_written_is_told_at_once),
        trial(
            "a_command_that_never_stops_writing_can_be_cancelled",
            a_command_that_never_stops_writing_can_be_cancelled,
        ),
    ]
}

fn endings_are_told_apart(bed: &Bed) {
    for (script, outcome) in [
        ("exit 0", Outcome::Exited(0)),
        ("exit 7", Outcome::Exited(7)),
        ("kill -9 $$", Outcome::Signaled(9)),
        ("kill -TERM $$", Outcome::Signaled(15)),
        ("kill -ABRT $$", Outcome::Signaled(6)),
        ("kill -PIPE $$", Outcome::Signaled(13)),
        ("exit 137", Outcome::Exited(137)),
    ] {
        assert_eq!(bed.run(&bed.sh(script)).unwrap().outcome, outcome, "{script}");
    }
}

fn failures_leave_nothing(bed: &Bed) {
    let job = declaring(bed.sh("echo x > out; exit 1"), &["out"]);
    let finished = bed.run(&job).unwrap();
    assert!(finished.outputs.unwrap().is_empty());
    assert!(!job.outputs.into.exists());
    let mut job = declaring(bed.sh("echo x > out; exit 1"), &["out", "absent"]);
    job.outputs.take = wake_exec::TakeOutputs::Always;
    assert_eq!(bed.run(&job).unwrap().outputs.unwrap().len(), 1);
    assert_eq!(listing(&job.outputs.into), ["out"]);
}

fn outputs_are_taken(bed: &Bed) {
    let script = "mkdir -p a/b/empty; printf one > a/b/file; printf two > a/run; chmod +x a/run; \
        ln -s b/file a/link; printf three > single; echo dropped > other";
    let job = declaring(bed.sh(script), &["a/", "single"]);
    let manifest = bed.run(&job).unwrap().outputs.unwrap();
    let file = |bytes: &[u8], executable| Node::File {
        blob: BlobDigest::of(bytes),
        size: bytes.len() as u64,
        executable,
    };
    let expected = [
        ("a/b/empty", Node::Dir),
        ("a/b/file", file(b"one", false)),
        ("a/link", Node::Link { target: "b/file".to_owned() }),
        ("a/run", file(b"two", true)),
        ("single", file(b"three", false)),
    ];
    let nodes: Vec<_> = manifest.iter().map(|(p, n)| (p.clone(), n.clone())).collect();
    assert_eq!(nodes, expected.map(|(p, n)| (path(p), n)));
    assert_eq!(
        listing(&job.outputs.into),
        ["a", "a/b", "a/b/empty", "a/b/file", "a/link", "a/run", "single"]
    );
    assert_eq!(std::fs::read(job.outputs.into.join("a/link")).unwrap(), b"one");
}

fn nested_outputs(bed: &Bed) {
    let job = declaring(bed.sh("mkdir -p d/e; echo x > d/e/f"), &["d/e/f", "d/", "d/absent"]);
    let faults = bed.run(&job).unwrap().outputs.unwrap_err();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["`d/absent` was declared as an output but does not exist"]);
    let job = declaring(bed.sh("mkdir -p d/e; echo x > d/e/f"), &["d/e/f", "d/"]);
    assert_eq!(bed.run(&job).unwrap().outputs.unwrap().len(), 1);
}

fn streams_are_kept_apart(bed: &Bed) {
    let finished = bed.run(&bed.sh("echo out; echo err >&2; printf 'no end'")).unwrap();
    assert_eq!(finished.stdout.head, b"out\nno end");
    assert_eq!(finished.stderr.head, b"err\n");
    // More than a pipe holds, on both at the same time.
    let script = "head -c 300000 /dev/zero & head -c 300000 /dev/zero >&2; wait";
    let finished = bed.run(&bed.sh(script)).unwrap();
    assert_eq!((finished.stdout.head.len(), finished.stderr.head.len()), (300_000, 300_000));
    assert_eq!((finished.stdout.dropped, finished.stderr.dropped), (0, 0));
}

fn stdin_is_given(bed: &Bed) {
    assert_eq!(bed.output("cat | wc -c"), "0\n");
    let mut job = bed.sh("cat | wc -c; cat");
    job.command.stdin = vec![b'x'; 1 << 20];
    assert_eq!(bed.output_of(&job), "1048576\n");
    let mut job = bed.sh("read line; echo \"$line\"; read more || echo end");
    job.command.stdin = b"{\"opt\":2}\n".to_vec();
    assert_eq!(bed.output_of(&job), "{\"opt\":2}\nend\n");
}

fn what_cannot_start(bed: &Bed) {
    let mut job = bed.sh("");
    job.command.program = "./absent".to_owned();
    let error = bed.run(&job).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`./absent` could not be started: No such file or directory (os error 2)"
    );
    job.command.program = "/usr".to_owned();
    let error = bed.run(&job).unwrap_err();
    assert_eq!(error.to_string(), "`/usr` could not be started: Permission denied (os error 13)");
    let mut job = bed.sh("");
    job.command.cwd = "/absent".to_owned();
    let error = bed.run(&job).unwrap_err();
    assert_eq!(error.to_string(), "cannot enter `/absent`: No such file or directory (os error 2)");
    let mut job = bed.sh("");
    job.command.args.push("a\0b".to_owned());
    let error = bed.run(&job).unwrap_err();
    assert!(matches!(error, SandboxError::BadJob { .. }), "{error}");
    // Looked up in `PATH`, and not found.
    let mut job = bed.sh("");
    job.command.program = "no-such-program".to_owned();
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::NotStarted { .. }));
}

fn usage_is_measured(bed: &Bed) {
    let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let usage = bed.run(&bed.sh(script)).unwrap().usage;
    assert!(usage.user_us > 1000 && usage.wall_us >= usage.user_us / 2, "{usage:?}");
    assert!(usage.peak_bytes > 100_000, "{usage:?}");
}

fn one_worker_serves_many(bed: &Bed) {
    for round in 0..50 {
        assert_eq!(bed.output(&format!("ls -A; echo {round} > file")), "", "{round}");
    }
    let children = format!("/proc/self/task/{0}/children", std::process::id());
    // Another thread of this program may have its own workers.
    assert!(std::fs::read_to_string(children).unwrap_or_default().split_whitespace().count() <= 8);
}

fn what_is_written_is_told_at_once(bed: &Bed) {
    let mut job = bed.sh("echo one; echo two >&2; head -c 300000 /dev/zero");
    job.logs = Logs::AtOnce;
    let mut told = [Vec::new(), Vec::new()];
    let finished =
        bed.executor.run_in_turn(&job, &bed.cancel, || Some(|_| ()), &mut |stream, bytes| {
            told[usize::from(stream == Stream::Stderr)].extend_from_slice(bytes);
        });
    let finished = finished.unwrap();
    assert_eq!(told, [finished.stdout.to_bytes(), finished.stderr.to_bytes()]);
    assert_eq!((told[0].len(), &*told[1]), (300_004, &b"two\n"[..]));
}

fn a_command_that_never_stops_writing_can_be_cancelled(bed: &Bed) {
    let mut job = bed.sh("while :; do echo more; done");
    job.logs = Logs::AtOnce;
    let result = bed
        .executor
        .run_in_turn(&job, &bed.cancel, || Some(|_| ()), &mut |_, _| bed.cancel.cancel());
    assert!(matches!(result, Err(SandboxError::Cancelled)), "{result:?}");
}
