//! Results on standard output.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::terminal::escape;

/// Prints `value` as indented JSON.
pub(crate) fn json(value: &impl Serialize, out: &mut impl Write) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    line(escape::json(&text), out)
}

/// Prints `text`, which contains its own line breaks.
pub(crate) fn text(text: &str, out: &mut impl Write) -> Outcome {
    out.write_all(text.as_bytes())?;
    Ok(Exit::SUCCESS)
}

/// Prints each item as a line.
pub(crate) fn lines(
    lines: impl IntoIterator<Item = impl Display>,
    out: &mut impl Write,
) -> Outcome {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::SUCCESS)
}

/// Prints one line.
pub(crate) fn line(line: impl Display, out: &mut impl Write) -> Outcome {
    lines([line], out)
}
