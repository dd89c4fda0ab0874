//! Distinguishes the dialects.

use crate::json::{Json, Source, Value};
use crate::{Dialect, DocumentError, FormulaId, repeatr, warpforge};

/// A formula with its context, in one of the two dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `{"formula": {inputs, action, outputs}, "context": {fetchUrls, saveUrls}}`.
    Repeatr(repeatr::Document),
    /// `{"formula": {"formula.v1": …}, "context": {"context.v1": …}}`.
    Warpforge(warpforge::Document),
}

impl Document {
    /// Parses JSON that may have commas before closing brackets and none between items, as published formulas do. `file` is
    /// for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, DocumentError> {
        let source = Source::new(text, file);
        let root = source.parse()?;
        let formula = root.member("formula");
        if root.member("formula.v1").is_some()
            || formula.is_some_and(|f| f.member("formula.v1").is_some())
        {
            return warpforge::Document::read(&source, &root).map(Document::Warpforge);
        }
        if let Some((what, hint)) = other_kind(&root) {
            let message = format!("this is {what}, not a formula");
            return Err(source.error_with_hint(root.at, message, hint));
        }
        if formula.is_some_and(lacks_capsule) {
            let message = "this is a warpforge formula without its capsule `formula.v1`";
            let hint = "write `{\"formula\": {\"formula.v1\": {…}}}`";
            return Err(source.error_with_hint(root.at, message, hint));
        }
        repeatr::Document::read(&source, &root).map(Document::Repeatr)
    }

    /// Returns the dialect that it is written in.
    pub fn dialect(&self) -> Dialect {
        match self {
            Document::Repeatr(_) => Dialect::Repeatr,
            Document::Warpforge(_) => Dialect::Warpforge,
        }
    }

    /// Returns the identity of the formula.
    pub fn id(&self) -> FormulaId {
        match self {
            Document::Repeatr(document) => document.formula.clone().cradle().id(),
            Document::Warpforge(document) => document.formula.id(),
        }
    }

    /// Returns the document in canonical form, with a newline at the end; its formula keeps its id.
    pub fn format(&self) -> String {
        let value = match self {
            Document::Repeatr(document) => document.written(),
            Document::Warpforge(document) => document.written(),
        };
        crate::json::pretty(&value, "  ") + "\n"
    }
}

/// Returns what kind a document is that is not a formula, and a remedy, if it is recognised.
fn other_kind(root: &Json) -> Option<(&'static str, &'static str)> {
    const ONE_STEP: &str =
        "give a formula instead: one step of a plot or module, with its wares bound";
    const NOTHING: &str = "give a formula instead: there is no computation in this document";
    let has = |key: &str| root.member(key).is_some();
    let begins = |lead: &str| match &root.value {
        Value::Object(members) => members.iter().any(|member| member.key.starts_with(lead)),
        _ => false,
    };
    if begins("plot.v") {
        return Some(("a warpforge plot", ONE_STEP));
    }
    if begins("module.v") {
        return Some(("a warpforge module", NOTHING));
    }
    if begins("catalog") || begins("mirroring.v") || has("releases") && has("metadata") {
        return Some(("a warpforge catalog file", NOTHING));
    }
    if has("imports") && has("steps") || has("steps") && has("exports") {
        return Some(("a reach module", ONE_STEP));
    }
    if has("steps") && has("outputs") {
        return Some(("a warpforge plot without its capsule `plot.v1`", ONE_STEP));
    }
    if has("guid") && has("formulaID") {
        return Some(("a run record", "give the formula instead, which the record names"));
    }
    if has("action") && !has("formula") {
        let hint = "write `{\"formula\": {…}}` around it";
        return Some(("a bare formula", hint));
    }
    None
}

/// Returns whether a formula is in warpforge's form.
fn lacks_capsule(formula: &Json) -> bool {
    let members = |key: &str| match formula.member(key).map(|json| &json.value) {
        Some(Value::Object(members)) => members.as_slice(),
        _ => &[],
    };
    let is_ware =
        |json: &Json| matches!(&json.value, Value::Text(text) if text.starts_with("ware:"));
    let takes = |json: &Json| json.member("from").is_some();
    let runs = |key: &str| key == "script" || key == "echo";
    let action = members("action").iter();
    members("inputs").iter().any(|input| is_ware(&input.value) || input.key.starts_with('$'))
        || members("outputs").iter().any(|output| takes(&output.value))
        || action.into_iter().any(|one| {
            runs(&one.key) || one.key == "exec" && matches!(one.value.value, Value::Object(_))
        })
}
