//! `wake recipe test`: the `test` sections of recipes.

use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::Ordering;

use wake_tests::{Expect, Finished, Project, expect};

use crate::bed::{FASTA, bed, config, recipe};
use crate::server::{Manner, Server};

fn test(project: &Project, args: &[&str]) -> Finished {
    let all = [&["test"], args, &["--documents", "docs", "--rootfs", "host"]].concat();
    recipe(project, &all)
}

fn md5(project: &Project, path: &str) -> String {
    let output = std::process::Command::new("md5sum").arg(project.path(path)).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..32].to_owned()
}

#[test]
fn outputs_are_compared_and_passed_tests_are_cached() {
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
    // Nothing is registered.
    assert!(!config(&project).contains("fasta:"), "{}", config(&project));

    // The other form of the section and the other key for the digest; and a mismatch.
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

/// Writes the `fasta` recipe with a `test` section.
fn write_test(project: &Project, location: &str, sum: &str) {
    let section = format!(
        "test:\n  inputs:\n    fasta: {location}\n  outputs:\n    fasta: {{ md5sum: {sum} }}\n"
    );
    project.write("docs/fasta_asset_recipe.yaml", format!("{FASTA}{section}"));
}

/// Compares the messages, with the server's address replaced.
#[track_caller]
fn says(done: &Finished, server: &Server, expected: Expect) {
    let lines = done.redacted_stderr().replace(&server.address, "http://SERVER/");
    let from = lines.find("error").unwrap_or_default();
    expected.assert_eq(&lines[from..]);
}

const RECIPE: &str = "docs/fasta_asset_recipe.yaml";

/// Returns the address of a server that redirects to another one.
fn leading_to(url: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/old.fa", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
            // The client may have disconnected.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_file_from_a_url_is_fetched_once() {
    let project = bed();
    std::fs::create_dir(project.path("served")).unwrap();
    std::fs::copy(project.path("seq.fa"), project.path("served/t.fa")).unwrap();
    let server = Server::of(project.path("served"));
    let asked = || server.asked.load(Ordering::Relaxed);
    write_test(&project, &format!("{}t.fa", server.address), &md5(&project, "seq.fa"));
    test(&project, &[RECIPE]).code(0);
    assert_eq!(asked(), 1);
    // A passed test is cached without another request, and works offline.
    for args in [&[RECIPE][..], &[RECIPE, "--offline"]] {
        let again = test(&project, args).code(0);
        assert!(again.stderr.contains("all cached"), "{}", again.stderr);
    }
    assert_eq!(asked(), 1);
    // The same under `inputs.files`, and with a redirect.
    let moved = leading_to(&format!("{}t.fa", server.address));
    write_test(&project, &moved, &md5(&project, "seq.fa"));
    project.edit(RECIPE, "  inputs:\n    fasta: http", "  inputs:\n    files:\n      fasta: http");
    test(&project, &[RECIPE]).code(0);
    assert_eq!(asked(), 2);
    // A changed remote file is noticed only with `--refetch`.
    project.write("served/t.fa", ">x\nAC\n");
    test(&project, &[RECIPE]).code(0);
    let done = test(&project, &[RECIPE, "--refetch", "--junit", "report.xml"]).code(3);
    let differs = format!(
        "checksum mismatch for 'fasta' ({} != {})",
        md5(&project, "seq.fa"),
        md5(&project, "served/t.fa")
    );
    assert!(done.stderr.contains(&differs), "{}", done.stderr);
    let junit = project.read("report.xml");
    assert!(junit.contains("failures=\"1\"") && junit.contains("checksum mismatch"), "{junit}");
    // Nothing is registered.
    assert!(!config(&project).contains("fasta:"), "{}", config(&project));
}

#[test]
fn a_file_that_cannot_be_fetched_is_shown_where_it_is_named() {
    let project = bed();
    std::fs::create_dir(project.path("served")).unwrap();
    project.write("served/t.fa", "x".repeat(100_000));
    let server = Server::of(project.path("served"));
    write_test(&project, &format!("{}none.fa", server.address), &"0".repeat(32));
    says(
        &test(&project, &[RECIPE]).code(9),
        &server,
        expect![[r#"
        error: file `fasta` of `test`: http://SERVER/none.fa: HTTP status 404 Not Found
          --> docs/fasta_asset_recipe.yaml:18:12
           |
        18 |     fasta: http://SERVER/none.fa
           |            ^
    "#]],
    );
    write_test(&project, &format!("{}t.fa", server.address), &"0".repeat(32));
    says(
        &test(&project, &[RECIPE, "--offline"]).code(9),
        &server,
        expect![[r#"
        error: file `fasta` of `test`: http://SERVER/t.fa: network access is disabled (offline)
          --> docs/fasta_asset_recipe.yaml:18:12
           |
        18 |     fasta: http://SERVER/t.fa
           |            ^
           help: run without `--offline` to fetch it and keep it in the store
    "#]],
    );
    server.is(Manner::Half);
    says(
        &test(&project, &[RECIPE]).code(9),
        &server,
        expect![[r#"
        error: file `fasta` of `test`: http://SERVER/t.fa: the response ended early: Peer disconnected
          --> docs/fasta_asset_recipe.yaml:18:12
           |
        18 |     fasta: http://SERVER/t.fa
           |            ^
    "#]],
    );
    write_test(&project, "../none.fa", &"0".repeat(32));
    says(
        &test(&project, &[RECIPE]).code(4),
        &server,
        expect![[r#"
        error: file `fasta` of `test`: no file `[ROOT]/docs/../none.fa`
          --> docs/fasta_asset_recipe.yaml:18:12
           |
        18 |     fasta: ../none.fa
           |            ^
           help: use a URL, or a path relative to the document
    "#]],
    );
    assert!(!config(&project).contains("fasta:"), "{}", config(&project));
}

#[test]
fn a_broken_registry_is_not_taken_for_none() {
    let project = bed();
    write_test(&project, "../seq.fa", &md5(&project, "seq.fa"));
    project.write("g/genome_config.yaml", "config_version: 0.5\ngenomes:\n  a: [1\n");
    let done = test(&project, &[RECIPE]).code(5);
    done.says(expect![[r#"
        error: invalid YAML: unclosed bracket '['
         --> g/genome_config.yaml:3:6
          |
        3 |   a: [1
          |      ^^
    "#]]);
}

/// No flag gives what a test lacks, so none is proposed.
#[test]
fn what_a_test_lacks_is_shown_in_its_document() {
    let project = bed();
    let says = |file: &str, text: String, expected: Expect| {
        project.write(file, text);
        test(&project, &[file]).code(5).says(expected);
    };
    says(
        RECIPE,
        format!("{FASTA}test:\n  outputs: {{}}\n"),
        expect![[r#"
        error: `test` gives no file for input `fasta`
         --> docs/fasta_asset_recipe.yaml:7:5
          |
        7 |     fasta: { description: A FASTA file }
          |     ^
          help: add `fasta` to `inputs` of `test`
    "#]],
    );
    says(
        RECIPE,
        format!("{FASTA}test:\n  inputs: {{ fsta: ../seq.fa }}\n"),
        expect![[r#"
        error: the recipe has no file input `fsta`
          --> docs/fasta_asset_recipe.yaml:17:19
           |
        17 |   inputs: { fsta: ../seq.fa }
           |                   ^
           help: did you mean `fasta`?
    "#]],
    );
    let count = "docs/count_asset_recipe.yaml";
    let section = "test:\n  outputs: { threads: { value: 1 } }\n";
    says(
        count,
        format!("{}{section}", crate::bed::COUNT),
        expect![[r#"
        error: `test` names no genome for asset `sequences`
          --> docs/count_asset_recipe.yaml:10:5
           |
        10 |     sequences: { asset_class: fasta, description: The sequences, default: fasta }
           |     ^
           help: add a `genome` to `test`
    "#]],
    );
    let text = crate::bed::COUNT.replace(", default: 1 }", " }");
    says(
        count,
        format!("{text}{section}"),
        expect![[r#"
        error: parameter `threads` has no default, which a test needs
         --> docs/count_asset_recipe.yaml:8:5
          |
        8 |     threads: { description: How many threads }
          |     ^
          help: add a `default`
    "#]],
    );
}

#[test]
fn a_test_that_fails_to_build_is_a_failed_test_of_the_report() {
    let project = bed();
    write_test(&project, "../seq.fa", &md5(&project, "seq.fa"));
    project.edit(RECIPE, "  - cp {{files.fasta}}", "  - exit 4; cp {{files.fasta}}");
    let done = test(&project, &[RECIPE, "--junit", "report.xml"]);
    assert!([1, 3].contains(&done.code), "{}", done.stderr);
    let junit = project.read("report.xml");
    assert!(junit.contains("test/fasta"), "{junit}");
    assert!(
        junit.contains("<error") || junit.contains("<skipped") || junit.contains("<failure"),
        "{junit}"
    );
}
