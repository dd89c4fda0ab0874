//! A recorded run of refgenie, reproduced by wake from the same documents.

use std::path::Path;

use serde_json::Value;
use wake_tests::{Project, fixtures, project};

use crate::bed::{recipe, text};

/// The arguments of the recorded calls.
const BUILDS: [&[&str]; 4] = [
    &["tiny/fasta", "--files", "fasta=t.fa"],
    &["tiny/report", "--files", "html=in.html", "--params", "cores=4"],
    &["tiny/report:custom.tag", "--files", "html=in.html"],
    &["tiny/report:b", "--files", "html=in.html", "--assets", "fasta=tiny/fasta:1.2.3-a"],
];

#[test]
fn the_recorded_run_is_reproduced() {
    let Some(fixtures) = fixtures("the_recorded_run_is_reproduced", "refgenie") else { return };
    let run = fixtures.join("golden_run");
    let project = project().build();
    for file in ["t.fa", "in.html"] {
        std::fs::copy(run.join(file), project.path(file)).unwrap();
    }
    let config = ["genome", "init", "--genome-config", "g/genome_config.yaml"];
    let server = ["--genome-server", "http://refgenomes.databio.org"];
    project.wake(config.iter().chain(&server)).run().success();
    let document = |kind: &str, name: &str| format!("{}/defs/{name}_{kind}.yaml", run.display());
    for (kind, name) in [
        ("asset_class", "fasta"),
        ("asset_class", "report"),
        ("asset_recipe", "fasta"),
        ("asset_recipe", "report"),
    ] {
        recipe(&project, &["add", &document(kind, name)]).code(0);
    }
    for build in BUILDS {
        recipe(&project, &[&["build"], build, &["--rootfs", "host"]].concat()).code(0);
    }

    // The configuration contains everything that refgenie's does; wake's additions start with its name.
    let own = said(&text(&project.path("g/genome_config.yaml")), project.root());
    let recorded = said(&text(&run.join("genome_config.yaml")), Path::new("$DIR"));
    assert_eq!(own, recorded);
    // Every file and link, in data and alias directories.
    let recorded = text(&run.join("tree.txt"));
    let mut recorded: Vec<&str> = recorded.lines().collect();
    recorded.sort_unstable();
    let own = files(&project, "g");
    assert_eq!(own.iter().map(String::as_str).collect::<Vec<_>>(), recorded);
    // The build records, to the byte.
    for entry in std::fs::read_dir(run.join("build_json")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = own.iter().find(|file| file.contains("/data/") && file.ends_with(name));
        let own = text(&project.path(found.unwrap()));
        let own = own.replace(&project.root().display().to_string(), "$DIR/rgwork");
        let recorded = text(&path);
        assert_eq!(own.trim_end(), recorded.trim_end(), "{name}");
        // They are valid JSON.
        let _: Value = serde_json::from_str(&own).unwrap();
    }
}

/// The sorted lines of a configuration, without quotes, times and wake's own keys.
fn said(config: &str, dir: &Path) -> Vec<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = Vec::new();
    let mut own = None;
    for line in config.lines() {
        if own.is_some_and(|own| depth(line) > own) {
            continue;
        }
        own = line.trim_start().starts_with("wake_").then(|| depth(line));
        let is_moment = ["date_built", "asset_size"].iter().any(|key| line.contains(key));
        if own.is_none() && !is_moment && !line.trim().is_empty() {
            let line = line.trim().trim_start_matches("- ").replace(['"', '\''], "");
            lines.push(line.replace(&dir.display().to_string(), "$DIR"));
        }
    }
    lines.sort();
    lines
}

/// The files and links below a directory, without wake's own.
fn files(project: &Project, below: &str) -> Vec<String> {
    let script = format!("find {below} -name .wake -prune -o ! -type d -print | LC_ALL=C sort");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(project.root())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
