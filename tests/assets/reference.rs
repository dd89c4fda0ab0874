//! Comparison with a second implementation of the digests, written from the specification alone.

use std::path::Path;
use std::process::Command;

use super::{lab, printed, wake};

/// The output of `spec/reference/wake_assets.py`.
#[track_caller]
fn said(what: &str, of: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/reference/wake_assets.py");
    let output = Command::new("python3").arg(script).arg(what).arg(of).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A deterministic pseudo-random generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound) as usize
    }
}

#[test]
fn genomes_of_any_form_have_the_digest_of_the_specification() {
    let lab = lab();
    let mut chance = Chance(1_234_567);
    for round in 0..40 {
        let mut text = String::new();
        let end = ["\n", "\r\n", "\r"][round % 3];
        for _ in 0..chance.below(4) {
            text.push_str(end);
        }
        for _ in 0..=chance.below(5) {
            text.push('>');
            text.push_str(["chr1", "", "a > b\tc", "é>"][chance.below(4)]);
            text.push_str(end);
            for _ in 0..chance.below(4) {
                text.push_str(["ACGT", "acgtn", "", "A C", "Ä*-"][chance.below(5)]);
                text.push_str(end);
            }
        }
        if chance.below(2) == 0 {
            text.truncate(text.trim_end().len());
        }
        lab.write("x.fa", &text);
        if round % 4 == 0 {
            let packed = Command::new("gzip").arg("-f").arg(lab.path("x.fa")).status().unwrap();
            assert!(packed.success());
            std::fs::rename(lab.path("x.fa.gz"), lab.path("x.fa")).unwrap();
        }
        let digest = printed(&lab, &["genome", "init", "x.fa"]);
        assert_eq!(digest, said("genome", &lab.path("x.fa")), "{text:?}");
    }
}

#[test]
fn assets_of_any_names_have_the_digest_of_the_specification() {
    let lab = lab();
    let mut chance = Chance(7_654_321);
    let names = [
        "a",
        "B",
        "a b",
        "a.b",
        "a-b",
        "é",
        "back\\slash",
        "new\nline",
        "cr\rx",
        "_refgenie_build",
        "~",
        "0",
    ];
    for round in 0..12 {
        let dir = format!("d{round}");
        lab.write(&format!("{dir}/always"), "x");
        for file in 0..chance.below(12) {
            let mut path = dir.clone();
            for _ in 0..chance.below(3) {
                path.push_str(&format!("/{}{}", names[chance.below(12)], "dir"));
            }
            lab.write(&format!("{path}/{}", names[chance.below(12)]), format!("{file}"));
        }
        let asset = format!("tiny/x:t{round}");
        wake(&lab, &["asset", "add", &asset, "--path", &dir]).run().success();
        assert_eq!(printed(&lab, &["asset", "id", &asset]), said("asset", &lab.path(&dir)));
    }
}
