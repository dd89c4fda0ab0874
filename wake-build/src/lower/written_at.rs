//! Locates a part of a step in the user's sources.

use petgraph::graph::NodeIndex;
use serde_json::Value;
use wake_eval::{Literal, Read};
use wake_model::action::FieldValue;
use wake_steps::reason::Change;

use super::Lowering;
use crate::source_text::find_first;

impl Lowering<'_> {
    /// Returns the place of the new text of a field in what the step's evaluation read.
    pub(crate) fn place_of(&self, node: NodeIndex, change: &Change) -> Option<String> {
        let text = match change.new.as_ref()? {
            FieldValue::Text(text) => text.trim_end(),
            _ => return None,
        };
        let module = &self.plan.graph[node];
        let pkg = &self.instances.get(&module.pkg)?.place;
        let wanted = literals_to_find(text, change);
        let find = |reads: &[Read]| find_first(self.evaluator.files, pkg, reads, &wanted);
        find(&module.reads).or_else(|| find(&pkg_reads())).map(|place| place.to_string())
    }
}

/// Returns the text as a literal; for JSON on standard input, each scalar that differs.
fn literals_to_find(text: &str, change: &Change) -> Vec<Literal> {
    let mut wanted = vec![Literal::Text(text.to_owned())];
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    if change.group == "stdin" {
        let old = match &change.old {
            Some(FieldValue::Text(old)) => parse(old),
            _ => None,
        };
        if let Some(new) = parse(text) {
            differing(old.as_ref(), &new, &mut wanted);
        }
    }
    wanted
}

/// Returns the read of the package file, which every step depends on.
fn pkg_reads() -> Vec<Read> {
    let path = wake_model::place::PKG_FILE.parse().unwrap_or_default();
    let digest = Some(wake_model::BlobDigest::of(b""));
    vec![Read::File { path, digest }]
}

fn differing(old: Option<&Value>, new: &Value, wanted: &mut Vec<Literal>) {
    match new {
        Value::Object(fields) => {
            for (key, value) in fields {
                let before = old.and_then(|old| old.get(key));
                if before != Some(value) {
                    differing(before, value, wanted);
                    if let Value::Number(_) | Value::Bool(_) = value {
                        let (name, value) = (key.clone(), value.to_string());
                        wanted.push(Literal::Field { name, value });
                    }
                }
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                let before = old.and_then(|old| old.get(at));
                if before != Some(value) {
                    differing(before, value, wanted);
                }
            }
        }
        Value::String(text) => wanted.push(Literal::Text(text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
