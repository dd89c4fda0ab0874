//! Results on standard output.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::{Exit, Outcome};

/// Prints `value` as indented JSON.
pub(crate) fn json(value: &impl Serialize, out: &mut impl Write) -> Outcome {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(Exit::Success)
}
