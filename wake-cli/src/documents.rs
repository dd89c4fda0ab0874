//! Diagnostics for errors in documents.

use wake_steps::diagnostic::{Class, Diagnostic, Level, Place};
use wake_velocity::DocumentError;

/// Turns a document error into a diagnostic with its place.
pub(crate) fn wrong(error: DocumentError, level: Level) -> Diagnostic {
    let DocumentError { place, source_line, message, hint } = error;
    let whole = place.line == 0;
    let message = if whole { format!("`{}`: {message}", place.file) } else { message };
    let place = (!whole).then(|| Place {
        file: place.file.to_string(),
        line: place.line,
        column: place.column,
        end_column: place.column + 1,
        source_line,
        label: None,
    });
    let mut diagnostic =
        Diagnostic { level, ..Diagnostic::error(Class::Evaluation, message).at(place) };
    diagnostic.help.extend(hint);
    diagnostic
}
