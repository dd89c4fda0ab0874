//! refgenie itself, reading and changing a registry that wake uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use wake_tests::{Project, skip};

use super::{DIGEST, FASTA, add, config, lab, printed, wake};

/// The program that `scripts/setup` installs.
pub(crate) fn program(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/refgenie/bin/refgenie");
    let program = std::env::var_os("WAKE_REFGENIE").map_or(beside, PathBuf::from);
    if !program.is_file() {
        skip(test, "refgenie is not here: `scripts/setup` installs it");
        return None;
    }
    Some(program)
}

/// The output of a refgenie command, which must succeed.
#[track_caller]
pub(crate) fn refgenie(program: &Path, lab: &Project, args: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(args).env("REFGENIE", config(lab)).env("HOME", lab.base()).current_dir(lab.root());
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn refgenie_finds_what_wake_registered() {
    let Some(program) = program("refgenie_finds_what_wake_registered") else { return };
    let lab = lab();
    add(&lab, "tiny/fasta:1.2.3-a", FASTA).success();
    lab.write("d/x.txt", "x");
    let keys = r#"{"idx": "x.txt", "cores": {"value": "4", "type": "number"}, "on": {"value": "true", "type": "boolean"}}"#;
    let call = [
        "asset",
        "add",
        "tiny/idx:yes",
        "--path",
        "d",
        "--seek-keys",
        keys,
        "--parent",
        "tiny/fasta",
        "--class",
        "idx",
        "--description",
        "an: index #1",
    ];
    wake(&lab, &call).run().success();
    wake(&lab, &["asset", "add", "tiny/idx:v2", "--path", "d", "--seek-keys", keys])
        .run()
        .success();
    for version in ["0.5", "0.4"] {
        lab.edit(
            "g/genome_config.yaml",
            "config_version: 0.5",
            &format!("config_version: {version}"),
        );
        for asset in [
            "tiny/fasta",
            "tiny/fasta.fasta:1.2.3-a",
            "tiny/fasta.dir",
            "tiny/idx",
            "tiny/idx:yes",
            "tiny/idx.idx:v2",
        ] {
            assert_eq!(
                refgenie(&program, &lab, &["seek", asset]).replace("/.\n", "\n"),
                printed(&lab, &["asset", "seek", asset]),
                "{asset}"
            );
        }
        for asset in ["tiny/fasta", "tiny/idx", "tiny/idx:v2"] {
            assert_eq!(
                refgenie(&program, &lab, &["id", asset]),
                printed(&lab, &["asset", "id", asset]),
                "{asset}"
            );
        }
        let listed = refgenie(&program, &lab, &["list"]);
        assert!(listed.contains("tiny") && listed.contains("fasta, idx"), "{listed}");
        let aliases = refgenie(&program, &lab, &["alias", "get"]);
        assert!(aliases.contains("tiny"), "{aliases}");
        let part = refgenie(&program, &lab, &["getseq", "-g", "tiny", "-l", "chr1:1-4"]);
        assert_eq!(part, printed(&lab, &["genome", "getseq", "tiny", "chr1:1-4"]));
        wake(&lab, &["asset", "tag", "tiny/idx:v2", "--default"]).run().success();
    }
}

#[test]
fn refgenie_and_wake_change_one_registry_in_turn() {
    let Some(program) = program("refgenie_and_wake_change_one_registry_in_turn") else { return };
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    // refgenie tags what wake registered, and wake continues from what refgenie wrote.
    refgenie(&program, &lab, &["tag", "tiny/fasta:a", "-t", "b"]);
    assert!(
        printed(&lab, &["asset", "seek", "tiny/fasta"]).ends_with("alias/tiny/fasta/b/tiny.fa\n")
    );
    add(&lab, "tiny/other:a", "x").success();
    let seek = refgenie(&program, &lab, &["seek", "tiny/other"]);
    assert_eq!(seek, printed(&lab, &["asset", "seek", "tiny/other"]));
    refgenie(&program, &lab, &["remove", "tiny/other:a", "-f"]);
    assert_eq!(printed(&lab, &["asset", "list"]), "tiny                 fasta\n");
    assert!(!lab.path(&format!("g/data/{DIGEST}/other/a")).exists());
    // refgenie computes the same digest for the same files.
    let id = printed(&lab, &["asset", "id", "tiny/fasta"]);
    let dir = lab.path(&format!("g/data/{DIGEST}/fasta/b"));
    let python = program.with_file_name("python");
    let script = "import sys; from refgenconf.helpers import get_dir_digest; print(get_dir_digest(sys.argv[1]))";
    let output = Command::new(python).args(["-c", script]).arg(dir).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), id);
}
