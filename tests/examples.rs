//! Every example: cold, warm, touched without a change, and with a change that rebuilds exactly what depends on it.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use wake_tests::{Project, example, has_busybox, has_program, skip};

/// Builds from an empty store, then checks that neither a second build nor one with touched files runs anything.
fn cold_warm_touched(project: &Project, targets: &[&str], touched: &[&str]) -> usize {
    let cold = project.build(targets);
    assert_eq!(cold.hit(), [] as [&str; 0], "an empty store remembers nothing");
    project.build_runs_nothing(targets);
    for path in touched {
        project.touch(path);
    }
    project.build_runs_nothing(targets);
    cold.ran().len()
}

fn run(program: std::path::PathBuf, args: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new(&program)
        .args(args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status, std::process::ExitStatus::from_raw(0), "{}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn hello_greets() {
    let project = example("hello");
    let count = cold_warm_touched(&project, &[], &["greet.py", "hello.libsonnet", "PKG.libsonnet"]);
    assert_eq!(count, 1);
    assert_eq!(project.result_text("//:hello", "greeting.txt"), "Hello, world!\n");

    let run = project.wake(["run"]).run().success();
    assert_eq!(run.stdout, "Hello, world!\n");
    let run = project.wake(["run", "--config", "name=Ada", "--config", "language=fr"]).run();
    assert_eq!(run.success().stdout, "Bonjour, Ada!\n");
}

#[test]
fn hello_reruns_only_for_files_that_its_command_sees() {
    let project = example("hello");
    project.build(&[]);

    project.edit("hello.libsonnet", "// A module", "// Here: a module");
    project.build_runs_nothing(&[]);
    project.edit("hello.libsonnet", "'Hallo'", "'Guten Tag'");
    project.build_runs_nothing(&[]);

    project.edit("hello.libsonnet", "'Hello'", "'Good day'");
    assert_eq!(project.build(&[]).ran(), ["//:hello"]);
    assert_eq!(project.result_text("//:hello", "greeting.txt"), "Good day, world!\n");
}

#[test]
fn c_app_builds_two_profiles_side_by_side() {
    let project = example("c-app");
    let touched = ["stats/src/mean.c", "stats/include/stats.h", "app/src/main.c", "wake.toml"];
    // Two archives, two programs, one module that collects them.
    assert_eq!(cold_warm_touched(&project, &["app:both"], &touched), 5);

    let said = |profile: &str| {
        let program = project.result("//app:both", &format!("bin/app-{profile}"));
        run(program, &[], "3 1 2 10")
    };
    let expected = "count 4\nrange 1 to 10\nmean 4\nmedian 2.5\nprofile ";
    assert_eq!(said("debug"), format!("{expected}debug\n"));
    assert_eq!(said("release"), format!("{expected}release\n"));
}

#[test]
fn c_app_rebuilds_only_what_a_change_affects() {
    let project = example("c-app");
    project.build(&["app:both"]);

    project.edit("app/src/main.c", "\"count %zu", "\"values %zu");
    let build = project.build(&["app:both"]);
    assert_eq!(build.ran(), ["//app:app", "//app:app profile=release", "//app:both"]);

    project.edit("stats/src/mean.c", "double sum = 0;", "double sum = 0.0 + 1.0;");
    let build = project.build(&["app:both"]);
    let expected = [
        "//app:app",
        "//app:app profile=release",
        "//app:both",
        "//stats:lib",
        "//stats:lib profile=release",
    ];
    assert_eq!(build.ran(), expected);

    // The flags of one profile do not affect the other.
    project.edit("stats/PKG.libsonnet", "'-O2'", "'-O3'");
    let build = project.build(&["app:both"]);
    let of = |module: &str| build.ran().iter().filter(|label| label.starts_with(module)).count();
    assert_eq!(of("//stats:lib"), 1);
    assert!(of("//app:app") <= 1);
}

#[test]
fn c_app_stops_rebuilding_at_equal_outputs() {
    let project = example("c-app");
    project.build(&["app:both"]);

    project.edit("stats/src/order.c", "static int by_value", "static int /* qsort */ by_value");
    let build = project.build(&["app:app", "--config", "profile=release"]);
    // Without debugging information a comment does not reach the archive.
    assert_eq!(build.ran(), ["//stats:lib profile=release"]);

    let project = example("c-app");
    project.build(&["app:both"]);
    project.edit("app/src/main.c", "/* Reads", "/* It reads");
    assert_eq!(project.build(&["app:both"]).ran(), ["//app:app", "//app:app profile=release"]);
}

#[test]
fn report_is_a_page_with_a_plot() {
    let project = example("report");
    let touched = ["data/tea.csv", "steps/fit.py", "page.html"];
    assert_eq!(cold_warm_touched(&project, &[":page"], &touched), 3);

    let page = project.result_text("//:page", "site/index.html");
    assert!(page.contains("<svg"), "{page}");
    assert_eq!(page.matches("<circle").count(), 16, "one mark for each measurement");
    // The data was generated with a half-life of ln 2 / 0.031 minutes and some noise.
    assert!(page.contains("every 22.3 minutes") || page.contains("every 22.4 minutes"), "{page}");
}

#[test]
fn report_reruns_the_steps_that_see_a_change() {
    let project = example("report");
    project.build(&[":page"]);
    let check = |path: &str, from: &str, to: &str, expected: &[&str]| {
        project.edit(path, from, to);
        assert_eq!(project.build(&[":page"]).ran(), expected, "{path}: {from} -> {to}");
    };
    check("page.html", "<h1>", "<h1 class=title>", &["//:page"]);
    check("PKG.libsonnet", "#c44536", "#0a7e8c", &["//:page", "//:plot"]);
    check("page.libsonnet", "How tea cools", "How coffee cools", &["//:page"]);
    check("PKG.libsonnet", "license: 'MIT OR Apache-2.0'", "license: 'MIT'", &[]);
    check("data/tea.csv", "0,91.3", "0,90.3", &["//:fit", "//:page", "//:plot"]);
    // The fit runs again with equal output, and nothing after it does.
    check("steps/fit.py", "import math", "import math  # logarithms", &["//:fit"]);
}

#[test]
fn rootfs_builds_in_its_own_root_file_system() {
    if !has_busybox("rootfs_builds_in_its_own_root_file_system") {
        return;
    }
    let project = example("rootfs");
    let touched = ["texts/house.txt", "assemble.sh", "concordance.libsonnet"];
    assert_eq!(cold_warm_touched(&project, &[], &touched), 2);
    let words = project.result_text("//:concordance", "words.txt");
    assert_eq!(words.lines().take(3).collect::<Vec<_>>(), ["5 house", "4 road", "2 ends"]);
    let river = project.result_text("//:concordance", "lines/river.txt");
    assert!(river.lines().any(|line| line == "stones 1"), "{river}");

    let check = |path: &str, from: &str, to: &str, expected: &[&str]| {
        project.edit(path, from, to);
        assert_eq!(project.build(&[]).ran(), expected, "{path}: {from} -> {to}");
    };
    check("texts/river.txt", "brought stones", "brought sand", &["//:concordance"]);
    // The output is equal, and nothing after it runs.
    check("assemble.sh", "# Puts", "# Here: puts", &["//:os"]);
    check("os.libsonnet", "'awk', 'cat',", "'awk', 'cat', 'wc',", &["//:concordance", "//:os"]);
    project.edit("os.libsonnet", "'sh', ", "");
    let build = project.wake(["build"]).run();
    build.code(1).mentions("`./concordance.sh` could not be started");
}

#[test]
fn image_is_built_and_tested() {
    if !has_busybox("image_is_built_and_tested") {
        return;
    }
    let project = example("image");
    let touched = ["greeting.txt", "hello.sh", "hello.libsonnet"];
    assert_eq!(cold_warm_touched(&project, &[], &touched), 4);
    assert_eq!(project.result_text("//:tried", "said.txt"), "Hello, wake!\n");
    let inspect = ["image", "inspect", ".wake/out/hello/image"];
    let inspected = project.wake(inspect).run().success().stdout;
    for line in ["user        1000:1000", "entrypoint  /usr/bin/hello", "env         WHO=world"] {
        assert!(inspected.lines().any(|one| one == line), "{line}: {inspected}");
    }
    project.write("greeting.txt", "Good day\n");
    assert_eq!(project.build(&[]).ran(), ["//:hello", "//:tried"]);
    assert_eq!(project.result_text("//:tried", "said.txt"), "Good day, wake!\n");
    assert_ne!(project.wake(inspect).run().success().stdout, inspected);
    // The program comes out equal, and nothing after it runs.
    project.edit("box.libsonnet", "'/bin/busybox', './busybox'", "'/bin/busybox', 'busybox'");
    assert_eq!(project.build(&[]).ran(), ["//:box"]);
}

#[test]
fn negate_streams_a_clip_through_a_codespec() {
    if !has_program("ffmpeg") {
        return skip("negate_streams_a_clip_through_a_codespec", "needs `ffmpeg`");
    }
    let project = example("negate");
    assert_eq!(cold_warm_touched(&project, &[], &["negating.yml", "clip.libsonnet"]), 1);
    let create = project.wake(["codespec", "create", "-f", "negating.yml"]).run();
    assert_eq!(create.success().stdout, "1\n");
    let clip = project.result("//:clip", "clip.nut");
    let open = |path: &str| File::create(project.path(path)).unwrap();
    let exec = ["job", "exec", "-f", "negate.run.yml", "--rootfs", "host"];
    let mut exec = project.wake(exec).command();
    exec.stdin(File::open(&clip).unwrap()).stdout(open("negated.nut"));
    assert!(exec.status().unwrap().success());
    let mut by_hand = Command::new("ffmpeg");
    by_hand.args(["-loglevel", "error", "-i", "pipe:0", "-vf", "negate", "-f", "nut", "pipe:1"]);
    by_hand.stdin(File::open(&clip).unwrap()).stdout(open("by-hand.nut"));
    assert!(by_hand.status().unwrap().success());
    let bytes = |path: &str| fs::read(project.path(path)).unwrap();
    assert!(!bytes("negated.nut").is_empty() && bytes("negated.nut") == bytes("by-hand.nut"));

    let wake = |args: &[&str]| project.wake(args).run().success().stdout;
    let input = wake(&["buffer", "create"]);
    wake(&["buffer", "write", input.trim_end(), "-i", clip.to_str().unwrap()]);
    let input = format!("input={}", input.trim_end());
    let run = ["job", "run", "-f", "negate.run.yml", "--rootfs", "host", "--buffer", &input];
    assert!(wake(&run).contains("\"remembered\": false"));
    assert!(wake(&run).contains("\"remembered\": true"));
    let made = wake(&["buffer", "list", "--tag", "made-by=negate", "--limit", "1"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    wake(&["buffer", "read", made[0]["id"].as_str().unwrap(), "-o", "kept.nut"]);
    assert!(bytes("kept.nut") == bytes("by-hand.nut"));
}

#[test]
fn monorepo_builds_tests_and_releases() {
    let project = example("monorepo");
    let touched = ["libs/text/src/text.c", "data/cities/cities.csv", "apps/program.libsonnet"];
    // ring: 10 libs, 10 checks and `variants`, and the library of three lines that `last` takes is
    // one of the ten; text, table, geo: `lib` and `tests` each, and `geo:gen`; apps: three programs
    // and `tests`; `pyz`, `cities`, `manual`, `release`, `tests`.
    assert_eq!(cold_warm_touched(&project, &[], &touched), 21 + 7 + 4 + 5);

    let ring = project.result_text("//:tests", "reports/ring.txt");
    let capacities = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];
    let expected: String = capacities.map(|n| format!("capacity {n}: ok\n")).concat();
    assert_eq!(ring, expected);

    let archive = project.result("//:release", "release.tar");
    let listing = Command::new("tar").arg("-tf").arg(archive).output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let expected = "./\n./bin/\n./bin/cities\n./bin/count\n./bin/last\n./bin/nearest\n./release.json\n\
                    ./share/\n./share/cities.md\n./share/manual.txt\n";
    assert_eq!(listing, expected);
}

#[test]
fn monorepo_takes_the_toolchain_with_the_highest_rank() {
    let project = example("monorepo");
    project.build(&[]);

    // A flag of the lower-ranked toolchain, now overridden by the higher-ranked one: every C step is another
    // command, and no other step is.
    project.edit("toolchain-hardened/PKG.libsonnet", "'-O2'", "'-O2', '-g0'");
    let build = project.build(&[]);
    let ran = build.ran();
    assert!(ran.contains(&"//libs/text:lib"), "{ran:?}");
    assert!(ran.iter().any(|label| label.starts_with("//libs/ring:check ")), "{ran:?}");
    for untouched in ["//libs/geo:gen", "//py/pyreport:pyz", "//py/pyreport:cities"] {
        assert!(!ran.contains(&untouched), "{untouched} does not compile C");
    }
    // `-g0` is the compiler's default: the bytes are the same, so nothing is packed again.
    assert!(!ran.contains(&"//:release"), "{ran:?}");
}

#[test]
fn monorepo_without_the_permission_has_no_toolchain() {
    let project = example("monorepo");
    project.edit("PKG.libsonnet", ", permissions=['defineGlobal']", "");
    let build = project.wake(["build"]).run();
    assert_ne!(build.code, 0);
    build.mentions("defineGlobal").mentions("platform/PKG.libsonnet:");
}

#[test]
fn monorepo_rebuilds_only_what_a_change_affects() {
    let project = example("monorepo");
    project.build(&[]);
    let check = |path: &str, from: &str, to: &str, expected: &[&str]| {
        project.edit(path, from, to);
        assert_eq!(project.build(&[]).ran(), expected, "{path}: {from} -> {to}");
    };
    check(
        "docs/intro.txt",
        "Three small programs",
        "Three programs",
        &["//:release", "//docs:manual"],
    );
    check(
        "py/pystats/src/pystats/__init__.py",
        "\"\"\"Sums over columns of a table.\"\"\"",
        "\"\"\"Sums.\"\"\"",
        // The program changes, but its output does not.
        &["//:release", "//py/pyreport:cities", "//py/pyreport:pyz"],
    );
    check(
        "data/cities/cities.csv",
        "Zürich,47.4,8.5,400",
        "Zürich,47.4,8.5,401",
        &[
            "//:release",
            "//apps:nearest",
            "//apps:tests",
            "//docs:manual",
            "//libs/geo:gen",
            "//libs/geo:lib",
            "//libs/geo:tests",
            "//py/pyreport:cities",
        ],
    );
    check("apps/program.libsonnet", "// One program", "// A program", &[]);
}
