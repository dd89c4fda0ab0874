//! Events while a formula runs, and at its end.

use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::bed::{Bed, unchanged};

/// The command waits for a file that the test creates after it has received the first line.
#[test]
fn command_output_is_reported_while_it_runs() {
    let Some(bed) = Bed::new("command_output_is_reported_while_it_runs") else { return };
    bed.project.write("host/f", "");
    let host = bed.project.path("host").display().to_string();
    let script = "echo first; n=0; until [ -e /host/heard ]; do n=$((n+1)); [ $n -lt 300 ] || exit 3; \
                  sleep 0.1; done; echo second; printf third";
    let document = bed.formula(script, |d| {
        d["formula"]["inputs"]["/host"] = json!(format!("mount:ro:{host}"));
        d["formula"]["outputs"] = json!({});
    });
    bed.project.write("f.json", document.to_string());
    for format in ["text", "json"] {
        let _ = fs::remove_file(bed.project.path("host/heard"));
        let run = ["-q", "formula", "run", "f.json", "--format", format];
        let mut child = bed.project.wake(run).spawn();
        let mut lines: Box<dyn Iterator<Item = String>> = match format {
            "text" => {
                Box::new(BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap))
            }
            _ => Box::new(BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)),
        };
        let mut said = Vec::new();
        let is_first = |line: &String| line == "first" || line.contains("\"msg\":\"first");
        while !said.last().is_some_and(is_first) {
            said.push(lines.next().expect("nothing is reported before the command ends"));
        }
        bed.project.write("host/heard", "");
        said.extend(lines);
        assert!(child.wait().unwrap().success(), "{said:?}");
        if format == "text" {
            assert_eq!(said, ["first", "second", "third"]);
        } else {
            let texts: Vec<String> = said
                .iter()
                .filter_map(|line| {
                    let event: Value = serde_json::from_str(line).unwrap();
                    Some(event["txt"]["msg"].as_str()?.to_owned())
                })
                .collect();
            assert_eq!(texts, ["first\n", "second\n", "third"]);
        }
    }
}

#[test]
fn the_last_event_is_the_result() {
    let Some(bed) = Bed::new("the_last_event_is_the_result") else { return };
    let finished = bed.run(&bed.formula("echo said", unchanged), &["--format", "json"]).success();
    assert_eq!(finished.stderr, "");
    let events: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["txt"]["msg"] == "said\n"));
    assert!(events.iter().any(|event| event["log"]["lvl"] == 2));
    let result = &events.last().unwrap()["result"];
    assert_eq!((&result["runRecord"]["exitCode"], &result["error"]), (&json!(0), &Value::Null));
    let wrong = bed.formula("", |d| d["formula"]["action"]["exec"] = json!(["sh"]));
    let finished = bed.run(&wrong, &["--format", "json"]).code(40);
    let last: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["result"]["error"]["category"], "repeatr-job-invalid");
}

#[test]
fn a_formula_that_could_not_finish_has_a_record_and_an_error() {
    let Some(bed) = Bed::new("a_formula_that_could_not_finish_has_a_record_and_an_error") else {
        return;
    };
    let absent = bed.formula("", |d| {
        d["context"]["fetchUrls"]["/"] = json!(["ca+file:///nowhere"]);
    });
    let network = json!({"formula": {"formula.v1": {"inputs": {}, "outputs": {},
        "action": {"exec": {"command": ["/x"], "network": true}}}}});
    let faulty = bed.formula("mkdir out; /bin/busybox mkfifo out/p", |d| {
        d["formula"]["outputs"]["/task/out"]["packtype"] = json!("zip");
    });
    for (document, code, category, exit_key) in [
        (&absent, 3, "rio-warehouse-unavailable", "exitCode"),
        (&network, 1, "repeatr-usage-error", "exitcode"),
        (&faulty, 11, "rio-pack-invalid", "exitCode"),
    ] {
        let finished = bed.run(document, &["--format", "json"]).code(code);
        let last: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
        let (record, error) = (&last["result"]["runRecord"], &last["result"]["error"]);
        assert_eq!(error["category"], category);
        let id = bed.project.wake(["formula", "id", "f.json"]).run().success().stdout;
        assert_eq!((&record[exit_key], &record["formulaID"]), (&json!(-1), &json!(id.trim())));
        assert_eq!(record["results"], json!({}));
        assert_eq!(record["guid"].as_str().unwrap().len(), 26);
        assert!(record["time"].as_i64().unwrap() > 1_500_000_000);
    }
}
