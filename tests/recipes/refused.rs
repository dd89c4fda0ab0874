//! Builds that fail: their messages, and that they leave nothing in the registry.

use wake_tests::{Expect, Project, expect};

use crate::bed::{COUNT, FASTA, FASTA_CLASS, GENOME, bed, build, config, data, recipe, text};

/// Compares the errors and helps of a failing build.
#[track_caller]
fn refused(project: &Project, code: i32, args: &[&str], expected: Expect) {
    let done = build(project, args).code(code);
    // After an excerpt, helps are indented.
    let told = done.stderr.lines().filter(|line| line.starts_with("error") || is_help(line));
    let line = |line: &str| match is_help(line) {
        true => format!(" {}", line.trim_start()),
        false => line.to_owned(),
    };
    let root = project.root().display().to_string();
    expected.assert_eq(&told.map(line).collect::<Vec<_>>().join("\n").replace(&root, "$ROOT"));
    assert!(!config(project).contains("t1x"), "{}", config(project));
}

fn is_help(line: &str) -> bool {
    line.starts_with(' ') && line.trim_start().starts_with("help: ")
}

const ALL: [&str; 3] = ["tiny/count", "--files", "fasta=seq.fa"];

#[test]
fn a_missing_input_is_reported_with_its_flag() {
    let project = bed();
    refused(
        &project,
        4,
        &["tiny/fasta"],
        expect![[r#"
            error: no genome `tiny` in the registry
             help: add it with `wake genome init FASTA --alias NAME`, or list the genomes with `wake asset list`
             help: or build its `fasta` asset: `--files fasta=FILE`"#]],
    );
    refused(
        &project,
        4,
        &["tiny/fasta", "--files", "fast=seq.fa"],
        expect![[r#"
        error: no genome `tiny` in the registry
         help: add it with `wake genome init FASTA --alias NAME`, or list the genomes with `wake asset list`
         help: or build its `fasta` asset: `--files fasta=FILE`"#]],
    );
    refused(
        &project,
        2,
        &["tiny/fasta", "--files", "fasta=none.fa"],
        expect!["error: file `fasta`: `$ROOT/none.fa`: no such file"],
    );
    // A named pipe that nobody writes to would be waited for.
    let pipe = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
    assert!(pipe.success());
    for file in ["pipe", "docs"] {
        let done = build(&project, &["tiny/fasta", "--files", &format!("fasta={file}")]).code(2);
        done.mentions(&format!("{file}`: not a regular file"));
    }
    refused(
        &project,
        4,
        &["tiny/cont", "--files", "fasta=seq.fa"],
        expect![[r#"
        error: no recipe `cont`
         help: did you mean `count`?"#]],
    );
    refused(
        &project,
        2,
        &[&ALL[..], &["--params", "thread=2"]].concat(),
        expect![[r#"
        error: `--params thread=…` matches no parameter input of these recipes
         help: did you mean `threads`?"#]],
    );
    refused(
        &project,
        2,
        &[&ALL[..], &["--params", "tiny/count"]].concat(),
        expect![[r#"
        error: invalid value `tiny/count` for `--params`
         help: write `--params NAME=VALUE`, and name the assets to build before the flags"#]],
    );
    refused(
        &project,
        4,
        &[&ALL[..], &["--no-parents"]].concat(),
        expect![[r#"
        error: no genome `tiny` in the registry
         help: add it with `wake genome init FASTA --alias NAME`, or list the genomes with `wake asset list`
         help: omit `--no-parents` to build it first"#]],
    );
    refused(
        &project,
        2,
        &["tiny/count:1.0", "--files", "fasta=seq.fa"],
        expect!["error: `1.0` is not a valid new tag: refgenie would read it as a number"],
    );
}

#[test]
fn an_asset_of_another_class_is_refused_before_anything_runs() {
    let project = bed();
    build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(0);
    let other = FASTA
        .replace("name: fasta", "name: other")
        .replace("output_asset_class: fasta", "output_asset_class: other");
    project.write("docs/other_asset_recipe.yaml", other);
    project.write("docs/other_asset_class.yaml", FASTA_CLASS.replace("name: fasta", "name: other"));
    build(&project, &["tiny/other", "--files", "fasta=seq.fa"]).code(0);
    refused(
        &project,
        6,
        &["tiny/count", "--assets", "sequences=other"],
        expect![[r#"
        error: `tiny/other` has class `other`, but input `sequences` of recipe `count` requires class `fasta`
         help: choose another asset: `--assets sequences=ASSET`"#]],
    );
    refused(
        &project,
        4,
        &["tiny/count", "--assets", "fasta=fasta.chrom_size"],
        expect![[r#"
        error: `tiny/fasta.chrom_size`: asset `fasta` has no seek key `chrom_size`
         help: did you mean `chrom_sizes`?"#]],
    );
}

#[test]
fn assets_that_are_made_of_each_other_are_refused() {
    let project = bed();
    build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(0);
    let circle = |of: &str, other: &str| {
        COUNT
            .replace("name: count", &format!("name: {of}"))
            .replace("asset_class: fasta", "asset_class: count")
            .replace("default: fasta", &format!("default: {other}"))
    };
    project.write("docs/a_asset_recipe.yaml", circle("a", "b"));
    project.write("docs/b_asset_recipe.yaml", circle("b", "a"));
    refused(
        &project,
        6,
        &["tiny/a"],
        expect![[r#"
        error: assets depend on each other in a cycle: `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/a` -> `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/b` -> `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/a`
         help: break the cycle with `--assets NAME=GENOME/ASSET`"#]],
    );
}

#[test]
fn an_undefined_name_is_an_error_at_its_line_before_anything_runs() {
    let project = bed();
    project.edit("docs/count_asset_recipe.yaml", "{{params.threads}} >>", "{{params.thread}} >>");
    let done = build(&project, &ALL).code(5);
    let place = "docs/count_asset_recipe.yaml:13:20";
    assert!(done.stderr.contains(place), "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `params.threads`?"), "{}", done.stderr);
    assert!(!done.stderr.contains("Finished"), "{}", done.stderr);
}

#[test]
fn a_command_that_fails_registers_nothing_and_says_where_to_look() {
    let project = bed();
    project.edit("docs/count_asset_recipe.yaml", "echo threads", "echo bad luck >&2; false #");
    let done = build(&project, &ALL).code(1);
    assert!(done.stderr.contains("bad luck"), "{}", done.stderr);
    assert!(done.stderr.contains("command 2 of 2 ended with exit code 1"), "{}", done.stderr);
    let line =
        done.stderr.lines().find(|line| line.contains("left its unfinished outputs in")).unwrap();
    let left = line.rsplit(' ').next().unwrap();
    assert_eq!(text(&std::path::Path::new(left).join(format!("{GENOME}_count.txt"))), "2\n");
    assert!(!config(&project).contains("count:"), "{}", config(&project));
    assert!(!data(&project, "count").exists());
}

#[test]
fn what_a_seek_key_does_not_find_is_not_registered() {
    let project = bed();
    project.edit("docs/count_asset_class.yaml", "{genome}_{asset}.txt", "{genome}_other.txt");
    let done = build(&project, &ALL).code(5);
    assert!(done.stderr.contains("seek key `count`"), "{}", done.stderr);
    assert!(!data(&project, "count").exists());
    project.edit("docs/count_asset_class.yaml", "{genome}_other.txt", "{genome}_{asset}.txt");
    let done = build(&project, &[&ALL[..], &["--params", "threads=many"]].concat()).code(5);
    assert!(done.stderr.contains("`many` is not a number"), "{}", done.stderr);
    assert!(!data(&project, "count").exists());
    // A path that points elsewhere is an error before anything runs.
    for path in ["../x", "/etc/passwd"] {
        let project = bed();
        project.edit("docs/count_asset_class.yaml", "{genome}_{asset}.txt", path);
        let done = build(&project, &ALL).code(5);
        let done = done.mentions(&format!("seek key `count`: `{path}` points outside the asset"));
        let done = done.mentions("docs/count_asset_class.yaml:5:19");
        assert!(!done.stderr.contains("Registered"), "{}", done.stderr);
    }
}

/// Compares the command output of a build with an additional command.
#[track_caller]
fn command(text: &str, code: i32, expected: Expect) -> Project {
    let project = bed();
    let more = COUNT.replace("  - echo threads", &format!("  - {text}\n  - echo threads"));
    project.write("docs/count_asset_recipe.yaml", more);
    let done = build(&project, &ALL).code(code);
    let lines = done.redacted_stderr();
    let said = lines.lines().map(str::trim_start).filter(|line| line.starts_with("| "));
    expected.assert_eq(&said.collect::<Vec<_>>().join("\n"));
    assert!(!config(&project).contains("count:"), "{}", config(&project));
    assert!(!data(&project, "count").exists());
    project
}

#[test]
fn a_command_writes_nothing_outside_of_its_folder() {
    let project = bed();
    let out = project.path("outside");
    let touch = format!("touch {}", out.display());
    project.edit(
        "docs/count_asset_recipe.yaml",
        "echo threads",
        &format!("{touch} && echo threads"),
    );
    let done = build(&project, &ALL).code(1);
    assert!(done.stderr.contains("No such file or directory"), "{}", done.stderr);
    assert!(!out.exists());
    // Its inputs stay unchanged for others.
    let project = bed();
    let beside = "touch $(dirname {{assets.sequences}})/intruder";
    project.edit(
        "docs/count_asset_recipe.yaml",
        "echo threads",
        &format!("{beside}; echo threads"),
    );
    build(&project, &ALL).code(0);
    assert!(!data(&project, "fasta/1.2.3-a/intruder").exists());
    let project = command(
        "echo x >> {{assets.sequences}}",
        1,
        expect![[r#"
              | /bin/sh: 1: cannot create /work/assets/sequences/4e88f10ceb549493a658a41991ffa249af078781d28aa9e2.fa: Permission denied
              | command 2 of 3 ended with exit code 2: echo x >> /work/assets/sequences/4e88f10ceb549493a658a41991ffa249af078781d28aa9e2.fa"#]],
    );
    let given = data(&project, &format!("fasta/1.2.3-a/{GENOME}.fa"));
    assert_eq!(text(&given), crate::bed::SEQUENCES);
    command(
        "touch /usr/intruder",
        1,
        expect![[r#"
              | touch: cannot touch '/usr/intruder': Read-only file system
              | command 2 of 3 ended with exit code 1: touch /usr/intruder"#]],
    );
}

#[test]
fn output_that_cannot_be_an_asset_is_reported() {
    command(
        "ln -s /etc/passwd {{asset_outfolder}}/x",
        1,
        expect!["| `asset/x` is a link to `/etc/passwd`, which is not part of the outputs"],
    );
    command(
        "ln -s ../../../x {{asset_outfolder}}/x",
        1,
        expect!["| `asset/x` is a link to `../../../x`, which is not part of the outputs"],
    );
    command(
        "mkfifo {{asset_outfolder}}/x",
        1,
        expect!["| `asset/x` is a named pipe, which cannot be an output"],
    );
    command(
        "cp /bin/true {{asset_outfolder}}; chmod 4755 {{asset_outfolder}}/true",
        1,
        expect!["| `asset/true` has the setuid or setgid bit, which an output may not have"],
    );
    // The next command has no directory to write to.
    command(
        "rm -r {{asset_outfolder}}; exit 0",
        1,
        expect![[r#"
              | /bin/sh: 1: cannot create /work/asset/4e88f10ceb549493a658a41991ffa249af078781d28aa9e2_count.txt: Directory nonexistent
              | command 3 of 3 ended with exit code 2: echo threads 1 >> /work/asset/4e88f10ceb549493a658a41991ffa249af078781d28aa9e2_count.txt"#]],
    );
    let project = bed();
    let last = COUNT.replace(
        "  - echo threads {{params.threads}} >> {{asset_outfolder}}/{{genome}}_{{asset}}.txt\n",
        "  - rm -r {{asset_outfolder}}\n",
    );
    project.write("docs/count_asset_recipe.yaml", last);
    let done = build(&project, &ALL).code(1);
    let says = "the commands left no directory at /work/asset, the output folder";
    assert!(done.stderr.contains(says), "{}", done.stderr);
    // The message shows the failed command, not wake's own script.
    assert!(!done.stderr.contains("readlink"), "{}", done.stderr);
}

#[test]
fn a_template_that_does_not_end_or_gives_too_much_is_shown_at_its_line() {
    for (template, expected) in [
        (
            "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
            expect![[r#"
                error: this template runs too long
                  --> docs/count_asset_recipe.yaml:13:5
                   |
                13 |   - "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}"
                   |     ^
                   help: the limit is 200000 instructions; loop in the shell instead
            "#]],
        ),
        (
            "echo {% for i in range(30000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
            expect![[r#"
                error: this template produces more than 1024 KiB
                  --> docs/count_asset_recipe.yaml:13:5
                   |
                13 |   - "echo {% for i in range(30000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}"
                   |     ^
            "#]],
        ),
        (
            "echo {{ params.threads }",
            expect![[r#"
            error: invalid Jinja template: unexpected `}`, expected end of variable block
              --> docs/count_asset_recipe.yaml:13:29
               |
            13 |   - "echo {{ params.threads }"
               |                             ^
               help: put literal braces between `{% raw %}` and `{% endraw %}`
        "#]],
        ),
        (
            "echo {{ params.thread }}",
            expect![[r#"
            error: `params.thread` is not defined
              --> docs/count_asset_recipe.yaml:13:14
               |
            13 |   - "echo {{ params.thread }}"
               |              ^
               help: did you mean `params.threads`?
        "#]],
        ),
    ] {
        let project = bed();
        let other =
            COUNT.replace("  - echo threads", &format!("  - \"{template}\"\n  - echo threads"));
        project.write("docs/count_asset_recipe.yaml", other);
        build(&project, &ALL).code(5).says(expected);
        assert!(!config(&project).contains(GENOME), "{}", config(&project));
    }
}

#[test]
fn a_default_tag_of_a_silent_property_is_refused() {
    let project = bed();
    project.edit("docs/fasta_asset_recipe.yaml", "echo 1.2.3-a", "no-such-tool --version | cat");
    let done = build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(5);
    assert!(done.stderr.contains("whose command printed nothing"), "{}", done.stderr);
    assert!(done.stderr.contains("name a tag: `tiny/fasta:TAG`"), "{}", done.stderr);
    project.edit("docs/fasta_asset_recipe.yaml", "no-such-tool --version | cat", "echo 1.5");
    let done = build(&project, &["tiny/fasta", "--files", "fasta=seq.fa"]).code(5);
    assert!(done.stderr.contains("would read it as a number"), "{}", done.stderr);
    build(&project, &["tiny/fasta:v1", "--files", "fasta=seq.fa"]).code(0);
}

#[test]
fn documents_are_checked_and_kept() {
    let project = bed();
    let done =
        recipe(&project, &["check", "docs/fasta_asset_recipe.yaml", "docs/count_asset_class.yaml"])
            .code(0);
    assert!(
        done.stderr.contains("recipe `fasta`") && done.stderr.contains("asset class `count`"),
        "{}",
        done.stderr
    );
    let all = ["docs/fasta_asset_class.yaml", "docs/fasta_asset_recipe.yaml"];
    recipe(&project, &[&["add"], &all[..]].concat()).code(0);
    recipe(&project, &[&["add"], &all[..]].concat()).code(0);
    project.edit("docs/fasta_asset_recipe.yaml", "0.0.1", "0.0.2");
    let done = recipe(&project, &["add", all[1]]).code(6);
    assert!(done.stderr.contains("use `--force` to replace it"), "{}", done.stderr);
    recipe(&project, &["add", "--force", all[1]]).code(0);
    assert!(recipe(&project, &["list"]).code(0).stdout.contains("0.0.2"));
    let shown = recipe(&project, &["show", "fasta"]).code(0).stdout;
    assert!(shown.contains("--files     fasta=FILE  A FASTA file"), "{shown}");
    // The documents are now found in the registry.
    recipe(&project, &["build", "tiny/fasta", "--files", "fasta=seq.fa", "--rootfs", "host"])
        .code(0);
}

#[test]
fn a_class_in_use_is_removed_only_by_force() {
    let project = bed();
    build(&project, &ALL).code(0);
    let remove = |args: &[&str]| recipe(&project, &[&["remove"], args].concat());
    remove(&["cont"]).code(4).says(expect![[r#"
        error: no recipe `cont` in the registry
         help: did you mean `count`?
    "#]]);
    remove(&["--asset-class", "zebra"]).code(4).says(expect![[r#"
        error: no asset class `zebra` in the registry
         help: run `wake recipe list` to list the recipes and asset classes
    "#]]);
    remove(&["--asset-class", "fasta"]).code(6).says(expect![[r#"
        error: asset class `fasta` is used by `fasta`, `tiny/fasta`
         help: use `--force` to remove it anyway
    "#]]);
    remove(&["fasta", "count"]).code(0);
    remove(&["--asset-class", "count"]).code(6).mentions("is used by `tiny/count`");
    remove(&["--asset-class", "--force", "count", "fasta"]).code(0);
    assert_eq!(recipe(&project, &["list"]).code(0).stdout, "");
    assert!(!project.path("g/recipes/fasta_asset_recipe.yaml").exists());
    // The assets stay.
    assert!(data(&project, "count/t1x").is_dir());
}

/// A reference to a missing document is reported at the reference.
#[test]
fn a_reference_to_a_missing_document_is_shown_at_its_place() {
    let (class, recipe_file) = ("docs/count_asset_class.yaml", "docs/count_asset_recipe.yaml");
    let says = |file: &str, from: &str, to: &str, code: i32, expected: wake_tests::Expect| {
        let project = bed();
        project.edit(file, from, to);
        build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(code).says(expected);
    };
    says(
        class,
        "parents: []",
        "parents:\n- fsta",
        5,
        expect![[r#"
        error: class `count` inherits from `fsta`, which is not a class
         --> docs/count_asset_class.yaml:9:3
          |
        9 | - fsta
          |   ^
          help: did you mean `fasta`?
    "#]],
    );
    says(
        class,
        "parents: []",
        "parents: [fasta, count]",
        5,
        expect![[r#"
        error: asset classes inherit from each other in a cycle: `count` -> `count`
         --> docs/count_asset_class.yaml:8:18
          |
        8 | parents: [fasta, count]
          |                  ^
    "#]],
    );
    says(
        recipe_file,
        "default: fasta }",
        "default: fsata }",
        4,
        expect![[r#"
            error: no recipe `fsata`
              --> docs/count_asset_recipe.yaml:10:75
               |
            10 |     sequences: { asset_class: fasta, description: The sequences, default: fsata }
               |                                                                           ^
               help: did you mean `fasta`?
        "#]],
    );
    says(
        recipe_file,
        "default: fasta }",
        "default: fasta.fai }",
        4,
        expect![[r#"
        error: `tiny/fasta.fai`: asset `fasta` has no seek key `fai`
          --> docs/count_asset_recipe.yaml:10:75
           |
        10 |     sequences: { asset_class: fasta, description: The sequences, default: fasta.fai }
           |                                                                           ^
           help: it has `fasta`, `chrom_sizes`, `dir`
    "#]],
    );
    says(
        recipe_file,
        "{ asset_class: fasta",
        "{ asset_class: count",
        6,
        expect![[r#"
        error: `tiny/fasta` has class `fasta`, but input `sequences` of recipe `count` requires class `count`
          --> docs/count_asset_recipe.yaml:10:31
           |
        10 |     sequences: { asset_class: count, description: The sequences, default: fasta }
           |                               ^
           help: choose another asset: `--assets sequences=ASSET`
    "#]],
    );
    // An invalid parent is reported at its own place.
    let project = bed();
    project.edit(class, "parents: []", "parents: [fasta]");
    project.edit("docs/fasta_asset_class.yaml", "type: file", "type: fil");
    build(&project, &["tiny/count", "--files", "fasta=seq.fa"]).code(5).says(expect![[r#"
        error: `fil` is not a seek key type
         --> docs/fasta_asset_class.yaml:5:40
          |
        5 |   fasta: { value: '{genome}.fa', type: fil, description: The sequences }
          |                                        ^
          help: did you mean `file`?
    "#]]);
    // A class with a missing parent cannot be added.
    let project = bed();
    project.edit(class, "parents: []", "parents: [none]");
    recipe(&project, &["add", class]).code(5).says(expect![[r#"
        error: class `count` inherits from `none`, which is not a class
         --> docs/count_asset_class.yaml:8:11
          |
        8 | parents: [none]
          |           ^
          help: add the parent class first
    "#]]);
}
