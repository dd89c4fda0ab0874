//! Each path where wake keeps its own files, with each thing that can be there instead.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};

use wake_tests::{Project, expect};

use crate::scene::{Obstacle, bounded, canaries, victim};

/// Builds with `obstacle` at `place`, and checks that nothing outside changed.
#[track_caller]
fn build_with(project: &Project, place: &str, obstacle: Obstacle) -> wake_tests::Finished {
    let home = project.base().join("home");
    assert!(obstacle.put(&project.path(place), &home), "{obstacle:?} at {place}");
    let before = canaries(&home);
    let run = bounded(&project.wake(["build", "//..."]), &format!("{obstacle:?} at {place}"));
    assert_eq!(canaries(&home), before, "{obstacle:?} at {place}: {run}");
    run
}

#[test]
fn result_links_never_write_outside_the_checkout() {
    for place in [".wake", ".wake/out"] {
        for obstacle in [Obstacle::LinkToDir, Obstacle::LinkToNothing, Obstacle::LinkToItself] {
            let project = victim();
            build_with(&project, place, obstacle).code(10).mentions(&format!(
                "error: cannot create links below `.wake/out`: `{place}` is a symbolic link, which is not followed"
            ));
        }
    }
    let project = victim();
    symlink(project.base().join("home"), project.path("away")).unwrap();
    fs::create_dir_all(project.path(".wake/out")).unwrap();
    // A link in place of a directory of links is replaced: it may be an earlier result.
    build_with(&project, ".wake/out/lib", Obstacle::LinkToDir).success();
    assert_eq!(project.result_text("//lib:n", "o"), "made\n");
}

#[test]
fn anything_in_place_of_a_result_link_is_replaced() {
    for obstacle in Obstacle::ALL {
        let project = victim();
        build_with(&project, ".wake/out/m", obstacle).success();
        assert_eq!(project.result_text("//:m", "o"), "made\n", "{obstacle:?}");
    }
}

#[test]
fn anything_in_place_of_state_is_replaced_or_named() {
    let cases = [
        (".wake/runs", Obstacle::LinkToDir),
        (".wake/state", Obstacle::LinkToDir),
        (".wake/state", Obstacle::Pipe),
        (".wake/runs", Obstacle::Garbage),
    ];
    for (place, obstacle) in cases {
        let project = victim();
        build_with(&project, place, obstacle)
            .success()
            .mentions(&format!("warning: `{place}` is a"));
        assert_eq!(project.result_text("//:m", "o"), "made\n");
    }
    for obstacle in [Obstacle::LinkToFile, Obstacle::Pipe, Obstacle::Socket, Obstacle::LinkToZeros]
    {
        let project = victim();
        let place = ".wake/state/history";
        build_with(&project, place, obstacle)
            .success()
            .mentions(&format!("warning: `{place}` is a"));
        assert!(fs::symlink_metadata(project.path(place)).unwrap().is_file(), "{obstacle:?}");
        // Now it is wake's own, and nothing is reported any more.
        project.wake(["build", "//..."]).run().success().says(expect![[r#"
            [TIME] Finished 2 actions, all cached, in [TIME]
        "#]]);
    }
}

#[test]
fn a_hard_linked_file_is_not_written_in_place() {
    let project = victim();
    project.build(&["//..."]);
    let home = project.base().join("home");
    let history = project.path(".wake/state/history");
    fs::remove_file(home.join("history")).unwrap();
    fs::hard_link(&history, home.join("history")).unwrap();
    let before = canaries(&home);
    project.write_script("t.sh", "#!/bin/sh\necho again > o\n");
    project.wake(["build", "//..."]).run().success();
    assert_eq!(canaries(&home), before);
}

#[test]
fn settings_are_not_read_from_links_or_pipes() {
    for (obstacle, what) in [
        (Obstacle::LinkToFile, "is a symbolic link, which is not followed"),
        (Obstacle::LinkToZeros, "is a symbolic link, which is not followed"),
        (Obstacle::Pipe, "is a pipe, socket or device, not a file"),
        (Obstacle::Socket, "is a pipe, socket or device, not a file"),
        (Obstacle::Large, "is larger than 1 MiB"),
    ] {
        let project = victim();
        let run = build_with(&project, "wake.toml", obstacle).code(10);
        let run = run.mentions(&format!("error: `wake.toml` {what}"));
        assert!(!run.stderr.contains("of the one who builds"), "{run}");
    }
}

#[test]
fn pipes_are_not_sources() {
    for place in ["PKG.libsonnet", "m.libsonnet", "t.sh", "lib/PKG.libsonnet"] {
        for obstacle in [Obstacle::Pipe, Obstacle::Socket] {
            let project = victim();
            let run = build_with(&project, place, obstacle);
            assert!(run.code != 0 || place.ends_with("PKG.libsonnet"), "{place}: {run}");
            let kind = fs::symlink_metadata(project.path(place)).unwrap().file_type();
            assert!(kind.is_fifo() || kind.is_socket(), "{place}");
        }
    }
}

#[test]
fn a_warehouse_in_the_checkout_does_not_lead_out_of_it() {
    for place in [".wake/warehouse", ".wake/warehouse/abc/def"] {
        let project = victim();
        let home = project.base().join("home");
        assert!(Obstacle::LinkToDir.put(&project.path(place), &home));
        let before = canaries(&home);
        let run = project.wake(["plan", "--format", "formula", "//:m"]).run().code(10);
        run.mentions(&format!("`{place}` is a symbolic link, which is not followed"));
        assert_eq!(canaries(&home), before);
    }
}

#[test]
fn logs_not_written_by_a_build_are_not_removed() {
    let project = victim();
    for number in 0..60 {
        project.write(&format!(".wake/runs/{number}.jsonl"), "mine\n");
    }
    project.build(&["//..."]);
    assert_eq!(fs::read_dir(project.path(".wake/runs")).unwrap().count(), 61);
    let logs = project.wake(["log"]).run().success();
    assert_eq!(logs.stdout.lines().count(), 1, "{logs}");
}

#[test]
fn globs_of_members_are_limited_and_errors_name_their_position() {
    for (globs, message) in [
        (vec!["*".repeat(5000)], "a glob is longer than 4096 bytes"),
        (
            vec![format!("{}x{}", "{a,".repeat(300), "}".repeat(300))],
            "the globs are too large together",
        ),
        ((0..60_000).map(|n| format!("a{n}*")).collect(), "the globs are too large together"),
    ] {
        let project = victim();
        let globs: Vec<String> = globs.iter().map(|glob| format!("'{glob}'")).collect();
        project.write("wake.toml", format!("[workspace]\nmembers = [{}]\n", globs.join(", ")));
        let run = bounded(&project.wake(["build", "//..."]), message).code(2);
        let run = run.mentions(&format!("error: {message}\n = note: in `members` of wake.toml\n"));
        assert!(run.stderr.len() < 1000, "{run}");
    }
}
