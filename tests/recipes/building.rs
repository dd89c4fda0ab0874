//! What is built, what is cached, and what the registry contains afterwards.

use std::process::Command;

use serde_json::{Value, json};
use wake_tests::has_busybox;

use crate::bed::{COUNT, GENOME, bed, build, config, data, recipe, text};

fn by_shell(dir: &std::path::Path, script: &str) -> String {
    let output =
        Command::new("sh").args(["-c", script]).env("LC_ALL", "C").current_dir(dir).output();
    String::from_utf8(output.unwrap().stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// How refgenie computes the digest of an asset.
const ASSET_DIGEST: &str = "find . -type f -not -path './_refgenie_build*' -exec md5sum {} \\; | sort -k 2 | awk '{print $1}' | md5sum";

#[test]
fn a_parent_is_built_first_and_both_are_in_the_registry() {
    let project = bed();
    let done = build(&project, &["tiny/count", "--files", "fasta=seq.fa", "--params", "threads=4"]);
    let done = done.code(0);
    assert!(done.stderr.contains("Registered tiny/fasta:1.2.3-a"), "{}", done.stderr);
    assert!(done.stderr.contains("Registered tiny/count:t4x"), "{}", done.stderr);
    let count = data(&project, "count/t4x");
    assert_eq!(text(&count.join(format!("{GENOME}_count.txt"))), "2\nthreads 4\n");
    let fasta = data(&project, "fasta/1.2.3-a");
    assert_eq!(text(&fasta.join(format!("{GENOME}.chrom.sizes"))), "chr1\t13\nchr2\t4\n");

    let config = config(&project);
    for dir in [&count, &fasta] {
        let digest = by_shell(dir, ASSET_DIGEST);
        assert!(config.contains(&format!("asset_digest: {digest}")), "{config}");
    }
    let inputs = text(&count.join("_refgenie_build/build_inputs_count__t4x.json"));
    let inputs: Value = serde_json::from_str(&inputs).unwrap();
    let parent = json!({
        "checksum": by_shell(&fasta, ASSET_DIGEST),
        "path": format!("{GENOME}/fasta:1.2.3-a"),
    });
    // A parameter from the command line is a string, as in refgenie.
    let expected =
        json!({"files": {}, "assets": {"sequences": parent}, "params": {"threads": "4"}});
    assert_eq!(inputs, expected);
    let inputs = text(&fasta.join("_refgenie_build/build_inputs_fasta__1.2.3-a.json"));
    let sum = by_shell(project.root(), "md5sum seq.fa");
    assert!(inputs.contains(&sum), "{inputs}");
    // By alias, with the alias in the file names.
    let alias = project.path("g/alias/tiny/count/t4x/tiny_count.txt");
    assert_eq!(text(&alias), "2\nthreads 4\n");
    // A value that reads as a number stays a string for refgenie, and has its type in wake.
    assert!(config.contains("threads: '4'") || config.contains("threads: \"4\""), "{config}");
    assert!(config.contains("label: n-4"), "{config}");
}

#[test]
fn only_what_has_changed_is_built_again() {
    let project = bed();
    let all = ["tiny/fasta", "tiny/count", "--files", "fasta=seq.fa"];
    let ran = |args: &[&str]| {
        let done = build(&project, args).code(0);
        let line = done.stderr.lines().find(|line| line.contains("Finished")).unwrap().to_owned();
        line.split(" in ").next().unwrap().rsplit("Finished ").next().unwrap().to_owned()
    };
    assert_eq!(ran(&all), "3 actions");
    assert_eq!(ran(&all), "3 actions, all cached,");
    // Neither a recipe's description nor the name of a file is in the key.
    project.edit("docs/count_asset_recipe.yaml", "How many sequences there are", "Another text");
    std::fs::rename(project.path("seq.fa"), project.path("other.fa")).unwrap();
    let renamed = ["tiny/fasta", "tiny/count", "--files", "fasta=other.fa"];
    assert!(ran(&renamed).contains("all cached"));
    // A parameter rebuilds its own asset, but not the parent.
    let more = [&renamed[..], &["--params", "threads=2"]].concat();
    assert_eq!(ran(&more), "3 actions (2 hit, 1 ran)");
    // Another alias of the same genome.
    let second = ["small/fasta", "small/count", "--files", "fasta=other.fa"];
    assert!(ran(&second).contains("all cached"));
    assert!(text(&project.path("g/alias/small/count/t1x/small_count.txt")).starts_with('2'));
    // Different content.
    project.edit("other.fa", "TTTT", "TTTA");
    let third = ["third/fasta", "third/count", "--files", "fasta=other.fa"];
    assert_eq!(ran(&third), "3 actions (1 hit, 2 ran)");
}

#[test]
fn a_parent_that_comes_out_equal_rebuilds_nothing_above_it() {
    let project = bed();
    let all = ["tiny/fasta", "tiny/count", "--files", "fasta=seq.fa"];
    build(&project, &all).code(0);
    // Another command with the same output.
    project.edit(
        "docs/fasta_asset_recipe.yaml",
        "- cp {{files.fasta}}",
        "- cat < {{files.fasta}} >",
    );
    let done = build(&project, &all).code(0);
    assert!(done.stderr.contains("3 actions (2 hit, 1 ran)"), "{}", done.stderr);
    assert!(done.stderr.contains("Unchanged tiny/fasta:1.2.3-a"), "{}", done.stderr);
    // Other sequences, from another asset given as the input.
    project.write("more.fa", ">x\nAC\n>y\nAC\n>z\nAC\n");
    build(&project, &["more/fasta", "--files", "fasta=more.fa"]).code(0);
    let given = ["tiny/count", "--assets", "sequences=more/fasta"];
    let done = build(&project, &given).code(0);
    assert!(done.stderr.contains("Registered tiny/count:t1x"), "{}", done.stderr);
    assert!(text(&data(&project, &format!("count/t1x/{GENOME}_count.txt"))).starts_with('3'));
}

#[test]
fn another_root_builds_again() {
    if !has_busybox("another_root_builds_again") {
        return;
    }
    let project = bed();
    let programs = ["sh", "awk", "cat", "cp", "echo", "grep", "ln", "readlink", "rm"];
    project.busybox_root("root", &programs);
    build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(0);
    let root = project.path("root").display().to_string();
    let args = ["build", "tiny/fasta", "tiny/count", "--files", "fasta=seq.fa"];
    let other = ["--documents", "docs", "--rootfs", &root];
    let done = recipe(&project, &[&args[..], &other].concat()).code(0);
    assert!(done.stderr.contains("3 actions") && !done.stderr.contains("hit"), "{}", done.stderr);
    // The result is the same.
    assert!(done.stderr.contains("Unchanged tiny/count:t1x"), "{}", done.stderr);
    let again = recipe(&project, &[&args[..], &other].concat()).code(0);
    assert!(again.stderr.contains("all cached"), "{}", again.stderr);
    // So does a different program in it.
    std::fs::remove_file(project.path("root/bin/ln")).unwrap();
    let done = recipe(&project, &[&args[..], &other].concat()).code(0);
    assert!(done.stderr.contains("3 actions") && !done.stderr.contains("hit"), "{}", done.stderr);
}

#[test]
fn a_plan_runs_nothing_and_says_why() {
    let project = bed();
    let args = ["tiny/count", "--files", "fasta=seq.fa", "--documents", "docs", "--rootfs", "host"];
    let plan = recipe(&project, &[&["plan"], &args[..]].concat()).code(0);
    let lines: Vec<&str> = plan.stdout.lines().collect();
    assert!(lines[0].starts_with("run     tiny/fasta (version)"), "{}", plan.stdout);
    assert!(lines[2].starts_with("unknown tiny/count"), "{}", plan.stdout);
    assert!(!config(&project).contains(GENOME));
    build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(0);
    let why =
        recipe(&project, &[&["why"], &args[..1], &args[3..], &["--params", "threads=7"]].concat());
    assert!(why.code(0).stdout.contains("threads 7"));
}

#[test]
fn several_genomes_are_built_at_once() {
    let project = bed();
    project.write("b.fa", ">b\nACGT\n");
    let files = ["--files", "one/fasta.fasta=seq.fa", "two/fasta.fasta=b.fa"];
    let done = build(&project, &[&["one/count", "two/count"], &files[..]].concat()).code(0);
    assert_eq!(done.stderr.matches("Registered").count(), 4, "{}", done.stderr);
    assert_eq!(text(&project.path("g/alias/two/count/t1x/two_count.txt")), "1\nthreads 1\n");
}

#[test]
fn two_builds_of_one_asset_at_once_leave_it_whole() {
    let project = bed();
    std::thread::scope(|scope| {
        let builds: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| build(&project, &["tiny/count", "--files", "fasta=seq.fa"])))
            .collect();
        builds.into_iter().for_each(|build| drop(build.join().unwrap().code(0)));
    });
    let count = data(&project, "count/t1x");
    assert_eq!(text(&count.join(format!("{GENOME}_count.txt"))), "2\nthreads 1\n");
    assert_eq!(config(&project).matches("t1x:").count(), 1);
}

#[test]
fn a_link_to_a_parent_leads_there_in_the_registry() {
    let project = bed();
    let linking = COUNT.replace(
        "  - echo threads",
        "  - ln -s {{assets.sequences}} {{asset_outfolder}}/{{genome}}.fa\n  - echo threads",
    );
    project.write("docs/count_asset_recipe.yaml", linking);
    build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(0);
    let link = data(&project, "count/t1x").join(format!("{GENOME}.fa"));
    let target = std::fs::read_link(&link).unwrap();
    assert_eq!(target.to_str().unwrap(), format!("../../fasta/1.2.3-a/{GENOME}.fa"));
    assert_eq!(text(&link), crate::bed::SEQUENCES);
    let again = build(&project, &["tiny/count"]).code(0);
    assert!(again.stderr.contains("Unchanged tiny/count:t1x"), "{}", again.stderr);
}

#[test]
fn a_recipe_may_be_jsonnet() {
    let project = bed();
    std::fs::remove_file(project.path("docs/count_asset_recipe.yaml")).unwrap();
    project.write(
        "docs/count.jsonnet",
        "function(wake) wake.recipe(\n\
         \x20 name='count', version='1', output_asset_class='count',\n\
         \x20 inputs={ params: { threads: { description: 'n', default: 3 } }, assets: null, files: null },\n\
         \x20 command_template_list=['echo {{params.threads}} > {{asset_outfolder}}/{{genome}}_{{asset}}.txt'],\n\
         )\n",
    );
    project.write(
        "docs/count_asset_class.jsonnet",
        "std.parseYaml(importstr 'count_asset_class.yaml')",
    );
    build(&project, &["tiny/fasta", "tiny/count", "--files", "fasta=seq.fa"]).code(0);
    assert_eq!(text(&project.path("g/alias/tiny/count/default/tiny_count.txt")), "3\n");
}

#[test]
fn two_inputs_of_one_class_are_two() {
    let project = bed();
    let two = COUNT
        .replace("default: fasta }", "default: fasta }\n    more: { asset_class: fasta, description: More, default: 'fasta.chrom_sizes' }")
        .replace("grep -c '>' {{assets.sequences}}", "cat {{assets.sequences}} {{assets.more}}");
    project.write("docs/count_asset_recipe.yaml", two);
    build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(0);
    let made = text(&project.path("g/alias/tiny/count/t1x/tiny_count.txt"));
    assert_eq!(made, format!("{}chr1\t13\nchr2\t4\nthreads 1\n", crate::bed::SEQUENCES));
}
