//! The remaining budget of one evaluation.

use std::cell::Cell;

use jrsonnet_evaluator::Result;

use super::note::Note;
use crate::{Limit, Limits};

/// The limits of an evaluation, and what is left of them.
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    nodes: Cell<usize>,
    text_bytes: Cell<usize>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        let (nodes, text_bytes) = (Cell::new(limits.nodes), Cell::new(limits.text_bytes));
        Budget { limits: limits.clone(), nodes, text_bytes }
    }

    /// Resets what has been spent.
    pub(crate) fn renew(&self) {
        self.nodes.set(self.limits.nodes);
        self.text_bytes.set(self.limits.text_bytes);
    }

    /// Counts one value, and the bytes of a string, against the limits of a result.
    pub(crate) fn spend(&self, text: usize) -> Result<()> {
        let Some(left) = self.nodes.get().checked_sub(1) else {
            let message = format!("the result contains more than {} values", self.limits.nodes);
            return Err(Note::too_much(Limit::Nodes, message).into());
        };
        self.nodes.set(left);
        let Some(left) = self.text_bytes.get().checked_sub(text) else {
            let bytes = self.limits.text_bytes;
            let message = format!("the result contains more than {bytes} bytes of text");
            return Err(Note::too_much(Limit::Text, message).into());
        };
        self.text_bytes.set(left);
        Ok(())
    }

    /// Refuses a source text that could overflow the stack of the recursive parser.
    pub(crate) fn check_source(&self, name: &str, bytes: usize) -> Result<()> {
        let limit = self.limits.source_bytes;
        if bytes <= limit {
            return Ok(());
        }
        let message = format!("`{name}` has {bytes} bytes: the limit for a source file is {limit}");
        Err(Note::too_much(Limit::Source, message).into())
    }
}
