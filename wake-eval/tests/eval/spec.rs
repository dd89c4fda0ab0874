//! The examples of `spec/jsonnet-api.md`: each Jsonnet block is evaluated and compared with the block after it.
//!
//! The first line of a Jsonnet block is a comment with the name of the file, or `expression`. A `json` block contains
//! the value, or some of its fields; a `text` block contains the complete error message.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use wake_eval::{Op, Request};

use crate::archive::Archive;
use crate::case::Dependencies;
use crate::{pool, trial};

/// One Jsonnet block and the block after it.
struct Example {
    line: usize,
    file: String,
    code: String,
    kind: String,
    expected: String,
}

pub(crate) fn trials() -> Vec<Trial> {
    let examples = examples(&std::fs::read_to_string(document()).unwrap());
    let number = examples.len();
    let mut trials: Vec<Trial> = examples
        .into_iter()
        .enumerate()
        .map(|(index, example)| {
            trial(format!("spec/line {}", example.line), move || check(index, &example))
        })
        .collect();
    trials.push(trial("spec/has examples", move || {
        if number >= 15 { Ok(()) } else { Err("too few".into()) }
    }));
    trials
}

/// Returns the files of the package for the example `root` (`DOCUMENT#NUMBER`).
pub(crate) fn archive(root: &Path) -> Option<Archive> {
    let (document, number) = root.to_str()?.split_once('#')?;
    let text = std::fs::read_to_string(document).ok()?;
    let example = examples(&text).into_iter().nth(number.parse().ok()?)?;
    let name = if example.file == "expression" { "unused" } else { example.file.as_str() };
    let others: String = FILES.iter().map(|file| format!("-- {file} --\nx\n")).collect();
    Some(Archive::parse(&format!("{others}-- {name} --\n{}", example.code)))
}

/// The files of the package in the examples, as described in the document.
const FILES: [&str; 8] = [
    "main.c",
    "src/a.c",
    "src/b.c",
    "src/b_test.c",
    "tool",
    "lib.libsonnet",
    "libs/zlib/PKG.libsonnet",
    "libs/zlib/zlib.h",
];

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/jsonnet-api.md")
}

fn examples(text: &str) -> Vec<Example> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((number + 1, kind.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, _, content)), None) => *content += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    let pairs = blocks.windows(2).filter(|pair| pair[0].1 == "jsonnet");
    pairs
        .map(|pair| Example {
            line: pair[0].0,
            file: pair[0].2.lines().next().unwrap().trim_start_matches("// ").to_owned(),
            code: pair[0].2.clone(),
            kind: pair[1].1.clone(),
            expected: pair[1].2.clone(),
        })
        .collect()
}

fn check(index: usize, example: &Example) -> Result<(), Failed> {
    let root = format!("{}#{index}", document().display()).into();
    let request = Request { pkg: "//".to_owned(), root, op: op(example) };
    let outcome = pool().evaluate(&request, &Dependencies::from_json(dependencies()));
    match example.kind.as_str() {
        "json" => shows(&serde_json::from_str(&example.expected)?, &crate::value(&outcome?)),
        "text" => match outcome {
            Err(error) if crate::render::plain(&error) == example.expected.trim_end() => Ok(()),
            Err(error) => Err(format!("the error is\n{}", crate::render::plain(&error)).into()),
            Ok(_) => Err("it succeeded".into()),
        },
        kind => Err(format!("a block of {kind} follows").into()),
    }
}

fn op(example: &Example) -> Op {
    match example.file.as_str() {
        "expression" => crate::expression(&example.code),
        "PKG.libsonnet" if example.code.contains("inputs=") => {
            Op::Inputs { pkg: wake_model::json::text(&own()) }
        }
        "PKG.libsonnet" => Op::Pkg,
        file => Op::Module {
            merge: false,
            file: Some(file.parse().unwrap()),
            name: "core".to_owned(),
            pkg: wake_model::json::text(&own()),
            config: None,
        },
    }
}

/// Compares the expected fields of an object.
fn shows(expected: &Value, found: &Value) -> Result<(), Failed> {
    let same = match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key) == Some(value))
        }
        _ => expected == found,
    };
    if same { Ok(()) } else { Err(format!("the value is\n{found:#}").into()) }
}

fn own() -> Value {
    json!({
        "key": "@app@1.0.0",
        "pkgInfo": {"name": "app", "version": "1.0.0", "namespace": null},
        "files": ["./main.c", "./src/a.c", "./src/b.c", "./tool"],
        "inputs": {"level": 3},
        "pkgs": {"zlib": "@zlib@1.3.1"},
        "modules": ["core", "lib"],
    })
}

fn dependencies() -> Value {
    let header = json!({"type": "file", "path": "./.wake/pkgs/@zlib@1.3.1/zlib.h", "from": null, "dump": false});
    let library = "./.wake/modules/@zlib@1.3.1@lib@0123456789abcdef/libz.a";
    json!({
        "pkgs": {"@zlib@1.3.1": {
            "key": "@zlib@1.3.1",
            "pkgInfo": {"name": "zlib", "version": "1.3.1", "namespace": null},
            "files": ["./.wake/pkgs/@zlib@1.3.1/zlib.h"],
            "inputs": {"level": 6, "header": header},
            "pkgs": {},
            "modules": ["lib"],
        }},
        "modules": [[
            {"type": "module", "pkg": "@zlib@1.3.1", "module": "lib", "config": {}},
            {
                "id": "@zlib@1.3.1@lib@0123456789abcdef",
                "inputs": {},
                "outputs": {
                    "lib": {"type": "file", "path": library, "from": null, "dump": false},
                    "flags": ["-lz"],
                },
            },
        ]],
        "libraries": {"@zlib@1.3.1": {
            "root": LIBRARY,
            "files": ["flags.libsonnet", "pack.sh", "rules.libsonnet"],
            "sources": [],
            "imports": [],
            "pkgs": {},
        }},
    })
}

/// The files of `zlib`, as described in the document.
const LIBRARY: &str = "-- flags.libsonnet --
{ debug: ['-g'], version: '1.3.1' }
-- rules.libsonnet --
{ packed(wake, name, file):: wake.module(name, exec=wake.exec(wake.own('./pack.sh'), args=[file])) }
-- pack.sh --
";
