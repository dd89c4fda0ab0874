//! Tells the dialects apart.

use crate::json::Source;
use crate::{DocumentError, FormulaId, repeatr, warpforge};

/// A formula with its context, in one of the two dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `{"formula": {inputs, action, outputs}, "context": {fetchUrls, saveUrls}}`.
    Repeatr(repeatr::Document),
    /// `{"formula": {"formula.v1": …}, "context": {"context.v1": …}}`.
    Warpforge(warpforge::Document),
}

impl Document {
    /// Reads JSON that may have commas before closing brackets, as published formulas do. `file` is for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, DocumentError> {
        let source = Source::new(text, file);
        let root = source.parse()?;
        let formula = root.member("formula");
        if root.member("formula.v1").is_some()
            || formula.is_some_and(|f| f.member("formula.v1").is_some())
        {
            return warpforge::Document::read(&source, &root).map(Document::Warpforge);
        }
        repeatr::Document::read(&source, &root).map(Document::Repeatr)
    }

    /// The identity of the formula.
    pub fn id(&self) -> FormulaId {
        match self {
            Document::Repeatr(document) => document.formula.clone().cradle().id(),
            Document::Warpforge(document) => document.formula.id(),
        }
    }

    /// The document in its one canonical text, with a newline at the end; its formula keeps its id.
    pub fn format(&self) -> String {
        let value = match self {
            Document::Repeatr(document) => document.written(),
            Document::Warpforge(document) => document.written(),
        };
        crate::json::pretty(&value, "  ") + "\n"
    }
}
