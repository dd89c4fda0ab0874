//! The same commit gives the same digests, whoever builds it and wherever.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use wake_tests::{Project, copy_of_binary, example, has_busybox, is_root, read_tree, skip};

type Example = (&'static str, &'static [&'static str]);

/// Every example that this machine can build, with its targets.
fn examples(test: &str) -> Vec<Example> {
    let mut examples: Vec<Example> =
        vec![("hello", &[]), ("c-app", &["//..."]), ("report", &[]), ("monorepo", &["//..."])];
    if has_busybox(test) {
        examples.push(("rootfs", &[]));
    }
    examples
}

#[test]
fn another_directory_gives_the_same_digests() {
    for (name, targets) in examples("another_directory_gives_the_same_digests") {
        let (here, there) = (example(name), example(name));
        let (one, other) = (here.build(targets), there.build(targets));
        assert_eq!(other.hit(), [] as [&str; 0], "{name}: the stores are apart");
        assert_eq!(one.digests(), other.digests(), "{name}");
    }
}

#[test]
fn one_job_and_eight_jobs_give_the_same_digests() {
    for (name, targets) in examples("one_job_and_eight_jobs_give_the_same_digests") {
        let (here, there) = (example(name), example(name));
        let build = |project: &Project, jobs: &str| {
            project.json_build(targets).arg("-j").arg(jobs).run().success().events()
        };
        let (one, eight) = (build(&here, "1"), build(&there, "8"));
        assert_eq!(one.digests(), eight.digests(), "{name}");
    }
}

#[test]
fn another_clock_locale_umask_and_home_give_the_same_digests() {
    let (here, there) = (example("monorepo"), example("monorepo"));
    let one = here.build(&["//..."]);
    let other = there
        .json_build(&["//..."])
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "C")
        .env("TZ", "Pacific/Kiritimati")
        .env("USER", "somebody")
        .env("SOURCE_DATE_EPOCH", "7")
        .wrapper(["sh", "-c", "umask 077; exec \"$0\" \"$@\""])
        .run()
        .success()
        .events();
    assert_eq!(one.digests(), other.digests());
    for label in ["//:release", "//:tests"] {
        assert!(read_tree(&here.result(label, "")) == read_tree(&there.result(label, "")));
    }
}

#[test]
fn another_user_gets_the_same_digests() {
    if !is_root() {
        return skip("another_user_gets_the_same_digests", "needs root to run as another user");
    }
    for (name, targets) in examples("another_user_gets_the_same_digests") {
        let (here, there) = (example(name), example(name));
        let one = here.build(targets);
        give_away(&there);
        let program = copy_of_binary(there.base());
        let other = there
            .json_build(targets)
            .program(program)
            .wrapper(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .run()
            .success()
            .events();
        assert_eq!(one.digests(), other.digests(), "{name}");
    }
}

/// Gives all files of a project to another user.
fn give_away(project: &Project) {
    let status =
        Command::new("chown").args(["-R", "65534:65534"]).arg(project.base()).status().unwrap();
    assert!(status.success());
}
