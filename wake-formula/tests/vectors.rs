//! The vectors of `spec/formulas.md`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use serde_json::Value;
use wake_formula::{Dialect, Document, FormulaRecord};

const SEED: &str = r#"{
  "formula": {
    "inputs": {"/": "tar:6q7G4hWr283FpTa5Lf8heVqw9t97b5VoMU6AGszuBYAz9EzQdeHVFAou7c4W9vFcQ6"},
    "action": {"exec": ["/bin/mkdir", "-p", "/task/out/beep"]},
    "outputs": {"/task/out": {"packtype": "tar"}}
  }
}"#;

fn published_record() -> FormulaRecord {
    let id = Document::parse(SEED, "seed").unwrap().id();
    let mut record = FormulaRecord {
        guid: "cyrw3c3f-00000000-00000000".to_owned(),
        time: 1_544_875_520,
        formula_id: id.to_string(),
        exit_code: 0,
        results: Default::default(),
        hostname: None,
        metadata: Default::default(),
    };
    let out = "tar:729LuUdChuu7traKQHNVAoWD9AjmrdCY4QUquhU6sPeRktVKrHo4k4cSaiQ523Nn4D";
    record.results.insert("/task/out".to_owned(), out.parse().unwrap());
    record
}

#[test]
fn the_published_formula() {
    let id = "9mb9Nixx2M5FoxVJgQtYzn1QvtQdM1TZjZeC4QGSjUCXbHVdAD3v91JWPjZXGkTKD6";
    assert_eq!(Document::parse(SEED, "seed").unwrap().id().as_str(), id);
}

#[test]
fn the_result_id_is_that_of_the_outcome() {
    let mut record = published_record();
    let id = "g4KCU9fAjgwUKqhRcsBH4QtcFQ4wVdqopXnh8FBSFtdQDDwkdiKquRnmdY5UcMuT5";
    assert_eq!(record.result_id(), id);
    record.time += 1;
    record.guid = "other".to_owned();
    record.hostname = Some("machine".to_owned());
    assert_eq!(record.result_id(), id);
    record.exit_code = 1;
    assert_ne!(record.result_id(), id);
}

#[test]
fn records_are_printed_as_each_program_prints_them() {
    let mut record = published_record();
    record.guid = "cyrw3c3f-k9hag7xm-53wcy9b5".to_owned();
    let repeatr = "{\n    \"guid\": \"cyrw3c3f-k9hag7xm-53wcy9b5\",\n    \"time\": 1544875520,\n    \"formulaID\": \
                   \"9mb9Nixx2M5FoxVJgQtYzn1QvtQdM1TZjZeC4QGSjUCXbHVdAD3v91JWPjZXGkTKD6\",\n    \"exitCode\": 0,\n    \
                   \"results\": {\n        \"/task/out\": \
                   \"tar:729LuUdChuu7traKQHNVAoWD9AjmrdCY4QUquhU6sPeRktVKrHo4k4cSaiQ523Nn4D\"\n    }\n}";
    assert_eq!(record.to_json(Dialect::Repeatr), repeatr);
    for dialect in [Dialect::Repeatr, Dialect::Warpforge] {
        assert_eq!(FormulaRecord::parse(&record.to_json(dialect), "record").unwrap(), record);
    }
}

#[test]
fn results_have_the_ids_that_a_second_implementation_gives_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/run_record.json");
    let content: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for case in content["cases"].as_array().unwrap() {
        let mut record = case["record"].clone();
        record["guid"] = "cyrw3c3f-6z6fkz2a-8cz5bvvv".into();
        record["time"] = 1_544_875_520.into();
        let record = FormulaRecord::parse(&record.to_string(), "vector").unwrap();
        assert_eq!(record.result_id(), case["id"], "{}", case["name"]);
    }
}
