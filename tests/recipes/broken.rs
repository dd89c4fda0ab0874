//! Builds that are killed, run out of space, or whose inputs change meanwhile: registered assets are complete, and nothing else is left.

use std::time::Duration;

use wake_tests::{Project, Wake, has_program, is_root, skip};

use crate::bed::{COUNT, GENOME, SEQUENCES, bed, build, config, data, recipe, text};

/// A build in another process.
fn call(project: &Project, args: &[&str]) -> Wake {
    let global = ["recipe", "--genome-config", "g/genome_config.yaml", "build"];
    let end = ["--documents", "docs", "--rootfs", "host"];
    project.wake(global.iter().chain(args).chain(&end))
}

/// The names in a directory, if it exists.
fn names(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn after_a_kill_at_any_time_the_next_build_completes() {
    let project = bed();
    // Many files, so that there are many moments to be killed at.
    let many = COUNT.replace(
        "  - echo threads",
        "  - for i in $(seq 50); do head -c 20000 /dev/zero > {{asset_outfolder}}/f$i; done\n  - echo threads",
    );
    project.write("docs/count_asset_recipe.yaml", many);
    let kills = std::env::var("WAKE_TEST_KILLS").ok().and_then(|text| text.parse().ok());
    let mut seed = 88_172_645_463_325_252_u64;
    for kill in 0..kills.unwrap_or(24u64) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // A different parameter each time, so that each build has work to do.
        let threads = format!("threads={kill}");
        let mut child =
            call(&project, &["tiny/count", "--files", "fasta=seq.fa", "--params", &threads])
                .spawn();
        std::thread::sleep(Duration::from_micros(seed % 700_000));
        let _ = child.kill();
        child.wait().unwrap();
        // Every registered asset is complete.
        let config = config(&project);
        for kill in 0..=kill {
            let tag = format!("t{kill}x");
            if config.contains(&format!("{tag}:\n")) {
                let dir = data(&project, &format!("count/{tag}"));
                let expected = format!("2\nthreads {kill}\n");
                assert_eq!(text(&dir.join(format!("{GENOME}_count.txt"))), expected);
                assert_eq!(names(&dir).len(), 52, "{tag}");
            }
        }
    }
    let all: Vec<String> = (0..3).map(|kill| format!("threads={kill}")).collect();
    for threads in &all {
        build(&project, &["tiny/count", "--files", "fasta=seq.fa", "--params", threads]).code(0);
    }
    assert!(names(&project.path("g/.wake/staging")).is_empty());
    let beside = names(&project.path("g"));
    assert!(
        !beside.iter().any(|name| name.starts_with("lock-") || name.ends_with(".new")),
        "{beside:?}"
    );
    let tags = names(&data(&project, "count"));
    let config = config(&project);
    assert!(tags.iter().all(|tag| config.contains(&format!("{tag}:\n"))), "{tags:?}");
}

/// Runs builds on small disks: `$1` is the genome folder, `$2` the store; they are file systems of `$3` and `$4` megabytes.
#[track_caller]
fn on_small_disks(test: &str, sizes: [&str; 2], says: &str) {
    if !is_root() || !has_program("unshare") {
        return skip(test, "it needs root and unshare");
    }
    let project = bed();
    let large = COUNT.replace(
        "  - echo threads",
        "  - head -c {{params.threads}}000000 /dev/zero > {{asset_outfolder}}/large\n  - echo threads",
    );
    project.write("docs/count_asset_recipe.yaml", large);
    std::fs::create_dir_all(project.path("store")).unwrap();
    let script = "cp -r g before
        mount -t tmpfs -o size=$3m,mode=755 tmpfs g; mount -t tmpfs -o size=$4m,mode=755 tmpfs store
        cp -r before/. g
        bin=$5
        wake() { \"$bin\" --store \"$PWD/store\" recipe --genome-config g/genome_config.yaml \"$@\"; }
        build() { wake build tiny/count --files fasta=seq.fa --documents docs --rootfs host --params threads=$1; }
        build 1
        cp g/genome_config.yaml config
        if build 60; then exit 20; else code=$?; fi
        cmp g/genome_config.yaml config
        test -z \"$(ls g/.wake/staging)\"
        test ! -e g/data/*/count/t60x
        build 2
        grep -q t2x: g/genome_config.yaml
        exit $code";
    let wrapper = ["unshare", "--mount", "--", "sh", "-euc", script, "sh", "g", "store"];
    let done = project.wake([] as [&str; 0]).wrapper(wrapper.iter().chain(&sizes)).run();
    assert_eq!(done.code, 10, "{}", done.stderr);
    assert!(done.stderr.contains(says), "{}", done.stderr);
}

#[test]
fn a_full_genome_folder_leaves_the_registry_as_it_was() {
    const TEST: &str = "a_full_genome_folder_leaves_the_registry_as_it_was";
    on_small_disks(TEST, ["20", "200"], "No space left on device");
}

#[test]
fn a_full_store_leaves_the_registry_as_it_was() {
    const TEST: &str = "a_full_store_leaves_the_registry_as_it_was";
    on_small_disks(TEST, ["200", "40"], "no space left in the store");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_taken_whole_or_not_at_all() {
    let other = SEQUENCES.replace("TTTT", "GGGG");
    let mut ends = Vec::new();
    for pause in [0, 100, 300, 600, 900, 1400] {
        let project = bed();
        // The slow custom property gives the file time to change after planning.
        project.edit("docs/fasta_asset_recipe.yaml", "echo 1.2.3-a", "sleep 1; echo 1.2.3-a");
        let child = call(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).spawn();
        std::thread::sleep(Duration::from_millis(pause));
        project.write("seq.fa", &other);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ends.push(output.status.code());
        match output.status.code() {
            Some(0) => {
                let made = project.wake(["asset", "seek", "--data", "tiny/fasta"]);
                let made =
                    made.env("REFGENIE", project.path("g/genome_config.yaml")).run().success();
                let made = text(std::path::Path::new(made.stdout.trim_end()));
                assert!(made == SEQUENCES || made == other, "{made}");
                // It is registered under the genome of its sequences.
                let is_first = config(&project).contains(GENOME);
                assert_eq!(is_first, made == SEQUENCES, "{made}");
            }
            _ => {
                assert!(said.contains("seq.fa` changed while it was in use"), "{said}");
                assert!(!config(&project).contains("fasta:"), "{}", config(&project));
            }
        }
    }
    assert!(ends.iter().all(Option::is_some), "{ends:?}");
}

#[test]
fn processes_that_build_different_tags_of_one_asset_all_succeed() {
    let project = bed();
    let children: Vec<_> = (1..=4)
        .map(|threads| {
            let threads = format!("threads={threads}");
            let args = ["tiny/count", "--files", "fasta=seq.fa", "--params", &threads];
            call(&project, &args).spawn()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let config = config(&project);
    for threads in 1..=4 {
        assert_eq!(config.matches(&format!("t{threads}x:\n")).count(), 1, "{config}");
        let file = data(&project, &format!("count/t{threads}x/{GENOME}_count.txt"));
        assert_eq!(text(&file), format!("2\nthreads {threads}\n"));
    }
    // Each is a child of their common parent.
    let children = config.matches("/count:t").count();
    assert_eq!(children, 4, "{config}");
    let kept = recipe(&project, &["list"]).code(0).stdout;
    assert_eq!(kept.lines().filter(|line| line.starts_with("recipe")).count(), 2, "{kept}");
}
