//! Malicious and damaged registries.

use std::os::unix::fs::symlink;

use wake_tests::expect;

use super::{DIGEST, FASTA, add, config, lab, printed, wake};

#[test]
fn a_path_that_climbs_out_is_not_followed() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    std::fs::write(lab.base().join("secret"), "s").unwrap();
    lab.edit(
        "g/genome_config.yaml",
        "dir: .",
        "dir: .\n              up: ../../../../../../secret\n              root: /etc/passwd",
    );
    for key in ["up", "root"] {
        wake(&lab, &["asset", "seek", &format!("tiny/fasta.{key}")])
            .run()
            .code(5)
            .mentions("points outside `tiny/fasta:a`");
    }
    // The rest is still usable.
    assert!(printed(&lab, &["asset", "seek", "tiny/fasta"]).ends_with("tiny.fa\n"));
}

#[test]
fn an_invalid_name_is_shown_at_its_place() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    let good = std::fs::read_to_string(config(&lab)).unwrap();
    let bad = |from: &str, to: &str| {
        assert!(good.contains(from));
        lab.write("g/genome_config.yaml", good.replacen(from, to, 1));
        wake(&lab, &["asset", "remove", "tiny/fasta", "--force"]).run().code(5)
    };
    bad("      fasta:\n", "      ../../x:\n").says(expect![[r#"
        error: `../../x` is not a valid asset name: it contains `/`
         --> g/genome_config.yaml:9:7
          |
        9 |       ../../x:
          |       ^^^^^^^
    "#]]);
    bad("          a:\n", "          ..:\n").mentions("`..` is not a valid tag");
    bad("      - tiny", "      - ..").mentions("`..` is not a valid genome name");
    bad(&format!("  {DIGEST}:"), "  ../x:").mentions("`../x` is not a valid genome digest");
    bad("config_version: 0.5", "config_version: 0.3").says(expect![[r#"
        error: unsupported configuration version 0.3
         --> g/genome_config.yaml:1:17
          |
        1 | config_version: 0.3
          |                 ^^^
          help: upgrade it with `refgenie upgrade --target-version 0.4`
    "#]]);
    assert!(lab.path(&format!("g/data/{DIGEST}/fasta/a")).is_dir());
}

#[test]
fn links_out_of_the_registry_are_removed_and_not_followed() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    lab.write("mine/keep", "k");
    let data = lab.path(&format!("g/data/{DIGEST}/fasta/a"));
    std::fs::remove_dir_all(&data).unwrap();
    symlink(lab.path("mine"), &data).unwrap();
    let links = lab.path("g/alias/tiny/fasta/a");
    symlink(lab.path("mine"), links.join("more")).unwrap();
    wake(&lab, &["asset", "remove", "tiny/fasta"]).run().success();
    assert_eq!(lab.read("mine/keep"), "k");
    assert!(data.symlink_metadata().is_err() && !links.exists());
}

#[test]
fn what_cannot_be_an_asset_is_refused() {
    let lab = lab();
    lab.write("d/x", "x");
    let pipe = std::process::Command::new("mkfifo").arg(lab.path("d/pipe")).status().unwrap();
    assert!(pipe.success());
    wake(&lab, &["asset", "add", "tiny/d", "--path", "d"])
        .run()
        .code(5)
        .mentions("not a file, directory or link");
    assert_eq!(printed(&lab, &["asset", "list"]), "tiny\n");
}

#[test]
fn names_of_files_may_be_odd() {
    let lab = lab();
    for name in [
        "a b",
        "é",
        "quote\"'",
        "back\\slash",
        "new\nline",
        "-f",
        "$HOME",
        "*",
        &format!("{DIGEST}{DIGEST}"),
    ] {
        lab.write(&format!("d/{name}"), name);
    }
    wake(
        &lab,
        &[
            "asset",
            "add",
            "tiny/odd",
            "--path",
            "d",
            "--seek-keys",
            r#"{"odd": "new\nline", "q": "quote\"'"}"#,
        ],
    )
    .run()
    .success();
    let found = printed(&lab, &["asset", "seek", "--json", "tiny/odd"]);
    assert!(found.contains("new\\nline"), "{found}");
    assert_eq!(lab.read("g/alias/tiny/odd/default/tinytiny"), format!("{DIGEST}{DIGEST}"));
    assert_eq!(lab.read("g/alias/tiny/odd/default/new\nline"), "new\nline");
    wake(&lab, &["asset", "tag", "tiny/odd", "--to", "~x._-9a"]).run().success();
    assert_eq!(lab.read("g/alias/tiny/odd/~x._-9a/a b"), "a b");
    for odd in ["yes", "null", "on", "0x1f", "2026-11-20", "1_0a"] {
        add(&lab, &format!("tiny/fasta:{odd}"), odd).success();
        assert!(printed(&lab, &["asset", "seek", &format!("tiny/fasta:{odd}")]).contains(odd));
    }
}
