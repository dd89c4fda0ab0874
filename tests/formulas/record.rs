//! Runs, and their cached records.

use std::fs;

use serde_json::{Value, json};
use wake_tests::expect;

use crate::bed::{Bed, record, unchanged};

#[test]
fn a_formula_runs_once_and_its_record_is_cached() {
    let Some(bed) = Bed::new("a_formula_runs_once_and_its_record_is_cached") else { return };
    let document = bed.formula("mkdir -p /task/out && echo made >&2", unchanged);
    let first = bed.run(&document, &[]).success().mentions("made\n");
    let made = record(&first);
    let id = bed.project.wake(["formula", "id", "f.json"]).run().success().stdout;
    assert_eq!(made["formulaID"], id.trim());
    assert_eq!(made["exitCode"], 0);
    let keys: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["exitCode", "formulaID", "guid", "results", "time"]);
    // Without the warehouse: cached records need none.
    fs::rename(bed.project.path("warehouse"), bed.project.path("gone")).unwrap();
    let second = bed.run(&document, &[]).success().mentions("Cached");
    assert_eq!(record(&second), made);
    // The ware is now in the store's cache.
    let again = record(&bed.run(&document, &["--rerun"]).success().mentions("made\n"));
    assert_ne!(again["guid"], made["guid"]);
    let listed = bed.project.wake(["log", "--formulas"]).run().success().stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let guid = made["guid"].as_str().unwrap();
    let kept = record(&bed.project.wake(["log", "--formulas", guid]).run().success());
    assert_eq!((&kept["results"], &kept["exitCode"]), (&made["results"], &made["exitCode"]));
    let remarks = kept["metadata"].as_object().unwrap();
    for key in ["wall_us", "user_us", "peak_bytes", "sandbox", "host", "hermetic", "stderr"] {
        assert!(remarks.contains_key(&format!("wake.{key}")), "{kept}");
    }
    bed.project.wake(["log", "--formulas", "zz"]).run().code(4);
    assert_eq!(again["results"], made["results"]);
    let elsewhere = bed.project.base().join("another-store");
    let finished = bed.project.wake(["formula", "run", "f.json"]).store(elsewhere).run();
    finished.code(3).mentions("rio-warehouse-unavailable");
}

#[test]
fn a_formula_of_warpforge_runs() {
    let Some(bed) = Bed::new("a_formula_of_warpforge_runs") else { return };
    let document = json!({
        "formula": {"formula.v1": {
            "inputs": {
                "/": format!("ware:{}", bed.root),
                "/lit/hello": "literal:hello\n",
                "$WHO": "literal:you",
            },
            "action": {"script": {"interpreter": "/bin/sh", "contents": ["mkdir /out", "cat /lit/hello > /out/log; echo $WHO >> /out/log"]}},
            "outputs": {"log": {"from": "/out/log", "packtype": "tar"}},
        }},
        "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://./warehouse"}}},
    });
    let record = record(&bed.run(&document, &[]).success());
    assert_eq!(record["exitcode"], 0);
    bed.project.write("log", "hello\nyou\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(bed.project.path("log"), mode).unwrap();
    let filters = "uid=0,gid=0";
    let id = bed.project.wake(["ware", "id", "tar", "log", "--filters", filters]).run().success();
    assert_eq!(record["results"]["log"], format!("ware:{}", id.stdout.trim()));
}

#[test]
fn relative_addresses_start_in_the_working_directory() {
    let Some(bed) = Bed::new("relative_addresses_start_in_the_working_directory") else { return };
    let document = bed.formula("mkdir -p /task/out", unchanged);
    bed.project.write("below/f.json", document.to_string());
    bed.project.wake(["formula", "run", "below/f.json"]).run().success();
    let elsewhere = bed.project.wake(["formula", "run", "--rerun", "f.json"]);
    let store = bed.project.base().join("another-store");
    let elsewhere = elsewhere.cwd(bed.project.path("below")).store(store);
    elsewhere.run().code(3).mentions("/below/warehouse");
}

#[test]
fn a_failed_command_has_a_record_but_is_not_cached() {
    let Some(bed) = Bed::new("a_failed_command_has_a_record_but_is_not_cached") else { return };
    for (script, code) in [("mkdir -p out; exit 3", 3), ("mkdir -p out; kill -9 $$", 137)] {
        let document = bed.formula(script, unchanged);
        let mut guids = Vec::new();
        for _ in 0..2 {
            let record = record(&bed.run(&document, &[]).code(32));
            assert_eq!(record["exitCode"], code);
            assert_ne!(record["results"]["/task/out"], "tar:-", "outputs are packed even so");
            guids.push(record["guid"].clone());
        }
        assert_ne!(guids[0], guids[1]);
    }
}

#[test]
fn a_formula_whose_outputs_cannot_be_saved_is_not_run() {
    let Some(bed) = Bed::new("a_formula_whose_outputs_cannot_be_saved_is_not_run") else { return };
    let to = |url: &str| {
        bed.formula("echo ran; mkdir out", |d| d["context"]["saveUrls"] = json!({"/task/out": url}))
    };
    let finished = bed.run(&to("ca+file:///no/where"), &["-q"]).code(3);
    finished.says(expect![[r#"
        error: output `/task/out`: warehouse `ca+file:///no/where` is unavailable: `/no/where` is not a directory
         = note: category rio-warehouse-unavailable, exit code 3
    "#]]);
    let finished = bed.run(&to("https://127.0.0.1/"), &["-q"]).code(4);
    finished.says(expect![[r#"
        error: output `/task/out`: warehouse `https://127.0.0.1/` cannot be written: only `file://` and `ca+file://` can be written
         = note: category rio-warehouse-unwritable, exit code 4
    "#]]);
    assert!(!bed.project.wake(["log", "--formulas"]).run().stdout.contains("failed"));
}

#[test]
fn a_command_whose_outputs_cannot_be_kept_leaves_a_record() {
    let Some(bed) = Bed::new("a_command_whose_outputs_cannot_be_kept_leaves_a_record") else {
        return;
    };
    let document = bed.formula("mkdir out; touch out/\"$(printf '\\377')\"", unchanged);
    let mut records = 0;
    // It is not cached either.
    for _ in 0..2 {
        let finished = bed.run(&document, &["-q"]).code(11);
        assert_eq!(finished.stdout, "");
        let listed = bed.project.wake(["log", "--formulas"]).run().success().stdout;
        records += 1;
        assert_eq!(listed.lines().count(), records, "{listed}");
        let guid = listed.split_whitespace().next().unwrap();
        let kept = record(&bed.project.wake(["log", "--formulas", guid]).run().success());
        assert_eq!((&kept["exitCode"], &kept["results"]), (&json!(0), &json!({})));
        let fault = "`task/out/\u{fffd}` has a name that is not UTF-8";
        assert_eq!(kept["metadata"]["wake.faults"], fault);
    }
}

#[test]
fn concurrent_runs_of_one_formula_do_not_interfere() {
    let Some(bed) = Bed::new("concurrent_runs_of_one_formula_do_not_interfere") else { return };
    let document = bed.formula("mkdir out; sleep 0.2; echo x > out/f", unchanged);
    bed.project.write("f.json", document.to_string());
    let start = || bed.project.wake(["formula", "run", "f.json"]).spawn();
    let runs: Vec<Value> = [start(), start(), start()]
        .map(|child| child.wait_with_output().unwrap())
        .iter()
        .map(|output| serde_json::from_slice(&output.stdout).unwrap())
        .collect();
    assert_eq!(runs[0]["results"], runs[1]["results"]);
    assert_eq!(runs[0]["results"], runs[2]["results"]);
}

#[test]
fn an_input_altered_in_the_store_is_unpacked_again() {
    let Some(bed) = Bed::new("an_input_altered_in_the_store_is_unpacked_again") else { return };
    let document = bed.formula("cat /bin/note", unchanged);
    bed.run(&document, &[]).code(32);
    let hash = bed.root.strip_prefix("tar:").unwrap();
    let place = bed.project.store().join("ware/tar/fileset");
    let place = place.join(&hash[..3]).join(&hash[3..6]).join(hash);
    assert!(place.join("bin").is_dir());
    fs::write(place.join("bin/note"), "planted\n").unwrap();
    let run = bed.run(&document, &[]).code(32);
    assert!(run.stderr.contains("was modified in the store"), "{run}");
    assert!(!run.stderr.contains("planted"), "{run}");
    assert!(!place.join("bin/note").exists());
    let again = bed.run(&document, &[]).code(32).stderr;
    assert!(!again.contains("modified") && !again.contains("unpacking"), "{again}");
}
