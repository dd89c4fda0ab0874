//! Published formula ids and documents.
//!
//! The inputs are fixtures outside this repository: `WAKE_FIXTURES`, else `../shared/fixtures` beside the checkout.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use wake_formula::{Dialect, Document, FormulaRecord};
use wake_tests::fixtures;

fn cases(dir: &Path, kind: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_json::from_slice(&fs::read(dir.join("hashes.json")).unwrap()).unwrap();
    let cases: Vec<Value> = all.into_iter().filter(|case| case["kind"] == kind).collect();
    assert!(!cases.is_empty(), "no case of kind `{kind}`");
    cases
}

fn id_of(text: &str) -> String {
    Document::parse(text, "case").unwrap().id().to_string()
}

/// The canonical text of a document has the identity of the document and is its own canonical text.
fn assert_format_keeps_the_id(text: &str) {
    let document = Document::parse(text, "case").unwrap();
    let formatted = document.format();
    let again = Document::parse(&formatted, "formatted").unwrap();
    assert_eq!(again, document);
    assert_eq!(again.id(), document.id());
    assert_eq!(again.format(), formatted);
}

#[test]
fn published_formula_ids() {
    let Some(dir) = fixtures("published_formula_ids", "timeless") else { return };
    for case in cases(&dir, "formulaID") {
        let text = json!({ "formula": case["input"]["formula"] }).to_string();
        assert_eq!(id_of(&text), case["expected"].as_str().unwrap(), "{}", case["source"]);
        assert_format_keeps_the_id(&text);
    }
}

#[test]
fn published_cids() {
    let Some(dir) = fixtures("published_cids", "timeless") else { return };
    for case in cases(&dir, "warpforge CID") {
        let text = json!({ "formula": { "formula.v1": case["input"]["formula"] } }).to_string();
        assert_eq!(id_of(&text), case["expected"].as_str().unwrap(), "{}", case["source"]);
        assert_format_keeps_the_id(&text);
    }
}

#[test]
fn the_example_and_its_record() {
    let Some(dir) = fixtures("the_example_and_its_record", "timeless") else { return };
    let formula = fs::read_to_string(dir.join("example1.formula")).unwrap();
    let text = fs::read_to_string(dir.join("example1.runrecord")).unwrap();
    let record = FormulaRecord::parse(&text, "example1.runrecord").unwrap();
    assert_eq!(id_of(&formula), record.formula_id);
    assert_eq!(record.to_json(Dialect::Repeatr), text.trim_end());
}

#[test]
fn published_documents_are_read() {
    let Some(dir) = fixtures("published_documents_are_read", "timeless") else { return };
    let mut read = 0;
    for entry in fs::read_dir(dir.join("repeatr")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // One of them is of an older schema, in another language.
        if !text.trim_start().starts_with('{') {
            continue;
        }
        assert_format_keeps_the_id(&text);
        read += 1;
    }
    assert!(read > 0);
}

#[test]
fn absent_and_empty_outputs_are_two_formulas() {
    let text =
        |outputs: &str| format!(r#"{{"formula": {{"inputs": {{}}, "action": {{}}{outputs}}}}}"#);
    assert_ne!(id_of(&text("")), id_of(&text(r#", "outputs": {}"#)));
}

#[test]
fn the_context_is_no_part_of_the_identity() {
    let text = |context: &str| {
        format!(
            r#"{{"formula": {{"inputs": {{"/": "tar:6q7G"}}, "action": {{"exec": ["/x"]}}}}{context}}}"#
        )
    };
    let with = text(r#", "context": {"fetchUrls": {"/": ["file:///x"]}}"#);
    assert_eq!(id_of(&with), id_of(&text("")));
}

#[test]
fn both_spellings_of_filters_are_one_formula() {
    let text = |key: &str| {
        format!(
            r#"{{"formula": {{"action": {{}}, "outputs": {{"/o": {{"packtype": "tar", "{key}": {{"uid": "keep"}}}}}}}}}}"#
        )
    };
    assert_eq!(id_of(&text("filter")), id_of(&text("filters")));
    assert_ne!(id_of(&text("filter")), id_of(&text("filters").replace("keep", "7")));
}

/// Verified with repeatr, which hashes paths as written.
#[test]
fn each_spelling_of_a_path_is_another_identity() {
    let with = |formula: &str| id_of(&format!(r#"{{"formula": {{{formula}}}}}"#));
    let input = |path: &str| with(&format!(r#""inputs": {{"{path}": "tar:a"}}, "action": {{}}"#));
    let output = |path: &str| {
        with(&format!(r#""action": {{}}, "outputs": {{"{path}": {{"packtype": "tar"}}}}"#))
    };
    let cwd = |path: &str| with(&format!(r#""action": {{"cwd": "{path}"}}"#));
    let home = |path: &str| with(&format!(r#""action": {{"userinfo": {{"homedir": "{path}"}}}}"#));
    for of in [&input as &dyn Fn(&str) -> String, &output, &cwd, &home] {
        let ids: std::collections::BTreeSet<String> = ["/u", "/u/", "//u", "/./u"].map(of).into();
        assert_eq!(ids.len(), 4);
    }
    // An empty text counts as absent.
    assert_eq!(cwd(""), with(r#""action": {}"#));
    assert_eq!(home(""), with(r#""action": {}"#));
}

#[test]
fn every_field_of_an_action_changes_the_id() {
    let with = |action: &str| id_of(&format!(r#"{{"formula": {{"action": {{{action}}}}}}}"#));
    let actions = [
        "",
        r#""exec": ["/x"]"#,
        r#""exec": ["/x", ""]"#,
        r#""noop": true"#,
        r#""policy": "sysad""#,
        r#""cwd": "/w""#,
        r#""env": {"A": "b"}"#,
        r#""userinfo": {"uid": 0}"#,
        r#""userinfo": {"gid": 0}"#,
        r#""userinfo": {"username": "x"}"#,
        r#""userinfo": {"homedir": "/h"}"#,
        r#""cradle": "disable""#,
        r#""hostname": "h""#,
    ];
    let ids: std::collections::BTreeSet<String> =
        actions.iter().map(|action| with(action)).collect();
    assert_eq!(ids.len(), actions.len());
    // Writing a default explicitly changes nothing.
    assert_eq!(with(r#""cwd": "/task", "userinfo": {"uid": 1000}"#), with(""));
}
