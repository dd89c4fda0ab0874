//! Why a step ran, or would: the fields of its action that differ, and where they come from.

use std::path::Path;

use petgraph::graph::NodeIndex;
use serde::Serialize;
use serde_json::Value;
use wake_model::RelPath;
use wake_model::action::FieldValue;

use super::View;
use super::root_change::RootCause;
use crate::diagnostic::{Failure, Place};
use crate::reason::{Change, changes, fields_of};
use crate::source_text::find_first;

/// Why a step ran, or would.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// How it is called.
    pub label: String,
    /// What it comes to, in one sentence.
    pub summary: String,
    /// The fields that differ, the first of them first.
    pub changes: Vec<WhyChange>,
    /// How many fields are the same.
    pub unchanged: usize,
}

/// One field that differs.
#[derive(Clone, Debug, Serialize)]
pub struct WhyChange {
    /// Its name, `env.CFLAGS`, `inputs.src/a.c`.
    pub field: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// The file of the checkout that it is, or where in the source its value stands.
    pub place: Option<String>,
    /// Why the module that it comes from ran.
    pub because: Option<Box<Why>>,
}

impl View<'_> {
    /// Why `node` ran last, or would run now.
    pub(crate) fn why(&self, node: NodeIndex) -> Result<Why, Failure> {
        let step = self.step(node);
        let label = step.label.clone();
        let nothing = |summary: String| Why {
            label: label.clone(),
            summary,
            changes: Vec::new(),
            unchanged: 0,
        };
        let waiting = self
            .planned
            .plan
            .needs(node)
            .into_iter()
            .map(NodeIndex::new)
            .find(|need| self.pins.done[need.index()].get().is_none());
        if let Some(need) = waiting {
            let inner = self.why(need)?;
            let change = WhyChange {
                field: format!("modules of {}", inner.label),
                old: None,
                new: None,
                place: None,
                because: Some(Box::new(inner)),
            };
            let summary = format!("{label} would be looked at after what it needs has run");
            return Ok(Why { label, summary, changes: vec![change], unchanged: 0 });
        }
        let Some(past) = self.checkout.history.get(&step.label) else {
            return Ok(nothing(format!("{label} was never built in this checkout")));
        };
        let action = self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))?.action;
        let key = action.digest();
        let (old_key, tense) = match past.last == key {
            true if past.before == past.last => {
                return Ok(nothing(format!(
                    "{label} has had the same key since it was first built here"
                )));
            }
            true => (past.before, "ran last"),
            false => (past.last, "would run"),
        };
        let store = &self.checkout.session.store;
        let Some(old) = fields_of(store, &old_key) else {
            return Ok(nothing(format!(
                "{label} {tense}; what it was compared with is gone from the store"
            )));
        };
        let new = action.fields();
        let found = changes(&old, &new);
        let unchanged =
            new.len().saturating_sub(found.iter().filter(|change| change.new.is_some()).count());
        let mut explained = Vec::new();
        for change in &found {
            explained.push(self.explain(node, change)?);
        }
        let summary = match found.first() {
            Some(first) => format!("{label} {tense} because of: {first}"),
            None => format!("{label} {tense}; no field differs"),
        };
        Ok(Why { label, summary, changes: explained, unchanged })
    }

    fn explain(&self, node: NodeIndex, change: &Change) -> Result<WhyChange, Failure> {
        let path = change.key.as_deref().and_then(|key| key.strip_prefix("work/"));
        let mut because = None;
        let mut place = None;
        match (change.group.as_str(), path) {
            ("inputs", Some(path)) => match path.strip_prefix(".wake/modules/") {
                Some(rest) => {
                    let id = rest.split('/').next().unwrap_or(rest);
                    if let Some(&dep) = self.planned.plan.by_id.get(id).filter(|&&dep| dep != node)
                    {
                        because = Some(Box::new(self.why(dep)?));
                    }
                }
                None => place = self.file_of(node, path),
            },
            ("rootfs", _) => RootCause { place, because } = self.root_cause(node, change)?,
            _ => place = self.value_place(node, change),
        }
        let field = match (&change.key, path) {
            (_, Some(path)) => format!("{}.{path}", change.group),
            (Some(key), None) => format!("{}.{key}", change.group),
            (None, None) => change.group.clone(),
        };
        let text = |value: &Option<FieldValue>| value.as_ref().map(ToString::to_string);
        Ok(WhyChange { field, old: text(&change.old), new: text(&change.new), place, because })
    }

    /// The file of the checkout that lies at `path` of a command's working directory.
    fn file_of(&self, node: NodeIndex, path: &str) -> Option<String> {
        let instances = &self.planned.instances;
        let (owner, below) = match path.strip_prefix(".wake/pkgs/") {
            Some(rest) => {
                let (key, below) = rest.split_once('/').unwrap_or((rest, ""));
                (instances.get(key)?, below)
            }
            None => {
                let step = self.step(node);
                (instances.get(step.decl.pkg_files_owner(&step.pkg))?, path)
            }
        };
        let below: RelPath = if below.is_empty() { RelPath::root() } else { below.parse().ok()? };
        let file = owner.dir.join(&below);
        Path::new(&self.checkout.files.absolute(&file)).exists().then(|| file.to_string())
    }

    /// Where the new text of a field stands in what the step's evaluation read.
    fn value_place(&self, node: NodeIndex, change: &Change) -> Option<String> {
        let text = match change.new.as_ref()? {
            FieldValue::Text(text) => text.trim_end(),
            _ => return None,
        };
        let step = self.step(node);
        let dir = &self.planned.instances.get(&step.pkg)?.dir;
        let wanted = self.texts_to_find(text, change);
        let Place { file, line, column, .. } =
            find_first(self.evaluator.files, dir, &step.reads, &wanted)
                .or_else(|| find_first(self.evaluator.files, dir, &self.pkg_reads(), &wanted))?;
        Some(format!("{file}:{line}:{column}"))
    }

    /// A literal of the text itself; for JSON on standard input, of each scalar that differs.
    fn texts_to_find(&self, text: &str, change: &Change) -> Vec<String> {
        let mut wanted = vec![format!("'{text}'"), format!("\"{text}\"")];
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

    /// The package file, which every step depends on.
    fn pkg_reads(&self) -> Vec<wake_eval::Read> {
        let path = crate::workspace::PKG_FILE.parse().unwrap_or_default();
        let digest = Some(wake_model::BlobDigest::of(b""));
        vec![wake_eval::Read::File { path, digest }]
    }
}

fn differing(old: Option<&Value>, new: &Value, wanted: &mut Vec<String>) {
    match new {
        Value::Object(fields) => {
            for (key, value) in fields {
                let before = old.and_then(|old| old.get(key));
                if before != Some(value) {
                    differing(before, value, wanted);
                    if let Value::Number(_) | Value::Bool(_) = value {
                        wanted.push(format!("{key}: {value}"));
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
        Value::String(text) => wanted.extend([format!("'{text}'"), format!("\"{text}\"")]),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
