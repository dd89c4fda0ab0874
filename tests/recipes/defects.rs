//! Known defects of refgenie: a test for each that wake does not have it.

use std::process::Stdio;

use wake_tests::{Project, expect};

use crate::bed::{COUNT, COUNT_CLASS, FASTA, GENOME, bed, build, config, data, recipe, text};

const ALL: [&str; 3] = ["tiny/count", "--files", "fasta=seq.fa"];

fn asset(project: &Project, args: &[&str]) -> wake_tests::Finished {
    let call = project.wake(["asset"]).args(args);
    call.env("REFGENIE", project.path("g/genome_config.yaml")).run()
}

/// refgenie: a flag file marks the asset as built, and nothing is ever rebuilt.
#[test]
fn a_changed_command_builds_again_though_there_is_a_flag() {
    let project = bed();
    build(&project, &ALL).code(0);
    let flag = data(&project, &format!("count/t1x/_refgenie_build/{GENOME}_count__t1x.flag"));
    assert!(flag.is_file());
    project.edit("docs/count_asset_recipe.yaml", "echo threads", "echo THREADS");
    let done = build(&project, &ALL).code(0);
    assert!(done.stderr.contains("Registered tiny/count:t1x"), "{}", done.stderr);
    let made = data(&project, &format!("count/t1x/{GENOME}_count.txt"));
    assert_eq!(text(&made), "2\nTHREADS 1\n");
}

/// refgenie: the digest does not cover file names, so an asset with renamed files counts as unchanged.
#[test]
fn files_of_other_names_are_another_asset() {
    let project = bed();
    build(&project, &ALL).code(0);
    let id = |args: &[&str]| asset(&project, args).success().stdout;
    let before = (id(&["id", "tiny/count"]), id(&["id", "--tree", "tiny/count"]));
    project.edit("docs/count_asset_class.yaml", "{genome}_{asset}.txt", "{genome}_{asset}.tsv");
    let renamed = COUNT.replace("{{asset}}.txt", "{{asset}}.tsv");
    project.write("docs/count_asset_recipe.yaml", renamed);
    build(&project, &ALL).code(0);
    let after = (id(&["id", "tiny/count"]), id(&["id", "--tree", "tiny/count"]));
    assert_eq!(after.0, before.0);
    assert_ne!(after.1, before.1);
    assert!(data(&project, &format!("count/t1x/{GENOME}_count.tsv")).is_file());
    assert!(!data(&project, &format!("count/t1x/{GENOME}_count.txt")).exists());
}

/// refgenie: an asset is registered before its seek keys are checked, and stays when the check fails.
#[test]
fn an_asset_whose_seek_keys_fail_is_not_registered() {
    let project = bed();
    project.edit("docs/count_asset_class.yaml", "{genome}_{asset}.txt", "{genome}_none.txt");
    build(&project, &ALL).code(5).says(expect![[r#"
        error: seek key `count` of `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/count:t1x`: file `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2_none.txt` does not exist
        [TIME] FAIL tiny/count (no result)
        [TIME] FAILED 1 of 3 actions failed in [TIME]: tiny/count; 2 ok
        failed: tiny/count
          Registered tiny/fasta:1.2.3-a (4d9d96c8bd810154aaa63815c3a72021)
    "#]]);
    assert!(!config(&project).contains("count:"), "{}", config(&project));
    asset(&project, &["seek", "tiny/count"]).code(4);
}

/// refgenie: a value `4` is read back as a number, and every later command fails.
#[test]
fn a_value_that_looks_like_a_number_stays_what_its_class_says() {
    let project = bed();
    build(&project, &[&ALL[..], &["--params", "threads=4"]].concat()).code(0);
    let seek = |key: &str| asset(&project, &["seek", "--json", key]).success().stdout;
    let answer =
        |key: &str, value: &str| format!("{{\"asset\":\"tiny/count.{key}\",\"value\":{value}}}\n");
    assert_eq!(seek("tiny/count.threads"), answer("threads", "4"));
    assert_eq!(seek("tiny/count.label"), answer("label", "\"n-4\""));
    build(&project, &[&ALL[..], &["--params", "threads=5"]].concat()).code(0);
}

/// refgenie: values are compared with their templates, so a value with a placeholder never passes.
#[test]
fn rendered_values_are_checked_by_type() {
    for (kind, value, problem) in [
        ("number", "{params[threads]}", None),
        ("number", "n{params[threads]}", Some("seek key `threads`: `n1` is not a number")),
        ("boolean", "true", None),
        ("boolean", "{params[threads]}", Some("seek key `threads`: `1` is not a boolean")),
        ("array", "[{params[threads]}]", None),
        ("array", "{params[threads]}", Some("seek key `threads`: `1` is not an array")),
        ("string", "{params[threads]}", None),
        ("directory", ".", None),
        ("directory", "none", Some("directory `none` does not exist")),
        ("file", "none", Some("file `none` does not exist")),
        ("prefix", "{genome}", None),
        ("prefix", "none", Some("no file path starts with `none`")),
    ] {
        let project = bed();
        let class = COUNT_CLASS.replace(
            "{ value: '{params[threads]}', type: number,",
            &format!("{{ value: '{value}', type: {kind},"),
        );
        project.write("docs/count_asset_class.yaml", class);
        let done = build(&project, &ALL);
        match problem {
            None => drop(done.code(0)),
            Some(problem) => {
                let done = done.code(5);
                assert!(done.stderr.contains(problem), "{kind} {value}: {}", done.stderr);
                assert!(!config(&project).contains("count:"), "{kind} {value}");
            }
        }
    }
}

/// refgenie: two inputs of one class collide.
#[test]
fn two_inputs_of_one_class_are_given_by_their_names() {
    let project = bed();
    let two = COUNT
        .replace(
            "default: fasta }",
            "default: fasta }\n    more: { asset_class: fasta, description: More, default: fasta }",
        )
        .replace("grep -c '>' {{assets.sequences}}", "cat {{assets.sequences}} {{assets.more}}");
    project.write("docs/count_asset_recipe.yaml", two);
    build(&project, &["tiny/fasta:one", "--files", "fasta=seq.fa"]).code(0);
    project.write("short.fa", ">x\nAC\n");
    build(&project, &["short/fasta:one", "--files", "fasta=short.fa"]).code(0);
    build(&project, &["tiny/count", "--assets", "more=short/fasta"]).code(0);
    let made = text(&project.path("g/alias/tiny/count/t1x/tiny_count.txt"));
    assert_eq!(made, format!("{}>x\nAC\nthreads 1\n", crate::bed::SEQUENCES));
    // The class is ambiguous.
    build(&project, &["tiny/count", "--assets", "fasta=short/fasta"]).code(2).says(expect![[r#"
        error: `--assets fasta=…` matches no asset input of these recipes
         help: the inputs are `sequences`, `more`
    "#]]);
}

/// refgenie: one failing property empties all of them, and then the tag is undefined.
#[test]
fn a_property_that_fails_says_so_itself() {
    let project = bed();
    let two = FASTA.replace(
        "  version: echo 1.2.3-a",
        "  version: echo 1.2.3-a\n  other: echo no such tool >&2; exit 7",
    );
    project.write("docs/fasta_asset_recipe.yaml", two);
    let done = build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(1);
    assert!(done.stderr.contains("tiny/fasta (other)"), "{}", done.stderr);
    assert!(done.stderr.contains("no such tool"), "{}", done.stderr);
    assert!(!config(&project).contains(GENOME), "{}", config(&project));
}

/// refgenie: a recipe without a container is stored with `container: null`, which its own schema rejects.
#[test]
fn a_recipe_without_a_container_is_kept_as_it_was_written() {
    for container in ["", "container: null\n", "container: ''\n", "container: ~\n"] {
        let project = bed();
        let written = format!("{FASTA}{container}");
        project.write("docs/fasta_asset_recipe.yaml", &written);
        build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(0);
        let kept = text(&project.path("g/recipes/fasta_asset_recipe.yaml"));
        assert_eq!(kept, written);
        let record = data(&project, "fasta/1.2.3-a/_refgenie_build");
        let record = text(&record.join("build_recipe_fasta__1.2.3-a.json"));
        assert!(!record.contains("container"), "{record}");
        // It can be used again from the registry, and from the build record.
        let from = ["build", "tiny/fasta", "--files", "fasta=seq.fa", "--rootfs", "host"];
        recipe(&project, &from).code(0);
        project.write("again_asset_recipe.yaml", record);
        let again = ["--recipe", "again_asset_recipe.yaml"];
        recipe(&project, &[&from[..], &again].concat()).code(0);
    }
}

/// refgenie: tags that Python parses as numbers are accepted, and cannot be found again.
#[test]
fn no_tag_is_given_that_reads_as_a_number() {
    for tag in ["1.0", "1", "1e3", "1_0", "nan", "inf", "-1"] {
        let project = bed();
        let typed = format!("tiny/fasta:{tag}");
        let done = build(&project, &[&typed, "--files", "fasta=seq.fa"]).code(2);
        assert!(done.stderr.contains("would read it as a number"), "{tag}: {}", done.stderr);
        project.edit("docs/fasta_asset_recipe.yaml", "echo 1.2.3-a", &format!("echo {tag}"));
        let done = build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(5);
        assert!(done.stderr.contains("name a tag: `tiny/fasta:TAG`"), "{tag}: {}", done.stderr);
        assert!(!config(&project).contains(GENOME), "{}", config(&project));
    }
    let project = bed();
    build(&project, &["tiny/fasta:a b", "--files", "fasta=seq.fa"]).code(2).says(expect![[r#"
        error: `a b` is not a valid tag: it contains a space
         help: a registry path is [GENOME/]ASSET[.SEEK_KEY][:TAG]
    "#]]);
}

/// refgenie: commands run in the caller's directory and see the whole machine.
#[test]
fn commands_see_what_they_are_given_and_nothing_else() {
    let project = bed();
    project.write("secret", "s");
    let look = COUNT.replace(
        "  - echo threads",
        "  - ls > {{asset_outfolder}}/there; env | cut -d= -f1 | LC_ALL=C sort > {{asset_outfolder}}/names\n  - echo threads",
    );
    project.write("docs/count_asset_recipe.yaml", look);
    let global = ["recipe", "--genome-config", "g/genome_config.yaml", "build"];
    let all = [&global[..], &ALL, &["--documents", "docs", "--rootfs", "host"]].concat();
    project.wake(&all).env("TOKEN", "t").run().code(0);
    let count = data(&project, "count/t1x");
    assert_eq!(text(&count.join("there")), "asset\nassets\n");
    assert!(!text(&count.join("names")).contains("TOKEN"));
}

/// refgenie: prompts at the terminal, which nobody answers.
#[test]
fn nothing_is_ever_asked() {
    let project = bed();
    build(&project, &ALL).code(0);
    project.edit("docs/count_asset_recipe.yaml", "echo threads", "echo other");
    let global = ["recipe", "--genome-config", "g/genome_config.yaml", "build"];
    let all = [&global[..], &ALL, &["--documents", "docs", "--rootfs", "host"]].concat();
    // A program that read its input would wait for ever.
    let mut child = project.wake(&all).command().stdin(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(input);
}

/// refgenie: a missing thing produces a Python traceback.
#[test]
fn a_missing_thing_is_reported_with_suggestions() {
    let project = bed();
    build(&project, &ALL).code(0);
    asset(&project, &["seek", "tin/fasta"]).code(4).says(expect![[r#"
        error: no genome `tin` in the registry
         help: did you mean `tiny`?
    "#]]);
    asset(&project, &["seek", "tiny/fast"]).code(4).says(expect![[r#"
        error: genome `tiny` has no asset `fast`
         help: did you mean `fasta`?
    "#]]);
    asset(&project, &["seek", "tiny/fasta:zz"]).code(4).says(expect![[r#"
        error: asset `tiny/fasta` has no tag `zz`
         help: it has `1.2.3-a`
    "#]]);
    asset(&project, &["seek", "tiny/fasta.chrom"]).code(4).says(expect![[r#"
        error: `tiny/fasta:1.2.3-a` has no seek key `chrom`
         help: it has `fasta`, `chrom_sizes`, `dir`
    "#]]);
    build(&project, &["tiny/fasta:other"]).code(2).says(expect![[r#"
        error: tiny/fasta needs file `fasta` (A FASTA file)
         help: add `--files fasta=FILE`
    "#]]);
    project.edit("docs/count_asset_recipe.yaml", ", default: 1 }", " }");
    build(&project, &["tiny/count"]).code(2).says(expect![[r#"
        error: tiny/count needs parameter `threads` (How many threads)
         help: add `--params threads=VALUE`
    "#]]);
    recipe(&project, &["show", "cont"]).code(4).says(expect![[r#"
        error: no recipe `cont`
         help: did you mean `count`?
    "#]]);
    build(&project, &["other/count"]).code(4).says(expect![[r#"
        error: no genome `other` in the registry
         help: add it with `wake genome init FASTA --alias NAME`, or list the genomes with `wake asset list`
         help: or build its `fasta` asset: `--files fasta=FILE`
    "#]]);
    build(&project, &["tiny/nope"]).code(4).says(expect![[r#"
        error: no recipe `nope`
         help: known recipes: `count`, `fasta`; use one from a file with `--recipe FILE`
    "#]]);
    project.edit(
        "docs/count_asset_recipe.yaml",
        "output_asset_class: count",
        "output_asset_class: cuont",
    );
    build(&project, &["tiny/count"]).code(5).says(expect![[r#"
        error: no asset class `cuont`
         --> docs/count_asset_recipe.yaml:3:21
          |
        3 | output_asset_class: cuont
          |                     ^
          help: did you mean `count`?
    "#]]);
}
