//! The weak sandbox: what it still guarantees.

use std::time::Duration;

use libtest_mimic::Trial;
use wake_exec::{Access, Job, JobRoot, SandboxError, Source, WorkPlace};
use wake_model::{Outcome, SandboxLevel};

use crate::bed::{Bed, declaring, listing, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("weak_runs_in_its_own_directory", own_directory),
        trial("weak_has_a_clean_environment", clean_environment),
        trial("weak_kills_leftover_processes", kills_what_is_left),
        trial("weak_refuses_unsupported_jobs", refuses_the_impossible),
        trial("the_probe_works_for_both_sandboxes", probe),
    ]
}

fn weak(mut job: Job) -> Job {
    job.level = SandboxLevel::Weak;
    job
}

fn own_directory(bed: &Bed) {
    bed.file("tree/x", "x");
    let tree = Source::Mount { host: bed.path("tree"), access: Access::ReadOnly };
    let bytes = Source::Bytes { bytes: b"b".to_vec(), executable: false };
    let script =
        "cat .wake/modules/tree/x b; echo out > out; ls -A $HOME; ls -A $TMPDIR; touch $TMPDIR/t";
    let job = with(with(bed.sh(script), ".wake/modules/tree", tree), "b", bytes);
    let mut job = weak(declaring(job, &["out"]));
    for scratch in [WorkPlace::Memory, WorkPlace::Disk(bed.path("scratch"))] {
        std::fs::create_dir_all(bed.path("scratch")).unwrap();
        job.scratch = scratch;
        let finished = bed.run(&job).unwrap();
        let said = crate::bed::text(&finished);
        assert_eq!(said, "xbhome\n");
        assert_eq!(finished.outputs.unwrap().len(), 1);
        assert_eq!(listing(&bed.path("scratch")), Vec::<String>::new());
        std::fs::remove_dir_all(&job.outputs.into).unwrap();
    }
    let left: Vec<String> = listing(bed.dir.path());
    assert_eq!(left, ["scratch", "tree", "tree/x"]);
}

fn clean_environment(bed: &Bed) {
    let mut job = weak(bed.sh(""));
    job.command.program = "/usr/bin/env".to_owned();
    job.command.args = Vec::new();
    job.command.env = vec![("A".to_owned(), "1".to_owned())];
    assert_eq!(bed.output_of(&job), "A=1\n");
    let job = weak(bed.sh("echo /proc/self/fd/*; umask"));
    assert_eq!(
        bed.output_of(&job),
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n0022\n"
    );
}

fn kills_what_is_left(bed: &Bed) {
    let script =
        "(setsid sh -c 'sleep 0.4; echo late > out' >/dev/null 2>&1 &); echo early > out; exit 0";
    let job = weak(declaring(bed.sh(script), &["out"]));
    let finished = bed.run(&job).unwrap();
    assert_eq!(finished.outcome, Outcome::Exited(0));
    let mut job = weak(bed.sh("trap '' TERM; sleep 1000 & sleep 1000"));
    job.limits.wall = Some(Duration::from_millis(200));
    assert_eq!(bed.run(&job).unwrap().outcome, Outcome::TimedOut);
}

fn refuses_the_impossible(bed: &Bed) {
    let mut job = weak(bed.sh(""));
    job.root = JobRoot::Empty;
    let error = bed.run(&job).unwrap_err();
    assert_eq!(error.to_string(), "`/` must be the host's in the weak sandbox");
    let mut job = weak(bed.sh(""));
    job.work = None;
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::BadJob { .. }));
}

fn probe(bed: &Bed) {
    let findings = wake_exec::probe(&bed.executor);
    let mut said = findings.into_iter().map(|finding| (finding.name, finding.result.unwrap()));
    for level in ["strict sandbox", "weak sandbox"] {
        let (name, said) = said.next().unwrap();
        assert!(name == level && said.starts_with("exit 0, "), "{name}: {said}");
    }
    let (name, said) = said.next().unwrap();
    let is_one = said.starts_with("control groups v") || said.starts_with("memory is measured ");
    assert!(name == "limits" && is_one, "{name}: {said}");
}
