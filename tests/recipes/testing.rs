//! `wake recipe test`: what a recipe says must come of it.

use wake_tests::Finished;
use wake_tests::Project;

use crate::bed::{FASTA, bed, config, recipe};

fn test(project: &Project, args: &[&str]) -> Finished {
    let all = [&["test"], args, &["--documents", "docs", "--rootfs", "host"]].concat();
    recipe(project, &all)
}

fn md5(project: &Project, path: &str) -> String {
    let output = std::process::Command::new("md5sum").arg(project.path(path)).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..32].to_owned()
}

#[test]
fn outputs_are_compared_and_what_passed_is_remembered() {
    let project = bed();
    let sum = md5(&project, "seq.fa");
    let section = format!(
        "test:\n  inputs:\n    fasta: ../seq.fa\n  outputs:\n    fasta: {{ md5sum: {sum} }}\n"
    );
    project.write("docs/fasta_asset_recipe.yaml", format!("{FASTA}{section}"));
    let done = test(&project, &["docs/fasta_asset_recipe.yaml", "--junit", "report.xml"]).code(0);
    assert!(
        done.stderr.contains("1 passed") || done.stderr.contains("test/fasta (test)"),
        "{}",
        done.stderr
    );
    let junit = project.read("report.xml");
    assert!(junit.contains("fasta") && !junit.contains("<failure"), "{junit}");
    let again = test(&project, &["docs/fasta_asset_recipe.yaml"]).code(0);
    assert!(
        again.stderr.contains("cached") || again.stderr.contains("remembered"),
        "{}",
        again.stderr
    );
    // Nothing of it is in the registry.
    assert!(!config(&project).contains("fasta:"), "{}", config(&project));

    // The other form of the section, the other name of the sum; and it differs.
    let section = format!(
        "test:\n  inputs:\n    files:\n      fasta: ../seq.fa\n  outputs:\n    fasta: {{ checksum: {} }}\n",
        "0".repeat(32)
    );
    project.write("docs/fasta_asset_recipe.yaml", format!("{FASTA}{section}"));
    let done = test(&project, &["docs/fasta_asset_recipe.yaml", "--junit", "report.xml"]).code(3);
    let expected = format!("checksum mismatch for 'fasta' ({} != {sum})", "0".repeat(32));
    assert!(done.stderr.contains(&expected), "{}", done.stderr);
    assert!(project.read("report.xml").contains("<failure"));
}

#[test]
fn values_are_compared_as_their_types_say() {
    let project = bed();
    let run = |value: &str| {
        project.write(
            "docs/count_asset_recipe.yaml",
            format!(
                "{}test:\n  genome: tiny\n  outputs:\n    threads: {{ value: {value} }}\n",
                crate::bed::COUNT
            ),
        );
        test(&project, &["docs/count_asset_recipe.yaml"])
    };
    recipe(
        &project,
        &[
            "build",
            "tiny/fasta",
            "--files",
            "fasta=seq.fa",
            "--rootfs",
            "host",
            "--documents",
            "docs",
        ],
    )
    .code(0);
    run("1").code(0);
    run("1.0").code(0);
    let done = run("2").code(3);
    assert!(done.stderr.contains("value mismatch for 'threads' (2 != 1)"), "{}", done.stderr);
    project.write(
        "docs/count_asset_recipe.yaml",
        format!(
            "{}test:\n  genome: tiny\n  outputs:\n    thread: {{ value: 1 }}\n",
            crate::bed::COUNT
        ),
    );
    let done = test(&project, &["docs/count_asset_recipe.yaml"]);
    assert!(done.stderr.contains("seek key `thread` cannot be tested"), "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `threads`?"), "{}", done.stderr);
}
