//! Formulas as targets of `wake build`, `plan`, `why` and `log`, where they behave like modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use wake_tests::expect;

use crate::bed::{Bed, record, unchanged};

const SCRIPT: &str = "echo heard $WHO; mkdir -p out; echo $WHO > out/who";

fn greeting(bed: &Bed, who: &str) {
    let document = bed.formula(SCRIPT, |d| d["formula"]["action"]["env"] = json!({"WHO": who}));
    bed.project.write("f.json", document.to_string());
}

#[test]
fn a_formula_is_built_cached_and_explained() {
    let Some(bed) = Bed::new("a_formula_is_built_cached_and_explained") else { return };
    let wake = |args: &[&str]| bed.project.wake(args.iter().copied()).run().success();
    greeting(&bed, "you");
    assert!(wake(&["plan", "f.json"]).stdout.starts_with("run     f.json  never built here"));
    wake(&["build", "f.json", "--profile", "trace.json"]).mentions("Finished 1 action");
    let trace = fs::read_to_string(bed.project.path("trace.json")).unwrap();
    assert!(trace.contains("\"f.json\"") && trace.contains("\"set-up\""), "{trace}");
    assert_eq!(wake(&["log", "-o", "f.json"]).stdout, "heard you\n");
    wake(&["build", "f.json"]).mentions("1 action, all cached");
    // The outputs are in the store, and nothing else is needed.
    let printed = wake(&["build", "f.json", "--print"]).stdout;
    let packed = fs::metadata(printed.trim()).unwrap();
    assert!(packed.len() > 0, "{printed}");
    assert_eq!(
        wake(&["why", "f.json"]).stdout,
        "f.json has had the same key since it was first built here\n"
    );

    greeting(&bed, "her");
    assert!(wake(&["plan", "f.json"]).stdout.starts_with("run     f.json  changed env WHO"));
    let expected = "f.json would run because of: changed env WHO\n  changed env.WHO  \"you\" -> \"her\"\n  unchanged: 20 other fields\n";
    assert_eq!(wake(&["why", "f.json"]).stdout, expected);
    wake(&["build", "f.json"]);
    assert_eq!(wake(&["why", "f.json"]).stdout, expected.replace("would run", "ran last"));
    assert_eq!(wake(&["log", "-o", "f.json"]).stdout, "heard her\n");
    // `wake formula run` would have run the same command.
    wake(&["formula", "run", "f.json"]).mentions("Cached");
    bed.project.wake(["build", "f.json", "--config", "a=1"]).run().code(2).says(expect![[r#"
        error: `--config` does not apply to formulas
         help: omit `--config`, or edit the formula
    "#]]);
}

#[test]
fn a_failed_formula_is_shown_like_any_step() {
    let Some(bed) = Bed::new("a_failed_formula_is_shown_like_any_step") else { return };
    let document = bed.formula("echo oh >&2; exit 3", unchanged);
    bed.project.write("f.json", document.to_string());
    let failed = bed.project.wake(["build", "f.json"]).run().code(1);
    failed.mentions("FAIL f.json (exit 3").mentions("  | oh\n").mentions("log: wake log -o f.json");
    let log = bed.project.wake(["log", "-o", "f.json"]).run().success();
    assert_eq!(log.stdout, "oh\n");
}

/// Each waits for the other: neither ends unless both run.
#[test]
fn several_formulas_run_at_once() {
    let Some(bed) = Bed::new("several_formulas_run_at_once") else { return };
    fs::create_dir(bed.project.path("meet")).unwrap();
    fs::set_permissions(bed.project.path("meet"), fs::Permissions::from_mode(0o777)).unwrap();
    let meet = bed.project.path("meet").display().to_string();
    for (own, other) in [("a", "b"), ("b", "a")] {
        let script = format!(
            "echo > /meet/{own}; n=0; until [ -e /meet/{other} ]; do n=$((n+1)); \
             [ $n -lt 300 ] || exit 3; sleep 0.1; done"
        );
        let document = bed.formula(&script, |d| {
            d["formula"]["inputs"]["/meet"] = json!(format!("mount:rw:{meet}"));
            d["formula"]["outputs"] = json!({});
        });
        bed.project.write(&format!("{own}.json"), document.to_string());
    }
    bed.project.wake(["formula", "run", "--jobs", "2", "a.json", "b.json"]).run().success();
    let runs = bed.project.wake(["log", "--formulas", "--json"]).run().success().stdout;
    let runs: Vec<Value> = serde_json::from_str(&runs).unwrap();
    assert_eq!(runs.len(), 2);
}

#[test]
fn a_result_that_cannot_be_saved_fails_the_build() {
    let Some(bed) = Bed::new("a_result_that_cannot_be_saved_fails_the_build") else { return };
    let document = bed.formula("mkdir out", |d| {
        d["context"]["saveUrls"] = json!({"/task/out": "ca+file://./saved"});
    });
    fs::create_dir(bed.project.path("saved")).unwrap();
    let made = record(&bed.run(&document, &[]).success());
    let ware = made["results"]["/task/out"].as_str().unwrap();
    // A file in place of the directory for the ware.
    let hash = ware.strip_prefix("tar:").unwrap();
    fs::remove_dir_all(bed.project.path("saved")).unwrap();
    bed.project.write(&format!("saved/{}", &hash[..3]), "in the way");
    let failed = bed.project.wake(["build", "f.json"]).run().code(10);
    failed.mentions("error: f.json: output `/task/out`");
    fs::remove_dir_all(bed.project.path("saved")).unwrap();
    fs::create_dir(bed.project.path("saved")).unwrap();
    bed.project.wake(["build", "f.json"]).run().success().mentions("all cached");
    assert!(bed.project.path("saved").join(&hash[..3]).is_dir());
}

#[test]
fn a_build_killed_at_any_moment_loses_nothing() {
    let Some(bed) = Bed::new("a_build_killed_at_any_moment_loses_nothing") else { return };
    greeting(&bed, "you");
    let expected = record(&bed.project.wake(["formula", "run", "f.json"]).run().success());
    for moment in 0..12 {
        // Each formula differs, so that there is something to do.
        greeting(&bed, &format!("number {moment}"));
        let mut child = bed.project.wake(["formula", "run", "f.json"]).spawn();
        std::thread::sleep(Duration::from_millis(moment * 9));
        child.kill().unwrap();
        child.wait().unwrap();
        bed.project.wake(["formula", "run", "f.json"]).run().success();
    }
    greeting(&bed, "you");
    let again = bed.project.wake(["formula", "run", "f.json"]).run().success();
    assert_eq!(record(&again.mentions("Cached")), expected);
    bed.project.wake(["store", "verify"]).run().success();
    let logged = bed.project.wake(["log", "--formulas", "--json"]).run().success().stdout;
    let logged: Vec<Value> = serde_json::from_str(&logged).unwrap();
    // A killed run may have no result, but no record is lost.
    assert!(logged.iter().any(|run| run["guid"] == expected["guid"]), "{logged:?}");
}
