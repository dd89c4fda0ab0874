//! A recorded refgenie registry, read by wake, and the same assets registered by wake.

use std::path::Path;

use wake_tests::{Project, fixtures, project};

use super::{DIGEST, FASTA, printed, wake};

fn call(project: &Project, run: &Path, args: &[&str]) -> String {
    let config = run.join("genome_config.yaml");
    let call =
        project.wake(args.iter().copied()).env("REFGENIE", config).env("DIR", project.root());
    call.run().success().stdout
}

/// Creates the recorded tree; each file contains its own path.
fn grow(project: &Project, run: &Path) {
    for path in std::fs::read_to_string(run.join("tree.txt")).unwrap().lines() {
        project.write(path, path);
    }
    for class in ["fasta", "report"] {
        let file = format!("{class}_asset_class.yaml");
        if let Ok(text) = std::fs::read(run.join("defs").join(&file)) {
            project.write(&format!("g/asset_classes/{file}"), text);
        }
    }
}

#[test]
fn wake_answers_as_refgenie_did() {
    let Some(dir) = fixtures("wake_answers_as_refgenie_did", "refgenie") else { return };
    let run = dir.join("golden_run");
    let project = project().build();
    grow(&project, &run);
    let transcript = std::fs::read_to_string(run.join("transcript.txt")).unwrap();
    let mut asked = 0;
    for command in ["seek", "id"] {
        let begin = format!("$ refgenie {command} ");
        for part in transcript.split(&begin).skip(1) {
            let mut lines = part.lines();
            let (path, answer) = (lines.next().unwrap(), lines.next().unwrap());
            if lines.next() != Some("[exit 0]") {
                continue;
            }
            let answer = answer.replace("$DIR", &project.root().display().to_string());
            assert_eq!(
                call(&project, &run, &["asset", command, path]),
                format!("{answer}\n"),
                "{command} {path}"
            );
            asked += 1;
        }
    }
    assert_eq!(asked, 6);
    assert_eq!(call(&project, &run, &["asset", "list"]), "tiny                 fasta, report\n");
    let older = dir.join("golden_run_pip_0.13.0");
    assert_eq!(
        call(&project, &older, &["asset", "list"]),
        "tiny                 fasta, fasta_child\n"
    );
    let digest = "8efd279ba03586b95b00922234980c73\n";
    assert_eq!(call(&project, &older, &["asset", "id", "tiny/fasta_child"]), digest);
}

#[test]
fn the_same_assets_have_the_same_digests() {
    let Some(dir) = fixtures("the_same_assets_have_the_same_digests", "refgenie") else { return };
    let run = dir.join("golden_run");
    let lab = super::lab();
    assert_eq!(std::fs::read_to_string(run.join("t.fa")).unwrap(), FASTA);
    let sizes = "chr1\t13\nchr2\t4\n";
    lab.write(&format!("fasta/{DIGEST}.fa"), FASTA);
    lab.write(&format!("fasta/{DIGEST}.chrom.sizes"), sizes);
    wake(&lab, &["asset", "add", "tiny/fasta:1.2.3-a", "--path", "fasta"]).run().success();
    let recorded = std::fs::read_to_string(run.join("genome_config.yaml")).unwrap();
    let digest = |asset: &str| {
        let at = recorded.find(&format!("          {asset}:\n")).unwrap();
        let line = recorded[at..].lines().find(|line| line.contains("asset_digest")).unwrap();
        format!("{}\n", line.split_whitespace().last().unwrap())
    };
    assert_eq!(printed(&lab, &["asset", "id", "tiny/fasta"]), digest("1.2.3-a"));
    for (tag, cores) in [("v9.9x-c4", "4"), ("custom.tag", "1"), ("b", "1")] {
        let dir = format!("report-{tag}");
        lab.write(&format!("{dir}/{DIGEST}.fa"), FASTA);
        lab.write(&format!("{dir}/{DIGEST}.chrom.sizes"), "");
        lab.write(&format!("{dir}/{DIGEST}.html"), std::fs::read(run.join("in.html")).unwrap());
        lab.write(
            &format!("{dir}/{DIGEST}_report.txt"),
            format!("{DIGEST} report {tag} {cores} 9.9x\n"),
        );
        let asset = format!("tiny/report:{tag}");
        wake(&lab, &["asset", "add", &asset, "--path", &dir]).run().success();
        assert_eq!(printed(&lab, &["asset", "id", &asset]), digest(tag), "{tag}");
    }
}
